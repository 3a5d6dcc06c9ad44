import type { Bench, Figure, Ratio } from "./bench.ts";
import { crashFigures } from "./slo-crash.ts";
import { DAY, dayFigures } from "./slo-day.ts";
import { pageFigures } from "./slo-page.ts";

/** Durations with which a check need not wait. */
const HURRIED = { PORCHLIGHT_DISCONNECT_GRACE_MS: "200", PORCHLIGHT_NODE_LEASE_MS: "200" };

export const SLO: Bench = {
  name: "slo",
  work: "What people and operators notice: how soon another's page shows what somebody does, how soon others are told that somebody is gone who did not say so, and how often a day of one user writes to the store.",
  async run({ isShort }) {
    const page = await pageFigures(isShort ? { windows: 1, acts: 4 } : { windows: 5, acts: 20 });
    const crash = await crashFigures(isShort ? 4 : 20, isShort ? HURRIED : {});
    const day = await dayFigures(isShort ? 1 : undefined);
    return {
      settings: [
        "two people's pages in profiles of their own of one Chromium without a screen, on the processor of the generator; from the click or the key to the first frame in which it stands, in steps of 1 ms, frames of 1/60 s",
        isShort
          ? "a grace of 200 ms, a lease of 200 ms"
          : "the documented durations: who is lost without a word lingers for 10 s, the lease of a node is 4 s",
        `${DAY}; the server on a clock that is moved, every statement to its file counted`,
      ],
      figures: [...page, ...crash, ...day],
      // Of a day the sum.
      ratios: [...page, ...crash, ...day.slice(0, 1)].map(stated),
    };
  },
};

function stated({ at, what, windows }: Figure): Ratio {
  return { at, what, to: undefined, windows, target: undefined };
}
