import { describe, test } from "bun:test";
import fc from "fast-check";
import { AwarenessRun, anyHistory } from "../support/awareness-run.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../support/runs.ts";

describe("AwarenessRoom over generated histories", () => {
  test(
    "shows each client of y-protocols what is true of everybody else, whoever comes, goes, repeats or forgets what",
    () => {
      fc.assert(
        fc.property(anyHistory, (history) => {
          using run = new AwarenessRun();
          for (const step of history) run.step(step);
        }),
        trials(1_000),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});
