import { roomRefusal } from "@porchlight/core";
import type { Config } from "./config.ts";
import type { Liveness } from "./liveness.ts";
import { noSuch, roomError } from "./refusals.ts";
import type { PersonKey, Store } from "./store/store.ts";

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
  if (found === undefined) throw noSuch("room");
  const refused = roomRefusal(found.room, found.viewer, "act");
  if (refused !== undefined) throw roomError(refused);
  const fanout = found.room.member_count <= config.limits.typing_max_members;
  if (fanout) liveness.type({ tenant_id, participant_id, room_id, source }, typing);
  else liveness.stopTyping(by, room_id);
  return fanout;
}
