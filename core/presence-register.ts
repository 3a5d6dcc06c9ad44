import { People, type PresenceChange } from "./people.ts";
import {
  isOpenSocket,
  isSameInstance,
  type Name,
  type OwnSource,
  type PersonEntry,
  remove,
  type SourceEntry,
  unknownPerson,
} from "./person-entry.ts";
import {
  type Door,
  effectiveState,
  endOf,
  explainPresence,
  type ManualFacts,
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
import type { EndReason } from "./presence-share.ts";

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

/**
 * The presence of many people, as it follows from their devices and as others
 * were last told.
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
  readonly #people: People;
  readonly #rules: PresenceRules;

  /** @param people who is known, nobody unless they are given: `SharedPresence` gives those whom several nodes share. */
  constructor(rules: PresenceRules, people: People = new People(rules)) {
    this.#rules = rules;
    this.#people = people;
  }

  /** How many people are remembered: those with a device, a manual state, or always online. */
  get size(): number {
    return this.#people.size;
  }

  /** Grows whenever what others were told of somebody may have changed: as long as it stays, so does {@link told} of everyone. */
  get tellings(): number {
    return this.#people.tellings;
  }

  /** How many devices are there, lingering ones among them. Looks at every person. */
  get devices(): number {
    let count = 0;
    for (const { sources } of this.#people.all())
      count += new Set(sources.map(({ device_id }) => device_id)).size;
    return count;
  }

  /** Whether anything is known of a device. */
  knows(participantId: string, deviceId: string): boolean {
    const sources = this.#people.find(participantId)?.sources ?? [];
    return sources.some(({ device_id }) => device_id === deviceId);
  }

  /** What others see of a person: what they were last told. `offline` for whoever is unknown. */
  told(participantId: string): VisibleState {
    return this.#people.find(participantId)?.told ?? "offline";
  }

  /** Everyone whom others see as something else than offline. */
  *toldOnline(): Generator<[participant_id: string, state: VisibleState]> {
    for (const { participant_id, told } of this.#people.all()) {
      if (told !== "offline") yield [participant_id, told];
    }
  }

  /** A person's state in their own eyes, live. */
  effective(participantId: string, now: number): PresenceState {
    const person = this.#people.find(participantId);
    return person === undefined ? "offline" : effectiveState(person, now, this.#rules);
  }

  /** What others are told as soon as it may be told: see {@link told} for what they were. */
  visible(participantId: string, now: number): VisibleState {
    const person = this.#people.find(participantId);
    return person === undefined ? "offline" : visibleState(person, now, this.#rules);
  }

  /** Whether the person hides: what they do privately must then move nothing that others see. */
  isHidden(participantId: string): boolean {
    return this.#people.find(participantId)?.manual === "appear_offline";
  }

  /** Why a person's state is what it is. */
  explain(participantId: string, now: number): PresenceReason {
    return explainPresence(
      this.#people.find(participantId) ?? unknownPerson(participantId),
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
    const person = this.#people.living(participantId, now);
    const source = this.#openSource(person, name, now);
    listen(source, activity, now);
    return { source, change: this.#people.settle(person, now) };
  }

  /** Hears what a device says about its user by a single request, with or without a socket: it lives for `presence_ttl_ms`. */
  beat(
    participantId: string,
    deviceId: string,
    activity: Activity,
    now: number,
  ): PresenceChange | undefined {
    const person = this.#people.living(participantId, now);
    this.#hearRequest(person, deviceId, activity, now);
    return this.#people.settle(person, now);
  }

  /** Hears what a device says about its user by a socket. It is a sign of life as well. */
  hear(handle: OpenSource, activity: Activity, now: number): PresenceChange | undefined {
    const source = this.#heard(handle, now);
    if (source === undefined) return undefined;
    listen(source, activity, now);
    return this.#people.settle(source.person, now);
  }

  /**
   * A sign of life that says nothing: it wakes nobody. Changes something only
   * when the source had run out, as after the machine slept: then it is back.
   */
  touch(handle: OpenSource, now: number): PresenceChange | undefined {
    if (this.renew(handle, now)) return undefined;
    const source = this.#heard(handle, now);
    return source && this.#people.settle(source.person, now);
  }

  /**
   * The same as {@link touch} of a source that has not run out, of which nothing is due any earlier than before.
   * Answers false, and does nothing, where it is no such source.
   */
  renew(handle: OpenSource, now: number): boolean {
    return isIn(entryOf(handle)) && this.#heard(handle, now) !== undefined;
  }

  /**
   * A person did something by a single request. It is a sign of life of the
   * named device; without a name, and only while the person has no socket, of
   * a device of the token's own, which ends when a socket of theirs opens. A
   * device that has a socket needs no such sign, and none outlives the socket.
   */
  act(participantId: string, by: Actor, now: number): PresenceChange | undefined {
    const person = this.#people.living(participantId, now);
    this.#signOfLife(person, by, now);
    return this.#people.settle(person, now);
  }

  /** Whether who acts has a socket open at the named device, or at any: then a request of theirs is no sign of life. */
  isConnected(participantId: string, by: Pick<Actor, "device_id">): boolean {
    const person = this.#people.find(participantId);
    return person !== undefined && speaksBySocket(person, by);
  }

  /** A connection was lost without a word: the source lingers for `disconnect_grace_ms`. */
  lose(handle: OpenSource, now: number): PresenceChange | undefined {
    const source = entryOf(handle);
    const lingersUntil = now + this.#rules.disconnect_grace_ms;
    source.lingersUntil = Math.min(lingersUntil, endOf(source, this.#rules));
    return isIn(source) ? this.#people.settle(source.person, now) : undefined;
  }

  /** A source signed off: it is gone at once. */
  close(handle: OpenSource, now: number): PresenceChange | undefined {
    const source = entryOf(handle);
    source.ended = true;
    if (!isIn(source)) return undefined;
    remove(source.person, (each) => each === source);
    return this.#people.settle(source.person, now);
  }

  /** A device signed off: all of its sources are gone at once. */
  signOff(participantId: string, deviceId: string, now: number): PresenceChange | undefined {
    const person = this.#people.find(participantId);
    if (person === undefined) return undefined;
    this.#people.end(person, now, ({ device_id }) =>
      device_id === deviceId ? "signed_off" : undefined,
    );
    return this.#people.settle(person, now);
  }

  /**
   * Sets the state by hand, or returns to automatic with `undefined`. Told to
   * others at once, up to 5 times a second; beyond that with the next telling.
   * @param by who asked by a single request: a sign of life as of {@link act},
   * of which nothing is told before the choice holds.
   * @param at when it was chosen, in Unix milliseconds, where several nodes have to agree: one that is older than
   * what stands has no effect.
   */
  choose(
    participantId: string,
    manual: ManualState | undefined,
    now: number,
    by?: Actor,
    at?: number,
  ): PresenceChange | undefined {
    const person = this.#people.living(participantId, now);
    if (this.#people.stands(person, at, now)) person.manual = manual;
    if (by !== undefined) this.#signOfLife(person, by, now);
    return this.#people.settle(person, now, true);
  }

  /** Takes note of what the durable facts say of a person. */
  introduce(
    participantId: string,
    facts: Omit<ManualFacts, "manual_at"> & { readonly manual_at?: number },
    now: number,
  ): PresenceChange | undefined {
    const person = this.#people.person(participantId);
    if (this.#people.stands(person, facts.manual_at, now)) person.manual = facts.manual;
    person.alwaysOnline = facts.alwaysOnline;
    return this.#people.settle(person, now);
  }

  /** A person is no more: all of it is forgotten, and others are told `offline` if they were told otherwise. */
  forget(participantId: string): PresenceChange | undefined {
    const person = this.#people.find(participantId);
    if (person === undefined) return undefined;
    this.#people.forget(person);
    for (const source of person.sources.splice(0)) source.ended = true;
    return person.told === "offline"
      ? undefined
      : { participant_id: participantId, own: "offline", told: "offline" };
  }

  /** Does what time alone has brought about by `now`. */
  expire(now: number): PresenceChange[] {
    return this.#people.expire(now);
  }

  /** When {@link expire} next has to be called. Calling it early does no harm. */
  nextAt(): number | undefined {
    return this.#people.nextAt();
  }

  /** Everyone who has a device, to be written down before an orderly stop. */
  remember(now: number): RememberedPerson[] {
    return [...this.#people.all()].flatMap(({ participant_id, told, sources }) =>
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
      const person = this.#people.person(participant_id);
      person.told = told;
      for (const { statement, active_ms, seen_ms, ...name } of sources) {
        const seenAt = now - downMs - seen_ms;
        const restUntil = name.door === "rest" ? seenAt + this.#rules.presence_ttl_ms : graceUntil;
        person.sources.push({
          ...name,
          owner: undefined,
          serial: undefined,
          statement: statement ?? undefined,
          said: statement === null ? 0 : seenAt,
          activeAt: now - downMs - active_ms,
          seenAt,
          lingersUntil: Math.max(graceUntil, restUntil),
          ended: false,
          person,
        });
      }
      this.#people.resume(person, now);
    }
  }

  #openSource(person: PersonEntry, name: Name, now: number): OwnSource {
    const sibling = person.sources.find((source) => isSameInstance(source, name));
    if (name.door !== "rest") this.#people.end(person, now, (each) => whyOver(each, name));
    const source: OwnSource = {
      owner: undefined,
      serial: undefined,
      device_id: name.device_id,
      door: name.door,
      instance: name.instance,
      statement: sibling?.statement,
      said: sibling?.said ?? 0,
      activeAt: sibling?.activeAt ?? now,
      seenAt: now,
      lingersUntil: undefined,
      person,
      ended: false,
    };
    person.sources.push(source);
    this.#endSurplus(person, now, source);
    return source;
  }

  #endSurplus(person: PersonEntry, now: number, opened: SourceEntry): void {
    if (person.sources.length <= MAX_SOURCES) return;
    const silent = person.sources.filter((source) => !isOpenSocket(source) && source !== opened);
    const [oldest] = silent.sort((a, b) => a.seenAt - b.seenAt);
    this.#people.end(person, now, (source) => (source === oldest ? "over" : undefined));
  }

  /** Nobody has a handle of the source that stands for a device's requests: it is renewed where it is. */
  #hearRequest(person: PersonEntry, device_id: string, activity: Activity, now: number): void {
    const name: Name = { device_id, instance: device_id, door: "rest" };
    const known = person.sources.find(
      (each) => each.owner === undefined && isSameSource(each, name),
    );
    const source = known ?? this.#openSource(person, name, now);
    source.seenAt = now;
    source.lingersUntil = undefined;
    listen(source, activity, now);
  }

  #signOfLife(person: PersonEntry, by: Actor, now: number): void {
    if (speaksBySocket(person, by)) return;
    const name = by.device_id ?? restDevice(by.token_id);
    const { idle_for_ms: age = 0 } = by;
    const known = person.sources.find(({ device_id }) => device_id === name);
    const idle_for_ms = known === undefined ? age : Math.min(age, now - known.activeAt);
    this.#hearRequest(person, name, { idle_for_ms }, now);
  }

  /** The entry behind a handle, heard of now; `undefined` when it was closed, lost or replaced. */
  #heard(handle: OpenSource, now: number): OwnSource | undefined {
    const source = entryOf(handle);
    if (source.ended || source.lingersUntil !== undefined) return undefined;
    if (!isIn(source) && !this.#revive(source)) return undefined;
    source.seenAt = now;
    return source;
  }

  /** A socket that had run out is heard of after all, as after the machine slept: it is back, unless another took its place. */
  #revive(source: OwnSource): boolean {
    const person = this.#people.person(source.person.participant_id);
    if (source.door !== "yjs" && person.sources.some((other) => isSameSource(other, source)))
      return false;
    // Its tab may have spoken through another door meanwhile.
    const sibling = person.sources.find((other) => isSameInstance(other, source));
    if (sibling !== undefined) {
      source.statement = sibling.statement;
      source.activeAt = sibling.activeAt;
      source.said = sibling.said;
    }
    source.person = person;
    person.sources.push(source);
    return true;
  }
}

function speaksBySocket({ sources }: Person, { device_id }: Pick<Actor, "device_id">): boolean {
  return sources.some(
    (source) => isOpenSocket(source) && (device_id ?? source.device_id) === source.device_id,
  );
}

/** A statement holds for all sources of its instance: they are one tab seen through several doors. */
function listen(speaker: SourceEntry, { state, idle_for_ms }: Activity, now: number): void {
  const activeAt =
    idle_for_ms !== undefined ? now - idle_for_ms : state === "online" ? now : undefined;
  if (state === undefined && activeAt === undefined) return;
  const { person } = speaker;
  person.said = Math.max(now, person.said + 1);
  for (const source of person.sources) {
    if (!isSameInstance(source, speaker)) continue;
    if (state !== undefined) source.statement = state;
    if (activeAt !== undefined) source.activeAt = activeAt;
    source.said = person.said;
  }
}

/** Handles are made by open() only, where they are entries. */
function entryOf(handle: OpenSource): OwnSource {
  return handle as OwnSource;
}

/** Whether a source still counts; one that has run out, was closed or replaced does not. */
function isIn(source: SourceEntry): boolean {
  return source.person.sources.includes(source);
}

function isSameSource(a: Name, b: Name): boolean {
  return a.door === b.door && isSameInstance(a, b);
}

/**
 * Why a source is over when a socket of this name opens, if it is: a socket takes over from the requests of its device,
 * from every device that only a token stands for, and from the socket of the same name.
 */
function whyOver(source: SourceEntry, name: Name): EndReason | undefined {
  const { door, device_id, lingersUntil } = source;
  if (door === "rest")
    return device_id === name.device_id || device_id.startsWith("rest:") ? "over" : undefined;
  if (!isSameSource(source, name)) return undefined;
  if (door === "stream") return "duplicate_connection";
  return lingersUntil === undefined ? undefined : "over";
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
