import { describe, expect, test } from "bun:test";
import {
  applyEdits,
  checkLeaves,
  editedAt,
  isLater,
  type PreferenceEdit,
  type PreferenceLeaf,
  type PreferenceRegisters,
  readPreferences,
  type Stamp,
  stampAfter,
} from "@porchlight/core";
import fc from "fast-check";
import { trials } from "../support/runs.ts";

const anyStamp: fc.Arbitrary<Stamp> = fc.record({
  at: fc.integer({ min: 0, max: 3 }),
  device_id: fc.constantFrom("", "a", "b"),
  seq: fc.integer({ min: 0, max: 2 }),
});

describe("isLater", () => {
  test("orders writes by their time, then their device, then their place in its order", () => {
    const base = { at: 5, device_id: "m", seq: 5 };
    expect(isLater({ at: 6, device_id: "a", seq: 1 }, base)).toBe(true);
    expect(isLater({ at: 5, device_id: "n", seq: 1 }, base)).toBe(true);
    expect(isLater({ at: 5, device_id: "m", seq: 6 }, base)).toBe(true);
    expect(isLater(base, base)).toBe(false);
  });

  test("of two different writes exactly one is later, and later than later is later", () => {
    fc.assert(
      fc.property(anyStamp, anyStamp, anyStamp, (a, b, c) => {
        const same = a.at === b.at && a.device_id === b.device_id && a.seq === b.seq;
        expect(Number(isLater(a, b)) + Number(isLater(b, a))).toBe(same ? 0 : 1);
        if (isLater(a, b) && isLater(b, c)) expect(isLater(a, c)).toBe(true);
      }),
      trials(500),
    );
  });
});

describe("stampAfter", () => {
  test("is now, or a millisecond after what is there, and so always later", () => {
    expect(stampAfter(undefined, 7)).toEqual({ at: 7, device_id: "", seq: 0 });
    expect(stampAfter({ at: 6, device_id: "z", seq: 9 }, 7).at).toBe(7);
    expect(stampAfter({ at: 7, device_id: "z", seq: 9 }, 7).at).toBe(8);
    fc.assert(
      fc.property(anyStamp, fc.integer({ min: 0, max: 5 }), (there, now) =>
        expect(isLater(stampAfter(there, now), there)).toBe(true),
      ),
      trials(200),
    );
  });
});

describe("editedAt", () => {
  test("counts the age of an edit, whatever the device's clock says", () => {
    expect(editedAt({ edited_at: 1_000, sent_at: 61_000 }, 500_000)).toBe(440_000);
    expect(editedAt({ edited_at: 9_000_000, sent_at: 9_060_000 }, 500_000)).toBe(440_000);
    expect(editedAt({ edited_at: 61_000, sent_at: 1_000 }, 500_000)).toBe(500_000);
  });
});

const anyLeaf: fc.Arbitrary<PreferenceLeaf> = fc.oneof(
  fc.tuple(fc.constant("locale"), fc.constantFrom("en", "nl", "de")),
  fc.tuple(fc.constant("push"), fc.boolean()),
  fc.tuple(fc.constant("quiet_hours.start"), fc.constantFrom(null, "22:00", "23:00")),
);

/** A device's queue: its edits in the order of their `seq`, at times of any order. */
const anyQueue: fc.Arbitrary<PreferenceEdit[]> = fc
  .array(
    fc.record({ at: fc.integer({ min: 0, max: 6 }), leaves: fc.array(anyLeaf, { maxLength: 3 }) }),
    { maxLength: 6 },
  )
  .map((edits) => edits.map((edit, index) => ({ ...edit, seq: index + 1 })));

interface Delivery {
  readonly device: number;
  /** Which part of the queue: sent before may be sent again. */
  readonly from: number;
  readonly size: number;
}

/** Delivers parts of queues in this order, then all of what is left, as devices that never give up do. */
function deliver(
  queues: readonly PreferenceEdit[][],
  deliveries: readonly Delivery[],
): PreferenceRegisters {
  let registers: PreferenceRegisters = {};
  const reached = queues.map(() => 0);
  const send = (device: number, edits: readonly PreferenceEdit[]): void => {
    const after = applyEdits(
      { registers, applied_seq: reached[device] ?? 0 },
      `device-${device}`,
      edits,
    );
    registers = after.registers;
    reached[device] = after.applied_seq;
  };
  for (const { device, from, size } of deliveries) {
    const start = Math.min(from, reached[device] ?? 0);
    send(device, (queues[device] ?? []).slice(start, start + size));
  }
  for (const [device, queue] of queues.entries()) send(device, queue);
  return registers;
}

describe("applyEdits", () => {
  test("any interleaving of three devices' queues, with any repetition, ends in one document", () => {
    const anyDelivery = fc.record({
      device: fc.integer({ min: 0, max: 2 }),
      from: fc.integer({ min: 0, max: 6 }),
      size: fc.integer({ min: 0, max: 4 }),
    });
    const anyDeliveries = fc.array(anyDelivery, { maxLength: 12 });
    fc.assert(
      fc.property(
        fc.tuple(anyQueue, anyQueue, anyQueue),
        anyDeliveries,
        anyDeliveries,
        (queues, some, others) => {
          const [one, another] = [deliver(queues, some), deliver(queues, others)];
          expect(one).toEqual(another);
          expect(readPreferences(one)).toEqual(readPreferences(another));
        },
      ),
      trials(1_000),
    );
  });

  test("tells what a later write had overtaken, and nothing of what it skips", () => {
    const edit = {
      seq: 1,
      at: 5,
      leaves: [
        ["locale", "nl"],
        ["push", false],
      ],
    } as const;
    const there = { locale: { value: "de", at: 6, device_id: "", seq: 0 } };
    const once = applyEdits({ registers: there, applied_seq: 0 }, "a", [edit]);
    expect(once.superseded).toEqual([{ seq: 1, path: "locale" }]);
    expect(readPreferences(once.registers)).toMatchObject({ locale: "de", push: false });
    expect(applyEdits(once, "a", [edit])).toEqual({ ...once, superseded: [] });
  });
});

describe("checkLeaves", () => {
  test("keeps every valid leaf, and names the fault of every other", () => {
    const patch = {
      locale: "nl",
      push: null,
      nope: { deep: 1 },
      quiet_hours: { enabled: true, start: "25:00" },
      keyword_alerts: ["a", " A "],
    };
    const { leaves, faults } = checkLeaves(patch);
    expect(leaves).toEqual([
      ["locale", "nl"],
      ["quiet_hours.enabled", true],
      ["keyword_alerts", ["a"]],
    ]);
    expect(faults.map(({ path }) => path)).toEqual(["push", "nope", "quiet_hours.start"]);
  });

  test("does not let a hostile leaf hide or harm the others", () => {
    const patch = JSON.parse(
      '{"__proto__": {"locale": "nl"}, "locale": "de", "timezone": "\\ud800", "quiet_hours": []}',
    );
    const { leaves, faults } = checkLeaves(patch);
    expect(leaves).toEqual([["locale", "de"]]);
    expect(faults.map(({ path }) => path).sort()).toEqual(["__proto__", "quiet_hours", "timezone"]);
  });
});
