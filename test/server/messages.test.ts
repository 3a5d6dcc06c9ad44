import { describe, expect, test } from "bun:test";
import { type Person, type Reply, refusedWith, TestServer } from "../support/server.ts";

const LOBBY = "/v1/rooms/lobby";
const CONTENT = { msgtype: "m.text", body: "hello" };

interface Party extends AsyncDisposable {
  readonly server: TestServer;
  readonly ann: Person;
  readonly bob: Person;
}

/** Ann and Bob, in the lobby. */
async function party(): Promise<Party> {
  const server = await TestServer.start();
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  await server.room("lobby", [ann, bob]);
  return { server, ann, bob, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

function redact(server: TestServer, redacts: string, more: object = {}): Promise<Reply> {
  const body = { sender_id: "ann", type: "swp.room.redaction", content: { redacts, ...more } };
  return server.request("POST", "/v1/admin/rooms/lobby/events", { token: server.adminToken, body });
}

describe("POST /v1/rooms/{id}/send", () => {
  test("answers the event that the room is told, further keys and all", async () => {
    await using p = await party();
    const bobHears = await p.bob.stream();
    const content = { ...CONTENT, mentions: ["bob"], deep: { list: [1, null] } };
    const { status, body } = await p.ann.post(`${LOBBY}/send`, { content });
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ type: "swp.room.message", sender_id: "ann", content });
    expect(await bobHears.type("swp.room.message")).toEqual(body.data);
  });

  test("sends once under one uuid, and tells of it once", async () => {
    await using p = await party();
    const bobHears = await p.bob.stream();
    const send = (body: string): Promise<Reply> =>
      p.ann.post(`${LOBBY}/send`, { content: { ...CONTENT, body }, event_uuid: "once" });
    const [first, second] = [await send("one"), await send("two")];
    expect(second.body).toEqual(first.body);
    const heard = (await bobHears.heard()).filter(({ type }) => type === "swp.room.message");
    expect(heard).toEqual([first.body.data]);
  });

  test("ends what its sender was typing, before it is told", async () => {
    await using p = await party();
    const bobHears = await p.bob.stream();
    await p.ann.put("/v1/typing", { room_id: "lobby", typing: true });
    await p.ann.post(`${LOBBY}/send`, { content: CONTENT });
    const heard = (await bobHears.heard()).filter(({ type }) => /^(typing|swp\.room)/.test(type));
    expect(heard.map(({ type, typing }) => [type, typing])).toEqual([
      ["typing", true],
      ["typing", false],
      ["swp.room.message", undefined],
    ]);
  });

  test("is unread to others, and leaves its sender's marker where it was", async () => {
    await using p = await party();
    await p.bob.post(`${LOBBY}/send`, { content: CONTENT });
    await p.ann.post(`${LOBBY}/send`, { content: CONTENT });
    const unread = async (person: Person): Promise<number> =>
      (await person.get(`${LOBBY}/read-state`)).body.data.unread_count;
    expect([await unread(p.ann), await unread(p.bob)]).toEqual([1, 1]);
  });

  test("is no sign of life: it shows nobody as online", async () => {
    await using p = await party();
    await p.ann.post(`${LOBBY}/send`, { content: CONTENT });
    expect((await p.bob.get("/v1/presence?ids=ann")).body.data.ann).toBe("offline");
  });
});

describe("GET /v1/rooms/{id}/messages", () => {
  test("pages from the newest back, or from the first on", async () => {
    await using p = await party();
    const said: unknown[] = [];
    for (const body of ["1", "2", "3"])
      said.push((await p.ann.post(`${LOBBY}/send`, { content: { ...CONTENT, body } })).body.data);
    const page = async (query: string): Promise<Reply["body"]> =>
      (await p.bob.get(`${LOBBY}/messages?${query}`)).body;
    const newest = await page("limit=2");
    expect(newest.data).toEqual([said[2], said[1]]);
    const older = await page(`limit=2&from=${newest.meta.next_from}`);
    expect(older).toEqual({ data: [said[0]], meta: { next_from: null } });
    const first = await page("limit=1&direction=forward");
    expect(first.data).toEqual([said[0]]);
    const rest = await page(`direction=forward&from=${first.meta.next_from}`);
    expect(rest).toEqual({ data: [said[1], said[2]], meta: { next_from: null } });
  });

  test("carries an ETag, which a new message changes", async () => {
    await using p = await party();
    const tag = async (): Promise<string> =>
      (await p.bob.get(`${LOBBY}/messages`)).headers.get("etag") ?? "";
    const before = await tag();
    expect(await tag()).toBe(before);
    await p.ann.post(`${LOBBY}/send`, { content: CONTENT });
    expect(await tag()).not.toBe(before);
  });

  test("names every fault of its query", async () => {
    await using p = await party();
    const { status, body } = await p.bob.get(`${LOBBY}/messages?limit=0&from=x&direction=up`);
    const paths = body.error.details.map(({ path }: { path: string }) => path);
    expect([status, paths]).toEqual([400, ["limit", "from", "direction"]]);
  });
});

describe("POST /v1/admin/rooms/{id}/events, of a redaction", () => {
  test("tells the room, and leaves the text nowhere", async () => {
    await using p = await party();
    const bobHears = await p.bob.stream();
    const secret = { ...CONTENT, body: "the-secret" };
    const sent = { content: secret, event_uuid: "once" };
    const { id } = (await p.ann.post(`${LOBBY}/send`, sent)).body.data;
    const { status, body } = await redact(p.server, id, { reason: "a slip" });
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      type: "swp.room.redaction",
      room_id: "lobby",
      sender_id: "ann",
      redacts: id,
      reason: "a slip",
    });
    expect(await bobHears.type("swp.room.redaction")).toEqual(body.data);
    const page = (await p.bob.get(`${LOBBY}/messages`)).body;
    expect(page.data).toMatchObject([
      { id, content: {}, redacted_by: "ann", redacted_at: expect.any(String), reason: "a slip" },
    ]);
    const again = (await p.ann.post(`${LOBBY}/send`, sent)).body;
    expect(JSON.stringify([page, again])).not.toContain("the-secret");
    expect((await p.bob.get(`${LOBBY}/state`)).body.data.unread_count).toBe(0);
  });

  test("again answers the first one and tells nobody", async () => {
    await using p = await party();
    const { id } = (await p.ann.post(`${LOBBY}/send`, { content: CONTENT })).body.data;
    const first = await redact(p.server, id);
    const bobHears = await p.bob.stream();
    expect((await redact(p.server, id, { reason: "later" })).body).toEqual(first.body);
    expect((await bobHears.heard()).filter(({ type }) => type.startsWith("swp."))).toEqual([]);
  });

  test("refuses an event that is not there, and a body that names none", async () => {
    await using p = await party();
    expect(refusedWith(await redact(p.server, "evt-unknown"))).toBe("404 SW_EVENT_NOT_FOUND");
    expect((await redact(p.server, "", { more: 1 })).body.error.details).toMatchObject([
      { path: "content.redacts" },
      { path: "content.more" },
    ]);
  });
});
