import {
  DirectRoomRequest,
  engagementOf,
  ProfilesQuery,
  readStateOf,
  roomOf,
  roomRefusal,
  settingsOf,
  shownCall,
  shownPlan,
  shownSidekicks,
} from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import type { Caller } from "../auth.ts";
import type { Deps } from "../deps.ts";
import { type Answer, ageOf, type Call, forParticipant, type ReadyAnswer } from "../endpoint.ts";
import { noSuch, roomError } from "../refusals.ts";
import { type LifeNow, RoomTexts } from "../room-text.ts";
import type { RoomPart, RoomReading } from "../store/store.ts";

const EVERYTHING: readonly RoomPart[] = ["members", "read", "plan", "sidekicks", "call"];

/** Rooms as their members see them: whole, in parts, and listed; and the people one can meet there. */
export function roomRoutes({ shell, store, liveness, clock }: Deps): AnyElysia {
  const texts = new RoomTexts();

  function lifeIn({ room }: RoomReading, viewer: Caller): LifeNow {
    return liveness.lifeOf({ tenant_id: viewer.tenant_id, room_id: room.id }, viewer);
  }

  /** An endpoint that shows something of a room to those who have joined it. */
  function part(
    parts: readonly RoomPart[],
    show: (reading: RoomReading, viewer: Caller) => Answer | ReadyAnswer,
  ) {
    return forParticipant(
      shell,
      {},
      async ({ caller, params }: Call<Caller, undefined, undefined>) => {
        const key = { tenant_id: caller.tenant_id, room_id: params.room_id ?? "" };
        const reading = await store.room(key, caller.participant_id, parts);
        if (reading === undefined) throw noSuch("room");
        const refused = roomRefusal(reading.room, reading.viewer, "look");
        if (refused !== undefined) throw roomError(refused);
        const shown = show(reading, caller);
        // Of members it is said who is there.
        return parts.includes("members") ? { ...shown, meta: ageOf(shell) } : shown;
      },
    );
  }

  return new Elysia()
    .get(
      "/v1/rooms",
      forParticipant(shell, {}, async ({ caller }) => {
        const rooms = await store.roomsOf(caller);
        return {
          data: rooms.map(({ room, counterpart, unread_count }) => ({
            ...roomOf(room, counterpart),
            unread_count,
          })),
        };
      }),
    )
    .get(
      "/v1/rooms/:room_id/state",
      part(EVERYTHING, (reading, caller) =>
        texts.state(reading, lifeIn(reading, caller), clock.wall()),
      ),
    )
    .get(
      "/v1/rooms/:room_id",
      part([], ({ room, counterpart }) => ({ data: roomOf(room, counterpart) })),
    )
    .get(
      "/v1/rooms/:room_id/members",
      part(["members"], (reading, caller) =>
        texts.members(reading, lifeIn(reading, caller), clock.wall()),
      ),
    )
    .get(
      "/v1/rooms/:room_id/ai/engagement",
      part(["members"], ({ room, members }) => ({ data: engagementOf(room, members) })),
    )
    .get(
      "/v1/rooms/:room_id/plan",
      part(["plan"], ({ plan }) => ({ data: shownPlan(plan) })),
    )
    .get(
      "/v1/rooms/:room_id/sidekicks",
      part(["sidekicks"], ({ sidekicks }) => ({ data: shownSidekicks(sidekicks) })),
    )
    .get(
      "/v1/rooms/:room_id/call",
      part(["call"], ({ call }) => ({ data: shownCall(call) })),
    )
    .get(
      "/v1/rooms/:room_id/read-state",
      part(["read"], ({ room, viewer, read }) => ({
        data: { settings: settingsOf(room, viewer), ...readStateOf(read, viewer, clock.wall()) },
      })),
    )
    .post(
      "/v1/rooms/dm",
      forParticipant(shell, { body: DirectRoomRequest }, async ({ caller, body }) => {
        const room_id = await store.openDirectRoom(caller, body.participant_id, clock.wall());
        const reading = await store.room(
          { tenant_id: caller.tenant_id, room_id },
          caller.participant_id,
          [],
        );
        if (reading === undefined) throw noSuch("room");
        return { data: roomOf(reading.room, reading.counterpart) };
      }),
    )
    .get(
      "/v1/profiles",
      forParticipant(shell, { query: ProfilesQuery }, async ({ caller, query }) => ({
        data: await store.profiles(caller.tenant_id, query),
        meta: { limit: query.limit, offset: query.offset },
      })),
    )
    .get(
      "/v1/profiles/:participant_id",
      forParticipant(shell, {}, async ({ caller, params }) => {
        const profile = await store.profile({
          tenant_id: caller.tenant_id,
          participant_id: params.participant_id ?? "",
        });
        if (profile === undefined) throw noSuch("participant");
        return { data: profile };
      }),
    );
}
