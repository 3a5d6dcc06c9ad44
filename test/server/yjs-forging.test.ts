import { describe, expect, test } from "bun:test";
import { DEFAULT_TIMINGS } from "@porchlight/core";
import { STAND_IN_IDS_FROM } from "@porchlight/core/awareness";
import { Raw } from "../support/raw.ts";
import { type Person, TestServer } from "../support/server.ts";
import { closeIn } from "../support/websocket.ts";
import { YjsClient } from "../support/yjs.ts";
import { EMPTY_DOCUMENT, STEP_1, says } from "../support/yjs-wire.ts";

/** Ann, whom Eve speaks for, and Bob, who watches: both with the published client, Eve with bytes of her own. */
class Scene implements AsyncDisposable {
  readonly server: TestServer;
  readonly ann: Person;
  readonly eve: Person;
  readonly bob: YjsClient;
  a: YjsClient;

  private constructor(server: TestServer, ann: Person, eve: Person, a: YjsClient, bob: YjsClient) {
    this.server = server;
    this.ann = ann;
    this.eve = eve;
    this.a = a;
    this.bob = bob;
  }

  static async set(options: { alone?: boolean } = {}): Promise<Scene> {
    const server = await TestServer.start(options);
    const [ann, bob, eve] = [
      await server.person("ann", { display_name: "ANN" }),
      await server.person("bob", { display_name: "BOB" }),
      await server.person("eve", { display_name: "EVE" }),
    ];
    await server.room("lounge", [ann, bob, eve]);
    const a = await YjsClient.open(server, ann, "lounge");
    const b = await YjsClient.open(server, bob, "lounge");
    const scene = new Scene(server, ann, eve, a, b);
    await scene.annSays(1);
    return scene;
  }

  /** Ann says something, and Bob sees it. */
  async annSays(x: number): Promise<void> {
    this.a.say({ x });
    await this.bob.sees("ANN", ({ id, state }) => id === this.a.id && state.x === x);
  }

  /** A socket of Eve's, which sends these frames one by one; resolves when all of them were heard, or it was closed. */
  async eveSends(...frames: readonly Buffer[]): Promise<Raw> {
    const raw = await Raw.yjs(this.server.url, "lounge", {
      token: this.eve.token,
      device_id: "eve-laptop",
    });
    for (const frame of frames) raw.send(frame);
    raw.send(STEP_1);
    await Promise.race([raw.hears(EMPTY_DOCUMENT), raw.ended]);
    return raw;
  }

  /** How much of something the server has dropped. */
  async dropped(reason: string): Promise<number> {
    const { body } = await this.server.request("GET", "/metrics", {
      token: this.server.adminToken,
    });
    const line = new RegExp(`^porchlight_dropped_total\\{reason="${reason}"\\} (\\d+)$`, "m");
    return Number(line.exec(body)?.[1] ?? 0);
  }

  /** What Bob sees of Ann, and Ann of herself, once everything sent before is told. */
  async truth(): Promise<{ seen: unknown; own: unknown }> {
    const x = Math.random();
    await this.annSays(x);
    const seen = this.bob.of("ANN").map(({ id, state }) => [id === this.a.id, state.user.name]);
    const { x: said, ...own } = this.a.awareness.getLocalState() ?? {};
    expect(said).toBe(x);
    return { seen, own };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.a.destroy();
    this.bob.destroy();
    await this.server[Symbol.asyncDispose]();
  }
}

const UNHARMED = { seen: [[true, "ANN"]], own: {} };
const MOST = Number.MAX_SAFE_INTEGER;

describe("somebody who speaks for another", () => {
  test("under their client id, with a higher clock, has no effect on anyone, and is counted", async () => {
    await using scene = await Scene.set({ alone: true });
    const clock = scene.bob.awareness.meta.get(scene.a.id)?.clock ?? 0;
    scene.bob.flickers.length = 0;
    using _eve = await scene.eveSends(
      says('{"x":666,"user":{"participant_id":"ann"}}', { id: scene.a.id, clock: clock + 1_000 }),
      says('{"x":667}', { id: scene.a.id, clock: MOST }),
    );
    expect(await scene.truth()).toEqual(UNHARMED);
    expect(scene.bob.flickers.filter(({ what }) => what === "removed")).toEqual([]);
    expect(await scene.dropped("awareness_forged")).toBe(2);
    // And the clock that was given out with it holds nobody up.
    await scene.annSays(3);
  });

  test("by claiming to be them in an entry of their own is shown as who they are", async () => {
    await using scene = await Scene.set();
    using _eve = await scene.eveSends(
      says('{"user":{"participant_id":"ann","name":"ANN","display_name":"ANN"},"x":1}'),
    );
    const { state } = await scene.bob.sees("EVE", ({ id }) => id === 1_000);
    expect(state.user).toEqual({
      participant_id: "eve",
      display_name: "EVE",
      avatar_url: null,
      name: "EVE",
    });
    expect(await scene.truth()).toEqual(UNHARMED);
  });

  test("by saying that they are gone removes nobody, and is counted", async () => {
    await using scene = await Scene.set({ alone: true });
    const clock = scene.bob.awareness.meta.get(scene.a.id)?.clock ?? 0;
    scene.bob.flickers.length = 0;
    using _eve = await scene.eveSends(
      says("null", { id: scene.a.id, clock }),
      says("null", { id: scene.a.id, clock: clock + 1_000 }),
      says("null", { id: scene.bob.id, clock: MOST }),
    );
    expect(await scene.truth()).toEqual(UNHARMED);
    expect(scene.bob.flickers.filter(({ what }) => what === "removed")).toEqual([]);
    expect(await scene.dropped("awareness_mistaken")).toBe(1);
    expect(await scene.dropped("awareness_forged")).toBe(2);
  });

  test("by repeating what they once said has no effect on anyone", async () => {
    await using scene = await Scene.set();
    const clock = scene.bob.awareness.meta.get(scene.a.id)?.clock ?? 0;
    const told = JSON.stringify(scene.bob.awareness.getStates().get(scene.a.id));
    await scene.annSays(2);
    using _eve = await scene.eveSends(
      says(told, { id: scene.a.id, clock }),
      says(told, { id: scene.a.id, clock: 2 }),
    );
    expect(await scene.truth()).toEqual(UNHARMED);
    expect(await scene.dropped("awareness_forged")).toBe(0);
  });

  test("while they are away finds their id taken, and they have it when they are back", async () => {
    await using scene = await Scene.set();
    const { doc } = scene.a.provider;
    scene.a.provider.destroy();
    await scene.bob.until(
      () => scene.bob.of("ANN").length === 0 || scene.bob.of("ANN")[0]?.id !== scene.a.id,
    );
    await scene.server.clock.advance(60_000);
    await scene.bob.misses("ANN");
    using _eve = await scene.eveSends(says('{"x":1}', { id: doc.clientID, clock: 1 }));
    // Eve is there all the same, though she says nothing of herself.
    await scene.server.clock.advance(100);
    expect((await scene.bob.sees("EVE")).device_id).toBeNull();
    scene.a = await YjsClient.open(scene.server, scene.ann, "lounge", { doc });
    await scene.annSays(4);
    expect(await scene.truth()).toEqual(UNHARMED);
    expect(scene.bob.of("EVE").map(({ device_id }) => device_id)).toEqual([null]);
  });

  test("with an id that nobody keeps for its owner any more is shown under another to them", async () => {
    await using scene = await Scene.set();
    const { doc } = scene.a.provider;
    scene.a.provider.destroy();
    await scene.bob.misses("ANN");
    await scene.server.clock.advance(600_000);
    using eve = await scene.eveSends(says('{"x":1}', { id: doc.clientID }));
    await scene.bob.sees("EVE", ({ id }) => id === doc.clientID);
    scene.a = new YjsClient(scene.server, scene.ann, "lounge", { doc });
    scene.a.say({ mine: true });
    const alias = await scene.a.sees("EVE", ({ state }) => state.x === 1);
    expect(alias.id).toBeGreaterThanOrEqual(STAND_IN_IDS_FROM);
    await scene.server.clock.advance(DEFAULT_TIMINGS.coalesce_ms);
    expect((await scene.bob.sees("ANN")).device_id).toBeNull();
    eve.send(says('{"x":2}', { id: doc.clientID, clock: 2 }));
    expect((await scene.a.sees("EVE", ({ state }) => state.x === 2)).id).toBe(alias.id);
    expect(scene.a.awareness.getLocalState()).toEqual({ mine: true });
    eve.send(says("null", { id: doc.clientID, clock: 3 }));
    await scene.a.until(() => scene.a.of("EVE").every(({ id }) => id !== alias.id));
    expect(scene.a.awareness.getLocalState()).toEqual({ mine: true });
  });

  test("over and over is told that permission is denied, and closed for good with 4403", async () => {
    await using scene = await Scene.set();
    const frames = Array.from({ length: 21 }, (_, index) =>
      says('{"x":1}', { id: scene.a.id, clock: MOST - index }),
    );
    using few = await scene.eveSends(...frames.slice(1));
    expect(closeIn(few.received)).toBeUndefined();
    using many = await scene.eveSends(...frames);
    expect(closeIn(many.received)).toEqual({ code: 4403, reason: "forged" });
    expect(many.received.includes("\x02\0\x06forged")).toBe(true);
    expect(await scene.truth()).toEqual(UNHARMED);
  });
});

describe("a further socket of one's own", () => {
  test("is not told of the others before it speaks for an id, which might be one of theirs", async () => {
    await using scene = await Scene.set();
    const { token } = scene.ann;
    using tablet = await YjsClient.open(scene.server, scene.ann, "lounge", { device_id: "tablet" });
    await tablet.sees("ANN");
    using raw = await Raw.yjs(scene.server.url, "lounge", { token, device_id: "phone" });
    raw.send(STEP_1);
    await raw.hears(EMPTY_DOCUMENT);
    scene.a.say({ secret: "not yet" });
    await scene.bob.sees("ANN", ({ state }) => state.secret === "not yet");
    // Who says nothing is told of everybody all the same.
    await scene.server.clock.advance(DEFAULT_TIMINGS.coalesce_ms);
    expect(await raw.hears("BOB")).toBe(true);
    expect(raw.received.includes("not yet")).toBe(false);
    raw.send(says('{"x":1}'));
    expect(await raw.hears("not yet")).toBe(true);
    scene.a.say({ secret: "but now" });
    expect(await raw.hears("but now")).toBe(true);
  });
});

describe("20 clients of y-websocket, who repeat what they hear,", () => {
  test("bear 10 changes a second: each is told once, nobody is closed or falls behind", async () => {
    await using server = await TestServer.start();
    const people: Person[] = [];
    for (let index = 0; index < 20; index += 1)
      people.push(await server.person(`p${index}`, { display_name: `P${index}` }));
    await server.room("lounge", people);
    const clients = await Promise.all(
      people.map((person) => YjsClient.open(server, person, "lounge")),
    );
    const [first] = clients as [YjsClient];
    const frames = async (): Promise<number> => {
      const { body } = await server.request("GET", "/metrics", { token: server.adminToken });
      return Number(/^porchlight_frames_total\{type="awareness"\} (\d+)$/m.exec(body)?.[1]);
    };
    const change = async (x: number): Promise<void> => {
      first.say({ x });
      for (const client of clients.slice(1))
        await client.sees("P0", ({ id, state }) => id === first.id && state.x === x);
      await server.clock.advance(100);
    };
    await change(0);
    await server.clock.advance(1_000);
    const before = await frames();
    for (let x = 1; x <= 100; x += 1) await change(x);
    // Everything is told again every 15 s, which is within these ten once at most.
    const told = (await frames()) - before;
    expect(told).toBeGreaterThanOrEqual(100);
    expect(told).toBeLessThanOrEqual(100 + clients.length + 1);
    expect(server.lines.filter(({ event }) => event === "yjs.closed")).toEqual([]);
    for (const client of clients) client.destroy();
  }, 30_000);
});
