import { connect, type Socket } from "node:net";
import { Arrivals } from "./arrivals.ts";
import type { TestServer } from "./server.ts";
import type { Closed, Frame } from "./stream.ts";

const HEAD_END = "\r\n\r\n";
const TEXT = 1;
const CLOSE = 8;

/** A peer that opens a stream by hand: it answers nothing, not even pings, and reads only while it is told to. */
export class RawStream implements Disposable {
  readonly #socket: Socket;
  readonly #frames = new Arrivals<Frame>();
  /** Everything it has read. */
  readonly seen: Frame[] = [];
  #rest = Buffer.alloc(0);
  #closed: Closed | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Resolves when the stream is open, and reads on until it is told to {@link pause}. */
  static async open(
    server: TestServer,
    token: string,
    query: Record<string, string> = {},
  ): Promise<RawStream> {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    const stream = new RawStream(socket);
    const target = `/v1/stream?${new URLSearchParams({ token, ...query })}`;
    socket.write(
      `GET ${target} HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==${HEAD_END}`,
    );
    const first = await new Promise<Buffer>((resolve) =>
      socket.once("data", (chunk: Buffer) => resolve(chunk)),
    );
    stream.#read(first.subarray(first.indexOf(HEAD_END) + HEAD_END.length));
    socket.on("data", (chunk: Buffer) => stream.#read(chunk));
    socket.on("error", () => stream.#frames.end());
    socket.on("close", () => stream.#frames.end());
    return stream;
  }

  /** Reads nothing more. */
  pause(): void {
    this.#socket.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#socket.resume();
  }

  /** The next so many frames that fit, or those that there were before the stream was closed; the others are passed over. */
  async next(count: number, fits: (frame: Frame) => boolean): Promise<Frame[]> {
    const taken: Frame[] = [];
    const found = await this.#frames.until((frames) => {
      taken.push(...frames.splice(0).filter(fits));
      return taken.length >= count ? taken : undefined;
    });
    return found ?? taken;
  }

  /** What the stream was closed with, once everything has been read. */
  async closed(): Promise<Closed | undefined> {
    await this.next(Number.POSITIVE_INFINITY, () => false);
    return this.#closed;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #hear(frame: Frame): void {
    this.seen.push(frame);
    this.#frames.add(frame);
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (let frame = take(this.#rest); frame !== undefined; frame = take(this.#rest)) {
      this.#rest = this.#rest.subarray(frame.end);
      if (frame.opcode === TEXT) this.#hear(JSON.parse(frame.payload.toString()));
      if (frame.opcode !== CLOSE) continue;
      const [code, reason] = [frame.payload.readUInt16BE(0), frame.payload.toString("utf8", 2)];
      this.#closed = { code, reason };
    }
  }
}

/** The first frame of what a server has sent, if all of it is there. */
function take(bytes: Buffer): { opcode: number; payload: Buffer; end: number } | undefined {
  if (bytes.length < 2) return undefined;
  const [first = 0, short = 0] = bytes;
  const begin = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (bytes.length < begin) return undefined;
  const length =
    short === 127
      ? Number(bytes.readBigUInt64BE(2))
      : short === 126
        ? bytes.readUInt16BE(2)
        : short;
  const end = begin + length;
  if (bytes.length < end) return undefined;
  return { opcode: first & 15, payload: bytes.subarray(begin, end), end };
}
