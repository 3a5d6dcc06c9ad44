import { readdirSync, readFileSync, writeSync } from "node:fs";
import { systemClock } from "@porchlight/core/clock";
import { Arrivals } from "./arrivals.ts";

/**
 * A process of its own: somebody who uses the server at `url` as one should, on
 * a stream and by requests, and times every answer. Told `report` on its
 * standard input it says how long they took since the last report, the next
 * ones among them: an attack may be over before anything was asked.
 *
 * What is not the server's fault is taken off: for how long the server, or this
 * process, could have run but the machine ran something else instead.
 */
const PACE_MS = 25;
const [url = "", token = "", server = ""] = process.argv.slice(2);
const { monotonic, timer } = systemClock();
const headers = { authorization: `Bearer ${token}` };
const answers = new Arrivals<string>();
let times: { took: number; waited: number }[] = [];
let faults: string[] = [];
let isReportDue = false;

const stream = await greeted();
say({ ready: true });
void goOn();
for await (const _ of console) isReportDue = true;

function greeted(): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/stream?token=${token}`);
  socket.onclose = ({ code, reason }) => {
    faults.push(`stream closed with ${code} ${reason}`);
    answers.end();
  };
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      const { type } = JSON.parse(String(data));
      if (type === "hello") resolve(socket);
      if (type === "heartbeat") answers.add(type);
    };
  });
}

async function goOn(): Promise<void> {
  for (;;) {
    await timed(beat);
    await timed(ask);
    if (isReportDue) report();
    await new Promise<void>((resolve) => void timer(PACE_MS, resolve));
  }
}

async function beat(): Promise<void> {
  stream.send('{"type":"heartbeat","state":"online","ack":true}');
  await answers.until((items) => items.pop());
}

async function ask(): Promise<void> {
  const answer = await fetch(`${url}/v1/me/presence`, { headers });
  await answer.text();
  if (answer.status !== 200) faults.push(`answered with ${answer.status}`);
}

async function timed(act: () => Promise<void>): Promise<void> {
  const [from, waitedBefore] = [monotonic(), waitedMs()];
  await act().catch((error: unknown) => faults.push(String(error)));
  times.push({ took: monotonic() - from, waited: waitedMs() - waitedBefore });
}

/** For how long the server and this process have waited for a processor so far. */
function waitedMs(): number {
  return delayMs(server) + delayMs(String(process.pid));
}

/** The delay of the thread that does the work, and the longest of those that it waits for, such as a collector. */
function delayMs(pid: string): number {
  let [own, others] = [0, 0];
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const ms = threadDelayMs(`/proc/${pid}/task/${thread}/schedstat`);
    if (thread === pid) own = ms;
    else others = Math.max(others, ms);
  }
  return own + others;
}

function threadDelayMs(path: string): number {
  try {
    return Number(readFileSync(path, "utf8").split(" ")[1]) / 1e6;
  } catch {
    // The thread has ended since it was listed.
    return 0;
  }
}

function report(): void {
  isReportDue = false;
  const took = times.map((each) => each.took);
  const ofServer = times.map((each) => Math.max(0, each.took - each.waited));
  say({
    answers: times.length,
    clock: { median: at(0.5, took), p99: at(0.99, took), slowest: at(1, took) },
    server: { median: at(0.5, ofServer), p99: at(0.99, ofServer), slowest: at(1, ofServer) },
    faults,
  });
  times = [];
  faults = [];
}

/** How long at least this share of the answers took at most. */
function at(share: number, ms: readonly number[]): number {
  const sorted = ms.toSorted((a, b) => a - b);
  return Math.round((sorted[Math.floor((sorted.length - 1) * share)] ?? 0) * 10) / 10;
}

function say(what: object): void {
  writeSync(1, `${JSON.stringify(what)}\n`);
}
