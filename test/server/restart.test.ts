import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { join } from "node:path";
import { openConfigured, readConfig, startServer } from "@porchlight/server";
import { TestClock } from "../support/clock.ts";
import { ServerProcess, temporaryFolder } from "../support/process.ts";
import { ADMIN_TOKEN, type Person, TestServer } from "../support/server.ts";
import { StreamClient } from "../support/stream.ts";
import { YjsClient } from "../support/yjs.ts";

const PEOPLE = 50;

async function crowd(server: TestServer): Promise<Person[]> {
  const people: Person[] = [];
  for (let index = 0; index < PEOPLE; index += 1) people.push(await server.person(`p${index}`));
  return people;
}

/** Opens the streams of a crowd in a server that knows their tokens. */
function streamsOf(server: TestServer, people: readonly Person[]): Promise<StreamClient[]> {
  return Promise.all(
    people.map(({ token, id }) => server.stream({ token, device_id: `of-${id}`, state: "online" })),
  );
}

describe("a start that fails", () => {
  test("as the port is taken, closes its store and says why", async () => {
    await using first = await TestServer.start();
    using folder = temporaryFolder();
    const config = readConfig({
      PORCHLIGHT_PORT: new URL(first.url).port,
      PORCHLIGHT_DATABASE_URL: `sqlite:${join(folder.path, "second.db")}`,
    });
    let closed = 0;
    const open: typeof openConfigured = async (...options) => {
      const store = await openConfigured(...options);
      const close = async (): Promise<void> => {
        closed += 1;
        await store.close();
      };
      return { ...store, close };
    };
    const clock = new TestClock();
    await expect(startServer(config, { clock, log: () => undefined, open })).rejects.toThrow(
      /in use/,
    );
    expect([closed, clock.timers]).toEqual([1, 0]);
  });
});

describe("an orderly restart", () => {
  test("of which everyone returns within restart_grace_ms tells nobody anything", async () => {
    using folder = temporaryFolder();
    const [clock, file] = [new TestClock(), join(folder.path, "porchlight.db")];
    const before = await TestServer.start({ clock, file });
    const people = await crowd(before);
    const streams = await streamsOf(before, people);
    await streams[0]?.heard();
    const stopped = before.stop();
    for (let step = 0; step < 5; step += 1) await clock.advance(50);
    const closed = await Promise.all(streams.map((stream) => stream.closed));
    expect(new Set(closed.map(({ code }) => code))).toEqual(new Set([1012]));
    const delays = closed.map(({ reason }) => Number(reason));
    expect(delays.every((delay) => delay >= 0 && delay < 10_000)).toBe(true);
    expect(new Set(delays).size).toBeGreaterThan(PEOPLE / 2);
    await stopped;

    await clock.advance(2_000);
    await using after = await TestServer.start({ clock, file });
    const returned = await streamsOf(after, people.slice(0, PEOPLE / 2));
    await clock.advance(17_000);
    returned.push(...(await streamsOf(after, people.slice(PEOPLE / 2))));
    await clock.advance(60_000);
    const frames = (await Promise.all(returned.map((stream) => stream.heard()))).flat();
    expect(frames.filter(({ type }) => type === "presence")).toEqual([]);
    expect(frames.filter(({ type }) => type === "hello")).toHaveLength(PEOPLE);
  });

  test("of which clients of y-websocket return shows nobody as gone, and as there no longer than they are", async () => {
    using folder = temporaryFolder();
    const [clock, file] = [new TestClock(), join(folder.path, "porchlight.db")];
    const before = await TestServer.start({ clock, file });
    const [ann, bob] = [await before.person("ann"), await before.person("bob")];
    await before.room("lounge", [ann, bob]);
    using first = await YjsClient.open(before, ann, "lounge");
    await bob.stream({ device_id: "b" });
    const stopped = before.stop();
    const { code, reason } = await first.closed();
    expect([code, Number(reason) >= 0]).toEqual([1012, true]);
    await stopped;
    const { doc } = first.provider;
    first.provider.destroy();

    await clock.advance(2_000);
    await using after = await TestServer.start({ clock, file });
    const hears = await after.stream({ token: bob.token, device_id: "b" });
    const back = await YjsClient.open(after, ann, "lounge", { doc });
    using watches = await YjsClient.open(after, bob, "lounge");
    await watches.sees("ann", ({ id }) => id === doc.clientID);
    await clock.advance(25_000);
    const told = (await hears.heard()).filter(({ type }) => type === "presence");
    expect(told).toEqual([]);
    back.destroy();
    await watches.misses("ann");
    expect(await hears.type("presence")).toMatchObject({ participant_id: "ann", state: "offline" });
  });

  test("shows whoever does not return within restart_grace_ms as offline", async () => {
    using folder = temporaryFolder();
    const [clock, file] = [new TestClock(), join(folder.path, "porchlight.db")];
    const before = await TestServer.start({ clock, file });
    const [ann, bob] = [await before.person("ann"), await before.person("bob")];
    await Promise.all([ann.stream({ device_id: "a" }), bob.stream({ device_id: "b" })]);
    await before.stop();
    await using after = await TestServer.start({ clock, file });
    const hears = await after.stream({ token: ann.token, device_id: "a" });
    await clock.advance(19_999);
    expect((await hears.heard()).map(({ type }) => type)).toEqual(["hello"]);
    await clock.advance(1);
    expect(await hears.heard()).toMatchObject([
      { type: "presence", participant_id: "bob", state: "offline" },
    ]);
  });

  test("more than a minute later starts with nobody there, and tells nobody", async () => {
    using folder = temporaryFolder();
    const [clock, file] = [new TestClock(), join(folder.path, "porchlight.db")];
    const before = await TestServer.start({ clock, file });
    const [ann, bob] = [await before.person("ann"), await before.person("bob")];
    await bob.stream({ device_id: "b" });
    await before.stop();
    await clock.advance(60_001);
    await using after = await TestServer.start({ clock, file });
    const hears = await after.stream({ token: ann.token, device_id: "a" });
    hears.send({ type: "subscribe", presence: "all", snapshot: true });
    expect((await hears.type("presence.snapshot")).states).toEqual({ ann: "online" });
  });

  test("refuses new work with 503 and when to come back, and says that it is alive", async () => {
    await using server = await TestServer.start({ alone: true });
    const ann = await server.person("ann");
    for (let index = 0; index < 25; index += 1) await ann.stream();
    const stopped = server.stop();
    const refused = await ann.get("/v1/me");
    expect([refused.status, refused.body.error.code, refused.headers.get("retry-after")]).toEqual([
      503,
      "SW_UNAVAILABLE",
      "5",
    ]);
    expect((await server.request("GET", "/readyz")).status).toBe(503);
    expect((await server.request("GET", "/healthz")).status).toBe(200);
    await server.clock.advance(5_000);
    await stopped;
  });
});

describe("a client that sends slowly", () => {
  /** A request whose body has begun to arrive. */
  async function beginUpload(server: TestServer, token: string): Promise<{ hangUp: () => void }> {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => undefined);
    await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
    const head = `PUT /v1/me HTTP/1.1\r\nHost: x.example\r\nAuthorization: Bearer ${token}\r\nContent-Length: 100\r\n\r\n`;
    await new Promise<void>((resolve) => socket.write(`${head}{"bio":`, () => resolve()));
    return { hangUp: () => void socket.destroy() };
  }

  test("does not hold up a stop for longer than 3 s, and who was there is written down", async () => {
    using folder = temporaryFolder();
    const [clock, file] = [new TestClock(), join(folder.path, "porchlight.db")];
    const before = await TestServer.start({ clock, file });
    const [ann, bob] = [await before.person("ann"), await before.person("bob")];
    await ann.stream({ device_id: "a" });
    const upload = await beginUpload(before, bob.token);
    expect((await bob.get("/v1/me")).status).toBe(200);
    const stopped = before.stop();
    for (let step = 0; step < 4; step += 1) await clock.advance(1_000);
    await stopped;
    upload.hangUp();
    await using after = await TestServer.start({ clock, file });
    const states = (await after.request("GET", "/v1/presence?ids=ann", { token: bob.token })).body
      .data;
    expect(states).toEqual({ ann: "online" });
  });

  test("and hangs up is no failure of the server", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const upload = await beginUpload(server, ann.token);
    expect((await ann.get("/v1/me")).body.data.bio).toBeNull();
    upload.hangUp();
    for (let round = 0; round < 20; round += 1)
      expect((await ann.get("/v1/me")).body.data.bio).toBeNull();
    expect(server.lines.filter(({ level }) => level === "error")).toEqual([]);
  });
});

describe("SIGTERM", () => {
  test("tells every stream when to come back, and exits with 0", async () => {
    using folder = temporaryFolder();
    const env = {
      PORCHLIGHT_DATABASE_URL: `sqlite:${join(folder.path, "p.db")}`,
      PORCHLIGHT_ADMIN_TOKEN: ADMIN_TOKEN,
    };
    await using server = await ServerProcess.start(["serve"], env);
    const ann = await setUp(server.url);
    const stream = await StreamClient.open(
      `${server.url.replace("http", "ws")}/v1/stream?token=${ann}`,
    );
    await stream.type("hello");
    expect(await server.end("SIGTERM")).toBe(0);
    expect((await stream.closed).code).toBe(1012);
  });
});

describe("kill -9", () => {
  test("loses nothing that was answered with success", async () => {
    using folder = temporaryFolder();
    const env = {
      PORCHLIGHT_DATABASE_URL: `sqlite:${join(folder.path, "p.db")}`,
      PORCHLIGHT_ADMIN_TOKEN: ADMIN_TOKEN,
    };
    await using before = await ServerProcess.start(["serve"], env);
    const token = await setUp(before.url);
    const writes: [path: string, body: object][] = [
      ["/v1/me", { display_name: "Ann of the Porch", bio: "Here." }],
      ["/v1/me/preferences", { locale: "nl", quiet_hours: { enabled: true } }],
      ["/v1/me/presence", { state: "busy" }],
    ];
    for (const [path, body] of writes)
      expect((await call(before.url, "PUT", path, token, body)).status).toBe(200);
    const paths = [
      "/v1/me",
      "/v1/me/preferences",
      "/v1/presence?ids=ann",
      "/v1/rooms",
      "/v1/rooms/lounge/state",
    ];
    const readAll = (url: string): Promise<unknown[]> =>
      Promise.all(paths.map(async (path) => (await call(url, "GET", path, token)).json()));
    const last = await readAll(before.url);
    await before.end("SIGKILL");

    await using after = await ServerProcess.start(["serve"], env);
    expect(await readAll(after.url)).toEqual(last);
  });
});

function call(
  url: string,
  method: string,
  path: string,
  token: string,
  body?: object,
): Promise<Response> {
  const headers = { authorization: `Bearer ${token}` };
  return fetch(`${url}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** A tenant with one person in one room; answers the person's token. */
async function setUp(url: string): Promise<string> {
  const admin = (method: string, path: string, body: object): Promise<Response> =>
    call(url, method, `/v1/admin${path}`, ADMIN_TOKEN, body);
  await admin("PUT", "/tenants/acme", {});
  await admin("PUT", "/participants/ann", { tenant_id: "acme" });
  await admin("PUT", "/rooms/lounge", { tenant_id: "acme" });
  await admin("PUT", "/rooms/lounge/members/ann", {});
  const reply = (await (await admin("POST", "/tokens", { participant_id: "ann" })).json()) as {
    data: { token: string };
  };
  return reply.data.token;
}
