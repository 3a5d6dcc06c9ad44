import { closeSync, openSync } from "node:fs";
import { systemClock } from "@porchlight/core/clock";
import Database from "better-sqlite3";
import {
  DummyDriver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { type SqlDatabase, unavailable } from "./database.ts";
import { type Call, compile, type Program } from "./query.ts";
import { MIGRATIONS, type Tables } from "./schema.ts";

interface Job {
  /** Runs the program; answers what to do after the commit, or after the failure. */
  readonly run: () => () => void;
  readonly fail: (error: unknown) => void;
}

const WAL_ATTEMPTS = 100;
/** How long opening and closing wait for another process that writes. */
const OPEN_WITHIN_MS = 5_000;
/** How often and how long after each other a commit is tried while another process writes: for five seconds. */
const BUSY_TRIES = 50;
const BUSY_RETRY_MS = 100;

type Prepared = (values: Call["values"]) => readonly unknown[];

/**
 * Opens a database file, or `:memory:`, and brings its tables up to date.
 *
 * Programs that write share one commit a turn of the event loop, each behind a
 * savepoint of its own: a faulty one takes nothing with it.
 */
export function openSqlite(
  file: string,
  options: { trace?: ((sql: string) => void) | undefined } = {},
): SqlDatabase {
  const db = connect(file, options.trace);
  db.pragma("synchronous = FULL");
  db.pragma("busy_timeout = 0");
  const { timer } = systemClock();
  const answer = programsOn(db);
  const begin = db.prepare("begin");
  const beginImmediate = db.prepare("begin immediate");
  const commit = db.prepare("commit");
  const rollback = db.prepare("rollback");
  const savepoint = db.prepare("savepoint job");
  const release = db.prepare("release job");
  const rollbackTo = db.prepare("rollback to job");
  let queue: Job[] = [];

  function flush(tries = 1): void {
    if (queue.length === 0) return;
    try {
      beginImmediate.run();
    } catch (error) {
      // Another process writes. Waiting for it here would hold up everyone who only reads or listens.
      if (isBusy(error) && tries < BUSY_TRIES) timer(BUSY_RETRY_MS, () => flush(tries + 1));
      else for (const job of takeQueue()) job.fail(unavailable(error));
      return;
    }
    commitAll(takeQueue());
  }

  function commitAll(jobs: readonly Job[]): void {
    let after: (() => void)[];
    try {
      after = jobs.map(attempt);
      commit.run();
    } catch (cause) {
      if (db.inTransaction) rollback.run();
      for (const job of jobs) job.fail(unavailable(cause));
      return;
    }
    for (const each of after) each();
  }

  function takeQueue(): Job[] {
    const jobs = queue;
    queue = [];
    return jobs;
  }

  function attempt(job: Job): () => void {
    savepoint.run();
    try {
      const done = job.run();
      release.run();
      return done;
    } catch (error) {
      // A full disk may have ended the whole transaction; then nobody's work stands.
      if (!db.inTransaction) throw error;
      rollbackTo.run();
      release.run();
      return () => job.fail(translated(error));
    }
  }

  return {
    async read(program) {
      try {
        begin.run();
      } catch (cause) {
        throw unavailable(cause);
      }
      try {
        return answer(program);
      } finally {
        commit.run();
      }
    },
    // Whoever writes to a file has all of it: the scope makes no difference.
    write(_scope, program, committed) {
      return new Promise((resolve, reject) => {
        if (queue.length === 0) setImmediate(() => flush());
        queue.push({
          run: () => {
            const result = answer(program);
            return () => {
              committed?.(result);
              resolve(result);
            };
          },
          fail: reject,
        });
      });
    },
    async snapshot() {
      // A database in memory has no second connection: there a page is of its own moment.
      if (db.memory)
        return { read: async (program) => answer(program), close: async () => undefined };
      const reader = new Database(file, { readonly: true, timeout: OPEN_WITHIN_MS });
      reader.exec("begin");
      const answerThen = programsOn(reader);
      return {
        read: async (program) => answerThen(program),
        close: async () => void reader.close(),
      };
    },
    async close() {
      if (!db.open) return;
      db.pragma(`busy_timeout = ${OPEN_WITHIN_MS}`);
      flush(BUSY_TRIES);
      db.close();
    },
  };
}

const dialect = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});

/** A connection to tables that are up to date, or none. */
function connect(file: string, trace: ((sql: string) => void) | undefined): Database.Database {
  const verbose = trace && ((sql: unknown) => trace(String(sql)));
  // A new file is its owner's alone; the files beside it take after it. One that is there is left as it is.
  if (file !== ":memory:") closeSync(openSync(file, "a", 0o600));
  const db = new Database(file, { timeout: OPEN_WITHIN_MS, verbose });
  try {
    writeAhead(db);
    migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Two who open a fresh file at once each want it alone for a moment, and this
 * is where SQLite lets nobody wait. A transaction does wait: after it, again.
 */
function writeAhead(db: Database.Database): void {
  for (let attempt = 1; ; attempt += 1) {
    try {
      db.pragma("journal_mode = WAL");
      return;
    } catch (error) {
      const busy = error instanceof Database.SqliteError && error.code === "SQLITE_BUSY";
      if (!busy || attempt === WAL_ATTEMPTS) throw error;
      db.exec("begin immediate; commit");
    }
  }
}

/** Runs programs on a connection, each statement prepared once. */
function programsOn(db: Database.Database): <T>(program: Program<T>) => T {
  const prepared = new Map<Call["statement"], Prepared>();
  const call = ({ statement, values }: Call): readonly unknown[] => {
    const run = prepared.get(statement) ?? prepare(db, statement);
    prepared.set(statement, run);
    return run(values);
  };
  return (program) => {
    let step = program.next();
    while (!step.done) step = program.next(call(step.value));
    return step.value;
  };
}

function prepare(db: Database.Database, statement: Call["statement"]): Prepared {
  const { sql, names } = compile(dialect, statement);
  const ready = db.prepare<unknown[], unknown>(sql);
  const bind = (values: Call["values"]): unknown[] => names.map((name) => bindable(values[name]));
  if (ready.reader) return (values) => ready.all(...bind(values));
  return (values) => {
    ready.run(...bind(values));
    return [];
  };
}

function bindable(value: Call["values"][string]): string | number | null {
  return typeof value === "boolean" ? Number(value) : (value ?? null);
}

function migrate(db: Database.Database): void {
  const upgrade = db.transaction(() => {
    const version = Number(db.pragma("user_version", { simple: true }));
    if (version > MIGRATIONS.length) {
      throw new Error(
        `Cannot open "${db.name}" as a newer Porchlight wrote it: its version is ${version}, the newest known here ${MIGRATIONS.length}`,
      );
    }
    for (const step of MIGRATIONS.slice(version)) {
      for (const change of step(dialect.schema)) db.exec(change.compile().sql);
    }
    db.pragma(`user_version = ${MIGRATIONS.length}`);
  });
  upgrade.immediate();
}

/** A fault of the disk or of another process's lock is no fault of the program that met it. */
function translated(error: unknown): unknown {
  const isOurs =
    !(error instanceof Database.SqliteError) ||
    /^SQLITE_(CONSTRAINT|ERROR|MISMATCH|RANGE)/.test(error.code);
  return isOurs ? error : unavailable(error);
}

function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code === "SQLITE_BUSY";
}
