import type { Disturbance } from "./link.ts";
import type { ServerProcess } from "./server-process.ts";
import type { TrueTime } from "./true-time.ts";

/**
 * What a process must know by now of what happened on another. A process that
 * nothing disturbs has told what happened on it within `tellMs`, and within
 * `learnMs` others have heard of it; a disturbance is over `returnMs` after
 * what caused it. What was told is lost with the facts, and told anew.
 */
export class Knowledge {
  readonly learnMs: number;
  /** Within how long a process takes part again once nothing hinders it. */
  readonly returnMs: number;
  readonly #time: TrueTime;
  readonly #clearings: readonly number[];
  readonly #tellMs: number;
  readonly #ownMs: number;

  /** @param options.clearings when the facts were lost. @param options.ownMs within how long a process tells what happened on it. */
  constructor(options: {
    time: TrueTime;
    clearings: readonly number[];
    tellMs: number;
    learnMs: number;
    returnMs: number;
    ownMs: number;
  }) {
    this.#time = options.time;
    this.#clearings = options.clearings;
    this.learnMs = options.learnMs;
    this.#tellMs = options.tellMs;
    this.returnMs = options.returnMs;
    this.#ownMs = options.ownMs;
  }

  /** Whether `to` must know what happened on `from` at `at`, now or by `until`. */
  isKnown(from: ServerProcess, to: ServerProcess, at: number, until = this.#time.now): boolean {
    if (at > until) return false;
    if (from === to) return until >= at + this.#ownMs;
    let since = at;
    for (const cleared of this.#clearings) {
      if (cleared <= at) continue;
      if (this.#isHeard(from, to, since, Math.min(until, cleared))) return true;
      since = cleared;
    }
    return this.#isHeard(from, to, since, until);
  }

  /** Whether nothing disturbed two processes when something happened and was told. */
  isUndisturbed(from: ServerProcess, to: ServerProcess, at: number): boolean {
    return [from, to].every(({ link }) => this.#firstFree(at, link.disturbances) === at);
  }

  /** Whether a process must have noticed by itself, or heard of any other, what held at `at`, so long ago. */
  isNoticed(by: ServerProcess, at: number, agoMs = 0): boolean {
    const since = this.#firstFree(Math.max(at, by.startedAt), by.link.disturbances);
    return since + agoMs + this.learnMs <= this.#time.now;
  }

  /** Whether a process must have read in the store what was there at `at`, if it asks then. */
  isRead({ link, storeLink, startedAt }: ServerProcess, at: number): boolean {
    const from = Math.max(at, startedAt);
    if (from + this.learnMs > this.#time.now) return false;
    const since = this.#firstFree(from, [...link.disturbances, ...storeLink.disturbances]);
    return since + this.learnMs <= this.#time.now;
  }

  /** Since when a process takes part undisturbed; infinite while it does not. */
  connectedSince({ link, startedAt }: ServerProcess): number {
    return link.disturbances.reduce((latest, { to }) => Math.max(latest, to), startedAt);
  }

  #isHeard(from: ServerProcess, to: ServerProcess, at: number, until: number): boolean {
    const latest = Math.min(until, from.diedAt) - this.#tellMs;
    if (at > latest || Math.max(at, to.startedAt) + this.learnMs > until) return false;
    const telling = this.#firstFree(at, from.link.disturbances, this.#tellMs);
    if (telling > latest) return false;
    const hearing = Math.max(telling, to.startedAt);
    return this.#firstFree(hearing, to.link.disturbances) + this.learnMs <= until;
  }

  /** The first instant not before `at` after which nothing disturbs for so long, nor is yet to come back. */
  #firstFree(at: number, disturbances: readonly Disturbance[], forMs = this.learnMs): number {
    let free = at;
    for (let was = -1; was !== free; ) {
      was = free;
      for (const { from, to } of disturbances)
        if (from < free + forMs && to + this.returnMs > free) free = to + this.returnMs;
    }
    return free;
  }
}
