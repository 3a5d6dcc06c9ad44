import { describe, expect, test } from "bun:test";
import { chmodSync, cpSync, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CodedError } from "@porchlight/core";
import {
  openStore,
  type PersonKey,
  type Replayed,
  type RoomKey,
  type Store,
  type StoreOptions,
} from "@porchlight/server/store";
import Database from "better-sqlite3";
import fc from "fast-check";
import { Child } from "../../support/child.ts";
import { temporaryFolder } from "../../support/process.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../../support/runs.ts";
import { TestServer } from "../../support/server.ts";
import { sqliteDatabase, TestDirectory } from "../../support/sqlite.ts";
import { EVERYTHING, NOW, TestStore } from "../../support/store.ts";

const LOBBY = { tenant_id: "acme", room_id: "lobby" } as const;
const MEMBERS = 2_000;
const ROOMS = 200;

describe("openStore()", () => {
  test("refuses a file that a newer version wrote, and leaves it as it is", async () => {
    using directory = new TestDirectory();
    const file = directory.file("newer.db");
    using written = new Look(file);
    written.db.exec("create table later (x)");
    written.db.pragma("user_version = 1000");
    await expect(openStore(options(file))).rejects.toThrow(
      /^Cannot open ".*newer\.db" as a newer Porchlight wrote it: its version is 1000, the newest known here \d+$/,
    );
    expect(written.tables()).toEqual(["later"]);
    expect(written.db.pragma("user_version", { simple: true })).toBe(1_000);
  });

  test("refuses what is no SQLite file, and a URL of another kind", async () => {
    using directory = new TestDirectory();
    const file = directory.file("prose.db");
    await Bun.write(file, "Once upon a time there was a porch. ".repeat(100));
    await expect(openStore(options(file))).rejects.toThrow("file is not a database");
    const url = "mysql://root:secret@localhost/x";
    await expect(openStore({ ...options(file), url })).rejects.toThrow(
      /^Cannot open a store at "mysql:\/\/root:\*\*\*@localhost\/x" as it must be "sqlite:"/,
    );
  });

  test("opens a file that it wrote itself again without changing its tables", async () => {
    using directory = new TestDirectory();
    const file = directory.file("twice.db");
    await (await openStore(options(file))).close();
    using written = new Look(file);
    const before = written.schema();
    await (await openStore(options(file))).close();
    expect(written.schema()).toEqual(before);
    expect(before.length).toBeGreaterThan(0);
  });

  test("brings a file of before there was a replay up to date: what came before is a gap, what comes after is not", async () => {
    using directory = new TestDirectory();
    const file = directory.file("older.db");
    await using old = await TestStore.on(() => ({
      open: () => openStore(options(file)),
      [Symbol.asyncDispose]: async () => undefined,
    }));
    await old.room("lobby", ["ann", "bob"]);
    await old.member(LOBBY, "bob", { membership: "leave" });
    const position = await old.store.position("acme");
    await old.store.close();
    using written = new Look(file);
    // As the version before left it, without what was added to the tables since.
    written.db.exec(
      "drop table stays; alter table events drop column subject_id; alter table events drop column restored; alter table tenants drop column unreplayable",
    );
    written.db.pragma("user_version = 3");
    const store = await openStore(options(file));
    await store.appendEvent(LOBBY, { sender_id: "ann", content: {} }, NOW);
    const replay = (participant_id: string, since: number): Promise<Replayed> =>
      store.replay({ ...LOBBY, participant_id }, since, { limit: 100, retained: 10_000 });
    expect(await replay("ann", position - 1)).toMatchObject({ isGap: true });
    expect(await replay("ann", position)).toMatchObject({ isGap: false, events: [{}] });
    expect(await replay("bob", position)).toMatchObject({ isGap: false, events: [] });
    await store.close();
  });

  test("makes a new file its owner's alone, and leaves the rights of an old one", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "porchlight.db");
    const rights = (): number[] => [file, `${file}-wal`].map((each) => statSync(each).mode & 0o777);
    await using first = await TestServer.start({ file });
    await first.person("ann");
    expect(rights()).toEqual([0o600, 0o600]);
    await first.stop();
    chmodSync(file, 0o640);
    await using second = await TestServer.start({ file });
    await second.person("bob");
    expect(rights()).toEqual([0o640, 0o640]);
  });

  test("keeps a database in memory in no file", async () => {
    const [one, two] = [await openStore(options(":memory:")), await openStore(options(":memory:"))];
    await one.putTenant("acme", {});
    expect([await one.hasTenant("acme"), await two.hasTenant("acme")]).toEqual([true, false]);
    await one.close();
    await two.close();
    expect(existsSync(":memory:")).toBe(false);
  });

  test("writes ahead in a log (WAL) and waits for the disk at every commit (synchronous = FULL)", async () => {
    using directory = new TestDirectory();
    const file = directory.file("settings.db");
    const trace: string[] = [];
    const store = await openStore({ ...options(file), trace: (sql) => void trace.push(sql) });
    using written = new Look(file);
    expect(written.db.pragma("journal_mode", { simple: true })).toBe("wal");
    expect(trace.filter((sql) => /pragma synchronous/i.test(sql))).toEqual([
      "PRAGMA synchronous = FULL",
    ]);
    await store.close();
  });

  test("opens a fresh file for two processes at once, which then write without a gap", async () => {
    using directory = new TestDirectory();
    await using left = Child.script("sqlite-writer.ts", "10");
    await using right = Child.script("sqlite-writer.ts", "10");
    const children = [left, right];
    await Promise.all(children.map((child) => child.printed((line) => line === "ready")));
    for (let round = 1; round <= 25; round += 1) {
      const file = directory.file(`fresh-${round}.db`);
      for (const child of children) child.tell(file);
      await Promise.all(children.map((child) => child.printed((line) => line === `${file} done`)));
      const printed = children.flatMap(({ lines }) => lines).filter((line) => line.includes(file));
      expect(printed.filter((line) => line.includes("refused"))).toEqual([]);
      using written = new Look(file);
      expect(answeredIn(printed, file)).toHaveLength(20);
      expect(written.events()).toEqual(expect.arrayContaining(answeredIn(printed, file)));
      expect(written.events().map(({ position }) => position)).toEqual(
        upTo(written.events().length),
      );
    }
  });
});

describe("positions", () => {
  test("have no gap and no repeat, whoever writes at once: many requests, and another process", async () => {
    using directory = new TestDirectory();
    const file = directory.file("busy.db");
    await using server = await TestServer.start({ file });
    const people = await Promise.all(["bob", "cy"].map((id) => server.person(id)));
    await server.room("hall", people);
    await using child = Child.script("sqlite-writer.ts", "200");
    child.tell(file);
    await child.printed((line) => line.includes("answered"));
    const replies = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        index % 2 === 0
          ? server.request("POST", "/v1/admin/rooms/hall/events", {
              token: server.adminToken,
              body: { sender_id: "bob", content: {} },
            })
          : people[1]?.put("/v1/me", { bio: `${index}` }),
      ),
    );
    await child.printed((line) => line === `${file} done`);
    expect(replies.filter((reply) => reply?.status !== 200)).toEqual([]);
    using written = new Look(file);
    const events = written.events();
    expect(events.map(({ position }) => position)).toEqual(upTo(events.length));
    expect(events).toEqual(expect.arrayContaining(answeredIn(child.lines, file)));
    expect(events.length).toBeGreaterThanOrEqual(400);
  });
});

describe("kill -9", () => {
  test("of a process that writes loses nothing it had answered, and leaves no gap and no damage", async () => {
    using directory = new TestDirectory();
    const file = directory.file("killed.db");
    for (const moment of [1, 9, 60, 250, 600]) {
      await using child = Child.script("sqlite-writer.ts");
      child.tell(file);
      await child.printed((line) => line.includes("answered"), moment);
      await child.kill();
      const answered = answeredIn(child.lines, file);
      expect(answered.length).toBeGreaterThanOrEqual(moment);
      await (await openStore(options(file))).close();
      using written = new Look(file);
      const events = written.events();
      expect(events).toEqual(expect.arrayContaining(answered));
      expect(events.map(({ position }) => position)).toEqual(upTo(events.length));
      expect(written.db.pragma("integrity_check", { simple: true })).toBe("ok");
    }
  });
});

describe("a full disk", () => {
  test.skipIf(process.platform === "win32")(
    "refuses with SW_UNAVAILABLE, and what was answered before is there",
    async () => {
      using directory = new TestDirectory();
      const file = directory.file("full.db");
      const script = `${import.meta.dir}/../../support/sqlite-writer.ts`;
      // No file of the child grows beyond 512 kB (the unit is 512 bytes); writing on is an error, not the end of it.
      const limited = `trap '' XFSZ; ulimit -f 1024; exec "$0" "$1"`;
      await using child = new Child(["/bin/sh", "-c", limited, process.execPath, script]);
      child.tell(file);
      await child.printed((line) => line === `${file} done`);
      expect(child.lines.filter((line) => line.includes("refused"))).toEqual([
        `${file} refused SW_UNAVAILABLE`,
      ]);
      using written = new Look(file);
      const answered = answeredIn(child.lines, file);
      expect(answered.length).toBeGreaterThan(0);
      expect(written.events()).toEqual(expect.arrayContaining(answered));
      expect(written.events().map(({ position }) => position)).toEqual(
        upTo(written.events().length),
      );
      expect(written.db.pragma("integrity_check", { simple: true })).toBe("ok");
    },
  );
});

describe("Store, on SQLite", () => {
  test("writes of one turn share one commit, in the order in which they were handed in", async () => {
    const trace: string[] = [];
    await using t = await TestStore.on(sqliteDatabase, { trace: (sql) => void trace.push(sql) });
    const lobby = await t.room("lobby", ["ann"]);
    const before = await t.store.position("acme");
    trace.length = 0;
    const frames = await Promise.all(Array.from({ length: 50 }, () => t.say(lobby, "ann")));
    expect(frames.map(({ stream_position }) => stream_position)).toEqual(
      Array.from({ length: 50 }, (_, index) => before + index + 1),
    );
    expect(trace.filter((sql) => /^(begin|commit)/.test(sql))).toEqual([
      "begin immediate",
      "commit",
    ]);
  });

  test("a page of a replay is found by position, and who may see it by their stays", async () => {
    using directory = new TestDirectory();
    const file = directory.file("replay.db");
    const statements: string[] = [];
    const store = await openStore({ ...options(file), trace: (sql) => void statements.push(sql) });
    await store.putTenant("acme", {});
    statements.length = 0;
    await store.replay({ tenant_id: "acme", participant_id: "ann" }, 0, { limit: 9, retained: 9 });
    using written = new Look(file);
    const plans = statements.slice(2, -1).map((sql) => written.plan(sql));
    for (const plan of plans) expect(plan).not.toMatch(/\bSCAN\b|TEMP B-TREE/);
    expect(plans.filter((plan) => /position>\? AND position<\?/.test(plan))).toHaveLength(1);
    await store.close();
  });

  test("while another process writes, requests that only read are answered, and writes wait for it", async () => {
    using directory = new TestDirectory();
    const file = directory.file("shared.db");
    await using server = await TestServer.start({ file });
    const ann = await server.person("ann");
    const other = new Database(file);
    other.exec("begin immediate");
    let written = false;
    const write = ann.put("/v1/me", { bio: "Waited." }).then((reply) => {
      written = true;
      return reply;
    });
    for (let read = 0; read < 20; read += 1) expect((await ann.get("/v1/me")).status).toBe(200);
    expect(written).toBe(false);
    other.exec("commit");
    other.close();
    expect((await write).body.data.bio).toBe("Waited.");
  });

  test("a write that has waited for another process for 5 s is refused with SW_UNAVAILABLE, and the next is not", async () => {
    using directory = new TestDirectory();
    const file = directory.file("locked.db");
    const store = await openStore(options(file));
    const other = new Database(file);
    other.exec("begin immediate");
    const from = performance.now();
    const code = await store
      .putTenant("acme", {})
      .catch((error: unknown) => (error as CodedError).code);
    expect([code, Math.round((performance.now() - from) / 2_500)]).toEqual(["SW_UNAVAILABLE", 2]);
    other.exec("commit");
    other.close();
    expect(await store.putTenant("acme", {})).toMatchObject({ id: "acme" });
    await store.close();
  }, 15_000);

  test("a heartbeat writes nothing, by request or on a stream", async () => {
    using directory = new TestDirectory();
    const file = directory.file("quiet.db");
    await using server = await TestServer.start({ file });
    const ann = await server.person("ann");
    const stream = await ann.stream({ device_id: "laptop" });
    using written = new Look(file);
    const before = written.version();
    for (let beat = 0; beat < 50; beat += 1) {
      const state = beat % 2 ? "idle" : "online";
      stream.send({ type: "heartbeat", state, idle_for_ms: beat * 1_000 });
      const { status } = await ann.post("/v1/me/heartbeat", { device_id: "phone", state });
      expect(status).toBe(200);
      await stream.heard();
      await server.clock.advance(30_000);
    }
    expect(written.version()).toBe(before);
    await ann.put("/v1/me", { bio: "This is a write." });
    expect(written.version()).not.toBe(before);
  });

  test(`a room of ${MEMBERS} members is one read transaction, whose statements and plans do not depend on how many members or other rooms there are`, async () => {
    const small = await snapshotTrace({ members: 2, rooms: 0 });
    const large = await snapshotTrace({ members: MEMBERS, rooms: ROOMS });
    expect(large.members).toBe(MEMBERS);
    expect(large.statements).toEqual(small.statements);
    expect(large.statements.slice(0, 2)).toEqual(["pragma data_version", "begin"]);
    expect(large.statements.at(-1)).toBe("commit");
    const reads = large.statements.slice(2, -1);
    expect(reads.filter((sql) => !sql.startsWith("select "))).toEqual([]);
    expect(reads.length).toBeLessThanOrEqual(12);
    expect(large.plans).toEqual(small.plans);
    expect(large.plans).toHaveLength(reads.length);
    for (const plan of large.plans) expect(plan).not.toMatch(/\bSCAN\b/);
    const ofRoom = large.plans.filter((_, index) => reads[index]?.includes('"room_id" ='));
    expect(ofRoom.length).toBeGreaterThan(4);
    // What is of one room is found by that room, not looked for among what is of all.
    for (const plan of ofRoom) expect(plan).toMatch(/\broom_id=\?/);
  });
});

describe("what has been read", () => {
  test("is known without asking again, until a table is written that it was read from; of many members also when another was", async () => {
    const trace: string[] = [];
    await using t = await TestStore.on(sqliteDatabase, { trace: (sql) => void trace.push(sql) });
    await t.room("lobby", ["ann", ...Array.from({ length: 12 }, (_, index) => `p${index}`)]);
    await t.store.addToken({ token_id: "tok-1", hash: "hash-1", ...personCalled("ann") }, NOW);
    const read = async (): Promise<readonly string[]> => {
      trace.length = 0;
      await t.store.room(LOBBY, "ann", ["members"]);
      await t.store.token("hash-1");
      return trace.filter((sql) => sql.startsWith("select"));
    };
    const asked = await read();
    expect(asked.length).toBeGreaterThan(4);
    expect(await read()).toEqual([]);
    await t.store.updatePreferences(personCalled("ann"), { locale: "nl" }, NOW);
    const again = await read();
    expect(again.length).toBeGreaterThan(0);
    for (const table of ["tokens", "members"])
      expect(again.filter((sql) => sql.includes(`from "${table}" inner join`))).toEqual([]);
    expect(await read()).toEqual([]);
    expect(t.store.knownToken("hash-1")).toMatchObject({ token_id: "tok-1" });
    await t.store.deleteToken("tok-1", undefined);
    expect(t.store.knownToken("hash-1")).toBeUndefined();
    // Anyone can ask for what there is not: of that nothing is kept.
    trace.length = 0;
    for (let times = 0; times < 2; times += 1) await t.store.token("nobody's");
    expect(trace.filter((sql) => sql.startsWith("select"))).toHaveLength(2);
  });

  test("is asked for anew when another process has written", async () => {
    using directory = new TestDirectory();
    const file = directory.file("shared.db");
    const store = await openStore(options(file));
    const ann = { tenant_id: "acme", participant_id: "ann" };
    await store.putTenant("acme", {});
    await store.putParticipant(ann, {}, NOW);
    await store.addToken({ token_id: "tok-1", hash: "hash-1", ...ann }, NOW);
    expect(await store.token("hash-1")).toMatchObject(ann);
    using other = new Look(file);
    expect(store.knownToken("hash-1")).toMatchObject(ann);
    other.db.exec("delete from tokens");
    pass(1);
    expect(store.knownToken("hash-1")).toBeUndefined();
    expect(await store.token("hash-1")).toBeUndefined();
    await store.close();
  });

  test("is not known of a store that was closed: it is out of reach at once", async () => {
    await using t = await TestStore.on(sqliteDatabase);
    await t.people(["ann"]);
    await t.store.addToken({ token_id: "tok-1", hash: "hash-1", ...personCalled("ann") }, NOW);
    await t.store.token("hash-1");
    await t.store.close();
    expect(t.store.knownToken("hash-1")).toBeUndefined();
    await expect(t.store.roomsOf(personCalled("ann"))).rejects.toThrow("out of reach");
  });

  test("is gone when what was written is taken back: a failed write is no news, and hides none", async () => {
    await using t = await TestStore.on(sqliteDatabase);
    await t.people(["ann"]);
    const ann = { tenant_id: "acme", participant_id: "ann" };
    await t.store.addToken({ token_id: "tok-1", hash: "hash-1", ...ann }, NOW);
    const failing = t.store.addToken({ token_id: "tok-2", hash: "hash-1", ...ann }, NOW);
    await expect(failing).rejects.toThrow("its name or its hash is taken");
    expect(await t.store.token("hash-1")).toMatchObject({ token_id: "tok-1" });
    expect([...(await t.store.knownTokens(["tok-1", "tok-2"]))]).toEqual(["tok-1"]);
  });

  test(
    "is always what a store would answer that has read nothing before",
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(anyDeed, { maxLength: 25 }), async (deeds) => {
          using directory = new TestDirectory();
          const file = directory.file("known.db");
          const store = await openStore(options(file));
          await store.putTenant("acme", {});
          for (const deed of deeds) {
            await deed(store).catch(() => undefined);
            // A store that is opened writes to its file, which the other would notice.
            using copies = new TestDirectory();
            for (const end of ["", "-wal"]) cpSync(file + end, copies.file(`known.db${end}`));
            const fresh = await openStore(options(copies.file("known.db")));
            for (const hash of ["ann", "bob"].map(personCalled).map(tokenOf)) {
              const known = store.knownToken(hash);
              expect(known).toEqual(known && (await fresh.token(hash)));
            }
            expect(await everythingOf(store)).toEqual(await everythingOf(fresh));
            await fresh.close();
          }
          await store.close();
        }),
        trials(15),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});

const DEEDS = {
  comes: (store, person) => store.putParticipant(person, { roles: [person.participant_id] }, NOW),
  goes: (store, person) => store.deleteParticipant(person, NOW),
  "is given a token": (store, person) =>
    store.addToken({ ...person, token_id: tokenOf(person), hash: tokenOf(person) }, NOW),
  "loses a token": (store, person) => store.deleteToken(tokenOf(person), undefined),
  prefers: (store, person) => store.updatePreferences(person, { locale: "nl" }, NOW),
  "opens a room": (store, _person, room) => store.putRoom(room, {}, NOW),
  "ends a room": (store, _person, room) => store.deleteRoom(room, NOW),
  joins: (store, person, room) => store.putMember({ ...room, ...person }, {}, NOW),
  leaves: (store, person, room) =>
    store.putMember({ ...room, ...person }, { membership: "leave" }, NOW),
  says: (store, { participant_id: sender_id }, room) =>
    store.appendEvent(room, { sender_id, content: {} }, NOW),
} satisfies Record<string, (store: Store, person: PersonKey, room: RoomKey) => Promise<unknown>>;

type Deed = (store: Store) => Promise<unknown>;

/** Something that changes what can be read. */
const anyDeed: fc.Arbitrary<Deed> = fc
  .record({
    what: fc.constantFrom(...(Object.keys(DEEDS) as (keyof typeof DEEDS)[])),
    id: fc.constantFrom("ann", "bob"),
    room_id: fc.constantFrom("lobby", "attic"),
  })
  .map(
    ({ what, id, room_id }) =>
      (store) =>
        DEEDS[what](store, personCalled(id), { tenant_id: "acme", room_id }),
  );

function personCalled(participant_id: string): PersonKey {
  return { tenant_id: "acme", participant_id };
}

function tokenOf({ participant_id }: PersonKey): string {
  return `token-${participant_id}`;
}

/** Whatever a store answers of these people and rooms. */
async function everythingOf(store: Store): Promise<unknown> {
  const people = ["ann", "bob"].map(personCalled);
  const rooms = ["lobby", "attic"].map((room_id) => ({ tenant_id: "acme", room_id }));
  return Promise.all([
    store.position("acme"),
    store.presenceFacts(),
    ...people.flatMap(({ participant_id: id, tenant_id }) => [
      store.token(tokenOf(personCalled(id))),
      store.profile({ participant_id: id, tenant_id }),
      store.roomsOf({ participant_id: id, tenant_id }),
      ...rooms.map((room) => store.room(room, id, EVERYTHING).catch(() => "refused")),
    ]),
  ]);
}

/** Lets so many milliseconds pass on a clock that nobody can move. */
function pass(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe("what is due, and whom a message notifies", () => {
  test("is found by an index, not looked for among all there is", async () => {
    using directory = new TestDirectory();
    const file = directory.file("due.db");
    const statements: string[] = [];
    const store = await openStore({ ...options(file), trace: (sql) => void statements.push(sql) });
    const ann = { tenant_id: "acme", participant_id: "ann" };
    await store.putTenant("acme", {});
    await store.putParticipant(ann, {}, NOW);
    await store.putRoom(LOBBY, {}, NOW);
    await store.putMember({ ...LOBBY, ...ann }, {}, NOW);
    const event = await store.appendEvent(LOBBY, { sender_id: "ann", content: {} }, NOW);
    statements.length = 0;
    await store.snooze(ann, event.id, NOW);
    await store.snoozesOf(ann);
    await store.notificationRecords(LOBBY, event.id, "");
    await store.fireSnoozes(NOW);
    await store.deleteSnooze(ann, event.id);
    await store.close();
    const traced = statements.filter((sql) => /^(select|update|delete)/.test(sql));
    expect(traced).toHaveLength(11);
    using written = new Look(file);
    const plans = traced.map((sql) => written.plan(sql));
    for (const plan of plans) expect(plan).not.toMatch(/\bSCAN\b/);
    expect(plans.filter((plan) => plan.includes("snoozes_due"))).toHaveLength(2);
  });
});

/** The statements of one snapshot, with their plans, in a room with so many members whose viewer has so many other rooms. */
async function snapshotTrace(size: { members: number; rooms: number }): Promise<{
  statements: readonly string[];
  plans: readonly string[];
  members: number;
}> {
  using directory = new TestDirectory();
  const file = directory.file("snapshot.db");
  const statements: string[] = [];
  const store = await openStore({ ...options(file), trace: (sql) => void statements.push(sql) });
  await store.putTenant("acme", {});
  const people = Array.from({ length: size.members }, (_, index) => `p${index}`);
  const put = (participant_id: string): Promise<unknown> =>
    store.putParticipant({ tenant_id: "acme", participant_id }, {}, NOW);
  await put("ann");
  await store.putRoom(LOBBY, {}, NOW);
  await store.putMember({ ...LOBBY, participant_id: "ann" }, {}, NOW);
  await Promise.all(people.slice(1).map(put));
  await Promise.all(
    people.slice(1).map((participant_id) => store.putMember({ ...LOBBY, participant_id }, {}, NOW)),
  );
  const others = Array.from({ length: size.rooms }, (_, index) => `room-${index}`);
  await Promise.all(
    others.flatMap((room_id) => {
      const room = { ...LOBBY, room_id };
      return [
        store.putRoom(room, {}, NOW),
        store.putMember({ ...room, participant_id: "ann" }, {}, NOW),
        store.appendEvent(room, { sender_id: "ann", content: {} }, NOW),
        store.putPlan(room, { id: "plan", state: "running" }, NOW),
        store.putSidekick(room, { task_id: "task", status: "running" }, NOW),
      ];
    }),
  );
  statements.length = 0;
  const reading = await store.room(LOBBY, "ann", ["members", "read", "plan", "sidekicks", "call"]);
  const traced = [...statements];
  await store.close();
  using written = new Look(file);
  return {
    statements: traced,
    plans: traced.slice(2, -1).map((sql) => written.plan(sql)),
    members: reading?.members.length ?? 0,
  };
}

/** A look at a file past the store, closed with the test. */
class Look implements Disposable {
  readonly db: Database.Database;

  constructor(file: string) {
    this.db = new Database(file);
  }

  tables(): unknown[] {
    return this.db.prepare("select name from sqlite_schema where type = 'table'").pluck().all();
  }

  schema(): unknown[] {
    return this.db.prepare("select sql from sqlite_schema").pluck().all();
  }

  /** Changes when another connection has committed a change. */
  version(): unknown {
    return this.db.pragma("data_version", { simple: true });
  }

  plan(sql: string): string {
    const rows = this.db.prepare<[], { detail: string }>(`explain query plan ${sql}`).all();
    return rows.map(({ detail }) => detail).join("; ");
  }

  events(): { position: number; id: string }[] {
    return this.db
      .prepare<[], { position: number; id: string }>(
        "select position, event_id as id from events order by position",
      )
      .all();
  }

  [Symbol.dispose](): void {
    this.db.close();
  }
}

function options(file: string): StoreOptions {
  return {
    url: `sqlite:${file}`,
    server_name: "localhost",
    newId: () => crypto.randomUUID(),
    announce: () => undefined,
  };
}

/** What a writer printed as answered for a file. */
function answeredIn(lines: readonly string[], file: string): { position: number; id: string }[] {
  return lines.flatMap((line) => {
    const [named, outcome, position, id = ""] = line.split(" ");
    return named === file && outcome === "answered" ? { position: Number(position), id } : [];
  });
}

function upTo(head: number): number[] {
  return Array.from({ length: head }, (_, index) => index + 1);
}
