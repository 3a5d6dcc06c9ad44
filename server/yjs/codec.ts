import type { AwarenessTelling } from "@porchlight/core/awareness";

/** The kinds of messages of the y-websocket protocol. */
const SYNC = 0;
const AWARENESS = 1;
const AUTH = 2;
/** The kinds of sync messages. */
const STEP_1 = 0;
const STEP_2 = 1;
const UPDATE = 2;
const PERMISSION_DENIED = 0;
/** A number below 2^53 takes so many bytes at most, 7 bits in each. */
const MAX_UINT_BYTES = 8;
/** An entry takes at least a byte each for its id, its clock and the length of its state. */
const MIN_ENTRY_BYTES = 3;
/** What comes before the entries of a message takes at most so many bytes: its kind, its length and their number. */
const MAX_HEAD_BYTES = 11;

/** `null` in UTF-8. */
const [N, U, L] = [0x6e, 0x75, 0x6c];
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What a client said of one client id; its state is not read before it is asked for. */
export class HeardEntry {
  readonly id: number;
  readonly clock: number;
  readonly isNull: boolean;
  readonly #json: Uint8Array;
  readonly #from: number;
  readonly #to: number;

  /** @param json where the state stands, as JSON in UTF-8. */
  constructor(said: { id: number; clock: number }, json: Uint8Array, from: number, to: number) {
    this.id = said.id;
    this.clock = said.clock;
    this.#json = json;
    this.#from = from;
    this.#to = to;
    this.isNull = to - from === 4 && isNullAt(json, from);
  }

  /** The state as text; nothing where it is no UTF-8. */
  get text(): string | undefined {
    try {
      return strict.decode(this.#json.subarray(this.#from, this.#to));
    } catch {
      return undefined;
    }
  }

  /** The same, without the message that it came in. */
  kept(): HeardEntry {
    const json = this.#json.slice(this.#from, this.#to);
    return new HeardEntry(this, json, 0, json.byteLength);
  }
}

function isNullAt(json: Uint8Array, at: number): boolean {
  return json[at] === N && json[at + 1] === U && json[at + 2] === L && json[at + 3] === L;
}

/** What a client says. `other`: what this server has no use for. */
export type YjsMessage =
  | { readonly type: "step1" | "update" | "other" }
  | {
      readonly type: "awareness";
      /** How many entries it says it has. */
      readonly count: number;
      /** Reads them. @throws {BadMessage} */
      readonly entries: () => readonly HeardEntry[];
    };

/** Bytes that are no message of the protocol. */
export class BadMessage extends Error {
  constructor(message: string) {
    super(message);
    this.name = "BadMessage";
  }
}

/** The answer to sync step 1: a document that is empty. */
export const EMPTY_DOCUMENT: Uint8Array = Uint8Array.of(SYNC, STEP_2, 2, 0, 0);

/** Says nothing of anybody. It keeps clients from taking silence for a dead connection. */
export const NOTHING_NEW: Uint8Array = Uint8Array.of(AWARENESS, 1, 0);

/** Why a socket is about to be closed, in the protocol's own words. @param reason at most 127 bytes. */
export function denial(reason: string): Uint8Array {
  const text = Buffer.from(reason);
  return Buffer.concat([Uint8Array.of(AUTH, PERMISSION_DENIED, text.byteLength), text]);
}

/**
 * Reads a message. No update of the document is ever decoded, and no state of
 * an entry: of both only the frame around them is read, and of entries no more
 * than their number before they are asked for.
 * @throws {BadMessage} where it is cut off, or has a number that is none.
 */
export function readMessage(bytes: Uint8Array): YjsMessage {
  const reader = new Reader(bytes);
  const type = reader.uint();
  if (type === SYNC) return readSync(reader);
  return type === AWARENESS ? readAwareness(reader) : { type: "other" };
}

/** A message of awareness, and how many entries it has. */
export interface EntryMessage {
  readonly bytes: Uint8Array;
  readonly entries: number;
}

/**
 * Entries in as few messages as they fit in, each encoded once, from which those of a person can be left out. No message
 * is longer than one that may come back: clients repeat what they hear, in one piece.
 */
export class EntryBatch {
  readonly #maxBytes: number;
  readonly #parts: Part[] = [];

  constructor(tellings: readonly AwarenessTelling[], maxBytes: number) {
    this.#maxBytes = maxBytes;
    for (const [person, own] of Map.groupBy(tellings, ({ participant_id }) => participant_id)) {
      const entries = own.map(encodeEntry);
      const bytes = entries.reduce((sum, { byteLength }) => sum + byteLength, 0);
      // What is told of one person is in one message where it can be: an id takes the place of another at once.
      if (!this.#parts.at(-1)?.fits(bytes, maxBytes)) this.#parts.push(new Part());
      for (const entry of entries) {
        if (!this.#parts.at(-1)?.fits(entry.byteLength, maxBytes)) this.#parts.push(new Part());
        this.#parts.at(-1)?.add(person, entry);
      }
    }
  }

  /** The messages that have all of them. */
  get messages(): readonly EntryMessage[] {
    return this.#parts.map((part) => part.message);
  }

  /** The messages that have all but a person's, and further ones. */
  without(participantId: string, further: readonly AwarenessTelling[]): readonly EntryMessage[] {
    const messages = this.#parts.flatMap((part) => part.without(participantId) ?? []);
    return further.length === 0
      ? messages
      : [...messages, ...new EntryBatch(further, this.#maxBytes).messages];
  }
}

/** Entries of one message. */
class Part {
  readonly #entries: Buffer[] = [];
  #bytes = 0;
  /** By person, where their entries stand, which follow one another. */
  readonly #shares = new Map<string, { readonly from: number; to: number; count: number }>();
  #message: EntryMessage | undefined;

  fits(bytes: number, maxBytes: number): boolean {
    return this.#bytes + bytes <= maxBytes - MAX_HEAD_BYTES;
  }

  add(person: string, entry: Buffer): void {
    const share = this.#shares.get(person) ?? { from: this.#bytes, to: this.#bytes, count: 0 };
    this.#entries.push(entry);
    this.#bytes += entry.byteLength;
    share.to = this.#bytes;
    share.count += 1;
    this.#shares.set(person, share);
  }

  get message(): EntryMessage {
    this.#message ??= messageOf(this.#entries.length, this.#entries);
    return this.#message;
  }

  /** The message without a person's entries; nothing where there are no others. */
  without(person: string): EntryMessage | undefined {
    const share = this.#shares.get(person);
    if (share === undefined) return this.message;
    const count = this.#entries.length - share.count;
    if (count === 0) return undefined;
    const { bytes } = this.message;
    const at = bytes.byteLength - this.#bytes;
    return messageOf(count, [bytes.subarray(at, at + share.from), bytes.subarray(at + share.to)]);
  }
}

function messageOf(count: number, entries: readonly Uint8Array[]): EntryMessage {
  let length = sizeOf(count);
  for (const { byteLength } of entries) length += byteLength;
  const head = Buffer.allocUnsafe(sizeOf(AWARENESS) + sizeOf(length) + sizeOf(count));
  writeUint(head, count, writeUint(head, length, writeUint(head, AWARENESS, 0)));
  return { bytes: Buffer.concat([head, ...entries]), entries: count };
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

function readSync(reader: Reader): YjsMessage {
  const step = reader.uint();
  if (step !== STEP_1 && step !== STEP_2 && step !== UPDATE)
    throw new BadMessage(`There is no sync message ${step}`);
  reader.skip(reader.uint());
  return { type: step === STEP_1 ? "step1" : "update" };
}

function readAwareness(outer: Reader): YjsMessage {
  const reader = outer.part(outer.uint());
  const count = reader.uint();
  if (count > reader.left / MIN_ENTRY_BYTES) throw new BadMessage("There are fewer entries");
  return { type: "awareness", count, entries: () => readEntries(reader, count) };
}

function readEntries(reader: Reader, count: number): HeardEntry[] {
  const entries: HeardEntry[] = [];
  for (let read = 0; read < count; read += 1) {
    const said = { id: reader.uint(), clock: reader.uint() };
    const length = reader.uint();
    const from = reader.at;
    reader.skip(length);
    entries.push(new HeardEntry(said, reader.bytes, from, reader.at));
  }
  return entries;
}

/** Numbers and bytes one after the other, up to an end. */
class Reader {
  readonly bytes: Uint8Array;
  at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, from = 0, end: number = bytes.byteLength) {
    this.bytes = bytes;
    this.at = from;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.at;
  }

  /** A number of 7 bits a byte, the lowest first. @throws {BadMessage} where it ends too early, or is longer than any need be. */
  uint(): number {
    let value = 0;
    let scale = 1;
    for (let read = 0; read < MAX_UINT_BYTES && this.at < this.#end; read += 1) {
      const byte = this.bytes[this.at] ?? 0;
      this.at += 1;
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
      if (byte < 0x80 && Number.isSafeInteger(value)) return value;
    }
    throw new BadMessage("A number is cut off, or too large");
  }

  /** Passes over so many bytes. @throws {BadMessage} where there are fewer. */
  skip(length: number): void {
    if (length > this.#end - this.at) throw new BadMessage("A message is cut off");
    this.at += length;
  }

  /** The next so many bytes, to be read apart. @throws {BadMessage} where there are fewer. */
  part(length: number): Reader {
    const from = this.at;
    this.skip(length);
    return new Reader(this.bytes, from, this.at);
  }
}
