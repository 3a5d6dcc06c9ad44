/**
 * Installs Chromium, nginx, systemd, PostgreSQL and Redis where they are
 * missing, runs every test, and ends with a line that says how many passed. Coverage is a gate:
 * all lines of core, nine in ten of the server.
 */
import { readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { installChromium } from "./runtimes/chromium.ts";
import { installDatabases } from "./runtimes/databases.ts";
import { installDeployment } from "./runtimes/deployment.ts";

const ROOT = resolve(import.meta.dir, "..");
const LCOV = resolve(ROOT, "coverage/lcov.info");
const GATES = [
  { folder: "core/", least: 1 },
  { folder: "server/", least: 0.9 },
] as const;

await installChromium();
await installDeployment();
await installDatabases();
rmSync(LCOV, { force: true });
const run = Bun.spawn(
  [process.execPath, "test", "--coverage", "--coverage-reporter=lcov", ...process.argv.slice(2)],
  {
    cwd: ROOT,
    env: { ...process.env, FORCE_COLOR: "0" },
    stdout: "inherit",
    stderr: "pipe",
  },
);
let said = "";
for await (const chunk of run.stderr) {
  process.stderr.write(chunk);
  said += new TextDecoder().decode(chunk);
}
await run.exited;

const count = (word: string): number =>
  Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(said)?.[1] ?? 0);
const short = shortfalls();
const passed = count("pass");
// A run that broke off, or a part that is not covered, is a failure that no test has counted.
const failed = count("fail") + short.length + Number(run.exitCode !== 0 && count("fail") === 0);
const skipped = count("skip");
// Named once more where a reader looks first.
for (const line of new Set(said.match(/^\(fail\) .*$/gm))) console.log(line);
for (const line of short) console.log(line);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

/** The folders whose coverage is below its gate, with the lines that no test reaches. */
function shortfalls(): string[] {
  const files = readFileSync(LCOV, "utf8").split("end_of_record").flatMap(readFile);
  return GATES.flatMap(({ folder, least }) => {
    const inside = files.filter(({ path }) => path.startsWith(folder));
    const lines = inside.flatMap((file) => file.lines);
    const share = lines.filter(({ hits }) => hits > 0).length / lines.length;
    console.log(`coverage of ${folder}: ${(share * 100).toFixed(1)} % of ${lines.length} lines`);
    if (share >= least) return [];
    const missed = inside.flatMap(({ path, lines: each }) =>
      each.filter(({ hits }) => hits === 0).map(({ line }) => `${path}:${line}`),
    );
    return [`Coverage of ${folder} is below ${least * 100} %: ${missed.slice(0, 40).join(" ")}`];
  });
}

function readFile(record: string): { path: string; lines: { line: number; hits: number }[] }[] {
  const path = /^SF:(.+)$/m.exec(record)?.[1];
  if (path === undefined) return [];
  const lines = [...record.matchAll(/^DA:(\d+),(\d+)/gm)].map(([, line, hits]) => ({
    line: Number(line),
    hits: Number(hits),
  }));
  return [{ path: path.replace(`${ROOT}/`, ""), lines }];
}
