import { DeadlineQueue, type Due } from "./deadlines.ts";
import { SplitMap } from "./split-map.ts";
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
  /** Those that type, and when the last publish of each runs out. */
  sources: { readonly source: string; endsAt: number }[];
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
  /** By person, few at once, so that a renewal looks up nothing else. */
  readonly #people = new SplitMap<Typist[]>();
  readonly #rooms = new SplitMap<Typist[]>();
  readonly #deadlines = new DeadlineQueue<Typist>();
  readonly #rules: TypingRules;

  constructor(rules: TypingRules) {
    this.#rules = rules;
  }

  /** Publishes a signal, or renews it. Returns a change only when it begins. */
  start(signal: TypingSignal, now: number): TypingChange | undefined {
    const typist = this.#find(signal) ?? this.#add(signal);
    const mayTell = this.#count(typist, now);
    if (typist.toldAt === undefined && !mayTell) return undefined;
    publish(typist, signal.source, now + this.#rules.typing_ttl_ms);
    // A renewal only moves the end later: the deadline that is set comes up and looks again.
    if (typist.toldAt !== undefined) return undefined;
    typist.toldAt = now;
    this.#schedule(typist, now);
    return changeOf(typist, true);
  }

  /** Lets a signal live on. One that has ended, or that this source never gave, stays ended. */
  renew(signal: TypingSignal, now: number): void {
    const source = this.#find(signal)?.sources.find((each) => each.source === signal.source);
    if (source !== undefined && source.endsAt > now)
      source.endsAt = now + this.#rules.typing_ttl_ms;
  }

  /** Ends one source's signal early. Returns a change when it was the last of the person in the room. */
  stop(signal: TypingSignal, now: number): TypingChange | undefined {
    const typist = this.#find(signal);
    if (typist === undefined) return undefined;
    return this.#settle(typist, now, (source) => source === signal.source);
  }

  /** Ends what a person types: everywhere, or only in one room, or only what came from one source. */
  stopAll(
    participantId: string,
    only: { room_id?: string; source?: string },
    now: number,
  ): TypingChange[] {
    return (this.#people.get(participantId) ?? []).flatMap((typist) => {
      if (only.room_id !== undefined && only.room_id !== typist.room_id) return [];
      return this.#settle(typist, now, (each) => each === (only.source ?? each)) ?? [];
    });
  }

  /** Ends all typing in a room. */
  stopRoom(roomId: string, now: number): TypingChange[] {
    return (this.#rooms.get(roomId) ?? []).flatMap(
      (typist) => this.#settle(typist, now, () => true) ?? [],
    );
  }

  /** Ends every signal that has run out by `now`, and tells again those that are due for it. */
  expire(now: number): TypingChange[] {
    const changes: TypingChange[] = [];
    for (
      let typist = this.#deadlines.take(now);
      typist !== undefined;
      typist = this.#deadlines.take(now)
    ) {
      const change = this.#settle(typist, now);
      if (change !== undefined) changes.push(change);
      if (typist.queuedAt >= 0) continue;
      drop(this.#people, typist.participant_id, typist);
      drop(this.#rooms, typist.room_id, typist);
    }
    return changes;
  }

  /** When {@link expire} next has to be called. Calling it early does no harm. */
  nextAt(): number | undefined {
    return this.#deadlines.nextAt();
  }

  /** Who types in a room. */
  typists(roomId: string): string[] {
    return (this.#rooms.get(roomId) ?? [])
      .filter(({ toldAt }) => toldAt !== undefined)
      .map(({ participant_id }) => participant_id);
  }

  /** By which devices or tokens a person types, in any room. */
  sourcesOf(participantId: string): string[] {
    const sources = (this.#people.get(participantId) ?? []).flatMap((typist) => typist.sources);
    return [...new Set(sources.map(({ source }) => source))];
  }

  /** Whether others were told last that somebody types in a room. */
  isTyping(roomId: string, participantId: string): boolean {
    const typist = this.#find({ room_id: roomId, participant_id: participantId });
    return typist?.toldAt !== undefined;
  }

  #find({ room_id, participant_id }: Omit<TypingSignal, "source">): Typist | undefined {
    return this.#people.get(participant_id)?.find((typist) => typist.room_id === room_id);
  }

  #add({ room_id, participant_id }: TypingSignal): Typist {
    const typist: Typist = {
      room_id,
      participant_id,
      sources: [],
      toldAt: undefined,
      windowAt: Number.NEGATIVE_INFINITY,
      published: 0,
      dueAt: 0,
      queuedAt: -1,
    };
    add(this.#people, participant_id, typist);
    add(this.#rooms, room_id, typist);
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

  /** Drops the sources that have run out or stop, and finds out what is to be told. */
  #settle(
    typist: Typist,
    now: number,
    stops: (source: string) => boolean = () => false,
  ): TypingChange | undefined {
    typist.sources = typist.sources.filter(({ source, endsAt }) => endsAt > now && !stops(source));
    const change = this.#change(typist, now);
    this.#schedule(typist, now);
    return change;
  }

  #change(typist: Typist, now: number): TypingChange | undefined {
    if (typist.toldAt === undefined) return undefined;
    if (typist.sources.length === 0) {
      typist.toldAt = undefined;
      return changeOf(typist, false);
    }
    if (now < typist.toldAt + this.#rules.typing_retell_ms) return undefined;
    typist.toldAt = now;
    return changeOf(typist, true);
  }

  /**
   * A typist who has stopped is kept until they come up, as whoever types again often does so soon; and not before
   * their second is over, or stopping would refill it.
   */
  #schedule(typist: Typist, now: number): void {
    const { toldAt, sources, windowAt } = typist;
    if (toldAt !== undefined) {
      let endsAt = now;
      for (const source of sources) endsAt = Math.max(endsAt, source.endsAt);
      this.#deadlines.setAtLatest(typist, Math.min(endsAt, toldAt + this.#rules.typing_retell_ms));
    } else if (now < windowAt + SECOND_MS) this.#deadlines.set(typist, windowAt + SECOND_MS);
  }
}

function add(lists: SplitMap<Typist[]>, key: string, typist: Typist): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [typist]);
  else list.push(typist);
}

function drop(lists: SplitMap<Typist[]>, key: string, typist: Typist): void {
  const list = lists.get(key) ?? [];
  list.splice(list.indexOf(typist), 1);
  if (list.length === 0) lists.delete(key);
}

function publish({ sources }: Typist, source: string, endsAt: number): void {
  const known = sources.find((each) => each.source === source);
  if (known === undefined) sources.push({ source, endsAt });
  else known.endsAt = endsAt;
}

function changeOf({ room_id, participant_id }: Typist, typing: boolean): TypingChange {
  return { room_id, participant_id, typing };
}
