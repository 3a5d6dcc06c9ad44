import { CodedError, type ErrorCode } from "@porchlight/core";

/** What a request can name. */
export type Thing =
  | "room"
  | "tenant"
  | "participant"
  | "member"
  | "plan"
  | "call"
  | "sidekick"
  | "event"
  | "token"
  | "thing";

const CODES: { readonly [what in Thing]?: ErrorCode } = {
  room: "SW_ROOM_NOT_FOUND",
  tenant: "SW_TENANT_NOT_FOUND",
  event: "SW_EVENT_NOT_FOUND",
};

/** What was asked for and is not there, or is another tenant's: the two are answered in the same words. */
export function noSuch(what: Thing): CodedError {
  return new CodedError(CODES[what] ?? "SW_NOT_FOUND", `There is no such ${what}`);
}

/** Says nothing of why: to whoever made a token up, every answer would be a hint. */
export function invalidToken(): CodedError {
  return new CodedError("SW_AUTH_INVALID_TOKEN", "The token is unknown, revoked or not valid");
}

export function expiredToken(): CodedError {
  return new CodedError("SW_AUTH_EXPIRED_TOKEN", "The token has expired");
}

/** The refusal that goes with a code of `roomRefusal` in core. */
export function roomError(code: ErrorCode): CodedError {
  switch (code) {
    case "SW_ROOM_NOT_FOUND":
      return noSuch("room");
    case "SW_NOT_MEMBER":
      return new CodedError(code, "You have not joined this room");
    case "SW_ROOM_FROZEN":
      return new CodedError(code, "This room is archived or closed");
    default:
      return new CodedError(code, "This room does not let you do that");
  }
}

/** New work is refused, and what is still being sent. */
export function isStopping(): CodedError {
  return new CodedError("SW_UNAVAILABLE", "The server is stopping", { retryAfterSeconds: 5 });
}

/** There is no endpoint of such a path. */
export function noSuchEndpoint(): CodedError {
  return new CodedError("SW_NOT_FOUND", "There is no such endpoint");
}
