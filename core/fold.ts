import type { ServerFrame } from "./frames.ts";
import type { JsonObject } from "./json.ts";
import type { EngagementMode, ResponseMode } from "./preferences.ts";
import type { PresenceState } from "./presence.ts";
import {
  type Call,
  type Engagement,
  type Member,
  type Participant,
  type Plan,
  type RoomState,
  type Sidekick,
  shownCall,
  shownPlan,
  shownSidekicks,
  sortMembers,
} from "./room-state.ts";

/** In whose eyes a room is folded. */
export interface FoldViewer {
  readonly participant_id: string;
  /** What the viewer was told of somebody who was not in the room before. */
  readonly presenceOf: (participantId: string) => PresenceState;
}

/** How the AIs of a room take part now, or one of them. */
interface Engaged {
  readonly mode: EngagementMode;
  readonly participant_id: string | null;
  readonly response_mode?: ResponseMode | null;
}

type EventFold = (state: RoomState, frame: JsonObject, viewer: FoldViewer) => RoomState;

/** What each event of a room changes in it, as far as the event says so. */
const EVENT_FOLDS: ReadonlyMap<string, EventFold> = new Map<string, EventFold>([
  ["swp.room.message", foldMessage],
  ["swp.room.member", foldMember],
  ["swp.room.name", foldName],
  ["swp.room.topic", (state, { topic }) => withRoom(state, { topic })],
  ["swp.room.state", (state, { state: lifecycle }) => withRoom(state, { state: lifecycle })],
  ["swp.room.ai_engagement", foldEngagement],
  ["swp.plan.updated", (state, { plan }) => ({ ...state, plan: shownPlan(plan as Plan | null) })],
  [
    "swp.call.state",
    (state, { call }) => ({ ...state, active_call: shownCall(call as Call | null) }),
  ],
  ["swp.sidekick.spawned", foldSidekick],
  ["swp.sidekick.result", foldSidekick],
  ["swp.sidekick.cancel", foldSidekick],
]);

/**
 * A room after a frame of the stream: what a new snapshot would show. A frame
 * at or below the snapshot's position is in it already and changes nothing, so
 * that a stream opened before the snapshot was taken neither misses nor
 * doubles anything. Answers the same object when nothing changes.
 *
 * What a frame does not say only a new snapshot can: take one after the
 * viewer's own `swp.room.member`, a redaction, an `ai_engagement` whose
 * `response_mode` is null, and what is the viewer's own (`read_marker`,
 * `notification_mode`, `mute`, `snooze.fired`, `me.preferences`). The client
 * does so.
 */
export function foldFrame(state: RoomState, frame: ServerFrame, viewer: FoldViewer): RoomState {
  if (frame.type === "presence") return foldPresence(state, frame);
  if (frame.type === "typing") return foldTyping(state, frame, viewer);
  if (!("stream_position" in frame) || frame.type === "hello" || frame.type === "resync")
    return state;
  const stream_position = frame.stream_position ?? 0;
  if (stream_position <= state.stream_position) return state;
  const after =
    frame.type === "swp.participant.profile"
      ? foldProfile(state, frame, viewer)
      : foldEvent(state, frame, viewer);
  return { ...after, stream_position };
}

function foldEvent(state: RoomState, frame: JsonObject, viewer: FoldViewer): RoomState {
  if (frame.room_id !== state.room.id) return state;
  return EVENT_FOLDS.get(String(frame.type))?.(state, frame, viewer) ?? state;
}

function foldPresence(
  state: RoomState,
  { participant_id, state: presence }: { participant_id: string; state: PresenceState },
): RoomState {
  const told = state.members.find((member) => member.participant_id === participant_id);
  if (told === undefined || told.presence === presence) return state;
  return {
    ...state,
    members: state.members.map((member) => (member === told ? { ...member, presence } : member)),
  };
}

function foldTyping(
  state: RoomState,
  frame: { room_id: string; participant_id: string; typing: boolean },
  viewer: FoldViewer,
): RoomState {
  const { room_id, participant_id, typing } = frame;
  const isShown = state.typing.includes(participant_id);
  if (room_id !== state.room.id || participant_id === viewer.participant_id || typing === isShown)
    return state;
  return {
    ...state,
    typing: typing ? [...state.typing, participant_id] : without(state.typing, participant_id),
  };
}

function foldMessage(state: RoomState, { sender_id }: JsonObject, viewer: FoldViewer): RoomState {
  return sender_id === viewer.participant_id
    ? state
    : { ...state, unread_count: state.unread_count + 1 };
}

/** A direct room has no name of its own: it goes by the other person's. */
function foldName(state: RoomState, { name }: JsonObject): RoomState {
  return state.room.room_type === "dm" ? state : withRoom(state, { name });
}

/** What the server says of a room has the types of a room. */
function withRoom(state: RoomState, said: JsonObject): RoomState {
  return { ...state, room: { ...state.room, ...said } };
}

function foldMember(state: RoomState, frame: JsonObject, viewer: FoldViewer): RoomState {
  // What the server says of a member has the types of one.
  const { member, engagement_mode } = frame as unknown as {
    member: Member;
    engagement_mode: EngagementMode | null;
  };
  const { participant_id, membership } = member;
  const joined = membership === "join";
  const known = state.members.find((each) => each.participant_id === participant_id);
  const others = state.members.filter((each) => each !== known);
  const presence = known?.presence ?? viewer.presenceOf(participant_id);
  const { notification_mode = null, muted_until = null } = known ?? {};
  const own = { ...member, presence, notification_mode, muted_until };
  const members = joined || membership === "invite" ? sortMembers([...others, own]) : others;
  const member_count = members.filter((each) => each.membership === "join").length;
  const typing = joined ? state.typing : without(state.typing, participant_id);
  const after = { ...state, members, typing, room: { ...state.room, member_count } };
  const override = joined
    ? { mode: engagement_mode, response_mode: member.response_mode }
    : undefined;
  return foldOverride(after, participant_id, override);
}

/** What is set for one AI shows as long as it has joined and anything is set. */
function foldOverride(
  state: RoomState,
  participant_id: string,
  override: Engagement["overrides"][string] | undefined,
): RoomState {
  const { overrides: before } = state.engagement;
  const others = Object.entries(before).filter(([id]) => id !== participant_id);
  const isSet =
    override !== undefined && (override.mode !== null || override.response_mode !== null);
  const overrides = Object.fromEntries(isSet ? [...others, [participant_id, override]] : others);
  return { ...state, engagement: { ...state.engagement, overrides } };
}

/**
 * Of a single AI the member's own frame has said it already. Where the room has
 * no response mode, each viewer's own holds, of which the frame knows nothing.
 */
function foldEngagement(state: RoomState, frame: JsonObject): RoomState {
  // What the server says of a room has the types of one.
  const { mode, participant_id, response_mode } = frame as unknown as Engaged;
  if (participant_id !== null) return state;
  return {
    ...state,
    engagement: { ...state.engagement, mode },
    settings: response_mode ? { ...state.settings, response_mode } : state.settings,
  };
}

function foldSidekick(state: RoomState, { sidekick: said }: JsonObject): RoomState {
  const sidekick = said as Sidekick;
  const others = state.active_sidekicks.filter(({ task_id }) => task_id !== sidekick.task_id);
  const active = shownSidekicks([...others, sidekick]).sort((a, b) =>
    a.task_id < b.task_id ? -1 : 1,
  );
  return { ...state, active_sidekicks: active };
}

function foldProfile(state: RoomState, frame: JsonObject, viewer: FoldViewer): RoomState {
  const participant = frame.participant as Participant;
  const isThere = state.members.some(({ participant_id }) => participant_id === participant.id);
  if (!isThere) return state;
  const members = state.members.map((member) =>
    member.participant_id === participant.id ? { ...member, participant } : member,
  );
  const isOther = state.room.room_type === "dm" && participant.id !== viewer.participant_id;
  const room = isOther ? { ...state.room, name: participant.display_name } : state.room;
  return { ...state, room, members: sortMembers(members) };
}

function without(list: readonly string[], item: string): string[] {
  return list.filter((each) => each !== item);
}
