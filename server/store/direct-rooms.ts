import { invalid, invitedEngagement, type MemberFacts, roomRefusal } from "@porchlight/core";
import { roomError } from "../refusals.ts";
import type { Told } from "./events.ts";
import { directKey, findDirectRoom, findMember, membershipOf, putMember } from "./members.ts";
import { participantOf, participantRow } from "./people.ts";
import type { Program } from "./query.ts";
import { type Making, putRoom, roomFactsOf, roomRow } from "./rooms.ts";
import type { PersonKey, RoomKey } from "./store.ts";

/** The direct room of two people, opened if there is none; whoever has left it is back, if they may be. */
export function* openDirectRoom(
  { tenant_id, participant_id }: PersonKey,
  other: string,
  making: Making,
): Program<Told<string>> {
  if (other === participant_id)
    throw invalid([{ path: "participant_id", message: "must be somebody else" }]);
  yield* participantRow({ tenant_id, participant_id: other });
  const known = yield* findDirectRoom(tenant_id, directKey(participant_id, other));
  const key = { tenant_id, room_id: known ?? `room-${making.newId()}` };
  if (known === undefined)
    yield* putRoom(key, { room_type: "dm", creator_id: participant_id }, making);
  const first = yield* join({ ...key, participant_id }, making);
  const second = yield* join({ ...key, participant_id: other }, making);
  return { value: key.room_id, announcements: [...first.announcements, ...second.announcements] };
}

function* join(key: RoomKey & PersonKey, making: Making): Program<Told<MemberFacts>> {
  const { participant_type } = participantOf(yield* participantRow(key));
  const member = yield* findMember(key);
  // It is theirs, also if they have never been in it.
  const viewer = { membership: membershipOf(member) ?? "leave", participant_type } as const;
  const refused = roomRefusal(roomFactsOf(yield* roomRow(key)), viewer, "join");
  if (refused !== undefined) throw roomError(refused);
  const isNew = member === undefined;
  const engagement_mode = isNew ? invitedEngagement("dm", participant_type, "always") : undefined;
  return yield* putMember(key, { membership: "join", engagement_mode }, making);
}
