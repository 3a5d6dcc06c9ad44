import type { Entry } from "./awareness-entry.ts";

/** An id stays its person's for so long after others were last told of it. */
const RESERVED_MS = 600_000;
/** Ids that are kept for one person who no longer uses them; of more, the oldest are given up. */
const MAX_RESERVED = 64;

/** Ids that nobody uses, and for whom they are kept: clients remember whom they have seen by them. */
export class ReservedIds {
  readonly #entries = new Map<number, Entry>();
  /** By person, in the order in which they were given up. */
  readonly #people = new Map<string, Set<number>>();

  get size(): number {
    return this.#entries.size;
  }

  /** What was known of ids when they were given up. */
  entries(): Iterable<Entry> {
    return this.#entries.values();
  }

  find(id: number): Entry | undefined {
    return this.#entries.get(id);
  }

  /** Keeps an id of which others were told. */
  keep(entry: Entry): void {
    const { id, participant_id } = entry;
    const own = this.#people.get(participant_id) ?? new Set();
    this.#entries.set(id, entry);
    this.#people.set(participant_id, own.add(id));
    const [oldest] = own;
    if (own.size > MAX_RESERVED && oldest !== undefined) this.release(oldest);
  }

  /** An id is free again, or in use again. Does nothing when it is not kept. */
  release(id: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    const own = this.#people.get(entry.participant_id);
    this.#entries.delete(id);
    own?.delete(id);
    if (own?.size === 0) this.#people.delete(entry.participant_id);
  }

  /** Releases those that were kept long enough. */
  expire(now: number): void {
    for (const entry of this.#entries.values()) {
      if (isKept(entry, now)) break;
      this.release(entry.id);
    }
  }

  /** When {@link expire} next has work. */
  nextAt(): number | undefined {
    // The first to be free is near the front. What is behind it and free already is nobody's, and is forgotten later.
    const [first] = this.#entries.values();
    return first && first.others.at + RESERVED_MS;
  }
}

/** Whether an id is its person's, as others were told of it not long ago. */
export function isKept({ others }: Entry, now: number): boolean {
  return now < others.at + RESERVED_MS;
}

/** For how long an id is its person's even if they are not seen any more, in milliseconds; 0: it is not. */
export function keptMs({ others }: Entry, now: number): number {
  return Math.max(0, others.at + RESERVED_MS - now);
}

/** When others were last told of an id that is kept for so long still. */
export function toldAt(kept_ms: number, now: number): number {
  return now + kept_ms - RESERVED_MS;
}
