import { type EventFrame, invalid, isoOf, type JsonObject, type Redaction } from "@porchlight/core";
import { noSuch } from "../refusals.ts";
import { append, findEvent, frameOf, MESSAGE, type Sent, type Told } from "./events.ts";
import { one, type Program, statement } from "./query.ts";
import type { Making } from "./rooms.ts";

const emptyEvent = statement<{
  tenant_id: string;
  event_id: string;
  body_json: string;
  redacted_at: number;
}>()((db, p) =>
  db
    .updateTable("events")
    .set({ body_json: p.body_json, redacted_at: p.redacted_at })
    .where("tenant_id", "=", p.tenant_id)
    .where("event_id", "=", p.event_id),
);

/** Takes a message back: nothing is kept of what it said. Once more, it changes nothing and answers the first redaction. */
export function* redact(
  sent: Sent,
  { redacts, reason }: Redaction,
  making: Making,
): Program<Told<EventFrame>> {
  const { tenant_id, room_id, sender_id } = sent;
  const event = yield* findEvent({ tenant_id, event_id: redacts });
  if (event === undefined || event.room_id !== room_id) throw noSuch("event");
  if (event.type !== MESSAGE)
    throw invalid([{ path: "content.redacts", message: "must name a message" }]);
  const message = frameOf(event);
  if (event.redacted_at !== null) return { value: yield* redactionOf(message), announcements: [] };
  const said = { redacts, ...(reason === undefined ? {} : { reason }) };
  const redaction_id = `evt-${making.newId()}`;
  yield* one(emptyEvent, {
    tenant_id,
    event_id: redacts,
    redacted_at: making.now,
    body_json: JSON.stringify({
      room_id,
      sender_id: message.sender_id,
      ...emptied(making.now, { redacted_by: sender_id, redaction_id, reason }),
    }),
  });
  const type = "swp.room.redaction";
  const body = { room_id, sender_id, ...said };
  const frame = yield* append({ ...sent, type, event_id: redaction_id, body }, making.now);
  return { value: frame, announcements: [{ frame, to: { room_id, also: [] } }] };
}

/** What a redacted message says in the place of its content. @param at Unix milliseconds. */
export function emptied(
  at: number,
  by: {
    readonly redacted_by: string | undefined;
    readonly redaction_id: string | undefined;
    readonly reason: string | undefined;
  },
): JsonObject {
  return { content: {}, redacted_at: isoOf(at), ...by };
}

/** The redaction by which a message was emptied. One that was not brought along by an import has no position here. */
function* redactionOf(message: EventFrame): Program<EventFrame> {
  const {
    tenant_id,
    room_id,
    id: redacts,
    redacted_at,
    redacted_by,
    redaction_id,
    reason,
  } = message;
  const event = yield* findEvent({ tenant_id, event_id: String(redaction_id) });
  if (event !== undefined) return frameOf(event);
  return {
    type: "swp.room.redaction",
    id: String(redaction_id ?? redacts),
    tenant_id,
    ts: String(redacted_at),
    room_id,
    sender_id: redacted_by,
    redacts,
    reason,
  };
}
