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
import { Memo, type Memorable } from "./memo.ts";
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
/** For so long another process is taken not to have written: whoever hears of it from there takes longer to ask here. */
const LOOK_EVERY_MS = 1;

interface Prepared extends Memorable {
  readonly bind: (values: Call["values"]) => readonly unknown[];
  readonly run: (bound: readonly unknown[]) => readonly unknown[];
}

/** Runs a statement, or knows what it would answer. */
type Ask = (statement: Prepared, bound: readonly unknown[]) => readonly unknown[];

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
  const { monotonic, timer } = systemClock();
  const memo = new Memo();
  const answer = programsOn(db, memo);
  /** Changes when another connection, and so another process, has committed something. */
  const dataVersion = db.prepare("pragma data_version").pluck();
  let version: unknown;
  let lookedAt = Number.NEGATIVE_INFINITY;
  const begin = db.prepare("begin");
  const beginImmediate = db.prepare("begin immediate");
  const commit = db.prepare("commit");
  const rollback = db.prepare("rollback");
  const savepoint = db.prepare("savepoint job");
  const release = db.prepare("release job");
  const rollbackTo = db.prepare("rollback to job");
  let queue: Job[] = [];

  /** Looks whether another process has written. */
  function lookAround(): void {
    const now = monotonic();
    if (now < lookedAt + LOOK_EVERY_MS) return;
    const current = dataVersion.get();
    if (current !== version) memo.clear();
    version = current;
    lookedAt = now;
  }

  /** Answers what is known, and asks for the rest, all of it at one moment. */
  function recall<T>(program: Program<T>): T {
    let isBegun = false;
    const ask: Ask = (statement, bound) =>
      memo.rows(statement, bound, () => {
        if (!isBegun) reach(() => begin.run());
        isBegun = true;
        return statement.run(bound);
      });
    try {
      return answer(program, ask);
    } finally {
      if (isBegun) commit.run();
    }
  }

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
    async read(program, key) {
      reach(lookAround);
      return key === undefined ? recall(program) : memo.answer(key, () => recall(program));
    },
    known(key) {
      try {
        lookAround();
      } catch {
        return undefined;
      }
      return memo.known(key);
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
      const answerThen = programsOn(reader, new Memo());
      return {
        read: async (program) => answerThen(program),
        close: async () => void reader.close(),
      };
    },
    async close() {
      if (!db.open) return;
      db.pragma(`busy_timeout = ${OPEN_WITHIN_MS}`);
      flush(BUSY_TRIES);
      memo.clear();
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

/** Runs programs on a connection, each statement prepared once; by asking the database, unless something else is to. */
function programsOn(db: Database.Database, memo: Memo): <T>(program: Program<T>, ask?: Ask) => T {
  const prepared = new Map<Call["statement"], Prepared>();
  const find = (statement: Call["statement"]): Prepared => {
    const ready = prepared.get(statement) ?? prepare(db, statement, memo);
    prepared.set(statement, ready);
    return ready;
  };
  return (program, ask = (statement, bound) => statement.run(bound)) => {
    let step = program.next();
    while (!step.done) {
      const { statement, values } = step.value;
      const ready = find(statement);
      step = program.next(ask(ready, ready.bind(values)));
    }
    return step.value;
  };
}

function prepare(db: Database.Database, statement: Call["statement"], memo: Memo): Prepared {
  const { sql, names } = compile(dialect, statement);
  const ready = db.prepare<unknown[], unknown>(sql);
  const memorable = memo.statement(sql);
  return {
    ...memorable,
    bind: (values) => names.map((name) => bindable(values[name])),
    run(bound) {
      if (!ready.readonly) memo.written(memorable);
      if (ready.reader) return ready.all(...bound);
      ready.run(...bound);
      return [];
    },
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

/** Does what takes a database that can be reached. */
function reach(act: () => void): void {
  try {
    act();
  } catch (cause) {
    throw unavailable(cause);
  }
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
