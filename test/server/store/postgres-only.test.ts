import { describe, expect, test } from "bun:test";
import {
  type Announcement,
  openStore,
  type Store,
  type StoreOptions,
} from "@porchlight/server/store";
import pg from "pg";
import { Gate } from "../../support/gate.ts";
import { freePort } from "../../support/port.ts";
import {
  PASSWORD,
  type PostgresServer,
  postgresDatabase,
  postgresSchema,
  withPostgres,
} from "../../support/postgres.ts";
import { EVERYTHING, NOW, refusalOf, TestStore } from "../../support/store.ts";

const ANN = { tenant_id: "acme", participant_id: "ann" } as const;
const LOBBY = { tenant_id: "acme", room_id: "lobby" } as const;
const ROUNDS = 40;

await withPostgres("Store, on PostgreSQL", () => {
  describe("openStore(), on PostgreSQL", () => {
    test("refuses tables that a newer version wrote, and leaves them as they are", async () => {
      await using db = await TestPostgres.empty();
      await (await db.open()).close();
      await db.query("update SCHEMA.porchlight_version set version = 1000");
      await expect(db.open()).rejects.toThrow(
        /^Cannot open "postgres:.*": a newer Porchlight wrote it: its version is 1000, the newest known here \d+$/,
      );
      expect(await db.query("select version from SCHEMA.porchlight_version")).toEqual([
        { version: 1_000 },
      ]);
    });

    test("opens one empty database for several nodes at once, and tables that are there without a change", async () => {
      await using db = await TestPostgres.empty();
      const stores = await Promise.all(Array.from({ length: 5 }, () => db.open()));
      await stores[0]?.putTenant("acme", {});
      for (const store of stores) expect(await store.hasTenant("acme")).toBe(true);
      const statements: string[] = [];
      await db.open({ trace: (sql) => void statements.push(sql) });
      expect(statements.filter((sql) => /create|alter|insert|update|delete/.test(sql))).toEqual([]);
    });

    test("refuses a database that does not hold every text", async () => {
      await using db = await TestPostgres.empty();
      const { server, name } = db;
      const [{ server_version_num: version } = {}] = await server.query("show server_version_num");
      const provider = Number(version) < 150_000 ? "" : "locale_provider libc";
      const isBytes = `encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' ${provider}`;
      await server.query(`create database ${name} template template0 ${isBytes}`);
      const url = server.address().replace("/postgres?", `/${name}?`);
      await expect(db.open({ url })).rejects.toThrow(
        "its encoding is SQL_ASCII, and has to be UTF8",
      );
      await server.query(`drop database ${name}`);
    });

    test("says why it cannot be opened, and never with which password", async () => {
      await using db = await TestPostgres.empty();
      const port = await freePort();
      const away = db.url.replace(`:${db.server.port}/`, `:${port}/`);
      const wrong = db.url.replace(PASSWORD, "wrong-oil");
      const byQuery = `${away.replace(`:${PASSWORD}`, "")}&password=${PASSWORD}`;
      const noSchema = db.url.replace(db.name, "nowhere");
      for (const [url, why] of [
        [away, "ECONNREFUSED"],
        [byQuery, "ECONNREFUSED"],
        [wrong, "password authentication failed"],
        [noSchema, "search_path names no schema"],
      ] as const) {
        const error = await db.open({ url }).catch((each: unknown) => each);
        expect(error).toBeInstanceOf(Error);
        const said = Bun.inspect(error, { depth: 9 });
        expect(said).toContain("Cannot open");
        expect(said).toContain(why);
        expect(said).not.toContain(PASSWORD);
        expect(said).not.toContain("wrong-oil");
      }
    });
  });

  describe("Store, on PostgreSQL, of several nodes at once", () => {
    test("gives positions without a gap in the order in which they can be seen", async () => {
      await using t = await TestStore.on(postgresDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const nodes = [t.store, await t.beside(), await t.beside()];
      const reader = await t.beside();
      const before = await t.store.position("acme");
      const sent = nodes.flatMap((node) =>
        Array.from({ length: ROUNDS }, async (_, index) => {
          const body = { sender_id: "ann", content: { index } };
          const frame = await node.appendEvent(lobby, body, NOW);
          const { announcements, position } = await reader.eventsAfter("acme", 0, 1_000);
          return { own: frame.stream_position ?? 0, seen: positionsOf(announcements), position };
        }),
      );
      const readings = await Promise.all(sent);
      for (const { own, seen, position } of readings) {
        expect(seen).toEqual(upTo(position));
        expect(own).toBeLessThanOrEqual(position);
      }
      const given = readings.map(({ own }) => own - before);
      expect(given.toSorted((a, b) => a - b)).toEqual(upTo(3 * ROUNDS));
    });

    test("announces each in the order of positions at the node that wrote it", async () => {
      const told: number[][] = [[], []];
      await using t = await TestStore.on(postgresDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const nodes = await Promise.all(
        told.map((mine) =>
          t.beside({
            announce: ({ frame }: Announcement) => void mine.push(frame.stream_position ?? 0),
          }),
        ),
      );
      const before = await t.store.position("acme");
      await Promise.all(
        Array.from({ length: 2 * ROUNDS }, (_, index) =>
          nodes[index % 2]?.appendEvent(lobby, { sender_id: "ann", content: {} }, NOW),
        ),
      );
      for (const mine of told) expect(mine).toEqual(mine.toSorted((a, b) => a - b));
      expect(told.flat().toSorted((a, b) => a - b)).toEqual(
        upTo(2 * ROUNDS).map((each) => each + before),
      );
    });

    test("loses nothing of what others write to the same row", async () => {
      await using t = await TestStore.on(postgresDatabase);
      const nodes = [t.store, await t.beside(), await t.beside()];
      const node = (index: number): Store => nodes[index % 3] ?? t.store;
      await t.people(["ann"]);
      await t.room("lobby", []);
      const people = Array.from({ length: ROUNDS }, (_, index) => `p${index}`);
      await t.people(people);
      const leaves = ["locale", "timezone", "ai_response_mode"] as const;
      const values = { locale: "nl", timezone: "Europe/Amsterdam", ai_response_mode: "streaming" };
      await Promise.all([
        ...leaves.map((leaf, index) =>
          node(index).updatePreferences(ANN, { [leaf]: values[leaf] }, NOW),
        ),
        node(0).updateProfile(ANN, { display_name: "Ann" }, NOW),
        node(1).updateProfile(ANN, { bio: "Hello" }, NOW),
        node(2).putParticipant(ANN, { roles: ["guest"] }, NOW),
        ...people.map((id, index) =>
          node(index).putMember({ ...LOBBY, participant_id: id }, {}, NOW),
        ),
      ]);
      expect(await t.store.preferences(ANN)).toMatchObject(values);
      expect(await t.store.me(ANN)).toMatchObject({
        display_name: "Ann",
        bio: "Hello",
        roles: ["guest"],
      });
      const { room, members } = await t.look(LOBBY, "p0");
      expect([room.member_count, members.length]).toEqual([ROUNDS, ROUNDS]);
    });

    test("does once what is done at every node under one name", async () => {
      await using t = await TestStore.on(postgresDatabase);
      const lobby = await t.room("lobby", ["ann", "bob"]);
      const nodes = [t.store, await t.beside(), await t.beside()];
      for (let round = 0; round < 10; round += 1) {
        const sent = { sender_id: "ann", content: {}, event_uuid: `u${round}` };
        const frames = await Promise.all(nodes.map((node) => node.appendEvent(lobby, sent, NOW)));
        expect(new Set(frames.map(({ id }) => id)).size).toBe(1);
        const pair = [`x${round}`, `y${round}`] as const;
        await t.people(pair);
        const rooms = await Promise.all(
          nodes.map((node, index) => {
            const [one = "", other = ""] = index % 2 ? pair : pair.toReversed();
            return node.openDirectRoom({ tenant_id: "acme", participant_id: one }, other, NOW);
          }),
        );
        expect(new Set(rooms).size).toBe(1);
        const { id } = await t.say(lobby, "ann");
        await t.store.snooze(ANN, id, NOW + round);
        const fired = t.announced.length;
        await Promise.all(nodes.map((node) => node.fireSnoozes(NOW + round)));
        expect(t.announced.length - fired).toBeLessThanOrEqual(1);
        expect(await t.store.snoozesOf(ANN)).toHaveLength(round + 1);
        await t.store.keepDevices({ acme: [] }, NOW);
        const kept = await Promise.all(nodes.map((node) => node.takeDevices()));
        expect(kept.filter((each) => each !== undefined)).toHaveLength(1);
      }
      expect(await t.store.fireSnoozes(NOW + 1_000)).toBeUndefined();
    });

    test("stores a token once, whichever tenants bring it along at once, and refuses it to the other", async () => {
      await using t = await TestStore.on(postgresDatabase);
      const other = await t.beside();
      await t.people(["ann"]);
      await t.people(["ann"], {}, "globex");
      const token = { type: "token", ...ANN, created_at: NOW } as const;
      for (let round = 0; round < 10; round += 1) {
        const named = { ...token, token_id: `t${round}`, hash: `h${round}` };
        const outcomes = await Promise.allSettled([
          t.store.restore(named),
          other.restore({ ...named, tenant_id: "globex" }),
        ]);
        const refused = outcomes.filter(({ status }) => status === "rejected");
        expect(refused).toMatchObject([{ reason: { code: "SW_VALIDATION" } }]);
      }
    });

    test("writes of one turn share one commit, and a refused one takes nothing along", async () => {
      const trace: string[] = [];
      await using t = await TestStore.on(postgresDatabase, {
        trace: (sql) => void trace.push(sql),
      });
      const lobby = await t.room("lobby", ["ann"]);
      const before = await t.store.position("acme");
      trace.length = 0;
      const outcomes = await Promise.allSettled(
        Array.from({ length: 30 }, (_, index) => t.say(lobby, index === 7 ? "nobody" : "ann")),
      );
      expect(trace.filter((sql) => /^(begin|commit)/.test(sql))).toEqual([
        expect.stringMatching(
          /^begin isolation level read committed; select pg_advisory_xact_lock/,
        ),
        "commit",
      ]);
      expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(1);
      expect(await t.store.position("acme")).toBe(before + 29);
    });
  });

  describe("Store, on a PostgreSQL that goes away", () => {
    test("refuses with SW_UNAVAILABLE and when to try again, and works again when it is back", async () => {
      await using t = await TestStore.on(postgresDatabase);
      await using db = await TestPostgres.empty();
      const lobby = await t.room("lobby", ["ann"]);
      const before = await t.store.position("acme");
      const pages = t.store.exported(undefined);
      await pages.next();
      await db.server.stop();
      const told = t.announced.length;
      const asked = (): Promise<unknown>[] => [
        t.store.ping(),
        t.store.position("acme"),
        t.look(lobby, "ann"),
        t.say(lobby, "ann"),
        t.store.putTenant("late", {}),
        t.store.deleteToken("t", undefined),
        t.store.exported(undefined).next(),
      ];
      for (let round = 0; round < 2; round += 1)
        for (const refusal of await Promise.all(asked().map(refusalOf)))
          expect(refusal).toMatchObject({ code: "SW_UNAVAILABLE", retryAfterSeconds: 1 });
      expect((await refusalOf(pages.next())).code).toBe("SW_UNAVAILABLE");
      await db.server.start();
      expect(t.announced.length).toBe(told);
      expect(await t.store.position("acme")).toBe(before);
      expect(await t.store.hasTenant("late")).toBe(false);
      expect((await t.say(lobby, "ann")).stream_position).toBe(before + 1);
      expect((await t.store.exported(undefined).next()).done).toBe(false);
    }, 30_000);

    test("in the middle of a write leaves nothing of it, neither rows nor positions nor announcements", async () => {
      await using db = await TestPostgres.empty();
      const told: Announcement[] = [];
      const store = await db.open({
        announce: (each) => void told.push(each),
        // It takes the next position, for which it has to wait until it is cut off.
        trace: (sql) => void (sql.startsWith('update "tenants"') && db.cutOff()),
      });
      const other = await db.open();
      await other.putTenant("acme", {});
      await other.putParticipant(ANN, {}, NOW);
      const held = await db.hold("select from SCHEMA.tenants for update");
      const names = ["One", "Two", "Three"];
      const refusals = await Promise.all(
        names.map((display_name) =>
          refusalOf(store.updateProfile(ANN, { display_name, bio: "Odd" }, NOW)),
        ),
      );
      await held.release();
      expect(refusals.map(({ code }) => code)).toEqual(names.map(() => "SW_UNAVAILABLE"));
      expect(told).toEqual([]);
      expect(await store.me(ANN)).toMatchObject({ display_name: "ann", bio: null });
      await other.updateProfile(ANN, { bio: "Even" }, NOW);
      expect((await store.eventsAfter("acme", 1, 9)).announcements).toMatchObject([
        { frame: { stream_position: 2, bio: "Even" } },
      ]);
    });

    test("before a commit is answered says so, and whoever asks finds what came of it", async () => {
      await using db = await TestPostgres.empty();
      await using proxy = await Gate.to(`http://127.0.0.1:${db.server.port}`);
      const told: Announcement[] = [];
      const store = await db.open({
        url: db.url.replace(`:${db.server.port}/`, `:${new URL(proxy.url).port}/`),
        announce: (each) => void told.push(each),
      });
      await store.putTenant("acme", {});
      await store.putParticipant(ANN, {}, NOW);
      proxy.cutOn((said) => said.includes("COMMIT\u0000"));
      const edit = store.updateProfile(ANN, { bio: "Written" }, NOW);
      expect((await refusalOf(edit)).code).toBe("SW_UNAVAILABLE");
      expect(positionsOf(told)).toEqual([1]);
      expect((await store.eventsAfter("acme", 1, 9)).announcements).toMatchObject([
        { frame: { stream_position: 2, bio: "Written" } },
      ]);
      await store.updateProfile(ANN, { bio: "Written again" }, NOW);
      expect(positionsOf(told)).toEqual([1, 3]);
    });

    test("is asked again on new connections after those that nobody used are gone", async () => {
      await using db = await TestPostgres.empty();
      await using proxy = await Gate.to(`http://127.0.0.1:${db.server.port}`);
      const store = await db.open({
        url: db.url.replace(`:${db.server.port}/`, `:${new URL(proxy.url).port}/`),
      });
      await store.putTenant("acme", {});
      const broken = refusalOf(store.position("acme"));
      proxy.cutOn(() => true);
      expect((await broken).code).toBe("SW_UNAVAILABLE");
      expect(await store.hasTenant("acme")).toBe(true);
      expect(await store.putTenant("acme", { name: "Acme" })).toMatchObject({ name: "Acme" });
    });
  });

  describe("Store, on PostgreSQL, while another node writes and does not go on", () => {
    test("refuses a write after 5 s with SW_UNAVAILABLE, and not the next; answers whoever only reads", async () => {
      await using db = await TestPostgres.empty();
      const store = await db.open();
      const tenants = Array.from({ length: 12 }, (_, index) => `tenant-${index}`);
      for (const tenant_id of tenants) await store.putTenant(tenant_id, {});
      const held = await db.hold("select from SCHEMA.tenants for update");
      const from = performance.now();
      const writes = tenants.map((tenant_id) => refusalOf(store.putTenant(tenant_id, {})));
      for (let read = 0; read < 20; read += 1) expect(await store.hasTenant("tenant-1")).toBe(true);
      expect(performance.now() - from).toBeLessThan(2_500);
      const codes = (await Promise.all(writes)).map(({ code }) => code);
      expect(codes).toEqual(tenants.map(() => "SW_UNAVAILABLE"));
      expect(Math.round((performance.now() - from) / 2_500)).toBe(2);
      await held.release();
      expect(await store.putTenant("tenant-1", {})).toMatchObject({ id: "tenant-1" });
    }, 30_000);

    test("lets another tenant's writes through, and keeps those of everything until it is over", async () => {
      await using db = await TestPostgres.empty();
      const store = await db.open();
      for (const tenant_id of ["acme", "globex"]) await store.putTenant(tenant_id, {});
      const held = await db.hold("select from SCHEMA.tenants where tenant_id = 'acme' for update");
      const done: string[] = [];
      const noted = (name: string, write: Promise<unknown>): Promise<unknown> =>
        write.then(() => done.push(name));
      const acme = noted("acme", store.putTenant("acme", { name: "Acme" }));
      await noted("globex", store.putTenant("globex", { name: "Globex" }));
      const all = noted("everything", store.keepDevices({}, NOW));
      expect(done).toEqual(["globex"]);
      await held.release();
      await Promise.all([acme, all]);
      expect(done).toEqual(["globex", "acme", "everything"]);
    });
  });

  describe("Store.close(), on PostgreSQL", () => {
    test("ends an export that nobody goes on reading", async () => {
      await using db = await TestPostgres.empty();
      const store = await db.open();
      await store.putTenant("acme", {});
      const pages = store.exported(undefined);
      await pages.next();
      await store.close();
      expect((await refusalOf(pages.next())).code).toBe("SW_UNAVAILABLE");
    });
  });

  describe("Store, on PostgreSQL, reading", () => {
    test("finds everything by an index, whatever else there is", async () => {
      await using db = await TestPostgres.empty();
      const statements: string[] = [];
      const store = await db.open({ trace: (sql) => void statements.push(sql) });
      await store.putTenant("acme", {});
      await store.putParticipant(ANN, {}, NOW);
      await store.putRoom(LOBBY, {}, NOW);
      await store.putMember({ ...LOBBY, ...ANN }, {}, NOW);
      const { id } = await store.appendEvent(LOBBY, { sender_id: "ann", content: {} }, NOW);
      statements.length = 0;
      await store.room(LOBBY, "ann", EVERYTHING);
      await store.replay(ANN, 0, { limit: 9, retained: 9 });
      await store.eventsAfter("acme", 0, 9);
      await store.messages({ ...LOBBY, ...ANN }, { limit: 9, direction: "backward" });
      await store.snooze(ANN, id, NOW);
      await store.notificationRecords(LOBBY, id, "");
      await store.fireSnoozes(NOW);
      await store.token("hash");
      await store.profiles("acme", { q: "", limit: 9, offset: 0 });
      const read = [...new Set(statements)].filter((sql) => sql.startsWith('select "'));
      expect(read.length).toBeGreaterThan(15);
      for (const sql of read)
        expect([sql, await db.plan(sql)]).toEqual([sql, expect.not.stringContaining("Seq Scan")]);
    });
  });
});

/** A database of one test with the stores that are opened on it. */
class TestPostgres implements AsyncDisposable {
  readonly #schema: Awaited<ReturnType<typeof postgresSchema>>;
  readonly #opened: Store[] = [];
  readonly #holding: pg.Client[] = [];

  private constructor(schema: Awaited<ReturnType<typeof postgresSchema>>) {
    this.#schema = schema;
  }

  static async empty(): Promise<TestPostgres> {
    return new TestPostgres(await postgresSchema());
  }

  get server(): PostgresServer {
    return this.#schema.server;
  }

  /** The name of its schema, and of its connections. */
  get name(): string {
    return this.#schema.name;
  }

  get url(): string {
    return `${this.#schema.url}&application_name=${this.name}`;
  }

  /** Opens a store on it, as a node of its own. */
  async open(options: Partial<StoreOptions> = {}): Promise<Store> {
    const store = await openStore({
      url: this.url,
      server_name: "localhost",
      newId: () => crypto.randomUUID(),
      announce: () => undefined,
      ...options,
    });
    this.#opened.push(store);
    return store;
  }

  /** What a statement answers, past the store, in which SCHEMA stands for the database. */
  query(sql: string): Promise<Record<string, unknown>[]> {
    return this.server.query(sql.replaceAll("SCHEMA", this.name));
  }

  /** Ends every connection of the stores, as somebody does who manages the server. */
  async cutOff(): Promise<void> {
    await this.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = '${this.name}'`,
    );
  }

  /** Keeps a transaction open in which a statement was run. */
  async hold(sql: string): Promise<{ release: () => Promise<void> }> {
    const client = new pg.Client(this.#schema.url);
    this.#holding.push(client);
    await client.connect();
    await client.query("begin");
    await client.query(sql.replaceAll("SCHEMA", this.name));
    return { release: async () => void (await client.query("commit")) };
  }

  /** How a statement is run where nothing is looked through that an index spares. */
  async plan(sql: string): Promise<string> {
    const client = new pg.Client(this.#schema.url);
    await client.connect();
    try {
      await client.query("set enable_seqscan = off");
      const { rows } = await client.query(`explain ${sql}`);
      return rows.map((row) => row["QUERY PLAN"]).join("\n");
    } finally {
      await client.end();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#holding) await client.end();
    for (const store of this.#opened) await store.close();
    await this.#schema[Symbol.asyncDispose]();
  }
}

function positionsOf(announcements: readonly Announcement[]): number[] {
  return announcements.map(({ frame }) => frame.stream_position ?? 0);
}

function upTo(head: number): number[] {
  return Array.from({ length: head }, (_, index) => index + 1);
}
