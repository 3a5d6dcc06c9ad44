import {
  type EventFrame,
  invalid,
  isoOf,
  type JsonObject,
  type RoomBody,
  type RoomFacts,
} from "@porchlight/core";
import { noSuch } from "../refusals.ts";
import { append, type Told } from "./events.ts";
import { present, tenantRow } from "./people.ts";
import { one, type Program, statement } from "./query.ts";
import type { Tables } from "./schema.ts";
import type { Announcement, PersonKey, RoomKey } from "./store.ts";

/** A room as it is stored. */
export type RoomRow = Tables["rooms"];

/** What a program needs besides its arguments: the time and names for what it makes. */
export interface Making {
  readonly now: number;
  readonly newId: () => string;
}

const selectRoom = statement<RoomKey>()((db, p) =>
  db
    .selectFrom("rooms")
    .selectAll()
    .where("tenant_id", "=", p.tenant_id)
    .where("room_id", "=", p.room_id),
);

const upsertRoom = statement<RoomRow>()((db, p) => {
  const facts = {
    name: p.name,
    topic: p.topic,
    room_type: p.room_type,
    state: p.state,
    workspace_id: p.workspace_id,
    creator_id: p.creator_id,
    created_at: p.created_at,
    is_public: p.is_public,
    engagement_mode: p.engagement_mode,
    response_mode: p.response_mode,
    member_count: p.member_count,
    direct_key: p.direct_key,
  };
  return db
    .insertInto("rooms")
    .values({ tenant_id: p.tenant_id, room_id: p.room_id, ...facts })
    .onConflict((conflict) => conflict.columns(["tenant_id", "room_id"]).doUpdateSet(facts));
});

export function* putRoom(key: RoomKey, body: RoomBody, making: Making): Program<Told<RoomFacts>> {
  yield* tenantRow(key.tenant_id);
  const known = yield* findRoom(key);
  if (
    known !== undefined &&
    body.room_type !== undefined &&
    (known.room_type === "dm") !== (body.room_type === "dm")
  ) {
    throw invalid([
      {
        path: "room_type",
        message: "must not turn a direct room into another or another into a direct room",
      },
    ]);
  }
  const row: RoomRow = {
    ...(known ?? newRoom(key, making.now)),
    ...present(body, [
      "name",
      "topic",
      "room_type",
      "state",
      "workspace_id",
      "creator_id",
      "created_at",
      "engagement_mode",
      "response_mode",
    ]),
    ...(body.is_public === undefined ? {} : { is_public: Number(body.is_public) }),
  };
  yield* saveRoom(row);
  return {
    value: roomFactsOf(row),
    announcements: known === undefined ? [] : yield* tellRoom(known, row, making),
  };
}

/** The room's row, if the tenant has such a room. */
export function* findRoom({ tenant_id, room_id }: RoomKey): Program<RoomRow | undefined> {
  return yield* one(selectRoom, { tenant_id, room_id });
}

/** The room's row, or a refusal. */
export function* roomRow(key: RoomKey): Program<RoomRow> {
  const row = yield* findRoom(key);
  if (row === undefined) throw noSuch("room");
  return row;
}

/** Writes a room's row as it is. */
export function* saveRoom(row: RoomRow): Program<void> {
  yield* one(upsertRoom, row);
}

/** Appends something that happened in a room, to be told to those who have joined it, and to whom it is about. */
export function* tell(
  key: RoomKey,
  type: EventFrame["type"],
  body: JsonObject,
  making: Making,
  subject_id?: string,
): Program<Announcement> {
  const { tenant_id, room_id } = key;
  const event = {
    tenant_id,
    room_id,
    subject_id,
    type,
    event_id: `evt-${making.newId()}`,
    body: { room_id, ...body },
  };
  const also = subject_id === undefined ? [] : [subject_id];
  return { frame: yield* append(event, making.now), to: { room_id, also } };
}

/** What a person's own devices are told of a room: it has no position, and nobody else hears of it. */
export function tellOwn(
  { tenant_id, room_id, participant_id }: RoomKey & PersonKey,
  type: EventFrame["type"],
  body: JsonObject,
  { now, newId }: Making,
): Announcement {
  const frame = { type, id: `evt-${newId()}`, tenant_id, ts: isoOf(now), room_id, ...body };
  return { frame, to: { participant_id } };
}

/** A room as core knows it. */
export function roomFactsOf(row: RoomRow): RoomFacts {
  // Columns only ever hold what a schema of core let through.
  return {
    id: row.room_id,
    name: row.name,
    topic: row.topic,
    room_type: row.room_type as RoomFacts["room_type"],
    state: row.state as RoomFacts["state"],
    workspace_id: row.workspace_id,
    creator_id: row.creator_id,
    created_at: row.created_at,
    is_public: row.is_public !== 0,
    member_count: row.member_count,
    engagement_mode: row.engagement_mode as RoomFacts["engagement_mode"],
    response_mode: row.response_mode as RoomFacts["response_mode"],
  };
}

function* tellRoom(
  before: RoomRow,
  after: RoomRow,
  making: Making,
): Program<readonly Announcement[]> {
  const told: Announcement[] = [];
  for (const [type, key] of [
    ["swp.room.name", "name"],
    ["swp.room.topic", "topic"],
    ["swp.room.state", "state"],
  ] as const) {
    if (before[key] !== after[key])
      told.push(yield* tell(after, type, { [key]: after[key] }, making));
  }
  const { engagement_mode: mode, response_mode } = after;
  if (before.engagement_mode !== mode || before.response_mode !== response_mode) {
    const body = { mode, participant_id: null, response_mode };
    told.push(yield* tell(after, "swp.room.ai_engagement", body, making));
  }
  return told;
}

function newRoom({ tenant_id, room_id }: RoomKey, now: number): RoomRow {
  return {
    tenant_id,
    room_id,
    name: null,
    topic: null,
    room_type: "group",
    state: "open",
    workspace_id: null,
    creator_id: null,
    created_at: now,
    is_public: 0,
    engagement_mode: "always",
    response_mode: null,
    member_count: 0,
    direct_key: null,
  };
}
