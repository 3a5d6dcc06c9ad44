import type { NodeRules } from "../../server/cluster/node.ts";

/** How nodes reach what they share. Durations are in milliseconds, chances from 0 to 1. */
export interface Weather {
  /** An operation takes so long at most, there and back each. */
  readonly operationMs: number;
  /** A question to the store takes so long at most, there and back each. */
  readonly storeMs: number;
  /** Of deliveries, how many come late, and how late at most. */
  readonly late: number;
  readonly lateMs: number;
  /** How many never come, and how many come twice. */
  readonly lost: number;
  readonly twice: number;
  /** How many operations are not answered; what they did is left to chance. */
  readonly failing: number;
}

export const WEATHERS = {
  calm: { operationMs: 15, storeMs: 25, late: 0, lateMs: 0, lost: 0, twice: 0, failing: 0 },
  slow: { operationMs: 150, storeMs: 250, late: 0.1, lateMs: 900, lost: 0, twice: 0, failing: 0 },
  lossy: { operationMs: 30, storeMs: 40, late: 0, lateMs: 0, lost: 0.1, twice: 0.1, failing: 0 },
  wild: {
    operationMs: 60,
    storeMs: 90,
    late: 0.1,
    lateMs: 6_000,
    lost: 0.1,
    twice: 0.1,
    failing: 0.005,
  },
} as const satisfies Record<string, Weather>;

/** An operation that is not answered is given up. */
export const GIVEN_UP_MS = 2_000;
/** A question that the store does not answer is given up. */
export const STORE_GIVEN_UP_MS = 3_000;
/** How late what was given up, or sent by a process that is no more, may still take effect. */
export const AFTERWARDS_MS = 8_000;
/** Clocks that run unevenly, and what is rounded. */
export const SLACK_MS = 120;
const RENEWAL_MS = 1_000;

/** Within how long what happens on a node is among the facts, while it takes part undisturbed. */
export function tellMs({ operationMs }: Weather, coalesceMs: number): number {
  // One write may be on its way already; the next has what happened.
  return 4 * operationMs + coalesceMs + SLACK_MS;
}

/** Within how long it is known on another node that takes part undisturbed. */
export function learnMs(weather: Weather, coalesceMs: number): number {
  const { operationMs, storeMs, late, lateMs, lost } = weather;
  const heard = tellMs(weather, coalesceMs) + operationMs;
  const read = 2 * storeMs + 2 * operationMs;
  // A gap shows by the second renewal after it, each of which may wait for what was missed before.
  const missed = 3 * (RENEWAL_MS + 2 * operationMs) + 2 * read;
  if (lost > 0) return heard + missed;
  return late > 0 ? heard + Math.min(lateMs, missed) : heard;
}

/** Within how long a node takes part again once nothing hinders it. */
export function returnMs({ operationMs, storeMs }: Weather, nodes: number): number {
  const asks = 2 * (operationMs + storeMs) * (3 + nodes);
  return GIVEN_UP_MS + RENEWAL_MS + STORE_GIVEN_UP_MS + asks + SLACK_MS;
}

/** Within how long it is known that a node is no more: the lease, the grace and what it takes to notice, as documented. */
export const GONE_MS = 15_000;

export type SimulationRules = NodeRules;
