import {
  CodedError,
  type EventBody,
  type EventFrame,
  type JsonObject,
  type MessagesQuery,
  type SendRequest,
} from "@porchlight/core";
import { admit, refuse } from "./admission.ts";
import { append, frameOf, MESSAGE, type Sent, sentBefore, type Told } from "./events.ts";
import { findMember } from "./members.ts";
import { all, one, type Program, statement } from "./query.ts";
import { redact } from "./redaction.ts";
import { type Making, roomRow } from "./rooms.ts";
import type { MessagePage, PersonKey, RoomKey } from "./store.ts";

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

const selectBefore = statement<RoomKey & { type: string; from: number; limit: number }>()((db, p) =>
  db
    .selectFrom("events")
    .selectAll()
    .where("tenant_id", "=", p.tenant_id)
    .where("room_id", "=", p.room_id)
    .where("type", "=", p.type)
    .where("position", "<", p.from)
    .orderBy("position", "desc")
    .limit(p.limit),
);

const selectAfter = statement<RoomKey & { type: string; from: number; limit: number }>()((db, p) =>
  db
    .selectFrom("events")
    .selectAll()
    .where("tenant_id", "=", p.tenant_id)
    .where("room_id", "=", p.room_id)
    .where("type", "=", p.type)
    .where("position", ">", p.from)
    .orderBy("position")
    .limit(p.limit),
);

/** Appends a message of a member, or takes one back; under the same uuid it is done once. */
export function* appendEvent(
  { tenant_id, room_id }: RoomKey,
  body: EventBody,
  making: Making,
): Program<Told<EventFrame>> {
  const { sender_id, event_uuid } = body;
  const sent = { tenant_id, room_id, sender_id, event_uuid };
  yield* roomRow(sent);
  const sender = yield* findMember({ ...sent, participant_id: sender_id });
  if (sender?.membership !== "join")
    throw new CodedError("SW_NOT_MEMBER", "The sender has not joined this room");
  const before = yield* sentBefore(sent);
  if (before !== undefined) return { value: before, announcements: [] };
  return body.type === "swp.room.redaction"
    ? yield* redact(sent, body.content, making)
    : yield* post(sent, body.content, making);
}

/** Sends a member's own message; what has been sent is answered also once the room lets nobody speak any more. */
export function* send(
  key: RoomKey & PersonKey,
  { content, event_uuid }: SendRequest,
  making: Making,
): Program<Told<EventFrame>> {
  const { tenant_id, room_id, participant_id: sender_id } = key;
  const sent = { tenant_id, room_id, sender_id, event_uuid };
  const sender = yield* admit(key, "look");
  const before = yield* sentBefore(sent);
  if (before !== undefined) return { value: before, announcements: [] };
  refuse(sender, "act");
  return yield* post(sent, content, making);
}

/** A page of what was said in a room, to one of its members. */
export function* messages(
  key: RoomKey & PersonKey,
  { limit, from, direction }: MessagesQuery,
): Program<MessagePage> {
  const { tenant_id, room_id } = key;
  yield* admit(key, "look");
  // One more than asked for tells whether there is another page.
  const range = { tenant_id, room_id, type: MESSAGE, limit: limit + 1 };
  const rows =
    direction === "forward"
      ? yield* all(selectAfter, { ...range, from: from ?? 0 })
      : yield* all(selectBefore, { ...range, from: from ?? Number.MAX_SAFE_INTEGER });
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return { events: page.map(frameOf), next_from: last?.position ?? null };
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

function* post(sent: Sent, content: JsonObject, making: Making): Program<Told<EventFrame>> {
  const { room_id, sender_id } = sent;
  const event_id = `evt-${making.newId()}`;
  const body = { room_id, sender_id, content };
  const frame = yield* append({ ...sent, type: MESSAGE, event_id, body }, making.now);
  return { value: frame, announcements: [{ frame, to: { room_id, also: [] } }] };
}
