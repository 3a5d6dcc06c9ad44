import { describe, expect, test } from "bun:test";
import { DEFAULT_TIMINGS, type Timings, timingFaults } from "@porchlight/core";

function faultyPaths(given: Partial<Timings>): string[] {
  return timingFaults({ ...DEFAULT_TIMINGS, ...given }).map(({ path }) => path);
}

describe("DEFAULT_TIMINGS", () => {
  test("are the documented durations, in milliseconds", () => {
    expect(DEFAULT_TIMINGS).toEqual({
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
    });
  });

  test("do not contradict each other", () => {
    expect(timingFaults(DEFAULT_TIMINGS)).toEqual([]);
  });
});

describe("timingFaults", () => {
  test("a source outlives a heartbeat, a ping and the grace by at least a millisecond", () => {
    expect(faultyPaths({ presence_ttl_ms: 70_001 })).toEqual([]);
    expect(faultyPaths({ presence_ttl_ms: 70_000 })).toEqual(["presence_ttl_ms"]);
    expect(faultyPaths({ presence_ttl_ms: 69_999 })).toEqual(["presence_ttl_ms"]);
  });

  test("heartbeat, ping and grace all count towards what a source has to outlive", () => {
    expect(faultyPaths({ heartbeat_ms: 79_999 })).toEqual([]);
    expect(faultyPaths({ heartbeat_ms: 80_000 })).toEqual(["presence_ttl_ms"]);
    expect(faultyPaths({ ping_ms: 80_000 })).toEqual(["presence_ttl_ms"]);
    expect(faultyPaths({ disconnect_grace_ms: 60_000 })).toEqual(["presence_ttl_ms"]);
  });

  test("a typist publishes again before the signal ends", () => {
    expect(faultyPaths({ typing_refresh_ms: 3_999 })).toEqual([]);
    expect(faultyPaths({ typing_refresh_ms: 4_000 })).toEqual(["typing_refresh_ms"]);
    expect(faultyPaths({ typing_refresh_ms: 4_001 })).toEqual(["typing_refresh_ms"]);
  });

  test("a receiver drops a signal only after it could have been told again", () => {
    expect(faultyPaths({ typing_retell_ms: 6_999 })).toEqual([]);
    expect(faultyPaths({ typing_retell_ms: 7_000 })).toEqual(["typing_drop_ms"]);
  });

  test("a receiver drops a signal only after it would have ended", () => {
    expect(faultyPaths({ typing_drop_ms: 4_001 })).toEqual([]);
    expect(faultyPaths({ typing_drop_ms: 4_000 })).toEqual(["typing_drop_ms"]);
  });

  test("all contradictions are named at once, each with the numbers that clash", () => {
    const faults = timingFaults({
      ...DEFAULT_TIMINGS,
      presence_ttl_ms: 1,
      typing_refresh_ms: 5_000,
      typing_drop_ms: 2,
    });
    expect(faults.map(({ path }) => path)).toEqual([
      "presence_ttl_ms",
      "typing_refresh_ms",
      "typing_drop_ms",
    ]);
    expect(faults[0]?.message).toContain("(30000 + 30000 + 10000): received 1");
    expect(faults[1]?.message).toContain("(4000): received 5000");
    expect(faults[2]?.message).toContain("(4000): received 2");
  });
});
