/** The view of {@link makeTinyApp}: holds the cache it is handed to what a cache promises, when it is asked to. */
import type { Shell } from "../../desktop/bridge.ts";
import { CACHE_CHECKS } from "../conformance/cache-checks.ts";

const view = globalThis as unknown as {
  readonly porchlight: Shell;
  checkCache: () => Promise<string[]>;
};

view.checkCache = async () => {
  const { cache } = view.porchlight;
  const faults: string[] = [];
  for (const { behaviour, run } of CACHE_CHECKS) {
    await cache.clear();
    await run(async () => cache).catch((error: unknown) => faults.push(`${behaviour}: ${error}`));
  }
  return faults;
};
