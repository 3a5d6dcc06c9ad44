import { beforeAll, describe, expect, test } from "bun:test";
import { startServer } from "@porchlight/server";
import { MemoryFacts, openMemory } from "@porchlight/server/cluster";
import { TestClock } from "../support/clock.ts";
import { nodesOf } from "../support/nodes.ts";
import { PostgresServer } from "../support/postgres.ts";
import { Person, refusedWith, TestServer } from "../support/server.ts";
import type { Frame, StreamClient } from "../support/stream.ts";

beforeAll(async () => {
  await PostgresServer.shared();
}, 60_000);

/** Two nodes, and two people in a room whom one can meet at either. */
async function pair(env: Record<string, string> = {}) {
  const clock = new TestClock();
  const together = await nodesOf(clock, 2, env);
  const [a, b] = together.nodes as [TestServer, TestServer];
  const [ann, bob] = [await a.person("ann"), await a.person("bob")];
  await a.room("hall", [ann, bob]);
  return {
    clock,
    a,
    b,
    deafen: together.deafen,
    /** Somebody as a caller of a node. */
    ann: at(ann),
    bob: at(bob),
    [Symbol.asyncDispose]: () => together[Symbol.asyncDispose](),
  };
}

function at(person: Person) {
  return (node: TestServer): Person =>
    new Person(node, {
      id: person.id,
      tenant: person.tenant,
      token: person.token,
      tokenId: person.tokenId,
    });
}

/** What somebody is told next of another's presence. */
function presenceOf(stream: StreamClient, id: string): Promise<Frame> {
  return stream.next((frame) => frame.type === "presence" && frame.participant_id === id);
}

describe("two nodes", () => {
  test("show the same of everybody, at once", async () => {
    await using t = await pair();
    const stream = await t.bob(t.b).stream();
    const opened = await t.ann(t.a).stream({ device_id: "laptop" });
    expect(await presenceOf(stream, "ann")).toMatchObject({ state: "online" });
    await t.clock.advance(100);
    opened.send({ type: "heartbeat", state: "idle" });
    expect(await presenceOf(stream, "ann")).toMatchObject({ state: "idle" });
    expect((await t.bob(t.b).get("/v1/presence?ids=ann")).body.data).toEqual({ ann: "idle" });
    await t.ann(t.b).put("/v1/me/presence", { state: "busy" });
    expect((await t.bob(t.a).get("/v1/presence?ids=ann")).body.data).toEqual({ ann: "busy" });
    await t.ann(t.b).put("/v1/me/presence", { auto: true });
    expect((await t.ann(t.b).get("/v1/me/presence")).body.data).toMatchObject({
      state: "idle",
      devices: [{ device_id: "laptop", state: "idle", transports: ["stream"] }],
    });
  });

  test("tell a choice to the person's devices wherever they are", async () => {
    await using t = await pair();
    const stream = await t.ann(t.b).stream({ device_id: "phone" });
    await t.ann(t.a).put("/v1/me/presence", { state: "busy" });
    expect(await stream.type("swp.me.presence")).toMatchObject({ state: "busy", manual: "busy" });
    await t.ann(t.a).put("/v1/me/preferences", { locale: "nl" });
    expect(await stream.type("swp.me.preferences")).toMatchObject({
      preferences: { locale: "nl" },
    });
  });

  test("tell of typing at the other, end it there, and let it run out", async () => {
    await using t = await pair();
    const stream = await t.bob(t.b).stream();
    await t.ann(t.a).put("/v1/typing", { room_id: "hall", typing: true });
    expect(await stream.type("typing")).toMatchObject({ participant_id: "ann", typing: true });
    expect((await t.bob(t.b).get("/v1/rooms/hall/state")).body.data.typing).toEqual(["ann"]);
    await t.ann(t.b).put("/v1/typing", { room_id: "hall", typing: false });
    expect(await stream.type("typing")).toMatchObject({ typing: false });
    await t.ann(t.a).put("/v1/typing", { room_id: "hall", typing: true });
    expect(await stream.type("typing")).toMatchObject({ typing: true });
    await t.clock.advance(4_000);
    expect(
      await stream.next(({ type, typing }) => type === "typing" && typing === false),
    ).toBeDefined();
  });

  test("end typing at both when the socket is lost through which it was said", async () => {
    await using t = await pair();
    const stream = await t.bob(t.b).stream();
    const typist = await t.ann(t.a).stream({ device_id: "laptop" });
    typist.send({ type: "typing", room_id: "hall", typing: true });
    expect(await stream.type("typing")).toMatchObject({ typing: true });
    await t.a.cut(typist);
    expect(await stream.type("typing")).toMatchObject({ typing: false });
  });

  test("tell each event once and in order to everyone, wherever it was said", async () => {
    await using t = await pair();
    const streams = [await t.bob(t.a).stream(), await t.bob(t.b).stream()];
    for (let index = 0; index < 6; index += 1)
      await t.ann(index % 2 === 0 ? t.a : t.b).post("/v1/rooms/hall/send", {
        content: { msgtype: "m.text", body: String(index) },
      });
    for (const stream of streams) {
      const heard = (await stream.heard()).filter(({ type }) => type === "swp.room.message");
      expect(heard.map(({ content }) => (content as { body: string }).body)).toEqual([
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
      ]);
    }
  });

  test("close the older of two streams of one name, wherever it is", async () => {
    await using t = await pair();
    const [watcher, name] = [await t.bob(t.a).stream(), { device_id: "laptop", instance: "tab" }];
    const older = await t.ann(t.a).stream(name);
    await presenceOf(watcher, "ann");
    await t.ann(t.b).stream(name);
    expect(await older.closed).toEqual({ code: 4003, reason: "duplicate_connection" });
    expect((await watcher.heard()).filter(({ type }) => type === "presence")).toEqual([]);
    const { devices } = (await t.ann(t.a).get("/v1/me/presence")).body.data;
    expect(devices).toMatchObject([{ device_id: "laptop", transports: ["stream"] }]);
  });

  test("sign a device off whose sockets are elsewhere", async () => {
    await using t = await pair();
    const watcher = await t.bob(t.a).stream();
    const stream = await t.ann(t.a).stream({ device_id: "laptop" });
    await presenceOf(watcher, "ann");
    await t.clock.advance(100);
    const { body } = await t.ann(t.b).delete("/v1/me/devices/laptop");
    expect(body.data.state).toBe("offline");
    expect(await stream.closed).toEqual({ code: 4003, reason: "signed_off" });
    expect(await presenceOf(watcher, "ann")).toMatchObject({ state: "offline" });
  });

  test("close the sockets of a token that was taken away at the other", async () => {
    await using t = await pair();
    const stream = await t.ann(t.a).stream();
    await t.b.admin("DELETE", `/tokens/${t.ann(t.b).tokenId}`);
    expect(await stream.closed).toMatchObject({ code: 4001 });
    expect(refusedWith(await t.ann(t.a).get("/v1/me"))).toBe("401 SW_AUTH_INVALID_TOKEN");
  });

  test("forget whoever is deleted, and do not bring them back", async () => {
    await using t = await pair();
    const watcher = await t.bob(t.b).stream();
    const stream = await t.ann(t.a).stream();
    await t.ann(t.a).put("/v1/me/presence", { state: "busy" });
    await presenceOf(watcher, "ann");
    await t.b.admin("DELETE", "/participants/ann?tenant_id=acme");
    expect(await stream.closed).toMatchObject({ code: 4001 });
    expect(await presenceOf(watcher, "ann")).toMatchObject({ state: "busy" });
    expect(await presenceOf(watcher, "ann")).toMatchObject({ state: "offline" });
    await t.clock.advance(60_000);
    for (const node of [t.a, t.b])
      expect((await t.bob(node).get("/v1/presence?ids=ann")).body.data).toEqual({ ann: "offline" });
    expect((await watcher.heard()).filter(({ type }) => type === "presence")).toEqual([]);
  });

  test("fire a snooze once that was set at either", async () => {
    await using t = await pair();
    const stream = await t.bob(t.b).stream();
    const sent = await t
      .ann(t.a)
      .post("/v1/rooms/hall/send", { content: { msgtype: "m.text", body: "later" } });
    const until = new Date(t.clock.wall() + 60_000).toISOString();
    await t.bob(t.a).post(`/v1/messages/${sent.body.data.id}/snooze`, { until });
    await t.clock.advance(61_000);
    expect(await stream.type("swp.snooze.fired")).toMatchObject({ event_id: sent.body.data.id });
    expect((await stream.heard()).filter(({ type }) => type === "swp.snooze.fired")).toEqual([]);
  });

  test("keep a device that calls now one and now the other", async () => {
    await using t = await pair();
    const seen = async (): Promise<unknown[]> =>
      Promise.all(
        [t.a, t.b].map(
          async (node) => (await t.bob(node).get("/v1/presence?ids=ann")).body.data.ann,
        ),
      );
    const beat = (node: TestServer, state: string) =>
      t.ann(node).post("/v1/me/heartbeat", { device_id: "cli", state });
    for (const node of [t.a, t.b, t.a, t.b]) {
      await beat(node, "online");
      await t.clock.advance(100_000);
      expect(await seen()).toEqual(["online", "online"]);
    }
    await beat(t.a, "idle");
    expect(await seen()).toEqual(["idle", "idle"]);
    await t.clock.advance(119_000);
    expect(await seen()).toEqual(["idle", "idle"]);
    await t.clock.advance(1_000);
    expect(await seen()).toEqual(["offline", "offline"]);
  });

  test("take who was connected to one that stops for there, until its people are back elsewhere or too late", async () => {
    await using t = await pair();
    const watcher = await t.bob(t.b).stream();
    await t.ann(t.a).stream({ device_id: "laptop" });
    await presenceOf(watcher, "ann");
    const stopping = t.a.stop();
    await t.clock.advance(5_000);
    await stopping;
    await t.clock.advance(14_000);
    expect((await watcher.heard()).filter(({ type }) => type === "presence")).toEqual([]);
    await t.clock.advance(2_000);
    expect(await presenceOf(watcher, "ann")).toMatchObject({ state: "offline" });
  });

  test("find out what was said while one was cut off: tokens and people that are no more, choices, and events", async () => {
    await using t = await pair();
    const watcher = await t.bob(t.b).stream();
    const cy = at(await t.a.person("cy"));
    const [revoked, deleted] = [await t.ann(t.b).stream(), await cy(t.b).stream()];
    await watcher.heard();
    t.deafen(1, true);
    await t.a.admin("DELETE", `/tokens/${t.ann(t.a).tokenId}`);
    await t.a.admin("DELETE", "/participants/cy?tenant_id=acme");
    const content = { msgtype: "m.text", body: "can you hear me" };
    const sent = await t.bob(t.a).post("/v1/rooms/hall/send", { content });
    await t.bob(t.a).put("/v1/me/presence", { state: "busy" });
    await t.clock.advance(1_000);
    t.deafen(1, false);
    await t.clock.advance(3_000);
    // The record says that the person's sockets are over, the store that the token is.
    expect(await deleted.closed).toMatchObject({ code: 4003, reason: "signed_off" });
    expect(await revoked.closed).toMatchObject({ code: 4001 });
    expect(await watcher.type("swp.room.message")).toMatchObject({ id: sent.body.data.id });
    expect((await t.bob(t.b).get("/v1/me/presence")).body.data.state).toBe("busy");
  });

  test("have whoever has devices at both take a new snapshot, when what was for these alone may have been missed", async () => {
    await using t = await pair();
    await t.ann(t.a).stream({ device_id: "laptop" });
    const [phone, watcher] = [
      await t.ann(t.b).stream({ device_id: "phone" }),
      await t.bob(t.b).stream(),
    ];
    await phone.heard();
    t.deafen(1, true);
    await t.ann(t.a).put("/v1/me/preferences", { locale: "nl" });
    const content = { msgtype: "m.text", body: "hello" };
    await t.ann(t.a).post("/v1/rooms/hall/send", { content });
    t.deafen(1, false);
    await t.clock.advance(3_000);
    const { stream_position } = await phone.type("swp.room.message");
    expect(await phone.type("resync")).toMatchObject({ tenant_id: "acme", stream_position });
    expect((await watcher.heard()).filter(({ type }) => type === "resync")).toEqual([]);
  });

  test("show a new node who is there, before it lets anybody in", async () => {
    await using t = await pair();
    await t.ann(t.a).stream();
    await t.ann(t.a).put("/v1/me/presence", { state: "busy" });
    await t.bob(t.b).put("/v1/me/presence", { state: "appear_offline" });
    expect((await t.bob(t.b).get("/v1/presence?ids=ann,bob")).body.data).toEqual({
      ann: "busy",
      bob: "appear_offline",
    });
  });

  test("say that they are ready, and in which company", async () => {
    await using t = await pair();
    const { body } = await t.a.request("GET", "/readyz");
    expect(body.data).toEqual({ status: "ready", store: "ok", cluster: "joined" });
    await t.clock.advance(1_000);
    for (const node of [t.a, t.b]) {
      const metrics = await node.request("GET", "/metrics", { token: node.adminToken });
      expect(metrics.body).toMatch(/^porchlight_nodes 2$/m);
    }
  });
});

/** Facts whose answers can be lost, and which know every incarnation that was given. */
class UnansweringFacts extends MemoryFacts {
  readonly given: number[] = [];
  isAnswering = true;

  override join(...asked: Parameters<MemoryFacts["join"]>): ReturnType<MemoryFacts["join"]> {
    const answer = super.join(...asked);
    this.given.push(answer.incarnation);
    if (!this.isAnswering) throw new Error("Nobody hears this");
    return answer;
  }
}

describe("a node", () => {
  test("never has an incarnation twice, also one that it was given without hearing of it before the facts were lost", async () => {
    const clock = new TestClock();
    const facts = new UnansweringFacts({
      now: () => clock.elapsed(),
      carry: (_, deliver) => deliver(),
    });
    await using _server = await TestServer.start({
      clock,
      by: (config, outside) =>
        startServer(
          { ...config, redisUrl: "redis://in-this-process" },
          { ...outside, openCluster: (options) => openMemory(facts, options) },
        ),
    });
    for (const isAnswering of [false, true]) {
      facts.isAnswering = isAnswering;
      facts.clear();
      await clock.advance(2_000);
    }
    expect(facts.given).toEqual([...new Set(facts.given)]);
    expect(facts.given.length).toBeGreaterThan(2);
  });
});
