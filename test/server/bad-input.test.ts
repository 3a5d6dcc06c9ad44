import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ERROR_STATUS } from "@porchlight/core";
import Database from "better-sqlite3";
import fc from "fast-check";
import {
  type Endpoint,
  type Known,
  type OddRequest,
  oddRequests,
} from "../support/odd-requests.ts";
import { temporaryFolder } from "../support/process.ts";
import type { Reference } from "../support/reference.ts";
import { runs, trials } from "../support/runs.ts";
import { ADMIN_TOKEN, type Person, type Reply, TestServer } from "../support/server.ts";
import { Wire } from "../support/wire.ts";

const REQUESTS = 10_000;
const SUCCESSES: readonly number[] = [200, 204, 304];
const WRITES: readonly string[] = ["PUT", "POST", "DELETE"];
const STATUS = new Map<string, number>(Object.entries(ERROR_STATUS));
/** What is not answered but opened. */
const OPENED: readonly string[] = ["/v1/stream", "/v1/yjs/:room_id"];
/** Refusals that no input may cause. */
const DEFECTS: readonly string[] = ["SW_INTERNAL", "SW_UNAVAILABLE"];
/** What a person reads of themselves: all that a refused request of theirs must not change. */
const OWN = ["/v1/me", "/v1/me/preferences", "/v1/me/presence", "/v1/me/snoozes"];

/** Two tenants: one in which the requests are at home, with an untouched Carl, and one that they never name. */
async function populate(
  server: TestServer,
): Promise<{ known: Known; ann: Person; readings: () => Promise<unknown[]> }> {
  const ann = await server.person("ann");
  const boss = await server.person("boss", { roles: ["porchlight_admin"] });
  const [bob, carl] = [await server.person("bob"), await server.person("carl", { bio: "quiet" })];
  const [zoe, fay] = [await server.person("zoe"), await server.person("fay", { tenant_id: "far" })];
  await server.room("lounge", [ann, bob]);
  await server.room("cellar", [carl]);
  await server.room("hall", [fay]);
  const zed = await server.person("zed");
  await server.room("attic", [zed]);
  await server.admin("PUT", "/tenants/annex", {});
  await server.admin("PUT", "/rooms/hall/plan", { id: "plan", state: "running" });
  await fay.put("/v1/me/preferences", { locale: "de" });
  const content = { body: "hello" };
  const said = await server.admin("POST", "/rooms/lounge/events", { sender_id: "bob", content });
  for (const person of [fay, carl]) await person.put("/v1/me/presence", { state: "busy" });
  // What is left of them is what does not end by itself.
  await server.clock.advance(200_000);

  const untouched: [Person, string[]][] = [
    [fay, [...OWN, "/v1/rooms", "/v1/rooms/hall/state", "/v1/profiles", "/v1/presence?ids=fay,x"]],
    [carl, ["/v1/me/preferences", "/v1/me/presence", "/v1/rooms", "/v1/rooms/cellar/members"]],
    [carl, ["/v1/profiles/carl", "/v1/rooms/cellar/read-state"]],
    [boss, ["/v1/presence?ids=carl"]],
  ];
  return {
    ann,
    known: {
      params: {
        tenant_id: "acme",
        participant_id: "zoe",
        room_id: "lounge",
        device_id: "laptop",
        task_id: "task",
        file: "start.js",
        asset: "view.js",
        token_id: zoe.tokenId,
        event_id: said.body.data.id,
      },
      spareParams: {
        tenant_id: "annex",
        participant_id: "zed",
        room_id: "attic",
        token_id: zoe.tokenId,
      },
      tokens: [ann.token, ann.token, boss.token, ADMIN_TOKEN],
    },
    readings: async () => {
      const bodies: unknown[] = [];
      for (const [person, paths] of untouched) bodies.push(...(await read(person, paths)));
      return bodies;
    },
  };
}

async function read(person: Person, paths: readonly string[]): Promise<unknown[]> {
  const replies = await Promise.all(paths.map((path) => person.get(path)));
  expect(replies.filter(({ status }) => status !== 200)).toEqual([]);
  return replies.map(({ body }) => body);
}

/** Holds an answer against the contract. */
function check({ status, headers, body }: Reply, { method }: OddRequest): void {
  expect(headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  if (SUCCESSES.includes(status)) {
    const isRead = status === 200 && method !== "HEAD";
    if (isRead && Array.isArray(body)) expect(body.length).toBeGreaterThan(0);
    else if (isRead && typeof body === "object" && !("openapi" in body))
      expect(Object.keys(body)[0]).toBe("data");
    return;
  }
  if (method === "HEAD") {
    expect([...STATUS.values()].filter((each) => each < 500)).toContain(status);
    return;
  }
  expect(Object.keys(body)).toEqual(["error"]);
  const { code, message, details, ...others } = body.error;
  expect(others).toEqual({});
  expect(DEFECTS).not.toContain(code);
  expect(STATUS.get(code)).toBe(status);
  expect(typeof message === "string" && message !== "").toBe(true);
  if (code === "SW_VALIDATION") checkDetails(details);
  else expect(details).toBeUndefined();
}

function checkDetails(details: unknown): void {
  expect(Array.isArray(details) && details.length > 0).toBe(true);
  // Thousands of faults are looked at at once: one matcher for each would take most of the test's time.
  const isFault = (fault: object): boolean => {
    const { path, message, ...others } = Object.assign({ path: 0, message: 0 }, fault);
    return (
      typeof path === "string" &&
      typeof message === "string" &&
      message !== "" &&
      Object.keys(others).length === 0
    );
  };
  expect(Array.isArray(details) ? details.filter((fault) => !isFault(fault)) : details).toEqual([]);
}

describe("the server", () => {
  test(
    "answers whatever is sent to it with success or a documented refusal, and a refusal changes nothing",
    async () => {
      using folder = temporaryFolder();
      const file = join(folder.path, "test.db");
      await using server = await TestServer.start({ file });
      const { known, ann, readings } = await populate(server);
      using wire = Wire.to(server.url);
      using looker = lookInto(file);
      const before = await readings();
      const answered = new Set<string>();

      const ask = async (request: OddRequest): Promise<void> => {
        const writes = WRITES.includes(request.method);
        // So that whatever counts as a sign of life shows.
        await server.clock.advance(1);
        const own = writes ? await read(ann, OWN) : [];
        const version = looker.version();
        const reply = await wire.ask(request);
        check(reply, request);
        hold(server.reference, request, reply);
        const succeeded = SUCCESSES.includes(reply.status);
        if (!succeeded || !writes) expect(looker.version()).toBe(version);
        if (!succeeded && writes) expect(await read(ann, OWN)).toEqual(own);
        const { method, path } = request.endpoint;
        await haveBack(server, request, "ann");
        if (succeeded && method === request.method) answered.add(`${method} ${path}`);
      };
      await fc.assert(fc.asyncProperty(oddRequests(server.routes, known), ask), trials(REQUESTS));
      // What chance has left out, as long as it takes: else the requests would be too odd to say anything about it.
      const left = (): Endpoint[] =>
        server.routes.filter(
          ({ method, path }) => !answered.has(`${method} ${path}`) && !OPENED.includes(path),
        );
      for (let more = 0; more < 4 * REQUESTS && left().length > 0; more += 1)
        for (const request of fc.sample(oddRequests(left(), known), 1)) await ask(request);

      expect(await readings()).toEqual(before);
      expect(server.lines.filter(({ level }) => level === "error")).toEqual([]);
      expect(left()).toEqual([]);
    },
    runs(120_000),
  );
});

/** Whoever has left the room can do nothing more there. */
async function haveBack(server: TestServer, { endpoint }: OddRequest, id: string): Promise<void> {
  if (endpoint.path.endsWith("/leave"))
    await server.admin("PUT", `/rooms/lounge/members/${id}`, { membership: "join" });
}

/** Holds an answer, and what was taken, against the reference. */
function hold(reference: Reference, { method, target, body }: OddRequest, reply: Reply): void {
  reference.check(method, target, reply);
  if (reply.status === 200) reference.checkBody(method, target, new TextDecoder().decode(body));
}

/** Another connection to a database file, which sees when something was committed to it. */
function lookInto(file: string): Disposable & { version(): unknown } {
  const db = new Database(file, { readonly: true });
  return {
    version: () => db.pragma("data_version", { simple: true }),
    [Symbol.dispose]: () => void db.close(),
  };
}
