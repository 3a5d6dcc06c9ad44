import { systemClock } from "@porchlight/core/clock";
import type { Awareness } from "y-protocols/awareness";

const { monotonic, timer } = systemClock();

/** Milliseconds on the one clock of everything that is measured. */
export const now: () => number = monotonic;

/** Lets so much time pass, where time itself is what a server is to bear. */
export function pass(ms: number): Promise<void> {
  return new Promise((resolve) => void timer(ms, resolve));
}

/** What a promise resolves to; nothing when it takes longer than `ms`. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let cancel = (): void => undefined;
  const late = new Promise<undefined>((resolve) => {
    cancel = timer(ms, () => resolve(undefined));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    cancel();
  }
}

/** After how many milliseconds something holds of what a client sees; nothing when it does not within `mostMs`. */
export async function heard(
  awareness: Awareness,
  holds: () => boolean,
  mostMs: number,
): Promise<number | undefined> {
  const from = now();
  let stop = (): void => undefined;
  const holding = new Promise<number>((resolve) => {
    const look = (): void => {
      if (holds()) resolve(now() - from);
    };
    awareness.on("update", look);
    stop = () => awareness.off("update", look);
    look();
  });
  const ms = await within(mostMs, holding);
  stop();
  return ms;
}

/** Counts how often something begins to hold of what a client sees, and for how long it does. */
export class Watch implements Disposable {
  /** How often it began to hold, the time at which it was first looked at included. */
  times = 0;
  readonly #awareness: Awareness;
  readonly #look: () => void;
  #since: number | undefined;
  #ms = 0;

  constructor(awareness: Awareness, holds: () => boolean) {
    this.#awareness = awareness;
    this.#look = () => this.#see(holds());
    awareness.on("update", this.#look);
    this.#look();
  }

  /** For how long it has held so far. */
  get ms(): number {
    return this.#ms + (this.#since === undefined ? 0 : now() - this.#since);
  }

  [Symbol.dispose](): void {
    this.#awareness.off("update", this.#look);
  }

  #see(holds: boolean): void {
    if (holds === (this.#since !== undefined)) return;
    if (holds) this.times += 1;
    this.#ms = this.ms;
    this.#since = holds ? now() : undefined;
  }
}
