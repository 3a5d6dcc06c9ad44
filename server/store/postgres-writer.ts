import { CodedError } from "@porchlight/core";
import { type Scope, unavailable } from "./database.ts";
import type { Connections } from "./postgres-connections.ts";
import { lockOf } from "./postgres-locks.ts";
import type { Session } from "./postgres-session.ts";
import type { Program } from "./query.ts";

interface Job {
  /** Runs the program; answers what to do after the commit. */
  readonly run: (session: Session) => Promise<() => void>;
  readonly fail: (error: unknown) => void;
}

/** Programs that share a commit, at most: savepoints beyond 64 cost everybody who reads. */
const TOGETHER = 50;

/**
 * Runs programs that write, one transaction at a time for each scope.
 *
 * A transaction begins with a lock on its scope, which it holds until its
 * commit can be seen. So it is as if writes to one scope came one after the
 * other, on whatever node. For that the level has to be READ COMMITTED: each
 * statement then sees what was committed before it, and so all that the one
 * who held the lock before has done. REPEATABLE READ would see what was there
 * before it waited for the lock; SERIALIZABLE would refuse what a lock lets
 * wait, and a program that has run cannot be run again.
 *
 * What comes while a transaction runs shares the next one, each program behind
 * a savepoint of its own: a faulty one takes nothing with it, and one wait for
 * the disk serves all.
 */
export class Writer {
  readonly #connections: Connections;
  /** What waits, by the lock that it needs. Where there is such a list, a transaction runs or is about to. */
  readonly #waiting = new Map<string, Job[]>();

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  write<T>(scope: Scope, program: Program<T>, committed?: (result: T) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = async (session: Session): Promise<() => void> => {
        const result = await session.run(program);
        return () => {
          committed?.(result);
          resolve(result);
        };
      };
      this.#add(scope, { run, fail: reject });
    });
  }

  #add(scope: Scope, job: Job): void {
    const lock = lockOf(scope);
    const waiting = this.#waiting.get(lock);
    if (waiting !== undefined) {
      waiting.push(job);
      return;
    }
    const first = [job];
    this.#waiting.set(lock, first);
    // What is handed in during the same turn shares the first transaction.
    setImmediate(() => void this.#drain(lock, first));
  }

  async #drain(lock: string, waiting: Job[]): Promise<void> {
    while (waiting.length > 0) {
      const jobs = waiting.splice(0, TOGETHER);
      try {
        await this.#commitAll(lock, jobs);
      } catch (cause) {
        const refusal = cause instanceof CodedError ? cause : unavailable(cause);
        // Those behind would only find the same, each after having waited as long.
        for (const job of [...jobs, ...waiting.splice(0)]) job.fail(refusal);
      }
    }
    this.#waiting.delete(lock);
  }

  async #commitAll(lock: string, jobs: readonly Job[]): Promise<void> {
    const session = await this.#connections.session();
    try {
      session.send(`begin isolation level read committed; ${lock}`);
      const after: (() => void)[] = [];
      for (const job of jobs) after.push(await attempt(session, job));
      // Whether a commit took place whose answer is lost cannot be known: then nobody is told.
      const { command } = await session.ask("commit");
      if (command !== "COMMIT") throw new Error(`Cannot commit: it ended with ${command}`);
      for (const each of after) each();
    } finally {
      session.release();
    }
  }
}

async function attempt(session: Session, job: Job): Promise<() => void> {
  session.send("savepoint job");
  try {
    const done = await job.run(session);
    session.send("release savepoint job");
    return done;
  } catch (error) {
    // Then the whole transaction is lost, and nobody's work stands.
    if (session.lost !== undefined) throw session.lost;
    session.send("rollback to savepoint job; release savepoint job");
    return () => job.fail(error);
  }
}
