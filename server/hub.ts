import {
  DeadlineQueue,
  type Door,
  type Due,
  type EventFrame,
  type PresenceChange,
  presenceFrame,
  type ServerFrame,
  STREAM_CLOSE,
  type StreamClose,
  type TypingChange,
} from "@porchlight/core";
import { Alarm, type Clock } from "@porchlight/core/clock";
import type { ServerWebSocket } from "bun";
import type { Announcement, PersonKey } from "./store/store.ts";

/** A live socket of a person, whatever it speaks. */
export interface Connection extends PersonKey {
  readonly door: Door;
  readonly token_id: string;
  readonly device_id: string;
  readonly instance: string;
  /** When its token runs out, in Unix milliseconds. */
  readonly expires_at: number | undefined;
  /** Whose presence it is told: everyone's, nobody's, or that of these people. */
  readonly presence: "all" | "none" | ReadonlySet<string>;
  readonly socket: ServerWebSocket<unknown>;
  /** Called once, before the socket is closed by the server. */
  ending(why: StreamClose): void;
}

interface Pinged extends Due {
  readonly connection: Connection;
  /** Pings since the last sign of life. */
  unanswered: number;
}

type People<T> = Map<string, Map<string, Set<T>>>;

/** How long after something was sent it is looked at who does not read. */
const SWEEP_MS = 50;

const tenantTopic = (tenant_id: string): string => `t/${tenant_id}`;
const presenceTopic = (tenant_id: string): string => `p/${tenant_id}`;
const roomTopic = (tenant_id: string, room_id: string): string => `r/${tenant_id}/${room_id}`;

/**
 * The sockets of this node, by person and room, and the only place that sends
 * to more than one of them. What many are told is encoded once and published
 * to a topic; who must not hear it is taken off the topic for that moment.
 */
export class Hub {
  readonly #people: People<Connection> = new Map();
  /** Who watches whom, of those who named the people they want to be told of. */
  readonly #watchers: People<Connection> = new Map();
  readonly #pinged = new Map<Connection, Pinged>();
  readonly #deadlines = new DeadlineQueue<Pinged>();
  readonly #alarm: Alarm;
  readonly #clock: Clock;
  readonly #pingMs: number;
  readonly #backlogMaxBytes: number;
  readonly #socketsMax: number;
  readonly #sweep: Alarm;
  #publisher: { publish(topic: string, text: string): unknown } | undefined;

  constructor(options: {
    clock: Clock;
    pingMs: number;
    backlogMaxBytes: number;
    socketsMax: number;
  }) {
    const { clock } = options;
    this.#clock = clock;
    this.#pingMs = options.pingMs;
    this.#backlogMaxBytes = options.backlogMaxBytes;
    this.#socketsMax = options.socketsMax;
    this.#sweep = new Alarm(
      clock,
      () => clock.monotonic(),
      () => this.#closeSlow(),
    );
    this.#alarm = new Alarm(
      options.clock,
      () => options.clock.elapsed(),
      () => this.#ping(),
    );
  }

  /** How many sockets are open. */
  get size(): number {
    return this.#pinged.size;
  }

  /** Names the server whose topics the sockets are subscribed to. */
  publishThrough(publisher: { publish(topic: string, text: string): unknown }): void {
    this.#publisher = publisher;
  }

  /** Takes in a socket, subscribed to the rooms its person has joined. One of the same name at the same door gives way. */
  add(connection: Connection, rooms: readonly string[]): void {
    const { tenant_id, participant_id } = connection;
    for (const other of this.of(connection)) {
      const sameName =
        other.device_id === connection.device_id && other.instance === connection.instance;
      if (sameName && other.door === connection.door) this.close(other, "duplicate_connection");
    }
    // Sets keep the order in which sockets came: the first is the oldest.
    const [oldest, ...others] = this.of(connection);
    if (oldest !== undefined && others.length + 1 >= this.#socketsMax)
      this.close(oldest, "too_many_devices");
    put(this.#people, tenant_id, participant_id, connection);
    connection.socket.subscribe(tenantTopic(tenant_id));
    for (const room_id of rooms) connection.socket.subscribe(roomTopic(tenant_id, room_id));
    this.watch(connection, undefined);
    const pinged: Pinged = { connection, unanswered: 0, dueAt: 0, queuedAt: -1 };
    this.#pinged.set(connection, pinged);
    this.#schedule(pinged);
  }

  /** Lets go of a socket that is closed or about to be. Does nothing when it already has. */
  remove(connection: Connection): void {
    const pinged = this.#pinged.get(connection);
    if (pinged === undefined) return;
    this.#deadlines.delete(pinged);
    this.#pinged.delete(connection);
    take(this.#people, connection.tenant_id, connection.participant_id, connection);
    this.#unwatch(connection, connection.presence);
  }

  /** Closes a socket for a reason of the table. @param reason what the client reads, where it is not the table's. */
  close(connection: Connection, why: StreamClose, reason: string = STREAM_CLOSE[why].reason): void {
    if (!this.#pinged.has(connection)) return;
    this.remove(connection);
    connection.ending(why);
    connection.socket.close(STREAM_CLOSE[why].code, reason);
  }

  /** Something came from a socket: no ping is missing any more. */
  heard(connection: Connection): void {
    const pinged = this.#pinged.get(connection);
    if (pinged !== undefined) pinged.unanswered = 0;
  }

  /** Makes known that a connection's `presence` is not what it `was`. */
  watch(connection: Connection, was: Connection["presence"] | undefined): void {
    if (was !== undefined) this.#unwatch(connection, was);
    const { tenant_id, presence, socket } = connection;
    if (presence === "all") socket.subscribe(presenceTopic(tenant_id));
    else if (presence !== "none")
      for (const id of presence) put(this.#watchers, tenant_id, id, connection);
  }

  /** The sockets of a person. */
  of({ tenant_id, participant_id }: PersonKey): readonly Connection[] {
    return [...(this.#people.get(tenant_id)?.get(participant_id) ?? [])];
  }

  /** Whether a person has a stream open here. */
  hasStream({ tenant_id, participant_id }: PersonKey): boolean {
    const connections = this.#people.get(tenant_id)?.get(participant_id) ?? [];
    return [...connections].some(({ door }) => door === "stream");
  }

  /** Whether anybody of a tenant is connected here. */
  hasAnyone(tenant_id: string): boolean {
    return this.#people.has(tenant_id);
  }

  /** Every socket. */
  all(): readonly Connection[] {
    return [...this.#pinged.keys()];
  }

  /** Tells one socket. */
  send(connection: Connection, frame: ServerFrame): void {
    this.#sendText(connection, JSON.stringify(frame));
  }

  /** Tells a person's own devices. */
  toPerson(key: PersonKey, frame: ServerFrame): void {
    const text = JSON.stringify(frame);
    for (const connection of this.of(key)) this.#sendText(connection, text);
  }

  /** Tells others a person's new state, and the person's own devices their effective one. */
  toldPresence(tenant_id: string, { participant_id, own, told }: PresenceChange, ts: string): void {
    const key = { tenant_id, participant_id };
    if (told !== undefined) {
      const text = JSON.stringify(presenceFrame(tenant_id, participant_id, told, ts));
      this.#publishExcept(key, presenceTopic(tenant_id), text);
      for (const watcher of this.#watchers.get(tenant_id)?.get(participant_id) ?? []) {
        if (watcher.participant_id !== participant_id) this.#sendText(watcher, text);
      }
    }
    if (own !== undefined) this.toPerson(key, presenceFrame(tenant_id, participant_id, own, ts));
  }

  /** Tells the other members of a room that somebody types, or ceased to. */
  toldTyping(
    tenant_id: string,
    { room_id, participant_id, typing }: TypingChange,
    ts: string,
  ): void {
    const text = JSON.stringify({
      type: "typing",
      tenant_id,
      room_id,
      participant_id,
      typing,
      ts,
    } satisfies ServerFrame);
    this.#publishExcept({ tenant_id, participant_id }, roomTopic(tenant_id, room_id), text);
  }

  /** Tells of something durable whoever may hear of it, and follows who has joined which room. */
  announce({ frame, to }: Announcement): void {
    const { tenant_id } = frame;
    if (to === "tenant") this.#publish(tenantTopic(tenant_id), JSON.stringify(frame));
    else if ("participant_id" in to)
      this.toPerson({ tenant_id, participant_id: to.participant_id }, frame);
    else this.#toRoom(frame, to.room_id, to.also);
  }

  /** Stops pinging; what is open stays open. */
  stop(): void {
    this.#alarm.stop();
    this.#sweep.stop();
  }

  #publish(topic: string, text: string): void {
    this.#publisher?.publish(topic, text);
    this.#sweep.by(this.#clock.monotonic() + SWEEP_MS);
  }

  #sendText(connection: Connection, text: string): void {
    connection.socket.send(text);
    this.#sweep.by(this.#clock.monotonic() + SWEEP_MS);
  }

  /** Whoever does not read is let go before frames would have to be dropped. */
  #closeSlow(): void {
    let waiting = false;
    for (const connection of this.all()) {
      const bytes = connection.socket.getBufferedAmount();
      waiting ||= bytes > 0;
      if (bytes > this.#backlogMaxBytes) this.close(connection, "slow_consumer");
    }
    if (waiting) this.#sweep.by(this.#clock.monotonic() + SWEEP_MS);
  }

  /** Who joins is on the topic before it is said, who leaves until it was said; who is neither is told alone. */
  #toRoom(frame: EventFrame, room_id: string, also: readonly string[]): void {
    const { tenant_id, membership } = frame;
    const topic = roomTopic(tenant_id, room_id);
    const subjects = also.flatMap((participant_id) => this.of({ tenant_id, participant_id }));
    if (membership === "join") for (const { socket } of subjects) socket.subscribe(topic);
    const text = JSON.stringify(frame);
    this.#publish(topic, text);
    for (const subject of subjects) {
      if (!subject.socket.isSubscribed(topic)) this.#sendText(subject, text);
      else if (membership !== "join") subject.socket.unsubscribe(topic);
    }
  }

  /** The person's own sockets are off the topic for this one publish; frames that already wait for them are kept. */
  #publishExcept(key: PersonKey, topic: string, text: string): void {
    const own = this.of(key).filter(({ socket }) => socket.isSubscribed(topic));
    for (const { socket } of own) socket.unsubscribe(topic);
    this.#publish(topic, text);
    for (const { socket } of own) socket.subscribe(topic);
  }

  #unwatch(connection: Connection, was: Connection["presence"]): void {
    if (was === "all") connection.socket.unsubscribe(presenceTopic(connection.tenant_id));
    else if (was !== "none")
      for (const id of was) take(this.#watchers, connection.tenant_id, id, connection);
  }

  #ping(): void {
    const now = this.#clock.elapsed();
    for (
      let pinged = this.#deadlines.take(now);
      pinged !== undefined;
      pinged = this.#deadlines.take(now)
    ) {
      const { connection } = pinged;
      if (isExpired(connection, this.#clock)) this.close(connection, "token_expired");
      else if (pinged.unanswered >= 2) this.close(connection, "ping_timeout");
      else {
        pinged.unanswered += 1;
        connection.socket.ping();
        this.#schedule(pinged);
      }
    }
    this.#alarm.by(this.#deadlines.nextAt());
  }

  #schedule(pinged: Pinged): void {
    const pingAt = this.#clock.elapsed() + this.#pingMs;
    this.#deadlines.set(pinged, Math.min(pingAt, pinged.connection.expires_at ?? pingAt));
    this.#alarm.by(this.#deadlines.nextAt());
  }
}

function isExpired({ expires_at }: Connection, clock: Clock): boolean {
  return expires_at !== undefined && expires_at <= clock.elapsed();
}

function put<T>(people: People<T>, tenant_id: string, id: string, value: T): void {
  const tenant = people.get(tenant_id) ?? new Map<string, Set<T>>();
  people.set(tenant_id, tenant);
  const values = tenant.get(id) ?? new Set<T>();
  tenant.set(id, values.add(value));
}

function take<T>(people: People<T>, tenant_id: string, id: string, value: T): void {
  const tenant = people.get(tenant_id);
  const values = tenant?.get(id);
  values?.delete(value);
  if (values?.size === 0) tenant?.delete(id);
  if (tenant?.size === 0) people.delete(tenant_id);
}
