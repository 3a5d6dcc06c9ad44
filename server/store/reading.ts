import type { Call, Plan, ReadFacts, Sidekick, ViewerFacts } from "@porchlight/core";
import { documents } from "./documents.ts";
import { position } from "./events.ts";
import { findMember, type MemberRow, members, membershipOf } from "./members.ts";
import { unread } from "./messages.ts";
import { participantOf, participantRow, profile } from "./people.ts";
import { preferences } from "./preferences.ts";
import { all, type Program, statement } from "./query.ts";
import { findRoom, type RoomRow, roomFactsOf } from "./rooms.ts";
import type { PersonKey, RoomKey, RoomListing, RoomPart, RoomReading } from "./store.ts";

const selectSnoozed = statement<RoomKey & { viewer: string }>()((db, p) =>
  db
    .selectFrom("snoozes")
    .select("event_id")
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", "=", p.viewer)
    .where("room_id", "=", p.room_id)
    .where("fired_at", "is", null)
    .orderBy("until")
    .orderBy("event_id"),
);

const selectJoined = statement<PersonKey & { join: string }>()((db, p) =>
  db
    .selectFrom("members")
    .innerJoin("rooms", (join) =>
      join
        .onRef("rooms.tenant_id", "=", "members.tenant_id")
        .onRef("rooms.room_id", "=", "members.room_id"),
    )
    .selectAll("rooms")
    .select("members.read_position")
    .where("members.tenant_id", "=", p.tenant_id)
    .where("members.participant_id", "=", p.participant_id)
    .where("members.membership", "=", p.join)
    .orderBy("rooms.room_id"),
);

const selectJoinedIds = statement<PersonKey & { join: string }>()((db, p) =>
  db
    .selectFrom("members")
    .select("room_id")
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", "=", p.participant_id)
    .where("membership", "=", p.join)
    .orderBy("room_id"),
);

/** A room for a viewer, with the parts asked for, at one position. */
export function* room(
  key: RoomKey,
  viewerId: string,
  parts: readonly RoomPart[],
): Program<RoomReading | undefined> {
  const { tenant_id, room_id } = key;
  const row = yield* findRoom(key);
  if (row === undefined) return undefined;
  const viewer = { tenant_id, participant_id: viewerId };
  const member = yield* findMember({ ...viewer, room_id });
  const participant = yield* participantRow(viewer);
  const facts = roomFactsOf(row);
  // Whoever has not joined is refused: what they may not see is not read.
  const joined = member?.membership === "join";
  const asked = new Set(joined ? parts : []);
  const { ai_response_mode } = yield* preferences(viewer, undefined);
  return {
    room: facts,
    viewer: viewerOf(
      viewerId,
      member,
      participantOf(participant).participant_type,
      ai_response_mode,
    ),
    counterpart: joined ? yield* counterpart(row, viewerId) : undefined,
    members: asked.has("members") ? yield* members(key) : [],
    read: asked.has("read")
      ? yield* readFacts(key, viewerId, member)
      : { unread_count: 0, last_read_event_id: null, snoozed_event_ids: [] },
    plan: asked.has("plan") ? (yield* documents<Plan>(key, "plan"))[0] : undefined,
    sidekicks: asked.has("sidekicks") ? yield* documents<Sidekick>(key, "sidekick") : [],
    call: asked.has("call") ? (yield* documents<Call>(key, "call"))[0] : undefined,
    stream_position: yield* position(tenant_id),
  };
}

/** The rooms that a person has joined, with what is unread in each. */
export function* roomsOf({
  tenant_id,
  participant_id,
}: PersonKey): Program<readonly RoomListing[]> {
  const rows = yield* all(selectJoined, { tenant_id, participant_id, join: "join" });
  const listings: RoomListing[] = [];
  for (const row of rows) {
    const key = { tenant_id, room_id: row.room_id };
    const facts = roomFactsOf(row);
    const unread_count = yield* unread(key, participant_id, row.read_position);
    listings.push({
      room: facts,
      counterpart: yield* counterpart(row, participant_id),
      unread_count,
    });
  }
  return listings;
}

/** The rooms that a person has joined, and the position at which that is so. */
export function* standing({
  tenant_id,
  participant_id,
}: PersonKey): Program<{ rooms: readonly string[]; position: number }> {
  const rows = yield* all(selectJoinedIds, { tenant_id, participant_id, join: "join" });
  return { rooms: rows.map(({ room_id }) => room_id), position: yield* position(tenant_id) };
}

function* readFacts(
  key: RoomKey,
  viewer: string,
  member: MemberRow | undefined,
): Program<ReadFacts> {
  const { tenant_id, room_id } = key;
  const snoozed = yield* all(selectSnoozed, { tenant_id, room_id, viewer });
  return {
    unread_count: yield* unread(key, viewer, member?.read_position ?? 0),
    last_read_event_id: member?.last_read_event_id ?? null,
    snoozed_event_ids: snoozed.map(({ event_id }) => event_id),
  };
}

/** The display name of the one of the two people of a direct room who is not the viewer. */
function* counterpart(
  { tenant_id, direct_key }: Pick<RoomRow, "tenant_id" | "direct_key">,
  viewer: string,
): Program<string | undefined> {
  const other = direct_key?.split(" ").find((id) => id !== viewer);
  if (other === undefined) return undefined;
  return (yield* profile({ tenant_id, participant_id: other }))?.participant.display_name;
}

function viewerOf(
  participant_id: string,
  member: MemberRow | undefined,
  participant_type: ViewerFacts["participant_type"],
  ai_response_mode: ViewerFacts["ai_response_mode"],
): ViewerFacts {
  return {
    participant_id,
    participant_type,
    membership: membershipOf(member),
    notification_mode: (member?.notification_mode ?? "inherit") as ViewerFacts["notification_mode"],
    muted_until: member?.muted_until ?? null,
    ai_response_mode,
  };
}
