import { InviteRequest, type MemberFacts, memberOf } from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import type { Caller } from "../auth.ts";
import type { Deps } from "../deps.ts";
import { type Answer, forParticipant, roomIn } from "../endpoint.ts";

/** Who comes into a room and who goes: each answers the membership as it then is. */
export function membershipRoutes({ shell, store, liveness, clock }: Deps): AnyElysia {
  function shown(caller: Caller, member: MemberFacts): Answer {
    const state = liveness.stateFor(caller, member.participant.id);
    return { data: memberOf(member, caller.participant_id, state, clock.wall()) };
  }

  return new Elysia()
    .post(
      "/v1/rooms/:room_id/invite",
      forParticipant(shell, { body: InviteRequest }, async (call) => {
        const { participant_id } = call.body;
        return shown(call.caller, await store.invite(roomIn(call), participant_id, clock.wall()));
      }),
    )
    .post(
      "/v1/rooms/:room_id/join",
      forParticipant(shell, {}, async (call) =>
        shown(call.caller, await store.join(roomIn(call), clock.wall())),
      ),
    )
    .post(
      "/v1/rooms/:room_id/leave",
      forParticipant(shell, {}, async (call) =>
        shown(call.caller, await store.leave(roomIn(call), clock.wall())),
      ),
    );
}
