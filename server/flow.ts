const WINDOW_MS = 5_000;
const MALFORMED_MAX = 20;
const BYTES_OF_A_FRAME = 16_384;

/** As how many a frame counts: once more for each 16 KiB, the largest subscription as 65. */
export function framesIn(bytes: number): number {
  return 1 + Math.floor(bytes / BYTES_OF_A_FRAME);
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
