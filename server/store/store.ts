import type {
  Call,
  EditedPreferences,
  EngagementRequest,
  EventBody,
  EventFrame,
  JsonObject,
  ManualState,
  Me,
  MemberBody,
  MemberFacts,
  MessagesQuery,
  NotificationFacts,
  NotificationMode,
  ParticipantBody,
  Plan,
  PreferenceEdit,
  PreferenceRegisters,
  Preferences,
  PreferencesPatch,
  Profile,
  ProfilePatch,
  ProfilesQuery,
  ReadFacts,
  ReadMarkerRequest,
  RememberedPerson,
  ResponseModeRequest,
  RoomBody,
  RoomFacts,
  SendRequest,
  Sidekick,
  TenantBody,
  TokenBody,
  ViewerFacts,
} from "@porchlight/core";

/** A participant of a tenant. Every fact belongs to a tenant; nothing crosses. */
export interface PersonKey {
  readonly tenant_id: string;
  readonly participant_id: string;
}

/** What names a person among those of all tenants: ids have no slash. */
export function nameOfPerson({ tenant_id, participant_id }: PersonKey): string {
  return `${tenant_id}/${participant_id}`;
}

/** A room of a tenant. */
export interface RoomKey {
  readonly tenant_id: string;
  readonly room_id: string;
}

/** Whom a token stands for. Instants are Unix milliseconds. */
export interface TokenOwner extends PersonKey {
  readonly token_id: string;
  readonly expires_at: number | undefined;
  readonly roles: readonly string[];
}

/** Whom an issuer speaks of: who they are, what they may do, and how to call someone new. */
export interface IssuedPerson extends PersonKey {
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly display_name: string | undefined;
  readonly email: string | null | undefined;
}

/** What presence has to know of a person before it says anything of them. */
export interface PresenceFacts extends PersonKey {
  readonly manual: ManualState | undefined;
  /** When that was chosen, in Unix milliseconds; 0 for who never chose. */
  readonly manual_at: number;
  readonly alwaysOnline: boolean;
}

/**
 * Something durable that others are to hear of: a frame, and for whom it is.
 * `room`: those joined, and `also`, who may not be. `tenant`: everyone in it.
 * `person`: that person's own devices; such frames carry no position.
 */
export interface Announcement {
  readonly frame: EventFrame;
  readonly to:
    | { readonly room_id: string; readonly also: readonly string[] }
    | { readonly participant_id: string }
    | "tenant";
  /** True of a message that was sent elsewhere, and long ago: it is told, and interrupts nobody. */
  readonly restored?: boolean;
}

/** What was announced of what happened in a tenant after a position. */
export interface Feed {
  /** In order. */
  readonly announcements: readonly Announcement[];
  /** Everything up to this position is in `announcements`, or there is nothing to tell of it. */
  readonly position: number;
}

/** What a person could see of what happened after a position. */
export interface Replayed {
  /** Whether it cannot be told: what is asked for is too old, or has not happened. */
  readonly isGap: boolean;
  /** In order; none after a gap. */
  readonly events: readonly EventFrame[];
  /** Everything up to this position is in `events`, or was not for this person. */
  readonly cursor: number;
  /** The position of the tenant's last event. */
  readonly position: number;
  /** The ids of the rooms that the person has joined at `position`; empty while `cursor` is below it. */
  readonly rooms: readonly string[];
}

/** The parts of a room that a reader may ask for; what was not asked for is empty, and everything for who has not joined. */
export type RoomPart = "members" | "read" | "plan" | "sidekicks" | "call";

/** What is stored of a room for one viewer, all at one position. */
export interface RoomReading {
  readonly room: RoomFacts;
  readonly viewer: ViewerFacts;
  /** By id. */
  readonly members: readonly MemberFacts[];
  /** The display name of the other person of a direct room, also once they have left. */
  readonly counterpart: string | undefined;
  readonly read: ReadFacts;
  readonly plan: Plan | undefined;
  readonly sidekicks: readonly Sidekick[];
  readonly call: Call | undefined;
  readonly stream_position: number;
}

/** How far somebody has read a room. */
export type ReadMarker = Pick<ReadFacts, "last_read_event_id" | "unread_count">;

/** Some messages of a room, in the order that was asked for. */
export interface MessagePage {
  readonly events: readonly EventFrame[];
  /** Where the next page begins; null where there is none. */
  readonly next_from: number | null;
}

/** One of the caller's rooms in a list. */
export interface RoomListing {
  readonly room: RoomFacts;
  readonly counterpart: string | undefined;
  readonly unread_count: number;
}

/** A message that a person has put off. Instants are Unix milliseconds. */
export interface Snooze {
  readonly event_id: string;
  readonly room_id: string;
  readonly until: number;
  /** When it fired, or null before it has. */
  readonly fired_at: number | null;
}

/** What decides whether a message notifies one of those who have joined its room. Preferences are parsed when they are asked for. */
export type NotificationRecord = Omit<NotificationFacts, "event" | "preferences"> & {
  readonly preferences: () => Preferences;
};

/** Some of the members of a room, and after whom the others come. */
export interface NotificationShare {
  readonly records: readonly NotificationRecord[];
  readonly next: string | undefined;
}

/** A document of the host platform in a room. Only sidekick tasks have a `document_id`; of the others there is one. */
export interface DocumentName {
  readonly kind: "plan" | "call" | "sidekick";
  readonly document_id: string;
}

/** What an export has beyond the bodies of the admin API. Instants are Unix milliseconds. */
export type Restored =
  | ({ readonly type: "token"; readonly hash: string; readonly created_at: number } & PersonKey &
      Pick<TokenBody, "label" | "expires_at"> & { readonly token_id: string })
  | ({ readonly type: "preferences"; readonly registers: PreferenceRegisters } & PersonKey)
  | ({
      readonly type: "outbox";
      readonly device_id: string;
      readonly applied_seq: number;
    } & PersonKey)
  /** Whose direct room it is, also when they have left it. */
  | ({ readonly type: "direct"; readonly participant_ids: readonly [string, string] } & RoomKey)
  /** A message as it was sent, whether its sender is still there or not. Of a redacted one the content is not kept. */
  | ({
      readonly type: "event";
      readonly event_id: string;
      readonly sender_id: string;
      readonly content: JsonObject;
      readonly sent_at: number;
      readonly event_uuid?: string | undefined;
      readonly redacted_at?: number | null | undefined;
      readonly redacted_by?: string | undefined;
      readonly redaction_id?: string | undefined;
      readonly reason?: string | undefined;
    } & RoomKey)
  /** How far somebody has read: the marker they see, and the last message that counts as read. */
  | ({
      readonly type: "read_marker";
      readonly event_id: string | null;
      readonly read_to: string | null;
    } & RoomKey &
      PersonKey)
  | ({
      readonly type: "snooze";
      readonly event_id: string;
      readonly until: number;
      readonly fired_at: number | null;
    } & RoomKey &
      PersonKey);

/** A line of an export: an object with its `type`, ids and facts, instants in ISO 8601. */
export interface ExportLine extends JsonObject {
  readonly type: string;
}

/** What is stored of a person for their own eyes: {@link Me} without what is live. */
export type StoredMe = Omit<Me, "presence" | "fqid"> & { readonly server_name: string };

/**
 * The durable facts.
 *
 * - What a write answers with success MUST survive the death of the process.
 * - A write MUST take effect whole or not at all, and MUST NOT undo another's.
 * - Positions MUST be given per tenant without gaps or repeats, in the order of commits.
 * - `announce` MUST be called once for each announcement, after it is durable, in the order of positions, and before the write is answered. It must not throw.
 * - A read MUST see one moment: everything up to its position and nothing above.
 * - No operation MUST see or touch another tenant's rows.
 * - A refusal is a `CodedError`; out of reach is `SW_UNAVAILABLE`. Nothing is written then.
 *
 * Texts have no U+0000, which PostgreSQL cannot hold: core lets none in.
 *
 * `now` is Unix milliseconds. Absent keys of a body keep what is stored, or
 * take the default of a new row.
 */
export interface Store {
  /** Whom the token with this SHA-256 (hexadecimal) stands for, expired or not. */
  token(hash: string): Promise<TokenOwner | undefined>;
  /** What {@link token} would answer, where that is known without asking. */
  knownToken(hash: string): TokenOwner | undefined;
  /** Remembers a token by its hash. The participant MUST exist, else `SW_NOT_FOUND`. */
  addToken(
    token: { token_id: string; hash: string } & PersonKey & Pick<TokenBody, "label" | "expires_at">,
    now: number,
  ): Promise<void>;
  /** Forgets a token, of `tenant_id` only if one is given. Answers whose it was, if there was one. */
  deleteToken(token_id: string, tenant_id: string | undefined): Promise<PersonKey | undefined>;
  /** Which of these tokens there are, expired or not; to be asked of a few hundred at once. */
  knownTokens(token_ids: readonly string[]): Promise<ReadonlySet<string>>;

  /** Whether a participant is stored: `known` with just these roles and groups, in any order, `changed` with others. */
  recognise(person: IssuedPerson): Promise<"known" | "changed" | "unknown">;
  /**
   * Sees to it that a participant is stored with these roles and groups. Someone new is added, once, and the
   * tenant told, with `SW_TENANT_NOT_FOUND` where there is none; of anyone else nothing but those two changes.
   */
  admit(person: IssuedPerson, now: number): Promise<void>;

  /** The tenants in which an id names something: at most two, for two are already too many to choose from. */
  tenantsOf(kind: "participant" | "room", id: string): Promise<readonly string[]>;
  /** Whether a tenant exists. */
  hasTenant(tenant_id: string): Promise<boolean>;
  putTenant(tenant_id: string, body: TenantBody): Promise<Me["tenant"]>;
  /** Adds or changes a participant; answers what presence has to know. */
  putParticipant(key: PersonKey, body: ParticipantBody, now: number): Promise<PresenceFacts>;
  putRoom(key: RoomKey, body: RoomBody, now: number): Promise<RoomFacts>;
  /**
   * Adds or changes a membership. A direct room gains nobody, also after its two have left: a third
   * member is `SW_VALIDATION`. Its memberships begin with notifications about `all`, others with `inherit`.
   */
  putMember(key: RoomKey & PersonKey, body: MemberBody, now: number): Promise<MemberFacts>;
  putPlan(key: RoomKey, plan: Plan, now: number): Promise<void>;
  putSidekick(key: RoomKey, sidekick: Sidekick, now: number): Promise<void>;
  putCall(key: RoomKey, call: Call, now: number): Promise<void>;
  /**
   * Appends an event; the same `event_uuid` of the same sender in the same room answers the first one again.
   * A redaction MUST name a message of the room, else `SW_EVENT_NOT_FOUND`, of which nothing is kept but who
   * sent it and when; a second one answers the first again.
   */
  appendEvent(key: RoomKey, body: EventBody, now: number): Promise<EventFrame>;

  /**
   * Removes a tenant with all that it has. `SW_TENANT_NOT_FOUND` where there is none. Its positions MUST NOT
   * be given again: one of the same id goes on above them, and what it was asked of before is a gap.
   */
  deleteTenant(tenant_id: string, now: number): Promise<void>;
  /** Removes a person, who leaves every room; what they have sent stays. The tenant is told. */
  deleteParticipant(key: PersonKey, now: number): Promise<void>;
  /** Removes a room with all that it has. Those in it are told that it is closed, and that is all that is left. */
  deleteRoom(key: RoomKey, now: number): Promise<void>;
  /** Removes a membership, told as if its person had left. */
  deleteMember(key: RoomKey & PersonKey, now: number): Promise<void>;
  deleteDocument(key: RoomKey, document: DocumentName, now: number): Promise<void>;

  /**
   * Takes up a line of an export that no request can write. What is there already, or was written later,
   * stands: taking a line up again changes nothing.
   */
  restore(record: Restored): Promise<void>;
  /**
   * Everything durable of one tenant, or of all: in pages of lines, each line after those that it stands on.
   * It is of one moment, that of the first page, while others go on writing. MUST be run to its end or returned.
   */
  exported(tenant_id: string | undefined): AsyncGenerator<readonly ExportLine[], void>;

  // What a member does in a room. The person of the key acts; whom the room does not let is
  // refused as `roomRefusal` in core says, in the same transaction. Done again, it changes nothing.

  /** Sends a message of the person's own, once under the same `event_uuid`. */
  send(key: RoomKey & PersonKey, body: SendRequest, now: number): Promise<EventFrame>;
  /** What was said in a room, since its beginning; what was taken back has an empty content. */
  messages(key: RoomKey & PersonKey, query: MessagesQuery): Promise<MessagePage>;
  join(key: RoomKey & PersonKey, now: number): Promise<MemberFacts>;
  leave(key: RoomKey & PersonKey, now: number): Promise<MemberFacts>;
  /**
   * Invites a participant, who MUST exist, else `SW_NOT_FOUND`, and not be banned, else `SW_ROOM_FORBIDDEN`.
   * An AI that is new in the room takes part as `invitedEngagement` in core says.
   */
  invite(key: RoomKey & PersonKey, participant_id: string, now: number): Promise<MemberFacts>;
  /** Moves the read marker to an event of the room, else `SW_EVENT_NOT_FOUND`; tells the person's own devices alone. */
  markRead(key: RoomKey & PersonKey, marker: ReadMarkerRequest, now: number): Promise<ReadMarker>;
  /** Sets what to be notified of; tells the person's own devices alone. */
  setNotificationMode(
    key: RoomKey & PersonKey,
    mode: NotificationMode,
    now: number,
  ): Promise<{ readonly notification_mode: NotificationMode }>;
  /** Mutes the room until an instant, or unmutes it; tells the person's own devices alone. */
  mute(
    key: RoomKey & PersonKey,
    until: number | null,
    now: number,
  ): Promise<{ readonly muted_until: string | null }>;
  /** Sets how the room's AIs take part, or one that is in the room. Tells the room. */
  setEngagement(key: RoomKey & PersonKey, body: EngagementRequest, now: number): Promise<void>;
  /** Sets how the room's AIs answer, and with it the person's own preference; or how one that is in the room does. Tells the room. */
  setResponseMode(key: RoomKey & PersonKey, body: ResponseModeRequest, now: number): Promise<void>;

  /** Everyone of whom presence has to know something although they have no device. */
  presenceFacts(): Promise<readonly PresenceFacts[]>;
  /** What presence has to know of one person, whoever they are; `undefined` when the tenant has no such person. */
  presenceFactsOf(key: PersonKey): Promise<PresenceFacts | undefined>;
  /**
   * Sets the state by hand, or back to automatic with `undefined`; answers whether it stands, and when the
   * choice that now stands was made, in Unix milliseconds. A choice made offline, by a device at an instant,
   * stands unless a later one is there; any other always does, and counts as later than what it replaces.
   */
  setManual(
    key: PersonKey,
    choice: {
      manual: ManualState | undefined;
      made?: { at: number; device_id: string } | undefined;
    },
    now: number,
  ): Promise<{ readonly stands: boolean; readonly at: number }>;

  me(key: PersonKey): Promise<StoredMe | undefined>;
  /** Changes a profile and tells the tenant, if anything differs. */
  updateProfile(key: PersonKey, patch: ProfilePatch, now: number): Promise<void>;
  profile(key: PersonKey): Promise<Profile | undefined>;
  /** By display name, then id; `q` is looked for in names and local ids, without regard to case. */
  profiles(tenant_id: string, query: ProfilesQuery): Promise<readonly Profile[]>;
  preferences(key: PersonKey): Promise<Preferences>;
  /** Merges a patch and tells the person's own devices. Answers the whole document. */
  updatePreferences(key: PersonKey, patch: PreferencesPatch, now: number): Promise<Preferences>;

  /**
   * Applies what a device changed while it could not send, in the order of `seq` and each edit once, and
   * tells the person's own devices. Answers the whole document, and what a later write had overtaken.
   */
  editPreferences(
    key: PersonKey,
    device_id: string,
    edits: readonly PreferenceEdit[],
    now: number,
  ): Promise<{ preferences: Preferences } & Omit<EditedPreferences, "registers">>;

  /**
   * Puts a message off until an instant; one that is put off already, or has fired, anew. Tells nobody.
   * `SW_EVENT_NOT_FOUND` unless the tenant has such a message, `SW_NOT_MEMBER` unless its room is
   * joined, `SW_VALIDATION` for a person's 1,001st.
   */
  snooze(key: PersonKey, event_id: string, until: number): Promise<Snooze>;
  /** A person's snoozes, those that have fired among them: by `until`, then event. */
  snoozesOf(key: PersonKey): Promise<readonly Snooze[]>;
  /** Forgets a snooze and tells nobody; `SW_EVENT_NOT_FOUND` when there is none. */
  deleteSnooze(key: PersonKey, event_id: string): Promise<void>;
  /**
   * Marks snoozes whose time has come, in all tenants, and tells the person's own devices of those whose
   * room is joined: each fires once, whoever else calls this. Answers when the next is due; that is by
   * `now` where more were due than one call fires.
   */
  fireSnoozes(now: number): Promise<number | undefined>;
  /**
   * What decides whom a message notifies: those who have joined the room, by id, beginning after the
   * id `after` (`""` for all), a share at a time; `next` is where the next share begins, if there is one.
   */
  notificationRecords(key: RoomKey, event_id: string, after: string): Promise<NotificationShare>;

  /**
   * A room for a viewer, with the parts asked for. `undefined` when the tenant has no such room. It may be, and have,
   * the same objects as before where nothing has changed: nobody may change them.
   */
  room(key: RoomKey, viewer: string, parts: readonly RoomPart[]): Promise<RoomReading | undefined>;
  /** The rooms that a person has joined, by id. */
  roomsOf(key: PersonKey): Promise<readonly RoomListing[]>;
  /** The ids of the rooms that a person has joined, in order, and the position at which that is so. */
  standing(
    key: PersonKey,
  ): Promise<{ readonly rooms: readonly string[]; readonly position: number }>;
  /**
   * The direct room of two people, opened if there is none; whoever has left it is back, if `roomRefusal` in
   * core lets them join. `SW_NOT_FOUND` when the other does not exist.
   */
  openDirectRoom(key: PersonKey, other: string, now: number): Promise<string>;
  /**
   * What a person may see of what happened after `since`, at most `limit` events, as many as `maxBytes`
   * of them hold but always one if there is one, and not necessarily to the end: until `cursor` is `position`, there may be more. Of a room these are the events of the
   * person's stays in it, their first and last ones included, and those about the person. A `since` more
   * than `retained` below the tenant's position, or above it, is a gap.
   */
  replay(
    key: PersonKey,
    since: number,
    options: {
      readonly limit: number;
      readonly retained: number;
      /** Any number by default. */
      readonly maxBytes?: number;
    },
  ): Promise<Replayed>;
  /** The position of a tenant's last event; 0 before the first. */
  position(tenant_id: string): Promise<number>;
  /** The position of the last event of every tenant, all of one moment. */
  positions(): Promise<ReadonlyMap<string, number>>;
  /**
   * What was announced of a tenant's events above the position `after`, at most `limit` of them, as it was
   * announced: for whoever shares the database and did not write it. Of a message that was taken back since
   * the content is gone; what a room had that was removed since is not there.
   */
  eventsAfter(tenant_id: string, after: number, limit: number): Promise<Feed>;

  /** Writes down the devices for an orderly restart, in place of what was written before. */
  keepDevices(
    devices: Readonly<Record<string, readonly RememberedPerson[]>>,
    now: number,
  ): Promise<void>;
  /** Takes what was written down, once: the next call finds nothing. */
  takeDevices(): Promise<
    { keptAt: number; devices: Readonly<Record<string, readonly RememberedPerson[]>> } | undefined
  >;

  /** Resolves when the store can be reached; throws `SW_UNAVAILABLE` when not. */
  ping(): Promise<void>;
  /** Finishes what was begun, then closes. Safe to call twice. */
  close(): Promise<void>;
}
