import { describe, expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { temporaryFolder } from "../support/process.ts";

const CLI = resolve(import.meta.dir, "../../server/cli.ts");

/** Runs the command to its end. */
async function porchlight(
  ...args: string[]
): Promise<{ code: number; out: string; error: string }> {
  const child = Bun.spawn([process.execPath, CLI, ...args], { stdout: "pipe", stderr: "pipe" });
  const [out, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, out, error };
}

describe("porchlight", () => {
  test("says what it can do, and each command what it takes", async () => {
    expect(await porchlight()).toMatchObject({
      code: 0,
      out: expect.stringContaining("Usage: porchlight <command>"),
    });
    for (const command of ["serve", "demo"]) {
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
    ];
    for (const [args, word] of refused) {
      const { code, error } = await porchlight(...args);
      expect([args, code, error.includes(word), error.includes("    at ")]).toEqual([
        args,
        2,
        true,
        false,
      ]);
    }
  });
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
