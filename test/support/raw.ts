import { connect, type Socket } from "node:net";
import { Arrivals } from "./arrivals.ts";
import type { Reply } from "./server.ts";
import { read, type WireRequest, written } from "./wire.ts";

const HEAD_END = "\r\n\r\n";

/** A TCP connection that sends any bytes at all, and keeps what comes back. */
export class Raw implements Disposable {
  readonly #socket: Socket;
  readonly #received = new Arrivals<Buffer>();
  /** Resolves once the connection has ended, however it did. */
  readonly ended: Promise<void>;
  /** Resolves once it is open, or has ended. */
  readonly open: Promise<void>;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#socket = connect(Number(port), hostname);
    this.ended = new Promise((resolve) => this.#socket.once("close", () => resolve()));
    const connected = new Promise<void>((resolve) => this.#socket.once("connect", resolve));
    this.open = Promise.race([connected, this.ended]);
    this.#socket
      .on("data", (chunk) => this.#received.add(Buffer.from(chunk)))
      .on("error", () => this.#received.end())
      .on("close", () => this.#received.end());
  }

  /** A connection that is upgraded to a stream, with these further query parameters. */
  static async stream(url: string, query: Readonly<Record<string, string>>): Promise<Raw> {
    const raw = new Raw(url);
    raw.send(upgradeOf(`/v1/stream?${new URLSearchParams(query)}`));
    await raw.head();
    return raw;
  }

  /** A connection that is upgraded to a Yjs socket in a room, with these query parameters. */
  static async yjs(
    url: string,
    room: string,
    query: Readonly<Record<string, string>>,
  ): Promise<Raw> {
    const raw = new Raw(url);
    raw.send(upgradeOf(`/v1/yjs/${room}?${new URLSearchParams(query)}`));
    await raw.head();
    return raw;
  }

  get isEnded(): boolean {
    return this.#socket.destroyed;
  }

  /** What has come so far and was not taken by {@link head}. */
  get received(): Buffer {
    return Buffer.concat(this.#received.items);
  }

  send(bytes: Uint8Array | string): void {
    // Text is Latin-1, so that every byte can be written.
    this.#socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** Sends, and resolves when the machine has taken it or the connection has ended. */
  async sent(bytes: Uint8Array): Promise<void> {
    const taken = new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()));
    await Promise.race([taken, this.ended]);
  }

  /** The first line of the next answer, which is taken with its headers; `undefined` when the connection ends without one. */
  head(): Promise<string | undefined> {
    return this.#received.until((chunks) => {
      const bytes = Buffer.concat(chunks);
      const end = bytes.indexOf(HEAD_END);
      if (end < 0) return undefined;
      chunks.splice(0, chunks.length, bytes.subarray(end + HEAD_END.length));
      return bytes.toString("latin1", 0, bytes.indexOf("\r\n"));
    });
  }

  /** The next answer, which is taken; `undefined` when the connection ends without the whole of it. */
  answer(method: string): Promise<Reply | undefined> {
    return this.#received.until((chunks) => {
      const first = read(Buffer.concat(chunks), method);
      if (first === undefined) return undefined;
      chunks.splice(0, chunks.length, first.rest);
      return first.reply;
    });
  }

  /** Sends a request and takes its answer. One at a time: Bun ends a connection that asks before it was answered. */
  ask(request: WireRequest): Promise<Reply | undefined> {
    this.send(Buffer.concat([...written(request)]));
    return this.answer(request.method);
  }

  /** Sends a request but for what comes after the first `bytes` of its body. */
  begin(request: WireRequest, bytes: number): void {
    const [head = Buffer.of(), body = Buffer.of()] = written(request);
    this.send(Buffer.concat([head, body.subarray(0, bytes)]));
  }

  /** Resolves as soon as `text` has come; false when the connection ends without it. */
  async hears(text: string): Promise<boolean> {
    const heard = await this.#received.until((chunks) =>
      Buffer.concat(chunks).includes(text) ? true : undefined,
    );
    return heard ?? false;
  }

  /** Reads no more; what comes waits in the kernel and then in the server. */
  pause(): void {
    this.#socket.pause();
  }

  /** Reads again. */
  resume(): void {
    this.#socket.resume();
  }

  /** Says that nothing more will be sent. */
  finish(): void {
    this.#socket.end();
  }

  /** Breaks the connection without a word. */
  cut(): void {
    this.#socket.resetAndDestroy();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

/** The head of a request that asks for a WebSocket. */
export function upgradeOf(target: string, ...headers: readonly string[]): string {
  return [
    `GET ${target} HTTP/1.1`,
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
    HEAD_END.slice(2),
  ].join("\r\n");
}
