import { createClient } from "@redis/client";
import type { Watcher } from "./fleet.ts";
import type { RedisServer } from "./redis.ts";
import type { StreamClient } from "./stream.ts";

/** About as much as nodes tell each other of a change. */
const TEXT = "x".repeat(500);

/** How long each took, in milliseconds. */
export interface Crossings {
  /** From a change on one node until it is told on another. */
  readonly ours: number[];
  /** From a text's publication in Redis until a subscriber has it and the publisher its answer. */
  readonly bare: number[];
}

/** A way from one client of Redis to another. */
export class Passage implements AsyncDisposable {
  readonly #from: Client;
  readonly #to: Client;
  #heard = (): void => undefined;

  private constructor(from: Client, to: Client) {
    this.#from = from;
    this.#to = to;
  }

  static async open({ url }: RedisServer): Promise<Passage> {
    const passage = new Passage(await clientOf(url), await clientOf(url));
    await passage.#to.subscribe("bare", () => passage.#heard());
    return passage;
  }

  /** Resolves when a text has come through. */
  async pass(): Promise<void> {
    const passed = new Promise<void>((resolve) => {
      this.#heard = resolve;
    });
    await Promise.all([this.#from.publish("bare", TEXT), passed]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#from.close(), this.#to.close()]);
  }
}

/** Changes the state of everybody, one after the other, and passes on a text by Redis alone before each. */
export async function cross(
  streams: ReadonlyMap<string, StreamClient>,
  state: "online" | "idle",
  { watcher, passage }: { readonly watcher: Watcher; readonly passage: Passage },
): Promise<Crossings> {
  const crossings: Crossings = { ours: [], bare: [] };
  for (const [id, stream] of streams) {
    crossings.bare.push(await took(() => passage.pass()));
    crossings.ours.push(
      await took(() => {
        watcher.forget();
        stream.send({ type: "heartbeat", state });
        return watcher.until(() => watcher.at(id, state) !== undefined);
      }),
    );
  }
  return crossings;
}

/** How often Redis has run each command, those within scripts among them. */
export async function commandsOf(redis: RedisServer): Promise<ReadonlyMap<string, number>> {
  const stats = await redis.command("info", "commandstats");
  const lines = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)];
  return new Map(lines.map(([, name = "", calls]) => [name, Number(calls)]));
}

type Client = Awaited<ReturnType<typeof clientOf>>;

function clientOf(url: string) {
  return createClient({ url, RESP: 3 }).connect();
}

async function took(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}
