import type { ErrorCode } from "./errors.ts";
import type { JsonObject } from "./json.ts";
import type { PresenceState, Statement } from "./presence.ts";
import type { Timings } from "./timings.ts";

/** The limits that concern a client. */
export interface StreamLimits {
  readonly typing_rate: number;
  readonly typing_max_members: number;
  readonly awareness_max_members: number;
  readonly presence_max_ids: number;
  readonly body_max_bytes: number;
  readonly frame_max_bytes: number;
  readonly backlog_max_bytes: number;
  readonly frame_rate: number;
  readonly sockets_per_participant: number;
  readonly events_retained: number;
}

/** The first frame of every stream. */
export interface HelloFrame {
  readonly type: "hello";
  readonly session_id: string;
  readonly server_name: string;
  readonly tenant_id: string;
  readonly participant_id: string;
  readonly ts: string;
  readonly stream_position: number;
  readonly timings: Timings;
  readonly limits: StreamLimits;
}

/** Somebody's state as others see it, or the receiver's own effective state. Both names carry the same value. */
export interface PresenceFrame {
  readonly type: "presence";
  readonly tenant_id: string;
  readonly participant_id: string;
  readonly status: PresenceState;
  readonly state: PresenceState;
  readonly ts: string;
}

/** Everyone who is not offline. Frames before it are older, frames after it newer. */
export interface PresenceSnapshotFrame {
  readonly type: "presence.snapshot";
  readonly tenant_id: string;
  readonly states: Readonly<Record<string, PresenceState>>;
  readonly ts: string;
}

/** Somebody else types, or ceased to. */
export interface TypingFrame {
  readonly type: "typing";
  readonly tenant_id: string;
  readonly room_id: string;
  readonly participant_id: string;
  readonly typing: boolean;
  readonly ts: string;
}

/** Something durable happened. With a `stream_position` several people may see it; without one it is the receiver's own. */
export interface EventFrame extends JsonObject {
  readonly type: `swp.${string}`;
  readonly id: string;
  readonly tenant_id: string;
  readonly ts: string;
  readonly stream_position?: number;
}

/** A frame from the client was refused; the stream goes on. */
export interface ErrorFrame {
  readonly type: "error";
  readonly code: ErrorCode;
  readonly message: string;
  /** The `type` of the refused frame, where it had one. */
  readonly ref?: string;
}

/** There is a gap that the server cannot fill: take a new snapshot. */
export interface ResyncFrame {
  readonly type: "resync";
  readonly tenant_id: string;
  readonly stream_position: number;
  readonly ts: string;
}

/** The answer to a heartbeat that asked for one. */
export interface HeartbeatFrame {
  readonly type: "heartbeat";
  readonly ts: string;
}

/** Everything the server says. */
export type ServerFrame =
  | HelloFrame
  | HeartbeatFrame
  | PresenceFrame
  | PresenceSnapshotFrame
  | TypingFrame
  | EventFrame
  | ResyncFrame
  | ErrorFrame;

/** Everything a client says. */
export type ClientFrame =
  | {
      readonly type: "heartbeat";
      readonly state: Statement;
      readonly idle_for_ms?: number | undefined;
      /** Asks for an answer, by which a client knows that the connection is alive. */
      readonly ack?: boolean | undefined;
    }
  | { readonly type: "typing"; readonly room_id: string; readonly typing: boolean }
  | {
      readonly type: "subscribe";
      /** Whose presence to be told: everybody's, nobody's, or that of at most 5,000 people. */
      readonly presence: "all" | "none" | readonly string[];
      readonly snapshot?: boolean | undefined;
    }
  | { readonly type: "bye" };

/** How the server closes a stream: the code and reason on the wire, and whether coming back makes sense. */
export interface CloseReason {
  readonly code: number;
  /** Of `restart` and `too_many_frames` the wire carries a delay in milliseconds instead. */
  readonly reason: string;
  readonly reconnect: boolean;
}

/** Every way in which the server closes a stream. */
export const STREAM_CLOSE = {
  bye: { code: 1000, reason: "bye", reconnect: false },
  frame_too_large: { code: 1009, reason: "frame_too_large", reconnect: false },
  restart: { code: 1012, reason: "restart", reconnect: true },
  token_invalid: { code: 4001, reason: "token_invalid", reconnect: false },
  token_expired: { code: 4001, reason: "token_expired", reconnect: false },
  token_revoked: { code: 4001, reason: "token_revoked", reconnect: false },
  ping_timeout: { code: 4003, reason: "ping_timeout", reconnect: true },
  duplicate_connection: { code: 4003, reason: "duplicate_connection", reconnect: false },
  signed_off: { code: 4003, reason: "signed_off", reconnect: false },
  too_many_devices: { code: 4003, reason: "too_many_devices", reconnect: false },
  slow_consumer: { code: 4008, reason: "slow_consumer", reconnect: true },
  too_many_frames: { code: 4029, reason: "too_many_frames", reconnect: true },
} as const;

/** A name of {@link STREAM_CLOSE}. */
export type StreamClose = keyof typeof STREAM_CLOSE;

/**
 * Every way in which the server closes a Yjs socket. Clients of y-websocket
 * take 4400 to 4499 as final, and come back after everything else.
 */
export const YJS_CLOSE = {
  restart: { code: 1012, reason: "restart", reconnect: true },
  ping_timeout: { code: 4003, reason: "ping_timeout", reconnect: true },
  bad_message: { code: 4400, reason: "bad_message", reconnect: false },
  token_invalid: { code: 4401, reason: "token_invalid", reconnect: false },
  token_expired: { code: 4401, reason: "token_expired", reconnect: false },
  token_revoked: { code: 4401, reason: "token_revoked", reconnect: false },
  not_member: { code: 4403, reason: "not_member", reconnect: false },
  forged: { code: 4403, reason: "forged", reconnect: false },
  signed_off: { code: 4403, reason: "signed_off", reconnect: false },
  no_such_room: { code: 4404, reason: "no_such_room", reconnect: false },
  replaced: { code: 4409, reason: "replaced", reconnect: false },
  too_many_devices: { code: 4409, reason: "too_many_devices", reconnect: false },
  frame_too_large: { code: 4413, reason: "frame_too_large", reconnect: false },
  overload: { code: 4503, reason: "overload", reconnect: true },
  too_many_frames: { code: 4503, reason: "too_many_frames", reconnect: true },
  slow_consumer: { code: 4508, reason: "slow_consumer", reconnect: true },
} as const;

/** A name of {@link YJS_CLOSE}. */
export type YjsClose = keyof typeof YJS_CLOSE;

/** A presence frame; `ts` is the instant in ISO 8601. */
export function presenceFrame(
  tenant_id: string,
  participant_id: string,
  state: PresenceState,
  ts: string,
): PresenceFrame {
  return { type: "presence", tenant_id, participant_id, status: state, state, ts };
}
