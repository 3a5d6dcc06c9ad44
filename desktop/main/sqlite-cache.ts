import Database from "better-sqlite3";
import type { Cache } from "../bridge.ts";

/** After every key that begins so. */
const END = "\u{10FFFF}";

/** A cache that is closed by whoever opened it. Closed twice, it does no harm. */
export interface SqliteCache extends Cache {
  close(): void;
}

/**
 * A cache in a file of SQLite, of JSON by key. A promise has done its work
 * before it is handed out: calls take effect in their order, and what is put
 * is with the system, which writes it whatever becomes of the process.
 * @param options.native the native part of better-sqlite3, where it is not
 * beside the package.
 */
export function openSqliteCache(
  file: string,
  options: { readonly native?: string } = {},
): SqliteCache {
  const { native } = options;
  const db = new Database(file, native === undefined ? {} : { nativeBinding: native });
  db.pragma("journal_mode = wal");
  db.pragma("synchronous = normal");
  db.exec(
    "create table if not exists kept (key text primary key, value text not null) strict, without rowid",
  );
  const select = db.prepare<[string], string>("select value from kept where key = ?").pluck();
  const upsert = db.prepare<[string, string]>(
    "insert into kept (key, value) values (?, ?) on conflict (key) do update set value = excluded.value",
  );
  const remove = db.prepare<[string]>("delete from kept where key = ?");
  const list = db
    .prepare<[string, string], string>("select key from kept where key >= ? and key < ?")
    .pluck();
  const removeAll = db.prepare("delete from kept");
  return {
    get: async (key) => {
      const text = select.get(key);
      return text === undefined ? undefined : (JSON.parse(text) as unknown);
    },
    put: async (key, value) => {
      if (value === undefined) remove.run(key);
      else upsert.run(key, JSON.stringify(value));
    },
    // SQLite has them in the order of UTF-8, JavaScript and browsers in that of UTF-16.
    keys: async (prefix) => list.all(prefix, prefix + END).sort(),
    clear: async () => void removeAll.run(),
    close: () => void db.close(),
  };
}
