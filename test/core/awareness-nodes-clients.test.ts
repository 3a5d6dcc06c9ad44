import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AwarenessNodesRun, anyNodesHistory, anyWeather } from "../support/awareness-nodes-run.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../support/runs.ts";

const FEW = { people: 3, apps: 2 };
const MANY = { people: 25, apps: 2 };

describe("AwarenessRooms of three nodes over generated histories", () => {
  test(
    "show each client of y-protocols what is true of everybody else, whoever moves where while messages are late",
    () => {
      fc.assert(
        fc.property(
          anyNodesHistory(FEW, 40),
          anyWeather({ isLossy: false }),
          (history, weather) => {
            using run = new AwarenessNodesRun(FEW, weather);
            for (const step of history) run.step(step);
            run.settle();
            expect([run.replaced, run.blinks]).toEqual([[], []]);
          },
        ),
        trials(500),
      );
    },
    TRIALS_TIMEOUT_MS,
  );

  test(
    "come to the same where messages are lost, once each has asked the others",
    () => {
      fc.assert(
        fc.property(anyNodesHistory(FEW, 40), anyWeather({ isLossy: true }), (history, weather) => {
          using run = new AwarenessNodesRun(FEW, weather);
          for (const step of history) run.step(step);
          run.settle();
        }),
        trials(500),
      );
    },
    TRIALS_TIMEOUT_MS,
  );

  test(
    "come to the same for 50 clients",
    () => {
      fc.assert(
        fc.property(
          anyNodesHistory(MANY, 150),
          anyWeather({ isLossy: false }),
          (history, weather) => {
            using run = new AwarenessNodesRun(MANY, weather);
            for (const step of history) run.step(step);
            run.settle();
            expect([run.replaced, run.blinks]).toEqual([[], []]);
          },
        ),
        trials(50),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});
