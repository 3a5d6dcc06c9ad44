import { type Inspection, type Snapshot, type SqlDatabase, unavailable } from "./database.ts";
import { CONNECTIONS, type Connections, connectionsTo } from "./postgres-connections.ts";
import { inspect, migratePostgres, opening } from "./postgres-schema.ts";
import type { Session } from "./postgres-session.ts";
import { Writer } from "./postgres-writer.ts";
import type { Program } from "./query.ts";

/** One moment for as long as a transaction lasts. */
const BEGIN_READING = "begin isolation level repeatable read read only";
/** Whoever reads a snapshot may stop for as long as an export lets them, and then some. */
const BEGIN_SNAPSHOT = `${BEGIN_READING}; set local idle_in_transaction_session_timeout = '120s'`;

/** Opens the database at an address, and brings its tables up to date. */
export async function openPostgres(
  address: string,
  options: { trace?: ((sql: string) => void) | undefined } = {},
): Promise<SqlDatabase> {
  const writes = connectionsTo(address, CONNECTIONS.writes, options);
  try {
    await opening(address, writes, migratePostgres);
  } catch (error) {
    await writes.close();
    throw error;
  }
  return new PostgresDatabase({
    reads: connectionsTo(address, CONNECTIONS.reads, options),
    writes,
    exports: connectionsTo(address, CONNECTIONS.exports, options),
  });
}

/** Looks at the database at an address without changing it. */
export async function inspectPostgres(address: string): Promise<Inspection> {
  const connections = connectionsTo(address, 1, {});
  try {
    return await opening(address, connections, inspect);
  } finally {
    await connections.close();
  }
}

/**
 * Programs that read have a transaction each, and wait for nobody; of those
 * that write, {@link Writer} says more. Each has its own connections, so that
 * neither writers that wait for another node nor exports keep anybody from
 * reading. A connection that breaks is replaced when it is next needed.
 */
class PostgresDatabase implements SqlDatabase {
  readonly #connections: Readonly<Record<keyof typeof CONNECTIONS, Connections>>;
  readonly #writer: Writer;
  readonly #begun = new Set<Promise<unknown>>();
  readonly #snapshots = new Set<Session>();
  #closing: Promise<void> | undefined;

  constructor(connections: Readonly<Record<keyof typeof CONNECTIONS, Connections>>) {
    this.#connections = connections;
    this.#writer = new Writer(connections.writes);
  }

  read<T>(program: Program<T>): Promise<T> {
    return this.#begin(async () => {
      const session = await this.#connections.reads.session();
      try {
        session.send(BEGIN_READING);
        return await session.run(program);
      } finally {
        session.send("commit");
        session.release();
      }
    });
  }

  /** Other nodes write too, without a word. */
  known(): undefined {
    return undefined;
  }

  write: SqlDatabase["write"] = (scope, program, committed) =>
    this.#begin(() => this.#writer.write(scope, program, committed));

  snapshot(): Promise<Snapshot> {
    return this.#begin(async () => {
      const session = await this.#connections.exports.session();
      this.#snapshots.add(session);
      session.send(BEGIN_SNAPSHOT);
      return {
        read: (program) => session.run(program),
        close: async () => {
          this.#snapshots.delete(session);
          session.send("commit");
          session.release();
        },
      };
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#begun);
    for (const session of this.#snapshots) session.abandon();
    await Promise.all(Object.values(this.#connections).map((each) => each.close()));
  }

  async #begin<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined)
      throw unavailable(new Error("The database connection is not open"));
    const begun = work();
    this.#begun.add(begun);
    try {
      return await begun;
    } finally {
      this.#begun.delete(begun);
    }
  }
}
