import fc from "fast-check";
import { anyJson, anyText, nearly, nested } from "./junk.ts";
import type { WireRequest } from "./wire.ts";

/** An endpoint as the server lists it. */
export interface Endpoint {
  readonly method: string;
  readonly path: string;
}

/** What requests name where they name something that exists. */
export interface Known {
  /** A value for each parameter of a path. */
  readonly params: Readonly<Record<string, string>>;
  /** Other values for paths that end with them: what they name may be taken away. */
  readonly spareParams: Readonly<Record<string, string>>;
  readonly tokens: readonly string[];
}

/** A request, and the endpoint that it was made from. */
export interface OddRequest extends WireRequest {
  readonly endpoint: Endpoint;
}

/** A body that each endpoint accepts; the query goes with it. In it, `$event` is a message in the room. */
export const SAMPLES: Readonly<Record<string, object>> = {
  "PUT /v1/me": { display_name: "Ann", avatar_url: "https://x.example/a.png", bio: "b" },
  "PUT /v1/me/preferences": {
    locale: "nl",
    timezone: "Europe/Amsterdam",
    quiet_hours: { enabled: true, start: "22:00", end: "07:00" },
    keyword_alerts: ["lunch"],
    email_address: null,
  },
  "POST /v1/me/preferences/edits": {
    device_id: "laptop",
    sent_at: "2026-03-02T09:00:00.000Z",
    edits: [
      { seq: 1, edited_at: "2026-03-02T08:00:00.000Z", patch: { locale: "nl", push: null } },
      { seq: 2, edited_at: "2026-03-02T08:30:00.000Z", patch: { quiet_hours: { enabled: true } } },
    ],
  },
  "POST /v1/messages/:event_id/snooze": { until: "2026-03-03T09:00:00.000Z" },
  "PUT /v1/me/presence": { state: "busy", device_id: "laptop" },
  "POST /v1/me/heartbeat": { device_id: "laptop", state: "idle", idle_for_ms: 1_000 },
  "POST /v1/presence/query": { ids: ["ann", "bob", "nobody"] },
  "PUT /v1/typing": { room_id: "lounge", typing: true, device_id: "laptop" },
  "POST /v1/rooms/dm": { participant_id: "bob" },
  "PUT /v1/rooms/:room_id/read-marker": { event_id: "$event", force: true },
  "PUT /v1/rooms/:room_id/notification-mode": { mode: "mentions" },
  "PUT /v1/rooms/:room_id/mute": { until: "2027-01-31T12:00:00.000Z" },
  "PUT /v1/rooms/:room_id/ai/engagement": { mode: "mention", participant_id: null },
  "PUT /v1/rooms/:room_id/ai/response-mode": { mode: "streaming", participant_id: null },
  "POST /v1/rooms/:room_id/send": {
    content: { msgtype: "m.text", body: "hello", mentions: ["bob"], deep: { key: [1] } },
    event_uuid: "uuid-1",
  },
  "POST /v1/rooms/:room_id/invite": { participant_id: "zoe" },
  "PUT /v1/admin/tenants/:tenant_id": { slug: "acme", name: "Acme", features: { a: [1] } },
  "PUT /v1/admin/participants/:participant_id": {
    display_name: "Zoe",
    participant_type: "human",
    email: "zoe@x.example",
    roles: ["reader"],
    groups: [],
    presence: "busy",
  },
  "PUT /v1/admin/rooms/:room_id": {
    name: "Attic",
    topic: null,
    room_type: "group",
    state: "open",
    created_at: "2026-01-31T12:00:00.000Z",
    is_public: false,
  },
  "PUT /v1/admin/rooms/:room_id/members/:participant_id": {
    membership: "join",
    power_level: 50,
    notification_mode: "mentions",
    muted_until: "indefinite",
  },
  "PUT /v1/admin/rooms/:room_id/plan": {
    id: "plan",
    state: "running",
    steps: [{ id: "1", text: "look", status: "pending", attempts: 0 }],
  },
  "PUT /v1/admin/rooms/:room_id/call": {
    call_id: "call",
    type: "audio",
    participants: [{ participant_id: "zoe" }],
    ended_at: null,
  },
  "PUT /v1/admin/rooms/:room_id/sidekicks/:task_id": { status: "running", codename: "Fox" },
  "POST /v1/admin/import": { type: "participant", tenant_id: "acme", participant_id: "zed" },
  "POST /v1/admin/rooms/:room_id/events": {
    sender_id: "zoe",
    content: { msgtype: "text", body: "hello" },
  },
  "POST /v1/admin/tokens": { participant_id: "zoe", label: "spare", expires_at: null },
};

/** The query of each endpoint that takes one. */
export const QUERIES: Readonly<Record<string, string>> = {
  "GET /v1/presence": "ids=ann,bob&ids=nobody",
  "GET /v1/rooms/:room_id/messages": "limit=5&from=100&direction=forward",
  "GET /v1/profiles": "q=a&limit=5&offset=0",
  "GET /v1/sync": "since=0&limit=5",
};

/** What every query begins with: nobody moves the clock for a request that waits. */
const BEGINNINGS: Readonly<Record<string, string>> = { "GET /v1/sync": "timeout=0&" };

/** A request that an endpoint accepts: its address with these parameters, and its body. */
export function rightRequest(
  { method, path }: Endpoint,
  params: Known["params"],
): { method: string; address: string; body: object | undefined } {
  const name = `${method} ${path}`;
  const filled = path.replaceAll(/:(\w+)/g, (_, key: string) => params[key] ?? "unknown");
  const query = QUERIES[name];
  return {
    method,
    address: query === undefined ? filled : `${filled}?${BEGINNINGS[name] ?? ""}${query}`,
    body: sampleOf(name, { params }),
  };
}

const METHODS = "GET HEAD POST PUT PATCH DELETE OPTIONS TRACE PROPFIND".split(" ");
const ODD_SEGMENTS =
  ". .. %2e%2e %zz % %2 %ff %ed%a0%80 %00 %20 a%2Fb %2525 __proto__ constructor nowhere a;b=c ~ * ' - 0 :room_id".split(
    " ",
  );
const ODD_VALUES =
  ", ,, %zz %ff %00 %ed%a0%80 -1 0 1 200 201 1e3 0x10 1.5 NaN 999999999999999 9999999999999999 + %2B null [] {} online all umbrella __proto__".split(
    " ",
  );
const QUERY_KEYS =
  "ids q limit offset from direction tenant_id token device_id instance state idle_for_ms since presence __proto__ ids[] %zz constructor".split(
    " ",
  );
const TYPES = [
  "application/json",
  "application/json; charset=utf-16",
  "application/json; charset",
  "application/x-www-form-urlencoded",
  "text/plain",
  "multipart/form-data; boundary=x",
  "application/octet-stream",
  ";",
  "",
];
const ODD_HEADERS: readonly (readonly [string, string])[] = [
  ["accept", "text/html"],
  ["accept-encoding", "gzip, *;q=0"],
  ["content-encoding", "gzip"],
  ["cookie", '__proto__=1; a=%zz; b="'],
  ["expect", "100-continue"],
  ["forwarded", "for=1.2.3.4;host=elsewhere"],
  ["host", ""],
  ["host", "a b"],
  ["host", "[::"],
  ["host", "elsewhere:99999"],
  ["if-match", '"x"'],
  ["if-none-match", "*"],
  ["if-none-match", '"'],
  ["origin", "null"],
  ["origin", "https://elsewhere.example"],
  ["range", "bytes=0-1"],
  ["sec-websocket-key", "x"],
  ["sec-websocket-protocol", "porchlight.v1, bearer.x"],
  ["upgrade", "websocket"],
  ["upgrade", "h2c"],
  ["x-forwarded-host", "elsewhere"],
  ["x-http-method-override", "DELETE"],
  ["x-request-id", "mine"],
  ["x-tenant-id", "umbrella"],
  ["x-odd", "\u00ff\u0080\t;"],
  ["x-long", "x".repeat(6_000)],
  ["__proto__", "1"],
];

/** Requests to these endpoints: some right, most nearly, some not at all. */
export function oddRequests(
  endpoints: readonly Endpoint[],
  known: Known,
): fc.Arbitrary<OddRequest> {
  return fc.constantFrom(...endpoints).chain((endpoint) => {
    const name = `${endpoint.method} ${endpoint.path}`;
    const requests = fc.record({
      endpoint: fc.constant(endpoint),
      method: mostly(fc.constant(endpoint.method), fc.constantFrom(...METHODS)),
      target: targets(endpoint.path, QUERIES[name], paramsFor(endpoint, known), BEGINNINGS[name]),
      headers: headers(known.tokens),
      body: bodies(sampleOf(name, known)),
      chunked: mostly(fc.constant(false), fc.constant(true)),
    });
    const kept = requests.filter((request) => !mayTakeHomeAway(request));
    return kept.map((request) => ({
      ...request,
      [fc.toStringMethod]: () => said(request),
    }));
  });
}

/** By the endpoint, not by its method: an odd method may be the one that takes away. */
function paramsFor({ path }: Endpoint, { params, spareParams }: Known): Known["params"] {
  return /^\/v1\/admin\/[a-z]+\/:\w+$/.test(path) ? { ...params, ...spareParams } : params;
}

/** Some dots in a path are resolved: what was to name a member of the room comes to name the room. */
function mayTakeHomeAway({ method, target }: WireRequest): boolean {
  return method === "DELETE" && /^\/v1\/admin\/.*\/(\.|%2e){2}(\/|$|[?#])/i.test(target);
}

/** The body of an endpoint, in which it names what exists. */
function sampleOf(name: string, { params }: Pick<Known, "params">): object | undefined {
  const sample = SAMPLES[name];
  if (sample === undefined) return undefined;
  return JSON.parse(JSON.stringify(sample).replace("$event", params.event_id ?? "evt-1"));
}

/** A request as a failure shows it. */
function said({ method, target, headers = [], body, chunked }: WireRequest): string {
  const text = new TextDecoder().decode(body);
  return JSON.stringify([`${method} ${target}`, headers, chunked ? "chunked" : "sized", text]);
}

/** The first five times in six, else the second. */
function mostly<T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 5, arbitrary: usual }, { weight: 1, arbitrary: odd });
}

function targets(
  path: string,
  query: string | undefined,
  params: Known["params"],
  beginning = "",
): fc.Arbitrary<string> {
  const segments = path.slice(1).split("/");
  const filled = fc.tuple(...segments.map((segment) => segmentFor(segment, params)));
  const paths = fc.oneof(
    { weight: 20, arbitrary: filled },
    { weight: 1, arbitrary: filled.map((each) => [...each, ""]) },
    { weight: 1, arbitrary: fc.array(oddSegment, { maxLength: 6 }) },
  );
  const usual = fc.constant(query === undefined ? "" : `?${beginning}${query}`);
  return fc
    .tuple(paths, mostly(usual, oddQuery(beginning)))
    .map(([each, asked]) => `/${each.join("/")}${asked}`);
}

function segmentFor(segment: string, params: Known["params"]): fc.Arbitrary<string> {
  if (!segment.startsWith(":")) return fc.constant(segment);
  return mostly(fc.constant(params[segment.slice(1)] ?? "unknown"), oddSegment);
}

/** What stays one part of a request line, whatever it means. */
const lineText = fc.string({
  unit: fc
    .oneof(
      { weight: 4, arbitrary: fc.integer({ min: 0x21, max: 0x7e }) },
      { weight: 1, arbitrary: fc.integer({ min: 0xa1, max: 0xff }) },
    )
    .map((unit) => String.fromCharCode(unit)),
});
const oddSegment = fc.oneof(
  fc.constantFrom(...ODD_SEGMENTS),
  lineText,
  fc.integer({ min: 127, max: 130 }).map((length) => "x".repeat(length)),
);
const oddPairs = fc
  .array(
    fc.tuple(
      fc.oneof(fc.constantFrom(...QUERY_KEYS), lineText),
      fc.oneof(
        fc.constantFrom(...ODD_VALUES),
        lineText,
        fc.integer({ min: 99, max: 1_500 }).map((count) => "x,".repeat(count)),
      ),
    ),
    { maxLength: 5 },
  )
  .map((entries) => entries.map((entry) => entry.join("=")).join("&"));

function oddQuery(beginning: string): fc.Arbitrary<string> {
  return oddPairs.map((pairs) => `?${beginning}${pairs}`);
}

function headers(tokens: readonly string[]): fc.Arbitrary<[string, string][]> {
  const authorization = fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...tokens).map((token) => [`Bearer ${token}`]) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        [],
        [""],
        ["Bearer"],
        ["Bearer x y"],
        ["Basic YTpi"],
        ["Bearer \u00ff"],
      ),
    },
  );
  const type = mostly<string[]>(
    fc.constantFrom(["application/json"], []),
    fc.constantFrom(...TYPES).map((each) => [each]),
  );
  const others = mostly<(readonly [string, string])[]>(
    fc.constant([]),
    fc.uniqueArray(fc.constantFrom(...ODD_HEADERS), { selector: ([name]) => name, maxLength: 4 }),
  );
  return fc
    .tuple(authorization, type, others)
    .map(([authorizations, types, more]) => [
      ...authorizations.map((value): [string, string] => ["authorization", value]),
      ...types.map((value): [string, string] => ["content-type", value]),
      ...more.map(([name, value]): [string, string] => [name, value]),
    ]);
}

/** Bodies around a sample; without one, any. */
function bodies(sample: object = { a: 1 }): fc.Arbitrary<Uint8Array> {
  const elsewhere = fc
    .tuple(fc.constantFrom(...Object.keys(sample)), fc.constantFrom("nowhere", "cellar", "hall"))
    .map(([key, name]) => ({ ...sample, [key]: name }));
  const texts = fc.oneof(
    { weight: 4, arbitrary: elsewhere.map(jsonOf) },
    { weight: 5, arbitrary: fc.constant(sample).map(jsonOf) },
    { weight: 6, arbitrary: nearly(sample).map(jsonOf) },
    { weight: 2, arbitrary: anyJson.map(jsonOf) },
    { weight: 4, arbitrary: oddTexts(sample) },
    { weight: 1, arbitrary: anyText },
  );
  return fc.oneof(
    { weight: 22, arbitrary: texts.map((text) => new TextEncoder().encode(text)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  );
}

function jsonOf(value: unknown): string {
  return JSON.stringify(value) ?? "";
}

/** Values as they are written, which is not always how they would be. */
const ODD_LITERALS: readonly string[] = [
  "null",
  '"\\ud800"',
  '"\\u0000"',
  "-0",
  "1e308",
  "1e999",
  "9007199254740991",
  "9007199254740993",
  '"+275760-09-13T00:00:00.000Z"',
  '"9999-12-31T23:59:59.999Z"',
  '"10000-01-01T00:00:00.000Z"',
  jsonOf("x".repeat(50_000)),
  jsonOf("x".repeat(70_000)),
  jsonOf(`http://${"a@".repeat(20_000)} `),
  jsonOf(Array.from({ length: 5_001 }, () => "x")),
  jsonOf(nested(62)),
  jsonOf(nested(64)),
  "[".repeat(20_000),
  `${"[".repeat(20_000)}${"]".repeat(20_000)}`,
  '{"__proto__":{"state":"busy"}}',
];

/** What is done to the text of a body rather than to its value. */
function oddTexts(sample: object): fc.Arbitrary<string> {
  const text = jsonOf(sample);
  const rest = text.slice(1);
  const oneKey = fc
    .tuple(fc.constantFrom(...Object.entries(sample)), fc.constantFrom(...ODD_LITERALS))
    .chain(([[key, value], odd]) =>
      fc.constantFrom(
        jsonOf({ ...sample, [key]: "here" }).replace('"here"', () => odd),
        `{${jsonOf(key)}:${odd},${rest}`,
        `${text.slice(0, -1)},${jsonOf(key)}:${odd}}`,
        `{${jsonOf(key)}:${odd},${jsonOf(key)}:${jsonOf(value)}}`,
      ),
    );
  const whole = fc.constantFrom(
    "",
    "[]",
    '""',
    text.slice(0, -1),
    `\ufeff${text}`,
    `${text}${text}`,
    ` ${text}\n`,
    `{"__proto__":${text}}`,
    `{"__proto__":{"state":"busy"},${rest}`,
    `{"constructor":{"prototype":{"state":"busy"}},${rest}`,
    `{${Array.from({ length: 2_000 }, (_, index) => `"k${index}":0`).join(",")}}`,
    "state=busy&auto=true",
    "<state>busy</state>",
    ...ODD_LITERALS,
  );
  return fc.oneof({ weight: 3, arbitrary: oneKey }, { weight: 1, arbitrary: whole });
}
