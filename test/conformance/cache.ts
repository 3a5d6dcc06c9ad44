import { describe, test } from "bun:test";
import { CACHE_CHECKS, type OpenCache } from "./cache-checks.ts";

/** Storage of a cache for one check, empty, and gone afterwards. */
export interface CacheStorage extends AsyncDisposable {
  readonly open: OpenCache;
}

/** Declares a test for each promise of `Cache`. */
export function cacheSuite(name: string, empty: () => Promise<CacheStorage>): void {
  describe(name, () => {
    for (const { behaviour, run } of CACHE_CHECKS)
      test(behaviour, async () => {
        await using storage = await empty();
        await run(storage.open);
      });
  });
}
