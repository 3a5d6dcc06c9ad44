import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { DEFAULT_TIMINGS, ERROR_STATUS, STREAM_CLOSE } from "@porchlight/core";
import { YJS_CLOSE } from "@porchlight/core/awareness";
import { DEFAULT_LIMITS, SETTINGS, variableOf } from "@porchlight/server";
import { promisesOf } from "./bench/report.ts";
import { Child } from "./support/child.ts";
import { outputOf, ServerProcess, temporaryFolder } from "./support/process.ts";
import { TestServer } from "./support/server.ts";

const ROOT = resolve(import.meta.dir, "..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");

/** The rows of the README's table that begins with this heading, without marks of code. */
function table(heading: string): string[][] {
  const body = README.split(`| ${heading} |`)[1]?.split("\n\n")[0] ?? "";
  const rows = body.split("\n").slice(2);
  return rows.map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("`", "")),
  );
}

/** The blocks of code in this language. */
function blocks(language: string): string[] {
  return [...README.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map(
    ([, code]) => code ?? "",
  );
}

/** Every line of the README that calls curl. */
function curlLines(): string[] {
  const lines = blocks("sh").flatMap((block) => block.split("\n"));
  return lines.filter((line) => line.startsWith("curl "));
}

describe("the README", () => {
  test("lists every setting with its default", () => {
    const numbers = { ...DEFAULT_TIMINGS, ...DEFAULT_LIMITS };
    const expected = [
      ...Object.values(SETTINGS).map(({ variable, fallback }) => [variable, fallback]),
      ...Object.entries(numbers).map(([name, value]) => [variableOf(name), String(value)]),
    ];
    expect(
      table("Variable | Default | Meaning")
        .map(([variable, fallback]) => [variable, fallback])
        .sort(),
    ).toEqual(expected.sort());
  });

  test("lists every error code with its status", () => {
    expect(table("Code | Status")).toEqual(
      Object.entries(ERROR_STATUS).map(([code, status]) => [code, String(status)]),
    );
  });

  test("lists every way in which a stream is closed", () => {
    const expected = Object.values(STREAM_CLOSE).map(({ code, reason, reconnect }) => [
      String(code),
      reason,
      reconnect ? "yes" : "no",
    ]);
    expect(table("Close code | Reason | Come back")).toEqual(expected);
  });

  test("lists every way in which a Yjs socket is closed", () => {
    const expected = Object.values(YJS_CLOSE).map(({ code, reason, reconnect }) => [
      String(code),
      reason,
      reconnect ? "yes" : "no",
    ]);
    expect(table("Yjs close code | Reason | Come back")).toEqual(expected);
    // Clients of y-websocket know these numbers, and nothing of ours.
    for (const { code, reconnect } of Object.values(YJS_CLOSE))
      expect(reconnect).toBe(code < 4_400 || code > 4_499);
  });

  test("lists every request that the server answers, in the words of the reference", async () => {
    await using server = await TestServer.start();
    const { body } = await server.request("GET", "/openapi.json");
    const paths: [string, Record<string, { summary: string }>][] = Object.entries(body.paths);
    const expected = paths.flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, { summary }]) => [
        `${method.toUpperCase()} ${path}`,
        summary,
      ]),
    );
    expect(table("Request | What it does").sort()).toEqual(expected.sort());
  });

  test("has a client of y-websocket that shows who is in the room", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lounge", [ann, bob]);
    await bob.put("/v1/typing", { room_id: "lounge", typing: true });
    const example = blocks("ts").find((block) => block.includes("WebsocketProvider")) ?? "";
    using folder = temporaryFolder();
    symlinkSync(join(ROOT, "test/node_modules"), join(folder.path, "node_modules"));
    const file = join(folder.path, "example.ts");
    writeFileSync(file, `const [base, room, token] = process.argv.slice(2);\n${example}`);
    const { url } = server;
    const { token } = ann;
    const command = [process.execPath, file, url.replace("http", "ws"), "lounge", token];
    await using child = new Child(command);
    expect(await child.line()).toBe("bob online true");
    expect((await bob.get("/v1/rooms/lounge/state")).body.data.typing).toEqual(["ann"]);
  });

  test("has curl lines that a started demo answers", async () => {
    using folder = temporaryFolder();
    await using demo = await ServerProcess.start(
      ["demo", "--serve", "--port", "0", "--file", join(folder.path, "demo.db")],
      {},
    );
    const printed = await demo.printed('/v1/me/preferences" -d');
    const TOKEN = /^TOKEN=(.+)$/m.exec(printed)?.[1] ?? "";
    const lines = curlLines().filter((line) => line.includes("$TOKEN"));
    expect(lines).toHaveLength(9);
    const answers: Record<string, unknown>[] = [];
    for (const line of lines) {
      const answer = await outputOf(
        ["sh", "-c", `${line.replace("room-…", "room-general")} --silent --show-error`],
        { env: { BASE: demo.url, TOKEN } },
      );
      answers.push(JSON.parse(answer));
    }
    const [presence, busy, auto, typing, state, me, renamed, preferences, quiet] = answers;
    expect(presence).toEqual({ data: { p1: "online", p2: "idle", p3: "offline" } });
    expect(busy).toEqual({ data: { state: "busy", source: "manual" } });
    expect(auto).toEqual({ data: { state: "online", source: "device" } });
    expect(typing).toEqual({
      data: {
        room_id: "room-general",
        typing: true,
        expires_in_ms: 4_000,
        refresh_after_ms: 2_500,
        fanout: true,
      },
    });
    expect(state).toMatchObject({
      data: { room: { id: "room-general", member_count: 7 }, plan: { state: "running" } },
    });
    expect(me).toMatchObject({
      data: { participant_id: "alice", presence: "online", tenant: { id: "acme" } },
    });
    expect(renamed).toMatchObject({ data: { display_name: "Alice A." } });
    expect(preferences).toMatchObject({ data: { locale: "en", quiet_hours: { enabled: false } } });
    expect(quiet).toMatchObject({
      data: { quiet_hours: { enabled: true } },
      meta: { warnings: [{ path: "quiet_hours" }] },
    });
  });

  test("has an app of its own with the plugin in it, which serves, and stops in order", async () => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, "node_modules/@porchlight"), { recursive: true });
    for (const [name, at] of [
      ["@porchlight/server", join(ROOT, "server")],
      ["elysia", realpathSync(join(ROOT, "server/node_modules/elysia"))],
    ] as const)
      symlinkSync(at, join(folder.path, "node_modules", name));
    const code = blocks("ts").find((block) => block.includes("porchlight(")) ?? "";
    expect(code.trimEnd().split("\n").length).toBeLessThanOrEqual(15);
    const onFreePort = code.replace("listen(3000", 'listen({ port: 0, hostname: "127.0.0.1" }');
    writeFileSync(
      join(folder.path, "app.ts"),
      `${onFreePort}console.log(String(app.server?.port));`,
    );
    await using app = new Child([process.execPath, "app.ts"], { cwd: folder.path });
    await app.printed((line) => /^\d+$/.test(line));
    const url = `http://127.0.0.1:${app.lines.join("")}`;
    expect(await (await fetch(url)).text()).toBe("Hello");
    expect(await (await fetch(`${url}/v1/me`)).json()).toMatchObject({
      error: { code: "SW_AUTH_INVALID_TOKEN" },
    });
    expect((await fetch(`${url}/v2`)).status).toBe(404);
    expect(await app.end("SIGTERM")).toBe(0);
  });

  test("has lines that an import takes, and curl lines that carry everything out and in again", async () => {
    using folder = temporaryFolder();
    const secret = "a-long-random-secret";
    await using server = await ServerProcess.start(["serve"], {
      PORCHLIGHT_ADMIN_TOKEN: secret,
      PORCHLIGHT_DATABASE_URL: `sqlite:${join(folder.path, "p.db")}`,
    });
    const env = { BASE: server.url, ADMIN: `Authorization: Bearer ${secret}` };
    const run = (line: string): Promise<string> =>
      outputOf(["sh", "-c", line.replace("curl", "curl --silent --show-error --fail")], {
        env,
        cwd: folder.path,
      });
    const [out = "", into = ""] = curlLines().filter((line) => line.includes("everything"));
    const example = blocks("json").find((block) => block.includes('"type": "tenant"')) ?? "";
    writeFileSync(join(folder.path, "everything.ndjson"), example);
    expect(await run(into)).toBe('{"data":{"lines":7,"applied":7,"refused":0}}\n');
    await run(out);
    expect(await run(into)).toContain('"refused":0');
  });

  test("lists every command", async () => {
    const help = await outputOf([process.execPath, "server/cli.ts", "--help"]);
    const commands = [...help.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(
      ([, name]) => `porchlight ${name}`,
    );
    expect(table("Command | What it does").map(([command]) => command)).toEqual(commands);
  });

  test("says of speed what was measured, and whether it is what is promised", () => {
    const results = JSON.parse(readFileSync(join(ROOT, "test/bench/results.json"), "utf8"));
    expect(README).toContain(`<!-- bench: begin -->\n${promisesOf(results)}\n<!-- bench: end -->`);
  });

  test("promises a bench that works", async () => {
    expect(README).toContain("bun run bench");
    const table = await outputOf([process.execPath, "test/bench/main.ts", "rules", "--short"]);
    expect(table).toMatch(/^\| 1,000 \| heartbeat on a socket \| ns \| [\d.,]+ \|/m);
  });

  test("promises a build of one program, and of one file for Bun, which answer --help", async () => {
    expect(README).toContain("bun run build");
    await outputOf([process.execPath, "run", "build"]);
    for (const command of [
      ["server/dist/porchlight"],
      [process.execPath, "server/dist/porchlight.js"],
    ]) {
      const help = await outputOf([...command, "demo", "--help"]);
      expect(help).toStartWith("Usage: porchlight demo");
    }
  }, 60_000);

  test("names two lines for each kind of machine, which the root scripts answer", () => {
    const scripts = Object.keys(
      JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).scripts,
    );
    const lines = blocks("sh")
      .flatMap((block) => block.split("\n"))
      .map((line) => line.replace(/\s+#.*/, ""));
    expect(lines).toEqual(
      expect.arrayContaining([
        "npx -y bun@1.4.5 start",
        "npx -y bun@1.4.5 run test",
        "bun start",
        "bun run test",
      ]),
    );
    expect(scripts).toEqual(
      expect.arrayContaining(["start", "serve", "build", "test", "test:long"]),
    );
  });
});
