import { describe, expect, test } from "bun:test";
import { type Cluster, type Delivery, inspectRedis, openRedis } from "@porchlight/server/cluster";
import { Arrivals } from "../../support/arrivals.ts";
import { RedisServer } from "../../support/redis.ts";

/** The bound of the port, with some room for a busy machine. */
const REJECTED_WITHIN_MS = 3_000;
const LEASE_MS = 60_000;

const OPERATIONS: Readonly<Record<string, (cluster: Cluster) => Promise<unknown>>> = {
  "join()": (cluster) => cluster.join(0, 0),
  "renew()": (cluster) => cluster.renew(1, 0, LEASE_MS),
  "retire()": (cluster) => cluster.retire({ node: "b", incarnation: 1 }, LEASE_MS, 0),
  "people()": (cluster) => Array.fromAsync(cluster.people()),
  "send()": (cluster) => cluster.send({ kind: "snoozed", until: 1 }),
  "caughtUp()": (cluster) => cluster.caughtUp(),
};

describe("openRedis()", () => {
  for (const how of ["stopped", "frozen"] as const)
    test(`rejects everything within two seconds while the server is ${how}, and the incarnation is over then`, async () => {
      await using server = await RedisServer.start();
      await using node = new Node(server);
      await node.cluster.join(0, 0);
      await (how === "stopped" ? server.stop() : server.freeze());
      const askedAt = performance.now();
      const outcomes = await Promise.all(
        Object.values(OPERATIONS).map((operation) =>
          operation(node.cluster).then(
            () => "answered",
            () => "rejected",
          ),
        ),
      );
      expect(outcomes).toEqual(Object.keys(OPERATIONS).map(() => "rejected"));
      expect(performance.now() - askedAt).toBeLessThan(REJECTED_WITHIN_MS);
      await (how === "stopped" ? server.start() : server.thaw());
      await node.connected(2);
      expect(await node.cluster.renew(1, 0, LEASE_MS)).toBeUndefined();
      expect(await node.cluster.write(1, [], LEASE_MS)).toBe(false);
      // What was rejected may have taken effect.
      expect((await node.cluster.join(0, 1)).incarnation).toBeGreaterThan(1);
      await node.cluster.send({ kind: "snoozed", until: 7 });
      expect(await node.told.until((told) => told.at(-1))).toMatchObject({ message: { until: 7 } });
    }, 20_000);

  test("connects to a server that was away when it was opened", async () => {
    await using server = await RedisServer.start();
    await server.stop();
    await using node = new Node(server);
    await expect(node.cluster.join(0, 0)).rejects.toThrow("did not answer within 2000 ms");
    await server.start();
    await node.connected(1);
    expect((await node.cluster.join(0, 0)).incarnation).toBe(1);
  }, 20_000);

  test("keeps those apart who have another prefix, and touches no other key", async () => {
    await using server = await RedisServer.start();
    await using a = new Node(server, "one:");
    await using b = new Node(server, "two:");
    await a.cluster.join(1, 0);
    const { nodes } = await b.cluster.join(1, 0);
    expect(nodes.map(({ node }) => node)).toEqual([b.cluster.node]);
    await a.cluster.send({ kind: "snoozed", until: 1 });
    await b.cluster.caughtUp();
    expect(b.told.items).toEqual([]);
    const keys = (await server.command("keys", "*")).trim().split("\n").sort();
    expect(keys).toEqual([
      "one:delivered",
      "one:nodes",
      "one:wall",
      "two:delivered",
      "two:nodes",
      "two:wall",
    ]);
  });

  test("says what is wrong with a password, and not which it was", async () => {
    await using server = await RedisServer.start();
    await using node = new Node(server, "p:", server.url.replace(/:[^:@]+@/, ":not-that-one@"));
    await expect(node.cluster.join(0, 0)).rejects.toThrow();
    const failure = await node.failures.until((failures) => failures[0]);
    expect(String(failure)).toContain("WRONGPASS");
    expect(String(failure)).not.toContain("not-that-one");
  });

  test("goes on when the server has forgotten the scripts", async () => {
    await using server = await RedisServer.start();
    await using node = new Node(server);
    await node.cluster.join(0, 0);
    await server.command("script", "flush");
    expect(await node.cluster.renew(1, 0, LEASE_MS)).toBeDefined();
  });

  test("numbers what it delivers above all that came before, also when its facts were lost", async () => {
    await using server = await RedisServer.start();
    await using node = new Node(server);
    const { delivered } = await node.cluster.join(0, 0);
    await node.cluster.send({ kind: "snoozed", until: 1 });
    await server.command("flushall");
    await node.cluster.send({ kind: "snoozed", until: 2 });
    await node.cluster.caughtUp();
    const [before = 0, after = 0] = node.told.items.map(({ number }) => number);
    expect(before).toBe(delivered + 1);
    expect(after).toBeGreaterThan(before);
    expect((await node.cluster.join(0, 0)).delivered).toBe(after);
  });

  test("leaves nothing behind for good", async () => {
    await using server = await RedisServer.start();
    await using node = new Node(server);
    await node.cluster.join(0, 0);
    const sources = [
      {
        id: "a.1",
        device_id: "laptop",
        door: "stream",
        instance: "laptop",
        statement: null,
        said: 0,
        active_ms: 0,
        seen_ms: 0,
        lingers_ms: null,
      } as const,
    ];
    const facts = { manual: undefined, alwaysOnline: false, manual_at: 0 };
    const contribution = { version: 0, facts, sources, ended: {} };
    const ann = { tenant_id: "acme", participant_id: "ann", contribution };
    await node.cluster.write(1, [ann], LEASE_MS);
    for (const key of ["person:acme/ann", `held:${node.cluster.node}`])
      expect(Number(await server.command("pttl", `p:${key}`))).toBeWithin(
        LEASE_MS - 5_000,
        LEASE_MS + 1,
      );
  });
});

describe("inspectRedis()", () => {
  test("says what it is, and what is wrong, without the password", async () => {
    await using server = await RedisServer.start();
    expect(await inspectRedis(server.url)).toMatch(/^(Redis|Valkey) \d+\.\d+\.\d+$/);
    const wrong = server.url.replace(/:[^:@]+@/, ":not-that-one@");
    const refused = await inspectRedis(wrong).catch(String);
    expect(refused).toContain("WRONGPASS");
    expect(refused).not.toContain("not-that-one");
    await server.stop();
    await expect(inspectRedis(server.url)).rejects.toThrow();
  });
});

/** A node of the test's own server. */
class Node implements AsyncDisposable {
  readonly told = new Arrivals<Delivery>();
  readonly failures = new Arrivals<unknown>();
  readonly #connections = new Arrivals<true>();
  readonly cluster: Cluster;

  constructor(server: RedisServer, prefix = "p:", url = server.url) {
    this.cluster = openRedis({
      url,
      prefix,
      node: crypto.randomUUID(),
      deliver: (delivery) => this.told.add(delivery),
      failed: (error) => this.failures.add(error),
      connected: () => this.#connections.add(true),
    });
  }

  /** Resolves once it was connected so often. */
  async connected(times: number): Promise<void> {
    await this.#connections.until((all) => (all.length >= times ? all : undefined));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster.close();
  }
}
