/**
 * Makes the package of core that npm takes: JavaScript with its types, and a
 * `package.json` that names them. The sources are what a workspace and JSR take.
 *
 * Run as `bun build/core.ts [folder]`; the folder is `core/dist` unless named.
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Glob } from "bun";

const ROOT = resolve(import.meta.dir, "..");
const CORE = join(ROOT, "core");

if (import.meta.main) await buildCore(process.argv[2] ?? join(CORE, "dist"));

/** Builds the package into a folder, in the place of what was there. */
export async function buildCore(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await compile(folder);
  for (const path of new Glob("**/*.d.ts").scanSync(folder)) nameJavaScript(join(folder, path));
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest(), null, 2)}\n`);
  copyFileSync(join(CORE, "README.md"), join(folder, "README.md"));
  copyFileSync(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
}

async function compile(folder: string): Promise<void> {
  const tsc = Bun.resolveSync("typescript/bin/tsc", ROOT);
  const child = Bun.spawn(
    [process.execPath, tsc, "-p", join(CORE, "tsconfig.build.json"), "--outDir", folder],
    { stdin: "ignore", stdout: "inherit", stderr: "inherit" },
  );
  if ((await child.exited) !== 0) throw new Error("Cannot build core as it does not compile");
}

/** Imports in declarations keep the names of the sources, which are not in the package. */
function nameJavaScript(path: string): void {
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replaceAll(/"(\.{1,2}\/[^"]+)\.ts"/g, '"$1.js"'));
}

/** The `package.json` of core, with entries that are JavaScript. */
function manifest(): object {
  const source = JSON.parse(readFileSync(join(CORE, "package.json"), "utf8"));
  const exports: [string, string][] = Object.entries(source.exports);
  return {
    ...source,
    exports: Object.fromEntries(
      exports.map(([entry, path]) => [
        entry,
        { types: path.replace(/\.ts$/, ".d.ts"), default: path.replace(/\.ts$/, ".js") },
      ]),
    ),
  };
}
