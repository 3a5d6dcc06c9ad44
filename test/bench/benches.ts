import type { Bench } from "./bench.ts";
import { PRESENCE } from "./presence.ts";
import { ROOM_STATE } from "./room-state.ts";
import { WRITES } from "./writes.ts";

/** Everything that can be measured, in the order in which it is. */
export const BENCHES: readonly Bench[] = [PRESENCE, ROOM_STATE, WRITES];
