/** Names that one tally tells apart; what comes later is counted as `other`. */
const MAX_NAMES = 200;
const OTHER = "other";

/**
 * Counts by name, for hot paths: to count is to add to a number. Names
 * must be the server's own words, never a caller's.
 */
export class Tally {
  readonly #counts = new Map<string, { count: number }>();

  add(name: string, count = 1): void {
    const known = this.#counts.get(name);
    if (known === undefined) this.#begin(name, count);
    else known.count += count;
  }

  *[Symbol.iterator](): Generator<[name: string, count: number]> {
    for (const [name, { count }] of this.#counts) yield [name, count];
  }

  #begin(name: string, count: number): void {
    if (this.#counts.size < MAX_NAMES || name === OTHER) this.#counts.set(name, { count });
    else this.add(OTHER, count);
  }
}
