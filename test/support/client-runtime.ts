import {
  type ClientFrame,
  DEFAULT_TIMINGS,
  ERROR_STATUS,
  type ErrorCode,
  type HelloFrame,
  type ServerFrame,
  type Timings,
} from "@porchlight/core";
import type { FetchAnswer, Runtime, Socket } from "@porchlight/core/client";
import { Arrivals } from "./arrivals.ts";
import { TestClock, turn } from "./clock.ts";

/** Where the server of every {@link TestRuntime} is. */
export const SERVER_URL = "https://chat.example";

/** A runtime whose time stands still, whose chances are set, and whose network is the test. */
export class TestRuntime implements Runtime {
  readonly clock = new TestClock();
  /** Every socket that was opened, in order. */
  readonly sockets: TestSocket[] = [];
  /** The requests that were not taken yet. */
  readonly requests = new Arrivals<TestRequest>();
  /** What chance answers. */
  chance = 0.5;
  readonly random = (): number => this.chance;
  /** What listeners have thrown. */
  readonly reported: unknown[] = [];
  readonly report = (error: unknown): void => void this.reported.push(error);
  readonly fetch: Runtime["fetch"];
  readonly WebSocket: Runtime["WebSocket"];

  constructor() {
    const { sockets, requests } = this;
    this.fetch = (url, init) => {
      const request = new TestRequest(url, init);
      requests.add(request);
      return request.answered;
    };
    this.WebSocket = class extends TestSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    };
  }

  /** The socket that was opened last. */
  get socket(): TestSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("Cannot take a socket as none was opened");
    return socket;
  }

  /** Takes the next request, or the next of a line such as `GET /v1/me`; the others stay. */
  async request(line?: string): Promise<TestRequest> {
    const request = await this.requests.until((requests) => {
      const index = requests.findIndex((each) => line === undefined || each.line === line);
      return index < 0 ? undefined : requests.splice(index, 1)[0];
    });
    if (request === undefined) throw new Error("Cannot wait for a request as none will come");
    return request;
  }
}

/** A request of the client, to be answered by the test. */
export class TestRequest {
  readonly url: string;
  /** Method and path, such as `PUT /v1/typing`. */
  readonly line: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The JSON of the body; `undefined` without one. */
  readonly body: unknown;
  /** What `fetch` has returned. */
  readonly answered: Promise<FetchAnswer>;
  readonly #resolve: (answer: FetchAnswer) => void;
  readonly #reject: (error: unknown) => void;

  constructor(url: string, { method, headers, body, signal }: Parameters<Runtime["fetch"]>[1]) {
    const { promise, resolve, reject } = Promise.withResolvers<FetchAnswer>();
    this.url = url;
    this.line = `${method} ${url.replace(SERVER_URL, "")}`;
    this.headers = headers;
    this.body = body === undefined ? undefined : JSON.parse(body);
    this.answered = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    signal.addEventListener("abort", () => reject(signal.reason));
  }

  /** Answers with success, and lets the client take it in. */
  answer(data: unknown): Promise<void> {
    return this.reply(JSON.stringify({ data }));
  }

  /** Answers with a refusal. */
  refuse(code: ErrorCode, more: object = {}, headers: Record<string, string> = {}): Promise<void> {
    const error = { code, message: `Refused with ${code}`, ...more };
    return this.reply(JSON.stringify({ error }), { status: ERROR_STATUS[code], headers });
  }

  /** Answers with any text. */
  reply(
    text: string,
    init: { status?: number; headers?: Record<string, string> } = {},
  ): Promise<void> {
    this.#resolve(new Response(text, init));
    return turn();
  }

  /** The network fails. */
  fail(): Promise<void> {
    this.#reject(new TypeError("Cannot fetch as there is no network"));
    return turn();
  }
}

interface SocketEvent {
  readonly data: unknown;
  readonly code: number;
  readonly reason: string;
}

/** A socket of the client, whose other end is the test. */
export class TestSocket implements Socket {
  readonly url: URL;
  readonly protocols: readonly string[];
  /** Every frame that the client has sent. */
  readonly sent: ClientFrame[] = [];
  /** The code with which the client has closed it first; absent while it has not. */
  closedWith: number | undefined;
  readonly #listeners: { type: string; listen: (event: SocketEvent) => void }[] = [];

  constructor(url: string, protocols: string[]) {
    this.url = new URL(url);
    this.protocols = protocols;
  }

  /** What the client has said in the URL. */
  get query(): Record<string, string> {
    return Object.fromEntries(this.url.searchParams);
  }

  addEventListener(
    type: "close" | "error" | "message",
    listen: (event: SocketEvent) => void,
  ): void {
    this.#listeners.push({ type, listen });
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(code?: number): void {
    this.closedWith ??= code;
  }

  /** The server says `hello`. */
  hello(timings: Partial<Timings> = {}, given: Partial<HelloFrame> = {}): void {
    this.say(hello({ timings: { ...DEFAULT_TIMINGS, ...timings }, ...given }));
  }

  /** The server says a frame. */
  say(frame: ServerFrame): void {
    this.deliver(JSON.stringify(frame));
  }

  /** A message arrives, whatever it is. */
  deliver(data: unknown): void {
    this.#tell("message", { data, code: 0, reason: "" });
  }

  /** The connection ends: by the server with a code, or without a word. */
  end(code = 1006, reason = ""): void {
    this.#tell("close", { data: undefined, code, reason });
  }

  #tell(type: string, event: SocketEvent): void {
    for (const each of this.#listeners) if (each.type === type) each.listen(event);
  }
}

/** The first frame of a stream: Ann's, at position 7, with the documented timings. */
export function hello(given: Partial<HelloFrame> = {}): HelloFrame {
  return {
    type: "hello",
    session_id: "session-1",
    server_name: "localhost",
    tenant_id: "acme",
    participant_id: "ann",
    ts: "2026-03-02T09:00:01.000Z",
    stream_position: 7,
    timings: DEFAULT_TIMINGS,
    limits: {
      typing_rate: 5,
      typing_max_members: 5_000,
      awareness_max_members: 500,
      presence_max_ids: 200,
      body_max_bytes: 65_536,
      frame_max_bytes: 65_536,
      backlog_max_bytes: 1_048_576,
      frame_rate: 50,
      sockets_per_participant: 32,
      events_retained: 10_000,
    },
    ...given,
  };
}
