/**
 * Makes of the server what can be carried elsewhere:
 *
 * - `porchlight`, one program that needs nothing else, for this machine or
 *   the one that `--target` names as Bun does, such as `bun-linux-arm64`
 *   (where the C library is musl, this one has to be named as well);
 * - `porchlight.js`, one file for Bun, where better-sqlite3 is installed.
 *
 * Run as `bun build/server.ts [folder] [--target TARGET]`; the folder is
 * `server/dist` unless named.
 */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { BunPlugin } from "bun";

const SERVER = resolve(import.meta.dir, "../server");
const ENTRY = join(SERVER, "cli.ts");

if (import.meta.main) {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { target: { type: "string" } },
  });
  const folder = resolve(positionals[0] ?? join(SERVER, "dist"));
  await buildBundle(folder);
  console.log(await buildProgram(folder, values.target));
}

/** Builds `porchlight.js` into a folder. */
export async function buildBundle(folder: string): Promise<void> {
  await Bun.build({
    entrypoints: [ENTRY],
    target: "bun",
    minify: true,
    external: ["better-sqlite3"],
    outdir: folder,
    naming: { entry: "porchlight.js" },
  });
}

/** Builds the program into a folder, and answers where it is. @param target the machine it is for; this one by default. */
export async function buildProgram(folder: string, target?: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const built = await Bun.build({
    entrypoints: [ENTRY],
    target: "bun",
    minify: true,
    // Read by the machine that wrote it; it halves the time to start.
    bytecode: target === undefined,
    format: "esm",
    compile: {
      outfile: join(folder, "porchlight"),
      // Settings are environment variables: no file that lies about where it is started is one of them.
      autoloadBunfig: false,
      ...(target === undefined ? {} : { target: target as Bun.Build.CompileTarget }),
    },
    plugins: [withSqliteFor(target ?? `bun-${process.platform}-${process.arch}`)],
  });
  return built.outputs[0]?.path ?? "";
}

/**
 * Takes the native part of better-sqlite3 along. Its entry looks for one at
 * run time, where there will be none; it has one entry a machine that does not.
 */
function withSqliteFor(target: string): BunPlugin {
  const [, system = "", processor = ""] = /^bun-(\w+)-(\w+)/.exec(target) ?? [];
  const libc = target.includes("musl") ? "musl" : "";
  const entry = `better-sqlite3/${system.replace("windows", "win32")}${libc}-${processor}`;
  return {
    name: "sqlite",
    setup: (build) => {
      build.onResolve({ filter: /^better-sqlite3$/ }, () => ({
        path: Bun.resolveSync(entry, SERVER),
      }));
    },
  };
}
