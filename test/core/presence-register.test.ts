import { describe, expect, test } from "bun:test";
import {
  type Activity,
  MAX_SOURCES,
  type OpenSource,
  type PresenceChange,
  PresenceRegister,
  type PresenceState,
  RESERVED_DEVICE_PREFIXES,
  restDevice,
  type SourceName,
  type VisibleState,
} from "@porchlight/core";
import fc from "fast-check";
import { rules, sourceName } from "../support/builders.ts";
import { anyHistory, anyRules, PresenceRun } from "../support/presence-run.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../support/runs.ts";

const MINUTE_MS = 60_000;

/** Opens a source of Ann's, by default a stream of her laptop at 0. */
function open(
  register: PresenceRegister,
  now = 0,
  given: Partial<SourceName> = {},
  activity: Activity = {},
): OpenSource {
  return register.open("ann", sourceName(given), activity, now).source;
}

/** A register in which others were told, at 0, that Ann is online. */
function withAnn(): { register: PresenceRegister; source: OpenSource } {
  const register = new PresenceRegister(rules());
  return { register, source: open(register) };
}

function own(state: PresenceState): PresenceChange {
  return { participant_id: "ann", own: state, told: undefined };
}

function told(state: VisibleState): PresenceChange {
  return { participant_id: "ann", own: undefined, told: state };
}

function both(state: VisibleState): PresenceChange {
  return { participant_id: "ann", own: state, told: state };
}

describe("PresenceRegister", () => {
  test("someone unknown is offline, and asking for them does not make them known", () => {
    const register = new PresenceRegister(rules());
    expect(register.told("ann")).toBe("offline");
    expect(register.effective("ann", 0)).toBe("offline");
    expect(register.isHidden("ann")).toBe(false);
    expect(register.explain("ann", 0)).toEqual({
      state: "offline",
      source: "none",
      manual: undefined,
      devices: [],
      nextChangeAt: undefined,
    });
    expect(register.size).toBe(0);
    expect(register.nextAt()).toBeUndefined();
  });

  test("one person's acts say nothing about another", () => {
    const { register } = withAnn();
    register.choose("bob", "busy", 0);
    expect(Object.fromEntries(register.toldOnline())).toEqual({ ann: "online", bob: "busy" });
    register.signOff("ann", "laptop", MINUTE_MS);
    expect(Object.fromEntries(register.toldOnline())).toEqual({ bob: "busy" });
  });

  test("a device is counted once, however many sources it has, and while one lingers", () => {
    const { register, source } = withAnn();
    open(register, 0, { instance: "other" });
    open(register, 0, { device_id: "phone" });
    register.open("bob", sourceName(), {}, 0);
    register.lose(source, MINUTE_MS);
    expect(register.devices).toBe(3);
  });

  test("names that the server gives itself are those of tokens and of nameless sockets", () => {
    expect(RESERVED_DEVICE_PREFIXES).toEqual(["rest:", "socket:"]);
    expect(restDevice("t1")).toBe("rest:t1");
  });
});

describe("PresenceRegister open()", () => {
  test("the first source is told to others and to oneself at once, the second one to nobody", () => {
    const register = new PresenceRegister(rules());
    expect(register.open("ann", sourceName(), {}, 0).change).toEqual(both("online"));
    expect(register.open("ann", sourceName({ door: "yjs" }), {}, 0).change).toBeUndefined();
    expect(register.told("ann")).toBe("online");
  });

  test("what the URL says counts before anything is told", () => {
    const register = new PresenceRegister(rules());
    const { change } = register.open("ann", sourceName(), { state: "idle" }, 0);
    expect(change).toEqual(both("idle"));
  });

  test("an age in the URL decides between online and idle at idle_after_ms", () => {
    const stateAfter = (idle_for_ms: number): string | undefined =>
      new PresenceRegister(rules()).open("ann", sourceName(), { idle_for_ms }, 0).change?.told;
    expect(stateAfter(299_999)).toBe("online");
    expect(stateAfter(300_000)).toBe("idle");
    expect(stateAfter(300_001)).toBe("idle");
  });

  test("an age counts also where the state is said to be online", () => {
    const register = new PresenceRegister(rules());
    const activity: Activity = { state: "online", idle_for_ms: 300_000 };
    expect(register.open("ann", sourceName(), activity, 0).change).toEqual(both("idle"));
  });

  test("a reconnect that says nothing keeps what the tab said and when it was active", () => {
    const { register, source } = withAnn();
    register.hear(source, { state: "idle", idle_for_ms: 5_000 }, 1_000);
    register.lose(source, 2_000);
    expect(register.open("ann", sourceName(), {}, 3_000).change).toBeUndefined();
    expect(register.explain("ann", 3_000).devices[0]).toMatchObject({
      state: "idle",
      lastActiveAt: -4_000,
    });
  });

  test("a reconnect of the same name revives a source that lingers, and its old handle is dead", () => {
    const { register, source } = withAnn();
    register.lose(source, 0);
    open(register, 5_000);
    expect(register.close(source, 5_000)).toBeUndefined();
    expect(register.hear(source, { state: "idle" }, 5_000)).toBeUndefined();
    register.touch(source, 100_000);
    expect(register.expire(124_999)).toEqual([]);
    expect(register.expire(125_000)).toEqual([both("offline")]);
  });

  test("a statement holds for all doors of its tab, and for no other tab", () => {
    const { register, source } = withAnn();
    open(register, 0, { door: "yjs" });
    open(register, 0, { instance: "second tab" }, { state: "online" });
    register.hear(source, { state: "idle" }, 1_000);
    expect(register.effective("ann", 1_000)).toBe("online");
    register.hear(open(register, 2_000, { instance: "second tab" }), { state: "idle" }, 2_000);
    expect(register.effective("ann", 2_000)).toBe("idle");
  });

  test("a Yjs socket of a tab that said it is idle wakes nobody", () => {
    const { register, source } = withAnn();
    register.hear(source, { state: "idle" }, 1_000);
    expect(register.open("ann", sourceName({ door: "yjs" }), {}, 2_000).change).toBeUndefined();
    expect(register.effective("ann", 2_000)).toBe("idle");
  });

  test("a socket keeps what its tab said by request", () => {
    const register = new PresenceRegister(rules());
    register.beat("ann", "laptop", { state: "idle" }, 0);
    expect(
      register.open("ann", sourceName({ instance: "laptop" }), {}, 1_000).change,
    ).toBeUndefined();
    expect(register.effective("ann", 1_000)).toBe("idle");
  });

  test("a tab that was gone too long says nothing any more, even where the timer is late", () => {
    const register = new PresenceRegister(rules());
    open(register, 0, {}, { state: "idle" });
    expect(register.open("ann", sourceName(), {}, 120_000).change).toEqual(both("online"));
  });

  test("a socket takes over from the requests of its own device", () => {
    const register = new PresenceRegister(rules());
    register.beat("ann", "laptop", {}, 0);
    register.beat("ann", "phone", {}, 0);
    const socket = open(register, 0);
    register.close(socket, 1_000);
    expect(register.explain("ann", 1_000).devices.map(({ device_id }) => device_id)).toEqual([
      "phone",
    ]);
  });
});

describe("PresenceRegister hear() and touch()", () => {
  test("a device that says it is idle is told to be idle, and again online", () => {
    const { register, source } = withAnn();
    expect(register.hear(source, { state: "idle" }, 1_000)).toEqual(both("idle"));
    expect(register.hear(source, { state: "idle" }, 2_000)).toBeUndefined();
    expect(register.hear(source, { state: "online" }, 3_000)).toEqual(both("online"));
  });

  test("a statement of being idle without an age leaves the last activity as it is", () => {
    const { register, source } = withAnn();
    register.hear(source, { state: "idle" }, 50_000);
    expect(register.explain("ann", 50_000).devices[0]?.lastActiveAt).toBe(0);
  });

  test("a heartbeat without a state renews the activity only by the age it names", () => {
    const { register, source } = withAnn();
    register.hear(source, {}, 10_000);
    expect(register.explain("ann", 10_000).devices[0]?.lastActiveAt).toBe(0);
    register.hear(source, { idle_for_ms: 1_000 }, 10_000);
    expect(register.explain("ann", 10_000).devices[0]?.lastActiveAt).toBe(9_000);
  });

  test("a heartbeat and a mere sign of life each lengthen the life of the source", () => {
    const { register, source } = withAnn();
    register.hear(source, {}, 100_000);
    expect(register.expire(219_999)).toEqual([]);
    register.touch(source, 219_999);
    register.expire(300_000);
    expect(register.expire(339_998)).toEqual([]);
    expect(register.expire(339_999)).toEqual([both("offline")]);
  });

  test("a socket that lives is renewed by any sign of life; one that has run out, was lost or closed is not", () => {
    const { register, source } = withAnn();
    expect(register.renew(source, 119_999)).toBe(true);
    expect(register.expire(239_998)).toEqual([]);
    expect(register.nextAt()).toBeLessThanOrEqual(239_999);
    expect(register.expire(239_999)).toEqual([both("offline")]);
    expect(register.renew(source, 240_000)).toBe(false);
    expect(register.effective("ann", 240_000)).toBe("offline");
    for (const end of ["lose", "close"] as const) {
      const { register, source } = withAnn();
      register[end](source, 1_000);
      expect(register.renew(source, 2_000)).toBe(false);
    }
  });

  test("a mere sign of life is no activity", () => {
    const { register, source } = withAnn();
    for (const now of [100_000, 200_000, 299_999]) register.touch(source, now);
    expect(register.expire(299_999)).toEqual([]);
    expect(register.expire(300_000)).toEqual([both("idle")]);
  });

  test("a socket that had run out and is heard of after all is back, as after the machine slept", () => {
    const { register, source } = withAnn();
    expect(register.expire(200_000)).toEqual([both("offline")]);
    expect(register.expire(201_000)).toEqual([]);
    expect(register.size).toBe(0);
    expect(register.touch(source, 202_000)).toEqual(both("online"));
    expect(register.touch(source, 203_000)).toBeUndefined();
    expect(register.close(source, 204_000)).toEqual(both("offline"));
    expect(register.touch(source, 205_000)).toBeUndefined();
  });

  test("a socket that is back says what its tab has said since by request", () => {
    const register = new PresenceRegister(rules());
    const name = sourceName({ instance: "laptop" });
    const { source } = register.open("ann", name, { state: "online" }, 0);
    register.expire(120_000);
    register.beat("ann", "laptop", { state: "idle" }, 120_500);
    expect(register.touch(source, 121_000)).toBeUndefined();
    expect(register.effective("ann", 121_000)).toBe("idle");
  });

  test("a socket that had run out is not back once another took its place, nor once it was lost or closed", () => {
    for (const end of ["replace", "lose", "close"] as const) {
      const { register, source } = withAnn();
      register.expire(200_000);
      if (end === "replace") open(register, 200_000);
      else expect(register[end](source, 200_000)).toBeUndefined();
      register.touch(source, 319_999);
      register.expire(320_000);
      expect([end, register.effective("ann", 320_000)]).toEqual([end, "offline"]);
    }
  });
});

describe("PresenceRegister beat()", () => {
  test("a request of a device makes a person visible for presence_ttl_ms, and each lengthens it", () => {
    const register = new PresenceRegister(rules());
    expect(register.beat("ann", "phone", { state: "idle" }, 0)).toEqual(both("idle"));
    expect(register.beat("ann", "phone", {}, 100_000)).toBeUndefined();
    expect(register.explain("ann", 100_000).devices).toEqual([
      {
        device_id: "phone",
        state: "idle",
        transports: ["rest"],
        lastActiveAt: 0,
        expiresAt: 220_000,
      },
    ]);
    expect(register.expire(219_999)).toEqual([]);
    expect(register.expire(220_000)).toEqual([both("offline")]);
  });

  test("what a request leaves out stays as the device said before, until it was gone", () => {
    const register = new PresenceRegister(rules());
    register.beat("ann", "phone", { state: "idle", idle_for_ms: 5_000 }, 0);
    expect(register.beat("ann", "phone", {}, 119_999)).toBeUndefined();
    expect(register.explain("ann", 119_999).devices).toMatchObject([
      { state: "idle", lastActiveAt: -5_000 },
    ]);
    expect(register.beat("ann", "phone", {}, 239_999)).toEqual(both("online"));
  });

  test("a device that is heard by a socket and by requests outlives the loss of the socket", () => {
    const { register, source } = withAnn();
    register.beat("ann", "laptop", {}, 1_000);
    expect(register.explain("ann", 1_000).devices).toMatchObject([
      { device_id: "laptop", transports: ["rest", "stream"] },
    ]);
    expect(register.close(source, 2_000)).toBeUndefined();
    expect(register.expire(121_000)).toEqual([both("offline")]);
  });

  test("a device that lingers after a restart lives for presence_ttl_ms again", () => {
    const before = new PresenceRegister(rules());
    before.beat("ann", "phone", {}, 0);
    const register = new PresenceRegister(rules());
    register.restore(before.remember(119_000), 1_000, 0);
    expect(register.beat("ann", "phone", {}, 19_999)).toBeUndefined();
    expect(register.expire(139_998)).toEqual([]);
    expect(register.expire(139_999)).toEqual([both("offline")]);
  });
});

describe("PresenceRegister act()", () => {
  const byToken = { device_id: undefined, token_id: "t1" };

  test("a single request makes a person visible for presence_ttl_ms", () => {
    const register = new PresenceRegister(rules());
    expect(register.act("ann", byToken, 0)).toEqual(both("online"));
    expect(register.explain("ann", 0).devices[0]).toMatchObject({
      device_id: "rest:t1",
      transports: ["rest"],
    });
    expect(register.expire(119_999)).toEqual([]);
    expect(register.expire(120_000)).toEqual([both("offline")]);
  });

  test("another request lengthens it, and counts as activity", () => {
    const register = new PresenceRegister(rules());
    register.act("ann", byToken, 0);
    register.act("ann", byToken, 100_000);
    expect(register.explain("ann", 100_000).devices).toMatchObject([
      { lastActiveAt: 100_000, expiresAt: 220_000 },
    ]);
  });

  test("with a socket, a nameless request is no sign of life of anything", () => {
    const { register } = withAnn();
    expect(register.act("ann", byToken, 50_000)).toBeUndefined();
    expect(register.explain("ann", 50_000).devices).toMatchObject([
      { device_id: "laptop", expiresAt: 120_000 },
    ]);
  });

  test("the device of a token ends when a socket opens, whatever the socket's device", () => {
    const register = new PresenceRegister(rules());
    register.act("ann", byToken, 0);
    const socket = open(register, 1_000);
    expect(register.close(socket, 2_000)).toEqual(both("offline"));
  });

  test("a request that names a device is a sign of life of it, also while another has a socket", () => {
    const { register, source } = withAnn();
    register.act("ann", { device_id: "phone", token_id: "t1" }, 1_000);
    expect(register.close(source, 2_000)).toBeUndefined();
    expect(register.expire(121_000)).toEqual([both("offline")]);
  });

  test("a device that has a socket needs no sign of life by request, and none outlives the socket", () => {
    const { register, source } = withAnn();
    register.act("ann", { device_id: "laptop", token_id: "t1" }, 1_000);
    expect(register.close(source, 2_000)).toEqual(both("offline"));
  });

  test("a lost socket is no socket: a request counts again", () => {
    const { register, source } = withAnn();
    register.lose(source, 0);
    register.act("ann", byToken, 1_000);
    expect(register.expire(10_000)).toEqual([]);
    expect(register.expire(121_000)).toEqual([both("offline")]);
  });
});

describe("PresenceRegister isConnected()", () => {
  const by = (
    device_id: string | undefined,
  ): { device_id: string | undefined; token_id: string } => ({ device_id, token_id: "t1" });

  test("is whether the named device, or without a name any, has a socket open", () => {
    const { register, source } = withAnn();
    expect(register.isConnected("bob", by(undefined))).toBe(false);
    expect(register.isConnected("ann", by(undefined))).toBe(true);
    expect(register.isConnected("ann", by("laptop"))).toBe(true);
    expect(register.isConnected("ann", by("phone"))).toBe(false);
    register.lose(source, 1_000);
    expect(register.isConnected("ann", by(undefined))).toBe(false);
  });

  test("asked before a choice that is served while the socket closes, leaves no ghost of it", () => {
    const { register, source } = withAnn();
    const asker = register.isConnected("ann", by(undefined)) ? undefined : by(undefined);
    register.close(source, 1_000);
    register.choose("ann", undefined, 1_001, asker);
    expect(register.effective("ann", 1_001)).toBe("offline");
  });
});

describe("PresenceRegister, of more sources than one person can have", () => {
  const heartbeat = (register: PresenceRegister, device: number, now: number): void =>
    void register.beat("ann", `device-${device}`, {}, now);
  const devicesOf = (register: PresenceRegister, now: number): string[] =>
    register.explain("ann", now).devices.map(({ device_id }) => device_id);

  test("ends the one that was heard of longest ago", () => {
    const register = new PresenceRegister(rules());
    for (let device = 0; device < MAX_SOURCES; device += 1) heartbeat(register, device, device);
    expect(devicesOf(register, 100)).toHaveLength(MAX_SOURCES);
    heartbeat(register, 0, 100);
    heartbeat(register, MAX_SOURCES, 101);
    const devices = devicesOf(register, 101);
    expect(devices).toHaveLength(MAX_SOURCES);
    expect(devices).toContain("device-0");
    expect(devices).not.toContain("device-1");
  });

  test("never ends an open socket for it", () => {
    const { register } = withAnn();
    for (let device = 0; device < 2 * MAX_SOURCES; device += 1) heartbeat(register, device, device);
    expect(devicesOf(register, 200)).toHaveLength(MAX_SOURCES);
    expect(devicesOf(register, 200)).toContain("laptop");
  });
});

describe("PresenceRegister lose(), close() and signOff()", () => {
  test("a source lost uncleanly lingers for disconnect_grace_ms", () => {
    const { register, source } = withAnn();
    expect(register.lose(source, 50_000)).toBeUndefined();
    expect(register.nextAt()).toBeLessThanOrEqual(60_000);
    expect(register.expire(59_999)).toEqual([]);
    expect(register.expire(60_000)).toEqual([both("offline")]);
  });

  test("a source does not linger beyond its lifetime", () => {
    const { register, source } = withAnn();
    register.lose(source, 115_000);
    expect(register.expire(119_999)).toEqual([]);
    expect(register.expire(120_000)).toEqual([both("offline")]);
  });

  test("losing a source twice does not make it linger longer", () => {
    const { register, source } = withAnn();
    register.lose(source, 0);
    register.lose(source, 9_000);
    expect(register.expire(10_000)).toEqual([both("offline")]);
  });

  test("a source that signs off is gone at once, and closing it again changes nothing", () => {
    const { register, source } = withAnn();
    expect(register.close(source, 1_000)).toEqual(both("offline"));
    expect(register.close(source, 2_000)).toBeUndefined();
    expect(register.lose(source, 2_000)).toBeUndefined();
  });

  test("a device that signs off is gone with all of its sources, and other devices stay", () => {
    const { register, source } = withAnn();
    open(register, 0, { instance: "second tab" });
    open(register, 0, { device_id: "phone" }, { state: "idle" });
    expect(register.signOff("ann", "laptop", 1_000)).toEqual(both("idle"));
    expect(register.hear(source, { state: "online" }, 2_000)).toBeUndefined();
  });

  test("signing off a device that is not there changes nothing", () => {
    const { register } = withAnn();
    expect(register.signOff("ann", "phone", 0)).toBeUndefined();
    expect(register.signOff("bob", "laptop", 0)).toBeUndefined();
  });
});

describe("PresenceRegister choose() and introduce()", () => {
  test("a state set by hand survives idling, disconnecting and time, until the return to automatic", () => {
    const { register, source } = withAnn();
    expect(register.choose("ann", "busy", 1_000)).toEqual(both("busy"));
    expect(register.hear(source, { state: "idle" }, 2_000)).toBeUndefined();
    expect(register.close(source, 3_000)).toBeUndefined();
    expect(register.expire(24 * 60 * MINUTE_MS)).toEqual([]);
    expect(register.told("ann")).toBe("busy");
    expect(register.choose("ann", undefined, 24 * 60 * MINUTE_MS)).toEqual(both("offline"));
  });

  test("choosing the state that stands changes nothing", () => {
    const { register } = withAnn();
    expect(register.choose("ann", "online", 1_000)).toBeUndefined();
  });

  test("whoever appears offline is told offline, and sees the choice themselves", () => {
    const { register } = withAnn();
    expect(register.choose("ann", "appear_offline", 1_000)).toEqual({
      participant_id: "ann",
      own: "appear_offline",
      told: "offline",
    });
    expect([register.isHidden("ann"), [...register.toldOnline()]]).toEqual([true, []]);
  });

  test("nothing a hidden person does is told, or delays what is told afterwards", () => {
    const { register, source } = withAnn();
    register.choose("ann", "appear_offline", 1_000);
    const hidden = [
      register.hear(source, { state: "idle" }, 2_000),
      register.close(source, 3_000),
      register.open("ann", sourceName(), {}, 4_999).change,
      register.act("ann", { device_id: "phone", token_id: "t1" }, 4_999),
    ];
    expect(hidden).toEqual([undefined, undefined, undefined, undefined]);
    expect(register.choose("ann", undefined, 5_000)).toEqual(both("online"));
  });

  test("a choice by hand is told at once, also right after another telling", () => {
    const { register } = withAnn();
    expect(register.choose("ann", "busy", 1)).toEqual(both("busy"));
    expect(register.choose("ann", "idle", 2)).toEqual(both("idle"));
  });

  test("a choice by request is a sign of life, and both are told as one", () => {
    const by = { device_id: undefined, token_id: "t1" };
    const register = new PresenceRegister(rules());
    expect(register.choose("ann", "busy", 0, by)).toEqual(both("busy"));
    expect(register.explain("ann", 0).devices.map(({ device_id }) => device_id)).toEqual([
      restDevice("t1"),
    ]);
    expect(register.choose("bob", "appear_offline", 0, by)).toEqual({
      participant_id: "bob",
      own: "appear_offline",
      told: undefined,
    });
    expect(register.choose("eve", undefined, 0, by)).toEqual({
      ...both("online"),
      participant_id: "eve",
    });
  });

  test("a choice by nobody's request is no sign of life", () => {
    const register = new PresenceRegister(rules());
    register.choose("ann", "busy", 0);
    expect(register.explain("ann", 0).devices).toEqual([]);
  });

  test("five choices a second are told at once, the sixth waits for coalesce_ms", () => {
    const { register } = withAnn();
    const states = ["busy", "idle", "busy", "idle", "busy"] as const;
    const changes = states.map((state, index) => register.choose("ann", state, 500 + index));
    expect(changes).toEqual(states.map(both));
    expect(register.choose("ann", "idle", 505)).toEqual(own("idle"));
    expect(register.expire(603)).toEqual([]);
    expect(register.expire(604)).toEqual([told("idle")]);
  });

  test("a second after the first of five choices the next five are told at once again", () => {
    const { register } = withAnn();
    for (const now of [500, 501, 502, 503, 504])
      register.choose("ann", now % 2 === 0 ? "busy" : "idle", now);
    register.choose("ann", "idle", 1_450);
    expect(register.choose("ann", "busy", 1_499)).toEqual(own("busy"));
    expect(register.choose("ann", "online", 1_500)).toEqual(both("online"));
  });

  test("what the durable facts say is told like a change of a device", () => {
    const register = new PresenceRegister(rules());
    const facts = { manual: "busy", alwaysOnline: false } as const;
    expect(register.introduce("ann", facts, 0)).toEqual(both("busy"));
    expect(register.introduce("ann", { ...facts, manual: "idle" }, 99)).toEqual(own("idle"));
    expect(register.expire(100)).toEqual([told("idle")]);
  });

  test("a machine is online without a device, until the facts say otherwise", () => {
    const register = new PresenceRegister(rules());
    const machine = { manual: undefined, alwaysOnline: true };
    expect(register.introduce("ann", machine, 0)).toEqual(both("online"));
    expect(register.expire(24 * 60 * MINUTE_MS)).toEqual([]);
    const human = { manual: undefined, alwaysOnline: false };
    expect(register.introduce("ann", human, 24 * 60 * MINUTE_MS)).toEqual(both("offline"));
  });

  test('with manual_without_device "offline" a state set by hand comes and goes with the devices', () => {
    const register = new PresenceRegister(rules({ manual_without_device: "offline" }));
    expect(register.choose("ann", "busy", 0)).toEqual(own("busy"));
    const { source, change } = register.open("ann", sourceName(), {}, 1_000);
    expect(change).toEqual(told("busy"));
    expect(register.close(source, 2_000)).toEqual(told("offline"));
  });
});

describe("PresenceRegister coalescing", () => {
  test("a change after coalesce_ms of quiet is told at once", () => {
    const { register, source } = withAnn();
    expect(register.hear(source, { state: "idle" }, 100)).toEqual(both("idle"));
  });

  test("a change within coalesce_ms of the last telling waits until they are over", () => {
    const { register, source } = withAnn();
    expect(register.hear(source, { state: "idle" }, 99)).toEqual(own("idle"));
    expect([register.told("ann"), register.effective("ann", 99)]).toEqual(["online", "idle"]);
    expect(register.nextAt()).toBe(100);
    expect(register.expire(99)).toEqual([]);
    expect(register.expire(100)).toEqual([told("idle")]);
  });

  test("changes that cancel each other within coalesce_ms are never told to others", () => {
    const { register, source } = withAnn();
    register.hear(source, { state: "idle" }, 10);
    expect(register.hear(source, { state: "online" }, 20)).toEqual(own("online"));
    expect(register.expire(100)).toEqual([]);
  });
});

describe("PresenceRegister expire() and nextAt()", () => {
  test("nextAt() is never later than the next change, and calling expire() early does no harm", () => {
    const { register } = withAnn();
    expect(register.nextAt()).toBeLessThanOrEqual(120_000);
    expect(register.expire(60_000)).toEqual([]);
    expect(register.expire(120_000)).toEqual([both("offline")]);
  });

  test("expire() does in one call what time brought about for several people", () => {
    const { register } = withAnn();
    register.open("bob", sourceName(), {}, 1_000);
    const changes = register.expire(121_000).map(({ participant_id }) => participant_id);
    expect(changes.toSorted()).toEqual(["ann", "bob"]);
  });

  test("whoever is offline and has set nothing is forgotten once the second of their last telling is over", () => {
    const { register, source } = withAnn();
    register.close(source, 5_000);
    register.expire(5_999);
    expect(register.size).toBe(1);
    register.expire(6_000);
    expect([register.size, register.nextAt()]).toEqual([0, undefined]);
  });

  test("whoever has set a state by hand, or is always online, is remembered", () => {
    const register = new PresenceRegister(rules());
    register.choose("ann", "appear_offline", 0);
    register.introduce("bot", { manual: undefined, alwaysOnline: true }, 0);
    register.expire(24 * 60 * MINUTE_MS);
    expect(register.size).toBe(2);
  });

  test("returning to automatic without a device leaves nothing to remember", () => {
    const register = new PresenceRegister(rules());
    expect(register.choose("ann", undefined, 0)).toBeUndefined();
    expect(register.size).toBe(0);
  });
});

describe("PresenceRegister forget()", () => {
  test("someone who is no more is told offline, and their sources are dead", () => {
    const { register, source } = withAnn();
    expect(register.forget("ann")).toEqual(both("offline"));
    expect(register.hear(source, { state: "idle" }, 1)).toBeUndefined();
    expect([register.size, register.nextAt(), register.told("ann")]).toEqual([
      0,
      undefined,
      "offline",
    ]);
  });

  test("nobody is told of someone whom they see as offline already", () => {
    const register = new PresenceRegister(rules());
    register.choose("ann", "appear_offline", 0);
    expect(register.forget("ann")).toBeUndefined();
    expect(register.forget("ann")).toBeUndefined();
    expect(register.size).toBe(0);
  });
});

describe("PresenceRegister, of what was done some time ago", () => {
  test("a request told late is a sign of life that wakes nobody", () => {
    const register = new PresenceRegister(rules());
    const late = { device_id: "laptop", token_id: "t", idle_for_ms: 3_600_000 };
    expect(register.choose("ann", undefined, 0, late)).toEqual(both("idle"));
    expect(register.explain("ann", 0).devices[0]?.lastActiveAt).toBe(-3_600_000);
  });

  test("it makes nobody idle who has been active since", () => {
    const register = new PresenceRegister(rules());
    register.beat("ann", "laptop", { state: "online" }, 1_000);
    const late = { device_id: "laptop", token_id: "t", idle_for_ms: 3_600_000 };
    expect(register.act("ann", late, 5_000)).toBeUndefined();
    expect(register.explain("ann", 5_000).devices[0]).toMatchObject({
      state: "online",
      lastActiveAt: 1_000,
      expiresAt: 125_000,
    });
  });
});

describe("PresenceRegister remember() and restore()", () => {
  /** What is left of a register after an orderly stop at `stoppedAt` and a start, on a new clock, at 0. */
  function restarted(
    before: PresenceRegister,
    stoppedAt: number,
    downMs = 1_000,
  ): PresenceRegister {
    const after = new PresenceRegister(rules());
    after.restore(JSON.parse(JSON.stringify(before.remember(stoppedAt))), downMs, 0);
    return after;
  }

  test("a restart tells nobody anything of those who return within restart_grace_ms", () => {
    const { register, source } = withAnn();
    register.hear(source, { state: "idle" }, 1_000);
    const after = restarted(register, 2_000);
    expect([after.told("ann"), after.effective("ann", 0)]).toEqual(["idle", "idle"]);
    expect(after.expire(19_999)).toEqual([]);
    expect(after.open("ann", sourceName(), {}, 19_999).change).toBeUndefined();
    expect(after.expire(20_000)).toEqual([]);
    expect(after.effective("ann", 20_000)).toBe("idle");
  });

  test("whoever does not return within restart_grace_ms is gone then", () => {
    const after = restarted(withAnn().register, 2_000);
    expect(after.nextAt()).toBeLessThanOrEqual(20_000);
    expect(after.expire(19_999)).toEqual([]);
    expect(after.expire(20_000)).toEqual([both("offline")]);
  });

  test("a device heard by requests keeps the rest of its lifetime where that is longer", () => {
    const register = new PresenceRegister(rules());
    register.beat("ann", "laptop", {}, 0);
    const soon = restarted(register, 2_000);
    expect(soon.expire(116_999)).toEqual([]);
    expect(soon.expire(117_000)).toEqual([both("offline")]);
    const late = restarted(register, 110_000);
    expect(late.expire(19_999)).toEqual([]);
    expect(late.expire(20_000)).toEqual([both("offline")]);
  });

  test("the age of the last activity counts the time down", () => {
    const { register, source } = withAnn();
    register.hear(source, { idle_for_ms: 500 }, 10_000);
    const after = restarted(register, 12_000, 3_000);
    expect(after.explain("ann", 0).devices[0]?.lastActiveAt).toBe(-5_500);
  });

  test("a device that lingers after a restart turns idle when it would have done so", () => {
    const { register, source } = withAnn();
    register.hear(source, { idle_for_ms: 290_000 }, 0);
    const after = restarted(register, 5_000, 3_000);
    expect(after.nextAt()).toBe(2_000);
    expect(after.expire(1_999)).toEqual([]);
    expect(after.expire(2_000)).toEqual([both("idle")]);
    const late = restarted(register, 5_000, 6_000);
    expect(late.expire(0)).toEqual([{ ...both("idle"), own: undefined }]);
  });

  test("a person without a device is not written down", () => {
    const register = new PresenceRegister(rules());
    register.choose("ann", "busy", 0);
    expect(register.remember(0)).toEqual([]);
  });

  test("a device that lingers is written down and lingers anew", () => {
    const { register, source } = withAnn();
    register.lose(source, 0);
    const after = restarted(register, 9_999);
    expect(after.expire(19_999)).toEqual([]);
    expect(after.expire(20_000)).toEqual([both("offline")]);
  });

  test("a hidden person is restored as offline to others", () => {
    const { register } = withAnn();
    register.choose("ann", "appear_offline", 1_000);
    const after = new PresenceRegister(rules());
    after.introduce("ann", { manual: "appear_offline", alwaysOnline: false }, 0);
    after.restore(register.remember(2_000), 1_000, 0);
    expect([...after.toldOnline()]).toEqual([]);
    expect(after.choose("ann", undefined, 500)).toEqual(both("online"));
  });
});

describe("PresenceRegister over generated histories", () => {
  test(
    "it agrees at every moment with what the rules say of all that ever happened",
    () => {
      fc.assert(
        fc.property(anyRules, anyHistory, (rules, history) => {
          const run = new PresenceRun(rules);
          for (const step of history) run.step(step);
          run.rest();
        }),
        trials(5_000),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});
