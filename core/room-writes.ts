import * as z from "zod/mini";
import type { Schema } from "./input.ts";
import type { JsonObject } from "./json.ts";
import {
  ENGAGEMENT_MODES,
  type EngagementMode,
  RESPONSE_MODES,
  type ResponseMode,
} from "./preferences.ts";
import {
  content,
  id,
  issuesOf,
  muteEnd,
  numeral,
  pageSize,
  text,
  wholeNumber,
} from "./requests.ts";
import { NOTIFICATION_MODES, type NotificationMode } from "./room-state.ts";

/** What the members of a room may send to it: each schema is the single definition of what is valid. */

/** People that one message may name. */
const MAX_MENTIONS = 100;

/** `PUT /v1/rooms/{id}/read-marker`: back only by `force`. */
export interface ReadMarkerRequest {
  readonly event_id: string;
  readonly force?: boolean | undefined;
}
export const ReadMarkerRequest: Schema<ReadMarkerRequest> = z.strictObject({
  event_id: id,
  force: z.optional(z.boolean()),
});

/** `PUT /v1/rooms/{id}/notification-mode`. */
export interface NotificationModeRequest {
  readonly mode: NotificationMode;
}
export const NotificationModeRequest: Schema<NotificationModeRequest> = z.strictObject({
  mode: z.enum(NOTIFICATION_MODES),
});

/** `PUT /v1/rooms/{id}/mute`: until an instant in Unix milliseconds, or not at all. */
export interface MuteRequest {
  readonly until: number | null;
}
export const MuteRequest: Schema<MuteRequest> = z.strictObject({ until: muteEnd });

/** `PUT /v1/rooms/{id}/ai/engagement`: of the room or, named, of one AI; null leaves that AI to the room. */
export interface EngagementRequest {
  readonly mode: EngagementMode | null;
  readonly participant_id?: string | null | undefined;
}
export const EngagementRequest: Schema<EngagementRequest> = z
  .strictObject({
    mode: z.nullable(z.enum(ENGAGEMENT_MODES)),
    participant_id: z.optional(z.nullable(id)),
  })
  .check(modeOfRoom());

/** `PUT /v1/rooms/{id}/ai/response-mode`: of the room or, named, of one AI; null leaves that AI to the room. */
export interface ResponseModeRequest {
  readonly mode: ResponseMode | null;
  readonly participant_id: string | null;
}
export const ResponseModeRequest: Schema<ResponseModeRequest> = z
  .strictObject({ mode: z.nullable(z.enum(RESPONSE_MODES)), participant_id: z.nullable(id) })
  .check(modeOfRoom());

/** What a message says; `mentions` names people. Further keys are kept. */
export interface MessageContent extends JsonObject {
  readonly msgtype: string;
  readonly body: string;
  readonly mentions?: readonly string[] | undefined;
}
const contentKeys = z.looseObject({
  msgtype: text(64, 1),
  body: z.string(),
  mentions: z.optional(z.array(id).check(z.maxLength(MAX_MENTIONS))),
});
const messageContent = content.check(
  ({ value, issues }) => {
    issues.push(...issuesOf(contentKeys, value));
  },
  z.meta({
    required: ["msgtype", "body"],
    properties: {
      msgtype: { type: "string", minLength: 1, maxLength: 64 },
      body: { type: "string" },
      mentions: { type: "array", items: { type: "string" }, maxItems: MAX_MENTIONS },
    },
  }),
) as Schema<MessageContent>;

/** `POST /v1/rooms/{id}/send`; under the same uuid it is sent once. */
export interface SendRequest {
  readonly content: MessageContent;
  readonly event_uuid?: string | undefined;
}
export const SendRequest: Schema<SendRequest> = z.strictObject({
  content: messageContent,
  event_uuid: z.optional(id),
});

/** `POST /v1/rooms/{id}/invite`. */
export interface InviteRequest {
  readonly participant_id: string;
}
export const InviteRequest: Schema<InviteRequest> = z.strictObject({ participant_id: id });

/** `GET /v1/rooms/{id}/messages`; values arrive as texts. */
export interface MessagesQuery {
  readonly limit: number;
  /** A position, itself left out; from the end of `direction` where there is none. */
  readonly from?: number | undefined;
  /** `backward` is the newest first. */
  readonly direction: "backward" | "forward";
}
export const MessagesQuery: Schema<MessagesQuery> = z.object({
  limit: pageSize,
  from: z.optional(numeral.check(z.meta(wholeNumber))),
  direction: z._default(z.enum(["backward", "forward"]), "backward"),
});

/** A room always has a mode; only one AI can do without one of its own. */
function modeOfRoom(): z.core.$ZodCheck<{
  mode: string | null;
  participant_id?: string | null | undefined;
}> {
  return z.refine(
    ({ mode, participant_id }) => mode !== null || typeof participant_id === "string",
    {
      error: "must not be null without a participant_id",
      path: ["mode"],
    },
  );
}
