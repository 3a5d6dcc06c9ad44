import {
  type Activity,
  type Actor,
  DeadlineQueue,
  type Due,
  isoOf,
  type LivenessChange,
  LivenessRegister,
  type ManualState,
  type Moment,
  type OpenSource,
  type PresenceChange,
  type PresenceReason,
  type PresenceRules,
  type PresenceState,
  type RememberedPerson,
  type RoomLife,
  type SourceName,
  type TypingChange,
  type TypingRules,
  type TypingSignal,
  type VisibleState,
} from "@porchlight/core";
import type { AwarenessFacts } from "@porchlight/core/awareness";
import { Alarm, type Clock } from "@porchlight/core/clock";
import type { Metrics, TransitionCause } from "./metrics.ts";
import type { Announcement, PersonKey, PresenceFacts, RoomKey } from "./store/store.ts";

/** Who is told what changes. */
export interface Teller {
  toldPresence(tenant_id: string, change: PresenceChange, ts: string): void;
  toldTyping(tenant_id: string, change: TypingChange, ts: string): void;
}

/**
 * Who is there and who types, for all three doors: devices in, the rules of
 * core, changes out to those who tell them. A register for each tenant; one timer for
 * presence and one for typing, however many people there are.
 */
export class Liveness {
  readonly #registers = new Map<string, LivenessRegister>();
  readonly #alarms: { readonly [clock in keyof Moment]: TenantAlarm };
  readonly #clock: Clock;
  readonly #tellers: Teller[];
  readonly #metrics: Metrics;
  readonly #rules: PresenceRules & TypingRules;

  constructor(options: {
    clock: Clock;
    hub: Teller;
    metrics: Metrics;
    rules: PresenceRules & TypingRules;
  }) {
    const { clock, hub, metrics, rules } = options;
    this.#clock = clock;
    this.#tellers = [hub];
    this.#metrics = metrics;
    this.#rules = rules;
    const expire = (tenant_id: string): void =>
      this.#do(tenant_id, "time", (register, now) => register.expire(now));
    this.#alarms = {
      elapsed: new TenantAlarm(clock, () => clock.elapsed(), expire),
      monotonic: new TenantAlarm(clock, () => clock.monotonic(), expire),
    };
  }

  /** From now on somebody else is told as well, after those who are told already. */
  alsoTell(teller: Teller): void {
    this.#tellers.push(teller);
  }

  /** Takes note of what the store says of people. */
  introduce({ tenant_id, participant_id, ...facts }: PresenceFacts): void {
    this.#do(tenant_id, "administration", (register, now) =>
      register.introduce(participant_id, facts, now),
    );
  }

  /** Opens a socket of a device. */
  open({ tenant_id, participant_id }: PersonKey, name: SourceName, activity: Activity): OpenSource {
    const register = this.#register(tenant_id);
    const { source, changes } = register.open(participant_id, name, activity, this.#now());
    this.#tell(tenant_id, "opened", changes);
    return source;
  }

  /** Hears a heartbeat by request. */
  beat({ tenant_id, participant_id }: PersonKey, device_id: string, activity: Activity): void {
    this.#do(tenant_id, "heartbeat", (register, now) =>
      register.beat(participant_id, device_id, activity, now),
    );
  }

  hear({ tenant_id }: PersonKey, source: OpenSource, activity: Activity): void {
    this.#do(tenant_id, "heartbeat", (register, now) => register.hear(source, activity, now));
  }

  touch({ tenant_id }: PersonKey, source: OpenSource): void {
    this.#do(tenant_id, "returned", (register, now) => register.touch(source, now));
  }

  /** A connection was lost without a word. */
  lose({ tenant_id }: PersonKey, source: OpenSource): void {
    this.#do(tenant_id, "lost", (register, now) => register.lose(source, now));
  }

  /** A source signed off. */
  close({ tenant_id }: PersonKey, source: OpenSource): void {
    this.#do(tenant_id, "closed", (register, now) => register.close(source, now));
  }

  /** A device signed off, with all of its sources. */
  signOff({ tenant_id, participant_id }: PersonKey, device_id: string): void {
    this.#do(tenant_id, "signed_off", (register, now) =>
      register.signOff(participant_id, device_id, now),
    );
  }

  /** Whose sign of life a request is, to be asked when it arrives. */
  signOf({ tenant_id, participant_id }: PersonKey, by: Actor): Actor | undefined {
    return this.#register(tenant_id).signOf(participant_id, by);
  }

  /** A person did something by a single request. */
  act({ tenant_id, participant_id }: PersonKey, by: Actor | undefined): void {
    this.#do(tenant_id, "request", (register, now) => register.act(participant_id, by, now));
  }

  /** Sets a state by hand, or returns to automatic. */
  choose(
    { tenant_id, participant_id }: PersonKey,
    manual: ManualState | undefined,
    by: Actor | undefined,
  ): void {
    this.#do(tenant_id, "choice", (register, now) =>
      register.choose(participant_id, manual, now, by),
    );
  }

  /** Publishes or ends a typing signal. */
  type({ tenant_id, ...signal }: TypingSignal & { tenant_id: string }, typing: boolean): void {
    this.#do(tenant_id, "typing", (register, now) => register.type(signal, typing, now));
  }

  /** Lets a typing signal live on that lives. */
  renewTyping({ tenant_id, ...signal }: TypingSignal & { tenant_id: string }): void {
    this.#register(tenant_id).renewTyping(signal, this.#now());
  }

  /** Ends what a person types in a room. */
  stopTyping({ tenant_id, participant_id }: PersonKey, room_id: string): void {
    this.#do(tenant_id, "typing", (register, now) =>
      register.stopTyping(participant_id, { room_id }, now),
    );
  }

  /** Ends the typing that a durable event ends: to be called before the event is told. */
  follow({ frame }: Announcement): void {
    this.#do(frame.tenant_id, "event", (register, now) => register.follow(frame, now));
  }

  /** A person is no more: others are told `offline`, if they were told otherwise. */
  forget({ tenant_id, participant_id }: PersonKey): void {
    this.#do(tenant_id, "administration", (register, now) => register.forget(participant_id, now));
  }

  /** A tenant is no more, and nobody of it is connected. */
  forgetTenant(tenant_id: string): void {
    this.#registers.delete(tenant_id);
    this.#alarms.elapsed.forget(tenant_id);
    this.#alarms.monotonic.forget(tenant_id);
  }

  /** A person's state as a viewer sees it. */
  stateFor({ tenant_id, participant_id }: PersonKey, of: string): PresenceState {
    return this.#register(tenant_id).stateFor(participant_id, of, this.#now());
  }

  /** What others were last told of a person. */
  told({ tenant_id, participant_id }: PersonKey): VisibleState {
    return this.#register(tenant_id).told(participant_id);
  }

  /** A person's state in their own eyes. */
  effective(key: PersonKey): PresenceState {
    return this.stateFor(key, key.participant_id);
  }

  /** Why a person's state is what it is; its instants in Unix milliseconds. */
  explain({ tenant_id, participant_id }: PersonKey): PresenceReason {
    const now = this.#now();
    const reason = this.#register(tenant_id).explain(participant_id, now);
    // An age as long as anyone likes to claim still has to begin at an instant that can be written.
    const wall = (at: number): number =>
      Math.max(0, Math.round(at - now.elapsed + this.#clock.wall()));
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
  snapshot({ tenant_id, participant_id }: PersonKey): Record<string, PresenceState> {
    return this.#register(tenant_id).snapshot(participant_id, this.#now());
  }

  /** What is live about a room in the eyes of a viewer. */
  lifeOf({ room_id }: RoomKey, { tenant_id, participant_id }: PersonKey): RoomLife {
    return this.#register(tenant_id).lifeOf(room_id, participant_id, this.#now());
  }

  /** What awareness in a room says of people now. */
  awarenessOf({ tenant_id, room_id }: RoomKey): AwarenessFacts {
    return this.#register(tenant_id).awarenessOf(room_id, this.#now());
  }

  /** How many devices are there, lingering ones among them. */
  get devices(): number {
    return [...this.#registers.values()].reduce((sum, { devices }) => sum + devices, 0);
  }

  /** Everyone's devices, by tenant, for an orderly restart. */
  remember(): Record<string, RememberedPerson[]> {
    const now = this.#now();
    return Object.fromEntries(
      [...this.#registers].map(([id, register]) => [id, register.remember(now)]),
    );
  }

  /** Takes up what was remembered `downMs` ago. Tells nobody. */
  restore(devices: Readonly<Record<string, readonly RememberedPerson[]>>, downMs: number): void {
    for (const [tenant_id, people] of Object.entries(devices)) {
      this.#register(tenant_id).restore(people, downMs, this.#now());
      this.#tell(tenant_id, "returned", []);
    }
  }

  /** Stops both timers; nothing changes by itself any more. */
  stop(): void {
    this.#alarms.elapsed.stop();
    this.#alarms.monotonic.stop();
  }

  #register(tenant_id: string): LivenessRegister {
    const known = this.#registers.get(tenant_id);
    if (known !== undefined) return known;
    const register = new LivenessRegister(this.#rules);
    this.#registers.set(tenant_id, register);
    return register;
  }

  #now(): Moment {
    return { elapsed: this.#clock.elapsed(), monotonic: this.#clock.monotonic() };
  }

  #do(
    tenant_id: string,
    cause: TransitionCause,
    act: (register: LivenessRegister, now: Moment) => readonly LivenessChange[],
  ): void {
    this.#tell(tenant_id, cause, act(this.#register(tenant_id), this.#now()));
  }

  #tell(tenant_id: string, cause: TransitionCause, changes: readonly LivenessChange[]): void {
    for (const change of changes) {
      const ts = isoOf(this.#clock.wall());
      if ("typing" in change) {
        this.#metrics.typing(change.typing);
        for (const teller of this.#tellers) teller.toldTyping(tenant_id, change, ts);
      } else {
        if (change.told !== undefined) this.#metrics.transition(cause);
        for (const teller of this.#tellers) teller.toldPresence(tenant_id, change, ts);
      }
    }
    const { elapsed, monotonic } = this.#register(tenant_id).nextAt();
    this.#alarms.elapsed.by(tenant_id, elapsed);
    this.#alarms.monotonic.by(tenant_id, monotonic);
  }
}

interface TenantDue extends Due {
  readonly tenant_id: string;
}

/** One alarm for all tenants, by one of the clocks. */
class TenantAlarm {
  readonly #dues = new Map<string, TenantDue>();
  readonly #queue = new DeadlineQueue<TenantDue>();
  readonly #alarm: Alarm;

  constructor(clock: Clock, now: () => number, ring: (tenant_id: string) => void) {
    this.#alarm = new Alarm(clock, now, () => {
      const until = now();
      for (let due = this.#queue.take(until); due !== undefined; due = this.#queue.take(until))
        ring(due.tenant_id);
      this.#alarm.by(this.#queue.nextAt());
    });
  }

  /** Sees to it that the alarm rings for a tenant by `dueAt`. Without a deadline, nothing changes. */
  by(tenant_id: string, dueAt: number | undefined): void {
    if (dueAt === undefined) return;
    const due = this.#dues.get(tenant_id) ?? { tenant_id, dueAt, queuedAt: -1 };
    this.#dues.set(tenant_id, due);
    this.#queue.setAtLatest(due, dueAt);
    this.#alarm.by(this.#queue.nextAt());
  }

  /** A tenant needs no alarm any more. */
  forget(tenant_id: string): void {
    const due = this.#dues.get(tenant_id);
    if (due !== undefined) this.#queue.delete(due);
    this.#dues.delete(tenant_id);
  }

  /** Calls the alarm off. */
  stop(): void {
    this.#alarm.stop();
  }
}
