import { invitedEngagement, type MemberFacts, type Preferences } from "@porchlight/core";
import { roomError } from "../refusals.ts";
import { admit } from "./admission.ts";
import type { Told } from "./events.ts";
import { findMember, putMember } from "./members.ts";
import { participantOf, participantRow } from "./people.ts";
import { preferences } from "./preferences.ts";
import type { Program } from "./query.ts";
import type { Making } from "./rooms.ts";
import type { PersonKey, RoomKey } from "./store.ts";

/** Whoever is invited, or finds a public room, joins it. */
export function* join(key: RoomKey & PersonKey, making: Making): Program<Told<MemberFacts>> {
  yield* admit(key, "join");
  return yield* putMember(key, { membership: "join" }, making);
}

/** Whoever is in a room or invited to it leaves it. */
export function* leave(key: RoomKey & PersonKey, making: Making): Program<Told<MemberFacts>> {
  yield* admit(key, "leave");
  return yield* putMember(key, { membership: "leave" }, making);
}

/** A member invites somebody, which changes nothing for whoever is in the room or invited already. */
export function* invite(
  key: RoomKey & PersonKey,
  participant_id: string,
  making: Making & { readonly defaults: Preferences },
): Program<Told<MemberFacts>> {
  const { room } = yield* admit(key, "invite");
  const invitee = { tenant_id: key.tenant_id, room_id: key.room_id, participant_id };
  const { participant_type } = participantOf(yield* participantRow(invitee));
  const known = yield* findMember(invitee);
  if (known?.membership === "ban") throw roomError("SW_ROOM_FORBIDDEN");
  if (known?.membership === "join" || known?.membership === "invite")
    return yield* putMember(invitee, {}, making);
  const { ai_engagement_mode } = yield* preferences(key, making.defaults);
  // The column only ever holds what a schema of core let through.
  const room_type = room.room_type as Parameters<typeof invitedEngagement>[0];
  const seed = invitedEngagement(room_type, participant_type, ai_engagement_mode);
  const engagement_mode = known === undefined ? seed : undefined;
  return yield* putMember(invitee, { membership: "invite", engagement_mode }, making);
}
