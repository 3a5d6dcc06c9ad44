import type { Statement } from "../presence.ts";
import type { Activity } from "../presence-register.ts";
import { DEFAULT_TIMINGS } from "../timings.ts";
import { Alarm, type Clock } from "./clock.ts";

/** Operating systems say idle times in whole seconds: input can seem up to this much later than it was. */
const ROUNDING_MS = 1_000;

/**
 * How long the user has been idle at this device.
 *
 * It is told of input by {@link active}, and counts by instants: a timer that
 * is late, as in a throttled tab, or after sleep, makes no age wrong.
 */
export class ActivityTracker {
  readonly #clock: Clock;
  readonly #alarm: Alarm;
  readonly #onChange: () => void;
  #activeAt: number;
  /** Input that was before this does not mean that the user is back. */
  #awayUntil = Number.NEGATIVE_INFINITY;
  #idleAfterMs = DEFAULT_TIMINGS.idle_after_ms;
  #told: Statement = "online";

  /**
   * Begins as if the user were active now. The timer starts with the first input.
   * @param options.onChange called whenever {@link state} has become another.
   */
  constructor(options: { readonly clock: Clock; readonly onChange: () => void }) {
    const { clock } = options;
    this.#clock = clock;
    this.#onChange = options.onChange;
    this.#activeAt = clock.elapsed();
    this.#alarm = new Alarm(
      clock,
      () => clock.elapsed(),
      () => this.#tell(),
    );
  }

  /** Idle after `idle_after_ms` without input, or when the user went away; else online. */
  get state(): Statement {
    const isAway = this.#activeAt < this.#awayUntil;
    return isAway || this.idleForMs >= this.#idleAfterMs ? "idle" : "online";
  }

  /** Milliseconds since the last input. */
  get idleForMs(): number {
    return Math.max(0, Math.floor(this.#clock.elapsed() - this.#activeAt));
  }

  /** What the device says about its user. */
  get statement(): Activity {
    return { state: this.state, idle_for_ms: this.idleForMs };
  }

  /** The user did something, now or `idleForMs` ago: what an operating system says of its idle time can be handed in as it is. */
  active(idleForMs: number = 0): void {
    this.#activeAt = Math.max(this.#activeAt, this.#clock.elapsed() - idleForMs);
    this.#tell();
  }

  /** The user is known to be away, as when the screen was locked: idle at once, until input that is at least a second newer. */
  away(): void {
    this.#awayUntil = this.#clock.elapsed() + ROUNDING_MS;
    this.#tell();
  }

  /** Takes over how long without input is idle, in milliseconds. The server says it in `hello`. */
  idleAfter(ms: number): void {
    this.#idleAfterMs = ms;
    this.#tell();
  }

  /** Stops the timer. Safe to call twice; input starts it again. */
  close(): void {
    this.#alarm.stop();
  }

  #tell(): void {
    const { state } = this;
    if (state === "online") this.#alarm.by(this.#activeAt + this.#idleAfterMs);
    if (state === this.#told) return;
    this.#told = state;
    this.#onChange();
  }
}
