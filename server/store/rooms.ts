import {
  type Call,
  CodedError,
  type EventBody,
  type EventFrame,
  invalid,
  type JsonObject,
  type MemberBody,
  type MemberFacts,
  type Membership,
  type Plan,
  type ReadFacts,
  type RoomBody,
  type RoomFacts,
  type Sidekick,
  type ViewerFacts,
} from "@porchlight/core";
import { append, position, sentBefore, type Told } from "./events.ts";
import { participantOf, participantRow, preferences, present, tenantRow } from "./people.ts";
import { all, one, type Program, statement } from "./query.ts";
import type { Tables } from "./schema.ts";
import type {
  Announcement,
  PersonKey,
  RoomKey,
  RoomListing,
  RoomPart,
  RoomReading,
} from "./store.ts";

type RoomRow = Tables["rooms"];
type MemberRow = Tables["members"];

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

const selectDirect = statement<{ tenant_id: string; direct_key: string }>()((db, p) =>
  db
    .selectFrom("rooms")
    .select("room_id")
    .where("tenant_id", "=", p.tenant_id)
    .where("direct_key", "=", p.direct_key),
);

const selectMember = statement<RoomKey & PersonKey>()((db, p) =>
  db
    .selectFrom("members")
    .selectAll()
    .where("tenant_id", "=", p.tenant_id)
    .where("room_id", "=", p.room_id)
    .where("participant_id", "=", p.participant_id),
);

const upsertMember = statement<MemberRow>()((db, p) => {
  const facts = {
    membership: p.membership,
    power_level: p.power_level,
    joined_at: p.joined_at,
    notification_mode: p.notification_mode,
    muted_until: p.muted_until,
    response_mode: p.response_mode,
    engagement_mode: p.engagement_mode,
    read_position: p.read_position,
    last_read_event_id: p.last_read_event_id,
  };
  return db
    .insertInto("members")
    .values({
      tenant_id: p.tenant_id,
      room_id: p.room_id,
      participant_id: p.participant_id,
      ...facts,
    })
    .onConflict((conflict) =>
      conflict.columns(["tenant_id", "room_id", "participant_id"]).doUpdateSet(facts),
    );
});

const selectMembers = statement<RoomKey & { join: string; invite: string }>()((db, p) =>
  db
    .selectFrom("members")
    .innerJoin("participants", (join) =>
      join
        .onRef("participants.tenant_id", "=", "members.tenant_id")
        .onRef("participants.participant_id", "=", "members.participant_id"),
    )
    .select([
      "members.membership",
      "members.power_level",
      "members.joined_at",
      "members.notification_mode",
      "members.muted_until",
      "members.response_mode",
      "members.engagement_mode",
      "participants.participant_id",
      "participants.local_id",
      "participants.server_name",
      "participants.display_name",
      "participants.participant_type",
      "participants.avatar_url",
    ])
    .where("members.tenant_id", "=", p.tenant_id)
    .where("members.room_id", "=", p.room_id)
    .where(({ or, eb }) =>
      or([eb("members.membership", "=", p.join), eb("members.membership", "=", p.invite)]),
    ),
);

const selectCounterpart = statement<RoomKey & { viewer: string; join: string; invite: string }>()(
  (db, p) =>
    db
      .selectFrom("members")
      .innerJoin("participants", (join) =>
        join
          .onRef("participants.tenant_id", "=", "members.tenant_id")
          .onRef("participants.participant_id", "=", "members.participant_id"),
      )
      .select("participants.display_name")
      .where("members.tenant_id", "=", p.tenant_id)
      .where("members.room_id", "=", p.room_id)
      .where("members.participant_id", "<>", p.viewer)
      .where(({ or, eb }) =>
        or([eb("members.membership", "=", p.join), eb("members.membership", "=", p.invite)]),
      ),
);

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

const selectDocuments = statement<RoomKey & { kind: string }>()((db, p) =>
  db
    .selectFrom("documents")
    .select(["document_id", "document_json"])
    .where("tenant_id", "=", p.tenant_id)
    .where("room_id", "=", p.room_id)
    .where("kind", "=", p.kind)
    .orderBy("document_id"),
);

const upsertDocument = statement<
  RoomKey & { kind: string; document_id: string; document_json: string }
>()((db, p) =>
  db
    .insertInto("documents")
    .values({
      tenant_id: p.tenant_id,
      room_id: p.room_id,
      kind: p.kind,
      document_id: p.document_id,
      document_json: p.document_json,
    })
    .onConflict((conflict) =>
      conflict
        .columns(["tenant_id", "room_id", "kind", "document_id"])
        .doUpdateSet({ document_json: p.document_json }),
    ),
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
    .where("membership", "=", p.join),
);

/** Memberships that show: who has joined, and who is invited. */
const SHOWN = { join: "join", invite: "invite" } as const;
const MESSAGE = "swp.room.message";

/** A room for a viewer, with the parts asked for, at one position. */
export function* room(
  key: RoomKey,
  viewerId: string,
  parts: readonly RoomPart[],
): Program<RoomReading | undefined> {
  const { tenant_id, room_id } = key;
  const row = yield* one(selectRoom, { tenant_id, room_id });
  if (row === undefined) return undefined;
  const member = yield* one(selectMember, { tenant_id, room_id, participant_id: viewerId });
  const participant = yield* participantRow({ tenant_id, participant_id: viewerId });
  const facts = roomFactsOf(row);
  const asked = new Set(parts);
  const { ai_response_mode } = yield* preferences(
    { tenant_id, participant_id: viewerId },
    undefined,
  );
  return {
    room: facts,
    viewer: viewerOf(
      viewerId,
      member,
      participantOf(participant).participant_type,
      ai_response_mode,
    ),
    counterpart: yield* counterpart(key, facts, viewerId),
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
      counterpart: yield* counterpart(key, facts, participant_id),
      unread_count,
    });
  }
  return listings;
}

export function* joinedRooms({ tenant_id, participant_id }: PersonKey): Program<readonly string[]> {
  const rows = yield* all(selectJoinedIds, { tenant_id, participant_id, join: "join" });
  return rows.map(({ room_id }) => room_id);
}

export function* putRoom(key: RoomKey, body: RoomBody, making: Making): Program<Told<RoomFacts>> {
  const { tenant_id, room_id } = key;
  yield* tenantRow(tenant_id);
  const known = yield* one(selectRoom, { tenant_id, room_id });
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
  yield* one(upsertRoom, row);
  return {
    value: roomFactsOf(row),
    announcements: known === undefined ? [] : yield* tellRoom(known, row, making),
  };
}

export function* putMember(
  key: RoomKey & PersonKey,
  body: MemberBody,
  making: Making,
): Program<Told<MemberFacts>> {
  const { tenant_id, room_id, participant_id } = key;
  const room = yield* roomRow({ tenant_id, room_id });
  const participant = participantOf(yield* participantRow({ tenant_id, participant_id }));
  const known = yield* one(selectMember, { tenant_id, room_id, participant_id });
  const membership: Membership = body.membership ?? membershipOf(known) ?? "join";
  const joins = membership === "join" && known?.membership !== "join";
  const row: MemberRow = {
    ...(known ?? newMember(key, room.room_type === "dm" ? "all" : "inherit")),
    ...present(body, [
      "power_level",
      "notification_mode",
      "muted_until",
      "response_mode",
      "engagement_mode",
    ]),
    membership,
    joined_at: body.joined_at ?? (joins ? making.now : (known?.joined_at ?? null)),
    ...(joins ? { read_position: yield* position(tenant_id), last_read_event_id: null } : {}),
  };
  const shows = membership === "join" || membership === "invite";
  if (room.room_type === "dm" && shows) yield* claimDirectRoom(room, participant_id);
  yield* one(upsertMember, row);
  const count = Number(membership === "join") - Number(known?.membership === "join");
  if (count !== 0)
    yield* one(upsertRoom, {
      ...(yield* roomRow({ tenant_id, room_id })),
      member_count: room.member_count + count,
    });
  return {
    value: memberFactsOf(row, participant),
    announcements: yield* tellMember(known, row, making),
  };
}

/** The direct room of two people, opened if there is none. */
export function* openDirectRoom(
  { tenant_id, participant_id }: PersonKey,
  other: string,
  making: Making,
): Program<Told<string>> {
  if (other === participant_id)
    throw invalid([{ path: "participant_id", message: "must be somebody else" }]);
  yield* participantRow({ tenant_id, participant_id: other });
  const known = yield* one(selectDirect, {
    tenant_id,
    direct_key: directKey(participant_id, other),
  });
  if (known !== undefined) return { value: known.room_id, announcements: [] };
  const key = { tenant_id, room_id: `room-${making.newId()}` };
  yield* putRoom(key, { room_type: "dm", creator_id: participant_id }, making);
  const first = yield* putMember({ ...key, participant_id }, { membership: "join" }, making);
  const second = yield* putMember(
    { ...key, participant_id: other },
    { membership: "join" },
    making,
  );
  return { value: key.room_id, announcements: [...first.announcements, ...second.announcements] };
}

export function* putPlan(key: RoomKey, plan: Plan, making: Making): Program<Told<undefined>> {
  yield* roomRow(key);
  return yield* putDocument(
    key,
    { kind: "plan", document_id: "", document: plan, type: "swp.plan.updated" },
    making,
  );
}

export function* putCall(key: RoomKey, call: Call, making: Making): Program<Told<undefined>> {
  yield* roomRow(key);
  return yield* putDocument(
    key,
    { kind: "call", document_id: "", document: call, type: "swp.call.state" },
    making,
  );
}

export function* putSidekick(
  key: RoomKey,
  sidekick: Sidekick,
  making: Making,
): Program<Told<undefined>> {
  yield* roomRow(key);
  const known = (yield* documents<Sidekick>(key, "sidekick")).some(
    ({ task_id }) => task_id === sidekick.task_id,
  );
  const cancelled = sidekick.status === "terminated" || sidekick.status === "cancelled";
  const type = cancelled
    ? "swp.sidekick.cancel"
    : known
      ? "swp.sidekick.result"
      : "swp.sidekick.spawned";
  return yield* putDocument(
    key,
    { kind: "sidekick", document_id: sidekick.task_id, document: sidekick, type },
    making,
  );
}

/** Appends a message of a member; under the same uuid it is sent once. */
export function* appendEvent(
  key: RoomKey,
  { sender_id, content, event_uuid }: EventBody,
  making: Making,
): Program<Told<EventFrame>> {
  const { tenant_id, room_id } = key;
  yield* roomRow(key);
  const sender = yield* one(selectMember, { tenant_id, room_id, participant_id: sender_id });
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

function* roomRow({ tenant_id, room_id }: RoomKey): Program<RoomRow> {
  const row = yield* one(selectRoom, { tenant_id, room_id });
  if (row === undefined) throw new CodedError("SW_ROOM_NOT_FOUND", "There is no such room");
  return row;
}

function* members({ tenant_id, room_id }: RoomKey): Program<readonly MemberFacts[]> {
  const rows = yield* all(selectMembers, { tenant_id, room_id, ...SHOWN });
  return rows.map((row) => memberFactsOf(row, participantOf(row)));
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

function* unread(
  { tenant_id, room_id }: RoomKey,
  viewer: string,
  read_position: number,
): Program<number> {
  const row = yield* one(countUnread, { tenant_id, room_id, viewer, read_position, type: MESSAGE });
  return row?.unread_count ?? 0;
}

function* counterpart(
  { tenant_id, room_id }: RoomKey,
  room: RoomFacts,
  viewer: string,
): Program<string | undefined> {
  if (room.room_type !== "dm") return undefined;
  return (yield* one(selectCounterpart, { tenant_id, room_id, viewer, ...SHOWN }))?.display_name;
}

function* documents<T extends JsonObject>(
  { tenant_id, room_id }: RoomKey,
  kind: string,
): Program<readonly T[]> {
  const rows = yield* all(selectDocuments, { tenant_id, room_id, kind });
  return rows.map(({ document_json }) => JSON.parse(document_json));
}

function* putDocument(
  { tenant_id, room_id }: RoomKey,
  {
    kind,
    document_id,
    document,
    type,
  }: { kind: string; document_id: string; document: JsonObject; type: EventFrame["type"] },
  making: Making,
): Program<Told<undefined>> {
  yield* one(upsertDocument, {
    tenant_id,
    room_id,
    kind,
    document_id,
    document_json: JSON.stringify(document),
  });
  const told = yield* tell({ tenant_id, room_id }, type, { [kind]: document }, making);
  return { value: undefined, announcements: [told] };
}

/** A direct room belongs to the first two people in it, also when they have left, and each pair has one. */
function* claimDirectRoom(room: RoomRow, participant_id: string): Program<void> {
  if (room.direct_key !== null) {
    if (room.direct_key.split(" ").includes(participant_id)) return;
    throw invalid([
      {
        path: "participant_id",
        message: "must be one of the two members: a direct room gains nobody",
      },
    ]);
  }
  const other = (yield* members(room)).find(({ participant }) => participant.id !== participant_id);
  if (other === undefined) return;
  const direct_key = directKey(participant_id, other.participant.id);
  const taken = yield* one(selectDirect, { tenant_id: room.tenant_id, direct_key });
  if (taken !== undefined) {
    throw invalid([
      {
        path: "participant_id",
        message: `must not be added: the two already have the direct room "${taken.room_id}"`,
      },
    ]);
  }
  yield* one(upsertRoom, { ...room, direct_key });
}

function* tell(
  key: RoomKey,
  type: EventFrame["type"],
  body: JsonObject,
  making: Making,
): Program<Announcement> {
  const { tenant_id, room_id } = key;
  const event = {
    tenant_id,
    room_id,
    type,
    event_id: `evt-${making.newId()}`,
    body: { room_id, ...body },
  };
  return { frame: yield* append(event, making.now), to: { room_id, also: [] } };
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
  if (before.engagement_mode !== after.engagement_mode) {
    told.push(
      yield* tell(
        after,
        "swp.room.ai_engagement",
        { mode: after.engagement_mode, participant_id: null },
        making,
      ),
    );
  }
  return told;
}

function* tellMember(
  before: MemberRow | undefined,
  after: MemberRow,
  making: Making,
): Program<readonly Announcement[]> {
  const { participant_id, membership, power_level } = after;
  if (before?.membership === membership && before.power_level === power_level) return [];
  const told = yield* tell(
    after,
    "swp.room.member",
    { participant_id, membership, power_level },
    making,
  );
  return [{ frame: told.frame, to: { room_id: after.room_id, also: [participant_id] } }];
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

function newMember(
  { tenant_id, room_id, participant_id }: RoomKey & PersonKey,
  notification_mode: MemberFacts["notification_mode"],
): MemberRow {
  return {
    tenant_id,
    room_id,
    participant_id,
    membership: "join",
    power_level: 0,
    joined_at: null,
    notification_mode,
    muted_until: null,
    response_mode: null,
    engagement_mode: null,
    read_position: 0,
    last_read_event_id: null,
  };
}

// The casts below narrow columns that only ever hold what a schema of core let through.

function roomFactsOf(row: RoomRow): RoomFacts {
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

function memberFactsOf(
  row: Pick<
    MemberRow,
    | "membership"
    | "power_level"
    | "joined_at"
    | "notification_mode"
    | "muted_until"
    | "response_mode"
    | "engagement_mode"
  >,
  participant: MemberFacts["participant"],
): MemberFacts {
  return {
    membership: row.membership as MemberFacts["membership"],
    power_level: row.power_level,
    joined_at: row.joined_at,
    notification_mode: row.notification_mode as MemberFacts["notification_mode"],
    muted_until: row.muted_until,
    response_mode: row.response_mode as MemberFacts["response_mode"],
    engagement_mode: row.engagement_mode as MemberFacts["engagement_mode"],
    participant,
  };
}

function membershipOf(member: MemberRow | undefined): Membership | undefined {
  return member?.membership as Membership | undefined;
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

function directKey(a: string, b: string): string {
  return [a, b].sort().join(" ");
}
