import type { CodedError } from "@porchlight/core";
import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from "kysely";
import { DatabaseError, type PoolClient, type QueryResult } from "pg";
import { unavailable } from "./database.ts";
import { type Call, compile, type Program } from "./query.ts";
import type { Tables } from "./schema.ts";

type DataType = Parameters<PostgresQueryCompiler["visitDataType"]>[0];

/** Text is compared by its bytes, as in SQLite, and not as the language of the database has it. */
class Compiler extends PostgresQueryCompiler {
  protected override visitDataType(node: DataType): void {
    super.visitDataType(node);
    if (node.dataType === "text") this.append(' collate "C"');
  }
}

/** Builds statements in the words of PostgreSQL. */
export const dialect = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new Compiler(),
  },
});

/** How much of a text is traced, in UTF-16 code units. */
const SHOWN = 60;

interface Prepared {
  /** What it is called on every connection. */
  readonly name: string;
  readonly text: string;
  /** Its parameters in order. */
  readonly parameters: readonly string[];
}

/** The statements of one database, each compiled once. */
export class Statements {
  readonly #prepared = new Map<Call["statement"], Prepared>();

  prepared(statement: Call["statement"]): Prepared {
    const known = this.#prepared.get(statement);
    if (known !== undefined) return known;
    const { sql, names } = compile(dialect, statement);
    const made = { name: `s${this.#prepared.size + 1}`, text: sql, parameters: names };
    this.#prepared.set(statement, made);
    return made;
  }
}

/**
 * A connection for as long as it is ours. What is sent is not waited for: it
 * arrives in order, so that a failure of it is found by what is waited for
 * behind it.
 */
export class Session {
  readonly #client: PoolClient;
  readonly #statements: Statements;
  readonly #trace: ((sql: string) => void) | undefined;
  #lost: CodedError | undefined;
  #isReleased = false;

  constructor(
    client: PoolClient,
    options: { statements: Statements; trace: ((sql: string) => void) | undefined },
  ) {
    this.#client = client;
    this.#statements = options.statements;
    this.#trace = options.trace;
  }

  /** Why nothing can be done on it any more: what failed first that was no fault of a program. */
  get lost(): CodedError | undefined {
    return this.#lost;
  }

  /** Runs a program. A fault of the connection or of the server is refused as unavailable. */
  async run<T>(program: Program<T>): Promise<T> {
    let step = program.next();
    while (!step.done) step = program.next(await this.#rows(step.value));
    return step.value;
  }

  /** Sends a command without waiting for what it comes to. */
  send(sql: string): void {
    this.ask(sql).catch(() => undefined);
  }

  /** What the last of some commands comes to. @param withinMs how long they may take, if not as long as others. */
  async ask(sql: string, withinMs?: number): Promise<QueryResult> {
    this.#trace?.(sql);
    try {
      const query = { text: sql, ...(withinMs === undefined ? {} : { query_timeout: withinMs }) };
      const results: QueryResult | QueryResult[] = await this.#client.query(query);
      return Array.isArray(results) ? results.at(-1) : results;
    } catch (cause) {
      throw this.#lose(cause);
    }
  }

  /** Gives the connection back; one that is lost is closed. */
  release(): void {
    this.#end(this.#lost !== undefined);
  }

  /** Closes the connection, whatever it is in the middle of. */
  abandon(): void {
    this.#end(true);
  }

  async #rows({ statement, values }: Call): Promise<readonly unknown[]> {
    const { name, text, parameters } = this.#statements.prepared(statement);
    const bound = parameters.map((parameter) => bindable(values[parameter]));
    this.#trace?.(spelledOut(text, bound));
    try {
      return (await this.#client.query({ name, text, values: bound })).rows;
    } catch (cause) {
      throw isOurs(cause) ? cause : this.#lose(cause);
    }
  }

  #end(isClosed: boolean): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#client.release(isClosed);
  }

  #lose(cause: unknown): CodedError {
    // What failed first is why the rest did.
    this.#lost ??= unavailable(cause);
    return this.#lost;
  }
}

function bindable(value: Call["values"][string]): string | number | null {
  return typeof value === "boolean" ? Number(value) : (value ?? null);
}

/** A statement that does not fit the tables, or the rows that are there, is a fault of the program; anything else is not. */
function isOurs(error: unknown): boolean {
  return error instanceof DatabaseError && /^(22|23|42)/.test(error.code ?? "");
}

/** A statement with its values in it, of long ones as much as SQLite shows. */
function spelledOut(text: string, values: readonly (string | number | null)[]): string {
  return text.replaceAll(/\$(\d+)/g, (_, number) => {
    const value = values[Number(number) - 1] ?? null;
    if (typeof value !== "string") return String(value);
    const shown = value.slice(0, SHOWN).replaceAll("'", "''");
    return value.length > SHOWN ? `'${shown}'/*+${value.length - SHOWN} bytes*/` : `'${shown}'`;
  });
}
