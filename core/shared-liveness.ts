import { inOrder, type LivenessChange, LivenessRegister, type Moment } from "./liveness.ts";
import type { PresenceRules } from "./presence.ts";
import type { Owner, PersonContribution, PersonRecord } from "./presence-share.ts";
import { type RecordOutcome, SharedPresence } from "./shared-presence.ts";
import { type TypingChange, TypingRegister, type TypingRules } from "./typing.ts";

/** What came of a record, with what is to be told of it in order. */
export interface LivenessOutcome extends Omit<RecordOutcome, "change"> {
  readonly changes: readonly LivenessChange[];
}

/**
 * One node's part in who is around on several: a {@link SharedPresence}, and
 * what typing has to do with it.
 *
 * What devices say goes to its {@link register}. Who types is not shared: each
 * node is told of it as it happens.
 */
export class SharedLiveness {
  /** Is told what devices say at this node, and answers with what all nodes know. */
  readonly register: LivenessRegister;
  readonly #presence: SharedPresence;
  readonly #typing: TypingRegister;

  /** @param node names this process, as none before or after it is named: the ids of its sources begin with it. */
  constructor(rules: PresenceRules & TypingRules, node: string) {
    this.#presence = new SharedPresence(rules, node);
    this.#typing = new TypingRegister(rules);
    this.register = new LivenessRegister(rules, this.#presence.register, this.#typing);
  }

  /** Whether a later choice is known of a person than that in their record. */
  isOutdated(participantId: string): boolean {
    return this.#presence.isOutdated(participantId);
  }

  /** What this node contributes to a person's record: see {@link SharedPresence.contribution}. */
  contribution(participantId: string, now: Moment): PersonContribution {
    return this.#presence.contribution(participantId, now.elapsed);
  }

  /** Everyone who has a source on this node. */
  own(): Iterable<string> {
    return this.#presence.own();
  }

  /** Everyone who has set a state by hand. */
  chosen(): Iterable<string> {
    return this.#presence.chosen();
  }

  /** Everyone of whom another node holds a source. */
  shared(): Iterable<string> {
    return this.#presence.shared();
  }

  /**
   * Takes up a person's record: see {@link SharedPresence.adopt}. What was
   * typed on a device that is gone by it, or by someone who hides by it, ends first.
   */
  adopt(record: PersonRecord, now: Moment): LivenessOutcome {
    const { participant_id } = record;
    const lost = this.#typesThrough(participant_id);
    const { change, ...outcome } = this.#presence.adopt(record, now.elapsed);
    const stopped = this.#stopTypingThrough(participant_id, lost(), now);
    const hidden = this.#stopTypingToHide(participant_id, now);
    return { ...outcome, changes: inOrder([...stopped, ...hidden], change) };
  }

  /** There is no record of the person: see {@link SharedPresence.disown}. What was typed on a device that is gone by it ends first. */
  disown(participantId: string, owners: readonly Owner[], now: Moment): readonly LivenessChange[] {
    const lost = this.#typesThrough(participantId);
    const change = this.#presence.disown(participantId, owners, now.elapsed);
    return inOrder(this.#stopTypingThrough(participantId, lost(), now), change);
  }

  /** A person is no more: their typing ends, and for the rest see {@link SharedPresence.forget}. @param at in Unix milliseconds. */
  forget(participantId: string, now: Moment, at: number): readonly LivenessChange[] {
    const ended = this.register.stopTyping(participantId, {}, now);
    return inOrder(ended, this.#presence.forget(participantId, { now: now.elapsed, at }));
  }

  /** A node is no more, of which records may say something still: see {@link SharedPresence.noteGone}. */
  noteGone(owner: Owner, lingerMs: number, now: Moment): void {
    this.#presence.noteGone(owner, lingerMs, now.elapsed);
  }

  /** A node is no more: see {@link SharedPresence.orphan}. What was typed through it runs out by itself. */
  orphan(owner: Owner, lingerMs: number, now: Moment): readonly LivenessChange[] {
    return this.#presence.orphan(owner, lingerMs, now.elapsed);
  }

  /** A node tells everything anew: see {@link SharedPresence.supersede}. */
  supersede(owner: Owner, now: Moment): readonly LivenessChange[] {
    return this.#presence.supersede(owner, now.elapsed);
  }

  /** Nothing is heard of other nodes: see {@link SharedPresence.hold}. */
  hold(now: Moment): readonly LivenessChange[] {
    return this.#presence.hold(now.elapsed);
  }

  /** Asks now which devices a person types on; the answer asks again, later, which of them are gone. */
  #typesThrough(participantId: string): () => readonly string[] {
    const presence = this.#presence.register;
    const isOpen = (device_id: string): boolean =>
      presence.isConnected(participantId, { device_id });
    const isKnown = (device_id: string): boolean => presence.knows(participantId, device_id);
    const devices = this.#typing.sourcesOf(participantId);
    const [open, known] = [devices.filter(isOpen), devices.filter(isKnown)];
    return () => [
      ...open.filter((each) => !isOpen(each)),
      ...known.filter((each) => !open.includes(each) && !isKnown(each)),
    ];
  }

  #stopTypingThrough(
    participantId: string,
    devices: readonly string[],
    now: Moment,
  ): readonly TypingChange[] {
    return devices.flatMap((source) => this.register.stopTyping(participantId, { source }, now));
  }

  #stopTypingToHide(participantId: string, now: Moment): readonly TypingChange[] {
    const isHidden = this.#presence.register.isHidden(participantId);
    return isHidden ? this.register.stopTyping(participantId, {}, now) : [];
  }
}
