import type { Wish } from "./bench.ts";

/** How long windows are, and how many of each contender there are. */
export interface Plan {
  readonly windowMs: number;
  readonly pairs: number;
}

/** Long enough for processor time in steps of 10 ms, or, where only a check was asked for, for a few of them. */
export function planOf({ isShort }: Wish): Plan {
  return isShort ? { windowMs: 150, pairs: 2 } : { windowMs: 1_000, pairs: 5 };
}

/**
 * Has the contenders take turns, window by window, so that what else the
 * machine does falls on all of them. The first window of each only warms up.
 * Answers the other windows of each.
 */
export async function inTurns<const K extends string, T>(
  contenders: Readonly<Record<K, () => Promise<T> | T>>,
  pairs: number,
): Promise<Record<K, T[]>> {
  const names = Object.keys(contenders) as K[];
  const windows = Object.fromEntries(names.map((name): [K, T[]] => [name, []])) as Record<K, T[]>;
  for (let turn = 0; turn <= pairs; turn += 1) {
    for (const name of names) {
      const window = await contenders[name]();
      if (turn > 0) windows[name].push(window);
    }
  }
  return windows;
}
