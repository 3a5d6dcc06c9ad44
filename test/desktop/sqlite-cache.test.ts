import { expect, test } from "bun:test";
import { join } from "node:path";
import { openSqliteCache, type SqliteCache } from "../../desktop/main/sqlite-cache.ts";
import { type CacheStorage, cacheSuite } from "../conformance/cache.ts";
import { outputOf, temporaryFolder } from "../support/process.ts";

const ADAPTER = join(import.meta.dir, "../../desktop/main/sqlite-cache.ts");

async function emptyStorage(): Promise<CacheStorage> {
  const folder = temporaryFolder();
  const opened: SqliteCache[] = [];
  return {
    open: async () => {
      const cache = openSqliteCache(join(folder.path, "cache.db"));
      opened.push(cache);
      return cache;
    },
    [Symbol.asyncDispose]: async () => {
      for (const cache of opened) cache.close();
      folder[Symbol.dispose]();
    },
  };
}

cacheSuite("a cache in SQLite", emptyStorage);

test("a cache in SQLite has what was put by a process that was killed then", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "cache.db");
  const program = `
    import { openSqliteCache } from ${JSON.stringify(ADAPTER)};
    const cache = openSqliteCache(${JSON.stringify(file)});
    await cache.put("kept", { at: 1 });
    process.kill(process.pid, "SIGKILL");
    await cache.put("kept", "later");`;
  await expect(outputOf([process.execPath, "-e", program])).rejects.toThrow("Cannot run");
  const cache = openSqliteCache(file);
  expect(await cache.get("kept")).toEqual({ at: 1 });
  cache.close();
});

test("a cache in SQLite may be closed twice", async () => {
  using folder = temporaryFolder();
  const cache = openSqliteCache(join(folder.path, "cache.db"));
  cache.close();
  cache.close();
  await expect(cache.get("key")).rejects.toThrow();
});
