import { systemClock } from "@porchlight/core/clock";
import { type Clock, startServer } from "@porchlight/server";
import {
  type Cluster,
  type ClusterMessage,
  type Delivery,
  MemoryFacts,
  openMemory,
  openRedis,
} from "@porchlight/server/cluster";
import { Arrivals } from "./arrivals.ts";
import { TestClock } from "./clock.ts";
import { Person, TestServer } from "./server.ts";
import { TestDirectory } from "./sqlite.ts";
import { YjsClient } from "./yjs.ts";

/** A way from one node to the facts that it shares, which can be cut. */
class Link {
  readonly #said = new Arrivals<ClusterMessage>();
  /** What this node has written and said, in order: `write`, or the kind of a message. */
  readonly log: string[] = [];
  #isCut = false;
  #isLost: (message: ClusterMessage) => boolean = () => false;

  /** Takes what this node has said since it was asked last. */
  take(): ClusterMessage[] {
    return this.#said.items.splice(0);
  }

  /** Resolves when the node has said something of a kind since it was asked last. */
  async says(kind: ClusterMessage["kind"]): Promise<void> {
    await this.#said.until((said) => said.find((each) => each.kind === kind));
  }

  /** Nothing gets through, in either direction. */
  cut(): void {
    this.#isCut = true;
  }

  mend(): void {
    this.#isCut = false;
  }

  /** What this node says that fits is heard by nobody, and nobody finds out. */
  lose(fits: (message: ClusterMessage) => boolean): void {
    this.#isLost = fits;
  }

  deliver(deliver: (delivery: Delivery) => void): (delivery: Delivery) => void {
    return (delivery) => {
      if (!this.#isCut) deliver(delivery);
    };
  }

  through(cluster: Cluster): Cluster {
    const pass = async <T>(act: () => Promise<T>): Promise<T> => {
      if (this.#isCut) throw new Error("There is no way to the facts");
      return act();
    };
    return {
      ...cluster,
      join: (wall, above) => pass(() => cluster.join(wall, above)),
      renew: (incarnation, wall, leaseMs) => pass(() => cluster.renew(incarnation, wall, leaseMs)),
      retire: (owner, leaseMs, lingerMs) => pass(() => cluster.retire(owner, leaseMs, lingerMs)),
      write: (incarnation, people, ttlMs) =>
        pass(() => {
          this.log.push("write");
          return cluster.write(incarnation, people, ttlMs);
        }),
      caughtUp: () => pass(() => cluster.caughtUp()),
      send: (message) =>
        pass(async () => {
          this.#said.add(message);
          this.log.push(message.kind);
          if (!this.#isLost(message)) await cluster.send(message);
        }),
    };
  }
}

/** Opens what nodes share. */
type Open = typeof openRedis;

/** A node of several, and its way to the others. */
export interface YjsNode {
  readonly server: TestServer;
  readonly link: Link;
}

/** How nodes are started. */
interface YjsNodesOptions {
  /** By how much the clock of each is ahead. */
  readonly aheadMs?: readonly number[];
  readonly env?: Record<string, string>;
  /** Where they meet, on the real clock; in memory, on that of the test, by default. */
  readonly redis?: { readonly url: string; readonly prefix: string };
}

/** Several nodes with a lounge in which these people are. They share a database, and facts. */
export class YjsNodes implements AsyncDisposable {
  readonly nodes: readonly YjsNode[];
  readonly people: ReadonlyMap<string, Person>;
  /** The clock of all, as far as theirs go the same. */
  readonly clock: TestClock;
  readonly facts: MemoryFacts;
  readonly #directory: TestDirectory;

  private constructor(parts: {
    nodes: readonly YjsNode[];
    people: ReadonlyMap<string, Person>;
    clock: TestClock;
    facts: MemoryFacts;
    directory: TestDirectory;
  }) {
    this.nodes = parts.nodes;
    this.people = parts.people;
    this.clock = parts.clock;
    this.facts = parts.facts;
    this.#directory = parts.directory;
  }

  static async start(ids: readonly string[], options: YjsNodesOptions = {}): Promise<YjsNodes> {
    const { aheadMs = [0, 0], env = {}, redis } = options;
    const directory = new TestDirectory();
    const clock = new TestClock();
    const facts = new MemoryFacts({ now: () => clock.monotonic() });
    const open: Open =
      redis === undefined
        ? ({ node, deliver }) => openMemory(facts, { node, deliver })
        : (given) => openRedis({ ...given, ...redis });
    const time = redis === undefined ? clock : systemClock();
    const start = { open, clock, time, env, file: directory.file("test.db") };
    const nodes: YjsNode[] = [];
    for (const ahead of aheadMs) nodes.push(await startNode({ ...start, ahead }));
    const [first] = nodes;
    if (first === undefined) throw new TypeError("Cannot start no nodes");
    const people = new Map<string, Person>();
    for (const id of ids)
      people.set(id, await first.server.person(id, { display_name: id.toUpperCase() }));
    await first.server.room("lounge", [...people.values()]);
    return new YjsNodes({ nodes, people, clock, facts, directory });
  }

  server(index: number): TestServer {
    return this.node(index).server;
  }

  node(index: number): YjsNode {
    const node = this.nodes[index];
    if (node === undefined) throw new RangeError(`Cannot find node ${index}`);
    return node;
  }

  /** Somebody as a caller of a node. */
  person(id: string, index = 0): Person {
    const person = this.people.get(id);
    if (person === undefined) throw new RangeError(`Cannot find "${id}"`);
    const { tenant, token, tokenId } = person;
    return new Person(this.server(index), { id, tenant, token, tokenId });
  }

  /** Somebody enters the lounge by way of a node. Resolves once they are synchronised. */
  enter(
    id: string,
    index: number,
    options: Parameters<typeof YjsClient.open>[3] = {},
  ): Promise<YjsClient> {
    return YjsClient.open(this.server(index), this.person(id, index), "lounge", options);
  }

  /** Cuts a connection without a word; its client comes back by itself, to another node. Resolves once it is there. */
  async move(client: YjsClient, index: number): Promise<void> {
    const { provider } = client;
    provider.serverUrl = `${this.server(index).url.replace("http", "ws")}/v1/yjs`;
    client.cut();
    await client.until(() => !provider.wsconnected);
    await client.until(() => provider.wsconnected);
  }

  /** What nodes have said of awareness since it was asked last. */
  said(): ClusterMessage["kind"][] {
    const said = this.nodes.flatMap(({ link }) => link.take());
    return said.map(({ kind }) => kind).filter((kind) => kind.startsWith("awareness"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { server, link } of this.nodes) {
      link.mend();
      await server[Symbol.asyncDispose]();
    }
    this.#directory[Symbol.dispose]();
  }
}

async function startNode(options: {
  open: Open;
  clock: TestClock;
  time: Clock;
  ahead: number;
  env: Record<string, string>;
  file: string;
}): Promise<YjsNode> {
  const { open, clock, time, ahead, env, file } = options;
  const link = new Link();
  const server = await TestServer.start({
    clock,
    file,
    env,
    // One process may as well share a file.
    by: (config, outside) =>
      startServer(
        { ...config, redisUrl: "redis://wherever-it-is" },
        {
          ...outside,
          clock: {
            monotonic: () => time.monotonic(),
            elapsed: () => time.elapsed() + ahead,
            wall: () => time.wall() + ahead,
            timer: (delayMs, ring) => time.timer(delayMs, ring),
          },
          openCluster: (given) =>
            link.through(open({ ...given, deliver: link.deliver(given.deliver) })),
        },
      ),
  });
  return { server, link };
}
