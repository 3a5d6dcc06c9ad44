import type { Compilable, Kysely } from "kysely";
import type { Tables } from "./schema.ts";

/** What can be bound to a statement. Flags are bound as 0 and 1, `undefined` as null. */
export type Bindable = string | number | boolean | null | undefined;

/**
 * A statement: written once with the query builder, compiled once by each
 * driver for its dialect, and kept prepared. `P` is what it takes, `R` a row
 * of what it answers.
 */
export interface Statement<P, R> {
  readonly build: (db: Kysely<Tables>, parameters: P) => Compilable<R>;
}

/** Stands for a parameter while a statement is compiled. */
export class Parameter {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** A statement to be run with these arguments. */
export interface Call {
  readonly statement: Statement<never, unknown>;
  readonly values: Readonly<Record<string, Bindable>>;
}

/**
 * A piece of a transaction: it yields calls and is handed their rows. The same
 * program runs in one go on SQLite and with awaits on a database that is far
 * away; it never sees the difference, and can be part of another by `yield*`.
 */
export type Program<T> = Generator<Call, T, readonly unknown[]>;

/** Declares a statement. Nothing is compiled before it is first run. */
export function statement<P extends { readonly [K in keyof P]: Bindable }>() {
  return <R>(build: Statement<P, R>["build"]): Statement<P, R> => ({ build });
}

/** Runs a statement and answers all of its rows. */
export function* all<P extends { readonly [K in keyof P]: Bindable }, R>(
  call: Statement<P, R>,
  values: P,
): Program<readonly Readonly<R>[]> {
  // The driver answers the rows of the statement that was yielded.
  return (yield { statement: call as Call["statement"], values }) as readonly Readonly<R>[];
}

/** Runs a statement and answers its first row, if there is one. */
export function* one<P extends { readonly [K in keyof P]: Bindable }, R>(
  call: Statement<P, R>,
  values: P,
): Program<Readonly<R> | undefined> {
  const [row] = yield* all(call, values);
  return row;
}

/** The text of a statement in a driver's dialect, and the names of its parameters in order. */
export function compile(
  db: Kysely<Tables>,
  call: Call["statement"],
): { sql: string; names: string[] } {
  const parameters = new Proxy({}, { get: (_, name) => new Parameter(String(name)) });
  // Every property of the proxy is a Parameter, which the builder passes through.
  const { sql, parameters: order } = call.build(db, parameters as never).compile();
  const names = order.map((parameter) => {
    if (parameter instanceof Parameter) return parameter.name;
    throw new TypeError(
      `Cannot compile a statement with a value in it: received ${JSON.stringify(parameter)}`,
    );
  });
  return { sql, names };
}
