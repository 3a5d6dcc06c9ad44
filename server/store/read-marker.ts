import type { ReadMarkerRequest } from "@porchlight/core";
import { noSuch } from "../refusals.ts";
import { admit } from "./admission.ts";
import { findEvent, type Told } from "./events.ts";
import { unread } from "./messages.ts";
import { one, type Program, statement } from "./query.ts";
import { type Making, tellOwn } from "./rooms.ts";
import type { PersonKey, ReadMarker, RoomKey } from "./store.ts";

const moveMarker = statement<
  RoomKey & PersonKey & { read_position: number; last_read_event_id: string }
>()((db, p) =>
  db
    .updateTable("members")
    .set({ read_position: p.read_position, last_read_event_id: p.last_read_event_id })
    .where("tenant_id", "=", p.tenant_id)
    .where("room_id", "=", p.room_id)
    .where("participant_id", "=", p.participant_id),
);

/** Moves somebody's read marker to an event of the room: forward, or by `force` anywhere. */
export function* markRead(
  key: RoomKey & PersonKey,
  { event_id, force }: ReadMarkerRequest,
  making: Making,
): Program<Told<ReadMarker>> {
  const { tenant_id, room_id, participant_id } = key;
  const { member } = yield* admit(key, "look");
  const event = yield* findEvent({ tenant_id, event_id });
  if (event === undefined || event.room_id !== room_id) throw noSuch("event");
  const { read_position = 0, last_read_event_id = null } = member ?? {};
  const isForward = event.position > read_position;
  const moves = force === true ? event_id !== last_read_event_id : isForward;
  const marked = moves
    ? { read_position: event.position, last_read_event_id: event_id }
    : { read_position, last_read_event_id };
  if (moves)
    yield* one(moveMarker, {
      tenant_id,
      room_id,
      participant_id,
      read_position: event.position,
      last_read_event_id: event_id,
    });
  const value = {
    last_read_event_id: marked.last_read_event_id,
    unread_count: yield* unread(key, participant_id, marked.read_position),
  };
  const told = tellOwn(key, "swp.room.read_marker", { ...value }, making);
  return { value, announcements: moves ? [told] : [] };
}
