import { append, type Told } from "./events.ts";
import { memberLeaves } from "./members.ts";
import { keep } from "./operation.ts";
import { formerTenant, participantOf, participantRow, personOf, tenantRow } from "./people.ts";
import { all, one, type Program, type Statement, statement } from "./query.ts";
import { findRoom, type Making, roomRow, saveRoom, tell } from "./rooms.ts";
import type { Tables } from "./schema.ts";
import { noteStay } from "./stays.ts";
import type { Announcement, PersonKey, RoomKey } from "./store.ts";

/** Every table with rows of a tenant. A table that is missing here does not compile. */
const TENANT_TABLES: Readonly<Record<Exclude<keyof Tables, "kept">, true>> = {
  snoozes: true,
  documents: true,
  events: true,
  stays: true,
  members: true,
  rooms: true,
  tokens: true,
  outboxes: true,
  preferences: true,
  participants: true,
  tenants: true,
};
const PERSON_TABLES = [
  "snoozes",
  "stays",
  "members",
  "tokens",
  "outboxes",
  "preferences",
  "participants",
] as const;
const ROOM_TABLES = ["snoozes", "documents", "events", "members", "rooms"] as const;

const removeTenant = (Object.keys(TENANT_TABLES) as (keyof typeof TENANT_TABLES)[]).map((table) =>
  statement<{ tenant_id: string }>()((db, p) =>
    db.deleteFrom(table).where("tenant_id", "=", p.tenant_id),
  ),
);

const removePerson = PERSON_TABLES.map((table) =>
  statement<PersonKey>()((db, p) =>
    db
      .deleteFrom(table)
      .where("tenant_id", "=", p.tenant_id)
      .where("participant_id", "=", p.participant_id),
  ),
);

const removeRoom = ROOM_TABLES.map((table) =>
  statement<RoomKey>()((db, p) =>
    db.deleteFrom(table).where("tenant_id", "=", p.tenant_id).where("room_id", "=", p.room_id),
  ),
);

/** What was about them is about nobody any more: not about whoever comes by the same id. */
const disownEvents = statement<PersonKey & { nobody: null }>()((db, p) =>
  db
    .updateTable("events")
    .set({ subject_id: p.nobody })
    .where("tenant_id", "=", p.tenant_id)
    .where("subject_id", "=", p.participant_id),
);

const selectShown = statement<RoomKey & { join: string; invite: string }>()((db, p) =>
  db
    .selectFrom("members")
    .select(["participant_id", "membership"])
    .where("tenant_id", "=", p.tenant_id)
    .where("room_id", "=", p.room_id)
    .where("membership", "in", [p.join, p.invite])
    .orderBy("participant_id"),
);

const selectRoomsOf = statement<PersonKey>()((db, p) =>
  db
    .selectFrom("members")
    .select("room_id")
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", "=", p.participant_id)
    .orderBy("room_id"),
);

/** Removes a tenant with all that it has but the number of its last position. Nobody is left to be told. */
export function* deleteTenant(tenant_id: string, now: number): Program<void> {
  const { position } = yield* tenantRow(tenant_id);
  yield* removeFrom(removeTenant, { tenant_id });
  yield* keep(formerTenant(tenant_id), { position }, now);
}

/** Removes a room with all that it has, and tells those who were in it: that event is all that is left. */
export function* deleteRoom(key: RoomKey, making: Making): Program<Told<undefined>> {
  const { tenant_id, room_id } = yield* roomRow(key);
  const shown = yield* all(selectShown, { tenant_id, room_id, join: "join", invite: "invite" });
  const also = shown.map(({ participant_id }) => participant_id);
  yield* removeFrom(removeRoom, { tenant_id, room_id });
  const body = { state: "closed", deleted: true };
  const { frame } = yield* tell({ tenant_id, room_id }, "swp.room.state", body, making);
  for (const { participant_id, membership } of shown) {
    const stay = { tenant_id, room_id, participant_id };
    // Who was only invited is told too, and of nothing else.
    if (membership === "invite") yield* noteStay(stay, false, true);
    yield* noteStay(stay, true, false);
  }
  return { value: undefined, announcements: [{ frame, to: { room_id, also } }] };
}

/** Removes a person, who leaves every room. What they have sent stays. */
export function* deleteParticipant(key: PersonKey, making: Making): Program<Told<undefined>> {
  const row = yield* participantRow(key);
  const announcements: Announcement[] = [];
  for (const { room_id } of yield* all(selectRoomsOf, personOf(key))) {
    const membership = { ...personOf(key), room_id };
    yield* keepName(membership, row.display_name);
    announcements.push(...(yield* memberLeaves(membership, making)));
  }
  yield* removeFrom(removePerson, personOf(key));
  yield* one(disownEvents, { ...personOf(key), nobody: null });
  const { participant_id, tenant_id, bio } = row;
  const body = { participant_id, participant: participantOf(row), bio, deleted: true };
  const event_id = `evt-${making.newId()}`;
  const frame = yield* append(
    { tenant_id, event_id, type: "swp.participant.profile", body },
    making.now,
  );
  return { value: undefined, announcements: [...announcements, { frame, to: "tenant" }] };
}

/** Removes a membership, which ends as if its person had left. */
export function* deleteMember(key: RoomKey & PersonKey, making: Making): Program<Told<undefined>> {
  yield* roomRow(key);
  return { value: undefined, announcements: yield* memberLeaves(key, making) };
}

/** A direct room bears the name of whom the other has talked to, also when they are no more. */
function* keepName(key: RoomKey, name: string): Program<void> {
  const room = yield* findRoom(key);
  if (room?.room_type === "dm") yield* saveRoom({ ...room, name });
}

function* removeFrom<P extends { readonly [K in keyof P]: string }>(
  statements: readonly Statement<P, unknown>[],
  key: P,
): Program<void> {
  for (const each of statements) yield* one(each, key);
}
