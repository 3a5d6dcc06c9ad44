import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import * as core from "@porchlight/core";
import * as client from "@porchlight/core/client";
import * as clock from "@porchlight/core/clock";
import * as sharing from "@porchlight/core/sharing";
import { Glob } from "bun";
import { type Found, findDeno, findNode } from "./runtimes/binaries.ts";
import { testWith } from "./runtimes/runtimes.ts";
import { type InstalledCore, installCore } from "./support/installed.ts";
import { outputOf, temporaryFolder } from "./support/process.ts";

const ROOT = resolve(import.meta.dir, "..");
const SOURCES = ["*.ts", "client/*.ts"].flatMap((pattern) => [
  ...new Glob(pattern).scanSync({ cwd: join(ROOT, "core") }),
]);
const ENTRIES = {
  "@porchlight/core": core,
  "@porchlight/core/client": client,
  "@porchlight/core/clock": clock,
  "@porchlight/core/sharing": sharing,
};

const RESOLUTIONS = [
  ["nodenext", "nodenext"],
  ["bundler", "esnext"],
] as const;
/** Uses of the types, with what they need of the platform's. Were a type not found, there would be nothing wrong with them. */
const TYPED_USES = [
  [
    ["es2023"],
    `import { DEFAULT_TIMINGS, parseFrame, PresenceRegister, type Timings } from "@porchlight/core";
     declare global { interface URL {} } // which the types of zod name
     const timings: Timings = DEFAULT_TIMINGS;
     const register = new PresenceRegister({ ...timings, manual_without_device: "keep" });
     export const told: "online" | "idle" | "busy" | "offline" = register.told("ann");
     // @ts-expect-error no frame has this type
     export const type: "nonsense" = parseFrame("{}").type;`,
  ],
  [
    ["es2023", "dom"],
    `import { Client } from "@porchlight/core/client";
     import { Alarm, systemClock } from "@porchlight/core/clock";
     const client = new Client({ url: "http://127.0.0.1", token: "t", device_id: "d" });
     // @ts-expect-error nobody can choose this state
     void client.choose({ state: "offline" });
     export const alarm = new Alarm(systemClock(), () => 0, () => client.close());`,
  ],
] as const;

let installed: InstalledCore;
beforeAll(async () => {
  installed = await installCore();
}, 60_000);
afterAll(() => installed[Symbol.dispose]());

function jsonOf(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(ROOT, path), "utf8"));
}

/** Npm of this machine. */
function findNpm(): Found {
  const path = Bun.which("npm");
  return path === null ? { missing: "there is no npm on the PATH" } : { path };
}

/** What is in the package for npm, by what is in core. */
function expectedFiles(): string[] {
  const compiled = SOURCES.flatMap((path) =>
    [".js", ".d.ts"].map((ending) => path.replace(/\.ts$/, ending)),
  );
  return [...compiled, "LICENSE", "README.md", "package.json"].sort();
}

describe("the package for npm", () => {
  test("holds every source as JavaScript with its types, and nothing else but its papers", () => {
    expect(installed.files).toEqual(expectedFiles());
  });

  testWith(findNpm(), "is packed alike by npm", async (npm) => {
    const [packed] = JSON.parse(
      await outputOf([npm, "pack", "--dry-run", "--json"], { cwd: installed.built }),
    );
    const files: { path: string }[] = packed.files;
    expect(files.map(({ path }) => path).sort()).toEqual(expectedFiles());
    expect(packed).toMatchObject({
      name: "@porchlight/core",
      version: jsonOf("core/package.json").version,
    });
  });

  const runtimes: Record<string, Found> = { Bun: { path: process.execPath }, Node: findNode() };
  for (const [runtime, found] of Object.entries(runtimes))
    testWith(found, `gives on ${runtime} by each entry what its source exports`, async (path) => {
      const names = Object.keys(ENTRIES);
      writeFileSync(
        join(installed.path, "names.js"),
        `for (const name of ${JSON.stringify(names)})
          console.log(JSON.stringify([name, Object.keys(await import(name)).sort()]));`,
      );
      const lines = (await outputOf([path, "names.js"], { cwd: installed.path }))
        .trim()
        .split("\n");
      const expected = Object.entries(ENTRIES).map(([name, entry]) => [
        name,
        Object.keys(entry).sort(),
      ]);
      expect(lines.map((line) => JSON.parse(line))).toEqual(expected);
    });

  for (const [moduleResolution, module] of RESOLUTIONS)
    test(`has types that are found by way of "${moduleResolution}", those of the rules without the DOM`, async () => {
      const compilerOptions = {
        moduleResolution,
        module,
        target: "es2023",
        strict: true,
        types: [],
      };
      for (const [lib, code] of TYPED_USES) {
        const options = { ...compilerOptions, noEmit: true, skipDefaultLibCheck: true, lib };
        writeFileSync(join(installed.path, "use.ts"), code);
        writeFileSync(
          join(installed.path, "tsconfig.json"),
          JSON.stringify({ compilerOptions: options, files: ["use.ts"] }),
        );
        const tsc = Bun.resolveSync("typescript/bin/tsc", ROOT);
        expect(await outputOf([process.execPath, tsc], { cwd: installed.path })).toBe("");
      }
    }, 60_000);
});

describe("the package for JSR", () => {
  testWith(
    findDeno(),
    "is one that Deno would publish: every source, no slow types, no warning",
    async (deno) => {
      using cache = temporaryFolder();
      const said = await outputOf([deno, "publish", "--dry-run", "--allow-dirty"], {
        cwd: join(ROOT, "core"),
        env: { DENO_DIR: cache.path, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
        stderr: "kept",
      });
      expect(said).toContain("Checking for slow types");
      expect(said).toContain("Dry run complete");
      expect(said).not.toMatch(/warning|^error/im);
      const files = [...said.matchAll(/^ +file:\/\/.*\/core\/(\S+) \(/gm)].map(
        ([, path]) => path ?? "",
      );
      expect(files.sort()).toEqual([...SOURCES, "README.md", "deno.json"].sort());
    },
  );
});

describe("both packages", () => {
  test("have one version, licence and set of entries, and the same zod", () => {
    const [npm, jsr] = [jsonOf("core/package.json"), jsonOf("core/deno.json")];
    const { name, version, license, exports, dependencies } = npm;
    expect(jsr).toMatchObject({ name, version, license, exports });
    const { zod } = dependencies as Record<string, string>;
    expect(jsr.imports).toEqual({ "zod/mini": `npm:zod@${zod}/mini` });
    expect(jsonOf("server/package.json").version).toEqual(version);
    const locked = new RegExp(`"core": \\{\\s*"name": "${name}",\\s*"version": "${version}"`);
    expect(readFileSync(join(ROOT, "bun.lock"), "utf8")).toMatch(locked);
  });
});
