import type { Bench } from "./bench.ts";

/** Everything that can be measured, in the order in which it is. */
export const BENCHES: readonly Bench[] = [];
