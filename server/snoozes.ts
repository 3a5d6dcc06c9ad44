import { Alarm, type Clock } from "@porchlight/core/clock";
import { errorFields, type Log } from "./log.ts";
import type { Store } from "./store/store.ts";

/** When a store that was out of reach is asked again. */
const RETRY_MS = 1_000;

/**
 * Fires snoozes when the clock on the wall says so: one alarm for the
 * earliest of the server. What fires, and that it fires once, is the store's
 * to say; here is only known when to ask next. A clock that is set forward is
 * noticed within 10 s.
 */
export class Snoozes {
  readonly #clock: Clock;
  readonly #store: Store;
  readonly #log: Log;
  readonly #alarm: Alarm;
  readonly #tell: (until: number) => void;
  /** No snooze is due before it. */
  #nextAt = Number.POSITIVE_INFINITY;
  #stopped = false;

  /** @param tell tells other nodes of a snooze that was set on this one. */
  constructor({
    clock,
    store,
    log,
    tell,
  }: {
    clock: Clock;
    store: Store;
    log: Log;
    tell: (until: number) => void;
  }) {
    this.#tell = tell;
    this.#clock = clock;
    this.#store = store;
    this.#log = log;
    this.#alarm = new Alarm(
      clock,
      () => clock.wall(),
      () => this.#ring(),
    );
  }

  /** Fires what fell due while no server ran, and sets the alarm. */
  start(): Promise<void> {
    return this.#fire();
  }

  /** Takes note of a snooze that was set here. @param until Unix milliseconds. */
  set(until: number): void {
    this.expect(until);
    this.#tell(until);
  }

  /** Takes note of a snooze that was set, wherever. @param until Unix milliseconds. */
  expect(until: number): void {
    if (this.#stopped) return;
    this.#nextAt = Math.min(this.#nextAt, until);
    this.#alarm.by(this.#nextAt);
  }

  /** Fires nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#alarm.stop();
  }

  /** The alarm may ring early, and then nobody need be asked. */
  #ring(): void {
    if (this.#clock.wall() < this.#nextAt) this.#alarm.by(this.#nextAt);
    else void this.#fire();
  }

  async #fire(): Promise<void> {
    // What is expected from here on may have come too late for the question: it is asked for again.
    this.#nextAt = Number.POSITIVE_INFINITY;
    try {
      this.expect((await this.#store.fireSnoozes(this.#clock.wall())) ?? Number.POSITIVE_INFINITY);
    } catch (error) {
      this.#log("error", "snoozes.failed", errorFields(error));
      this.expect(this.#clock.wall() + RETRY_MS);
    }
  }
}
