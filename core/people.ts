import { DeadlineQueue } from "./deadlines.ts";
import {
  dropEnded,
  type PersonEntry,
  remove,
  type SourceEntry,
  unknownPerson,
} from "./person-entry.ts";
import {
  effectiveState,
  type PresenceRules,
  type PresenceState,
  type VisibleState,
  visibleState,
} from "./presence.ts";
import type { EndReason } from "./presence-share.ts";
import { SplitMap } from "./split-map.ts";

/** Choices by hand that are told at once, a person and second; the rest wait for `coalesce_ms`. */
const URGENT_PER_SECOND = 5;
const SECOND_MS = 1_000;

/** What became of one person. Absent means unchanged: nothing is to be sent. */
export interface PresenceChange {
  readonly participant_id: string;
  /** The new effective state, for the person's own devices. */
  readonly own: PresenceState | undefined;
  /** The new state for everybody else. */
  readonly told: VisibleState | undefined;
}

/**
 * Everyone whom a register knows, each looked at again when time alone changes
 * something about them.
 *
 * Whoever changes an entry calls {@link settle} with it, which finds out what
 * there is to tell. Every `now` is milliseconds on one clock that never goes back.
 */
export class People {
  readonly rules: PresenceRules;
  readonly #people = new SplitMap<PersonEntry>();
  readonly #deadlines = new DeadlineQueue<PersonEntry>();
  #tellings = 0;

  constructor(rules: PresenceRules) {
    this.rules = rules;
  }

  get size(): number {
    return this.#people.size;
  }

  /** Grows whenever what others are shown of somebody may have changed. */
  get tellings(): number {
    return this.#tellings;
  }

  all(): Iterable<PersonEntry> {
    return this.#people.values();
  }

  find(participantId: string): PersonEntry | undefined {
    return this.#people.get(participantId);
  }

  /** A person who is known from now on. */
  person(participantId: string): PersonEntry {
    const known = this.#people.get(participantId);
    if (known !== undefined) return known;
    const person = unknownPerson(participantId);
    this.#people.set(participantId, person);
    return person;
  }

  /** A person without what has ended by `now`, even where the timer is late. */
  living(participantId: string, now: number): PersonEntry {
    const person = this.person(participantId);
    dropEnded(person, now, this.rules);
    return person;
  }

  /** Ends sources for good: what has only run out can come back, these cannot. Other nodes are to hear of theirs. */
  end(
    person: PersonEntry,
    now: number,
    whyOver: (source: SourceEntry) => EndReason | undefined,
  ): void {
    const until = now + this.rules.presence_ttl_ms;
    remove(person, (source) => {
      const why = whyOver(source);
      if (why === undefined) return false;
      source.ended = true;
      if (source.owner === undefined) return true;
      person.endings ??= new Map();
      person.endings.set(source.id, { why, until, said: source.said });
      person.keptUntil = Math.max(person.keptUntil, until);
      return true;
    });
  }

  /**
   * Whether a choice of this instant, in Unix milliseconds, stands against the one that is known; then it is the one
   * that is known, and remembered for as long as an older one may come late.
   */
  stands(person: PersonEntry, at: number | undefined, now: number): boolean {
    if (at === undefined) return true;
    if (at < person.manualAt) return false;
    person.manualAt = at;
    if (at > 0) person.keptUntil = now + this.rules.presence_ttl_ms;
    return true;
  }

  /** Drops what has ended, finds out what changed, and sees to it that the person comes up again in time. */
  settle(person: PersonEntry, now: number, byHand = false): PresenceChange | undefined {
    const next = dropEnded(person, now, this.rules);
    const effective = effectiveState(person, now, this.rules);
    const own = effective === person.effective ? undefined : effective;
    person.effective = effective;
    const visible = visibleState(person, now, this.rules, effective);
    const told = this.#tell(person, visible, now, byHand);
    this.#schedule(person, visible, next, now);
    return own === undefined && told === undefined
      ? undefined
      : { participant_id: person.participant_id, own, told };
  }

  /** Takes a person for what they are, of which others were told before. */
  resume(person: PersonEntry, now: number): void {
    this.#tellings += 1;
    const next = dropEnded(person, now, this.rules);
    person.effective = effectiveState(person, now, this.rules);
    this.#schedule(person, visibleState(person, now, this.rules), next, now);
  }

  /** Does what time alone has brought about by `now`. */
  expire(now: number): PresenceChange[] {
    const changes: PresenceChange[] = [];
    for (
      let person = this.#deadlines.take(now);
      person !== undefined;
      person = this.#deadlines.take(now)
    ) {
      const change = this.settle(person, now);
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  /** When {@link expire} next has to be called. Calling it early does no harm. */
  nextAt(): number | undefined {
    return this.#deadlines.nextAt();
  }

  /** Remembers of somebody until then what is known of them, also where that is nothing that others could see. */
  keep(person: PersonEntry, until: number): void {
    person.keptUntil = until;
    this.#deadlines.set(person, until);
  }

  forget(person: PersonEntry): void {
    this.#tellings += 1;
    this.#people.delete(person.participant_id);
    this.#deadlines.delete(person);
  }

  #tell(
    person: PersonEntry,
    visible: VisibleState,
    now: number,
    byHand: boolean,
  ): VisibleState | undefined {
    if (visible === person.told) return undefined;
    const quiet = now >= person.toldAt + this.rules.coalesce_ms;
    // Asked also when it is quiet: the first choice of a second is one of its five.
    const hurries = byHand && mayHurry(person, now);
    if (!quiet && !hurries) return undefined;
    if (byHand) person.urgentCount += 1;
    person.told = visible;
    person.toldAt = now;
    this.#tellings += 1;
    return visible;
  }

  /** @param next when the first of the person's sources ends or turns idle, or infinity. */
  #schedule(person: PersonEntry, visible: VisibleState, next: number, now: number): void {
    const { coalesce_ms } = this.rules;
    let dueAt = next;
    if (person.told !== visible) dueAt = Math.min(next, person.toldAt + coalesce_ms);
    else if (isForgettable(person)) {
      dueAt = Math.max(person.toldAt + Math.max(coalesce_ms, SECOND_MS), person.keptUntil);
      if (dueAt <= now) {
        this.forget(person);
        return;
      }
    }
    if (dueAt < Number.POSITIVE_INFINITY) this.#deadlines.setAtLatest(person, dueAt);
  }
}

function mayHurry(person: PersonEntry, now: number): boolean {
  if (now >= person.urgentSince + SECOND_MS) {
    person.urgentSince = now;
    person.urgentCount = 0;
  }
  return person.urgentCount < URGENT_PER_SECOND;
}

/** Whether nothing of a person is left that others could see, now or later. */
function isForgettable(person: PersonEntry): boolean {
  return person.sources.length === 0 && person.manual === undefined && !person.alwaysOnline;
}
