import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import Database from "better-sqlite3";
import type { Inspection } from "./database.ts";

/**
 * Copies a database that others may be writing to: of one moment, checked, and
 * safe on the disk before it has its name. Answers its size in bytes.
 * @param into an empty file, in whose place the copy goes; gone if it fails.
 */
export function backupSqlite(file: string, into: string): number {
  const part = `${into}.${crypto.randomUUID()}.part`;
  try {
    copy(file, part);
    check(part);
    flush(part);
    renameSync(part, into);
    return statSync(into).size;
  } catch (error) {
    for (const left of [part, `${part}-journal`, into]) rmSync(left, { force: true });
    throw error;
  }
}

/** Looks at a database file: its version, whether it is whole, and when it was last written to. */
export function inspectSqlite(file: string): Inspection {
  const db = new Database(file, { readonly: true });
  try {
    const version = Number(db.pragma("user_version", { simple: true }));
    const found = db.pragma("quick_check", { simple: true });
    const last = db.prepare(
      "select max(at) as at from (select at from events order by rowid desc limit 100)",
    );
    const isEmpty = version === 0;
    return {
      version,
      faults: found === "ok" ? [] : [String(found)],
      lastEventAt: isEmpty ? undefined : ((last.get() as { at: number | null }).at ?? undefined),
    };
  } finally {
    db.close();
  }
}

function copy(file: string, into: string): void {
  closeSync(openSync(into, "wx", 0o600));
  const db = new Database(file, { readonly: true });
  try {
    // Unlike the backup API this never begins anew because somebody writes.
    db.prepare("vacuum into ?").run(into);
  } finally {
    db.close();
  }
}

function check(file: string): void {
  const db = new Database(file, { readonly: true });
  try {
    const found = db.pragma("integrity_check", { simple: true });
    if (found !== "ok") throw new Error(`Cannot back up as the copy is damaged: ${found}`);
  } finally {
    db.close();
  }
}

function flush(file: string): void {
  const open = openSync(file, "r+");
  try {
    fsyncSync(open);
  } finally {
    closeSync(open);
  }
}
