import {
  type EngagementRequest,
  invalid,
  mutedUntil,
  type NotificationMode,
  type Preferences,
  type ResponseModeRequest,
} from "@porchlight/core";
import { admit } from "./admission.ts";
import type { Told } from "./events.ts";
import { findMember, putMember } from "./members.ts";
import { participantOf, participantRow } from "./people.ts";
import { updatePreferences } from "./preferences.ts";
import type { Program } from "./query.ts";
import { type Making, putRoom } from "./rooms.ts";
import type { PersonKey, RoomKey } from "./store.ts";

/** Sets about what of a room somebody is to be notified. */
export function* setNotificationMode(
  key: RoomKey & PersonKey,
  notification_mode: NotificationMode,
  making: Making,
): Program<Told<{ notification_mode: NotificationMode }>> {
  yield* admit(key, "look");
  const { announcements } = yield* putMember(key, { notification_mode }, making);
  return { value: { notification_mode }, announcements };
}

/** Mutes a room for somebody until an instant, or no longer. One that is past reads null. */
export function* mute(
  key: RoomKey & PersonKey,
  until: number | null,
  making: Making,
): Program<Told<{ muted_until: string | null }>> {
  yield* admit(key, "look");
  const { value, announcements } = yield* putMember(key, { muted_until: until }, making);
  return { value: { muted_until: mutedUntil(value, making.now) }, announcements };
}

/** Sets how the AIs of a room take part, or one of them. */
export function* setEngagement(
  key: RoomKey & PersonKey,
  { mode, participant_id }: EngagementRequest,
  making: Making,
): Program<Told<undefined>> {
  yield* admit(key, "act");
  const { announcements } =
    typeof participant_id === "string"
      ? yield* putMember(yield* memberAi(key, participant_id), { engagement_mode: mode }, making)
      : yield* putRoom(key, { engagement_mode: mode ?? undefined }, making);
  return { value: undefined, announcements };
}

/** Sets how the AIs of a room answer, which whoever does it then prefers everywhere; or how one of them does. */
export function* setResponseMode(
  key: RoomKey & PersonKey,
  { mode, participant_id }: ResponseModeRequest,
  making: Making & { readonly defaults: Preferences },
): Program<Told<undefined>> {
  yield* admit(key, "act");
  if (participant_id !== null) {
    const ai = yield* memberAi(key, participant_id);
    const { announcements } = yield* putMember(ai, { response_mode: mode }, making);
    return { value: undefined, announcements };
  }
  const room = yield* putRoom(key, { response_mode: mode }, making);
  const { defaults, now, newId } = making;
  const changing = { defaults, now, event_id: `evt-${newId()}` };
  const own = yield* updatePreferences(key, { ai_response_mode: mode ?? undefined }, changing);
  return { value: undefined, announcements: [...room.announcements, ...own.announcements] };
}

/** An AI of the room, joined or invited, or a refusal. */
function* memberAi(room: RoomKey, participant_id: string): Program<RoomKey & PersonKey> {
  const key = { tenant_id: room.tenant_id, room_id: room.room_id, participant_id };
  const { participant_type } = participantOf(yield* participantRow(key));
  const { membership } = (yield* findMember(key)) ?? {};
  const isMember = membership === "join" || membership === "invite";
  if (isMember && participant_type !== "human") return key;
  throw invalid([{ path: "participant_id", message: "must be an AI that is in the room" }]);
}
