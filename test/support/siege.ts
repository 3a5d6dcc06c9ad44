import { join } from "node:path";
import type { ParticipantBody } from "@porchlight/core";
import { Child } from "./child.ts";
import { temporaryFolder } from "./process.ts";
import { isLong } from "./runs.ts";
import { ADMIN_TOKEN } from "./server.ts";

/**
 * How long 99 of 100 answers to somebody who does nothing odd may take, and how
 * long the slowest, in milliseconds. What the machine does meanwhile is taken
 * off, but cannot be told in full: a commit that waits for a busy disk looks like
 * the server, and a checkpoint of the log waits for it longest.
 */
const SLOW_MS = 50;
const SLOWEST_MS = 1_000;
/** Fewer answers than these are judged by the slowest. */
const FEW = 100;
const SLOW_FEW_MS = 250;
/** What a process with a database and one stream has open. */
const FILES_AT_REST = 14;
/** One for each concern, however many people there are. */
const TIMERS = 10;
/** What may be left of an attack that was made before. Memory of the process is given back late and in part. */
const OBJECTS_LEFT = 2_000;
/** The bystander and the test keep a connection each, which comes and goes. */
const FILES_LEFT = 2;
const HEAP_LEFT_BYTES = 4_000_000;
const RSS_LEFT_BYTES = 32_000_000;

/** How much of everything a server holds, after a collection. */
export interface Holdings {
  readonly streams: number;
  readonly timers: number;
  readonly files: number;
  readonly objects: number;
  readonly heap: number;
  readonly rss: number;
  /** What was logged as an error since the last time. */
  readonly failures: readonly unknown[];
}

/** How long answers took, in milliseconds. */
interface Spread {
  readonly median: number;
  readonly p99: number;
  readonly slowest: number;
}

/** How the server answered somebody who did nothing odd. */
export interface Calm {
  readonly answers: number;
  readonly clock: Spread;
  /** The same, less for how long the machine ran something else instead of whoever was to run. */
  readonly server: Spread;
  readonly faults: readonly string[];
}

/**
 * A server in a process of its own, with a bystander in another who uses it as
 * one should, while the test in a third does what one should not.
 */
export class Siege implements AsyncDisposable {
  readonly url: string;
  /** Every endpoint, its parameters written as `:name`. */
  readonly routes: readonly { readonly method: string; readonly path: string }[];
  readonly #server: Child;
  readonly #folder: Disposable;
  #bystander: Child | undefined;

  private constructor(
    { url, routes }: Pick<Siege, "url" | "routes">,
    server: Child,
    folder: Disposable,
  ) {
    this.url = url;
    this.routes = routes;
    this.#server = server;
    this.#folder = folder;
  }

  /** Starts the server, with the bystander beside it. @param limits.files how many files the server may have open. */
  static async start(
    env: Readonly<Record<string, string>> = {},
    limits: { readonly files?: number } = {},
  ): Promise<Siege> {
    const folder = temporaryFolder();
    const settings = {
      PORCHLIGHT_PORT: "0",
      PORCHLIGHT_ADMIN_TOKEN: ADMIN_TOKEN,
      PORCHLIGHT_DATABASE_URL: `sqlite:${join(folder.path, "test.db")}`,
      PORCHLIGHT_RATE_LIMIT: "0",
      ...env,
    };
    const server = watched(JSON.stringify(settings), limits.files);
    const { url, pid, routes } = JSON.parse(await server.line());
    const siege = new Siege({ url, routes }, server, folder);
    const token = await siege.person("bystander");
    siege.#bystander = Child.script("bystander.ts", url, token, String(pid));
    await siege.#bystander.line();
    return siege;
  }

  /** A request as the administrator of all tenants; it has to succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is the endpoint's
  async admin(method: string, path: string, body: object): Promise<any> {
    const answer = await fetch(`${this.url}/v1/admin${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Cannot ${method} ${path}: ${text}`);
    return JSON.parse(text).data;
  }

  /** Adds a person of the tenant `acme`; answers their token. */
  async person(id: string, body: ParticipantBody = {}): Promise<string> {
    await this.admin("PUT", "/tenants/acme", {});
    await this.admin("PUT", `/participants/${id}`, { ...body, tenant_id: "acme" });
    return (await this.admin("POST", "/tokens", { participant_id: id, tenant_id: "acme" })).token;
  }

  /** Adds a room with these people in it. */
  async room(id: string, people: readonly string[]): Promise<void> {
    await this.admin("PUT", `/rooms/${id}`, { tenant_id: "acme" });
    for (const person of people)
      await this.admin("PUT", `/rooms/${id}/members/${person}`, { tenant_id: "acme" });
  }

  /** What the server holds, once it has so many files open or fewer, or will not have in 5 s. */
  async holdings(files = Number.MAX_SAFE_INTEGER): Promise<Holdings> {
    return JSON.parse(await this.#server.asked(String(files)));
  }

  /** What the bystander has met since the last time. */
  async calm(): Promise<Calm> {
    return JSON.parse((await this.#bystander?.asked("report")) ?? "{}");
  }

  /**
   * What is wrong, in words, with how the server bears an attack: somebody else noticed it, an error was
   * logged, or something is left of it. Made once before that, to warm up.
   */
  async faultsUnder(
    name: string,
    attack: () => Promise<void>,
    { times = 1 }: { readonly times?: number } = {},
  ): Promise<string[]> {
    await attack();
    const before = await this.holdings(FILES_AT_REST);
    await this.calm();
    for (let time = 0; time < times; time += 1) await attack();
    const calm = await this.calm();
    const after = await this.holdings(FILES_AT_REST);
    if (isLong) console.log(`${name}: ${JSON.stringify({ ...calm, ...after })}`);
    return [...noticed(calm), ...left(before, after)].map((fault) => `${name}: ${fault}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bystander?.kill();
    await this.#server.kill();
    this.#folder[Symbol.dispose]();
  }
}

function watched(settings: string, files: number | undefined): Child {
  if (files === undefined) return Child.script("watched-server.ts", settings);
  const script = `${import.meta.dir}/watched-server.ts`;
  const limited = `ulimit -n ${files}; exec "$0" "$1" "$2"`;
  return new Child(["/bin/sh", "-c", limited, process.execPath, script, settings]);
}

/** What somebody who did nothing odd has noticed. */
export function noticed({ faults, answers, server, clock }: Calm): string[] {
  // Of a few answers one in a hundred is one of two: what is accepted in one go may hold up as many.
  const most = answers < FEW ? SLOW_FEW_MS : SLOWEST_MS;
  const slow = (answers >= FEW && server.p99 > SLOW_MS) || server.slowest > most;
  return [
    ...faults,
    ...(answers === 0 ? ["nothing was answered"] : []),
    ...(slow ? [`answers took ${JSON.stringify({ server, clock })} ms`] : []),
  ];
}

/** What the server holds after an attack and did not before. */
export function left(before: Holdings, after: Holdings): string[] {
  const more = (name: "streams" | "files" | "objects" | "heap" | "rss", most: number): string[] =>
    after[name] - before[name] > most ? [`${name}: ${before[name]}, then ${after[name]}`] : [];
  return [
    ...after.failures.map((failure) => JSON.stringify(failure)),
    ...more("streams", 0),
    ...more("files", FILES_LEFT),
    ...(after.timers > TIMERS ? [`${after.timers} timers are set`] : []),
    ...more("objects", OBJECTS_LEFT),
    ...more("heap", HEAP_LEFT_BYTES),
    ...more("rss", RSS_LEFT_BYTES),
  ];
}
