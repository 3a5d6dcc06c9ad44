import { describe, expect, test } from "bun:test";
import { TestClock } from "../support/clock.ts";
import { Delays, hesitantly } from "../support/hesitant.ts";
import { TestIssuer } from "../support/issuer.ts";
import { type Reply, refusedWith, TestServer } from "../support/server.ts";

interface World extends AsyncDisposable {
  readonly clock: TestClock;
  readonly issuer: TestIssuer;
  readonly server: TestServer;
  /** The statements that write participants, so far. */
  readonly writes: readonly string[];
  get(path: string, token: string): Promise<Reply>;
}

/** An issuer, and a server that trusts it, with an empty tenant. */
async function world(open?: ReturnType<typeof hesitantly>): Promise<World> {
  const clock = new TestClock();
  const issuer = await TestIssuer.start(clock);
  const writes: string[] = [];
  const trace = (sql: string): void => {
    if (/^(insert into|update) "participants"/.test(sql)) writes.push(sql);
  };
  const server = await TestServer.start({
    alone: true,
    clock,
    env: issuer.env,
    trace,
    ...(open === undefined ? {} : { open }),
  });
  await server.admin("PUT", "/tenants/acme", {});
  return {
    clock,
    issuer,
    server,
    writes,
    get: (path, token) => server.request("GET", path, { token }),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await issuer[Symbol.asyncDispose]();
    },
  };
}

describe("somebody whom only the issuer knows", () => {
  test("is a participant from their first request on, once, and the tenant is told", async () => {
    await using w = await world();
    const bob = await w.server.person("bob");
    const stream = await bob.stream();
    const token = await w.issuer.sign({
      name: " Ann Archer ",
      email: "ann@acme.example",
      roles: ["writer", "reader", "reader"],
      groups: ["staff"],
    });
    const replies = await Promise.all(Array.from({ length: 8 }, () => w.get("/v1/me", token)));
    for (const { body } of replies)
      expect(body.data).toMatchObject({
        participant_id: "ann",
        display_name: "Ann Archer",
        email: "ann@acme.example",
        roles: ["reader", "writer"],
        groups: ["staff"],
        presence: "offline",
      });
    const told = (await stream.heard()).filter(({ type }) => type === "swp.participant.profile");
    expect(told).toMatchObject([
      { participant_id: "ann", participant: { display_name: "Ann Archer" }, stream_position: 2 },
    ]);
    expect((await bob.get("/v1/profiles?q=ann")).body.data).toHaveLength(1);
  });

  test.each([
    ["without a name", {}, "ann"],
    ["with an empty one", { name: "  " }, "ann"],
    ["with one that is no text", { name: 7, email: ["a"] }, "ann"],
    ["with one that cannot be stored", { name: "A\u0000nn", email: "nowhere" }, "ann"],
    ["with a long one", { name: "é".repeat(200) }, "é".repeat(80)],
  ])("%s is called what can be stored", async (_, claims, display_name) => {
    await using w = await world();
    const { body } = await w.get("/v1/me", await w.issuer.sign(claims));
    expect(body.data).toMatchObject({ display_name, email: null });
  });

  test("is seen by others, and sees them, like anyone else", async () => {
    await using w = await world();
    const bob = await w.server.person("bob");
    const stream = await bob.stream({ presence: "all" });
    await stream.heard();
    const ann = await w.server.stream({ token: await w.issuer.sign(), device_id: "phone" });
    await ann.type("hello");
    expect(await stream.type("presence")).toMatchObject({ participant_id: "ann", state: "online" });
  });
});

describe("somebody who is a participant already", () => {
  test("keeps name and address, and takes roles and groups from the token", async () => {
    await using w = await world();
    const ann = await w.server.person("ann", { email: "old@x.example", roles: ["old"] });
    await ann.put("/v1/me", { display_name: "My name" });
    const claims = { name: "Another", email: "new@x.example", roles: ["new"], groups: ["staff"] };
    const { body } = await w.get("/v1/me", await w.issuer.sign(claims));
    expect(body.data).toMatchObject({
      display_name: "My name",
      email: "old@x.example",
      roles: ["new"],
      groups: ["staff"],
    });
    const without = await w.get("/v1/me", await w.issuer.sign({}));
    expect(without.body.data).toMatchObject({ roles: [], groups: [] });
  });

  test("is written only when a token says something new, and two tokens do not take turns", async () => {
    await using w = await world();
    const [reader, writer] = [
      await w.issuer.sign({ roles: ["reader", "both"] }),
      await w.issuer.sign({ roles: ["writer", "both"] }),
    ];
    const asOften = async (): Promise<number> => {
      const before = w.writes.length;
      for (const token of [reader, reader, writer, writer, reader, writer])
        expect((await w.get("/v1/me", token)).status).toBe(200);
      return w.writes.length - before;
    };
    expect([await asOften(), await asOften()]).toEqual([2, 0]);
    const reordered = await w.issuer.sign({ roles: ["both", "writer", "writer"] });
    expect((await w.get("/v1/me", reordered)).body.data.roles).toEqual(["both", "writer"]);
    expect(w.writes).toHaveLength(2);
  });

  test("of one tenant is nobody of another", async () => {
    await using w = await world();
    await w.server.person("ann", { tenant_id: "umbrella", bio: "the other Ann" });
    const { body } = await w.get("/v1/me", await w.issuer.sign());
    expect(body.data).toMatchObject({ tenant: { id: "acme" }, bio: null });
  });
});

describe("the role of an administrator", () => {
  test("in the token, and only there, makes one, of the tenant of the token", async () => {
    await using w = await world();
    await w.server.person("ann", { roles: ["porchlight_admin"] });
    const put = async (path: string, token: string): Promise<string> => {
      const reply = await w.server.request("PUT", `/v1/admin${path}`, { token, body: {} });
      return reply.status === 200 ? "200" : refusedWith(reply);
    };
    const boss = await w.issuer.sign({ sub: "boss", roles: ["porchlight_admin"] });
    expect(await put("/rooms/attic", boss)).toBe("200");
    expect(await put("/tenants/umbrella", boss)).toBe("404 SW_TENANT_NOT_FOUND");
    const once = await w.issuer.sign();
    expect(await put("/rooms/attic", once)).toBe("403 SW_AUTH_INSUFFICIENT_PERMISSION");
    const demoted = await w.issuer.sign({ sub: "boss", roles: ["guest"] });
    expect(await put("/rooms/attic", demoted)).toBe("403 SW_AUTH_INSUFFICIENT_PERMISSION");
  });
});

describe("while connected", () => {
  test("a token of the issuer closes its sockets 60 s after it ends", async () => {
    await using w = await world();
    const stream = await w.server.stream({ token: await w.issuer.sign({ exp: w.issuer.in(90) }) });
    await stream.type("hello");
    await w.clock.advance(149_000);
    await stream.heard();
    await w.clock.advance(1_000);
    expect(await stream.closed).toEqual({ code: 4001, reason: "token_expired" });
  });

  test("a token of the server closes its sockets when it ends", async () => {
    await using w = await world();
    const expires_at = new Date(w.clock.wall() + 90_000).toISOString();
    const bob = await w.server.person("bob", { expires_at });
    const stream = await bob.stream();
    await w.clock.advance(89_000);
    await stream.heard();
    await w.clock.advance(1_000);
    expect(await stream.closed).toEqual({ code: 4001, reason: "token_expired" });
  });

  test("it counts as expired after the machine has slept", async () => {
    await using w = await world();
    const stream = await w.server.stream({ token: await w.issuer.sign({ exp: w.issuer.in(90) }) });
    await stream.type("hello");
    w.clock.sleep(150_000);
    await w.clock.advance(10_000);
    expect(await stream.closed).toEqual({ code: 4001, reason: "token_expired" });
  });
});

describe("requests without a device", () => {
  test("are one device, whatever tokens of the issuer they come with, and another for everyone", async () => {
    await using w = await world();
    const devicesOf = async (claims: object): Promise<string[]> => {
      for (const jti of ["first", "second"]) {
        const token = await w.issuer.sign({ ...claims, jti });
        await w.server.request("PUT", "/v1/me/presence", { token, body: { auto: true } });
      }
      const { body } = await w.get("/v1/me/presence", await w.issuer.sign({ ...claims }));
      return body.data.devices.map(({ device_id }: { device_id: string }) => device_id);
    };
    await w.server.admin("PUT", "/tenants/umbrella", {});
    const everyone = [{ sub: "ann" }, { sub: "bob" }, { sub: "ann", tenant_id: "umbrella" }];
    const devices: string[] = [];
    for (const claims of everyone) devices.push(...(await devicesOf(claims)));
    expect(devices).toHaveLength(3);
    expect(new Set(devices).size).toBe(3);
    for (const device of devices) expect(device).toMatch(/^rest:jwt-[0-9a-f]{32}$/);
  });
});

describe("somebody who is deleted while their token is good", () => {
  test("is not brought back by the long poll that hears of it", async () => {
    const delays = new Delays();
    await using w = await world(hesitantly(delays.of));
    const token = await w.issuer.sign();
    const { next_cursor } = (await w.get("/v1/sync", token)).body.data;
    const read = delays.next("read replay");
    const answer = w.get(`/v1/sync?since=${next_cursor}`, token);
    await read;
    await w.server.admin("DELETE", "/participants/ann?tenant_id=acme");
    expect(refusedWith(await answer)).toBe("401 SW_AUTH_INVALID_TOKEN");
    expect(await w.server.store.tenantsOf("participant", "ann")).toEqual([]);
  });

  test("is not brought back by the stream that they are opening, which is closed", async () => {
    const delays = new Delays();
    await using w = await world(hesitantly(delays.of));
    const token = await w.issuer.sign();
    await w.get("/v1/me", token);
    const standing = delays.hold("read standing");
    const opening = w.server.stream({ token });
    await standing.reached;
    await w.server.admin("DELETE", "/participants/ann?tenant_id=acme");
    standing.release();
    expect(await (await opening).closed).toEqual({ code: 4001, reason: "token_revoked" });
    expect(await w.server.store.tenantsOf("participant", "ann")).toEqual([]);
  });
});
