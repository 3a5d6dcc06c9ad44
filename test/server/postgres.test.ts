import { describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { openStore, type Store } from "@porchlight/server/store";
import { freePort } from "../support/port.ts";
import { PASSWORD, postgresSchema, withPostgres } from "../support/postgres.ts";
import { outputOf, ServerProcess, temporaryFolder } from "../support/process.ts";
import { ADMIN_TOKEN, TestServer } from "../support/server.ts";
import { NOW } from "../support/store.ts";

const CLI = resolve(import.meta.dir, "../../server/cli.ts");
const ACME = { tenant_id: "acme" } as const;
const ANN = { ...ACME, participant_id: "ann" } as const;
const LOBBY = { ...ACME, room_id: "lobby" } as const;
/** More than an export reads at once, and in another order in every language than that of their bytes. */
const PEOPLE = Array.from({ length: 230 }, (_, index) => `${"aB_-.:@Z"[index % 8]}${index}`);
const TEXTS = ["É", "e\u0301", "_", "z", "😀", "'; --", "a\u0001b", "\\N"];

await withPostgres("porchlight, on PostgreSQL", () => {
  describe("porchlight export | porchlight import, from SQLite to PostgreSQL", () => {
    test("carries everything over: the export of the one is that of the other, line by line", async () => {
      await using schema = await postgresSchema();
      using folder = temporaryFolder();
      const file = join(folder.path, "old.db");
      await porchlight(["demo", "--file", file]);
      await withOddities(file);
      const from = `"$0" "$1" export --file "$2"`;
      const report = await outputOf(
        ["/bin/sh", "-c", `${from} | "$0" "$1" import -`, process.execPath, CLI, file],
        { env: { PORCHLIGHT_DATABASE_URL: schema.url } },
      );
      const lines = await porchlight(["export", "--file", file]);
      const old = linesOf(lines);
      expect(old.length).toBeGreaterThan(2 * PEOPLE.length);
      const counts = { lines: old.length, applied: old.length, refused: 0 };
      expect(linesOf(report).at(-1)).toEqual({ data: counts });
      const env = { PORCHLIGHT_DATABASE_URL: schema.url };
      expect(linesOf(await porchlight(["export"], env))).toEqual(old);
      const again = await porchlight(["import", "-"], env, lines);
      expect(linesOf(again).at(-1)).toEqual({ data: counts });
      expect(linesOf(await porchlight(["export"], env))).toEqual(old);
    }, 60_000);
  });

  describe("porchlight doctor, on PostgreSQL", () => {
    test("says what it finds, and never with which password", async () => {
      await using schema = await postgresSchema();
      const env = { PORCHLIGHT_DATABASE_URL: schema.url, PORCHLIGHT_PORT: "0" };
      const empty = await porchlight(["doctor"], env);
      expect(empty).toMatch(/^ok +database: "postgres:.*" can be reached, PostgreSQL \d+/m);
      expect(empty).toMatch(/^ok +schema: version 0, brought to \d+ at the next start$/m);
      await (await openOn(schema.url)).close();
      const made = await porchlight(["doctor"], env);
      expect(made).toMatch(/^ok +schema: version \d+$/m);
      expect(empty + made).not.toContain(PASSWORD);
    });

    test("ends with 1 where nothing answers, and says why", async () => {
      const url = `postgres://porchlight:${PASSWORD}@127.0.0.1:${await freePort()}/postgres`;
      const env = { PORCHLIGHT_DATABASE_URL: url, PORCHLIGHT_PORT: "0" };
      const said = await failureOf(["doctor"], env);
      expect(said).toMatch(/^WRONG +database: Cannot open "postgres:.*": .*ECONNREFUSED/m);
      expect(said).not.toContain(PASSWORD);
    });
  });

  describe("porchlight backup, on PostgreSQL", () => {
    test("leaves it to pg_dump, and makes no file", async () => {
      await using schema = await postgresSchema();
      using folder = temporaryFolder();
      const copy = join(folder.path, "copy.db");
      const said = await failureOf(["backup", copy], { PORCHLIGHT_DATABASE_URL: schema.url });
      expect(said).toContain("PostgreSQL is backed up with pg_dump");
      expect([existsSync(copy), said.includes(PASSWORD)]).toEqual([false, false]);
    });
  });

  describe("porchlight serve, on PostgreSQL", () => {
    test("does not start where the database is out of reach, and says why without the password", async () => {
      const url = `postgres://porchlight:${PASSWORD}@127.0.0.1:${await freePort()}/postgres`;
      const said = await failureOf(["serve"], { PORCHLIGHT_DATABASE_URL: url });
      expect(said).toMatch(/Cannot open "postgres:.*": .*ECONNREFUSED/);
      expect(said).not.toContain(PASSWORD);
    });

    test("keeps what it has answered when it is killed, and goes on from there", async () => {
      await using schema = await postgresSchema();
      const env = { PORCHLIGHT_DATABASE_URL: schema.url, PORCHLIGHT_ADMIN_TOKEN: ADMIN_TOKEN };
      const put = async (url: string, bio: string): Promise<number> => {
        const answer = await fetch(`${url}/v1/admin/participants/ann`, {
          method: "PUT",
          headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
          body: JSON.stringify({ ...ACME, bio }),
        });
        return answer.status;
      };
      await using first = await ServerProcess.start(["serve"], env);
      const store = await openOn(schema.url);
      await store.putTenant("acme", {});
      expect(await put(first.url, "Before")).toBe(200);
      await first.end("SIGKILL");
      await using second = await ServerProcess.start(["serve"], env);
      expect(await put(second.url, "After")).toBe(200);
      const { announcements } = await store.eventsAfter("acme", 0, 9);
      expect(announcements.map(({ frame }) => [frame.stream_position, frame.bio])).toEqual([
        [1, "Before"],
        [2, "After"],
      ]);
      await store.close();
      expect(await second.end("SIGTERM")).toBe(0);
    });

    test("answers 503 with Retry-After while the database is away, and serves again when it is back", async () => {
      await using schema = await postgresSchema();
      await using server = await TestServer.start({
        env: { PORCHLIGHT_DATABASE_URL: schema.url },
      });
      const ann = await server.person("ann");
      const status = async (path: string): Promise<number> =>
        (await server.request("GET", path)).status;
      await schema.server.stop();
      const away = await ann.put("/v1/me", { bio: "Lost" });
      expect([away.status, away.body.error.code]).toEqual([503, "SW_UNAVAILABLE"]);
      expect(away.headers.get("retry-after")).toBe("1");
      expect([await status("/healthz"), await status("/readyz")]).toEqual([200, 503]);
      await schema.server.start();
      expect((await ann.put("/v1/me", { bio: "Kept" })).body.data.bio).toBe("Kept");
      expect(await status("/readyz")).toBe(200);
      expect(JSON.stringify(server.lines)).not.toContain(PASSWORD);
    });
  });
});

/** What a command prints that has to succeed. */
async function porchlight(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  lines = "",
): Promise<string> {
  using folder = temporaryFolder();
  const file = join(folder.path, "lines");
  writeFileSync(file, lines);
  const script = `file=$1; shift; "$0" "$@" < "$file"`;
  return await outputOf(["/bin/sh", "-c", script, process.execPath, file, CLI, ...args], { env });
}

/** What a command says that has to fail. */
async function failureOf(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  return porchlight(args, env).then(
    () => {
      throw new Error(`Cannot fail with "${args.join(" ")}"`);
    },
    (error: Error) => error.message,
  );
}

function linesOf(text: string): unknown[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function openOn(url: string): Promise<Store> {
  return openStore({
    url,
    server_name: "localhost",
    newId: () => crypto.randomUUID(),
    announce: () => undefined,
  });
}

/** Adds what is easily lost or taken for something else on the way. */
async function withOddities(file: string): Promise<void> {
  const store = await openOn(`sqlite:${file}`);
  await store.putRoom(LOBBY, { name: TEXTS[0], topic: TEXTS.join("") }, NOW);
  for (const [index, participant_id] of ["ann", ...PEOPLE].entries()) {
    const text = TEXTS[index % TEXTS.length] ?? "";
    const key = { ...ACME, participant_id };
    await store.putParticipant(key, { display_name: text, bio: text, roles: [text] }, NOW + index);
    await store.putMember({ ...LOBBY, participant_id }, { power_level: -index }, NOW + index);
  }
  await store.setManual(ANN, { manual: "busy", made: { at: NOW, device_id: TEXTS[2] ?? "" } }, NOW);
  await store.addToken({ ...ANN, token_id: "B", hash: "f".repeat(64), label: TEXTS[1] }, NOW);
  await store.addToken({ ...ANN, token_id: "a", hash: "0".repeat(64), expires_at: NOW }, NOW);
  await store.updatePreferences(ANN, { keyword_alerts: TEXTS }, NOW);
  const said = { sender_id: "ann", content: { body: TEXTS.join(""), $1: null } } as const;
  const { id } = await store.appendEvent(LOBBY, { ...said, event_uuid: "u" }, NOW);
  await store.snooze(ANN, id, NOW + 1);
  await store.markRead({ ...LOBBY, ...ANN }, { event_id: id }, NOW);
  const { id: redacts } = await store.appendEvent(LOBBY, said, NOW);
  const redaction = { redacts, reason: TEXTS[1] };
  await store.appendEvent(
    LOBBY,
    { sender_id: "ann", type: "swp.room.redaction", content: redaction },
    NOW,
  );
  await store.openDirectRoom(ANN, "B1", NOW);
  await store.close();
}
