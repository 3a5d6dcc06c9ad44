import { isoOf, isoOrNull } from "./instant.ts";
import type { JsonObject } from "./json.ts";
import type { EngagementMode, ResponseMode } from "./preferences.ts";
import type { PresenceState, VisibleState } from "./presence.ts";

export const ROOM_TYPES = ["group", "dm", "incognito", "sidekick", "public", "bridge"] as const;
export const ROOM_STATES = ["open", "archived", "closed"] as const;
export const MEMBERSHIPS = ["join", "leave", "ban", "invite", "knock"] as const;
export const NOTIFICATION_MODES = ["all", "mentions", "none", "inherit"] as const;
export const PARTICIPANT_TYPES = ["human", "model", "helper"] as const;

export type RoomType = (typeof ROOM_TYPES)[number];
export type RoomLifecycle = (typeof ROOM_STATES)[number];
export type Membership = (typeof MEMBERSHIPS)[number];
export type NotificationMode = (typeof NOTIFICATION_MODES)[number];
/** `model` and `helper` are machines: always online unless set otherwise by hand. */
export type ParticipantType = (typeof PARTICIPANT_TYPES)[number];

/** A participant as everyone in the tenant sees them. */
export interface Participant {
  readonly id: string;
  readonly local_id: string;
  readonly server_name: string;
  readonly display_name: string;
  readonly participant_type: ParticipantType;
  readonly avatar_url: string | null;
}

/** A plan of the host platform. */
export interface Plan extends JsonObject {
  readonly id: string;
  readonly state: "draft" | "running" | "paused" | "done" | "failed" | "cancelled";
}

/** A sidekick task of the host platform. */
export interface Sidekick extends JsonObject {
  readonly task_id: string;
  readonly status: string;
}

/** A call of the host platform; ended once `ended_at` is set. */
export interface Call extends JsonObject {
  readonly call_id: string;
  readonly ended_at: string | null;
}

/** What is stored of a room. Instants are Unix milliseconds. */
export interface RoomFacts {
  readonly id: string;
  readonly name: string | null;
  readonly topic: string | null;
  readonly room_type: RoomType;
  readonly state: RoomLifecycle;
  readonly workspace_id: string | null;
  readonly creator_id: string | null;
  readonly created_at: number;
  readonly is_public: boolean;
  /** How many have joined. */
  readonly member_count: number;
  readonly engagement_mode: EngagementMode;
  /** Room-wide; null until somebody sets it. */
  readonly response_mode: ResponseMode | null;
}

/** What is stored of a membership. Instants are Unix milliseconds. */
export interface MemberFacts {
  readonly membership: Membership;
  readonly power_level: number;
  readonly joined_at: number | null;
  readonly notification_mode: NotificationMode;
  readonly muted_until: number | null;
  readonly response_mode: ResponseMode | null;
  readonly engagement_mode: EngagementMode | null;
  readonly participant: Participant;
}

/** What is stored of one viewer in a room. Instants are Unix milliseconds. */
export interface ViewerFacts {
  readonly participant_id: string;
  readonly participant_type: ParticipantType;
  readonly membership: Membership | undefined;
  readonly notification_mode: NotificationMode;
  readonly muted_until: number | null;
  readonly ai_response_mode: ResponseMode;
}

/** How far a viewer has read. */
export interface ReadFacts {
  readonly unread_count: number;
  readonly last_read_event_id: string | null;
  /** Snoozes that have not fired. */
  readonly snoozed_event_ids: readonly string[];
}

/** A room for one viewer. A direct room carries the other person's display name. */
export interface Room {
  readonly id: string;
  readonly name: string | null;
  readonly topic: string | null;
  readonly room_type: RoomType;
  readonly state: RoomLifecycle;
  readonly workspace_id: string | null;
  readonly creator_id: string | null;
  readonly created_at: string;
  readonly is_public: boolean;
  readonly member_count: number;
}

/** A member for one viewer: private settings are null but in the viewer's own entry. */
export interface Member {
  readonly participant_id: string;
  readonly membership: Membership;
  readonly power_level: number;
  readonly joined_at: string | null;
  readonly notification_mode: NotificationMode | null;
  readonly muted_until: string | null;
  readonly response_mode: ResponseMode | null;
  readonly presence: PresenceState;
  readonly participant: Participant;
}

/** How the AIs of a room take part; `overrides` by participant, null where the room's mode holds. */
export interface Engagement {
  readonly mode: EngagementMode;
  readonly overrides: Readonly<
    Record<
      string,
      { readonly mode: EngagementMode | null; readonly response_mode: ResponseMode | null }
    >
  >;
}

/** The viewer's own settings in a room. */
export interface RoomSettings {
  readonly notification_mode: NotificationMode;
  readonly response_mode: ResponseMode;
}

/** How far the viewer has read, and what they have put off. */
export interface ReadState extends ReadFacts {
  readonly muted_until: string | null;
}

/** Everything one viewer sees of a room, at one position of the stream. */
export interface RoomState extends ReadState {
  readonly room: Room;
  readonly members: readonly Member[];
  readonly engagement: Engagement;
  readonly settings: RoomSettings;
  readonly plan: Plan | null;
  readonly active_sidekicks: readonly Sidekick[];
  readonly active_call: Call | null;
  /** Who types, of those this viewer may see; never the viewer. */
  readonly typing: readonly string[];
  /** Every positioned event above it is not in here, every other one is. */
  readonly stream_position: number;
}

/** A room for one viewer. @param counterpart the display name of the other person of a direct room. */
export function roomOf(
  { engagement_mode: _e, response_mode: _r, ...room }: RoomFacts,
  counterpart: string | undefined,
): Room {
  return {
    ...room,
    name: room.room_type === "dm" ? (counterpart ?? room.name) : room.name,
    created_at: isoOf(room.created_at),
  };
}

/** A membership for one viewer. @param now Unix milliseconds; a mute that has run out reads null. */
export function memberOf(
  member: MemberFacts,
  viewerId: string,
  presence: PresenceState,
  now: number,
): Member {
  const own = member.participant.id === viewerId;
  return {
    participant_id: member.participant.id,
    membership: member.membership,
    power_level: member.power_level,
    joined_at: isoOrNull(member.joined_at),
    notification_mode: own ? member.notification_mode : null,
    muted_until: own ? mutedUntil(member, now) : null,
    response_mode: member.response_mode,
    presence,
    participant: member.participant,
  };
}

/**
 * Joined and invited members for one viewer: by power level (high first), then
 * display name, then id, both compared by UTF-16 code units so that every
 * runtime sorts alike.
 */
export function membersOf(
  members: readonly MemberFacts[],
  viewerId: string,
  presenceOf: (participantId: string) => PresenceState,
  now: number,
): Member[] {
  const shown = members.filter(
    ({ membership }) => membership === "join" || membership === "invite",
  );
  return sortMembers(shown).map((member) =>
    memberOf(member, viewerId, presenceOf(member.participant.id), now),
  );
}

/** How the AIs of a room take part. */
export function engagementOf(room: RoomFacts, members: readonly MemberFacts[]): Engagement {
  const overridden = members.filter(
    ({ membership, engagement_mode, response_mode }) =>
      membership === "join" && (engagement_mode !== null || response_mode !== null),
  );
  return {
    mode: room.engagement_mode,
    overrides: Object.fromEntries(
      overridden.map(({ participant, engagement_mode, response_mode }) => [
        participant.id,
        { mode: engagement_mode, response_mode },
      ]),
    ),
  };
}

/** The viewer's own settings; the response mode is the room's, or else the viewer's preference. */
export function settingsOf(room: RoomFacts, viewer: ViewerFacts): RoomSettings {
  return {
    notification_mode: viewer.notification_mode,
    response_mode: room.response_mode ?? viewer.ai_response_mode,
  };
}

/** How far the viewer has read. @param now Unix milliseconds. */
export function readStateOf(read: ReadFacts, viewer: ViewerFacts, now: number): ReadState {
  return { ...read, muted_until: mutedUntil(viewer, now) };
}

/** The plan, while it is running or paused. */
export function shownPlan(plan: Plan | null | undefined): Plan | null {
  return plan?.state === "running" || plan?.state === "paused" ? plan : null;
}

/** The sidekick tasks that have not come to an end. */
export function shownSidekicks(sidekicks: readonly Sidekick[]): Sidekick[] {
  return sidekicks.filter(({ status }) => !["completed", "failed", "terminated"].includes(status));
}

/** The call, until it has ended. */
export function shownCall(call: Call | null | undefined): Call | null {
  return call?.ended_at === null ? call : null;
}

/** Everything that is stored of a room, read at one position. */
export interface RoomRecord {
  readonly room: RoomFacts;
  /** The display name of the other person of a direct room. */
  readonly counterpart: string | undefined;
  readonly members: readonly MemberFacts[];
  readonly viewer: ViewerFacts;
  readonly read: ReadFacts;
  readonly plan: Plan | undefined;
  readonly sidekicks: readonly Sidekick[];
  readonly call: Call | undefined;
  readonly stream_position: number;
}

/** What is live about a room: presence as others were told, and who types. */
export interface RoomLife {
  readonly presenceOf: (participantId: string) => VisibleState;
  readonly typists: readonly string[];
  /** The viewer's own effective state. */
  readonly own: PresenceState;
}

/** The snapshot of a room for one viewer. @param now Unix milliseconds. */
export function roomState(record: RoomRecord, life: RoomLife, now: number): RoomState {
  const { room, members, viewer, read } = record;
  const self = viewer.participant_id;
  return {
    room: roomOf(room, record.counterpart),
    members: membersOf(members, self, (id) => (id === self ? life.own : life.presenceOf(id)), now),
    engagement: engagementOf(room, members),
    settings: settingsOf(room, viewer),
    plan: shownPlan(record.plan),
    active_sidekicks: shownSidekicks(record.sidekicks),
    active_call: shownCall(record.call),
    ...readStateOf(read, viewer, now),
    typing: life.typists.filter((id) => id !== self),
    stream_position: record.stream_position,
  };
}

/** Members in the order in which a room lists them. */
export function sortMembers<T extends Pick<MemberFacts, "power_level" | "participant">>(
  members: readonly T[],
): T[] {
  return members.toSorted(bySeniority);
}

function bySeniority(
  a: Pick<MemberFacts, "power_level" | "participant">,
  b: Pick<MemberFacts, "power_level" | "participant">,
): number {
  return (
    b.power_level - a.power_level ||
    compareText(a.participant.display_name, b.participant.display_name) ||
    compareText(a.participant.id, b.participant.id)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Until when a room is muted; null once that is past. @param now Unix milliseconds. */
export function mutedUntil(
  { muted_until }: { readonly muted_until: number | null },
  now: number,
): string | null {
  return muted_until === null || muted_until <= now ? null : isoOf(muted_until);
}
