import { createHash } from "node:crypto";
import { postgresSchema } from "./postgres.ts";
import { ServerProcess } from "./process.ts";
import { RedisServer } from "./redis.ts";
import { ADMIN_TOKEN } from "./server.ts";
import { type Frame, StreamClient } from "./stream.ts";

/** The tenant and the room of everyone in a fleet. */
export const TENANT = "home";
export const ROOM = "hall";

/** How a fleet is made. */
interface Fleet {
  readonly nodes: number;
  readonly people: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** By the number of a node, where it finds Redis; at the address of the server by default. */
  readonly redisOf?: (node: number, url: string) => string | Promise<string>;
}

/** Nodes that are processes of their own, on the real clock, with Redis and PostgreSQL of the test. */
export class NodeFleet implements AsyncDisposable {
  readonly redis: RedisServer;
  readonly nodes: ServerProcess[];
  readonly #schema: Awaited<ReturnType<typeof postgresSchema>>;
  readonly #env: (node: number) => Record<string, string>;
  readonly #streams: StreamClient[] = [];

  private constructor(
    redis: RedisServer,
    schema: Awaited<ReturnType<typeof postgresSchema>>,
    nodes: ServerProcess[],
    env: (node: number) => Record<string, string>,
  ) {
    this.redis = redis;
    this.#schema = schema;
    this.nodes = nodes;
    this.#env = env;
  }

  static async start({ nodes, people, env = {}, redisOf }: Fleet): Promise<NodeFleet> {
    const [redis, schema] = await Promise.all([RedisServer.start(), postgresSchema()]);
    const addresses = await Promise.all(
      Array.from({ length: nodes }, (_, node) => redisOf?.(node, redis.url) ?? redis.url),
    );
    const environment = (node: number): Record<string, string> => ({
      PORCHLIGHT_ADMIN_TOKEN: ADMIN_TOKEN,
      PORCHLIGHT_DATABASE_URL: schema.url,
      PORCHLIGHT_REDIS_URL: addresses[node] ?? redis.url,
      PORCHLIGHT_RATE_LIMIT: "0",
      ...env,
    });
    const started = await Promise.all(
      Array.from({ length: nodes }, (_, node) => ServerProcess.start(["serve"], environment(node))),
    );
    const fleet = new NodeFleet(redis, schema, started, environment);
    await fleet.#fill(people);
    return fleet;
  }

  /** The PostgreSQL server that it shares with other tests of this process. */
  get postgres(): Awaited<ReturnType<typeof postgresSchema>>["server"] {
    return this.#schema.server;
  }

  /** How many rows PostgreSQL has written for the nodes. */
  async rowsWritten(): Promise<number> {
    const [row] = await this.postgres.query(
      `select pg_stat_clear_snapshot(), coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::int as written from pg_stat_user_tables where schemaname = '${this.#schema.name}'`,
    );
    return Number(row?.written);
  }

  /** Resolves when so much time has passed on the clock of PostgreSQL, which nobody can move. */
  async pass(ms: number): Promise<void> {
    await this.postgres.query(`select pg_sleep(${ms / 1_000})`);
  }

  /** Stops a node in order and starts one in its place, at the same address. */
  async restart(node: number): Promise<void> {
    const { port } = new URL(this.#url(node));
    await this.nodes[node]?.end("SIGTERM");
    const env = { ...this.#env(node), PORCHLIGHT_PORT: port };
    this.nodes[node] = await ServerProcess.start(["serve"], env);
  }

  /** Asks a node for something as a person, or as the administrator. */
  async ask(
    node: number | string,
    who: string,
    method: string,
    path: string,
    body?: object,
    // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
  ): Promise<{ status: number; headers: Headers; body: any }> {
    const response = await fetch(`${this.#url(node)}${path}`, {
      method,
      headers: { authorization: `Bearer ${who === "admin" ? ADMIN_TOKEN : tokenOf(who)}` },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  }

  /** What a node says of itself to whoever measures. */
  async measured(node: number): Promise<string> {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    return (await fetch(`${this.#url(node)}/metrics`, { headers })).text();
  }

  /** Opens a person's stream to a node, or by way of a proxy, and takes its `hello`. */
  async stream(
    node: number | string,
    who: string,
    query: Record<string, string> = {},
  ): Promise<StreamClient> {
    const asked = new URLSearchParams({
      token: tokenOf(who),
      device_id: `${who}-device`,
      ...query,
    });
    const stream = await StreamClient.open(
      `${this.#url(node).replace("http", "ws")}/v1/stream?${asked}`,
    );
    await stream.type("hello");
    this.#streams.push(stream);
    return stream;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of this.#streams) stream.cut();
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
    await this.redis[Symbol.asyncDispose]();
    await this.#schema[Symbol.asyncDispose]();
  }

  async #fill(people: readonly string[]): Promise<void> {
    const created_at = "2026-01-01T00:00:00.000Z";
    const lines: object[] = [
      { type: "tenant", tenant_id: TENANT },
      ...people.flatMap((id) => [
        { type: "participant", tenant_id: TENANT, participant_id: id },
        {
          type: "token",
          tenant_id: TENANT,
          participant_id: id,
          token_id: `tok-${id}`,
          hash: hashOf(tokenOf(id)),
          created_at,
        },
      ]),
      { type: "room", tenant_id: TENANT, room_id: ROOM },
      ...people.map((id) => ({
        type: "member",
        tenant_id: TENANT,
        room_id: ROOM,
        participant_id: id,
        membership: "join",
      })),
    ];
    const response = await fetch(`${this.#url(0)}/v1/admin/import`, {
      method: "POST",
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/x-ndjson" },
      body: lines.map((line) => JSON.stringify(line)).join("\n"),
    });
    const report = await response.text();
    if (report.includes('"error"'))
      throw new Error(`Cannot fill a fleet: ${report.slice(0, 1_000)}`);
  }

  #url(node: number | string): string {
    if (typeof node === "string") return node;
    const { url } = this.nodes[node] ?? {};
    if (url === undefined) throw new RangeError(`Cannot ask node ${node} as there is none`);
    return url;
  }
}

/** What somebody at a stream is told of everyone's presence, and when. */
export class Watcher {
  readonly #frames: { readonly id: string; readonly state: string; readonly at: number }[] = [];
  readonly #stream: StreamClient;

  /** Takes everything that the stream is told from now on. */
  constructor(stream: StreamClient) {
    this.#stream = stream;
    void this.#follow();
  }

  /** Everything that was told of these people, as "person state"; of all by default. */
  toldOf(...ids: readonly string[]): string[] {
    const those = this.#frames.filter(({ id }) => ids.length === 0 || ids.includes(id));
    return those.map(({ id, state }) => `${id} ${state}`);
  }

  /** Looks from now on. */
  forget(): void {
    this.#frames.length = 0;
  }

  /** When a person was told to be in a state last, on the clock of the test. */
  at(id: string, state: string): number | undefined {
    return this.#frames.findLast((frame) => frame.id === id && frame.state === state)?.at;
  }

  readonly #waiting = new Set<() => void>();

  /** Resolves as soon as something is so of what was told. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  async #follow(): Promise<void> {
    for (;;) {
      const frame = await this.#stream
        .next((each) => each.type === "presence")
        .catch(() => undefined);
      if (frame === undefined) return;
      this.#frames.push({
        id: String(frame.participant_id),
        state: String(frame.state),
        at: performance.now(),
      });
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      for (const resolve of waiting) resolve();
    }
  }
}

/** Whether a frame tells of a message. */
export function isMessage({ type }: Frame): boolean {
  return type === "swp.room.message";
}

function tokenOf(who: string): string {
  return `plt_token-of-${who}`;
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
