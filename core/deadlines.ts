/** Something a {@link DeadlineQueue} can hold. The two fields belong to the queue. */
export interface Due {
  /** When it is due; meaningless while `queuedAt` is negative. */
  dueAt: number;
  /** Its place in the queue, or -1 when it is in none. */
  queuedAt: number;
}

/**
 * Things in order of their deadlines: a binary heap that knows where each of
 * its members stands, so that a deadline can be moved in O(log n).
 *
 * A deadline that only moves *later* need not be moved at all: let it come up,
 * look again, and put it back. That makes renewing a lease free, and it never
 * stops for a rehash as a `Map` used as a queue does.
 */
export class DeadlineQueue<T extends Due> {
  readonly #heap: T[] = [];

  /** The earliest deadline, or `undefined` when nothing waits. */
  nextAt(): number | undefined {
    return this.#heap[0]?.dueAt;
  }

  /** Puts `item` at `dueAt`, wherever it was before. */
  set(item: T, dueAt: number): void {
    const earlier = item.queuedAt < 0 || dueAt < item.dueAt;
    item.dueAt = dueAt;
    if (item.queuedAt < 0) item.queuedAt = this.#heap.push(item) - 1;
    if (earlier) this.#rise(item);
    else this.#sink(item);
  }

  /** Sees to it that `item` comes up at `dueAt` or before: moves it only when it is due later than that. */
  setAtLatest(item: T, dueAt: number): void {
    if (item.queuedAt < 0 || dueAt < item.dueAt) this.set(item, dueAt);
  }

  /** Takes `item` out. Does nothing when it is not in. */
  delete(item: T): void {
    if (item.queuedAt < 0) return;
    const last = this.#heap.pop();
    if (last !== undefined && last !== item) {
      this.#place(last, item.queuedAt);
      this.#rise(last);
      this.#sink(last);
    }
    item.queuedAt = -1;
  }

  /** Takes out the earliest item that is due by `now`, or `undefined`. */
  take(now: number): T | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.dueAt > now) return undefined;
    this.delete(first);
    return first;
  }

  #place(item: T, index: number): void {
    this.#heap[index] = item;
    item.queuedAt = index;
  }

  #rise(item: T): void {
    let index = item.queuedAt;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = this.#heap[above];
      if (parent === undefined || parent.dueAt <= item.dueAt) break;
      this.#place(parent, index);
      index = above;
    }
    this.#place(item, index);
  }

  #sink(item: T): void {
    let index = item.queuedAt;
    for (;;) {
      const left = this.#heap[2 * index + 1];
      const right = this.#heap[2 * index + 2];
      const child =
        right !== undefined && left !== undefined && right.dueAt < left.dueAt ? right : left;
      if (child === undefined || child.dueAt >= item.dueAt) break;
      const below = child.queuedAt;
      this.#place(child, index);
      index = below;
    }
    this.#place(item, index);
  }
}
