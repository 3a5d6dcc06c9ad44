import { describe, expect, test } from "bun:test";
import { DEFAULT_TIMINGS } from "@porchlight/core";
import { ConfigError, DEFAULT_LIMITS, readConfig, variableOf } from "@porchlight/server";

const SECRET = "a secret of thirty-two bytes all";

/** What is wrong with an environment: variable and message. */
function faultsOf(env: Record<string, string>): [string, string][] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map(({ path, message }) => [path, message]);
  }
}

function faultyIn(env: Record<string, string>): string[] {
  return faultsOf(env).map(([variable]) => variable);
}

describe("readConfig", () => {
  test("an empty environment gives the documented defaults", () => {
    const { timings, limits, ...settings } = readConfig({});
    expect(settings).toEqual({
      host: "127.0.0.1",
      port: 8_787,
      databaseUrl: "sqlite:./porchlight.db",
      redisUrl: undefined,
      redisPrefix: "porchlight:",
      nodeLeaseMs: 4_000,
      adminToken: undefined,
      adminRole: "porchlight_admin",
      jwksUrl: undefined,
      jwtSecret: undefined,
      jwtIssuer: undefined,
      jwtAudience: undefined,
      serverName: "localhost",
      defaultTimezone: "UTC",
      manualWithoutDevice: "keep",
      allowedOrigins: "*",
      metricsPublic: false,
    });
    expect(timings).toEqual({
      heartbeat_ms: 30_000,
      presence_ttl_ms: 120_000,
      idle_after_ms: 300_000,
      ping_ms: 30_000,
      disconnect_grace_ms: 10_000,
      restart_grace_ms: 20_000,
      coalesce_ms: 100,
      typing_ttl_ms: 4_000,
      typing_refresh_ms: 2_500,
      typing_retell_ms: 2_500,
      typing_drop_ms: 7_000,
    });
    expect(limits).toEqual({
      rate_limit: 50,
      rate_burst: 100,
      typing_rate: 5,
      typing_max_members: 5_000,
      awareness_max_members: 500,
      presence_max_ids: 200,
      body_max_bytes: 65_536,
      frame_max_bytes: 65_536,
      backlog_max_bytes: 1_048_576,
      frame_rate: 50,
      sockets_per_participant: 32,
      events_retained: 10_000,
    });
  });

  test("every setting is read from its own variable", () => {
    const settings = {
      PORCHLIGHT_HOST: "0.0.0.0",
      PORCHLIGHT_PORT: "0",
      PORCHLIGHT_DATABASE_URL: "sqlite:/data/people.db",
      PORCHLIGHT_ADMIN_TOKEN: "sixteen letters.",
      PORCHLIGHT_ADMIN_ROLE: "operator",
      PORCHLIGHT_JWKS_URL: "https://issuer.example/keys",
      PORCHLIGHT_JWT_ISSUER: "https://issuer.example",
      PORCHLIGHT_JWT_AUDIENCE: "porchlight",
      PORCHLIGHT_SERVER_NAME: "chat.example.org",
      PORCHLIGHT_DEFAULT_TIMEZONE: "Europe/Amsterdam",
      PORCHLIGHT_MANUAL_WITHOUT_DEVICE: "offline",
      PORCHLIGHT_ALLOWED_ORIGINS: "https://a.example, https://b.example:8443",
    };
    expect(readConfig(settings)).toMatchObject({
      host: "0.0.0.0",
      port: 0,
      databaseUrl: "sqlite:/data/people.db",
      adminToken: "sixteen letters.",
      adminRole: "operator",
      jwksUrl: "https://issuer.example/keys",
      jwtIssuer: "https://issuer.example",
      jwtAudience: "porchlight",
      serverName: "chat.example.org",
      defaultTimezone: "Europe/Amsterdam",
      manualWithoutDevice: "offline",
      allowedOrigins: ["https://a.example", "https://b.example:8443"],
    });
  });

  test.each(Object.entries(DEFAULT_TIMINGS))("%s is read from its own variable", (name, usual) => {
    // One more is within the rule between the durations for each of them.
    const { timings } = readConfig({ [variableOf(name)]: String(usual + 1) });
    expect(timings).toEqual({ ...DEFAULT_TIMINGS, [name]: usual + 1 });
  });

  test.each(Object.entries(DEFAULT_LIMITS))("%s is read from its own variable", (name, usual) => {
    const { limits } = readConfig({ [variableOf(name)]: String(usual + 1) });
    expect(limits).toEqual({ ...DEFAULT_LIMITS, [name]: usual + 1 });
  });

  test("an empty variable counts as absent", () => {
    expect(
      readConfig({ PORCHLIGHT_PORT: "", PORCHLIGHT_ADMIN_TOKEN: "", PORCHLIGHT_PING_MS: "" }),
    ).toEqual(readConfig({}));
  });

  test("every fault is named at once", () => {
    const env = {
      PORCHLIGHT_PORT: "65536",
      PORCHLIGHT_DATABASE_URL: "mysql://localhost",
      PORCHLIGHT_ADMIN_TOKEN: "fifteen letters",
      PORCHLIGHT_DEFAULT_TIMEZONE: "Mars/Olympus",
      PORCHLIGHT_MANUAL_WITHOUT_DEVICE: "maybe",
      PORCHLIGHT_TYPING_TTL_MS: "soon",
      PORCHLIGHT_RATE_LIMIT: "-1",
      PORCHLIGHT_HOTS: "0.0.0.0",
    };
    expect(faultyIn(env).toSorted()).toEqual(Object.keys(env).toSorted());
    expect(() => readConfig(env)).toThrow(/^PORCHLIGHT_PORT .*\n(.*\n)*PORCHLIGHT_HOTS /);
  });

  test("a fault says what was received", () => {
    expect(faultsOf({ PORCHLIGHT_PORT: "http" })).toEqual([
      ["PORCHLIGHT_PORT", 'must be 0 to 65535: received "http"'],
    ]);
    expect(faultsOf({ PORCHLIGHT_PING_MS: "1.5" })).toEqual([
      ["PORCHLIGHT_PING_MS", 'must be a whole number of at least 1: received "1.5"'],
    ]);
  });

  test("a fault of the admin token does not repeat it", () => {
    expect(JSON.stringify(faultsOf({ PORCHLIGHT_ADMIN_TOKEN: "secret" }))).not.toContain("secret");
  });

  test("a database is a file or the address of a PostgreSQL database, and the fault of anything else names both", () => {
    for (const url of [
      "sqlite:/data/people.db",
      "postgres://porchlight:s%2Fcret@db.example:5432/porchlight?sslmode=verify-full",
      "postgresql:///porchlight?host=/run/postgresql",
    ])
      expect(readConfig({ PORCHLIGHT_DATABASE_URL: url }).databaseUrl).toBe(url);
    for (const url of ["people.db", "mysql://root:secret@localhost", "postgres://root:secret@:"]) {
      const [[variable, message] = []] = faultsOf({ PORCHLIGHT_DATABASE_URL: url });
      expect([variable, message]).toEqual([
        "PORCHLIGHT_DATABASE_URL",
        expect.stringMatching(/sqlite:\.\/porchlight\.db.*postgres:\/\/user:password@/),
      ]);
      expect(message).not.toContain("root:secret");
    }
  });

  test("several nodes need a database that they can share, and a lease that leaves time for the grace", () => {
    const postgres = { PORCHLIGHT_DATABASE_URL: "postgres://db.example/porchlight" };
    for (const url of ["redis://redis.example:6379", "rediss://:s%2Fcret@redis.example/2"]) {
      const redis = { PORCHLIGHT_REDIS_URL: url };
      expect(readConfig({ ...postgres, ...redis }).redisUrl).toBe(url);
      expect(faultyIn(redis)).toEqual(["PORCHLIGHT_REDIS_URL"]);
    }
    for (const url of ["redis.example:6379", "http://redis.example", "redis://"])
      expect(faultyIn({ ...postgres, PORCHLIGHT_REDIS_URL: url })).toEqual([
        "PORCHLIGHT_REDIS_URL",
      ]);
    const nodes = { ...postgres, PORCHLIGHT_REDIS_URL: "redis://redis.example" };
    expect(readConfig({ ...nodes, PORCHLIGHT_NODE_LEASE_MS: "5000" }).nodeLeaseMs).toBe(5_000);
    for (const lease of ["5001", "99", "soon"])
      expect(faultyIn({ ...nodes, PORCHLIGHT_NODE_LEASE_MS: lease })).toEqual([
        "PORCHLIGHT_NODE_LEASE_MS",
      ]);
    const patient = { PORCHLIGHT_DISCONNECT_GRACE_MS: "11001" };
    expect(faultyIn({ ...nodes, ...patient })).toEqual(["PORCHLIGHT_NODE_LEASE_MS"]);
    expect(faultyIn(patient)).toEqual([]);
  });

  test("keys of an issuer and a secret shared with it exclude each other", () => {
    const jwksUrl = { PORCHLIGHT_JWKS_URL: "https://issuer.example/keys" };
    const jwtSecret = { PORCHLIGHT_JWT_SECRET: SECRET };
    expect(readConfig(jwtSecret)).toMatchObject({ jwtSecret: SECRET });
    expect(faultsOf({ ...jwksUrl, ...jwtSecret })).toEqual([
      ["PORCHLIGHT_JWKS_URL", "must not be set together with PORCHLIGHT_JWT_SECRET"],
    ]);
  });

  test("an issuer or an audience without keys is a fault", () => {
    const named = { PORCHLIGHT_JWT_ISSUER: "https://i.example", PORCHLIGHT_JWT_AUDIENCE: "porch" };
    expect(faultyIn(named)).toEqual(Object.keys(named));
    expect(faultyIn({ ...named, PORCHLIGHT_JWT_SECRET: SECRET })).toEqual([]);
  });

  test("a secret has at least 32 bytes, and its fault does not repeat it", () => {
    const short = SECRET.slice(1);
    expect(faultsOf({ PORCHLIGHT_JWT_SECRET: short })).toEqual([
      ["PORCHLIGHT_JWT_SECRET", "must have at least 32 bytes"],
    ]);
    expect(faultyIn({ PORCHLIGHT_JWT_SECRET: "é".repeat(16) })).toEqual([]);
  });

  test.each([
    "https://issuer.example/keys",
    "http://localhost:8080/keys",
    "http://127.0.0.1/keys",
    "http://[::1]:8080/keys",
  ])("keys may come from %s", (url) => {
    expect(readConfig({ PORCHLIGHT_JWKS_URL: url })).toMatchObject({ jwksUrl: url });
  });

  test.each([
    "http://issuer.example/keys",
    "http://127.0.0.1.issuer.example/keys",
    "http://localhost.issuer.example/keys",
    "http://my-localhost/keys",
    "file:///keys",
    "issuer.example/keys",
  ])("keys may not come from %s, where anyone could put their own", (url) => {
    expect(faultsOf({ PORCHLIGHT_JWKS_URL: url })).toEqual([
      [
        "PORCHLIGHT_JWKS_URL",
        `must be an https address, or an http one of this machine: received "${url}"`,
      ],
    ]);
  });

  test("a password in the address of the keys is a fault, and not repeated", () => {
    const faults = faultsOf({ PORCHLIGHT_JWKS_URL: "https://me:hush@issuer.example/keys" });
    expect(faults).toEqual([["PORCHLIGHT_JWKS_URL", "must not have a name or password in it"]]);
  });

  test.each(["PORCHLIGHT_TYPING_TTL", "PORCHLIGHT_", "PORCHLIGHT_PORT_", "PORCHLIGHT_port"])(
    "the misspelt variable %s is refused",
    (name) => {
      expect(faultsOf({ [name]: "1" })).toEqual([[name, "is not a known variable"]]);
    },
  );

  test("variables of others and of the test suite are ignored", () => {
    const env = { PATH: "/bin", PORCHLIGHTS: "on", PORCHLIGHT_TEST_SEED: "7" };
    expect(readConfig(env)).toEqual(readConfig({}));
  });

  test("a client that is heard in time never falls out of presence_ttl_ms", () => {
    const sum = 30_000 + 30_000 + 10_000;
    expect(faultyIn({ PORCHLIGHT_PRESENCE_TTL_MS: String(sum - 1) })).toEqual([
      "PORCHLIGHT_PRESENCE_TTL_MS",
    ]);
    expect(faultyIn({ PORCHLIGHT_PRESENCE_TTL_MS: String(sum) })).toEqual([
      "PORCHLIGHT_PRESENCE_TTL_MS",
    ]);
    expect(faultyIn({ PORCHLIGHT_PRESENCE_TTL_MS: String(sum + 1) })).toEqual([]);
    expect(faultyIn({ PORCHLIGHT_HEARTBEAT_MS: "79999" })).toEqual([]);
    expect(faultyIn({ PORCHLIGHT_HEARTBEAT_MS: "80000" })).toEqual(["PORCHLIGHT_PRESENCE_TTL_MS"]);
  });

  test("a typist refreshes before the signal ends, and a receiver drops it after", () => {
    expect(faultyIn({ PORCHLIGHT_TYPING_REFRESH_MS: "3999" })).toEqual([]);
    expect(faultyIn({ PORCHLIGHT_TYPING_REFRESH_MS: "4000" })).toEqual([
      "PORCHLIGHT_TYPING_REFRESH_MS",
    ]);
    expect(faultyIn({ PORCHLIGHT_TYPING_DROP_MS: "4001" })).toEqual([]);
    expect(faultyIn({ PORCHLIGHT_TYPING_DROP_MS: "4000" })).toEqual(["PORCHLIGHT_TYPING_DROP_MS"]);
  });

  test("a duration that cannot be read is not blamed on its neighbours", () => {
    expect(faultyIn({ PORCHLIGHT_TYPING_TTL_MS: "soon", PORCHLIGHT_PING_MS: "-1" })).toEqual([
      "PORCHLIGHT_PING_MS",
      "PORCHLIGHT_TYPING_TTL_MS",
    ]);
  });

  const MEANT = [
    "rate_limit",
    "typing_rate",
    "coalesce_ms",
    "disconnect_grace_ms",
    "restart_grace_ms",
  ];
  const NUMBERS = Object.keys({ ...DEFAULT_TIMINGS, ...DEFAULT_LIMITS });

  test.each(MEANT)("%s may be 0: no limit, or at once", (name) => {
    const { timings, limits } = readConfig({ [variableOf(name)]: "0" });
    expect({ ...timings, ...limits }).toMatchObject({ [name]: 0 });
  });

  test.each(NUMBERS.filter((name) => !MEANT.includes(name)))("%s must not be 0", (name) => {
    expect(faultyIn({ [variableOf(name)]: "0" })).toContain(variableOf(name));
  });

  test.each(["-1", "1.5", "NaN", "Infinity", "1e400", "many", "1 000", "10ms"])(
    "%s is no duration and no limit",
    (written) => {
      expect(faultyIn({ PORCHLIGHT_IDLE_AFTER_MS: written })).toEqual(["PORCHLIGHT_IDLE_AFTER_MS"]);
      expect(faultyIn({ PORCHLIGHT_BODY_MAX_BYTES: written })).toEqual([
        "PORCHLIGHT_BODY_MAX_BYTES",
      ]);
    },
  );

  test.each(["-1", "65536", "80.5", "http"])("%s is no port", (written) => {
    expect(faultyIn({ PORCHLIGHT_PORT: written })).toEqual(["PORCHLIGHT_PORT"]);
  });

  test.each(["+01:00", "UTC+1", "Mars/Olympus", "Europe/Amsterdam "])(
    "%p is no time zone",
    (written) => {
      expect(faultyIn({ PORCHLIGHT_DEFAULT_TIMEZONE: written })).toEqual([
        "PORCHLIGHT_DEFAULT_TIMEZONE",
      ]);
    },
  );
});
