import type { Socket } from "bun";

const HEAD_END = "\r\n\r\n";
/** What the status of a success begins with. */
const TWO = "2".charCodeAt(0);
const LENGTH = /\r\ncontent-length: (\d+)/i;

/** A connection that stays open and has one request under way at most: bytes out, answers counted, nothing decoded. */
export class HttpConnection {
  /** How many bytes of bodies came. */
  bodyBytes = 0;
  readonly #answered: () => void;
  readonly #failed: (cause: Error) => void;
  #socket: Socket | undefined;
  /** Of an answer whose head is not whole. */
  #head = Buffer.alloc(0);
  /** How many bytes the body still lacks. */
  #lacking = 0;
  /** Of the last answer that came whole in one piece. */
  #wholeBytes = 0;
  #wholeBody = 0;
  #isAsked = false;

  private constructor(answered: () => void, failed: (cause: Error) => void) {
    this.#answered = answered;
    this.#failed = failed;
  }

  /**
   * @param answered is called with each answer, once it is whole.
   * @param failed is called with what is no success, and when the connection ends.
   */
  static async open(
    url: string,
    answered: () => void,
    failed: (cause: Error) => void,
  ): Promise<HttpConnection> {
    const { hostname, port } = new URL(url);
    const connection = new HttpConnection(answered, failed);
    connection.#socket = await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        data: (_socket, chunk) => connection.#read(chunk),
        error: (_socket, error) => failed(error),
        close: () => failed(new Error("Cannot go on as the server has hung up")),
      },
    });
    return connection;
  }

  /** Sends a whole request, which has to fit into what the kernel takes at once. */
  ask(request: Uint8Array): void {
    this.#isAsked = true;
    if (this.#socket?.write(request) === request.length) return;
    this.#failed(new Error(`Cannot send ${request.length} bytes at once`));
  }

  close(): void {
    this.#socket?.terminate();
  }

  #read(chunk: Buffer): void {
    if (this.#lacking > 0) {
      this.#take(chunk.length);
      return;
    }
    // As long as the last, and a success: the rest of it is not read, so that asking costs less than answering.
    if (chunk.length === this.#wholeBytes && chunk[9] === TWO && this.#head.length === 0) {
      this.#lacking = this.#wholeBody;
      this.#take(this.#wholeBody);
      return;
    }
    const head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    const end = head.indexOf(HEAD_END);
    if (end < 0) {
      this.#head = Buffer.from(head);
      return;
    }
    if (this.#head.length > 0) this.#head = Buffer.alloc(0);
    const text = head.toString("latin1", 0, end);
    const length = LENGTH.exec(text)?.[1];
    if (!text.startsWith("HTTP/1.1 200 ") || length === undefined) {
      this.#failed(
        new Error(`Cannot go on with this answer: ${head.toString("latin1", 0, 1_000)}`),
      );
      return;
    }
    this.#lacking = Number(length);
    if (head.length === end + HEAD_END.length + this.#lacking) {
      this.#wholeBytes = head.length;
      this.#wholeBody = this.#lacking;
    }
    this.#take(head.length - end - HEAD_END.length);
  }

  #take(bytes: number): void {
    this.#lacking -= bytes;
    this.bodyBytes += bytes;
    if (this.#lacking > 0) return;
    if (this.#lacking < 0 || !this.#isAsked) {
      this.#failed(new Error("Cannot take an answer that nobody asked for"));
      return;
    }
    this.#isAsked = false;
    this.#answered();
  }
}

/** The bytes of a request. */
export function requestOf(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: unknown,
): Uint8Array {
  const text = body === undefined ? "" : JSON.stringify(body);
  const all = {
    host: "127.0.0.1",
    ...headers,
    ...(body === undefined
      ? {}
      : {
          "content-type": "application/json",
          "content-length": String(Buffer.byteLength(text)),
        }),
  };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${head.join("")}\r\n${text}`);
}
