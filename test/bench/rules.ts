/**
 * What one operation of the registers costs, against a bare `Map` delete and
 * set of the same size and in the same order. Windows of the map and of the
 * operation take turns, so that what else the machine does falls on both; a
 * ratio is the median over the pairs, beside the least and the greatest.
 * Ratios are what counts: absolute figures belong to this machine and moment.
 *
 * Everyone is heard once a round, in an order that no cache can guess; on the
 * clock of the registers a round is as long as devices wait between two
 * heartbeats, or typists between two publishes. Keys are strings, for the map
 * as for the registers; only a socket has a handle and looks nothing up. A
 * renewal leaves the deadline where it is, for the timer to move: the rows
 * "and the timer" have both. Time is of the processor, so that waiting for one is
 * no cost. Bytes are of heap for each device or signal, without the texts of ids.
 *
 *     bun run bench            sizes from 1,000 to 1,000,000: some minutes
 *     bun run bench --short    the smallest only: a check that it works
 */
import {
  DEFAULT_TIMINGS,
  type OpenSource,
  PresenceRegister,
  TypingRegister,
  type TypingSignal,
} from "@porchlight/core";

const SHORT = process.argv.includes("--short");
const SIZES = SHORT ? [1_000] : [1_000, 10_000, 100_000, 1_000_000];
const LEAST_OPERATIONS = SHORT ? 20_000 : 200_000;
const PAIRS = 5;
const RULES = { ...DEFAULT_TIMINGS, manual_without_device: "keep", typing_rate: 0 } as const;

/** Does something for the `index`-th of those there are, at `now`. */
type Operation = (index: number, now: number) => unknown;

interface Contender {
  readonly name: string;
  /** How long a round over all of them takes on the clock that the operations are told. */
  readonly roundMs: number;
  /** Fills what is measured: everyone in `ids`, each typing in a room of their own. */
  readonly make: (ids: readonly string[], rooms: readonly string[]) => Operation;
}

const LAPTOP = { device_id: "laptop", instance: "laptop", door: "stream" } as const;
const ONLINE = { state: "online" } as const;

const MAP: Contender = {
  name: "Map delete + set",
  roundMs: RULES.heartbeat_ms,
  make: (ids) => {
    const map = new Map(ids.map((id) => [id, 0]));
    return (index, now) => {
      const id = at(ids, index);
      map.delete(id);
      map.set(id, now);
    };
  },
};

const CONTENDERS: readonly Contender[] = [
  { name: "heartbeat on a socket", roundMs: RULES.heartbeat_ms, make: (ids) => socket(ids).hear },
  {
    name: "heartbeat on a socket, and the timer",
    roundMs: RULES.heartbeat_ms,
    make: (ids) => {
      const { register, hear } = socket(ids);
      return timed(register, hear);
    },
  },
  { name: "heartbeat by request", roundMs: RULES.heartbeat_ms, make: (ids) => requests(ids).beat },
  {
    name: "heartbeat by request, and the timer",
    roundMs: RULES.heartbeat_ms,
    make: (ids) => {
      const { register, beat } = requests(ids);
      return timed(register, beat);
    },
  },
  {
    name: "socket closed and opened, and the timer",
    roundMs: RULES.heartbeat_ms,
    make: (ids) => {
      const { register, sources } = socket(ids);
      return timed(register, (index, now) => {
        register.close(at(sources, index), now);
        sources[index] = register.open(at(ids, index), LAPTOP, ONLINE, now).source;
      });
    },
  },
  {
    name: "typing renewed",
    roundMs: RULES.typing_refresh_ms,
    make: (ids, rooms) => typing(ids, rooms).start,
  },
  {
    name: "typing renewed, told again by the timer",
    roundMs: RULES.typing_refresh_ms,
    make: (ids, rooms) => {
      const { register, start } = typing(ids, rooms);
      return timed(register, start);
    },
  },
  {
    name: "typing stopped and started, and the timer",
    roundMs: RULES.typing_refresh_ms,
    make: (ids, rooms) => {
      const { register, start } = typing(ids, rooms);
      return timed(register, (index, now) => {
        register.stop(signal(at(ids, index), at(rooms, index)), now);
        start(index, now);
      });
    },
  },
];

function socket(ids: readonly string[]): {
  register: PresenceRegister;
  sources: OpenSource[];
  hear: Operation;
} {
  const register = new PresenceRegister(RULES);
  const sources = ids.map((id) => register.open(id, LAPTOP, ONLINE, 0).source);
  const hear: Operation = (index, now) => register.hear(at(sources, index), ONLINE, now);
  return { register, sources, hear };
}

function requests(ids: readonly string[]): { register: PresenceRegister; beat: Operation } {
  const register = new PresenceRegister(RULES);
  const beat: Operation = (index, now) => register.beat(at(ids, index), "phone", ONLINE, now);
  for (const index of ids.keys()) beat(index, 0);
  return { register, beat };
}

function typing(
  ids: readonly string[],
  rooms: readonly string[],
): { register: TypingRegister; start: Operation } {
  const register = new TypingRegister(RULES);
  const start: Operation = (index, now) =>
    register.start(signal(at(ids, index), at(rooms, index)), now);
  for (const index of ids.keys()) start(index, 0);
  return { register, start };
}

/** An operation, and before it what is due by then. */
function timed(
  register: { readonly expire: (now: number) => unknown },
  operate: Operation,
): Operation {
  return (index, now) => {
    register.expire(now);
    operate(index, now);
  };
}

function signal(participant_id: string, room_id: string): TypingSignal {
  return { room_id, participant_id, source: "laptop" };
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new RangeError(`Cannot take item ${index} of ${list.length}`);
  return item;
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

/** Goes on with rounds over all of them; each call is a window and returns nanoseconds for one operation. */
function windows(order: Uint32Array, operate: Operation, roundMs: number): () => number {
  const rounds = Math.ceil(LEAST_OPERATIONS / order.length);
  const stepMs = roundMs / order.length;
  let now = 0;
  return () => {
    const start = process.cpuUsage();
    for (let round = 0; round < rounds; round += 1) {
      for (const index of order) {
        now += stepMs;
        operate(index, now);
      }
    }
    const { user, system } = process.cpuUsage(start);
    return ((user + system) * 1_000) / (rounds * order.length);
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** One contender against the map, as a line of the table. The first pair only warms up. */
function duel(contender: Contender, ids: readonly string[], rooms: readonly string[]): string {
  const order = shuffled(ids.length);
  const map = windows(order, MAP.make(ids, rooms), MAP.roundMs);
  const { made, bytes } = weigh(ids.length, () => contender.make(ids, rooms));
  const own = windows(order, made, contender.roundMs);
  const [, ...pairs] = Array.from({ length: PAIRS + 1 }, () => [map(), own()] as const);
  const ratios = pairs.map(([bare, ns]) => ns / bare);
  const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  const ns = median(pairs.map((pair) => pair[1]));
  const ratio = median(ratios).toFixed(2);
  return `| ${ids.length} | ${contender.name} | ${ratio} | ${spread} | ${ns.toFixed(0)} | ${bytes} |`;
}

console.log(`Bun ${Bun.version}, ${process.platform} ${process.arch}; median of ${PAIRS} pairs\n`);
console.log("| size | operation | of Map | from, to | ns | bytes |");
console.log("|---:|---|---:|---:|---:|---:|");
for (const size of SIZES) {
  const ids = Array.from({ length: size }, (_, index) => `participant-${index}`);
  const rooms = ids.map((id) => `room-${id}`);
  for (const contender of [MAP, ...CONTENDERS]) console.log(duel(contender, ids, rooms));
}
