import { invalid } from "@porchlight/core";
import { noSuch } from "../refusals.ts";
import { append, findEvent, MESSAGE, sentBefore, type Told } from "./events.ts";
import { directKey, findDirectRoom, findMember, saveMember } from "./members.ts";
import { participantRow, personOf } from "./people.ts";
import { restoreOutbox, restoreRegisters } from "./preferences.ts";
import { one, type Program, statement } from "./query.ts";
import { emptied } from "./redaction.ts";
import { roomRow, saveRoom } from "./rooms.ts";
import type { Tables } from "./schema.ts";
import type { Restored, RoomKey } from "./store.ts";
import { addTokenOnce } from "./tokens.ts";

type Of<T extends Restored["type"]> = Extract<Restored, { readonly type: T }>;

const selectToken = statement<{ token_id: string; hash: string }>()((db, p) =>
  db
    .selectFrom("tokens")
    .select(["tenant_id", "participant_id", "token_id", "hash"])
    .where(({ or, eb }) => or([eb("token_id", "=", p.token_id), eb("hash", "=", p.hash)])),
);

const markRedacted = statement<{ tenant_id: string; event_id: string; redacted_at: number }>()(
  (db, p) =>
    db
      .updateTable("events")
      .set({ redacted_at: p.redacted_at })
      .where("tenant_id", "=", p.tenant_id)
      .where("event_id", "=", p.event_id),
);

const insertSnooze = statement<Tables["snoozes"]>()((db, p) =>
  db
    .insertInto("snoozes")
    .values({
      tenant_id: p.tenant_id,
      participant_id: p.participant_id,
      event_id: p.event_id,
      room_id: p.room_id,
      until: p.until,
      fired_at: p.fired_at,
    })
    .onConflict((conflict) =>
      conflict.columns(["tenant_id", "participant_id", "event_id"]).doNothing(),
    ),
);

/** Takes up a line of an export; see the port. */
export function* restore(record: Restored): Program<Told<undefined>> {
  switch (record.type) {
    case "event":
      return yield* restoreMessage(record);
    case "token":
      yield* restoreToken(record);
      break;
    case "preferences":
      yield* participantRow(record);
      yield* restoreRegisters(record, record.registers);
      break;
    case "outbox":
      yield* participantRow(record);
      yield* restoreOutbox({ ...record });
      break;
    case "direct":
      yield* restoreDirect(record);
      break;
    case "read_marker":
      yield* restoreReadMarker(record);
      break;
    case "snooze":
      yield* restoreSnooze(record);
      break;
    default:
      record satisfies never;
  }
  return { value: undefined, announcements: [] };
}

/** A message that is there already stays as it is. One that was redacted is told to nobody. */
function* restoreMessage({
  tenant_id,
  room_id,
  event_id,
  sender_id,
  content,
  ...record
}: Of<"event">): Program<Told<undefined>> {
  yield* roomRow({ tenant_id, room_id });
  const { sent_at, event_uuid, redacted_at, redacted_by, redaction_id, reason } = record;
  const isRedacted = redacted_at !== undefined && redacted_at !== null;
  const known = yield* findEvent({ tenant_id, event_id });
  if (known !== undefined && known.room_id !== room_id)
    throw invalid([{ path: "event_id", message: "must not be that of another event" }]);
  const isSent =
    event_uuid !== undefined &&
    (yield* sentBefore({ tenant_id, room_id, sender_id, event_uuid })) !== undefined;
  if (known !== undefined || isSent) return { value: undefined, announcements: [] };
  const said = isRedacted
    ? emptied(redacted_at, { redacted_by, redaction_id, reason })
    : { content };
  const event = {
    tenant_id,
    room_id,
    sender_id,
    event_id,
    event_uuid,
    type: MESSAGE,
    restored: true,
    body: { room_id, sender_id, ...said },
  } as const;
  const frame = yield* append(event, sent_at);
  if (!isRedacted)
    return {
      value: undefined,
      announcements: [{ frame, to: { room_id, also: [] }, restored: true }],
    };
  yield* one(markRedacted, { tenant_id, event_id, redacted_at });
  return { value: undefined, announcements: [] };
}

/** Tokens are named for all tenants: whose name or hash it is that is taken is nobody else's business. */
function* restoreToken(record: Of<"token">): Program<void> {
  const { token_id, hash, tenant_id, participant_id, created_at } = record;
  yield* participantRow(record);
  if (yield* addTokenOnce(record, created_at)) return;
  const known = yield* one(selectToken, { token_id, hash });
  const there = [known?.tenant_id, known?.participant_id, known?.token_id, known?.hash];
  if (JSON.stringify(there) === JSON.stringify([tenant_id, participant_id, token_id, hash])) return;
  throw invalid([{ path: "token_id", message: "must not be that of another token, nor its hash" }]);
}

function* restoreDirect({ participant_ids: [a, b], ...key }: Of<"direct">): Program<void> {
  const room = yield* roomRow(key);
  if (room.room_type !== "dm")
    throw invalid([{ path: "room_id", message: "must be that of a direct room" }]);
  const direct_key = directKey(a, b);
  const taken = yield* findDirectRoom(key.tenant_id, direct_key);
  if (taken !== undefined && taken !== key.room_id)
    throw invalid([{ path: "participant_ids", message: "must not have a direct room already" }]);
  if (room.direct_key === null) yield* saveRoom({ ...room, direct_key });
}

/** Markers only ever go forward: an export that is taken up again takes nothing back. */
function* restoreReadMarker(record: Of<"read_marker">): Program<void> {
  const { event_id, read_to } = record;
  yield* roomRow(record);
  const member = yield* findMember(record);
  if (member === undefined) throw noSuch("member");
  const to = read_to ?? event_id;
  const read_position = to === null ? 0 : yield* positionOf(record, to);
  if (read_position <= member.read_position) return;
  // A marker can stand at what does not move along, such as somebody's coming.
  const marked = event_id === null ? undefined : yield* findEvent({ ...record, event_id });
  const last_read_event_id = marked?.room_id === record.room_id ? event_id : null;
  yield* saveMember({ ...member, read_position, last_read_event_id });
}

function* restoreSnooze(record: Of<"snooze">): Program<void> {
  const { room_id, event_id, until, fired_at } = record;
  yield* roomRow(record);
  yield* participantRow(record);
  yield* positionOf(record, event_id);
  yield* one(insertSnooze, { ...personOf(record), room_id, event_id, until, fired_at });
}

/** The position of an event of the room, or a refusal. */
function* positionOf({ tenant_id, room_id }: RoomKey, event_id: string): Program<number> {
  const event = yield* findEvent({ tenant_id, event_id });
  if (event?.room_id !== room_id) throw noSuch("event");
  return event.position;
}
