import { type Participant, type RoomUse, roomRefusal } from "@porchlight/core";
import { roomError } from "../refusals.ts";
import { findMember, type MemberRow, membershipOf } from "./members.ts";
import { participantOf, participantRow } from "./people.ts";
import type { Program } from "./query.ts";
import { type RoomRow, roomFactsOf, roomRow } from "./rooms.ts";
import type { PersonKey, RoomKey } from "./store.ts";

/** Somebody before a room, and what they are to it. */
export interface Visitor {
  readonly room: RoomRow;
  readonly participant: Participant;
  readonly member: MemberRow | undefined;
}

/** Who stands before a room, or the refusal of what they want there. */
export function* admit(key: RoomKey & PersonKey, to: RoomUse): Program<Visitor> {
  const room = yield* roomRow(key);
  const participant = participantOf(yield* participantRow(key));
  const member = yield* findMember(key);
  // Whatever else was said of a third person: a direct room is between two.
  const isThird = room.direct_key?.split(" ").includes(key.participant_id) === false;
  const visitor = { room, participant, member: isThird ? undefined : member };
  refuse(visitor, to);
  return visitor;
}

/** Throws the refusal of what somebody wants of a room, if there is one. */
export function refuse({ room, participant, member }: Visitor, to: RoomUse): void {
  const { participant_type } = participant;
  const viewer = { participant_type, membership: membershipOf(member) };
  const refused = roomRefusal(roomFactsOf(room), viewer, to);
  if (refused !== undefined) throw roomError(refused);
}
