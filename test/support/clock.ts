import type { Clock } from "@porchlight/server";

interface Timer {
  readonly dueAt: number;
  readonly ring: () => void;
}

const EPOCH = Date.parse("2026-03-02T09:00:00.000Z");

/** A clock that stands still until it is moved. Timers ring as it passes them, in order. */
export class TestClock implements Clock {
  #monotonic = 1_000;
  #slept = 0;
  #wallStep = 0;
  #furthestStep = 0;
  readonly #timers = new Set<Timer>();

  monotonic(): number {
    return this.#monotonic;
  }

  elapsed(): number {
    return EPOCH + this.#monotonic + this.#slept + this.#furthestStep;
  }

  wall(): number {
    return EPOCH + this.#monotonic + this.#slept + this.#wallStep;
  }

  timer(delayMs: number, ring: () => void): () => void {
    const timer = { dueAt: this.#monotonic + delayMs, ring };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Lets `ms` pass, and what is waiting to be sent or received have its turn after each timer. */
  async advance(ms: number): Promise<void> {
    const until = this.#monotonic + ms;
    for (let timer = this.#next(until); timer !== undefined; timer = this.#next(until)) {
      this.#timers.delete(timer);
      this.#monotonic = Math.max(this.#monotonic, timer.dueAt);
      timer.ring();
      await turn();
    }
    this.#monotonic = until;
    await turn();
  }

  /** The machine sleeps: no timer rings, and only clocks on which sleep counts go on. */
  sleep(ms: number): void {
    this.#slept += ms;
  }

  /** Somebody sets the wall clock. Ahead, it looks like sleep; back, nothing goes back with it. */
  step(ms: number): void {
    this.#wallStep += ms;
    this.#furthestStep = Math.max(this.#furthestStep, this.#wallStep);
  }

  #next(until: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueAt <= until && (next === undefined || timer.dueAt < next.dueAt)) next = timer;
    }
    return next;
  }
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** So many turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let passed = 0; passed < count; passed += 1) await turn();
}
