import {
  CodedError,
  DeadlineQueue,
  type PresenceChange,
  roomRefusal,
  type TypingChange,
} from "@porchlight/core";
import type { AwarenessMember } from "@porchlight/core/awareness";
import { Alarm, type Clock } from "@porchlight/core/clock";
import type { Announced } from "../announced.ts";
import type { AwarenessMessage } from "../cluster/message.ts";
import type { Teller } from "../liveness.ts";
import { roomError } from "../refusals.ts";
import type { Announcement, PersonKey, RoomKey, RoomReading, Store } from "../store/store.ts";
import { TenantIndex } from "../tenant-index.ts";
import { Exchange, type OtherNodes } from "./exchange.ts";
import { UNUSED_MS, type YjsDeps, YjsRoom } from "./room.ts";

/** Rooms that are kept at once, with those that only remember whose the ids in them were. */
const MAX_ROOMS = 10_000;

/**
 * Awareness of each room in which somebody has a Yjs socket, or had a moment
 * ago. It is told of presence, typing and what is durable, and tells it on at
 * the end of the turn, by one alarm for all rooms.
 */
export class YjsRooms implements Teller {
  readonly #rooms = new Map<string, YjsRoom>();
  readonly #byMember = new TenantIndex<YjsRoom>();
  readonly #reading = new Map<string, Promise<void>>();
  readonly #queue = new DeadlineQueue<YjsRoom>();
  readonly #ready = new Set<YjsRoom>();
  readonly #alarm: Alarm;
  readonly #clock: Clock;
  readonly #store: Store;
  readonly #announced: Announced;
  #deps: YjsDeps;
  #exchange: Exchange | undefined;
  #clockBefore = 0;
  #isStopped = false;

  constructor(deps: YjsDeps & { clock: Clock; store: Store; announced: Announced }) {
    const { clock } = deps;
    this.#deps = deps;
    this.#clock = clock;
    this.#store = deps.store;
    this.#announced = deps.announced;
    this.#alarm = new Alarm(
      clock,
      () => clock.elapsed(),
      () => this.#ring(),
    );
  }

  /** How many rooms are kept. */
  get size(): number {
    return this.#rooms.size;
  }

  /** How many entries others can see, in all rooms. */
  get entries(): number {
    let entries = 0;
    for (const room of this.#rooms.values()) entries += room.entries;
    return entries;
  }

  /** From now on rooms are what they are on all nodes. To be called before any is loaded. */
  shareWith(nodes: OtherNodes): void {
    this.#deps = { ...this.#deps, nodes };
    this.#exchange = new Exchange({
      clock: this.#clock,
      nodes,
      rooms: () => this.#rooms.values(),
      find: (key) => this.find(key),
      changed: (room) => this.schedule(room),
    });
  }

  /** Before this server was started, others were told with clocks up to this one. To be called before any room is loaded. */
  goOnAfter(clock: number): void {
    this.#clockBefore = clock;
  }

  /** Another node tells, or asks. */
  hear(message: AwarenessMessage, from: string): void {
    this.#exchange?.hear(message, from);
  }

  /** A node is there anew. */
  joined(node: string): void {
    this.#exchange?.joined(node);
  }

  /** A node is no more: what its sockets said lingers for so long, in milliseconds. */
  gone(node: string, lingersMs: number): void {
    this.#exchange?.gone(node, lingersMs);
  }

  /** What other nodes told may not have been heard. */
  missed(): void {
    this.#exchange?.missed();
  }

  /** A room that is loaded. */
  find(key: RoomKey): YjsRoom | undefined {
    return this.#rooms.get(nameOf(key));
  }

  /**
   * Sees to it that a room is loaded for one of its members.
   * @throws {CodedError} as `roomRefusal` in core says; `SW_UNAVAILABLE` where there are too many rooms.
   */
  async load(key: RoomKey, participant_id: string): Promise<void> {
    for (;;) {
      const room = this.find(key);
      if (room?.has(participant_id) === false) throw roomError("SW_NOT_MEMBER");
      if (room !== undefined) {
        if (this.#exchange === undefined || this.#exchange.knows(room)) return;
        // Nobody is let in before it is known who is there elsewhere, so that nobody is shown otherwise for a blink.
        await this.#exchange.learn(room);
        continue;
      }
      const name = nameOf(key);
      const reading = this.#reading.get(name);
      if (reading !== undefined) {
        // For somebody else, who may be refused: what is there then decides.
        await reading.catch(() => undefined);
        continue;
      }
      const mine = this.#read(key, participant_id).finally(() => this.#reading.delete(name));
      this.#reading.set(name, mine);
      await mine;
    }
  }

  /** Sees to it that a room is run when it next has something to tell: at the end of the turn, at the earliest. */
  schedule(room: YjsRoom): void {
    const now = this.#clock.elapsed();
    const dueAt = room.nextAt(now);
    if (dueAt === undefined || this.#isStopped) return;
    if (dueAt > now) {
      this.#queue.setAtLatest(room, dueAt);
      this.#alarm.by(this.#queue.nextAt());
      return;
    }
    if (this.#ready.size === 0) setImmediate(() => this.#runReady());
    this.#ready.add(room);
  }

  toldPresence(tenant_id: string, { participant_id }: PresenceChange): void {
    for (const room of this.#byMember.of(tenant_id, participant_id)) {
      room.touch(participant_id);
      this.schedule(room);
    }
  }

  toldTyping(tenant_id: string, { room_id, participant_id }: TypingChange): void {
    const room = this.find({ tenant_id, room_id });
    if (room === undefined) return;
    room.touch(participant_id);
    this.schedule(room);
  }

  /** A device signed off, with all of its sources: nothing of it lingers. */
  signOff({ tenant_id, participant_id }: PersonKey, device_id: string): void {
    for (const room of this.#byMember.of(tenant_id, participant_id)) {
      room.signOff(participant_id, device_id);
      this.schedule(room);
    }
  }

  /** Follows who joins, leaves and is renamed, and which rooms end. */
  follow({ frame, to }: Announcement): void {
    const { tenant_id, stream_position = 0, participant_id, participant } = frame;
    if (to === "tenant") {
      if (frame.type !== "swp.participant.profile" || typeof participant_id !== "string") return;
      for (const room of this.#byMember.of(tenant_id, participant_id)) {
        if (stream_position <= room.position) continue;
        // The frame has the participant as the store knows them.
        room.rename(participant_id, participant as AwarenessMember);
        this.schedule(room);
      }
      return;
    }
    const room = "room_id" in to ? this.find({ tenant_id, room_id: to.room_id }) : undefined;
    if (room === undefined || stream_position <= room.position) return;
    this.#follow(room, frame);
    if (this.find(room.key) === room) this.schedule(room);
  }

  /** A tenant is no more, and nobody of it is connected. */
  forgetTenant(tenant_id: string): void {
    for (const room of [...this.#rooms.values()])
      if (room.key.tenant_id === tenant_id) this.#drop(room);
  }

  /** Tells nothing more. */
  stop(): void {
    this.#isStopped = true;
    this.#alarm.stop();
    this.#exchange?.stop();
    this.#ready.clear();
  }

  #follow(room: YjsRoom, frame: Announcement["frame"]): void {
    const { tenant_id, participant_id } = frame;
    room.follow(frame);
    if (frame.type === "swp.room.state" && frame.deleted === true) this.#drop(room);
    if (frame.type !== "swp.room.member" || typeof participant_id !== "string") return;
    if (room.has(participant_id)) this.#byMember.put(tenant_id, participant_id, room);
    else this.#byMember.take(tenant_id, participant_id, room);
  }

  async #read(key: RoomKey, participant_id: string): Promise<void> {
    this.#makeRoom();
    const meanwhile = this.#announced.meanwhile(key.tenant_id);
    try {
      const reading = await this.#store.room(key, participant_id, ["members"]);
      const refused =
        reading === undefined
          ? "SW_ROOM_NOT_FOUND"
          : roomRefusal(reading.room, reading.viewer, "look");
      if (reading === undefined || refused !== undefined)
        throw roomError(refused ?? "SW_ROOM_NOT_FOUND");
      const missed = meanwhile.above(reading.stream_position);
      // So much has happened that it was not kept: it is read again.
      if (missed !== undefined) this.#add(key, reading, missed);
    } finally {
      meanwhile.end();
    }
  }

  #add(key: RoomKey, reading: RoomReading, missed: readonly Announcement[]): void {
    const now = this.#clock.elapsed();
    const room = new YjsRoom(this.#deps, key, reading.stream_position, now);
    room.hearTime({ clock: this.#clockBefore, time: now }, now);
    this.#rooms.set(nameOf(key), room);
    for (const { membership, participant } of reading.members) {
      if (membership !== "join") continue;
      room.setMember(participant.id, participant);
      this.#byMember.put(key.tenant_id, participant.id, room);
    }
    for (const announcement of missed) this.follow(announcement);
    // Whoever it was loaded for may not come after all.
    this.#queue.set(room, now + UNUSED_MS);
    this.#alarm.by(this.#queue.nextAt());
  }

  /** Nobody is in the first rooms longest: what they remember is given up when there are too many. */
  #makeRoom(): void {
    if (this.#rooms.size < MAX_ROOMS) return;
    for (const room of this.#rooms.values()) {
      if (room.sockets > 0) continue;
      this.#drop(room);
      return;
    }
    throw new CodedError("SW_UNAVAILABLE", "Too many rooms are open", { retryAfterSeconds: 5 });
  }

  #ring(): void {
    const now = this.#clock.elapsed();
    for (let room = this.#queue.take(now); room !== undefined; room = this.#queue.take(now))
      this.#run(room, now);
    this.#alarm.by(this.#queue.nextAt());
  }

  #runReady(): void {
    const rooms = [...this.#ready];
    this.#ready.clear();
    const now = this.#clock.elapsed();
    for (const room of rooms) this.#run(room, now);
  }

  #run(room: YjsRoom, now: number): void {
    if (this.find(room.key) !== room) return;
    room.run(now);
    if (room.isOver) this.#drop(room);
    else this.schedule(room);
  }

  #drop(room: YjsRoom): void {
    const { tenant_id } = room.key;
    for (const id of room.members()) this.#byMember.take(tenant_id, id, room);
    this.#rooms.delete(nameOf(room.key));
    this.#queue.delete(room);
    this.#ready.delete(room);
  }
}

/** No id has a slash in it. */
function nameOf({ tenant_id, room_id }: RoomKey): string {
  return `${tenant_id}/${room_id}`;
}
