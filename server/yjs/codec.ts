import type { AwarenessTelling } from "@porchlight/core/awareness";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

/** The kinds of messages of the y-websocket protocol. */
const SYNC = 0;
const AWARENESS = 1;
const AUTH = 2;
/** The kinds of sync messages. */
const STEP_1 = 0;
const STEP_2 = 1;
const UPDATE = 2;
const PERMISSION_DENIED = 0;
/** A number below 2^53 takes so many bytes, 7 bits in each. */
const MAX_VAR_BYTES = 8;

const NULL = new TextEncoder().encode("null");
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What a client said of one client id; its state is not read before it is asked for. */
export interface HeardEntry {
  readonly id: number;
  readonly clock: number;
  /** The state as JSON in UTF-8. */
  readonly json: Uint8Array;
  readonly isNull: boolean;
}

/** What a client says. `other`: what this server has no use for. */
export type YjsMessage =
  | { readonly type: "step1" | "update" | "other" }
  | { readonly type: "awareness"; readonly entries: readonly HeardEntry[] };

/** Bytes that are no message of the protocol. */
export class BadMessage extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BadMessage";
  }
}

/** The answer to sync step 1: a document that is empty. */
export const EMPTY_DOCUMENT: Uint8Array = Uint8Array.of(SYNC, STEP_2, 2, 0, 0);

/** Says nothing of anybody. It keeps clients from taking silence for a dead connection. */
export const NOTHING_NEW: Uint8Array = Uint8Array.of(AWARENESS, 1, 0);

/** Why a socket is about to be closed, in the protocol's own words. */
export function denial(reason: string): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, AUTH);
    encoding.writeVarUint(encoder, PERMISSION_DENIED);
    encoding.writeVarString(encoder, reason);
  });
}

/**
 * Reads a message. No update of the document is ever decoded, and no state of
 * an entry: of both only the frame around them is read.
 * @throws {BadMessage} where it is cut off, or has a number that is none.
 */
export function readMessage(bytes: Uint8Array): YjsMessage {
  try {
    const decoder = decoding.createDecoder(bytes);
    const type = readUint(decoder);
    if (type === SYNC) return readSync(decoder);
    if (type !== AWARENESS) return { type: "other" };
    return { type: "awareness", entries: readEntries(readBytes(decoder)) };
  } catch (error) {
    if (error instanceof BadMessage) throw error;
    throw new BadMessage("This is no message of the y-websocket protocol", { cause: error });
  }
}

/** The text of a state; nothing where it is no UTF-8. */
export function textOf(json: Uint8Array): string | undefined {
  try {
    return strict.decode(json);
  } catch {
    return undefined;
  }
}

/** One entry as it stands in a message. */
export function encodeEntry({ id, clock, text }: AwarenessTelling): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, id);
    encoding.writeVarUint(encoder, clock);
    encoding.writeVarString(encoder, text ?? "null");
  });
}

/** The message that has these entries. */
export function awarenessMessage(entries: readonly Uint8Array[]): Uint8Array {
  const body = encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, entries.length);
    for (const entry of entries) encoding.writeUint8Array(encoder, entry);
  });
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, AWARENESS);
    encoding.writeVarUint8Array(encoder, body);
  });
}

function readSync(decoder: decoding.Decoder): YjsMessage {
  const step = readUint(decoder);
  if (step !== STEP_1 && step !== STEP_2 && step !== UPDATE)
    throw new BadMessage(`There is no sync message ${step}`);
  readBytes(decoder);
  return { type: step === STEP_1 ? "step1" : "update" };
}

function readEntries(bytes: Uint8Array): HeardEntry[] {
  const decoder = decoding.createDecoder(bytes);
  const count = readUint(decoder);
  const entries: HeardEntry[] = [];
  // What is declared need not be there: each turn reads some bytes, or throws.
  for (let read = 0; read < count; read += 1) {
    const [id, clock, json] = [readUint(decoder), readUint(decoder), readBytes(decoder)];
    entries.push({ id, clock, json, isNull: isNull(json) });
  }
  return entries;
}

function isNull(json: Uint8Array): boolean {
  return json.length === NULL.length && json.every((byte, index) => byte === NULL[index]);
}

/** Numbers that are written longer than need be are refused: lib0 reads some of them as none at all. */
function readUint(decoder: decoding.Decoder): number {
  const from = decoder.pos;
  const value = decoding.readVarUint(decoder);
  if (!Number.isSafeInteger(value) || decoder.pos - from > MAX_VAR_BYTES)
    throw new BadMessage("A number is too large");
  return value;
}

function readBytes(decoder: decoding.Decoder): Uint8Array {
  return decoding.readUint8Array(decoder, readUint(decoder));
}
