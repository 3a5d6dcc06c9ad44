import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { findNode } from "../runtimes/binaries.ts";
import type { Child } from "../support/child.ts";
import { freePort } from "../support/port.ts";
import { temporaryFolder } from "../support/process.ts";
import { ADMIN_TOKEN } from "../support/server.ts";
import { type Contender, type Door, guarded, listening, type Running } from "./server.ts";

const ROOT = resolve(import.meta.dir, "../..");
const PACKAGES = join(ROOT, "test/node_modules");
const TENANT = "acme";

/** The servers that are compared, ours first. */
export function contenders(): readonly [ours: Contender, ...others: Contender[]] {
  return [porchlight(), yWebsocketServer(), hocuspocus()];
}

function porchlight(): Contender {
  return {
    name: "Porchlight",
    version: versionIn(join(ROOT, "server")),
    runtime: `Bun ${Bun.version}`,
    client: clientOf("y-websocket"),
    settings: "`porchlight serve`, its database and admin token",
    async start() {
      const folder = temporaryFolder();
      const child = guarded([process.execPath, join(ROOT, "server/cli.ts"), "serve"], {
        PORCHLIGHT_PORT: "0",
        PORCHLIGHT_DATABASE_URL: `sqlite:${join(folder.path, "test.db")}`,
        PORCHLIGHT_ADMIN_TOKEN: ADMIN_TOKEN,
      });
      const url = await listening(child, /"event":"server.listening","url":"([^"]+)"/);
      return {
        url,
        door: (room, person) => admitted(url, room, person),
        async [Symbol.asyncDispose]() {
          await child.kill();
          folder[Symbol.dispose]();
        },
      };
    },
  };
}

function yWebsocketServer(): Contender {
  return {
    name: "@y/websocket-server",
    version: versionIn(join(PACKAGES, "@y/websocket-server")),
    runtime: nodeVersion(),
    client: clientOf("y-websocket"),
    settings: "its command `y-websocket-server`, `HOST` and `PORT`",
    async start() {
      const command = [nodePath(), join(PACKAGES, "@y/websocket-server/src/server.js")];
      const port = await freePort();
      const child = guarded(command, { HOST: "127.0.0.1", PORT: String(port) });
      await listening(child, /^running at (.+)/);
      return open(child, `http://127.0.0.1:${port}`, "y-websocket");
    },
  };
}

function hocuspocus(): Contender {
  return {
    name: "Hocuspocus",
    version: versionIn(join(PACKAGES, "@hocuspocus/server")),
    runtime: nodeVersion(),
    client: clientOf("@hocuspocus/provider"),
    settings: "`new Server({ port, address, quiet: true }).listen()`",
    async start() {
      const child = guarded([nodePath(), join(import.meta.dir, "hocuspocus-server.mjs")]);
      return open(child, await listening(child, /^listening at (.+)/), "hocuspocus");
    },
  };
}

/** A process that lets everybody in who comes. */
function open(child: Child, url: string, speaks: Door["speaks"]): Running {
  return {
    url,
    async door(room, person) {
      return { speaks, url: url.replace("http:", "ws:"), room, person, params: {} };
    },
    [Symbol.asyncDispose]: () => child.kill(),
  };
}

/** Makes the person a member of the room, and gives them a token. */
async function admitted(url: string, room: string, person: string): Promise<Door> {
  const belonging = { tenant_id: TENANT };
  await admin(url, "PUT", `/tenants/${TENANT}`, {});
  await admin(url, "PUT", `/participants/${person}`, belonging);
  await admin(url, "PUT", `/rooms/${room}`, belonging);
  await admin(url, "PUT", `/rooms/${room}/members/${person}`, belonging);
  const token = await admin(url, "POST", "/tokens", { ...belonging, participant_id: person });
  return {
    speaks: "y-websocket",
    url: `${url.replace("http:", "ws:")}/v1/yjs`,
    room,
    person,
    params: { token: token.data.token, device_id: "laptop" },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: the shape is the endpoint's
async function admin(url: string, method: string, path: string, body: object): Promise<any> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  const answer = await fetch(`${url}/v1/admin${path}`, {
    method,
    headers,
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`Cannot ${method} ${path}: ${text}`);
  return JSON.parse(text);
}

function clientOf(name: string): string {
  return `${name} ${versionIn(join(PACKAGES, name))}`;
}

function versionIn(folder: string): string {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version;
}

function nodePath(): string {
  const node = findNode();
  if ("path" in node) return node.path;
  throw new Error(`Cannot start a server of others: ${node.missing}`);
}

function nodeVersion(): string {
  const node = findNode();
  if ("missing" in node) return "Node.js, which is missing";
  const { stdout } = Bun.spawnSync([node.path, "--version"]);
  return `Node.js ${stdout.toString().trim().slice(1)}`;
}
