import { describe, expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { systemClock } from "@porchlight/core/clock";
import { Child } from "../support/child.ts";
import { temporaryFolder } from "../support/process.ts";
import { isLong } from "../support/runs.ts";
import { ADMIN_TOKEN } from "../support/server.ts";

/** How many times as fast time runs for servers and clients, but where every second is to be a second. */
const HASTE = isLong ? 1 : 30;
const ROOT = resolve(import.meta.dir, "../..");
const HASTY = join(ROOT, "test/support/hasty.ts");
const TIMEOUT_MS = 400_000;
const FROZEN_MS = 20_000;
const ALONE_MS = 300_000;
/** What a client does with the time that it has missed, it does within this time. */
const AFTERMATH_MS = 5_000;
const { timer } = systemClock();

/** A process for which time runs faster. */
function hasty(script: string, args: readonly string[], env: Record<string, string> = {}): Child {
  const command = [process.execPath, "--preload", HASTY, join(ROOT, script), ...args];
  return new Child(["/bin/sh", "-c", 'exec "$0" "$@" 2>&1', ...command], {
    env: { ...env, PORCHLIGHT_TEST_HASTE: String(HASTE) },
  });
}

/** Lets so much of their time pass, where time itself is what is to be borne. */
function pass(ms: number): Promise<void> {
  return new Promise((resolve) => void timer(ms / HASTE, resolve));
}

/** A server, and clients in its lounge, each a process of its own. */
class Lounge implements AsyncDisposable {
  readonly #children: Child[] = [];
  readonly #folder = temporaryFolder();
  #url = "";

  async open(): Promise<void> {
    const server = hasty("server/cli.ts", ["serve"], {
      PORCHLIGHT_PORT: "0",
      PORCHLIGHT_DATABASE_URL: `sqlite:${join(this.#folder.path, "test.db")}`,
      PORCHLIGHT_ADMIN_TOKEN: ADMIN_TOKEN,
    });
    this.#children.push(server);
    while (this.#url === "")
      this.#url = /"event":"server.listening","url":"([^"]+)"/.exec(await server.line())?.[1] ?? "";
    await this.#admin("PUT", "/tenants/acme", {});
    await this.#admin("PUT", "/rooms/lounge", { tenant_id: "acme" });
  }

  /** Somebody enters. Resolves once they are connected. */
  async enter(id: string): Promise<Guest> {
    const tenant_id = "acme";
    await this.#admin("PUT", `/participants/${id}`, { tenant_id });
    await this.#admin("PUT", `/rooms/lounge/members/${id}`, { tenant_id });
    const { token } = (await this.#admin("POST", "/tokens", { participant_id: id, tenant_id }))
      .data;
    const child = hasty("test/support/yjs-process.ts", [this.#url, "lounge", token]);
    this.#children.push(child);
    const who = JSON.parse(await child.line());
    await child.printed((line) => line === '{"status":"connected"}');
    return { ...who, child };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) await child.kill();
    this.#folder[Symbol.dispose]();
  }

  // biome-ignore lint/suspicious/noExplicitAny: the shape is the endpoint's
  async #admin(method: string, path: string, body: object): Promise<any> {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const request = { method, headers, body: JSON.stringify(body) };
    return (await fetch(`${this.#url}/v1/admin${path}`, request)).json();
  }
}

interface Guest {
  readonly pid: number;
  /** Its client id. */
  readonly id: number;
  readonly child: Child;
}

const inTime = HASTE === 1 ? "" : `, all ${HASTE} times as fast`;

describe("the published client of y-websocket, in a process of its own", () => {
  test(
    `that is frozen for 20 s and then goes on is seen all along${inTime}`,
    async () => {
      await using lounge = new Lounge();
      await lounge.open();
      const bob = await lounge.enter("bob");
      const ann = await lounge.enter("ann");
      await bob.child.printed((line) => line.includes(String(ann.id)));
      const before = bob.child.lines.length;
      process.kill(ann.pid, "SIGSTOP");
      await pass(FROZEN_MS);
      process.kill(ann.pid, "SIGCONT");
      await pass(AFTERMATH_MS);
      const flashes = bob.child.lines.slice(before).filter((line) => line.includes(`${ann.id}`));
      expect(flashes).toEqual([]);
      // Those it could not hear of meanwhile it takes for gone once, and no more.
      expect(ann.child.lines.filter((line) => /"removed":\[\d/.test(line)).length).toBeLessThan(2);
    },
    TIMEOUT_MS,
  );

  test(
    `that is alone stays connected for 5 minutes, without connecting anew${inTime}`,
    async () => {
      await using lounge = new Lounge();
      await lounge.open();
      const ann = await lounge.enter("ann");
      await pass(ALONE_MS);
      expect(ann.child.lines).toEqual(['{"status":"connected"}']);
    },
    TIMEOUT_MS,
  );
});
