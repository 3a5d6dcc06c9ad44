import { DEFAULT_TIMINGS } from "../timings.ts";
import { Alarm, type Clock } from "./clock.ts";

/** Without input for this long, the typist has paused. */
const PAUSE_MS = 3_000;

/**
 * Tells that the user types in one text field: at the first input, again every
 * `refresh_after_ms` in which there was input, and no more after a pause of
 * 3 s, when the field loses the focus, and when the text was sent.
 */
export class TypingField {
  readonly #clock: Clock;
  readonly #alarm: Alarm;
  readonly #publish: (typing: boolean) => boolean;
  readonly #refreshAfterMs: () => number;
  /** When it was last told that the user types; absent while it is told otherwise. */
  #toldAt: number | undefined;
  #inputAt = 0;

  constructor(options: {
    readonly clock: Clock;
    /** Publishes; answers whether it could. What could not be is told with the next input. */
    readonly publish: (typing: boolean) => boolean;
    /** The server's `typing_refresh_ms`. */
    readonly refreshAfterMs?: () => number;
  }) {
    const { clock, refreshAfterMs = () => DEFAULT_TIMINGS.typing_refresh_ms } = options;
    this.#clock = clock;
    this.#publish = options.publish;
    this.#refreshAfterMs = refreshAfterMs;
    this.#alarm = new Alarm(
      clock,
      () => clock.monotonic(),
      () => this.#look(),
    );
  }

  /** The text has changed by the user's hand. An empty text is nothing that anyone types: call {@link stop}. */
  input(): void {
    this.#inputAt = this.#clock.monotonic();
    if (this.#toldAt === undefined) this.#tell();
    else this.#look();
  }

  /** The field has lost the focus, was emptied, or its text was sent. Safe to call at any time. */
  stop(): void {
    if (this.#toldAt !== undefined) this.#publish(false);
    this.#toldAt = undefined;
    this.#alarm.stop();
  }

  #tell(): void {
    this.#toldAt = this.#publish(true) ? this.#clock.monotonic() : undefined;
    this.#schedule();
  }

  #look(): void {
    if (this.#toldAt === undefined) return;
    const now = this.#clock.monotonic();
    const isDue = now >= this.#toldAt + this.#refreshAfterMs();
    if (now >= this.#inputAt + PAUSE_MS) this.stop();
    else if (isDue && this.#inputAt > this.#toldAt) this.#tell();
    else this.#schedule();
  }

  #schedule(): void {
    if (this.#toldAt === undefined) return;
    const pausedAt = this.#inputAt + PAUSE_MS;
    const refreshAt = this.#toldAt + this.#refreshAfterMs();
    this.#alarm.by(this.#inputAt > this.#toldAt ? Math.min(pausedAt, refreshAt) : pausedAt);
  }
}
