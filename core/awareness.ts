import {
  type AwarenessClient,
  type AwarenessMember,
  type AwarenessNews,
  type AwarenessTelling,
  type Client,
  type Entry,
  isEcho,
  isMistaken,
  isStandIn,
  MAX_AWARENESS_BYTES,
  News,
  NOTHING,
  newEntry,
  readState,
  type Seen,
  saysNothingNew,
  standInId,
  textOf,
} from "./awareness-entry.ts";
import { AwarenessLog } from "./awareness-log.ts";
import { isKept, ReservedIds, toldAt } from "./awareness-reserved.ts";
import {
  type AwarenessBatch,
  type AwarenessSeat,
  type AwarenessShare,
  type AwarenessTime,
  type LingeringEntry,
  lingeringEntry,
  type ReservedId,
  reservedId,
  sharedSocket,
} from "./awareness-share.ts";
import { type JsonObject, utf8Bytes } from "./json.ts";
import type { PresenceState, VisibleState } from "./presence.ts";
import type { Timings } from "./timings.ts";

export { AwarenessElsewhere, type AwarenessHeard } from "./awareness-elsewhere.ts";
export {
  type AwarenessClient,
  type AwarenessMember,
  type AwarenessNews,
  type AwarenessTelling,
  MAX_AWARENESS_BYTES,
  STAND_IN_IDS_FROM,
} from "./awareness-entry.ts";
export {
  type AwarenessBatch,
  type AwarenessDeed,
  type AwarenessSeat,
  type AwarenessShare,
  type AwarenessTime,
  type LingeringEntry,
  partsOf,
  type ReservedId,
  type SharedSocket,
  wholeOf,
} from "./awareness-share.ts";
export { AwarenessWindow } from "./awareness-window.ts";
export { YJS_CLOSE, type YjsClose } from "./frames.ts";

/** Ids that one socket can have at once. */
export const MAX_AWARENESS_IDS = 16;
/** All that one person's sockets say in a room takes at most so many bytes: as much as one of them may say. */
const MAX_PERSON_BYTES: number = MAX_AWARENESS_IDS * MAX_AWARENESS_BYTES;
/** Who reconnects says so right after opening. Later, an id of the person's other socket is only repeated. */
const TAKEOVER_MS = 2_000;
/** What was told within this time needs no refreshing. */
const FRESH_MS = 10_000;
/** A client that came from another node may have been told with clocks that are ahead by so much of what is known here. */
const AHEAD_MS = 2_000;

/** What bounds awareness in one room. */
export interface AwarenessRules extends Pick<Timings, "coalesce_ms"> {
  /** In rooms with more joined members, whoever has no client in the room shows only while typing. */
  readonly awareness_max_members: number;
}

/** What is true of people at the moment at which it is told. */
export interface AwarenessFacts {
  /** What others were last told. */
  told(participantId: string): VisibleState;
  /** What others are told as soon as it may be told. */
  visible(participantId: string): VisibleState;
  /** The state in the person's own eyes. */
  effective(participantId: string): PresenceState;
  /** Whether others were told that the person types in this room. */
  isTyping(participantId: string): boolean;
}

/** What a socket said of one client id. */
export interface AwarenessSaid {
  readonly id: number;
  readonly clock: number;
  /** The state as JSON; null when there is none any more. */
  readonly text: string | null;
}

/**
 * Whose an id is to the socket that speaks of it: its `own`, of which what it
 * says counts; somebody else's (`foreign`), of which it only repeats what it
 * heard, or its own of which it says nothing new; one of which it says what it
 * cannot have heard (`forged`), or that nothing is there any more where
 * something is (`mistaken`), as clients do that slept.
 */
export type AwarenessClaim = "own" | "foreign" | "forged" | "mistaken";

/** What came of what a socket said of its own id. */
export interface AwarenessOutcome {
  /**
   * `bound`: it begins to speak for the id. `left`: it says nothing of it any more. `refused`: no state
   * that may be told. `echoed`: what its person's other tab was told of it.
   */
  readonly kind: "bound" | "changed" | "renewed" | "left" | "refused" | "echoed";
  /** What it says about typing: that it begins, goes on, or ended. */
  readonly typing?: "start" | "renew" | "stop" | undefined;
  /** The same person's older socket that had the id: to be closed, and to {@link AwarenessRoom.leave}. */
  readonly replaced?: AwarenessClient | undefined;
}

interface Person {
  readonly participant_id: string;
  readonly clients: Set<Client>;
  readonly entries: Set<Entry>;
  /** What shows the person who has no entry of a client. */
  standIn: Entry | undefined;
}

const REFUSED: AwarenessOutcome = { kind: "refused" };
const ECHOED: AwarenessOutcome = { kind: "echoed" };

/**
 * Awareness in one room, as clients of Yjs know it: entries by client id, each
 * with a clock. It is a view of presence and typing, of which it keeps nothing:
 * it asks {@link AwarenessFacts} whenever it tells.
 *
 * - Each joined member who is not told `offline` has an entry for each of their
 *   clients' ids or, with none, one that stands in for them. Who has just come
 *   has `coalesce_ms` to say something before that.
 * - An id belongs to a person. What a socket says of any but its own has no
 *   effect on anyone.
 * - Clocks are the room's, never a client's: they are Unix milliseconds, so
 *   that they go on after a restart.
 * - Who appears offline has no entry, to others; their ids are kept from others
 *   no longer than those of someone who has gone. Who is about to be told
 *   offline has none either, so that nobody is shown for a blink.
 *
 * Sets no timer and reads no clock: every `now` is Unix milliseconds on one
 * clock that never goes back. After any operation, {@link tell} says what is to
 * be told; {@link nextAt} is when it next has something by itself.
 */
export class AwarenessRoom {
  readonly #members = new Map<string, AwarenessMember>();
  readonly #people = new Map<string, Person>();
  readonly #entries = new Map<number, Entry>();
  readonly #reserved = new ReservedIds();
  readonly #unsettled = new Set<string>();
  readonly #lingering = new Set<Entry>();
  /** Sockets whose own id is somebody else's. */
  readonly #losers = new Set<Client>();
  /** Sockets of other nodes that speak for ids that are not theirs here, as long as they are not. */
  readonly #refused = new Set<Client>();
  /** What other nodes are to be told of the sockets of this one. */
  readonly #log: AwarenessLog | undefined;
  /** The last clock told of a person to others, and to the person. */
  readonly #clocks = { others: 0, own: 0 };
  /** By how much the clocks are to be ahead of the time, so that they go on where others have told with higher ones. */
  #aheadMs = 0;
  /** No clock that was told is below this one. */
  #toldFrom = Number.POSITIVE_INFINITY;
  #lastOpened = 0;
  readonly #name: string;
  readonly #rules: AwarenessRules;
  readonly #node: string | undefined;
  #waitUntil = Number.POSITIVE_INFINITY;

  /**
   * @param name distinguishes the room from all others: ids of those without a client follow from it.
   * @param node names this node among several that have sockets in the room; nothing where there is only one.
   */
  constructor(name: string, rules: AwarenessRules, node?: string) {
    this.#name = name;
    this.#rules = rules;
    this.#node = node;
    this.#log = node === undefined ? undefined : new AwarenessLog();
  }

  /** How many entries others can see. */
  get size(): number {
    let size = 0;
    for (const { others } of this.#entries.values()) size += Number(others.text !== null);
    return size;
  }

  /** Whether nothing of it need be kept once nobody is there any more: no id is anybody's. */
  get isForgettable(): boolean {
    return this.#reserved.size === 0 && [...this.#entries.keys()].every(isStandIn);
  }

  /** Whether anything lingers of a socket that was lost, here or elsewhere. */
  get isLingering(): boolean {
    return this.#lingering.size > 0;
  }

  /** Whether somebody has joined. */
  has(participantId: string): boolean {
    return this.#members.has(participantId);
  }

  /** Everyone who has joined. */
  members(): Iterable<string> {
    return this.#members.keys();
  }

  /** Somebody has joined the room, with these names, or no longer has. */
  setMember(participantId: string, member: AwarenessMember | undefined): void {
    const wasLarge = this.#isLarge;
    if (member === undefined) this.#members.delete(participantId);
    else {
      const { display_name, avatar_url } = member;
      this.#members.set(participantId, { display_name, avatar_url });
    }
    this.touch(participantId);
    if (wasLarge !== this.#isLarge) for (const id of this.#members.keys()) this.touch(id);
  }

  /** Something may be otherwise with a person: what others were told, what they type. */
  touch(participantId: string): void {
    this.#unsettled.add(participantId);
  }

  /** A socket opens. It speaks for no id until it says something. */
  join(participantId: string, deviceId: string, now: number): AwarenessClient {
    const opened = Math.max(this.#lastOpened + 1, this.#floor(now));
    const seat = { participant_id: participantId, device_id: deviceId, opened };
    this.#log?.add({ ...seat, did: "opened" });
    return this.#seat(seat, undefined, now);
  }

  /** A socket is open on another node. It is one like any other, of which its node says what it does. */
  joinElsewhere(node: string, seat: AwarenessSeat, now: number): AwarenessClient {
    return this.#seat(seat, node, now);
  }

  /** Whose an id is to a socket that speaks of it. @param said.isNull whether it says that there is nothing any more. */
  claim(
    handle: AwarenessClient,
    { id, clock, isNull }: { id: number; clock: number; isNull: boolean },
    now: number,
  ): AwarenessClaim {
    const client = clientOf(handle);
    const entry = this.#entries.get(id);
    if (entry?.client === client) return saysNothingNew(entry, clock, isNull) ? "foreign" : "own";
    const holder = this.#holderOf(id, now);
    const isOthers = isStandIn(id) || (holder ?? client.participant_id) !== client.participant_id;
    // Not by what the room was told last: that somebody who hides was told something must not show.
    const isHeard = clock <= Math.max(this.#clocks.others, this.#floor(now)) + this.#slackMs;
    if (isOthers && !isHeard && client.ownId !== id) return "forged";
    if (isOthers && !isNull) this.#lose(client, id, clock);
    if (isNull && isMistaken(entry, client, clock)) return "mistaken";
    if (isOthers || isNull) return "foreign";
    const isKnown = (holder ?? entry?.participant_id) === client.participant_id;
    return isKnown ? this.#claimKnown(client, entry, now) : this.#claimNew(client, clock);
  }

  /** A socket says something of an id that is its own, as {@link claim} has it. */
  say(handle: AwarenessClient, { id, clock, text }: AwarenessSaid): AwarenessOutcome {
    const client = clientOf(handle);
    const known = this.#entries.get(id);
    const own = known?.client === client ? known : undefined;
    const before = own?.state;
    if (own !== undefined && this.#isEcho(own, clock, text)) return ECHOED;
    if (text === null) return this.#silence(client, own, clock);
    const isRenewal = before !== undefined && own?.text === text;
    const state = isRenewal ? before : readState(text);
    if (state === undefined || !this.#hasRoomFor(client, own, text)) return REFUSED;
    if (own === undefined) this.#succeed(client, known);
    const { entry, replaced } = own === undefined ? this.#bind(client, id) : { entry: own };
    entry.heardClock = clock;
    record(entry, state, text);
    if (!isRenewal) {
      this.touch(client.participant_id);
      this.#log?.add({ ...seatOf(client), did: "said", id, text });
    }
    // Who begins to speak is found to type once others see them: see `typing` of the news.
    const typing = before && typingOf(before.typing === true, state.typing === true);
    const kind = isRenewal ? "renewed" : before === undefined ? "bound" : "changed";
    return { kind, typing, replaced };
  }

  /**
   * A socket of another node said something, which its node has taken for its own. Answers the older socket of the
   * person that began with that id, if there is one: its node is to close it, and to {@link leave}.
   * @param said.isNews whether it says so now; otherwise it did before this node knew of it.
   */
  sayElsewhere(
    handle: AwarenessClient,
    { id, text, isNews }: { id: number; text: string; isNews: boolean },
    now: number,
  ): AwarenessClient | undefined {
    const client = clientOf(handle);
    const known = this.#entries.get(id);
    const own = known?.client === client ? known : undefined;
    const state = readState(text);
    if (state === undefined) return undefined;
    if (!this.#mayHave(client, id, now)) {
      client.refused.set(id, text);
      this.#refused.add(client);
      return undefined;
    }
    client.refused.delete(id);
    if (own === undefined && isNews) this.#succeed(client, known);
    const { entry, replaced } =
      own === undefined ? this.#bind(client, id) : { entry: own, replaced: undefined };
    this.#stay(entry);
    record(entry, state, text);
    this.touch(client.participant_id);
    return replaced;
  }

  /** A socket of another node says nothing of an id any more: what it said lingers until a moment. */
  silenceElsewhere(handle: AwarenessClient, id: number, until: number): void {
    const entry = this.#entries.get(id);
    clientOf(handle).refused.delete(id);
    if (entry?.client === clientOf(handle) && entry.state !== undefined) this.#linger(entry, until);
  }

  /** The ids of which a socket says something, also those that are not its own here. */
  idsOf(handle: AwarenessClient): readonly number[] {
    const { entries, refused } = clientOf(handle);
    const spoken = [...entries].filter(({ state }) => state !== undefined);
    return [...spoken.map(({ id }) => id), ...refused.keys()];
  }

  /** Whether a socket speaks for an id: only then it is told of its person's other sockets, one of which it may have been. */
  hasId(handle: AwarenessClient): boolean {
    return clientOf(handle).entries.size > 0;
  }

  /** Whether a socket has an entry. One that said that there is nothing any more has none. */
  isSpeaking(handle: AwarenessClient): boolean {
    return this.idsOf(handle).length > 0;
  }

  /** A socket signed off: its entries are gone at once. Safe to call twice. */
  leave(handle: AwarenessClient): void {
    const client = clientOf(handle);
    if (this.#isHere(client)) this.#log?.add({ ...seatOf(client), did: "left" });
    for (const entry of client.entries) {
      entry.client = undefined;
      entry.state = undefined;
    }
    this.#part(client);
  }

  /**
   * A socket was lost without a word: its entries linger, until it is back or its person comes with another id.
   * @param until as long as its source lingers: see `PresenceRegister.lose`.
   */
  lose(handle: AwarenessClient, until: number): void {
    const client = clientOf(handle);
    if (this.#isHere(client)) this.#log?.add({ ...seatOf(client), did: "lost", until });
    for (const entry of [...client.entries]) this.#letGo(entry, until);
    this.#part(client);
  }

  /** A device signed off: what lingers of it is gone. Its open sockets are to be closed, and to {@link leave}. */
  signOff(participantId: string, deviceId: string): void {
    for (const entry of this.#lingering)
      if (entry.participant_id === participantId && entry.device_id === deviceId) this.#end(entry);
  }

  /** What is to be told of all that has happened and run out by `now`. */
  tell(facts: AwarenessFacts, now: number): AwarenessNews {
    this.#expire(now);
    for (const client of this.#refused) this.#tryAgain(client, now);
    const news = this.#news(now);
    const people = [...this.#unsettled];
    this.#unsettled.clear();
    this.#waitUntil = Number.POSITIVE_INFINITY;
    for (const id of people) this.#settle(this.#personOf(id), facts, news);
    return news;
  }

  /** When {@link tell} next has something by itself. Calling it early does no harm. */
  nextAt(): number | undefined {
    const lingering = [...this.#lingering].map(({ lingersUntil }) => lingersUntil);
    const all = [this.#waitUntil, this.#reserved.nextAt(), ...lingering];
    const next = Math.min(...all.map((at) => at ?? Number.POSITIVE_INFINITY));
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  /** Everything once more but what was told a moment ago: clients drop what they do not hear of for 30 s. */
  refresh(now: number): readonly AwarenessTelling[] {
    const news = this.#news(now);
    for (const entry of this.#entries.values())
      for (const to of ["others", "own"] as const)
        if (entry[to].text !== null && entry[to].at <= now - FRESH_MS) news.tell(entry, to);
    return news.inOrder();
  }

  /**
   * Every entry as others see it, with a clock that is new to each: for a socket that has just come or missed
   * something, but for those of its own person, of which it is told its {@link siblings}.
   * @param goneSince also which entries are gone since then; none by default.
   */
  snapshot(now: number, goneSince: number = Number.POSITIVE_INFINITY): readonly AwarenessTelling[] {
    const news = this.#news(now);
    for (const entry of this.#known())
      if (entry.others.text !== null || entry.others.at >= goneSince)
        news.tellSome(entry, "others");
    return news.inOrder();
  }

  /** The entries of its person's other sockets, for a socket that speaks for an id; none before that. */
  siblings(
    handle: AwarenessClient,
    now: number,
    goneSince: number = Number.POSITIVE_INFINITY,
  ): readonly AwarenessTelling[] {
    const client = clientOf(handle);
    const news = this.#news(now);
    if (!this.hasId(client)) return [];
    for (const entry of this.#known()) {
      if (entry.participant_id !== client.participant_id || entry.client === client) continue;
      if (entry.own.text !== null || entry.own.at >= goneSince) news.tellSome(entry, "own");
    }
    return news.inOrder();
  }

  /** The sockets to which not all is told as it is: see {@link asHeardBy}. */
  losers(): Iterable<AwarenessClient> {
    return this.#losers;
  }

  /**
   * What others are told, as a socket is to be told it: a client whose own id is somebody else's would take their
   * entry for its own, and is told it under another id.
   */
  asHeardBy(
    handle: AwarenessClient,
    tellings: readonly AwarenessTelling[],
  ): readonly AwarenessTelling[] {
    const { ownId } = clientOf(handle);
    if (!this.#losers.has(clientOf(handle)) || tellings.every(({ id }) => id !== ownId))
      return tellings;
    return tellings.map((each) =>
      each.id === ownId ? { ...each, id: this.#aliasOf(each) } : each,
    );
  }

  /** What a socket says of its own id may be what its person's other tab was told of it, and handed on. */
  isEcho(handle: AwarenessClient, { id, clock, text }: AwarenessSaid): boolean {
    const entry = this.#entries.get(id);
    return entry?.client === clientOf(handle) && this.#isEcho(entry, clock, text);
  }

  /** Clients may have been told with clocks that came so far, by another node or before a restart: they go on from there. */
  hearTime({ clock, time }: AwarenessTime, now: number): void {
    this.#clocks.others = Math.max(this.#clocks.others, clock);
    this.#clocks.own = Math.max(this.#clocks.own, clock);
    // Of the time alone: what was told faster than time went by is caught up with, and goes no round of the nodes.
    this.#aheadMs = Math.max(this.#aheadMs, time - now);
  }

  /** Whether there is a {@link batch} to be told. */
  get hasBatch(): boolean {
    return this.#log?.isEmpty === false;
  }

  /** Takes what the other nodes are to be told; to be called until it answers nothing. See {@link AwarenessElsewhere.hear}. */
  batch(facts: Pick<AwarenessFacts, "visible">, now: number): AwarenessBatch | undefined {
    const isSeen = (id: string): boolean => facts.visible(id) !== "offline";
    return this.#log?.take({ ...this.#timeAt(now), now }, isSeen);
  }

  /** What this node knows of the room by itself, for one that knows nothing. */
  share(now: number): AwarenessShare {
    const clients = [...this.#people.values()].flatMap((person) => [...person.clients]);
    const lingering = [...this.#lingering].filter(({ node }) => node === undefined);
    return {
      ...this.#timeAt(now),
      after: this.#log?.last ?? 0,
      sockets: clients
        .filter(({ node }) => node === undefined)
        .map((client) => sharedSocket(client, now)),
      lingering: lingering.map((entry) => lingeringEntry(entry, now)),
      reserved: [...this.#reserved.entries()].map((entry) => reservedId(entry, now)),
    };
  }

  /**
   * Another node tells what lingers of its sockets.
   * @param at.until how long the rest of what is known of it lingers at most.
   */
  adoptLingering(
    node: string,
    entries: readonly LingeringEntry[],
    at: { readonly now: number; readonly until: number },
  ): void {
    for (const entry of this.#lingering)
      if (entry.node === node) this.#linger(entry, Math.min(entry.lingersUntil ?? 0, at.until));
    for (const each of entries) this.#adoptLingering(node, each, at.now);
  }

  /** Another node keeps an id for somebody: so does this one, unless it keeps it for somebody else. */
  adoptReserved({ id, participant_id, kept_ms }: ReservedId, now: number): void {
    const known = this.#last(id);
    const isSame = known?.participant_id === participant_id;
    const isOthers = this.#entries.has(id) || (known !== undefined && isKept(known, now));
    if (kept_ms <= 0 || (isOthers && !isSame)) return;
    const entry = isSame ? known : newEntry(id, participant_id);
    entry.others.at = Math.max(entry.others.at, toldAt(kept_ms, now));
    if (this.#entries.has(id)) return;
    this.#reserved.release(id);
    this.#reserved.keep(entry);
  }

  /**
   * Another node is no more: what lingers of its sockets is this one's to tell, as every other's.
   * @param until how long it lingers at most.
   */
  inherit(node: string, until: number): void {
    for (const entry of this.#lingering) {
      if (entry.node !== node) continue;
      this.#linger(entry, Math.min(entry.lingersUntil ?? until, until));
      entry.node = undefined;
    }
  }

  /** Every entry, those that are gone and whose ids are kept among them. */
  *#known(): Generator<Entry> {
    yield* this.#entries.values();
    yield* this.#reserved.entries();
  }

  get #isLarge(): boolean {
    return this.#members.size > this.#rules.awareness_max_members;
  }

  /** Whoever has an id, or had it not long ago. */
  #last(id: number): Entry | undefined {
    return this.#entries.get(id) ?? this.#reserved.find(id);
  }

  /** For whom an id is kept: others were told of it not long ago. */
  #holderOf(id: number, now: number): string | undefined {
    const entry = this.#last(id);
    return entry !== undefined && isKept(entry, now) ? entry.participant_id : undefined;
  }

  #news(now: number): News {
    const floor = this.#floor(now);
    this.#toldFrom = Math.min(this.#toldFrom, floor);
    return new News(this.#clocks, { now, floor });
  }

  #timeAt(now: number): AwarenessTime {
    const { others, own } = this.#clocks;
    return { clock: Math.max(others, own, this.#floor(now)), time: now + this.#aheadMs };
  }

  #floor(now: number): number {
    return Math.ceil(now + this.#aheadMs);
  }

  get #slackMs(): number {
    return this.#node === undefined ? 0 : AHEAD_MS;
  }

  #seat(seat: AwarenessSeat, node: string | undefined, now: number): Client {
    const { participant_id, device_id, opened } = seat;
    const client: Client = {
      participant_id,
      device_id,
      opened,
      node,
      openedAt: now,
      entries: new Set(),
      ownId: undefined,
      refused: new Map(),
    };
    this.#lastOpened = Math.max(this.#lastOpened, opened);
    this.#personOf(participant_id).clients.add(client);
    return client;
  }

  /** Whether a socket is one of this node, and has not gone. */
  #isHere(client: Client): boolean {
    const { participant_id, node } = client;
    return node === undefined && this.#people.get(participant_id)?.clients.has(client) === true;
  }

  /** Which of two sockets came later, on whichever node: all of them find the same. */
  #isLater(a: Client, b: Client): boolean {
    if (a.opened !== b.opened) return a.opened > b.opened;
    return (a.node ?? this.#node ?? "") > (b.node ?? this.#node ?? "");
  }

  /**
   * An id of the person's is a socket's if it has none, and it is no other socket's own; but whoever reconnects takes
   * that over.
   */
  #claimKnown(client: Client, entry: Entry | undefined, now: number): AwarenessClaim {
    const holder = entry?.client;
    const isInUse = holder !== undefined && holder.ownId === entry?.id;
    const isBack = now <= client.openedAt + TAKEOVER_MS;
    const mayTake =
      !isInUse || (isBack && (holder.node === undefined || this.#isLater(client, holder)));
    return client.entries.size === 0 && mayTake ? "own" : "foreign";
  }

  /**
   * An id that the room does not know, or to others need not know, is whoever comes with it. Whose an id was is not
   * known for ever: who speaks already, and begins with a clock that was told, repeats what it was told.
   */
  #claimNew({ entries, ownId }: Client, clock: number): AwarenessClaim {
    if (ownId !== undefined && clock >= this.#toldFrom) return "foreign";
    return entries.size < MAX_AWARENESS_IDS ? "own" : "forged";
  }

  /** Whether a socket of another node has an id that its node has let it have. */
  #mayHave(client: Client, id: number, now: number): boolean {
    if (isStandIn(id)) return false;
    const known = this.#last(id);
    // Of its own sockets a node decides.
    if (known === undefined || known.node === client.node) return true;
    const { participant_id, ownId } = client;
    if (known.participant_id !== participant_id) return this.#holderOf(id, now) === undefined;
    const { client: holder } = known;
    if (holder === undefined) return true;
    const isOwn = ownId === undefined || ownId === id;
    return isOwn === (holder.ownId === id) ? this.#isLater(client, holder) : isOwn;
  }

  #isEcho(entry: Entry, clock: number, text: string | null): boolean {
    if (isEcho(entry, clock, text)) return true;
    // Of another node the person's tab there was told the same, with a clock that nobody knows here.
    const isSettled = this.#node !== undefined && !this.#unsettled.has(entry.participant_id);
    return isSettled && text !== null && text === entry.own.text;
  }

  #adoptLingering(node: string, each: LingeringEntry, now: number): void {
    const { id, participant_id, device_id, text, lingers_ms } = each;
    const state = readState(text);
    const known = this.#entries.get(id);
    const isSame = known?.participant_id === participant_id;
    const isOthers = (this.#holderOf(id, now) ?? participant_id) !== participant_id;
    // Of who is there again, or lingers of another node, more is known.
    const isBack = known?.client !== undefined;
    const isElsewhere = known?.state !== undefined && known.node !== node;
    if (state === undefined || isOthers || (isSame && (isBack || isElsewhere))) return;
    if (known !== undefined && !isSame) this.#forget(known);
    const entry = isSame ? known : newEntry(id, participant_id);
    entry.node = node;
    entry.device_id = device_id;
    record(entry, state, text);
    this.#take(entry);
    this.#linger(entry, now + lingers_ms);
  }

  /** A socket speaks for an entry no longer, and did not say that there is nothing any more. */
  #letGo(entry: Entry, until: number): void {
    entry.client?.entries.delete(entry);
    entry.client = undefined;
    const isSilent = entry.state === undefined || entry.lingersUntil !== undefined;
    if (!isSilent) this.#linger(entry, until);
  }

  #linger(entry: Entry, until: number): void {
    entry.lingersUntil = until;
    this.#lingering.add(entry);
  }

  /** An entry lingers no more: it is there, or gone. */
  #stay(entry: Entry): void {
    this.#lingering.delete(entry);
    entry.lingersUntil = undefined;
  }

  #personOf(participant_id: string): Person {
    const known = this.#people.get(participant_id);
    if (known !== undefined) return known;
    const person: Person = {
      participant_id,
      clients: new Set(),
      entries: new Set(),
      standIn: undefined,
    };
    this.#people.set(participant_id, person);
    return person;
  }

  /**
   * A socket begins with an id that is somebody else's: by chance, and in good faith, whatever its clock becomes. One
   * that repeats what it was told has a clock with which it was told.
   */
  #lose(client: Client, id: number, clock: number): void {
    const entry = this.#last(id);
    if (isStandIn(id) || client.ownId !== undefined || clock >= (entry?.others.since ?? 0)) return;
    client.ownId = id;
    this.#losers.add(client);
  }

  #aliasOf({ id, participant_id }: AwarenessTelling): number {
    return standInId(JSON.stringify([this.#name, participant_id, id]));
  }

  /** Whether a person may say so much besides what their other ids say. What lingers gives way. */
  #hasRoomFor({ participant_id }: Client, own: Entry | undefined, text: string): boolean {
    let bytes = utf8Bytes(text);
    for (const entry of this.#personOf(participant_id).entries)
      if (entry !== own && entry.client !== undefined) bytes += entry.bytes;
    return bytes <= MAX_PERSON_BYTES;
  }

  #silence(client: Client, entry: Entry | undefined, clock: number): AwarenessOutcome {
    if (entry?.state === undefined) return REFUSED;
    this.#log?.add({ ...seatOf(client), did: "said", id: entry.id, text: null });
    const typing = typingOf(entry.state.typing === true, false);
    entry.heardClock = clock;
    entry.state = undefined;
    this.touch(entry.participant_id);
    return { kind: "left", typing };
  }

  #bind(client: Client, id: number): { entry: Entry; replaced: AwarenessClient | undefined } {
    const known = this.#entries.get(id);
    const isSame = known?.participant_id === client.participant_id;
    // Others have not heard of it for long: to them it is free, and must not show that somebody hidden has it.
    if (known !== undefined && !isSame) this.#dispossess(known);
    const entry = known !== undefined && isSame ? known : newEntry(id, client.participant_id);
    const before = entry.client;
    before?.entries.delete(entry);
    // A further id it only heard of from another tab: that is no reason to close it.
    const replaced = before?.ownId === id ? before : undefined;
    client.ownId ??= id;
    if (client.ownId === id) this.#losers.delete(client);
    entry.client = client;
    entry.node = client.node;
    entry.device_id = client.device_id;
    this.#stay(entry);
    this.#take(entry);
    client.entries.add(entry);
    return { entry, replaced };
  }

  /** An id is in use. */
  #take(entry: Entry): void {
    const { id, participant_id } = entry;
    this.#reserved.release(id);
    this.#entries.set(id, entry);
    this.#personOf(participant_id).entries.add(entry);
    this.touch(participant_id);
  }

  #dispossess(entry: Entry): void {
    const { id, client } = entry;
    if (client?.ownId === id) this.#losers.add(client);
    this.#forget(entry);
  }

  /** A new id takes the place of one that lingers, of the same device if there is one. */
  #succeed({ participant_id, device_id }: Client, known: Entry | undefined): void {
    if (known?.participant_id === participant_id) return;
    const { entries } = this.#personOf(participant_id);
    const lingering = [...entries].filter(({ lingersUntil }) => lingersUntil !== undefined);
    const entry = lingering.find((each) => each.device_id === device_id) ?? lingering[0];
    if (entry !== undefined) this.#end(entry);
  }

  /** What a socket of another node says of an id counts once no other speaks for that any more. */
  #tryAgain(client: Client, now: number): void {
    for (const [id, text] of client.refused)
      if (this.#entries.get(id)?.client === undefined)
        this.sayElsewhere(client, { id, text, isNews: false }, now);
    if (client.refused.size === 0) this.#refused.delete(client);
  }

  #part(client: Client): void {
    this.#refused.delete(client);
    client.entries.clear();
    this.#losers.delete(client);
    this.#personOf(client.participant_id).clients.delete(client);
    this.touch(client.participant_id);
  }

  #expire(now: number): void {
    for (const entry of this.#lingering) if ((entry.lingersUntil ?? now) <= now) this.#end(entry);
    this.#reserved.expire(now);
  }

  /** An entry lingers no longer. */
  #end(entry: Entry): void {
    this.#stay(entry);
    entry.state = undefined;
    this.touch(entry.participant_id);
  }

  /** Finds out what is to be told of a person, and forgets what is over. */
  #settle(person: Person, facts: AwarenessFacts, news: News): void {
    const { participant_id, entries } = person;
    const member = this.#members.get(participant_id);
    const seen = member && this.#seen(participant_id, member, facts, news.now);
    const isHere = [...entries].some(({ state }) => state !== undefined);
    for (const entry of entries) {
      const isNew = entry.others.text === null;
      news.show(entry, "others", seen && textOf(entry, seen));
      news.show(entry, "own", this.#ownText(entry, person, facts));
      if (isNew && entry.others.text !== null && entry.state?.typing === true) news.found(entry);
      if (entry.client === undefined && entry.state === undefined) this.#forget(entry);
    }
    const isNeeded = seen !== undefined && !isHere && (seen.typing || !this.#isLarge);
    this.#standIn(person, isNeeded ? seen : undefined, news);
    if (member === undefined) this.#dismiss(person);
    this.#tidy(person);
  }

  /** How others see a member; nothing where they do not. */
  #seen(id: string, member: AwarenessMember, facts: AwarenessFacts, now: number): Seen | undefined {
    const presence = facts.told(id);
    if (presence === "offline") return undefined;
    if (facts.visible(id) !== "offline") return { member, presence, typing: facts.isTyping(id) };
    // About to be told offline, unless they are back before that: nobody is shown for a blink.
    this.#lookAgain(id, now);
    return undefined;
  }

  /** Shows who has no entry of a client, or no longer does. */
  #standIn(person: Person, seen: Seen | undefined, news: News): void {
    const { participant_id, clients } = person;
    const isShown = typeof person.standIn?.others.text === "string";
    if (seen !== undefined && !isShown) {
      const opened = [...clients].filter(({ entries }) => entries.size === 0);
      const latest = Math.max(...opened.map(({ openedAt }) => openedAt));
      // Who has just come says something in a moment, and is not shown otherwise before that.
      if (news.now < latest + this.#rules.coalesce_ms) {
        this.#lookAgain(participant_id, latest);
        return;
      }
      person.standIn ??= this.#newStandIn(participant_id);
    }
    const { standIn } = person;
    if (standIn !== undefined) news.show(standIn, "others", seen && textOf(standIn, seen));
  }

  #lookAgain(participantId: string, after: number): void {
    this.#waitUntil = Math.min(this.#waitUntil, after + this.#rules.coalesce_ms);
    this.touch(participantId);
  }

  #newStandIn(participant_id: string): Entry {
    let id = standInId(JSON.stringify([this.#name, participant_id]));
    while (this.#entries.has(id)) id += 1;
    const entry = newEntry(id, participant_id);
    entry.state = NOTHING;
    this.#entries.set(id, entry);
    return entry;
  }

  /** What a person's other sockets are told of one: the state in the person's own eyes, and typing as it says itself. */
  #ownText(entry: Entry, { clients }: Person, facts: AwarenessFacts): string | undefined {
    const { participant_id, client, state } = entry;
    const member = this.#members.get(participant_id);
    const isHeard = [...clients].some((each) => each !== client && each.entries.size > 0);
    if (member === undefined || state === undefined || !isHeard) return undefined;
    const presence = facts.effective(participant_id);
    return textOf(entry, { member, presence, typing: state.typing === true });
  }

  /** Nobody speaks for an entry any more. If others were told of it, its id stays its person's for a while. */
  #forget(entry: Entry): void {
    const { id, participant_id, others } = entry;
    const person = this.#personOf(participant_id);
    entry.client?.entries.delete(entry);
    this.#lingering.delete(entry);
    this.#entries.delete(id);
    person.entries.delete(entry);
    // What is kept of it is whose it is, and when others were told.
    entry.text = "";
    entry.bytes = 0;
    entry.echoes.length = 0;
    if (others.at !== Number.NEGATIVE_INFINITY) this.#reserved.keep(entry);
  }

  /** Somebody is no member any more. */
  #dismiss(person: Person): void {
    if (person.standIn !== undefined) this.#entries.delete(person.standIn.id);
    person.standIn = undefined;
  }

  #tidy({ participant_id, clients, entries, standIn }: Person): void {
    if (clients.size + entries.size === 0 && standIn === undefined)
      this.#people.delete(participant_id);
  }
}

function seatOf({ participant_id, device_id, opened }: Client): AwarenessSeat {
  return { participant_id, device_id, opened };
}

function record(entry: Entry, state: JsonObject, text: string): void {
  entry.state = state;
  entry.text = text;
  entry.bytes = utf8Bytes(text);
}

function typingOf(was: boolean, is: boolean): AwarenessOutcome["typing"] {
  if (!was) return is ? "start" : undefined;
  return is ? "renew" : "stop";
}

/** Handles are made by join() only, where they are clients. */
function clientOf(handle: AwarenessClient): Client {
  return handle as Client;
}
