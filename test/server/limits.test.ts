import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { MAX_BUCKETS, TokenBuckets } from "../../server/limits.ts";
import { refusedWith, TestServer } from "../support/server.ts";

describe("TokenBuckets", () => {
  test("let through what a bucket of each key has, refilled all the time, and say when there is more", () => {
    const rate = fc.integer({ min: 1, max: 100 });
    const asks = fc.array(
      fc.record({ key: fc.constantFrom("a", "b", "c"), afterMs: fc.nat(400) }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(rate, fc.integer({ min: 1, max: 20 }), asks, (rate, burst, asks) => {
        const buckets = new TokenBuckets({ rate, burst });
        const left = new Map<string, { tokens: number; at: number }>();
        let now = 0;
        for (const { key, afterMs } of asks) {
          now += afterMs;
          const { tokens, at } = left.get(key) ?? { tokens: burst, at: now };
          const there = Math.min(burst, tokens + ((now - at) * rate) / 1_000);
          const waitMs = buckets.take(key, now);
          const expected = there >= 1 - 1e-6 ? 0 : ((1 - there) / rate) * 1_000;
          expect(waitMs).toBeCloseTo(expected, 3);
          left.set(key, { tokens: there - (waitMs === 0 ? 1 : 0), at: now });
        }
      }),
    );
  });

  test("let one through exactly when they said that there is one", () => {
    const buckets = new TokenBuckets({ rate: 2, burst: 1 });
    expect(buckets.take("a", 0)).toBe(0);
    expect(buckets.take("a", 0)).toBe(500);
    expect(buckets.take("a", 499)).toBe(1);
    expect(buckets.take("a", 500)).toBe(0);
  });

  test("forget a key once its bucket is full again", () => {
    const buckets = new TokenBuckets({ rate: 10, burst: 10 });
    for (let key = 0; key < 1_000; key += 1) buckets.take(`${key}`, key);
    expect(buckets.size).toBeLessThanOrEqual(101);
    buckets.take("last", 10_000);
    buckets.take("last", 10_000);
    expect(buckets.size).toBeLessThan(101);
  });

  test("remember a bounded number of keys, the latest", () => {
    const buckets = new TokenBuckets({ rate: 1, burst: 1 });
    for (let key = 0; key < MAX_BUCKETS + 100; key += 1) buckets.take(`${key}`, 0);
    expect(buckets.size).toBe(MAX_BUCKETS);
    expect(buckets.take(`${MAX_BUCKETS + 99}`, 0)).toBe(1_000);
  });
});

describe("PORCHLIGHT_RATE_LIMIT", () => {
  function limited(rate: string, burst: string): Promise<TestServer> {
    return TestServer.start({
      alone: true,
      env: { PORCHLIGHT_RATE_LIMIT: rate, PORCHLIGHT_RATE_BURST: burst },
    });
  }

  test("refuses the request of a token that comes too early, with the seconds after which there is room", async () => {
    await using server = await limited("2", "3");
    const ann = await server.person("ann");
    for (let request = 0; request < 3; request += 1)
      expect((await ann.get("/v1/me")).status).toBe(200);
    const refused = await ann.get("/v1/me");
    expect(refusedWith(refused)).toBe("429 SW_RATE_LIMIT_EXCEEDED");
    expect(refused.headers.get("retry-after")).toBe("1");
    await server.clock.advance(499);
    expect((await ann.get("/v1/me")).status).toBe(429);
    await server.clock.advance(1);
    expect((await ann.get("/v1/me")).status).toBe(200);
    expect((await ann.get("/v1/me")).status).toBe(429);
  });

  test("counts each token by itself, and the requests of an administrator's token too", async () => {
    await using server = await limited("1", "1");
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const boss = await server.person("boss", { roles: ["porchlight_admin"] });
    expect((await ann.get("/v1/me")).status).toBe(200);
    expect((await bob.get("/v1/me")).status).toBe(200);
    expect((await ann.get("/v1/rooms")).status).toBe(429);
    expect((await boss.put("/v1/admin/tenants/acme", {})).status).toBe(200);
    expect((await boss.put("/v1/admin/tenants/acme", {})).status).toBe(429);
  });

  test("does not concern the admin token, whoever has none, and what is for anyone", async () => {
    await using server = await limited("1", "1");
    for (let request = 0; request < 5; request += 1) {
      await server.admin("PUT", "/tenants/acme", {});
      for (const path of ["/healthz", "/readyz"])
        expect((await server.request("GET", path)).status).toBe(200);
      expect((await server.request("GET", "/v1/me")).status).toBe(401);
    }
  });

  test("refuses before it reads the body", async () => {
    await using server = await limited("1", "1");
    const ann = await server.person("ann");
    await ann.get("/v1/me");
    const reply = await server.request("PUT", "/v1/me", { token: ann.token, text: "no JSON" });
    expect(refusedWith(reply)).toBe("429 SW_RATE_LIMIT_EXCEEDED");
  });

  test("counts the opening of a stream as a request", async () => {
    await using server = await limited("1", "2");
    const ann = await server.person("ann");
    const stream = await ann.stream();
    expect((await ann.get("/v1/me")).status).toBe(200);
    const upgrade = { connection: "upgrade", upgrade: "websocket" };
    const reply = await ann.get(`/v1/stream?token=${ann.token}`, upgrade);
    expect(refusedWith(reply)).toBe("429 SW_RATE_LIMIT_EXCEEDED");
    expect(await stream.heard()).not.toContainEqual(expect.objectContaining({ type: "error" }));
  });

  test("counts a long poll as one request", async () => {
    await using server = await limited("1", "2");
    const ann = await server.person("ann");
    const { next_cursor } = (await ann.get("/v1/sync")).body.data;
    const poll = `/v1/sync?since=${next_cursor}&timeout=0`;
    expect((await ann.get(poll)).status).toBe(200);
    expect(refusedWith(await ann.get(poll))).toBe("429 SW_RATE_LIMIT_EXCEEDED");
    await server.clock.advance(1_000);
    expect((await ann.get(poll)).status).toBe(200);
  });

  test("counts an import and an export of a tenant admin as one request each, and none of the admin token", async () => {
    await using server = await limited("1", "2");
    const boss = await server.person("boss", { roles: ["porchlight_admin"] });
    const lines = ["p1", "p2", "p3", "p4"].map((id) => ({
      type: "participant",
      participant_id: id,
      tenant_id: "acme",
      display_name: id,
    }));
    const report = await server.import(lines, { token: boss.token });
    expect(report).toHaveLength(1);
    expect((await boss.get("/v1/admin/export")).status).toBe(200);
    for (const [method, path] of [
      ["GET", "export"],
      ["POST", "import"],
    ] as const) {
      const reply = await server.request(method, `/v1/admin/${path}`, { token: boss.token });
      expect(refusedWith(reply)).toBe("429 SW_RATE_LIMIT_EXCEEDED");
    }
    for (let times = 0; times < 5; times += 1) {
      expect(await server.import(lines)).toHaveLength(1);
      expect((await server.export()).length).toBeGreaterThan(4);
    }
  });

  test("of 0 is no limit", async () => {
    await using server = await limited("0", "1");
    const ann = await server.person("ann");
    for (let request = 0; request < 20; request += 1)
      expect((await ann.get("/v1/me")).status).toBe(200);
  });
});
