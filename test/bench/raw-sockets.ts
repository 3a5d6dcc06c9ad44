import type { Socket } from "bun";
import { closing, frameBytes, OPCODE } from "../support/websocket.ts";

const HEAD_END = "\r\n\r\n";
/** Handshakes that are under way at once, unless somebody asks for a storm. */
const AT_ONCE = 100;

/** What is done with what sockets hear. */
export interface Listener {
  /** A message of text or bytes, in `bytes` from `from` to `to`. Not kept: the bytes are read on the spot. */
  message(socket: RawSocket, bytes: Buffer, from: number, to: number): void;
  /** The connection is no more, by whomever. */
  closed?(socket: RawSocket): void;
}

/** Where sockets are opened, and by whom they are heard. */
export interface Opening {
  readonly url: string;
  /** The path and query of the upgrade for the socket of an index. */
  readonly target: (index: number) => string;
  /** What each says at once. */
  readonly greets?: ((index: number) => string) | undefined;
  readonly listener: Listener;
}

/**
 * A WebSocket by hand: it walks over the headers of frames and copies nothing,
 * so that one process can hear millions a second. It answers pings, as clients do.
 */
export class RawSocket {
  readonly index: number;
  readonly #listener: Listener;
  readonly #opened = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #socket: Socket<RawSocket> | undefined;
  /** What was read and is not whole, and how much at least is missing of it. */
  #parts: Buffer[] = [];
  #lacking = 0;
  #isUpgraded = false;

  private constructor(index: number, listener: Listener) {
    this.index = index;
    this.#listener = listener;
  }

  /** Resolves once the server has agreed to the upgrade; rejects when it does not. */
  static async open({ url, target, greets, listener }: Opening, index: number): Promise<RawSocket> {
    const { hostname, port } = new URL(url);
    const socket = new RawSocket(index, listener);
    const asked = `GET ${target(index)} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==${HEAD_END}`;
    socket.#socket = await Bun.connect({
      hostname,
      port: Number(port),
      data: socket,
      socket: HANDLERS,
    });
    socket.#socket.write(asked);
    await socket.#opened.promise;
    if (greets !== undefined) socket.say(greets(index));
    return socket;
  }

  /** Sends a message of text. */
  say(text: string): void {
    this.send(frameBytes({ payload: text }));
  }

  /** Sends bytes as they are: frames that were made before. */
  send(bytes: Uint8Array): void {
    const written = this.#socket?.write(bytes);
    if (written !== bytes.byteLength)
      throw new Error(`Cannot say more on socket ${this.index}: ${written} of ${bytes.byteLength}`);
  }

  /** Closes in order, with a close frame. Resolves when the connection is no more. */
  async leave(): Promise<void> {
    this.send(frameBytes({ opcode: OPCODE.close, payload: closing(1000) }));
    await this.#ended.promise;
  }

  /** Cuts the connection without a close frame: by a reset, or in the order of TCP. */
  cut(by: "RST" | "FIN"): void {
    if (by === "RST") this.#socket?.terminate();
    else this.#socket?.end();
  }

  /** Something was read. */
  read(chunk: Buffer): void {
    const bytes = this.#parts.length === 0 ? chunk : this.#join(chunk);
    if (bytes === undefined) return;
    const from = this.#isUpgraded ? 0 : this.#upgrade(bytes);
    const at = this.#isUpgraded ? this.#walk(bytes, from) : from;
    if (at < bytes.byteLength) this.#parts.push(bytes.subarray(at));
  }

  /** The connection is no more. */
  end(): void {
    this.#socket = undefined;
    this.#ended.resolve();
    this.#opened.reject(new Error(`Cannot open socket ${this.index} as it was closed`));
    if (this.#isUpgraded) this.#listener.closed?.(this);
  }

  /** What was read before and this, once as much is there as is known to come. */
  #join(chunk: Buffer): Buffer | undefined {
    this.#parts.push(chunk);
    this.#lacking -= chunk.byteLength;
    if (this.#lacking > 0) return undefined;
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    return bytes;
  }

  /** Reads the answer to the handshake. Answers where frames begin. */
  #upgrade(bytes: Buffer): number {
    const end = bytes.indexOf(HEAD_END);
    if (end < 0) return 0;
    const head = bytes.toString("latin1", 0, end);
    this.#isUpgraded = head.startsWith("HTTP/1.1 101");
    if (this.#isUpgraded) this.#opened.resolve();
    else this.#opened.reject(new Error(`Cannot open socket ${this.index}: ${head}`));
    return end + HEAD_END.length;
  }

  /** Takes every frame that is whole. Answers where the rest begins. */
  #walk(bytes: Buffer, begin: number): number {
    const size = bytes.byteLength;
    let at = begin;
    while (at + 2 <= size) {
      const short = bytes[at + 1] ?? 0;
      const from = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
      if (from > size) break;
      const to = from + (short < 126 ? short : lengthAt(bytes, at + 2, from));
      if (to > size) {
        this.#lacking = to - size;
        break;
      }
      this.#take((bytes[at] ?? 0) & 0x0f, bytes, from, to);
      at = to;
    }
    return at;
  }

  #take(opcode: number, bytes: Buffer, from: number, to: number): void {
    if (opcode === OPCODE.text || opcode === OPCODE.binary)
      this.#listener.message(this, bytes, from, to);
    else if (opcode === OPCODE.ping)
      this.send(frameBytes({ opcode: OPCODE.pong, payload: bytes.subarray(from, to) }));
  }
}

const HANDLERS = {
  data: (socket: Socket<RawSocket>, chunk: Buffer) => socket.data.read(chunk),
  close: (socket: Socket<RawSocket>) => socket.data.end(),
  error: () => undefined,
};

function lengthAt(bytes: Buffer, at: number, to: number): number {
  return to - at === 2 ? bytes.readUInt16BE(at) : Number(bytes.readBigUInt64BE(at));
}

/** Opens sockets for the indexes below `count`, some at a time. */
export async function openSockets(opening: Opening, count: number): Promise<RawSocket[]> {
  const sockets: RawSocket[] = [];
  for (let from = 0; from < count; from += AT_ONCE) {
    const share = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, index) =>
      RawSocket.open(opening, from + index),
    );
    sockets.push(...(await Promise.all(share)));
  }
  return sockets;
}
