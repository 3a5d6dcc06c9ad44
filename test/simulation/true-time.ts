import { drainMicrotasks } from "bun:jsc";
import { DeadlineQueue, type Due } from "@porchlight/core";

interface Happening extends Due {
  readonly run: () => void;
}

/**
 * The one time that there is in a simulation, in milliseconds. What is to
 * happen happens in order, and all that is asynchronous about it is done
 * before the next: the same history is always the same.
 */
export class TrueTime {
  readonly #queue = new DeadlineQueue<Happening>();
  readonly #after: () => void;
  #now = 0;

  /** @param after is called after everything that happens, and may throw. */
  constructor(after: () => void) {
    this.#after = after;
  }

  get now(): number {
    return this.#now;
  }

  /** Has something happen in so many milliseconds; answers how to call it off. */
  in(ms: number, run: () => void): () => void {
    const happening: Happening = { run, dueAt: 0, queuedAt: -1 };
    this.#queue.set(happening, this.#now + ms);
    return () => this.#queue.delete(happening);
  }

  advance(ms: number): void {
    const until = this.#now + ms;
    for (let next = this.#queue.take(until); next !== undefined; next = this.#queue.take(until)) {
      this.#now = next.dueAt;
      this.do(next.run);
    }
    this.#now = until;
  }

  /** Something happens now. */
  do(run: () => void): void {
    run();
    drainMicrotasks();
    this.#after();
  }
}
