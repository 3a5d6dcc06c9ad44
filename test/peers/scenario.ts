import type { Server } from "./server.ts";

/** What others may take to hear of something, where it is about being prompt. */
export const PROMPT_MS = 200;

/** What came of a scenario with one server. */
export interface Finding {
  /** Nothing where there is a figure, but neither better nor worse. */
  readonly holds: boolean | undefined;
  /** What was measured, in words. */
  readonly figure: string;
}

/** Something that is tried with every server in the same way. */
export interface Scenario {
  /** What is to hold, as a row of the table names it. */
  readonly name: string;
  /** `long`: it waits, for longer than 10 s on any server. `deadly`: the server may not be there afterwards. */
  readonly kind: "quick" | "long" | "deadly";
  /** Plays it in a room of its own. */
  play(server: Server): Promise<Finding>;
}

/** Whether something came, and promptly. */
export function isPrompt(ms: number | undefined): boolean {
  return ms !== undefined && ms <= PROMPT_MS;
}

/** When something became so that was waited for until `mostMs`, as in "gone after 3 ms" or "not gone within 5 s". */
export function when(what: string, ms: number | undefined, mostMs: number): string {
  return ms === undefined
    ? `not ${what} within ${duration(mostMs)}`
    : `${what} after ${duration(ms)}`;
}

export function duration(ms: number): string {
  if (ms >= 1_000) return `${Number((ms / 1_000).toFixed(1))} s`;
  return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
}

/** The least value that at least this share of all is not above. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN;
}
