import { mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Glob } from "bun";
import { buildCore } from "../../build/core.ts";
import { outputOf, temporaryFolder } from "./process.ts";

const ROOT = resolve(import.meta.dir, "../..");

/** A project that has installed the package of core as npm would have it. */
export interface InstalledCore extends Disposable {
  /** The folder of the project. */
  readonly path: string;
  /** The folder from which the package was packed. */
  readonly built: string;
  /** What is in the package. */
  readonly files: readonly string[];
}

/** Builds core, packs it, and unpacks it with its dependency into a project of its own. */
export async function installCore(): Promise<InstalledCore> {
  const folder = temporaryFolder();
  const built = join(folder.path, "built");
  await buildCore(built);
  await outputOf([process.execPath, "pm", "pack", "--destination", folder.path], { cwd: built });
  const tarball = [...new Glob("*.tgz").scanSync({ cwd: folder.path, absolute: true })][0] ?? "";
  const path = join(folder.path, "project");
  const core = join(path, "node_modules/@porchlight/core");
  mkdirSync(core, { recursive: true });
  await outputOf(["tar", "-xzf", tarball, "-C", core, "--strip-components=1"]);
  symlinkSync(realpathSync(join(ROOT, "core/node_modules/zod")), join(path, "node_modules/zod"));
  const { name, version } = JSON.parse(readFileSync(join(core, "package.json"), "utf8"));
  const dependencies = { [name]: version };
  writeFileSync(join(path, "package.json"), JSON.stringify({ type: "module", dependencies }));
  const files = [...new Glob("**/*").scanSync({ cwd: core, dot: true })].sort();
  return { path, built, files, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}
