import type { AwarenessSeat } from "./awareness-share.ts";
import { isJsonObject, type JsonObject, utf8Bytes } from "./json.ts";
import type { PresenceState } from "./presence.ts";
import type { Participant } from "./room-state.ts";

/** Ids from here on belong to the room: clients of Yjs have smaller ones, of 32 bits. */
export const STAND_IN_IDS_FROM: number = 2 ** 32;
/** What one client says of itself takes at most this many bytes as JSON in UTF-8. */
export const MAX_AWARENESS_BYTES = 4_096;

const MAX_KEYS = 32;
const MAX_LEVELS = 8;
/** What was told of an entry to its person's other tabs is recognised, this many times back, when one hands it on to the client. */
const MAX_ECHOES = 4;

/** A socket in a room. Opaque: hand it back to the room that gave it. */
export interface AwarenessClient extends AwarenessSeat {}

/** An entry to be told. */
export interface AwarenessTelling {
  readonly id: number;
  /** Above any with which the id was told to the same receiver before. */
  readonly clock: number;
  /** The state as JSON; null when there is none any more. */
  readonly text: string | null;
  /** Whose entry it is. */
  readonly participant_id: string;
  /** The socket whose entry it is, which must not be told it. */
  readonly client: AwarenessClient | undefined;
  /** Everybody else in the room, or the person's own other sockets, as far as they speak for an id. */
  readonly to: "others" | "own";
}

/** What is to be told, and who turns out to type. */
export interface AwarenessNews {
  readonly tellings: readonly AwarenessTelling[];
  /** Sockets of people who are seen again and said meanwhile that they type. */
  readonly typing: readonly AwarenessClient[];
}

/** What a receiver was last told of an entry. */
export interface Face {
  text: string | null;
  /** When all of them were last told. */
  at: number;
  /** The clock with which it appeared. */
  since: number;
}

/** A socket, and the entries of which it speaks. */
export interface Client extends AwarenessClient {
  /** The node that it is open on, where that is another. */
  readonly node: string | undefined;
  readonly openedAt: number;
  readonly entries: Set<Entry>;
  /** Its own id: the first that it spoke for, or would have, had it not been somebody else's. */
  ownId: number | undefined;
  /** Of one of another node, what it says of ids that are another socket's here. */
  readonly refused: Map<number, string>;
}

/** What a client says, and what was told of it. */
export interface Entry {
  readonly id: number;
  readonly participant_id: string;
  /** Absent while it lingers, and of a stand-in. */
  client: Client | undefined;
  /** The node whose socket said it last, where that is another. */
  node: string | undefined;
  device_id: string | null;
  state: JsonObject | undefined;
  /** The state as it came. */
  text: string;
  /** How many bytes that is in UTF-8. */
  bytes: number;
  heardClock: number;
  lingersUntil: number | undefined;
  readonly others: Face;
  readonly own: Face;
  /** What was last told of it to its person's other sockets. */
  readonly echoes: { readonly clock: number; readonly text: string | null }[];
}

/** What the room says of whose an entry is. */
export type AwarenessMember = Pick<Participant, "display_name" | "avatar_url">;

/** The state of somebody of whom no client says anything. */
export const NOTHING: JsonObject = {};

/** How a person is seen. */
export interface Seen {
  readonly member: AwarenessMember;
  readonly presence: PresenceState;
  readonly typing: boolean;
}

/** What is told in one go, all of it with one clock for each of the two kinds of receivers. */
export class News implements AwarenessNews {
  readonly tellings: AwarenessTelling[] = [];
  readonly typing: AwarenessClient[] = [];
  readonly now: number;
  readonly #clocks: { others: number; own: number };
  readonly #floor: number;
  readonly #issued: { others?: number; own?: number } = {};

  /** @param at.floor the lowest clock with which anything may be told. */
  constructor(clocks: { others: number; own: number }, at: { now: number; floor: number }) {
    this.#clocks = clocks;
    this.now = at.now;
    this.#floor = at.floor;
  }

  /** Tells of an entry if it is otherwise than it was told. @param text nothing: it is gone. */
  show(entry: Entry, to: "others" | "own", text: string | undefined): void {
    const face = entry[to];
    if (face.text === (text ?? null)) return;
    if (face.text === null) face.since = this.#clock(to);
    face.text = text ?? null;
    this.tell(entry, to);
  }

  /** Tells of an entry as it is to all who may hear of it. */
  tell(entry: Entry, to: "others" | "own"): void {
    entry[to].at = this.now;
    this.tellSome(entry, to);
  }

  /** Tells of an entry as it is to some who have missed it: to all others it is as old as before. */
  tellSome(entry: Entry, to: "others" | "own"): void {
    const { id, participant_id, client, echoes } = entry;
    const face = entry[to];
    const clock = this.#clock(to);
    if (to === "own") echoes.push({ clock, text: face.text });
    if (echoes.length > MAX_ECHOES) echoes.shift();
    this.tellings.push({ id, clock, text: face.text, participant_id, client, to });
  }

  /** By id: the order in which they came about would tell who had only hidden from who came back. */
  inOrder(): readonly AwarenessTelling[] {
    return this.tellings.sort((a, b) => a.id - b.id);
  }

  /** An entry begins to be seen, and says that its person types. */
  found({ client }: Entry): void {
    if (client !== undefined) this.typing.push(client);
  }

  #clock(to: "others" | "own"): number {
    const issued = this.#issued[to] ?? Math.max(this.#clocks[to] + 1, this.#floor);
    this.#issued[to] = issued;
    this.#clocks[to] = issued;
    return issued;
  }
}

/**
 * Reads what a client says of itself. Answers nothing where it is no JSON
 * object, takes more than {@link MAX_AWARENESS_BYTES}, nests more than 8 levels
 * deep, or has an object of more than 32 keys or with a key by which
 * prototypes are changed.
 */
export function readState(text: string): JsonObject | undefined {
  if (utf8Bytes(text) > MAX_AWARENESS_BYTES) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) && fits(value, 1) ? value : undefined;
  } catch {
    return undefined;
  }
}

function fits(value: unknown, level: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (level > MAX_LEVELS) return false;
  if (Array.isArray(value)) return value.every((each) => fits(each, level + 1));
  const keys = Object.keys(value);
  return (
    keys.length <= MAX_KEYS &&
    !keys.includes("__proto__") &&
    Object.values(value).every((each) => fits(each, level + 1))
  );
}

/** An entry as it is told: what its client says, but for what the room says. */
export function textOf(entry: Entry, { member, presence, typing }: Seen): string | undefined {
  const { state, participant_id, device_id } = entry;
  if (state === undefined) return undefined;
  const { display_name, avatar_url } = member;
  const user = {
    ...(isJsonObject(state.user) ? state.user : NOTHING),
    participant_id,
    display_name,
    avatar_url,
    name: display_name,
  };
  return JSON.stringify({ ...state, user, presence, typing, device_id });
}

export function newEntry(id: number, participant_id: string): Entry {
  return {
    id,
    participant_id,
    client: undefined,
    node: undefined,
    device_id: null,
    state: undefined,
    text: "",
    bytes: 0,
    heardClock: 0,
    lingersUntil: undefined,
    others: { text: null, at: Number.NEGATIVE_INFINITY, since: 0 },
    own: { text: null, at: Number.NEGATIVE_INFINITY, since: 0 },
    echoes: [],
  };
}

/** Whether a client says nothing that it has not said before. */
export function saysNothingNew(
  { heardClock, state }: Entry,
  clock: number,
  isNull: boolean,
): boolean {
  if (isNull && state === undefined) return true;
  // To say that there is nothing any more, clients need not raise their clock.
  return clock < heardClock || (clock === heardClock && !isNull);
}

/** Whether a client says what another tab was told of it, and handed on: tabs of a browser talk to each other. */
export function isEcho({ echoes }: Entry, clock: number, text: string | null): boolean {
  return echoes.some((echo) => echo.clock === clock && echo.text === text);
}

/** Whether a socket takes an entry for gone that was told to it: one that really went has an older clock. */
export function isMistaken(
  entry: Entry | undefined,
  { participant_id }: Client,
  clock: number,
): boolean {
  if (entry === undefined) return false;
  const { text, since } = entry.participant_id === participant_id ? entry.own : entry.others;
  return text !== null && clock >= since;
}

export function isStandIn(id: number): boolean {
  return id >= STAND_IN_IDS_FROM;
}

/** An id above those of clients that follows from a name, so that it is the same after a restart. 52 bits of FNV-1a. */
export function standInId(name: string): number {
  let [high, low] = [0x811c9dc5, 0x050c5d1f];
  for (let index = 0; index < name.length; index += 1) {
    const unit = name.charCodeAt(index);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low ^ unit, 0x85ebca6b);
  }
  return STAND_IN_IDS_FROM + (high >>> 0) * 2 ** 20 + (low >>> 12);
}
