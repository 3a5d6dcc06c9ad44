import { beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { temporaryFolder } from "./support/process.ts";

const ROOT = resolve(import.meta.dir, "..");
const CORE = join(ROOT, "core");

/**
 * What an app takes from core, and the KiB that it may cost, minified and
 * gzipped: what is promised, or, where nothing is, what it costs today.
 */
const BUNDLES = {
  registers: {
    name: "`PresenceRegister` and `TypingRegister`",
    code: `export { PresenceRegister, TypingRegister } from "${CORE}/index.ts";`,
    budget: 4.2,
  },
  liveness: {
    name: "`LivenessRegister`, which has both",
    code: `export { LivenessRegister } from "${CORE}/index.ts";`,
    budget: 4.9,
  },
  awareness: {
    name: "`AwarenessRoom`, an entry of its own",
    code: `export * from "${CORE}/awareness.ts";`,
    budget: 6.8,
  },
  sharing: {
    name: "`SharedLiveness`, an entry of its own",
    code: `export * from "${CORE}/sharing.ts";`,
    budget: 7,
  },
  rules: { name: "all rules, without schemas", code: rulesWithoutSchemas(), budget: 10.2 },
  client: {
    name: "the client",
    code: `export * from "${CORE}/client/index.ts";`,
    budget: 8,
  },
  everything: {
    name: "everything: rules, schemas with zod, client",
    code: `export * from "${CORE}/index.ts"; export * from "${CORE}/client/index.ts";`,
    budget: 30,
  },
} as const;

type Bundle = keyof typeof BUNDLES;

const sizes = new Map<Bundle, string>();
beforeAll(async () => {
  for (const name of Object.keys(BUNDLES) as Bundle[])
    sizes.set(name, (await kibOf(BUNDLES[name].code)).toFixed(1));
});

/** The exports of the rules' entry, but for those of the files that check input with zod. */
function rulesWithoutSchemas(): string {
  const entry = readFileSync(join(CORE, "index.ts"), "utf8");
  const exports = [...entry.matchAll(/^export \{[^}]+\} from "\.\/(.+)";/gm)];
  return exports
    .filter(([, file]) => !["input.ts", "requests.ts", "room-writes.ts"].includes(file ?? ""))
    .map(([statement]) => statement.replace('"./', `"${CORE}/`))
    .join("\n");
}

/** The size of a bundle in KiB, minified and gzipped, rounded up to a tenth. */
async function kibOf(code: string): Promise<number> {
  using folder = temporaryFolder();
  const entry = join(folder.path, "entry.ts");
  writeFileSync(entry, code);
  const { outputs } = await Bun.build({ entrypoints: [entry], minify: true, target: "browser" });
  const bundle = await outputs[0]?.arrayBuffer();
  return Math.ceil(gzipSync(bundle ?? "", { level: 9 }).byteLength / 102.4) / 10;
}

/** The lines of a README that state a size. */
function linesOf(path: string): string[] {
  const lines = readFileSync(join(ROOT, path), "utf8").split("\n");
  return lines.filter((line) => /\d KiB/.test(line));
}

for (const [bundle, { name, budget }] of Object.entries(BUNDLES))
  test(`${name} takes at most ${budget} KiB`, () => {
    expect(Number(sizes.get(bundle as Bundle))).toBeLessThanOrEqual(budget);
  });

test("the README of core states the sizes", () => {
  const rows = Object.entries(BUNDLES).map(
    ([bundle, { name }]) => `| ${name} | ${sizes.get(bundle as Bundle)} KiB |`,
  );
  expect(linesOf("core/README.md").filter((line) => line.startsWith("|"))).toEqual(rows);
});

for (const path of ["core/README.md", "README.md"])
  test(`${path} claims in words what the sizes are`, () => {
    const claims = linesOf(path).flatMap((line) => [...line.matchAll(/\*\*([\d.]+) KiB\*\*/g)]);
    const { registers, client, everything } = Object.fromEntries(sizes);
    expect(claims.map(([, size]) => size)).toEqual([registers, client, everything] as string[]);
  });
