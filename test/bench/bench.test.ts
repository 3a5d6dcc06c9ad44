import { describe, expect, test } from "bun:test";
import { BENCHES } from "./benches.ts";
import { markdownOf } from "./report.ts";

const LIMIT_MS = 60_000;

/** That each measures something, and that it can be read; what the figures are is for `bun run bench` to judge. */
describe("bench", () => {
  for (const bench of BENCHES) {
    test(
      `${bench.name} gives figures and ratios`,
      async () => {
        const outcome = await bench.run({ isShort: true });
        const { figures, ratios } = outcome;
        expect(figures.length).toBeGreaterThan(0);
        expect(ratios.length).toBeGreaterThan(0);
        const odd = [...figures, ...ratios].filter(
          ({ windows }) => windows.length === 0 || !windows.every(Number.isFinite),
        );
        expect(odd).toEqual([]);
        const printed = markdownOf(bench, outcome);
        for (const { at, of, what } of figures)
          expect(printed).toContain(`| ${at} | ${of} | ${what} | `);
        for (const { at, what } of ratios) expect(printed).toContain(`| ${at} | ${what} | `);
      },
      LIMIT_MS,
    );
  }
});
