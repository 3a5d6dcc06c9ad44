import type { EventFrame, JsonObject } from "@porchlight/core";
import { isoOf } from "@porchlight/core";
import { all, one, type Program, statement } from "./query.ts";
import type { Tables } from "./schema.ts";
import type { Announcement } from "./store.ts";

/** What somebody says in a room; the only events that are counted, paged through and taken back. */
export const MESSAGE = "swp.room.message";

/** Who sends something to a room. Under the same uuid it is sent once. */
export interface Sent {
  readonly tenant_id: string;
  readonly room_id: string;
  readonly sender_id: string;
  readonly event_uuid: string | undefined;
}

/** What a program that tells others returns: its result, and what is to be announced once it is durable. */
export interface Told<T> {
  readonly value: T;
  readonly announcements: readonly Announcement[];
}

/** An event before it has a position. */
export interface NewEvent {
  readonly tenant_id: string;
  readonly event_id: string;
  readonly type: EventFrame["type"];
  readonly room_id?: string | undefined;
  /** Who may see it besides those who have joined the room. */
  readonly subject_id?: string | undefined;
  readonly sender_id?: string | undefined;
  readonly event_uuid?: string | undefined;
  /** True of a message that was sent elsewhere, and long ago. */
  readonly restored?: boolean | undefined;
  /** What the frame says besides id, type, tenant, instant and position. */
  readonly body: JsonObject;
}

const nextPosition = statement<{ tenant_id: string }>()((db, p) =>
  db
    .updateTable("tenants")
    .set(({ eb, lit }) => ({ position: eb("position", "+", lit(1)) }))
    .where("tenant_id", "=", p.tenant_id)
    .returning("position"),
);

const insertEvent = statement<{
  tenant_id: string;
  position: number;
  event_id: string;
  room_id: string | null;
  subject_id: string | null;
  sender_id: string | null;
  type: string;
  at: number;
  body_json: string;
  event_uuid: string | null;
  restored: number | null;
}>()((db, p) =>
  db.insertInto("events").values({
    tenant_id: p.tenant_id,
    position: p.position,
    event_id: p.event_id,
    room_id: p.room_id,
    subject_id: p.subject_id,
    sender_id: p.sender_id,
    type: p.type,
    at: p.at,
    body_json: p.body_json,
    event_uuid: p.event_uuid,
    restored: p.restored,
  }),
);

const eventByUuid = statement<{
  tenant_id: string;
  room_id: string;
  sender_id: string;
  event_uuid: string;
}>()((db, p) =>
  db
    .selectFrom("events")
    .select(["tenant_id", "position", "event_id", "type", "at", "body_json"])
    .where("tenant_id", "=", p.tenant_id)
    .where("room_id", "=", p.room_id)
    .where("sender_id", "=", p.sender_id)
    .where("event_uuid", "=", p.event_uuid),
);

const eventById = statement<{ tenant_id: string; event_id: string }>()((db, p) =>
  db
    .selectFrom("events")
    .selectAll()
    .where("tenant_id", "=", p.tenant_id)
    .where("event_id", "=", p.event_id),
);

const selectPosition = statement<{ tenant_id: string }>()((db, p) =>
  db.selectFrom("tenants").select("position").where("tenant_id", "=", p.tenant_id),
);

const selectPositions = statement<Record<never, never>>()((db) =>
  db.selectFrom("tenants").select(["tenant_id", "position"]),
);

/** The position of a tenant's last event; 0 for a tenant that does not exist. */
export function* position(tenant_id: string): Program<number> {
  return (yield* one(selectPosition, { tenant_id }))?.position ?? 0;
}

/** The position of every tenant's last event. */
export function* positions(): Program<ReadonlyMap<string, number>> {
  const rows = yield* all(selectPositions, {});
  return new Map(rows.map((row) => [row.tenant_id, row.position]));
}

/** Gives an event the next position of its tenant and writes it down. */
export function* append(event: NewEvent, at: number): Program<EventFrame> {
  const { tenant_id, event_id, type, room_id, subject_id, sender_id, event_uuid, body } = event;
  const next = yield* one(nextPosition, { tenant_id });
  if (next === undefined)
    throw new Error(`Cannot append an event as tenant "${tenant_id}" does not exist`);
  const row = {
    tenant_id,
    position: next.position,
    event_id,
    type,
    at,
    body_json: JSON.stringify(body),
  };
  yield* one(insertEvent, {
    ...row,
    room_id: room_id ?? null,
    subject_id: subject_id ?? null,
    sender_id: sender_id ?? null,
    event_uuid: event_uuid ?? null,
    restored: event.restored === true ? 1 : null,
  });
  return frameOf(row);
}

/** The event that a sender has already sent to a room under this uuid. */
export function* sentBefore({ event_uuid, ...sent }: Sent): Program<EventFrame | undefined> {
  if (event_uuid === undefined) return undefined;
  const row = yield* one(eventByUuid, { ...sent, event_uuid });
  return row && frameOf(row);
}

/** An event of a tenant, as it is stored. */
export function* findEvent(key: {
  tenant_id: string;
  event_id: string;
}): Program<Tables["events"] | undefined> {
  return yield* one(eventById, key);
}

/** An event as it is told. */
export function frameOf(row: {
  tenant_id: string;
  position: number;
  event_id: string;
  type: string;
  at: number;
  body_json: string;
}): EventFrame {
  return {
    ...JSON.parse(row.body_json),
    type: row.type,
    id: row.event_id,
    tenant_id: row.tenant_id,
    ts: isoOf(row.at),
    stream_position: row.position,
  };
}
