import type { Fault } from "./errors.ts";

/** Every duration of presence and typing, in milliseconds. The server tells them to clients in `hello`, and clients obey. */
export interface Timings {
  /** How often a client says that it is there. */
  readonly heartbeat_ms: number;
  /** A source from which nothing came for this long is gone. */
  readonly presence_ttl_ms: number;
  /** A device whose last activity is this old is idle. */
  readonly idle_after_ms: number;
  /** How often the server pings a socket; two unanswered pings close it. */
  readonly ping_ms: number;
  /** How long a source that was lost uncleanly lingers. */
  readonly disconnect_grace_ms: number;
  /** How long everyone lingers after an orderly restart. */
  readonly restart_grace_ms: number;
  /** Changes of one person within this time of the last telling go as one. */
  readonly coalesce_ms: number;
  /** A typing signal ends this long after its last publish. */
  readonly typing_ttl_ms: number;
  /** A typist publishes again after this long. */
  readonly typing_refresh_ms: number;
  /** The server tells a living signal again after this long. */
  readonly typing_retell_ms: number;
  /** A receiver drops a signal it has not heard of for this long. */
  readonly typing_drop_ms: number;
}

/** The documented durations. */
export const DEFAULT_TIMINGS: Timings = {
  heartbeat_ms: 30_000,
  presence_ttl_ms: 120_000,
  idle_after_ms: 300_000,
  ping_ms: 30_000,
  disconnect_grace_ms: 10_000,
  restart_grace_ms: 20_000,
  coalesce_ms: 100,
  typing_ttl_ms: 4_000,
  typing_refresh_ms: 2_500,
  typing_retell_ms: 2_500,
  typing_drop_ms: 7_000,
};

/** What makes these durations contradict each other; empty when they fit. */
export function timingFaults(timings: Timings): Fault[] {
  const { heartbeat_ms, ping_ms, disconnect_grace_ms, presence_ttl_ms } = timings;
  const { typing_refresh_ms, typing_retell_ms, typing_ttl_ms, typing_drop_ms } = timings;
  const rules: [path: string, holds: boolean, message: string][] = [
    [
      "presence_ttl_ms",
      heartbeat_ms + ping_ms + disconnect_grace_ms < presence_ttl_ms,
      `must be greater than heartbeat_ms + ping_ms + disconnect_grace_ms (${heartbeat_ms} + ${ping_ms} + ${disconnect_grace_ms}): received ${presence_ttl_ms}`,
    ],
    [
      "typing_refresh_ms",
      typing_refresh_ms < typing_ttl_ms,
      `must be less than typing_ttl_ms (${typing_ttl_ms}): received ${typing_refresh_ms}`,
    ],
    [
      "typing_drop_ms",
      typing_drop_ms > typing_retell_ms && typing_drop_ms > typing_ttl_ms,
      `must be greater than typing_retell_ms (${typing_retell_ms}) and typing_ttl_ms (${typing_ttl_ms}): received ${typing_drop_ms}`,
    ],
  ];
  return rules.filter(([, holds]) => !holds).map(([path, , message]) => ({ path, message }));
}
