import { describe, expect, test } from "bun:test";
import { exportJWK, exportSPKI, generateKeyPair, importJWK, type JWK } from "jose";
import { TestClock } from "../support/clock.ts";
import { TestIssuer } from "../support/issuer.ts";
import { type Reply, refusedWith, TestServer } from "../support/server.ts";

const INVALID = "401 SW_AUTH_INVALID_TOKEN";
const EXPIRED = "401 SW_AUTH_EXPIRED_TOKEN";
const SECRET = "a secret of thirty-two bytes, at least";

/** A server that trusts an issuer, with the tenant that its tokens name. */
async function trusting(
  issuer: TestIssuer,
  clock: TestClock,
  env: Record<string, string> = issuer.env,
): Promise<TestServer> {
  const server = await TestServer.start({ alone: true, clock, env });
  await server.admin("PUT", "/tenants/acme", {});
  return server;
}

function me(server: TestServer, token: string): Promise<Reply> {
  return server.request("GET", "/v1/me", { token });
}

/** The parts of a token, written as they are. */
function written(header: unknown, claims: unknown, signature = "c2ln"): string {
  const part = (value: unknown): string =>
    Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part(claims)}.${signature}`;
}

type Forge = (issuer: TestIssuer) => string | Promise<string>;

const anotherKey = async (): Promise<{ key: CryptoKey; jwk: JWK }> => {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  return { key: privateKey, jwk: await exportJWK(publicKey) };
};

/** The published key as a secret, in the forms in which a careless server has it at hand. */
async function confused(issuer: TestIssuer, form: "jwk" | "pem"): Promise<string> {
  const [jwk = {}] = issuer.keys;
  const pem = await exportSPKI((await importJWK(jwk, "ES256")) as CryptoKey);
  const secret = new TextEncoder().encode(form === "jwk" ? JSON.stringify(jwk) : pem);
  return issuer.sign({}, { alg: "HS256" }, secret);
}

const FORGERIES: Readonly<Record<string, Forge>> = {
  "with no algorithm": (issuer) => written({ alg: "none" }, issuer.claims(), ""),
  "with no algorithm, but a key": (issuer) =>
    written({ alg: "none", kid: "first" }, issuer.claims()),
  "signed with the published key as a secret": (issuer) => confused(issuer, "jwk"),
  "signed with the published key as a secret, in PEM": (issuer) => confused(issuer, "pem"),
  "signed with another key under the same name": async (issuer) =>
    issuer.sign({}, {}, (await anotherKey()).key),
  "that brings its own key": async (issuer) => {
    const { key, jwk } = await anotherKey();
    return issuer.sign({}, { jwk }, key);
  },
  "that says where its own key is": async (issuer) => {
    const { key } = await anotherKey();
    const elsewhere = `${issuer.url}/theirs`;
    return issuer.sign({}, { jku: elsewhere, x5u: elsewhere }, key);
  },
  "whose claims were changed": async (issuer) => {
    const [header, , signature] = (await issuer.sign()).split(".");
    const claims = Buffer.from(JSON.stringify(issuer.claims({ sub: "boss" })));
    return `${header}.${claims.toString("base64url")}.${signature}`;
  },
  "whose signature was cut off": async (issuer) => (await issuer.sign()).replace(/[^.]+$/, ""),
  "with an extension that must be understood": (issuer) =>
    issuer.sign({}, { crit: ["odd"], odd: "x" }),
  "for another audience": (issuer) => issuer.sign({ aud: "others" }),
  "for no audience": (issuer) => issuer.sign({ aud: undefined }),
  "of another issuer": (issuer) => issuer.sign({ iss: "https://elsewhere.example" }),
  "of no issuer": (issuer) => issuer.sign({ iss: undefined }),
  "that never ends": (issuer) => issuer.sign({ exp: undefined }),
  "that ends at a word": (issuer) => issuer.sign({ exp: "later" }),
  "that ends at no instant that there is": (issuer) =>
    issuer.signText(JSON.stringify(issuer.claims({ exp: 0.5 })).replace("0.5", "1e999")),
  "whose claims are a list": (issuer) => issuer.signText("[]"),
  "that begins 61 s from now": (issuer) => issuer.sign({ nbf: issuer.in(61) }),
  "issued 61 s from now": (issuer) => issuer.sign({ iat: issuer.in(61) }),
  "issued at a word": (issuer) => issuer.sign({ iat: "now" }),
  "without a tenant": (issuer) => issuer.sign({ tenant_id: undefined }),
  "of a tenant that is no id": (issuer) => issuer.sign({ tenant_id: "a b" }),
  "of a tenant that does not exist": (issuer) => issuer.sign({ tenant_id: "nowhere" }),
  "of nobody": (issuer) => issuer.sign({ sub: undefined }),
  "of somebody who is no id": (issuer) => issuer.sign({ sub: "auth0|ann" }),
  "of somebody who is a number": (issuer) => issuer.sign({ sub: 7 }),
  "of somebody with too long a name": (issuer) => issuer.sign({ sub: "a".repeat(129) }),
  "whose roles are a text": (issuer) => issuer.sign({ roles: "porchlight_admin" }),
  "whose groups are numbers": (issuer) => issuer.sign({ groups: [1] }),
  "that is larger than 8 KiB": (issuer) => issuer.sign({ pad: "x".repeat(6_000) }),
  "of five parts": (issuer) => `${written({ alg: "dir", enc: "A256GCM" }, issuer.claims())}.a.b`,
  "of two parts": (issuer) => written({ alg: "ES256" }, issuer.claims(), "").slice(0, -1),
  "of nothing but dots": () => "..",
  "of claims that are no JSON": () => written({ alg: "ES256", kid: "first" }, "hello"),
};

describe("a token of the issuer", () => {
  test("opens both doors, by header, by query and by subprotocol", async () => {
    const clock = new TestClock();
    await using issuer = await TestIssuer.start(clock);
    await using server = await trusting(issuer, clock);
    const token = await issuer.sign();
    expect((await me(server, token)).body.data).toMatchObject({ participant_id: "ann" });
    const byQuery = await server.stream({ token });
    expect(await byQuery.type("hello")).toMatchObject({ tenant_id: "acme", participant_id: "ann" });
    const bySubprotocol = await server.stream({}, ["porchlight.v1", `bearer.${token}`]);
    expect(await bySubprotocol.type("hello")).toMatchObject({ participant_id: "ann" });
    expect(bySubprotocol.protocol).toBe("porchlight.v1");
  });

  test.each(["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"])(
    "may be signed with %s",
    async (alg) => {
      const clock = new TestClock();
      await using issuer = await TestIssuer.start(clock, alg);
      await using server = await trusting(issuer, clock);
      expect((await me(server, await issuer.sign())).status).toBe(200);
    },
  );

  test("may name several audiences, and hold up to 8 KiB", async () => {
    const clock = new TestClock();
    await using issuer = await TestIssuer.start(clock);
    await using server = await trusting(issuer, clock);
    const aud = ["others", TestIssuer.AUDIENCE];
    const room = 8_192 - (await issuer.sign({ aud, pad: "" })).length;
    const token = await issuer.sign({ aud, pad: "x".repeat(Math.floor((room * 3) / 4)) });
    expect(token.length).toBeWithin(8_190, 8_193);
    expect((await me(server, token)).status).toBe(200);
  });

  test("is good from 60 s before it begins to 60 s after it ends", async () => {
    const clock = new TestClock();
    await using issuer = await TestIssuer.start(clock);
    await using server = await trusting(issuer, clock);
    const early = await issuer.sign({ nbf: issuer.in(60), iat: issuer.in(60) });
    expect((await me(server, early)).status).toBe(200);
    const [seen, unseen] = [await issuer.sign(), await issuer.sign({ jti: "unseen" })];
    expect((await me(server, seen)).status).toBe(200);
    await clock.advance(360_000 - 1_001);
    expect((await me(server, seen)).status).toBe(200);
    await clock.advance(1_001);
    expect([refusedWith(await me(server, seen)), refusedWith(await me(server, unseen))]).toEqual([
      EXPIRED,
      EXPIRED,
    ]);
    const stream = await server.stream({ token: unseen });
    expect(await stream.closed).toEqual({ code: 4001, reason: "token_expired" });
  });

  test("is not looked for among the tokens of the server, nor those among its own", async () => {
    const clock = new TestClock();
    await using issuer = await TestIssuer.start(clock);
    await using server = await trusting(issuer, clock);
    const bob = await server.person("bob");
    expect((await bob.get("/v1/me")).status).toBe(200);
    await using without = await TestServer.start();
    expect(refusedWith(await me(without, await issuer.sign()))).toBe(INVALID);
  });
});

describe("a token", () => {
  test("that is not right is refused with the same words at both doors, and never logged", async () => {
    const clock = new TestClock();
    await using issuer = await TestIssuer.start(clock);
    await using server = await trusting(issuer, clock);
    const { body } = await me(server, "plt_nobody");
    const parts: string[] = [];
    for (const [what, forge] of Object.entries(FORGERIES)) {
      const token = await forge(issuer);
      const reply = await me(server, token);
      expect([what, reply.status, reply.body]).toEqual([what, 401, body]);
      const stream = await server.stream({ token });
      expect([what, await stream.closed]).toEqual([what, { code: 4001, reason: "token_invalid" }]);
      parts.push(...token.split(".").filter((part) => part.length > 20));
    }
    const lines = JSON.stringify(server.lines);
    expect(parts.filter((part) => lines.includes(part))).toEqual([]);
    for (const said of ["auth0|ann", "elsewhere.example", "others"])
      expect(lines).not.toContain(said);
    expect((await server.store.profiles("acme", { q: "", limit: 9, offset: 0 })).length).toBe(0);
    expect(issuer.asked).toBe(1);
  });

  test("that was signed, but says the wrong thing, has the claim named in the log", async () => {
    const clock = new TestClock();
    await using issuer = await TestIssuer.start(clock);
    await using server = await trusting(issuer, clock);
    const wrong = ["aud", "iss", "exp", "tenant_id", "sub"];
    for (const claim of wrong) await me(server, await issuer.sign({ [claim]: undefined }));
    await me(server, await issuer.sign({ tenant_id: "nowhere" }));
    const refused = server.lines.filter(({ event }) => event === "jwt.refused");
    expect(refused.map(({ claim }) => String(claim))).toEqual([...wrong, "tenant_id"]);
  });

  test("is taken only by a key that is meant for it", async () => {
    const clock = new TestClock();
    await using issuer = await TestIssuer.start(clock, "RS256");
    const [jwk = {}] = issuer.keys;
    const secret = new TextEncoder().encode(SECRET);
    const shared: JWK = { kty: "oct", kid: "shared", k: Buffer.from(SECRET).toString("base64url") };
    issuer.publish([{ ...jwk, alg: "RS512" }, { ...jwk, kid: "crypt", use: "enc" }, shared]);
    await using server = await trusting(issuer, clock);
    for (const token of [
      await issuer.sign(),
      await issuer.sign({}, { kid: "crypt" }),
      await issuer.sign({}, { alg: "HS256", kid: "shared" }, secret),
    ])
      expect(refusedWith(await me(server, token))).toBe(INVALID);
  });
});

describe("a shared secret", () => {
  test("verifies what was signed with it, and nothing else", async () => {
    const clock = new TestClock();
    await using issuer = await TestIssuer.start(clock);
    const { PORCHLIGHT_JWKS_URL: _url, ...env } = issuer.env;
    await using server = await trusting(issuer, clock, { ...env, PORCHLIGHT_JWT_SECRET: SECRET });
    const secret = new TextEncoder().encode(SECRET);
    for (const alg of ["HS256", "HS384", "HS512"])
      expect((await me(server, await issuer.sign({}, { alg }, secret))).status).toBe(200);
    const other = new TextEncoder().encode(`${SECRET}!`);
    for (const token of [
      await issuer.sign({}, { alg: "HS256" }, other),
      await issuer.sign(),
      written({ alg: "none" }, issuer.claims(), ""),
    ])
      expect(refusedWith(await me(server, token))).toBe(INVALID);
    expect(issuer.asked).toBe(0);
  });

  test("without issuer and audience is taken, with a warning at the start", async () => {
    const clock = new TestClock();
    await using issuer = await TestIssuer.start(clock);
    await using server = await trusting(issuer, clock, { PORCHLIGHT_JWT_SECRET: SECRET });
    const secret = new TextEncoder().encode(SECRET);
    const token = await issuer.sign({ iss: "x", aud: "y" }, { alg: "HS256" }, secret);
    expect((await me(server, token)).status).toBe(200);
    const doubtful = server.lines.filter(({ event }) => event === "setting.doubtful");
    expect(doubtful.map(({ variable }) => String(variable))).toEqual([
      "PORCHLIGHT_JWT_ISSUER",
      "PORCHLIGHT_JWT_AUDIENCE",
    ]);
    expect(JSON.stringify(server.lines)).not.toContain(SECRET);
  });
});
