import {
  type Activity,
  type Actor,
  DeadlineQueue,
  type Due,
  isoOf,
  type ManualState,
  type OpenSource,
  type PresenceChange,
  type PresenceReason,
  PresenceRegister,
  type PresenceRules,
  type PresenceState,
  type RememberedPerson,
  type SourceName,
  type TypingChange,
  TypingRegister,
  type TypingRules,
  type TypingSignal,
  type VisibleState,
} from "@porchlight/core";
import { Alarm, type Clock } from "@porchlight/core/clock";
import type { Hub } from "./hub.ts";
import type { Announcement, PersonKey, PresenceFacts } from "./store/store.ts";

/** What lives of one tenant, and when it next has to be looked at. */
interface Tenant {
  readonly tenant_id: string;
  readonly presence: PresenceRegister;
  readonly typing: TypingRegister;
  readonly presenceDue: Due & { readonly tenant: () => Tenant };
  readonly typingDue: Due & { readonly tenant: () => Tenant };
}

type TenantDue = Tenant["presenceDue"];

/**
 * Who is there and who types, for all three doors: devices in, the rules of
 * core, changes out to the hub. One timer for presence and one for typing,
 * however many people there are.
 */
export class Liveness {
  readonly #tenants = new Map<string, Tenant>();
  readonly #presenceDue = new DeadlineQueue<TenantDue>();
  readonly #typingDue = new DeadlineQueue<TenantDue>();
  readonly #presenceAlarm: Alarm;
  readonly #typingAlarm: Alarm;
  readonly #clock: Clock;
  readonly #hub: Hub;
  readonly #rules: PresenceRules & TypingRules;

  constructor(options: { clock: Clock; hub: Hub; rules: PresenceRules & TypingRules }) {
    const { clock, hub, rules } = options;
    this.#clock = clock;
    this.#hub = hub;
    this.#rules = rules;
    this.#presenceAlarm = new Alarm(
      clock,
      () => clock.elapsed(),
      () => this.#expirePresence(),
    );
    this.#typingAlarm = new Alarm(
      clock,
      () => clock.monotonic(),
      () => this.#expireTyping(),
    );
  }

  /** Takes note of what the store says of people. */
  introduce(facts: PresenceFacts): void {
    const { tenant_id, participant_id, manual, alwaysOnline } = facts;
    if (manual === "appear_offline") this.stopTyping(facts, {});
    this.#presence(tenant_id, (people, now) =>
      people.introduce(participant_id, { manual, alwaysOnline }, now),
    );
  }

  /** Opens a socket of a device. */
  open({ tenant_id, participant_id }: PersonKey, name: SourceName, activity: Activity): OpenSource {
    const { presence } = this.#tenant(tenant_id);
    const { source, change } = presence.open(participant_id, name, activity, this.#clock.elapsed());
    this.#tellPresence(tenant_id, change);
    return source;
  }

  /** Hears a heartbeat by request. */
  beat({ tenant_id, participant_id }: PersonKey, device_id: string, activity: Activity): void {
    this.#presence(tenant_id, (people, now) =>
      people.beat(participant_id, device_id, activity, now),
    );
  }

  hear({ tenant_id }: PersonKey, source: OpenSource, activity: Activity): void {
    this.#presence(tenant_id, (people, now) => people.hear(source, activity, now));
  }

  touch({ tenant_id }: PersonKey, source: OpenSource): void {
    this.#presence(tenant_id, (people, now) => people.touch(source, now));
  }

  /** A connection was lost: what was typed through it ends, and the source lingers. */
  lose(key: PersonKey, source: OpenSource): void {
    this.#stopTypingThrough(key, source);
    this.#presence(key.tenant_id, (people, now) => people.lose(source, now));
  }

  /** A source signed off: what was typed through it ends, and so does the source. */
  close(key: PersonKey, source: OpenSource): void {
    this.#stopTypingThrough(key, source);
    this.#presence(key.tenant_id, (people, now) => people.close(source, now));
  }

  /** A device signed off, with all of its sources. */
  signOff(key: PersonKey, device_id: string): void {
    this.stopTyping(key, { source: device_id });
    this.#presence(key.tenant_id, (people, now) =>
      people.signOff(key.participant_id, device_id, now),
    );
  }

  /**
   * Whose sign of life a request is, to be asked when it arrives: nobody's while a socket speaks for
   * them. A socket that closes while the request is being served must not leave a ghost of it.
   */
  signOf({ tenant_id, participant_id }: PersonKey, by: Actor): Actor | undefined {
    return this.#tenant(tenant_id).presence.isConnected(participant_id, by) ? undefined : by;
  }

  /** A person did something by a single request, which is a sign of life. */
  act(key: PersonKey, by: Actor | undefined): void {
    if (by === undefined) return;
    this.#presence(key.tenant_id, (people, now) => people.act(key.participant_id, by, now));
  }

  /** Sets a state by hand, or returns to automatic. Whoever begins to hide ceases to type first. */
  choose(key: PersonKey, manual: ManualState | undefined, by: Actor | undefined): void {
    if (manual === "appear_offline") this.stopTyping(key, {});
    this.#presence(key.tenant_id, (people, now) =>
      people.choose(key.participant_id, manual, now, by),
    );
  }

  /** Publishes or ends a typing signal. Of someone who hides it is thrown away. */
  type({ tenant_id, ...signal }: TypingSignal & { tenant_id: string }, typing: boolean): void {
    const { presence, typing: register } = this.#tenant(tenant_id);
    if (presence.isHidden(signal.participant_id)) return;
    const now = this.#clock.monotonic();
    const change = typing ? register.start(signal, now) : register.stop(signal, now);
    this.#tellTyping(tenant_id, change === undefined ? [] : [change]);
  }

  /** Ends what a person types: everywhere, in one room, or through one source. */
  stopTyping(
    { tenant_id, participant_id }: PersonKey,
    only: { room_id?: string; source?: string },
  ): void {
    const changes = this.#tenant(tenant_id).typing.stopAll(
      participant_id,
      only,
      this.#clock.monotonic(),
    );
    this.#tellTyping(tenant_id, changes);
  }

  /** Ends all typing in a room. */
  stopTypingIn(tenant_id: string, room_id: string): void {
    this.#tellTyping(
      tenant_id,
      this.#tenant(tenant_id).typing.stopRoom(room_id, this.#clock.monotonic()),
    );
  }

  /** Whoever sends, leaves, or stands in a room that closes has ceased to type there: to be told before the event is. */
  follow({ frame }: Announcement): void {
    const { tenant_id, type, room_id, sender_id, participant_id } = frame;
    if (typeof room_id !== "string") return;
    if (type === "swp.room.message" && typeof sender_id === "string") {
      this.stopTyping({ tenant_id, participant_id: sender_id }, { room_id });
    }
    const leaves = type === "swp.room.member" && frame.membership !== "join";
    if (leaves && typeof participant_id === "string")
      this.stopTyping({ tenant_id, participant_id }, { room_id });
    if (type === "swp.room.state" && frame.state !== "open") this.stopTypingIn(tenant_id, room_id);
  }

  /** A person's state as a viewer sees it: their own live, of everyone else what was last told. */
  stateFor(viewer: PersonKey, participant_id: string): PresenceState {
    return participant_id === viewer.participant_id
      ? this.effective(viewer)
      : this.told(viewer.tenant_id, participant_id);
  }

  /** What others were last told of a person. */
  told(tenant_id: string, participant_id: string): VisibleState {
    return this.#tenants.get(tenant_id)?.presence.told(participant_id) ?? "offline";
  }

  /** A person's state in their own eyes. */
  effective({ tenant_id, participant_id }: PersonKey): PresenceState {
    return (
      this.#tenants.get(tenant_id)?.presence.effective(participant_id, this.#clock.elapsed()) ??
      "offline"
    );
  }

  /** Why a person's state is what it is; its instants in Unix milliseconds. */
  explain({ tenant_id, participant_id }: PersonKey): PresenceReason {
    const now = this.#clock.elapsed();
    const reason = this.#tenant(tenant_id).presence.explain(participant_id, now);
    // An age as long as anyone likes to claim still has to begin at an instant that can be written.
    const wall = (at: number): number => Math.max(0, Math.round(at - now + this.#clock.wall()));
    return {
      ...reason,
      devices: reason.devices.map((device) => ({
        ...device,
        lastActiveAt: wall(device.lastActiveAt),
        expiresAt: wall(device.expiresAt),
      })),
      nextChangeAt: reason.nextChangeAt === undefined ? undefined : wall(reason.nextChangeAt),
    };
  }

  /** Everyone a viewer does not see as offline. */
  snapshot(viewer: PersonKey): Record<string, PresenceState> {
    const states = new Map<string, PresenceState>(
      this.#tenant(viewer.tenant_id).presence.toldOnline(),
    );
    const own = this.effective(viewer);
    states.delete(viewer.participant_id);
    if (own !== "offline") states.set(viewer.participant_id, own);
    return Object.fromEntries(states);
  }

  /** Who types in a room. */
  typists(tenant_id: string, room_id: string): string[] {
    return this.#tenants.get(tenant_id)?.typing.typists(room_id) ?? [];
  }

  /** Everyone's devices, by tenant, for an orderly restart. */
  remember(): Record<string, RememberedPerson[]> {
    const now = this.#clock.elapsed();
    return Object.fromEntries(
      [...this.#tenants].map(([id, { presence }]) => [id, presence.remember(now)]),
    );
  }

  /** Takes up what was remembered `downMs` ago. Tells nobody. */
  restore(devices: Readonly<Record<string, readonly RememberedPerson[]>>, downMs: number): void {
    for (const [tenant_id, people] of Object.entries(devices)) {
      this.#tenant(tenant_id).presence.restore(people, downMs, this.#clock.elapsed());
      this.#tellPresence(tenant_id, undefined);
    }
  }

  /** Stops both timers; nothing changes by itself any more. */
  stop(): void {
    this.#presenceAlarm.stop();
    this.#typingAlarm.stop();
  }

  /** Another tab of the same device may be the one that types. */
  #stopTypingThrough(key: PersonKey, { device_id }: OpenSource): void {
    if (this.#hub.of(key).some((connection) => connection.device_id === device_id)) return;
    this.stopTyping(key, { source: device_id });
  }

  #tenant(tenant_id: string): Tenant {
    const known = this.#tenants.get(tenant_id);
    if (known !== undefined) return known;
    const due = (): TenantDue => ({ tenant: () => tenant, dueAt: 0, queuedAt: -1 });
    const tenant: Tenant = {
      tenant_id,
      presence: new PresenceRegister(this.#rules),
      typing: new TypingRegister(this.#rules),
      presenceDue: due(),
      typingDue: due(),
    };
    this.#tenants.set(tenant_id, tenant);
    return tenant;
  }

  #presence(
    tenant_id: string,
    act: (people: PresenceRegister, now: number) => PresenceChange | undefined,
  ): void {
    this.#tellPresence(tenant_id, act(this.#tenant(tenant_id).presence, this.#clock.elapsed()));
  }

  #tellPresence(tenant_id: string, change: PresenceChange | undefined): void {
    if (change !== undefined) this.#hub.toldPresence(tenant_id, change, isoOf(this.#clock.wall()));
    const { presence, presenceDue } = this.#tenant(tenant_id);
    const next = presence.nextAt();
    if (next !== undefined) this.#presenceDue.setAtLatest(presenceDue, next);
    this.#presenceAlarm.by(this.#presenceDue.nextAt());
  }

  #tellTyping(tenant_id: string, changes: readonly TypingChange[]): void {
    for (const change of changes)
      this.#hub.toldTyping(tenant_id, change, isoOf(this.#clock.wall()));
    const { typing, typingDue } = this.#tenant(tenant_id);
    const next = typing.nextAt();
    if (next !== undefined) this.#typingDue.setAtLatest(typingDue, next);
    this.#typingAlarm.by(this.#typingDue.nextAt());
  }

  #expirePresence(): void {
    const now = this.#clock.elapsed();
    for (
      let due = this.#presenceDue.take(now);
      due !== undefined;
      due = this.#presenceDue.take(now)
    ) {
      const { tenant_id, presence } = due.tenant();
      for (const change of presence.expire(now))
        this.#hub.toldPresence(tenant_id, change, isoOf(this.#clock.wall()));
      this.#tellPresence(tenant_id, undefined);
    }
    this.#presenceAlarm.by(this.#presenceDue.nextAt());
  }

  #expireTyping(): void {
    const now = this.#clock.monotonic();
    for (let due = this.#typingDue.take(now); due !== undefined; due = this.#typingDue.take(now)) {
      const { tenant_id, typing } = due.tenant();
      this.#tellTyping(tenant_id, typing.expire(now));
    }
    this.#typingAlarm.by(this.#typingDue.nextAt());
  }
}
