import { CodedError, parseInput, type Schema } from "@porchlight/core";
import { bearer } from "./auth.ts";
import type { Deps } from "./deps.ts";
import { admit, refusal, urlOf } from "./endpoint.ts";
import { Turns } from "./turns.ts";

const SUBPROTOCOL = "porchlight.v1";
/** Each takes a fifth of a millisecond or so: that much a request has to wait for them at a time. */
const HANDSHAKES_PER_TURN = 16;
/** What Bun hands an upgrade: an object whose methods it calls with what happens on the socket. */
type Socket = { open(ws: never): void };
type Server = {
  upgrade(request: Request, options: { data: unknown; headers: Record<string, string> }): boolean;
  publish(topic: string, data: string | Uint8Array): unknown;
};

interface Context {
  readonly request: Request;
  readonly params?: Readonly<Record<string, string | null>> | undefined;
  readonly server?: Server | null | undefined;
}

/** A request to become a socket. */
export interface Upgrade<Q> {
  readonly query: Q;
  readonly params: Readonly<Record<string, string | null>>;
  /** In the URL, in a header, or in a subprotocol, as browsers can send no header. */
  readonly token: string | undefined;
}

/**
 * An endpoint that is a WebSocket.
 * @param about.path its pattern, for the metrics.
 * @param open answers the socket, which may be one that says why it closes at once. What it throws
 * is answered as a refusal, and the connection stays one of HTTP.
 */
export function socketEndpoint<Q>(
  { shell, hub }: Pick<Deps, "shell" | "hub">,
  about: { readonly path: string; readonly query: Schema<Q> },
  open: (upgrade: Upgrade<Q>) => Promise<Socket>,
): (context: Context) => Promise<Response | undefined> {
  const turns = new Turns(HANDSHAKES_PER_TURN);

  /** Answers nothing once the request is a socket: then the server has answered it. */
  async function respond({ request, params = {}, server }: Context): Promise<Response | undefined> {
    try {
      admit(shell, request);
      const url = urlOf(request);
      const query = parseInput(about.query, Object.fromEntries(url.searchParams));
      if (!isUpgrade(request)) throw noUpgrade("must be a WebSocket upgrade");
      const offered = offeredBy(request);
      // Never echo what the client offered: it can be the token.
      const headers: Record<string, string> = offered.includes(SUBPROTOCOL)
        ? { "sec-websocket-protocol": SUBPROTOCOL }
        : {};
      if (shell.together !== undefined) await shell.together.caughtUp();
      // Thousands may come back at once: who asks for something meanwhile is answered in between.
      await turns.next();
      const data = await open({ query, params, token: tokenOf(request, url, offered) });
      if (server) hub.publishThrough(server);
      if (server?.upgrade(request, { data, headers })) return undefined;
      throw noUpgrade("must be a valid WebSocket upgrade");
    } catch (error) {
      return refusal(shell, request, error);
    }
  }
  return async (context) => {
    const answered = shell.metrics.request(about.path, context.request.method);
    const response = await respond(context);
    answered(response?.status ?? 101);
    return response;
  };
}

/** What keeps a caller out for good is said on a socket, where a browser can read it. */
export function isDenial(error: unknown): error is CodedError {
  return error instanceof CodedError && [401, 403, 404].includes(error.status);
}

function offeredBy({ headers }: Request): string[] {
  const offered = headers.get("sec-websocket-protocol") ?? "";
  return offered.split(",").map((each) => each.trim());
}

function tokenOf({ headers }: Request, url: URL, offered: readonly string[]): string | undefined {
  const inProtocol = offered.find((each) => each.startsWith("bearer."))?.slice("bearer.".length);
  return url.searchParams.get("token") ?? bearer(headers.get("authorization")) ?? inProtocol;
}

function isUpgrade({ headers }: Request): boolean {
  return headers.get("upgrade")?.toLowerCase() === "websocket";
}

function noUpgrade(message: string): CodedError {
  return new CodedError("SW_VALIDATION", "This is a WebSocket endpoint", {
    details: [{ path: "", message }],
  });
}
