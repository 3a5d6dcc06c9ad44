/** The only source of time of a server or a client. Tests hand in one that they move themselves. */
export interface Clock {
  /** Milliseconds on a clock that no one sets. Sleep of the machine may not count. For typing and the like. */
  monotonic(): number;
  /** Unix milliseconds on a clock that never goes back and on which sleep counts. For leases, idle ages and expiry. */
  elapsed(): number;
  /** Unix milliseconds, as the machine believes. For what is written and shown. */
  wall(): number;
  /** Calls `ring` after `delayMs`; answers how to call it off. */
  timer(delayMs: number, ring: () => void): () => void;
}

/** The machine's clocks. */
export function systemClock(): Clock {
  // The wall clock runs ahead of the monotonic one by its epoch; it gains on it during sleep and when it is set
  // forward. Keeping the largest lead takes the larger of both elapsed times and ignores being set back.
  let lead = Number.NEGATIVE_INFINITY;
  return {
    monotonic: () => performance.now(),
    elapsed: () => {
      const now = performance.now();
      lead = Math.max(lead, Date.now() - now);
      return now + lead;
    },
    wall: () => Date.now(),
    timer: (delayMs, ring) => {
      const timer = setTimeout(ring, delayMs);
      return () => clearTimeout(timer);
    },
  };
}

/** Timers do not count sleep of the machine: looking again this often bounds how late it is noticed. */
const LONGEST_TIMER_MS = 10_000;

/** One timer for one concern, always set to the earliest deadline that was asked for. It may ring early. */
export class Alarm {
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #ring: () => void;
  #dueAt = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  /** @param now the clock on which deadlines are given. */
  constructor(clock: Clock, now: () => number, ring: () => void) {
    this.#clock = clock;
    this.#now = now;
    this.#ring = ring;
  }

  /** Sees to it that the alarm rings by `dueAt`. Without a deadline, nothing changes. */
  by(dueAt: number | undefined): void {
    if (dueAt === undefined || dueAt >= this.#dueAt) return;
    this.#cancel?.();
    this.#dueAt = dueAt;
    // Deadlines are whole instants and timers fire within the millisecond: rounding up keeps them from firing before.
    const delayMs = Math.min(LONGEST_TIMER_MS, Math.max(0, Math.ceil(dueAt - this.#now())));
    this.#cancel = this.#clock.timer(delayMs, () => {
      this.#dueAt = Number.POSITIVE_INFINITY;
      this.#ring();
    });
  }

  /** Calls off whatever was asked for. */
  stop(): void {
    this.#cancel?.();
    this.#dueAt = Number.POSITIVE_INFINITY;
  }
}
