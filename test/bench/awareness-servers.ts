import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { tokenMessage } from "../peers/intruder.ts";
import { findNode } from "../runtimes/binaries.ts";
import { freePort } from "../support/port.ts";
import type { Door } from "./awareness-load.ts";
import { fill, names, person, room, tokenOf } from "./people.ts";
import { Subject } from "./subject.ts";

const PACKAGES = resolve(import.meta.dir, "../node_modules");
const SERVERS = join(import.meta.dir, "servers");
const ROOM = "room";
const NOTHING = new Uint8Array();

/** A server that runs, and how it is entered. */
export interface Running {
  readonly subject: Subject;
  readonly door: Door;
}

/** A server whose awareness is measured. */
export interface Contender {
  readonly of: string;
  /** Whether it forgets whoever is silent for 30 s. */
  readonly forgets?: true;
  /** @param clients how many will come. */
  readonly start: (clients: number) => Promise<Running>;
}

/** Porchlight as it is shipped, everybody another person with a token of their own. @param windowMs set for this bench alone, where it is given. */
export function porchlight(windowMs?: number): Contender {
  const preload = join(SERVERS, "awareness-window.ts");
  const env = { BUN_OPTIONS: `--preload=${preload}`, AWARENESS_WINDOW: `${windowMs}` };
  return {
    of: `Porchlight${windowMs === undefined ? "" : windowMs === 0 ? ", per turn" : `, ${windowMs} ms`}`,
    async start(clients) {
      const subject = await Subject.porchlight(windowMs === undefined ? {} : env);
      const people = names("p", clients);
      await fill(subject, [...people.flatMap(person), ...room(ROOM, people)]);
      const target = (index: number): string =>
        `/v1/yjs/${ROOM}?${new URLSearchParams({ token: tokenOf(`p${index}`), device_id: "laptop" })}`;
      return { subject, door: doorOf(portOf(subject.url), target) };
    },
  };
}

/** The least that a server can do. */
export function bare(windowMs: number): Contender {
  return {
    of: `bare Bun.serve, ${windowMs === 0 ? "per turn" : `${windowMs} ms`}`,
    async start() {
      const subject = await Subject.bare("awareness.ts", { WINDOW: `${windowMs}` });
      return { subject, door: doorOf(portOf(subject.url), () => `/${ROOM}`) };
    },
  };
}

/** Hocuspocus on Node.js. */
export function hocuspocus(settings: { readonly flushDelay?: false | number } = {}): Contender {
  const { flushDelay } = settings;
  return {
    of: `Hocuspocus${flushDelay === undefined ? "" : `, flushDelay ${flushDelay}`}`,
    forgets: true,
    async start() {
      const program = join(SERVERS, "hocuspocus.mjs");
      const subject = await Subject.start([nodePath(), program, JSON.stringify(settings)]);
      return { subject, door: hocuspocusDoor(subject) };
    },
  };
}

/** Its class on Bun, by glue of this bench. */
export function hocuspocusOnBun(): Contender {
  return {
    of: "Hocuspocus class on Bun",
    forgets: true,
    async start() {
      const subject = await Subject.bare("hocuspocus-bun.ts");
      return { subject, door: hocuspocusDoor(subject) };
    },
  };
}

/** The server of y-websocket on Node.js. */
export function yWebsocketServer(): Contender {
  return {
    of: "@y/websocket-server",
    forgets: true,
    async start() {
      const port = await freePort();
      const program = join(PACKAGES, "@y/websocket-server/src/server.js");
      const env = { HOST: "127.0.0.1", PORT: `${port}` };
      const pattern = /^running at .* on port (\d+)/m;
      const subject = await Subject.start([nodePath(), program], { env, pattern });
      return { subject, door: doorOf(port, () => `/${ROOM}`) };
    },
  };
}

/** What took part, by name and version. */
export function versions(): string {
  const node = Bun.spawnSync([nodePath(), "--version"]).stdout.toString().trim().slice(1);
  const version = (name: string): string =>
    JSON.parse(readFileSync(join(PACKAGES, name, "package.json"), "utf8")).version;
  return `Porchlight and bare Bun.serve on Bun ${Bun.version}; @hocuspocus/server ${version("@hocuspocus/server")} and @y/websocket-server ${version("@y/websocket-server")} with yjs ${version("yjs")} on Node.js ${node}`;
}

function doorOf(port: number, target: Door["target"]): Door {
  return { port, target, prefix: NOTHING, greeting: [] };
}

function hocuspocusDoor({ url }: Subject): Door {
  const name = Buffer.from(ROOM);
  const prefix = Buffer.concat([Uint8Array.of(name.byteLength), name]);
  return { port: portOf(url), target: () => "/", prefix, greeting: [tokenMessage()] };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

function nodePath(): string {
  const node = findNode();
  if ("path" in node) return node.path;
  throw new Error(`Cannot start a server of others: ${node.missing}`);
}
