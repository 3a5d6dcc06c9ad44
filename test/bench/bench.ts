/** What a bench is asked for. */
export interface Wish {
  /** The smallest sizes and windows: a check that it works, of a few seconds. Its figures say nothing. */
  readonly isShort: boolean;
}

/** One thing that is measured, in one run on one machine, beside what it is compared with. */
export interface Bench {
  /** As it is asked for: `bun run bench <name>`. */
  readonly name: string;
  /** What is done, in a sentence. */
  readonly work: string;
  readonly run: (wish: Wish) => Promise<Outcome>;
}

export interface Outcome {
  /** What took part: names, versions and settings that matter. */
  readonly settings: readonly string[];
  readonly figures: readonly Figure[];
  readonly ratios: readonly Ratio[];
}

/** What was measured of one subject, window by window. */
export interface Figure {
  /** The size or load, such as `1,000 sockets, 20 in flight`. */
  readonly at: string;
  /** Who: `Porchlight`, `bare Bun.serve`, `Socket.IO 4.8.4`. */
  readonly of: string;
  /** What, with its unit, such as `deliveries/s` or `server CPU, µs a delivery`. */
  readonly what: string;
  readonly windows: readonly number[];
}

/** A figure against another of the same run, and what is promised of it. */
export interface Ratio {
  readonly at: string;
  readonly what: string;
  /** Against whom, or nothing where the figure itself is promised. */
  readonly to: string | undefined;
  /** One for each pair of windows. */
  readonly windows: readonly number[];
  /** Nothing where it is only stated. */
  readonly target: Target | undefined;
}

export interface Target {
  readonly is: "at least" | "at most";
  readonly value: number;
}

/** A target is met by the median of the windows. */
export function isMet({ windows, target }: Ratio): boolean | undefined {
  if (target === undefined) return undefined;
  const value = median(windows);
  return target.is === "at least" ? value >= target.value : value <= target.value;
}

/** What a subject reached against another, window by window: a machine that is slow for a while is so for both. */
export function ratioOf(
  given: Omit<Ratio, "windows" | "to">,
  subject: Figure,
  control: Figure,
): Ratio {
  const windows = subject.windows.map((value, index) => value / at(control.windows, index));
  return { ...given, to: control.of, windows };
}

/** Of an even number of values the greater of the two in the middle. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** @param share from 0 to 1. */
export function percentile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export function at<T>(list: ArrayLike<T>, index: number): T {
  const item = list[index];
  if (item === undefined) throw new RangeError(`Cannot take item ${index} of ${list.length}`);
  return item;
}
