import { CodedError } from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import type { Administrator } from "../auth.ts";
import type { Deps } from "../deps.ts";
import {
  type Call,
  forAdministrator,
  forAnyone,
  type Shell,
  type TextAnswer,
} from "../endpoint.ts";

/** Whether the process lives, whether it can do its work, and what it did. */
export function operationRoutes({ shell, store }: Deps): AnyElysia {
  // A process that is stopping is alive still; being asked is how one finds out.
  const always = { ...shell, stopping: () => false };
  const { metrics, config } = shell;

  async function measured(): Promise<TextAnswer> {
    return { text: await metrics.text(), headers: { "content-type": metrics.contentType } };
  }

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
        return { data: { status: "ready", store: "ok", cluster: clusterState(shell) } };
      }),
    )
    .get(
      "/metrics",
      config.metricsPublic
        ? forAnyone(always, measured)
        : forAdministrator(always, {}, ({ caller }: Call<Administrator, undefined, undefined>) => {
            // They tell of every tenant.
            if (caller.tenant_id === undefined) return measured();
            throw new CodedError("SW_AUTH_INSUFFICIENT_PERMISSION", "The admin token is required");
          }),
    );
}

/** A node that is cut off from the others serves its own people: it is ready all the same. */
function clusterState({ together }: Shell): "alone" | "joined" | "away" {
  if (together === undefined) return "alone";
  return together.isJoined ? "joined" : "away";
}
