import type { Due, EventFrame } from "@porchlight/core";
import {
  type AwarenessBatch,
  type AwarenessClaim,
  type AwarenessClient,
  AwarenessElsewhere,
  type AwarenessMember,
  type AwarenessOutcome,
  AwarenessRoom,
  type AwarenessRules,
  type AwarenessSaid,
  type AwarenessShare,
  type AwarenessTelling,
  type AwarenessTime,
  AwarenessWindow,
  type YjsClose,
} from "@porchlight/core/awareness";
import type { Hub } from "../hub.ts";
import type { Liveness } from "../liveness.ts";
import type { Metrics } from "../metrics.ts";
import type { RoomKey } from "../store/store.ts";
import { EntryBatch, type EntryMessage, NOTHING_NEW } from "./codec.ts";
import type { OtherNodes } from "./exchange.ts";
import type { YjsSocket } from "./socket.ts";

/**
 * Everything is told again after so long, for clients that drop what they do
 * not hear of for 30 s, and every socket hears something: one that hears
 * nothing for 30 s reconnects.
 */
const REFRESH_MS = 15_000;
/** A client that heard nothing of an entry for so long has dropped it by itself. */
const DROPPED_MS = 30_000;
/** A room into which nobody comes is no longer of use after so long. */
export const UNUSED_MS = 10_000;

/** What a room stands on. */
export interface YjsDeps {
  readonly hub: Hub;
  readonly liveness: Liveness;
  readonly metrics: Metrics;
  readonly rules: AwarenessRules;
  /** How long a message may be that comes from a client. */
  readonly frame_max_bytes: number;
  /** The other nodes, where there can be any. */
  readonly nodes?: OtherNodes | undefined;
}

/** One room and its Yjs sockets: what core says of entries becomes messages, each encoded once. */
export class YjsRoom implements Due {
  dueAt = 0;
  queuedAt = -1;
  readonly key: RoomKey;
  /** What was announced up to this position was known when the room was read. */
  readonly position: number;
  readonly #deps: YjsDeps;
  readonly #topic: string;
  readonly #awareness: AwarenessRoom;
  readonly #sockets = new Map<AwarenessClient, YjsSocket>();
  readonly #people = new Map<string, Set<YjsSocket>>();
  /** Sockets that are told nothing before they have said which id is theirs, or until this moment has come. */
  readonly #silent = new Map<YjsSocket, number>();
  /** Sockets that are to be told everything, and since when what is gone. */
  readonly #behind = new Map<YjsSocket, number>();
  /** Sockets that speak for an id since the last telling. */
  readonly #bound = new Set<YjsSocket>();
  /** Sockets that said more than they may, and when they go on. */
  readonly #held = new Map<YjsSocket, number>();
  readonly #elsewhere: AwarenessElsewhere;
  #isListening = false;
  /** When somebody was there last, or was about to be. */
  #usedAt: number;
  #isChanged = false;
  readonly #window = new AwarenessWindow();
  readonly #phase: number;
  #refreshAt: number;

  constructor(deps: YjsDeps, key: RoomKey, position: number, now: number) {
    const { tenant_id, room_id } = key;
    this.key = { tenant_id, room_id };
    this.position = position;
    this.#deps = deps;
    this.#topic = `y/${tenant_id}/${room_id}`;
    this.#awareness = new AwarenessRoom(this.#topic, deps.rules, deps.nodes?.name);
    this.#elsewhere = new AwarenessElsewhere(this.#awareness);
    this.#usedAt = now;
    // At moments that do not depend on who came first, and not the same for all rooms.
    this.#phase = Number(Bun.hash(this.#topic) % BigInt(REFRESH_MS));
    this.#refreshAt = this.#refreshAfter(now);
  }

  /** How many sockets are in the room. */
  get sockets(): number {
    return this.#sockets.size;
  }

  /** How many entries others can see: none where nobody is there to see them. */
  get entries(): number {
    return this.#sockets.size === 0 ? 0 : this.#awareness.size;
  }

  /** Whether nothing is lost if the room is forgotten. */
  get isOver(): boolean {
    return this.#sockets.size === 0 && !this.#isListening && this.#awareness.isForgettable;
  }

  /** Whether what other nodes tell of the room is heard. */
  get isListening(): boolean {
    return this.#isListening;
  }

  has(participant_id: string): boolean {
    return this.#awareness.has(participant_id);
  }

  members(): Iterable<string> {
    return this.#awareness.members();
  }

  setMember(participant_id: string, member: AwarenessMember | undefined): void {
    this.#awareness.setMember(participant_id, member);
    this.#isChanged = true;
  }

  /** Somebody's names are others now. */
  rename(participant_id: string, member: AwarenessMember): void {
    if (this.has(participant_id)) this.setMember(participant_id, member);
  }

  /** Something may be otherwise with somebody. */
  touch(participant_id: string): void {
    this.#awareness.touch(participant_id);
    this.#isChanged = true;
  }

  /** Takes in a socket, which is told everything once it has {@link spoken}. */
  enter(socket: YjsSocket, now: number): AwarenessClient {
    const { participant_id, device_id } = socket;
    const client = this.#awareness.join(participant_id, device_id, now);
    this.#sockets.set(client, socket);
    const own = this.#people.get(participant_id) ?? new Set();
    this.#people.set(participant_id, own.add(socket));
    this.#silent.set(socket, now + this.#deps.rules.coalesce_ms);
    this.#usedAt = now;
    // At once: elsewhere nobody is to be shown otherwise before that, when it is heard that they are there.
    this.#tellElsewhere(now);
    return client;
  }

  /** A socket has said something. Answers whether that was the first: then it is told everything now. */
  spoken(socket: YjsSocket): boolean {
    if (!this.#silent.delete(socket)) return false;
    // It has heard of nobody who could be gone.
    this.#behind.set(socket, Number.POSITIVE_INFINITY);
    this.#isChanged = true;
    return true;
  }

  /** A socket is gone. Does nothing when it already is. @param lingersUntil set when it was lost without a word. */
  part(client: AwarenessClient, now: number, lingersUntil: number | undefined): void {
    const socket = this.#sockets.get(client);
    if (socket === undefined) return;
    this.#sockets.delete(client);
    const own = this.#people.get(client.participant_id);
    own?.delete(socket);
    if (own?.size === 0) this.#people.delete(client.participant_id);
    this.#silent.delete(socket);
    this.#behind.delete(socket);
    this.#bound.delete(socket);
    this.#held.delete(socket);
    if (lingersUntil === undefined) this.#awareness.leave(client);
    else this.#awareness.lose(client, lingersUntil);
    this.#usedAt = now;
    this.#isChanged = true;
  }

  /** A device signed off: what lingers of it is gone. */
  signOff(participant_id: string, device_id: string): void {
    this.#awareness.signOff(participant_id, device_id);
    this.#isChanged = true;
  }

  claim(
    client: AwarenessClient,
    said: { id: number; clock: number; isNull: boolean },
    now: number,
  ): AwarenessClaim {
    return this.#awareness.claim(client, said, now);
  }

  /** A socket says something of an id of its own. Answers what came of it, and which socket gives way. */
  say(
    client: AwarenessClient,
    said: AwarenessSaid,
  ): { outcome: AwarenessOutcome; replaced: YjsSocket | undefined } {
    const outcome = this.#awareness.say(client, said);
    const { kind, replaced } = outcome;
    const socket = this.#sockets.get(client);
    if (kind === "bound" && socket !== undefined) this.#bound.add(socket);
    if (kind === "bound" || kind === "changed" || kind === "left") this.#isChanged = true;
    return { outcome, replaced: replaced && this.#sockets.get(replaced) };
  }

  isEcho(client: AwarenessClient, said: AwarenessSaid): boolean {
    return this.#awareness.isEcho(client, said);
  }

  isSpeaking(client: AwarenessClient): boolean {
    return this.#awareness.isSpeaking(client);
  }

  /** Everything is to be told to a socket that missed some of it, and what is gone that it can still hold. */
  catchUp(socket: YjsSocket, now: number): void {
    if (this.#silent.has(socket)) return;
    this.#behind.set(socket, now - DROPPED_MS);
    this.#isChanged = true;
  }

  /** A socket has said more than it may: it goes on at a later moment. */
  hold(socket: YjsSocket, until: number): void {
    this.#held.set(socket, until);
  }

  /** Closes every socket, or those of one person. */
  close(why: "not_member" | "no_such_room", participant_id?: string): void {
    const sockets =
      participant_id === undefined ? this.#sockets.values() : this.#people.get(participant_id);
    for (const socket of [...(sockets ?? [])]) this.#deps.hub.close<typeof why>(socket, why);
  }

  /** Follows something durable that happened in the room. */
  follow({ type, participant_id, membership, member, deleted }: EventFrame): void {
    if (type === "swp.room.state" && deleted === true) this.close("no_such_room");
    if (type !== "swp.room.member" || typeof participant_id !== "string") return;
    // The frame has the member as the store knows it.
    const joined = membership === "join" ? (member as { participant: AwarenessMember }) : undefined;
    this.setMember(participant_id, joined?.participant);
    if (joined === undefined) this.close("not_member", participant_id);
  }

  /** From now on what other nodes tell of the room is heard, for as long as it is of use. */
  listen(now: number): void {
    this.#isListening = true;
    this.#usedAt = now;
  }

  /** Another node tells what its sockets did. Answers whether something was missed before. */
  hear(node: string, batch: AwarenessBatch, now: number): boolean {
    const { replaced, isBehind } = this.#elsewhere.hear(node, batch, now);
    this.#isChanged = true;
    this.#replace(replaced);
    return isBehind;
  }

  /** Another node tells everything that it knows. */
  adopt(node: string, share: AwarenessShare, now: number): void {
    const replaced = this.#elsewhere.adopt(node, share, now);
    this.#isChanged = true;
    this.#replace(replaced);
  }

  /** Whether another node is known to have a socket in the room. */
  hears(node: string): boolean {
    return this.#elsewhere.has(node);
  }

  /** Another node is no more: what its sockets said lingers for so long. */
  lose(node: string, lingersMs: number, now: number): void {
    this.#elsewhere.lose(node, lingersMs, now);
    this.#isChanged = true;
  }

  /** Everything that this node knows by itself, for others. */
  share(now: number): AwarenessShare {
    return this.#awareness.share(now);
  }

  /** Clients may have been told with clocks that came so far. */
  hearTime(reached: AwarenessTime, now: number): void {
    this.#awareness.hearTime(reached, now);
  }

  /** When {@link run} is to be called next; nothing when nobody is there and nothing is due. */
  nextAt(now: number): number | undefined {
    // Who came first has been silent longest.
    const [silentUntil] = this.#silent.values();
    const due = [this.#awareness.nextAt(), silentUntil, ...this.#held.values()];
    const isOfUse = this.#sockets.size > 0 || this.#isListening;
    if (this.#sockets.size > 0) due.push(this.#refreshAt);
    else if (this.#isListening && !this.#awareness.isLingering) due.push(this.#usedAt + UNUSED_MS);
    if ((this.#isChanged && isOfUse) || this.#awareness.hasBatch)
      due.push(Math.max(now, this.#window.overAt(this.#sockets.size)));
    const next = Math.min(...due.map((at) => at ?? Number.POSITIVE_INFINITY));
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  /** Tells what there is to tell by now. */
  run(now: number): void {
    for (const [socket, until] of this.#held) {
      if (until > now) continue;
      this.#held.delete(socket);
      socket.goOn(now);
    }
    for (const [socket, until] of this.#silent) if (until <= now) this.spoken(socket);
    this.#isChanged = false;
    if (this.#isUseless(now)) this.#forgetElsewhere();
    this.hearTime({ clock: 0, time: now + (this.#deps.nodes?.aheadMs ?? 0) }, now);
    const facts = this.#deps.liveness.awarenessOf(this.key);
    const { tellings, typing } = this.#awareness.tell(facts, now);
    this.#window.told(tellings.filter(({ to }) => to === "others").length, now);
    this.#tell(tellings, now);
    if (now >= this.#refreshAt) this.#refresh(now);
    this.#catchUpAll(now);
    for (const socket of this.#bound) this.#tellSiblings(socket, now);
    this.#behind.clear();
    this.#bound.clear();
    for (const client of typing) this.#sockets.get(client)?.type("start");
    this.#tellElsewhere(now);
  }

  /** Tells the other nodes what sockets of this one did. */
  #tellElsewhere(now: number): void {
    const { nodes, liveness } = this.#deps;
    if (nodes === undefined || !this.#awareness.hasBatch) return;
    const isAlone = nodes.others.length === 0;
    const facts = liveness.awarenessOf(this.key);
    for (;;) {
      // Also what nobody is told is numbered: whoever comes after it finds that something is missing.
      const batch = this.#awareness.batch(facts, now);
      if (batch === undefined) return;
      if (!isAlone) nodes.say({ kind: "awareness", ...this.key, ...batch });
    }
  }

  /** Sockets of other nodes took over what sockets of this one had: those that are of this one are closed. */
  #replace(clients: readonly AwarenessClient[]): void {
    for (const client of clients) {
      const socket = this.#sockets.get(client);
      if (socket !== undefined) this.#deps.hub.close<YjsClose>(socket, "replaced");
    }
  }

  /** Nobody is there or was there a moment ago, and nobody lingers: what happens elsewhere need not be known. */
  #isUseless(now: number): boolean {
    const isEmpty = this.#sockets.size === 0 && !this.#awareness.isLingering;
    return this.#isListening && isEmpty && now >= this.#usedAt + UNUSED_MS;
  }

  #forgetElsewhere(): void {
    this.#isListening = false;
    this.#elsewhere.forget();
  }

  /** Tells everything to those who are behind, encoded once for all of them. */
  #catchUpAll(now: number): void {
    if (this.#behind.size === 0) return;
    const goneSince = Math.min(...this.#behind.values());
    const all = this.#awareness.snapshot(now, goneSince);
    const batch = this.#batchOf(all);
    for (const socket of this.#behind.keys()) {
      this.#bound.delete(socket);
      const siblings = this.#siblingsOf(socket, now, goneSince);
      this.#send(
        socket,
        this.#asHeardBy(socket, all, batch).without(socket.participant_id, siblings),
        now,
      );
      socket.socket.subscribe(this.#topic);
    }
  }

  /** The same tellings encoded for one socket, to which some of it may be told otherwise. */
  #asHeardBy(
    { client }: YjsSocket,
    tellings: readonly AwarenessTelling[],
    batch: EntryBatch,
  ): EntryBatch {
    const heard = client === undefined ? tellings : this.#awareness.asHeardBy(client, tellings);
    return heard === tellings ? batch : this.#batchOf(heard);
  }

  #tellSiblings(socket: YjsSocket, now: number): void {
    const siblings = this.#siblingsOf(socket, now);
    if (siblings.length > 0) this.#send(socket, this.#batchOf(siblings).messages, now);
  }

  #siblingsOf({ client }: YjsSocket, now: number, goneSince?: number): readonly AwarenessTelling[] {
    return client === undefined ? [] : this.#awareness.siblings(client, now, goneSince);
  }

  #refreshAfter(now: number): number {
    return (Math.floor((now - this.#phase) / REFRESH_MS) + 1) * REFRESH_MS + this.#phase;
  }

  #refresh(now: number): void {
    this.#refreshAt = this.#refreshAfter(now);
    this.#tell(this.#awareness.refresh(now), now);
    this.#deps.hub.publishLive(this.key.tenant_id, this.#topic, NOTHING_NEW, []);
  }

  /** Tells everybody: whom some of it concerns hears it without what is theirs. */
  #tell(tellings: readonly AwarenessTelling[], now: number): void {
    if (tellings.length === 0 || this.#sockets.size === 0) return;
    const { others = [], own = [] } = Object.groupBy(tellings, ({ to }) => to);
    const batch = this.#batchOf(others);
    const concerned = this.#concernedBy(tellings);
    for (const socket of concerned) {
      if (this.#behind.has(socket) || this.#silent.has(socket)) continue;
      const { participant_id, client } = socket;
      const hearsOwn = client !== undefined && this.#awareness.hasId(client);
      const theirs = own.filter(
        (each) => hearsOwn && each.participant_id === participant_id && each.client !== client,
      );
      this.#send(
        socket,
        this.#asHeardBy(socket, others, batch).without(participant_id, theirs),
        now,
      );
    }
    for (const message of batch.messages) {
      this.#deps.metrics.frame("awareness");
      for (const socket of this.#sockets.values())
        if (!concerned.has(socket)) socket.told(message, now);
      this.#deps.hub.publishLive(this.key.tenant_id, this.#topic, message.bytes, [...concerned]);
    }
  }

  /** The sockets of those of whom something is told, and those to which not all is told as it is. */
  #concernedBy(tellings: readonly AwarenessTelling[]): Set<YjsSocket> {
    const concerned = new Set<YjsSocket>();
    for (const { participant_id } of tellings)
      for (const socket of this.#people.get(participant_id) ?? []) concerned.add(socket);
    for (const loser of this.#awareness.losers()) {
      const socket = this.#sockets.get(loser);
      if (socket !== undefined) concerned.add(socket);
    }
    return concerned;
  }

  #batchOf(tellings: readonly AwarenessTelling[]): EntryBatch {
    return new EntryBatch(tellings, this.#deps.frame_max_bytes);
  }

  #send(socket: YjsSocket, messages: readonly EntryMessage[], now: number): void {
    for (const message of messages) {
      this.#deps.metrics.frame("awareness");
      socket.told(message, now);
      this.#deps.hub.sendLive(socket, message.bytes);
    }
  }
}
