/**
 * What one operation of the registers costs, against a bare `Map` delete and
 * set of the same size and in the same order. Prints a table; ratios within
 * one run are what counts, absolute figures belong to this machine and moment.
 *
 *     bun run bench            sizes from 1,000 to 1,000,000
 *     bun run bench --short    small sizes only: a check that it works
 */
import {
  DEFAULT_TIMINGS,
  type OpenSource,
  PresenceRegister,
  TypingRegister,
} from "@porchlight/core";

const SIZES = process.argv.includes("--short") ? [1_000] : [1_000, 10_000, 100_000, 1_000_000];
const OPERATIONS = process.argv.includes("--short") ? 20_000 : 400_000;
const WINDOWS = 5;
const RULES = { ...DEFAULT_TIMINGS, manual_without_device: "keep", typing_rate: 0 } as const;

interface Row {
  readonly size: number;
  readonly operation: string;
  readonly ns: number;
  readonly spread: number;
  readonly ofMap: number;
  readonly bytes: number | undefined;
}

/** Picks indexes below `size` in an order that no cache can guess, the same each time. */
function* order(size: number, count: number): Generator<number> {
  let state = 0x2545f491;
  for (let index = 0; index < count; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield (state >>> 0) % size;
  }
}

/** The median time of one operation over several windows, the first of which is dropped, and how far they spread. */
function time(
  size: number,
  operate: (index: number, round: number) => void,
): { ns: number; spread: number } {
  const indexes = Uint32Array.from(order(size, OPERATIONS));
  const windows: number[] = [];
  for (let window = 0; window <= WINDOWS; window += 1) {
    const start = Bun.nanoseconds();
    for (const index of indexes) operate(index, window);
    windows.push((Bun.nanoseconds() - start) / OPERATIONS);
  }
  const [, ...counted] = windows;
  const sorted = counted.toSorted((a, b) => a - b);
  const ns = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  return { ns, spread: ((sorted.at(-1) ?? ns) - (sorted[0] ?? ns)) / ns };
}

/** What was made, and how many bytes of heap it took for each of `size`. */
function weigh<T>(size: number, make: () => T): { made: T; bytes: number } {
  Bun.gc(true);
  const before = process.memoryUsage().heapUsed;
  const made = make();
  Bun.gc(true);
  return { made, bytes: Math.round((process.memoryUsage().heapUsed - before) / size) };
}

function measure(size: number): Row[] {
  const ids = Array.from({ length: size }, (_, index) => `participant-${index}`);
  const rooms = ids.map((id) => `room-${id}`);
  const roomOf = (index: number): string => rooms[index] ?? "";
  const idOf = (index: number): string => ids[index] ?? "";

  const bare = weigh(size, () => new Map(ids.map((id) => [id, { at: 0 }])));
  const map = time(size, (index) => {
    const id = idOf(index);
    const value = bare.made.get(id) ?? { at: 0 };
    bare.made.delete(id);
    bare.made.set(id, value);
  });

  const presence = weigh(size, () => {
    const register = new PresenceRegister(RULES);
    const laptop = { device_id: "laptop", instance: "laptop", door: "stream" } as const;
    const sources: OpenSource[] = ids.map(
      (id) => register.open(id, laptop, { state: "online" }, 0).source,
    );
    return { register, sources };
  });
  const { register, sources } = presence.made;
  const hear = time(size, (index, round) => {
    const source = sources[index];
    if (source !== undefined) register.hear(source, { state: "online" }, round);
  });
  const request = time(
    size,
    (index, round) => void register.beat(idOf(index), "phone", { state: "online" }, 10 + round),
  );

  const typing = weigh(size, () => {
    const typists = new TypingRegister(RULES);
    for (const [index, participant_id] of ids.entries())
      typists.start({ room_id: roomOf(index), participant_id, source: "laptop" }, 0);
    return typists;
  });
  const publish = time(size, (index, round) => {
    const signal = { room_id: roomOf(index), participant_id: idOf(index), source: "laptop" };
    typing.made.start(signal, round);
  });

  const row = (operation: string, { ns, spread }: typeof map, bytes?: number): Row => ({
    size,
    operation,
    ns,
    spread,
    ofMap: ns / map.ns,
    bytes,
  });
  return [
    row("Map delete + set", map, bare.bytes),
    row("heartbeat on a socket", hear, presence.bytes),
    row("heartbeat by request", request),
    row("typing, renewed", publish, typing.bytes),
  ];
}

console.log(
  `Bun ${Bun.version}, ${process.platform} ${process.arch}; ${OPERATIONS} operations a window, median of ${WINDOWS}\n`,
);
console.log(
  "| size | operation | ns | spread | of Map | bytes each |\n|---:|---|---:|---:|---:|---:|",
);
for (const size of SIZES) {
  for (const { operation, ns, spread, ofMap, bytes } of measure(size)) {
    console.log(
      `| ${size} | ${operation} | ${ns.toFixed(0)} | ${(spread * 100).toFixed(0)} % | ${ofMap.toFixed(2)} | ${bytes ?? ""} |`,
    );
  }
}
