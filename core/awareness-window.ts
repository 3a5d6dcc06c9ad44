const SECOND_MS = 1_000;

/**
 * For how long what is to be told is collected after the last telling, in rooms of at least so many sockets where at
 * least so many entries are told in a second; the first that fits, else not at all. Each telling is a frame for
 * everybody, and frames are what costs: 8 ms are worth their delay where something comes in each of them, as it does
 * 125 times a second. Where 500 listen, also a few entries are many frames.
 */
const WINDOWS: readonly {
  readonly sockets: number;
  readonly entries: number;
  readonly ms: number;
}[] = [
  { sockets: 500, entries: 0, ms: 50 },
  { sockets: 0, entries: 125, ms: 8 },
];

/**
 * When a room may next tell something.
 *
 * Sets no timer and reads no clock: every `now` is milliseconds on one clock
 * that never goes back.
 */
export class AwarenessWindow {
  #toldAt = Number.NEGATIVE_INFINITY;
  /** Entries told since a moment, and in the second before that. */
  #since = Number.NEGATIVE_INFINITY;
  #entries = 0;
  #entriesBefore = 0;

  /** The room tells what there is to tell. @param entries how many others are told, be it none. */
  told(entries: number, now: number): void {
    if (now >= this.#since + SECOND_MS) {
      this.#entriesBefore = now < this.#since + 2 * SECOND_MS ? this.#entries : 0;
      this.#entries = 0;
      this.#since = now;
    }
    this.#entries += entries;
    this.#toldAt = now;
  }

  /** When more may be told to so many sockets. */
  overAt(sockets: number): number {
    const entries = Math.max(this.#entries, this.#entriesBefore);
    const window = WINDOWS.find((each) => sockets >= each.sockets && entries >= each.entries);
    return this.#toldAt + (window?.ms ?? 0);
  }
}
