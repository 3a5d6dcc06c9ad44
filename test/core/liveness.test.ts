import { describe, expect, test } from "bun:test";
import {
  type EventFrame,
  type LivenessChange,
  LivenessRegister,
  type Moment,
  type OpenSource,
  type PresenceRules,
  type TypingRules,
} from "@porchlight/core";
import { rules, signal, sourceName, typingRules } from "../support/builders.ts";

/** A moment at which the clock that counts sleep is ahead by an hour, as after a night. */
function at(ms: number): Moment {
  return { elapsed: ms + 3_600_000, monotonic: ms };
}

function register(given: Partial<PresenceRules & TypingRules> = {}): LivenessRegister {
  return new LivenessRegister({ ...typingRules(), ...rules(), ...given });
}

/** A register in which others were told, at 0, that Ann is online and types in the lobby on her laptop. */
function withAnn(): { register: LivenessRegister; source: OpenSource } {
  const both = register();
  const { source } = both.open("ann", sourceName(), {}, at(0));
  both.type(signal(), true, at(0));
  return { register: both, source };
}

/** Changes in words, such as "ann typing in lobby" and "ann online, seen as offline". */
function told(changes: readonly LivenessChange[]): string[] {
  return changes.map((change) =>
    "typing" in change
      ? `${change.participant_id} ${change.typing ? "typing" : "silent"} in ${change.room_id}`
      : `${change.participant_id} ${change.own ?? "as before"}, seen ${change.told ?? "as before"}`,
  );
}

/** Something durable that happened in the lobby. */
function event(type: EventFrame["type"], fields: Readonly<Record<string, unknown>>): EventFrame {
  return { type, id: "evt", tenant_id: "acme", ts: "", room_id: "lobby", ...fields };
}

const SILENT = "ann silent in lobby";

describe("LivenessRegister choose() and introduce()", () => {
  test("whoever begins to hide ceases to type first, in every room", () => {
    const { register } = withAnn();
    register.type(signal({ room_id: "attic" }), true, at(0));
    expect(told(register.choose("ann", "appear_offline", at(1_000)))).toEqual([
      SILENT,
      "ann silent in attic",
      "ann appear_offline, seen offline",
    ]);
  });

  test("so does whom the durable facts hide", () => {
    const { register } = withAnn();
    const facts = { manual: "appear_offline", alwaysOnline: false } as const;
    expect(told(register.introduce("ann", facts, at(1_000)))).toEqual([
      SILENT,
      "ann appear_offline, seen offline",
    ]);
  });

  test("any other state is no reason to cease", () => {
    const { register } = withAnn();
    expect(told(register.choose("ann", "busy", at(1_000)))).toEqual(["ann busy, seen busy"]);
    register.introduce("ann", { manual: undefined, alwaysOnline: false }, at(2_000));
    expect(register.lifeOf("lobby", "bob", at(2_000)).typists).toEqual(["ann"]);
  });

  test("choosing what stands changes nothing, and tells nothing", () => {
    const both = register();
    expect(both.choose("ann", undefined, at(0))).toEqual([]);
    both.choose("ann", "appear_offline", at(0));
    expect(both.choose("ann", "appear_offline", at(1_000))).toEqual([]);
  });
});

describe("LivenessRegister type()", () => {
  test("tells the start and the end of a signal, and no renewal", () => {
    const both = register();
    expect(told(both.type(signal(), true, at(0)))).toEqual(["ann typing in lobby"]);
    expect(both.type(signal(), true, at(1_000))).toEqual([]);
    expect(told(both.type(signal(), false, at(2_000)))).toEqual([SILENT]);
    expect(both.type(signal(), false, at(2_000))).toEqual([]);
  });

  test("throws away what someone types who hides, and does not count it", () => {
    const both = register({ typing_rate: 1 });
    both.choose("ann", "appear_offline", at(0));
    expect(both.type(signal(), true, at(1))).toEqual([]);
    expect(both.type(signal(), false, at(2))).toEqual([]);
    expect(both.lifeOf("lobby", "bob", at(2)).typists).toEqual([]);
    both.choose("ann", undefined, at(3));
    expect(told(both.type(signal(), true, at(4)))).toEqual(["ann typing in lobby"]);
  });
});

describe("LivenessRegister lose(), close() and signOff()", () => {
  test("what was typed through a socket ends with it, before its person is told to be gone", () => {
    const { register, source } = withAnn();
    expect(told(register.close(source, at(1_000)))).toEqual([SILENT, "ann offline, seen offline"]);
  });

  test("it ends also while a socket that was lost lingers", () => {
    const { register, source } = withAnn();
    expect(told(register.lose(source, at(1_000)))).toEqual([SILENT]);
    expect(register.told("ann")).toBe("online");
  });

  test("it goes on while another socket of the device is open, which may be the one that types", () => {
    for (const end of ["lose", "close"] as const) {
      const { register, source } = withAnn();
      const second = register.open("ann", sourceName({ instance: "second tab" }), {}, at(0)).source;
      expect(register[end](source, at(1_000))).toEqual([]);
      expect(told(register[end](second, at(1_000)))[0]).toBe(SILENT);
    }
  });

  test("neither a socket of another device nor a heartbeat of the same keeps it up", () => {
    const { register, source } = withAnn();
    register.open("ann", sourceName({ device_id: "phone" }), {}, at(0));
    register.beat("ann", "laptop", {}, at(0));
    expect(told(register.close(source, at(1_000)))).toEqual([SILENT]);
  });

  test("nor does a socket that was lost and lingers", () => {
    const { register, source } = withAnn();
    const second = register.open("ann", sourceName({ instance: "second tab" }), {}, at(0)).source;
    expect(register.lose(second, at(500))).toEqual([]);
    expect(told(register.lose(source, at(1_000)))).toEqual([SILENT]);
  });

  test("a socket that another of its name has replaced ends nothing when it goes", () => {
    const { register, source } = withAnn();
    register.open("ann", sourceName(), {}, at(500));
    expect(register.close(source, at(1_000))).toEqual([]);
    expect(register.lifeOf("lobby", "bob", at(1_000)).typists).toEqual(["ann"]);
  });

  test("what was typed on other devices goes on", () => {
    const { register, source } = withAnn();
    register.open("ann", sourceName({ device_id: "phone" }), {}, at(0));
    register.type(signal({ source: "phone" }), true, at(0));
    expect(register.close(source, at(1_000))).toEqual([]);
    expect(told(register.signOff("ann", "phone", at(2_000)))).toEqual([
      SILENT,
      "ann offline, seen offline",
    ]);
  });

  test("signing off a device that nobody knows tells nothing", () => {
    expect(register().signOff("ann", "laptop", at(0))).toEqual([]);
  });
});

describe("LivenessRegister follow()", () => {
  /** What following an event tells where Ann types in the lobby and the attic, and Bob in the lobby. */
  function after(frame: EventFrame): string[] {
    const { register } = withAnn();
    register.type(signal({ room_id: "attic" }), true, at(0));
    register.type(signal({ participant_id: "bob" }), true, at(0));
    return told(register.follow(frame, at(1_000)));
  }

  test("whoever sends a message has ceased to type there", () => {
    expect(after(event("swp.room.message", { sender_id: "ann" }))).toEqual([SILENT]);
  });

  test("whoever leaves, or is made to, has ceased to type there", () => {
    for (const membership of ["leave", "ban", "invite", "knock"])
      expect(after(event("swp.room.member", { participant_id: "ann", membership }))).toEqual([
        SILENT,
      ]);
  });

  test("a change of a membership that stays ends nothing", () => {
    const frame = event("swp.room.member", { participant_id: "ann", membership: "join" });
    expect(after(frame)).toEqual([]);
  });

  test("everybody has ceased to type in a room that is archived or closed", () => {
    for (const state of ["archived", "closed"])
      expect(after(event("swp.room.state", { state }))).toEqual([SILENT, "bob silent in lobby"]);
    expect(after(event("swp.room.state", { state: "open" }))).toEqual([]);
  });

  test("what happens elsewhere, or to nobody, ends nothing", () => {
    expect(after(event("swp.room.message", { room_id: "cellar", sender_id: "ann" }))).toEqual([]);
    expect(after(event("swp.room.message", {}))).toEqual([]);
    expect(after(event("swp.room.topic", { sender_id: "ann" }))).toEqual([]);
    expect(after(event("swp.room.message", { room_id: undefined, sender_id: "ann" }))).toEqual([]);
  });
});

describe("LivenessRegister signOf() and act()", () => {
  const byToken = { device_id: undefined, token_id: "t1" };

  test("a request is a sign of life of who asks while no socket speaks for them", () => {
    const { register, source } = withAnn();
    expect(register.signOf("bob", byToken)).toBe(byToken);
    expect(register.signOf("ann", byToken)).toBeUndefined();
    const onPhone = { device_id: "phone", token_id: "t1" };
    expect(register.signOf("ann", onPhone)).toBe(onPhone);
    register.lose(source, at(1_000));
    expect(register.signOf("ann", byToken)).toBe(byToken);
  });

  test("a socket that closes while a request is served leaves no ghost of it", () => {
    const { register, source } = withAnn();
    const by = register.signOf("ann", byToken);
    register.close(source, at(1_000));
    expect(register.act("ann", by, at(1_001))).toEqual([]);
    expect(register.choose("ann", undefined, at(1_001), by)).toEqual([]);
    expect(register.stateFor("ann", "ann", at(1_001))).toBe("offline");
  });

  test("a sign of life is told like any other change", () => {
    const both = register();
    expect(told(both.act("ann", byToken, at(0)))).toEqual(["ann online, seen online"]);
    expect(told(both.choose("bob", "busy", at(0), byToken))).toEqual(["bob busy, seen busy"]);
    expect(both.explain("bob", at(0))).toMatchObject({
      state: "busy",
      devices: [{ device_id: "rest:t1", lastActiveAt: at(0).elapsed }],
    });
  });
});

describe("LivenessRegister open(), hear() and touch()", () => {
  test("tell what they change, and nothing when that is nothing", () => {
    const both = register();
    const { source, changes } = both.open("ann", sourceName(), { state: "online" }, at(0));
    expect(told(changes)).toEqual(["ann online, seen online"]);
    expect(told(both.hear(source, { state: "idle" }, at(1_000)))).toEqual(["ann idle, seen idle"]);
    expect(both.hear(source, { state: "idle" }, at(2_000))).toEqual([]);
    expect(both.touch(source, at(3_000))).toEqual([]);
    expect(both.renew(source, at(3_500).elapsed)).toBe(true);
    expect(both.open("ann", sourceName(), {}, at(4_000)).changes).toEqual([]);
  });
});

describe("LivenessRegister devices", () => {
  test("are counted, those of everybody", () => {
    const { register } = withAnn();
    register.open("bob", sourceName(), {}, at(0));
    expect(register.devices).toBe(2);
  });
});

describe("LivenessRegister forget()", () => {
  test("someone who is no more ceases to type first, and is offline then", () => {
    const { register } = withAnn();
    expect(told(register.forget("ann", at(1_000)))).toEqual([SILENT, "ann offline, seen offline"]);
    expect(register.forget("ann", at(1_000))).toEqual([]);
  });
});

describe("LivenessRegister stateFor(), snapshot() and lifeOf()", () => {
  test("one sees oneself live, and everyone else as they were last told", () => {
    const { register, source } = withAnn();
    register.hear(source, { state: "idle" }, at(50));
    expect(register.stateFor("ann", "ann", at(50))).toBe("idle");
    expect(register.stateFor("bob", "ann", at(50))).toBe("online");
    expect(register.snapshot("ann", at(50))).toEqual({ ann: "idle" });
    expect(register.snapshot("bob", at(50))).toEqual({ ann: "online" });
  });

  test("whoever appears offline is there for themselves alone", () => {
    const { register } = withAnn();
    register.choose("ann", "appear_offline", at(1_000));
    expect(register.stateFor("ann", "ann", at(1_000))).toBe("appear_offline");
    expect(register.stateFor("bob", "ann", at(1_000))).toBe("offline");
    expect(register.snapshot("ann", at(1_000))).toEqual({ ann: "appear_offline" });
    expect(register.snapshot("bob", at(1_000))).toEqual({});
  });

  test("a snapshot comes in the order of ids, which does not tell who was there all the time", () => {
    const { register } = withAnn();
    register.open("bob", sourceName(), {}, at(0));
    register.signOff("ann", "laptop", at(1_000));
    register.expire(at(10_000));
    register.open("ann", sourceName(), {}, at(20_000));
    expect(Object.keys(register.snapshot("eve", at(20_000)))).toEqual(["ann", "bob"]);
  });

  test("what lives of a room is who types there, oneself live, and others as told", () => {
    const { register, source } = withAnn();
    register.hear(source, { state: "idle" }, at(50));
    const life = register.lifeOf("lobby", "ann", at(50));
    expect([life.typists, life.own, life.presenceOf("ann")]).toEqual([["ann"], "idle", "online"]);
    expect(register.lifeOf("attic", "bob", at(50)).typists).toEqual([]);
  });

  test("of someone unknown, everyone is told that they are offline", () => {
    const both = register();
    expect([both.told("eve"), both.stateFor("eve", "eve", at(0))]).toEqual(["offline", "offline"]);
    expect(both.snapshot("eve", at(0))).toEqual({});
  });
});

describe("LivenessRegister expire() and nextAt()", () => {
  test("each of the two runs on its own clock", () => {
    const { register } = withAnn();
    const { elapsed } = at(120_000);
    expect(register.nextAt()).toEqual({ elapsed, monotonic: 2_500 });
    expect(told(register.expire({ elapsed: at(0).elapsed, monotonic: 2_500 }))).toEqual([
      "ann typing in lobby",
    ]);
    // The machine has slept: whoever is not heard of is gone, and no typing has run out.
    expect(told(register.expire({ elapsed, monotonic: 2_600 }))).toEqual([
      "ann offline, seen offline",
    ]);
    expect(register.lifeOf("lobby", "bob", at(0)).typists).toEqual(["ann"]);
    expect(register.nextAt().monotonic).toBe(4_000);
  });

  test("typing that ends at the same moment is told before presence", () => {
    const both = register({ presence_ttl_ms: 4_000 });
    both.open("ann", sourceName(), {}, at(0));
    both.type(signal(), true, at(0));
    both.expire(at(2_500));
    expect(told(both.expire(at(4_000)))).toEqual([SILENT, "ann offline, seen offline"]);
  });

  test("nextAt() is undefined on either clock when nothing waits", () => {
    expect(register().nextAt()).toEqual({ elapsed: undefined, monotonic: undefined });
  });
});

describe("LivenessRegister remember() and restore()", () => {
  test("a restart keeps who was there and tells nobody; typing is lost", () => {
    const { register: before } = withAnn();
    const after = register();
    after.restore(JSON.parse(JSON.stringify(before.remember(at(1_000)))), 500, at(0));
    expect(after.snapshot("bob", at(0))).toEqual({ ann: "online" });
    expect(after.lifeOf("lobby", "bob", at(0)).typists).toEqual([]);
    expect(after.nextAt()).toEqual({ elapsed: at(20_000).elapsed, monotonic: undefined });
  });
});
