import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Doc } from "yjs";
import { NODES } from "../support/nodes.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../support/runs.ts";
import { ALONE, type Person, TestServer } from "../support/server.ts";
import type { Frame, StreamClient } from "../support/stream.ts";
import { YjsClient } from "../support/yjs.ts";

/**
 * Let Ann appear offline for a while. Compare with a history in which she
 * stops typing, clears her manual state and signs off every device instead,
 * omits all that she did privately, and at the end connects the devices that
 * she has then. Bob must not be able to tell the two apart.
 */

/** Of several nodes each tells it when its store has answered, be it in this step or the next. */
const NOTIFICATION = "swp.notification";
const ROOM = "lounge";
const PATH = `/v1/rooms/${ROOM}`;
const RESPONSE_MODE = { mode: "streaming", participant_id: null };
/** Longer than changes are held back, so that what is told late is told within its step. */
const STEP_MS = 250;
/** So short that two of them pass within the time for which changes are held back. */
const MOMENT_MS = 40;

type Act =
  | { readonly kind: "open"; readonly device: string; readonly state: "online" | "idle" }
  | { readonly kind: "bye" | "cut" | "typing" | "typingStream"; readonly device: string }
  | { readonly kind: "heartbeat"; readonly device: string; readonly state: "online" | "idle" }
  | { readonly kind: "choose"; readonly state: "busy" | "idle" | "online" | "appear_offline" }
  | { readonly kind: "preferences" | "snooze" | "look" | "stopTyping" | "message" }
  | { readonly kind: "readMarker" | "mute" | "notificationMode" }
  | { readonly kind: "leaveRoom" | "joinRoom" | "invite" | "engagement" | "responseMode" }
  | { readonly kind: "profile"; readonly name: string }
  | { readonly kind: "openYjs" | "destroyYjs" | "cutYjs" | "sayNothing"; readonly device: string }
  | { readonly kind: "say"; readonly device: string; readonly x: number; readonly typing: boolean };

const device = fc.constantFrom("laptop", "phone");
const state = fc.constantFrom("online" as const, "idle" as const);
const anyAct: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ kind: fc.constant("open" as const), device, state }),
  fc.record({ kind: fc.constantFrom("bye" as const, "cut" as const), device }),
  fc.record({ kind: fc.constantFrom("typing" as const, "typingStream" as const), device }),
  fc.record({ kind: fc.constant("heartbeat" as const), device, state }),
  fc.record({
    kind: fc.constantFrom(
      "preferences" as const,
      "snooze" as const,
      "look" as const,
      "stopTyping" as const,
      "message" as const,
    ),
  }),
  fc.record({
    kind: fc.constantFrom(
      "readMarker" as const,
      "mute" as const,
      "notificationMode" as const,
      "leaveRoom" as const,
      "joinRoom" as const,
      "joinRoom" as const,
      "invite" as const,
      "engagement" as const,
      "responseMode" as const,
    ),
  }),
  fc.record({ kind: fc.constant("profile" as const), name: fc.constantFrom("Ann", "Anna") }),
  fc.record({
    kind: fc.constantFrom("openYjs", "openYjs", "destroyYjs", "cutYjs", "sayNothing"),
    device,
  }),
  fc.record({ kind: fc.constant("say"), device, x: fc.nat(2), typing: fc.boolean() }),
);
const anyChoice: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant("choose" as const),
  state: fc.constantFrom("busy" as const, "idle" as const, "online" as const),
});
/** What she may do again while she hides, and changes nothing by. */
const hideAgain: fc.Arbitrary<Act> = fc.constant({ kind: "choose", state: "appear_offline" });

/** Ann's acts that others may see also while she hides. */
const PUBLIC: readonly Act["kind"][] = [
  "message",
  "profile",
  "leaveRoom",
  "joinRoom",
  "invite",
  "engagement",
  "responseMode",
];

/** A device as its person is told of it. */
interface Device {
  readonly device_id: string;
  readonly state: "online" | "idle";
  readonly transports: readonly ("rest" | "stream" | "yjs")[];
}

/** One of the two histories, in a server of its own. */
class History {
  readonly server: TestServer;
  readonly #ann: Person;
  readonly #bob: Person;
  readonly #hears: StreamClient;
  /** A message of Bob's. */
  readonly #message: string;
  readonly #streams = new Map<string, StreamClient>();
  readonly #yjs = new Map<string, YjsClient>();
  /** By device, what clients have said whose connection was cut. */
  readonly #lost = new Map<string, object | null>();
  /** Bob's client of y-websocket. */
  readonly #watches: YjsClient;
  /** What Bob heard and saw, step by step. */
  readonly seen: unknown[] = [];

  private constructor(
    server: TestServer,
    ann: Person,
    bob: Person,
    { hears, watches, message }: { hears: StreamClient; watches: YjsClient; message: string },
  ) {
    this.server = server;
    this.#ann = ann;
    this.#bob = bob;
    this.#hears = hears;
    this.#watches = watches;
    this.#message = message;
  }

  static async begin(): Promise<History> {
    const server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.person("cy");
    await server.room(ROOM, [ann, bob], { is_public: true });
    const said = { sender_id: "bob", content: { body: "hello" } };
    const { body } = await server.admin("POST", `/rooms/${ROOM}/events`, said);
    return new History(server, ann, bob, {
      hears: await bob.stream(),
      watches: await YjsClient.open(server, bob, ROOM, { doc: docOf("bob") }),
      message: body.data.id,
    });
  }

  async do(act: Act): Promise<void> {
    const stream = "device" in act ? this.#streams.get(act.device) : undefined;
    switch (act.kind) {
      case "open":
        this.#streams.set(
          act.device,
          await this.#ann.stream({ device_id: act.device, state: act.state }),
        );
        break;
      case "bye":
        this.#streams.delete(act.device);
        await stream?.close();
        break;
      case "cut":
        this.#streams.delete(act.device);
        if (stream !== undefined) await this.server.cut(stream);
        break;
      case "typing":
        await this.#ann.put("/v1/typing", { room_id: ROOM, typing: true, device_id: act.device });
        break;
      case "typingStream":
        stream?.send({ type: "typing", room_id: ROOM, typing: true });
        await stream?.heard();
        break;
      case "stopTyping":
        for (const device_id of ["laptop", "phone"])
          await this.#ann.put("/v1/typing", { room_id: ROOM, typing: false, device_id });
        break;
      case "heartbeat":
        await this.#ann.post("/v1/me/heartbeat", { device_id: act.device, state: act.state });
        break;
      case "choose":
        await this.#ann.put("/v1/me/presence", { state: act.state, device_id: "phone" });
        break;
      case "preferences":
        await this.#ann.put("/v1/me/preferences", { locale: "nl" });
        break;
      case "snooze": {
        // Until within the step, so that it fires while she hides.
        const until = new Date(this.server.clock.wall() + STEP_MS / 2).toISOString();
        await this.#ann.post(`/v1/messages/${this.#message}/snooze`, { until });
        break;
      }
      case "look":
        await this.#ann.get(`/v1/rooms/${ROOM}/state`);
        break;
      case "openYjs":
        await this.#openYjs(act.device);
        break;
      case "destroyYjs":
      case "cutYjs":
        await this.#endYjs(act.device, act.kind === "cutYjs");
        break;
      case "say":
      case "sayNothing": {
        const client = this.#yjs.get(act.device);
        const state = act.kind === "say" ? { x: act.x, typing: act.typing } : null;
        client?.awareness.setLocalState(state);
        if (client?.provider.wsconnected) await client.settled();
        // The node she is on asks the store whether she may type: what is asked of all after that is answered later.
        for (let node = 0; node < (ALONE ? 0 : NODES); node += 1)
          await this.#bob.get(`${PATH}/state`);
        break;
      }
      case "message":
        await this.#ann.post(`${PATH}/send`, { content: { msgtype: "m.text", body: "hi" } });
        break;
      case "readMarker":
      case "mute":
      case "notificationMode":
        await this.#doPrivately(act.kind);
        break;
      case "leaveRoom":
        await this.#ann.post(`${PATH}/leave`, {});
        break;
      case "joinRoom":
        await this.#ann.post(`${PATH}/join`, {});
        break;
      case "invite":
        await this.#ann.post(`${PATH}/invite`, { participant_id: "cy" });
        break;
      case "engagement":
        await this.#ann.put(`${PATH}/ai/engagement`, { mode: "mention" });
        break;
      case "responseMode":
        await this.#ann.put(`${PATH}/ai/response-mode`, RESPONSE_MODE);
        break;
      case "profile":
        await this.#ann.put("/v1/me", { display_name: act.name });
        break;
      default:
        act satisfies never;
    }
  }

  /** Does what concerns nobody else in the room; where Ann has left it, it is refused. */
  async #doPrivately(kind: "readMarker" | "mute" | "notificationMode"): Promise<void> {
    if (kind === "mute") await this.#ann.put(`${PATH}/mute`, { until: "indefinite" });
    else if (kind === "notificationMode")
      await this.#ann.put(`${PATH}/notification-mode`, { mode: "none" });
    else {
      const { data = [] } = (await this.#ann.get(`${PATH}/messages?limit=1`)).body;
      await this.#ann.put(`${PATH}/read-marker`, { event_id: data[0]?.id ?? "none", force: true });
    }
  }

  /** Opens a Yjs socket of a device, if it has none and is let in. It has the same id each time. */
  async #openYjs(device_id: string, state: object | null = {}, params = {}): Promise<void> {
    if (this.#yjs.has(device_id) || !(await this.#isIn())) return;
    const doc = docOf(device_id);
    const client = new YjsClient(this.server, this.#ann, ROOM, { doc, device_id, params });
    client.awareness.setLocalState(state);
    await client.synced();
    await client.settled();
    this.#yjs.set(device_id, client);
    this.#lost.delete(device_id);
  }

  async #endYjs(device: string, isCut: boolean): Promise<void> {
    const client = this.#yjs.get(device);
    if (client === undefined) return;
    this.#yjs.delete(device);
    const line = this.server.lines.length;
    // One that was put out, as its person left the room, is closed already.
    const isOpen = client.provider.wsconnected;
    if (isCut && isOpen) {
      this.#lost.set(device, client.awareness.getLocalState());
      client.provider.shouldConnect = false;
      client.cut();
      await this.server.logged("yjs.closed", line);
    }
    client.destroy();
    if (isOpen && !isCut) await this.server.logged("yjs.closed", line);
  }

  async #isIn(): Promise<boolean> {
    return (await this.#ann.get(PATH)).status === 200;
  }

  /** The Yjs sockets that are open or linger, by device, and what their clients say. */
  get clients(): readonly { device: string; state: object | null; isLost: boolean }[] {
    const open = [...this.#yjs].filter(([, { provider }]) => provider.wsconnected);
    return [
      ...open.map(([name, { awareness }]) => ({
        device: name,
        state: awareness.getLocalState(),
        isLost: false,
      })),
      ...[...this.#lost].map(([name, state]) => ({ device: name, state, isLost: true })),
    ];
  }

  /** What going offline is, for someone who does not hide. */
  async leave(): Promise<void> {
    // Signing a device off ends its typing. The most awake goes last, so that all of them go as one.
    const devices = (await this.devices()).sort(
      (a, b) => Number(a.state === "online") - Number(b.state === "online"),
    );
    for (const { device_id } of devices) {
      await this.#endYjs(device_id, false);
      await this.#ann.delete(`/v1/me/devices/${device_id}`);
    }
    this.#streams.clear();
    // Those that say nothing of themselves are no devices.
    for (const name of [...this.#yjs.keys()]) await this.#endYjs(name, false);
    this.#lost.clear();
    await this.automatic();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of [this.#watches, ...this.#yjs.values()]) client.destroy();
    await this.server[Symbol.asyncDispose]();
  }

  async automatic(): Promise<void> {
    await this.server.admin("PUT", "/participants/ann", { presence: null });
  }

  async devices(): Promise<Device[]> {
    return (await this.#ann.get("/v1/me/presence")).body.data.devices;
  }

  /**
   * Connects devices in their states, the most awake first: those with a Yjs socket by it, and what is heard of
   * otherwise, as it is when they have left the room, by a request.
   */
  async connect(devices: readonly Device[], clients: History["clients"]): Promise<void> {
    const awake = devices.toSorted(
      (a, b) => Number(b.state === "online") - Number(a.state === "online"),
    );
    for (const { device_id, state, transports } of awake) {
      const client = clients.find(({ device }) => device === device_id);
      if (client !== undefined) await this.#openYjs(device_id, client.state, { state });
      if (client?.isLost) await this.#endYjs(device_id, true);
      if (client === undefined || transports.some((each) => each !== "yjs"))
        await this.do({ kind: "heartbeat", device: device_id, state });
    }
  }

  /** Lets next to no time pass. */
  moment(): Promise<void> {
    return this.server.clock.advance(MOMENT_MS);
  }

  /** Lets a step pass, and takes down all that Bob can find out. */
  async step(): Promise<void> {
    await this.server.clock.advance(STEP_MS);
    await this.#watches.settled();
    const frames = (await this.#hears.heard()).filter(
      ({ participant_id, type }) =>
        (type !== "presence" || participant_id === "ann") && (ALONE || type !== NOTIFICATION),
    );
    const [presence, room, rooms, profile] = await Promise.all([
      this.#bob.get("/v1/presence?ids=ann,bob"),
      this.#bob.get(`/v1/rooms/${ROOM}/state`),
      this.#bob.get("/v1/rooms"),
      this.#bob.get("/v1/profiles/ann"),
    ]);
    this.#hears.send({ type: "subscribe", presence: "all", snapshot: true });
    const { states } = (await this.#hears.type("presence.snapshot")) as Frame & { states: unknown };
    const tags = [presence, room, rooms, profile].map(({ headers }) => headers.get("etag"));
    this.seen.push({
      frames: frames.map(bare),
      presence: presence.body,
      room: room.body,
      rooms: rooms.body,
      profile: profile.body,
      states,
      tags,
      awareness: this.#watches.seen,
    });
  }
}

/** A document with an id that is the same in both histories. */
function docOf(name: string): Doc {
  const doc = new Doc();
  doc.clientID = 1_000 + name.length;
  return doc;
}

/** A frame without what may differ: when it was sent, and the names of events. */
function bare({ ts: _ts, id: _id, event_id: _event, ...frame }: Frame): object {
  return frame;
}

/** @param hasty whether she hides, and did all before, within a few moments. */
async function bothHistories(
  before: readonly Act[],
  during: readonly Act[],
  after: readonly Act[],
  hasty = false,
): Promise<[hidden: unknown[], gone: unknown[]]> {
  const [hiding, leaving] = [await History.begin(), await History.begin()];
  await using _hiding = hiding;
  await using _leaving = leaving;
  const both = async (first: () => Promise<void>, second: () => Promise<void>): Promise<void> => {
    await first();
    await second();
    await Promise.all([hiding.step(), leaving.step()]);
  };
  const same = (act: Act): Promise<void> =>
    both(
      () => hiding.do(act),
      () => leaving.do(act),
    );
  for (const act of before) {
    if (!hasty) await same(act);
    else {
      for (const history of [hiding, leaving]) {
        await history.do(act);
        await history.moment();
      }
    }
  }
  await both(
    () => hiding.do({ kind: "choose", state: "appear_offline" }),
    () => leaving.leave(),
  );
  for (const act of during) {
    await both(
      () => hiding.do(act),
      async () => {
        if (PUBLIC.includes(act.kind)) await leaving.do(act);
      },
    );
  }
  const [devices, clients] = [await hiding.devices(), hiding.clients];
  await both(
    () => hiding.automatic(),
    async () => leaving.connect(devices, clients),
  );
  for (const act of after.filter(({ kind }) => PUBLIC.includes(kind))) await same(act);
  return [hiding.seen, leaving.seen];
}

describe("appearing offline", () => {
  test(
    "is to everyone else, by requests and on the stream, what going offline is",
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.oneof({ weight: 5, arbitrary: anyAct }, { weight: 1, arbitrary: anyChoice }),
            { maxLength: 6 },
          ),
          fc.array(
            fc.oneof({ weight: 8, arbitrary: anyAct }, { weight: 1, arbitrary: hideAgain }),
            { maxLength: 6 },
          ),
          fc.array(anyAct, { maxLength: 3 }),
          async (before, during, after) => {
            const [hidden, gone] = await bothHistories(before, during, after);
            expect(hidden).toEqual(gone);
          },
        ),
        trials(25),
      );
    },
    TRIALS_TIMEOUT_MS,
  );

  const cases: Record<string, [before: Act[], during: Act[], hasty?: true]> = {
    "chosen while typing": [
      [
        { kind: "open", device: "laptop", state: "online" },
        { kind: "typingStream", device: "laptop" },
      ],
      [{ kind: "typingStream", device: "laptop" }],
    ],
    "chosen from nowhere, then returning": [
      [],
      [{ kind: "open", device: "laptop", state: "online" }],
    ],
    "chosen within a coalescing window": [
      [
        { kind: "open", device: "laptop", state: "online" },
        { kind: "heartbeat", device: "laptop", state: "idle" },
      ],
      [{ kind: "heartbeat", device: "laptop", state: "online" }],
      true,
    ],
    "chosen in a client of y-websocket, in which she goes on": [
      [
        { kind: "openYjs", device: "laptop" },
        { kind: "say", device: "laptop", x: 1, typing: true },
      ],
      [
        { kind: "say", device: "laptop", x: 2, typing: true },
        { kind: "openYjs", device: "phone" },
        { kind: "sayNothing", device: "phone" },
        { kind: "say", device: "laptop", x: 0, typing: false },
      ],
    ],
    "chosen from nowhere, then returning with a client of y-websocket beside a stream": [
      [],
      [
        { kind: "open", device: "phone", state: "online" },
        { kind: "openYjs", device: "phone" },
      ],
    ],
    "chosen while what she says in Yjs lingers": [
      [
        { kind: "openYjs", device: "laptop" },
        { kind: "cutYjs", device: "laptop" },
      ],
      [
        { kind: "openYjs", device: "laptop" },
        { kind: "cutYjs", device: "laptop" },
      ],
    ],
    "with private acts": [
      [{ kind: "open", device: "laptop", state: "online" }, { kind: "message" }],
      [
        { kind: "readMarker" },
        { kind: "mute" },
        { kind: "notificationMode" },
        { kind: "preferences" },
        { kind: "snooze" },
        { kind: "look" },
        { kind: "heartbeat", device: "phone", state: "idle" },
      ],
    ],
    "with acts that others may see": [
      [{ kind: "open", device: "laptop", state: "idle" }],
      [
        { kind: "message" },
        { kind: "profile", name: "Anna" },
        { kind: "engagement" },
        { kind: "responseMode" },
        { kind: "invite" },
        { kind: "leaveRoom" },
        { kind: "joinRoom" },
      ],
    ],
    "out of a state set by hand": [
      [
        { kind: "open", device: "laptop", state: "online" },
        { kind: "choose", state: "busy" },
      ],
      [{ kind: "cut", device: "laptop" }],
    ],
  };
  for (const [name, [before, during, hasty]] of Object.entries(cases)) {
    test(`${name}, is to everyone else what going offline is`, async () => {
      const after: Act[] = [{ kind: "message" }, { kind: "leaveRoom" }];
      const [hidden, gone] = await bothHistories(before, during, after, hasty);
      expect(hidden).toEqual(gone);
    });
  }
});
