import { type Config, type Outside, type RunningServer, startServer } from "@porchlight/server";
import { MemoryFacts, openMemory } from "@porchlight/server/cluster";
import type { TestClock } from "./clock.ts";
import { postgresSchema } from "./postgres.ts";
import { TestServer } from "./server.ts";

/** How many nodes a server is that is several. */
export const NODES = 3;

/** What the nodes of one test share: a database on PostgreSQL, and facts on the clock of the test. */
class Shared implements AsyncDisposable {
  static readonly #byFile = new Map<string, Promise<Shared>>();

  readonly #facts: MemoryFacts;
  readonly #schema: Awaited<ReturnType<typeof postgresSchema>>;
  /** The nodes in the order in which they were started. */
  readonly #names: string[] = [];
  readonly #deaf = new Set<string>();

  private constructor(schema: Awaited<ReturnType<typeof postgresSchema>>, now: () => number) {
    this.#schema = schema;
    const carry = (to: string, deliver: () => void): void => {
      if (!this.#deaf.has(to)) queueMicrotask(deliver);
    };
    this.#facts = new MemoryFacts({ now, carry });
  }

  /** A node hears nothing of what the others say, or hears it again. */
  deafen(index: number, isDeaf: boolean): void {
    const name = this.#names[index] ?? "";
    if (isDeaf) this.#deaf.add(name);
    else this.#deaf.delete(name);
  }

  static async on(clock: { elapsed(): number }): Promise<Shared> {
    return new Shared(await postgresSchema(), () => clock.elapsed());
  }

  /** That of those who were told to keep a file: they may be started from it again. */
  static of(file: string, clock: { elapsed(): number }): Promise<Shared> {
    const known = Shared.#byFile.get(file) ?? Shared.on(clock);
    Shared.#byFile.set(file, known);
    return known;
  }

  /** Starts a node. */
  start(config: Config, outside: Outside): Promise<RunningServer> {
    return startServer(
      { ...config, databaseUrl: this.#schema.url, redisUrl: "redis://in-this-process" },
      {
        ...outside,
        openCluster: (options) => {
          this.#names.push(options.node);
          return openMemory(this.#facts, options);
        },
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#schema[Symbol.asyncDispose]();
  }
}

/** Nodes that share their facts, each of them a test server. */
export async function nodesOf(
  clock: TestClock,
  count = 2,
  env: Record<string, string> = {},
): Promise<
  { readonly nodes: readonly TestServer[]; readonly deafen: Shared["deafen"] } & AsyncDisposable
> {
  const shared = await Shared.on(clock);
  const nodes: TestServer[] = [];
  for (let index = 0; index < count; index += 1)
    nodes.push(
      await TestServer.start({
        clock,
        env,
        by: (config, outside) => shared.start(config, outside ?? {}),
      }),
    );
  return {
    nodes,
    deafen: (index, isDeaf) => shared.deafen(index, isDeaf),
    [Symbol.asyncDispose]: async () => {
      for (const node of nodes) await node[Symbol.asyncDispose]();
      await shared[Symbol.asyncDispose]();
    },
  };
}

/** Starts several nodes that look like one server: each request, and each socket, goes to the next of them. */
export async function startNodes(config: Config, outside: Outside = {}): Promise<RunningServer> {
  const { clock = { elapsed: () => 0 } } = outside;
  const shared = await Shared.of(config.databaseUrl, clock);
  const started: RunningServer[] = [];
  for (let count = 0; count < NODES; count += 1) started.push(await shared.start(config, outside));
  let turn = 0;
  const [first] = started;
  if (first === undefined) throw new TypeError("Cannot start no nodes");
  return {
    get url() {
      turn += 1;
      return started[turn % NODES]?.url ?? first.url;
    },
    store: first.store,
    routes: first.routes,
    stop: async (options) => {
      await Promise.all(started.map((each) => each.stop(options)));
    },
  };
}
