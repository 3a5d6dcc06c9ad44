import { createHash } from "node:crypto";
import type { ManualFacts } from "@porchlight/core";
import { systemClock } from "@porchlight/core/clock";
import type { EndReason, SharedSource } from "@porchlight/core/sharing";
import { createClient } from "@redis/client";
import { nameOfPerson } from "../store/store.ts";
import {
  type Cluster,
  type ClusterView,
  type Delivery,
  type NodeView,
  type PersonWrite,
  type StoredPerson,
  WRITE_MAX,
} from "./cluster.ts";
import { JOIN, READ, RENEW, RETIRE, type Script, SEND, WRITE } from "./scripts.ts";

/** A connection on which nothing comes for so long is given up: a renewal asks for something every second. */
const SILENT_MS = 2_000;
/** So long it may take to connect, and after so long it is tried again. */
const CONNECT_MS = 2_000;
const RECONNECT_MS = 250;
/** Commands that may wait for their answers. */
const WAITING_MAX = 10_000;
/** After this long nobody needs to know any more that a node is no more. */
const FORGOTTEN_MS = 240_000;

/** How the facts that nodes share are reached. */
export interface RedisOptions {
  /** `redis://` or, with TLS, `rediss://`; with user, password and number of the database where there are any. */
  readonly url: string;
  /** What every key and channel begins with. */
  readonly prefix: string;
  /** The name of this node. */
  readonly node: string;
  readonly deliver: (delivery: Delivery) => void;
  /** The connection failed; it is made anew by itself. */
  readonly failed: (error: unknown) => void;
  /** There is a connection, for the first time or again. */
  readonly connected?: () => void;
}

/**
 * The facts that nodes share, in Redis from 6.2 on or Valkey. One connection
 * carries commands and deliveries, so that an answer comes after whatever was
 * delivered before it was made.
 */
export function openRedis(options: RedisOptions): Cluster {
  const { node, prefix, deliver } = options;
  const channel = `${prefix}deliveries`;
  const key = (name: string): string => `${prefix}${name}`;
  const [nodes, delivered, wallKey, held] = ["nodes", "delivered", "wall", `held:${node}`].map(
    key,
  ) as [string, string, string, string];
  /** How often the connection was made: what was written before may be lost with the server. */
  let connections = 0;
  let joinedBy = 0;
  let opening: Promise<void> | undefined;

  const client = createClient({
    url: options.url,
    RESP: 3,
    disableOfflineQueue: true,
    commandsQueueMaxLength: WAITING_MAX,
    socket: {
      connectTimeout: CONNECT_MS,
      socketTimeout: SILENT_MS,
      reconnectStrategy: () => RECONNECT_MS,
    },
  });
  client.on("error", options.failed);
  client.on("ready", () => {
    connections += 1;
    options.connected?.();
  });

  /** Connects when it is first needed, and goes on trying to. */
  function connected(): Promise<void> {
    opening ??= client
      .connect()
      .then(() => client.subscribe(channel, (text) => deliver(deliveryOf(text))));
    return within(CONNECT_MS, opening);
  }

  async function run(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<unknown> {
    const rest = [String(script.keys), ...keys, ...args];
    try {
      return await client.sendCommand(["EVALSHA", shaOf(script), ...rest]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
      return await client.sendCommand(["EVAL", script.text, ...rest]);
    }
  }

  async function write(incarnation: number, person: PersonWrite, ttlMs: number): Promise<boolean> {
    const name = nameOfPerson(person);
    const { version, facts, sources, ended } = person.contribution;
    const answer = await run(
      WRITE,
      [nodes, delivered, key(`person:${name}`), held],
      [
        channel,
        node,
        String(incarnation),
        name,
        String(version),
        crypto.randomUUID(),
        JSON.stringify(facts),
        String(facts.manual_at),
        sources.length === 0 ? "" : JSON.stringify(sources),
        String(ttlMs),
        ...Object.entries(ended).flat(),
      ],
    );
    return answer === 1;
  }

  async function read(names: readonly string[]): Promise<StoredPerson[]> {
    const answers = await Promise.all(
      names.map((name) => run(READ, [nodes, key(`person:${name}`)], [])),
    );
    return answers.flatMap((answer, index) => {
      const [now, fields, members] = answer as [string, unknown, unknown];
      const known = new Map(
        viewOf([now, "0", "0", members]).nodes.map((each) => [each.node, each.incarnation]),
      );
      const person = personOf(names[index] ?? "", Number(now), entriesOf(fields));
      if (person === undefined) return [];
      const shares = person.shares.filter(
        ({ owner }) => (known.get(owner.node) ?? 0) >= owner.incarnation,
      );
      return shares.length === 0 ? [] : { ...person, shares };
    });
  }

  return {
    node,
    async join(wall, above) {
      await connected();
      const by = connections;
      const [incarnation, view] = (await run(
        JOIN,
        [nodes, delivered, wallKey],
        [node, String(above), String(Math.ceil(wall))],
      )) as [string, ViewReply];
      joinedBy = by;
      return { ...viewOf(view), incarnation: Number(incarnation) };
    },
    async renew(incarnation, wall, leaseMs) {
      if (joinedBy !== connections) return undefined;
      const args = [
        node,
        String(incarnation),
        String(Math.ceil(wall)),
        String(leaseMs),
        String(FORGOTTEN_MS),
      ];
      const view = (await run(RENEW, [nodes, delivered, wallKey, held], args)) as ViewReply | null;
      return view === null ? undefined : viewOf(view);
    },
    async retire(owner, leaseMs, lingerMs) {
      const lease = owner.node === node ? "" : String(leaseMs);
      await run(
        RETIRE,
        [nodes, delivered],
        [channel, owner.node, String(owner.incarnation), lease, String(lingerMs)],
      );
    },
    async write(incarnation, people, ttlMs) {
      if (joinedBy !== connections) return false;
      const written = await Promise.all(people.map((each) => write(incarnation, each, ttlMs)));
      return written.every((each) => each);
    },
    async *people() {
      const members = entriesOf(await client.sendCommand(["HGETALL", nodes]));
      const seen = new Set<string>();
      for (const [member] of members) {
        let cursor = "0";
        do {
          const [next, names] = (await client.sendCommand([
            "SSCAN",
            key(`held:${member}`),
            cursor,
            "COUNT",
            String(WRITE_MAX),
          ])) as [string, string[]];
          cursor = next;
          const fresh = names.filter((name) => !seen.has(name));
          for (const name of fresh) seen.add(name);
          if (fresh.length > 0) yield await read(fresh);
        } while (cursor !== "0");
      }
    },
    async send(message) {
      const body = JSON.stringify({ kind: "message", from: node, message }).slice(1, -1);
      await run(SEND, [delivered], [channel, body]);
    },
    async caughtUp() {
      await client.ping();
    },
    async close() {
      if (client.isOpen) client.destroy();
    },
  };
}

/** Waits for what is to come, but not for longer. */
async function within(ms: number, coming: Promise<void>): Promise<void> {
  let callOff = (): void => undefined;
  const late = new Promise<never>((_, reject) => {
    callOff = systemClock().timer(ms, () =>
      reject(new Error(`Redis did not answer within ${ms} ms`)),
    );
  });
  await Promise.race([coming, late]).finally(callOff);
}

type ViewReply = [now: string, delivered: string, wall: string, nodes: unknown];

function viewOf([now, delivered, wall, members]: ViewReply): ClusterView {
  const nodes = entriesOf(members).flatMap(([node, value]): NodeView[] => {
    const [incarnation, renewedAt, lingersUntil] = value.split("|");
    return [
      {
        node,
        incarnation: Number(incarnation),
        silent_ms: Math.max(0, Number(now) - Number(renewedAt)),
        lingers_ms: lingersUntil === "" ? null : Math.max(0, Number(lingersUntil) - Number(now)),
      },
    ];
  });
  return { nodes, delivered: Number(delivered), wall: Number(wall) };
}

/** What is published as JSON: of a person the fields are those of the hash. */
function deliveryOf(text: string): Delivery {
  const { name, now, fields, ...delivery } = JSON.parse(text);
  if (delivery.kind !== "person") return delivery;
  return { ...delivery, person: personOf(name, now, entriesOf(fields)) };
}

/** The fields of a hash, which come as a list or, from some commands, as a map. */
function entriesOf(fields: unknown): [field: string, value: string][] {
  if (!Array.isArray(fields)) return Object.entries(fields as Record<string, string>);
  return Array.from({ length: fields.length / 2 }, (_, index) => [
    String(fields[2 * index]),
    String(fields[2 * index + 1]),
  ]);
}

function personOf(
  name: string,
  now: number,
  entries: readonly [string, string][],
): StoredPerson | undefined {
  const fields = new Map(entries);
  const version = fields.get("v");
  if (version === undefined) return undefined;
  const [tenant_id = "", participant_id = ""] = name.split("/");
  const named = (prefix: string): [string, string][] =>
    entries.flatMap(([field, value]) =>
      field.startsWith(prefix) ? [[field.slice(prefix.length), value]] : [],
    );
  return {
    tenant_id,
    participant_id,
    version: Number(version),
    lineage: fields.get("l") ?? "",
    facts: factsOf(fields.get("f")),
    shares: named("s:").map(([node, value]) => {
      const [, incarnation, writtenAt, sources = "[]"] = /^(\d+)\|(\d+)\|(.*)$/s.exec(value) ?? [];
      return {
        owner: { node, incarnation: Number(incarnation) },
        age_ms: Math.max(0, now - Number(writtenAt)),
        sources: JSON.parse(sources) as SharedSource[],
      };
    }),
    ended: Object.fromEntries(named("x:")) as Record<string, EndReason>,
  };
}

/** JSON has no `undefined`. */
function factsOf(text: string | undefined): ManualFacts | undefined {
  return text === undefined ? undefined : { manual: undefined, ...JSON.parse(text) };
}

const shas = new WeakMap<Script, string>();

function shaOf(script: Script): string {
  const known = shas.get(script) ?? createHash("sha1").update(script.text).digest("hex");
  shas.set(script, known);
  return known;
}

/** The oldest that has what the scripts and the connection need. */
const OLDEST = [6, 2] as const;

/**
 * Looks at a server of shared facts without changing it: answers what it is.
 * @throws {Error} when it cannot be reached, or is too old.
 */
export async function inspectRedis(url: string): Promise<string> {
  const client = createClient({
    url,
    RESP: 3,
    disableOfflineQueue: true,
    socket: { connectTimeout: CONNECT_MS, socketTimeout: SILENT_MS, reconnectStrategy: false },
  });
  // What fails is thrown by what was asked for.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return serverIn(await client.info("server"));
  } finally {
    if (client.isOpen) client.destroy();
  }
}

/** Valkey calls itself a Redis of the version that it began as, and says who it is besides. */
function serverIn(info: string): string {
  const read = (name: string): string | undefined =>
    new RegExp(`^${name}:(.+?)\\r?$`, "m").exec(info)?.[1];
  const version = read("redis_version") ?? "0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    throw new Error(`it is Redis ${version}, and has to be ${OLDEST.join(".")} or newer`);
  const valkey = read("valkey_version");
  return valkey === undefined ? `Redis ${version}` : `Valkey ${valkey}`;
}
