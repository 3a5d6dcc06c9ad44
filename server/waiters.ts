import { DeadlineQueue, type Due } from "@porchlight/core";
import { Alarm, type Clock } from "@porchlight/core/clock";
import type { Announcement, PersonKey } from "./store/store.ts";
import { TenantIndex } from "./tenant-index.ts";

interface Waiter extends Due, PersonKey {
  /** The rooms that the person has joined. */
  readonly rooms: readonly string[];
  /** Answers whether there is something to see. */
  readonly answer: (isWoken: boolean) => void;
}

/** What ends a wait, besides the news. */
interface Patience {
  /** Until when, in milliseconds of the monotonic clock. */
  readonly until: number;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/**
 * Requests that wait for something to happen. What happens wakes those who may
 * see it, and nobody else; one timer ends the waits of all whose time is over.
 */
export class Waiters {
  readonly #waiting = new Set<Waiter>();
  readonly #byPerson = new TenantIndex<Waiter>();
  readonly #byRoom = new TenantIndex<Waiter>();
  readonly #deadlines = new DeadlineQueue<Waiter>();
  readonly #alarm: Alarm;
  readonly #most: number;
  #isStopped = false;

  /** @param most how many may wait for one person; one more ends the oldest. */
  constructor({ clock, most }: { clock: Clock; most: number }) {
    this.#most = most;
    this.#alarm = new Alarm(
      clock,
      () => clock.monotonic(),
      () => this.#ring(clock.monotonic()),
    );
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves with true when something happens that a person in these rooms may see, else with false when the wait is over. */
  wait(
    { tenant_id, participant_id }: PersonKey,
    rooms: readonly string[],
    { until, signal }: Patience,
  ): Promise<boolean> {
    if (this.#isStopped || signal.aborted) return Promise.resolve(false);
    const waiting = [...this.#byPerson.of(tenant_id, participant_id)];
    const [oldest] = waiting;
    if (oldest !== undefined && waiting.length >= this.#most) this.#end(oldest, false);
    return new Promise((resolve) => {
      const hangUp = (): void => this.#end(waiter, false);
      const answer = (isWoken: boolean): void => {
        signal.removeEventListener("abort", hangUp);
        resolve(isWoken);
      };
      const waiter: Waiter = { tenant_id, participant_id, rooms, answer, dueAt: 0, queuedAt: -1 };
      this.#waiting.add(waiter);
      this.#byPerson.put(tenant_id, participant_id, waiter);
      for (const room_id of rooms) this.#byRoom.put(tenant_id, room_id, waiter);
      this.#deadlines.set(waiter, until);
      this.#alarm.by(this.#deadlines.nextAt());
      signal.addEventListener("abort", hangUp);
    });
  }

  /** Wakes those who may see what is announced. */
  wake({ frame: { tenant_id }, to }: Announcement): void {
    for (const waiter of this.#seers(tenant_id, to)) this.#end(waiter, true);
  }

  /** Ends every wait, also of those who come from now on. */
  stop(): void {
    this.#isStopped = true;
    this.#ring(Number.POSITIVE_INFINITY);
    this.#alarm.stop();
  }

  /** A copy: whoever is woken is taken out. */
  #seers(tenant_id: string, to: Announcement["to"]): Waiter[] {
    if (to === "tenant") return [...this.#byPerson.all(tenant_id)];
    if ("participant_id" in to) return [];
    const subjects = to.also.flatMap((id) => [...this.#byPerson.of(tenant_id, id)]);
    return [...new Set([...this.#byRoom.of(tenant_id, to.room_id), ...subjects])];
  }

  #ring(now: number): void {
    for (let due = this.#deadlines.take(now); due !== undefined; due = this.#deadlines.take(now))
      this.#end(due, false);
    this.#alarm.by(this.#deadlines.nextAt());
  }

  #end(waiter: Waiter, isWoken: boolean): void {
    const { tenant_id, participant_id, rooms } = waiter;
    this.#waiting.delete(waiter);
    this.#deadlines.delete(waiter);
    this.#byPerson.take(tenant_id, participant_id, waiter);
    for (const room_id of rooms) this.#byRoom.take(tenant_id, room_id, waiter);
    waiter.answer(isWoken);
  }
}

/** Whether a person in these rooms may see what is announced to others. */
export function isSeenBy(
  { to }: Announcement,
  { participant_id }: Pick<PersonKey, "participant_id">,
  rooms: readonly string[],
): boolean {
  if (to === "tenant") return true;
  if ("participant_id" in to) return false;
  return rooms.includes(to.room_id) || to.also.includes(participant_id);
}
