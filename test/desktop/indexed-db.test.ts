import { expect } from "bun:test";
import { findChromium } from "../runtimes/chromium.ts";
import { runOn, testWith } from "../runtimes/runtimes.ts";

const MODULE = new URL("../runtimes/modules/indexed-db-cache.mjs", import.meta.url);

testWith(findChromium(), "a cache in IndexedDB does what a cache promises", async () => {
  expect(await runOn("Chromium", MODULE)).toEqual([]);
});
