/** How many maps one is split into, a prime: of a million entries each has some 15,000. */
const PARTS = 67;

/**
 * A map by texts that never stops for long. A `Map` that grows, or whose
 * entries come and go, now and then lays all of them out anew, which takes
 * 100 ms and more where there are a million; here each part does so by itself.
 */
export class SplitMap<T> {
  readonly #parts = Array.from({ length: PARTS }, () => new Map<string, T>());

  get size(): number {
    let size = 0;
    for (const part of this.#parts) size += part.size;
    return size;
  }

  get(key: string): T | undefined {
    return this.#partOf(key).get(key);
  }

  set(key: string, value: T): void {
    this.#partOf(key).set(key, value);
  }

  delete(key: string): void {
    this.#partOf(key).delete(key);
  }

  /** All values, in no particular order. */
  *values(): Generator<T> {
    for (const part of this.#parts) yield* part.values();
  }

  /** All of a key has a say, as ids may be alike at either end. */
  #partOf(key: string): Map<string, T> {
    let hash = 0;
    for (let index = 0; index < key.length; index += 1)
      hash = Math.imul(hash, 31) + key.charCodeAt(index);
    // There is a part for each remainder.
    return this.#parts[(hash >>> 1) % PARTS] as Map<string, T>;
  }
}
