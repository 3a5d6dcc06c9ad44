/**
 * The rules of presence, typing, room state and preferences.
 *
 * Everything in here is told the time and returns what changed: no clock, no
 * timer, no I/O, no global. The same rules therefore run in a server, a
 * browser and a test, and say the same everywhere.
 *
 * - **Presence.** A {@link PresenceRegister} holds the devices of many people
 *   and answers who is online, idle, busy or offline in whose eyes, and why.
 * - **Typing.** A {@link TypingRegister} holds who types where, until when.
 * - **Both.** A {@link LivenessRegister} holds the two and the rules between
 *   them: whoever appears offline looks like someone who has gone.
 * - **Preferences.** One document, merged key by key, valid leaf by leaf.
 * - **Room state.** {@link roomState} is one room for one viewer.
 * - **Frames.** What is said on the stream, both ways, and how it ends.
 * - **Requests.** {@link parseInput} is the one way in for what others send.
 *
 * @module
 */

export { DeadlineQueue, type Due } from "./deadlines.ts";
export {
  CodedError,
  type CodedErrorOptions,
  ERROR_STATUS,
  type ErrorCode,
  type Fault,
  invalid,
} from "./errors.ts";
export { type FoldViewer, foldFrame } from "./fold.ts";
export {
  type ClientFrame,
  type CloseReason,
  type ErrorFrame,
  type EventFrame,
  type HeartbeatFrame,
  type HelloFrame,
  type PresenceFrame,
  type PresenceSnapshotFrame,
  presenceFrame,
  type ResyncFrame,
  type ServerFrame,
  STREAM_CLOSE,
  type StreamClose,
  type StreamLimits,
  type TypingFrame,
} from "./frames.ts";
export { MAX_DEPTH, MAX_VALUES, parseInput, parseJson, type Schema } from "./input.ts";
export { INDEFINITE_AT, isoOf, isoOrNull } from "./instant.ts";
export type { JsonObject } from "./json.ts";
export { type LivenessChange, LivenessRegister, type Moment } from "./liveness.ts";
export { invitedEngagement, type RoomUse, roomRefusal } from "./membership.ts";
export {
  decideNotification,
  type NotificationDecision,
  type NotificationFacts,
} from "./notification.ts";
export type { PresenceChange } from "./people.ts";
export {
  applyEdits,
  composePreferences,
  DEFAULT_PREFERENCES,
  type EditedPreferences,
  ENGAGEMENT_MODES,
  type EngagementMode,
  LOCALES,
  mergePreferences,
  type PreferenceEdit,
  type PreferenceLeaf,
  type PreferenceRegisters,
  type Preferences,
  type PreferencesPatch,
  patchOf,
  preferenceLeaves,
  preferenceWarnings,
  type QuietHours,
  RESPONSE_MODES,
  type ResponseMode,
  readPreferences,
  writePreferences,
} from "./preferences.ts";
export {
  type Door,
  devicesState,
  effectiveState,
  endOf,
  explainPresence,
  MANUAL_STATES,
  type ManualFacts,
  type ManualState,
  type Person,
  type PresenceReason,
  type PresenceRules,
  type PresenceState,
  type Source,
  type Statement,
  type VisibleState,
  visibleState,
} from "./presence.ts";
export {
  type Activity,
  type Actor,
  MAX_SOURCES,
  type OpenSource,
  PresenceRegister,
  RESERVED_DEVICE_PREFIXES,
  type RememberedPerson,
  restDevice,
  type SourceName,
} from "./presence-register.ts";
export {
  type Me,
  type Profile,
  type ProfilePatch,
  readOnlyFaults,
  writablePart,
} from "./profile.ts";
export { isQuiet } from "./quiet-hours.ts";
export { editedAt, isLater, type Stamp, stampAfter } from "./registers.ts";
export {
  AnyObject,
  CallBody,
  ClientFrameSchema,
  checkLeaves,
  checkSnooze,
  DirectRoomRequest,
  EditsRequest,
  EventBody,
  Heartbeat,
  Id,
  Instant,
  isId,
  MAX_IDS,
  MemberBody,
  ParticipantBody,
  PlanBody,
  PreferencesBody,
  PresenceChoice,
  PresenceQuery,
  ProfileBody,
  ProfilesQuery,
  parseFrame,
  type Redaction,
  RoomBody,
  SidekickBody,
  SnoozeRequest,
  SocketQuery,
  StreamQuery,
  SyncQuery,
  TenantBody,
  TenantQuery,
  TokenBody,
  TypingRequest,
} from "./requests.ts";
export {
  type Call,
  type Engagement,
  engagementOf,
  MEMBERSHIPS,
  type Member,
  type MemberFacts,
  type Membership,
  memberOf,
  membersOf,
  mutedUntil,
  NOTIFICATION_MODES,
  type NotificationMode,
  PARTICIPANT_TYPES,
  type Participant,
  type ParticipantType,
  type Plan,
  type ReadFacts,
  type ReadState,
  ROOM_STATES,
  ROOM_TYPES,
  type Room,
  type RoomFacts,
  type RoomLife,
  type RoomLifecycle,
  type RoomRecord,
  type RoomSettings,
  type RoomState,
  type RoomType,
  readStateOf,
  roomOf,
  roomState,
  type Sidekick,
  settingsOf,
  shownCall,
  shownPlan,
  shownSidekicks,
  type ViewerFacts,
} from "./room-state.ts";
export {
  EngagementRequest,
  InviteRequest,
  type MessageContent,
  MessagesQuery,
  MuteRequest,
  NotificationModeRequest,
  ReadMarkerRequest,
  ResponseModeRequest,
  SendRequest,
} from "./room-writes.ts";
export { SplitMap } from "./split-map.ts";
export { DEFAULT_TIMINGS, type Timings, timingFaults } from "./timings.ts";
export {
  type TypingChange,
  TypingRegister,
  type TypingRules,
  type TypingSignal,
} from "./typing.ts";
