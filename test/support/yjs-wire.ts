import * as encoding from "lib0/encoding";
import { frameBytes, OPCODE } from "./websocket.ts";

/** The kinds of messages of the y-websocket protocol. */
export const MESSAGE = { sync: 0, awareness: 1, auth: 2, query: 3 } as const;
/** The kinds of sync messages. */
export const SYNC = { step1: 0, step2: 1, update: 2 } as const;

/** What is said of one client id. */
export interface WireEntry {
  readonly id: number;
  readonly clock: number;
  /** The state as JSON; bytes where it is no UTF-8. */
  readonly text: string | Uint8Array;
}

/** A message of awareness. */
export function awareness(entries: readonly WireEntry[]): Uint8Array {
  const body = encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, entries.length);
    for (const { id, clock, text } of entries) {
      encoding.writeVarUint(encoder, id);
      encoding.writeVarUint(encoder, clock);
      encoding.writeVarUint8Array(encoder, Buffer.from(text));
    }
  });
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, MESSAGE.awareness);
    encoding.writeVarUint8Array(encoder, body);
  });
}

/** A message about the document. */
export function sync(step: number, body: Uint8Array): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, MESSAGE.sync);
    encoding.writeVarUint(encoder, step);
    encoding.writeVarUint8Array(encoder, body);
  });
}

/** A number of 7 bits a byte, which takes more bytes than it need where so many are asked for. */
export function varUint(value: number | bigint, bytes = 1): Buffer {
  const septets: number[] = [];
  for (let rest = BigInt(value); rest > 0n || septets.length < bytes; rest >>= 7n)
    septets.push(Number(rest & 0x7fn) | 0x80);
  septets.push((septets.pop() ?? 0) & 0x7f);
  return Buffer.from(septets);
}

/** The WebSocket frame that a message is sent in. */
export function framed(...message: readonly Uint8Array[]): Buffer {
  return frameBytes({ opcode: OPCODE.binary, payload: Buffer.concat(message) });
}

/** A frame in which a socket says this of itself. */
export function says(text: string | Uint8Array, { id = 1_000, clock = 1 } = {}): Buffer {
  return framed(awareness([{ id, clock, text }]));
}

/** What a client asks first: it is answered each time with {@link EMPTY_DOCUMENT}. */
export const STEP_1: Buffer = framed(sync(SYNC.step1, Uint8Array.of(0)));
/** The frame of a server that says of a document that there is nothing in it. All of it but its first byte is ASCII. */
export const EMPTY_DOCUMENT = "\x05\0\x01\x02\0\0";
