import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MemberBody, ParticipantBody, RoomBody } from "@porchlight/core";
import {
  type Log,
  type openConfigured,
  type RunningServer,
  readConfig,
  startServer,
} from "@porchlight/server";
import { Arrivals } from "./arrivals.ts";
import { TestClock } from "./clock.ts";
import { startNodes } from "./nodes.ts";
import { type Reference, referenceOf } from "./reference.ts";
import { StreamClient } from "./stream.ts";

/** Whether a server is one node, or, where the environment says so, several that take turns. */
export const ALONE: boolean = process.env.PORCHLIGHT_TEST_NODES === undefined;

/** The admin token of every test server. */
export const ADMIN_TOKEN = "admin-token-for-tests";

/** A response with its JSON, as far as it has any. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // What a server answers is looked at by the test, not trusted by it.
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
  readonly body: any;
}

/** The JSON of an answer, or a list of it where the answer is lines of JSON. */
export function bodyOf(text: string, headers: Headers): unknown {
  if (text === "") return undefined;
  const type = headers.get("content-type")?.split(";")[0];
  if (type === "application/json") return JSON.parse(text);
  if (type !== "application/x-ndjson") return text;
  const lines = text.trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line));
}

/** The status and code of a refusal, such as `404 SW_NOT_FOUND`. */
export function refusedWith({ status, body }: Reply): string {
  return `${status} ${body.error.code}`;
}

/** One line that the server logged. */
export interface Line {
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

/** Somebody with a token. */
export class Person {
  readonly #server: TestServer;
  readonly id: string;
  readonly tenant: string;
  readonly token: string;
  readonly tokenId: string;

  constructor(
    server: TestServer,
    who: { id: string; tenant: string; token: string; tokenId: string },
  ) {
    this.#server = server;
    this.id = who.id;
    this.tenant = who.tenant;
    this.token = who.token;
    this.tokenId = who.tokenId;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Reply> {
    return this.#server.request("GET", path, { token: this.token, headers });
  }

  put(path: string, body: unknown): Promise<Reply> {
    return this.#server.request("PUT", path, { token: this.token, body });
  }

  post(path: string, body: unknown): Promise<Reply> {
    return this.#server.request("POST", path, { token: this.token, body });
  }

  delete(path: string): Promise<Reply> {
    return this.#server.request("DELETE", path, { token: this.token });
  }

  /** Opens a stream and takes its `hello`, and what it tells of the person's own state. */
  async stream(query: Record<string, string> = {}): Promise<StreamClient> {
    const client = await this.#server.stream({ token: this.token, ...query });
    await client.type("hello");
    return client;
  }
}

/** A real server on a free port with a database of its own, whose clock the test moves. */
export class TestServer {
  readonly clock: TestClock;
  /** What every answer to {@link request} is held against. */
  readonly reference: Reference;
  readonly #lines: Arrivals<Line>;
  readonly #running: RunningServer;
  readonly #directory: string | undefined;

  private constructor(
    running: RunningServer,
    reference: Reference,
    clock: TestClock,
    lines: Arrivals<Line>,
    directory: string | undefined,
  ) {
    this.#running = running;
    this.reference = reference;
    this.clock = clock;
    this.#lines = lines;
    this.#directory = directory;
  }

  /** Starts a server. A `file` is left behind, to be started from again. */
  static async start(
    options: {
      env?: Record<string, string>;
      clock?: TestClock;
      file?: string;
      /** How it is started; as a server of its own by default. */
      by?: typeof startServer;
      /** Called with each statement of the store. */
      trace?: (sql: string) => void;
      open?: typeof openConfigured;
      /** What is looked at is of one node: its metrics, log lines, limits or timers. So it is of one with a store of its own. */
      alone?: boolean;
    } = {},
  ): Promise<TestServer> {
    const { alone = "open" in options || "trace" in options || "file" in options } = options;
    const { by = ALONE || alone ? startServer : startNodes } = options;
    const clock = options.clock ?? new TestClock();
    const directory =
      options.file === undefined ? mkdtempSync(join(tmpdir(), "porchlight-")) : undefined;
    const config = readConfig({
      PORCHLIGHT_PORT: "0",
      // Its clock stands still: nothing would ever be refilled.
      PORCHLIGHT_RATE_LIMIT: "0",
      PORCHLIGHT_ADMIN_TOKEN: ADMIN_TOKEN,
      PORCHLIGHT_DATABASE_URL: `sqlite:${options.file ?? join(directory ?? "", "test.db")}`,
      ...options.env,
    });
    const lines = new Arrivals<Line>();
    const log: Log = (level, event, fields) => lines.add({ level, event, ...fields });
    const { trace, open } = options;
    const running = await by(config, { clock, log, trace, open });
    return new TestServer(running, await referenceOf(running.url), clock, lines, directory);
  }

  /** Everything logged so far. */
  get lines(): readonly Line[] {
    return this.#lines.items;
  }

  /** The first line logged, or yet to be logged, of an event, from the `from`th line on. */
  async logged(event: string, from = 0): Promise<Line> {
    const line = await this.#lines.until((lines) =>
      lines.slice(from).find((each) => each.event === event),
    );
    if (line === undefined) throw new Error(`Cannot find a line of "${event}"`);
    return line;
  }

  get url(): string {
    return this.#running.url;
  }

  get routes(): RunningServer["routes"] {
    return this.#running.routes;
  }

  /** The token of the administrator of all tenants. */
  get adminToken(): string {
    return ADMIN_TOKEN;
  }

  get store(): RunningServer["store"] {
    return this.#running.store;
  }

  async request(
    method: string,
    path: string,
    options: {
      token?: string;
      body?: unknown;
      text?: string;
      headers?: Record<string, string>;
    } = {},
  ): Promise<Reply> {
    const {
      token,
      body,
      text = body === undefined ? undefined : JSON.stringify(body),
      headers,
    } = options;
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(text === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(text === undefined ? {} : { body: text }),
    });
    const answer = await response.text();
    const { status, headers: answered } = response;
    const reply = { status, headers: answered, body: bodyOf(answer, answered) };
    this.reference.check(method, path, reply);
    return reply;
  }

  /** Hands lines to an import, and answers its report. */
  async import(
    lines: readonly (object | string)[],
    options: { token?: string; query?: string } = {},
    // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
  ): Promise<any[]> {
    const { token = ADMIN_TOKEN, query = "" } = options;
    const text = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line)));
    const reply = await this.request("POST", `/v1/admin/import${query}`, {
      token,
      text: text.join("\n"),
      headers: { "content-type": "application/x-ndjson" },
    });
    return reply.body;
  }

  /** The lines of an export. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
  async export(options: { token?: string; query?: string } = {}): Promise<any[]> {
    const { token = ADMIN_TOKEN, query = "" } = options;
    return (await this.request("GET", `/v1/admin/export${query}`, { token })).body;
  }

  /** A request as the administrator of all tenants; it has to succeed. */
  async admin(method: string, path: string, body?: unknown): Promise<Reply> {
    const reply = await this.request(method, `/v1/admin${path}`, { token: ADMIN_TOKEN, body });
    if (reply.status !== 200)
      throw new Error(`Cannot ${method} ${path}: ${JSON.stringify(reply.body)}`);
    return reply;
  }

  /** Adds a person, and their tenant if there is none, and gives them a token. */
  async person(id: string, body: ParticipantBody & { expires_at?: string } = {}): Promise<Person> {
    const { tenant_id: tenant = "acme", expires_at, ...rest } = body;
    await this.admin("PUT", `/tenants/${tenant}`, {});
    await this.admin("PUT", `/participants/${id}`, { ...rest, tenant_id: tenant });
    const { data } = (
      await this.admin("POST", "/tokens", { participant_id: id, tenant_id: tenant, expires_at })
    ).body;
    return new Person(this, { id, tenant, token: data.token, tokenId: data.token_id });
  }

  /** Adds a room with these people in it. */
  async room(
    id: string,
    members: readonly Person[],
    body: RoomBody & { membership?: MemberBody["membership"] } = {},
  ): Promise<string> {
    const { membership = "join", ...room } = body;
    const tenant_id = members[0]?.tenant ?? "acme";
    await this.admin("PUT", `/rooms/${id}`, { ...room, tenant_id });
    for (const member of members)
      await this.admin("PUT", `/rooms/${id}/members/${member.id}`, { membership, tenant_id });
    return id;
  }

  /** Opens a stream. */
  stream(query: Record<string, string>, protocols: string[] = []): Promise<StreamClient> {
    return StreamClient.open(
      `${this.url.replace("http", "ws")}/v1/stream?${new URLSearchParams(query)}`,
      protocols,
    );
  }

  /** Cuts a stream without a word, and returns once the server has noticed. */
  async cut(stream: StreamClient): Promise<void> {
    const closings = (lines: readonly Line[]): number =>
      lines.filter(({ event }) => event === "stream.closed").length;
    const before = closings(this.lines);
    stream.cut();
    await this.#lines.until((lines) => (closings(lines) > before ? true : undefined));
  }

  async stop(): Promise<void> {
    await this.#running.stop();
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.stop();
    // Many sockets are closed a share at a time, on this clock.
    await this.clock.advance(5_000);
    await stopped;
  }
}
