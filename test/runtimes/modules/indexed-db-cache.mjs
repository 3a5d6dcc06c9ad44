import { openIndexedDb } from "../../../desktop/renderer/browser/indexed-db.ts";
import { CACHE_CHECKS } from "../../conformance/cache-checks.ts";

/**
 * Holds the cache of a browser to what a cache promises, and answers what it
 * does not hold to. Not TypeScript: what it imports is compiled with the types
 * of a page, which the tests are not.
 */
export async function run() {
  const faults = [];
  for (const { behaviour, run: check } of CACHE_CHECKS) {
    await openIndexedDb().clear();
    try {
      await check(async () => openIndexedDb());
    } catch (error) {
      faults.push(`${behaviour}: ${error}`);
    }
  }
  return faults;
}
