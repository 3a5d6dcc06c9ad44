import {
  invalid,
  type MemberBody,
  type MemberFacts,
  type Membership,
  memberOf,
  mutedUntil,
} from "@porchlight/core";
import { noSuch } from "../refusals.ts";
import { position, type Told } from "./events.ts";
import { participantOf, participantRow, present } from "./people.ts";
import { all, one, type Program, statement } from "./query.ts";
import { type Making, type RoomRow, roomRow, saveRoom, tell, tellOwn } from "./rooms.ts";
import type { Tables } from "./schema.ts";
import { noteStay } from "./stays.ts";
import type { Announcement, PersonKey, RoomKey } from "./store.ts";

/** A membership as it is stored. */
export type MemberRow = Tables["members"];

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

const removeMember = statement<RoomKey & PersonKey>()((db, p) =>
  db
    .deleteFrom("members")
    .where("tenant_id", "=", p.tenant_id)
    .where("room_id", "=", p.room_id)
    .where("participant_id", "=", p.participant_id),
);

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
    )
    .orderBy("members.participant_id"),
);

/** Memberships that show: who has joined, and who is invited. */
const SHOWN = { join: "join", invite: "invite" } as const;

const isShown = ({ membership }: Pick<MemberRow, "membership">): boolean => membership in SHOWN;

export function* putMember(
  key: RoomKey & PersonKey,
  body: MemberBody,
  making: Making,
): Program<Told<MemberFacts>> {
  const { tenant_id, participant_id } = key;
  const room = yield* roomRow(key);
  const participant = participantOf(yield* participantRow({ tenant_id, participant_id }));
  const known = yield* findMember(key);
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
  if (room.room_type === "dm" && isShown(row)) yield* claimDirectRoom(room, participant_id);
  yield* saveMember(row);
  const count = Number(membership === "join") - Number(known?.membership === "join");
  // Read again: claiming a direct room has changed its row.
  if (count !== 0)
    yield* saveRoom({ ...(yield* roomRow(key)), member_count: room.member_count + count });
  return {
    value: memberFactsOf(row, participant),
    announcements: [
      ...(yield* tellMember(known, row, participant, making)),
      ...tellPrivate(known, row, making),
    ],
  };
}

/** Removes a membership, and tells of it as of somebody who leaves, if it showed. */
export function* memberLeaves(
  key: RoomKey & PersonKey,
  making: Making,
): Program<readonly Announcement[]> {
  const { tenant_id, room_id, participant_id } = key;
  const known = yield* findMember(key);
  if (known === undefined) throw noSuch("member");
  yield* one(removeMember, { tenant_id, room_id, participant_id });
  if (!isShown(known)) return [];
  const room = yield* roomRow(key);
  if (known.membership === "join")
    yield* saveRoom({ ...room, member_count: room.member_count - 1 });
  const participant = participantOf(yield* participantRow({ tenant_id, participant_id }));
  return yield* tellMember(known, { ...known, membership: "leave" }, participant, making);
}

/** The direct room of two people, by the key that names both. */
export function* findDirectRoom(
  tenant_id: string,
  direct_key: string,
): Program<string | undefined> {
  return (yield* one(selectDirect, { tenant_id, direct_key }))?.room_id;
}

/** Who has joined a room or is invited. */
export function* members({ tenant_id, room_id }: RoomKey): Program<readonly MemberFacts[]> {
  const rows = yield* all(selectMembers, { tenant_id, room_id, ...SHOWN });
  const facts = factsOfRows.get(rows) ?? rows.map((row) => memberFactsOf(row, participantOf(row)));
  factsOfRows.set(rows, facts);
  return facts;
}

/** What was made of rows that the database answers again as they were. */
const factsOfRows = new WeakMap<readonly object[], readonly MemberFacts[]>();

/** A person's membership of a room, if there ever was one. */
export function* findMember({
  tenant_id,
  room_id,
  participant_id,
}: RoomKey & PersonKey): Program<MemberRow | undefined> {
  return yield* one(selectMember, { tenant_id, room_id, participant_id });
}

/** Writes a membership's row as it is. */
export function* saveMember(row: MemberRow): Program<void> {
  yield* one(upsertMember, row);
}

/** What somebody is to a room. */
export function membershipOf(member: MemberRow | undefined): Membership | undefined {
  // The column only ever holds what a schema of core let through.
  return member?.membership as Membership | undefined;
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
  const taken = yield* findDirectRoom(room.tenant_id, direct_key);
  if (taken !== undefined) {
    throw invalid([
      {
        path: "participant_id",
        message: `must not be added: the two already have the direct room "${taken}"`,
      },
    ]);
  }
  yield* saveRoom({ ...room, direct_key });
}

/** What of a membership is private is told to the person's own devices. */
function tellPrivate(
  before: MemberRow | undefined,
  after: MemberRow,
  making: Making,
): readonly Announcement[] {
  if (before === undefined) return [];
  const { notification_mode } = after;
  const muted_until = mutedUntil(after, making.now);
  return [
    ...(before.notification_mode === notification_mode
      ? []
      : [tellOwn(after, "swp.room.notification_mode", { notification_mode }, making)]),
    ...(mutedUntil(before, making.now) === muted_until
      ? []
      : [tellOwn(after, "swp.room.mute", { muted_until }, making)]),
  ];
}

/** The frame has the member as everyone may see it: without private settings, and without presence, which is not durable. */
function* tellMember(
  before: MemberRow | undefined,
  after: MemberRow,
  participant: MemberFacts["participant"],
  making: Making,
): Program<readonly Announcement[]> {
  const { participant_id, membership, engagement_mode } = after;
  const told: Announcement[] = [];
  const shown = [
    "membership",
    "power_level",
    "joined_at",
    "response_mode",
    "engagement_mode",
  ] as const;
  if (before === undefined || shown.some((key) => before[key] !== after[key])) {
    const { presence: _live, ...member } = memberOf(
      memberFactsOf(after, participant),
      "",
      "offline",
      0,
    );
    const body = { participant_id, membership, member, engagement_mode };
    told.push(yield* tell(after, "swp.room.member", body, making, participant_id));
    yield* noteStay(after, before?.membership === "join", membership === "join");
  }
  if ((before?.engagement_mode ?? null) !== engagement_mode) {
    const body = { participant_id, mode: engagement_mode };
    told.push(yield* tell(after, "swp.room.ai_engagement", body, making));
  }
  return told;
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
  // Columns only ever hold what a schema of core let through.
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

/** Both ids of a direct room, whichever is named first. */
export function directKey(a: string, b: string): string {
  return [a, b].sort().join(" ");
}
