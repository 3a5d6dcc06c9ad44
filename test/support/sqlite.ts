import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "@porchlight/server/store";
import type { TestDatabase } from "./store.ts";

/** A directory of one test, gone when the test is over. */
export class TestDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "porchlight-"));

  /** A file in it, which need not exist. */
  file(name: string): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** An empty SQLite database in a file. */
export function sqliteDatabase(): TestDatabase {
  const directory = new TestDirectory();
  return {
    open: (options) => openStore({ ...options, url: `sqlite:${directory.file("test.db")}` }),
    [Symbol.asyncDispose]: async () => directory[Symbol.dispose](),
  };
}
