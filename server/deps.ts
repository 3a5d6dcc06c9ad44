import type { Clock } from "@porchlight/core/clock";
import type { Announced } from "./announced.ts";
import type { Shell } from "./endpoint.ts";
import type { Hub } from "./hub.ts";
import type { Liveness } from "./liveness.ts";
import type { Snoozes } from "./snoozes.ts";
import type { Store } from "./store/store.ts";
import type { Turns } from "./turns.ts";
import type { Waiters } from "./waiters.ts";
import type { YjsRooms } from "./yjs/rooms.ts";

/** What the doors stand on: requests and streams alike. */
export interface Deps {
  readonly shell: Shell;
  readonly store: Store;
  readonly hub: Hub;
  readonly liveness: Liveness;
  readonly snoozes: Snoozes;
  readonly clock: Clock;
  readonly announced: Announced;
  readonly waiters: Waiters;
  readonly turns: Turns;
  readonly yjs: YjsRooms;
}
