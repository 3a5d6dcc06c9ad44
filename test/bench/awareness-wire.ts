/**
 * Frames and entries as a generator of load reads and writes them: in place,
 * one after the other, without an object for each.
 */

/** Ids of clients begin here. */
export const IDS_FROM = 1_000_000;
/** A stamp has always so many digits. */
const STAMP_DIGITS = 13;
const STAMPS_FROM = 10 ** (STAMP_DIGITS - 1);
/** A state begins with it, and all servers keep the order of keys. */
const STAMP_BEGIN = Buffer.from('{"t":');
const COLON_AT = STAMP_BEGIN.byteLength - 1;
const ZERO = 0x30;
const AWARENESS = 1;
const BINARY = 0x82;
const MASKED = 0x80;
const MASK_BYTES = 4;
/** What comes before the payload of a frame that a client sends takes at most so many bytes. */
export const FRAME_HEAD_BYTES = 14;

/** A moment as a state holds it: microseconds, always of the same length. @param ms since this process began. */
export function stampOf(ms: number): number {
  return STAMPS_FROM + Math.round(ms * 1_000);
}

/** When a state was to be sent, in milliseconds since this process began. */
export function momentOf(stamp: number): number {
  return (stamp - STAMPS_FROM) / 1_000;
}

/** About 110 bytes, as editors share them. */
export function stateAt(stamp: number, index: number): string {
  const at = stamp % 10_000;
  return `{"t":${stamp},"user":{"name":"Person ${index}","color":"#30bced"},"cursor":{"anchor":${at},"head":${at}}}`;
}

/** A place in bytes from which numbers are read. */
export class Cursor {
  bytes: Uint8Array = new Uint8Array();
  at = 0;

  /** A number of 7 bits a byte, the lowest first. */
  uint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.bytes[this.at] ?? 0;
      this.at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  /** The stamp of the state that stands here; 0 where there is none. */
  stamp(): number {
    if (this.bytes[this.at] !== STAMP_BEGIN[0] || this.bytes[this.at + COLON_AT] !== 0x3a) return 0;
    let value = 0;
    const from = this.at + STAMP_BEGIN.byteLength;
    for (let at = from; at < from + STAMP_DIGITS; at += 1)
      value = value * 10 + (this.bytes[at] ?? 0) - ZERO;
    return value;
  }
}

/** Where the payload of a server's frame is. */
export interface Frame {
  readonly opcode: number;
  readonly from: number;
  readonly to: number;
}

/** The frame that begins at `at`; nothing where it has not come in full. */
export function frameAt(bytes: Uint8Array, at: number): Frame | undefined {
  const [first, second] = [bytes[at], bytes[at + 1]];
  if (first === undefined || second === undefined) return undefined;
  const short = second & 0x7f;
  const from = at + (short === 126 ? 4 : short === 127 ? 10 : 2);
  if (from > bytes.byteLength) return undefined;
  let length = short;
  if (short >= 126) {
    length = 0;
    for (let byte = at + 2; byte < from; byte += 1) length = length * 0x100 + (bytes[byte] ?? 0);
  }
  const to = from + length;
  return to > bytes.byteLength ? undefined : { opcode: first & 0x0f, from, to };
}

/** Writes what comes before a client's payload, with a mask of zeros. Answers where it ends. */
export function writeFrameHead(bytes: Uint8Array, from: number, length: number): number {
  bytes[from] = BINARY;
  let at = from + 2;
  if (length < 126) bytes[from + 1] = MASKED | length;
  else {
    const long = length >= 0x10000;
    bytes[from + 1] = MASKED | (long ? 127 : 126);
    const size = long ? 8 : 2;
    for (let byte = 0; byte < size; byte += 1)
      bytes[at + byte] = Math.floor(length / 0x100 ** (size - 1 - byte)) % 0x100;
    at += size;
  }
  bytes.fill(0, at, at + MASK_BYTES);
  return at + MASK_BYTES;
}

/** Writes a number of 7 bits a byte, the lowest first. Answers where it ends. */
function writeUint(bytes: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) {
    bytes[at] = (rest % 0x80) | 0x80;
    at += 1;
  }
  bytes[at] = rest;
  return at + 1;
}

function sizeOf(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}

/** A message of awareness. @param prefix what a server wants before it. @param entries count and entries, encoded. */
export function messageOf(
  prefix: Uint8Array,
  count: number,
  entries: readonly Uint8Array[],
): Uint8Array {
  let length = sizeOf(count);
  for (const { byteLength } of entries) length += byteLength;
  const head = new Uint8Array(1 + sizeOf(length) + sizeOf(count));
  writeUint(head, writeUint(head, writeUint(head, 0, AWARENESS), length), count);
  return Buffer.concat([prefix, head, ...entries]);
}

export function entryOf(id: number, clock: number, text: string): Uint8Array {
  const length = Buffer.byteLength(text);
  const bytes = Buffer.allocUnsafe(sizeOf(id) + sizeOf(clock) + sizeOf(length) + length);
  const at = writeUint(bytes, writeUint(bytes, writeUint(bytes, 0, id), clock), length);
  bytes.write(text, at);
  return bytes;
}
