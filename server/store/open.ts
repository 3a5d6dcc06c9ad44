import { DEFAULT_PREFERENCES, type Preferences } from "@porchlight/core";
import { DATABASE_URL_FORMS, readDatabaseUrl, withoutPassword } from "../database-url.ts";
import type { Inspection, Scope, SqlDatabase } from "./database.ts";
import { openDirectRoom } from "./direct-rooms.ts";
import * as documents from "./documents.ts";
import { position, positions, type Told } from "./events.ts";
import { exported } from "./export.ts";
import { eventsAfter } from "./feed.ts";
import * as issued from "./issued-person.ts";
import * as members from "./members.ts";
import * as membership from "./membership.ts";
import * as messages from "./messages.ts";
import { notificationRecords } from "./notification.ts";
import { keep, kept, tenantsOfParticipant, tenantsOfRoom } from "./operation.ts";
import * as people from "./people.ts";
import * as preferences from "./preferences.ts";
import type { Program } from "./query.ts";
import { markRead } from "./read-marker.ts";
import * as reading from "./reading.ts";
import * as removal from "./removal.ts";
import { replay } from "./replay.ts";
import { restore } from "./restore.ts";
import * as roomSettings from "./room-settings.ts";
import { putRoom } from "./rooms.ts";
import { MIGRATIONS } from "./schema.ts";
import * as snoozes from "./snoozes.ts";
import { openSqlite } from "./sqlite.ts";
import { backupSqlite, inspectSqlite } from "./sqlite-file.ts";
import type { Announcement, Store, TokenOwner } from "./store.ts";
import * as tokens from "./tokens.ts";

export type * from "./store.ts";

/** How a store is opened. */
export interface StoreOptions {
  /** `sqlite:` and a file, or `sqlite::memory:`, or the address of a PostgreSQL database. */
  readonly url: string;
  /** Called for each announcement, once it is durable, in the order of positions. */
  readonly announce: (announcement: Announcement) => void;
  /** Names what the store makes; never the same twice. */
  readonly newId: () => string;
  /** The host part of a participant whose body names none. */
  readonly server_name: string;
  /** The document of someone who has set nothing. */
  readonly preferences?: Preferences;
  /** Does the work of one operation, and may note how long it took. */
  readonly timed?:
    | (<T>(operation: "read" | "write", work: () => Promise<T>) => Promise<T>)
    | undefined;
  /** Called with each statement as it is run, values and all: for looking on, never for a log. */
  readonly trace?: ((sql: string) => void) | undefined;
}

/** The version of the tables that this Porchlight writes. */
export const NEWEST_VERSION: number = MIGRATIONS.length;

/**
 * Opens the store behind a URL and brings its tables up to date. Rejects where
 * it cannot, also where a database is only out of reach for now.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { trace, timed } = options;
  const where = read(options.url);
  const db =
    "file" in where
      ? openSqlite(where.file, { trace })
      : await (await postgres()).openPostgres(where.address, { trace });
  return storeOn(timedDatabase(db, timed), options);
}

/**
 * Copies the store behind a URL while others write to it: of one moment, and checked. Answers its size in bytes.
 * @param url of a file: whoever runs PostgreSQL has `pg_dump`.
 * @param into an empty file, in whose place the copy goes; gone if it fails.
 */
export function backupStore(url: string, into: string): number {
  const where = read(url);
  if ("file" in where) return backupSqlite(where.file, into);
  throw new TypeError(`Cannot back up "${withoutPassword(url)}" as it is in no file`);
}

/** Looks at the store behind a URL without changing it. */
export async function inspectStore(url: string): Promise<Inspection> {
  const where = read(url);
  return "file" in where
    ? inspectSqlite(where.file)
    : (await postgres()).inspectPostgres(where.address);
}

/** Whoever has a file starts without it, and sooner. */
function postgres(): Promise<typeof import("./postgres.ts")> {
  return import("./postgres.ts");
}

function read(url: string): NonNullable<ReturnType<typeof readDatabaseUrl>> {
  const where = readDatabaseUrl(url);
  if (where !== undefined) return where;
  throw new TypeError(
    `Cannot open a store at "${withoutPassword(url)}" as it ${DATABASE_URL_FORMS}`,
  );
}

function timedDatabase(db: SqlDatabase, timed: StoreOptions["timed"]): SqlDatabase {
  if (timed === undefined) return db;
  return {
    read<T>(program: Program<T>, key?: string) {
      const known = key === undefined ? undefined : db.known(key);
      if (known !== undefined) return Promise.resolve(known as T);
      return timed("read", () => db.read(program, key));
    },
    known: (key) => db.known(key),
    write: (scope, program, committed) => timed("write", () => db.write(scope, program, committed)),
    snapshot: () => db.snapshot(),
    close: () => db.close(),
  };
}

function storeOn(db: SqlDatabase, options: StoreOptions): Store {
  const { newId, server_name, preferences: defaults = DEFAULT_PREFERENCES } = options;
  const event_id = (): string => `evt-${newId()}`;

  async function told<T>(scope: Scope, program: Program<Told<T>>): Promise<T> {
    const announce = ({ announcements }: Told<T>): void => announcements.forEach(options.announce);
    return (await db.write(scope, program, announce)).value;
  }

  return {
    token: (hash) => db.read(tokens.token(hash), hash),
    knownToken: (hash) => db.known(hash) as TokenOwner | undefined,
    addToken: (token, now) => db.write(token, tokens.addToken(token, now)),
    knownTokens: (token_ids) => db.read(tokens.knownTokens(token_ids)),
    deleteToken: (token_id, tenant_id) => {
      const scope = tenant_id === undefined ? "everything" : { tenant_id };
      return db.write(scope, tokens.deleteToken(token_id, tenant_id));
    },

    recognise: (person) => db.read(issued.recognise(person)),
    admit: (person, now) =>
      told(person, issued.admit(person, { server_name, now, event_id: event_id() })),

    tenantsOf: (kind, id) =>
      db.read(kind === "room" ? tenantsOfRoom(id) : tenantsOfParticipant(id)),
    hasTenant: (tenant_id) => db.read(people.hasTenant(tenant_id)),
    putTenant: (tenant_id, body) => db.write({ tenant_id }, people.putTenant(tenant_id, body)),
    putParticipant: (key, body, now) =>
      told(key, people.putParticipant(key, body, { server_name, now, event_id: event_id() })),
    putRoom: (key, body, now) => told(key, putRoom(key, body, { now, newId })),
    putMember: (key, body, now) => told(key, members.putMember(key, body, { now, newId })),
    putPlan: (key, plan, now) => told(key, documents.putPlan(key, plan, { now, newId })),
    putSidekick: (key, sidekick, now) =>
      told(key, documents.putSidekick(key, sidekick, { now, newId })),
    putCall: (key, call, now) => told(key, documents.putCall(key, call, { now, newId })),
    appendEvent: (key, body, now) => told(key, messages.appendEvent(key, body, { now, newId })),

    send: (key, body, now) => told(key, messages.send(key, body, { now, newId })),
    messages: (key, query) => db.read(messages.messages(key, query)),
    join: (key, now) => told(key, membership.join(key, { now, newId })),
    leave: (key, now) => told(key, membership.leave(key, { now, newId })),
    invite: (key, id, now) => told(key, membership.invite(key, id, { now, newId, defaults })),
    markRead: (key, marker, now) => told(key, markRead(key, marker, { now, newId })),
    setNotificationMode: (key, mode, now) =>
      told(key, roomSettings.setNotificationMode(key, mode, { now, newId })),
    mute: (key, until, now) => told(key, roomSettings.mute(key, until, { now, newId })),
    setEngagement: (key, body, now) =>
      told(key, roomSettings.setEngagement(key, body, { now, newId })),
    setResponseMode: (key, body, now) =>
      told(key, roomSettings.setResponseMode(key, body, { now, newId, defaults })),

    deleteTenant: (tenant_id, now) => db.write({ tenant_id }, removal.deleteTenant(tenant_id, now)),
    deleteParticipant: (key, now) => told(key, removal.deleteParticipant(key, { now, newId })),
    deleteRoom: (key, now) => told(key, removal.deleteRoom(key, { now, newId })),
    deleteMember: (key, now) => told(key, removal.deleteMember(key, { now, newId })),
    deleteDocument: (key, document, now) =>
      told(key, documents.deleteDocument(key, document, { now, newId })),

    restore: (record) => told(record, restore(record)),
    exported: async function* (tenant_id) {
      const snapshot = await db.snapshot();
      try {
        for await (const lines of exported(snapshot.read, tenant_id)) {
          yield lines;
          // A page is read in one go: between two of them the others have their turn.
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        await snapshot.close();
      }
    },

    presenceFacts: () => db.read(people.presenceFacts()),
    presenceFactsOf: (key) => db.read(people.presenceFactsOf(key)),
    setManual: (key, choice, now) => db.write(key, people.setManual(key, choice, now)),

    me: (key) => db.read(people.me(key)),
    updateProfile: (key, patch, now) =>
      told(key, people.updateProfile(key, patch, { now, event_id: event_id() })),
    profile: (key) => db.read(people.profile(key)),
    profiles: (tenant_id, query) => db.read(people.profiles(tenant_id, query)),
    preferences: (key) => db.read(preferences.preferences(key, defaults)),
    editPreferences: (key, device_id, edits, now) =>
      told(
        key,
        preferences.editPreferences(key, device_id, edits, { defaults, now, event_id: event_id() }),
      ),
    updatePreferences: (key, patch, now) =>
      told(key, preferences.updatePreferences(key, patch, { defaults, now, event_id: event_id() })),

    snooze: (key, event_id, until) => db.write(key, snoozes.snooze(key, event_id, until)),
    snoozesOf: (key) => db.read(snoozes.snoozesOf(key)),
    deleteSnooze: (key, event_id) => db.write(key, snoozes.deleteSnooze(key, event_id)),
    fireSnoozes: (now) => told("everything", snoozes.fireSnoozes({ now, newId })),
    notificationRecords: (key, event_id, after) =>
      db.read(notificationRecords(key, event_id, after, defaults)),

    room: (key, viewer, parts) =>
      db.read(
        reading.room(key, viewer, parts),
        JSON.stringify(["room", key.tenant_id, key.room_id, viewer, ...parts]),
      ),
    roomsOf: (key) => db.read(reading.roomsOf(key)),
    standing: (key) => db.read(reading.standing(key)),
    replay: (key, since, options) => db.read(replay(key, since, options)),
    openDirectRoom: (key, other, now) => told(key, openDirectRoom(key, other, { now, newId })),
    position: (tenant_id) => db.read(position(tenant_id)),
    positions: () => db.read(positions()),
    eventsAfter: (tenant_id, after, limit) => db.read(eventsAfter(tenant_id, after, limit)),

    keepDevices: (devices, now) => db.write("everything", keep("devices", devices, now)),
    takeDevices: async () => {
      const found = await db.write("everything", kept("devices"));
      return found && { keptAt: found.kept_at, devices: JSON.parse(found.body_json) };
    },

    ping: async () => {
      await db.read(position(""));
    },
    close: () => db.close(),
  };
}
