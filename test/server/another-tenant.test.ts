import { describe, expect, test } from "bun:test";
import { type Kind, type Place, placesOf, requestNaming } from "../support/naming.ts";
import type { Endpoint } from "../support/odd-requests.ts";
import { type Person, type Reply, TestServer } from "../support/server.ts";
import type { Closed } from "../support/stream.ts";
import { YjsClient } from "../support/yjs.ts";

/** A server, with a tenant of which everyone speaks and another. */
interface World extends AsyncDisposable {
  readonly server: TestServer;
  readonly callers: Readonly<Record<"participant" | "tenant admin", Person>>;
  /** Something of each kind in the tenant of the callers. */
  readonly own: Readonly<Record<Kind, string>>;
  /** The statements of one request, and what it was answered. */
  traced(ask: () => Promise<Reply>): Promise<{ reply: Reply; statements: readonly string[] }>;
  /** The same of an attempt to open a Yjs socket. */
  tracedYjs(
    person: Person,
    room: string,
  ): Promise<{ closed: Closed; statements: readonly string[] }>;
}

const ELSEWHERE = "umbrella";
const LOCKSTEP_TIMEOUT_MS = 60_000;

async function world(): Promise<World> {
  let statements: string[] = [];
  const server = await TestServer.start({
    trace: (sql) => {
      // Whether another process has written is asked as time goes by, whatever is asked for.
      if (sql !== "pragma data_version") statements.push(sql);
    },
  });
  const ann = await server.person("ann");
  const boss = await server.person("boss", { roles: ["porchlight_admin"] });
  const bob = await server.person("bob");
  await server.room("lounge", [ann, boss, bob]);
  const said = { sender_id: "bob", content: { body: "hello" } };
  const { data: event } = (await server.admin("POST", "/rooms/lounge/events", said)).body;
  await server.admin("PUT", "/rooms/lounge/sidekicks/task", { status: "running" });
  return {
    server,
    callers: { participant: ann, "tenant admin": boss },
    own: {
      tenant: "acme",
      participant: "bob",
      room: "lounge",
      event: event.id,
      task: "task",
      token: bob.tokenId,
      device: "laptop",
    },
    async traced(ask) {
      statements = [];
      return { reply: await ask(), statements };
    },
    async tracedYjs(person, room) {
      statements = [];
      using client = new YjsClient(server, person, room);
      return { closed: await client.closed(), statements };
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Makes something in the other tenant; answers its id. */
async function foreign(server: TestServer, kind: Kind, name: string): Promise<string> {
  if (kind === "tenant") {
    await server.person("somebody", { tenant_id: name });
    return name;
  }
  const fay = await server.person(kind === "participant" ? name : "fay", { tenant_id: ELSEWHERE });
  if (kind === "token") return fay.tokenId;
  if (kind === "device") await fay.post("/v1/me/heartbeat", { device_id: name });
  const room = await server.room(kind === "room" ? name : "far", [fay]);
  const at = `/rooms/${room}`;
  if (kind === "task") {
    await server.admin("PUT", `${at}/sidekicks/${name}`, { status: "running" });
  }
  if (kind !== "event") return name;
  const said = { sender_id: "fay", content: { body: "hello" } };
  return (await server.admin("POST", `${at}/events`, said)).body.data.id;
}

/** An id of which there is nothing. */
function unknown(kind: Kind, name: string): string {
  if (kind === "event") return `evt-${crypto.randomUUID()}`;
  return kind === "token" ? `tok-${crypto.randomUUID()}` : name;
}

/** What a caller can learn from an answer and from what it took, whatever was named. */
async function learned(
  { traced, server, own }: World,
  { token }: Person,
  { endpoint, place }: Case,
  id: string,
): Promise<readonly string[]> {
  const { path, body } = requestNaming(endpoint, place, id, own);
  const { reply, statements } = await traced(() =>
    server.request(endpoint.method, path, { token, body }),
  );
  const differing = ["x-request-id", "date", "etag", "content-length"];
  const headers = [...reply.headers].filter(([name]) => !differing.includes(name));
  return [
    `${reply.status}`,
    JSON.stringify(reply.body),
    JSON.stringify(headers),
    ...statements,
  ].map((text) =>
    text
      .replaceAll(id, "NAMED")
      .replaceAll(/'[^']*'\/\*\+/g, "LONG")
      .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "UUID")
      .replaceAll(/plt_[\w-]{43}/g, "TOKEN"),
  );
}

/** Refused to every participant, whatever is named. */
const FOR_THE_ADMIN_TOKEN = "DELETE /v1/admin/tenants/:tenant_id";

interface Case {
  readonly endpoint: Endpoint;
  readonly place: Place;
}

/** What tells something of another tenant from nothing, where it is named in one place of a request. */
async function differences(here: World, there: World, each: Case, name: string): Promise<string[]> {
  const { endpoint, place } = each;
  // The same happens in both, so that they differ in nothing but what is named.
  await foreign(here.server, place.kind, `theirs-${name}`);
  const theirs = await foreign(there.server, place.kind, `theirs-${name}`);
  const nobodys = unknown(place.kind, `nobody-${name}`);
  const found: string[] = [];
  for (const [caller, isAdministrator] of [
    ["participant", false],
    ["tenant admin", true],
  ] as const) {
    const not = await learned(here, here.callers[caller], each, nobodys);
    const of = await learned(there, there.callers[caller], each, theirs);
    const at = of.findIndex((text, index) => text !== not[index]);
    if (at >= 0 || of.length !== not.length)
      found.push(`to a ${caller}: ${of[at]} instead of ${not[at]}`);
    const mayCall =
      endpoint.path.startsWith("/v1/admin/") === isAdministrator &&
      `${endpoint.method} ${endpoint.path}` !== FOR_THE_ADMIN_TOKEN;
    if (mayCall && place.where === "path" && !["200", "404"].includes(of[0] ?? ""))
      found.push(`has no fitting sample: ${of[0]} ${of[1]}`);
  }
  return found.map((text) => `${endpoint.method} ${endpoint.path}, ${place.key}: ${text}`);
}

describe("what another tenant has", () => {
  test(
    "is answered as what does not exist is, in the same words and with the same statements, wherever it is named",
    async () => {
      await using here = await world();
      await using there = await world();
      const cases = here.server.routes
        .filter(({ path }) => !path.startsWith("/v1/yjs/"))
        .flatMap((endpoint) => placesOf(endpoint).map((place): Case => ({ endpoint, place })));
      const found: string[] = [];
      for (const [index, each] of cases.entries())
        found.push(...(await differences(here, there, each, String(index).padStart(4, "0"))));
      expect(found).toEqual([]);
      expect(cases.length).toBeGreaterThan(40);
    },
    LOCKSTEP_TIMEOUT_MS,
  );

  test("is closed to a Yjs client as what does not exist is, after the same statements", async () => {
    await using w = await world();
    const { participant: ann } = w.callers;
    const fay = await w.server.person("theirs", { tenant_id: ELSEWHERE });
    await w.server.room("theirs", [fay]);
    using _open = await YjsClient.open(w.server, fay, "theirs");
    const learned = async (id: string): Promise<string> => {
      const { statements, closed } = await w.tracedYjs(ann, id);
      return JSON.stringify([statements, closed]).replaceAll(id, "NAMED");
    };
    // Whose the token is need not be asked twice.
    await learned("unknown");
    expect(await learned("theirs")).toBe(await learned("nobody"));
  });

  test("is heard of on a stream as what does not exist is", async () => {
    await using w = await world();
    const { participant: ann } = w.callers;
    const fay = await w.server.person("theirs", { tenant_id: ELSEWHERE });
    await w.server.room("theirs", [fay]);
    await (await fay.stream()).heard();
    const stream = await ann.stream({ presence: "none" });
    await stream.heard();
    const heard = async (id: string): Promise<string> => {
      stream.send({ type: "subscribe", presence: [id, "ann"], snapshot: true });
      const snapshot = await stream.type("presence.snapshot");
      stream.send({ type: "typing", room_id: id, typing: true });
      return JSON.stringify([snapshot, await stream.type("error")]);
    };
    expect(await heard("theirs")).toBe(await heard("nobody"));
  });
});
