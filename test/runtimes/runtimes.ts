import { test } from "bun:test";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../support/process.ts";
import { type Found, findDeno, findNode } from "./binaries.ts";
import { findChromium, runInChromium } from "./chromium.ts";

/** The runtimes on which core promises to be the same. */
export const RUNTIMES = ["Bun", "Node", "Deno", "Chromium"] as const;
export type Runtime = (typeof RUNTIMES)[number];

const RUN_MS = 60_000;
const TEST = resolve(import.meta.dir, "..");
const IS_CI = !["", "0", "false", undefined].includes(process.env.CI);

const FIND: Readonly<Record<Runtime, () => Found>> = {
  Bun: () => ({ path: process.execPath }),
  Node: findNode,
  Deno: findDeno,
  Chromium: findChromium,
};

/**
 * Loads a module on a runtime, in a process of its own that is gone afterwards,
 * calls the function `run` that it exports with `argument`, and answers what
 * that resolves to. Both are JSON. A module may use what web standards name,
 * and the network of 127.0.0.1. Rejects with what the runtime said when the
 * module fails, and after `timeoutMs` (a minute), the start of the runtime
 * included.
 * @param module the module's URL.
 */
export async function runOn(
  runtime: Runtime,
  module: URL,
  argument: unknown = null,
  timeoutMs = RUN_MS,
): Promise<unknown> {
  const found = FIND[runtime]();
  if ("missing" in found) throw new Error(`Cannot run on ${runtime}: ${found.missing}`);
  const call = `JSON.stringify((await run(${JSON.stringify(argument)})) ?? null)`;
  const said =
    runtime === "Chromium"
      ? await runInChromium(found.path, { entry: fileURLToPath(module), call, timeoutMs })
      : await runInProcess(runtime, found.path, {
          program: `import { run } from "${module}";\nconsole.log(${call});`,
          timeoutMs,
        });
  return JSON.parse(String(said));
}

/** Declares a test for each runtime, which needs that runtime: see {@link testWith}. */
export function testEverywhere(behaviour: string, body: (runtime: Runtime) => Promise<void>): void {
  for (const runtime of RUNTIMES)
    testWith(FIND[runtime](), `${behaviour} on ${runtime}`, () => body(runtime));
}

/**
 * Declares a test that needs a program. On a machine without it the test is
 * skipped, and says why; in CI it fails.
 */
export function testWith(
  found: Found,
  behaviour: string,
  body: (path: string) => Promise<void>,
): void {
  if ("path" in found) {
    test(behaviour, () => body(found.path), 2 * RUN_MS);
    return;
  }
  const skipped = `${behaviour} (skipped: ${found.missing})`;
  console.warn(skipped);
  test.skipIf(!IS_CI)(skipped, () => {
    throw new Error(`Cannot skip this in CI: ${found.missing}`);
  });
}

/** Hands a program to a runtime by standard input, and answers what it prints. */
async function runInProcess(
  runtime: Exclude<Runtime, "Chromium">,
  path: string,
  { program, timeoutMs }: { program: string; timeoutMs: number },
): Promise<string> {
  using folder = temporaryFolder();
  const args = {
    Bun: ["run", "-"],
    Node: ["--experimental-strip-types", "--no-warnings", "--input-type=module", "-"],
    Deno: [
      ...["run", "--no-config", "--no-lock", "--no-prompt", "--cached-only"],
      ...["--node-modules-dir=manual", "--allow-net=127.0.0.1", "-"],
    ],
  }[runtime];
  const child = Bun.spawn([path, ...args], {
    cwd: TEST,
    env: { ...process.env, DENO_DIR: join(folder.path, "deno"), DENO_NO_UPDATE_CHECK: "1" },
    stdin: new Blob([program]),
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const [out, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) === 0) return out;
  throw new Error(`Cannot run on ${runtime}: ${child.signalCode ?? child.exitCode} ${error}`);
}
