import type { AwarenessFacts } from "./awareness.ts";
import type { EventFrame } from "./frames.ts";
import type { PresenceChange } from "./people.ts";
import type {
  ManualFacts,
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
  PresenceRegister,
  type RememberedPerson,
  type SourceName,
} from "./presence-register.ts";
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

  /** @param presence and `typing` are what it stands on, told nothing by anybody else; each is a new one unless it is given. */
  constructor(
    rules: PresenceRules & TypingRules,
    presence: PresenceRegister = new PresenceRegister(rules),
    typing: TypingRegister = new TypingRegister(rules),
  ) {
    this.#presence = presence;
    this.#typing = typing;
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

  /** The same of a source that has not run out: see {@link PresenceRegister.renew}. */
  renew(source: OpenSource, now: number): boolean {
    return this.#presence.renew(source, now);
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
  forget(participantId: string, now: Moment): readonly LivenessChange[] {
    const ended = this.stopTyping(participantId, {}, now);
    return inOrder(ended, this.#presence.forget(participantId));
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

  /** See {@link PresenceRegister.tellings}. */
  get tellings(): number {
    return this.#presence.tellings;
  }

  /** What others were last told of a person; `offline` of whoever is unknown. */
  told(participantId: string): VisibleState {
    return this.#presence.told(participantId);
  }

  /** Everyone whom others see as something else than offline. */
  toldOnline(): Iterable<[participant_id: string, state: VisibleState]> {
    return this.#presence.toldOnline();
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

  #stopTypingToHide(participantId: string, now: Moment): readonly TypingChange[] {
    return this.#presence.isHidden(participantId) ? this.stopTyping(participantId, {}, now) : [];
  }

  /** Signals belong to the device, and another socket of it may be the one that types. */
  #stopTypingThrough({ device_id, person }: OpenSource, now: Moment): readonly TypingChange[] {
    const isOpen = this.#presence.isConnected(person.participant_id, { device_id });
    return isOpen ? [] : this.stopTyping(person.participant_id, { source: device_id }, now);
  }
}

/** What is to be told of typing that ended, and after it of whom it ended for. */
export function inOrder(
  ended: readonly TypingChange[],
  change: PresenceChange | undefined,
): readonly LivenessChange[] {
  return change === undefined ? ended : [...ended, change];
}
