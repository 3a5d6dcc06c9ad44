import { CodedError, type ErrorCode, roomRefusal } from "@porchlight/core";
import type { Config } from "./config.ts";
import type { Liveness } from "./liveness.ts";
import type { PersonKey, Store } from "./store/store.ts";

const WHY: Partial<Record<ErrorCode, string>> = {
  SW_ROOM_NOT_FOUND: "There is no such room",
  SW_NOT_MEMBER: "You have not joined this room",
  SW_ROOM_FROZEN: "This room is archived or closed",
  SW_ROOM_FORBIDDEN: "This room is read-only for you",
};

/** The refusal that goes with a code of {@link roomRefusal}. */
export function roomError(code: ErrorCode): CodedError {
  return new CodedError(code, WHY[code] ?? "This room does not let you");
}

/**
 * Publishes or ends a typing signal, whichever door it came through.
 * @returns whether others are told: not in rooms above `typing_max_members`.
 */
export async function publishTyping(
  { store, liveness, config }: { store: Store; liveness: Liveness; config: Config },
  by: PersonKey & { source: string },
  { room_id, typing }: { room_id: string; typing: boolean },
): Promise<boolean> {
  const { tenant_id, participant_id, source } = by;
  const found = await store.room({ tenant_id, room_id }, participant_id, []);
  if (found === undefined) throw roomError("SW_ROOM_NOT_FOUND");
  const refused = roomRefusal(found.room, found.viewer, "act");
  if (refused !== undefined) throw roomError(refused);
  const fanout = found.room.member_count <= config.limits.typing_max_members;
  if (fanout) liveness.type({ tenant_id, participant_id, room_id, source }, typing);
  else liveness.stopTyping(by, { room_id });
  return fanout;
}
