import { describe, expect, test } from "bun:test";
import {
  devicesState,
  effectiveState,
  endOf,
  explainPresence,
  MANUAL_STATES,
  type Person,
  type PresenceRules,
  type Source,
  visibleState,
} from "@porchlight/core";
import fc from "fast-check";
import { device, person, rules, source } from "../support/builders.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../support/runs.ts";

const documented = rules();

function stateAt(at: number, ...sources: Partial<Source>[]): string | undefined {
  return devicesState(device("laptop", ...sources), at, documented);
}

describe("MANUAL_STATES", () => {
  test("offline cannot be set by hand", () => {
    expect([...MANUAL_STATES]).toEqual(["online", "idle", "busy", "appear_offline"]);
  });
});

describe("endOf", () => {
  test("a source ends presence_ttl_ms after it was last heard of", () => {
    expect(endOf(source({ seenAt: 7 }), documented)).toBe(120_007);
  });

  test("a lost source ends when its grace is over", () => {
    expect(endOf(source({ seenAt: 7, lingersUntil: 10_007 }), documented)).toBe(10_007);
  });
});

describe("devicesState, of one device", () => {
  test("a device is gone exactly when nothing came from it for presence_ttl_ms", () => {
    expect(stateAt(119_999, {})).toBe("online");
    expect(stateAt(120_000, {})).toBeUndefined();
    expect(stateAt(120_001, {})).toBeUndefined();
  });

  test("a lost device lingers until its grace is over", () => {
    expect(stateAt(9_999, { lingersUntil: 10_000 })).toBe("online");
    expect(stateAt(10_000, { lingersUntil: 10_000 })).toBeUndefined();
    expect(stateAt(10_001, { lingersUntil: 10_000 })).toBeUndefined();
  });

  test("a device lives while one of its sources does", () => {
    expect(stateAt(120_000, { seenAt: 0 }, { seenAt: 1 })).toBe("online");
    expect(stateAt(120_001, { seenAt: 0 }, { seenAt: 1 })).toBeUndefined();
  });

  test("a device without sources is not there", () => {
    expect(stateAt(0)).toBeUndefined();
  });

  test("a device is idle once its last activity is idle_after_ms old", () => {
    const seenAt = 300_000;
    expect(stateAt(299_999, { seenAt })).toBe("online");
    expect(stateAt(300_000, { seenAt })).toBe("idle");
    expect(stateAt(300_001, { seenAt })).toBe("idle");
  });

  test("a device is idle when it says so, however recent its activity", () => {
    expect(stateAt(0, { statement: "idle" })).toBe("idle");
  });

  test("a statement of being online holds no longer than the activity behind it", () => {
    const said: Partial<Source> = { statement: "online", seenAt: 300_000 };
    expect(stateAt(299_999, said)).toBe("online");
    expect(stateAt(300_000, said)).toBe("idle");
    expect(stateAt(300_001, said)).toBe("idle");
  });

  test("of several statements the most awake one counts, in any order", () => {
    const awake: Partial<Source> = { instance: "a", statement: "online" };
    const asleep: Partial<Source> = { instance: "b", statement: "idle" };
    expect(stateAt(0, awake, asleep)).toBe("online");
    expect(stateAt(0, asleep, awake)).toBe("online");
  });

  test("a source that says nothing counts only where none says anything", () => {
    const silent: Partial<Source> = { instance: "a" };
    const asleep: Partial<Source> = { instance: "b", statement: "idle" };
    expect(stateAt(0, silent)).toBe("online");
    expect(stateAt(0, silent, asleep)).toBe("idle");
    expect(stateAt(0, asleep, silent)).toBe("idle");
  });

  test("a source that has ended says nothing any more", () => {
    const gone: Partial<Source> = { statement: "idle", lingersUntil: 5 };
    expect(stateAt(4, gone, {})).toBe("idle");
    expect(stateAt(5, gone, {})).toBe("online");
  });
});

describe("devicesState, of several devices", () => {
  const awake = device("laptop", { statement: "online" });
  const asleep = device("phone", { statement: "idle" });
  const gone = device("tablet", { lingersUntil: 0 });
  const stateOf = (...devices: Source[][]): string | undefined =>
    devicesState(devices.flat(), 0, documented);

  test("the most awake device counts, in any order", () => {
    expect(stateOf(awake, asleep, gone)).toBe("online");
    expect(stateOf(gone, asleep, awake)).toBe("online");
    expect(stateOf(asleep, gone)).toBe("idle");
    expect(stateOf(gone, asleep)).toBe("idle");
  });

  test("what one device says does not speak for a silent one", () => {
    const silent = device("tablet", {});
    expect(stateOf(asleep, silent)).toBe("online");
    expect(stateOf(silent, asleep)).toBe("online");
  });

  test("there is none without a device that lives", () => {
    expect(stateOf()).toBeUndefined();
    expect(stateOf(gone)).toBeUndefined();
  });
});

describe("effectiveState", () => {
  const stateOf = (given: Partial<Person>): string => effectiveState(person(given), 0, documented);

  test("a state set by hand stands above everything", () => {
    for (const manual of MANUAL_STATES) {
      expect(stateOf({ manual })).toBe(manual);
      expect(stateOf({ manual, alwaysOnline: true, sources: device("laptop", {}) })).toBe(manual);
    }
  });

  test("a machine is online, whatever its devices say", () => {
    expect(stateOf({ alwaysOnline: true })).toBe("online");
    const sources = device("laptop", { statement: "idle" });
    expect(stateOf({ alwaysOnline: true, sources })).toBe("online");
  });

  test("otherwise the devices decide", () => {
    expect(stateOf({ sources: device("laptop", { statement: "idle" }) })).toBe("idle");
    expect(stateOf({})).toBe("offline");
  });
});

describe("visibleState", () => {
  const hiding = rules({ manual_without_device: "offline" });
  const stateOf = (given: Partial<Person>, by: PresenceRules): string =>
    visibleState(person(given), 0, by);
  const here = device("laptop", { statement: "idle" });

  test("whoever appears offline is offline to others, with and without a device", () => {
    for (const by of [documented, hiding]) {
      expect(stateOf({ manual: "appear_offline", sources: here }, by)).toBe("offline");
      expect(stateOf({ manual: "appear_offline" }, by)).toBe("offline");
    }
  });

  test("a state set by hand shows without a device", () => {
    expect(stateOf({ manual: "busy" }, documented)).toBe("busy");
  });

  test('with manual_without_device "offline" a state set by hand shows only while a device is there', () => {
    expect(stateOf({ manual: "busy" }, hiding)).toBe("offline");
    expect(stateOf({ manual: "busy", sources: here }, hiding)).toBe("busy");
  });

  test('with manual_without_device "offline" a machine needs no device', () => {
    expect(stateOf({ alwaysOnline: true }, hiding)).toBe("online");
    expect(stateOf({ alwaysOnline: true, manual: "busy" }, hiding)).toBe("busy");
  });

  test("whoever set nothing shows as the devices say", () => {
    expect(stateOf({ sources: here }, hiding)).toBe("idle");
    expect(stateOf({}, documented)).toBe("offline");
  });
});

describe("explainPresence", () => {
  test("names what decides: a choice by hand, the type, a device, or nothing", () => {
    const because = (given: Partial<Person>): string =>
      explainPresence(person(given), 0, documented).source;
    const sources = device("laptop", {});
    expect(because({ manual: "busy", alwaysOnline: true, sources })).toBe("manual");
    expect(because({ alwaysOnline: true, sources })).toBe("participant_type");
    expect(because({ sources })).toBe("device");
    expect(because({})).toBe("none");
  });

  test("says the manual state and the effective one, also of whoever appears offline", () => {
    const reason = explainPresence(person({ manual: "appear_offline" }), 0, documented);
    expect([reason.state, reason.manual]).toEqual(["appear_offline", "appear_offline"]);
  });

  test("lists each living device with its doors, its last activity and its end", () => {
    const laptop = device(
      "laptop",
      { door: "yjs", activeAt: 5, seenAt: 40 },
      { door: "stream", activeAt: 20, seenAt: 30 },
      { door: "yjs", instance: "other", activeAt: 10, seenAt: 20 },
      { door: "rest", activeAt: 30, seenAt: 50, lingersUntil: 50 },
    );
    const sources = [...laptop, ...device("phone", { lingersUntil: 50 })];
    expect(explainPresence(person({ sources }), 50, documented).devices).toEqual([
      {
        device_id: "laptop",
        state: "online",
        transports: ["stream", "yjs"],
        lastActiveAt: 20,
        expiresAt: 120_040,
      },
    ]);
  });

  test("says when a device will be idle, then when it will be gone, then that nothing will change", () => {
    const sources = device("laptop", { seenAt: 250_000 });
    const next = (at: number): number | undefined =>
      explainPresence(person({ sources }), at, documented).nextChangeAt;
    expect(next(299_999)).toBe(300_000);
    expect(next(300_000)).toBe(370_000);
    expect(next(370_000)).toBeUndefined();
  });

  test("a device that ends behind a more awake one is no change", () => {
    const sources = [
      ...device("laptop", { statement: "idle", lingersUntil: 10_000 }),
      ...device("phone", {}),
    ];
    expect(explainPresence(person({ sources }), 0, documented).nextChangeAt).toBe(120_000);
  });

  test("time changes nothing about a state set by hand", () => {
    const held = person({ manual: "busy", sources: device("laptop", {}) });
    expect(explainPresence(held, 0, documented).nextChangeAt).toBeUndefined();
  });

  test(
    "nextChangeAt is the first moment at which the state is another one",
    () => {
      const quick = rules({ presence_ttl_ms: 12, idle_after_ms: 20 });
      const anySource = fc.record({
        device_id: fc.constantFrom("laptop", "phone"),
        door: fc.constantFrom("stream" as const, "yjs" as const, "rest" as const),
        instance: fc.constantFrom("a", "b"),
        statement: fc.constantFrom("online" as const, "idle" as const, undefined),
        activeAt: fc.integer({ min: -30, max: 0 }),
        seenAt: fc.integer({ min: -15, max: 0 }),
        lingersUntil: fc.option(fc.nat(8), { nil: undefined }),
      });
      const anyPerson = fc.record({
        participant_id: fc.constant("ann"),
        manual: fc.option(fc.constantFrom(...MANUAL_STATES), { nil: undefined, freq: 6 }),
        alwaysOnline: fc.boolean(),
        sources: fc.array(anySource, { maxLength: 6 }),
      });
      fc.assert(
        fc.property(anyPerson, (anyone) => {
          const now = effectiveState(anyone, 0, quick);
          const later = Array.from({ length: 60 }, (_, index) => index + 1);
          expect(explainPresence(anyone, 0, quick).nextChangeAt).toBe(
            later.find((at) => effectiveState(anyone, at, quick) !== now),
          );
        }),
        trials(500),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});
