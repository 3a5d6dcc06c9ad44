/** Lets those who have much to do go on a few at a time, and everyone else in between: so many in each turn of the event loop. */
export class Turns {
  readonly #perTurn: number;
  #waiting: (() => void)[] = [];

  constructor(perTurn = 1) {
    this.#perTurn = perTurn;
  }

  /** Resolves when it is the caller's turn. */
  next(): Promise<void> {
    if (this.#waiting.length === 0) setImmediate(() => this.#letOn());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #letOn(): void {
    const these = this.#waiting.splice(0, this.#perTurn);
    if (this.#waiting.length > 0) setImmediate(() => this.#letOn());
    for (const goOn of these) goOn();
  }
}
