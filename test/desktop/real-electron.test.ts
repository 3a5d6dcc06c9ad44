import { describe, setDefaultTimeout, test } from "bun:test";
import { appSuite } from "../conformance/app.ts";
import { findElectron, startReal } from "../support/real-electron.ts";

setDefaultTimeout(60_000);
const found = findElectron();

if ("path" in found) {
  appSuite("the app on Electron", (machine) => startReal(found.path, machine));
} else {
  // Not a failure in CI either: the program is in no registry of packages.
  const skipped = `the app on Electron (skipped: ${found.missing})`;
  console.warn(skipped);
  describe("the app on Electron", () => test.skip(skipped, () => {}));
}
