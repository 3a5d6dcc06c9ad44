import { describe, expect, test } from "bun:test";
import { DEFAULT_TIMINGS } from "@porchlight/core";
import { systemClock } from "@porchlight/core/clock";
import { Raw } from "../support/raw.ts";
import { type Person, TestServer } from "../support/server.ts";
import { TestDirectory } from "../support/sqlite.ts";
import { YjsClient } from "../support/yjs.ts";
import { awareness, EMPTY_DOCUMENT, framed, STEP_1, says } from "../support/yjs-wire.ts";

const { monotonic } = systemClock();
/** Within this time everything is to be seen that somebody does. */
const SOON_MS = 200;

/** A server with a lounge, in which these people are. */
async function lounge(
  ids: readonly string[],
  env: Record<string, string> = {},
  alone = false,
): Promise<{ server: TestServer; people: Person[] }> {
  const server = await TestServer.start({ env, alone });
  const people: Person[] = [];
  for (const id of ids) people.push(await server.person(id, { display_name: id.toUpperCase() }));
  await server.room("lounge", people);
  return { server, people };
}

/** How long something takes, in milliseconds. */
async function timed(act: () => Promise<unknown>): Promise<number> {
  const from = monotonic();
  await act();
  return monotonic() - from;
}

describe("two clients of y-websocket", () => {
  test("see each other as the server knows them, with what each adds", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    a.say({ cursor: { line: 7 }, user: { color: "red", name: "Mallory" } });
    expect(await b.sees("ANN", ({ state }) => "cursor" in state)).toEqual({
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
    });
    await a.sees("BOB", ({ id }) => id === b.id);
    // Nobody's own state is touched.
    expect(a.awareness.getLocalState()).toEqual({
      cursor: { line: 7 },
      user: { color: "red", name: "Mallory" },
    });
  });

  test("are synchronised with a document that is empty, and stays so", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    a.provider.doc.getMap("m").set("x", 1);
    a.say({ written: true });
    await b.sees("ANN", ({ state }) => state.written);
    expect(b.provider.doc.getMap("m").size).toBe(0);
    using late = await YjsClient.open(server, bob, "lounge", { device_id: "bob-phone" });
    expect([late.provider.synced, late.provider.doc.getMap("m").size]).toEqual([true, 0]);
  });

  test("hear of each other's typing what streams and requests say, and the other way round", async () => {
    const { server, people } = await lounge(["ann", "bob", "cy"]);
    await using _ = server;
    const [ann, bob, cy] = people as [Person, Person, Person];
    const hears = await cy.stream();
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    a.say({ typing: true });
    await b.sees("ANN", ({ typing }) => typing);
    expect(await hears.type("typing")).toMatchObject({ participant_id: "ann", typing: true });
    const { typing } = (await cy.get("/v1/rooms/lounge/state")).body.data;
    expect(typing).toEqual(["ann"]);
    a.say({ typing: false });
    await b.sees("ANN", (entry) => !entry.typing);
    expect(await hears.type("typing")).toMatchObject({ participant_id: "ann", typing: false });

    await cy.put("/v1/typing", { room_id: "lounge", typing: true });
    await a.sees("CY", (entry) => entry.typing);
    hears.send({ type: "typing", room_id: "lounge", typing: true });
    await cy.put("/v1/typing", { room_id: "lounge", typing: false });
    // The stream of the same person still types.
    await hears.heard();
    expect((await a.sees("CY")).typing).toBe(true);
    hears.send({ type: "typing", room_id: "lounge", typing: false });
    await a.sees("CY", (entry) => !entry.typing);
  });

  test("see people who have only a stream, or only ask, and machines", async () => {
    const { server, people } = await lounge(["ann", "bob", "cy"]);
    await using _ = server;
    const [ann, bob, cy] = people as [Person, Person, Person];
    const bot = await server.person("bot", { display_name: "BOT", participant_type: "model" });
    await server.room("lounge", [bot]);
    using a = await YjsClient.open(server, ann, "lounge");
    await a.sees("BOT");
    expect(a.seen.map(({ name }) => name)).toEqual(["BOT"]);
    const stream = await bob.stream({ state: "idle" });
    expect(await a.sees("BOB")).toMatchObject({ presence: "idle", device_id: null });
    await cy.post("/v1/me/heartbeat", { device_id: "watch" });
    await a.sees("CY");
    await stream.close();
    await server.clock.advance(100);
    await a.misses("BOB");
    await cy.delete("/v1/me/devices/watch");
    await a.misses("CY");
    // And the others see whoever has only this socket.
    expect((await bob.get("/v1/presence?ids=ann")).body.data).toEqual({ ann: "online" });
    const { devices } = (await ann.get("/v1/me/presence")).body.data;
    expect(devices).toMatchObject([{ device_id: "ann-laptop", transports: ["yjs"] }]);
  });

  test(`see a state set by hand within ${SOON_MS} ms, and its end`, async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    await b.sees("ANN", ({ id }) => id === a.id);
    const took = await timed(async () => {
      await ann.put("/v1/me/presence", { state: "busy" });
      await b.sees("ANN", ({ presence }) => presence === "busy");
    });
    expect(took).toBeLessThan(SOON_MS);
    await ann.put("/v1/me/presence", { auto: true });
    await b.sees("ANN", ({ presence }) => presence === "online");
  });

  test("turn idle with their device, and are awake again when they change something", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    // Renewals are signs of life, and no activity.
    for (let passed = 0; passed < 300; passed += 60) {
      a.say({});
      b.say({ passed });
      await a.sees("BOB", ({ state }) => state.passed === passed);
      await server.clock.advance(60_000);
    }
    await b.sees("ANN", ({ presence }) => presence === "idle");
    await server.clock.advance(100);
    a.say({ cursor: 1 });
    await b.sees("ANN", ({ presence }) => presence === "online");
  });
});

describe("typing by a client of y-websocket", () => {
  test("ends with the signal and is not revived by saying it again, but by beginning again", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    const hears = await bob.stream();
    a.say({ typing: true });
    await b.sees("ANN", ({ typing }) => typing);
    await server.clock.advance(3_000);
    // Said again in time, it goes on.
    a.say({ typing: true, x: 1 });
    await b.sees("ANN", ({ state }) => state.x === 1);
    await server.clock.advance(3_999);
    expect((await b.sees("ANN")).typing).toBe(true);
    await server.clock.advance(1);
    await b.sees("ANN", ({ typing }) => !typing);
    a.say({ typing: true, x: 2 });
    expect((await b.sees("ANN", ({ state }) => state.x === 2)).typing).toBe(false);
    a.say({ typing: false });
    a.say({ typing: true });
    await b.sees("ANN", ({ typing }) => typing);
    const told = (await hears.heard()).filter(({ type }) => type === "typing");
    expect(told.map(({ typing }) => typing)).toEqual([true, true, true, false, true]);
  });

  test("ends when they send a message, and when the connection is lost", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    a.say({ typing: true });
    await b.sees("ANN", ({ typing }) => typing);
    await ann.post("/v1/rooms/lounge/send", { content: { msgtype: "m.text", body: "hi" } });
    await b.sees("ANN", ({ typing }) => !typing);
    a.say({ typing: false });
    a.say({ typing: true });
    await b.sees("ANN", ({ typing }) => typing);
    a.cut();
    await b.sees("ANN", ({ typing }) => !typing);
    await a.synced();
    a.say({ back: true });
    expect((await b.sees("ANN", ({ state }) => state.back)).typing).toBe(false);
  });

  test("in a room that is archived is told to nobody, and counted", async () => {
    const { server, people } = await lounge(["ann", "bob"], {}, true);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    await server.admin("PUT", "/rooms/lounge", { tenant_id: "acme", state: "archived" });
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    a.say({ typing: true, x: 1 });
    await b.sees("ANN", ({ state }) => state.x === 1);
    a.say({ x: 2 });
    expect((await b.sees("ANN", ({ state }) => state.x === 2)).typing).toBe(false);
    const { body } = await server.request("GET", "/metrics", { token: server.adminToken });
    expect(body).toContain('porchlight_dropped_total{reason="SW_ROOM_FROZEN"} 1');
  });
});

describe("a client of y-websocket that is cut", () => {
  test(`and comes back is seen all along, and sees everybody again within ${SOON_MS} ms`, async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    const hears = await bob.stream();
    a.say({ x: 1 });
    await b.sees("ANN", ({ state }) => state.x === 1);
    await a.sees("BOB", ({ id }) => id === b.id);
    b.flickers.length = 0;
    a.cut();
    await a.until(() => !a.provider.wsconnected);
    await a.until(() => a.provider.wsconnected);
    expect(await timed(() => a.sees("BOB"))).toBeLessThan(SOON_MS);
    // At the clock that others know it by; only what it says next is new.
    a.say({ x: 2 });
    expect(await timed(() => b.sees("ANN", ({ state }) => state.x === 2))).toBeLessThan(SOON_MS);
    expect(b.flickers).toEqual([{ what: "updated", id: a.id }]);
    const told = await hears.heard();
    expect(told.filter(({ participant_id }) => participant_id === "ann")).toEqual([]);
  });

  test("by its own watchdog, which takes the connection for dead, is seen all along as well", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    await b.sees("ANN", ({ id }) => id === a.id);
    await server.clock.advance(1_000);
    b.flickers.length = 0;
    // What the watchdog does: closing without a code, and without a word.
    a.provider.ws?.close();
    await a.until(() => !a.provider.wsconnected);
    await a.synced();
    a.say({ back: true });
    await b.sees("ANN", ({ state }) => state.back);
    expect(b.flickers).toEqual([{ what: "updated", id: a.id }]);
  });

  test("with the code 1000 is gone at once", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    await b.sees("ANN", ({ id }) => id === a.id);
    await server.clock.advance(100);
    a.provider.shouldConnect = false;
    a.provider.ws?.close(1000);
    await b.misses("ANN");
  });

  test("and comes back with another id takes the place of what lingers, in one change", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    const a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    await b.sees("ANN", ({ id }) => id === a.id);
    b.flickers.length = 0;
    a.provider.shouldConnect = false;
    a.cut();
    await a.until(() => !a.provider.wsconnected);
    using reloaded = await YjsClient.open(server, ann, "lounge");
    await b.sees("ANN", ({ id }) => id === reloaded.id);
    expect(b.flickers).toEqual([
      { what: "added", id: reloaded.id },
      { what: "removed", id: a.id },
    ]);
    expect(b.of("ANN")).toHaveLength(1);
    a.destroy();
  });

  test("and stays away is gone after disconnect_grace_ms", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    const a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    await b.sees("ANN", ({ id }) => id === a.id);
    b.flickers.length = 0;
    a.provider.shouldConnect = false;
    a.cut();
    await server.logged("yjs.closed");
    await server.clock.advance(9_999);
    b.say({ x: 1 });
    expect(b.of("ANN")).toHaveLength(1);
    await server.clock.advance(1);
    await b.misses("ANN");
    expect(b.flickers).toEqual([{ what: "removed", id: a.id }]);
    a.destroy();
  });

  test("while another socket of the person has its id is closed with 4409 when it is the older", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    const old = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    await b.sees("ANN", ({ id }) => id === old.id);
    b.flickers.length = 0;
    // The same document, on a new connection: the server has not noticed that the old one is dead.
    using back = await YjsClient.open(server, ann, "lounge", { doc: old.provider.doc });
    expect(await old.closed()).toEqual({ code: 4409, reason: "replaced" });
    back.say({ x: 1 });
    await b.sees("ANN", ({ state }) => state.x === 1);
    expect(b.flickers).toEqual([{ what: "updated", id: old.id }]);
    expect((await bob.get("/v1/presence?ids=ann")).body.data).toEqual({ ann: "online" });
    old.destroy();
  });
});

describe("a client of y-websocket that leaves", () => {
  test(`by saying null is gone within ${SOON_MS} ms, and there again when it says something`, async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    await b.sees("ANN", ({ id }) => id === a.id);
    await server.clock.advance(100);
    const took = await timed(async () => {
      a.awareness.setLocalState(null);
      await b.misses("ANN");
    });
    expect(took).toBeLessThan(SOON_MS);
    expect((await bob.get("/v1/presence?ids=ann")).body.data).toEqual({ ann: "offline" });
    await server.clock.advance(100);
    a.awareness.setLocalState({ x: 1 });
    await b.sees("ANN", ({ state }) => state.x === 1);
    expect((await bob.get("/v1/presence?ids=ann")).body.data).toEqual({ ann: "online" });
  });

  test("by saying null is shown by one that stands in where the person is there otherwise", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    await ann.stream();
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    await b.sees("ANN", ({ id }) => id === a.id);
    b.flickers.length = 0;
    a.awareness.setLocalState(null);
    const { id } = await b.sees("ANN", (entry) => entry.id !== a.id);
    expect(b.flickers.toSorted((x, y) => x.id - y.id)).toEqual([
      { what: "removed", id: a.id },
      { what: "added", id },
    ]);
  });

  test("by destroy() signs off at once", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    const a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    await b.sees("ANN", ({ id }) => id === a.id);
    await server.clock.advance(100);
    const took = await timed(async () => {
      a.destroy();
      await b.misses("ANN");
    });
    expect(took).toBeLessThan(SOON_MS);
    expect((await bob.get("/v1/presence?ids=ann")).body.data).toEqual({ ann: "offline" });
  });
});

describe("several clients of y-websocket of one person", () => {
  test("each have an entry for others and for each other, in whose eyes they are in their own state", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using laptop = await YjsClient.open(server, ann, "lounge");
    using phone = await YjsClient.open(server, ann, "lounge", { device_id: "phone" });
    using b = await YjsClient.open(server, bob, "lounge");
    await b.until(() => b.of("ANN").length === 2);
    expect(
      b
        .of("ANN")
        .map(({ device_id }) => device_id)
        .toSorted(),
    ).toEqual(["ann-laptop", "phone"]);
    await laptop.sees("ANN", ({ id }) => id === phone.id);
    await ann.put("/v1/me/presence", { state: "appear_offline" });
    await b.misses("ANN");
    await laptop.sees("ANN", ({ presence }) => presence === "appear_offline");
    laptop.say({ x: 1 });
    await phone.sees("ANN", ({ state }) => state.x === 1);
    expect(b.of("ANN")).toEqual([]);
    await ann.put("/v1/me/presence", { auto: true });
    await b.until(() => b.of("ANN").length === 2);
    phone.destroy();
    await laptop.misses("ANN");
  });

  test("in two tabs that open at once and also talk through the browser are both let live", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using b = await YjsClient.open(server, bob, "lounge");
    using first = await YjsClient.open(server, ann, "lounge", { broadcastChannel: true });
    first.say({ tab: 1 });
    // It says something before it is connected: the first hears that, and hands it on.
    using second = new YjsClient(server, ann, "lounge", { broadcastChannel: true });
    second.say({ tab: 2 });
    using third = new YjsClient(server, ann, "lounge", { broadcastChannel: true });
    third.say({ tab: 3 });
    for (const each of [second, third]) await each.synced();
    for (const [x, each] of [first, second, third].entries()) {
      each.say({ x });
      await b.sees("ANN", ({ id, state }) => id === each.id && state.x === x);
    }
    for (const { provider } of [first, second, third]) expect(provider.shouldConnect).toBe(true);
    expect(server.lines.filter(({ event }) => event === "yjs.closed")).toEqual([]);
  });

  test("in two tabs that also talk through the browser keep their states, and are both seen", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using first = await YjsClient.open(server, ann, "lounge", { broadcastChannel: true });
    using second = await YjsClient.open(server, ann, "lounge", { broadcastChannel: true });
    using b = await YjsClient.open(server, bob, "lounge");
    for (let x = 1; x <= 20; x += 1) {
      first.say({ x });
      second.say({ y: x });
      await b.sees("ANN", ({ id, state }) => id === first.id && state.x === x);
      await b.sees("ANN", ({ id, state }) => id === second.id && state.y === x);
      await server.clock.advance(100);
    }
    await first.sees("ANN", ({ id, state }) => id === second.id && state.y === 20);
    expect(first.awareness.getLocalState()).toMatchObject({ x: 20 });
    expect(second.awareness.getLocalState()).toMatchObject({ y: 20 });
    expect(b.of("ANN")).toHaveLength(2);
  });
});

describe("who is in the room", () => {
  test("is followed: who joins, leaves and is renamed, and what becomes of the room", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    const cy = await server.person("cy", { display_name: "CY" });
    await cy.stream();
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    await a.sees("BOB", ({ id }) => id === b.id);
    expect(a.of("CY")).toEqual([]);
    await server.room("lounge", [cy]);
    await a.sees("CY");
    await cy.put("/v1/me", { display_name: "Cyrus" });
    await a.sees("Cyrus");
    await cy.post("/v1/rooms/lounge/leave", {});
    await a.misses("Cyrus");
    await bob.put("/v1/me", { display_name: "Bobby" });
    expect((await a.sees("Bobby")).id).toBe(b.id);
    await server.admin("DELETE", "/rooms/lounge/members/bob?tenant_id=acme");
    expect(await b.closed()).toEqual({ code: 4403, reason: "not_member" });
    await a.misses("Bobby");
    expect(b.provider.shouldConnect).toBe(false);
    await server.admin("DELETE", "/rooms/lounge?tenant_id=acme");
    expect(await a.closed()).toEqual({ code: 4404, reason: "no_such_room" });
  });

  test("above awareness_max_members shows without a client of theirs only while typing", async () => {
    const { server, people } = await lounge(["ann", "bob", "cy"], {
      PORCHLIGHT_AWARENESS_MAX_MEMBERS: "2",
    });
    await using _ = server;
    const [ann, bob, cy] = people as [Person, Person, Person];
    await cy.stream();
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    await a.sees("BOB", ({ id }) => id === b.id);
    expect(a.of("CY")).toEqual([]);
    await cy.put("/v1/typing", { room_id: "lounge", typing: true });
    await a.sees("CY", ({ typing }) => typing);
    await cy.put("/v1/typing", { room_id: "lounge", typing: false });
    await a.misses("CY");
  });
});

describe("a client of y-websocket that is not let in", () => {
  test("is told why, and stays away: token, membership, room", async () => {
    const { server, people } = await lounge(["ann"]);
    await using _ = server;
    const [ann] = people as [Person];
    const ivy = await server.person("ivy");
    await server.room("lounge", [ivy], { membership: "invite" });
    const fay = await server.person("fay", { tenant_id: "umbrella" });
    const old = await server.person("eve", { expires_at: "2026-03-02T08:00:00.000Z" });
    await server.room("far", [fay]);
    const attempts = [
      [new YjsClient(server, ann, "lounge", { token: "plt_nobody" }), 4401, "token_invalid"],
      [new YjsClient(server, ann, "lounge", { token: server.adminToken }), 4401, "token_invalid"],
      [new YjsClient(server, old, "lounge"), 4401, "token_expired"],
      [new YjsClient(server, ivy, "lounge"), 4403, "not_member"],
      [new YjsClient(server, ann, "nowhere"), 4404, "no_such_room"],
      [new YjsClient(server, ann, "far"), 4404, "no_such_room"],
      [new YjsClient(server, ann, "no%20id"), 4404, "no_such_room"],
    ] as const;
    for (const [client, code, reason] of attempts) {
      expect(await client.closed()).toEqual({ code, reason });
      expect(client.provider.shouldConnect).toBe(false);
      client.destroy();
    }
  });

  test("any more is put out: token revoked or expired, device signed off, too many sockets", async () => {
    const { server, people } = await lounge(
      ["ann", "bob"],
      {
        PORCHLIGHT_SOCKETS_PER_PARTICIPANT: "2",
      },
      true,
    );
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    const eve = await server.person("eve", { expires_at: "2026-03-02T09:01:00.000Z" });
    await server.room("lounge", [eve]);
    using e = await YjsClient.open(server, eve, "lounge");
    await server.clock.advance(60_000);
    expect(await e.closed()).toEqual({ code: 4401, reason: "token_expired" });
    using laptop = await YjsClient.open(server, ann, "lounge");
    using phone = await YjsClient.open(server, ann, "lounge", { device_id: "phone" });
    using tablet = await YjsClient.open(server, ann, "lounge", { device_id: "tablet" });
    expect(await laptop.closed()).toEqual({ code: 4409, reason: "too_many_devices" });
    await ann.delete("/v1/me/devices/phone");
    expect(await phone.closed()).toEqual({ code: 4403, reason: "signed_off" });
    using b = await YjsClient.open(server, bob, "lounge");
    await server.admin("DELETE", `/tokens/${ann.tokenId}`);
    expect(await tablet.closed()).toEqual({ code: 4401, reason: "token_revoked" });
    await server.clock.advance(100);
    await b.misses("ANN");
  });
});

describe("a lone client of y-websocket", () => {
  test("hears something every 15 s, so that it does not take the connection for dead", async () => {
    const { server, people } = await lounge(["ann"]);
    await using _ = server;
    const [ann] = people as [Person];
    using a = await YjsClient.open(server, ann, "lounge");
    for (let passed = 0; passed < 5; passed += 1) {
      a.provider.wsLastMessageReceived = 0;
      const heard = new Promise((resolve) =>
        a.provider.ws?.addEventListener("message", resolve, { once: true }),
      );
      await server.clock.advance(15_000);
      await heard;
      a.say({});
    }
    expect(a.flickers).toEqual([]);
  });

  test("is told everybody anew before 30 s are over", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    await a.sees("BOB", ({ id }) => id === b.id);
    a.flickers.length = 0;
    const clockOf = (): number => a.awareness.meta.get(b.id)?.clock ?? 0;
    for (let passed = 0; passed < 4; passed += 1) {
      const before = clockOf();
      const renewed = new Promise<void>((resolve) => {
        a.awareness.on("update", () => clockOf() > before && resolve());
      });
      await server.clock.advance(25_000);
      await renewed;
    }
    expect(a.flickers).toEqual([]);
  });
});

describe("a client of y-websocket in a room of which much is to be told", () => {
  test("hears it in messages that it may repeat, and is not closed for it", async () => {
    await using server = await TestServer.start();
    const people = await Promise.all(
      Array.from({ length: 40 }, (_, index) => server.person(`p${index}`)),
    );
    await server.room("lounge", people);
    const [viewer, ...others] = people as [Person, ...Person[]];
    using client = await YjsClient.open(server, viewer, "lounge");
    const raws = await Promise.all(
      others.map(({ token, id }) => Raw.yjs(server.url, "lounge", { token, device_id: id })),
    );
    for (const [index, raw] of raws.entries())
      raw.send(says(`{"x":"${"x".repeat(4_000)}"}`, { id: 1_000 + index }));
    const seesAll = (): boolean => client.seen.filter(({ state }) => state.x).length === 39;
    await client.until(seesAll);
    await client.settled();
    // All that there is at once is 160 KB.
    client.cut();
    await client.until(() => client.seen.length === 0);
    await client.until(seesAll);
    await client.settled();
    client.say({ still: "here" });
    expect(await raws[0]?.hears('"still":"here"')).toBe(true);
    for (const raw of raws) raw[Symbol.dispose]();
  });
});

describe("a room in which much is told", () => {
  test("collects changes for 8 ms after each telling, and tells them at once when it is calm again", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    /** Says something under 15 further ids. Resolves when it has been heard. */
    const say = async (clock: number): Promise<void> => {
      const text = `{"said":${clock}}`;
      const ids = Array.from({ length: 15 }, (_, index) => ({ id: 100 + index, clock, text }));
      a.provider.ws?.send(awareness(ids));
      await a.settled();
    };
    const sees = (said: number): boolean => b.seen.some(({ state }) => state.said === said);
    for (let clock = 1; clock <= 9; clock += 1) {
      await say(clock);
      await b.until(() => sees(clock));
    }
    await say(10);
    for (const ms of [0, 7]) {
      await server.clock.advance(ms);
      await b.settled();
      expect(sees(10)).toBe(false);
    }
    await server.clock.advance(1);
    await b.until(() => sees(10));
    await server.clock.advance(2_000);
    for (const clock of [11, 12]) {
      await say(clock);
      await b.until(() => sees(clock));
    }
  });
});

describe("a socket that only repeats what others say", () => {
  test("is told everything when it begins, and counts what it repeats", async () => {
    const { server, people } = await lounge(["ann", "bob"], {}, true);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    a.say({ x: 1 });
    using raw = await Raw.yjs(server.url, "lounge", { token: bob.token, device_id: "laptop" });
    const echo = { id: a.id, clock: 1, text: "{}" };
    raw.send(framed(awareness([echo, echo, echo])));
    expect(await raw.hears('"x":1')).toBe(true);
    const { body } = await server.request("GET", "/metrics", { token: server.adminToken });
    expect(body).toContain('porchlight_dropped_total{reason="awareness_foreign"} 3');
  });

  test("is there again with the next when it had run out, as after the machine slept", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    await using _ = server;
    const [ann, bob] = people as [Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    using raw = await Raw.yjs(server.url, "lounge", { token: bob.token, device_id: "laptop" });
    raw.send(says("{}"));
    await raw.hears('"ANN"');
    const stateOf = async (): Promise<string> =>
      (await ann.get("/v1/presence?ids=bob")).body.data.bob;
    expect(await stateOf()).toBe("online");
    server.clock.sleep(DEFAULT_TIMINGS.presence_ttl_ms);
    await server.clock.advance(10_000);
    expect(await stateOf()).toBe("offline");
    raw.send(Buffer.concat([says("{}", { id: a.id }), STEP_1]));
    await raw.hears(EMPTY_DOCUMENT);
    await server.clock.advance(DEFAULT_TIMINGS.coalesce_ms);
    expect(await stateOf()).toBe("online");
  });
});

describe("a client of y-websocket that takes everybody for gone", () => {
  test("removes nobody, and is told at once that they are there", async () => {
    const { server, people } = await lounge(["ann", "bob", "cy"]);
    await using _ = server;
    const [ann, bob, cy] = people as [Person, Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    using c = await YjsClient.open(server, cy, "lounge");
    for (const each of [a, c]) {
      await each.sees("BOB", ({ id }) => id === b.id);
      await each.until(() => each.seen.every(({ device_id }) => device_id !== null));
    }
    c.flickers.length = 0;
    // As its own timer does when the machine has slept.
    const { removeAwarenessStates } = await import("y-protocols/awareness");
    removeAwarenessStates(a.awareness, [b.id, c.id], "timeout");
    expect(a.seen).toEqual([]);
    const took = await timed(() => a.until(() => a.seen.length === 2));
    expect(took).toBeLessThan(SOON_MS);
    expect(c.seen.map(({ name }) => name)).toEqual(["ANN", "BOB"]);
    expect(c.flickers).toEqual([]);
    expect(b.awareness.getLocalState()).not.toBeNull();
  });
});

describe("an orderly restart", () => {
  test("closes everybody with 1012", async () => {
    const { server, people } = await lounge(["ann", "bob"]);
    const [ann, bob] = people as [Person, Person];
    using a = await YjsClient.open(server, ann, "lounge");
    using b = await YjsClient.open(server, bob, "lounge");
    await b.sees("ANN", ({ id }) => id === a.id);
    const stopped = server.stop();
    expect((await a.closed()).code).toBe(1012);
    expect((await b.closed()).code).toBe(1012);
    await stopped;
  });

  test("goes on above the clocks of before, also where the machine's clock was set back meanwhile", async () => {
    using directory = new TestDirectory();
    const file = directory.file("test.db");
    const first = await TestServer.start({ file });
    const people = [await first.person("ann"), await first.person("bob")] as const;
    await first.room("lounge", people);
    using a = await YjsClient.open(first, people[0], "lounge");
    using b = await YjsClient.open(first, people[1], "lounge");
    await first.clock.advance(50_000);
    a.say({ x: 1 });
    await b.sees("ann", ({ state }) => state.x === 1);
    const stopped = first.stop();
    for (const each of [a, b]) expect((await each.closed()).code).toBe(1012);
    await stopped;
    await using second = await TestServer.start({ file });
    expect(second.clock.wall()).toBeLessThan(first.clock.wall() - 40_000);
    for (const { provider } of [a, b])
      provider.serverUrl = `${second.url.replace("http", "ws")}/v1/yjs`;
    for (const each of [a, b]) await each.until(() => each.provider.wsconnected);
    const took = await timed(() => b.sees("ann", ({ id }) => id === a.id));
    expect(took).toBeLessThan(SOON_MS);
  });
});
