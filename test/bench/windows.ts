import type { Wish } from "./bench.ts";

/** How long windows are, how many of each contender there are, and how many before these only warm up. */
export interface Plan {
  readonly windowMs: number;
  readonly pairs: number;
  readonly warmUps: number;
}

/**
 * Long enough for processor time in steps of 10 ms, or, where only a check was asked for, for a few of them. A program
 * is compiled for good after some 100,000 requests, by threads that share its processor: that takes seconds.
 */
export function planOf({ isShort }: Wish): Plan {
  return isShort
    ? { windowMs: 150, pairs: 2, warmUps: 1 }
    : { windowMs: 1_000, pairs: 5, warmUps: 5 };
}

/**
 * Has the contenders take turns, window by window, so that what else the
 * machine does falls on all of them. Answers the windows of each but for those
 * that only warm up, one by default.
 */
export async function inTurns<const K extends string, T>(
  contenders: Readonly<Record<K, () => Promise<T> | T>>,
  { pairs, warmUps = 1 }: Pick<Plan, "pairs"> & Partial<Plan>,
): Promise<Record<K, T[]>> {
  const names = Object.keys(contenders) as K[];
  const windows = Object.fromEntries(names.map((name): [K, T[]] => [name, []])) as Record<K, T[]>;
  for (let turn = 0; turn < warmUps + pairs; turn += 1) {
    for (const name of names) {
      const window = await contenders[name]();
      if (turn >= warmUps) windows[name].push(window);
    }
  }
  return windows;
}
