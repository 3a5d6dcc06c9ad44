import { describe, expect, test } from "bun:test";
import { SplitMap } from "@porchlight/core";
import fc from "fast-check";
import { TRIALS_TIMEOUT_MS, trials } from "../support/runs.ts";

/** A split map and a plain one; every operation is done to both, and they are compared. */
class SplitAndPlain {
  readonly #split = new SplitMap<number>();
  readonly #plain = new Map<string, number>();

  set(key: string, value: number): void {
    this.#split.set(key, value);
    this.#plain.set(key, value);
    this.#compare(key);
  }

  delete(key: string): void {
    this.#split.delete(key);
    this.#plain.delete(key);
    this.#compare(key);
  }

  get(key: string): void {
    this.#compare(key);
  }

  /** The order of values is nobody's business. */
  rest(): void {
    const sorted = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);
    expect(sorted(this.#split.values())).toEqual(sorted(this.#plain.values()));
    for (const key of this.#plain.keys()) this.#compare(key);
  }

  #compare(key: string): void {
    expect(this.#split.get(key)).toBe(this.#plain.get(key));
    expect(this.#split.size).toBe(this.#plain.size);
  }
}

describe("SplitMap", () => {
  test("is empty at first", () => {
    const map = new SplitMap<number>();
    expect([map.size, map.get("ann"), [...map.values()]]).toEqual([0, undefined, []]);
  });

  test("takes any text for a key, the empty one and halves of characters among them", () => {
    const keys = ["", "\u0000", "\ud83d", "\ude00", "😀", "__proto__", "x".repeat(100_000)];
    const map = new SplitMap<string>();
    for (const key of keys) map.set(key, key);
    expect(keys.map((key) => map.get(key))).toEqual(keys);
    expect([map.size, new Set(map.values())]).toEqual([keys.length, new Set(keys)]);
  });

  test(
    "it agrees with a plain map under any sequence of operations",
    () => {
      const key = fc.oneof(
        fc.nat(40).map((number) => `participant-${number}`),
        fc.string({ maxLength: 3, unit: "binary" }),
      );
      const act = fc.record({
        kind: fc.constantFrom("set" as const, "set" as const, "delete" as const, "get" as const),
        key,
        value: fc.integer(),
      });
      fc.assert(
        fc.property(fc.array(act, { maxLength: 120, size: "max" }), (acts) => {
          const pair = new SplitAndPlain();
          for (const { kind, key, value } of acts) pair[kind](key, value);
          pair.rest();
        }),
        trials(300),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});
