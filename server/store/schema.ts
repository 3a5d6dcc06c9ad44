import type { Kysely } from "kysely";

/**
 * The tables. Instants are Unix milliseconds, flags 0 or 1, columns named
 * `…_json` hold JSON. Every row belongs to a tenant.
 */
export interface Tables {
  tenants: {
    tenant_id: string;
    slug: string;
    name: string;
    features_json: string;
    /** The position of the tenant's last event. */
    position: number;
    /** Who could see what is not known of events up to this position: they are older than the notes of it. */
    unreplayable: number;
  };
  participants: {
    tenant_id: string;
    participant_id: string;
    local_id: string;
    server_name: string;
    display_name: string;
    participant_type: string;
    avatar_url: string | null;
    bio: string | null;
    email: string | null;
    personal_workspace_id: string | null;
    roles_json: string;
    groups_json: string;
    /** The state set by hand, or null for automatic. */
    manual_state: string | null;
    /** When it was set, and by which device: empty for a plain request. */
    manual_at: number;
    manual_device_id: string;
    /** What `GET /v1/profiles?q=` looks through, in lower case. */
    search: string;
  };
  preferences: { tenant_id: string; participant_id: string; registers_json: string };
  /** How far the edits of each device have been looked at. */
  outboxes: { tenant_id: string; participant_id: string; device_id: string; applied_seq: number };
  rooms: {
    tenant_id: string;
    room_id: string;
    name: string | null;
    topic: string | null;
    room_type: string;
    state: string;
    workspace_id: string | null;
    creator_id: string | null;
    created_at: number;
    is_public: number;
    engagement_mode: string;
    response_mode: string | null;
    /** How many have joined: kept here so that a keystroke need not count. */
    member_count: number;
    /** Both ids of a direct room in order, so that there is one for each pair. */
    direct_key: string | null;
  };
  members: {
    tenant_id: string;
    room_id: string;
    participant_id: string;
    membership: string;
    power_level: number;
    joined_at: number | null;
    notification_mode: string;
    muted_until: number | null;
    response_mode: string | null;
    engagement_mode: string | null;
    /** Messages above it are unread: that of the read marker, or of the last join. */
    read_position: number;
    last_read_event_id: string | null;
  };
  events: {
    tenant_id: string;
    position: number;
    event_id: string;
    room_id: string | null;
    /** Who may see it besides those who have joined the room. */
    subject_id: string | null;
    sender_id: string | null;
    type: string;
    at: number;
    /** What the frame says besides id, type, tenant, instant and position. */
    body_json: string;
    event_uuid: string | null;
    redacted_at: number | null;
    /** 1 for a message that was sent elsewhere, and long ago; null for one that was sent here. */
    restored: number | null;
  };
  /** When who has been in a room: from the event of the join to that of the end, both included. Null while it lasts. */
  stays: {
    tenant_id: string;
    participant_id: string;
    room_id: string;
    from_position: number;
    to_position: number | null;
  };
  documents: {
    tenant_id: string;
    room_id: string;
    kind: string;
    document_id: string;
    document_json: string;
  };
  snoozes: {
    tenant_id: string;
    participant_id: string;
    event_id: string;
    room_id: string;
    until: number;
    fired_at: number | null;
  };
  tokens: {
    token_id: string;
    /** SHA-256 of the token in hexadecimal; the token itself is stored nowhere. */
    hash: string;
    tenant_id: string;
    participant_id: string;
    label: string | null;
    created_at: number;
    expires_at: number | null;
  };
  kept: { name: string; kept_at: number; body_json: string };
}

type Builder = Kysely<Tables>["schema"];

/** Every step from an empty file to the present tables. Only ever appended to: a step that was released never changes. */
export const MIGRATIONS: readonly ((
  schema: Builder,
) => { compile(): { readonly sql: string } }[])[] = [
  (schema) => [
    schema
      .createTable("tenants")
      .addColumn("tenant_id", "text", (column) => column.primaryKey())
      .addColumn("slug", "text", (column) => column.notNull())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("features_json", "text", (column) => column.notNull())
      .addColumn("position", "bigint", (column) => column.notNull()),
    schema
      .createTable("participants")
      .addColumn("tenant_id", "text", (column) => column.notNull())
      .addColumn("participant_id", "text", (column) => column.notNull())
      .addColumn("local_id", "text", (column) => column.notNull())
      .addColumn("server_name", "text", (column) => column.notNull())
      .addColumn("display_name", "text", (column) => column.notNull())
      .addColumn("participant_type", "text", (column) => column.notNull())
      .addColumn("avatar_url", "text")
      .addColumn("bio", "text")
      .addColumn("email", "text")
      .addColumn("personal_workspace_id", "text")
      .addColumn("roles_json", "text", (column) => column.notNull())
      .addColumn("groups_json", "text", (column) => column.notNull())
      .addColumn("manual_state", "text")
      .addColumn("manual_at", "bigint", (column) => column.notNull())
      .addColumn("search", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("participants_key", ["tenant_id", "participant_id"]),
    schema
      .createIndex("participants_by_name")
      .on("participants")
      .columns(["tenant_id", "display_name", "participant_id"]),
    schema.createIndex("participants_by_id").on("participants").columns(["participant_id"]),
    schema
      .createTable("preferences")
      .addColumn("tenant_id", "text", (column) => column.notNull())
      .addColumn("participant_id", "text", (column) => column.notNull())
      .addColumn("registers_json", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("preferences_key", ["tenant_id", "participant_id"]),
    schema
      .createTable("rooms")
      .addColumn("tenant_id", "text", (column) => column.notNull())
      .addColumn("room_id", "text", (column) => column.notNull())
      .addColumn("name", "text")
      .addColumn("topic", "text")
      .addColumn("room_type", "text", (column) => column.notNull())
      .addColumn("state", "text", (column) => column.notNull())
      .addColumn("workspace_id", "text")
      .addColumn("creator_id", "text")
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("is_public", "integer", (column) => column.notNull())
      .addColumn("engagement_mode", "text", (column) => column.notNull())
      .addColumn("response_mode", "text")
      .addColumn("member_count", "integer", (column) => column.notNull())
      .addColumn("direct_key", "text")
      .addPrimaryKeyConstraint("rooms_key", ["tenant_id", "room_id"])
      .addUniqueConstraint("rooms_direct", ["tenant_id", "direct_key"]),
    schema.createIndex("rooms_by_id").on("rooms").columns(["room_id"]),
    schema
      .createTable("members")
      .addColumn("tenant_id", "text", (column) => column.notNull())
      .addColumn("room_id", "text", (column) => column.notNull())
      .addColumn("participant_id", "text", (column) => column.notNull())
      .addColumn("membership", "text", (column) => column.notNull())
      .addColumn("power_level", "integer", (column) => column.notNull())
      .addColumn("joined_at", "bigint")
      .addColumn("notification_mode", "text", (column) => column.notNull())
      .addColumn("muted_until", "bigint")
      .addColumn("response_mode", "text")
      .addColumn("engagement_mode", "text")
      .addColumn("read_position", "bigint", (column) => column.notNull())
      .addColumn("last_read_event_id", "text")
      .addPrimaryKeyConstraint("members_key", ["tenant_id", "room_id", "participant_id"]),
    schema
      .createIndex("members_by_participant")
      .on("members")
      .columns(["tenant_id", "participant_id", "membership", "room_id"]),
    schema
      .createTable("events")
      .addColumn("tenant_id", "text", (column) => column.notNull())
      .addColumn("position", "bigint", (column) => column.notNull())
      .addColumn("event_id", "text", (column) => column.notNull())
      .addColumn("room_id", "text")
      .addColumn("sender_id", "text")
      .addColumn("type", "text", (column) => column.notNull())
      .addColumn("at", "bigint", (column) => column.notNull())
      .addColumn("body_json", "text", (column) => column.notNull())
      .addColumn("event_uuid", "text")
      .addColumn("redacted_at", "bigint")
      .addPrimaryKeyConstraint("events_key", ["tenant_id", "position"])
      .addUniqueConstraint("events_id", ["tenant_id", "event_id"])
      .addUniqueConstraint("events_uuid", ["tenant_id", "room_id", "sender_id", "event_uuid"]),
    schema
      .createIndex("events_of_room")
      .on("events")
      .columns(["tenant_id", "room_id", "type", "position"]),
    schema
      .createTable("documents")
      .addColumn("tenant_id", "text", (column) => column.notNull())
      .addColumn("room_id", "text", (column) => column.notNull())
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("document_id", "text", (column) => column.notNull())
      .addColumn("document_json", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("documents_key", ["tenant_id", "room_id", "kind", "document_id"]),
    schema
      .createTable("snoozes")
      .addColumn("tenant_id", "text", (column) => column.notNull())
      .addColumn("participant_id", "text", (column) => column.notNull())
      .addColumn("event_id", "text", (column) => column.notNull())
      .addColumn("room_id", "text", (column) => column.notNull())
      .addColumn("until", "bigint", (column) => column.notNull())
      .addColumn("fired_at", "bigint")
      .addPrimaryKeyConstraint("snoozes_key", ["tenant_id", "participant_id", "event_id"]),
    schema
      .createIndex("snoozes_of_room")
      .on("snoozes")
      .columns(["tenant_id", "participant_id", "room_id"]),
    schema
      .createTable("tokens")
      .addColumn("token_id", "text", (column) => column.primaryKey())
      .addColumn("hash", "text", (column) => column.notNull().unique())
      .addColumn("tenant_id", "text", (column) => column.notNull())
      .addColumn("participant_id", "text", (column) => column.notNull())
      .addColumn("label", "text")
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("expires_at", "bigint"),
    schema
      .createTable("kept")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("kept_at", "bigint", (column) => column.notNull())
      .addColumn("body_json", "text", (column) => column.notNull()),
  ],
  (schema) => [
    schema
      .alterTable("participants")
      .addColumn("manual_device_id", "text", (column) => column.notNull().defaultTo("")),
    schema
      .createTable("outboxes")
      .addColumn("tenant_id", "text", (column) => column.notNull())
      .addColumn("participant_id", "text", (column) => column.notNull())
      .addColumn("device_id", "text", (column) => column.notNull())
      .addColumn("applied_seq", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("outboxes_key", ["tenant_id", "participant_id", "device_id"]),
  ],
  (schema) => [
    schema
      .createIndex("snoozes_due")
      .on("snoozes")
      .columns(["until", "fired_at"])
      .where("fired_at", "is", null),
  ],
  (schema) => [
    schema.alterTable("events").addColumn("subject_id", "text"),
    schema
      .alterTable("tenants")
      .addColumn("unreplayable", "bigint", (column) => column.notNull().defaultTo(0)),
    schema
      .createTable("stays")
      .addColumn("tenant_id", "text", (column) => column.notNull())
      .addColumn("participant_id", "text", (column) => column.notNull())
      .addColumn("room_id", "text", (column) => column.notNull())
      .addColumn("from_position", "bigint", (column) => column.notNull())
      .addColumn("to_position", "bigint")
      .addPrimaryKeyConstraint("stays_key", [
        "tenant_id",
        "participant_id",
        "room_id",
        "from_position",
      ]),
    written("update tenants set unreplayable = position"),
    written(
      "insert into stays (tenant_id, participant_id, room_id, from_position) select members.tenant_id, participant_id, room_id, position from members join tenants on tenants.tenant_id = members.tenant_id where membership = 'join'",
    ),
  ],
  (schema) => [schema.alterTable("events").addColumn("restored", "integer")],
];

/** A step in SQL that every database understands. */
function written(sql: string): { compile(): { readonly sql: string } } {
  return { compile: () => ({ sql }) };
}
