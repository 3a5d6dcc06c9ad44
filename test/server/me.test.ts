import { describe, expect, test } from "bun:test";
import { DEFAULT_PREFERENCES, type Preferences } from "@porchlight/core";
import { type Person, type Reply, TestServer } from "../support/server.ts";

const ANN = {
  display_name: "Ann",
  email: "ann@example.org",
  avatar_url: "https://example.org/ann.png",
  bio: "Hi",
  local_id: "ann.other",
  server_name: "porch.example",
  personal_workspace_id: "ws-ann",
  roles: ["guest"],
  groups: ["staff", "night"],
};

describe("GET /v1/me", () => {
  test("carries every documented key, and none beyond", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann", ANN);
    await server.admin("PUT", "/tenants/acme", {
      slug: "the-acme",
      name: "Acme",
      features: { calls: true, limits: { rooms: 3 } },
    });
    const { server_name: _, ...facts } = ANN;
    expect((await ann.get("/v1/me")).body).toEqual({
      data: {
        ...facts,
        participant_id: "ann",
        fqid: "@ann.other:porch.example",
        presence: "offline",
        tenant: {
          id: "acme",
          slug: "the-acme",
          name: "Acme",
          features: { calls: true, limits: { rooms: 3 } },
        },
      },
    });
  });

  test("answers null and nothing for what nobody has said, on the configured server", async () => {
    await using server = await TestServer.start({
      env: { PORCHLIGHT_SERVER_NAME: "porch.example" },
    });
    const ann = await server.person("ann");
    expect((await ann.get("/v1/me")).body.data).toEqual({
      participant_id: "ann",
      local_id: "ann",
      fqid: "@ann:porch.example",
      display_name: "ann",
      email: null,
      avatar_url: null,
      bio: null,
      personal_workspace_id: null,
      roles: [],
      groups: [],
      presence: "offline",
      tenant: { id: "acme", slug: "acme", name: "acme", features: {} },
    });
  });

  test("answers one's own effective presence, live", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const presence = async (): Promise<unknown> => (await ann.get("/v1/me")).body.data.presence;
    const stream = await ann.stream();
    expect(await presence()).toBe("online");
    await ann.put("/v1/me/presence", { state: "appear_offline" });
    expect(await presence()).toBe("appear_offline");
    await ann.put("/v1/me/presence", { auto: true });
    expect(await presence()).toBe("online");
    stream.send({ type: "bye" });
    await stream.closed;
    expect(await presence()).toBe("offline");
  });
});

describe("PUT /v1/me", () => {
  test.each([
    [{ display_name: "Ann Other" }],
    [{ avatar_url: null }],
    [{ bio: "New" }],
    [{ bio: null, avatar_url: "http://example.org/a.png" }],
    [{ display_name: "X", avatar_url: "HTTPS://example.org/b.png", bio: "" }],
    [{}],
  ])("with %j touches only that, and answers like the GET", async (patch) => {
    await using server = await TestServer.start();
    const ann = await server.person("ann", ANN);
    const before = (await ann.get("/v1/me")).body.data;
    const { status, body } = await ann.put("/v1/me", patch);
    expect(status).toBe(200);
    expect(body).toEqual({ data: { ...before, ...patch } });
    expect((await ann.get("/v1/me")).body).toEqual(body);
  });

  test("takes an answer of the GET back, edited or not", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann", ANN);
    await server.admin("PUT", "/tenants/acme", { features: { a: { b: [1, { c: null }] } } });
    const { data } = (await ann.get("/v1/me")).body;
    expect(await ann.put("/v1/me", data)).toMatchObject({ status: 200, body: { data } });
    expect(() => server.reference.checkBody("PUT", "/v1/me", JSON.stringify(data))).not.toThrow();
    const edited = { ...data, bio: "Edited" };
    expect(await ann.put("/v1/me", edited)).toMatchObject({ status: 200, body: { data: edited } });
  });

  test("takes an answer of the GET back also from somebody whose name is their long id", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("a".repeat(128));
    const { data } = (await ann.get("/v1/me")).body;
    expect(await ann.put("/v1/me", data)).toMatchObject({ status: 200, body: { data } });
  });

  test.each([
    ["participant_id", "bob"],
    ["local_id", "bob"],
    ["fqid", "@bob:localhost"],
    ["email", "bob@example.org"],
    ["personal_workspace_id", null],
    ["roles", ["guest", "porchlight_admin"]],
    ["groups", ["night", "staff"]],
    ["presence", "busy"],
    ["tenant", { id: "globex", slug: "acme", name: "acme", features: {} }],
    ["tenant", { id: "acme" }],
  ])("refuses the read-only key %s with another value than it has", async (key, value) => {
    await using server = await TestServer.start();
    const ann = await server.person("ann", ANN);
    const before = (await ann.get("/v1/me")).body;
    const refused = await ann.put("/v1/me", { [key]: value, bio: "not written" });
    expect(refused.status).toBe(400);
    expect(refused.body.error).toMatchObject({
      code: "SW_VALIDATION",
      details: [{ path: key, message: "is read-only" }],
    });
    expect((await ann.get("/v1/me")).body).toEqual(before);
  });

  test("names every fault at once, of keys that are unknown, read-only or wrong, and changes nothing", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann", ANN);
    const before = (await ann.get("/v1/me")).body;
    const refused = await ann.put("/v1/me", {
      display_name: " ",
      avatar_url: "ftp://example.org/a.png",
      bio: 7,
      roles: [],
      nope: 1,
      server_name: "porch.example",
      email: ANN.email,
    });
    expect(refused.status).toBe(400);
    expect(faultsOf(refused)).toEqual([
      "avatar_url",
      "bio",
      "display_name",
      "nope",
      "roles",
      "server_name",
    ]);
    expect((await ann.get("/v1/me")).body).toEqual(before);
  });

  test("trims display names, which have 1 to 80 characters then", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const named = async (display_name: unknown): Promise<unknown> => {
      const { status, body } = await ann.put("/v1/me", { display_name });
      return status === 200 ? body.data.display_name : body.error.code;
    };
    expect(await named("  Ann \n")).toBe("Ann");
    expect(await named("x")).toBe("x");
    expect(await named(`  ${"x".repeat(80)}  `)).toBe("x".repeat(80));
    expect(await named("\u{1f3e0}".repeat(80))).toBe("\u{1f3e0}".repeat(80));
    for (const wrong of ["x".repeat(81), "", "   ", null, 7, ["x"]])
      expect(await named(wrong)).toBe("SW_VALIDATION");
  });

  test("takes bios of at most 500 characters, as they are", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    for (const bio of [" spaced ", "x".repeat(500), "\u{1f3e0}".repeat(500)])
      expect((await ann.put("/v1/me", { bio })).body.data.bio).toBe(bio);
    expect(faultsOf(await ann.put("/v1/me", { bio: "x".repeat(501) }))).toEqual(["bio"]);
  });

  test.each(["javascript:alert(1)", "//example.org/a", "https://", "https:// x", "", 7])(
    "refuses the avatar %p",
    async (avatar_url) => {
      await using server = await TestServer.start();
      const ann = await server.person("ann");
      expect(faultsOf(await ann.put("/v1/me", { avatar_url }))).toEqual(["avatar_url"]);
    },
  );

  test.each([[null], [[]], ["text"], [7]])("refuses the body %j", async (body) => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    expect(faultsOf(await ann.put("/v1/me", body))).toEqual([""]);
  });

  test("tells the tenant, the person's own devices among them, what others can see", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann", ANN), await server.person("bob")];
    const gwen = await server.person("gwen", { tenant_id: "globex" });
    const told = [await ann.stream(), await bob.stream()];
    const gwenHears = await gwen.stream();
    const before = await server.store.position("acme");
    await ann.put("/v1/me", { display_name: "Ann Other" });
    const { data: profile } = (await bob.get("/v1/profiles/ann")).body;
    for (const stream of told)
      expect<unknown>(await stream.type("swp.participant.profile")).toEqual({
        type: "swp.participant.profile",
        id: expect.stringMatching(/^evt-/),
        tenant_id: "acme",
        ts: expect.any(String),
        stream_position: before + 1,
        participant_id: "ann",
        ...profile,
      });
    expect(profile.participant.display_name).toBe("Ann Other");
    expect(await typesHeard(gwenHears, "swp.")).toEqual([]);
  });

  test("tells nobody when nothing has changed, or when it was refused", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann", ANN), await server.person("bob")];
    const stream = await bob.stream();
    const before = await server.store.position("acme");
    await ann.put("/v1/me", {});
    await ann.put("/v1/me", { display_name: "  Ann ", bio: "Hi" });
    await ann.put("/v1/me", { display_name: "Bob", nope: 1 });
    expect(await typesHeard(stream, "swp.")).toEqual([]);
    expect(await server.store.position("acme")).toBe(before);
  });
});

describe("GET /v1/me/preferences", () => {
  test("answers the documented defaults, whole", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    expect((await ann.get("/v1/me/preferences")).body).toEqual({
      data: {
        locale: "en",
        timezone: "UTC",
        time_format: "24h",
        ai_response_mode: "conversational",
        ai_engagement_mode: "always",
        default_mode: "all",
        quiet_hours: {
          enabled: false,
          start: null,
          end: null,
          weekdays_only: false,
          weekends_only: false,
        },
        keyword_alerts: [],
        read_marker_mode: "leave",
        push: true,
        email: false,
        email_address: null,
      },
    });
  });

  test("answers the configured time zone until one is chosen", async () => {
    await using server = await TestServer.start({
      env: { PORCHLIGHT_DEFAULT_TIMEZONE: "Europe/Amsterdam" },
    });
    const ann = await server.person("ann");
    expect((await preferences(ann)).timezone).toBe("Europe/Amsterdam");
    await ann.put("/v1/me/preferences", { timezone: "UTC" });
    expect((await preferences(ann)).timezone).toBe("UTC");
  });

  test("answers everyone their own, also two of one id in two tenants", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const other = await server.person("ann", { tenant_id: "globex" });
    await ann.put("/v1/me/preferences", { locale: "nl" });
    const locales = [ann, bob, other].map(async (each) => (await preferences(each)).locale);
    expect(await Promise.all(locales)).toEqual(["nl", "en", "en"]);
  });
});

describe("PUT /v1/me/preferences", () => {
  test("touches only the keys that are sent, at every depth, and answers the whole document", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const steps: [patch: object, changed: Partial<Preferences>][] = [
      [{ locale: "nl" }, { locale: "nl" }],
      [{ quiet_hours: { start: "22:00" } }, { quiet_hours: quiet({ start: "22:00" }) }],
      [
        { quiet_hours: { end: "07:00", weekdays_only: true } },
        { quiet_hours: quiet({ start: "22:00", end: "07:00", weekdays_only: true }) },
      ],
      [
        { quiet_hours: { start: null } },
        { quiet_hours: quiet({ end: "07:00", weekdays_only: true }) },
      ],
      [{ email_address: "ann@example.org" }, { email_address: "ann@example.org" }],
      [
        { email_address: null, push: false },
        { email_address: null, push: false },
      ],
      [{ keyword_alerts: ["porch", "light"] }, { keyword_alerts: ["porch", "light"] }],
      [{ keyword_alerts: ["lamp"] }, { keyword_alerts: ["lamp"] }],
      [{ quiet_hours: {} }, {}],
      [{}, {}],
    ];
    let expected = DEFAULT_PREFERENCES;
    for (const [patch, changed] of steps) {
      expected = { ...expected, ...changed };
      const { status, body } = await ann.put("/v1/me/preferences", patch);
      expect({ status, body }).toEqual({ status: 200, body: { data: expected } });
    }
    expect(await preferences(ann)).toEqual(expected);
  });

  test('answers {"quiet_hours":{"enabled":true}} with 200, keeps the other keys, and warns', async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await ann.put("/v1/me/preferences", { quiet_hours: { start: "22:00" } });
    const { status, body } = await ann.put("/v1/me/preferences", {
      quiet_hours: { enabled: true },
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      data: {
        ...DEFAULT_PREFERENCES,
        quiet_hours: quiet({ enabled: true, start: "22:00" }),
      },
      meta: {
        warnings: [{ path: "quiet_hours", message: expect.stringContaining("never quiet") }],
      },
    });
    expect((await ann.get("/v1/me/preferences")).body).toEqual(body);
  });

  test.each([
    ["without an end", { enabled: true, start: "22:00" }, 1],
    ["from an hour to the same hour", { enabled: true, start: "22:00", end: "22:00" }, 1],
    [
      "on weekdays and on weekends only",
      { enabled: true, start: "22:00", end: "07:00", weekdays_only: true, weekends_only: true },
      1,
    ],
    ["without times and on no day", { enabled: true, weekdays_only: true, weekends_only: true }, 2],
    ["from evening to morning", { enabled: true, start: "22:00", end: "07:00" }, 0],
    ["that are off, however odd", { weekdays_only: true, weekends_only: true }, 0],
  ])("takes quiet hours %s, with the warnings due", async (_, quiet_hours, warnings) => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const { status, body } = await ann.put("/v1/me/preferences", { quiet_hours });
    expect(status).toBe(200);
    expect(body.meta?.warnings ?? []).toHaveLength(warnings);
  });

  test('refuses {"locale":"fr","push":null,"nope":1} with three faults, and changes nothing', async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const body = { time_format: "12h", locale: "fr", push: null, nope: 1 };
    const refused = await ann.put("/v1/me/preferences", body);
    expect(refused.status).toBe(400);
    expect(refused.body.error.code).toBe("SW_VALIDATION");
    expect(faultsOf(refused)).toEqual(["locale", "nope", "push"]);
    expect(await preferences(ann)).toEqual(DEFAULT_PREFERENCES);
  });

  test("names every wrong leaf by its path, at every depth", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const refused = await ann.put("/v1/me/preferences", {
      quiet_hours: { enabled: null, start: "24:00", end: "7:00", weekdays_only: 1, nope: true },
      keyword_alerts: ["fine", "", "x".repeat(101), 7],
      email_address: "nobody",
      default_mode: "inherit",
      timezone: null,
    });
    expect(faultsOf(refused)).toEqual([
      "default_mode",
      "email_address",
      "keyword_alerts[1]",
      "keyword_alerts[2]",
      "keyword_alerts[3]",
      "quiet_hours.enabled",
      "quiet_hours.end",
      "quiet_hours.nope",
      "quiet_hours.start",
      "quiet_hours.weekdays_only",
      "timezone",
    ]);
    expect(faultsOf(await ann.put("/v1/me/preferences", { quiet_hours: null }))).toEqual([
      "quiet_hours",
    ]);
    expect(await preferences(ann)).toEqual(DEFAULT_PREFERENCES);
  });

  test("trims keyword alerts and drops case-insensitive duplicates, the first one stays", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const put = async (keyword_alerts: unknown): Promise<Reply> =>
      ann.put("/v1/me/preferences", { keyword_alerts });
    expect(
      (await put([" Porch ", "light", "PORCH", "Ça va", "ça VA", "light "])).body.data,
    ).toMatchObject({ keyword_alerts: ["Porch", "light", "Ça va"] });
    const most = Array.from({ length: 50 }, (_, index) => `${index}`.padStart(100, "x"));
    expect((await put(most)).body.data.keyword_alerts).toEqual(most);
    expect(faultsOf(await put([...most, "one more"]))).toEqual(["keyword_alerts"]);
    expect((await put([])).body.data.keyword_alerts).toEqual([]);
  });

  test.each(["Europe/Amsterdam", "europe/amsterdam", "UTC", "Etc/GMT+5", "Asia/Calcutta"])(
    "stores the time zone %s as it was sent",
    async (timezone) => {
      await using server = await TestServer.start();
      const ann = await server.person("ann");
      expect((await ann.put("/v1/me/preferences", { timezone })).body.data.timezone).toBe(timezone);
      expect((await preferences(ann)).timezone).toBe(timezone);
    },
  );

  test.each(["+02:00", "-05", "UTC+2", "GMT-3", "Europe/Nowhere", "", " UTC", "Amsterdam"])(
    "refuses the time zone %p",
    async (timezone) => {
      await using server = await TestServer.start();
      const ann = await server.person("ann");
      expect(faultsOf(await ann.put("/v1/me/preferences", { timezone }))).toEqual(["timezone"]);
    },
  );

  test("takes effect at once after the wall clock was set back", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await ann.put("/v1/me/preferences", { locale: "nl" });
    server.clock.step(-86_400_000);
    expect((await ann.put("/v1/me/preferences", { locale: "de" })).body.data.locale).toBe("de");
    expect((await preferences(ann)).locale).toBe("de");
  });

  test("tells the person's own devices only, the whole document, without a position", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const namesake = await server.person("ann", { tenant_id: "globex" });
    await server.room("lobby", [ann, bob]);
    const own = [
      await ann.stream({ device_id: "laptop" }),
      await ann.stream({ device_id: "phone" }),
    ];
    const others = [await bob.stream(), await namesake.stream()];
    const before = await server.store.position("acme");
    const { data } = (await ann.put("/v1/me/preferences", { locale: "nl" })).body;
    for (const stream of own)
      expect<unknown>(await stream.type("swp.me.preferences")).toEqual({
        type: "swp.me.preferences",
        id: expect.stringMatching(/^evt-/),
        tenant_id: "acme",
        ts: expect.any(String),
        preferences: data,
      });
    for (const stream of others) expect(await typesHeard(stream, "swp.")).toEqual([]);
    expect(await server.store.position("acme")).toBe(before);
  });

  test("tells nobody when nothing has changed, or when it was refused", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const stream = await ann.stream();
    await ann.put("/v1/me/preferences", {});
    await ann.put("/v1/me/preferences", { locale: "en", quiet_hours: { start: null } });
    await ann.put("/v1/me/preferences", { locale: "nl", nope: 1 });
    expect(await typesHeard(stream, "swp.")).toEqual([]);
  });
});

async function preferences(person: Person): Promise<Preferences> {
  return (await person.get("/v1/me/preferences")).body.data;
}

/** Quiet hours with their defaults, but for what is given. */
function quiet(given: Partial<Preferences["quiet_hours"]>): Preferences["quiet_hours"] {
  return { ...DEFAULT_PREFERENCES.quiet_hours, ...given };
}

/** The paths of a refusal's faults, in order. */
function faultsOf({ body }: Reply): string[] {
  return body.error.details.map(({ path }: { path: string }) => path).toSorted();
}

/** The types of what a stream has heard that begin like this. */
async function typesHeard(
  stream: Awaited<ReturnType<Person["stream"]>>,
  prefix: string,
): Promise<string[]> {
  return (await stream.heard()).map(({ type }) => type).filter((type) => type.startsWith(prefix));
}
