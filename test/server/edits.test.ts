import { describe, expect, test } from "bun:test";
import { TestServer } from "../support/server.ts";

const MINUTE = 60_000;

/** An instant by the clock of a device, in ISO 8601. */
const iso = (at: number): string => new Date(at).toISOString();

describe("POST /v1/me/preferences/edits", () => {
  test("applies what was changed offline by its age, whatever the device's clock says", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await server.clock.advance(60 * MINUTE);
    await ann.put("/v1/me/preferences", { locale: "de", push: false });
    await server.clock.advance(10 * MINUTE);
    const wrongClock = 1_000_000_000_000;
    const edit = (seq: number, minutesAgo: number, patch: object): object => ({
      seq,
      edited_at: iso(wrongClock - minutesAgo * MINUTE),
      patch,
    });
    const request = {
      device_id: "laptop",
      sent_at: iso(wrongClock),
      edits: [
        edit(1, 20, { locale: "nl", time_format: "12h" }),
        edit(2, 5, { push: true, quiet_hours: { enabled: true } }),
      ],
    };
    const { status, body } = await ann.post("/v1/me/preferences/edits", request);
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      preferences: {
        locale: "de",
        time_format: "12h",
        push: true,
        quiet_hours: { enabled: true, start: null },
      },
      applied_seq: 2,
      superseded: [{ seq: 1, path: "locale" }],
      rejected: [],
    });
    expect((await ann.get("/v1/me/preferences")).body.data).toEqual(body.data.preferences);
  });

  test("sent again changes nothing, also not what was set since", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const now = server.clock.wall();
    const request = {
      device_id: "laptop",
      sent_at: iso(now),
      edits: [{ seq: 4, edited_at: iso(now), patch: { locale: "nl" } }],
    };
    await ann.post("/v1/me/preferences/edits", request);
    await ann.put("/v1/me/preferences", { locale: "de" });
    const { body } = await ann.post("/v1/me/preferences/edits", request);
    expect(body.data).toMatchObject({
      applied_seq: 4,
      superseded: [],
      rejected: [],
      preferences: { locale: "de" },
    });
  });

  test("reports a leaf that is not valid, and applies the others", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const now = iso(server.clock.wall());
    const patch = {
      locale: "fr",
      push: false,
      nope: "\ud800",
      quiet_hours: { start: "22:00", end: 7 },
    };
    const { status, body } = await ann.post("/v1/me/preferences/edits", {
      device_id: "laptop",
      sent_at: now,
      edits: [{ seq: 1, edited_at: now, patch }],
    });
    expect(status).toBe(200);
    expect(body.data.preferences).toMatchObject({
      locale: "en",
      push: false,
      quiet_hours: { start: "22:00", end: null },
    });
    expect(
      body.data.rejected.map(({ seq, path }: { seq: number; path: string }) => [seq, path]),
    ).toEqual([
      [1, "locale"],
      [1, "nope"],
      [1, "quiet_hours.end"],
    ]);
  });

  test("refuses a request that is not one, with every fault", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const { status, body } = await ann.post("/v1/me/preferences/edits", {
      device_id: "rest:x",
      sent_at: "now",
      edits: [{ seq: 0, edited_at: 1, patch: [] }],
    });
    expect(status).toBe(400);
    const paths = body.error.details.map(({ path }: { path: string }) => path);
    expect(paths.sort()).toEqual([
      "device_id",
      "edits[0].edited_at",
      "edits[0].patch",
      "edits[0].seq",
      "sent_at",
    ]);
  });

  test("tells the person's other devices", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const [annHears, bobHears] = [await ann.stream(), await bob.stream()];
    const now = iso(server.clock.wall());
    await ann.post("/v1/me/preferences/edits", {
      device_id: "laptop",
      sent_at: now,
      edits: [{ seq: 1, edited_at: now, patch: { locale: "nl" } }],
    });
    expect(await annHears.type("swp.me.preferences")).toMatchObject({
      preferences: { locale: "nl" },
    });
    expect((await bobHears.heard()).filter(({ type }) => type.startsWith("swp."))).toEqual([]);
  });
});

describe("PUT /v1/me/presence with edited_at", () => {
  /** A choice made so many minutes ago, on a device whose clock is an hour ahead. */
  function choice(server: TestServer, state: string, minutesAgo: number): object {
    const clock = server.clock.wall() + 60 * MINUTE;
    return {
      state,
      device_id: "laptop",
      edited_at: iso(clock - minutesAgo * MINUTE),
      sent_at: iso(clock),
    };
  }

  test("takes effect when no later choice is there", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await ann.put("/v1/me/presence", { state: "idle" });
    await server.clock.advance(30 * MINUTE);
    expect((await ann.put("/v1/me/presence", choice(server, "busy", 10))).body.data).toEqual({
      state: "busy",
      source: "manual",
    });
    expect((await bob.get("/v1/presence?ids=ann")).body.data.ann).toBe("busy");
  });

  test("is superseded by a later one, which stays, and counts as a sign of life all the same", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.clock.advance(30 * MINUTE);
    await ann.put("/v1/me/presence", { auto: true, device_id: "phone" });
    const { body } = await ann.put("/v1/me/presence", choice(server, "busy", 10));
    expect(body.data).toEqual({ state: "online", source: "device", superseded: true });
    expect((await bob.get("/v1/presence?ids=ann")).body.data.ann).toBe("online");
    const devices = (await ann.get("/v1/me/presence")).body.data.devices.map(
      ({ device_id }: { device_id: string }) => device_id,
    );
    expect(devices).toEqual(["phone", "laptop"]);
  });

  test("hiding, made offline and delivered before any socket opens, shows no blink", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const bobHears = await bob.stream();
    await server.clock.advance(30 * MINUTE);
    await ann.put("/v1/me/presence", choice(server, "appear_offline", 10));
    await ann.stream({ device_id: "laptop" });
    await server.clock.advance(MINUTE);
    expect(
      (await bobHears.heard()).filter(
        ({ participant_id, type }) => type === "presence" && participant_id === "ann",
      ),
    ).toEqual([]);
  });

  test("needs both times, or neither", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const { status, body } = await ann.put("/v1/me/presence", { state: "busy", edited_at: iso(0) });
    expect([status, body.error.details.length]).toEqual([400, 1]);
    expect((await ann.get("/v1/me/presence")).body.data.manual).toBeNull();
  });
});
