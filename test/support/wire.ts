import { connect, type Socket } from "node:net";
import { Arrivals } from "./arrivals.ts";
import { bodyOf, type Reply } from "./server.ts";

/** A request as it goes over the wire. What is missing is missing there too, but for the length of the body. */
export interface WireRequest {
  readonly method: string;
  /** The path and query, exactly as they are sent. */
  readonly target: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array;
  /** Whether the body is sent without saying how long it is. */
  readonly chunked?: boolean;
}

/** The text of a body, and the bytes after it. */
interface Body {
  readonly text: string;
  readonly rest: Buffer;
}

const HEAD_END = "\r\n\r\n";
const NO_BODY: readonly number[] = [204, 304];
const CHUNK_BYTES = 16_384;

/** A connection that sends whatever it is told to, also what no proper client would. One request at a time. */
export class Wire implements Disposable {
  readonly #address: { readonly host: string; readonly port: number };
  #socket: Socket;
  #received = new Arrivals<Buffer>();

  private constructor(address: { host: string; port: number }) {
    this.#address = address;
    this.#socket = this.#connect();
  }

  static to(url: string): Wire {
    const { hostname, port } = new URL(url);
    return new Wire({ host: hostname, port: Number(port) });
  }

  /** @throws {Error} when the connection ends before the whole answer is there. */
  async ask(request: WireRequest): Promise<Reply> {
    if (this.#socket.destroyed) this.#socket = this.#connect();
    for (const part of written(request)) this.#socket.write(part);
    const reply = await this.#received.until((chunks) => {
      const parsed = read(Buffer.concat(chunks), request.method);
      if (parsed !== undefined) chunks.length = 0;
      return parsed?.reply;
    });
    if (reply === undefined)
      throw new Error(`Cannot read an answer as the connection ended: ${JSON.stringify(request)}`);
    if (reply.headers.get("connection") === "close") this.#socket.destroy();
    return reply;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #connect(): Socket {
    const received = new Arrivals<Buffer>();
    this.#received = received;
    return connect(this.#address)
      .on("data", (chunk) => received.add(Buffer.from(chunk)))
      .on("error", () => received.end())
      .on("close", () => received.end());
  }
}

/** A request in bytes. Header values are Latin-1, as in the standard. */
export function* written({
  method,
  target,
  headers = [],
  body,
  chunked,
}: WireRequest): Generator<Buffer> {
  const lines = [`${method} ${target} HTTP/1.1`];
  if (!headers.some(([name]) => name.toLowerCase() === "host")) lines.push("Host: localhost");
  lines.push(...headers.map(([name, value]) => `${name}: ${value}`));
  if (chunked === true) lines.push("Transfer-Encoding: chunked");
  else if (body !== undefined) lines.push(`Content-Length: ${body.byteLength}`);
  yield Buffer.from(lines.join("\r\n") + HEAD_END, "latin1");
  if (body === undefined) return;
  if (chunked !== true) return yield Buffer.from(body);
  for (let from = 0; from < body.byteLength; from += CHUNK_BYTES) {
    const chunk = body.subarray(from, from + CHUNK_BYTES);
    yield Buffer.concat([
      Buffer.from(`${chunk.byteLength.toString(16)}\r\n`),
      chunk,
      Buffer.from("\r\n"),
    ]);
  }
  yield Buffer.from(`0${HEAD_END}`);
}

/** The answer with which these bytes begin, and what comes after it; undefined while a part of it is missing. */
export function read(
  bytes: Buffer,
  method: string,
): { readonly reply: Reply; readonly rest: Buffer } | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const status = Number(first.split(" ")[1]);
  const after = bytes.subarray(end + HEAD_END.length);
  if (status < 200) return read(after, method);
  const headers = new Headers(lines.map((line) => entryOf(line)));
  const isEmpty = method === "HEAD" || NO_BODY.includes(status);
  const isChunked = headers.get("transfer-encoding") === "chunked";
  const length = isEmpty ? 0 : Number(headers.get("content-length") ?? 0);
  const body = isChunked && !isEmpty ? unchunked(after) : whole(after, length);
  if (body === undefined) return undefined;
  return { reply: { status, headers, body: bodyOf(body.text, headers) }, rest: body.rest };
}

/** A body of a known length and what comes after it, or undefined while a part of it is missing. */
function whole(bytes: Buffer, length: number): Body | undefined {
  if (bytes.byteLength < length) return undefined;
  return { text: bytes.toString("utf8", 0, length), rest: bytes.subarray(length) };
}

/** A body in chunks and what comes after it, or undefined while a part of it is missing. */
function unchunked(bytes: Buffer): Body | undefined {
  const chunks: Buffer[] = [];
  for (let from = 0; ; ) {
    const end = bytes.indexOf("\r\n", from);
    if (end < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", from, end), 16);
    const next = end + 2 + size + 2;
    if (bytes.byteLength < next) return undefined;
    if (size === 0)
      return { text: Buffer.concat(chunks).toString("utf8"), rest: bytes.subarray(next) };
    chunks.push(bytes.subarray(end + 2, end + 2 + size));
    from = next;
  }
}

function entryOf(line: string): [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}
