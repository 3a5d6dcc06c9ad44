/**
 * Somebody who asks by requests all the while, as a process of its own, so that
 * what others do to a server is measured and not what the generator does to
 * itself. Requests fall due on a fixed schedule, on connections that are open, and
 * are timed from the moment at which they were due.
 */
import { now, pass } from "../../peers/waiting.ts";
import { HttpConnection, requestOf } from "../http-connection.ts";

/** What the process is asked for. */
export interface Probe {
  readonly url: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

const CONNECTIONS = 8;
const EVERY_MS = 10;
const { url, path, headers }: Probe = JSON.parse(process.argv[2] ?? "");
const request = requestOf("GET", path, headers);

/** When those were due that wait for a connection, the earliest first. */
const waiting: number[] = [];
const free: Line[] = [];
let took: number[] = [];
/** Counts how often it was told to ask, or to ask no more. */
let turn = 0;
/** Whether it is to say how long they took, once all are answered. */
let isOwed = false;

/** One connection, and since when its request is due. */
class Line {
  #dueAt = 0;
  #connection: HttpConnection | undefined;

  async open(): Promise<void> {
    this.#connection = await HttpConnection.open(url, () => this.#answered(), fail);
    free.push(this);
  }

  ask(dueAt: number): void {
    this.#dueAt = dueAt;
    this.#connection?.ask(request);
  }

  #answered(): void {
    took.push(now() - this.#dueAt);
    free.push(this);
    go();
  }
}

function fail(cause: Error): void {
  throw cause;
}

function go(): void {
  while (free.length > 0 && waiting.length > 0) free.shift()?.ask(waiting.shift() ?? 0);
  if (!isOwed || free.length < CONNECTIONS) return;
  isOwed = false;
  process.send?.(took);
  took = [];
}

async function ask(): Promise<void> {
  const own = turn;
  for (let dueAt = now(); turn === own; dueAt += EVERY_MS) {
    waiting.push(dueAt);
    go();
    await pass(Math.max(0, dueAt + EVERY_MS - now()));
  }
}

await Promise.all(Array.from({ length: CONNECTIONS }, () => new Line().open()));
process.on("message", (asking: boolean) => {
  turn += 1;
  isOwed = !asking;
  if (asking) void ask();
  else go();
});
process.send?.("ready");
