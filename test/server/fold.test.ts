import { describe, expect, test } from "bun:test";
import { foldFrame, type PresenceState, type RoomState } from "@porchlight/core";
import fc from "fast-check";
import { trials } from "../support/runs.ts";
import { type Person, TestServer } from "../support/server.ts";
import type { Frame, StreamClient } from "../support/stream.ts";

const ROOM = "lounge";
const OTHERS = ["bob", "eve", "ada"] as const;

/** A room as a client keeps it: a snapshot, and the frames since. */
class Follower {
  state: RoomState;
  readonly #viewer: string;
  readonly #presence = new Map<string, PresenceState>();

  constructor(viewer: string, state: RoomState) {
    this.#viewer = viewer;
    this.state = state;
  }

  follow(frames: readonly Frame[]): void {
    for (const frame of frames) {
      if (frame.type === "presence") this.#presence.set(frame.participant_id, frame.state);
      if (frame.type === "presence.snapshot") {
        for (const [id, state] of Object.entries(frame.states)) this.#presence.set(id, state);
      }
      const presenceOf = (id: string): PresenceState => this.#presence.get(id) ?? "offline";
      this.state = foldFrame(this.state, frame, { participant_id: this.#viewer, presenceOf });
    }
  }
}

async function snapshotOf(person: Person): Promise<RoomState> {
  return (await person.get(`/v1/rooms/${ROOM}/state`)).body.data;
}

/** Something that happens: by the administrator, or by a member, in whose paths the room's is left out. */
interface Happening {
  readonly by?: "ann" | "bob";
  readonly method?: "PUT" | "POST";
  readonly path: string;
  /** In it, `$event` is what was said last. */
  readonly body: object;
}

/** What a frame tells of that it does not say: a client takes a new snapshot then. */
function isUnsaid({ type, response_mode }: Frame): boolean {
  if (type === "swp.room.ai_engagement") return response_mode === null;
  return /^swp\.(room\.(redaction|read_marker|notification_mode|mute)|me\.preferences)$/.test(type);
}

const anyone = fc.constantFrom(...OTHERS);
const anyMember = fc.constantFrom("ann" as const, "bob" as const);
const anyOwnAct: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({
    by: anyMember,
    path: fc.constant("/read-marker"),
    body: fc.record({ event_id: fc.constant("$event"), force: fc.boolean() }),
  }),
  fc.record({
    by: anyMember,
    path: fc.constant("/mute"),
    body: fc.record({ until: fc.constantFrom(null, "indefinite") }),
  }),
  fc.record({
    by: anyMember,
    path: fc.constant("/notification-mode"),
    body: fc.record({ mode: fc.constantFrom("all", "none") }),
  }),
  fc.record({
    by: anyMember,
    path: fc.constant("/ai/engagement"),
    body: fc.record(
      {
        mode: fc.constantFrom("mention", "autonomous"),
        participant_id: fc.constantFrom("ada", null),
      },
      { requiredKeys: ["mode"] },
    ),
  }),
  fc.record({
    by: anyMember,
    path: fc.constant("/ai/response-mode"),
    body: fc.record({
      mode: fc.constantFrom("streaming", "conversational"),
      participant_id: fc.constantFrom("ada", null),
    }),
  }),
  fc.record({
    by: anyMember,
    method: fc.constant("POST" as const),
    path: fc.constant("/send"),
    body: fc.constant({ content: { msgtype: "m.text", body: "hi" } }),
  }),
  fc.record({
    by: anyMember,
    method: fc.constant("POST" as const),
    path: fc.constant("/invite"),
    body: fc.record({ participant_id: fc.constantFrom("eve", "ada") }),
  }),
  fc.record({
    by: fc.constant("bob" as const),
    method: fc.constant("POST" as const),
    path: fc.constantFrom("/join", "/leave"),
    body: fc.constant({}),
  }),
);
const anyAct: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 8, arbitrary: anyOwnAct },
  fc.record({
    path: anyone.map((id) => `/rooms/${ROOM}/members/${id}`),
    body: fc.record(
      {
        membership: fc.constantFrom("join", "leave", "invite", "ban"),
        power_level: fc.constantFrom(0, 50),
        engagement_mode: fc.constantFrom(null, "mention"),
        response_mode: fc.constantFrom(null, "streaming"),
      },
      { requiredKeys: [] },
    ),
  }),
  fc.record({
    path: fc.constant(`/rooms/${ROOM}`),
    body: fc.record(
      {
        name: fc.constantFrom(null, "Lounge", "Bar"),
        topic: fc.constantFrom(null, "Tea"),
        engagement_mode: fc.constantFrom("always", "keyword"),
        response_mode: fc.constantFrom(null, "streaming"),
      },
      { requiredKeys: [] },
    ),
  }),
  fc.record({
    path: fc.constant(`/rooms/${ROOM}/plan`),
    body: fc.record({ id: fc.constant("p"), state: fc.constantFrom("running", "paused", "done") }),
  }),
  fc.record({
    path: fc.constant(`/rooms/${ROOM}/call`),
    body: fc.record({
      call_id: fc.constant("c"),
      ended_at: fc.constantFrom(null, "2026-01-31T12:00:00Z"),
    }),
  }),
  fc.record({
    path: fc.constantFrom(`/rooms/${ROOM}/sidekicks/t1`, `/rooms/${ROOM}/sidekicks/t0`),
    body: fc.record({ status: fc.constantFrom("running", "completed", "terminated") }),
  }),
  fc.record({
    path: anyone.map((id) => `/participants/${id}`),
    body: fc.record(
      {
        display_name: fc.constantFrom("Zoe", "Abe"),
        presence: fc.constantFrom(null, "busy", "appear_offline"),
      },
      { requiredKeys: [] },
    ),
  }),
  fc.record({
    method: fc.constant("POST" as const),
    path: fc.constant(`/rooms/${ROOM}/events`),
    body: fc.record({
      sender_id: anyMember,
      content: fc.constant({ body: "hi" }),
    }),
  }),
  fc.record({
    method: fc.constant("POST" as const),
    path: fc.constant(`/rooms/${ROOM}/events`),
    body: fc.record({
      sender_id: anyMember,
      type: fc.constant("swp.room.redaction"),
      content: fc.constant({ redacts: "$event" }),
    }),
  }),
  fc.record({
    path: fc.constant("/rooms/elsewhere"),
    body: fc.record({ name: fc.constantFrom("A", "B") }),
  }),
);

/** What somebody may not do is refused: nothing happens then. */
async function perform(
  server: TestServer,
  { method = "PUT", path, body }: Happening,
  said: string,
  member: string | undefined,
): Promise<void> {
  await server.request(
    method,
    member === undefined ? `/v1/admin${path}` : `/v1/rooms/${ROOM}${path}`,
    { token: member ?? server.adminToken, text: JSON.stringify(body).replace("$event", said) },
  );
}

function saidLast(frames: readonly Frame[]): string | undefined {
  const last = frames.findLast(({ type }) => type === "swp.room.message");
  return typeof last?.id === "string" ? last.id : undefined;
}

describe("foldFrame", () => {
  test("keeps a snapshot what a new snapshot would be, whatever happens in the room", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const bob = await server.person("bob");
    const tokens = { ann: ann.token, bob: bob.token };
    await server.person("eve");
    await server.person("ada", { participant_type: "model" });
    const hears = await ann.stream();
    await server.room("elsewhere", [ann]);
    await fc.assert(
      fc.asyncProperty(fc.array(anyAct, { minLength: 1, maxLength: 12 }), async (acts) => {
        await server.room(ROOM, [ann], { is_public: true });
        const follower = await followed(ann, hears);
        let said = "";
        for (const act of acts) {
          await perform(server, act, said, act.by && tokens[act.by]);
          await server.clock.advance(100);
          const frames = await hears.heard();
          follower.follow(frames);
          if (frames.some(isUnsaid)) follower.state = await snapshotOf(ann);
          said = saidLast(frames) ?? said;
        }
        expect(follower.state).toEqual(await snapshotOf(ann));
      }),
      trials(60),
    );
  }, 120_000);

  test("with the stream opened before the snapshot, misses nothing and doubles nothing", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room(ROOM, [ann, bob]);
    const hears = await ann.stream();
    const say = (): Promise<unknown> =>
      server.admin("POST", `/rooms/${ROOM}/events`, { sender_id: "bob", content: { body: "hi" } });
    await Promise.all([say(), say()]);
    const [snapshot] = await Promise.all([snapshotOf(ann), say(), say(), say()]);
    const follower = new Follower("ann", snapshot);
    follower.follow(await hears.heard());
    expect(follower.state.unread_count).toBe(5);
  });

  test("shows who types, comes and goes, and answers the same object when nothing changes", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room(ROOM, [ann, bob]);
    const hears = await ann.stream();
    const follower = await followed(ann, hears);
    await bob.put("/v1/typing", { room_id: ROOM, typing: true });
    follower.follow(await hears.heard());
    expect(follower.state.typing).toEqual(["bob"]);
    expect(follower.state).toEqual(await snapshotOf(ann));
    const before = follower.state;
    await server.clock.advance(2_500);
    follower.follow(await hears.heard());
    expect(follower.state).toBe(before);
    await server.clock.advance(1_500);
    follower.follow(await hears.heard());
    expect(follower.state).toEqual(await snapshotOf(ann));
  });
});

/** A snapshot, and the stream from there on. */
async function followed(person: Person, hears: StreamClient): Promise<Follower> {
  const follower = new Follower(person.id, await snapshotOf(person));
  hears.send({ type: "subscribe", presence: "all", snapshot: true });
  follower.follow(await hears.heard());
  return follower;
}
