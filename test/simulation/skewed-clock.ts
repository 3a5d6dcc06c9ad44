import type { Clock } from "@porchlight/core/clock";
import type { TrueTime } from "./true-time.ts";

const EPOCH = Date.parse("2026-03-02T09:00:00.000Z");

/** How wrong the clock of a machine is. */
export interface Skew {
  /** How far it is ahead, in milliseconds. */
  readonly aheadMs: number;
  /** How many seconds it counts in one. */
  readonly rate: number;
}

/** What a process takes for the time. */
export class SkewedClock implements Clock {
  readonly #time: TrueTime;
  readonly #skew: Skew;
  readonly #startedAt: number;
  #isStopped = false;

  constructor(time: TrueTime, skew: Skew) {
    this.#time = time;
    this.#skew = skew;
    this.#startedAt = time.now;
  }

  monotonic(): number {
    return (this.#time.now - this.#startedAt) * this.#skew.rate;
  }

  elapsed(): number {
    return EPOCH + this.#skew.aheadMs + this.#time.now * this.#skew.rate;
  }

  wall(): number {
    return Math.round(this.elapsed());
  }

  timer(delayMs: number, ring: () => void): () => void {
    return this.#time.in(delayMs / this.#skew.rate, () => {
      if (!this.#isStopped) ring();
    });
  }

  /** No timer rings any more: the process is no more. */
  stop(): void {
    this.#isStopped = true;
  }
}
