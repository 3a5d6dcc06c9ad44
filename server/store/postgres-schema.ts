import { CodedError } from "@porchlight/core";
import { withoutPassword } from "../database-url.ts";
import type { Inspection } from "./database.ts";
import type { Connections } from "./postgres-connections.ts";
import { MIGRATION_LOCK } from "./postgres-locks.ts";
import { dialect, type Session } from "./postgres-session.ts";
import { MIGRATIONS } from "./schema.ts";

const OLDEST_SERVER = 140_000;

/** What there is at the other end of a connection. */
interface Found {
  /** Such as 150004, and "15.4" with what its packager adds. */
  readonly server: number;
  readonly server_name: string;
  readonly encoding: string;
  /** Where tables are made, if such a schema exists. */
  readonly schema: string | null;
  /** The table that has the version, if there is one. */
  readonly versions: string | null;
}

/** Tables are brought up to date in as long as it takes, within reason, and by one node after the other. */
const MIGRATION_MS = 600_000;
const PATIENTLY = `set local statement_timeout = ${MIGRATION_MS}`;

const LOOK = `select
  current_setting('server_version_num')::int as server,
  current_setting('server_version') as server_name,
  current_setting('server_encoding') as encoding,
  current_schema()::text as schema,
  to_regclass('porchlight_version')::text as versions`;

const LAST_EVENT = `select max(events.at) as at from tenants join events
  on events.tenant_id = tenants.tenant_id and events.position = tenants.position`;

/** Brings the tables up to date, whoever else starts at the same time; says why they cannot be used. */
export async function migratePostgres(session: Session): Promise<void> {
  session.send(
    `begin isolation level read committed; set local lock_timeout = ${MIGRATION_MS}; ${PATIENTLY}`,
  );
  await session.ask(MIGRATION_LOCK, MIGRATION_MS);
  const found = await look(session);
  const [fault] = faultsOf(found);
  if (fault !== undefined) throw new Error(fault);
  const version = await versionOf(session, found);
  if (version > MIGRATIONS.length) {
    throw new Error(
      `a newer Porchlight wrote it: its version is ${version}, the newest known here ${MIGRATIONS.length}`,
    );
  }
  if (version < MIGRATIONS.length) await session.ask(stepsFrom(version, found), MIGRATION_MS);
  await session.ask("commit");
}

/** Looks at a database: its version, whether it can be used, and when it was last written to. */
export async function inspect(session: Session): Promise<Inspection> {
  session.send(`begin read only; ${PATIENTLY}`);
  const found = await look(session);
  const version = await versionOf(session, found);
  const last = version === 0 ? undefined : await session.ask(LAST_EVENT, MIGRATION_MS);
  session.send("commit");
  const lastEventAt: number | null | undefined = last?.rows[0].at;
  const server = `PostgreSQL ${found.server_name}`;
  return { version, server, faults: faultsOf(found), lastEventAt: lastEventAt ?? undefined };
}

/** Does something with a database, or says in words that have no password why it cannot be opened. */
export async function opening<T>(
  address: string,
  connections: Connections,
  act: (session: Session) => Promise<T>,
): Promise<T> {
  let session: Session | undefined;
  try {
    session = await connections.session();
    return await act(session);
  } catch (error) {
    session?.abandon();
    const why = `Cannot open "${withoutPassword(address)}": ${reasonOf(error)}`;
    throw new Error(why, { cause: error });
  } finally {
    session?.release();
  }
}

async function look(session: Session): Promise<Found> {
  return (await session.ask(LOOK)).rows[0];
}

async function versionOf(session: Session, { versions }: Found): Promise<number> {
  if (versions === null) return 0;
  return (await session.ask("select version from porchlight_version")).rows[0].version;
}

function faultsOf({ server, server_name, encoding, schema }: Found): string[] {
  return [
    ...(server < OLDEST_SERVER
      ? [`it is PostgreSQL ${server_name}, and has to be 14 or newer`]
      : []),
    ...(encoding === "UTF8" ? [] : [`its encoding is ${encoding}, and has to be UTF8`]),
    ...(schema === null ? ["its search_path names no schema that exists"] : []),
  ];
}

/** All that is to be done from a version on, to be sent at once. */
function stepsFrom(version: number, { versions }: Found): string {
  const steps = MIGRATIONS.slice(version).flatMap((step) => step(dialect.schema));
  return [
    ...(versions === null ? ["create table porchlight_version (version integer not null)"] : []),
    ...steps.map((step) => step.compile().sql),
    "delete from porchlight_version",
    `insert into porchlight_version values (${MIGRATIONS.length})`,
  ].join(";\n");
}

/** What was the matter, as whoever met it says it. */
function reasonOf(error: unknown): string {
  if (error instanceof CodedError && error.cause !== undefined) return reasonOf(error.cause);
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(", ");
  return error instanceof Error ? error.message : String(error);
}
