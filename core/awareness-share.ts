import type { Client, Entry } from "./awareness-entry.ts";
import { keptMs } from "./awareness-reserved.ts";

/** What is said in one piece takes about so many bytes at most. */
export const PIECE_BYTES = 131_072;
/** An open socket in a room, as the nodes name it to each other: no other of its node opened at that moment. */
export interface AwarenessSeat {
  readonly participant_id: string;
  readonly device_id: string;
  /**
   * When it opened, on the clock of awareness: above that of any socket of which its node knew in the room. Of two of a
   * person that begin with the same id the later one has it, by this alone, so that all nodes find the same.
   */
  readonly opened: number;
}

/** Something that a socket did in a room, as the other nodes are told of it. Of what it says, only what is new. */
export type AwarenessDeed = AwarenessSeat &
  (
    | { readonly did: "opened" | "left" }
    | {
        readonly did: "said";
        readonly id: number;
        /** The state as JSON; null when there is none any more. */
        readonly text: string | null;
      }
    /** It was lost without a word: what it said lingers for so long, in milliseconds. */
    | { readonly did: "lost"; readonly lingers_ms: number }
  );

/** How far the clocks of awareness have come on a node, in one room. */
export interface AwarenessTime {
  /** Nobody was told with a higher clock, as far as the node knows. */
  readonly clock: number;
  /** What time it is, in Unix milliseconds, on the clock of the node that is furthest ahead, as far as it knows. */
  readonly time: number;
}

/** What sockets of one node did in a room, in this order. `clock` names the batch: each has a higher one. */
export interface AwarenessBatch extends AwarenessTime {
  /** The batch before it; 0 when there was none. Whoever has not heard that one has missed something. */
  readonly after: number;
  readonly deeds: readonly AwarenessDeed[];
  /** Those of whom a socket left, or said that there is nothing any more, who are seen all the same. */
  readonly staying: readonly string[];
}

/** A socket, and what it says. */
export interface SharedSocket extends AwarenessSeat {
  /** In the order in which it began to speak for them: the first is its own. */
  readonly entries: readonly {
    readonly id: number;
    /** The state as JSON. */
    readonly text: string;
    /** For how long the id is its person's even if they are not seen any more, in milliseconds; 0: it is not. */
    readonly kept_ms: number;
  }[];
}

/** An entry whose socket was lost. */
export interface LingeringEntry extends Pick<AwarenessSeat, "participant_id" | "device_id"> {
  readonly id: number;
  /** The state as JSON. */
  readonly text: string;
  readonly lingers_ms: number;
}

/** An id that nobody uses. */
export interface ReservedId {
  readonly id: number;
  readonly participant_id: string;
  /** For how long it is kept for that person still. */
  readonly kept_ms: number;
}

/** What one node knows of a room by itself: its own sockets, and whose ids are. */
export interface AwarenessShare extends AwarenessTime {
  /** The last batch, of which this is what came about; 0 when there was none. */
  readonly after: number;
  readonly sockets: readonly SharedSocket[];
  readonly lingering: readonly LingeringEntry[];
  readonly reserved: readonly ReservedId[];
}

/** A share in pieces that are not large, in order; one at least. See {@link wholeOf}. */
export function partsOf(share: AwarenessShare): readonly AwarenessShare[] {
  const { sockets, lingering, reserved } = share;
  const nothing = { ...share, sockets: [], lingering: [], reserved: [] };
  const pieces: AwarenessShare[] = [
    ...sockets.map((each) => ({ ...nothing, sockets: [each] })),
    ...lingering.map((each) => ({ ...nothing, lingering: [each] })),
    ...reserved.map((each) => ({ ...nothing, reserved: [each] })),
  ];
  const parts: [AwarenessShare, ...AwarenessShare[]][] = [[nothing]];
  let bytes = 0;
  for (const piece of pieces) {
    const own = JSON.stringify(piece).length;
    bytes += own;
    if (bytes <= PIECE_BYTES) parts.at(-1)?.push(piece);
    else parts.push([piece]);
    if (bytes > PIECE_BYTES) bytes = own;
  }
  return parts.map(wholeOf);
}

/** What all pieces of a share say together. */
export function wholeOf(parts: readonly [AwarenessShare, ...AwarenessShare[]]): AwarenessShare {
  return {
    ...parts[0],
    sockets: parts.flatMap(({ sockets }) => sockets),
    lingering: parts.flatMap(({ lingering }) => lingering),
    reserved: parts.flatMap(({ reserved }) => reserved),
  };
}

export function sharedSocket(client: Client, now: number): SharedSocket {
  const { participant_id, device_id, opened } = client;
  const entries = [...client.entries].filter(({ state }) => state !== undefined);
  return {
    participant_id,
    device_id,
    opened,
    entries: entries.map((entry) => ({
      id: entry.id,
      text: entry.text,
      kept_ms: keptMs(entry, now),
    })),
  };
}

export function lingeringEntry(entry: Entry, now: number): LingeringEntry {
  const { id, participant_id, device_id, text, lingersUntil = now } = entry;
  // Only what stands in for somebody has no device, and that does not linger.
  const device = device_id ?? "";
  return {
    id,
    participant_id,
    device_id: device,
    text,
    lingers_ms: Math.max(0, lingersUntil - now),
  };
}

export function reservedId(entry: Entry, now: number): ReservedId {
  const { id, participant_id } = entry;
  return { id, participant_id, kept_ms: keptMs(entry, now) };
}
