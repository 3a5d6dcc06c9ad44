import { openConfigured, type Store } from "@porchlight/server";
import { turn } from "./clock.ts";

/** What a store that is far away takes its time for: to be asked, to answer a read, to announce what is written. */
export type Delayed = `${"ask" | "read"} ${keyof Store}` | "announce";

/** The reads whose answers can be late. */
const READS: readonly PropertyKey[] = ["token", "room", "standing", "replay", "position"];
const PAGE = 2;

/**
 * Opens a store as one behaves that is far away: what it reads is old when it arrives, and what it has written
 * is announced later than it can be read, though before the write is answered. A page of a replay has two events.
 * @param delay ends when what is named may go on.
 */
export function hesitantly(delay: (what: Delayed) => Promise<void>): typeof openConfigured {
  return async (config, announce) => {
    let told = Promise.resolve();
    const store = await openConfigured(config, (announcement) => {
      told = told.then(() => delay("announce")).then(() => announce(announcement));
    });
    const hesitate =
      (name: keyof Store, act: (...args: unknown[]) => Promise<unknown>) =>
      async (...args: unknown[]): Promise<unknown> => {
        await delay(`ask ${name}`);
        const answer = await act(...(name === "replay" ? short(args) : args));
        await (READS.includes(name) ? delay(`read ${name}`) : told);
        return answer;
      };
    return new Proxy(store, {
      get: (target, name) => {
        // It knows nothing without asking.
        if (name === "knownToken") return () => undefined;
        const act: unknown = Reflect.get(target, name);
        // A store is no promise: whoever awaits it looks for `then`.
        return act instanceof Function
          ? hesitate(name as keyof Store, act as (...args: unknown[]) => Promise<unknown>)
          : act;
      },
    });
  };
}

function short([key, since, options]: unknown[]): unknown[] {
  return [key, since, { ...(options as object), limit: PAGE }];
}

/** A delay that the test ends itself. */
export class Delays {
  readonly #awaited = new Map<Delayed, () => void>();
  readonly #held = new Map<Delayed, { reached: () => void; released: Promise<void> }>();

  readonly of = async (what: Delayed): Promise<void> => {
    this.#awaited.get(what)?.();
    const held = this.#held.get(what);
    held?.reached();
    await held?.released;
  };

  /** Resolves when something that is named goes on next, and has gone on. */
  async next(what: Delayed): Promise<void> {
    await new Promise<void>((resolve) => this.#awaited.set(what, resolve));
    this.#awaited.delete(what);
    await turn();
  }

  /**
   * From now on what is named waits: `reached` says when something does, `release` lets all of it go on, except what
   * came after the next call of this.
   */
  hold(what: Delayed): { readonly reached: Promise<void>; readonly release: () => void } {
    const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const held = { reached: reached.resolve, released: released.promise };
    this.#held.set(what, held);
    return {
      reached: reached.promise,
      release: () => {
        if (this.#held.get(what) === held) this.#held.delete(what);
        released.resolve();
      },
    };
  }
}
