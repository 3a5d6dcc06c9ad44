import { CodedError } from "@porchlight/core";
import type { Program } from "./query.ts";

/** Whose rows a program writes: those of one tenant, or of all, or of none. */
export type Scope = { readonly tenant_id: string } | "everything";

/** A database that runs programs. */
export interface SqlDatabase {
  /**
   * Runs a program that only reads, at one moment of the database.
   * @param key names what is asked for. Under one key the same object may be answered again, as long as it is what
   * reading anew would answer: nobody may change it.
   */
  read<T>(program: Program<T>, key?: string): Promise<T>;
  /** What {@link read} would answer under a key, where that is known without asking. */
  known(key: string): unknown;
  /**
   * Runs a program that writes, whole or not at all, as if nobody else wrote to
   * its scope meanwhile, whoever shares the database. What it returns is
   * answered after the commit that makes it durable; programs of one scope
   * commit in the order in which they were handed in.
   * @param committed is called after the commit, in order, before the answer.
   */
  write<T>(scope: Scope, program: Program<T>, committed?: (result: T) => void): Promise<T>;
  /** The database as it is at the first read, while others go on writing. It costs disk space as long as it is open. */
  snapshot(): Promise<Snapshot>;
  /** Finishes what was begun, then closes. Safe to call twice. */
  close(): Promise<void>;
}

/** A moment of a database. MUST be closed. */
export interface Snapshot {
  read<T>(program: Program<T>): Promise<T>;
  close(): Promise<void>;
}

/** What a look at a database finds, without changing it. */
export interface Inspection {
  /** How many steps of `MIGRATIONS` it has taken. */
  readonly version: number;
  /** What it is in, such as PostgreSQL 15.4, where that is no file. */
  readonly server?: string;
  /** What is wrong with it; empty for one that is whole. */
  readonly faults: readonly string[];
  /** The latest instant among its last events, in Unix milliseconds. */
  readonly lastEventAt: number | undefined;
}

/** The refusal of what was asked of a database that is out of reach, or too busy. */
export function unavailable(cause: unknown): CodedError {
  return new CodedError("SW_UNAVAILABLE", "The store is out of reach", {
    cause,
    retryAfterSeconds: 1,
  });
}
