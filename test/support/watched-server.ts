import { heapStats } from "bun:jsc";
import { readdirSync, writeSync } from "node:fs";
import { type Clock, systemClock } from "@porchlight/core/clock";
import { type Log, readConfig, startServer } from "@porchlight/server";

/**
 * A process of its own: a server with the settings of its first argument
 * (JSON), which says where it listens. For each line on its standard input, a
 * number of files, it says how much of everything it holds, as soon as it has
 * no more files open than that and has come to rest, or in a while.
 */
const LOOK_MS = 50;
const LOOKS = 100;
/** A server at rest has about as many objects at each look; one that works off what waits for its turn has fewer. */
const AT_REST_OBJECTS = 100;
const { timer } = systemClock();
const timers = new Set<object>();
const failures: unknown[] = [];
let streams = 0;

const log: Log = (level, event, fields) => {
  if (level === "error") failures.push({ event, ...fields });
  if (event === "stream.opened") streams += 1;
  if (event === "stream.closed") streams -= 1;
};
const { url, routes } = await startServer(readConfig(JSON.parse(process.argv[2] ?? "{}")), {
  clock: counting(systemClock()),
  log,
});
say({ url, routes, pid: process.pid });
for await (const most of console) {
  await settled(Number(most));
  say(holdings());
}

async function settled(most: number): Promise<void> {
  let objects = Number.POSITIVE_INFINITY;
  for (let look = 0; look < LOOKS; look += 1) {
    const before = objects;
    objects = collected().objectCount;
    if (openFiles() <= most && objects > before - AT_REST_OBJECTS) return;
    await new Promise<void>((resolve) => void timer(LOOK_MS, resolve));
  }
}

function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}

function collected(): ReturnType<typeof heapStats> {
  // Twice: what a first collection finds dead can hold on to more that is.
  Bun.gc(true);
  Bun.gc(true);
  return heapStats();
}

function holdings(): object {
  const { objectCount, heapSize } = collected();
  return {
    streams,
    timers: timers.size,
    files: openFiles(),
    objects: objectCount,
    heap: heapSize,
    rss: process.memoryUsage.rss(),
    failures: failures.splice(0),
  };
}

/** A clock that knows how many of its timers are set. */
function counting(clock: Clock): Clock {
  return {
    ...clock,
    timer: (delayMs, ring) => {
      const timer = {};
      timers.add(timer);
      const cancel = clock.timer(delayMs, () => {
        timers.delete(timer);
        ring();
      });
      return () => {
        timers.delete(timer);
        cancel();
      };
    },
  };
}

function say(what: object): void {
  writeSync(1, `${JSON.stringify(what)}\n`);
}
