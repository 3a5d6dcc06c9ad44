import { heapStats } from "bun:jsc";
import { readdirSync, writeSync } from "node:fs";
import { type Clock, systemClock } from "@porchlight/core/clock";
import { type Log, readConfig, startServer } from "@porchlight/server";

/**
 * A process of its own: a server with the settings of its first argument
 * (JSON), which says where it listens. For each line on its standard input, a
 * number of files, it says how much of everything it holds, as soon as it has
 * no more files open than that, or in a while.
 */
const LOOK_MS = 50;
const LOOKS = 100;
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
  for (let look = 0; look < LOOKS && openFiles() > most; look += 1)
    await new Promise<void>((resolve) => void timer(LOOK_MS, resolve));
}

function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}

function holdings(): object {
  // Twice: what a first collection finds dead can hold on to more that is.
  Bun.gc(true);
  Bun.gc(true);
  const { objectCount, heapSize } = heapStats();
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
