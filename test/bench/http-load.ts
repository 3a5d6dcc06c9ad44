import { type Figure, percentile } from "./bench.ts";
import { HttpConnection } from "./http-connection.ts";
import { cpuMicrosOf, type Subject } from "./subject.ts";

/** What came of a window. */
export interface HttpWindow {
  /** How many rounds were answered whole. */
  readonly rounds: number;
  readonly perSecond: number;
  /** How long half of the rounds took at most, from the first byte sent to the last received. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** What the server spent on a round. */
  readonly serverMicros: number;
  /** How busy the processors of the server and of whoever asks were, from 0 to 1. */
  readonly serverBusy: number;
  readonly generatorBusy: number;
  /** Of all bodies. */
  readonly bodyBytes: number;
}

/** For whoever reads the figures of a load that never rests. */
export const SHARED_MACHINE =
  "where a server was busy for much less than a processor, its requests/s are what the machine or whoever asks had left for it: server CPU tells them apart";

/** The requests of a round: each goes out on a connection of its own, all at once. */
export type Round = readonly Uint8Array[];

/** Clients that each ask their next round as soon as the last is answered whole, over connections that stay open. */
export class HttpLoad implements Disposable {
  readonly #subject: Subject;
  readonly #clients: readonly Client[];

  private constructor(subject: Subject, clients: readonly Client[]) {
    this.#subject = subject;
    this.#clients = clients;
  }

  /** @param rounds what each client asks, one after the other and then from the start again. */
  static async open(subject: Subject, rounds: readonly (readonly Round[])[]): Promise<HttpLoad> {
    return new HttpLoad(
      subject,
      await Promise.all(rounds.map((own) => Client.open(subject.url, own))),
    );
  }

  /** Asks for so long, with 0 one round. Every answer has to be a success. */
  async window(ms: number): Promise<HttpWindow> {
    const bytes = this.#bodyBytes;
    const cpu = this.#subject.cpuMicros;
    const ownCpu = cpuMicrosOf();
    const start = performance.now();
    const latencies: number[] = [];
    let serverMicros: number;
    let micros: number;
    do {
      const until = performance.now() + ms;
      const tookMs = await Promise.all(this.#clients.map((client) => client.ask(until)));
      for (const each of tookMs) latencies.push(...each);
      micros = (performance.now() - start) * 1_000;
      serverMicros = this.#subject.cpuMicros - cpu;
      // On a busy machine a short window can be over before the server's time is told at all.
    } while (ms > 0 && serverMicros === 0);
    return {
      rounds: latencies.length,
      perSecond: (latencies.length * 1_000_000) / micros,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      serverMicros: serverMicros / latencies.length,
      serverBusy: serverMicros / micros,
      generatorBusy: (cpuMicrosOf() - ownCpu) / micros,
      bodyBytes: this.#bodyBytes - bytes,
    };
  }

  /** How many rounds of each client were answered so far, also in windows that only warmed up. */
  get rounds(): readonly number[] {
    return this.#clients.map(({ rounds }) => rounds);
  }

  get #bodyBytes(): number {
    return this.#clients.reduce((sum, client) => sum + client.bodyBytes, 0);
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients) client.close();
  }
}

class Client {
  rounds = 0;
  readonly #rounds: readonly Round[];
  readonly #connections: HttpConnection[] = [];
  #waiting = 0;
  #askedAt = 0;
  #until = 0;
  #tookMs: number[] = [];
  #over: PromiseWithResolvers<number[]> = Promise.withResolvers();

  private constructor(rounds: readonly Round[]) {
    this.#rounds = rounds;
  }

  static async open(url: string, rounds: readonly Round[]): Promise<Client> {
    const client = new Client(rounds);
    const width = Math.max(...rounds.map(({ length }) => length));
    const answered = (): void => client.#answered();
    const failed = (cause: Error): void => client.#over.reject(cause);
    for (let each = 0; each < width; each += 1)
      client.#connections.push(await HttpConnection.open(url, answered, failed));
    return client;
  }

  /** Asks until then. Answers how long each round took. */
  ask(until: number): Promise<number[]> {
    this.#until = until;
    this.#tookMs = [];
    this.#over = Promise.withResolvers();
    this.#next();
    return this.#over.promise;
  }

  get bodyBytes(): number {
    return this.#connections.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
  }

  close(): void {
    // What is closed from here is no failure.
    this.#over.promise.catch(() => undefined);
    for (const connection of this.#connections) connection.close();
  }

  #next(): void {
    const round = this.#rounds[this.rounds % this.#rounds.length] ?? [];
    this.#waiting = round.length;
    this.#askedAt = performance.now();
    round.forEach((request, index) => {
      this.#connections[index]?.ask(request);
    });
  }

  #answered(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    const now = performance.now();
    this.#tookMs.push(now - this.#askedAt);
    this.rounds += 1;
    if (now < this.#until) this.#next();
    else this.#over.resolve(this.#tookMs);
  }
}

/** What of the windows of a subject is shown: how much it did, how long that took, and who was busy meanwhile. */
export interface HttpFigures {
  readonly rate: Figure;
  readonly p50: Figure;
  readonly p99: Figure;
  readonly cpu: Figure;
  readonly server: Figure;
  readonly generator: Figure;
}

export function figuresOf(
  { at, of }: Pick<Figure, "at" | "of">,
  windows: readonly HttpWindow[],
): HttpFigures {
  const figure = (what: string, take: (window: HttpWindow) => number): Figure => ({
    at,
    of,
    what,
    windows: windows.map(take),
  });
  return {
    rate: figure("answers/s", ({ perSecond }) => perSecond),
    p50: figure("p50, ms", ({ p50Ms }) => p50Ms),
    p99: figure("p99, ms", ({ p99Ms }) => p99Ms),
    cpu: figure("server CPU, µs an answer", ({ serverMicros }) => serverMicros),
    server: figure("server busy, % of a processor", ({ serverBusy }) => serverBusy * 100),
    generator: figure(
      "generator busy, % of a processor",
      ({ generatorBusy }) => generatorBusy * 100,
    ),
  };
}
