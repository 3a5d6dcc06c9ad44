import { SyncQuery } from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import type { Deps } from "../deps.ts";
import { forParticipant, tokenOf } from "../endpoint.ts";
import { poll } from "../poll.ts";
import { boundsOf } from "../replay.ts";

/** Longer than any poll waits: until then the runtime does not hang up on one who is silent. */
const SILENT_SECONDS = 90;

/** What I have missed, by long poll. */
export function syncRoutes(deps: Deps): AnyElysia {
  const { shell } = deps;
  const bounds = boundsOf(shell.config.limits);
  const input = { query: SyncQuery, silentSeconds: SILENT_SECONDS };
  return new Elysia().get(
    "/v1/sync",
    forParticipant(shell, input, async ({ caller, query, request }) => {
      const data = await poll({ ...deps, ...bounds }, caller, query, request.signal);
      // The token may have ended while it waited.
      await shell.auth.recheck(tokenOf(request));
      shell.metrics.replayed("sync", data.events.length);
      return { data };
    }),
  );
}
