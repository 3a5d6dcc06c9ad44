import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { rightRequest } from "../support/odd-requests.ts";
import { outputOf, temporaryFolder } from "../support/process.ts";
import { ADMIN_TOKEN, type Reply, TestServer } from "../support/server.ts";

/** What nobody may read anywhere: in no log, no metric, no refusal, and where it is a token, in no file. */
const MARKS = {
  inHeader: "plt_marked-in-a-header",
  inAddress: "plt_marked-in-an-address",
  inProtocol: "plt_marked-in-a-protocol",
  inMessage: "what-ann-has-written",
  inPreferences: "what-ann-looks-out-for",
  inNonsense: "what-is-no-json",
  inFrame: "what-is-no-frame",
} as const;

const HERE = { tenant_id: "acme", participant_id: "bob", room_id: "lounge", task_id: "task" };
/** What is there to be taken away. */
const SPARE = { tenant_id: "annex", participant_id: "zed", room_id: "attic", task_id: "task" };

/** Every endpoint, as it wants to be asked, and in a few ways in which it does not. */
async function askEverything(server: TestServer, tokens: readonly string[]): Promise<Reply[]> {
  const replies: Reply[] = [];
  for (const endpoint of server.routes) {
    const { method, address, body } = rightRequest(
      endpoint,
      endpoint.method === "DELETE" ? SPARE : HERE,
    );
    const query = address.includes("?") ? "&" : "?";
    const withBody = body === undefined ? {} : { body };
    for (const token of tokens)
      replies.push(await server.request(method, address, { token, ...withBody }));
    const inAddress = `${address}${query}token=${MARKS.inAddress}`;
    replies.push(await server.request(method, inAddress, { token: MARKS.inHeader }));
    if (body === undefined) continue;
    const odd = Object.fromEntries(Object.keys(body).map((key) => [key, [MARKS.inNonsense]]));
    for (const token of tokens)
      replies.push(
        await server.request(method, address, { token, text: MARKS.inNonsense }),
        await server.request(method, address, { token, body: { ...body, ...odd } }),
      );
  }
  return replies;
}

/** Streams that are let in, refused by every way in which a token is sent, and told nonsense. */
async function openStreams(server: TestServer, token: string): Promise<void> {
  const stream = await server.stream({}, ["porchlight.v1", `bearer.${token}`]);
  await stream.type("hello");
  stream.sendText(`{"type":"${MARKS.inFrame}"}`);
  stream.sendText(MARKS.inFrame);
  await stream.type("error");
  await stream.type("error");
  await server.cut(stream);
  for (const refused of [
    await server.stream({ token: MARKS.inAddress }),
    await server.stream({}, ["porchlight.v1", `bearer.${MARKS.inProtocol}`]),
  ])
    expect((await refused.closed).code).toBe(4001);
}

/** An import refuses lines, and answers with success. */
function isReport(body: unknown): boolean {
  return Array.isArray(body) && body.some((line) => "code" in line);
}

function refusalsAmong(replies: readonly Reply[]): Reply[] {
  return replies.filter(({ status, body }) => status >= 400 || isReport(body));
}

function bytesOf(folder: string): string {
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), "latin1"))
    .join("\n");
}

test("no token, and nothing that somebody wrote, is in a log, a metric or a refusal, and no token in the database", async () => {
  using folder = temporaryFolder();
  const server = await TestServer.start({ file: join(folder.path, "marked.db") });
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  await server.room("lounge", [ann, bob]);
  await server.room("attic", [await server.person("zed")]);
  await server.admin("PUT", "/tenants/annex", {});
  await server.admin("POST", "/rooms/lounge/events", {
    sender_id: "ann",
    content: { msgtype: "text", body: MARKS.inMessage },
  });
  await ann.put("/v1/me/preferences", { keyword_alerts: [MARKS.inPreferences] });
  const boss = await server.person("boss", { roles: ["porchlight_admin"] });
  const tokens = [ann.token, boss.token, ADMIN_TOKEN];
  const replies = await askEverything(server, tokens);
  await openStreams(server, ann.token);
  const { body: metrics } = await server.request("GET", "/metrics", { token: ADMIN_TOKEN });

  const hidden = [...Object.values(MARKS), ...tokens, bob.token];
  const isIn = (text: string): string[] => hidden.filter((secret) => text.includes(secret));
  const refusals = refusalsAmong(replies);
  expect(refusals.some(({ body }) => isReport(body))).toBe(true);
  expect(refusals.length).toBeGreaterThan(100);
  expect(isIn(JSON.stringify(refusals.map(({ body }) => body)))).toEqual([]);
  expect(isIn(metrics)).toEqual([]);

  const inFiles = (): string[] => {
    const files = bytesOf(folder.path);
    expect(files).toContain(MARKS.inMessage);
    return [MARKS.inHeader, MARKS.inAddress, MARKS.inProtocol, ...tokens, bob.token].filter(
      (each) => files.includes(each),
    );
  };
  expect(inFiles()).toEqual([]);

  // What fails is logged whole: here everything does, the way in included.
  await server.store.close();
  const failed = await askEverything(server, tokens);
  expect(failed.filter(({ status }) => status >= 500).length).toBeGreaterThan(50);
  expect(server.lines.filter(({ level }) => level === "error").length).toBeGreaterThan(50);
  expect(isIn(JSON.stringify(refusalsAmong(failed).map(({ body }) => body)))).toEqual([]);
  await server.stop().catch(() => undefined);
  expect(inFiles()).toEqual([]);
  expect(server.lines.map(({ event }) => event)).toContain("stream.closed");
  expect(isIn(JSON.stringify(server.lines))).toEqual([]);
});

test("the log is one line of JSON an event, whatever is in it", async () => {
  const log = join(import.meta.dir, "../../server/log.ts");
  const program = `import { errorFields, logToStderr } from ${JSON.stringify(log)};
    logToStderr("error", "request.failed", { path: "/a\\nb", ...errorFields(new Error("one\\ntwo", { cause: 3 })) });
    logToStderr("info", "server.stopped");`;
  const said = await outputOf([process.execPath, "-e", program], { stderr: "kept" });
  const lines = said
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toEqual([
    {
      ts: expect.stringMatching(/^\d{4}-.+Z$/),
      level: "error",
      event: "request.failed",
      path: "/a\nb",
      error: "one\ntwo",
      stack: expect.any(String),
      cause: { error: "3" },
    },
    { ts: expect.any(String), level: "info", event: "server.stopped" },
  ]);
});
