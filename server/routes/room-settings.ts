import {
  EngagementRequest,
  engagementOf,
  MuteRequest,
  NotificationModeRequest,
  ReadMarkerRequest,
  ResponseModeRequest,
  settingsOf,
} from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import type { Deps } from "../deps.ts";
import { forParticipant, roomIn } from "../endpoint.ts";
import { noSuch } from "../refusals.ts";
import type { PersonKey, RoomKey, RoomReading } from "../store/store.ts";

/** What a member sets in a room: for themselves how far they have read and what to be told of, for everyone how its AIs take part. */
export function roomSettingsRoutes({ shell, store, clock }: Deps): AnyElysia {
  /** The room after a change, for whoever made it. */
  async function after(key: RoomKey & PersonKey): Promise<RoomReading> {
    const reading = await store.room(key, key.participant_id, ["members"]);
    if (reading === undefined) throw noSuch("room");
    return reading;
  }

  return new Elysia()
    .put(
      "/v1/rooms/:room_id/read-marker",
      forParticipant(shell, { body: ReadMarkerRequest }, async (call) => ({
        data: await store.markRead(roomIn(call), call.body, clock.wall()),
      })),
    )
    .put(
      "/v1/rooms/:room_id/notification-mode",
      forParticipant(shell, { body: NotificationModeRequest }, async (call) => ({
        data: await store.setNotificationMode(roomIn(call), call.body.mode, clock.wall()),
      })),
    )
    .put(
      "/v1/rooms/:room_id/mute",
      forParticipant(shell, { body: MuteRequest }, async (call) => ({
        data: await store.mute(roomIn(call), call.body.until, clock.wall()),
      })),
    )
    .put(
      "/v1/rooms/:room_id/ai/engagement",
      forParticipant(shell, { body: EngagementRequest }, async (call) => {
        await store.setEngagement(roomIn(call), call.body, clock.wall());
        const { room, members } = await after(roomIn(call));
        return { data: engagementOf(room, members) };
      }),
    )
    .put(
      "/v1/rooms/:room_id/ai/response-mode",
      forParticipant(shell, { body: ResponseModeRequest }, async (call) => {
        await store.setResponseMode(roomIn(call), call.body, clock.wall());
        const { room, viewer, members } = await after(roomIn(call));
        return {
          data: { settings: settingsOf(room, viewer), engagement: engagementOf(room, members) },
        };
      }),
    );
}
