/** The kinds of frames that there are; all others are reserved. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A WebSocket frame, right or wrong. */
export interface WebSocketFrame {
  /** Default: text. */
  readonly opcode?: number;
  readonly payload?: Uint8Array | string;
  /** Default: the last of its message. */
  readonly fin?: boolean;
  /** The three reserved bits, 0 to 7. */
  readonly reserved?: number;
  /** Default: masked, as a client has to. */
  readonly masked?: boolean;
  /** How long the frame says it is, where that is not its length. */
  readonly declared?: bigint;
}

/** The bytes of a frame. The mask is all zeros, so that the payload can be read. */
export function frameBytes(frame: WebSocketFrame): Buffer {
  const { opcode = OPCODE.text, fin = true, reserved = 0, masked = true } = frame;
  const payload = Buffer.from(frame.payload ?? "");
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  const length = lengthBytes(frame.declared ?? BigInt(payload.byteLength));
  length[0] = (length[0] ?? 0) | (masked ? 0x80 : 0);
  return Buffer.concat([Buffer.of(first), length, Buffer.alloc(masked ? 4 : 0), payload]);
}

/** The payload of a close frame. */
export function closing(code: number, reason: Uint8Array | string = ""): Buffer {
  return Buffer.concat([Buffer.of(code >> 8, code & 0xff), Buffer.from(reason)]);
}

/** The first close frame among what a server sent, if there is one. A frame that says no code is read as 1005. */
export function closeIn(bytes: Buffer): { code: number; reason: string } | undefined {
  let frame = frameAt(bytes, 0);
  while (frame !== undefined && frame.opcode !== OPCODE.close) frame = frameAt(bytes, frame.to);
  if (frame === undefined) return undefined;
  const { from, to } = frame;
  if (to - from < 2) return { code: 1005, reason: "" };
  return { code: bytes.readUInt16BE(from), reason: bytes.toString("utf8", from + 2, to) };
}

/** The frame of a server that begins at `at`, as far as it has come. */
function frameAt(
  bytes: Buffer,
  at: number,
): { opcode: number; from: number; to: number } | undefined {
  if (at + 2 > bytes.byteLength) return undefined;
  const short = bytes.readUInt8(at + 1) & 0x7f;
  const from = at + (short === 126 ? 4 : short === 127 ? 10 : 2);
  if (from > bytes.byteLength) return undefined;
  const to = from + (short < 126 ? short : longLength(bytes, at + 2, from));
  return to > bytes.byteLength ? undefined : { opcode: bytes.readUInt8(at) & 0x0f, from, to };
}

function longLength(bytes: Buffer, at: number, to: number): number {
  return to - at === 2 ? bytes.readUInt16BE(at) : Number(bytes.readBigUInt64BE(at));
}

function lengthBytes(length: bigint): Buffer {
  if (length < 126n) return Buffer.of(Number(length));
  if (length < 65_536n) return Buffer.of(126, Number(length >> 8n), Number(length & 0xffn));
  const long = Buffer.alloc(9, 127);
  long.writeBigUInt64BE(length, 1);
  return long;
}
