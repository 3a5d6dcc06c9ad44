import { userInfo } from "node:os";
import { openStore } from "@porchlight/server/store";
import pg from "pg";
import { findPostgres } from "../runtimes/databases.ts";
import { testWith } from "../runtimes/runtimes.ts";
import { Child } from "./child.ts";
import { freePort } from "./port.ts";
import type { TestDatabase } from "./store.ts";

/** The password of every test server, to be found nowhere else. */
export const PASSWORD = "lantern-oil";

/**
 * Makes a server and does what it is told to, a line each. It ends with
 * whoever holds the other end of its standard input, however that ends, and
 * leaves nothing behind. Text is compared as in English, if it is let: that
 * Porchlight compares bytes must not be by chance.
 */
const HOST = `
set -eu
bin=$1 port=$2
folder=$(mktemp -d "\${TMPDIR:-/tmp}/porchlight-postgres-XXXXXX")
control() { "$bin/pg_ctl" -D "$folder/data" -s -w "$@" >&2 < /dev/null; }
trap 'control stop -m immediate 2> /dev/null || true; rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
echo '${PASSWORD}' > "$folder/password"
case $("$bin/initdb" --help) in *icu-locale*) english='--locale-provider=icu --icu-locale=en' ;; *) english= ;; esac
"$bin/initdb" -D "$folder/data" -U porchlight -A password --pwfile="$folder/password" \\
  -E UTF8 --locale=C $english --no-sync > /dev/null
cat >> "$folder/data/postgresql.conf" <<EOF
port = $port
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
full_page_writes = off
EOF
control start -l "$folder/log"
echo ready
while read -r action; do
  case $action in
    stop) control stop -m fast ;;
    start) control start -l "$folder/log" ;;
  esac
  echo "$action"
done
`;

/** A PostgreSQL server of this process's own, on 127.0.0.1, which is gone when the process is. */
export class PostgresServer {
  static #shared: Promise<PostgresServer> | undefined;

  readonly port: number;
  readonly #host: Child;
  readonly #looks: pg.Pool;

  private constructor(host: Child, port: number) {
    this.#host = host;
    this.port = port;
    this.#looks = new pg.Pool({ connectionString: this.address(), max: 2 });
    this.#looks.on("error", () => undefined);
  }

  /** The one that the tests of this process share. */
  static shared(): Promise<PostgresServer> {
    PostgresServer.#shared ??= PostgresServer.#start();
    return PostgresServer.#shared;
  }

  static async #start(): Promise<PostgresServer> {
    const found = findPostgres();
    if ("missing" in found) throw new Error(`Cannot start PostgreSQL: ${found.missing}`);
    const port = await freePort();
    const shell = ["/bin/sh", "-c", HOST, "sh", found.path, String(port)];
    // It does not run as root.
    const isRoot = userInfo().uid === 0;
    const host = new Child(isRoot ? ["runuser", "-u", "postgres", "--", ...shell] : shell, {
      cwd: "/",
    });
    await host.line();
    return new PostgresServer(host, port);
  }

  /** Where a schema of it is; whatever is made there without being named otherwise is made in that schema. */
  address(schema = "public"): string {
    const options = encodeURIComponent(`-c search_path=${schema}`);
    return `postgres://porchlight:${PASSWORD}@127.0.0.1:${this.port}/postgres?options=${options}`;
  }

  /** What a statement answers, past the store. */
  async query(sql: string): Promise<Record<string, unknown>[]> {
    return (await this.#looks.query(sql)).rows;
  }

  /** Stops it, as for an update: whoever is connected is cut off. */
  async stop(): Promise<void> {
    await this.#host.asked("stop");
  }

  async start(): Promise<void> {
    await this.#host.asked("start");
  }
}

/**
 * Declares tests that need PostgreSQL. Where there is none they are skipped,
 * and say why; in CI that fails. The server is started before any of them, so
 * that one which takes too long does not take it along.
 */
export async function withPostgres(name: string, declare: () => void): Promise<void> {
  const found = findPostgres();
  if ("missing" in found) return testWith(found, name, async () => undefined);
  await PostgresServer.shared();
  declare();
}

/** An empty database on PostgreSQL: a schema of the shared server, and where it is. */
export async function postgresSchema(): Promise<
  AsyncDisposable & { readonly server: PostgresServer; readonly name: string; readonly url: string }
> {
  const server = await PostgresServer.shared();
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  await server.query(`create schema ${name}`);
  return {
    server,
    name,
    url: server.address(name),
    [Symbol.asyncDispose]: async () => {
      await server.query(`drop schema ${name} cascade`);
    },
  };
}

/** Schemas whose tables are there, and empty. */
const emptied: Awaited<ReturnType<typeof postgresSchema>>[] = [];

/** An empty PostgreSQL database. To make its tables takes ten times as long as to empty them, so they are used again. */
export async function postgresDatabase(): Promise<TestDatabase> {
  const schema = emptied.pop() ?? (await postgresSchema());
  return {
    open: (options) => openStore({ ...options, url: schema.url }),
    [Symbol.asyncDispose]: async () => {
      await schema.server.query(EMPTY.replace("SCHEMA", schema.name));
      emptied.push(schema);
    },
  };
}

const EMPTY = `do $$ declare each text; begin
  for each in select format('%I.%I', schemaname, tablename) from pg_tables
    where schemaname = 'SCHEMA' and tablename <> 'porchlight_version'
  loop execute 'delete from ' || each; end loop;
end $$`;
