import { afterEach, describe, expect, setSystemTime, test } from "bun:test";
import { Alarm, systemClock } from "@porchlight/core/clock";
import { TestClock } from "../../support/clock.ts";

const HOUR_MS = 3_600_000;

describe("systemClock()", () => {
  afterEach(() => void setSystemTime());

  test("tells the wall-clock time of the machine", () => {
    const clock = systemClock();
    const before = Date.now();
    const wall = clock.wall();
    expect(wall).toBeGreaterThanOrEqual(before);
    expect(wall).toBeLessThanOrEqual(Date.now());
  });

  test("counts elapsed time in Unix milliseconds", () => {
    const clock = systemClock();
    expect(Math.abs(clock.elapsed() - Date.now())).toBeLessThan(1_000);
  });

  test("goes back on neither of the clocks that are to be measured with", () => {
    const clock = systemClock();
    const monotonic = Array.from({ length: 1_000 }, () => clock.monotonic());
    const elapsed = Array.from({ length: 1_000 }, () => clock.elapsed());
    expect(monotonic).toEqual(monotonic.toSorted((one, other) => one - other));
    expect(elapsed).toEqual(elapsed.toSorted((one, other) => one - other));
  });

  test("takes a wall clock that leaps ahead for sleep, and does not go back with it", () => {
    const clock = systemClock();
    const start = Date.now();
    const monotonic = clock.monotonic();
    setSystemTime(start + HOUR_MS);
    expect(clock.wall()).toBe(start + HOUR_MS);
    expect(clock.elapsed()).toBeGreaterThanOrEqual(start + HOUR_MS);
    setSystemTime(start - HOUR_MS);
    expect(clock.wall()).toBe(start - HOUR_MS);
    expect(clock.elapsed()).toBeGreaterThanOrEqual(start + HOUR_MS);
    expect(clock.monotonic() - monotonic).toBeLessThan(HOUR_MS);
  });

  test("rings timers, but for those that were called off", async () => {
    const clock = systemClock();
    const rung: string[] = [];
    const cancel = clock.timer(0, () => rung.push("called off"));
    const rings = new Promise<void>((resolve) => clock.timer(1, resolve));
    cancel();
    await rings;
    expect(rung).toEqual([]);
  });
});

describe("Alarm", () => {
  /** An alarm that notes when it rings, in milliseconds from now. */
  function alarm(): { alarm: Alarm; clock: TestClock; rung: number[]; start: number } {
    const clock = new TestClock();
    const rung: number[] = [];
    const start = clock.monotonic();
    const now = (): number => clock.monotonic();
    return { alarm: new Alarm(clock, now, () => rung.push(now() - start)), clock, rung, start };
  }

  test("rings once, exactly at the deadline", async () => {
    const { alarm: set, clock, rung, start } = alarm();
    set.by(start + 5_000);
    await clock.advance(4_999);
    expect(rung).toEqual([]);
    await clock.advance(1);
    expect(rung).toEqual([5_000]);
    await clock.advance(60_000);
    expect(rung).toEqual([5_000]);
  });

  test("rings at the earliest of all deadlines, with one timer", async () => {
    const { alarm: set, clock, rung, start } = alarm();
    for (const inMs of [5_000, 2_000, 7_000, 2_000]) set.by(start + inMs);
    expect(clock.timers).toBe(1);
    await clock.advance(60_000);
    expect(rung).toEqual([2_000]);
  });

  test("rings after 10 s for what is further off, so that sleep is noticed", async () => {
    const { alarm: set, clock, rung, start } = alarm();
    set.by(start + 10_001);
    await clock.advance(9_999);
    expect(rung).toEqual([]);
    await clock.advance(1);
    expect(rung).toEqual([10_000]);
  });

  test("rings at once for what is past", async () => {
    const { alarm: set, clock, rung, start } = alarm();
    set.by(start - 1);
    await clock.advance(0);
    expect(rung).toEqual([0]);
  });

  test("does not ring before a deadline within a millisecond", async () => {
    const { alarm: set, clock, rung, start } = alarm();
    set.by(start + 0.25);
    await clock.advance(0);
    expect(rung).toEqual([]);
    await clock.advance(1);
    expect(rung).toEqual([1]);
  });

  test("can be set again while it rings, and once it has rung", async () => {
    const clock = new TestClock();
    let rings = 0;
    const set = new Alarm(
      clock,
      () => clock.monotonic(),
      () => {
        rings += 1;
        if (rings < 3) set.by(clock.monotonic() + 1_000);
      },
    );
    set.by(clock.monotonic() + 1_000);
    await clock.advance(60_000);
    expect(rings).toBe(3);
    set.by(clock.monotonic() + 9_000);
    await clock.advance(9_000);
    expect(rings).toBe(4);
  });

  test("is not set by no deadline", () => {
    const { alarm: set, clock } = alarm();
    set.by(undefined);
    expect(clock.timers).toBe(0);
  });

  test("stop() calls off what was asked for, and what is asked for then is later too", async () => {
    const { alarm: set, clock, rung, start } = alarm();
    set.stop();
    set.by(start + 1_000);
    set.stop();
    set.stop();
    expect(clock.timers).toBe(0);
    set.by(start + 2_000);
    await clock.advance(60_000);
    expect(rung).toEqual([2_000]);
  });
});
