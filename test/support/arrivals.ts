/** Things that arrive one by one, to be awaited without looking again and again. */
export class Arrivals<T> {
  readonly items: T[] = [];
  readonly #waiting = new Set<() => void>();
  #ended = false;

  add(item: T): void {
    this.items.push(item);
    this.#wake();
  }

  /** Nothing more will arrive. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** What `find` finds among the items, as soon as it finds something; `undefined` once nothing more can arrive. */
  async until<R>(find: (items: T[]) => R | undefined): Promise<R | undefined> {
    for (;;) {
      const found = find(this.items);
      if (found !== undefined || this.#ended) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}
