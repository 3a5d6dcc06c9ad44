import {
  type Activity,
  type Actor,
  DeadlineQueue,
  type Due,
  isoOf,
  type LivenessChange,
  type LivenessRegister,
  type ManualState,
  type Moment,
  type OpenSource,
  type PresenceChange,
  type PresenceReason,
  type PresenceRules,
  type PresenceState,
  type RememberedPerson,
  type SourceName,
  type TypingChange,
  type TypingRules,
  type TypingSignal,
  type VisibleState,
} from "@porchlight/core";
import type { AwarenessFacts } from "@porchlight/core/awareness";
import { Alarm, type Clock } from "@porchlight/core/clock";
import {
  type LivenessOutcome,
  type Owner,
  type PersonContribution,
  type PersonRecord,
  SharedLiveness,
} from "@porchlight/core/sharing";
import type { Metrics, TransitionCause } from "./metrics.ts";
import { entryOf, Roll } from "./roll.ts";
import type { LifeNow } from "./room-text.ts";
import type { Announcement, PersonKey, PresenceFacts, RoomKey } from "./store/store.ts";

/** Who is told what changes. */
export interface Teller {
  toldPresence(tenant_id: string, change: PresenceChange, ts: string): void;
  toldTyping(tenant_id: string, change: TypingChange, ts: string): void;
}

/** Who tells other nodes of the people of this one. */
export interface Sharing {
  /** Something is otherwise with a person's sources here, or with what the store says of them. */
  changed(key: PersonKey): void;
  /** A person was heard of, and nothing else. */
  touched(key: PersonKey): void;
  /** A typing signal was published, renewed or ended here. */
  typed(signal: TypingSignal & { tenant_id: string }, how: "start" | "renew" | "stop"): void;
  /** All that a person types in a room was ended here. */
  typingOver(key: PersonKey, room_id: string): void;
}

/**
 * Who is there and who types, for all three doors: devices in, the rules of
 * core, changes out to those who tell them. A register for each tenant; one timer for
 * presence and one for typing, however many people there are.
 */
export class Liveness {
  readonly #tenants = new Map<string, SharedLiveness>();
  readonly #rolls = new WeakMap<SharedLiveness, Roll>();
  readonly #alarms: { readonly [clock in keyof Moment]: TenantAlarm };
  readonly #clock: Clock;
  readonly #tellers: Teller[];
  readonly #metrics: Metrics;
  readonly #rules: PresenceRules & TypingRules;
  readonly #node: string;
  #sharing: Sharing | undefined;
  /** Nodes that are no more, and until when what was connected to them lingers: also for tenants that are yet to be heard of. */
  readonly #gone = new Map<string, { readonly owner: Owner; readonly until: number }>();

  constructor(options: {
    clock: Clock;
    hub: Teller;
    metrics: Metrics;
    rules: PresenceRules & TypingRules;
    /** The name of this node, where there are several. */
    node?: string | undefined;
  }) {
    const { clock, hub, metrics, rules } = options;
    this.#node = options.node ?? "";
    this.#clock = clock;
    this.#tellers = [hub];
    this.#metrics = metrics;
    this.#rules = rules;
    const expire = (tenant_id: string): void => {
      this.#do(tenant_id, "time", (register, now) => register.expire(now));
    };
    this.#alarms = {
      elapsed: new TenantAlarm(clock, () => clock.elapsed(), expire),
      monotonic: new TenantAlarm(clock, () => clock.monotonic(), expire),
    };
  }

  /** From now on somebody else is told as well, after those who are told already. */
  alsoTell(teller: Teller): void {
    this.#tellers.push(teller);
  }

  /** From now on other nodes are told of the people of this one. */
  shareWith(sharing: Sharing): void {
    this.#sharing = sharing;
  }

  /** Takes note of what the store says of a person now. */
  introduce(facts: PresenceFacts): void {
    const changes = this.recall(facts);
    // Of most people there is nothing that others would not know without being told.
    if (changes > 0 || facts.alwaysOnline || facts.manual_at > 0) this.#sharing?.changed(facts);
  }

  /** Takes note of what the store says of a person, which other nodes can read as well. */
  recall({ tenant_id, participant_id, ...facts }: PresenceFacts): number {
    const changes = this.#do(tenant_id, "administration", (register, now) =>
      register.introduce(participant_id, facts, now),
    );
    // Of someone who chose nothing any more a node that starts would not read it.
    if (this.#tenant(tenant_id).isOutdated(participant_id))
      this.#sharing?.changed({ tenant_id, participant_id });
    return changes;
  }

  /** Opens a socket of a device. */
  open({ tenant_id, participant_id }: PersonKey, name: SourceName, activity: Activity): OpenSource {
    const register = this.#register(tenant_id);
    const { source, changes } = register.open(participant_id, name, activity, this.#now());
    this.#tell(tenant_id, "opened", changes);
    this.#sharing?.changed({ tenant_id, participant_id });
    return source;
  }

  /** Hears a heartbeat by request. */
  beat(key: PersonKey, device_id: string, activity: Activity): void {
    this.#do(key.tenant_id, "heartbeat", (register, now) =>
      register.beat(key.participant_id, device_id, activity, now),
    );
    this.#sharing?.changed(key);
  }

  hear(key: PersonKey, source: OpenSource, activity: Activity): void {
    const changes = this.#do(key.tenant_id, "heartbeat", (register, now) =>
      register.hear(source, activity, now),
    );
    if (changes > 0) this.#sharing?.changed(key);
    else this.#sharing?.touched(key);
  }

  /** A sign of life that says nothing. @param now by the clock on which sleep counts. */
  touch(key: PersonKey, source: OpenSource, now: number = this.#clock.elapsed()): void {
    // Of a source that is there still nobody is told anything, and nothing is due any earlier.
    const isThere = this.#register(key.tenant_id).renew(source, now);
    const changes = isThere
      ? 0
      : this.#do(key.tenant_id, "returned", (register, moment) => register.touch(source, moment));
    if (changes > 0) this.#sharing?.changed(key);
    else this.#sharing?.touched(key);
  }

  /** A connection was lost without a word. */
  lose(key: PersonKey, source: OpenSource): void {
    this.#do(key.tenant_id, "lost", (register, now) => register.lose(source, now));
    this.#sharing?.changed(key);
  }

  /** A source signed off. */
  close(key: PersonKey, source: OpenSource): void {
    this.#do(key.tenant_id, "closed", (register, now) => register.close(source, now));
    this.#sharing?.changed(key);
  }

  /** A device signed off, with all of its sources. */
  signOff(key: PersonKey, device_id: string): void {
    this.#do(key.tenant_id, "signed_off", (register, now) =>
      register.signOff(key.participant_id, device_id, now),
    );
    this.#sharing?.changed(key);
  }

  /** Whose sign of life a request is, to be asked when it arrives. */
  signOf({ tenant_id, participant_id }: PersonKey, by: Actor): Actor | undefined {
    return this.#register(tenant_id).signOf(participant_id, by);
  }

  /** A person did something by a single request. */
  act(key: PersonKey, by: Actor | undefined): void {
    this.#do(key.tenant_id, "request", (register, now) =>
      register.act(key.participant_id, by, now),
    );
    if (by !== undefined) this.#sharing?.changed(key);
  }

  /** Sets a state by hand, or returns to automatic. @param at when it was chosen, as the store has it. */
  choose(key: PersonKey, manual: ManualState | undefined, by: Actor | undefined, at: number): void {
    this.#do(key.tenant_id, "choice", (register, now) =>
      register.choose(key.participant_id, manual, now, by, at),
    );
    this.#sharing?.changed(key);
  }

  /** Publishes or ends a typing signal. */
  type(signal: TypingSignal & { tenant_id: string }, typing: boolean): void {
    this.heardType(signal, typing ? "start" : "stop");
    this.#sharing?.typed(signal, typing ? "start" : "stop");
  }

  /** Lets a typing signal live on that lives. */
  renewTyping(signal: TypingSignal & { tenant_id: string }): void {
    this.heardType(signal, "renew");
    this.#sharing?.typed(signal, "renew");
  }

  /** Ends what a person types in a room. */
  stopTyping(key: PersonKey, room_id: string): void {
    this.heardTypingOver(key, room_id);
    this.#sharing?.typingOver(key, room_id);
  }

  /** A typing signal was published, renewed or ended, here or elsewhere. */
  heardType(
    { tenant_id, ...signal }: TypingSignal & { tenant_id: string },
    how: "start" | "renew" | "stop",
  ): void {
    if (how === "renew") this.#register(tenant_id).renewTyping(signal, this.#now());
    else
      this.#do(tenant_id, "typing", (register, now) => register.type(signal, how === "start", now));
  }

  /** What a person types in a room was ended, here or elsewhere. */
  heardTypingOver({ tenant_id, participant_id }: PersonKey, room_id: string): void {
    this.#do(tenant_id, "typing", (register, now) =>
      register.stopTyping(participant_id, { room_id }, now),
    );
  }

  /** What this node contributes to a person's record. */
  contribution({ tenant_id, participant_id }: PersonKey): PersonContribution {
    return this.#tenant(tenant_id).contribution(participant_id, this.#now());
  }

  /** Everyone who has a source here. */
  own(): Iterable<PersonKey> {
    return this.#those((tenant) => tenant.own());
  }

  /** Everyone who has set a state by hand. */
  chosen(): Iterable<PersonKey> {
    return this.#those((tenant) => tenant.chosen());
  }

  /** Everyone of whom another node holds a source. */
  shared(): Iterable<PersonKey> {
    return this.#those((tenant) => tenant.shared());
  }

  /**
   * Takes up a person's record. Answers the sources of this node that others have ended, and whether this node has
   * something else to contribute than what is in the record.
   */
  adopt(tenant_id: string, record: PersonRecord): Omit<LivenessOutcome, "changes"> {
    const { changes, ...outcome } = this.#tenant(tenant_id).adopt(record, this.#now());
    this.#tell(tenant_id, "elsewhere", changes);
    return outcome;
  }

  /** There is no record of a person: these nodes hold nothing of them. */
  disown({ tenant_id, participant_id }: PersonKey, owners: readonly Owner[]): void {
    this.#doElsewhere(tenant_id, (tenant, now) => tenant.disown(participant_id, owners, now));
  }

  /** A node is no more: what is heard from now on to be connected to it lingers for so long at most. */
  noteGone(owner: Owner, lingerMs: number): void {
    const now = this.#now();
    for (const [name, { until }] of this.#gone)
      if (until + this.#rules.presence_ttl_ms <= now.elapsed) this.#gone.delete(name);
    this.#gone.set(`${owner.node}/${owner.incarnation}`, { owner, until: now.elapsed + lingerMs });
    for (const tenant of this.#tenants.values()) tenant.noteGone(owner, lingerMs, now);
  }

  /** A node is no more: what was connected to it lingers for so long at most. */
  orphan(owner: Owner, lingerMs: number): void {
    this.noteGone(owner, lingerMs);
    for (const tenant_id of this.#tenants.keys())
      this.#doElsewhere(tenant_id, (tenant, now) => tenant.orphan(owner, lingerMs, now));
  }

  /** A node is there anew, and tells everything again: what it had heard by requests before lingers. */
  supersede(owner: Owner): void {
    for (const tenant_id of this.#tenants.keys())
      this.#doElsewhere(tenant_id, (tenant, now) => tenant.supersede(owner, now));
  }

  /** Nothing is heard of other nodes: they are taken to be as they were. */
  hold(): void {
    for (const tenant_id of this.#tenants.keys())
      this.#doElsewhere(tenant_id, (tenant, now) => tenant.hold(now));
  }

  /** Ends the typing that a durable event ends: to be called before the event is told. */
  follow({ frame }: Announcement): void {
    this.#do(frame.tenant_id, "event", (register, now) => register.follow(frame, now));
  }

  /** A person is no more: others are told `offline`, if they were told otherwise. */
  forget(key: PersonKey): void {
    const { tenant_id, participant_id } = key;
    const tenant = this.#tenant(tenant_id);
    const changes =
      this.#sharing === undefined
        ? tenant.register.forget(participant_id, this.#now())
        : tenant.forget(participant_id, this.#now(), this.#clock.wall());
    this.#tell(tenant_id, "administration", changes);
    this.#sharing?.changed(key);
  }

  /** A tenant is no more, and nobody of it is connected. */
  forgetTenant(tenant_id: string): void {
    this.#tenants.delete(tenant_id);
    this.#alarms.elapsed.forget(tenant_id);
    this.#alarms.monotonic.forget(tenant_id);
  }

  /** A person's state as a viewer sees it. */
  stateFor({ tenant_id, participant_id }: PersonKey, of: string): PresenceState {
    return this.#register(tenant_id).stateFor(participant_id, of, this.#now());
  }

  /** People's states as a viewer sees them, by id, as JSON. */
  statesFor({ tenant_id, participant_id }: PersonKey, of: ReadonlySet<string>): string {
    const register = this.#register(tenant_id);
    const now = this.#now();
    let json = "";
    for (const id of of) json += entryOf(id, register.stateFor(participant_id, id, now));
    return `{${json.slice(0, -1)}}`;
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

  /** Everyone of these, and the viewer, whom the viewer does not see as offline, by id and in that order, as JSON. */
  snapshot({ tenant_id, participant_id }: PersonKey, of: "all" | Iterable<string>): string {
    const tenant = this.#tenant(tenant_id);
    const now = this.#now();
    if (of !== "all") {
      const ids = [...new Set([...of, participant_id])].sort();
      const seen = (id: string): string => tenant.register.stateFor(participant_id, id, now);
      return this.statesFor(
        { tenant_id, participant_id },
        new Set(ids.filter((id) => seen(id) !== "offline")),
      );
    }
    const roll = this.#rolls.get(tenant) ?? new Roll(tenant.register);
    this.#rolls.set(tenant, roll);
    return roll.textFor(participant_id, now);
  }

  /** What is live about a room in the eyes of a viewer. */
  lifeOf({ room_id }: RoomKey, { tenant_id, participant_id }: PersonKey): LifeNow {
    const register = this.#register(tenant_id);
    const { tellings } = register;
    return { ...register.lifeOf(room_id, participant_id, this.#now()), tellings };
  }

  /** What awareness in a room says of people now. */
  awarenessOf({ tenant_id, room_id }: RoomKey): AwarenessFacts {
    return this.#register(tenant_id).awarenessOf(room_id, this.#now());
  }

  /** How many devices are there, lingering ones among them. */
  get devices(): number {
    return [...this.#tenants.values()].reduce((sum, { register }) => sum + register.devices, 0);
  }

  /** Everyone's devices, by tenant, for an orderly restart. */
  remember(): Record<string, RememberedPerson[]> {
    const now = this.#now();
    return Object.fromEntries(
      [...this.#tenants].map(([id, { register }]) => [id, register.remember(now)]),
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

  *#those(of: (tenant: SharedLiveness) => Iterable<string>): Generator<PersonKey> {
    for (const [tenant_id, tenant] of this.#tenants)
      for (const participant_id of of(tenant)) yield { tenant_id, participant_id };
  }

  #tenant(tenant_id: string): SharedLiveness {
    const known = this.#tenants.get(tenant_id);
    if (known !== undefined) return known;
    const tenant = new SharedLiveness(this.#rules, this.#node);
    const now = this.#now();
    for (const { owner, until } of this.#gone.values())
      tenant.noteGone(owner, until - now.elapsed, now);
    this.#tenants.set(tenant_id, tenant);
    return tenant;
  }

  #register(tenant_id: string): LivenessRegister {
    return this.#tenant(tenant_id).register;
  }

  #now(): Moment {
    return { elapsed: this.#clock.elapsed(), monotonic: this.#clock.monotonic() };
  }

  /** Answers how much there was to tell. */
  #do(
    tenant_id: string,
    cause: TransitionCause,
    act: (register: LivenessRegister, now: Moment) => readonly LivenessChange[],
  ): number {
    const changes = act(this.#register(tenant_id), this.#now());
    this.#tell(tenant_id, cause, changes);
    return changes.length;
  }

  /** Does what is heard of other nodes, and tells what comes of it. */
  #doElsewhere(
    tenant_id: string,
    act: (tenant: SharedLiveness, now: Moment) => readonly LivenessChange[],
  ): void {
    this.#tell(tenant_id, "elsewhere", act(this.#tenant(tenant_id), this.#now()));
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
