import * as z from "zod/mini";
import { Age } from "../answers/presence.ts";
import * as rooms from "../answers/rooms.ts";
import { ACTORS, data, type Entry, MEMBERS } from "./entry.ts";

/** Rooms, what is said there, and what people set for themselves. */
export const ROOMS: Readonly<Record<string, Entry>> = {
  "GET /v1/rooms": {
    does: "the rooms you have joined, with unread counts",
    answers: data(rooms.Rooms),
  },
  "GET /v1/rooms/:room_id/state": {
    does: "everything you see of a room, at one position",
    more: "Open the stream first, then take the snapshot, and drop events at or below its `stream_position`: nothing is missed and nothing doubled.",
    answers: data(rooms.RoomStateAnswer, Age),
    refuses: MEMBERS,
  },
  "GET /v1/rooms/:room_id": {
    does: "a room you have joined",
    answers: data(rooms.RoomAnswer),
    refuses: MEMBERS,
  },
  "GET /v1/rooms/:room_id/members": {
    does: "who has joined or is invited",
    answers: data(z.array(rooms.MemberAnswer), Age),
    refuses: MEMBERS,
  },
  "GET /v1/rooms/:room_id/ai/engagement": {
    does: "how AIs take part",
    answers: data(rooms.EngagementAnswer, Age),
    refuses: MEMBERS,
  },
  "GET /v1/rooms/:room_id/plan": {
    does: "the plan, while it runs or is paused",
    answers: data(z.nullable(rooms.PlanAnswer)),
    refuses: MEMBERS,
  },
  "GET /v1/rooms/:room_id/sidekicks": {
    does: "sidekick tasks that have not ended",
    answers: data(z.array(rooms.SidekickAnswer)),
    refuses: MEMBERS,
  },
  "GET /v1/rooms/:room_id/call": {
    does: "the call, until it ends",
    answers: data(z.nullable(rooms.CallAnswer)),
    refuses: MEMBERS,
  },
  "GET /v1/rooms/:room_id/read-state": {
    does: "how far you have read, your mute, snoozes and settings",
    answers: data(rooms.ReadStateAnswer),
    refuses: MEMBERS,
  },
  "POST /v1/rooms/dm": {
    does: 'the direct room with `{"participant_id"}`, opened if there is none',
    answers: data(rooms.RoomAnswer),
    refuses: ["SW_NOT_FOUND"],
  },
  "POST /v1/messages/:event_id/snooze": {
    does: 'puts a message of a room that you have joined off `{"until"}` a time, ten years ahead at most; again, sets the time anew',
    answers: data(rooms.SnoozeAnswer),
    refuses: MEMBERS,
  },
  "GET /v1/me/snoozes": {
    does: "what you have put off, by time; what has fired stays, with `fired_at`",
    answers: data(z.array(rooms.SnoozeAnswer)),
  },
  "DELETE /v1/me/snoozes/:event_id": {
    does: "forgets a snooze",
    answers: data(rooms.DeletedSnooze),
  },
  "PUT /v1/rooms/:room_id/read-marker": {
    does: 'says how far you have read: `{"event_id", "force"?}`, back only by `force`',
    more: "A marker that does not move is answered as it is. Only your own devices are told.",
    answers: data(rooms.ReadMarkerAnswer),
    refuses: [...MEMBERS, "SW_EVENT_NOT_FOUND"],
  },
  "PUT /v1/rooms/:room_id/notification-mode": {
    does: 'what to notify you of: `{"mode"}` is `all`, `mentions`, `none`, or `inherit` from your preferences',
    answers: data(rooms.NotificationModeAnswer),
    refuses: MEMBERS,
  },
  "PUT /v1/rooms/:room_id/mute": {
    does: 'mutes the room for you: `{"until"}` is an instant, `"indefinite"`, or null',
    answers: data(rooms.MuteAnswer),
    refuses: MEMBERS,
  },
  "PUT /v1/rooms/:room_id/ai/engagement": {
    does: 'sets when the AIs take part, or one of them: `{"mode", "participant_id"?}`; null for one leaves it to the room',
    answers: data(rooms.EngagementAnswer),
    refuses: [...ACTORS, "SW_NOT_FOUND"],
  },
  "PUT /v1/rooms/:room_id/ai/response-mode": {
    does: 'sets how one AI answers or, with null, all of them, and your own preference: `{"mode", "participant_id"}`',
    answers: data(rooms.ResponseModeAnswer),
    refuses: [...ACTORS, "SW_NOT_FOUND"],
  },
  "POST /v1/rooms/:room_id/send": {
    does: 'sends `{"content": {"msgtype", "body", "mentions"?, …}, "event_uuid"?}`, once under the same uuid',
    answers: data(rooms.EventAnswer),
    refuses: ACTORS,
  },
  "GET /v1/rooms/:room_id/messages": {
    does: "what was said, by `limit` (50, at most 200), `from` (a position, left out) and `direction` (`backward` or `forward`); `meta.next_from` is where the next page begins",
    more: "What was taken back has an empty content.",
    answers: data(z.array(rooms.EventAnswer), rooms.MessagesPage),
    refuses: MEMBERS,
  },
  "POST /v1/rooms/:room_id/invite": {
    does: 'invites `{"participant_id"}`',
    answers: data(rooms.MemberAnswer),
    refuses: [...ACTORS, "SW_NOT_FOUND"],
  },
  "POST /v1/rooms/:room_id/join": {
    does: "joins a room that is public, or to which you are invited",
    answers: data(rooms.MemberAnswer),
    refuses: ACTORS,
  },
  "POST /v1/rooms/:room_id/leave": {
    does: "leaves it, or declines",
    answers: data(rooms.MemberAnswer),
    refuses: MEMBERS,
  },
};
