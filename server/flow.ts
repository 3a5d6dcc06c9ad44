const WINDOW_MS = 5_000;
const MALFORMED_MAX = 20;
const BYTES_OF_A_FRAME = 16_384;

/** Of awareness that repeats nothing, so many messages count as a frame, and so many entries, however small they are. */
const MESSAGES_OF_A_FRAME = 16;
const ENTRIES_OF_A_FRAME = 64;

/** As how many a frame counts: once more for each 16 KiB, the largest subscription as 65. */
export function framesIn(bytes: number): number {
  return 1 + Math.floor(bytes / BYTES_OF_A_FRAME);
}

/** As how many frames awareness counts. Who says too much of itself is not closed but heard less, so that is little. */
export function framesInAwareness({ bytes, entries }: AwarenessSize): number {
  return Math.max(framesIn(bytes) - 1, entries / ENTRIES_OF_A_FRAME, 1 / MESSAGES_OF_A_FRAME);
}

/** How large a message of awareness is. */
export interface AwarenessSize {
  readonly bytes: number;
  readonly entries: number;
}

/** What may be taken of what was given, in the window of time in which it was given and the next. */
export class Allowance {
  readonly #windowMs: number;
  #since = Number.NEGATIVE_INFINITY;
  #left = 0;
  /** What is left of the window before. */
  #leftBefore = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  give(amount: number, now: number): void {
    this.#pass(now);
    this.#left += amount;
  }

  /** Takes so much, or nothing if there is less. Answers whether it did. */
  take(amount: number, now: number): boolean {
    this.#pass(now);
    if (amount > this.#leftBefore + this.#left) return false;
    const ofBefore = Math.min(amount, this.#leftBefore);
    this.#leftBefore -= ofBefore;
    this.#left -= amount - ofBefore;
    return true;
  }

  #pass(now: number): void {
    if (now < this.#since + this.#windowMs) return;
    this.#leftBefore = now < this.#since + 2 * this.#windowMs ? this.#left : 0;
    this.#left = 0;
    this.#since = now;
  }
}

/** How much there was of something of late: it is counted anew in each window of time. */
export class Count {
  readonly #windowMs: number;
  #since = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** When what is counted now will count no more. */
  get until(): number {
    return this.#since + this.#windowMs;
  }

  /** Counts, or only looks with 0, and answers how much it is by now. */
  add(count: number, now: number): number {
    if (now >= this.until) {
      this.#since = now;
      this.#count = 0;
    }
    this.#count += count;
    return this.#count;
  }
}

/** How many frames came of late, and how many of them all were none. */
export class Flow {
  readonly #frames = new Count(WINDOW_MS);
  #malformed = 0;

  /** Counts a frame, as one or as several. More than `frame_rate` a second over 5 s is too much, and so are 20 malformed ones. */
  isTooMuch(now: number, frame: { frame_rate: number; refused: boolean; frames: number }): boolean {
    const frames = this.#frames.add(frame.frames, now);
    if (frame.refused) this.#malformed += 1;
    const most = (frame.frame_rate * WINDOW_MS) / 1_000;
    return frames > most || this.#malformed >= MALFORMED_MAX;
  }
}
