import {
  type Call,
  type Engagement,
  type EventFrame,
  MEMBERSHIPS,
  type Member,
  NOTIFICATION_MODES,
  type Plan,
  type ReadState,
  ROOM_STATES,
  ROOM_TYPES,
  type Room,
  type RoomSettings,
  type RoomState,
  type Schema,
  type Sidekick,
} from "@porchlight/core";
import * as z from "zod/mini";
import { ParticipantAnswer } from "./people.ts";
import {
  count,
  described,
  engagementMode,
  id,
  instant,
  named,
  presenceState,
  responseMode,
} from "./words.ts";

const { nullable } = z;

const room = {
  id,
  name: nullable(z.string()),
  topic: nullable(z.string()),
  room_type: z.enum(ROOM_TYPES),
  state: z.enum(ROOM_STATES),
  workspace_id: nullable(z.string()),
  creator_id: nullable(z.string()),
  created_at: instant,
  is_public: z.boolean(),
  member_count: count,
};

/** A room for one viewer. */
export const RoomAnswer: Schema<Room> = named("Room", z.strictObject(room));

/** The caller's rooms. */
export const Rooms = z.array(z.strictObject({ ...room, unread_count: count }));

/** A member for one viewer. */
export const MemberAnswer: Schema<Member> = named(
  "Member",
  z.strictObject({
    participant_id: id,
    membership: z.enum(MEMBERSHIPS),
    power_level: z.int(),
    joined_at: nullable(instant),
    notification_mode: described(
      nullable(z.enum(NOTIFICATION_MODES)),
      "null but in the viewer's own entry",
    ),
    muted_until: described(nullable(instant), "null but in the viewer's own entry"),
    response_mode: nullable(responseMode),
    presence: presenceState,
    participant: ParticipantAnswer,
  }),
);

/** How the AIs of a room take part. */
export const EngagementAnswer: Schema<Engagement> = named(
  "Engagement",
  z.strictObject({
    mode: engagementMode,
    overrides: z.record(
      z.string(),
      z.strictObject({
        mode: nullable(engagementMode),
        response_mode: nullable(responseMode),
      }),
    ),
  }),
);

/** A plan of the host platform; further keys are passed on. */
export const PlanAnswer: Schema<Plan> = named(
  "Plan",
  z.looseObject({
    id,
    state: z.enum(["draft", "running", "paused", "done", "failed", "cancelled"]),
  }),
);

/** A sidekick task of the host platform; further keys are passed on. */
export const SidekickAnswer: Schema<Sidekick> = named(
  "Sidekick",
  z.looseObject({ task_id: id, status: z.string() }),
);

/** A call of the host platform; further keys are passed on. */
export const CallAnswer: Schema<Call> = named(
  "Call",
  z.looseObject({ call_id: id, ended_at: nullable(z.string()) }),
);

const settings: Schema<RoomSettings> = named(
  "RoomSettings",
  z.strictObject({ notification_mode: z.enum(NOTIFICATION_MODES), response_mode: responseMode }),
);

const read = {
  unread_count: count,
  last_read_event_id: nullable(z.string()),
  snoozed_event_ids: z.array(z.string()),
  muted_until: nullable(instant),
};

/** How far the viewer has read, and their settings. */
export const ReadStateAnswer: Schema<ReadState & { settings: RoomSettings }> = z.strictObject({
  settings,
  ...read,
});

/** Everything one viewer sees of a room, at one position of the stream. */
export const RoomStateAnswer: Schema<RoomState> = named(
  "RoomState",
  z.strictObject({
    room: RoomAnswer,
    members: z.array(MemberAnswer),
    engagement: EngagementAnswer,
    settings,
    plan: nullable(PlanAnswer),
    active_sidekicks: z.array(SidekickAnswer),
    active_call: nullable(CallAnswer),
    ...read,
    typing: z.array(id),
    stream_position: count,
  }),
);

/** A durable event, as on the stream; what it says further depends on its type. */
export const EventAnswer: Schema<EventFrame> = named(
  "Event",
  z.looseObject({
    type: z.string().check(z.regex(/^swp\./)) as unknown as Schema<`swp.${string}`>,
    id,
    tenant_id: id,
    ts: instant,
    stream_position: z.exactOptional(count),
  }),
);

/** A message that is put off. */
export const SnoozeAnswer = named(
  "Snooze",
  z.strictObject({
    event_id: id,
    room_id: id,
    until: instant,
    fired_at: described(nullable(instant), "null until it has come back"),
  }),
);

/** A message that is not put off any more. */
export const DeletedSnooze = z.strictObject({ event_id: id });

/** How far somebody has read. */
export const ReadMarkerAnswer = z.strictObject({
  last_read_event_id: nullable(id),
  unread_count: count,
});

/** What somebody is to be told of in a room. */
export const NotificationModeAnswer = z.strictObject({
  notification_mode: z.enum(NOTIFICATION_MODES),
});

/** Until when a room is mute for somebody. */
export const MuteAnswer = z.strictObject({ muted_until: nullable(instant) });

/** How the AIs of a room answer, and take part. */
export const ResponseModeAnswer = z.strictObject({ settings, engagement: EngagementAnswer });

/** A part of what was said. */
export const MessagesPage = z.strictObject({
  next_from: described(nullable(count), "where the next page begins; null where there is none"),
});

/** What happened after a position. */
export const SyncAnswer = z.strictObject({
  events: z.array(EventAnswer),
  next_cursor: described(count, "where to go on"),
  has_more: z.boolean(),
  resync: z.exactOptional(
    described(z.literal(true), "there is a gap that cannot be told: read anew"),
  ),
});
