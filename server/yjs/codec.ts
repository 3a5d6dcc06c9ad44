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

/** Entries in one piece, each encoded once, from which those of a person can be left out. */
export class EntryBatch {
  readonly #body: Buffer;
  readonly #count: number;
  /** By person, where their entries stand. */
  readonly #shares = new Map<string, { readonly from: number; to: number; count: number }>();

  constructor(tellings: readonly AwarenessTelling[]) {
    const entries: Buffer[] = [];
    let at = 0;
    for (const [person, own] of Map.groupBy(tellings, ({ participant_id }) => participant_id)) {
      const share = { from: at, to: at, count: own.length };
      for (const telling of own) {
        const entry = encodeEntry(telling);
        entries.push(entry);
        share.to += entry.byteLength;
      }
      at = share.to;
      this.#shares.set(person, share);
    }
    this.#body = Buffer.concat(entries, at);
    this.#count = tellings.length;
  }

  /** The message that has all of them. */
  get message(): Uint8Array {
    return messageOf(this.#count, [this.#body]);
  }

  /** The message that has all but a person's, and further ones; nothing where there is nothing to say. */
  without(participantId: string, further: readonly AwarenessTelling[]): Uint8Array | undefined {
    const { from, to, count } = this.#shares.get(participantId) ?? { from: 0, to: 0, count: 0 };
    const left = this.#count - count + further.length;
    if (left === 0) return undefined;
    const { byteLength } = this.#body;
    const [before, after] = [this.#body.subarray(0, from), this.#body.subarray(to, byteLength)];
    return messageOf(left, [before, after, ...further.map(encodeEntry)]);
  }
}

function messageOf(count: number, entries: readonly Uint8Array[]): Uint8Array {
  let length = sizeOf(count);
  for (const { byteLength } of entries) length += byteLength;
  const head = Buffer.allocUnsafe(sizeOf(AWARENESS) + sizeOf(length) + sizeOf(count));
  writeUint(head, count, writeUint(head, length, writeUint(head, AWARENESS, 0)));
  return Buffer.concat([head, ...entries]);
}

function encodeEntry({ id, clock, text }: AwarenessTelling): Buffer {
  const json = text ?? "null";
  const length = Buffer.byteLength(json);
  const entry = Buffer.allocUnsafe(sizeOf(id) + sizeOf(clock) + sizeOf(length) + length);
  const at = writeUint(entry, length, writeUint(entry, clock, writeUint(entry, id, 0)));
  entry.write(json, at);
  return entry;
}

/** How many bytes a number takes. */
function sizeOf(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}

/** Writes a number of 7 bits a byte, the lowest first. Answers where it ends. */
function writeUint(bytes: Buffer, value: number, from: number): number {
  let at = from;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) {
    bytes[at] = (rest % 0x80) | 0x80;
    at += 1;
  }
  bytes[at] = rest;
  return at + 1;
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
