import { DeadlineQueue, type Due } from "./deadlines.ts";
import {
  type Door,
  effectiveState,
  endOf,
  explainPresence,
  type ManualState,
  type Person,
  type PresenceReason,
  type PresenceRules,
  type PresenceState,
  type Source,
  type Statement,
  type VisibleState,
  visibleState,
} from "./presence.ts";

/** Choices by hand that are told at once, a person and second; the rest wait for `coalesce_ms`. */
const URGENT_PER_SECOND = 5;
const SECOND_MS = 1_000;

/**
 * Sources that one person can have at once. One more ends the one without an
 * open socket that was heard of longest ago, so that no one can grow what a
 * heartbeat costs.
 */
export const MAX_SOURCES = 64;

/** Device names that begin so are given by the server and cannot be chosen. */
export const RESERVED_DEVICE_PREFIXES: readonly string[] = ["rest:", "socket:"];

/** The device that stands for someone who only calls, by way of a token. */
export function restDevice(tokenId: string): string {
  return `rest:${tokenId}`;
}

/** What became of one person. Absent means unchanged: nothing is to be sent. */
export interface PresenceChange {
  readonly participant_id: string;
  /** The new effective state, for the person's own devices. */
  readonly own: PresenceState | undefined;
  /** The new state for everybody else. */
  readonly told: VisibleState | undefined;
}

/** Which socket of a device speaks. What a device says by request goes to {@link PresenceRegister.beat}. */
export interface SourceName {
  readonly device_id: string;
  /** The tab or window; the device itself when it has but one. */
  readonly instance: string;
  readonly door: Exclude<Door, "rest">;
}

/** What a device says about its user: a state, how long ago the user was last active, or both. */
export interface Activity {
  readonly state?: Statement | undefined;
  readonly idle_for_ms?: number | undefined;
}

/** Who did something by a single request. */
export interface Actor {
  /** The device it was done on, where the request names one. */
  readonly device_id: string | undefined;
  readonly token_id: string;
  /** How long ago it was done, in milliseconds; 0 unless it says. What is told late must wake nobody. */
  readonly idle_for_ms?: number | undefined;
}

/** An open source. Opaque: hand it back to the register that gave it. */
export interface OpenSource extends Source {
  readonly person: Person;
}

/** A person's sources as they are written down for an orderly restart. Ages are in milliseconds. */
export interface RememberedPerson {
  readonly participant_id: string;
  readonly told: VisibleState;
  readonly sources: readonly {
    readonly device_id: string;
    readonly door: Door;
    readonly instance: string;
    readonly statement: Statement | null;
    readonly active_ms: number;
    readonly seen_ms: number;
  }[];
}

/** What tells the sources of one person apart. */
type Name = Pick<Source, "device_id" | "instance" | "door">;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

interface SourceEntry extends Writable<Source> {
  person: PersonEntry;
  /** Closed or replaced: its handle is dead. */
  ended: boolean;
}

interface PersonEntry extends Writable<Person>, Due {
  readonly sources: SourceEntry[];
  effective: PresenceState;
  told: VisibleState;
  toldAt: number;
  urgentSince: number;
  urgentCount: number;
}

/**
 * The devices of many people, what follows from them, and what others were
 * last told.
 *
 * Sets no timer and reads no clock: every `now` is milliseconds on one clock
 * that never goes back. Each operation returns what changed, or `undefined`.
 * {@link nextAt} is the one timer the caller needs, {@link expire} its work.
 *
 * Changes of one person are told to others at most once in `coalesce_ms`: the
 * first after a quiet time at once, later ones together, compared with what
 * was last told. The person's own state is never delayed.
 */
export class PresenceRegister {
  readonly #people = new Map<string, PersonEntry>();
  readonly #deadlines = new DeadlineQueue<PersonEntry>();
  readonly #rules: PresenceRules;

  constructor(rules: PresenceRules) {
    this.#rules = rules;
  }

  /** How many people are remembered: those with a device, a manual state, or always online. */
  get size(): number {
    return this.#people.size;
  }

  /** How many devices are there, lingering ones among them. Looks at every person. */
  get devices(): number {
    let count = 0;
    for (const { sources } of this.#people.values())
      count += new Set(sources.map(({ device_id }) => device_id)).size;
    return count;
  }

  /** What others see of a person: what they were last told. `offline` for whoever is unknown. */
  told(participantId: string): VisibleState {
    return this.#people.get(participantId)?.told ?? "offline";
  }

  /** Everyone whom others see as something else than offline. */
  *toldOnline(): Generator<[participant_id: string, state: VisibleState]> {
    for (const { participant_id, told } of this.#people.values()) {
      if (told !== "offline") yield [participant_id, told];
    }
  }

  /** A person's state in their own eyes, live. */
  effective(participantId: string, now: number): PresenceState {
    const person = this.#people.get(participantId);
    return person === undefined ? "offline" : effectiveState(person, now, this.#rules);
  }

  /** What others are told as soon as it may be told: see {@link told} for what they were. */
  visible(participantId: string, now: number): VisibleState {
    const person = this.#people.get(participantId);
    return person === undefined ? "offline" : visibleState(person, now, this.#rules);
  }

  /** Whether the person hides: what they do privately must then move nothing that others see. */
  isHidden(participantId: string): boolean {
    return this.#people.get(participantId)?.manual === "appear_offline";
  }

  /** Why a person's state is what it is. */
  explain(participantId: string, now: number): PresenceReason {
    return explainPresence(
      this.#people.get(participantId) ?? this.#unknown(participantId),
      now,
      this.#rules,
    );
  }

  /**
   * Opens a source of a device, or takes over the one of the same name, whose handle is then dead.
   * A tab has a Yjs socket for each room, so that of those only the ones that linger are taken over.
   */
  open(
    participantId: string,
    name: SourceName,
    activity: Activity,
    now: number,
  ): { source: OpenSource; change: PresenceChange | undefined } {
    const person = this.#living(participantId, now);
    const source = openSource(person, name, now);
    listen(source, activity, now);
    return { source, change: this.#settle(person, now) };
  }

  /** Hears what a device says about its user by a single request, with or without a socket: it lives for `presence_ttl_ms`. */
  beat(
    participantId: string,
    deviceId: string,
    activity: Activity,
    now: number,
  ): PresenceChange | undefined {
    const person = this.#living(participantId, now);
    hearRequest(person, deviceId, activity, now);
    return this.#settle(person, now);
  }

  /** Hears what a device says about its user by a socket. It is a sign of life as well. */
  hear(handle: OpenSource, activity: Activity, now: number): PresenceChange | undefined {
    const source = this.#heard(handle, now);
    if (source === undefined) return undefined;
    listen(source, activity, now);
    return this.#settle(source.person, now);
  }

  /**
   * A sign of life that says nothing: it wakes nobody. Changes something only
   * when the source had run out, as after the machine slept: then it is back.
   */
  touch(handle: OpenSource, now: number): PresenceChange | undefined {
    const wasIn = isIn(entryOf(handle));
    const source = this.#heard(handle, now);
    return source === undefined || wasIn ? undefined : this.#settle(source.person, now);
  }

  /**
   * A person did something by a single request. It is a sign of life of the
   * named device; without a name, and only while the person has no socket, of
   * a device of the token's own, which ends when a socket of theirs opens. A
   * device that has a socket needs no such sign, and none outlives the socket.
   */
  act(participantId: string, by: Actor, now: number): PresenceChange | undefined {
    const person = this.#living(participantId, now);
    signOfLife(person, by, now);
    return this.#settle(person, now);
  }

  /** Whether who acts has a socket open at the named device, or at any: then a request of theirs is no sign of life. */
  isConnected(participantId: string, by: Pick<Actor, "device_id">): boolean {
    const person = this.#people.get(participantId);
    return person !== undefined && speaksBySocket(person, by);
  }

  /** A connection was lost without a word: the source lingers for `disconnect_grace_ms`. */
  lose(handle: OpenSource, now: number): PresenceChange | undefined {
    const source = entryOf(handle);
    const lingersUntil = now + this.#rules.disconnect_grace_ms;
    source.lingersUntil = Math.min(lingersUntil, endOf(source, this.#rules));
    return isIn(source) ? this.#settle(source.person, now) : undefined;
  }

  /** A source signed off: it is gone at once. */
  close(handle: OpenSource, now: number): PresenceChange | undefined {
    const source = entryOf(handle);
    const wasIn = isIn(source);
    source.ended = true;
    end(source.person, (each) => each === source);
    return wasIn ? this.#settle(source.person, now) : undefined;
  }

  /** A device signed off: all of its sources are gone at once. */
  signOff(participantId: string, deviceId: string, now: number): PresenceChange | undefined {
    const person = this.#people.get(participantId);
    if (person === undefined) return undefined;
    end(person, ({ device_id }) => device_id === deviceId);
    return this.#settle(person, now);
  }

  /**
   * Sets the state by hand, or returns to automatic with `undefined`. Told to
   * others at once, up to 5 times a second; beyond that with the next telling.
   * @param by who asked by a single request: a sign of life as of {@link act},
   * of which nothing is told before the choice holds.
   */
  choose(
    participantId: string,
    manual: ManualState | undefined,
    now: number,
    by?: Actor,
  ): PresenceChange | undefined {
    const person = this.#living(participantId, now);
    person.manual = manual;
    if (by !== undefined) signOfLife(person, by, now);
    return this.#settle(person, now, true);
  }

  /** Takes note of what the durable facts say of a person. */
  introduce(
    participantId: string,
    facts: { manual: ManualState | undefined; alwaysOnline: boolean },
    now: number,
  ): PresenceChange | undefined {
    const person = this.#person(participantId);
    person.manual = facts.manual;
    person.alwaysOnline = facts.alwaysOnline;
    return this.#settle(person, now);
  }

  /** A person is no more: all of it is forgotten, and others are told `offline` if they were told otherwise. */
  forget(participantId: string): PresenceChange | undefined {
    const person = this.#people.get(participantId);
    if (person === undefined) return undefined;
    this.#deadlines.delete(person);
    this.#people.delete(participantId);
    end(person, () => true);
    return person.told === "offline"
      ? undefined
      : { participant_id: participantId, own: "offline", told: "offline" };
  }

  /** Does what time alone has brought about by `now`. */
  expire(now: number): PresenceChange[] {
    const changes: PresenceChange[] = [];
    for (
      let person = this.#deadlines.take(now);
      person !== undefined;
      person = this.#deadlines.take(now)
    ) {
      const change = this.#settle(person, now);
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  /** When {@link expire} next has to be called. Calling it early does no harm. */
  nextAt(): number | undefined {
    return this.#deadlines.nextAt();
  }

  /** Everyone who has a device, to be written down before an orderly stop. */
  remember(now: number): RememberedPerson[] {
    return [...this.#people.values()].flatMap(({ participant_id, told, sources }) =>
      sources.length === 0
        ? []
        : { participant_id, told, sources: sources.map((source) => rememberSource(source, now)) },
    );
  }

  /**
   * Takes up what was written down `downMs` ago. Every device lingers for
   * `restart_grace_ms`; one heard by requests keeps the rest of its lifetime
   * if that is longer. Tells nobody: others were told before the restart.
   */
  restore(remembered: readonly RememberedPerson[], downMs: number, now: number): void {
    const graceUntil = now + this.#rules.restart_grace_ms;
    for (const { participant_id, told, sources } of remembered) {
      const person = this.#person(participant_id);
      person.told = told;
      for (const { statement, active_ms, seen_ms, ...name } of sources) {
        const seenAt = now - downMs - seen_ms;
        const restUntil = name.door === "rest" ? seenAt + this.#rules.presence_ttl_ms : graceUntil;
        person.sources.push({
          ...name,
          statement: statement ?? undefined,
          activeAt: now - downMs - active_ms,
          seenAt,
          lingersUntil: Math.max(graceUntil, restUntil),
          ended: false,
          person,
        });
      }
      const next = dropEnded(person, now, this.#rules);
      person.effective = effectiveState(person, now, this.#rules);
      this.#schedule(person, visibleState(person, now, this.#rules), next, now);
    }
  }

  #person(participantId: string): PersonEntry {
    const known = this.#people.get(participantId);
    if (known !== undefined) return known;
    const person = this.#unknown(participantId);
    this.#people.set(participantId, person);
    return person;
  }

  /** The entry behind a handle, heard of now; `undefined` when it was closed, lost or replaced. */
  #heard(handle: OpenSource, now: number): SourceEntry | undefined {
    const source = entryOf(handle);
    if (source.ended || source.lingersUntil !== undefined) return undefined;
    if (!isIn(source) && !this.#revive(source)) return undefined;
    source.seenAt = now;
    return source;
  }

  /** A socket that had run out is heard of after all, as after the machine slept: it is back, unless another took its place. */
  #revive(source: SourceEntry): boolean {
    const person = this.#person(source.person.participant_id);
    if (source.door !== "yjs" && person.sources.some((other) => isSameSource(other, source)))
      return false;
    // Its tab may have spoken through another door meanwhile.
    const sibling = person.sources.find((other) => isSameInstance(other, source));
    if (sibling !== undefined) {
      source.statement = sibling.statement;
      source.activeAt = sibling.activeAt;
    }
    source.person = person;
    person.sources.push(source);
    return true;
  }

  /** A person without what has ended by `now`, even where the timer is late. */
  #living(participantId: string, now: number): PersonEntry {
    const person = this.#person(participantId);
    dropEnded(person, now, this.#rules);
    return person;
  }

  #unknown(participant_id: string): PersonEntry {
    return {
      participant_id,
      manual: undefined,
      alwaysOnline: false,
      sources: [],
      effective: "offline",
      told: "offline",
      toldAt: Number.NEGATIVE_INFINITY,
      urgentSince: Number.NEGATIVE_INFINITY,
      urgentCount: 0,
      dueAt: 0,
      queuedAt: -1,
    };
  }

  /** Drops what has ended, finds out what changed, and sees to it that the person comes up again in time. */
  #settle(person: PersonEntry, now: number, byHand = false): PresenceChange | undefined {
    const next = dropEnded(person, now, this.#rules);
    const effective = effectiveState(person, now, this.#rules);
    const own = effective === person.effective ? undefined : effective;
    person.effective = effective;
    const visible = visibleState(person, now, this.#rules);
    const told = this.#tell(person, visible, now, byHand);
    this.#schedule(person, visible, next, now);
    return own === undefined && told === undefined
      ? undefined
      : { participant_id: person.participant_id, own, told };
  }

  #tell(
    person: PersonEntry,
    visible: VisibleState,
    now: number,
    byHand: boolean,
  ): VisibleState | undefined {
    if (visible === person.told) return undefined;
    const quiet = now >= person.toldAt + this.#rules.coalesce_ms;
    // Asked also when it is quiet: the first choice of a second is one of its five.
    const hurries = byHand && mayHurry(person, now);
    if (!quiet && !hurries) return undefined;
    if (byHand) person.urgentCount += 1;
    person.told = visible;
    person.toldAt = now;
    return visible;
  }

  /** @param next when the first of the person's sources ends or turns idle, or infinity. */
  #schedule(person: PersonEntry, visible: VisibleState, next: number, now: number): void {
    const { coalesce_ms } = this.#rules;
    let dueAt = next;
    if (person.told !== visible) dueAt = Math.min(next, person.toldAt + coalesce_ms);
    else if (isForgettable(person)) {
      dueAt = person.toldAt + Math.max(coalesce_ms, SECOND_MS);
      if (dueAt <= now) {
        this.#people.delete(person.participant_id);
        this.#deadlines.delete(person);
        return;
      }
    }
    if (dueAt < Number.POSITIVE_INFINITY) this.#deadlines.setAtLatest(person, dueAt);
  }
}

function openSource(person: PersonEntry, name: Name, now: number): SourceEntry {
  const sibling = person.sources.find((source) => isSameInstance(source, name));
  if (name.door !== "rest") endRestSources(person, name.device_id);
  end(person, (each) => givesWay(each, name));
  const source: SourceEntry = {
    device_id: name.device_id,
    door: name.door,
    instance: name.instance,
    statement: sibling?.statement,
    activeAt: sibling?.activeAt ?? now,
    seenAt: now,
    lingersUntil: undefined,
    person,
    ended: false,
  };
  person.sources.push(source);
  endSurplus(person, source);
  return source;
}

/** Nobody has a handle of the source that stands for a device's requests: it is renewed where it is. */
function hearRequest(
  person: PersonEntry,
  device_id: string,
  activity: Activity,
  now: number,
): void {
  const name: Name = { device_id, instance: device_id, door: "rest" };
  const source =
    person.sources.find((each) => isSameSource(each, name)) ?? openSource(person, name, now);
  source.seenAt = now;
  source.lingersUntil = undefined;
  listen(source, activity, now);
}

function endSurplus(person: PersonEntry, opened: SourceEntry): void {
  if (person.sources.length <= MAX_SOURCES) return;
  const silent = person.sources.filter((source) => !isOpenSocket(source) && source !== opened);
  const [oldest] = silent.sort((a, b) => a.seenAt - b.seenAt);
  end(person, (source) => source === oldest);
}

function signOfLife(person: PersonEntry, by: Actor, now: number): void {
  if (speaksBySocket(person, by)) return;
  const name = by.device_id ?? restDevice(by.token_id);
  const { idle_for_ms: age = 0 } = by;
  const known = person.sources.find(({ device_id }) => device_id === name);
  const idle_for_ms = known === undefined ? age : Math.min(age, now - known.activeAt);
  hearRequest(person, name, { idle_for_ms }, now);
}

function speaksBySocket({ sources }: Person, { device_id }: Pick<Actor, "device_id">): boolean {
  return sources.some(
    (source) => isOpenSocket(source) && (device_id ?? source.device_id) === source.device_id,
  );
}

function isForgettable(person: PersonEntry): boolean {
  return person.sources.length === 0 && person.manual === undefined && !person.alwaysOnline;
}

function mayHurry(person: PersonEntry, now: number): boolean {
  if (now >= person.urgentSince + SECOND_MS) {
    person.urgentSince = now;
    person.urgentCount = 0;
  }
  return person.urgentCount < URGENT_PER_SECOND;
}

/** A statement holds for all sources of its instance: they are one tab seen through several doors. */
function listen(speaker: SourceEntry, { state, idle_for_ms }: Activity, now: number): void {
  const activeAt =
    idle_for_ms !== undefined ? now - idle_for_ms : state === "online" ? now : undefined;
  for (const source of speaker.person.sources) {
    if (!isSameInstance(source, speaker)) continue;
    if (state !== undefined) source.statement = state;
    if (activeAt !== undefined) source.activeAt = activeAt;
  }
}

/** Handles are made by open() only, where they are entries. */
function entryOf(handle: OpenSource): SourceEntry {
  return handle as SourceEntry;
}

/** Whether a source still counts; one that has run out, was closed or replaced does not. */
function isIn(source: SourceEntry): boolean {
  return source.person.sources.includes(source);
}

/** Whether two sources are of one tab or window. */
function isSameInstance(a: Omit<Name, "door">, b: Omit<Name, "door">): boolean {
  return a.device_id === b.device_id && a.instance === b.instance;
}

function isSameSource(a: Name, b: Name): boolean {
  return a.door === b.door && isSameInstance(a, b);
}

/** Whether a source is over when one of this name opens. */
function givesWay(source: SourceEntry, name: Name): boolean {
  return isSameSource(source, name) && (name.door !== "yjs" || source.lingersUntil !== undefined);
}

/** Ends sources for good: what has only run out can come back, these cannot. */
function end({ sources }: PersonEntry, ends: (source: SourceEntry) => boolean): void {
  for (let index = sources.length - 1; index >= 0; index -= 1) {
    const source = sources[index];
    if (source === undefined || !ends(source)) continue;
    source.ended = true;
    sources.splice(index, 1);
  }
}

function isOpenSocket({ door, lingersUntil }: Source): boolean {
  return door !== "rest" && lingersUntil === undefined;
}

/** A socket takes over from the requests of its device, and from every device that only a token stands for. */
function endRestSources(person: PersonEntry, device_id: string): void {
  end(
    person,
    (source) =>
      source.door === "rest" &&
      (source.device_id === device_id || source.device_id.startsWith("rest:")),
  );
}

/** When a living source changes by itself: it turns idle, or it ends. */
function changesAt(source: Source, now: number, rules: PresenceRules): number {
  const idleAt = source.activeAt + rules.idle_after_ms;
  return Math.min(idleAt > now ? idleAt : Number.POSITIVE_INFINITY, endOf(source, rules));
}

/** Drops what has ended. Returns when the first of the others changes by itself, or infinity. */
function dropEnded({ sources }: PersonEntry, now: number, rules: PresenceRules): number {
  let next = Number.POSITIVE_INFINITY;
  for (let index = sources.length - 1; index >= 0; index -= 1) {
    const source = sources[index];
    if (source === undefined) continue;
    if (endOf(source, rules) <= now) sources.splice(index, 1);
    else next = Math.min(next, changesAt(source, now, rules));
  }
  return next;
}

function rememberSource(
  { device_id, door, instance, statement, activeAt, seenAt }: SourceEntry,
  now: number,
): RememberedPerson["sources"][number] {
  return {
    device_id,
    door,
    instance,
    statement: statement ?? null,
    active_ms: now - activeAt,
    seen_ms: now - seenAt,
  };
}
