import { CodedError } from "../errors.ts";
import { type ClientFrame, type HelloFrame, type ServerFrame, STREAM_CLOSE } from "../frames.ts";
import type { Activity } from "../presence-register.ts";
import { Alarm } from "./clock.ts";
import { queryOf, type TokenSource, tokenFrom } from "./rest.ts";
import type { Runtime, Socket } from "./runtime.ts";

const SUBPROTOCOL = "porchlight.v1";
/** A connection that has not said `hello` for this long is given up. */
const CONNECT_WITHIN_MS = 15_000;
/** A connection that lasted this long has worked: the next one is tried at once. */
const STABLE_AFTER_MS = 10_000;
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
/** Heartbeats that may go unanswered; a connection on which another falls due is given up. */
const UNANSWERED_MAX = 2;
/** Of a socket that is let go of because another follows: to the server a loss, which lingers, and no sign-off. */
const REPLACED_CODE = 4000;
/** Closes whose reason can be a delay. */
const NAMING_CODES: readonly number[] = [
  1001,
  STREAM_CLOSE.restart.code,
  STREAM_CLOSE.too_many_frames.code,
];
/** What a subprotocol can carry. */
const TOKEN_PATTERN = /^[\w!#$%&'*+.^`|~-]+$/;

/** Why there is no connection: the code and reason of the close, 1006 where there was no word. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** Where a {@link Connection} stands. */
export type ConnectionState =
  /** A socket is being opened, or what has to go before it is being sent. */
  | { readonly status: "connecting" }
  | { readonly status: "open"; readonly hello: HelloFrame }
  /** Another try follows at `retryAt`, in Unix milliseconds. */
  | { readonly status: "waiting"; readonly retryAt: number; readonly why: Closing }
  /** Nothing is open, and nothing will be before {@link Connection.resume}. */
  | { readonly status: "suspended" }
  /** Closed for good: coming back by itself would not help. {@link Connection.open} starts anew. */
  | { readonly status: "closed"; readonly why: Closing };

/** What a {@link Connection} needs. */
export interface ConnectionOptions {
  /** Where the server is, such as `https://chat.example`: without `/v1`. */
  readonly url: string;
  readonly token: TokenSource;
  readonly device_id: string;
  readonly instance: string;
  readonly runtime: Runtime;
  /** What the device says about its user, asked whenever it is said. */
  readonly activity: () => Activity;
  /** The position from which missed events are to be replayed. */
  readonly since: () => number | undefined;
  /** What must have reached the server before any socket opens. When it rejects, none does. */
  readonly prepare: () => Promise<void>;
  readonly onState: (state: ConnectionState) => void;
  readonly onFrame: (frame: ServerFrame) => void;
}

/**
 * The event stream, kept open.
 *
 * A lost connection is tried again at once, then after 1, 2, 4 … 30 s with full
 * jitter, or after the delay that the server names; one that the server closed
 * for good is not. It says every `heartbeat_ms` that the device is there, and
 * gives a socket up on which nothing came back. Every connection states how
 * long the user has been idle, so that returning wakes nobody.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #alarm: Alarm;
  #state: ConnectionState = { status: "suspended" };
  #socket: Socket | undefined;
  /** Each try has its own; what belongs to an earlier one is not listened to. */
  #attempt: object = {};
  /** Tries in a row that came to nothing. */
  #failures = 0;
  /** When there is something to do in the present state, by `elapsed`. */
  #dueAt = 0;
  #openedAt = 0;
  #beatAt = 0;
  #unanswered = 0;
  /** What was last said of the user. */
  #said: Activity["state"];

  constructor(options: ConnectionOptions) {
    const { clock } = options.runtime;
    this.#options = options;
    this.#alarm = new Alarm(
      clock,
      () => clock.elapsed(),
      () => this.#ring(),
    );
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Connects, whatever was before. */
  open(): void {
    this.#failures = 0;
    this.#connect();
  }

  /** Connects with a new socket, also in the place of one that seems to be open: after sleep it may be dead. Does nothing once closed for good. */
  resume(): void {
    if (this.#state.status !== "closed") this.open();
  }

  /** Signs off and stays away until {@link resume}. Does nothing once closed for good. */
  suspend(): void {
    if (this.#state.status === "closed") return;
    this.#signOff();
    this.#enter({ status: "suspended" });
  }

  /** Signs off for good. Safe to call twice. */
  close(): void {
    this.#signOff();
    const { code, reason } = STREAM_CLOSE.bye;
    if (this.#state.status !== "closed") this.#enter({ status: "closed", why: { code, reason } });
  }

  /** Sends a frame. Answers false, and sends nothing, while the stream is not open. */
  send(frame: ClientFrame): boolean {
    if (this.#state.status !== "open") return false;
    this.#socket?.send(JSON.stringify(frame));
    return true;
  }

  /** Says now what the device says about its user, because it has changed. */
  report(): void {
    if (this.#state.status === "open") this.#beat(this.#state.hello);
  }

  #connect(): void {
    this.#drop();
    const attempt = {};
    this.#attempt = attempt;
    this.#enter({ status: "connecting" }, CONNECT_WITHIN_MS);
    this.#prepare()
      .then((token) => {
        if (this.#attempt === attempt) this.#openSocket(attempt, token);
      })
      .catch((error: unknown) => {
        if (this.#attempt === attempt) this.#fail(error);
      });
  }

  async #prepare(): Promise<string> {
    await this.#options.prepare();
    return tokenFrom(this.#options.token);
  }

  #fail(error: unknown): void {
    const coded = error instanceof CodedError ? error : undefined;
    if (coded?.code === "SW_AUTH_EXPIRED_TOKEN") this.#lost(STREAM_CLOSE.token_expired);
    else if (coded?.status === 401) this.#lost(STREAM_CLOSE.token_invalid);
    else this.#lost({ code: 1006, reason: String(error) }, coded?.retryAfterSeconds);
  }

  #openSocket(attempt: object, token: string): void {
    if (!TOKEN_PATTERN.test(token)) {
      this.#lost(STREAM_CLOSE.token_invalid);
      return;
    }
    const { runtime, onFrame } = this.#options;
    const socket = new runtime.WebSocket(this.#address(), [SUBPROTOCOL, `bearer.${token}`]);
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const frame = this.#attempt === attempt ? frameOf(data) : undefined;
      if (frame === undefined) return;
      this.#unanswered = 0;
      if (frame.type === "hello") this.#greeted(frame);
      // Whoever was just told that it is open may have closed it.
      if (this.#attempt === attempt) onFrame(frame);
    });
    // A close follows every error. Unheard, some runtimes take it for a crash.
    socket.addEventListener("error", () => {});
    socket.addEventListener("close", ({ code, reason }) => {
      if (this.#attempt === attempt) this.#lost({ code, reason });
    });
  }

  #address(): string {
    const { url, device_id, instance, activity, since } = this.#options;
    const { state, idle_for_ms } = activity();
    this.#said = state;
    const query = queryOf({ device_id, instance, state, idle_for_ms, since: since() });
    return `${url.replace(/^http/i, "ws").replace(/\/+$/, "")}/v1/stream?${query}`;
  }

  #greeted(hello: HelloFrame): void {
    this.#openedAt = this.#beatAt = this.#now();
    this.#enter({ status: "open", hello }, hello.timings.heartbeat_ms);
    if (this.#options.activity().state !== this.#said) this.report();
  }

  #beat(hello: HelloFrame): void {
    const { state = "online", idle_for_ms } = this.#options.activity();
    this.#beatAt = this.#now();
    this.#unanswered += 1;
    this.send({ type: "heartbeat", state, idle_for_ms, ack: true });
    this.#due(hello.timings.heartbeat_ms);
  }

  /** There is no connection any more, or there never was. */
  #lost({ code, reason }: Closing, retryAfterSeconds?: number): void {
    const wasStable =
      this.#state.status === "open" && this.#now() - this.#openedAt >= STABLE_AFTER_MS;
    if (wasStable) this.#failures = 0;
    this.#drop();
    const why = { code, reason };
    if (!mayReturn(why) && !this.#mayAskForAnotherToken(why)) {
      this.#enter({ status: "closed", why });
      return;
    }
    const askedMs = retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1_000;
    const delayMs = namedDelay(why) ?? askedMs ?? this.#delay();
    this.#failures += 1;
    const retryAt = this.#options.runtime.clock.wall() + delayMs;
    this.#enter({ status: "waiting", retryAt, why }, delayMs);
  }

  /** A token has run out, and there may be a newer one: asked for once. */
  #mayAskForAnotherToken({ code }: Closing): boolean {
    const isToken = code === STREAM_CLOSE.token_expired.code;
    return isToken && typeof this.#options.token === "function" && this.#failures === 0;
  }

  #delay(): number {
    if (this.#failures === 0) return 0;
    const most = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#failures - 1));
    return this.#options.runtime.random() * most;
  }

  #ring(): void {
    if (this.#now() < this.#dueAt) this.#alarm.by(this.#dueAt);
    else if (this.#state.status === "open") this.#look(this.#state.hello);
    else if (this.#state.status === "waiting") this.#connect();
    else if (this.#state.status === "connecting") this.#lost({ code: 1006, reason: "timeout" });
  }

  #look(hello: HelloFrame): void {
    // Throttled timers are up to a minute late; later than that, the machine has slept.
    const hasSlept = this.#now() - this.#beatAt > hello.timings.presence_ttl_ms;
    if (hasSlept) this.open();
    else if (this.#unanswered >= UNANSWERED_MAX) this.#lost({ code: 1006, reason: "no answer" });
    else this.#beat(hello);
  }

  #signOff(): void {
    this.send({ type: "bye" });
    this.#drop(STREAM_CLOSE.bye.code);
  }

  /** Lets go of the socket, if there is one. */
  #drop(code: number = REPLACED_CODE): void {
    this.#attempt = {};
    this.#socket?.close(code);
    this.#socket = undefined;
  }

  #enter(state: ConnectionState, dueInMs?: number): void {
    this.#alarm.stop();
    if (dueInMs !== undefined) this.#due(dueInMs);
    this.#state = state;
    this.#options.onState(state);
  }

  #due(inMs: number): void {
    this.#dueAt = this.#now() + inMs;
    this.#alarm.by(this.#dueAt);
  }

  #now(): number {
    return this.#options.runtime.clock.elapsed();
  }
}

/** Whether coming back makes sense, by the table of closes. What is not in it is a loss. */
function mayReturn({ code, reason }: Closing): boolean {
  const closes = Object.values(STREAM_CLOSE).filter((close) => close.code === code);
  const exact = closes.find((close) => close.reason === reason);
  // An orderly close that does not say "bye" is by something in between, which knows nothing of us.
  const isForeign = closes.length === 0 || code === STREAM_CLOSE.bye.code;
  return exact?.reconnect ?? (isForeign || closes.some((close) => close.reconnect));
}

/** The delay that the server names in the place of a reason, in milliseconds. */
function namedDelay({ code, reason }: Closing): number | undefined {
  return NAMING_CODES.includes(code) && /^\d{1,9}$/.test(reason) ? Number(reason) : undefined;
}

/** What a message says, if it says anything. */
function frameOf(data: unknown): ServerFrame | undefined {
  try {
    const frame: unknown = JSON.parse(String(data));
    const isFrame = typeof frame === "object" && frame !== null && "type" in frame;
    return isFrame ? (frame as ServerFrame) : undefined;
  } catch {
    return undefined;
  }
}
