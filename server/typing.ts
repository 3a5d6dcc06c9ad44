import { roomRefusal } from "@porchlight/core";
import type { Deps } from "./deps.ts";
import { noSuch, roomError } from "./refusals.ts";
import type { PersonKey } from "./store/store.ts";

/**
 * Publishes or ends a typing signal, whichever door it came through.
 * @param by.isGone whether its socket is no more: what it typed ended with it.
 * @returns whether others are told: not in rooms above `typing_max_members`.
 */
export async function publishTyping(
  { shell, store, liveness }: Pick<Deps, "shell" | "store" | "liveness">,
  by: PersonKey & { source: string; isGone?: () => boolean },
  { room_id, typing }: { room_id: string; typing: boolean },
): Promise<boolean> {
  const { tenant_id, participant_id, source } = by;
  const found = await store.room({ tenant_id, room_id }, participant_id, []);
  if (found === undefined) throw noSuch("room");
  const refused = roomRefusal(found.room, found.viewer, "act");
  if (refused !== undefined) throw roomError(refused);
  if (by.isGone?.() === true) return false;
  const fanout = found.room.member_count <= shell.config.limits.typing_max_members;
  if (fanout) liveness.type({ tenant_id, participant_id, room_id, source }, typing);
  else {
    shell.metrics.dropped("typing_max_members");
    liveness.stopTyping(by, room_id);
  }
  return fanout;
}
