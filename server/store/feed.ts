import { frameOf, position } from "./events.ts";
import { all, type Program, statement } from "./query.ts";
import type { Announcement, Feed, RoomKey } from "./store.ts";

const selectAfter = statement<{ tenant_id: string; after: number; limit: number }>()((db, p) =>
  db
    .selectFrom("events")
    .selectAll()
    .where("tenant_id", "=", p.tenant_id)
    .where("position", ">", p.after)
    .orderBy("position")
    .limit(p.limit),
);

const selectEnded = statement<RoomKey & { position: number }>()((db, p) =>
  db
    .selectFrom("stays")
    .select("participant_id")
    .where("tenant_id", "=", p.tenant_id)
    .where("room_id", "=", p.room_id)
    .where("to_position", "=", p.position)
    .orderBy("participant_id"),
);

/** What was announced of the events after a position; see the port. */
export function* eventsAfter(tenant_id: string, after: number, limit: number): Program<Feed> {
  const rows = yield* all(selectAfter, { tenant_id, after, limit });
  const announcements: Announcement[] = [];
  for (const row of rows) {
    const { room_id, restored, redacted_at } = row;
    // It was taken back before it came here, and told to nobody.
    if (restored !== null && redacted_at !== null) continue;
    const frame = frameOf(row);
    const to = room_id === null ? "tenant" : { room_id, also: yield* besides(frame, room_id) };
    announcements.push({ frame, to, ...(restored === null ? {} : { restored: true }) });
  }
  const last = rows.length < limit ? undefined : rows.at(-1)?.position;
  return { announcements, position: last ?? (yield* position(tenant_id)) };
}

/** Who was told besides those who have joined: whom it is about, and whoever was in a room that is no more. */
function* besides(
  { tenant_id, type, participant_id, deleted, stream_position }: Announcement["frame"],
  room_id: string,
): Program<readonly string[]> {
  if (type === "swp.room.member") return [String(participant_id)];
  if (deleted !== true) return [];
  const ended = yield* all(selectEnded, { tenant_id, room_id, position: stream_position ?? 0 });
  return ended.map((each) => each.participant_id);
}
