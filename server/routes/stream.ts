import { CodedError, parseInput, StreamQuery } from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import { bearer } from "../auth.ts";
import type { Deps } from "../deps.ts";
import { admit, refusal, urlOf } from "../endpoint.ts";
import { RefusedSocket, StreamSocket } from "../stream.ts";

/** A subscription may be larger than other frames: it can name 5,000 people. */
export const SUBSCRIBE_MAX_BYTES = 1_048_576;

const PATH = "/v1/stream";
const SUBPROTOCOL = "porchlight.v1";

/** `GET /v1/stream`: the event stream. */
export function streamRoutes(deps: Deps): AnyElysia {
  return new Elysia().get(PATH, async ({ request, server }) => {
    const answered = deps.shell.metrics.request(PATH, request.method);
    try {
      admit(deps.shell, request);
      const url = urlOf(request);
      const query = parseInput(StreamQuery, Object.fromEntries(url.searchParams));
      if (!isUpgrade(request))
        throw new CodedError("SW_VALIDATION", "This is a WebSocket endpoint", {
          details: [{ path: "", message: "must be a WebSocket upgrade" }],
        });
      const offered =
        request.headers
          .get("sec-websocket-protocol")
          ?.split(",")
          .map((each) => each.trim()) ?? [];
      // Never echo what the client offered: it can be the token.
      const headers = offered.includes(SUBPROTOCOL)
        ? { "sec-websocket-protocol": SUBPROTOCOL }
        : {};
      const data = await openStream(deps, tokenOf(request, url, offered), query);
      if (server !== null) deps.hub.publishThrough(server);
      // The server answers the upgrade by itself; what is returned then goes nowhere.
      if (server?.upgrade(request, { data, headers })) return answered(101);
      throw new CodedError("SW_VALIDATION", "The WebSocket upgrade failed", {
        details: [{ path: "", message: "must be a valid WebSocket upgrade" }],
      });
    } catch (error) {
      const refused = refusal(deps.shell, request, error);
      answered(refused.status);
      return refused;
    }
  });
}

const TOKEN_REFUSED: readonly number[] = [401, 403];

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
    if (!(error instanceof CodedError) || !TOKEN_REFUSED.includes(error.status)) throw error;
    const why = error.code === "SW_AUTH_EXPIRED_TOKEN" ? "token_expired" : "token_invalid";
    deps.shell.metrics.closed(why);
    return new RefusedSocket(why);
  }
}

function tokenOf(request: Request, url: URL, offered: readonly string[]): string | undefined {
  const inProtocol = offered.find((each) => each.startsWith("bearer."))?.slice("bearer.".length);
  return (
    url.searchParams.get("token") ?? bearer(request.headers.get("authorization")) ?? inProtocol
  );
}

function isUpgrade(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}
