/** What the view has asked its cache for and is not answered yet. */
export class Keeping {
  readonly #pending = new Set<Promise<unknown>>();

  /** Counts one call until it is answered. */
  async count<T>(call: Promise<T>): Promise<T> {
    this.#pending.add(call);
    try {
      return await call;
    } finally {
      this.#pending.delete(call);
    }
  }

  /** Resolves when everything is answered, and the view has asked for nothing more upon that. */
  async settled(): Promise<void> {
    await turn();
    while (this.#pending.size > 0) {
      await Promise.allSettled(this.#pending);
      await turn();
    }
  }
}

/** Lets whatever was resolved be heard. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
