import { CodedError } from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import type { Config } from "./config.ts";
import type { Deps } from "./deps.ts";
import { admit, baseHeaders, refusal, type Shell, urlOf } from "./endpoint.ts";
import { noSuchEndpoint } from "./refusals.ts";
import { adminRoutes } from "./routes/admin.ts";
import { meRoutes } from "./routes/me.ts";
import { membershipRoutes } from "./routes/membership.ts";
import { messageRoutes } from "./routes/messages.ts";
import { movingRoutes } from "./routes/moving.ts";
import { operationRoutes } from "./routes/operations.ts";
import { pageRoutes } from "./routes/page.ts";
import { presenceRoutes } from "./routes/presence.ts";
import { referenceRoutes } from "./routes/reference.ts";
import { removalRoutes } from "./routes/removal.ts";
import { roomSettingsRoutes } from "./routes/room-settings.ts";
import { roomRoutes } from "./routes/rooms.ts";
import { snoozeRoutes } from "./routes/snoozes.ts";
import { SUBSCRIBE_MAX_BYTES, streamRoutes } from "./routes/stream.ts";
import { syncRoutes } from "./routes/sync.ts";
import { typingRoutes } from "./routes/typing.ts";
import { yjsRoutes } from "./routes/yjs.ts";

/** What the runtime takes for the silence of a socket. */
const LEAST_IDLE_SECONDS = 120;
const MOST_IDLE_SECONDS = 960;

/** What a server must be told for streams to be what they promise to be. */
export interface WebsocketOptions {
  readonly maxPayloadLength: number;
  readonly backpressureLimit: number;
  readonly closeOnBackpressureLimit: boolean;
  readonly idleTimeout: number;
  readonly sendPings: boolean;
}

/** Such options, for the configured limits. */
export function websocketOptions({ limits, timings }: Config): WebsocketOptions {
  return {
    maxPayloadLength: Math.max(SUBSCRIBE_MAX_BYTES, limits.frame_max_bytes),
    // The hub lets go of whoever does not read long before; what outruns it is closed, never dropped in silence.
    backpressureLimit: 16 * limits.backlog_max_bytes,
    closeOnBackpressureLimit: true,
    // The hub pings by itself, so that a socket which does not answer is told why it is closed. This is only
    // for those that were told and do not even read that: what waits for them would be kept for good.
    idleTimeout: idleSeconds(timings.ping_ms),
    sendPings: false,
  };
}

/** Every endpoint, for an app that listens. @param listed what the reference lists; these by default. */
export function createRoutes(deps: Deps, listed?: () => AnyElysia["routes"]): AnyElysia {
  const app: AnyElysia = new Elysia();
  return app
    .use(presenceRoutes(deps))
    .use(typingRoutes(deps))
    .use(roomRoutes(deps))
    .use(roomSettingsRoutes(deps))
    .use(membershipRoutes(deps))
    .use(messageRoutes(deps))
    .use(meRoutes(deps))
    .use(snoozeRoutes(deps))
    .use(adminRoutes(deps))
    .use(removalRoutes(deps))
    .use(movingRoutes(deps))
    .use(operationRoutes(deps))
    .use(syncRoutes(deps))
    .use(streamRoutes(deps))
    .use(yjsRoutes(deps))
    .use(referenceRoutes(deps, listed ?? (() => app.routes)));
}

/** An app that has every endpoint and the page, and nothing else, not listening yet. */
export function createApp(deps: Deps): AnyElysia {
  const { shell } = deps;
  const routes: AnyElysia = new Elysia()
    .use(createRoutes(deps, () => routes.routes))
    .use(pageRoutes(deps));
  const answerElse = createElse(shell, routes);
  return new Elysia({
    serve: {
      // Without this, a second server on the same port takes a part of the connections in silence.
      reusePort: false,
      // Each endpoint refuses what is too large for it, in the words of the API.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      // No page with a stack trace, whatever the environment.
      development: false,
    },
    // Without this, paths are cut wrongly where the host has three letters or fewer.
    handler: { standardHostname: false },
    websocket: {
      ...websocketOptions(shell.config),
      error: (_ws: unknown, error: unknown) =>
        shell.log("error", "stream.failed", { error: String(error) }),
    } as object,
  })
    .use(routes)
    .onError(({ code, error, request }) =>
      code === "NOT_FOUND"
        ? answerElse(request, urlOf(request).pathname)
        : refusal(shell, request, error),
    );
}

/** What is answered where there is no endpoint for a request: that there is none, or which methods there are. */
export function createElse(
  shell: Shell,
  routes: AnyElysia,
): (request: Request, path: string) => Response {
  const methodsFor = methodsOf(routes);
  function answer(request: Request, path: string): Response {
    try {
      admit(shell, request);
    } catch (refused) {
      return refusal(shell, request, refused);
    }
    const allowed = methodsFor(path);
    if (allowed.length === 0 || allowed.includes(request.method))
      return refusal(shell, request, noSuchEndpoint());
    return request.method === "OPTIONS"
      ? preflight(shell, request, allowed)
      : notAllowed(shell, request, allowed);
  }

  return (request, path) => {
    const answered = shell.metrics.request(undefined, request.method);
    const response = answer(request, path);
    answered(response.status);
    return response;
  };
}

/** Longer than a socket is silent before the hub closes it; 0 is for good. */
function idleSeconds(pingMs: number): number {
  const seconds = Math.max(LEAST_IDLE_SECONDS, Math.ceil((4 * pingMs) / 1_000));
  return seconds > MOST_IDLE_SECONDS ? 0 : seconds;
}

/** Answers which methods a path takes; none, where there is no such path. */
function methodsOf({ routes }: AnyElysia): (path: string) => string[] {
  const patterns = routes.map(({ method, path }) => ({
    method,
    pattern: new RegExp(`^${path.replaceAll(/:\w+/g, "[^/]+")}/?$`),
  }));
  return (path) => {
    const methods = new Set(
      patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method),
    );
    return [...methods].flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : method));
  };
}

function notAllowed(shell: Shell, request: Request, allowed: readonly string[]): Response {
  const response = refusal(
    shell,
    request,
    new CodedError("SW_METHOD_NOT_ALLOWED", `This endpoint takes ${allowed.join(", ")}`),
  );
  response.headers.set("allow", allowed.join(", "));
  return response;
}

function preflight(shell: Shell, request: Request, allowed: readonly string[]): Response {
  const { "content-type": _, ...headers } = baseHeaders(shell, request);
  const methods = allowed.join(", ");
  return new Response(null, {
    status: 204,
    headers: {
      ...headers,
      allow: methods,
      "access-control-allow-methods": methods,
      "access-control-allow-headers": "authorization, content-type, if-none-match",
      "access-control-max-age": "600",
    },
  });
}
