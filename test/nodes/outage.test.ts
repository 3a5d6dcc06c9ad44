import { describe, expect, test } from "bun:test";
import { isMessage, NodeFleet, ROOM, Watcher } from "../support/fleet.ts";
import { Gate } from "../support/gate.ts";
import { isLong } from "../support/runs.ts";
import type { StreamClient } from "../support/stream.ts";

/** Longer than a lease of four seconds. */
const OUTAGE_MS = isLong ? 30_000 : 6_000;
/** After this long nobody lingers any more who did when it began: a lease, a grace, and what it takes. */
const SETTLED_MS = 16_000;
const TIMEOUT_MS = OUTAGE_MS + 60_000;
const AT_0 = ["a1", "a2", "a3"];
const AT_1 = ["b1", "b2", "b3"];
const COMING = "a4";
const WATCHERS = ["w0", "w1"];
const EVERYONE = [...AT_0, ...AT_1, COMING, ...WATCHERS];

/** Two nodes with people, somebody who watches at each, and whoever is connected. */
async function twoNodes(redisOf?: (node: number, url: string) => Promise<string>) {
  const fleet = await NodeFleet.start({
    nodes: 2,
    people: EVERYONE,
    ...(redisOf && { redisOf }),
  });
  const [view0, view1] = await Promise.all(
    WATCHERS.map(async (id) => new Watcher(await fleet.stream(nodeOf(id), id))),
  );
  if (view0 === undefined || view1 === undefined) throw new Error("Cannot watch");
  const connected = [...AT_0, ...AT_1];
  const streams = new Map(
    await Promise.all(
      connected.map(async (id) => [id, await fleet.stream(nodeOf(id), id)] as const),
    ),
  );
  const streamOf = (id: string): StreamClient => {
    const stream = streams.get(id);
    if (stream === undefined) throw new Error(`Cannot find a stream of ${id}`);
    return stream;
  };
  for (const view of [view0, view1]) {
    await view.until(() => connected.every((id) => view.at(id, "online") !== undefined));
    view.forget();
  }
  return { fleet, streamOf, view0, view1 };
}

describe("several nodes", () => {
  test.concurrent(
    `Redis away for ${OUTAGE_MS / 1_000} s and back empty: each node serves its own, nothing is lost, and nobody flickers`,
    async () => {
      const { fleet, streamOf, view0, view1 } = await twoNodes();
      await using _ = fleet;
      await fleet.redis.stop();
      expect((await streamOf("b1").close(1000)).code).toBe(1000);
      await view1.until(() => view1.at("b1", "offline") !== undefined);
      expect((await fleet.ask(1, "b2", "PUT", "/v1/me/presence", { state: "busy" })).status).toBe(
        200,
      );
      await fleet.stream(0, COMING);
      await view0.until(() => view0.at(COMING, "online") !== undefined);
      const content = { msgtype: "m.text", body: "is anybody there" };
      const sent = await fleet.ask(0, "a1", "POST", `/v1/rooms/${ROOM}/send`, { content });
      expect(sent.status).toBe(200);
      // Told by the store, as nobody else can.
      expect(await streamOf("b3").next(isMessage)).toMatchObject({ id: sent.body.data.id });
      await fleet.pass(OUTAGE_MS);

      const { body: ready } = await fleet.ask(0, "admin", "GET", "/readyz");
      expect(ready.data).toEqual({ status: "ready", store: "ok", cluster: "away" });
      expect(await fleet.measured(0)).toMatch(/^porchlight_nodes 0$/m);
      const asked = await fleet.ask(0, "a1", "GET", `/v1/presence?ids=${AT_1.join()}`);
      // What was chosen by hand the store knows, whoever told it.
      expect(asked.body.data).toEqual({ b1: "online", b2: "busy", b3: "online" });
      expect(Date.now() - Date.parse(asked.body.meta.as_of)).toBeWithin(
        OUTAGE_MS - 2_000,
        OUTAGE_MS + 20_000,
      );
      await fleet.redis.start();

      await view0.until(
        () => view0.at("b1", "offline") !== undefined && view0.at("b2", "busy") !== undefined,
      );
      await view1.until(() => view1.at(COMING, "online") !== undefined);
      await fleet.pass(SETTLED_MS);
      expect(view0.toldOf(...AT_0, ...AT_1, COMING).sort()).toEqual([
        `${COMING} online`,
        "b1 offline",
        "b2 busy",
      ]);
      expect(view1.toldOf(...AT_0, ...AT_1, COMING).sort()).toEqual([
        `${COMING} online`,
        "b1 offline",
        "b2 busy",
      ]);
      expect(await statesAlike(fleet)).toMatchObject({
        b1: "offline",
        b2: "busy",
        [COMING]: "online",
      });
      expect((await streamOf("b3").heard()).filter(isMessage)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test.concurrent(
    `a node cut off from Redis for ${OUTAGE_MS / 1_000} s: the others take it for gone after a lease and a grace, and nobody stays a ghost`,
    async () => {
      let gate: Gate | undefined;
      const through = async (node: number, url: string): Promise<string> => {
        if (node !== 0) return url;
        const at = new URL(url);
        gate = await Gate.to(`http://127.0.0.1:${at.port}`);
        at.port = new URL(gate.url).port;
        return at.href;
      };
      const { fleet, streamOf, view0, view1 } = await twoNodes(through);
      await using _ = fleet;
      gate?.shut();
      expect((await streamOf("a1").close(1000)).code).toBe(1000);
      await view0.until(() => view0.at("a1", "offline") !== undefined);
      await fleet.pass(OUTAGE_MS);
      gate?.open(`http://127.0.0.1:${fleet.redis.port}`);
      await view1.until(() => view1.at("a1", "offline") !== undefined);
      await fleet.pass(SETTLED_MS);
      expect(view0.toldOf(...AT_0, ...AT_1)).toEqual(["a1 offline"]);
      // Cut off for longer than that, they were taken for gone, and are back.
      const flickered = isLong ? ["a2 offline", "a2 online", "a3 offline", "a3 online"] : [];
      expect(view1.toldOf(...AT_0, ...AT_1).sort()).toEqual(["a1 offline", ...flickered]);
      expect(await statesAlike(fleet)).toMatchObject({ a1: "offline", a2: "online", b1: "online" });
      await gate?.[Symbol.asyncDispose]();
    },
    TIMEOUT_MS,
  );

  test(
    "PostgreSQL away: writes are refused with Retry-After, presence goes on, and all is well when it is back",
    async () => {
      const { fleet, streamOf, view0, view1 } = await twoNodes();
      await using _ = fleet;
      await fleet.postgres.stop();
      const refused = await fleet.ask(0, "a1", "PUT", "/v1/me/presence", { state: "busy" });
      expect([refused.status, refused.body.error.code, refused.headers.get("retry-after")]).toEqual(
        [503, "SW_UNAVAILABLE", "1"],
      );
      expect((await fleet.ask(1, "admin", "GET", "/readyz")).status).toBe(503);
      // What needs no store is done for whoever was let in a moment ago.
      expect((await fleet.ask(1, "w1", "GET", "/v1/presence?ids=a1,b1")).body.data).toEqual({
        a1: "online",
        b1: "online",
      });
      expect((await streamOf("a2").close(1000)).code).toBe(1000);
      await view1.until(() => view1.at("a2", "offline") !== undefined);
      await fleet.postgres.start();
      const content = { msgtype: "m.text", body: "here again" };
      const sent = await fleet.ask(0, "a1", "POST", `/v1/rooms/${ROOM}/send`, { content });
      expect(sent.status).toBe(200);
      expect(await streamOf("b3").next(isMessage)).toMatchObject({ id: sent.body.data.id });
      expect((await fleet.ask(0, "a1", "PUT", "/v1/me/presence", { state: "busy" })).status).toBe(
        200,
      );
      await view1.until(() => view1.at("a1", "busy") !== undefined);
      for (const view of [view0, view1])
        expect(view.toldOf(...AT_0, ...AT_1)).toEqual(["a2 offline", "a1 busy"]);
    },
    TIMEOUT_MS,
  );
});

function nodeOf(id: string): number {
  return [...AT_1, "w1"].includes(id) ? 1 : 0;
}

/** What both nodes say of everyone, which has to be the same. */
async function statesAlike(fleet: NodeFleet): Promise<Record<string, string>> {
  const ids = EVERYONE.filter((id) => !WATCHERS.includes(id)).join();
  const [at0, at1] = await Promise.all(
    WATCHERS.map((id, node) => fleet.ask(node, id, "GET", `/v1/presence?ids=${ids}`)),
  );
  expect(at0?.body).toEqual(at1?.body);
  return at0?.body.data;
}
