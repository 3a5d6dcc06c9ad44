import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { findSystemdAnalyze } from "../runtimes/deployment.ts";
import { testWith } from "../runtimes/runtimes.ts";
import { outputOf, temporaryFolder } from "../support/process.ts";

const UNIT = readFileSync(resolve(import.meta.dir, "../../deploy/porchlight.service"), "utf8");
/** How exposed systemd may find the service, in tenths: 0 is not at all, 100 wholly. */
const EXPOSURE_MAX = 25;

describe("the unit for systemd", () => {
  testWith(
    findSystemdAnalyze(),
    "is one that systemd knows and finds well shielded",
    async (path) => {
      using folder = temporaryFolder();
      const unit = join(folder.path, "porchlight.service");
      // It looks whether the program is there.
      writeFileSync(unit, UNIT.replace("/usr/local/bin/porchlight", "/bin/true"));
      expect(await outputOf([path, "verify", "--man=no", unit], { stderr: "kept" })).toBe("");
      await outputOf([path, "security", "--offline=yes", `--threshold=${EXPOSURE_MAX}`, unit]);
    },
  );

  test("gives an orderly stop, of 10 s at most, the time it takes", () => {
    expect(Number(/^TimeoutStopSec=(\d+)s$/m.exec(UNIT)?.[1])).toBeGreaterThan(10);
    expect(UNIT).toContain("KillSignal=SIGTERM");
    expect(UNIT).toContain("Restart=on-failure");
  });
});
