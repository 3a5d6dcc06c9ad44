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

const anyone = fc.constantFrom(...OTHERS);
const anyAct = fc.oneof(
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
    path: fc.constant(`/rooms/${ROOM}/events`),
    body: fc.record({
      sender_id: fc.constantFrom("ann", "bob"),
      content: fc.constant({ body: "hi" }),
    }),
  }),
  fc.record({
    path: fc.constant("/rooms/elsewhere"),
    body: fc.record({ name: fc.constantFrom("A", "B") }),
  }),
);

describe("foldFrame", () => {
  test("keeps a snapshot what a new snapshot would be, whatever happens in the room", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    for (const id of OTHERS)
      await server.person(id, id === "ada" ? { participant_type: "model" } : {});
    const hears = await ann.stream();
    await server.room("elsewhere", [ann]);
    await fc.assert(
      fc.asyncProperty(fc.array(anyAct, { minLength: 1, maxLength: 12 }), async (acts) => {
        await server.room(ROOM, [ann]);
        const follower = await followed(ann, hears);
        for (const { path, body } of acts) {
          // A message of someone who has not joined is refused: nothing happens then.
          await server.request(path.endsWith("/events") ? "POST" : "PUT", `/v1/admin${path}`, {
            token: server.adminToken,
            body,
          });
          await server.clock.advance(100);
        }
        follower.follow(await hears.heard());
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
