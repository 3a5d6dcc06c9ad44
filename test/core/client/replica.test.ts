import { describe, expect, test } from "bun:test";
import {
  CodedError,
  DEFAULT_TIMINGS,
  type HelloFrame,
  isoOf,
  type RoomState,
  roomState,
  type ServerFrame,
} from "@porchlight/core";
import { type Asked, Replica } from "@porchlight/core/client";
import fc from "fast-check";
import { member, roomLife, roomRecord } from "../../support/builders.ts";
import { hello } from "../../support/client-runtime.ts";
import { OTHERS, ReplicaRun, ROOMS, type ServerAct } from "../../support/replica-run.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../../support/runs.ts";

const AT = Date.parse("2026-01-01T00:00:00.000Z");
const TS = isoOf(AT);
const room = fc.constantFrom(...ROOMS);
const who = fc.constantFrom(...OTHERS);

const anyAct: fc.Arbitrary<ServerAct> = fc.oneof(
  fc.record({ kind: fc.constant("message" as const), room, by: fc.constantFrom("ann", ...OTHERS) }),
  fc.record({ kind: fc.constant("rename" as const), room, name: fc.constantFrom("one", "two") }),
  fc.record({
    kind: fc.constant("member" as const),
    room,
    who,
    membership: fc.constantFrom("join" as const, "leave" as const, "invite" as const),
  }),
  fc.record({ kind: fc.constant("profile" as const), who, name: fc.constantFrom("Zoe", "Al") }),
  fc.record({
    kind: fc.constant("presence" as const),
    who,
    state: fc.constantFrom("online" as const, "idle" as const, "offline" as const),
  }),
  fc.record({ kind: fc.constant("typing" as const), room, who, typing: fc.boolean() }),
  fc.record({ kind: fc.constantFrom("gap" as const, "resync" as const, "cut" as const) }),
  fc.record({ kind: fc.constant("connect" as const), replays: fc.boolean() }),
);

/** Brings the connection back, whatever became of it. */
const REPAIR: readonly ServerAct[] = [{ kind: "resync" }, { kind: "connect", replays: false }];

describe("a replica that opens the stream first and then takes the snapshot", () => {
  test(
    "misses nothing and doubles nothing, whatever overtakes what",
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.array(anyAct, { maxLength: 30, size: "max" }),
          async (s, acts) => {
            const run = new ReplicaRun(s);
            const history: ServerAct[] = [{ kind: "connect", replays: true }, ...acts];
            s.scheduleSequence(
              [...history, ...REPAIR].map((act) => ({
                label: act.kind,
                builder: async () => run.do(act),
              })),
            );
            await s.waitIdle();
            run.checkEnd();
          },
        ),
        trials(2_000),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});

/** A replica of Ann's that has heard `hello`, and the means to talk to it. */
class Ears {
  readonly replica = new Replica();
  now = 0;

  constructor(given: Partial<HelloFrame> = {}) {
    this.hello(given);
  }

  hello(given: Partial<HelloFrame> = {}): void {
    this.hear(hello({ stream_position: 5, ...given }));
  }

  hear(frame: ServerFrame): void {
    this.replica.hear(frame, this.now);
  }

  presence(participant_id: string, state: "online" | "offline"): void {
    this.hear({ type: "presence", tenant_id: "t", participant_id, status: state, state, ts: TS });
  }

  everyone(states: Record<string, "online" | "idle">): void {
    this.hear({ type: "presence.snapshot", tenant_id: "t", states, ts: TS });
  }

  typing(participant_id: string, typing = true, room_id = "lobby"): void {
    this.hear({ type: "typing", tenant_id: "t", room_id, participant_id, typing, ts: TS });
  }

  /** Follows the lobby, and takes up a snapshot of it. */
  lobby(given: Parameters<typeof lobby>[0] = {}): void {
    this.replica.follow("lobby");
    for (const asked of this.replica.wanted()) this.replica.answer(asked, lobby(given), this.now);
  }
}

/** The lobby with Ann and Bob. */
function lobby(given: { stream_position?: number; typists?: string[] } = {}): RoomState {
  const { stream_position = 5, typists = [] } = given;
  const members = [member({ id: "ann" }), member({ id: "bob" })];
  const life = roomLife({ typists, presenceOf: () => "idle" });
  return roomState(roomRecord({ members, stream_position }), life, 0);
}

function only(asked: Asked[]): Asked {
  const [first] = asked;
  if (first === undefined || asked.length > 1)
    throw new Error("Cannot find one that was asked for");
  return first;
}

describe("Replica", () => {
  test("knows nothing before the first connection, and says so", () => {
    const replica = new Replica();
    replica.follow("lobby");
    expect(replica.presence("bob")).toEqual({ status: "unknown" });
    expect(replica.room("lobby")).toEqual({ status: "unknown" });
    expect(replica.room("elsewhere")).toEqual({ status: "unknown" });
    expect([replica.typists("lobby"), replica.wanted(), replica.position]).toEqual([
      [],
      [],
      undefined,
    ]);
    replica.lose(AT);
    expect(replica.presence("bob")).toEqual({ status: "unknown" });
  });

  test("knows everyone's presence from the snapshot on, whoever is not in it as offline", () => {
    const ears = new Ears();
    ears.presence("eve", "online");
    expect(ears.replica.presence("eve")).toEqual({ status: "unknown" });
    ears.everyone({ bob: "idle" });
    ears.presence("ada", "online");
    const states = ["bob", "eve", "ada"].map((id) => ears.replica.presence(id));
    expect(states).toEqual([
      { status: "current", state: "idle" },
      { status: "current", state: "offline" },
      { status: "current", state: "online" },
    ]);
  });

  test("keeps what it knew as stale since the connection went, until it is told anew", () => {
    const ears = new Ears();
    ears.everyone({ bob: "online" });
    ears.lobby({ typists: ["bob"] });
    ears.replica.lose(AT);
    ears.replica.lose(AT + 1_000);
    expect(ears.replica.presence("bob")).toEqual({
      status: "stale",
      state: "online",
      stale_since: AT,
    });
    expect(ears.replica.room("lobby")).toMatchObject({ status: "stale", stale_since: AT });
    ears.hello();
    ears.replica.lose(AT + 2_000);
    expect(ears.replica.presence("bob")).toMatchObject({ stale_since: AT });
    expect(ears.replica.room("lobby")).toMatchObject({ stale_since: AT });
    ears.hello();
    ears.everyone({});
    ears.lobby();
    expect(ears.replica.presence("bob")).toEqual({ status: "current", state: "offline" });
    expect(ears.replica.room("lobby")).toMatchObject({ status: "current" });
  });

  test("has nobody type once the connection is gone", () => {
    const ears = new Ears();
    ears.lobby({ typists: ["bob"] });
    ears.typing("eve", true, "attic");
    ears.replica.lose(AT);
    expect([ears.replica.typists("lobby"), ears.replica.typists("attic")]).toEqual([[], []]);
    expect(ears.replica.room("lobby")).toMatchObject({ state: { typing: [] } });
    expect(ears.replica.nextAt()).toBeUndefined();
  });

  test("drops a signal exactly typing_drop_ms after it was last heard of, by its own clock", () => {
    const ears = new Ears();
    ears.lobby({ typists: ["bob"] });
    ears.now = 100;
    ears.typing("eve");
    ears.now = 2_500;
    ears.typing("bob");
    ears.typing("ada", true, "attic");
    expect(ears.replica.nextAt()).toBe(7_100);
    expect(ears.replica.expire(7_099)).toBe(false);
    expect(ears.replica.expire(7_100)).toBe(true);
    expect(ears.replica.typists("lobby")).toEqual(["bob"]);
    expect(ears.replica.room("lobby")).toMatchObject({ state: { typing: ["bob"] } });
    expect(ears.replica.expire(9_500)).toBe(true);
    expect([ears.replica.typists("lobby"), ears.replica.typists("attic")]).toEqual([[], []]);
    expect(ears.replica.nextAt()).toBeUndefined();
  });

  test("obeys the server's own typing_drop_ms", () => {
    const ears = new Ears({ timings: { ...DEFAULT_TIMINGS, typing_drop_ms: 900 } });
    ears.typing("bob");
    expect(ears.replica.nextAt()).toBe(900);
    ears.typing("bob", false);
    expect(ears.replica.nextAt()).toBeUndefined();
  });

  test("wants a snapshot of each room it follows, once, and again after a reconnect", () => {
    const ears = new Ears();
    ears.replica.follow("lobby");
    ears.replica.follow("lobby");
    expect(ears.replica.wanted()).toMatchObject([{ room_id: "lobby" }]);
    expect(ears.replica.wanted()).toEqual([]);
    ears.replica.lose(AT);
    expect(ears.replica.wanted()).toEqual([]);
    ears.hello();
    expect(ears.replica.wanted()).toHaveLength(1);
    ears.replica.unfollow("lobby");
    ears.hello();
    expect(ears.replica.wanted()).toHaveLength(1);
    ears.replica.unfollow("lobby");
    ears.replica.unfollow("lobby");
    ears.hello();
    expect(ears.replica.wanted()).toEqual([]);
    expect(ears.replica.room("lobby")).toEqual({ status: "unknown" });
  });

  test("passes over the answer to a room that is followed no more, and to one that was asked for before", () => {
    const ears = new Ears();
    ears.replica.follow("lobby");
    const asked = only(ears.replica.wanted());
    ears.replica.unfollow("lobby");
    ears.replica.answer(asked, lobby(), 0);
    ears.replica.refuse(asked, new CodedError("SW_NOT_MEMBER", "No"));
    expect(ears.replica.room("lobby")).toEqual({ status: "unknown" });
  });

  test("says why the server does not show a room, and asks again only where that can help", () => {
    const ears = new Ears();
    ears.replica.follow("lobby");
    ears.replica.refuse(only(ears.replica.wanted()), undefined);
    expect(ears.replica.room("lobby")).toEqual({ status: "unknown" });
    const refusal = new CodedError("SW_NOT_MEMBER", "No");
    ears.replica.refuse(only(ears.replica.wanted()), refusal);
    expect(ears.replica.room("lobby")).toEqual({ status: "refused", error: refusal });
    expect(ears.replica.wanted()).toEqual([]);
  });

  test("takes a new snapshot when its own person comes or goes", () => {
    const ears = new Ears();
    ears.lobby();
    const left = { room_id: "lobby", membership: "leave", member: lobby().members[0] };
    for (const participant_id of ["bob", "ann"]) {
      expect(ears.replica.wanted()).toEqual([]);
      ears.hear({
        type: "swp.room.member",
        id: "e",
        tenant_id: "t",
        ts: TS,
        stream_position: 6,
        participant_id,
        ...left,
      });
    }
    expect(ears.replica.wanted()).toMatchObject([{ room_id: "lobby" }]);
  });

  test("takes a new snapshot for what a frame alone cannot say", () => {
    for (const type of [
      "swp.room.redaction",
      "swp.room.read_marker",
      "swp.room.notification_mode",
      "swp.room.mute",
      "swp.room.ai_engagement",
      "swp.snooze.fired",
    ] as const) {
      const ears = new Ears();
      ears.lobby();
      ears.hear({ type, id: "e", tenant_id: "t", ts: TS, room_id: "attic" });
      expect(ears.replica.wanted()).toEqual([]);
      ears.hear({ type, id: "e", tenant_id: "t", ts: TS, room_id: "lobby" });
      expect(ears.replica.wanted()).toMatchObject([{ room_id: "lobby" }]);
    }
  });

  test("takes new snapshots when its person's preferences change, which show where a room has none", () => {
    const ears = new Ears();
    ears.lobby();
    ears.hear({ type: "swp.me.presence", id: "e", tenant_id: "t", ts: TS });
    expect(ears.replica.wanted()).toEqual([]);
    ears.hear({ type: "swp.me.preferences", id: "e", tenant_id: "t", ts: TS });
    expect(ears.replica.wanted()).toMatchObject([{ room_id: "lobby" }]);
  });

  test("answers the same object while nothing changes", () => {
    const ears = new Ears();
    ears.lobby();
    const before = ears.replica.room("lobby");
    ears.presence("nobody", "online");
    ears.typing("bob", false);
    ears.hear({ type: "heartbeat", ts: TS });
    ears.hear({
      type: "swp.room.message",
      id: "e",
      tenant_id: "t",
      ts: TS,
      stream_position: 6,
      room_id: "attic",
      sender_id: "bob",
    });
    expect(ears.replica.room("lobby")).toBe(before);
    ears.presence("bob", "online");
    expect(ears.replica.room("lobby")).not.toBe(before);
  });

  test("remembers from where a later stream has to go on", () => {
    const ears = new Ears({ stream_position: 5 });
    expect([ears.replica.position, ears.replica.participant_id]).toEqual([5, "ann"]);
    ears.hear({ type: "swp.x", id: "e", tenant_id: "t", ts: TS, stream_position: 9 });
    ears.hear({ type: "swp.me.preferences", id: "e", tenant_id: "t", ts: TS });
    ears.replica.lose(AT);
    ears.hello({ stream_position: 12 });
    // What lies between was not heard yet.
    expect(ears.replica.position).toBe(9);
    ears.hear({ type: "resync", tenant_id: "t", stream_position: 3, ts: TS });
    expect(ears.replica.position).toBe(3);
  });
});
