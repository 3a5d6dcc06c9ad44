import { MessagesQuery, SendRequest } from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import type { Deps } from "../deps.ts";
import { forParticipant, roomIn } from "../endpoint.ts";

/** What is said in a room. */
export function messageRoutes({ shell, store, clock }: Deps): AnyElysia {
  return new Elysia()
    .post(
      "/v1/rooms/:room_id/send",
      forParticipant(shell, { body: SendRequest }, async (call) => ({
        data: await store.send(roomIn(call), call.body, clock.wall()),
      })),
    )
    .get(
      "/v1/rooms/:room_id/messages",
      forParticipant(shell, { query: MessagesQuery }, async (call) => {
        const { events, next_from } = await store.messages(roomIn(call), call.query);
        return { data: events, meta: { next_from } };
      }),
    );
}
