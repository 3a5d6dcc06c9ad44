import { isoOf, isoOrNull } from "@porchlight/core";
import { MESSAGE } from "./events.ts";
import { all, type Program, type Statement, statement } from "./query.ts";
import type { Tables } from "./schema.ts";
import type { ExportLine } from "./store.ts";

/** Rows that are read at once. */
export const PAGE_ROWS = 200;

interface Page {
  readonly tenant_id: string;
  readonly limit: number;
}

const selectParticipants = statement<Page & { after: string }>()((db, p) =>
  db
    .selectFrom("participants")
    .selectAll()
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", ">", p.after)
    .orderBy("participant_id")
    .limit(p.limit),
);

const selectPreferences = statement<Page & { after: string }>()((db, p) =>
  db
    .selectFrom("preferences")
    .selectAll()
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", ">", p.after)
    .orderBy("participant_id")
    .limit(p.limit),
);

const selectOutboxes = statement<Page & { participant_id: string; device_id: string }>()((db, p) =>
  db
    .selectFrom("outboxes")
    .selectAll()
    .where("tenant_id", "=", p.tenant_id)
    .where(({ eb, refTuple, tuple }) =>
      eb(refTuple("participant_id", "device_id"), ">", tuple(p.participant_id, p.device_id)),
    )
    .orderBy("participant_id")
    .orderBy("device_id")
    .limit(p.limit),
);

const selectTokens = statement<Page & { after: string }>()((db, p) =>
  db
    .selectFrom("tokens")
    .selectAll()
    .where("tenant_id", "=", p.tenant_id)
    .where("token_id", ">", p.after)
    .orderBy("token_id")
    .limit(p.limit),
);

const selectRooms = statement<Page & { after: string }>()((db, p) =>
  db
    .selectFrom("rooms")
    .selectAll()
    .where("tenant_id", "=", p.tenant_id)
    .where("room_id", ">", p.after)
    .orderBy("room_id")
    .limit(p.limit),
);

interface AfterMember {
  readonly room_id: string;
  readonly participant_id: string;
}

const selectMembers = statement<Page & AfterMember>()((db, p) =>
  db
    .selectFrom("members")
    .selectAll()
    .where("tenant_id", "=", p.tenant_id)
    .where(({ eb, refTuple, tuple }) =>
      eb(refTuple("room_id", "participant_id"), ">", tuple(p.room_id, p.participant_id)),
    )
    .orderBy("room_id")
    .orderBy("participant_id")
    .limit(p.limit),
);

const selectDocuments = statement<Page & { room_id: string; kind: string; document_id: string }>()(
  (db, p) =>
    db
      .selectFrom("documents")
      .selectAll()
      .where("tenant_id", "=", p.tenant_id)
      .where(({ eb, refTuple, tuple }) =>
        eb(
          refTuple("room_id", "kind", "document_id"),
          ">",
          tuple(p.room_id, p.kind, p.document_id),
        ),
      )
      .orderBy("room_id")
      .orderBy("kind")
      .orderBy("document_id")
      .limit(p.limit),
);

const selectMessages = statement<Page & { position: number; type: string }>()((db, p) =>
  db
    .selectFrom("events")
    .selectAll()
    .where("tenant_id", "=", p.tenant_id)
    .where("position", ">", p.position)
    .where("type", "=", p.type)
    .orderBy("position")
    .limit(p.limit),
);

/** The last message that counts as read is found by its place, as the marker itself may be older or none. */
const selectReadMarkers = statement<Page & AfterMember & { type: string; last: number }>()(
  (db, p) =>
    db
      .selectFrom("members")
      .select(["tenant_id", "room_id", "participant_id", "last_read_event_id"])
      .select(({ selectFrom }) =>
        selectFrom("events")
          .select("events.event_id")
          .whereRef("events.tenant_id", "=", "members.tenant_id")
          .whereRef("events.room_id", "=", "members.room_id")
          .where("events.type", "=", p.type)
          .whereRef("events.position", "<=", "members.read_position")
          .orderBy("events.position", "desc")
          .limit(p.last)
          .as("read_to"),
      )
      .where("tenant_id", "=", p.tenant_id)
      .where(({ eb, refTuple, tuple }) =>
        eb(refTuple("room_id", "participant_id"), ">", tuple(p.room_id, p.participant_id)),
      )
      .orderBy("room_id")
      .orderBy("participant_id")
      .limit(p.limit),
);

const selectSnoozes = statement<Page & { participant_id: string; event_id: string }>()((db, p) =>
  db
    .selectFrom("snoozes")
    .selectAll()
    .where("tenant_id", "=", p.tenant_id)
    .where(({ eb, refTuple, tuple }) =>
      eb(refTuple("participant_id", "event_id"), ">", tuple(p.participant_id, p.event_id)),
    )
    .orderBy("participant_id")
    .orderBy("event_id")
    .limit(p.limit),
);

/** One kind of rows: how a page of them is read, from where on, and what lines a row becomes. */
interface Listing<R, C> {
  readonly select: Statement<Page & C, R>;
  readonly start: C;
  readonly after: (row: R) => C;
  readonly lines: (row: R) => readonly ExportLine[];
}

/** Runs a program in the moment of the export. */
export type Read = <T>(program: Program<T>) => Promise<T>;

/** All rows of a tenant of one kind, a page at a time. */
type Pages = (read: Read, tenant_id: string) => AsyncGenerator<readonly ExportLine[], void>;

const EMPTY = { participant_id: "", room_id: "", device_id: "", event_id: "" };

/** Every kind of rows, in an order in which each line follows those that it stands on. */
export const LISTINGS: readonly Pages[] = [
  pages({
    select: selectParticipants,
    start: { after: "" },
    after: ({ participant_id }) => ({ after: participant_id }),
    lines: participantLines,
  }),
  pages({
    select: selectPreferences,
    start: { after: "" },
    after: ({ participant_id }) => ({ after: participant_id }),
    lines: ({ tenant_id, participant_id, registers_json }) => [
      { type: "preferences", tenant_id, participant_id, registers: JSON.parse(registers_json) },
    ],
  }),
  pages({
    select: selectOutboxes,
    start: EMPTY,
    after: (row) => ({ ...EMPTY, ...row }),
    lines: (row) => [{ type: "outbox", ...row }],
  }),
  pages({
    select: selectTokens,
    start: { after: "" },
    after: ({ token_id }) => ({ after: token_id }),
    lines: ({ created_at, expires_at, ...row }) => [
      { type: "token", ...row, created_at: isoOf(created_at), expires_at: isoOrNull(expires_at) },
    ],
  }),
  pages({
    select: selectRooms,
    start: { after: "" },
    after: ({ room_id }) => ({ after: room_id }),
    lines: roomLines,
  }),
  pages({
    select: selectMembers,
    start: EMPTY,
    after: ({ room_id, participant_id }) => ({ ...EMPTY, room_id, participant_id }),
    lines: ({ read_position: _position, last_read_event_id: _marker, ...row }) => [
      {
        type: "member",
        ...row,
        joined_at: isoOrNull(row.joined_at),
        muted_until: isoOrNull(row.muted_until),
      },
    ],
  }),
  pages({
    select: selectDocuments,
    start: { room_id: "", kind: "", document_id: "" },
    after: ({ room_id, kind, document_id }) => ({ room_id, kind, document_id }),
    lines: ({ tenant_id, room_id, kind, document_id, document_json }) => [
      {
        type: kind,
        tenant_id,
        room_id,
        ...(kind === "sidekick" ? { task_id: document_id } : {}),
        [kind]: JSON.parse(document_json),
      },
    ],
  }),
  pages({
    select: selectMessages,
    start: { position: 0, type: MESSAGE },
    after: ({ position }) => ({ position, type: MESSAGE }),
    lines: messageLines,
  }),
  pages({
    select: selectReadMarkers,
    start: { ...EMPTY, type: MESSAGE, last: 1 },
    after: ({ room_id, participant_id }) => ({
      ...EMPTY,
      room_id,
      participant_id,
      type: MESSAGE,
      last: 1,
    }),
    lines: ({ last_read_event_id: event_id, read_to, ...row }) =>
      read_to === null ? [] : [{ type: "read_marker", ...row, event_id, read_to }],
  }),
  pages({
    select: selectSnoozes,
    start: EMPTY,
    after: ({ participant_id, event_id }) => ({ ...EMPTY, participant_id, event_id }),
    lines: ({ until, fired_at, ...row }) => [
      { type: "snooze", ...row, until: isoOf(until), fired_at: isoOrNull(fired_at) },
    ],
  }),
];

function pages<R, C extends Readonly<Record<string, string | number>>>({
  select,
  start,
  after,
  lines,
}: Listing<R, C>): Pages {
  return async function* (read, tenant_id) {
    for (let place: C | undefined = start; place !== undefined; ) {
      const rows: readonly R[] = await read(all(select, { ...place, tenant_id, limit: PAGE_ROWS }));
      if (rows.length > 0) yield rows.flatMap(lines);
      const last = rows.length < PAGE_ROWS ? undefined : rows.at(-1);
      place = last && after(last);
    }
  };
}

/** The state set by hand is a line of its own: with when and where it was set, which an older choice must not beat. */
function participantLines({
  search: _search,
  roles_json,
  groups_json,
  manual_state: state,
  manual_at: at,
  manual_device_id: device_id,
  ...row
}: Tables["participants"]): ExportLine[] {
  const { tenant_id, participant_id } = row;
  const participant = {
    type: "participant",
    ...row,
    roles: JSON.parse(roles_json),
    groups: JSON.parse(groups_json),
  };
  if (at === 0 && state === null) return [participant];
  return [participant, { type: "presence", tenant_id, participant_id, state, at, device_id }];
}

function roomLines({ member_count: _count, direct_key, ...row }: Tables["rooms"]): ExportLine[] {
  const { tenant_id, room_id } = row;
  const room = {
    type: "room",
    ...row,
    created_at: isoOf(row.created_at),
    is_public: row.is_public !== 0,
  };
  if (direct_key === null) return [room];
  const participant_ids = direct_key.split(" ");
  return [room, { type: "direct", tenant_id, room_id, participant_ids }];
}

function messageLines({
  tenant_id,
  event_id,
  room_id,
  sender_id,
  at,
  body_json,
  event_uuid,
  redacted_at,
}: Tables["events"]): ExportLine[] {
  const { content, redacted_by, redaction_id, reason } = JSON.parse(body_json);
  const redaction =
    redacted_at === null
      ? {}
      : { redacted_at: isoOf(redacted_at), redacted_by, redaction_id, reason };
  return [
    {
      type: "event",
      tenant_id,
      room_id,
      event_id,
      sender_id,
      sent_at: isoOf(at),
      content,
      ...(event_uuid === null ? {} : { event_uuid }),
      ...redaction,
    },
  ];
}
