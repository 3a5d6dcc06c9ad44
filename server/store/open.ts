import { DEFAULT_PREFERENCES, type Preferences } from "@porchlight/core";
import { openDirectRoom } from "./direct-rooms.ts";
import * as documents from "./documents.ts";
import { position, type Told } from "./events.ts";
import { exported } from "./export.ts";
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
import { openSqlite, type SqlDatabase } from "./sqlite.ts";
import { backupSqlite, type Inspection, inspectSqlite } from "./sqlite-file.ts";
import type { Announcement, Store } from "./store.ts";
import * as tokens from "./tokens.ts";

export type * from "./store.ts";

/** How a store is opened. */
export interface StoreOptions {
  /** `sqlite:` and a file, or `sqlite::memory:`. */
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

/** Opens the store behind a URL and brings its tables up to date. */
export function openStore(options: StoreOptions): Store {
  const db = openSqlite(fileOf(options.url), { trace: options.trace });
  return storeOn(timedDatabase(db, options.timed), options);
}

/**
 * Copies the store behind a URL while others write to it: of one moment, and checked. Answers its size in bytes.
 * @param into an empty file, in whose place the copy goes; gone if it fails.
 */
export function backupStore(url: string, into: string): number {
  return backupSqlite(fileOf(url), into);
}

/** Looks at the store behind a URL without changing it. */
export function inspectStore(url: string): Inspection {
  return inspectSqlite(fileOf(url));
}

function fileOf(url: string): string {
  const file = /^sqlite:(.+)$/.exec(url)?.[1];
  if (file !== undefined) return file;
  throw new TypeError(`Cannot open a store at "${url}" as it must be "sqlite:" and a file`);
}

function timedDatabase(db: SqlDatabase, timed: StoreOptions["timed"]): SqlDatabase {
  if (timed === undefined) return db;
  return {
    read: (program) => timed("read", () => db.read(program)),
    write: (program, committed) => timed("write", () => db.write(program, committed)),
    snapshot: () => db.snapshot(),
    close: () => db.close(),
  };
}

function storeOn(db: SqlDatabase, options: StoreOptions): Store {
  const { newId, server_name, preferences: defaults = DEFAULT_PREFERENCES } = options;
  const event_id = (): string => `evt-${newId()}`;

  async function told<T>(program: Program<Told<T>>): Promise<T> {
    const announce = ({ announcements }: Told<T>): void => announcements.forEach(options.announce);
    return (await db.write(program, announce)).value;
  }

  return {
    token: (hash) => db.read(tokens.token(hash)),
    addToken: (token, now) => db.write(tokens.addToken(token, now)),
    deleteToken: (token_id, tenant_id) => db.write(tokens.deleteToken(token_id, tenant_id)),

    recognise: (person) => db.read(issued.recognise(person)),
    admit: (person, now) => told(issued.admit(person, { server_name, now, event_id: event_id() })),

    tenantsOf: (kind, id) =>
      db.read(kind === "room" ? tenantsOfRoom(id) : tenantsOfParticipant(id)),
    hasTenant: (tenant_id) => db.read(people.hasTenant(tenant_id)),
    putTenant: (tenant_id, body) => db.write(people.putTenant(tenant_id, body)),
    putParticipant: (key, body, now) =>
      told(people.putParticipant(key, body, { server_name, now, event_id: event_id() })),
    putRoom: (key, body, now) => told(putRoom(key, body, { now, newId })),
    putMember: (key, body, now) => told(members.putMember(key, body, { now, newId })),
    putPlan: (key, plan, now) => told(documents.putPlan(key, plan, { now, newId })),
    putSidekick: (key, sidekick, now) => told(documents.putSidekick(key, sidekick, { now, newId })),
    putCall: (key, call, now) => told(documents.putCall(key, call, { now, newId })),
    appendEvent: (key, body, now) => told(messages.appendEvent(key, body, { now, newId })),

    send: (key, body, now) => told(messages.send(key, body, { now, newId })),
    messages: (key, query) => db.read(messages.messages(key, query)),
    join: (key, now) => told(membership.join(key, { now, newId })),
    leave: (key, now) => told(membership.leave(key, { now, newId })),
    invite: (key, id, now) => told(membership.invite(key, id, { now, newId, defaults })),
    markRead: (key, marker, now) => told(markRead(key, marker, { now, newId })),
    setNotificationMode: (key, mode, now) =>
      told(roomSettings.setNotificationMode(key, mode, { now, newId })),
    mute: (key, until, now) => told(roomSettings.mute(key, until, { now, newId })),
    setEngagement: (key, body, now) => told(roomSettings.setEngagement(key, body, { now, newId })),
    setResponseMode: (key, body, now) =>
      told(roomSettings.setResponseMode(key, body, { now, newId, defaults })),

    deleteTenant: (tenant_id, now) => db.write(removal.deleteTenant(tenant_id, now)),
    deleteParticipant: (key, now) => told(removal.deleteParticipant(key, { now, newId })),
    deleteRoom: (key, now) => told(removal.deleteRoom(key, { now, newId })),
    deleteMember: (key, now) => told(removal.deleteMember(key, { now, newId })),
    deleteDocument: (key, document, now) =>
      told(documents.deleteDocument(key, document, { now, newId })),

    restore: (record) => told(restore(record)),
    exported: async function* (tenant_id) {
      const snapshot = db.snapshot();
      try {
        for await (const lines of exported(snapshot.read, tenant_id)) {
          yield lines;
          // A page is read in one go: between two of them the others have their turn.
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        snapshot.close();
      }
    },

    presenceFacts: () => db.read(people.presenceFacts()),
    setManual: (key, choice, now) => db.write(people.setManual(key, choice, now)),

    me: (key) => db.read(people.me(key)),
    updateProfile: (key, patch, now) =>
      told(people.updateProfile(key, patch, { now, event_id: event_id() })),
    profile: (key) => db.read(people.profile(key)),
    profiles: (tenant_id, query) => db.read(people.profiles(tenant_id, query)),
    preferences: (key) => db.read(preferences.preferences(key, defaults)),
    editPreferences: (key, device_id, edits, now) =>
      told(
        preferences.editPreferences(key, device_id, edits, { defaults, now, event_id: event_id() }),
      ),
    updatePreferences: (key, patch, now) =>
      told(preferences.updatePreferences(key, patch, { defaults, now, event_id: event_id() })),

    snooze: (key, event_id, until) => db.write(snoozes.snooze(key, event_id, until)),
    snoozesOf: (key) => db.read(snoozes.snoozesOf(key)),
    deleteSnooze: (key, event_id) => db.write(snoozes.deleteSnooze(key, event_id)),
    fireSnoozes: (now) => told(snoozes.fireSnoozes({ now, newId })),
    notificationRecords: (key, event_id, after) =>
      db.read(notificationRecords(key, event_id, after, defaults)),

    room: (key, viewer, parts) => db.read(reading.room(key, viewer, parts)),
    roomsOf: (key) => db.read(reading.roomsOf(key)),
    standing: (key) => db.read(reading.standing(key)),
    replay: (key, since, options) => db.read(replay(key, since, options)),
    openDirectRoom: (key, other, now) => told(openDirectRoom(key, other, { now, newId })),
    position: (tenant_id) => db.read(position(tenant_id)),

    keepDevices: (devices, now) => db.write(keep("devices", devices, now)),
    takeDevices: async () => {
      const found = await db.write(kept("devices"));
      return found && { keptAt: found.kept_at, devices: JSON.parse(found.body_json) };
    },

    ping: async () => {
      await db.read(position(""));
    },
    close: async () => db.close(),
  };
}
