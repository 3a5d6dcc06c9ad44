import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import Database from "better-sqlite3";
import { Child } from "../support/child.ts";
import { ServerProcess, temporaryFolder } from "../support/process.ts";
import { runs } from "../support/runs.ts";

const CLI = resolve(import.meta.dir, "../../server/cli.ts");
const PEAK = resolve(import.meta.dir, "../support/peak.ts");

/** Runs the command to its end. */
function porchlight(...args: string[]): Promise<{ code: number; out: string; error: string }> {
  return porchlightIn({}, ...args);
}

/** Runs the command to its end, with these variables and this input. */
async function porchlightIn(
  { env = {}, stdin = "" }: { env?: Record<string, string>; stdin?: string },
  ...args: string[]
): Promise<{ code: number; out: string; error: string }> {
  const child = Bun.spawn([process.execPath, CLI, ...args], {
    env: { ...process.env, ...env },
    stdin: new TextEncoder().encode(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const code = await child.exited;
  return { code, out, error };
}

/** Runs a command that has to succeed, and answers what it printed and how much memory it took at most. */
async function measured(...args: string[]): Promise<{ out: string; memoryBytes: number }> {
  using folder = temporaryFolder();
  const peak = join(folder.path, "peak");
  const child = Bun.spawn([process.execPath, "--preload", PEAK, CLI, ...args], {
    env: { ...process.env, PORCHLIGHT_TEST_PEAK: peak },
    stdout: "pipe",
    stderr: "inherit",
  });
  const out = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return { out, memoryBytes: Number(readFileSync(peak, "utf8")) };
}

/** A folder with a database in which Ann sits, and the lines that made it. */
async function withAnn(): Promise<ReturnType<typeof temporaryFolder> & { file: string }> {
  const folder = temporaryFolder();
  const file = join(folder.path, "porchlight.db");
  const stdin = [
    { type: "tenant", tenant_id: "acme" },
    { type: "participant", tenant_id: "acme", participant_id: "ann" },
    { type: "room", tenant_id: "acme", room_id: "lobby" },
    { type: "member", tenant_id: "acme", room_id: "lobby", participant_id: "ann" },
  ];
  const text = stdin.map((line) => JSON.stringify(line)).join("\n");
  await porchlightIn({ stdin: text }, "import", "-", "--file", file);
  return { ...folder, file };
}

describe("porchlight", () => {
  test("says what it can do, and each command what it takes", async () => {
    expect(await porchlight()).toMatchObject({
      code: 0,
      out: expect.stringContaining("Usage: porchlight <command>"),
    });
    for (const command of ["serve", "token", "import", "export", "backup", "demo", "doctor"]) {
      const help = await porchlight(command, "--help");
      expect(help).toMatchObject({
        code: 0,
        out: expect.stringContaining(`Usage: porchlight ${command}`),
      });
    }
  });

  test("refuses what it does not know, and options that a command does not take", async () => {
    const refused: [args: string[], word: string][] = [
      [["dance"], "dance"],
      [["serve", "now"], "now"],
      [["serve", "--port", "1", "--file", "x"], "--port --file"],
      [["demo", "--nope"], "--nope"],
      [["import"], "FILE"],
      [["backup", "a", "b"], "a b"],
      [["token"], "participant_id"],
      [["token", "--participant", "ann", "--expires", "soon"], "expires_at"],
      [["token", "--label"], "--label"],
      [["export", "--file", "nowhere.db"], "nowhere.db"],
      [["backup", "copy.db", "--file", "nowhere.db"], "nowhere.db"],
      [["import", "nowhere.ndjson", "--file", ":memory:"], "nowhere.ndjson"],
    ];
    const answers = await Promise.all(
      refused.map(async ([args, word]) => {
        const { code, error } = await porchlight(...args);
        return [args, code, error.includes(word), error.includes("    at ")];
      }),
    );
    expect(answers).toEqual(refused.map(([args]) => [args, 2, true, false]));
  }, 30_000);
});

describe("porchlight demo", () => {
  test("fills its company once, and prints the same tokens again", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "demo.db");
    const first = await porchlight("demo", "--file", file);
    expect(first.out).toMatch(/acme\/alice +Alice Archer +plt_/);
    expect(await porchlight("demo", "--file", file)).toMatchObject({ code: 0, out: first.out });
    const token = /plt_\S+/.exec(first.out)?.[0] ?? "";
    expect(readFileSync(file).includes(token)).toBe(false);
  });

  test("says what to do when its tokens are lost", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "demo.db");
    await porchlight("demo", "--file", file);
    rmSync(`${file}.tokens.json`);
    const { code, error } = await porchlight("demo", "--file", file);
    expect([code, error.includes("delete the database"), error.includes("    at ")]).toEqual([
      2,
      true,
      false,
    ]);
  });
});

describe("porchlight token", () => {
  test("prints a token once, which a server that runs takes at once", async () => {
    using folder = await withAnn();
    const { file } = folder;
    await using server = await ServerProcess.start(["serve"], {
      PORCHLIGHT_DATABASE_URL: `sqlite:${file}`,
    });
    const made = await porchlight("token", "--participant", "ann", "--label", "x", "--file", file);
    expect([made.code, made.error.includes(made.out.trim())]).toEqual([0, false]);
    const headers = { authorization: `Bearer ${made.out.trim()}` };
    const me = await fetch(`${server.url}/v1/me`, { headers });
    expect(await me.json()).toMatchObject({ data: { participant_id: "ann" } });
    expect(readFileSync(file).includes(made.out.trim())).toBe(false);
  });

  test("refuses whoever does not exist, and a tenant that does not", async () => {
    using folder = await withAnn();
    const [eve, nowhere] = [["eve"], ["ann", "--tenant", "nowhere"]];
    for (const [who, word] of [
      [eve, "no such participant"],
      [nowhere, "no such tenant"],
    ] as const)
      expect(
        await porchlight("token", "--file", folder.file, "--participant", ...who),
      ).toMatchObject({ code: 1, out: "", error: expect.stringContaining(word) });
  });
});

describe("porchlight import and export", () => {
  test("write a file that is read into another database, whose export is the same", async () => {
    using folder = temporaryFolder();
    const [first, second, lines] = ["a.db", "b.db", "lines.ndjson"].map((name) =>
      join(folder.path, name),
    ) as [string, string, string];
    await porchlight("demo", "--file", first);
    expect(await porchlight("export", lines, "--file", first)).toMatchObject({ code: 0, out: "" });
    expect(statSync(lines).mode & 0o077).toBe(0);
    const parsed = (text: string): unknown[] =>
      text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
    const imported = await porchlight("import", lines, "--file", second);
    const { length } = parsed(readFileSync(lines, "utf8"));
    const counts = { lines: length, applied: length, refused: 0 };
    expect([imported.code, parsed(imported.out)]).toEqual([0, [{ data: counts }]]);
    const exported = await porchlight("export", "--file", second);
    expect(parsed(exported.out)).toEqual(parsed(readFileSync(lines, "utf8")));
    const ofOne = await porchlight("export", "-", "--tenant", "globex", "--file", second);
    expect(parsed(ofOne.out)).toHaveLength(3);
    const again = await porchlight("export", lines, "--file", first);
    expect([again.code, again.error.includes("exists already")]).toEqual([2, true]);
  });

  test("end with 1 where a line was refused, and report it", async () => {
    using folder = await withAnn();
    const bad = await porchlightIn({ stdin: "{}\n" }, "import", "-", "--file", folder.file);
    expect([bad.code, JSON.parse(bad.out.split("\n")[0] ?? "")]).toMatchObject([
      1,
      { line: 1, code: "SW_VALIDATION" },
    ]);
  });

  test(
    "hold no more in memory, however many lines there are",
    async () => {
      using folder = await withAnn();
      const { file, path } = folder;
      const lines = join(path, "lines.ndjson");
      const few = await porchlight("export", "--file", file);
      writeFileSync(lines, few.out);
      const { memoryBytes: least } = await measured("import", lines, "--file", file);
      const count = runs(5_000);
      const writer = Bun.file(lines).writer();
      for (let index = 0; index < count; index += 1) {
        writer.write(
          `${JSON.stringify({
            ...{ type: "event", tenant_id: "acme", room_id: "lobby", event_id: `e${index}` },
            ...{ sender_id: "ann", content: { body: "x".repeat(1_000) } },
          })}\n`,
        );
        if (index % 1_000 === 0) await writer.flush();
      }
      await writer.end();
      const begun = performance.now();
      const imported = await measured("import", lines, "--file", file);
      const rate = Math.round(count / ((performance.now() - begun) / 1_000));
      const exported = await measured("export", `${lines}.out`, "--file", file);
      const more = [imported, exported].map(({ memoryBytes }) => (memoryBytes - least) / 1_048_576);
      console.log(
        `${count} lines of 1 KB: ${rate} lines/s, ${more.map((mebibytes) => Math.round(mebibytes)).join(" and ")} MiB more`,
      );
      expect(imported.out.trimEnd().split("\n").at(-1)).toContain(`"applied":${count}`);
      for (const mebibytes of more) expect(mebibytes).toBeLessThan(100);
    },
    runs(60_000),
  );
});

describe("porchlight backup", () => {
  test("copies a database whole while others write to it, and refuses to write over anything", async () => {
    using folder = await withAnn();
    const { file, path } = folder;
    await using writer = Child.script("sqlite-writer.ts");
    await writer.printed((line) => line === "ready");
    writer.tell(file);
    await writer.printed((line) => line.includes("answered"), 50);
    const copy = join(path, "copy.db");
    expect(await porchlight("backup", copy, "--file", file)).toMatchObject({ code: 0 });
    await writer.printed((line) => line.includes("answered"), 60);
    await writer.kill();
    const db = new Database(copy, { readonly: true });
    expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
    const { count, last, position } = db
      .prepare(
        "select count(*) as count, max(e.position) as last, max(t.position) as position from events e, tenants t",
      )
      .get() as Record<string, number>;
    db.close();
    // Of one moment: every position up to the last, and that is the tenant's.
    expect([count, position]).toEqual([last, last]);
    expect(count).toBeGreaterThan(50);
    expect(statSync(copy).mode & 0o077).toBe(0);
    expect(readdirSync(folder.path).filter((name) => name.endsWith(".part"))).toEqual([]);
    const before = readFileSync(copy);
    const again = await porchlight("backup", copy, "--file", file);
    expect([again.code, again.error.includes("exists already")]).toEqual([2, true]);
    expect(readFileSync(copy).equals(before)).toBe(true);
  });

  test("leaves nothing behind where it fails", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "prose.db");
    writeFileSync(file, "Once upon a time there was a porch. ".repeat(100));
    const copy = join(folder.path, "copy.db");
    expect(await porchlight("backup", copy, "--file", file)).toMatchObject({ code: 1 });
    const left = readdirSync(folder.path).filter((name) => name.endsWith(".part"));
    expect([existsSync(copy), left]).toEqual([false, []]);
  });
});

describe("porchlight doctor", () => {
  test("prints every setting, of secrets only that they are set, and finds nothing wrong", async () => {
    using folder = await withAnn();
    const secret = "a-long-random-secret";
    const env = { PORCHLIGHT_ADMIN_TOKEN: secret, PORCHLIGHT_PORT: "0" };
    const { code, out } = await porchlightIn({ env }, "doctor", "--file", folder.file);
    expect([code, out.includes(secret)]).toEqual([0, false]);
    for (const line of [
      /^PORCHLIGHT_ADMIN_TOKEN +set {2}\(environment\)$/m,
      /^PORCHLIGHT_TYPING_TTL_MS +4000 {2}\(default\)$/m,
      /^ok +database: .* opens and is whole$/m,
      /^ok +schema: version \d+$/m,
      /^ok +disk: /m,
      /^ok +clock: /m,
    ])
      expect(out).toMatch(line);
  });

  test("names every fault, and ends with 1", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "prose.db");
    writeFileSync(file, "Once upon a time there was a porch. ".repeat(100));
    using taken = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("mine") });
    const env = { PORCHLIGHT_PORT: String(taken.port) };
    const found = await porchlightIn({ env }, "doctor", "--file", file);
    expect(found.code).toBe(1);
    expect(found.out).toMatch(/^WRONG +database: .*cannot be opened/m);
    expect(found.out).toMatch(/^WRONG +port: .*cannot be listened on/m);
    const odd = { PORCHLIGHT_PORT: "99999", PORCHLIGHT_TYPO: "1" };
    const { code, out } = await porchlightIn({ env: odd }, "doctor");
    expect([code, out.match(/^WRONG/gm)?.length]).toEqual([1, 2]);
  });

  test("doubts JWTs whose issuer or audience is not checked, and finds nothing wrong with them", async () => {
    using folder = await withAnn();
    const env = { PORCHLIGHT_PORT: "0", PORCHLIGHT_JWT_SECRET: "a-long-random-secret-of-32-bytes" };
    const { code, out } = await porchlightIn({ env }, "doctor", "--file", folder.file);
    expect(code).toBe(0);
    expect(out.match(/^DOUBT +configuration: (PORCHLIGHT_JWT_\w+) is not set/gm)).toHaveLength(2);
    const checked = {
      PORCHLIGHT_JWT_ISSUER: "https://id.example",
      PORCHLIGHT_JWT_AUDIENCE: "chat",
    };
    const sure = await porchlightIn(
      { env: { ...env, ...checked } },
      "doctor",
      "--file",
      folder.file,
    );
    expect([sure.code, sure.out.includes("DOUBT")]).toEqual([0, false]);
  });

  test("says so where the file is a newer version's, and where a server answers on the port", async () => {
    using folder = await withAnn();
    const { file } = folder;
    await using server = await ServerProcess.start(["serve"], {
      PORCHLIGHT_DATABASE_URL: `sqlite:${file}`,
    });
    const env = { PORCHLIGHT_PORT: new URL(server.url).port };
    const beside = await porchlightIn({ env }, "doctor", "--file", file);
    expect([beside.code, beside.out.includes("a Porchlight that answers")]).toEqual([0, true]);
    await server.end("SIGTERM");
    const db = new Database(file);
    db.pragma("user_version = 1000");
    db.close();
    const newer = await porchlightIn({ env }, "doctor", "--file", file);
    expect([newer.code, newer.out.includes("a newer Porchlight")]).toEqual([1, true]);
  });
});
