import { describe, expect, test } from "bun:test";
import { ActivityTracker } from "@porchlight/core/client";
import { TestClock } from "../../support/clock.ts";

const IDLE_AFTER_MS = 300_000;

/** A tracker, and the states of which it has told, each with the milliseconds that had passed. */
function tracked(clock = new TestClock()): {
  tracker: ActivityTracker;
  clock: TestClock;
  told: string[];
} {
  const told: string[] = [];
  const start = clock.elapsed();
  const tracker: ActivityTracker = new ActivityTracker({
    clock,
    onChange: () => told.push(`${tracker.state} after ${clock.elapsed() - start}`),
  });
  tracker.active();
  return { tracker, clock, told };
}

describe("ActivityTracker", () => {
  test("begins as if the user were active now, tells nothing of it, and sets no timer before it is used", () => {
    const clock = new TestClock();
    const tracker = new ActivityTracker({ clock, onChange: () => {} });
    expect(tracker.statement).toEqual({ state: "online", idle_for_ms: 0 });
    expect(clock.timers).toBe(0);
    const { told } = tracked();
    expect(told).toEqual([]);
  });

  test("is idle exactly when idle_after_ms have passed without input, and tells it once", async () => {
    const { tracker, clock, told } = tracked();
    await clock.advance(IDLE_AFTER_MS - 1);
    expect(tracker.statement).toEqual({ state: "online", idle_for_ms: IDLE_AFTER_MS - 1 });
    expect(told).toEqual([]);
    await clock.advance(1);
    expect(tracker.statement).toEqual({ state: "idle", idle_for_ms: IDLE_AFTER_MS });
    await clock.advance(IDLE_AFTER_MS);
    expect(told).toEqual(["idle after 300000"]);
  });

  test("counts from the last input", async () => {
    const { tracker, clock, told } = tracked();
    await clock.advance(200_000);
    tracker.active();
    await clock.advance(IDLE_AFTER_MS - 1);
    expect(tracker.state).toBe("online");
    await clock.advance(1);
    expect(told).toEqual(["idle after 500000"]);
  });

  test("is online with the first input after that, and tells it once", async () => {
    const { tracker, clock, told } = tracked();
    await clock.advance(400_000);
    tracker.active();
    await clock.advance(1);
    tracker.active();
    expect(told).toEqual(["idle after 300000", "online after 400000"]);
    await clock.advance(IDLE_AFTER_MS);
    expect(told).toHaveLength(3);
  });

  test("has one timer while the user is online, however much they do, and none while idle", async () => {
    const { tracker, clock } = tracked();
    for (let inputs = 0; inputs < 100; inputs += 1) {
      await clock.advance(10);
      tracker.active();
    }
    expect(clock.timers).toBe(1);
    await clock.advance(IDLE_AFTER_MS);
    expect(clock.timers).toBe(0);
  });

  test("counts whole milliseconds on a clock that has parts of them", async () => {
    const { tracker, clock } = tracked();
    await clock.advance(1_234.75);
    expect(tracker.idleForMs).toBe(1_234);
  });
});

describe("ActivityTracker active()", () => {
  test("takes what an operating system says of its idle time, again and again", async () => {
    const { tracker, clock, told } = tracked();
    // The user does something after 100 s, and the system is asked every 30 s.
    for (let passed = 30_000; passed <= 420_000; passed += 30_000) {
      await clock.advance(30_000);
      tracker.active(passed < 100_000 ? passed : passed - 100_000);
    }
    expect(told).toEqual(["idle after 400000"]);
    expect(tracker.idleForMs).toBe(320_000);
  });

  test("is not set back by input that is older than what it knows", async () => {
    const { tracker, clock } = tracked();
    await clock.advance(10_000);
    tracker.active();
    tracker.active(5_000);
    expect(tracker.idleForMs).toBe(0);
  });

  test("leaves idle whoever did nothing for longer than idle_after_ms", async () => {
    const { tracker, clock, told } = tracked();
    await clock.advance(900_000);
    tracker.active(400_000);
    expect(tracker.statement).toEqual({ state: "idle", idle_for_ms: 400_000 });
    expect(told).toEqual(["idle after 300000"]);
  });
});

describe("ActivityTracker away()", () => {
  test("is idle at once, with the true age, until there is input a second later or more", async () => {
    const { tracker, clock, told } = tracked();
    await clock.advance(20_000);
    tracker.away();
    tracker.away();
    expect(tracker.statement).toEqual({ state: "idle", idle_for_ms: 20_000 });
    await clock.advance(999);
    tracker.active();
    expect(tracker.statement).toEqual({ state: "idle", idle_for_ms: 0 });
    await clock.advance(1);
    tracker.active();
    expect(told).toEqual(["idle after 20000", "online after 21000"]);
  });

  test("is not ended by the input that locked the screen, though it is heard of later", async () => {
    const { tracker, clock, told } = tracked();
    await clock.advance(20_000);
    tracker.away();
    await clock.advance(3_400);
    // Systems say whole seconds: the age of input 3.4 s ago is 3.
    tracker.active(3_000);
    expect(tracker.state).toBe("idle");
    await clock.advance(1_000);
    tracker.active(0);
    expect(told).toEqual(["idle after 20000", "online after 24400"]);
  });
});

describe("ActivityTracker idleAfter()", () => {
  test("takes over what the server says, shorter or longer", async () => {
    const { tracker, clock, told } = tracked();
    tracker.idleAfter(60_000);
    await clock.advance(60_000);
    expect(told).toEqual(["idle after 60000"]);
    tracker.idleAfter(90_000);
    expect(told).toEqual(["idle after 60000", "online after 60000"]);
    await clock.advance(29_999);
    expect(tracker.state).toBe("online");
    await clock.advance(1);
    expect(told).toHaveLength(3);
    expect(tracker.state).toBe("idle");
  });

  test("tells at once when less is already too long", async () => {
    const { tracker, clock, told } = tracked();
    await clock.advance(60_000);
    tracker.idleAfter(50_000);
    expect(told).toEqual(["idle after 60000"]);
  });
});

describe("ActivityTracker where time passes unevenly", () => {
  test("knows the true age though timers ring late", () => {
    const { tracker, clock, told } = tracked();
    // Time passes, and no timer rings.
    clock.sleep(IDLE_AFTER_MS + 60_000);
    expect(tracker.statement).toEqual({ state: "idle", idle_for_ms: IDLE_AFTER_MS + 60_000 });
    expect(told).toEqual([]);
  });

  test("tells within 10 s of waking that the user has been idle", async () => {
    const { clock, told } = tracked();
    await clock.advance(5_000);
    clock.sleep(3_600_000);
    await clock.advance(10_000);
    expect(told).toHaveLength(1);
    expect(told[0]).toStartWith("idle after 36");
  });

  test("tells nothing when the user is back before it could tell that they were idle", async () => {
    const { tracker, clock, told } = tracked();
    clock.sleep(3_600_000);
    tracker.active();
    await clock.advance(10_000);
    expect(told).toEqual([]);
    expect(tracker.state).toBe("online");
  });

  test("grows no younger when the wall clock is set back", async () => {
    const { tracker, clock } = tracked();
    await clock.advance(10_000);
    clock.step(-3_600_000);
    expect(tracker.idleForMs).toBe(10_000);
  });
});

describe("ActivityTracker close()", () => {
  test("stops the timer, twice without harm", async () => {
    const { tracker, clock, told } = tracked();
    tracker.close();
    tracker.close();
    expect(clock.timers).toBe(0);
    await clock.advance(IDLE_AFTER_MS);
    expect(told).toEqual([]);
  });

  test("lasts until the next input", async () => {
    const { tracker, clock, told } = tracked();
    tracker.close();
    tracker.active();
    await clock.advance(IDLE_AFTER_MS);
    expect(told).toEqual(["idle after 300000"]);
  });
});
