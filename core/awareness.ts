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
import { utf8Bytes } from "./json.ts";
import type { PresenceState, VisibleState } from "./presence.ts";
import type { Timings } from "./timings.ts";

export {
  type AwarenessClient,
  type AwarenessMember,
  type AwarenessNews,
  type AwarenessTelling,
  MAX_AWARENESS_BYTES,
  STAND_IN_IDS_FROM,
} from "./awareness-entry.ts";
export { YJS_CLOSE, type YjsClose } from "./frames.ts";

/** Ids that one socket can have at once. */
export const MAX_AWARENESS_IDS = 16;
/** All that one person's sockets say in a room takes at most so many bytes: as much as one of them may say. */
const MAX_PERSON_BYTES: number = MAX_AWARENESS_IDS * MAX_AWARENESS_BYTES;
/** An id stays its person's for so long after others were last told of it. */
const RESERVED_MS = 600_000;
/** Ids that are kept for one person who no longer uses them; of more, the oldest are given up. */
const MAX_RESERVED = 64;
/** Who reconnects says so right after opening. Later, an id of the person's other socket is only repeated. */
const TAKEOVER_MS = 2_000;
/** What was told within this time needs no refreshing. */
const FRESH_MS = 10_000;

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
  /** Ids that are kept for the person, in the order in which they were given up. */
  readonly reserved: Set<number>;
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
  /** Ids that nobody uses, and for whom they are kept until when. */
  readonly #reserved = new Map<number, { readonly entry: Entry; readonly until: number }>();
  readonly #unsettled = new Set<string>();
  readonly #lingering = new Set<Entry>();
  /** Sockets whose own id is somebody else's. */
  readonly #losers = new Set<Client>();
  /** The last clock told of a person to others, and to the person. */
  readonly #clocks = { others: 0, own: 0 };
  readonly #name: string;
  readonly #rules: AwarenessRules;
  #waitUntil = Number.POSITIVE_INFINITY;

  /** @param name distinguishes the room from all others: ids of those without a client follow from it. */
  constructor(name: string, rules: AwarenessRules) {
    this.#name = name;
    this.#rules = rules;
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
    const client: Client = {
      participant_id: participantId,
      device_id: deviceId,
      openedAt: now,
      entries: new Set(),
      ownId: undefined,
    };
    this.#personOf(participantId).clients.add(client);
    return client;
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
    const isHeard = clock <= Math.max(this.#clocks.others, Math.ceil(now));
    if (isOthers && !isHeard && client.ownId !== id) return "forged";
    if (isOthers && !isNull) this.#lose(client, id, clock);
    if (isNull && isMistaken(entry, client, clock)) return "mistaken";
    if (isOthers || isNull) return "foreign";
    const isKnown = (holder ?? entry?.participant_id) === client.participant_id;
    return isKnown ? claimKnown(client, entry, now) : claimNew(client);
  }

  /** A socket says something of an id that is its own, as {@link claim} has it. */
  say(handle: AwarenessClient, { id, clock, text }: AwarenessSaid): AwarenessOutcome {
    const client = clientOf(handle);
    const known = this.#entries.get(id);
    const own = known?.client === client ? known : undefined;
    const before = own?.state;
    if (own !== undefined && isEcho(own, clock, text)) return ECHOED;
    if (text === null) return this.#silence(own, clock);
    const isRenewal = before !== undefined && own?.text === text;
    const state = isRenewal ? before : readState(text);
    if (state === undefined || !this.#hasRoomFor(client, own, text)) return REFUSED;
    const { entry, replaced } = own === undefined ? this.#bind(client, id) : { entry: own };
    entry.heardClock = clock;
    entry.state = state;
    entry.text = text;
    entry.bytes = utf8Bytes(text);
    if (!isRenewal) this.touch(client.participant_id);
    // Who begins to speak is found to type once others see them: see `typing` of the news.
    const typing = before && typingOf(before.typing === true, state.typing === true);
    const kind = isRenewal ? "renewed" : before === undefined ? "bound" : "changed";
    return { kind, typing, replaced };
  }

  /** Whether a socket speaks for an id: only then it is told of its person's other sockets, one of which it may have been. */
  hasId(handle: AwarenessClient): boolean {
    return clientOf(handle).entries.size > 0;
  }

  /** Whether a socket has an entry. One that said that there is nothing any more has none. */
  isSpeaking(handle: AwarenessClient): boolean {
    return [...clientOf(handle).entries].some(({ state }) => state !== undefined);
  }

  /** A socket signed off: its entries are gone at once. Safe to call twice. */
  leave(handle: AwarenessClient): void {
    const client = clientOf(handle);
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
    for (const entry of client.entries) {
      entry.client = undefined;
      if (entry.state === undefined) continue;
      entry.lingersUntil = until;
      this.#lingering.add(entry);
    }
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
    const news = new News(this.#clocks, now);
    const people = [...this.#unsettled];
    this.#unsettled.clear();
    this.#waitUntil = Number.POSITIVE_INFINITY;
    for (const id of people) this.#settle(this.#personOf(id), facts, news);
    return news;
  }

  /** When {@link tell} next has something by itself. Calling it early does no harm. */
  nextAt(): number | undefined {
    const lingering = [...this.#lingering].map(({ lingersUntil }) => lingersUntil);
    // The first to be free is near the front. What is behind it and free already is nobody's, and is forgotten later.
    const [reserved] = this.#reserved.values();
    const all = [this.#waitUntil, reserved?.until, ...lingering];
    const next = Math.min(...all.map((at) => at ?? Number.POSITIVE_INFINITY));
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  /** Everything once more but what was told a moment ago: clients drop what they do not hear of for 30 s. */
  refresh(now: number): readonly AwarenessTelling[] {
    const news = new News(this.#clocks, now);
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
    const news = new News(this.#clocks, now);
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
    const news = new News(this.#clocks, now);
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
    return entry?.client === clientOf(handle) && isEcho(entry, clock, text);
  }

  /** Every entry, those that are gone and whose ids are kept among them. */
  *#known(): Generator<Entry> {
    yield* this.#entries.values();
    for (const { entry } of this.#reserved.values()) yield entry;
  }

  get #isLarge(): boolean {
    return this.#members.size > this.#rules.awareness_max_members;
  }

  /** For whom an id is kept: others were told of it not long ago. */
  #holderOf(id: number, now: number): string | undefined {
    const entry = this.#entries.get(id);
    if (entry !== undefined && now < entry.others.at + RESERVED_MS) return entry.participant_id;
    const reserved = this.#reserved.get(id);
    return reserved !== undefined && now < reserved.until
      ? reserved.entry.participant_id
      : undefined;
  }

  #personOf(participant_id: string): Person {
    const known = this.#people.get(participant_id);
    if (known !== undefined) return known;
    const person: Person = {
      participant_id,
      clients: new Set(),
      entries: new Set(),
      standIn: undefined,
      reserved: new Set(),
    };
    this.#people.set(participant_id, person);
    return person;
  }

  /**
   * A socket begins with an id that is somebody else's: by chance, and in good faith, whatever its clock becomes. One
   * that repeats what it was told has a clock with which it was told.
   */
  #lose(client: Client, id: number, clock: number): void {
    const entry = this.#entries.get(id) ?? this.#reserved.get(id)?.entry;
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

  #silence(entry: Entry | undefined, clock: number): AwarenessOutcome {
    if (entry?.state === undefined) return REFUSED;
    const typing = typingOf(entry.state.typing === true, false);
    entry.heardClock = clock;
    entry.state = undefined;
    this.touch(entry.participant_id);
    return { kind: "left", typing };
  }

  #bind(client: Client, id: number): { entry: Entry; replaced: AwarenessClient | undefined } {
    const person = this.#personOf(client.participant_id);
    const known = this.#entries.get(id);
    const isSame = known?.participant_id === client.participant_id;
    // Others have not heard of it for long: to them it is free, and must not show that somebody hidden has it.
    if (known !== undefined && !isSame) this.#dispossess(known);
    if (!isSame) this.#succeed(person, client.device_id);
    const entry = known !== undefined && isSame ? known : newEntry(id, client.participant_id);
    const before = entry.client;
    before?.entries.delete(entry);
    // A further id it only heard of from another tab: that is no reason to close it.
    const replaced = before?.ownId === id ? before : undefined;
    client.ownId ??= id;
    if (client.ownId === id) this.#losers.delete(client);
    entry.client = client;
    entry.device_id = client.device_id;
    this.#lingering.delete(entry);
    entry.lingersUntil = undefined;
    this.#release(id);
    this.#entries.set(id, entry);
    person.entries.add(entry);
    client.entries.add(entry);
    return { entry, replaced };
  }

  #dispossess(entry: Entry): void {
    const { id, client } = entry;
    if (client?.ownId === id) this.#losers.add(client);
    this.#forget(entry);
  }

  /** A new id takes the place of one that lingers, of the same device if there is one. */
  #succeed({ entries }: Person, device_id: string): void {
    const lingering = [...entries].filter(({ lingersUntil }) => lingersUntil !== undefined);
    const entry = lingering.find((each) => each.device_id === device_id) ?? lingering[0];
    if (entry !== undefined) this.#end(entry);
  }

  #part(client: Client): void {
    client.entries.clear();
    this.#losers.delete(client);
    this.#personOf(client.participant_id).clients.delete(client);
    this.touch(client.participant_id);
  }

  #expire(now: number): void {
    for (const entry of this.#lingering) if ((entry.lingersUntil ?? now) <= now) this.#end(entry);
    for (const [id, { until }] of this.#reserved) {
      if (until > now) break;
      this.#release(id);
    }
  }

  /** An entry lingers no longer. */
  #end(entry: Entry): void {
    this.#lingering.delete(entry);
    entry.lingersUntil = undefined;
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
    if (others.at === Number.NEGATIVE_INFINITY) return;
    this.#reserved.set(id, { entry, until: others.at + RESERVED_MS });
    person.reserved.add(id);
    const [oldest] = person.reserved;
    if (person.reserved.size > MAX_RESERVED && oldest !== undefined) this.#release(oldest);
  }

  /** An id is free again, or in use again. Does nothing when it is not kept. */
  #release(id: number): void {
    const reserved = this.#reserved.get(id);
    if (reserved === undefined) return;
    const person = this.#personOf(reserved.entry.participant_id);
    this.#reserved.delete(id);
    person.reserved.delete(id);
    this.#tidy(person);
  }

  /** Somebody is no member any more. */
  #dismiss(person: Person): void {
    if (person.standIn !== undefined) this.#entries.delete(person.standIn.id);
    person.standIn = undefined;
  }

  #tidy({ participant_id, clients, entries, reserved, standIn }: Person): void {
    if (clients.size + entries.size + reserved.size === 0 && standIn === undefined)
      this.#people.delete(participant_id);
  }
}

/**
 * An id of the person's is a socket's if it has none, and it is no other socket's own; but whoever reconnects takes
 * that over.
 */
function claimKnown(client: Client, entry: Entry | undefined, now: number): AwarenessClaim {
  const isInUse = entry?.client?.ownId === entry?.id && entry?.client !== undefined;
  const mayTake = !isInUse || now <= client.openedAt + TAKEOVER_MS;
  return client.entries.size === 0 && mayTake ? "own" : "foreign";
}

/** An id that the room does not know, or to others need not know, is whoever comes with it. */
function claimNew({ entries }: Client): AwarenessClaim {
  return entries.size < MAX_AWARENESS_IDS ? "own" : "forged";
}

function typingOf(was: boolean, is: boolean): AwarenessOutcome["typing"] {
  if (!was) return is ? "start" : undefined;
  return is ? "renew" : "stop";
}

/** Handles are made by join() only, where they are clients. */
function clientOf(handle: AwarenessClient): Client {
  return handle as Client;
}
