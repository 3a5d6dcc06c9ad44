import { describe, expect, test } from "bun:test";
import { MemoryFacts, type StoredPerson } from "@porchlight/server/cluster";
import fc from "fast-check";
import { isLong, trials } from "../support/runs.ts";
import { type Act, anyHistory } from "./history.ts";
import { type Faults, Run } from "./run.ts";

const HISTORIES = isLong ? 100_000 : 2_000;
/** The same histories everywhere, unless PORCHLIGHT_TEST_SEED or PORCHLIGHT_TEST_LONG asks for others. */
const SEED = 102;
const TIMEOUT_MS = isLong ? 3_600_000 : 240_000;
/** A fault that is there has to be found within so many. */
const FOUND_WITHIN = 2_000;

describe("two to four nodes, whatever happens to them", () => {
  test(
    `${HISTORIES} histories come to what the rules say, and show nobody anything else on the way`,
    () => {
      const from = performance.now();
      fc.assert(
        fc.property(anyHistory, (history) => new Run(history).play()),
        { ...(isLong ? {} : { seed: SEED }), ...trials(0), numRuns: HISTORIES },
      );
      console.log(
        `  ${HISTORIES} histories in ${Math.round((performance.now() - from) / 1_000)} s`,
      );
    },
    TIMEOUT_MS,
  );
});

describe("a node that starts when all others are no more", () => {
  test("asks whether a choice still stands that only a record from before it tells of", () => {
    const by = { node: 0, person: "ann" } as const;
    const beat = { kind: "beat", device: "laptop", activity: { state: "online" } } as const;
    const crash = { kind: "crash", point: undefined, returnMs: undefined } as const;
    const acts: readonly [afterMs: number, act: Act][] = [
      [0, { kind: "choose", manual: "appear_offline", ...by }],
      [0, { ...crash, node: 0, point: "before send", replacedMs: 5_000 }],
      [500, { ...beat, node: 0, person: "bob" }],
      [0, { kind: "leave", node: undefined, absence: "hangs", forMs: 4_500 }],
      // It becomes durable, and nobody is told.
      [0, { kind: "choose", manual: undefined, ...by }],
      [500, { kind: "cut", node: 0, forMs: 300 }],
      [0, { ...crash, node: 3, point: "before send", replacedMs: undefined }],
      [30_000, { ...crash, node: 0, replacedMs: 500 }],
      [2_000, { kind: "lose", seat: 0 }],
      [0, { ...beat, ...by }],
    ];
    const run = new Run({
      nodes: 2,
      weather: "calm",
      manual_without_device: "keep",
      chance: 0,
      steps: acts.map(([afterMs, act]) => ({ afterMs, act })),
    });
    expect(() => run.play()).not.toThrow();
  });
});

/** Lets a node that is no more write as if it were there. */
class FactsWithoutIncarnations extends MemoryFacts {
  override write(...given: Parameters<MemoryFacts["write"]>): boolean {
    if (super.write(...given)) return true;
    const [{ node, incarnation }] = given;
    this.join(node, 0, incarnation - 1);
    return super.write(...given);
  }
}

/** Gives each record that is told a version above all others, however late it comes. */
function withoutVersions(): (person: StoredPerson) => StoredPerson {
  let version = 1_000_000;
  return (person) => {
    version += 1;
    return { ...person, version };
  };
}

const FAULTS: Readonly<Record<string, () => Faults>> = {
  "a cluster that does not look at incarnations": () => ({
    facts: (options) => new FactsWithoutIncarnations(options),
  }),
  "a node that does not look at versions": () => ({ person: withoutVersions() }),
  "a store that announces before it has committed": () => ({ announcesEarly: true }),
};

describe("what would be a fault", () => {
  for (const [fault, faults] of Object.entries(FAULTS))
    test(
      `is found: ${fault}`,
      () => {
        let histories = 0;
        const { failed } = fc.check(
          fc.property(anyHistory, (history) => {
            histories += 1;
            new Run(history, faults()).play();
          }),
          { seed: SEED, numRuns: FOUND_WITHIN, endOnFailure: true },
        );
        console.log(`  ${fault}: found after ${histories} histories`);
        expect(failed).toBe(true);
      },
      TIMEOUT_MS,
    );
});
