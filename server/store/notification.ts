import {
  type MemberFacts,
  type Preferences,
  type RoomFacts,
  readPreferences,
} from "@porchlight/core";
import { all, type Program, statement } from "./query.ts";
import { findRoom } from "./rooms.ts";
import type { NotificationShare, RoomKey } from "./store.ts";

/** Members of a room that are read at once. */
const READ_AT_ONCE = 500;

const selectJoined = statement<
  RoomKey & { event_id: string; after: string; join: string; limit: number }
>()((db, p) =>
  db
    .selectFrom("members")
    .leftJoin("preferences", (join) =>
      join
        .onRef("preferences.tenant_id", "=", "members.tenant_id")
        .onRef("preferences.participant_id", "=", "members.participant_id"),
    )
    .leftJoin("snoozes", (join) =>
      join
        .onRef("snoozes.tenant_id", "=", "members.tenant_id")
        .onRef("snoozes.participant_id", "=", "members.participant_id")
        .on("snoozes.event_id", "=", p.event_id)
        .on("snoozes.fired_at", "is", null),
    )
    .select([
      "members.participant_id",
      "members.notification_mode",
      "members.muted_until",
      "preferences.registers_json",
      "snoozes.event_id as snoozed_event_id",
    ])
    .where("members.tenant_id", "=", p.tenant_id)
    .where("members.room_id", "=", p.room_id)
    .where("members.membership", "=", p.join)
    .where("members.participant_id", ">", p.after)
    .orderBy("members.participant_id")
    .limit(p.limit),
);

/** What decides whom of a room a message notifies, a share of the members at a time, in the order of their ids. */
export function* notificationRecords(
  key: RoomKey,
  event_id: string,
  after: string,
  defaults: Preferences,
): Program<NotificationShare> {
  const { tenant_id, room_id } = key;
  const room = yield* findRoom(key);
  if (room === undefined) return { records: [], next: undefined };
  const share = { tenant_id, room_id, event_id, after, join: "join", limit: READ_AT_ONCE };
  const rows = yield* all(selectJoined, share);
  const next = rows.length < READ_AT_ONCE ? undefined : rows.at(-1)?.participant_id;
  const records = rows.map(({ participant_id, registers_json, snoozed_event_id, ...member }) => ({
    participant_id,
    room: {
      // Columns only ever hold what a schema of core let through.
      room_type: room.room_type as RoomFacts["room_type"],
      membership: "join",
      notification_mode: member.notification_mode as MemberFacts["notification_mode"],
      muted_until: member.muted_until,
    },
    snoozed_event_ids: snoozed_event_id === null ? [] : [snoozed_event_id],
    preferences: () =>
      readPreferences(registers_json === null ? {} : JSON.parse(registers_json), defaults),
  })) satisfies NotificationShare["records"];
  return { records, next };
}
