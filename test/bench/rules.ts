import { type Bench, type Figure, type Outcome, type Ratio, ratioOf } from "./bench.ts";
import { CONTENDERS, type Contender, MAP, type Operation } from "./registers.ts";

const SIZES = [1_000, 10_000, 100_000, 1_000_000];
/** So that none is due during an operation. */
const COLLECT_EVERY = 200_000;
const MOST_OF_MAP = 3;
const LONGEST_MS = 10;

/** How much is done of each. */
interface Extent {
  readonly sizes: readonly number[];
  readonly leastOperations: number;
  readonly pairs: number;
}

/** Those who take part, by index: who they are, in which rooms they type, and when each has their turn. */
interface Crowd {
  readonly ids: readonly string[];
  readonly rooms: readonly string[];
  readonly order: Uint32Array;
}

/**
 * Windows of the map and of the operation take turns, so that what else the
 * machine does falls on both. Everyone is heard once a round, in an order that
 * no cache can guess; on the clock of the registers a round is as long as
 * devices wait between two heartbeats, or typists between two publishes. Time
 * is of the processor, so that waiting for one is no cost. Bytes are of heap
 * for each device or signal, without the texts of ids.
 */
export const RULES: Bench = {
  name: "rules",
  work: "One operation of the registers of core, on 1,000 to 1,000,000 devices or typing signals, against a bare `Map` delete and set of the same size and in the same order.",
  async run({ isShort }) {
    const extent = isShort
      ? { sizes: SIZES.slice(0, 1), leastOperations: 20_000, pairs: 2 }
      : { sizes: SIZES, leastOperations: 200_000, pairs: 5 };
    const outcomes = extent.sizes.flatMap((size) => measure(crowdOf(size), extent));
    return {
      settings: [
        "in one process, without a server; keys are strings, for the map as for the registers, and only a socket has a handle and looks nothing up",
        'a renewal leaves its deadline where it is, for the timer to move: what is called "and the timer" has both',
        `the longest operation is that of a whole round, once deadlines are as far apart as the operations were; garbage is collected in between, every ${COLLECT_EVERY.toLocaleString("en")} operations, and of time by the clock and of the processor the lesser counts, so that neither collections nor other processes do`,
      ],
      figures: outcomes.flatMap(({ figures }) => figures),
      ratios: outcomes.flatMap(({ ratios }) => ratios),
    };
  },
};

function crowdOf(size: number): Crowd {
  const ids = Array.from({ length: size }, (_, index) => `participant-${index}`);
  return { ids, rooms: ids.map((id) => `room-${id}`), order: shuffled(size) };
}

function measure(crowd: Crowd, extent: Extent): Outcome[] {
  return [MAP, ...CONTENDERS].map((contender) => duel(contender, crowd, extent));
}

/** One contender against the map. The first pair only warms up. */
function duel(contender: Contender, crowd: Crowd, { leastOperations, pairs }: Extent): Outcome {
  const { ids, rooms, order } = crowd;
  const name = { at: ids.length.toLocaleString("en"), of: contender.name };
  const map = new Rounds(order, MAP.make(ids, rooms).operate, MAP.roundMs);
  const { made, bytes } = weigh(ids.length, () => contender.make(ids, rooms));
  const own = new Rounds(order, made.operate, contender.roundMs);
  const [, ...windows] = Array.from(
    { length: pairs + 1 },
    () => [map.window(leastOperations), own.window(leastOperations)] as const,
  );
  for (const spread of [made.spread, made.spread]) if (spread !== undefined) own.round(spread);
  const withGarbage = own.longest();
  const ofItself = own.longestOfItself();
  const bare: Figure = {
    at: name.at,
    of: MAP.name,
    what: "ns",
    windows: windows.map(([ns]) => ns),
  };
  const cost: Figure = { ...name, what: "ns", windows: windows.map(([, ns]) => ns) };
  const figures: Figure[] = [
    cost,
    { ...name, what: "bytes of heap", windows: [bytes] },
    { ...name, what: "longest with collections of garbage, ms", windows: [withGarbage] },
    { ...name, what: "longest, ms", windows: [ofItself] },
  ];
  return {
    settings: [],
    figures,
    ratios: contender === MAP ? [] : ratiosOf(contender, cost, bare, ofItself),
  };
}

function ratiosOf(contender: Contender, cost: Figure, bare: Figure, longestMs: number): Ratio[] {
  const { at, of } = cost;
  const target = contender.isPromised
    ? ({ is: "at most", value: MOST_OF_MAP } as const)
    : undefined;
  const isLargest = at === SIZES.at(-1)?.toLocaleString("en");
  const time = ratioOf({ at, what: of, target }, cost, bare);
  if (!isLargest) return [time];
  return [
    time,
    {
      at,
      what: `${of}: the longest, ms`,
      to: undefined,
      windows: [longestMs],
      target: { is: "at most", value: LONGEST_MS },
    },
  ];
}

/** All indexes below `size`, each once, in the same order each time. */
function shuffled(size: number): Uint32Array {
  const indexes = Uint32Array.from({ length: size }, (_, index) => index);
  let state = 0x2545f491;
  for (let last = size - 1; last > 0; last -= 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const other = (state >>> 0) % (last + 1);
    const index = indexes[last] ?? 0;
    indexes[last] = indexes[other] ?? 0;
    indexes[other] = index;
  }
  return indexes;
}

/** What was made, and how many bytes of heap it took for each of `size`. */
function weigh<T>(size: number, make: () => T): { made: T; bytes: number } {
  Bun.gc(true);
  const before = process.memoryUsage().heapUsed;
  const made = make();
  Bun.gc(true);
  return { made, bytes: Math.round((process.memoryUsage().heapUsed - before) / size) };
}

/** Goes on with rounds over all of them on one clock. */
class Rounds {
  readonly #order: Uint32Array;
  readonly #operate: Operation;
  readonly #stepMs: number;
  #now = 0;

  constructor(order: Uint32Array, operate: Operation, roundMs: number) {
    this.#order = order;
    this.#operate = operate;
    this.#stepMs = roundMs / order.length;
  }

  /** Answers how many nanoseconds one operation took, of so many at least. */
  window(leastOperations: number): number {
    const rounds = Math.ceil(leastOperations / this.#order.length);
    const start = process.cpuUsage();
    for (let round = 0; round < rounds; round += 1) this.round(this.#operate);
    return (microsSince(start) * 1_000) / (rounds * this.#order.length);
  }

  /** Does something for everyone once. */
  round(operate: Operation): void {
    for (const index of this.#order) {
      this.#now += this.#stepMs;
      operate(index, this.#now);
    }
  }

  /** Answers how many milliseconds the longest operation of a round took, with collections of garbage that fell on it. */
  longest(): number {
    let longest = 0;
    this.round((index, now) => {
      const start = performance.now();
      this.#operate(index, now);
      longest = Math.max(longest, performance.now() - start);
    });
    return longest;
  }

  /** The same without what is not its own: garbage is collected in between, and time of another process does not count. */
  longestOfItself(): number {
    let longest = 0;
    let turn = 0;
    this.round((index, now) => {
      if (turn % COLLECT_EVERY === 0) Bun.gc(true);
      turn += 1;
      const cpu = process.cpuUsage();
      const start = performance.now();
      this.#operate(index, now);
      const took = performance.now() - start;
      // Time of the processor is also that of other threads: of both the lesser.
      longest = Math.max(longest, Math.min(took, microsSince(cpu) / 1_000));
    });
    return longest;
  }
}

function microsSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return user + system;
}
