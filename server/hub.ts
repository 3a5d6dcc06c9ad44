import {
  type CloseReason,
  type Door,
  type EventFrame,
  type OpenSource,
  type PresenceChange,
  presenceFrame,
  type ServerFrame,
  type StreamClose,
  type TypingChange,
} from "@porchlight/core";
import type { YjsClose } from "@porchlight/core/awareness";
import type { Clock } from "@porchlight/core/clock";
import type { ServerWebSocket } from "bun";
import type { Announced } from "./announced.ts";
import { Backlog } from "./backlog.ts";
import type { Metrics } from "./metrics.ts";
import { Pings } from "./pings.ts";
import type { Announcement, PersonKey } from "./store/store.ts";
import { TenantIndex } from "./tenant-index.ts";

/** Why a socket can be closed, whatever it speaks. */
type CommonClose = StreamClose & YjsClose;

/** A live socket of a person, whatever it speaks. */
export interface Connection<Why extends string = CommonClose> extends PersonKey {
  readonly door: Exclude<Door, "rest">;
  /** What the codes and reasons are with which it is closed. */
  readonly closes: { readonly [why in Why]: CloseReason };
  readonly token_id: string;
  readonly device_id: string;
  readonly instance: string;
  /** When its token runs out, in Unix milliseconds. */
  readonly expires_at: number | undefined;
  /** Whose presence it is told as frames: everyone's, nobody's, or that of these people. */
  readonly presence: "all" | "none" | ReadonlySet<string>;
  readonly socket: ServerWebSocket<unknown>;
  /** What stands for it among its person's sources, while there is something. */
  readonly source: OpenSource | undefined;
  /** Called once, before the socket is closed by the server. */
  ending(why: Why): void;
}

/** What a socket has been told: everything up to a position, at which its person had joined these rooms. */
export interface Standing {
  readonly position: number;
  readonly rooms: readonly string[];
}

const tenantTopic = (tenant_id: string): string => `t/${tenant_id}`;
const presenceTopic = (tenant_id: string): string => `p/${tenant_id}`;
const roomTopic = (tenant_id: string, room_id: string): string => `r/${tenant_id}/${room_id}`;

/**
 * The sockets of this node, by person and room, and the only place that sends
 * to more than one of them. What many are told is encoded once and published
 * to a topic; who must not hear it is taken off the topic for that moment.
 */
export class Hub {
  readonly #connections = new Set<Connection>();
  readonly #people = new TenantIndex<Connection>();
  /** Those of them that are told frames. */
  readonly #streams = new TenantIndex<Connection>();
  /** Who watches whom, of those who named the people they want to be told of. */
  readonly #watchers = new TenantIndex<Connection>();
  /** Sockets that are still told what they have missed, and hear nothing durable by a topic. */
  readonly #catchingUp = new Set<Connection>();
  /** By tenant, sockets that were told more than has been announced here, and how much. */
  readonly #ahead = new Map<string, Map<Connection, number>>();
  readonly #announced: Announced;
  readonly #metrics: Metrics;
  readonly #socketsMax: number;
  readonly #pings: Pings;
  readonly #backlog: Backlog;
  #publisher: { publish(topic: string, data: string | Uint8Array): unknown } | undefined;

  constructor(options: {
    clock: Clock;
    announced: Announced;
    metrics: Metrics;
    pingMs: number;
    backlogMaxBytes: number;
    socketsMax: number;
  }) {
    const { clock, pingMs } = options;
    this.#announced = options.announced;
    this.#metrics = options.metrics;
    this.#socketsMax = options.socketsMax;
    this.#pings = new Pings({ clock, pingMs, close: (each, why) => this.close(each, why) });
    this.#backlog = new Backlog({
      clock,
      maxBytes: options.backlogMaxBytes,
      sockets: () => this.#connections,
      close: (each) => this.close(each, "slow_consumer"),
    });
  }

  /** How many sockets are open. */
  get size(): number {
    return this.#connections.size;
  }

  /** Names the server whose topics the sockets are subscribed to. */
  publishThrough(publisher: { publish(topic: string, data: string | Uint8Array): unknown }): void {
    this.#publisher = publisher;
  }

  /**
   * Takes in a socket. A stream hears what is only true for now and what is its person's own; what is
   * durable when it is to {@link goLive}.
   */
  add(connection: Connection): void {
    const { tenant_id, participant_id } = connection;
    // Sets keep the order in which sockets came: the first is the oldest.
    const [oldest, ...others] = this.of(connection);
    if (oldest !== undefined && others.length + 1 >= this.#socketsMax)
      this.close(oldest, "too_many_devices");
    this.#connections.add(connection);
    this.#people.put(tenant_id, participant_id, connection);
    this.#pings.add(connection);
    if (connection.door !== "stream") return;
    this.#streams.put(tenant_id, participant_id, connection);
    this.#catchingUp.add(connection);
    this.watch(connection, undefined);
  }

  /**
   * Lets a socket hear what is durable, in the turn in which it is called.
   * @param told what it has been told already.
   * @param missed what was announced above that while it was told.
   */
  goLive(connection: Connection, told: Standing, missed: readonly Announcement[]): void {
    if (!this.#catchingUp.delete(connection)) return;
    const { tenant_id, socket } = connection;
    socket.subscribe(tenantTopic(tenant_id));
    for (const room_id of told.rooms) socket.subscribe(roomTopic(tenant_id, room_id));
    for (const announcement of missed) this.#tellOne(connection, announcement);
    if (told.position <= this.#announced.position(tenant_id)) return;
    const ahead = this.#ahead.get(tenant_id) ?? new Map<Connection, number>();
    this.#ahead.set(tenant_id, ahead.set(connection, told.position));
  }

  /** Lets go of a socket that is closed or about to be. Does nothing when it already has. */
  remove(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#pings.remove(connection);
    this.#backlog.forget(connection);
    this.#catchingUp.delete(connection);
    this.#forgetAhead(connection);
    this.#people.take(connection.tenant_id, connection.participant_id, connection);
    this.#streams.take(connection.tenant_id, connection.participant_id, connection);
    this.#unwatch(connection, connection.presence);
  }

  /** Closes a socket for a reason of its table. @param reason what the client reads, where it is not the table's. */
  close<Why extends StreamClose | YjsClose>(
    connection: Connection & Connection<Why>,
    why: NoInfer<Why>,
    reason: string = connection.closes[why].reason,
  ): void {
    if (!this.#connections.has(connection)) return;
    this.#metrics.closed(why);
    this.remove(connection);
    connection.ending(why);
    connection.socket.close(connection.closes[why].code, reason);
  }

  /** Something came from a socket: no ping is missing any more. */
  heard(connection: Connection): void {
    this.#pings.heard(connection);
  }

  /** Whether so little waits for a socket that more can be sent. */
  hasRoom(connection: Connection): boolean {
    return this.#backlog.hasRoom(connection);
  }

  /** The peer of a socket has read on: says whether it is to be told now what presence it has missed. */
  drained(connection: Connection): boolean {
    return this.#backlog.drained(connection);
  }

  /** Makes known that a connection's `presence` is not what it `was`. */
  watch(connection: Connection, was: Connection["presence"] | undefined): void {
    if (was !== undefined) this.#unwatch(connection, was);
    const { tenant_id, presence, socket } = connection;
    if (presence === "all") socket.subscribe(presenceTopic(tenant_id));
    else if (presence !== "none")
      for (const id of presence) this.#watchers.put(tenant_id, id, connection);
  }

  /** The sockets of a person. */
  of({ tenant_id, participant_id }: PersonKey): readonly Connection[] {
    return [...this.#people.of(tenant_id, participant_id)];
  }

  /** Whether a person has a stream open here. */
  hasStream({ tenant_id, participant_id }: PersonKey): boolean {
    return this.#streams.has(tenant_id, participant_id);
  }

  /** Whether anybody of a tenant is connected here. */
  hasAnyone(tenant_id: string): boolean {
    return this.#people.has(tenant_id);
  }

  /** Every socket. */
  all(): readonly Connection[] {
    return [...this.#connections];
  }

  /** Tells one socket. */
  send(connection: Connection, frame: ServerFrame): void {
    this.#metrics.frame(frame.type);
    this.#send(connection, JSON.stringify(frame));
  }

  /** Tells one socket a frame that is JSON already. */
  sendText(connection: Connection, type: ServerFrame["type"], text: string): void {
    this.#metrics.frame(type);
    this.#send(connection, text);
  }

  /** Answers one socket in another form than that of frames. */
  sendBytes(connection: Connection, bytes: Uint8Array): void {
    this.#send(connection, bytes);
  }

  /** Tells one socket what is only true for now, unless too much waits for it: see {@link drained}. */
  sendLive(connection: Connection, data: string | Uint8Array): void {
    if (!this.#backlog.misses(connection)) this.#send(connection, data);
  }

  /**
   * Tells the sockets on a topic what is only true for now, but for some of them, and for those for
   * which too much waits: see {@link drained}.
   */
  publishLive(
    tenant_id: string,
    topic: string,
    bytes: Uint8Array,
    except: readonly Connection[],
  ): void {
    const missing = this.#missing(tenant_id, ({ socket }) => socket.isSubscribed(topic));
    this.#publishExcept([...except, ...missing], topic, bytes);
  }

  /** Tells a person's own devices. */
  toPerson(key: PersonKey, frame: ServerFrame): void {
    this.#metrics.frame(frame.type);
    const text = JSON.stringify(frame);
    for (const connection of this.#streamsOf(key)) this.#send(connection, text);
  }

  /** Tells others a person's new state, and the person's own devices their effective one. */
  toldPresence(tenant_id: string, { participant_id, own, told }: PresenceChange, ts: string): void {
    const mine = this.#streamsOf({ tenant_id, participant_id });
    if (told !== undefined) {
      this.#metrics.frame("presence");
      const text = JSON.stringify(presenceFrame(tenant_id, participant_id, told, ts));
      const missing = this.#missing(tenant_id, ({ presence }) => presence === "all");
      this.#publishExcept([...mine, ...missing], presenceTopic(tenant_id), text);
      for (const watcher of this.#watchers.of(tenant_id, participant_id))
        if (watcher.participant_id !== participant_id) this.sendLive(watcher, text);
    }
    if (own === undefined) return;
    const text = JSON.stringify(presenceFrame(tenant_id, participant_id, own, ts));
    for (const connection of mine) this.sendLive(connection, text);
  }

  /** Tells the other members of a room that somebody types, or ceased to. */
  toldTyping(
    tenant_id: string,
    { room_id, participant_id, typing }: TypingChange,
    ts: string,
  ): void {
    this.#metrics.frame("typing");
    const frame = { type: "typing", tenant_id, room_id, participant_id, typing, ts } as const;
    const mine = this.#streamsOf({ tenant_id, participant_id });
    // Whoever does not read it in time will hear it again, or drop it.
    const left = [...mine, ...this.#backlog.congested(tenant_id)];
    const text = JSON.stringify(frame satisfies ServerFrame);
    this.#publishExcept(left, roomTopic(tenant_id, room_id), text);
  }

  /** Tells of something durable whoever may hear of it, and follows who has joined which room. */
  announce({ frame, to }: Announcement): void {
    const { tenant_id, stream_position } = frame;
    if (to !== "tenant" && "participant_id" in to) {
      this.toPerson({ tenant_id, participant_id: to.participant_id }, frame);
      return;
    }
    this.#metrics.frame(frame.type);
    const told = this.#toldBefore(tenant_id, stream_position ?? 0);
    if (to === "tenant") this.#publishExcept(told, tenantTopic(tenant_id), JSON.stringify(frame));
    else this.#toRoom(frame, to, told);
  }

  /** Stops pinging; what is open stays open. */
  stop(): void {
    this.#pings.stop();
    this.#backlog.stop();
  }

  /** The streams of a person. */
  #streamsOf({ tenant_id, participant_id }: PersonKey): readonly Connection[] {
    return [...this.#streams.of(tenant_id, participant_id)];
  }

  #publish(topic: string, data: string | Uint8Array): void {
    this.#publisher?.publish(topic, data);
    this.#backlog.sent();
  }

  #send(connection: Connection, data: string | Uint8Array): void {
    connection.socket.send(data);
    this.#backlog.sent();
  }

  /** The congested sockets of a tenant that have to be told later what is told now. */
  #missing(tenant_id: string, concerns: (connection: Connection) => boolean): Connection[] {
    const missing = [...this.#backlog.congested(tenant_id)].filter(concerns);
    for (const connection of missing) this.#backlog.misses(connection);
    return missing;
  }

  /** The sockets of a tenant that were told of an event before it is announced here. */
  #toldBefore(tenant_id: string, position: number): Connection[] {
    const ahead = this.#ahead.get(tenant_id);
    if (ahead === undefined) return [];
    for (const [connection, told] of ahead) if (told < position) ahead.delete(connection);
    if (ahead.size === 0) this.#ahead.delete(tenant_id);
    return [...ahead.keys()];
  }

  #forgetAhead(connection: Connection): void {
    const { tenant_id } = connection;
    const ahead = this.#ahead.get(tenant_id);
    if (ahead?.delete(connection) && ahead.size === 0) this.#ahead.delete(tenant_id);
  }

  /** Who joins is on the topic before it is said, who leaves until it was said; who is neither is told alone. */
  #toRoom(
    frame: EventFrame,
    { room_id, also }: { readonly room_id: string; readonly also: readonly string[] },
    toldBefore: readonly Connection[],
  ): void {
    const { tenant_id, membership } = frame;
    const topic = roomTopic(tenant_id, room_id);
    const subjects = also
      .flatMap((participant_id) => this.#streamsOf({ tenant_id, participant_id }))
      .filter((each) => !this.#catchingUp.has(each) && !toldBefore.includes(each));
    if (membership === "join") for (const { socket } of subjects) socket.subscribe(topic);
    const text = JSON.stringify(frame);
    this.#publishExcept(toldBefore, topic, text);
    for (const subject of subjects) {
      if (!subject.socket.isSubscribed(topic)) this.#send(subject, text);
      else if (membership !== "join") subject.socket.unsubscribe(topic);
    }
  }

  /** Tells one socket what was announced before it was live. */
  #tellOne(connection: Connection, { frame, to }: Announcement): void {
    if (to === "tenant") this.send(connection, frame);
    if (to === "tenant" || "participant_id" in to) return;
    const { socket, tenant_id, participant_id } = connection;
    const topic = roomTopic(tenant_id, to.room_id);
    const isSubject = to.also.includes(participant_id);
    if (isSubject || socket.isSubscribed(topic)) this.send(connection, frame);
    if (isSubject && frame.membership === "join") socket.subscribe(topic);
    else if (isSubject) socket.unsubscribe(topic);
  }

  /** These sockets are off the topic for this one publish; frames that already wait for them are kept. */
  #publishExcept(sockets: readonly Connection[], topic: string, data: string | Uint8Array): void {
    const left = sockets.filter(({ socket }) => socket.isSubscribed(topic));
    for (const { socket } of left) socket.unsubscribe(topic);
    this.#publish(topic, data);
    for (const { socket } of left) socket.subscribe(topic);
  }

  #unwatch(connection: Connection, was: Connection["presence"]): void {
    const { tenant_id } = connection;
    if (was === "all") connection.socket.unsubscribe(presenceTopic(tenant_id));
    else if (was !== "none") for (const id of was) this.#watchers.take(tenant_id, id, connection);
  }
}
