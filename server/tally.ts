/** Names that one tally tells apart; what comes later is counted as `other`. */
const MAX_NAMES = 200;
const OTHER = "other";

/**
 * Counts by name, for hot paths: to count is to add one to a number. Names
 * must be the server's own words, never a caller's.
 */
export class Tally {
  readonly #counts = new Map<string, { count: number }>();

  add(name: string): void {
    const known = this.#counts.get(name);
    if (known === undefined) this.#begin(name);
    else known.count += 1;
  }

  *[Symbol.iterator](): Generator<[name: string, count: number]> {
    for (const [name, { count }] of this.#counts) yield [name, count];
  }

  #begin(name: string): void {
    if (this.#counts.size < MAX_NAMES || name === OTHER) this.#counts.set(name, { count: 1 });
    else this.add(OTHER);
  }
}
