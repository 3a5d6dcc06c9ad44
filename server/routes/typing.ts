import { restDevice, TypingRequest } from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import type { Deps } from "../deps.ts";
import { forParticipant } from "../endpoint.ts";
import { publishTyping } from "../typing.ts";

/** I type, or ceased to. */
export function typingRoutes({ shell, store, liveness }: Deps): AnyElysia {
  const { config } = shell;
  return new Elysia().put(
    "/v1/typing",
    forParticipant(shell, { body: TypingRequest }, async ({ caller, body }) => {
      const { room_id, typing, device_id } = body;
      const { tenant_id, participant_id, token_id } = caller;
      const source = device_id ?? restDevice(token_id);
      const by = liveness.signOf(caller, { device_id, token_id });
      const fanout = await publishTyping(
        { shell, store, liveness },
        { tenant_id, participant_id, source },
        body,
      );
      liveness.act(caller, by);
      const { typing_ttl_ms, typing_refresh_ms } = config.timings;
      return {
        data: {
          room_id,
          typing,
          expires_in_ms: typing_ttl_ms,
          refresh_after_ms: typing_refresh_ms,
          fanout,
        },
      };
    }),
  );
}
