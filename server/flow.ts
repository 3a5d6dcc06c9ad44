const WINDOW_MS = 5_000;
const MALFORMED_MAX = 20;
/** A frame counts once more for each of these many bytes: the largest subscription as 41 */
const BYTES_OF_A_FRAME = 16_384;

/** How many frames came of late, and how many of them all were none. */
export class Flow {
  #since = Number.NEGATIVE_INFINITY;
  #frames = 0;
  #malformed = 0;

  /** Counts a frame, a large one as several. More than `frame_rate` a second over 5 s is too much, and so are 20 malformed ones. */
  isTooMuch(now: number, frame: { frame_rate: number; refused: boolean; bytes: number }): boolean {
    if (now >= this.#since + WINDOW_MS) {
      this.#since = now;
      this.#frames = 0;
    }
    this.#frames += 1 + Math.floor(frame.bytes / BYTES_OF_A_FRAME);
    if (frame.refused) this.#malformed += 1;
    const most = (frame.frame_rate * WINDOW_MS) / 1_000;
    return this.#frames > most || this.#malformed >= MALFORMED_MAX;
  }
}
