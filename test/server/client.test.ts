import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { RoomState } from "@porchlight/core";
import type { OutboxRecord, Runtime } from "@porchlight/core/client";
import { TestClock, turn } from "../support/clock.ts";
import { TestClient } from "../support/network.ts";
import { temporaryFolder } from "../support/process.ts";
import { type Person, TestServer } from "../support/server.ts";

/** A server with Ann and Bob in the lounge. */
async function porch(): Promise<{ server: TestServer; ann: Person; bob: Person }> {
  const server = await TestServer.start();
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  await server.room("lounge", [ann, bob]);
  return { server, ann, bob };
}

/** The lounge, as far as it is known. */
function lounge(client: TestClient): RoomState | undefined {
  const known = client.room("lounge");
  return "state" in known ? known.state : undefined;
}

function stateOf(client: TestClient, id: string): string | undefined {
  const known = client.presence(id);
  return known.status === "unknown" ? undefined : known.state;
}

/** What somebody else has been told of Ann, in order. */
async function told(stream: { heard(): Promise<{ type: string }[]> }): Promise<unknown[]> {
  const frames = (await stream.heard()) as {
    type: string;
    participant_id?: string;
    state?: string;
  }[];
  return frames
    .filter(({ type, participant_id }) => type === "presence" && participant_id === "ann")
    .map(({ state }) => state);
}

describe("Client", () => {
  test("shows a room and everyone's presence as they change", async () => {
    const { server, ann, bob } = await porch();
    await using _server = server;
    using a = await new TestClient(server, ann).ready();
    const [stop, stopToo] = [a.follow("lounge"), a.follow("lounge")];
    await a.current("lounge");
    expect(a.participant_id).toBe("ann");
    expect(stateOf(a, "bob")).toBe("offline");
    using _b = await new TestClient(server, bob).ready();
    await a.until(() => stateOf(a, "bob") === "online");
    expect(
      lounge(a)?.members.map(({ participant_id, presence }) => [participant_id, presence]),
    ).toEqual([
      ["ann", "online"],
      ["bob", "online"],
    ]);
    await server.admin("POST", "/rooms/lounge/events", { sender_id: "bob", content: {} });
    await a.until(() => lounge(a)?.unread_count === 1);
    await server.admin("PUT", "/rooms/lounge", { name: "Lounge" });
    await a.until(() => lounge(a)?.room.name === "Lounge");
    for (const each of [stop, stop]) each();
    expect(a.room("lounge").status).toBe("current");
    stopToo();
    expect(a.room("lounge")).toEqual({ status: "unknown" });
    expect((await a.rest.rooms())[0]).toMatchObject({ id: "lounge", name: "Lounge" });
  });

  test("tells who types in its field, at once and until they pause", async () => {
    const { server, ann, bob } = await porch();
    await using _server = server;
    using a = await new TestClient(server, ann).ready("lounge");
    using b = await new TestClient(server, bob).ready();
    const field = b.typingField("lounge");
    field.input();
    await a.until(() => a.typists("lounge").includes("bob"));
    expect(lounge(a)?.typing).toEqual(["bob"]);
    await server.clock.advance(2_999);
    expect(a.typists("lounge")).toEqual(["bob"]);
    await server.clock.advance(1);
    await a.until(() => a.typists("lounge").length === 0);
    expect(lounge(a)?.typing).toEqual([]);
  });

  test("drops a signal by itself when the server falls silent, and then gives the connection up", async () => {
    const { server, ann, bob } = await porch();
    await using _server = server;
    using a = await new TestClient(server, ann).ready("lounge");
    await bob.put("/v1/typing", { room_id: "lounge", typing: true });
    await a.until(() => a.typists("lounge").length === 1);
    a.network.mute();
    await server.clock.advance(6_999);
    expect(a.typists("lounge")).toEqual(["bob"]);
    await server.clock.advance(1);
    expect([a.typists("lounge"), lounge(a)?.typing]).toEqual([[], []]);
    expect(a.events.at(-1)).toEqual({ type: "changed" });
    await server.clock.advance(90_000);
    expect(a.presence("bob").status).toBe("stale");
  });

  test("marks everything stale when the connection is cut, and catches up when it is back", async () => {
    const { server, ann, bob } = await porch();
    await using _server = server;
    using a = await new TestClient(server, ann).ready("lounge");
    using b = await new TestClient(server, bob, { device_id: "phone" }).ready();
    b.typingField("lounge").input();
    await a.until(() => stateOf(a, "bob") === "online" && a.typists("lounge").length === 1);
    const cutAt = server.clock.wall();
    a.network.down();
    await a.until(() => a.connection.status === "waiting");
    expect(a.presence("bob")).toEqual({ status: "stale", state: "online", stale_since: cutAt });
    expect(a.room("lounge")).toMatchObject({ status: "stale", stale_since: cutAt });
    expect([a.typists("lounge"), lounge(a)?.typing]).toEqual([[], []]);
    await b.choose({ state: "busy" });
    await server.admin("POST", "/rooms/lounge/events", { sender_id: "bob", content: {} });
    a.network.up();
    a.resume();
    await a.current("lounge");
    expect([stateOf(a, "bob"), lounge(a)?.unread_count]).toEqual(["busy", 1]);
  });

  test("delivers a state chosen offline before it opens a socket, so that nobody sees it come", async () => {
    const { server, ann, bob } = await porch();
    await using _server = server;
    const hears = await bob.stream();
    using a = await new TestClient(server, ann).ready();
    a.suspend();
    await server.clock.advance(200);
    expect(await told(hears)).toEqual(["online", "offline"]);
    await a.choose({ state: "appear_offline" });
    expect(a.outbox.choice?.choice).toEqual({ state: "appear_offline" });
    a.network.log.length = 0;
    a.resume();
    await a.current();
    expect(a.network.log.slice(0, 2)).toEqual(["PUT /v1/me/presence", "open /v1/stream"]);
    await server.clock.advance(200);
    expect(await told(hears)).toEqual([]);
    expect([stateOf(a, "ann"), a.outbox.choice]).toEqual(["appear_offline", null]);
  });

  test("opens no socket while a state chosen offline cannot be delivered", async () => {
    const { server, ann } = await porch();
    await using _server = server;
    using a = new TestClient(server, ann);
    await a.choose({ state: "appear_offline" });
    a.network.down();
    a.open();
    await a.until(() => a.connection.status === "waiting");
    await server.clock.advance(60_000);
    expect(a.network.log.filter((each) => each.startsWith("open"))).toEqual([]);
    expect(a.network.log.length).toBeGreaterThan(2);
  });

  test("begins a connection anew when a state is chosen while it is being opened", async () => {
    const { server, ann, bob } = await porch();
    await using _server = server;
    const hears = await bob.stream();
    const { promise: token, resolve } = Promise.withResolvers<string>();
    using a = new TestClient(server, ann, { token: () => token });
    a.open();
    await turn();
    await a.choose({ state: "appear_offline" });
    resolve(ann.token);
    await a.current();
    await server.clock.advance(200);
    expect(await told(hears)).toEqual([]);
  });

  test("delivers a choice to hide before it opens, however slowly it is saved, or not at all", async () => {
    const { server, ann, bob } = await porch();
    await using _server = server;
    const hears = await bob.stream();
    const never = new Promise<void>(() => {});
    for (const save of [() => never, () => Promise.reject(new Error("The disk is full"))]) {
      const { promise: token, resolve } = Promise.withResolvers<string>();
      const storage = { load: async () => undefined, save };
      using a = new TestClient(server, ann, { token: () => token, storage });
      a.open();
      await turn();
      a.choose({ state: "appear_offline" }).catch(() => {});
      resolve(ann.token);
      await a.until(() => a.network.log.includes("PUT /v1/me/presence"));
      expect(a.network.log).not.toContain("open /v1/stream");
      await a.idle();
      await server.clock.advance(200);
      expect(await told(hears)).toEqual([]);
    }
  });

  test("wakes nobody with a state that was chosen long ago", async () => {
    const { server, ann, bob } = await porch();
    await using _server = server;
    await ann.put("/v1/me/presence", { state: "busy", device_id: "laptop" });
    await server.clock.advance(200_000);
    const hears = await bob.stream();
    await hears.heard();
    using a = new TestClient(server, ann);
    await a.choose({ auto: true });
    await server.clock.advance(3_600_000);
    await a.ready();
    await server.clock.advance(1_000);
    expect(await told(hears)).toEqual(["idle"]);
  });

  test("types unseen from the moment on at which its user has chosen to hide", async () => {
    const { server, ann, bob } = await porch();
    await using _server = server;
    using a = await new TestClient(server, ann).ready();
    using b = await new TestClient(server, bob).ready();
    const field = a.typingField("lounge");
    field.input();
    await b.until(() => b.typists("lounge").length === 1);
    a.network.busyFor = 60;
    await a.choose({ state: "appear_offline" });
    // That they have ceased to type may be told, and is.
    field.stop();
    await b.until(() => b.typists("lounge").length === 0);
    expect(stateOf(a, "ann")).toBe("appear_offline");
    a.typingField("lounge").input();
    await a.idle();
    await b.rest.rooms();
    expect(b.typists("lounge")).toEqual([]);
  });

  test("lets no earlier failure hold up a choice", async () => {
    const { server, ann } = await porch();
    await using _server = server;
    using a = await new TestClient(server, ann).ready();
    a.network.busyFor = 60;
    a.follow("lounge");
    await a.idle();
    a.network.busyFor = undefined;
    await a.choose({ state: "busy" });
    await a.until(() => a.outbox.choice === null);
  });

  test("goes on when a listener throws, and reports it", async () => {
    const { server, ann } = await porch();
    await using _server = server;
    const reported: unknown[] = [];
    const report = (error: unknown): unknown => reported.push(error);
    using a = new TestClient(server, ann, { runtime: { report } });
    a.subscribe(() => {
      throw new Error("Mine");
    });
    await a.ready("lounge");
    expect(reported).toContainEqual(new Error("Mine"));
  });

  test("returns as idle as its user is", async () => {
    const { server, ann, bob } = await porch();
    await using _server = server;
    const hears = await bob.stream();
    using a = await new TestClient(server, ann).ready();
    a.network.down();
    await a.until(() => a.connection.status === "waiting");
    await server.clock.advance(300_000);
    expect(await told(hears)).toEqual(["online", "offline"]);
    a.network.up();
    a.resume();
    await a.current();
    await server.clock.advance(200);
    expect(await told(hears)).toEqual(["idle"]);
    a.active();
    await server.clock.advance(200);
    expect(await told(hears)).toEqual(["online"]);
    a.away();
    await server.clock.advance(200);
    expect(await told(hears)).toEqual(["idle"]);
  });

  test("shows an edit at once, and sends it when it can", async () => {
    const { server, ann } = await porch();
    await using _server = server;
    let kept: OutboxRecord | undefined;
    const storage = {
      load: async () => kept,
      save: async (record: OutboxRecord) => {
        kept = record;
      },
    };
    using offline = new TestClient(server, ann, { storage });
    expect(offline.preferences.locale).toBe("en");
    await offline.edit({ locale: "nl" });
    expect([offline.preferences.locale, kept?.edits.length]).toEqual(["nl", 1]);
    offline.close();
    const never = new Promise<never>(() => {});
    using restarted = new TestClient(server, ann, { storage, token: () => never });
    restarted.open();
    await restarted.until(() => restarted.preferences.locale === "nl");
    restarted.close();
    await server.clock.advance(60_000);
    await ann.put("/v1/me/preferences", { time_format: "12h" });
    using back = await new TestClient(server, ann, { storage }).ready();
    await back.until(() => kept?.edits.length === 0);
    expect(back.preferences).toMatchObject({ locale: "nl", time_format: "12h" });
    const superseded = new TestClient(server, ann, { device_id: "phone" });
    using _superseded = superseded;
    await superseded.edit({ locale: "de" });
    await server.clock.advance(1_000);
    await back.edit({ locale: "en" });
    await back.current();
    await superseded.ready();
    expect(superseded.preferences.locale).toBe("en");
    expect(superseded.events).toContainEqual(
      expect.objectContaining({
        type: "delivered",
        delivery: expect.objectContaining({
          answer: expect.objectContaining({
            superseded: [{ seq: expect.any(Number), path: "locale" }],
          }),
        }),
      }),
    );
  });

  test("hears of what another device of the person has set", async () => {
    const { server, ann } = await porch();
    await using _server = server;
    using a = await new TestClient(server, ann).ready();
    await ann.put("/v1/me/preferences", { locale: "de" });
    await a.until(() => a.preferences.locale === "de");
  });

  test("believes a frame rather than an answer to what was asked before it", async () => {
    const { server, ann } = await porch();
    await using _server = server;
    using a = new TestClient(server, ann);
    const { reached, release } = a.network.hold("/v1/me/preferences");
    a.open();
    await reached;
    await ann.put("/v1/me/preferences", { locale: "de" });
    await a.until(() => a.preferences.locale === "de");
    a.events.length = 0;
    release();
    await a.until(() => a.events.some(({ type }) => type === "changed"));
    expect(a.preferences.locale).toBe("de");
  });

  test("says why a room is not shown, and shows it once it is", async () => {
    const { server, ann, bob } = await porch();
    await using _server = server;
    await server.room("attic", [bob]);
    using a = await new TestClient(server, ann).ready("lounge");
    a.follow("attic");
    await a.until(() => a.room("attic").status === "refused");
    expect(a.room("attic")).toMatchObject({ error: { code: "SW_NOT_MEMBER" } });
    await server.admin("PUT", "/rooms/attic/members/ann", { tenant_id: "acme" });
    await a.until(() => a.room("attic").status === "current");
  });

  test("asks again five seconds after a failure in passing, and not before, whatever is heard", async () => {
    const { server, ann, bob } = await porch();
    await using _server = server;
    using a = await new TestClient(server, ann, { runtime: { random: () => 0.5 } }).ready();
    a.network.failing = true;
    a.follow("lounge");
    await a.edit({ locale: "nl" });
    await a.idle();
    const asked = a.network.log.length;
    await bob.put("/v1/me/presence", { state: "busy" });
    await a.until(() => stateOf(a, "bob") === "busy");
    await server.clock.advance(4_999);
    expect([a.network.log.length, a.room("lounge").status]).toEqual([asked, "unknown"]);
    a.network.failing = false;
    await server.clock.advance(1);
    await a.current("lounge");
    expect(a.outbox.edits).toEqual([]);
  });

  test("asks again when the server says, and at once on a new connection", async () => {
    const { server, ann } = await porch();
    await using _server = server;
    using a = await new TestClient(server, ann).ready();
    a.network.busyFor = 60;
    a.follow("lounge");
    await a.idle();
    const asked = a.network.log.length;
    a.network.busyFor = undefined;
    await server.clock.advance(59_999);
    expect(a.network.log.length).toBe(asked);
    await server.clock.advance(1);
    await a.current("lounge");
    a.network.busyFor = 60;
    a.resume();
    await a.until(() => a.connection.status === "open");
    await a.idle();
    a.network.busyFor = undefined;
    a.resume();
    await a.current("lounge");
  });

  test("asks again for a room when the answer makes no sense", async () => {
    const { server, ann } = await porch();
    await using _server = server;
    let isSane = false;
    const fetch: Runtime["fetch"] = (url, init) =>
      isSane || !url.endsWith("/state")
        ? globalThis.fetch(url, init)
        : Promise.resolve(Response.json({ data: {} }));
    using a = new TestClient(server, ann, { runtime: { random: () => 0.5, fetch } });
    a.follow("lounge");
    a.open();
    await a.current();
    expect(a.room("lounge").status).toBe("unknown");
    isSane = true;
    await server.clock.advance(5_000);
    await a.current("lounge");
  });

  test("opens nothing while it cannot take up what was saved, and tries again", async () => {
    const { server, ann } = await porch();
    await using _server = server;
    let isOut = true;
    const load = (): Promise<undefined> =>
      isOut ? Promise.reject(new Error("The disk is out")) : Promise.resolve(undefined);
    using a = new TestClient(server, ann, { storage: { load, save: async () => {} } });
    a.open();
    await a.until(() => a.connection.status === "waiting");
    expect(a.connection).toMatchObject({ why: { reason: "Error: The disk is out" } });
    expect(a.network.log).toEqual([]);
    isOut = false;
    await server.clock.advance(1_000);
    await a.current();
  });

  test("lets an edit wait for what the server has asked, also while a choice does", async () => {
    const { server, ann } = await porch();
    await using _server = server;
    using a = await new TestClient(server, ann).ready();
    a.network.busyFor = 60;
    await a.choose({ state: "busy" });
    await a.idle();
    const asked = a.network.log.length;
    await a.edit({ locale: "nl" });
    await a.idle();
    expect(a.network.log.length).toBe(asked);
  });

  test("sends what waits once, however much it hears meanwhile", async () => {
    const { server, ann, bob } = await porch();
    await using _server = server;
    using a = await new TestClient(server, ann).ready();
    const { reached, release } = a.network.hold("/v1/me/preferences/edits");
    await a.edit({ locale: "nl" });
    await reached;
    await bob.put("/v1/me/presence", { state: "busy" });
    await a.until(() => stateOf(a, "bob") === "busy");
    a.network.failing = true;
    release();
    await a.idle();
    expect(a.network.log.filter((each) => each.startsWith("POST"))).toHaveLength(1);
  });

  test("asks a third time when an edit of its own and another device's crossed", async () => {
    const { server, ann } = await porch();
    await using _server = server;
    using a = await new TestClient(server, ann).ready();
    const { reached, release } = a.network.hold("/v1/me/preferences/edits");
    await a.edit({ locale: "nl", time_format: "12h" });
    await reached;
    await ann.put("/v1/me/preferences", { locale: "de" });
    await a.until(() =>
      a.events.some(
        (event) =>
          event.type === "frame" &&
          event.frame.type === "swp.me.preferences" &&
          JSON.stringify(event.frame).includes('"locale":"de"'),
      ),
    );
    release();
    await a.until(() => a.preferences.locale === "de");
    expect(a.preferences.time_format).toBe("12h");
  });

  test("obeys the server's timings, not the documented ones", async () => {
    const env = {
      PORCHLIGHT_IDLE_AFTER_MS: "45000",
      PORCHLIGHT_TYPING_TTL_MS: "1500",
      PORCHLIGHT_TYPING_REFRESH_MS: "1000",
      PORCHLIGHT_TYPING_RETELL_MS: "1000",
    };
    await using server = await TestServer.start({ env });
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lounge", [ann, bob]);
    using a = await new TestClient(server, ann).ready();
    using b = await new TestClient(server, bob).ready();
    const field = b.typingField("lounge");
    field.input();
    await a.until(() => a.typists("lounge").length === 1);
    await server.clock.advance(900);
    field.input();
    await server.clock.advance(800);
    await b.rest.myPresence();
    expect(a.typists("lounge")).toEqual(["bob"]);
    const beats = (): number =>
      a.events.filter((event) => event.type === "frame" && event.frame.type === "heartbeat").length;
    await server.clock.advance(43_299);
    await a.until(() => beats() === 1);
    // Idle is said at once, between two heartbeats.
    await server.clock.advance(1);
    await a.until(() => beats() === 2);
  });

  test("stays away when it is told to, until it is opened again", async () => {
    const { server, ann } = await porch();
    await using _server = server;
    let { token } = ann;
    using a = await new TestClient(server, ann, { token: () => token }).ready();
    await server.admin("DELETE", `/tokens/${ann.tokenId}`);
    // A function is asked once whether it has another.
    await a.until(() => a.connection.status === "waiting");
    await server.clock.advance(1);
    await a.until(() => a.connection.status === "closed");
    expect(a.connection).toEqual({
      status: "closed",
      why: { code: 4001, reason: "token_invalid" },
    });
    await server.clock.advance(120_000);
    a.resume();
    expect(a.connection.status).toBe("closed");
    ({ token } = await server.person("ann"));
    await a.ready();
  });

  test("does not fight over a device with another of the same name", async () => {
    const { server, ann } = await porch();
    await using _server = server;
    using first = await new TestClient(server, ann, { instance: "tab" }).ready();
    using second = await new TestClient(server, ann, { instance: "tab" }).ready();
    await first.until(() => first.connection.status === "closed");
    expect(first.connection).toMatchObject({ why: { reason: "duplicate_connection" } });
    await server.clock.advance(60_000);
    expect(second.connection.status).toBe("open");
  });

  test("replaces its socket without anyone seeing it go", async () => {
    const { server, ann, bob } = await porch();
    await using _server = server;
    const hears = await bob.stream();
    using a = await new TestClient(server, ann).ready();
    await server.clock.advance(200);
    expect(await told(hears)).toEqual(["online"]);
    a.resume();
    await a.current();
    await server.clock.advance(15_000);
    expect(await told(hears)).toEqual([]);
  });

  test("comes back to a server that restarts, and nobody is seen to go", async () => {
    const folder = temporaryFolder();
    using _folder = folder;
    const file = join(folder.path, "porch.db");
    const before = await TestServer.start({ file });
    const [ann, bob] = [await before.person("ann"), await before.person("bob")];
    using a = await new TestClient(before, ann).ready();
    using b = await new TestClient(before, bob).ready();
    await a.until(() => stateOf(a, "bob") === "online");
    await b.until(() => stateOf(b, "ann") === "online");
    const { clock, url } = before;
    await before[Symbol.asyncDispose]();
    await a.until(() => a.connection.status === "waiting");
    const env = { PORCHLIGHT_PORT: new URL(url).port };
    await using _after = await TestServer.start({ file, clock, env });
    b.events.length = 0;
    await clock.advance(12_000);
    await Promise.all([a.current(), b.current()]);
    await clock.advance(30_000);
    const seen = b.events.flatMap((event) =>
      event.type === "frame" && event.frame.type === "presence" ? event.frame : [],
    );
    expect(seen.filter(({ participant_id }) => participant_id === "ann")).toEqual([]);
    expect(stateOf(b, "ann")).toBe("online");
  });

  test("leaves no timer behind when it is closed, and may be closed twice", async () => {
    const { server, ann } = await porch();
    await using _server = server;
    const clock = new TestClock();
    const a = new TestClient(server, ann, { runtime: { clock } });
    a.follow("lounge");
    a.open();
    await a.current("lounge");
    expect(clock.timers).toBeGreaterThan(0);
    a.close();
    a.close();
    expect(a.connection).toEqual({ status: "closed", why: { code: 1000, reason: "bye" } });
    expect(clock.timers).toBe(0);
    a.open();
    await a.current("lounge");
    a.network.busyFor = 3_600;
    a.follow("elsewhere");
    a.close();
    await a.idle();
    expect(clock.timers).toBe(0);
  });
});
