import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { join } from "node:path";
import { type Porchlight, porchlight } from "@porchlight/server";
import { type AnyElysia, Elysia } from "elysia";
import { Arrivals } from "../support/arrivals.ts";
import { TestClock } from "../support/clock.ts";
import { startIn } from "../support/host.ts";
import { temporaryFolder } from "../support/process.ts";
import { type Person, type Reply, refusedWith, TestServer } from "../support/server.ts";
import type { Frame } from "../support/stream.ts";

const METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"] as const;

/** An app with a page and a fault of its own, and its own words for them. */
function ownApp(prefix = ""): Elysia {
  const app = new Elysia({ prefix })
    .onError(({ code, set }) => {
      set.headers["x-answered-by"] = "app";
      return `own words for ${code}`;
    })
    .get("/", () => "own page")
    .get("/v1/own", () => "own endpoint")
    .get("/broken", () => {
      throw new Error("own fault");
    });
  return app as unknown as Elysia;
}

const inApp = startIn((plugin) => ownApp().use(plugin));

/** What of an answer does not depend on when and where it was given. */
function essence({ status, headers, body }: Reply): object {
  const kept = [...headers].filter(([name]) => !["date", "x-request-id", "etag"].includes(name));
  return { status, headers: Object.fromEntries(kept), code: body?.error?.code };
}

/** Two people in a room. */
async function pair(server: TestServer): Promise<[ann: Person, bob: Person]> {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  await server.room("lounge", [ann, bob]);
  return [ann, bob];
}

/** Every request of a server, with its neighbours: each method, and paths that lead nowhere. */
async function answersOf(server: TestServer, routes: TestServer["routes"]): Promise<object[]> {
  const [ann] = await pair(server);
  const paths = new Set(
    routes
      .map(({ path }) => path.replaceAll(/:\w+/g, "lounge"))
      .flatMap((path) => [path, `${path}/`, path.replace("lounge", "%ff"), `${path}/nowhere`]),
  );
  const answers: object[] = [];
  for (const path of [...paths].filter((path) => path.startsWith("/v1/")))
    for (const method of METHODS) {
      const token = path.startsWith("/v1/admin/") ? server.adminToken : ann.token;
      const headers = { origin: "https://porch.example" };
      const answer = await server.request(method, path, { token, headers });
      answers.push({ method, path, ...essence(answer) });
    }
  return answers;
}

describe("the plugin, in an app of somebody else,", () => {
  test("answers every request and its neighbours as a server of its own does, below a prefix as well", async () => {
    await using alone = await TestServer.start();
    await using within = await TestServer.start({ by: inApp });
    const below = startIn((plugin) => new Elysia().use(ownApp("/chat").use(plugin)), "/chat");
    await using prefixed = await TestServer.start({ by: below });
    const expected = await answersOf(alone, alone.routes);
    expect(expected.length).toBeGreaterThan(400);
    expect(await answersOf(within, alone.routes)).toEqual(expected);
    expect(await answersOf(prefixed, alone.routes)).toEqual(expected);
  });

  test("leaves the app its pages, what it does not know, and its faults", async () => {
    await using server = await TestServer.start({ by: inApp });
    const answer = async (path: string): Promise<unknown[]> => {
      const response = await fetch(`${server.url}${path}`);
      return [response.status, response.headers.get("x-answered-by"), await response.text()];
    };
    expect(await answer("/")).toEqual([200, null, "own page"]);
    expect(await answer("/v1/own")).toEqual([200, null, "own endpoint"]);
    expect(await answer("/nowhere")).toEqual([404, "app", "own words for NOT_FOUND"]);
    expect(await answer("/broken")).toEqual([500, "app", "own words for UNKNOWN"]);
    expect(server.lines.filter(({ level }) => level !== "info")).toEqual([]);
  });

  test("has streams on the app's port, with limits as they are on its own", async () => {
    for (const [path, by] of [
      ["", inApp],
      ["/chat", startIn((plugin) => ownApp("/chat").use(plugin), "/chat")],
    ] as const) {
      await using server = await TestServer.start({ by });
      const [ann, bob] = await pair(server);
      const hears = await ann.stream({ device_id: "a" });
      const types = await bob.stream({ device_id: "b" });
      const isBobs = (frame: Frame): boolean => frame.participant_id === "bob";
      expect(await hears.next(isBobs)).toMatchObject({ type: "presence", state: "online" });
      types.send({ type: "typing", room_id: "lounge", typing: true });
      expect(await hears.type("typing")).toMatchObject({ participant_id: "bob", typing: true });
      types.sendText(" ".repeat(1_048_577));
      expect((await types.closed).code, path).toBe(1009);
      expect(server.lines.filter(({ level }) => level !== "info")).toEqual([]);
    }
  });

  test("reads bodies by itself, whatever the app makes of its own", async () => {
    const by = startIn((plugin) => new Elysia().derive(({ body }) => ({ body })).use(plugin));
    await using server = await TestServer.start({ by });
    const ann = await server.person("ann");
    expect((await ann.put("/v1/me", { bio: "here" })).body.data.bio).toBe("here");
  });

  test("refuses to start in an app that reads every body itself", async () => {
    const settings = { env: {}, databaseUrl: "sqlite::memory:", log: () => undefined };
    const plugin = await porchlight(settings);
    const app = new Elysia({ aot: false }).use(plugin);
    expect(() => app.listen({ hostname: "127.0.0.1", port: 0 })).toThrow("aot: false");
    await app.server?.stop(true);
    await plugin.stop();
  });

  test("stops in order while the app goes on: streams are told when to come back, requests finish", async () => {
    using folder = temporaryFolder();
    const [clock, file] = [new TestClock(), join(folder.path, "porchlight.db")];
    let plugin: Porchlight | undefined;
    const by = startIn((each) => {
      plugin = each;
      return ownApp().use(each);
    });
    const before = await TestServer.start({ clock, file, by });
    const [ann, bob] = await pair(before);
    const stream = await ann.stream({ device_id: "a" });
    const upload = await beginUpload(before.url, bob.token);
    expect((await bob.get("/v1/me")).status).toBe(200);
    const stopped = plugin?.stop();
    const closed = await stream.closed;
    expect([closed.code, Number(closed.reason) < 10_000]).toEqual([1012, true]);
    expect(refusedWith(await bob.get("/v1/me"))).toBe("503 SW_UNAVAILABLE");
    expect(await upload.finish()).toStartWith("HTTP/1.1 200");
    await stopped;
    expect(await (await fetch(before.url)).text()).toBe("own page");
    await before.stop();
    expect(before.lines.filter(({ event }) => event === "server.stopped")).toHaveLength(1);

    await using after = await TestServer.start({ clock, file, by: inApp });
    const states = await after.request("GET", "/v1/presence?ids=ann", { token: bob.token });
    expect(states.body.data).toEqual({ ann: "online" });
  });

  test("does not wait for a request for longer than 3 s", async () => {
    await using server = await TestServer.start({ by: inApp });
    const ann = await server.person("ann");
    const upload = await beginUpload(server.url, ann.token);
    expect((await ann.get("/v1/me")).status).toBe(200);
    const stopped = server.stop();
    for (let step = 0; step < 4; step += 1) await server.clock.advance(1_000);
    await stopped;
    upload.hangUp();
  });

  test("stops when the app has stopped, if nobody did it before", async () => {
    using folder = temporaryFolder();
    const events = new Arrivals<string>();
    const plugin = await porchlight({
      env: {},
      databaseUrl: `sqlite:${join(folder.path, "porchlight.db")}`,
      log: (_level, event) => events.add(event),
    });
    const app = new Elysia().use(plugin).listen({ hostname: "127.0.0.1", port: 0 });
    await app.stop(true);
    expect(await events.until((all) => all.includes("server.stopped") || undefined)).toBe(true);
    await plugin.stop();
  });

  test("says what an app lacks whose server is configured otherwise, once", async () => {
    const faultsIn = async (build: (plugin: Porchlight) => AnyElysia, prefix?: string) => {
      await using server = await TestServer.start({ by: startIn(build, prefix) });
      await server.request("GET", "/healthz");
      await server.request("GET", "/healthz");
      const said = server.lines.filter(({ event }) => event === "plugin.incomplete");
      return said.map(({ faults }) => faults);
    };
    expect(await faultsIn((plugin) => new Elysia().use(plugin))).toEqual([]);
    const pinged = { idleTimeout: 60, sendPings: true };
    expect(await faultsIn((plugin) => new Elysia({ websocket: pinged }).use(plugin))).toEqual([
      [
        expect.stringContaining("websocket.idleTimeout of the app should be "),
        "websocket.sendPings of the app should be false",
      ],
    ]);
    const nested = (plugin: Porchlight, options: object) =>
      new Elysia(options).use(new Elysia({ prefix: "/chat" }).use(plugin));
    expect(await faultsIn((plugin) => nested(plugin, {}), "/chat")).toMatchObject([{ length: 5 }]);
    expect(
      await faultsIn((plugin) => nested(plugin, { websocket: plugin.websocket }), "/chat"),
    ).toEqual([]);
    expect(
      await faultsIn((plugin) => new Elysia().group("/chat", (app) => app.use(plugin)), "/chat"),
    ).toEqual([[expect.stringContaining("in a group")]]);
  });
});

describe("porchlight()", () => {
  test("takes settings by name before those of the environment, and refuses them with every fault", async () => {
    const env = { PORCHLIGHT_DATABASE_URL: "mysql:x", PORCHLIGHT_PING_MS: "1000" };
    const wrong = porchlight({ env, adminToken: "short", limits: { body_max_bytes: -1 } });
    expect(await wrong.catch((error: unknown) => error)).toMatchObject({
      name: "ConfigError",
      faults: [
        { path: "PORCHLIGHT_DATABASE_URL" },
        { path: "PORCHLIGHT_ADMIN_TOKEN" },
        { path: "PORCHLIGHT_BODY_MAX_BYTES" },
      ],
    });
    const misspelt = { databaseURL: "sqlite::memory:" };
    expect(await porchlight({ env, ...misspelt }).catch(String)).toContain(
      "PORCHLIGHT_DATABASEURL is not a known variable",
    );
    const allowedOrigins = ["https://a.example", "https://b.example"];
    const plugin = await porchlight({
      env,
      databaseUrl: "sqlite::memory:",
      allowedOrigins,
      timings: { ping_ms: 2_000 },
      log: () => undefined,
    });
    const app = new Elysia().use(plugin);
    const answer = (origin: string): Promise<Response> =>
      app.handle(new Request("http://localhost/healthz", { headers: { origin } }));
    expect((await answer("https://b.example")).status).toBe(200);
    expect((await answer("https://c.example")).status).toBe(403);
    await plugin.stop();
  });
});

/** A request whose body has begun to arrive. */
async function beginUpload(
  url: string,
  token: string,
): Promise<{ hangUp: () => void; finish: () => Promise<string> }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  const head = `PUT /v1/me HTTP/1.1\r\nHost: x.example\r\nAuthorization: Bearer ${token}\r\nContent-Length: 13\r\n\r\n`;
  await new Promise<void>((resolve) => socket.write(`${head}{"bio":`, () => resolve()));
  return {
    hangUp: () => void socket.destroy(),
    finish: () =>
      new Promise((resolve) => {
        socket.once("data", (answer) => {
          socket.destroy();
          resolve(String(answer));
        });
        socket.write('"hey"}');
      }),
  };
}
