/**
 * Measures, each beside what it is compared with in the same run. Ratios are
 * what counts: absolute figures belong to this machine and moment.
 *
 *     bun run bench                     everything: half an hour or more
 *     bun run bench <name> …            some of it
 *     bun run bench --short             the smallest sizes: a check that it works
 *     bun run bench --json <file>       what was measured, window by window, as well
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { BENCHES } from "./benches.ts";
import { markdownOf } from "./report.ts";
import { machine, pinGenerator } from "./subject.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { short: { type: "boolean", default: false }, json: { type: "string" } },
});
const unknown = positionals.filter((each) => !BENCHES.some(({ name }) => name === each));
if (unknown.length > 0)
  throw new RangeError(
    `Cannot measure ${unknown.join(", ")}: there is ${BENCHES.map(({ name }) => name).join(", ")}`,
  );

pinGenerator();
console.log(`${machine()}\n`);
const outcomes: Record<string, unknown> = {};
for (const bench of BENCHES) {
  if (positionals.length > 0 && !positionals.includes(bench.name)) continue;
  const outcome = await bench.run({ isShort: values.short });
  outcomes[bench.name] = outcome;
  console.log(markdownOf(bench, outcome));
}
if (values.json !== undefined)
  writeFileSync(values.json, JSON.stringify({ machine: machine(), ...outcomes }, undefined, 1));
// Databases that several benches share would keep the process.
process.exit();
