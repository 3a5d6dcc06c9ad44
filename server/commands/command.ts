import { existsSync, openSync } from "node:fs";
import type { ParseArgsOptionsConfig } from "node:util";
import { systemClock } from "@porchlight/core/clock";
import { type Config, ConfigError, openConfigured, readConfig, type Store } from "../main.ts";

/** What somebody wrote behind the name of a command. */
export interface Given {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly operands: readonly string[];
}

/** One thing that `porchlight` does. */
export interface Command {
  /** How it is called and what it does, as `--help` says it. */
  readonly help: string;
  readonly options: ParseArgsOptionsConfig;
  /** The names of what it takes besides options, all of them or, in brackets, as many as there are. */
  readonly operands: readonly string[];
  /** Answers the exit code: 0 if it did what it was asked to. */
  run(given: Given): Promise<number | undefined>;
}

/** A command was called wrongly: nothing was done. */
export class UsageError extends Error {}

/** The option of commands that work on a database. */
export const FILE_OPTION = { file: { type: "string" } } as const;

/** The configuration, with the database that was named. */
export function configOf(given: Given, more: Readonly<Record<string, string>> = {}): Config {
  const file = textOf(given, "file");
  const database = file === undefined ? {} : { PORCHLIGHT_DATABASE_URL: `sqlite:${file}` };
  try {
    return readConfig({ ...process.env, ...database, ...more });
  } catch (error) {
    if (error instanceof ConfigError)
      throw new UsageError(`Cannot start with this configuration:\n${error.message}`);
    throw error;
  }
}

/** A configuration whose database is there already. */
export function existing(config: Config): Config {
  const file = fileOf(config);
  if (file !== undefined && !existsSync(file))
    throw new UsageError(`Cannot open the database "${file}" as there is no such file`);
  return config;
}

/** The file of a database, if it is in one. */
export function fileOf({ databaseUrl }: Config): string | undefined {
  return /^sqlite:(?!:memory:)(.+)$/.exec(databaseUrl)?.[1];
}

/** Makes a file that nobody else may read, and opens it. It must not exist yet. */
export function newFile(path: string): number {
  try {
    return openSync(path, "wx", 0o600);
  } catch (error) {
    const why = existsSync(path) ? "it exists already" : String(error);
    throw new UsageError(`Cannot write "${path}" as ${why}`);
  }
}

/** What an option was given, if it was. */
export function textOf({ values }: Given, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

/** Works on a store that nobody listens to, and closes it. */
export async function withStore<T>(
  config: Config,
  work: (store: Store, now: () => number) => Promise<T>,
): Promise<T> {
  const clock = systemClock();
  const store = await openConfigured(config, () => undefined);
  try {
    return await work(store, () => clock.wall());
  } finally {
    await store.close();
  }
}
