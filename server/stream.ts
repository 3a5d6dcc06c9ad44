import {
  type Activity,
  type ClientFrame,
  CodedError,
  type HelloFrame,
  isoOf,
  type OpenSource,
  type PresenceSnapshotFrame,
  parseFrame,
  STREAM_CLOSE,
  type StreamClose,
  type StreamQuery,
} from "@porchlight/core";
import type { ServerWebSocket } from "bun";
import type { Caller } from "./auth.ts";
import type { Deps } from "./deps.ts";
import { Flow, framesIn } from "./flow.ts";
import type { Connection, Standing } from "./hub.ts";
import { errorFields } from "./log.ts";
import { boundsOf, Replay } from "./replay.ts";
import { publishTyping } from "./typing.ts";

/** When a client that sent too much may come back. */
const RETRY_AFTER_MS = 5_000;

/** How a client closes that has nothing more to say; anything else is a loss. */
const ORDERLY_CODES: readonly number[] = [1000, 1005];

/** A socket whose token was refused: accepted and closed, so that a browser can read why. */
export class RefusedSocket {
  readonly #why: StreamClose;
  constructor(why: StreamClose) {
    this.#why = why;
  }
  open(ws: ServerWebSocket<unknown>): void {
    const { code, reason } = STREAM_CLOSE[this.#why];
    ws.close(code, reason);
  }
}

/** What a stream opens with: what its client says, and what its person has joined. */
export interface Opening extends StreamQuery, Standing {
  /** Rejects with a 401 when its token stands for nobody any more. */
  readonly recheck: () => Promise<void>;
}

/** One open stream: what it says becomes presence and typing, what it hears comes from the hub. */
export class StreamSocket implements Connection<StreamClose> {
  readonly door = "stream";
  readonly closes = STREAM_CLOSE;
  readonly tenant_id: string;
  readonly participant_id: string;
  readonly token_id: string;
  readonly expires_at: number | undefined;
  readonly device_id: string;
  readonly instance: string;
  readonly #deps: Deps;
  readonly #session = crypto.randomUUID();
  readonly #flow = new Flow();
  #presence: Connection["presence"];
  #opening: Opening | undefined;
  #socket: ServerWebSocket<unknown> | undefined;
  #source: OpenSource | undefined;
  #replay: Replay | undefined;

  constructor(deps: Deps, caller: Caller, opening: Opening) {
    this.#deps = deps;
    this.tenant_id = caller.tenant_id;
    this.participant_id = caller.participant_id;
    this.token_id = caller.token_id;
    this.expires_at = caller.expires_at;
    this.device_id = opening.device_id ?? `socket:${this.#session}`;
    this.instance = opening.instance ?? this.device_id;
    this.#presence = opening.presence ?? "all";
    this.#opening = opening;
  }

  get presence(): Connection["presence"] {
    return this.#presence;
  }

  get source(): OpenSource | undefined {
    return this.#source;
  }

  get socket(): ServerWebSocket<unknown> {
    if (this.#socket === undefined) throw new TypeError("Cannot use a stream before it is open");
    return this.#socket;
  }

  open(ws: ServerWebSocket<unknown>): void {
    const opening = this.#opening;
    if (opening === undefined) return;
    this.#opening = undefined;
    this.#socket = ws;
    const { hub, liveness, shell } = this.#deps;
    hub.send(this, this.#hello(opening.position));
    for (const other of hub.of(this))
      if (other instanceof StreamSocket && other.#isCalledLike(this))
        hub.close(other, "duplicate_connection");
    hub.add(this);
    // Whoever takes the token away from now on finds this socket; who did before is found here.
    opening.recheck().catch((error: unknown) => this.#doubt(error));
    this.#catchUp(opening);
    const name = { device_id: this.device_id, instance: this.instance, door: this.door } as const;
    const { state, idle_for_ms } = opening;
    this.#source = liveness.open(this, name, { state, idle_for_ms } satisfies Activity);
    this.#log("stream.opened", {});
    if (shell.stopping()) hub.close(this, "restart");
  }

  message(_ws: ServerWebSocket<unknown>, data: string | Buffer): void {
    const source = this.#source;
    if (source === undefined) return;
    const { hub, liveness, clock, shell } = this.#deps;
    hub.heard(this);
    liveness.touch(this, source);
    const { frame_max_bytes, frame_rate } = shell.config.limits;
    const bytes = Buffer.byteLength(data);
    const frame = bytes > frame_max_bytes ? readLarge(data) : read(data);
    const refused = frame instanceof CodedError;
    if (this.#flow.isTooMuch(clock.monotonic(), { frame_rate, refused, frames: framesIn(bytes) })) {
      hub.close(this, "too_many_frames", String(RETRY_AFTER_MS));
    } else if (frame === undefined) hub.close(this, "frame_too_large");
    else if (refused) this.#refuse(frame, typeOf(data));
    else this.#obey(frame, source);
  }

  ping(): void {
    this.#beat();
  }

  pong(): void {
    this.#beat();
  }

  /** A ping or a pong is a sign of life, and a frame: whoever sends thousands is not alive thousands of times. */
  #beat(): void {
    if (this.#source === undefined) return;
    const { hub, liveness, clock, shell } = this.#deps;
    hub.heard(this);
    liveness.touch(this, this.#source);
    const { frame_rate } = shell.config.limits;
    if (this.#flow.isTooMuch(clock.monotonic(), { frame_rate, refused: false, frames: 1 }))
      hub.close(this, "too_many_frames", String(RETRY_AFTER_MS));
  }

  drain(): void {
    this.#replay?.drained();
    const { hub } = this.#deps;
    if (hub.drained(this)) hub.sendText(this, "presence.snapshot", this.#snapshot());
  }

  close(_ws: ServerWebSocket<unknown>, code: number, reason: string): void {
    this.#replay?.stop();
    this.#leave(code, reason);
    this.#log("stream.closed", { code });
  }

  #leave(code: number, reason: string): void {
    const source = this.#source;
    if (source === undefined) return;
    this.#source = undefined;
    this.#deps.hub.remove(this);
    // Bun reports a frame above the limit as a loss; the client was told 1009 and will not be back.
    const orderly = ORDERLY_CODES.includes(code) || reason === "Received too big message";
    if (orderly) this.#deps.liveness.close(this, source);
    else this.#deps.liveness.lose(this, source);
  }

  ending(why: StreamClose): void {
    this.#replay?.stop();
    const source = this.#source;
    this.#source = undefined;
    // Of a restart the source is kept and written down; a duplicate has taken it over.
    if (source === undefined || why === "restart" || why === "duplicate_connection") return;
    // Whoever is to come back is lost for a moment, not gone.
    if (STREAM_CLOSE[why].reconnect) this.#deps.liveness.lose(this, source);
    else this.#deps.liveness.close(this, source);
  }

  #isCalledLike({ device_id, instance }: StreamSocket): boolean {
    return this.device_id === device_id && this.instance === instance;
  }

  /** What happened after `since`, or while the socket was being opened, is told before what is live. */
  #catchUp({ since, position, rooms }: Opening): void {
    const { hub, announced, shell } = this.#deps;
    const isCurrent = since === undefined || since === position;
    if (isCurrent && announced.position(this.tenant_id) <= position) {
      hub.goLive(this, { position, rooms }, []);
      return;
    }
    const { metrics } = shell;
    const on = { ...this.#deps, metrics, ...boundsOf(shell.config.limits) };
    this.#replay = new Replay(on, this, {
      since: since ?? position,
      tellGap: (stream_position) =>
        hub.send(this, {
          type: "resync",
          tenant_id: this.tenant_id,
          stream_position,
          ts: this.#ts(),
        }),
    });
    this.#replay.run().catch((error: unknown) => this.#interrupt(error));
  }

  #doubt(error: unknown): void {
    if (error instanceof CodedError && error.status === 401)
      this.#deps.hub.close(this, "token_revoked");
    else this.#interrupt(error);
  }

  /** The store cannot be read: whoever comes back later goes on where this ended. */
  #interrupt(error: unknown): void {
    this.#deps.shell.log("error", "stream.failed", errorFields(error));
    const source = this.#source;
    this.#source = undefined;
    if (source !== undefined) this.#deps.liveness.lose(this, source);
    this.#deps.hub.close(this, "restart", String(RETRY_AFTER_MS));
  }

  #obey(frame: ClientFrame, source: OpenSource): void {
    const { hub, liveness } = this.#deps;
    switch (frame.type) {
      case "heartbeat":
        liveness.hear(this, source, frame);
        if (frame.ack === true) hub.send(this, { type: "heartbeat", ts: this.#ts() });
        return;
      case "typing":
        this.#type(frame);
        return;
      case "subscribe":
        this.#subscribe(frame);
        return;
      case "bye":
        hub.close(this, "bye");
        return;
      default:
        frame satisfies never;
    }
  }

  #type(frame: Extract<ClientFrame, { type: "typing" }>): void {
    const by = {
      tenant_id: this.tenant_id,
      participant_id: this.participant_id,
      source: this.device_id,
      isGone: () => this.#source === undefined,
    };
    publishTyping(this.#deps, by, frame).catch((error: unknown) => this.#refuse(error, frame.type));
  }

  #subscribe({ presence, snapshot }: Extract<ClientFrame, { type: "subscribe" }>): void {
    const { hub } = this.#deps;
    const was = this.#presence;
    this.#presence = typeof presence === "string" ? presence : new Set(presence);
    hub.watch(this, was);
    if (snapshot === true) hub.sendText(this, "presence.snapshot", this.#snapshot());
  }

  /** A {@link PresenceSnapshotFrame} of those whom it is told of, and its own person. */
  #snapshot(): string {
    const { type, ...rest }: Omit<PresenceSnapshotFrame, "states"> = {
      type: "presence.snapshot",
      tenant_id: this.tenant_id,
      ts: this.#ts(),
    };
    const wanted = this.#presence === "none" ? [] : this.#presence;
    const states = this.#deps.liveness.snapshot(this, wanted);
    return `{"type":"${type}","states":${states},${JSON.stringify(rest).slice(1)}`;
  }

  #hello(stream_position: number): HelloFrame {
    const { timings, limits, serverName } = this.#deps.shell.config;
    const { rate_limit: _rate, rate_burst: _burst, ...told } = limits;
    return {
      type: "hello",
      session_id: this.#session,
      server_name: serverName,
      tenant_id: this.tenant_id,
      participant_id: this.participant_id,
      ts: this.#ts(),
      stream_position,
      timings,
      limits: told,
    };
  }

  #refuse(error: unknown, ref: string | undefined): void {
    const { hub, shell } = this.#deps;
    if (!(error instanceof CodedError)) shell.log("error", "stream.failed", errorFields(error));
    if (this.#source === undefined) return;
    const coded =
      error instanceof CodedError
        ? error
        : new CodedError("SW_INTERNAL", "Something went wrong on the server");
    shell.metrics.dropped(coded.code);
    hub.send(this, {
      type: "error",
      code: coded.code,
      message: coded.message,
      ...(ref === undefined ? {} : { ref }),
    });
  }

  #log(event: string, fields: Readonly<Record<string, unknown>>): void {
    const { tenant_id, participant_id } = this;
    this.#deps.shell.log("info", event, {
      session_id: this.#session,
      tenant_id,
      participant_id,
      ...fields,
    });
  }

  #ts(): string {
    return isoOf(this.#deps.clock.wall());
  }
}

function read(data: string | Buffer): ClientFrame | CodedError {
  if (typeof data !== "string") return new CodedError("SW_VALIDATION", "A frame must be text");
  try {
    return parseFrame(data);
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
}

/** Only a subscription may be large: what does not look like one is not parsed, and what turns out to be none is not answered. */
function readLarge(data: string | Buffer): ClientFrame | CodedError | undefined {
  if (typeOf(data) !== "subscribe") return undefined;
  const frame = read(data);
  return frame instanceof CodedError || frame.type === "subscribe" ? frame : undefined;
}

/** The `type` of a frame that could not be obeyed, if it had one. */
function typeOf(data: string | Buffer): string | undefined {
  return typeof data === "string" ? /"type"\s*:\s*"([a-z._]{1,32})"/.exec(data)?.[1] : undefined;
}
