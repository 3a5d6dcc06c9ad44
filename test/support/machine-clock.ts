import { systemClock } from "@porchlight/core/clock";
import { TestClock, turn } from "./clock.ts";

/** The clock of the machine, for what is looked at in a browser, whose time goes by itself. */
export class MachineClock extends TestClock {
  readonly #clock = systemClock();

  override monotonic(): number {
    return this.#clock.monotonic();
  }

  override elapsed(): number {
    return this.#clock.elapsed();
  }

  override wall(): number {
    return this.#clock.wall();
  }

  override timer(delayMs: number, ring: () => void): () => void {
    return this.#clock.timer(delayMs, ring);
  }

  /** Time cannot be moved. */
  override async advance(): Promise<void> {
    await turn();
  }
}
