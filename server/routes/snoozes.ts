import { checkSnooze, isoOf, isoOrNull, SnoozeRequest } from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import type { Deps } from "../deps.ts";
import { forParticipant } from "../endpoint.ts";
import type { Snooze } from "../store/store.ts";

/** Messages that I put off until later. */
export function snoozeRoutes({ shell, store, snoozes, clock }: Deps): AnyElysia {
  return new Elysia()
    .post(
      "/v1/messages/:event_id/snooze",
      forParticipant(shell, { body: SnoozeRequest }, async ({ caller, body, params }) => {
        checkSnooze(body, clock.wall());
        const snooze = await store.snooze(caller, params.event_id ?? "", body.until);
        snoozes.set(snooze.until);
        return { data: shown(snooze) };
      }),
    )
    .get(
      "/v1/me/snoozes",
      forParticipant(shell, {}, async ({ caller }) => ({
        data: (await store.snoozesOf(caller)).map(shown),
      })),
    )
    .delete(
      "/v1/me/snoozes/:event_id",
      forParticipant(shell, {}, async ({ caller, params }) => {
        const { event_id = "" } = params;
        await store.deleteSnooze(caller, event_id);
        return { data: { event_id } };
      }),
    );
}

function shown({ event_id, room_id, until, fired_at }: Snooze): object {
  return { event_id, room_id, until: isoOf(until), fired_at: isoOrNull(fired_at) };
}
