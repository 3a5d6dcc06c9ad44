import { describe, expect, test } from "bun:test";
import { TestClock } from "../support/clock.ts";
import { TestIssuer } from "../support/issuer.ts";
import { type Person, type Reply, refusedWith, TestServer } from "../support/server.ts";

const INVALID = "401 SW_AUTH_INVALID_TOKEN";
const UNAVAILABLE = "503 SW_UNAVAILABLE";

interface World extends AsyncDisposable {
  readonly clock: TestClock;
  readonly issuer: TestIssuer;
  readonly server: TestServer;
  /** Somebody with a token of the server's own. */
  readonly bob: Person;
  me(token: string): Promise<Reply>;
}

/** An issuer, and a server that trusts it. The key server answers as it is told to from the start. */
async function world(answering: Parameters<TestIssuer["answer"]>[0] = "keys"): Promise<World> {
  const clock = new TestClock();
  const issuer = await TestIssuer.start(clock);
  issuer.answer(answering);
  const server = await TestServer.start({ alone: true, clock, env: issuer.env });
  const bob = await server.person("bob");
  return {
    clock,
    issuer,
    server,
    bob,
    me: (token) => server.request("GET", "/v1/me", { token }),
    async [Symbol.asyncDispose]() {
      issuer.answer("keys");
      await server[Symbol.asyncDispose]();
      await issuer[Symbol.asyncDispose]();
    },
  };
}

/** A key that was published anew is known once this line is there. */
async function changed({ server }: World, act: () => Promise<unknown>): Promise<void> {
  const before = server.lines.length;
  await act();
  await server.logged("keys.changed", before);
}

describe("the keys of the issuer", () => {
  test("are fetched once, before the first token comes", async () => {
    await using w = await world();
    await w.issuer.askedTimes(1);
    const tokens = await Promise.all(
      Array.from({ length: 20 }, (_, index) => w.issuer.sign({ sub: `p${index}` })),
    );
    const replies = await Promise.all(tokens.map((token) => w.me(token)));
    expect(replies.map(({ status }) => status)).toEqual(tokens.map(() => 200));
    expect(w.issuer.asked).toBe(1);
  });

  test("are fetched again for a key that is new", async () => {
    await using w = await world();
    const before = await w.issuer.sign();
    expect((await w.me(before)).status).toBe(200);
    await w.issuer.rotate("second", "RS256", ["first"]);
    const after = await w.issuer.sign();
    await w.clock.advance(10_000);
    expect([(await w.me(after)).status, (await w.me(before)).status]).toEqual([200, 200]);
    expect(w.issuer.asked).toBe(2);
  });

  test("are fetched every ten minutes, and a key that was withdrawn is taken no longer", async () => {
    await using w = await world();
    const token = await w.issuer.sign({ exp: w.issuer.in(3_600) });
    expect((await w.me(token)).status).toBe(200);
    await w.issuer.rotate("second");
    await w.clock.advance(599_000);
    expect([(await w.me(token)).status, w.issuer.asked]).toEqual([200, 1]);
    await changed(w, () => w.clock.advance(1_000));
    expect([refusedWith(await w.me(token)), w.issuer.asked]).toEqual([INVALID, 2]);
    expect((await w.me(await w.issuer.sign())).status).toBe(200);
  });

  test("are fetched every ten seconds at most, however many unknown keys are named", async () => {
    await using w = await world();
    expect((await w.me(await w.issuer.sign())).status).toBe(200);
    const flood = async (): Promise<string[]> => {
      const named = Array.from({ length: 40 }, () => ({ kid: crypto.randomUUID() }));
      const tokens = await Promise.all(named.map((header) => w.issuer.sign({}, header)));
      return (await Promise.all(tokens.map((token) => w.me(token)))).map(refusedWith);
    };
    for (const fetches of [1, 2, 3]) {
      for (const _twice of [1, 2])
        for (const refused of await flood()) expect([INVALID, UNAVAILABLE]).toContain(refused);
      expect(w.issuer.asked).toBe(fetches);
      await w.clock.advance(10_000);
    }
  });

  test("say that a key is none of theirs only when they were fetched since it was asked for", async () => {
    await using w = await world();
    expect((await w.me(await w.issuer.sign())).status).toBe(200);
    const garbage = await w.issuer.sign({}, { kid: "garbage" });
    await w.clock.advance(10_000);
    expect([refusedWith(await w.me(garbage)), w.issuer.asked]).toEqual([INVALID, 2]);
    await w.issuer.rotate("second", "ES256", ["first"]);
    const rotated = await w.issuer.sign();
    await w.clock.advance(3_000);
    const reply = await w.me(rotated);
    expect([refusedWith(reply), reply.headers.get("retry-after")]).toEqual([UNAVAILABLE, "7"]);
    const stream = await w.server.stream({ token: rotated });
    expect((await stream.closed).code).toBe(1006);
    await w.clock.advance(7_000);
    expect([(await w.me(rotated)).status, w.issuer.asked]).toEqual([200, 3]);
  });

  test("that were on their way when a key was asked for are asked for again before it is refused", async () => {
    await using w = await world("holds");
    await w.issuer.askedTimes(1);
    await w.clock.advance(1_000);
    const reply = w.me(await w.issuer.sign({}, { kid: "unknown" }));
    expect((await w.bob.get("/v1/me")).status).toBe(200);
    w.issuer.answer("keys");
    expect(refusedWith(await reply)).toBe(UNAVAILABLE);
  });

  test("are not fetched for an algorithm that no public key is for", async () => {
    await using w = await world();
    expect((await w.me(await w.issuer.sign())).status).toBe(200);
    await w.clock.advance(10_000);
    const claims = Buffer.from(JSON.stringify(w.issuer.claims())).toString("base64url");
    for (const alg of ["none", "HS256", "ML-DSA-44", "ES256K", 7]) {
      const header = Buffer.from(JSON.stringify({ alg, kid: "new" })).toString("base64url");
      expect(refusedWith(await w.me(`${header}.${claims}.c2ln`))).toBe(INVALID);
    }
    expect(w.issuer.asked).toBe(1);
  });

  test("that two tokens could mean are named by the token", async () => {
    await using w = await world();
    await w.issuer.rotate("second", "ES256", ["first"]);
    await w.clock.advance(10_000);
    expect((await w.me(await w.issuer.sign())).status).toBe(200);
    const token = await w.issuer.sign();
    const nameless = await w.issuer.sign({}, { kid: undefined as never });
    expect([(await w.me(token)).status, refusedWith(await w.me(nameless))]).toEqual([200, INVALID]);
  });
});

describe("a key server out of reach", () => {
  test.each(["fails", "page", "moves"] as const)(
    "that %s: unknown keys are 503 with Retry-After, known ones and other tokens go on",
    async (answering) => {
      await using w = await world();
      const known = await w.issuer.sign();
      expect((await w.me(known)).status).toBe(200);
      const unseen = await w.issuer.sign({ jti: "unseen" });
      await w.issuer.rotate("second");
      w.issuer.answer(answering);
      await w.clock.advance(10_000);
      const reply = await w.me(await w.issuer.sign());
      expect([refusedWith(reply), reply.headers.get("retry-after")]).toEqual([UNAVAILABLE, "10"]);
      expect([(await w.me(known)).status, (await w.me(unseen)).status]).toEqual([200, 200]);
      expect((await w.bob.get("/v1/me")).status).toBe(200);
      await w.clock.advance(4_000);
      const later = await w.me(await w.issuer.sign());
      expect([later.status, later.headers.get("retry-after")]).toEqual([503, "6"]);
      expect(w.issuer.asked).toBe(2);
    },
  );

  test("is asked again by itself until it answers", async () => {
    await using w = await world("fails");
    await w.server.logged("keys.unreachable");
    const token = await w.issuer.sign();
    expect(refusedWith(await w.me(token))).toBe(UNAVAILABLE);
    w.issuer.answer("keys");
    await changed(w, () => w.clock.advance(10_000));
    expect([(await w.me(token)).status, w.issuer.asked]).toEqual([200, 2]);
  });

  test("keeps the keys that are known for as long as it is away", async () => {
    await using w = await world();
    const token = await w.issuer.sign({ exp: w.issuer.in(86_400) });
    expect((await w.me(token)).status).toBe(200);
    await w.issuer[Symbol.asyncDispose]();
    await w.clock.advance(600_000);
    await w.server.logged("keys.unreachable");
    await w.clock.advance(7_200_000);
    const unseen = await w.issuer.sign({ jti: "unseen" });
    expect([(await w.me(token)).status, (await w.me(unseen)).status]).toEqual([200, 200]);
  });

  test("opens no stream, and closes none with 4001: its client tries again", async () => {
    await using w = await world("fails");
    await w.server.logged("keys.unreachable");
    const stream = await w.server.stream({ token: await w.issuer.sign() });
    expect(await stream.closed).toMatchObject({ code: 1006 });
    const headers = { upgrade: "websocket" };
    const path = `/v1/stream?token=${await w.issuer.sign()}`;
    const reply = await w.server.request("GET", path, { headers });
    expect(refusedWith(reply)).toBe(UNAVAILABLE);
  });
});

describe("a key server that is slow", () => {
  test("holds up neither the start, nor other tokens, nor known keys", async () => {
    await using w = await world("holds");
    await w.issuer.askedTimes(1);
    const token = await w.issuer.sign();
    const waiting = w.me(token);
    expect((await w.bob.get("/v1/me")).status).toBe(200);
    const stream = await w.bob.stream();
    await stream.close();
    w.issuer.answer("keys");
    expect((await waiting).status).toBe(200);
    await w.issuer.rotate("second", "ES256", ["first"]);
    w.issuer.answer("holds");
    await w.clock.advance(10_000);
    const unknown = w.me(await w.issuer.sign());
    await w.issuer.askedTimes(2);
    expect((await w.me(token)).status).toBe(200);
    w.issuer.answer("keys");
    expect((await unknown).status).toBe(200);
  });

  test("is given up after 5 s", async () => {
    await using w = await world("holds");
    await w.issuer.askedTimes(1);
    const before = w.server.lines.length;
    const waiting = w.me(await w.issuer.sign());
    expect((await w.bob.get("/v1/me")).status).toBe(200);
    await w.clock.advance(4_999);
    expect(w.server.lines.slice(before)).toEqual([]);
    await w.clock.advance(1);
    const reply = await waiting;
    expect([refusedWith(reply), reply.headers.get("retry-after")]).toEqual([UNAVAILABLE, "10"]);
    expect(w.server.lines.at(before)).toMatchObject({
      event: "keys.unreachable",
      error: "The key server did not answer in time",
    });
  });

  test("keeps no server from stopping", async () => {
    await using w = await world("holds");
    await w.issuer.askedTimes(1);
    await w.server.stop();
    expect(w.clock.timers).toBe(0);
    expect(w.server.lines.map(({ event }) => event)).not.toContain("keys.unreachable");
  });
});
