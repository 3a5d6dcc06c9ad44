import { describe, expect, test } from "bun:test";
import { STAND_IN_IDS_FROM } from "@porchlight/core/awareness";
import { systemClock } from "@porchlight/core/clock";
import { Raw } from "../support/raw.ts";
import type { TestServer } from "../support/server.ts";
import type { YjsClient } from "../support/yjs.ts";
import { type YjsLevels, yjsLevels } from "../support/yjs-levels.ts";
import { YjsNodes } from "../support/yjs-nodes.ts";
import { EMPTY_DOCUMENT, STEP_1, says } from "../support/yjs-wire.ts";

const { monotonic } = systemClock();
/** Within this time everything is to be seen that somebody does. */
const SOON_MS = 200;

/** How long something takes, in milliseconds. */
async function timed(act: () => Promise<unknown>): Promise<number> {
  const from = monotonic();
  await act();
  return monotonic() - from;
}

/** Whom somebody has seen otherwise than by a client of theirs. */
function standInsSeenBy({ flickers }: YjsClient): number[] {
  return flickers.map(({ id }) => id).filter((id) => id >= STAND_IN_IDS_FROM);
}

describe("two clients of y-websocket on two nodes", () => {
  test(`see each other, and what each does, within ${SOON_MS} ms`, async () => {
    await using t = await YjsNodes.start(["ann", "bob"]);
    using a = await t.enter("ann", 0);
    using b = await t.enter("bob", 1);
    const took = await timed(async () => {
      a.say({ cursor: { line: 7 }, user: { color: "red", name: "Mallory" } });
      await b.sees("ANN", ({ state }) => "cursor" in state);
      await a.sees("BOB", ({ id }) => id === b.id);
    });
    expect(took).toBeLessThan(SOON_MS);
    expect(b.of("ANN")).toEqual([
      {
        id: a.id,
        name: "ANN",
        presence: "online",
        typing: false,
        device_id: "ann-laptop",
        state: {
          cursor: { line: 7 },
          user: {
            color: "red",
            participant_id: "ann",
            display_name: "ANN",
            avatar_url: null,
            name: "ANN",
          },
          presence: "online",
          typing: false,
          device_id: "ann-laptop",
        },
      },
    ]);
    a.say({ typing: true });
    await b.sees("ANN", ({ typing }) => typing);
    await t.person("ann", 1).put("/v1/me/presence", { state: "busy" });
    await b.sees("ANN", ({ presence }) => presence === "busy");
  });

  test("say nothing to each other of what changes nothing, nor where there is no other node", async () => {
    await using t = await YjsNodes.start(["ann", "bob"]);
    using a = await t.enter("ann", 0);
    using b = await t.enter("bob", 1);
    a.say({ x: 1 });
    await b.sees("ANN", ({ state }) => state.x === 1);
    await a.sees("BOB", ({ id }) => id === b.id);
    t.said();
    // Clients renew what they say, and repeat what they hear.
    for (let passed = 0; passed < 60; passed += 15) {
      for (const each of [a, b]) each.say({});
      for (const each of [a, b]) await each.settled();
      await t.clock.advance(15_000);
    }
    expect(t.said()).toEqual([]);
    a.say({ x: 2 });
    await b.sees("ANN", ({ state }) => state.x === 2);
    expect(t.said()).toEqual(["awareness"]);

    await using alone = await YjsNodes.start(["ann", "bob"], { aheadMs: [0] });
    using first = await alone.enter("ann", 0);
    using second = await alone.enter("bob", 0);
    first.say({ x: 1 });
    await second.sees("ANN", ({ state }) => state.x === 1);
    expect(alone.said()).toEqual([]);
  });

  test("are each other's tabs: each is told of the other in their own eyes", async () => {
    await using t = await YjsNodes.start(["ann", "bob"]);
    using laptop = await t.enter("ann", 0);
    using phone = await t.enter("ann", 1, { device_id: "phone" });
    using b = await t.enter("bob", 1);
    await b.until(() => b.of("ANN").length === 2);
    await laptop.sees("ANN", ({ id }) => id === phone.id);
    await t.person("ann").put("/v1/me/presence", { state: "appear_offline" });
    await b.misses("ANN");
    await laptop.sees("ANN", ({ presence }) => presence === "appear_offline");
    laptop.say({ x: 1 });
    await phone.sees("ANN", ({ state }) => state.x === 1);
    expect(b.of("ANN")).toEqual([]);
  });

  test("cannot speak for each other, and keep their ids when they are away", async () => {
    await using t = await YjsNodes.start(["ann", "bob", "cy"]);
    using a = await t.enter("ann", 0);
    using watching = await t.enter("cy", 1);
    a.say({ x: 1 });
    await watching.sees("ANN", ({ state }) => state.x === 1);
    const forger = await t.enter("bob", 1);
    forger.awareness.clientID = a.id;
    forger.say({ x: "forged" });
    await forger.settled();
    a.say({ x: 2 });
    await watching.sees("ANN", ({ state }) => state.x === 2);
    a.destroy();
    await watching.until(() => watching.seen.every(({ id }) => id !== a.id));
    forger.say({ x: "taken" });
    await forger.settled();
    await t.clock.advance(1_000);
    expect(watching.seen.filter(({ id }) => id === a.id)).toEqual([]);
    forger.destroy();
  });
});

describe("a client of y-websocket that comes back to another node", () => {
  test(`is seen all along on all nodes, and sees everybody within ${SOON_MS} ms`, async () => {
    await using t = await YjsNodes.start(["ann", "bob", "cy"], { aheadMs: [0, 0, 0] });
    using a = await t.enter("ann", 0);
    using b = await t.enter("bob", 0);
    using c = await t.enter("cy", 2);
    a.say({ x: 1 });
    for (const each of [b, c]) await each.sees("ANN", ({ state }) => state.x === 1);
    await a.until(() => a.seen.length === 2 && standIns(a).length === 0);
    for (const each of [b, c]) each.flickers.length = 0;
    await t.move(a, 1);
    expect(await timed(() => a.until(() => a.seen.length === 2))).toBeLessThan(SOON_MS);
    a.say({ x: 2 });
    const heard = await timed(async () => {
      for (const each of [b, c]) await each.sees("ANN", ({ state }) => state.x === 2);
    });
    expect(heard).toBeLessThan(SOON_MS);
    for (const each of [b, c]) expect(each.flickers).toEqual([{ what: "updated", id: a.id }]);
    await t.clock.advance(11_000);
    expect((await t.person("bob").get("/v1/presence?ids=ann")).body.data).toEqual({
      ann: "online",
    });
    expect(b.of("ANN")).toHaveLength(1);
  });

  test("before the first has missed it is closed there with 4409, and nobody sees that", async () => {
    await using t = await YjsNodes.start(["ann", "bob"]);
    const old = await t.enter("ann", 0);
    using b = await t.enter("bob", 0);
    await b.sees("ANN", ({ id }) => id === old.id);
    b.flickers.length = 0;
    using back = await t.enter("ann", 1, { doc: old.provider.doc });
    expect(await old.closed()).toEqual({ code: 4409, reason: "replaced" });
    back.say({ x: 1 });
    await b.sees("ANN", ({ state }) => state.x === 1);
    expect(b.flickers).toEqual([{ what: "updated", id: old.id }]);
    old.destroy();
  });

  test("with another id takes the place of what lingers on the first, in one change", async () => {
    await using t = await YjsNodes.start(["ann", "bob"]);
    const a = await t.enter("ann", 0);
    using b = await t.enter("bob", 0);
    await b.sees("ANN", ({ id }) => id === a.id);
    b.flickers.length = 0;
    a.provider.shouldConnect = false;
    a.cut();
    await a.until(() => !a.provider.wsconnected);
    using reloaded = await t.enter("ann", 1);
    await b.sees("ANN", ({ id }) => id === reloaded.id);
    expect(b.flickers).toEqual([
      { what: "added", id: reloaded.id },
      { what: "removed", id: a.id },
    ]);
    a.destroy();
  });

  for (const aheadMs of [
    [0, 5_000],
    [5_000, 0],
  ])
    test(`sees everybody at once, however the clocks of the nodes differ: ${aheadMs.join(" and ")} ms`, async () => {
      await using t = await YjsNodes.start(["ann", "bob"], { aheadMs });
      using a = await t.enter("ann", 0);
      using b = await t.enter("bob", 0);
      await b.sees("ANN", ({ id }) => id === a.id);
      for (const [x, node] of [1, 0, 1, 0].entries()) {
        // What is refreshed meanwhile, the other node does not hear of.
        await t.clock.advance(15_000);
        await t.move(b, node);
        const took = await timed(() => b.sees("ANN", ({ id }) => id === a.id));
        expect(took).toBeLessThan(SOON_MS);
        a.say({ x });
        await b.sees("ANN", ({ state }) => state.x === x);
        await a.sees("BOB", ({ id }) => id === b.id);
      }
    });

  test("whose node stops in order is seen all along", async () => {
    await using t = await YjsNodes.start(["ann", "bob"]);
    const a = await t.enter("ann", 0);
    using b = await t.enter("bob", 1);
    await b.sees("ANN", ({ id }) => id === a.id);
    b.flickers.length = 0;
    const stopped = t.server(0).stop();
    expect((await a.closed()).code).toBe(1012);
    a.provider.shouldConnect = false;
    await t.clock.advance(5_000);
    await stopped;
    await t.clock.advance(9_000);
    using back = await t.enter("ann", 1, { doc: a.provider.doc });
    back.say({ x: 1 });
    await b.sees("ANN", ({ state }) => state.x === 1);
    await t.clock.advance(20_000);
    expect(b.flickers).toEqual([{ what: "updated", id: a.id }]);
    a.destroy();
  });
});

describe("a client of y-websocket that leaves another node", () => {
  test(`is gone within ${SOON_MS} ms, and nobody stands in for it in between`, async () => {
    await using t = await YjsNodes.start(["ann", "bob"]);
    const a = await t.enter("ann", 0);
    using b = await t.enter("bob", 1);
    await b.sees("ANN", ({ id }) => id === a.id);
    await t.clock.advance(1_000);
    b.flickers.length = 0;
    expect(
      await timed(async () => {
        a.destroy();
        await b.misses("ANN");
      }),
    ).toBeLessThan(SOON_MS);
    await t.clock.advance(1_000);
    expect(b.flickers).toEqual([{ what: "removed", id: a.id }]);
  });

  test("is shown by one that stands in, in one change, where its person is there otherwise", async () => {
    await using t = await YjsNodes.start(["ann", "bob"]);
    await t.person("ann").stream();
    using a = await t.enter("ann", 0);
    using b = await t.enter("bob", 1);
    await b.sees("ANN", ({ id }) => id === a.id);
    b.flickers.length = 0;
    a.awareness.setLocalState(null);
    const { id } = await b.sees("ANN", (entry) => entry.id !== a.id);
    expect(b.flickers.toSorted((x, y) => x.id - y.id)).toEqual([
      { what: "removed", id: a.id },
      { what: "added", id },
    ]);
  });

  test("without a word is gone when it has lingered, and nobody stands in for it in between", async () => {
    await using t = await YjsNodes.start(["ann", "bob"]);
    const a = await t.enter("ann", 0);
    using b = await t.enter("bob", 1);
    await b.sees("ANN", ({ id }) => id === a.id);
    b.flickers.length = 0;
    a.provider.shouldConnect = false;
    a.cut();
    await t.server(0).logged("yjs.closed");
    await t.clock.advance(9_000);
    b.say({ x: 1 });
    await b.settled();
    expect(b.flickers).toEqual([]);
    await t.clock.advance(2_000);
    await b.misses("ANN");
    expect(b.flickers).toEqual([{ what: "removed", id: a.id }]);
    a.destroy();
  });
});

describe("a room that is read on a node for its first client of y-websocket", () => {
  test("shows at once who is there on another, and nobody otherwise before that", async () => {
    await using t = await YjsNodes.start(["ann", "bob", "cy"]);
    using a = await t.enter("ann", 0);
    using c = await t.enter("cy", 0);
    a.say({ x: 1 });
    await c.sees("ANN", ({ state }) => state.x === 1);
    c.provider.shouldConnect = false;
    c.cut();
    await t.server(0).logged("yjs.closed");
    // Also of whom only lingers.
    using b = await t.enter("bob", 1);
    await b.until(() => b.seen.length === 2);
    expect(b.flickers.map(({ what }) => what)).toEqual(["added", "added"]);
    expect(standInsSeenBy(b)).toEqual([]);
    expect(b.of("ANN")[0]?.state.x).toBe(1);
  });

  test("shows nobody otherwise who comes to another after that", async () => {
    await using t = await YjsNodes.start(["ann", "bob"]);
    using b = await t.enter("bob", 1);
    const { log } = t.node(0).link;
    log.length = 0;
    using a = await t.enter("ann", 0);
    await b.sees("ANN", ({ id }) => id === a.id);
    await t.clock.advance(1_000);
    expect(standInsSeenBy(b)).toEqual([]);
    // That there is a socket is said before it shows that they are there.
    expect(log.slice(0, 3)).toEqual(["awareness_asked", "awareness", "write"]);
  });

  test("shows all of it however much it is", async () => {
    await using t = await YjsNodes.start(["ann", "bob", "cy", "dee"]);
    const raws = await Promise.all(
      Array.from({ length: 45 }, (_, index) => {
        const { token } = t.person(["ann", "cy", "dee"][index % 3] ?? "");
        return Raw.yjs(t.server(0).url, "lounge", { token, device_id: `d${index}` });
      }),
    );
    const large = `{"x":"${"x".repeat(4_000)}"}`;
    for (const [index, raw] of raws.entries()) {
      raw.send(Buffer.concat([says(large, { id: 1_000 + index }), STEP_1]));
      await raw.hears(EMPTY_DOCUMENT);
    }
    using b = await t.enter("bob", 1);
    await b.until(() => b.seen.length === raws.length);
    const told = t
      .node(0)
      .link.take()
      .filter(({ kind }) => kind === "awareness_told");
    expect(told.length).toBeGreaterThan(1);
    for (const message of told) expect(JSON.stringify(message).length).toBeLessThan(150_000);
    for (const raw of raws) raw[Symbol.dispose]();
  });

  test("waits for other nodes, but not for long for one that does not answer", async () => {
    await using t = await YjsNodes.start(["ann", "bob"], { aheadMs: [0, 0, 0] });
    using a = await t.enter("ann", 0);
    await t.clock.advance(1_000);
    t.node(2).link.cut();
    t.said();
    const entering = t.enter("bob", 1);
    await t.node(1).link.says("awareness_asked");
    await t.node(0).link.says("awareness_told");
    await t.clock.advance(249);
    expect(t.server(1).lines.filter(({ event }) => event === "yjs.opened")).toEqual([]);
    await t.clock.advance(1);
    using b = await entering;
    await b.sees("ANN", ({ id }) => id === a.id);
  });

  test("does not wait for one that is no more, nor for one of which nobody knows any more", async () => {
    await using t = await YjsNodes.start(["ann", "bob"], { aheadMs: [0, 0, 0] });
    await t.clock.advance(1_000);
    t.node(2).link.cut();
    await t.clock.advance(4_900);
    const entering = t.enter("bob", 1);
    await t.node(1).link.says("awareness_asked");
    await t.clock.advance(100);
    await t.server(1).logged("cluster.gone");
    using _ = await entering;

    await using other = await YjsNodes.start(["ann", "bob"], { aheadMs: [0, 0, 0] });
    await other.clock.advance(1_000);
    other.node(2).link.cut();
    other.facts.clear();
    await other.clock.advance(3_000);
    using b = await other.enter("bob", 1);
    using a = await other.enter("ann", 0);
    await b.sees("ANN", ({ id }) => id === a.id);
  });

  test("of a node that was never heard goes on above its clocks all the same", async () => {
    await using t = await YjsNodes.start(["ann", "bob"], { aheadMs: [5_000, 0] });
    await t.person("ann").post("/v1/me/heartbeat", { device_id: "d" });
    t.node(0).link.lose(({ kind }) => kind.startsWith("awareness"));
    using b = await t.enter("bob", 0);
    const { id } = await b.sees("ANN");
    await t.clock.advance(2_000);
    const moved = t.move(b, 1);
    await t.node(1).link.says("awareness_asked");
    await t.clock.advance(250);
    await moved;
    expect((await b.sees("ANN")).id).toBe(id);
  });

  test("is forgotten where everybody has left, however many are there elsewhere", async () => {
    await using t = await YjsNodes.start(["ann", "bob"]);
    using a = await t.enter("ann", 0);
    const b = await t.enter("bob", 1);
    await b.sees("ANN", ({ id }) => id === a.id);
    b.destroy();
    await t.server(1).logged("yjs.closed");
    await t.clock.advance(30_000);
    a.say({ x: 1 });
    await a.settled();
    expect(await levelsOf(t.server(1))).toMatchObject({ sockets: 0, rooms: 1 });
    // Also where somebody tells everything anew.
    t.node(0).link.cut();
    await t.clock.advance(1_000);
    t.node(0).link.mend();
    await t.clock.advance(2_000);
    await t.clock.advance(600_000);
    expect(await levelsOf(t.server(1))).toEqual({ sockets: 0, rooms: 0, entries: 0 });
    using back = await t.enter("bob", 1);
    await back.sees("ANN", ({ state }) => state.x === 1);
    expect(standInsSeenBy(back)).toEqual([]);
  });
});

describe("a room in which only somebody lingers on a node", () => {
  test("is listened to there: who came back elsewhere lingers no more", async () => {
    await using t = await YjsNodes.start(["ann", "bob"], {
      aheadMs: [0, 0, 0],
      env: { PORCHLIGHT_DISCONNECT_GRACE_MS: "30000" },
    });
    const a = await t.enter("ann", 0);
    a.provider.shouldConnect = false;
    a.cut();
    await t.server(0).logged("yjs.closed");
    await t.clock.advance(20_000);
    using reloaded = await t.enter("ann", 1);
    await reloaded.settled();
    using b = await t.enter("bob", 2);
    await b.sees("ANN", ({ id }) => id === reloaded.id);
    expect(b.of("ANN")).toHaveLength(1);
    a.destroy();
  });
});

describe("a node that is no more", () => {
  test("leaves its clients lingering: they are seen all along if they come back elsewhere, or are gone", async () => {
    await using t = await YjsNodes.start(["ann", "bob", "cy"]);
    const [a, c] = [await t.enter("ann", 0), await t.enter("cy", 0)];
    using b = await t.enter("bob", 1);
    await b.until(() => b.seen.length === 2 && standIns(b).length === 0);
    b.flickers.length = 0;
    // She is there by something else too.
    await t.person("cy", 1).post("/v1/me/heartbeat", { device_id: "watch" });
    t.node(0).link.cut();
    for (const each of [a, c]) {
      each.provider.shouldConnect = false;
      each.cut();
    }
    await t.clock.advance(6_000);
    await t.server(1).logged("cluster.gone");
    using back = await t.enter("ann", 1, { doc: a.provider.doc });
    back.say({ x: 1 });
    await b.sees("ANN", ({ state }) => state.x === 1);
    await t.clock.advance(9_000);
    const { id } = await b.sees("CY", (entry) => entry.id !== c.id);
    expect(b.flickers.toSorted((x, y) => x.what.localeCompare(y.what))).toEqual([
      { what: "added", id },
      { what: "removed", id: c.id },
      { what: "updated", id: a.id },
    ]);
    for (const each of [a, c]) each.destroy();
  });

  test("for a moment, and back before anybody took it for gone, leaves its clients seen all along", async () => {
    await using t = await YjsNodes.start(["ann", "bob"]);
    using a = await t.enter("ann", 0);
    using b = await t.enter("bob", 1);
    await b.sees("ANN", ({ id }) => id === a.id);
    await t.clock.advance(1_000);
    b.flickers.length = 0;
    t.node(0).link.cut();
    await t.clock.advance(2_000);
    t.node(0).link.mend();
    await t.clock.advance(2_000);
    for (let passed = 0; passed < 30; passed += 10) {
      for (const each of [a, b]) each.say({});
      await t.clock.advance(10_000);
    }
    await b.settled();
    expect(b.flickers).toEqual([]);
  });

  test("for longer than anybody was there is asked again all the same, and who left it is not seen any more", async () => {
    await using t = await YjsNodes.start(["ann", "bob"], {
      env: { PORCHLIGHT_NODE_LEASE_MS: "60000" },
    });
    const a = await t.enter("ann", 0);
    using b = await t.enter("bob", 1);
    await b.sees("ANN", ({ id }) => id === a.id);
    await t.person("ann", 1).post("/v1/me/heartbeat", { device_id: "watch" });
    t.node(0).link.cut();
    a.destroy();
    await t.server(0).logged("yjs.closed");
    await t.clock.advance(30_000);
    expect(b.of("ANN").map(({ id }) => id)).toEqual([a.id]);
    t.node(0).link.mend();
    // Whoever comes there next is told of by its record.
    await t.clock.advance(30_000);
    await t.person("bob", 0).post("/v1/me/heartbeat", { device_id: "watch" });
    await t.clock.advance(1_000);
    await b.sees("ANN", ({ id }) => id !== a.id);
  });

  test("and was only cut off is asked again: who came there is seen, who left is not, and who stayed was all along", async () => {
    await using t = await YjsNodes.start(["ann", "bob", "cy", "dee"]);
    using a = await t.enter("ann", 0);
    const c = await t.enter("cy", 0);
    using b = await t.enter("bob", 1);
    await b.until(() => b.seen.length === 2 && standIns(b).length === 0);
    t.node(0).link.cut();
    await t.clock.advance(2_000);
    b.flickers.length = 0;
    // Each node serves its own.
    using d = await t.enter("dee", 0);
    await a.sees("DEE", ({ id }) => id === d.id);
    a.say({ x: 1 });
    await d.sees("ANN", ({ state }) => state.x === 1);
    c.destroy();
    await d.misses("CY");
    using late = await t.enter("bob", 1, { device_id: "phone" });
    expect(b.of("DEE")).toEqual([]);
    await t.clock.advance(5_000);
    t.node(0).link.mend();
    await t.clock.advance(2_000);
    await b.sees("ANN", ({ state }) => state.x === 1);
    await b.sees("DEE", ({ id }) => id === d.id);
    await b.misses("CY");
    await a.sees("BOB", ({ id }) => id === late.id);
    const removed = b.flickers.filter(({ what }) => what === "removed").map(({ id }) => id);
    expect(removed.filter((id) => id !== c.id && id < STAND_IN_IDS_FROM)).toEqual([]);
  });
});

describe("what a node did not hear", () => {
  test("it asks for as soon as it hears of the next, or its lease shows that there was something", async () => {
    await using t = await YjsNodes.start(["ann", "bob", "cy"], { aheadMs: [0, 0, 0] });
    using a = await t.enter("ann", 0);
    using b = await t.enter("bob", 1);
    await b.sees("ANN", ({ id }) => id === a.id);
    let isLost = true;
    t.node(0).link.lose(({ kind }) => kind === "awareness" && isLost);
    const c = await t.enter("cy", 0);
    a.say({ x: 1 });
    await c.sees("ANN", ({ state }) => state.x === 1);
    isLost = false;
    t.said();
    c.say({ x: 2 });
    await b.sees("CY", ({ state }) => state.x === 2);
    await b.sees("ANN", ({ state }) => state.x === 1);
    // Only the node that said something is asked for it.
    expect(t.said().sort()).toEqual(["awareness", "awareness_asked", "awareness_told"]);
    isLost = true;
    c.destroy();
    await t.server(0).logged("yjs.closed");
    isLost = false;
    a.say({ x: 3 });
    await b.sees("ANN", ({ state }) => state.x === 3);
    await t.clock.advance(1_000);
    await b.misses("CY");
  });

  test("it asks for once, however often it finds that, as long as it may be answered", async () => {
    await using t = await YjsNodes.start(["ann", "bob"]);
    using a = await t.enter("ann", 0);
    using b = await t.enter("bob", 1);
    await b.sees("ANN", ({ id }) => id === a.id);
    let lost = "awareness";
    t.node(0).link.lose(({ kind }) => kind === lost);
    a.say({ x: 0 });
    await a.settled();
    await t.node(0).link.says("awareness");
    t.said();
    lost = "awareness_told";
    for (const x of [1, 2, 3]) {
      a.say({ x });
      await a.settled();
      await t.node(0).link.says("awareness");
      expect(t.said()).toContain("awareness");
    }
    lost = "";
    await t.clock.advance(250);
    a.say({ x: 4 });
    await b.sees("ANN", ({ state }) => state.x === 4);
    expect(t.node(1).link.log.filter((kind) => kind === "awareness_asked")).toHaveLength(3);
  });
});

/** The entries that stand in for somebody, as somebody sees them. */
function standIns({ seen }: YjsClient): number[] {
  return seen.map(({ id }) => id).filter((id) => id >= STAND_IN_IDS_FROM);
}

async function levelsOf(server: TestServer): Promise<YjsLevels> {
  const { body } = await server.request("GET", "/metrics", { token: server.adminToken });
  return yjsLevels(body);
}
