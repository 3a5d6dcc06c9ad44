import { People, type PresenceChange } from "./people.ts";
import {
  dropEnded,
  type ForeignSource,
  isOpenSocket,
  isSameInstance,
  type KnownRecord,
  type OwnSource,
  type PersonEntry,
  remove,
  type SourceEntry,
  unknownPerson,
} from "./person-entry.ts";
import { endOf, type PresenceRules } from "./presence.ts";
import { type OpenSource, PresenceRegister } from "./presence-register.ts";
import type {
  EndReason,
  Owner,
  PersonContribution,
  PersonRecord,
  SharedSource,
} from "./presence-share.ts";

/** What came of a record. */
export interface RecordOutcome {
  /** What is to be told. */
  readonly change: PresenceChange | undefined;
  /** Which sources of this node others have ended. */
  readonly ended: readonly { readonly source: OpenSource; readonly why: EndReason }[];
  /** Whether this node has something else to contribute than what is in the record. */
  readonly isOutdated: boolean;
  /** Whether it tells of a choice that this node did not hear of when it was made: there may be a later one that no record tells of. */
  readonly isHearsay: boolean;
}

const NOTHING_NEW: RecordOutcome = {
  change: undefined,
  ended: [],
  isOutdated: false,
  isHearsay: false,
};

/**
 * One node's part in the presence that several share.
 *
 * What devices say goes to its {@link register}, which answers for all nodes.
 * What this node knows by itself of a person is their {@link contribution},
 * what all know their record, which each node {@link adopt | adopts}. As in the
 * register, each operation returns what is to be told, and every `now` is
 * milliseconds on one clock that never goes back; those of nodes may differ.
 */
export class SharedPresence {
  /** Is told what devices say at this node, and answers with what all nodes know. */
  readonly register: PresenceRegister;
  readonly #people: People;
  readonly #rules: PresenceRules;
  readonly #node: string;
  /** Nodes that are no more, and until when what was connected to them lingers. */
  readonly #gone = new Map<string, number>();
  /** The last incarnations of nodes that came back. */
  readonly #back = new Map<string, number>();
  #serials = 0;

  /** @param node names this process, as none before or after it is named: the ids of its sources begin with it. */
  constructor(rules: PresenceRules, node: string) {
    this.#rules = rules;
    this.#node = node;
    this.#people = new People(rules);
    this.register = new PresenceRegister(rules, this.#people);
  }

  /** Whether a later choice is known of a person than that in their record. */
  isOutdated(participantId: string): boolean {
    const person = this.#people.find(participantId);
    return person?.record !== undefined && person.manualAt > person.record.chosenAt;
  }

  /** What this node contributes to a person's record. */
  contribution(participantId: string, now: number): PersonContribution {
    const person = this.#people.find(participantId) ?? unknownPerson(participantId);
    const { record, manual, alwaysOnline, manualAt } = person;
    const living = person.sources.filter((source) => endOf(source, this.#rules) > now);
    return {
      version: record?.version ?? 0,
      facts: { manual, alwaysOnline, manual_at: manualAt },
      sources: living.filter(isOwn).map((source) => sharedSource(source, this.#idOf(source), now)),
      ended: Object.fromEntries(endingsOf(person, now)),
    };
  }

  /** Everyone who has a source on this node. */
  *own(): Generator<string> {
    for (const { participant_id, sources } of this.#people.all())
      if (sources.some(isOwn)) yield participant_id;
  }

  /** Everyone who has set a state by hand. */
  *chosen(): Generator<string> {
    for (const { participant_id, manual } of this.#people.all())
      if (manual !== undefined) yield participant_id;
  }

  /** Everyone of whom another node holds a source. */
  *shared(): Generator<string> {
    for (const { participant_id, sources } of this.#people.all())
      if (sources.some(isForeign)) yield participant_id;
  }

  /**
   * Takes up a person's record, in place of what other nodes were known to hold.
   * One that is not newer than the last has no effect, and nodes that are no
   * more only what they had still lingers.
   */
  adopt(record: PersonRecord, now: number): RecordOutcome {
    const person = this.#people.person(record.participant_id);
    if (!isNews(person, record)) return NOTHING_NEW;
    dropHeard(person, now);
    const isDenied = person.sources.some(
      (source) => isOwn(source) && this.#idOf(source) in record.ended,
    );
    const { ended, replaced } = this.#takeUp(person, record, now);
    // What is over says nothing any more, also where the record lists it still.
    dropEnded(person, now, this.#rules);
    const living = replaced.filter((source) => endOf(source, this.#rules) > now);
    const hasAgreed = agree([...person.sources, ...living]);
    const was = person.manual;
    const { facts } = record;
    const chosenAt = facts?.manual_at ?? 0;
    const isHearsay =
      person.record === undefined && record.version > 1 && chosenAt > person.manualAt;
    if (facts !== undefined && this.#people.stands(person, chosenAt, now)) {
      person.manual = facts.manual;
      person.alwaysOnline = facts.alwaysOnline;
    }
    person.record = following(person.record, record);
    person.keptUntil = now + this.#rules.presence_ttl_ms;
    return {
      change: this.#people.settle(person, now, person.manual !== was),
      ended,
      isOutdated:
        hasAgreed || isDenied || person.manualAt > chosenAt || isEndUnheard(person, record),
      isHearsay,
    };
  }

  /**
   * There is no record of the person: these nodes hold nothing of them, and what others were known to hold lingers for
   * `disconnect_grace_ms` at most.
   */
  disown(participantId: string, owners: readonly Owner[], now: number): PresenceChange | undefined {
    const person = this.#people.find(participantId);
    if (person === undefined) return undefined;
    remove(person, ({ owner }) => owners.some((each) => isSameOwner(each, owner)));
    const until = now + this.#rules.disconnect_grace_ms;
    for (const source of person.sources.filter(isForeign))
      source.lingersUntil = Math.min(until, endOf(source, this.#rules));
    return this.#people.settle(person, now);
  }

  /**
   * A person is no more, as {@link PresenceRegister.forget} has it. How far their record had come is remembered for
   * `presence_ttl_ms`: what other nodes say of before `at`, in Unix milliseconds, stays forgotten.
   */
  forget(
    participantId: string,
    { now, at }: { readonly now: number; readonly at: number },
  ): PresenceChange | undefined {
    const person = this.#people.find(participantId);
    if (person === undefined) return undefined;
    // Before the nodes that hold them hear of it, nobody is to be there by them.
    this.#people.end(person, now, (each) => (isForeign(each) ? "signed_off" : undefined));
    const change = this.register.forget(participantId);
    const grave = this.#people.person(participantId);
    grave.record = person.record && { ...person.record, chosenAt: 0, isHeld: false };
    grave.endings = person.endings;
    grave.manualAt = at;
    this.#people.keep(grave, now + this.#rules.presence_ttl_ms);
    return change;
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
      const { node, incarnation } = source.owner;
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
      const isEarlier = owner.node === node && owner.incarnation < incarnation;
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
    return this.#settleThose(now, (source, record) => {
      if (this.#isNoMore(source.owner)) return false;
      record.isHeld = true;
      if (source.lingersUntil !== undefined)
        source.lingersUntil = Math.max(source.lingersUntil, until);
      source.seenAt = Math.max(source.seenAt, now);
      const isAwake = source.activeAt + this.#rules.idle_after_ms > now;
      if (isAwake) source.activeAt = Math.max(source.activeAt, until - this.#rules.idle_after_ms);
      return true;
    });
  }

  /** Whether a node is no more, and has not come back since. */
  #isNoMore(owner: Owner): boolean {
    const { node, incarnation } = owner;
    const back = Math.max(incarnation, this.#back.get(node) ?? 0);
    return this.#gone.has(nameOf({ node, incarnation: back }));
  }

  /** Finds out what changed with everyone of whom a source of another node was looked at and changed. */
  #settleThose(
    now: number,
    change: (source: ForeignSource, record: KnownRecord) => boolean,
  ): PresenceChange[] {
    return [...this.#people.all()].flatMap((person) => {
      const { record, sources } = person;
      // Whatever is known of other nodes is from a record.
      if (record === undefined) return [];
      const isChanged =
        sources.filter(isForeign).filter((source) => change(source, record)).length > 0;
      return (isChanged ? this.#people.settle(person, now) : undefined) ?? [];
    });
  }

  /**
   * Puts what a record says of other nodes' sources in place of what was known. Answers those of this node that were
   * ended, and those of others that this one has replaced and that have said something since: before their node heard
   * of it, it was their instance that spoke.
   */
  #takeUp(
    person: PersonEntry,
    record: PersonRecord,
    now: number,
  ): Pick<RecordOutcome, "ended"> & { readonly replaced: readonly ForeignSource[] } {
    this.#giveUp(person, record, now);
    const replaced: ForeignSource[] = [];
    for (const { owner, age_ms, sources } of record.shares) {
      for (const shared of sources) {
        person.said = Math.max(person.said, shared.said);
        const ending = person.endings?.get(shared.id);
        const source = this.#foreignSource(person, owner, shared, now - age_ms);
        if (ending === undefined && !(shared.id in record.ended)) person.sources.push(source);
        else if (ending?.why === "over" && shared.said > ending.said) replaced.push(source);
      }
    }
    const ended = person.sources.filter(isOwn).flatMap((source) => {
      const why = record.ended[this.#idOf(source)];
      return why === undefined || this.#isMistaken(source, why) ? [] : { source, why };
    });
    for (const { source } of ended) {
      source.ended = true;
      remove(person, (each) => each === source);
    }
    return { ended, replaced };
  }

  /** Whoever took it to be lost, as while this node was cut off, hears of it anew. */
  #isMistaken(source: OwnSource, why: EndReason): boolean {
    if (why !== "over" || !isOpenSocket(source)) return false;
    source.serial = undefined;
    return true;
  }

  /** Lets go of what other nodes were known to hold. Of a record that was lost they may not have said it again yet. */
  #giveUp(person: PersonEntry, record: PersonRecord, now: number): void {
    const isAnew = isBegunAnew(person.record, record);
    const until = now + this.#rules.disconnect_grace_ms;
    for (const source of person.sources.filter(isForeign)) {
      source.isStray ||= isAnew;
      if (source.isStray) this.#limit(source, until);
    }
    const isBack = ({ owner: { node } }: ForeignSource): boolean =>
      record.shares.some(({ owner }) => owner.node === node);
    remove(person, (each) => isForeign(each) && (!each.isStray || isBack(each)));
  }

  /** Lets what is connected to another node linger until then at most. What was heard by requests lives on: answers false. */
  #limit(source: ForeignSource, until: number): boolean {
    if (source.door === "rest") return false;
    source.lingersUntil = Math.min(until, endOf(source, this.#rules));
    return true;
  }

  #foreignSource(
    person: PersonEntry,
    owner: Owner,
    shared: SharedSource,
    at: number,
  ): ForeignSource {
    const { id, device_id, door, instance, statement, said, active_ms, seen_ms } = shared;
    const until = shared.lingers_ms === null ? undefined : at + shared.lingers_ms;
    const seenAt = at - seen_ms;
    const goneAt = door === "rest" ? undefined : this.#gone.get(nameOf(owner));
    // Whoever had run out before the node was gone does not begin to linger with it.
    const endsAt = until ?? seenAt + this.#rules.presence_ttl_ms;
    return {
      owner,
      id,
      isStray: false,
      device_id,
      door,
      instance,
      statement: statement ?? undefined,
      said,
      activeAt: at - active_ms,
      seenAt,
      lingersUntil: goneAt === undefined ? until : Math.min(goneAt, endsAt),
      person,
      ended: false,
    };
  }

  /** What names a source of this node among all sources of its person, on all nodes, for good. */
  #idOf(source: OwnSource): string {
    if (source.serial === undefined) {
      this.#serials += 1;
      source.serial = this.#serials;
    }
    return `${this.#node}.${source.serial.toString(36)}`;
  }
}

function isOwn(source: SourceEntry): source is OwnSource {
  return source.owner === undefined;
}

function isForeign(source: SourceEntry): source is ForeignSource {
  return source.owner !== undefined;
}

/** Whether a record says more than the last one. One that was lost and begun anew does whatever its version is. */
function isNews({ record: known }: PersonEntry, record: PersonRecord): boolean {
  if (known === undefined) return true;
  if (isBegunAnew(known, record)) return record.lineage !== known.formerLineage;
  return record.version > known.version || (record.version === known.version && known.isHeld);
}

/** Whether a record was lost and begun anew since the one that is known. */
function isBegunAnew(known: KnownRecord | undefined, { lineage }: PersonRecord): boolean {
  return known !== undefined && known.lineage !== lineage;
}

/** What is to be known of a record, from now on, in place of the one before. */
function following(known: KnownRecord | undefined, record: PersonRecord): KnownRecord {
  return {
    version: record.version,
    lineage: record.lineage,
    formerLineage: known?.lineage === record.lineage ? known.formerLineage : known?.lineage,
    chosenAt: record.facts?.manual_at ?? 0,
    isHeld: false,
  };
}

/** What an instance said last, on whichever node, holds for all of its sources. Answers whether it changes one of this node. */
function agree(sources: readonly SourceEntry[]): boolean {
  let changesOwn = false;
  for (const source of sources) {
    for (const other of sources) {
      if (other.said <= source.said || !isSameInstance(other, source)) continue;
      source.statement = other.statement;
      source.activeAt = other.activeAt;
      source.said = other.said;
      changesOwn ||= isOwn(source);
    }
  }
  return changesOwn;
}

/** The sources of other nodes that were ended here of late, and why. */
function endingsOf({ endings }: PersonEntry, now: number): [id: string, why: EndReason][] {
  return [...(endings ?? [])].flatMap(([id, { why, until }]) => (until > now ? [[id, why]] : []));
}

/** Lets go of what was ended so long ago that nobody brings it up any more. */
function dropHeard(person: PersonEntry, now: number): void {
  for (const [id, { until }] of person.endings ?? []) if (until <= now) person.endings?.delete(id);
  if (person.endings?.size === 0) person.endings = undefined;
}

/** Whether a record lists a source that was ended here, and does not say so. */
function isEndUnheard({ endings }: PersonEntry, record: PersonRecord): boolean {
  return record.shares.some(({ sources }) =>
    sources.some(({ id }) => endings?.has(id) === true && !(id in record.ended)),
  );
}

function isSameOwner(a: Owner, b: Owner | undefined): boolean {
  return b !== undefined && a.node === b.node && a.incarnation === b.incarnation;
}

function nameOf({ node, incarnation }: Owner): string {
  return `${node}/${incarnation}`;
}

function sharedSource(
  { device_id, door, instance, statement, said, activeAt, seenAt, lingersUntil }: OwnSource,
  id: string,
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
