import { describe, expect, test } from "bun:test";
import { MemoryFacts, type StoredPerson } from "@porchlight/server/cluster";
import fc from "fast-check";
import { isLong, trials } from "../support/runs.ts";
import { anyHistory } from "./history.ts";
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
