import { CodedError } from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import type { Deps } from "../deps.ts";
import { forAnyone } from "../endpoint.ts";

/** Whether the process lives, and whether it can do its work. */
export function operationRoutes({ shell, store }: Deps): AnyElysia {
  // A process that is stopping is alive still; being asked is how one finds out.
  const always = { ...shell, stopping: () => false };
  return new Elysia()
    .get(
      "/healthz",
      forAnyone(always, () => ({ data: { status: "ok" } })),
    )
    .get(
      "/readyz",
      forAnyone(shell, async () => {
        try {
          await store.ping();
        } catch (cause) {
          throw new CodedError("SW_UNAVAILABLE", "The store is out of reach", {
            cause,
            retryAfterSeconds: 1,
          });
        }
        return { data: { status: "ready", store: "ok" } };
      }),
    );
}
