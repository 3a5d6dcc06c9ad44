/**
 * Measures, each beside what it is compared with in the same run. Ratios are
 * what counts: absolute figures belong to this machine and moment.
 *
 *     bun run bench                     everything: half an hour or more
 *     bun run bench <name> …            some of it
 *     bun run bench --short             the smallest sizes: a check that it works
 *     bun run bench --json <file>       what was measured, window by window, as well
 *     bun run bench --publish           writes what came of it into results.json and the README
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Outcome } from "./bench.ts";
import { BENCHES } from "./benches.ts";
import { markdownOf, promisesOf, type Results } from "./report.ts";
import { machine, pinGenerator } from "./subject.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: "boolean", default: false },
    json: { type: "string" },
    publish: { type: "boolean", default: false },
  },
});
const unknown = positionals.filter((each) => !BENCHES.some(({ name }) => name === each));
if (unknown.length > 0)
  throw new RangeError(
    `Cannot measure ${unknown.join(", ")}: there is ${BENCHES.map(({ name }) => name).join(", ")}`,
  );

pinGenerator();
console.log(`${machine()}\n`);
const outcomes: Record<string, Outcome> = {};
for (const bench of BENCHES) {
  if (positionals.length > 0 && !positionals.includes(bench.name)) continue;
  const outcome = await bench.run({ isShort: values.short });
  outcomes[bench.name] = outcome;
  console.log(markdownOf(bench, outcome));
}
if (values.json !== undefined)
  writeFileSync(values.json, JSON.stringify({ machine: machine(), ...outcomes }, undefined, 1));
if (values.publish) publish();
// Databases that several benches share would keep the process.
process.exit();

/** Puts what was found in the place of what these benches found before. */
function publish(): void {
  const file = join(import.meta.dir, "results.json");
  const readme = resolve(import.meta.dir, "../../README.md");
  const before: Results = JSON.parse(readFileSync(file, "utf8"));
  const found = Object.entries(outcomes).map(
    ([name, { settings, ratios }]) => [name, { machine: machine(), settings, ratios }] as const,
  );
  const names = BENCHES.map(({ name }) => name);
  const all = Object.entries({ ...before, ...Object.fromEntries(found) });
  const known = all.filter(([name]) => names.includes(name));
  const after = known.toSorted(([a], [b]) => names.indexOf(a) - names.indexOf(b));
  const digits = (_key: string, value: unknown): unknown =>
    typeof value === "number" ? Number(value.toPrecision(4)) : value;
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(after), digits, 1)}\n`);
  const kept: Results = JSON.parse(readFileSync(file, "utf8"));
  const [begin, end] = ["<!-- bench: begin -->", "<!-- bench: end -->"];
  const text = readFileSync(readme, "utf8");
  const around = [text.split(begin)[0], text.split(end)[1]];
  writeFileSync(readme, around.join(`${begin}\n${promisesOf(kept)}\n${end}`));
}
