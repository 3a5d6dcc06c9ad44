import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { Arrivals } from "../support/arrivals.ts";
import { ADMIN_TOKEN, refusedWith, TestServer } from "../support/server.ts";

const HASH = "0".repeat(64);

/** A company with something of everything that an export has. */
async function company(server: TestServer): Promise<void> {
  const [ann, bob] = [
    await server.person("ann", { bio: "Keeps watch.", roles: ["porchlight_admin"] }),
    await server.person("bob"),
  ];
  const eve = await server.person("eve", { tenant_id: "umbrella" });
  await server.room("den", [eve], { topic: "Elsewhere" });
  await server.room("lounge", [ann, bob], { name: "Lounge", state: "archived", is_public: true });
  await server.admin("PUT", "/rooms/lounge/plan", { id: "p", state: "running", type: "own" });
  await server.admin("PUT", "/rooms/lounge/call", { call_id: "c", type: "audio" });
  await server.admin("PUT", "/rooms/lounge/sidekicks/t", { status: "running", more: [1] });
  const dm = (await ann.post("/v1/rooms/dm", { participant_id: "bob" })).body.data.id;
  const say = (room: string, sender_id: string, body: string): Promise<unknown> =>
    server.admin("POST", `/rooms/${room}/events`, {
      sender_id,
      content: { body },
      event_uuid: `${room}-${body}`,
    });
  await say("lounge", "ann", "one");
  await server.clock.advance(60_000);
  await server.admin("PUT", "/participants/cy", { tenant_id: "acme" });
  await server.admin("PUT", "/rooms/lounge/members/cy", {
    notification_mode: "mentions",
    muted_until: "indefinite",
    power_level: 50,
  });
  await say("lounge", "bob", "two");
  await say(dm, "bob", "three");
  await server.admin("PUT", `/rooms/${dm}/members/bob`, { membership: "leave" });
  await server.admin("PUT", "/rooms/lounge/members/bob", { membership: "ban" });
  await ann.put("/v1/me/preferences", { quiet_hours: { enabled: true }, keyword_alerts: ["tea"] });
  await ann.post("/v1/me/preferences/edits", {
    device_id: "d",
    sent_at: "2026-03-02T09:00:00Z",
    edits: [{ seq: 7, edited_at: "2026-03-02T08:00:00Z", patch: { locale: "de" } }],
  });
  await bob.put("/v1/me/presence", { state: "busy", device_id: "d" });
  await ann.put("/v1/me/presence", { state: "appear_offline" });
  await ann.put("/v1/me/presence", { auto: true });
  const slip = { sender_id: "cy", content: { body: "a slip" } };
  const { id: redacts } = (await server.admin("POST", "/rooms/lounge/events", slip)).body.data;
  await server.admin("POST", "/rooms/lounge/events", {
    ...{ type: "swp.room.redaction", sender_id: "cy", content: { redacts, reason: "private" } },
  });
  const [event] = (await server.export()).filter(({ type }) => type === "event");
  const named = { tenant_id: "acme", room_id: "lounge", participant_id: "ann" };
  await server.import([
    { type: "snooze", ...named, event_id: event.event_id, until: "2027-01-01T00:00:00Z" },
    {
      ...{ type: "event", tenant_id: "acme", room_id: "lounge", event_id: "old" },
      ...{ sender_id: "gone", sent_at: "2020-01-01T00:00:00Z", content: {} },
      redacted_at: "2020-01-02T00:00:00Z",
    },
    { type: "read_marker", ...named, event_id: event.event_id },
  ]);
}

describe("GET /v1/admin/export", () => {
  test("writes what import reads into an empty server, whose export is the same", async () => {
    await using from = await TestServer.start();
    await using into = await TestServer.start();
    await company(from);
    const lines = await from.export();
    const types = new Set(lines.map(({ type }) => type));
    expect([...types].toSorted()).toEqual(
      "call direct event member outbox participant plan preferences presence read_marker room sidekick snooze tenant token".split(
        " ",
      ),
    );
    const counts = { lines: lines.length, applied: lines.length, refused: 0 };
    expect(await into.import(lines)).toEqual([{ data: counts }]);
    expect(await into.export()).toEqual(lines);
  });

  test("moves what each sees: tokens, unread counts, preferences and presence", async () => {
    await using from = await TestServer.start();
    await using into = await TestServer.start();
    await company(from);
    const dave = await from.person("dave");
    await from.room("attic", [dave]);
    const seen = async (server: TestServer): Promise<unknown[]> => {
      const bodies: unknown[] = [];
      for (const path of ["/v1/me", "/v1/me/preferences", "/v1/rooms", "/v1/presence?ids=ann,bob"])
        bodies.push((await server.request("GET", path, { token: dave.token })).body);
      return bodies;
    };
    // Devices do not move.
    await from.clock.advance(200_000);
    await into.import(await from.export());
    expect(await seen(into)).toEqual(await seen(from));
  });

  test("moves the largest message that can be sent", async () => {
    await using from = await TestServer.start();
    await using into = await TestServer.start();
    const ann = await from.person("ann");
    await from.room("lounge", [ann]);
    const content = { msgtype: "text", body: "x".repeat(61_440 - 28) };
    const event_uuid = "u".repeat(128);
    const sent = await ann.post("/v1/rooms/lounge/send", { content, event_uuid });
    expect(sent.status).toBe(200);
    const larger = { content: { ...content, body: `${content.body}x` } };
    expect(refusedWith(await ann.post("/v1/rooms/lounge/send", larger))).toBe("400 SW_VALIDATION");
    expect((await into.import(await from.export())).at(-1)).toMatchObject({ data: { refused: 0 } });
  });

  test("moves how far somebody has read, also where their marker is at something that stays behind", async () => {
    await using from = await TestServer.start();
    await using into = await TestServer.start();
    const [ann, bob] = [await from.person("ann"), await from.person("bob")];
    const lounge = await from.room("lounge", [ann, bob]);
    const said = { sender_id: "bob", content: { body: "hello" } };
    await from.admin("POST", `/rooms/${lounge}/events`, said);
    const [since, cy] = [0, await from.person("cy")];
    await from.admin("PUT", `/rooms/${lounge}/members/${cy.id}`, { membership: "join" });
    const { events } = (await ann.get(`/v1/sync?since=${since}`)).body.data;
    await ann.put(`/v1/rooms/${lounge}/read-marker`, { event_id: events.at(-1).id });
    await from.admin("POST", `/rooms/${lounge}/events`, said);
    expect((await into.import(await from.export())).at(-1)).toMatchObject({ data: { refused: 0 } });
    const { token } = ann;
    const read = await into.request("GET", `/v1/rooms/${lounge}/read-state`, { token });
    expect(read.body.data).toMatchObject({ unread_count: 1, last_read_event_id: null });
  });

  test("moves what was taken back as such: taking it back again answers the first time", async () => {
    await using from = await TestServer.start();
    await using into = await TestServer.start();
    await company(from);
    await into.import(await from.export());
    const redacted = (await into.export()).find(({ redacted_by }) => redacted_by === "cy");
    expect(redacted).toMatchObject({ content: {}, reason: "private" });
    const content = { redacts: redacted?.event_id };
    const again = { type: "swp.room.redaction", sender_id: "cy", content };
    expect((await into.admin("POST", "/rooms/lounge/events", again)).body.data).toMatchObject({
      id: redacted?.redaction_id,
      ts: redacted?.redacted_at,
      redacts: redacted?.event_id,
      sender_id: "cy",
      reason: "private",
    });
  });

  test("is of the administrator's own tenant, of the one that is named, or of all", async () => {
    await using server = await TestServer.start();
    await company(server);
    const boss = await server.person("boss", { roles: ["porchlight_admin"] });
    const tenants = async (token: string, query = ""): Promise<unknown[]> => [
      ...new Set((await server.export({ token, query })).map(({ tenant_id }) => tenant_id)),
    ];
    expect(await tenants(ADMIN_TOKEN)).toEqual(["acme", "umbrella"]);
    expect(await tenants(ADMIN_TOKEN, "?tenant_id=umbrella")).toEqual(["umbrella"]);
    expect(await tenants(boss.token)).toEqual(["acme"]);
    const [theirs, nobodys] = [
      await boss.get("/v1/admin/export?tenant_id=umbrella"),
      await boss.get("/v1/admin/export?tenant_id=nowhere"),
    ];
    expect([refusedWith(theirs), theirs.body]).toEqual(["404 SW_TENANT_NOT_FOUND", nobodys.body]);
  });

  test("gives up whoever reads nothing for a minute", async () => {
    await using server = await TestServer.start({ alone: true });
    const ann = await server.person("ann");
    await server.room("lounge", [ann]);
    const content = { body: "x".repeat(60_000) };
    const lines = Array.from({ length: 400 }, (_, index) => ({
      ...{ type: "event", tenant_id: "acme", room_id: "lounge", event_id: `e${index}` },
      ...{ sender_id: "ann", content },
    }));
    await server.import(lines);
    const { hostname, port } = new URL(server.url);
    const begun = new Arrivals<string>();
    const socket = connect({ host: hostname, port: Number(port) });
    socket.once("data", () => {
      socket.pause();
      begun.add("data");
    });
    socket.write(
      `GET /v1/admin/export HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\n\r\n`,
    );
    await begun.until(([first]) => first);
    // An answer to another request comes after whatever could be written of this one.
    for (let turn = 0; turn < 20; turn += 1) await server.request("GET", "/healthz");
    await server.clock.advance(60_000);
    expect(server.lines.map(({ event }) => event)).toContain("export.failed");
    socket.destroy();
  });

  test("has tokens as hashes only", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const text = JSON.stringify(await server.export());
    expect([text.includes(ann.token), text.includes(ann.tokenId)]).toEqual([false, true]);
  });
});

describe("POST /v1/admin/import", () => {
  test("taken up again changes nothing, and tells nobody anything", async () => {
    await using server = await TestServer.start();
    await company(server);
    const lines = await server.export();
    const [boss, eve] = [
      await server.person("boss", { roles: ["porchlight_admin"] }),
      await server.person("eve", { tenant_id: "umbrella" }),
    ];
    await server.room("attic", [boss]);
    const before = await server.export();
    const [hears, other] = [await boss.stream(), await eve.stream()];
    await Promise.all([hears.heard(), other.heard()]);
    expect(await server.import(lines)).toMatchObject([{ data: { refused: 0 } }]);
    expect(await server.export()).toEqual(before);
    expect([await hears.heard(), await other.heard()]).toEqual([[], []]);
  });

  test("takes back nothing that came later: markers, preferences and states set by hand", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const room = await server.room("lounge", [ann]);
    const named = { tenant_id: "acme", room_id: room, participant_id: "ann" };
    const sent = (event_id: string): object => ({
      ...{ type: "event", tenant_id: "acme", room_id: room, event_id },
      ...{ sender_id: "bob", content: {} },
    });
    const marker = (event_id: string): object => ({ type: "read_marker", ...named, event_id });
    await server.import([sent("e1"), sent("e2"), marker("e1")]);
    await ann.put("/v1/me/preferences", { locale: "nl" });
    await ann.put("/v1/me/presence", { state: "busy" });
    const old = await server.export();
    await server.import([marker("e2")]);
    await ann.put("/v1/me/preferences", { locale: "de" });
    await ann.put("/v1/me/presence", { auto: true });
    await server.import(old);
    expect((await ann.get("/v1/rooms/lounge/read-state")).body.data).toMatchObject({
      unread_count: 0,
      last_read_event_id: "e2",
    });
    expect((await ann.get("/v1/me/preferences")).body.data.locale).toBe("de");
    expect((await ann.get("/v1/me/presence")).body.data.manual).toBeNull();
  });

  test("applies lines in order, tells those who listen, and reports each faulty line with every fault", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await server.room("lounge", [ann]);
    const hears = await ann.stream();
    await hears.heard();
    const report = await server.import(
      [
        { type: "participant", participant_id: "bob", presence: "busy" },
        { type: "member", room_id: "lounge", participant_id: "bob" },
        "",
        "{",
        { type: "event", room_id: "lounge", sender_id: "bob", content: {}, event_uuid: "u" },
        { type: "event", room_id: "lounge", sender_id: "eve", content: {}, event_uuid: "u" },
        { type: "event", room_id: "lounge", sender_id: "bob", content: {} },
        { type: "dance" },
        { type: "room", room_id: "not an id", name: 7, nonsense: 1 },
        { type: "member", room_id: "nowhere", participant_id: "bob" },
        { type: "participant", tenant_id: "nowhere", participant_id: "x" },
        [1],
        `{"type":"room","room_id":"long","topic":"${"x".repeat(65_536)}"}`,
        {
          type: "token",
          participant_id: "bob",
          token_id: ann.tokenId,
          hash: HASH,
          created_at: "2026-01-01T00:00:00Z",
        },
        {
          type: "preferences",
          participant_id: "bob",
          registers: { nope: { value: 1, at: 1, device_id: "", seq: 0 } },
        },
        { type: "preferences", participant_id: "bob", preferences: { locale: "nl" } },
      ],
      { query: "?tenant_id=acme" },
    );
    const said = report.map(({ line, code, details }) =>
      [line, code, ...(details ?? []).map(({ path }: { path: string }) => path)].join(" "),
    );
    expect(said).toEqual([
      "4 SW_VALIDATION ",
      "6 SW_NOT_MEMBER",
      "7 SW_VALIDATION ",
      "8 SW_VALIDATION type",
      "9 SW_VALIDATION room_id name nonsense",
      "10 SW_ROOM_NOT_FOUND",
      "11 SW_TENANT_NOT_FOUND",
      "12 SW_VALIDATION ",
      "13 SW_CONTENT_TOO_LARGE",
      "14 SW_VALIDATION token_id",
      "15 SW_VALIDATION nope",
      " ",
    ]);
    expect(report.at(-1)).toEqual({ data: { lines: 15, applied: 4, refused: 11 } });
    const types = (await hears.heard()).map(({ type }) => type);
    expect(types.filter((type) => type !== "swp.notification")).toEqual([
      "swp.participant.profile",
      "swp.room.member",
      "swp.room.message",
      "presence",
    ]);
  });

  test("of a tenant's administrator reaches no other tenant", async () => {
    await using server = await TestServer.start();
    const boss = await server.person("boss", { roles: ["porchlight_admin"] });
    await server.person("eve", { tenant_id: "umbrella" });
    const report = await server.import(
      [
        { type: "participant", participant_id: "new" },
        { type: "participant", tenant_id: "umbrella", participant_id: "eve", bio: "changed" },
        { type: "tenant", tenant_id: "fresh" },
      ],
      { token: boss.token },
    );
    expect(report).toMatchObject([
      { line: 2, code: "SW_TENANT_NOT_FOUND" },
      { line: 3, code: "SW_TENANT_NOT_FOUND" },
      { data: { applied: 1 } },
    ]);
  });

  test("says how far it has come every 1,000 lines, and at last what it came to", async () => {
    await using server = await TestServer.start();
    const lines = Array.from({ length: 2_500 }, () => ({ type: "tenant", tenant_id: "acme" }));
    const of = (count: number): object => ({ lines: count, applied: count, refused: 0 });
    expect(await server.import(lines)).toEqual([
      { progress: of(1_000) },
      { progress: of(2_000) },
      { data: of(2_500) },
    ]);
  });

  test("refuses what is no JSON in lines, and takes what curl sends", async () => {
    await using server = await TestServer.start();
    const post = (type: string): ReturnType<TestServer["request"]> =>
      server.request("POST", "/v1/admin/import", {
        token: ADMIN_TOKEN,
        text: '{"type":"tenant","tenant_id":"acme"}',
        headers: { "content-type": type },
      });
    for (const type of [
      "application/x-ndjson",
      "application/json",
      "application/x-www-form-urlencoded",
    ])
      expect((await post(type)).body).toEqual([{ data: { lines: 1, applied: 1, refused: 0 } }]);
    for (const type of ["multipart/form-data; boundary=x", "image/png"])
      expect(refusedWith(await post(type))).toBe("415 SW_UNSUPPORTED_MEDIA_TYPE");
  });

  test("that breaks off has applied what came whole, and nothing else", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const hears = await ann.stream();
    await hears.heard();
    const { hostname, port } = new URL(server.url);
    const ended = new Arrivals<string>();
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on("close", () => ended.end());
    const head = [
      "POST /v1/admin/import?tenant_id=acme HTTP/1.1",
      "Host: localhost",
      `Authorization: Bearer ${ADMIN_TOKEN}`,
      "Content-Length: 1000",
    ];
    socket.write(
      `${head.join("\r\n")}\r\n\r\n{"type":"participant","participant_id":"whole"}\n{"type":"participant","participant_id":"half"}`,
    );
    await hears.type("swp.participant.profile");
    socket.destroy();
    await ended.until(() => undefined);
    const ids = (await server.export()).map(({ participant_id }) => participant_id);
    expect([ids.includes("whole"), ids.includes("half")]).toEqual([true, false]);
  });
});
