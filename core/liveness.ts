import type { AwarenessFacts } from "./awareness.ts";
import type { EventFrame } from "./frames.ts";
import type {
  ManualState,
  PresenceReason,
  PresenceRules,
  PresenceState,
  VisibleState,
} from "./presence.ts";
import {
  type Activity,
  type Actor,
  type OpenSource,
  type PresenceChange,
  PresenceRegister,
  type RememberedPerson,
  type SourceName,
} from "./presence-register.ts";
import type {
  EndReason,
  ManualFacts,
  Owner,
  PersonContribution,
  PersonRecord,
} from "./presence-share.ts";
import type { RoomLife } from "./room-state.ts";
import {
  type TypingChange,
  TypingRegister,
  type TypingRules,
  type TypingSignal,
} from "./typing.ts";

/** One moment as two clocks show it, in milliseconds. Neither ever goes back. */
export interface Moment {
  /** On a clock on which sleep of the machine counts: presence runs on it. */
  readonly elapsed: number;
  /** On a clock that no one sets: typing runs on it. */
  readonly monotonic: number;
}

/** What is to be told: of typing to the other members of the room, of presence to everyone around. */
export type LivenessChange = TypingChange | PresenceChange;

/**
 * Who is around and who types, among people who can see each other: a
 * {@link PresenceRegister}, a {@link TypingRegister} and the rules between
 * them, which make whoever appears offline look like someone who has gone.
 *
 * Sets no timer and reads no clock. Each operation returns what is to be told,
 * in the order in which to tell it (typing ends before its reason shows), and
 * an empty list when that is nothing. {@link nextAt} is when to call
 * {@link expire}.
 */
export class LivenessRegister {
  readonly #presence: PresenceRegister;
  readonly #typing: TypingRegister;

  /** @param node names this register among several that share records of the same people. */
  constructor(rules: PresenceRules & TypingRules, node?: string) {
    this.#presence = new PresenceRegister(rules, node);
    this.#typing = new TypingRegister(rules);
  }

  /** How many devices are there. Looks at every person. */
  get devices(): number {
    return this.#presence.devices;
  }

  /** Opens a source of a device, or takes over the one of the same name, whose handle is then dead. */
  open(
    participantId: string,
    name: SourceName,
    activity: Activity,
    now: Moment,
  ): { source: OpenSource; changes: readonly LivenessChange[] } {
    const { source, change } = this.#presence.open(participantId, name, activity, now.elapsed);
    return { source, changes: inOrder([], change) };
  }

  /** Hears what a device says about its user by a single request. */
  beat(
    participantId: string,
    deviceId: string,
    activity: Activity,
    now: Moment,
  ): readonly LivenessChange[] {
    return inOrder([], this.#presence.beat(participantId, deviceId, activity, now.elapsed));
  }

  /** Hears what a device says about its user by a socket. It is a sign of life as well. */
  hear(source: OpenSource, activity: Activity, now: Moment): readonly LivenessChange[] {
    return inOrder([], this.#presence.hear(source, activity, now.elapsed));
  }

  /** A sign of life that says nothing: it wakes nobody. */
  touch(source: OpenSource, now: Moment): readonly LivenessChange[] {
    return inOrder([], this.#presence.touch(source, now.elapsed));
  }

  /** A connection was lost without a word: what was typed through it ends, and the source lingers. */
  lose(source: OpenSource, now: Moment): readonly LivenessChange[] {
    const change = this.#presence.lose(source, now.elapsed);
    return inOrder(this.#stopTypingThrough(source, now), change);
  }

  /** A source signed off: what was typed through it ends, and the source is gone at once. */
  close(source: OpenSource, now: Moment): readonly LivenessChange[] {
    const change = this.#presence.close(source, now.elapsed);
    return inOrder(this.#stopTypingThrough(source, now), change);
  }

  /** A device signed off: what was typed on it ends, and all of its sources are gone at once. */
  signOff(participantId: string, deviceId: string, now: Moment): readonly LivenessChange[] {
    const ended = this.stopTyping(participantId, { source: deviceId }, now);
    return inOrder(ended, this.#presence.signOff(participantId, deviceId, now.elapsed));
  }

  /**
   * Whose sign of life a request is, to be asked when it arrives: nobody's
   * while a socket speaks for them. A socket that closes while the request is
   * being served must not leave a ghost of it.
   */
  signOf(participantId: string, by: Actor): Actor | undefined {
    return this.#presence.isConnected(participantId, by) ? undefined : by;
  }

  /** A person did something by a single request, which is a sign of life: see {@link signOf}. */
  act(participantId: string, by: Actor | undefined, now: Moment): readonly LivenessChange[] {
    return by === undefined ? [] : inOrder([], this.#presence.act(participantId, by, now.elapsed));
  }

  /**
   * Sets the state by hand, or returns to automatic with `undefined`. Whoever
   * begins to hide ceases to type first. @param by who asked by a request,
   * where that is a sign of life. @param at see {@link PresenceRegister.choose}.
   */
  choose(
    participantId: string,
    manual: ManualState | undefined,
    now: Moment,
    by?: Actor,
    at?: number,
  ): readonly LivenessChange[] {
    const change = this.#presence.choose(participantId, manual, now.elapsed, by, at);
    return inOrder(this.#stopTypingToHide(participantId, now), change);
  }

  /** Takes note of what the durable facts say of a person; of hiding it is what {@link choose} is. */
  introduce(
    participantId: string,
    facts: Omit<ManualFacts, "manual_at"> & { readonly manual_at?: number },
    now: Moment,
  ): readonly LivenessChange[] {
    const change = this.#presence.introduce(participantId, facts, now.elapsed);
    return inOrder(this.#stopTypingToHide(participantId, now), change);
  }

  /** A person is no more: their typing ends, and all else of them is forgotten. */
  forget(participantId: string, now: Moment, at?: number): readonly LivenessChange[] {
    const ended = this.stopTyping(participantId, {}, now);
    const grave = at === undefined ? undefined : { now: now.elapsed, at };
    return inOrder(ended, this.#presence.forget(participantId, grave));
  }

  /** Publishes or ends a typing signal. Of someone who hides it is thrown away. */
  type(signal: TypingSignal, typing: boolean, now: Moment): readonly TypingChange[] {
    if (this.#presence.isHidden(signal.participant_id)) return [];
    const change = typing
      ? this.#typing.start(signal, now.monotonic)
      : this.#typing.stop(signal, now.monotonic);
    return change === undefined ? [] : [change];
  }

  /** Lets a typing signal live on that lives; one that has ended stays ended. */
  renewTyping(signal: TypingSignal, now: Moment): void {
    this.#typing.renew(signal, now.monotonic);
  }

  /** Ends what a person types: everywhere, or only in one room, or only what came from one source. */
  stopTyping(
    participantId: string,
    only: { room_id?: string; source?: string },
    now: Moment,
  ): readonly TypingChange[] {
    return this.#typing.stopAll(participantId, only, now.monotonic);
  }

  /**
   * Something durable happened, which is to be told after what this returns:
   * whoever sends, leaves, or stands in a room that closes has ceased to type there.
   */
  follow(event: EventFrame, now: Moment): readonly TypingChange[] {
    const { type, room_id, sender_id, participant_id } = event;
    if (typeof room_id !== "string") return [];
    if (type === "swp.room.state" && event.state !== "open")
      return this.#typing.stopRoom(room_id, now.monotonic);
    const leaves = type === "swp.room.member" && event.membership !== "join";
    const who = type === "swp.room.message" ? sender_id : leaves ? participant_id : undefined;
    return typeof who === "string" ? this.stopTyping(who, { room_id }, now) : [];
  }

  /** A person's state as a viewer sees it: their own live, of everyone else what was last told. */
  stateFor(viewerId: string, participantId: string, now: Moment): PresenceState {
    return participantId === viewerId
      ? this.#presence.effective(viewerId, now.elapsed)
      : this.told(participantId);
  }

  /** What others were last told of a person; `offline` of whoever is unknown. */
  told(participantId: string): VisibleState {
    return this.#presence.told(participantId);
  }

  /** Everyone whom a viewer does not see as offline, in the order of their ids. */
  snapshot(viewerId: string, now: Moment): Record<string, PresenceState> {
    const states = new Map<string, PresenceState>(this.#presence.toldOnline());
    const own = this.#presence.effective(viewerId, now.elapsed);
    if (own === "offline") states.delete(viewerId);
    else states.set(viewerId, own);
    // Whoever hid is in the register still, before those who came meanwhile: its order would tell.
    const order = [...states.keys()].sort();
    return Object.fromEntries(order.map((id) => [id, states.get(id) ?? "offline"]));
  }

  /** What is live about a room in the eyes of a viewer. */
  lifeOf(roomId: string, viewerId: string, now: Moment): RoomLife {
    return {
      presenceOf: (id) => this.told(id),
      own: this.#presence.effective(viewerId, now.elapsed),
      typists: this.#typing.typists(roomId),
    };
  }

  /** What awareness in a room says of people at this moment. */
  awarenessOf(roomId: string, now: Moment): AwarenessFacts {
    return {
      told: (id) => this.told(id),
      visible: (id) => this.#presence.visible(id, now.elapsed),
      effective: (id) => this.#presence.effective(id, now.elapsed),
      isTyping: (id) => this.#typing.isTyping(roomId, id),
    };
  }

  /** Why a person's state is what it is, for that person alone. Instants are on the `elapsed` clock. */
  explain(participantId: string, now: Moment): PresenceReason {
    return this.#presence.explain(participantId, now.elapsed);
  }

  /** Does what time alone has brought about by `now`. */
  expire(now: Moment): readonly LivenessChange[] {
    return [...this.#typing.expire(now.monotonic), ...this.#presence.expire(now.elapsed)];
  }

  /** When {@link expire} next has to be called, on each clock. Calling it early does no harm. */
  nextAt(): { readonly [clock in keyof Moment]: number | undefined } {
    return { elapsed: this.#presence.nextAt(), monotonic: this.#typing.nextAt() };
  }

  /** Everyone who has a device, to be written down before an orderly stop. */
  remember(now: Moment): RememberedPerson[] {
    return this.#presence.remember(now.elapsed);
  }

  /** Takes up what was written down `downMs` ago: see {@link PresenceRegister.restore}. Tells nobody. */
  restore(remembered: readonly RememberedPerson[], downMs: number, now: Moment): void {
    this.#presence.restore(remembered, downMs, now.elapsed);
  }

  /** What this node contributes to a person's record: see {@link PresenceRegister.contribution}. */
  contribution(participantId: string, now: Moment): PersonContribution {
    return this.#presence.contribution(participantId, now.elapsed);
  }

  /** Whether a later choice is known of a person than that in their record. */
  isOutdated(participantId: string): boolean {
    return this.#presence.isOutdated(participantId);
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
   * Takes up a person's record: see {@link PresenceRegister.adopt}. What was
   * typed on a device that is gone by it, or by someone who hides by it, ends first.
   */
  adopt(
    record: PersonRecord,
    now: Moment,
  ): {
    readonly changes: readonly LivenessChange[];
    readonly ended: readonly { readonly source: OpenSource; readonly why: EndReason }[];
    readonly isOutdated: boolean;
  } {
    const { participant_id } = record;
    const lost = this.#typesThrough(participant_id);
    const { change, ended, isOutdated } = this.#presence.adopt(record, now.elapsed);
    const stopped = this.#stopTypingThroughThose(participant_id, lost, now);
    return {
      changes: inOrder([...stopped, ...this.#stopTypingToHide(participant_id, now)], change),
      ended,
      isOutdated,
    };
  }

  /** There is no record of the person: see {@link PresenceRegister.disown}. */
  disown(participantId: string, owners: readonly Owner[], now: Moment): readonly LivenessChange[] {
    const lost = this.#typesThrough(participantId);
    const change = this.#presence.disown(participantId, owners, now.elapsed);
    return inOrder(this.#stopTypingThroughThose(participantId, lost, now), change);
  }

  /** A node is no more, of which records may say something still: see {@link PresenceRegister.noteGone}. */
  noteGone(owner: Owner, lingerMs: number, now: Moment): void {
    this.#presence.noteGone(owner, lingerMs, now.elapsed);
  }

  /** A node is no more: see {@link PresenceRegister.orphan}. What was typed through it runs out by itself. */
  orphan(owner: Owner, lingerMs: number, now: Moment): readonly LivenessChange[] {
    return this.#presence.orphan(owner, lingerMs, now.elapsed);
  }

  /** A node tells everything anew: see {@link PresenceRegister.supersede}. */
  supersede(owner: Owner, now: Moment): readonly LivenessChange[] {
    return this.#presence.supersede(owner, now.elapsed);
  }

  /** Nothing is heard of other nodes: see {@link PresenceRegister.hold}. */
  hold(now: Moment): readonly LivenessChange[] {
    return this.#presence.hold(now.elapsed);
  }

  /** Asks now which devices a person types on; the answer asks again, later, which of them are gone. */
  #typesThrough(participantId: string): () => readonly string[] {
    const isOpen = (device_id: string): boolean =>
      this.#presence.isConnected(participantId, { device_id });
    const isKnown = (device_id: string): boolean => this.#presence.knows(participantId, device_id);
    const devices = this.#typing.sourcesOf(participantId);
    const [open, known] = [devices.filter(isOpen), devices.filter(isKnown)];
    return () => [
      ...open.filter((each) => !isOpen(each)),
      ...known.filter((each) => !open.includes(each) && !isKnown(each)),
    ];
  }

  #stopTypingThroughThose(
    participantId: string,
    lost: () => readonly string[],
    now: Moment,
  ): readonly TypingChange[] {
    return lost().flatMap((source) => this.stopTyping(participantId, { source }, now));
  }

  #stopTypingToHide(participantId: string, now: Moment): readonly TypingChange[] {
    return this.#presence.isHidden(participantId) ? this.stopTyping(participantId, {}, now) : [];
  }

  /** Signals belong to the device, and another socket of it may be the one that types. */
  #stopTypingThrough({ device_id, person }: OpenSource, now: Moment): readonly TypingChange[] {
    const isOpen = this.#presence.isConnected(person.participant_id, { device_id });
    return isOpen ? [] : this.stopTyping(person.participant_id, { source: device_id }, now);
  }
}

function inOrder(
  ended: readonly TypingChange[],
  change: PresenceChange | undefined,
): readonly LivenessChange[] {
  return change === undefined ? ended : [...ended, change];
}
