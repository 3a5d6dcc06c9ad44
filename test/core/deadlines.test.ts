import { describe, expect, test } from "bun:test";
import { DeadlineQueue, type Due } from "@porchlight/core";
import fc from "fast-check";
import { TRIALS_TIMEOUT_MS, trials } from "../support/runs.ts";

interface Named extends Due {
  readonly name: string;
}

function thing(name: string): Named {
  return { name, dueAt: 0, queuedAt: -1 };
}

/** Takes out everything that is due, in the order in which it comes. */
function takeAll(queue: DeadlineQueue<Named>, now: number): string[] {
  const taken: string[] = [];
  for (let item = queue.take(now); item !== undefined; item = queue.take(now))
    taken.push(item.name);
  return taken;
}

/** A queue and a plain list of what is in it; every operation is done to both, and they are compared. */
class QueueAndList {
  readonly #queue = new DeadlineQueue<Named>();
  readonly #things = Array.from({ length: 12 }, (_, index) => thing(`item ${index}`));
  readonly #list = new Map<Named, number>();

  set(at: number, which: number): void {
    const item = this.#thing(which);
    this.#queue.set(item, at);
    this.#list.set(item, at);
    this.#compare();
  }

  setAtLatest(at: number, which: number): void {
    const item = this.#thing(which);
    this.#queue.setAtLatest(item, at);
    this.#list.set(item, Math.min(this.#list.get(item) ?? at, at));
    this.#compare();
  }

  delete(_at: number, which: number): void {
    const item = this.#thing(which);
    this.#queue.delete(item);
    this.#list.delete(item);
    this.#compare();
  }

  /** Of several that are due at once any may come first. */
  take(now: number): void {
    const earliest = this.#earliest();
    const taken = this.#queue.take(now);
    const takenAt = taken === undefined ? undefined : this.#list.get(taken);
    expect(takenAt).toBe(earliest !== undefined && earliest <= now ? earliest : undefined);
    if (taken !== undefined) expect(this.#list.delete(taken)).toBe(true);
    this.#compare();
  }

  empty(): void {
    while (this.#list.size > 0) this.take(Number.MAX_SAFE_INTEGER);
    this.take(Number.MAX_SAFE_INTEGER);
  }

  #thing(which: number): Named {
    return this.#things[which] ?? thing("none");
  }

  #earliest(): number | undefined {
    return [...this.#list.values()].sort((a, b) => a - b)[0];
  }

  #compare(): void {
    expect(this.#queue.nextAt()).toBe(this.#earliest());
  }
}

describe("DeadlineQueue", () => {
  test("nextAt() is undefined while nothing waits", () => {
    const queue = new DeadlineQueue<Named>();
    const tea = thing("tea");
    expect(queue.nextAt()).toBeUndefined();
    queue.set(tea, 10);
    queue.delete(tea);
    expect(queue.nextAt()).toBeUndefined();
  });

  test("take() hands out an item exactly when it is due", () => {
    const queue = new DeadlineQueue<Named>();
    queue.set(thing("tea"), 10);
    expect(queue.take(9)).toBeUndefined();
    expect(queue.take(10)?.name).toBe("tea");
    expect(queue.take(11)).toBeUndefined();
  });

  test("take() hands out the earliest deadline first, whatever the order of insertion", () => {
    const queue = new DeadlineQueue<Named>();
    for (const at of [5, 3, 9, 1, 7]) queue.set(thing(`at ${at}`), at);
    expect(takeAll(queue, 7)).toEqual(["at 1", "at 3", "at 5", "at 7"]);
    expect(queue.nextAt()).toBe(9);
  });

  test("set() moves an item that waits already, earlier and later", () => {
    const queue = new DeadlineQueue<Named>();
    const [tea, toast] = [thing("tea"), thing("toast")];
    queue.set(tea, 10);
    queue.set(toast, 20);
    queue.set(toast, 5);
    expect(queue.nextAt()).toBe(5);
    queue.set(toast, 30);
    expect(takeAll(queue, 30)).toEqual(["tea", "toast"]);
  });

  test("setAtLatest() brings a deadline forward and never puts it off", () => {
    const queue = new DeadlineQueue<Named>();
    const tea = thing("tea");
    queue.setAtLatest(tea, 10);
    queue.setAtLatest(tea, 11);
    expect(queue.nextAt()).toBe(10);
    queue.setAtLatest(tea, 9);
    expect(queue.nextAt()).toBe(9);
  });

  test("setAtLatest() puts an item back that was taken out, at whatever time", () => {
    const queue = new DeadlineQueue<Named>();
    const tea = thing("tea");
    queue.set(tea, 10);
    queue.take(10);
    queue.setAtLatest(tea, 20);
    expect(queue.nextAt()).toBe(20);
  });

  test("delete() of an item that is not in does nothing", () => {
    const queue = new DeadlineQueue<Named>();
    const tea = thing("tea");
    queue.set(tea, 10);
    queue.delete(thing("toast"));
    queue.delete(tea);
    queue.delete(tea);
    expect(takeAll(queue, 10)).toEqual([]);
  });

  test(
    "it agrees with a plain list under any sequence of operations",
    () => {
      const act = fc.record({
        kind: fc.constantFrom(
          "set" as const,
          "setAtLatest" as const,
          "delete" as const,
          "take" as const,
        ),
        which: fc.nat(11),
        at: fc.nat(40),
      });
      fc.assert(
        fc.property(fc.array(act, { maxLength: 120, size: "max" }), (acts) => {
          const pair = new QueueAndList();
          for (const { kind, which, at } of acts) pair[kind](at, which);
          pair.empty();
        }),
        trials(300),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});
