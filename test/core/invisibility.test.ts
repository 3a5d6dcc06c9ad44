import { describe, test } from "bun:test";
import fc from "fast-check";
import { anyHistory, anyRules, HidingRun } from "../support/hiding-run.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../support/runs.ts";

describe("LivenessRegister, of someone who appears offline", () => {
  test(
    "everyone else hears and is answered what they would if that person had gone",
    () => {
      fc.assert(
        fc.property(anyRules, anyHistory, (rules, history) => {
          const run = new HidingRun(rules);
          for (const step of history) run.step(step);
          run.rest();
        }),
        trials(5_000),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});
