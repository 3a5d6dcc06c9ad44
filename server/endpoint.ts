import { CodedError, isId, isoOf, parseInput, type Schema } from "@porchlight/core";
import { type Administrator, type Auth, bearer, type Caller } from "./auth.ts";
import { readBody } from "./body.ts";
import type { Config } from "./config.ts";
import type { Limited, RateLimit } from "./limits.ts";
import { errorFields, type Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { NDJSON_TYPE } from "./ndjson.ts";
import { isStopping, noSuch } from "./refusals.ts";
import type { PersonKey, RoomKey } from "./store/store.ts";

/** What every endpoint stands on. */
export interface Shell {
  readonly auth: Auth;
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly rateLimit: RateLimit;
  /** Where there are several nodes: what was done at one shows at all. */
  readonly together: Together | undefined;
  /** True once the server is stopping: new work is refused. */
  readonly stopping: () => boolean;
  /** Aborted when a server that stops waits no longer for whoever is still sending. */
  readonly givenUp: AbortSignal;
}

/** What makes several nodes look like one to somebody who asks one after the other. */
export interface Together {
  /** Resolves when what was done elsewhere before the call is known here, or this node is cut off. */
  caughtUp(): Promise<void>;
  /** Resolves when what was done here before the call is on its way to all others, or this node is cut off. */
  settled(): Promise<void>;
  /** Whether this node takes part. */
  readonly isJoined: boolean;
  /** Since when nothing is known of the others, in Unix milliseconds; nothing unless this node is cut off. */
  readonly asOf: number | undefined;
}

/** What an answer says of its age that tells of other people's presence: since when nothing new was heard of some of them. */
export function ageOf({ together }: Pick<Shell, "together">): Answer["meta"] {
  const asOf = together?.asOf;
  return asOf === undefined ? undefined : { as_of: isoOf(asOf) };
}

/** What an endpoint answers with. */
export interface Answer {
  readonly data: unknown;
  readonly meta?: Readonly<Record<string, unknown>> | undefined;
}

/** What an endpoint answers with whose data is JSON already. */
export interface ReadyAnswer {
  readonly json: string;
  /** Tells the data from any other of the same request; made of the answer by default. */
  readonly tag?: string;
  readonly meta?: Answer["meta"];
}

/** An answer that is no JSON of the API: a page, a script, the text of the metrics. */
export interface TextAnswer {
  readonly text: string;
  /** Its content type, and whatever else its headers say. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What an endpoint answers with line by line, as it is made: see `ndjson.ts`. */
export interface Streamed {
  readonly lines: ReadableStream<Uint8Array>;
}

/** What an endpoint takes besides its path. Both are checked before the handler runs. */
export interface Input<B, Q> {
  readonly body?: Schema<B>;
  /** How large the body may be; the configured limit by default. */
  readonly bodyMaxBytes?: number;
  readonly query?: Schema<Q>;
  /** For how long the runtime is not to hang up on one who is silent, where that is longer than usual. */
  readonly silentSeconds?: number;
  /** A key of the body whose values the handler parses one by one. */
  readonly apart?: string;
}

/** What a handler is handed: who calls, and what they sent, parsed. */
export interface Call<C, B, Q> {
  readonly caller: C;
  readonly body: B;
  readonly query: Q;
  readonly params: Readonly<Record<string, string>>;
  /** For those who read the query, or the body as it comes, by themselves. */
  readonly request: Request;
}

/** The room in the path of a call, and who calls. */
export function roomIn({
  caller: { tenant_id, participant_id },
  params: { room_id = "" },
}: Pick<Call<Caller, unknown, unknown>, "caller" | "params">): RoomKey & PersonKey {
  return { tenant_id, participant_id, room_id };
}

interface Context {
  readonly request: Request;
  /** Absent where the path has none; null is one that cannot be decoded. */
  readonly params?: Params | undefined;
  /** The pattern of the path. */
  readonly route: string;
  readonly server?: Server | null | undefined;
}

type Params = Readonly<Record<string, string | null>>;
type Server = { timeout(request: Request, seconds: number): void };

/** A body of lines of which nothing has come for this long is given up. */
const STALLED_SECONDS = 120;

/** Who may call an endpoint. */
export type Who = "anyone" | "participant" | "administrator";

/** What an endpoint knows of itself, for whoever describes it. */
export interface About {
  readonly who: Who;
  readonly input: Input<unknown, unknown>;
}

interface Handler {
  (context: Context): Promise<Response>;
  readonly about: About;
}

type Given = Answer | ReadyAnswer | TextAnswer | Streamed;

type Answering<C, B, Q> = (call: Call<C, B, Q>) => Promise<Given> | Given;

/** An endpoint for participants: handed the caller, it answers or refuses. */
export function forParticipant<B = undefined, Q = undefined>(
  shell: Shell,
  input: Input<B, Q>,
  handle: Answering<Caller, B, Q>,
): Handler {
  const authenticate = (request: Request): Promise<Caller> =>
    shell.auth.participant(tokenOf(request));
  return endpoint(shell, { who: "participant", input }, authenticate, handle);
}

/** An endpoint for administrators. */
export function forAdministrator<B = undefined, Q = undefined>(
  shell: Shell,
  input: Input<B, Q>,
  handle: Answering<Administrator, B, Q>,
): Handler {
  const authenticate = (request: Request): Promise<Administrator> =>
    shell.auth.administrator(tokenOf(request));
  return endpoint(shell, { who: "administrator", input }, authenticate, handle);
}

/** An endpoint for anyone. */
export function forAnyone(shell: Shell, handle: Answering<Limited, undefined, undefined>): Handler {
  return endpoint(shell, { who: "anyone", input: {} }, () => NOBODY, handle);
}

/** Who has no token is not counted by one. */
const NOBODY: Limited = { token_id: undefined };

/** The order of checks is the same everywhere: origin, stopping, caller, rate, path, query, body. */
function endpoint<C extends Limited, B, Q>(
  shell: Shell,
  about: { readonly who: Who; readonly input: Input<B, Q> },
  authenticate: (request: Request) => Promise<C> | C,
  handle: Answering<C, B, Q>,
): Handler {
  const { input } = about;

  async function respond({ request, params = {}, server }: Context): Promise<Response> {
    try {
      admit(shell, request);
      const caller = await authenticate(request);
      shell.rateLimit.admit(caller);
      checkParams(params);
      // Without a schema the types say `undefined`, and that is what stands there.
      const query = (input.query &&
        parseInput(input.query, Object.fromEntries(new URLSearchParams(searchOf(request))))) as Q;
      const maxBytes = input.bodyMaxBytes ?? shell.config.limits.body_max_bytes;
      const body = (input.body &&
        parseInput(input.body, await readBody(shell.givenUp, request, maxBytes), input.apart)) as B;
      if (shell.together !== undefined) await shell.together.caughtUp();
      const given = await handle({ caller, body, query, params, request });
      if (request.method !== "GET") await shell.together?.settled();
      if (!("lines" in given)) return answer(shell, request, given);
      server?.timeout(request, STALLED_SECONDS);
      return streamed(shell, request, given);
    } catch (error) {
      return refusal(shell, request, error);
    }
  }
  const handler = async ({ request, params, route, server }: Context): Promise<Response> => {
    if (input.silentSeconds !== undefined) server?.timeout(request, input.silentSeconds);
    const answered = shell.metrics.request(route, request.method);
    const response = await respond({ request, params, route, server });
    answered(response.status);
    return response;
  };
  return Object.assign(handler, { about });
}

/** Refuses what cannot even be looked at: a foreign origin, or anything while stopping. */
export function admit({ config, stopping }: Shell, request: Request): void {
  if (!mayRead(config, request))
    throw new CodedError("SW_ORIGIN_FORBIDDEN", "This origin is not allowed");
  if (stopping()) throw isStopping();
}

/** The address of a request, but for the host: that is whatever the client wrote, and need not be one. */
export function urlOf(request: Request): URL {
  return new URL(`http://localhost${request.url.replace(/^[a-z]+:\/\/[^/?#]*/i, "")}`);
}

/** The query of a request's address as it was written, without its question mark. */
export function searchOf({ url }: Request): string {
  const [start = 0, end] = [url.indexOf("?") + 1, url.indexOf("#")];
  return start === 0 ? "" : url.slice(start, end < 0 ? undefined : end);
}

/** A token of a request's header. */
export function tokenOf(request: Request): string | undefined {
  return bearer(request.headers.get("authorization"));
}

/** The response to whatever was thrown. What is no refusal is logged whole and says nothing. */
export function refusal(shell: Shell, request: Request, error: unknown): Response {
  const coded =
    error instanceof CodedError
      ? error
      : new CodedError("SW_INTERNAL", "Something went wrong on the server", { cause: error });
  shell.metrics.refused(coded.code);
  const headers = baseHeaders(shell, request);
  const { pathname } = urlOf(request);
  // What has no cause is meant: that the server stops, say, or does not know a key yet.
  if (coded.status >= 500 && coded.cause !== undefined) {
    shell.log("error", "request.failed", {
      request_id: headers["x-request-id"],
      method: request.method,
      path: pathname,
      ...errorFields(coded),
    });
  }
  if (coded.retryAfterSeconds !== undefined)
    headers["retry-after"] = String(coded.retryAfterSeconds);
  if (coded.status === 401) headers["www-authenticate"] = "Bearer";
  const details = coded.details === undefined ? {} : { details: coded.details };
  const body = JSON.stringify({ error: { code: coded.code, message: coded.message, ...details } });
  return new Response(body, { status: coded.status, headers });
}

/** Whether an answer may be read where the request comes from: no page, one that is allowed, or one of ours. */
function mayRead({ allowedOrigins }: Config, { headers }: Request): boolean {
  const origin = headers.get("origin");
  if (origin === null || allowedOrigins === "*" || allowedOrigins.includes(origin)) return true;
  // Browsers name the origin of a page also to the server it came from. The scheme may be a proxy's.
  return origin.replace(/^https?:\/\//, "") === headers.get("host");
}

/** The headers that every response carries. */
export function baseHeaders({ config, stopping }: Shell, request: Request): Record<string, string> {
  const headers: Record<string, string> = {
    "content-type": "application/json; charset=utf-8",
    "x-request-id": crypto.randomUUID(),
  };
  // Whoever asked once more on this connection might find it closed, and not know whether it was heard.
  if (stopping()) headers.connection = "close";
  const origin = request.headers.get("origin");
  if (config.allowedOrigins !== "*") headers.vary = "origin";
  if (origin !== null && mayRead(config, request)) {
    headers["access-control-allow-origin"] = config.allowedOrigins === "*" ? "*" : origin;
    headers["access-control-expose-headers"] = "allow, etag, retry-after, x-request-id";
  }
  return headers;
}

function answer(
  shell: Shell,
  request: Request,
  answered: Answer | ReadyAnswer | TextAnswer,
): Response {
  const headers = baseHeaders(shell, request);
  const body = "text" in answered ? answered.text : envelope(answered);
  if (request.method !== "GET" && request.method !== "HEAD") return new Response(body, { headers });
  const tag = `"${tagOf(answered) ?? Bun.hash(body).toString(36)}"`;
  headers.etag = tag;
  headers["cache-control"] = "private, no-cache";
  if ("text" in answered) Object.assign(headers, answered.headers);
  if (isKnown(tag, request.headers.get("if-none-match")))
    return new Response(null, { status: 304, headers });
  return new Response(body, { headers });
}

/** Has no digest, as it is not known whole before it is sent. */
async function streamed(shell: Shell, request: Request, { lines }: Streamed): Promise<Response> {
  const headers = baseHeaders(shell, request);
  headers["content-type"] = NDJSON_TYPE;
  headers["cache-control"] = "no-store";
  if (request.method !== "HEAD") return new Response(lines, { headers });
  await lines.cancel();
  return new Response(null, { headers });
}

function envelope(answered: Answer | ReadyAnswer): string {
  const { meta } = answered;
  if ("json" in answered)
    return `{"data":${answered.json}${meta === undefined ? "" : `,"meta":${JSON.stringify(meta)}`}}`;
  const { data } = answered;
  return JSON.stringify(meta === undefined ? { data } : { data, meta });
}

function tagOf(answered: Answer | ReadyAnswer | TextAnswer): string | undefined {
  return "json" in answered && answered.meta === undefined ? answered.tag : undefined;
}

function isKnown(tag: string, ifNoneMatch: string | null): boolean {
  if (ifNoneMatch === null) return false;
  return ifNoneMatch
    .split(",")
    .some((each) => each.trim() === "*" || each.trim().replace(/^W\//, "") === tag);
}

/** What some parameters of a path name. */
export const NAMED: Readonly<Record<string, "room" | "event">> = {
  room_id: "room",
  event_id: "event",
};

/** What is no id names nothing, and is answered as what does not exist. */
function checkParams(params: Params): asserts params is Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && isId(value)) continue;
    throw noSuch(NAMED[name] ?? "thing");
  }
}
