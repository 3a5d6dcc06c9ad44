import type { Metric, Registry } from "prom-client";

/** The greatest durations that a bucket takes, in seconds; what is longer is in none but the last. */
const BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5] as const;

type Labels = Readonly<Record<string, string>>;

/** How long things took that have these labels. */
export class Durations {
  readonly labels: Labels;
  readonly #counts: number[] = new Array(BUCKETS_S.length + 1).fill(0);
  #sum = 0;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  /** Takes note of one. */
  add(seconds: number): void {
    let bucket = 0;
    while (bucket < BUCKETS_S.length && seconds > (BUCKETS_S[bucket] ?? 0)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += seconds;
  }

  /** The samples of a histogram of this name: each bucket has what the shorter ones have as well. */
  *samples(name: string): Generator<Sample> {
    const { labels } = this;
    let count = 0;
    for (const [bucket, own] of this.#counts.entries()) {
      count += own;
      const le = BUCKETS_S[bucket]?.toString() ?? "+Inf";
      yield { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count };
    }
    yield { metricName: `${name}_sum`, labels, value: this.#sum };
    yield { metricName: `${name}_count`, labels, value: count };
  }
}

interface Sample {
  readonly metricName: string;
  readonly labels: Labels;
  readonly value: number;
}

/**
 * Makes durations a histogram. That of the library finds its numbers by a text
 * made of the labels, each time; these are held by whoever takes note.
 */
export function exposeDurations(
  registry: Registry,
  { name, help, all }: { name: string; help: string; all: () => Iterable<Durations> },
): void {
  const get = async () => ({
    name,
    help,
    type: "histogram",
    aggregator: "sum",
    values: [...all()].flatMap((each) => [...each.samples(name)]),
  });
  // The types know only what the library makes; the registry asks for no more than this.
  registry.registerMetric({ name, get } as unknown as Metric);
}
