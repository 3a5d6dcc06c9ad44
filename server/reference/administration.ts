import * as administration from "../answers/administration.ts";
import * as people from "../answers/people.ts";
import * as rooms from "../answers/rooms.ts";
import { data, type Entry, IN_TENANT } from "./entry.ts";

/** What the host platform and administrators do. */
export const ADMINISTRATION: Readonly<Record<string, Entry>> = {
  "PUT /v1/admin/tenants/:tenant_id": {
    does: "adds or changes a tenant: `slug`, `name`, `features`",
    answers: data(people.Tenant),
    refuses: ["SW_TENANT_NOT_FOUND"],
  },
  "PUT /v1/admin/participants/:participant_id": {
    does: "adds or changes a participant: `tenant_id`, `display_name`, `participant_type` (`human`, `model`, `helper`), `presence`, and the rest of the profile",
    answers: data(people.ProfileAnswer),
    refuses: IN_TENANT,
  },
  "PUT /v1/admin/rooms/:room_id": {
    does: "adds or changes a room: `tenant_id`, `name`, `topic`, `room_type`, `state`, `is_public`, `creator_id`, `workspace_id`, `created_at`, `engagement_mode`, `response_mode`",
    answers: data(rooms.RoomAnswer),
    refuses: IN_TENANT,
  },
  "PUT /v1/admin/rooms/:room_id/members/:participant_id": {
    does: "adds or changes a membership: `membership`, `power_level`, `joined_at`, `notification_mode`, `muted_until`, `response_mode`, `engagement_mode`",
    answers: data(rooms.MemberAnswer),
    refuses: IN_TENANT,
  },
  "PUT /v1/admin/rooms/:room_id/plan": {
    does: "the host platform's plan, further keys kept",
    answers: data(rooms.PlanAnswer),
    refuses: IN_TENANT,
  },
  "PUT /v1/admin/rooms/:room_id/call": {
    does: "the host platform's call, further keys kept",
    answers: data(rooms.CallAnswer),
    refuses: IN_TENANT,
  },
  "PUT /v1/admin/rooms/:room_id/sidekicks/:task_id": {
    does: "one of the host platform's sidekick tasks, further keys kept",
    answers: data(rooms.SidekickAnswer),
    refuses: IN_TENANT,
  },
  "POST /v1/admin/rooms/:room_id/events": {
    does: 'sends a message: `sender_id`, `content`, `event_uuid`?; with `"type": "swp.room.redaction"` and the content `{"redacts", "reason"?}` it takes one back',
    answers: data(rooms.EventAnswer),
    refuses: [...IN_TENANT, "SW_NOT_MEMBER", "SW_EVENT_NOT_FOUND"],
  },
  "POST /v1/admin/tokens": {
    does: 'makes a token for `{"participant_id", "label"?, "expires_at"?}`, shown once',
    answers: data(administration.NewToken),
    refuses: [...IN_TENANT, "SW_NOT_FOUND"],
  },
  "DELETE /v1/admin/tokens/:token_id": {
    does: "revokes a token and closes its sockets",
    answers: data(administration.DeletedToken),
  },
  "DELETE /v1/admin/tenants/:tenant_id": {
    does: "ends a tenant with all that it has; for the admin token alone",
    answers: data(administration.TenantId),
    refuses: ["SW_TENANT_NOT_FOUND"],
  },
  "DELETE /v1/admin/participants/:participant_id": {
    does: "ends a person, who leaves every room; what they have sent stays",
    answers: data(administration.ParticipantId),
    refuses: IN_TENANT,
  },
  "DELETE /v1/admin/rooms/:room_id": {
    does: "ends a room with all that it has; those in it hear that it is closed",
    answers: data(administration.RoomId),
    refuses: IN_TENANT,
  },
  "DELETE /v1/admin/rooms/:room_id/members/:participant_id": {
    does: "ends a membership, told as if they had left",
    answers: data(administration.MemberId),
    refuses: IN_TENANT,
  },
  "DELETE /v1/admin/rooms/:room_id/plan": {
    does: "takes the plan away",
    answers: data(administration.RoomId),
    refuses: [...IN_TENANT, "SW_NOT_FOUND"],
  },
  "DELETE /v1/admin/rooms/:room_id/call": {
    does: "takes the call away",
    answers: data(administration.RoomId),
    refuses: [...IN_TENANT, "SW_NOT_FOUND"],
  },
  "DELETE /v1/admin/rooms/:room_id/sidekicks/:task_id": {
    does: "takes a sidekick task away, told as terminated",
    answers: data(administration.TaskId),
    refuses: IN_TENANT,
  },
  "POST /v1/admin/import": {
    does: 'takes up lines of JSON, as many as there are: see "Moving data"',
    more: "Lines are applied in order, each whole or not at all, and read at that pace. The report has a line for each that is refused, some on the way that say how far it has come, and at last one with `data`.",
    takes: administration.Line,
    answers: { lines: administration.ReportLine },
    refuses: ["SW_TENANT_NOT_FOUND", "SW_UNSUPPORTED_MEDIA_TYPE"],
  },
  "GET /v1/admin/export": {
    does: "everything durable as lines of JSON",
    more: "It is of one moment, and can be imported as it is.",
    answers: { lines: administration.Line },
    refuses: ["SW_TENANT_NOT_FOUND"],
  },
};
