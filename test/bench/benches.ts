import type { Bench } from "./bench.ts";
import { PRESENCE } from "./presence.ts";

/** Everything that can be measured, in the order in which it is. */
export const BENCHES: readonly Bench[] = [PRESENCE];
