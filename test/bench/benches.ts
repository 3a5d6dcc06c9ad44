import { AWARENESS } from "./awareness.ts";
import type { Bench } from "./bench.ts";
import { CLUSTER } from "./cluster.ts";
import { FAN_OUT } from "./fan-out.ts";
import { IDLE } from "./idle.ts";
import { PRESENCE } from "./presence.ts";
import { ROOM_STATE } from "./room-state.ts";
import { RULES } from "./rules.ts";
import { SLO } from "./slo.ts";
import { START } from "./start.ts";
import { STORM } from "./storm.ts";
import { WRITES } from "./writes.ts";

/** Everything that can be measured, in the order in which it is. */
export const BENCHES: readonly Bench[] = [
  FAN_OUT,
  IDLE,
  STORM,
  PRESENCE,
  ROOM_STATE,
  WRITES,
  AWARENESS,
  CLUSTER,
  START,
  SLO,
  RULES,
];
