import { beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "@porchlight/core/clock";
import { RedisServer } from "../support/redis.ts";
import type { YjsClient } from "../support/yjs.ts";
import { YjsNodes } from "../support/yjs-nodes.ts";

const { monotonic } = systemClock();
/** Within this time everything is to be seen that somebody does. */
const SOON_MS = 200;
const TIMEOUT_MS = 30_000;
/** Time is real: these are as short as they can be borne. */
const HASTY = { PORCHLIGHT_NODE_LEASE_MS: "400", PORCHLIGHT_DISCONNECT_GRACE_MS: "2000" };

beforeAll(async () => {
  await RedisServer.shared();
}, 60_000);

/** Nodes of a test that meet in Redis. */
async function nodesOf(ids: readonly string[], count: number): Promise<YjsNodes> {
  const server = await RedisServer.shared();
  return YjsNodes.start(ids, {
    aheadMs: Array.from({ length: count }, () => 0),
    env: HASTY,
    redis: { url: server.url, prefix: server.prefix() },
  });
}

/** How long something takes, in milliseconds. */
async function timed(act: () => Promise<unknown>): Promise<number> {
  const from = monotonic();
  await act();
  return monotonic() - from;
}

/** Whom somebody has seen go. */
function goneBefore({ flickers }: YjsClient): number[] {
  return flickers.filter(({ what }) => what === "removed").map(({ id }) => id);
}

describe("clients of y-websocket on nodes that meet in Redis", () => {
  test(
    `see each other, and all along whoever moves, within ${SOON_MS} ms`,
    async () => {
      await using t = await nodesOf(["ann", "bob", "cy"], 3);
      using a = await t.enter("ann", 0);
      using b = await t.enter("bob", 1);
      using c = await t.enter("cy", 2);
      for (const each of [a, b, c]) await each.until(() => each.seen.length === 2);
      for (const each of [b, c]) each.flickers.length = 0;
      for (const [x, node] of [1, 2, 0, 1].entries()) {
        await t.move(a, node);
        expect(await timed(() => a.until(() => a.seen.length === 2))).toBeLessThan(SOON_MS);
        const heard = await timed(async () => {
          a.say({ x });
          for (const each of [b, c]) await each.sees("ANN", ({ state }) => state.x === x);
        });
        expect(heard).toBeLessThan(SOON_MS);
      }
      for (const each of [b, c]) {
        expect(goneBefore(each)).toEqual([]);
        expect(new Set(each.flickers.map(({ id }) => id))).toEqual(new Set([a.id]));
      }
    },
    TIMEOUT_MS,
  );

  test(
    "outlive their node: who comes back elsewhere is seen all along, who does not is gone when it has lingered",
    async () => {
      await using t = await nodesOf(["ann", "bob", "cy"], 2);
      const [a, c] = [await t.enter("ann", 0), await t.enter("cy", 0)];
      using b = await t.enter("bob", 1);
      await b.until(() => b.of("ANN").length + b.of("CY").length === 2);
      b.flickers.length = 0;
      t.node(0).link.cut();
      for (const each of [a, c]) {
        each.provider.shouldConnect = false;
        each.cut();
      }
      await t.server(1).logged("cluster.gone");
      using back = await t.enter("ann", 1, { doc: a.provider.doc });
      back.say({ x: 1 });
      await b.sees("ANN", ({ state }) => state.x === 1);
      await b.misses("CY");
      expect(goneBefore(b)).toEqual([c.id]);
      for (const each of [a, c]) each.destroy();
    },
    TIMEOUT_MS,
  );

  test(
    "find each other again after their nodes could not reach Redis",
    async () => {
      await using server = await RedisServer.start();
      await using t = await YjsNodes.start(["ann", "bob", "cy"], {
        env: HASTY,
        redis: { url: server.url, prefix: "apart:" },
      });
      using a = await t.enter("ann", 0);
      using b = await t.enter("bob", 1);
      await b.sees("ANN", ({ id }) => id === a.id);
      await server.stop();
      for (const node of [0, 1]) await t.server(node).logged("cluster.cut_off");
      // Each node serves its own.
      using c = await t.enter("cy", 0);
      a.say({ x: 1 });
      await c.sees("ANN", ({ state }) => state.x === 1);
      b.flickers.length = 0;
      await server.start();
      await b.sees("CY", ({ id }) => id === c.id);
      await b.sees("ANN", ({ state }) => state.x === 1);
      await c.sees("BOB", ({ id }) => id === b.id);
      expect(goneBefore(b)).not.toContain(a.id);
    },
    TIMEOUT_MS,
  );
});
