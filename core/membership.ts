import type { ErrorCode } from "./errors.ts";
import type { EngagementMode } from "./preferences.ts";
import type {
  Membership,
  ParticipantType,
  RoomFacts,
  RoomType,
  ViewerFacts,
} from "./room-state.ts";

/** What somebody may want of a room. */
export type RoomUse = "look" | "act" | "invite" | "join" | "leave";

/**
 * Why a participant may not use a room as they want; `undefined` when they may.
 * - `look`, also for what is private to them: takes having joined.
 * - `act`: takes a room that is open besides and, for a human, no sidekick room.
 * - `invite`: takes what acting takes, and no direct room, which gains nobody.
 * - `join`: takes an invitation or a public room, one that is open, and no ban.
 *   Into a direct room only one of its two comes back. Who has joined may again.
 * - `leave`: takes being in the room, invited to it or about to be, or having left.
 */
export function roomRefusal(
  room: Pick<RoomFacts, "room_type" | "state" | "is_public"> | undefined,
  viewer: Pick<ViewerFacts, "membership" | "participant_type">,
  to: RoomUse,
): ErrorCode | undefined {
  if (room === undefined) return "SW_ROOM_NOT_FOUND";
  const { membership, participant_type } = viewer;
  if (to === "join") return joinRefusal(room, membership);
  if (to === "leave")
    return membership === undefined || membership === "ban" ? "SW_NOT_MEMBER" : undefined;
  if (membership !== "join") return "SW_NOT_MEMBER";
  if (to === "look") return undefined;
  if (room.state !== "open") return "SW_ROOM_FROZEN";
  const isReadOnly = room.room_type === "sidekick" && participant_type === "human";
  const isFull = room.room_type === "dm" && to === "invite";
  return isReadOnly || isFull ? "SW_ROOM_FORBIDDEN" : undefined;
}

function joinRefusal(
  { room_type, state, is_public }: Pick<RoomFacts, "room_type" | "state" | "is_public">,
  membership: Membership | undefined,
): ErrorCode | undefined {
  if (membership === "join") return undefined;
  if (membership === "ban") return "SW_ROOM_FORBIDDEN";
  const isInvited = membership === "invite";
  if (room_type === "dm") {
    if (!isInvited && membership !== "leave") return "SW_ROOM_FORBIDDEN";
  } else if (!isInvited && !is_public && room_type !== "public") return "SW_NOT_MEMBER";
  return state === "open" ? undefined : "SW_ROOM_FROZEN";
}

/**
 * How somebody who is new in a room takes part there: an AI as whoever invites
 * it prefers, but always in direct and sidekick rooms. `null` leaves it to the
 * room, as for every human.
 */
export function invitedEngagement(
  room_type: RoomType,
  participant_type: ParticipantType,
  preferred: EngagementMode,
): EngagementMode | null {
  if (participant_type === "human") return null;
  return room_type === "dm" || room_type === "sidekick" ? "always" : preferred;
}
