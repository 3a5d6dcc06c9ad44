import { CodedError, type EventBody, type EventFrame } from "@porchlight/core";
import { append, sentBefore, type Told } from "./events.ts";
import { findMember } from "./members.ts";
import { one, type Program, statement } from "./query.ts";
import { type Making, roomRow } from "./rooms.ts";
import type { RoomKey } from "./store.ts";

/** The type of messages. */
export const MESSAGE = "swp.room.message";

const countUnread = statement<RoomKey & { viewer: string; read_position: number; type: string }>()(
  (db, p) =>
    db
      .selectFrom("events")
      .select(({ fn }) => fn.countAll<number>().as("unread_count"))
      .where("tenant_id", "=", p.tenant_id)
      .where("room_id", "=", p.room_id)
      .where("type", "=", p.type)
      .where("position", ">", p.read_position)
      .where("sender_id", "<>", p.viewer)
      .where("redacted_at", "is", null),
);

/** Appends a message of a member; under the same uuid it is sent once. */
export function* appendEvent(
  key: RoomKey,
  { sender_id, content, event_uuid }: EventBody,
  making: Making,
): Program<Told<EventFrame>> {
  const { tenant_id, room_id } = key;
  yield* roomRow(key);
  const sender = yield* findMember({ ...key, participant_id: sender_id });
  if (sender?.membership !== "join")
    throw new CodedError("SW_NOT_MEMBER", "The sender has not joined this room");
  const before =
    event_uuid === undefined
      ? undefined
      : yield* sentBefore({ tenant_id, room_id, sender_id, event_uuid });
  if (before !== undefined) return { value: before, announcements: [] };
  const body = { room_id, sender_id, content };
  const event = {
    tenant_id,
    room_id,
    sender_id,
    event_uuid,
    type: MESSAGE,
    event_id: `evt-${making.newId()}`,
    body,
  } as const;
  const frame = yield* append(event, making.now);
  return { value: frame, announcements: [{ frame, to: { room_id, also: [] } }] };
}

/** How many messages of others a viewer has not read. */
export function* unread(
  { tenant_id, room_id }: RoomKey,
  viewer: string,
  read_position: number,
): Program<number> {
  const row = yield* one(countUnread, { tenant_id, room_id, viewer, read_position, type: MESSAGE });
  return row?.unread_count ?? 0;
}
