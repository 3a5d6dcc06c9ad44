import { DeadlineQueue, type Due } from "./deadlines.ts";
import type { Timings } from "./timings.ts";

const SECOND_MS = 1_000;

/** The durations that decide typing. */
export interface TypingRules extends Pick<Timings, "typing_ttl_ms" | "typing_retell_ms"> {
  /** Publishes a second of one person in one room that can tell something; those above only renew. 0: no limit. */
  readonly typing_rate: number;
}

/** Somebody at work in a room, by way of one device or token. */
export interface TypingSignal {
  readonly room_id: string;
  readonly participant_id: string;
  readonly source: string;
}

/** What the other members are told. `typing: true` is told again while the signal lives. */
export interface TypingChange {
  readonly room_id: string;
  readonly participant_id: string;
  readonly typing: boolean;
}

interface Typist extends Due {
  readonly room_id: string;
  readonly participant_id: string;
  /** By source, when its last publish runs out. */
  readonly sources: Map<string, number>;
  /** When others were last told that the typist types; absent when they were told otherwise. */
  toldAt: number | undefined;
  windowAt: number;
  published: number;
}

/**
 * Who is typing where: the union over each person's devices.
 *
 * Sets no timer and reads no clock: every `now` is milliseconds on a monotonic
 * clock, so that no step of the wall clock makes a signal stick. A start is
 * told once, then again every `typing_retell_ms` while the signal lives; it
 * ends `typing_ttl_ms` after its last publish, or when it is stopped.
 */
export class TypingRegister {
  readonly #rooms = new Map<string, Map<string, Typist>>();
  readonly #byPerson = new Map<string, Set<Typist>>();
  readonly #deadlines = new DeadlineQueue<Typist>();
  readonly #rules: TypingRules;

  constructor(rules: TypingRules) {
    this.#rules = rules;
  }

  /** Publishes a signal, or renews it. Returns a change only when it begins. */
  start(signal: TypingSignal, now: number): TypingChange | undefined {
    const typist = this.#typist(signal);
    const mayTell = this.#count(typist, now);
    if (typist.toldAt === undefined && !mayTell) return undefined;
    typist.sources.set(signal.source, now + this.#rules.typing_ttl_ms);
    // A renewal only moves the end later: the deadline that is set comes up and looks again.
    if (typist.toldAt !== undefined) return undefined;
    typist.toldAt = now;
    this.#schedule(typist, now);
    return changeOf(typist, true);
  }

  /** Ends one source's signal early. Returns a change when it was the last of the person in the room. */
  stop({ room_id, participant_id, source }: TypingSignal, now: number): TypingChange | undefined {
    const typist = this.#rooms.get(room_id)?.get(participant_id);
    if (typist === undefined || !typist.sources.delete(source)) return undefined;
    return this.#settle(typist, now)[0];
  }

  /** Ends what a person types: everywhere, or only in one room, or only what came from one source. */
  stopAll(
    participantId: string,
    only: { room_id?: string; source?: string },
    now: number,
  ): TypingChange[] {
    return [...(this.#byPerson.get(participantId) ?? [])].flatMap((typist) => {
      if (only.room_id !== undefined && only.room_id !== typist.room_id) return [];
      if (only.source === undefined) typist.sources.clear();
      else typist.sources.delete(only.source);
      return this.#settle(typist, now);
    });
  }

  /** Ends all typing in a room. */
  stopRoom(roomId: string, now: number): TypingChange[] {
    return [...(this.#rooms.get(roomId)?.values() ?? [])].flatMap((typist) => {
      typist.sources.clear();
      return this.#settle(typist, now);
    });
  }

  /** Ends every signal that has run out by `now`, and tells again those that are due for it. */
  expire(now: number): TypingChange[] {
    const changes: TypingChange[] = [];
    for (
      let typist = this.#deadlines.take(now);
      typist !== undefined;
      typist = this.#deadlines.take(now)
    ) {
      changes.push(...this.#settle(typist, now));
    }
    return changes;
  }

  /** When {@link expire} next has to be called. Calling it early does no harm. */
  nextAt(): number | undefined {
    return this.#deadlines.nextAt();
  }

  /** Who types in a room. */
  typists(roomId: string): string[] {
    const typists = [...(this.#rooms.get(roomId)?.values() ?? [])];
    return typists
      .filter(({ toldAt }) => toldAt !== undefined)
      .map(({ participant_id }) => participant_id);
  }

  #typist({ room_id, participant_id }: TypingSignal): Typist {
    const room = this.#rooms.get(room_id) ?? new Map<string, Typist>();
    this.#rooms.set(room_id, room);
    const known = room.get(participant_id);
    if (known !== undefined) return known;
    const typist: Typist = {
      room_id,
      participant_id,
      sources: new Map(),
      toldAt: undefined,
      windowAt: Number.NEGATIVE_INFINITY,
      published: 0,
      dueAt: 0,
      queuedAt: -1,
    };
    room.set(participant_id, typist);
    const own = this.#byPerson.get(participant_id) ?? new Set();
    this.#byPerson.set(participant_id, own.add(typist));
    return typist;
  }

  #count(typist: Typist, now: number): boolean {
    if (now >= typist.windowAt + SECOND_MS) {
      typist.windowAt = now;
      typist.published = 0;
    }
    typist.published += 1;
    return this.#rules.typing_rate === 0 || typist.published <= this.#rules.typing_rate;
  }

  #settle(typist: Typist, now: number): TypingChange[] {
    for (const [source, endsAt] of typist.sources) if (endsAt <= now) typist.sources.delete(source);
    const change = this.#change(typist, now);
    this.#schedule(typist, now);
    return change === undefined ? [] : [change];
  }

  #change(typist: Typist, now: number): TypingChange | undefined {
    if (typist.toldAt === undefined) return undefined;
    if (typist.sources.size === 0) {
      typist.toldAt = undefined;
      return changeOf(typist, false);
    }
    if (now < typist.toldAt + this.#rules.typing_retell_ms) return undefined;
    typist.toldAt = now;
    return changeOf(typist, true);
  }

  /** A typist who has stopped is kept until their second is over, or stopping would refill it. */
  #schedule(typist: Typist, now: number): void {
    const { toldAt, sources, windowAt } = typist;
    if (toldAt !== undefined) {
      this.#deadlines.setAtLatest(
        typist,
        Math.min(Math.max(...sources.values()), toldAt + this.#rules.typing_retell_ms),
      );
    } else if (now < windowAt + SECOND_MS) this.#deadlines.set(typist, windowAt + SECOND_MS);
    else this.#forget(typist);
  }

  #forget(typist: Typist): void {
    this.#deadlines.delete(typist);
    const room = this.#rooms.get(typist.room_id);
    room?.delete(typist.participant_id);
    if (room?.size === 0) this.#rooms.delete(typist.room_id);
    const own = this.#byPerson.get(typist.participant_id);
    own?.delete(typist);
    if (own?.size === 0) this.#byPerson.delete(typist.participant_id);
  }
}

function changeOf({ room_id, participant_id }: Typist, typing: boolean): TypingChange {
  return { room_id, participant_id, typing };
}
