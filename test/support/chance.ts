/** The seed of a test that takes chances: PORCHLIGHT_TEST_SEED where it is set. Belongs into every failure. */
export function seedOf(): number {
  return Number(process.env.PORCHLIGHT_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
}

/** Numbers from 0 up to 1 that are always the same for one seed. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  next(): number {
    // Mulberry32: small, and good enough to choose a moment.
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 up to `below`. */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  /** The same things in another order. */
  shuffled<T>(items: readonly T[]): T[] {
    const order = items.map((item) => ({ item, at: this.next() }));
    return order.sort((a, b) => a.at - b.at).map(({ item }) => item);
  }
}
