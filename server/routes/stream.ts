import { StreamQuery } from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import type { Deps } from "../deps.ts";
import { RefusedSocket, StreamSocket } from "../stream.ts";
import { isDenial, socketEndpoint } from "../upgrade.ts";

/** A subscription may be larger than other frames: it can name 5,000 people. */
export const SUBSCRIBE_MAX_BYTES = 1_048_576;

const PATH = "/v1/stream";

/** `GET /v1/stream`: the event stream. */
export function streamRoutes(deps: Deps): AnyElysia {
  const about = { path: PATH, query: StreamQuery };
  const endpoint = socketEndpoint(deps, about, ({ query, token }) =>
    openStream(deps, token, query),
  );
  return new Elysia().get(PATH, ({ request, server }) => endpoint({ request, server }));
}

async function openStream(
  deps: Deps,
  token: string | undefined,
  query: StreamQuery,
): Promise<StreamSocket | RefusedSocket> {
  try {
    const { auth } = deps.shell;
    const caller = await auth.participant(token);
    deps.shell.rateLimit.admit(caller);
    const standing = await deps.store.standing(caller);
    const recheck = (): Promise<void> => auth.recheck(token);
    return new StreamSocket(deps, caller, { ...query, ...standing, recheck });
  } catch (error) {
    if (!isDenial(error)) throw error;
    const why = error.code === "SW_AUTH_EXPIRED_TOKEN" ? "token_expired" : "token_invalid";
    deps.shell.metrics.closed(why);
    return new RefusedSocket(why);
  }
}
