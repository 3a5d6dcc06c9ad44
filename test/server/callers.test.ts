import { describe, expect, test } from "bun:test";
import { ADMIN_TOKEN, TestServer } from "../support/server.ts";

/** Everyone who may knock, in the order in which they do: those who change nothing first. */
const CALLERS = [
  "no token",
  "malformed",
  "unknown",
  "expired",
  "revoked",
  "of another tenant",
  "admin of another tenant",
  "non-member",
  "invitee",
  "member",
  "tenant admin",
  "admin token",
] as const;

type Caller = (typeof CALLERS)[number];

/** What each caller is answered: the status, and the code of a refusal. */
type Answers = Readonly<Record<string, string>>;

const INVALID = "401 SW_AUTH_INVALID_TOKEN";
const FORBIDDEN = "403 SW_AUTH_INSUFFICIENT_PERMISSION";

const EVERYBODY: Answers = Object.fromEntries(CALLERS.map((caller) => [caller, "200"]));

/** No WebSocket upgrade: the token is looked at when there is one. */
const NO_UPGRADE: Answers = Object.fromEntries(
  CALLERS.map((caller) => [caller, "400 SW_VALIDATION"]),
);

const STRANGERS: Answers = {
  "no token": INVALID,
  malformed: INVALID,
  unknown: INVALID,
  expired: "401 SW_AUTH_EXPIRED_TOKEN",
  revoked: INVALID,
};

const PARTICIPANTS: Answers = {
  ...STRANGERS,
  "of another tenant": "200",
  "admin of another tenant": "200",
  "non-member": "200",
  invitee: "200",
  member: "200",
  "tenant admin": "200",
  "admin token": FORBIDDEN,
};

/** About a participant of the tenant. */
const THE_TENANT: Answers = {
  ...PARTICIPANTS,
  "of another tenant": "404 SW_NOT_FOUND",
  "admin of another tenant": "404 SW_NOT_FOUND",
};

/** About something of one's own: of all of them only Ann, the member, has it. */
const WHOSE_IT_IS: Answers = {
  ...Object.fromEntries(CALLERS.map((caller) => [caller, "404 SW_EVENT_NOT_FOUND"])),
  ...STRANGERS,
  member: "200",
  "admin token": FORBIDDEN,
};

const MEMBERS: Answers = {
  ...STRANGERS,
  "of another tenant": "404 SW_ROOM_NOT_FOUND",
  "admin of another tenant": "404 SW_ROOM_NOT_FOUND",
  "non-member": "403 SW_NOT_MEMBER",
  invitee: "403 SW_NOT_MEMBER",
  member: "200",
  "tenant admin": "403 SW_NOT_MEMBER",
  "admin token": FORBIDDEN,
};

/** About a room, by whom it has invited as well. */
const INVITED: Answers = { ...MEMBERS, invitee: "200" };

const ADMINISTRATORS: Answers = {
  ...STRANGERS,
  "of another tenant": FORBIDDEN,
  "admin of another tenant": "404 SW_TENANT_NOT_FOUND",
  "non-member": FORBIDDEN,
  invitee: FORBIDDEN,
  member: FORBIDDEN,
  "tenant admin": "200",
  "admin token": "200",
};

/** About all tenants at once. */
const OPERATOR: Answers = {
  ...ADMINISTRATORS,
  "admin of another tenant": FORBIDDEN,
  "tenant admin": FORBIDDEN,
};

/** A row of the table: what is asked, and what it answers to whom. */
interface Row {
  readonly answers: Answers;
  /** In it, `$event` is a message in the room. */
  readonly body?: object;
  readonly query?: string;
}

const IN_ACME = "tenant_id=acme";

/** Nobody of a tenant may end it. */
const THE_ADMIN_TOKEN: Answers = {
  ...ADMINISTRATORS,
  "admin of another tenant": FORBIDDEN,
  "tenant admin": FORBIDDEN,
};

const TABLE: Readonly<Record<string, Row>> = {
  "GET /healthz": { answers: EVERYBODY },
  "GET /readyz": { answers: EVERYBODY },
  "GET /metrics": { answers: OPERATOR },
  "GET /openapi.json": { answers: EVERYBODY },
  "GET /": { answers: EVERYBODY },
  "GET /app/:asset": { answers: EVERYBODY },
  "GET /docs": { answers: EVERYBODY },
  "GET /docs/:file": { answers: EVERYBODY },
  "GET /v1/stream": { answers: NO_UPGRADE },
  "GET /v1/yjs/:room_id": { answers: NO_UPGRADE },
  "GET /v1/sync": { answers: PARTICIPANTS, query: "since=0&timeout=0" },

  "GET /v1/me": { answers: PARTICIPANTS },
  "PUT /v1/me": { answers: PARTICIPANTS, body: {} },
  "GET /v1/me/preferences": { answers: PARTICIPANTS },
  "PUT /v1/me/preferences": { answers: PARTICIPANTS, body: {} },
  "POST /v1/me/preferences/edits": {
    answers: PARTICIPANTS,
    body: {
      device_id: "laptop",
      sent_at: "2026-03-02T09:00:00Z",
      edits: [{ seq: 1, edited_at: "2026-03-02T08:00:00Z", patch: {} }],
    },
  },
  "GET /v1/me/presence": { answers: PARTICIPANTS },
  "PUT /v1/me/presence": { answers: PARTICIPANTS, body: { state: "busy" } },
  "POST /v1/me/heartbeat": { answers: PARTICIPANTS, body: { device_id: "laptop" } },
  "DELETE /v1/me/devices/:device_id": { answers: PARTICIPANTS },

  "POST /v1/messages/:event_id/snooze": {
    answers: {
      ...MEMBERS,
      "of another tenant": "404 SW_EVENT_NOT_FOUND",
      "admin of another tenant": "404 SW_EVENT_NOT_FOUND",
    },
    body: { until: "2026-03-03T09:00:00Z" },
  },
  "GET /v1/me/snoozes": { answers: PARTICIPANTS },
  "DELETE /v1/me/snoozes/:event_id": { answers: WHOSE_IT_IS },

  "GET /v1/presence": { answers: PARTICIPANTS, query: "ids=bob" },
  "POST /v1/presence/query": { answers: PARTICIPANTS, body: { ids: ["bob"] } },
  "GET /v1/profiles": { answers: PARTICIPANTS },
  "GET /v1/profiles/:participant_id": { answers: THE_TENANT },

  "PUT /v1/typing": { answers: MEMBERS, body: { room_id: "lounge", typing: true } },
  "GET /v1/rooms": { answers: PARTICIPANTS },
  "POST /v1/rooms/dm": { answers: THE_TENANT, body: { participant_id: "bob" } },
  "GET /v1/rooms/:room_id": { answers: MEMBERS },
  "GET /v1/rooms/:room_id/state": { answers: MEMBERS },
  "GET /v1/rooms/:room_id/members": { answers: MEMBERS },
  "GET /v1/rooms/:room_id/ai/engagement": { answers: MEMBERS },
  "GET /v1/rooms/:room_id/plan": { answers: MEMBERS },
  "GET /v1/rooms/:room_id/sidekicks": { answers: MEMBERS },
  "GET /v1/rooms/:room_id/call": { answers: MEMBERS },
  "GET /v1/rooms/:room_id/read-state": { answers: MEMBERS },
  "GET /v1/rooms/:room_id/messages": { answers: MEMBERS },
  "POST /v1/rooms/:room_id/send": {
    answers: MEMBERS,
    body: { content: { msgtype: "text", body: "hello" } },
  },
  "POST /v1/rooms/:room_id/invite": { answers: MEMBERS, body: { participant_id: "ned" } },
  "POST /v1/rooms/:room_id/join": { answers: INVITED },
  "POST /v1/rooms/:room_id/leave": { answers: INVITED },
  "PUT /v1/rooms/:room_id/read-marker": { answers: MEMBERS, body: { event_id: "$event" } },
  "PUT /v1/rooms/:room_id/notification-mode": { answers: MEMBERS, body: { mode: "none" } },
  "PUT /v1/rooms/:room_id/mute": { answers: MEMBERS, body: { until: "indefinite" } },
  "PUT /v1/rooms/:room_id/ai/engagement": { answers: MEMBERS, body: { mode: "mention" } },
  "PUT /v1/rooms/:room_id/ai/response-mode": {
    answers: MEMBERS,
    body: { mode: "streaming", participant_id: null },
  },

  "PUT /v1/admin/tenants/:tenant_id": { answers: ADMINISTRATORS, body: {} },
  "PUT /v1/admin/participants/:participant_id": {
    answers: ADMINISTRATORS,
    body: {},
    query: IN_ACME,
  },
  "PUT /v1/admin/rooms/:room_id": { answers: ADMINISTRATORS, body: {}, query: IN_ACME },
  "PUT /v1/admin/rooms/:room_id/members/:participant_id": {
    answers: ADMINISTRATORS,
    body: {},
    query: IN_ACME,
  },
  "PUT /v1/admin/rooms/:room_id/plan": {
    answers: ADMINISTRATORS,
    body: { id: "plan", state: "running" },
    query: IN_ACME,
  },
  "PUT /v1/admin/rooms/:room_id/call": {
    answers: ADMINISTRATORS,
    body: { call_id: "call" },
    query: IN_ACME,
  },
  "PUT /v1/admin/rooms/:room_id/sidekicks/:task_id": {
    answers: ADMINISTRATORS,
    body: { status: "running" },
    query: IN_ACME,
  },
  "POST /v1/admin/rooms/:room_id/events": {
    answers: ADMINISTRATORS,
    body: { sender_id: "bob", content: { msgtype: "text", body: "hello" } },
    query: IN_ACME,
  },
  "DELETE /v1/admin/tenants/:tenant_id": { answers: THE_ADMIN_TOKEN },
  "DELETE /v1/admin/participants/:participant_id": { answers: ADMINISTRATORS, query: IN_ACME },
  "DELETE /v1/admin/rooms/:room_id": { answers: ADMINISTRATORS, query: IN_ACME },
  "DELETE /v1/admin/rooms/:room_id/members/:participant_id": {
    answers: ADMINISTRATORS,
    query: IN_ACME,
  },
  "DELETE /v1/admin/rooms/:room_id/plan": { answers: ADMINISTRATORS, query: IN_ACME },
  "DELETE /v1/admin/rooms/:room_id/call": { answers: ADMINISTRATORS, query: IN_ACME },
  "DELETE /v1/admin/rooms/:room_id/sidekicks/:task_id": {
    answers: ADMINISTRATORS,
    query: IN_ACME,
  },
  "GET /v1/admin/export": { answers: ADMINISTRATORS, query: IN_ACME },
  "POST /v1/admin/import": {
    answers: ADMINISTRATORS,
    body: { type: "tenant" },
    query: IN_ACME,
  },
  "POST /v1/admin/tokens": {
    answers: ADMINISTRATORS,
    body: { participant_id: "bob" },
    query: IN_ACME,
  },
  "DELETE /v1/admin/tokens/:token_id": {
    // A token has no tenant in its address: that of another tenant is one that does not exist.
    answers: { ...ADMINISTRATORS, "admin of another tenant": "404 SW_NOT_FOUND" },
  },
};

/** A tenant with a room in which Bob sits, and the `Authorization` of every caller. */
async function people(server: TestServer): Promise<Record<Caller, string | undefined>> {
  const roles = ["porchlight_admin"];
  const past = "2026-03-02T08:59:59.999Z";
  const [expired, revoked] = [
    await server.person("eve", { expires_at: past }),
    await server.person("rob"),
  ];
  await server.admin("DELETE", `/tokens/${revoked.tokenId}`);
  const [bob, ann, ivy, ned, boss] = [
    await server.person("bob"),
    await server.person("ann"),
    await server.person("ivy"),
    await server.person("ned"),
    await server.person("boss", { roles }),
  ];
  const foreigner = await server.person("fay", { tenant_id: "umbrella" });
  const foreignBoss = await server.person("fitz", { tenant_id: "umbrella", roles });
  await server.room("lounge", [bob, ann]);
  await ann.post(`/v1/messages/${await eventIn(server)}/snooze`, { until: "2026-03-03T09:00:00Z" });
  await server.admin("PUT", "/rooms/lounge/members/ivy", {
    membership: "invite",
    tenant_id: "acme",
  });
  return {
    "no token": undefined,
    malformed: `Basic ${btoa("ann:secret")}`,
    unknown: "Bearer plt_nobody",
    expired: `Bearer ${expired.token}`,
    revoked: `Bearer ${revoked.token}`,
    "of another tenant": `Bearer ${foreigner.token}`,
    "admin of another tenant": `Bearer ${foreignBoss.token}`,
    "non-member": `Bearer ${ned.token}`,
    invitee: `Bearer ${ivy.token}`,
    member: `Bearer ${ann.token}`,
    "tenant admin": `Bearer ${boss.token}`,
    "admin token": `Bearer ${ADMIN_TOKEN}`,
  };
}

/** A message of Bob's, always the same. */
async function eventIn(server: TestServer): Promise<string> {
  const body = { tenant_id: "acme", sender_id: "bob", content: {}, event_uuid: "hello" };
  return (await server.admin("POST", "/rooms/lounge/events", body)).body.data.id;
}

/** Things of the tenant that may be taken away: they are there again for each caller. */
async function restock(server: TestServer): Promise<Record<string, string>> {
  const tenant_id = "acme";
  await server.admin("PUT", "/tenants/spare", {});
  await server.admin("PUT", "/participants/zed", { tenant_id });
  await server.admin("PUT", "/rooms/attic", { tenant_id });
  await server.admin("PUT", "/rooms/attic/members/zed", { tenant_id });
  await server.admin("PUT", "/rooms/attic/plan", { id: "plan", state: "running" });
  await server.admin("PUT", "/rooms/attic/call", { call_id: "call" });
  await server.admin("PUT", "/rooms/attic/sidekicks/task", { status: "running" });
  return { tenant_id: "spare", participant_id: "zed", room_id: "attic" };
}

/** A path with something of the tenant in the place of every parameter; each time with other things to take away. */
async function addressOf(server: TestServer, method: string, path: string): Promise<string> {
  const takesAway = method === "DELETE" && path.startsWith("/v1/admin/");
  const spare = await server.admin("POST", "/tokens", { participant_id: "bob" });
  const named: Record<string, string> = {
    tenant_id: "acme",
    participant_id: "bob",
    room_id: "lounge",
    device_id: "laptop",
    task_id: "task",
    file: "start.js",
    asset: "view.js",
    token_id: spare.body.data.token_id,
    event_id: await eventIn(server),
    ...(takesAway ? await restock(server) : {}),
  };
  return path.replaceAll(/:(\w+)/g, (_, name: string) => named[name] ?? `no ${name}`);
}

/** A body in which `$event` has become a message of Bob's. */
async function bodyOf(server: TestServer, body: object | undefined): Promise<object | undefined> {
  if (body === undefined) return undefined;
  return JSON.parse(JSON.stringify(body).replace("$event", await eventIn(server)));
}

describe("the table of callers", () => {
  test("has a row for each endpoint of the server, and no other", async () => {
    await using server = await TestServer.start();
    const endpoints = server.routes.map(({ method, path }) => `${method} ${path}`);
    expect(Object.keys(TABLE).toSorted()).toEqual(endpoints.toSorted());
  });
});

for (const [endpoint, { answers, body, query }] of Object.entries(TABLE)) {
  const [method = "", path = ""] = endpoint.split(" ");

  describe(endpoint, () => {
    test("answers each kind of caller as the table says", async () => {
      await using server = await TestServer.start();
      const authorizations = await people(server);
      const sent = await bodyOf(server, body);
      const answered: Record<string, string> = {};
      for (const caller of CALLERS) {
        const authorization = authorizations[caller];
        const address = await addressOf(server, method, path);
        const reply = await server.request(
          method,
          query === undefined ? address : `${address}?${query}`,
          { headers: authorization === undefined ? {} : { authorization }, body: sent },
        );
        const code = reply.body.error?.code;
        answered[caller] = code === undefined ? `${reply.status}` : `${reply.status} ${code}`;
      }
      expect(answered).toEqual(answers);
      if (Object.values(answers).includes("200"))
        expect(server.reference.seen).toContain(`${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
    });
  });
}
