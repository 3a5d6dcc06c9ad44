import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Found, findDeno, findNode } from "./runtimes/binaries.ts";
import { findChromium, withPage } from "./runtimes/chromium.ts";
import { testWith } from "./runtimes/runtimes.ts";
import { Child } from "./support/child.ts";
import { type InstalledCore, installCore } from "./support/installed.ts";
import { outputOf } from "./support/process.ts";
import { TestServer } from "./support/server.ts";
import { StreamClient } from "./support/stream.ts";

const README = readFileSync(resolve(import.meta.dir, "../core/README.md"), "utf8");
/** Where the examples expect a server. */
const SERVER = "http://127.0.0.1:8787";
interface Example {
  readonly code: string;
  /** The file it stands in, as the sentence before it says. */
  readonly file: string;
  /** How to run it; empty for a file that another one runs. */
  readonly command: string;
}

const EXAMPLES: readonly Example[] = [
  ...README.matchAll(
    /^[^`\n]*\(`([^`]*?(\S+\.(?:ts|js|html)))`.*\n\n```(?:ts|js|html)\n([\s\S]*?)^```/gm,
  ),
].map(([, said = "", file = "", code = ""]) => ({
  code,
  file,
  command: said === file ? "" : said,
}));

let installed: InstalledCore;
beforeAll(async () => {
  installed = await installCore();
  for (const { file, code } of EXAMPLES) write(file, code);
}, 60_000);
afterAll(() => installed[Symbol.dispose]());

function exampleOf(file: string): Example {
  const example = EXAMPLES.find((each) => each.file === file);
  if (example === undefined)
    throw new Error(`Cannot find the example ${file} in the README of core`);
  return example;
}

function write(file: string, code: string): void {
  writeFileSync(join(installed.path, file), code);
}

/** The command of an example, with the runtime as it is found on this machine. */
function commandOf(file: string, runtime: string): string[] {
  return [runtime, ...exampleOf(file).command.split(" ").slice(1)];
}

/** A server with a room as the demo has it: Ann, who is online, and Ben, who has not come yet. */
async function startServer() {
  const server = await TestServer.start();
  const ann = await server.person("ann", { display_name: "Ann" });
  const ben = await server.person("ben", { display_name: "Ben" });
  await server.room("room-general", [ann, ben]);
  return { server, ann, ben };
}

/** Sees that what a client hears next is this. */
async function hears(client: StreamClient, said: object): Promise<void> {
  expect<object>(await client.next()).toEqual(said);
}

describe("the README of core", () => {
  test("has examples of at most 15 lines for Bun, Deno, Node.js, a browser and a server of one's own", () => {
    expect(EXAMPLES.map(({ command, file }) => command || file)).toEqual([
      "bun presence.ts",
      "deno run typing.ts",
      "bun hide.ts",
      "bun awareness.ts",
      "node notify.js",
      "index.html",
      "node who.js",
      "node offline.js",
      "porch.js",
      "deno run --allow-net server.js",
    ]);
    expect(README.match(/^```(ts|js|html)$/gm)).toHaveLength(EXAMPLES.length);
    for (const { file, code } of EXAMPLES)
      expect(code.trimEnd().split("\n").length, file).toBeLessThanOrEqual(15);
  });

  const rules: readonly [file: string, found: Found][] = [
    ["presence.ts", { path: process.execPath }],
    ["typing.ts", findDeno()],
    ["hide.ts", { path: process.execPath }],
    ["awareness.ts", { path: process.execPath }],
    ["notify.js", findNode()],
  ];
  for (const [file, found] of rules)
    testWith(found, `has ${file}, which prints what it says it prints`, async (runtime) => {
      const { code } = exampleOf(file);
      const promised = [...code.matchAll(/console\.log\(.*\); \/\/ (.+)$/gm)].map(
        ([, said]) => said,
      );
      expect(promised.length).toBeGreaterThan(0);
      // Deno takes FORCE_COLOR=0 for a wish for colours.
      const printed = Bun.stripANSI(
        await outputOf(commandOf(file, runtime), { cwd: installed.path }),
      );
      expect(printed.trim().split("\n")).toEqual(promised as string[]);
    });

  testWith(findDeno(), "has examples in TypeScript whose types are right", async (deno) => {
    const files = EXAMPLES.map(({ file }) => file).filter((file) => file.endsWith(".ts"));
    await outputOf([deno, "check", ...files], { cwd: installed.path });
  });

  testWith(findNode(), "has who.js, which prints who is around and who types", async (node) => {
    const { server, ann, ben } = await startServer();
    await using _server = server;
    write("who.js", exampleOf("who.js").code.replace(SERVER, server.url));
    await using who = new Child(commandOf("who.js", node), {
      cwd: installed.path,
      env: { TOKEN: ann.token },
    });
    await who.printed((line) => line === "ann online, ben offline | typing: nobody");
    const bens = await ben.stream({ device_id: "laptop" });
    await who.printed((line) => line === "ann online, ben online | typing: nobody");
    bens.send({ type: "typing", room_id: "room-general", typing: true });
    await who.printed((line) => line === "ann online, ben online | typing: ben");
  });

  testWith(
    findNode(),
    "has offline.js, which keeps an edit until a server has it",
    async (node) => {
      const { server, ann } = await startServer();
      await using _server = server;
      const { code } = exampleOf("offline.js");
      const kept = (): unknown =>
        JSON.parse(readFileSync(join(installed.path, "outbox.json"), "utf8"));
      const options = { cwd: installed.path, env: { TOKEN: ann.token } };

      // Nothing listens on this port.
      write("offline.js", code.replace(SERVER, "http://127.0.0.1:1"));
      {
        await using offline = new Child(commandOf("offline.js", node), options);
        await offline.printed((line) => line === "de 1");
      }
      expect(kept()).toMatchObject({ edits: [{ patch: { locale: "de" } }] });

      const delivered = `
        const { save } = storage;
        storage.save = async (record) => {
          await save(record);
          if (record.edits.length === 0) console.log("delivered");
        };`;
      write("offline.js", `${code.replace(SERVER, server.url)}${delivered}`);
      await using online = new Child(commandOf("offline.js", node), options);
      await online.printed((line) => line === "delivered");
      expect(kept()).toMatchObject({ edits: [] });
      expect((await ann.get("/v1/me/preferences")).body.data.locale).toBe("de");
    },
  );

  testWith(findChromium(), "has index.html, which shows who is here", async (executablePath) => {
    const { server, ann, ben } = await startServer();
    await using _server = server;
    write("index.html", exampleOf("index.html").code.replace(SERVER, server.url));
    await using files = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async ({ url }) => {
        const { pathname } = new URL(url);
        const file = Bun.file(join(installed.path, pathname === "/" ? "index.html" : pathname));
        return (await file.exists()) ? new Response(file) : new Response(null, { status: 404 });
      },
    });
    await withPage({ executablePath, timeoutMs: 60_000 }, async (page) => {
      await page.goto(`${files.url}#token=${ann.token}`);
      await page.getByText("current: Ann", { exact: true }).waitFor();
      await ben.stream({ device_id: "laptop" });
      await page.getByText("current: Ann, Ben", { exact: true }).waitFor();
    });
  });

  testWith(findDeno(), "has a WebSocket server that embeds the rules", async (deno) => {
    // Shorter, so that the test need not wait for them as long as people do.
    const shorter = "...DEFAULT_TIMINGS, disconnect_grace_ms: 2_000, typing_ttl_ms: 200";
    write("porch.js", exampleOf("porch.js").code.replace("...DEFAULT_TIMINGS", shorter));
    const listening =
      "port: 0, hostname: '127.0.0.1', onListen: ({ port }) => console.log(String(port))";
    const { code } = exampleOf("server.js");
    write("server.js", code.replace("Deno.serve(", `Deno.serve({ ${listening} }, `));
    await using server = new Child(commandOf("server.js", deno), { cwd: installed.path });
    await server.printed((line) => /^\d+$/.test(line));
    const url = `ws://127.0.0.1:${server.lines.join("")}/`;

    const ann = await StreamClient.open(`${url}ann`);
    await hears(ann, { ann: "online" });
    const ben = await StreamClient.open(`${url}ben`);
    await hears(ann, { participant_id: "ben", told: "online" });
    await hears(ben, { ann: "online", ben: "online" });

    // What is typed ends by itself.
    const typing = { room_id: "porch", participant_id: "ben" };
    ben.sendText("typing");
    await hears(ann, { ...typing, typing: true });
    await hears(ann, { ...typing, typing: false });

    ben.sendText("idle");
    await hears(ann, { participant_id: "ben", told: "idle" });

    // Who is lost lingers, and nobody is told of a reload.
    ben.cut();
    const again = await StreamClient.open(`${url}ben`);
    await hears(ann, { participant_id: "ben", told: "online" });
    again.sendText("typing");
    await hears(ann, { ...typing, typing: true });
    const lostAt = performance.now();
    again.cut();
    await hears(ann, { ...typing, typing: false });
    await hears(ann, { participant_id: "ben", told: "offline" });
    expect(performance.now() - lostAt).toBeGreaterThanOrEqual(2_000);

    // Who leaves is gone at once.
    const carl = await StreamClient.open(`${url}carl`);
    await hears(ann, { participant_id: "carl", told: "online" });
    await carl.close(1000);
    await hears(ann, { participant_id: "carl", told: "offline" });
  });
});
