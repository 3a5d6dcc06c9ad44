import { describe, expect, test } from "bun:test";
import type { ShellEvent } from "../../desktop/bridge.ts";
import { Activity } from "../../desktop/main/activity.ts";
import { TestClock } from "../support/clock.ts";
import { PowerMonitor } from "../support/electron/system.ts";

/** The system is asked so often. */
const LOOK_MS = 5_000;
/** So many equal answers, and it is believed no more. */
const READINGS = 24;

/** Somebody at a machine, as the system and the windows know of them. */
class User {
  readonly clock = new TestClock();
  readonly power = new PowerMonitor();
  readonly activity: Activity;
  #told: ShellEvent[] = [];

  constructor(idleTime = 0) {
    this.power.idleTime = idleTime;
    this.activity = new Activity({
      power: this.power,
      clock: this.clock,
      tell: (event) => this.#told.push(event),
    });
  }

  /** The system is asked once more, and says so. */
  async looked(idleTime: number): Promise<ShellEvent[]> {
    this.power.idleTime = idleTime;
    await this.clock.advance(LOOK_MS);
    return this.told();
  }

  /** What was told since the last time. */
  told(): ShellEvent[] {
    return this.#told.splice(0);
  }
}

function active(idle_for_ms: number): ShellEvent {
  return { type: "active", idle_for_ms };
}

describe("an idle time that moves", () => {
  test("tells when the user was active since it was asked last", async () => {
    const user = new User(60);
    expect(await user.looked(2)).toEqual([active(2_000)]);
    expect(await user.looked(0)).toEqual([active(0)]);
  });

  test("tells nothing as long as the user does nothing", async () => {
    const user = new User(3);
    expect(await user.looked(8)).toEqual([active(8_000)]);
    expect(await user.looked(13)).toEqual([]);
    // It is counted in whole seconds, and may lose one.
    expect(await user.looked(17)).toEqual([]);
    expect(await user.looked(22)).toEqual([]);
    expect(await user.looked(4)).toEqual([active(4_000)]);
  });

  test("tells of nobody who was active before the machine slept", async () => {
    const user = new User(0);
    expect(await user.looked(3)).toEqual([active(3_000)]);
    user.clock.sleep(3_600_000);
    user.power.idleTime = 5;
    user.power.emit("resume");
    expect(user.told()).toEqual([{ type: "resume" }]);
    expect(await user.looked(10)).toEqual([]);
    expect(await user.looked(1)).toEqual([active(1_000)]);
  });
});

describe("an idle time that never moves", () => {
  test.each([0, 86_400, -1])("says nothing, and input in a window does: %d s", async (idleTime) => {
    const user = new User(idleTime);
    for (let look = 0; look < 3 * READINGS; look += 1)
      expect(await user.looked(idleTime)).toEqual([]);
    user.activity.input();
    expect(user.told()).toEqual([active(0)]);
    expect(await user.looked(idleTime)).toEqual([]);
  });

  test("is believed no more when it stops, and again as soon as it moves", async () => {
    const user = new User(1);
    for (let look = 1; look < READINGS; look += 1) await user.looked(0);
    user.told();
    expect(await user.looked(0)).toEqual([]);
    expect(await user.looked(0)).toEqual([]);
    expect(await user.looked(2)).toEqual([active(2_000)]);
  });
});

describe("input in a window", () => {
  test("is told at once, and once in a second", async () => {
    const user = new User();
    user.activity.input();
    await user.clock.advance(1_000);
    user.activity.input();
    expect(user.told()).toEqual([active(0)]);
    await user.clock.advance(1);
    user.activity.input();
    expect(user.told()).toEqual([active(0)]);
  });

  test("is not told once more by the idle time", async () => {
    const user = new User(60);
    user.activity.input();
    expect(user.told()).toEqual([active(0)]);
    expect(await user.looked(5)).toEqual([]);
  });
});

describe("a locked screen", () => {
  test("is told once, whoever says it, and the idle time says nothing until it is unlocked", async () => {
    const user = new User(10);
    user.power.emit("lock-screen");
    user.power.idleState = "locked";
    expect(user.told()).toEqual([{ type: "away" }]);
    expect(await user.looked(0)).toEqual([]);
    user.power.emit("unlock-screen");
    expect(user.told()).toEqual([active(0)]);
  });

  test("is noticed where only the idle state says it", async () => {
    const user = new User(10);
    user.power.idleState = "locked";
    expect(await user.looked(0)).toEqual([{ type: "away" }]);
    expect(await user.looked(0)).toEqual([]);
    user.power.idleState = "active";
    expect(await user.looked(0)).toEqual([active(0)]);
  });
});

describe("the machine", () => {
  test("is told to sleep and to be awake again", () => {
    const user = new User();
    user.power.emit("suspend");
    user.power.emit("resume");
    expect(user.told()).toEqual([{ type: "suspend" }, { type: "resume" }]);
  });

  test("is asked nothing after close()", async () => {
    const user = new User(10);
    user.activity.close();
    expect(await user.looked(0)).toEqual([]);
    expect(user.clock.timers).toBe(0);
  });
});
