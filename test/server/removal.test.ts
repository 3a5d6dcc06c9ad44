import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type FoldViewer, foldFrame, type RoomState } from "@porchlight/core";
import Database from "better-sqlite3";
import { temporaryFolder } from "../support/process.ts";
import {
  ADMIN_TOKEN,
  type Person,
  type Reply,
  refusedWith,
  TestServer,
} from "../support/server.ts";
import type { Frame } from "../support/stream.ts";

const IN_ACME = "?tenant_id=acme";
const ANN: FoldViewer = { participant_id: "ann", presenceOf: () => "offline" };

/** Rows of each table that name something of a tenant, by table; tables without any are left out. */
function rowsOf(file: string, columns: Readonly<Record<string, string>>): Record<string, number> {
  const db = new Database(file, { readonly: true });
  const tables = db.prepare("select name from sqlite_master where type = 'table'").pluck().all();
  const found = tables.flatMap((table) => {
    const known = db.prepare("select name from pragma_table_info(?)").pluck().all(table);
    const asked = Object.entries(columns).filter(([column]) => known.includes(column));
    if (asked.length < Object.keys(columns).length) return [];
    const where = asked.map(([column]) => `${column} = ?`).join(" and ");
    const count = db.prepare(`select count(*) from "${table}" where ${where}`).pluck();
    const rows = Number(count.get(...asked.map(([, value]) => value)));
    return rows > 0 ? [[String(table), rows] as const] : [];
  });
  db.close();
  return Object.fromEntries(found);
}

/** A tenant that has something in every table. */
async function furnished(
  server: TestServer,
  tenant_id = "acme",
): Promise<{ ann: Person; bob: Person; eve: Person }> {
  const [ann, bob, eve] = [
    await server.person("ann", { tenant_id }),
    await server.person("bob", { tenant_id }),
    await server.person("eve", { tenant_id }),
  ];
  await server.room("lounge", [ann, bob]);
  await server.room("den", [ann, eve]);
  const query = `?tenant_id=${tenant_id}`;
  await server.admin("PUT", `/rooms/lounge/plan${query}`, { id: "p", state: "running" });
  await server.admin("PUT", `/rooms/lounge/call${query}`, { call_id: "c" });
  await server.admin("PUT", `/rooms/lounge/sidekicks/t${query}`, { status: "running" });
  for (const person of [ann, bob]) await person.put("/v1/me/preferences", { locale: "nl" });
  await bob.post("/v1/me/preferences/edits", {
    device_id: "d",
    sent_at: "2026-03-02T09:00:00Z",
    edits: [{ seq: 1, edited_at: "2026-03-02T08:00:00Z", patch: { locale: "de" } }],
  });
  const event_id = `said-${tenant_id}`;
  const report = await server.import(
    [
      { type: "event", room_id: "lounge", sender_id: "bob", content: { body: "hi" }, event_id },
      {
        type: "snooze",
        room_id: "lounge",
        participant_id: "bob",
        event_id,
        until: "2027-03-02T09:00:00Z",
      },
    ],
    { query },
  );
  expect(report).toEqual([{ data: { lines: 2, applied: 2, refused: 0 } }]);
  return { ann, bob, eve };
}

const named = (frames: readonly Frame[]): string[] =>
  frames.map(({ type, participant_id, membership, state, deleted, room_id, plan, call }) =>
    [type, room_id, participant_id, membership ?? state, deleted && "deleted", plan, call]
      .filter((part) => part !== undefined)
      .join(" "),
  );

describe("DELETE /v1/admin/tenants/:tenant_id", () => {
  test("leaves no row of the tenant in any table, and every row of the others", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "test.db");
    await using server = await TestServer.start({ file });
    await furnished(server);
    await furnished(server, "umbrella");
    const before = rowsOf(file, { tenant_id: "umbrella" });
    expect(Object.keys(rowsOf(file, { tenant_id: "acme" })).toSorted()).toEqual(
      Object.keys(before).toSorted(),
    );
    await server.admin("DELETE", "/tenants/acme");
    expect(rowsOf(file, { tenant_id: "acme" })).toEqual({});
    expect(rowsOf(file, { tenant_id: "umbrella" })).toEqual(before);
  });

  test("closes the sockets of the tenant with 4001 token_revoked, and no other", async () => {
    await using server = await TestServer.start();
    const { ann, bob } = await furnished(server);
    const fay = await server.person("fay", { tenant_id: "umbrella" });
    const [hears, also, other] = [await ann.stream(), await bob.stream(), await fay.stream()];
    await other.heard();
    await server.admin("DELETE", "/tenants/acme");
    for (const stream of [hears, also])
      expect(await stream.closed).toEqual({ code: 4001, reason: "token_revoked" });
    expect(await other.heard()).toEqual([]);
    expect(refusedWith(await ann.get("/v1/me"))).toBe("401 SW_AUTH_INVALID_TOKEN");
    await server.person("ann");
    const boss = await server.person("boss");
    expect((await boss.get("/v1/presence?ids=ann")).body.data).toEqual({ ann: "offline" });
  });

  test("is for the admin token alone, whichever tenant is named", async () => {
    await using server = await TestServer.start();
    const boss = await server.person("boss", { roles: ["porchlight_admin"] });
    for (const tenant of ["acme", "nowhere"])
      expect(refusedWith(await boss.delete(`/v1/admin/tenants/${tenant}`))).toBe(
        "403 SW_AUTH_INSUFFICIENT_PERMISSION",
      );
  });
});

describe("DELETE /v1/admin/participants/:participant_id", () => {
  test("leaves no row of theirs but what they sent, and an unread count that stays", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "test.db");
    await using server = await TestServer.start({ file });
    const { ann } = await furnished(server);
    await server.admin("DELETE", "/participants/bob");
    expect(rowsOf(file, { tenant_id: "acme", participant_id: "bob" })).toEqual({});
    expect(rowsOf(file, { tenant_id: "acme", sender_id: "bob" })).toEqual({ events: 1 });
    const { data } = (await ann.get("/v1/rooms/lounge/state")).body;
    expect([data.room.member_count, data.unread_count]).toEqual([1, 1]);
    expect(
      data.members.map(({ participant_id }: { participant_id: string }) => participant_id),
    ).toEqual(["ann"]);
  });

  test("shows nothing of them to somebody new of the same id", async () => {
    await using server = await TestServer.start();
    const { ann, bob } = await furnished(server);
    await server.room("attic", [ann]);
    await server.admin("PUT", "/rooms/attic/members/bob", { membership: "invite" });
    const since = (await bob.get("/v1/sync")).body.data.next_cursor - 1;
    const missed = async (person: Person): Promise<string[]> =>
      named((await person.get(`/v1/sync?since=${since}&timeout=0`)).body.data.events);
    expect(await missed(bob)).toEqual(["swp.room.member attic bob invite"]);
    await server.admin("DELETE", "/participants/bob");
    const again = await server.person("bob");
    expect(await missed(again)).toEqual([
      "swp.participant.profile bob deleted",
      "swp.participant.profile bob",
    ]);
    expect(await missed(ann)).toContain("swp.room.member attic bob invite");
  });

  test("tells each room that they left, the tenant that they are no more, and all who saw them that they are offline", async () => {
    await using server = await TestServer.start();
    const { ann, bob, eve } = await furnished(server);
    const [hears, strange] = [await ann.stream(), await eve.stream()];
    const own = await bob.stream({ device_id: "d" });
    await bob.put("/v1/typing", { room_id: "lounge", typing: true, device_id: "d" });
    await server.clock.advance(200);
    await Promise.all([hears.heard(), strange.heard()]);
    await server.admin("DELETE", "/participants/bob");
    const [heard, heardStrange] = [await hears.heard(), await strange.heard()];
    expect(named(heard)).toEqual([
      "typing lounge bob",
      "swp.room.member lounge bob leave",
      "swp.participant.profile bob deleted",
      "presence bob offline",
    ]);
    expect(named(heardStrange)).toEqual([
      "swp.participant.profile bob deleted",
      "presence bob offline",
    ]);
    expect(heard[2]).toMatchObject({ participant: { id: "bob" }, deleted: true });
    expect(await own.closed).toEqual({ code: 4001, reason: "token_revoked" });
    expect(refusedWith(await bob.get("/v1/me"))).toBe("401 SW_AUTH_INVALID_TOKEN");
  });

  test("of somebody who hides says nothing of presence", async () => {
    await using server = await TestServer.start();
    const { ann, bob } = await furnished(server);
    const hears = await ann.stream();
    await bob.put("/v1/me/presence", { state: "appear_offline" });
    await bob.stream();
    await server.clock.advance(200);
    await hears.heard();
    await server.admin("DELETE", "/participants/bob");
    expect(named(await hears.heard())).toEqual([
      "swp.room.member lounge bob leave",
      "swp.participant.profile bob deleted",
    ]);
  });

  test("keeps a direct room, under the name it bore, which a fold of the frames shows too", async () => {
    await using server = await TestServer.start();
    const { ann } = await furnished(server);
    await server.admin("PUT", "/participants/bob", { display_name: "Bob Baker" });
    const { data } = (await ann.post("/v1/rooms/dm", { participant_id: "bob" })).body;
    const path = `/v1/rooms/${data.id}/state`;
    const hears = await ann.stream();
    let state: RoomState = (await ann.get(path)).body.data;
    await server.admin("DELETE", "/participants/bob");
    for (const frame of await hears.heard()) state = foldFrame(state, frame, ANN);
    expect(state).toEqual((await ann.get(path)).body.data);
    expect(state.room.name).toBe("Bob Baker");
  });
});

describe("DELETE /v1/admin/rooms/:room_id", () => {
  test("leaves nothing of the room but the event that closes it, and who may hear of it", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "test.db");
    await using server = await TestServer.start({ file });
    const { ann } = await furnished(server);
    await server.admin("DELETE", "/rooms/lounge");
    const left = rowsOf(file, { tenant_id: "acme", room_id: "lounge" });
    expect(Object.keys(left).toSorted()).toEqual(["events", "stays"]);
    expect(left.events).toBe(1);
    expect(refusedWith(await ann.get("/v1/rooms/lounge"))).toBe("404 SW_ROOM_NOT_FOUND");
    await server.room("lounge", [ann]);
    expect((await ann.get("/v1/rooms/lounge/state")).body.data).toMatchObject({
      plan: null,
      active_call: null,
      active_sidekicks: [],
      unread_count: 0,
    });
  });

  test("ends live typing, tells those in it and the invited, and then nobody hears of the room any more", async () => {
    await using server = await TestServer.start();
    const { ann, bob, eve } = await furnished(server);
    const ivy = await server.person("ivy");
    await server.admin("PUT", "/rooms/lounge/members/ivy", { membership: "invite" });
    const [hears, invited, strange] = [await ann.stream(), await ivy.stream(), await eve.stream()];
    await bob.put("/v1/typing", { room_id: "lounge", typing: true });
    await server.clock.advance(200);
    await Promise.all([hears.heard(), invited.heard(), strange.heard()]);
    await server.admin("DELETE", "/rooms/lounge");
    const heard = await hears.heard();
    expect(named(heard)).toEqual(["typing lounge bob", "swp.room.state lounge closed deleted"]);
    expect(heard[1]?.stream_position).toBeNumber();
    expect(named(await invited.heard())).toEqual(["swp.room.state lounge closed deleted"]);
    expect(await strange.heard()).toEqual([]);
    await server.room("lounge", [bob]);
    await server.admin("POST", "/rooms/lounge/events", { sender_id: "bob", content: {} });
    expect(await hears.heard()).toEqual([]);
  });

  test("is replayed to those who were in it or invited, without what was said there before", async () => {
    await using server = await TestServer.start();
    const { ann, eve } = await furnished(server);
    const ivy = await server.person("ivy");
    await server.admin("PUT", "/rooms/lounge/members/ivy", { membership: "invite" });
    const since = (await ann.get("/v1/sync")).body.data.next_cursor;
    await server.admin("POST", "/rooms/lounge/events", { sender_id: "ann", content: {} });
    await server.admin("DELETE", "/rooms/lounge");
    await server.room("lounge", [eve]);
    await server.admin("POST", "/rooms/lounge/events", { sender_id: "eve", content: {} });
    const missed = async (person: Person): Promise<string[]> =>
      named((await person.get(`/v1/sync?since=${since}&timeout=0`)).body.data.events);
    expect([await missed(ann), await missed(ivy)]).toEqual([
      ["swp.room.state lounge closed deleted"],
      ["swp.room.state lounge closed deleted"],
    ]);
    expect(await missed(eve)).not.toContain("swp.room.state lounge closed deleted");
  });

  test("is folded into a closed room", async () => {
    await using server = await TestServer.start();
    const { ann } = await furnished(server);
    const hears = await ann.stream();
    let state: RoomState = (await ann.get("/v1/rooms/lounge/state")).body.data;
    await server.admin("DELETE", "/rooms/lounge");
    for (const frame of await hears.heard()) state = foldFrame(state, frame, ANN);
    expect([state.room.state, state.room.name]).toEqual(["closed", null]);
  });
});

describe("DELETE below a room", () => {
  test("of a member, a plan, a call and a sidekick is folded into what a new snapshot shows", async () => {
    await using server = await TestServer.start();
    const { ann } = await furnished(server);
    const hears = await ann.stream();
    const path = "/v1/rooms/lounge/state";
    let state: RoomState = (await ann.get(path)).body.data;
    for (const what of ["plan", "call", "sidekicks/t", "members/bob"]) {
      await server.admin("DELETE", `/rooms/lounge/${what}`);
      for (const frame of await hears.heard()) state = foldFrame(state, frame, ANN);
      expect([what, state]).toEqual([what, (await ann.get(path)).body.data]);
    }
    expect([state.plan, state.active_call, state.active_sidekicks, state.members.length]).toEqual([
      null,
      null,
      [],
      1,
    ]);
  });

  test("of a member tells the room and the member, who hears of it no more", async () => {
    await using server = await TestServer.start();
    const { ann, bob } = await furnished(server);
    const [hears, own] = [await ann.stream(), await bob.stream()];
    await Promise.all([hears.heard(), own.heard()]);
    await server.admin("DELETE", "/rooms/lounge/members/bob");
    for (const stream of [hears, own])
      expect(named(await stream.heard())).toEqual(["swp.room.member lounge bob leave"]);
    await server.admin("POST", "/rooms/lounge/events", { sender_id: "ann", content: {} });
    expect(await own.heard()).toEqual([]);
    expect(refusedWith(await bob.get("/v1/rooms/lounge"))).toBe("403 SW_NOT_MEMBER");
  });

  test("of a membership that did not show tells nobody", async () => {
    await using server = await TestServer.start();
    const { ann } = await furnished(server);
    await server.admin("PUT", "/rooms/lounge/members/eve", { membership: "ban" });
    const hears = await ann.stream();
    await hears.heard();
    await server.admin("DELETE", "/rooms/lounge/members/eve");
    expect(await hears.heard()).toEqual([]);
  });
});

describe("what is not there", () => {
  const ASKED: readonly [path: string, code: string][] = [
    ["participants/ID", "404 SW_NOT_FOUND"],
    ["rooms/ID", "404 SW_ROOM_NOT_FOUND"],
    ["rooms/ID/plan", "404 SW_ROOM_NOT_FOUND"],
    ["rooms/ID/members/ann", "404 SW_ROOM_NOT_FOUND"],
    ["rooms/den/members/ID", "404 SW_NOT_FOUND"],
    ["rooms/den/plan", "404 SW_NOT_FOUND"],
    ["rooms/den/call", "404 SW_NOT_FOUND"],
    ["rooms/den/sidekicks/ID", "404 SW_NOT_FOUND"],
  ];

  test("is answered like what belongs to another tenant, and that stays", async () => {
    await using server = await TestServer.start();
    await furnished(server);
    const boss = await server.person("boss", { roles: ["porchlight_admin"] });
    const there = await server.person("there", { tenant_id: "umbrella" });
    await server.room("there", [there]);
    await server.admin("PUT", "/rooms/there/plan", { id: "p", state: "running" });
    for (const [path, code] of ASKED) {
      const ask = (id: string): Promise<Reply> =>
        boss.delete(`/v1/admin/${path.replace("ID", id)}`);
      const [theirs, nobodys] = [await ask("there"), await ask("nowhere")];
      expect([path, refusedWith(theirs), theirs.body]).toEqual([path, code, nobodys.body]);
    }
    expect((await there.get("/v1/rooms/there/plan")).body.data).toMatchObject({ id: "p" });
  });

  test("is answered to the admin token by its kind, with a tenant or without", async () => {
    await using server = await TestServer.start();
    await furnished(server);
    const ask = async (path: string): Promise<string> =>
      refusedWith(await server.request("DELETE", `/v1/admin/${path}`, { token: ADMIN_TOKEN }));
    for (const [path, code] of ASKED)
      for (const query of ["", IN_ACME])
        expect([path, await ask(`${path.replace("ID", "nowhere")}${query}`)]).toEqual([path, code]);
    expect(await ask("tenants/nowhere")).toBe("404 SW_TENANT_NOT_FOUND");
    expect(await ask("rooms/den?tenant_id=nowhere")).toBe("404 SW_TENANT_NOT_FOUND");
  });
});
