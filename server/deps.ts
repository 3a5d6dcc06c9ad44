import type { Clock } from "@porchlight/core/clock";
import type { Announced } from "./announced.ts";
import type { ClusterMessage } from "./cluster/message.ts";
import type { Shell } from "./endpoint.ts";
import type { Hub } from "./hub.ts";
import type { Liveness } from "./liveness.ts";
import type { Snoozes } from "./snoozes.ts";
import type { Announcement, Store } from "./store/store.ts";
import type { Turns } from "./turns.ts";
import type { Waiters } from "./waiters.ts";
import type { YjsRooms } from "./yjs/rooms.ts";

/** What the doors stand on: requests and streams alike. */
export interface Deps {
  readonly shell: Shell;
  /** Tells of something that nothing durable tells of: a person's own devices, on whichever node. */
  readonly announce: (announcement: Announcement) => void;
  /** Tells the other nodes, where there are any, what is to be done there too. */
  readonly elsewhere: (message: ClusterMessage) => void;
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
