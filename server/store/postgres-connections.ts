import { Pool, types } from "pg";
import { unavailable } from "./database.ts";
import { Session, Statements } from "./postgres-session.ts";

/** How long it may take to get a connection, to the server or of those that are in use. */
const CONNECT_MS = 5_000;
/** How long a write waits for others to the same scope. */
const LOCK_MS = 5_000;
/** How long one statement may take. */
const STATEMENT_MS = 10_000;
/** How long nothing may be heard of the server, when it should have given up itself. */
const ANSWER_MS = 12_000;
/** How long a transaction may be left alone: what it holds must not be held for a node that is cut off. */
const ABANDONED_MS = 5_000;
/** A connection that was not used for so long is closed. */
const IDLE_MS = 30_000;
const INT8 = 20;

/** How many connections there are at most, and for what. */
export const CONNECTIONS = { reads: 8, writes: 4, exports: 2 } as const;

/** Connections of one kind, opened as they are needed. */
export interface Connections {
  /** A connection that is nobody else's until it is released. */
  session(): Promise<Session>;
  /** Closes them, once all are released. */
  close(): Promise<void>;
}

/** Prepares connections to the database at an address. Nothing is opened yet. */
export function connectionsTo(
  address: string,
  most: number,
  { trace }: { readonly trace?: ((sql: string) => void) | undefined },
): Connections {
  const statements = new Statements();
  const pool = new Pool({
    connectionString: address,
    fallback_application_name: "porchlight",
    max: most,
    pipeline: true,
    keepAlive: true,
    keepAliveInitialDelayMillis: IDLE_MS,
    idleTimeoutMillis: IDLE_MS,
    connectionTimeoutMillis: CONNECT_MS,
    lock_timeout: LOCK_MS,
    statement_timeout: STATEMENT_MS,
    query_timeout: ANSWER_MS,
    idle_in_transaction_session_timeout: ABANDONED_MS,
    types: { getTypeParser: parserOf },
  });
  // Whoever uses a connection that breaks is told by what they asked; one that nobody uses is replaced.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => void client.on("error", () => undefined));
  return {
    async session() {
      try {
        return new Session(await pool.connect(), { statements, trace });
      } catch (cause) {
        throw unavailable(cause);
      }
    },
    close: () => pool.end(),
  };
}

/** Counts and instants are numbers, as they never come near 2⁵³. */
function parserOf(...type: Parameters<typeof types.getTypeParser>): (written: string) => unknown {
  return type[0] === INT8 ? Number : types.getTypeParser(...type);
}
