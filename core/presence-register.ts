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
import type {
  EndReason,
  ManualFacts,
  Owner,
  PersonContribution,
  PersonRecord,
  SharedSource,
} from "./presence-share.ts";

/** Choices by hand that are told at once, a person and second; the rest wait for `coalesce_ms`. */
const URGENT_PER_SECOND = 5;
const SECOND_MS = 1_000;
const NEVER = Number.NEGATIVE_INFINITY;

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
  /** Names it among all sources of the person. */
  id: string;
  /** The node that holds it, where that is another. */
  readonly owner: Owner | undefined;
  /** Whether it is in no record, as the one that it was in was lost. */
  isStray: boolean;
  /** See {@link SharedSource.said}: what was said last holds for all sources of an instance, on all nodes. */
  said: number;
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
  manualAt: number;
  /** The `manual_at` of the last record that was taken up. */
  recordedAt: number;
  /** That of the last record that was taken up; 0 before the first. */
  version: number;
  lineage: string | undefined;
  /** That of the record before the one that is known, which was lost: what comes of it comes late. */
  formerLineage: string | undefined;
  /** Whether it was taken to last while nothing was heard of other nodes: the same record then says more. */
  isHeld: boolean;
  /** Until then it is remembered, so that what comes late is known to be old. */
  keptUntil: number;
  /** Sources of other nodes that were ended here, for as long as whoever holds them may not have heard of it. */
  ended: Map<string, Ending> | undefined;
}

/** Why a source was ended, and until when others are told so. */
interface Ending {
  readonly why: EndReason;
  readonly until: number;
}

/** What came of a record. */
export interface RecordOutcome {
  /** What is to be told. */
  readonly change: PresenceChange | undefined;
  /** Which sources of this node others have ended. */
  readonly ended: readonly { readonly source: OpenSource; readonly why: EndReason }[];
  /** Whether this node has something else to contribute than what is in the record. */
  readonly isOutdated: boolean;
}

const NOTHING_NEW: RecordOutcome = { change: undefined, ended: [], isOutdated: false };

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
  readonly #node: string;
  /** Nodes that are no more, and until when what was connected to them lingers. */
  readonly #gone = new Map<string, number>();
  /** The last incarnations of nodes that came back. */
  readonly #back = new Map<string, number>();
  #opened = 0;

  /** @param node names this register among several that share records of the same people. */
  constructor(rules: PresenceRules, node: string = "") {
    this.#rules = rules;
    this.#node = node;
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

  /** Whether anything is known of a device. */
  knows(participantId: string, deviceId: string): boolean {
    const sources = this.#people.get(participantId)?.sources ?? [];
    return sources.some(({ device_id }) => device_id === deviceId);
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
    const source = this.#openSource(person, name, now);
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
    this.#hearRequest(person, deviceId, activity, now);
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
    this.#signOfLife(person, by, now);
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
    this.#end(source.person, now, (each) => each === source, "over");
    return wasIn ? this.#settle(source.person, now) : undefined;
  }

  /** A device signed off: all of its sources are gone at once. */
  signOff(participantId: string, deviceId: string, now: number): PresenceChange | undefined {
    const person = this.#people.get(participantId);
    if (person === undefined) return undefined;
    this.#end(person, now, ({ device_id }) => device_id === deviceId, "signed_off");
    return this.#settle(person, now);
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
    const person = this.#living(participantId, now);
    if (this.#stands(person, at, now)) person.manual = manual;
    if (by !== undefined) this.#signOfLife(person, by, now);
    return this.#settle(person, now, true);
  }

  /** Takes note of what the durable facts say of a person. */
  introduce(
    participantId: string,
    facts: Omit<ManualFacts, "manual_at"> & { readonly manual_at?: number },
    now: number,
  ): PresenceChange | undefined {
    const person = this.#person(participantId);
    if (this.#stands(person, facts.manual_at, now)) person.manual = facts.manual;
    person.alwaysOnline = facts.alwaysOnline;
    return this.#settle(person, now);
  }

  /**
   * A person is no more: all of it is forgotten, and others are told `offline` if they were told otherwise.
   * @param grave where several nodes have to agree: what they say of before `at`, in Unix milliseconds, stays forgotten.
   */
  forget(
    participantId: string,
    grave?: { readonly now: number; readonly at: number },
  ): PresenceChange | undefined {
    const person = this.#people.get(participantId);
    if (person === undefined) return undefined;
    this.#deadlines.delete(person);
    this.#people.delete(participantId);
    if (grave !== undefined) this.#keepGrave(person, grave);
    for (const source of person.sources.splice(0)) source.ended = true;
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
          id: this.#newId(),
          owner: undefined,
          isStray: false,
          statement: statement ?? undefined,
          said: statement === null ? 0 : seenAt,
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

  /** Whether a later choice is known of a person than that in their record. */
  isOutdated(participantId: string): boolean {
    const person = this.#people.get(participantId);
    return person !== undefined && person.version > 0 && person.manualAt > person.recordedAt;
  }

  /** What this node contributes to a person's record. */
  contribution(participantId: string, now: number): PersonContribution {
    const person = this.#people.get(participantId) ?? this.#unknown(participantId);
    const { version, manual, alwaysOnline, manualAt } = person;
    const isLive = (source: SourceEntry): boolean =>
      source.owner === undefined && endOf(source, this.#rules) > now;
    return {
      version,
      facts: { manual, alwaysOnline, manual_at: manualAt },
      sources: person.sources.filter(isLive).map((source) => sharedSource(source, now)),
      ended: Object.fromEntries(endingsOf(person, now)),
    };
  }

  /** Everyone who has a source on this node. */
  *own(): Generator<string> {
    for (const { participant_id, sources } of this.#people.values())
      if (sources.some(({ owner }) => owner === undefined)) yield participant_id;
  }

  /** Everyone who has set a state by hand. */
  *chosen(): Generator<string> {
    for (const { participant_id, manual } of this.#people.values())
      if (manual !== undefined) yield participant_id;
  }

  /** Everyone of whom another node holds a source. */
  *shared(): Generator<string> {
    for (const { participant_id, sources } of this.#people.values())
      if (sources.some(({ owner }) => owner !== undefined)) yield participant_id;
  }

  /**
   * Takes up a person's record, in place of what other nodes were known to hold.
   * One that is not newer than the last has no effect, and nodes that are no
   * more only what they had still lingers.
   */
  adopt(record: PersonRecord, now: number): RecordOutcome {
    const person = this.#person(record.participant_id);
    if (!isNews(person, record)) return NOTHING_NEW;
    dropHeard(person, now);
    person.version = record.version;
    person.isHeld = false;
    const isDenied = person.sources.some(
      ({ id, owner }) => owner === undefined && id in record.ended,
    );
    const ended = this.#takeUp(person, record, now);
    // What is over says nothing any more, also where the record lists it still.
    dropEnded(person, now, this.#rules);
    const hasAgreed = agree(person);
    const was = person.manual;
    const { facts } = record;
    person.recordedAt = facts?.manual_at ?? 0;
    if (facts !== undefined && this.#stands(person, facts.manual_at, now)) {
      person.manual = facts.manual;
      person.alwaysOnline = facts.alwaysOnline;
    }
    person.keptUntil = now + this.#rules.presence_ttl_ms;
    return {
      change: this.#settle(person, now, person.manual !== was),
      ended,
      isOutdated:
        hasAgreed ||
        isDenied ||
        person.manualAt > person.recordedAt ||
        isEndUnheard(person, record),
    };
  }

  /**
   * There is no record of the person: these nodes hold nothing of them, and what others were known to hold lingers for
   * `disconnect_grace_ms` at most.
   */
  disown(participantId: string, owners: readonly Owner[], now: number): PresenceChange | undefined {
    const person = this.#people.get(participantId);
    if (person === undefined) return undefined;
    remove(person, ({ owner }) => owners.some((each) => isSameOwner(each, owner)));
    for (const source of person.sources)
      if (source.owner !== undefined) this.#limit(source, now + this.#rules.disconnect_grace_ms);
    return this.#settle(person, now);
  }

  /**
   * A node is no more: what records say from now on to be connected to it lingers for so long at most. What is known
   * already stays as it is until {@link orphan}, as whoever it is about may be elsewhere by now.
   */
  noteGone(owner: Owner, lingerMs: number, now: number): void {
    const name = nameOf(owner);
    for (const [each, at] of this.#gone)
      if (at + this.#rules.presence_ttl_ms <= now) this.#gone.delete(each);
    const until = this.#gone.get(name) ?? Number.POSITIVE_INFINITY;
    this.#gone.set(name, Math.min(now + lingerMs, until));
  }

  /**
   * A node is no more: what was connected to it, in this incarnation or an earlier one, lingers for so long at most.
   * What was heard by requests is nobody's, and lives on.
   */
  orphan(owner: Owner, lingerMs: number, now: number): PresenceChange[] {
    this.noteGone(owner, lingerMs, now);
    const until = this.#gone.get(nameOf(owner)) ?? now;
    return this.#settleThose(now, (source) => {
      const { node, incarnation = 0 } = source.owner ?? {};
      return node === owner.node && incarnation <= owner.incarnation && this.#limit(source, until);
    });
  }

  /**
   * A node is there in an incarnation that follows others, and tells everything anew: what it had heard by requests
   * before is not nobody's any more, and lingers for `disconnect_grace_ms` at most.
   */
  supersede({ node, incarnation }: Owner, now: number): PresenceChange[] {
    this.#back.set(node, incarnation);
    const until = now + this.#rules.disconnect_grace_ms;
    return this.#settleThose(now, (source) => {
      const { owner, door } = source;
      const isEarlier = owner?.node === node && owner.incarnation < incarnation;
      if (door !== "rest" || !isEarlier) return false;
      source.lingersUntil = Math.min(until, endOf(source, this.#rules));
      return true;
    });
  }

  /**
   * Nothing is heard of other nodes for the time being: what they were last
   * known to hold is taken to last for `presence_ttl_ms`, as awake as it is. Of nodes that are no more nothing is to
   * be heard, so that what they had ends in its time.
   */
  hold(now: number): PresenceChange[] {
    const until = now + this.#rules.presence_ttl_ms;
    return this.#settleThose(now, (source) => {
      if (source.owner === undefined || this.#isNoMore(source.owner)) return false;
      source.person.isHeld = true;
      if (source.lingersUntil !== undefined)
        source.lingersUntil = Math.max(source.lingersUntil, until);
      source.seenAt = Math.max(source.seenAt, now);
      const isAwake = source.activeAt + this.#rules.idle_after_ms > now;
      if (isAwake) source.activeAt = Math.max(source.activeAt, until - this.#rules.idle_after_ms);
      return true;
    });
  }

  /**
   * Whether a choice of this instant stands against the one that is known; then it is the one that is known, and
   * remembered for as long as an older one may come late.
   */
  #stands(person: PersonEntry, at: number | undefined, now: number): boolean {
    if (at === undefined) return true;
    if (at < person.manualAt) return false;
    person.manualAt = at;
    if (at > 0) person.keptUntil = now + this.#rules.presence_ttl_ms;
    return true;
  }

  /** Whether a node is no more, and has not come back since. */
  #isNoMore(owner: Owner): boolean {
    const { node, incarnation } = owner;
    const back = Math.max(incarnation, this.#back.get(node) ?? 0);
    return this.#gone.has(nameOf({ node, incarnation: back }));
  }

  /** Remembers of someone who is no more how far the record had come. */
  #keepGrave(
    { participant_id, version, lineage, formerLineage, sources, ended = new Map() }: PersonEntry,
    { now, at }: { readonly now: number; readonly at: number },
  ): void {
    const grave = this.#person(participant_id);
    // Before the nodes that hold them hear of it, nobody is to be there by them.
    const until = now + this.#rules.presence_ttl_ms;
    for (const { id, owner } of sources)
      if (owner !== undefined) ended.set(id, { why: "signed_off", until });
    if (ended.size > 0) grave.ended = ended;
    grave.version = version;
    grave.lineage = lineage;
    grave.formerLineage = formerLineage;
    grave.manualAt = at;
    grave.keptUntil = now + this.#rules.presence_ttl_ms;
    this.#deadlines.set(grave, grave.keptUntil);
  }

  /** Puts what a record says of other nodes' sources in place of what was known. Answers those of this node that were ended. */
  #takeUp(person: PersonEntry, record: PersonRecord, now: number): RecordOutcome["ended"] {
    this.#giveUp(person, record, now);
    for (const { owner, age_ms, sources } of record.shares) {
      for (const shared of sources) {
        if (shared.id in record.ended || person.ended?.has(shared.id)) continue;
        person.sources.push(this.#foreignSource(person, owner, shared, now - age_ms));
      }
    }
    const ended = person.sources.flatMap((source) => {
      const why = source.owner === undefined ? record.ended[source.id] : undefined;
      return why === undefined || this.#isMistaken(source, why) ? [] : { source, why };
    });
    for (const { source } of ended) endLocal(person, source);
    return ended;
  }

  /** Whoever took it to be lost, as while this node was cut off, hears of it anew. */
  #isMistaken(source: SourceEntry, why: EndReason): boolean {
    if (why !== "over" || !isOpenSocket(source)) return false;
    source.id = this.#newId();
    return true;
  }

  /** Lets go of what other nodes were known to hold. Of a record that was lost they may not have said it again yet. */
  #giveUp(person: PersonEntry, { lineage, shares }: PersonRecord, now: number): void {
    const isAnew = person.lineage !== undefined && person.lineage !== lineage;
    if (isAnew) person.formerLineage = person.lineage;
    person.lineage = lineage;
    const until = now + this.#rules.disconnect_grace_ms;
    for (const source of person.sources) {
      if (source.owner === undefined) continue;
      source.isStray ||= isAnew;
      if (source.isStray) this.#limit(source, until);
    }
    const isBack = ({ owner }: SourceEntry): boolean =>
      shares.some(({ owner: { node } }) => node === owner?.node);
    remove(person, (each) => each.owner !== undefined && (!each.isStray || isBack(each)));
  }

  /** Lets what is connected to another node linger until then at most. What was heard by requests lives on: answers false. */
  #limit(source: SourceEntry, until: number): boolean {
    if (source.door === "rest") return false;
    source.lingersUntil = Math.min(until, endOf(source, this.#rules));
    return true;
  }

  #foreignSource(person: PersonEntry, owner: Owner, shared: SharedSource, at: number): SourceEntry {
    const { id, device_id, door, instance, statement, said, active_ms, seen_ms } = shared;
    const until = shared.lingers_ms === null ? undefined : at + shared.lingers_ms;
    const seenAt = at - seen_ms;
    const goneAt = door === "rest" ? undefined : this.#gone.get(nameOf(owner));
    // Whoever had run out before the node was gone does not begin to linger with it.
    const endsAt = until ?? seenAt + this.#rules.presence_ttl_ms;
    return {
      id,
      owner,
      isStray: false,
      device_id,
      door,
      instance,
      statement: statement ?? undefined,
      said,
      activeAt: at - active_ms,
      seenAt,
      lingersUntil: goneAt === undefined ? until : Math.min(goneAt, endsAt),
      ended: false,
      person,
    };
  }

  /** Finds out what changed with everyone of whom a source was looked at and changed. */
  #settleThose(now: number, change: (source: SourceEntry) => boolean): PresenceChange[] {
    return [...this.#people.values()].flatMap((person) => {
      const isChanged = person.sources.filter(change).length > 0;
      return (isChanged ? this.#settle(person, now) : undefined) ?? [];
    });
  }

  #newId(): string {
    this.#opened += 1;
    return `${this.#node}.${this.#opened.toString(36)}`;
  }

  #openSource(person: PersonEntry, name: Name, now: number): SourceEntry {
    const sibling = person.sources.find((source) => isSameInstance(source, name));
    if (name.door !== "rest") this.#endRequests(person, now, name.device_id);
    const why = name.door === "yjs" ? "over" : "duplicate_connection";
    this.#end(person, now, (each) => givesWay(each, name), why);
    const source: SourceEntry = {
      id: this.#newId(),
      owner: undefined,
      isStray: false,
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

  /** Ends sources for good: what has only run out can come back, these cannot. Other nodes are to hear of theirs. */
  #end(
    person: PersonEntry,
    now: number,
    ends: (source: SourceEntry) => boolean,
    why: EndReason,
  ): void {
    const until = now + this.#rules.presence_ttl_ms;
    for (const source of remove(person, ends)) {
      source.ended = true;
      if (source.owner === undefined) continue;
      person.ended ??= new Map();
      person.ended.set(source.id, { why, until });
      person.keptUntil = Math.max(person.keptUntil, until);
    }
  }

  #endSurplus(person: PersonEntry, now: number, opened: SourceEntry): void {
    if (person.sources.length <= MAX_SOURCES) return;
    const silent = person.sources.filter((source) => !isOpenSocket(source) && source !== opened);
    const [oldest] = silent.sort((a, b) => a.seenAt - b.seenAt);
    this.#end(person, now, (source) => source === oldest, "over");
  }

  /** A socket takes over from the requests of its device, and from every device that only a token stands for. */
  #endRequests(person: PersonEntry, now: number, deviceId: string): void {
    this.#end(
      person,
      now,
      ({ door, device_id }) =>
        door === "rest" && (device_id === deviceId || device_id.startsWith("rest:")),
      "over",
    );
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
      source.said = sibling.said;
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
      toldAt: NEVER,
      urgentSince: NEVER,
      urgentCount: 0,
      manualAt: 0,
      recordedAt: 0,
      version: 0,
      lineage: undefined,
      formerLineage: undefined,
      isHeld: false,
      keptUntil: NEVER,
      ended: undefined,
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
      dueAt = Math.max(person.toldAt + Math.max(coalesce_ms, SECOND_MS), person.keptUntil);
      if (dueAt <= now) {
        this.#people.delete(person.participant_id);
        this.#deadlines.delete(person);
        return;
      }
    }
    if (dueAt < Number.POSITIVE_INFINITY) this.#deadlines.setAtLatest(person, dueAt);
  }
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
  if (state === undefined && activeAt === undefined) return;
  const instance = speaker.person.sources.filter((source) => isSameInstance(source, speaker));
  const said = Math.max(now, ...instance.map((source) => source.said + 1));
  for (const source of instance) {
    if (state !== undefined) source.statement = state;
    if (activeAt !== undefined) source.activeAt = activeAt;
    source.said = said;
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

/** Whether a source is over when one of this name opens. What requests of a device reached on other nodes runs out by itself. */
function givesWay(source: SourceEntry, name: Name): boolean {
  if (name.door === "rest" && source.owner !== undefined) return false;
  return isSameSource(source, name) && (name.door !== "yjs" || source.lingersUntil !== undefined);
}

function endLocal(person: PersonEntry, source: SourceEntry): void {
  source.ended = true;
  remove(person, (each) => each === source);
}

/** Takes sources out, and answers them. */
function remove({ sources }: PersonEntry, goes: (source: SourceEntry) => boolean): SourceEntry[] {
  const removed: SourceEntry[] = [];
  for (let index = sources.length - 1; index >= 0; index -= 1) {
    const source = sources[index];
    if (source === undefined || !goes(source)) continue;
    removed.push(source);
    sources.splice(index, 1);
  }
  return removed;
}

/** What an instance said last, on whichever node, holds for all of its sources. Answers whether it changes one of this node. */
function agree({ sources }: PersonEntry): boolean {
  let changesOwn = false;
  for (const source of sources) {
    for (const other of sources) {
      if (other.said <= source.said || !isSameInstance(other, source)) continue;
      source.statement = other.statement;
      source.activeAt = other.activeAt;
      source.said = other.said;
      changesOwn ||= source.owner === undefined;
    }
  }
  return changesOwn;
}

/** The sources of other nodes that were ended here of late, and why. */
function endingsOf({ ended }: PersonEntry, now: number): [id: string, why: EndReason][] {
  return [...(ended ?? [])].flatMap(([id, { why, until }]) => (until > now ? [[id, why]] : []));
}

/** Lets go of what was ended so long ago that nobody brings it up any more. */
function dropHeard(person: PersonEntry, now: number): void {
  for (const [id, { until }] of person.ended ?? []) if (until <= now) person.ended?.delete(id);
  if (person.ended?.size === 0) person.ended = undefined;
}

/** Whether a record lists a source that was ended here, and does not say so. */
function isEndUnheard({ ended }: PersonEntry, record: PersonRecord): boolean {
  return record.shares.some(({ sources }) =>
    sources.some(({ id }) => ended?.has(id) === true && !(id in record.ended)),
  );
}

/** Whether a record says more than the last one. One that was lost and begun anew does whatever its version is. */
function isNews(person: PersonEntry, { version, lineage }: PersonRecord): boolean {
  if (person.lineage !== lineage) return lineage !== person.formerLineage;
  return version > person.version || (version === person.version && person.isHeld);
}

function isSameOwner(a: Owner, b: Owner | undefined): boolean {
  return b !== undefined && a.node === b.node && a.incarnation === b.incarnation;
}

function nameOf({ node, incarnation }: Owner): string {
  return `${node}/${incarnation}`;
}

function isOpenSocket({ door, lingersUntil }: Source): boolean {
  return door !== "rest" && lingersUntil === undefined;
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

function sharedSource(
  { id, device_id, door, instance, statement, said, activeAt, seenAt, lingersUntil }: SourceEntry,
  now: number,
): SharedSource {
  return {
    id,
    device_id,
    door,
    instance,
    statement: statement ?? null,
    said,
    active_ms: now - activeAt,
    seen_ms: now - seenAt,
    lingers_ms: lingersUntil === undefined ? null : lingersUntil - now,
  };
}
