import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { isLong } from "../support/runs.ts";
import { SCENARIOS } from "./scenarios.ts";
import { labelOf, Server } from "./server.ts";
import { contenders } from "./servers.ts";

const README = readFileSync(resolve(import.meta.dir, "../../README.md"), "utf8");
const TIMEOUT_MS = 120_000;
const [OURS] = contenders();

/** Those that only wait are played where time does not matter, and by `bun run compare`. */
describe("what is compared with other servers holds with ours", () => {
  for (const { name, play } of SCENARIOS.filter(({ kind }) => isLong || kind !== "long"))
    test(
      name,
      async () => {
        await using server = await Server.start(OURS);
        const finding = await play(server);
        expect(finding).not.toMatchObject({ holds: false });
      },
      TIMEOUT_MS,
    );
});

describe("the comparison in the README", () => {
  const section = README.split("<!-- compare -->")[1]?.split("<!-- /compare -->")[0] ?? "";

  test("names every server with the version that is installed", () => {
    const missing = contenders()
      .map(labelOf)
      .filter((label) => !section.includes(`| ${label} |`));
    expect(missing).toEqual([]);
  });

  test("has a row for every scenario", () => {
    const names = section.split("\n").map((line) => line.split(" | ")[0]?.replace("| ", ""));
    const missing = SCENARIOS.filter(({ name }) => !names.includes(name));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});
