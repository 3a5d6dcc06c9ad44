import type { Clock } from "@porchlight/core/clock";
import type { ShellEvent } from "../bridge.ts";

/** How often the system is asked since when there was no input. */
const LOOK_EVERY_MS = 5_000;
/** Two minutes of answers, of which some have to differ for the system to be believed. */
const READINGS = 24;
/** Input is told so often at most; the system, too, counts in seconds. */
const ACTIVE_EVERY_MS = 1_000;
/** What an idle state is asked with; only whether the screen is locked is of interest. */
const IDLE_STATE_S = 60;

/** What is asked of Electron's `powerMonitor`. */
export interface Power {
  /** Seconds since the last input anywhere on the machine. */
  getSystemIdleTime(): number;
  getSystemIdleState(idleThreshold: number): "active" | "idle" | "locked" | "unknown";
  on(event: "lock-screen" | "unlock-screen" | "suspend" | "resume", listener: () => void): unknown;
}

/**
 * Tells what the user does as far as the machine knows it. On some systems the
 * time since the last input never moves: until it is seen to move it says
 * nothing, and only input in the windows counts, as it does everywhere.
 */
export class Activity {
  readonly #power: Power;
  readonly #clock: Clock;
  readonly #tell: (event: ShellEvent) => void;
  readonly #readings: number[] = [];
  #stop: () => void = () => {};
  #toldAt = Number.NEGATIVE_INFINITY;
  #wokeAt = Number.NEGATIVE_INFINITY;
  #isLocked = false;
  #isSeenLocked = false;

  constructor(options: { power: Power; clock: Clock; tell(event: ShellEvent): void }) {
    this.#power = options.power;
    this.#clock = options.clock;
    this.#tell = options.tell;
    this.#power.on("lock-screen", () => this.#lock());
    this.#power.on("unlock-screen", () => this.input());
    this.#power.on("suspend", () => this.#tell({ type: "suspend" }));
    this.#power.on("resume", () => {
      this.#wokeAt = this.#clock.elapsed();
      this.#tell({ type: "resume" });
      this.look();
    });
    this.look();
    this.#wait();
  }

  /** There was input in one of the windows just now. */
  input(): void {
    this.#isLocked = false;
    this.#active(0);
  }

  /** Asks the system whether the user has done anything since. */
  look(): void {
    this.#lookAtLock();
    const idleMs = this.#power.getSystemIdleTime() * 1_000;
    this.#readings.push(idleMs);
    if (this.#readings.length > READINGS) this.#readings.shift();
    const isMoving = new Set(this.#readings).size > 1;
    if (isMoving && !this.#isLocked) this.#active(idleMs);
  }

  close(): void {
    this.#stop();
  }

  #wait(): void {
    this.#stop = this.#clock.timer(LOOK_EVERY_MS, () => {
      this.look();
      this.#wait();
    });
  }

  /** Not every system says when it is locked; where the state never is `locked`, nothing follows from it. */
  #lookAtLock(): void {
    const isLocked = this.#power.getSystemIdleState(IDLE_STATE_S) === "locked";
    if (isLocked === this.#isSeenLocked) return;
    this.#isSeenLocked = isLocked;
    if (isLocked) this.#lock();
    else this.#isLocked = false;
  }

  #lock(): void {
    if (!this.#isLocked) this.#tell({ type: "away" });
    this.#isLocked = true;
  }

  /** The user did something so long ago. What was before the machine slept has been told then. */
  #active(idleMs: number): void {
    const activeAt = this.#clock.elapsed() - idleMs;
    if (activeAt < this.#wokeAt || activeAt <= this.#toldAt + ACTIVE_EVERY_MS) return;
    this.#toldAt = activeAt;
    this.#tell({ type: "active", idle_for_ms: idleMs });
  }
}
