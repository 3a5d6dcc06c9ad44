import type { EventFrame, StreamLimits } from "@porchlight/core";
import type { Announced, Meanwhile } from "./announced.ts";
import type { Connection, Hub } from "./hub.ts";
import type { Metrics } from "./metrics.ts";
import type { Replayed, Store } from "./store/store.ts";
import type { Turns } from "./turns.ts";

/** As many events are read at once; fewer while the peer reads slowly. */
const PAGE = 100;

/** How much can be replayed. */
export interface Bounds {
  /** How many positions, at most. */
  readonly retained: number;
  /** How much at once, but always one event. */
  readonly maxBytes: number;
}

/** A page is so much less than what may wait for a socket that another has room beside it. */
export function boundsOf({ events_retained, backlog_max_bytes }: StreamLimits): Bounds {
  return { retained: events_retained, maxBytes: backlog_max_bytes / 2 };
}

/** What a replay needs. */
export interface Replaying extends Bounds {
  readonly store: Store;
  readonly hub: Hub;
  readonly announced: Announced;
  readonly turns: Turns;
  readonly metrics: Metrics;
}

/**
 * Tells one socket what it has missed, a page at a time and no faster than it
 * is read, and lets it hear what is live in the turn in which nothing is left.
 * Each event is told once and in order, whatever happens meanwhile. While the
 * peer does not read, nothing is kept for it but how far it has come.
 */
export class Replay {
  readonly #on: Replaying;
  readonly #connection: Connection;
  readonly #tellGap: (position: number) => void;
  #cursor: number;
  #limit = PAGE;
  #isOver = false;
  #goOn: (() => void) | undefined;

  /** @param tellGap is called with the present position where what was missed cannot be told. */
  constructor(
    on: Replaying,
    connection: Connection,
    options: { since: number; tellGap: (position: number) => void },
  ) {
    this.#on = on;
    this.#connection = connection;
    this.#cursor = options.since;
    this.#tellGap = options.tellGap;
  }

  /** Resolves when the socket is live, or the replay was stopped. Rejects with what the store refuses. */
  async run(): Promise<void> {
    while (!this.#isOver) {
      await this.#on.turns.next();
      if (!this.#isOver) await this.#page();
      if (!this.#isOver) await this.#room();
    }
  }

  /** Nothing more is to be told. */
  stop(): void {
    this.#isOver = true;
    this.#goOn?.();
  }

  /** The peer has read on. */
  drained(): void {
    if (this.#on.hub.hasRoom(this.#connection)) this.#goOn?.();
  }

  async #page(): Promise<void> {
    const { store, announced, retained, maxBytes } = this.#on;
    const meanwhile = announced.meanwhile(this.#connection.tenant_id);
    try {
      const options = { limit: this.#limit, retained, maxBytes };
      const page = await store.replay(this.#connection, this.#cursor, options);
      if (!this.#isOver) this.#tell(page, meanwhile);
    } finally {
      meanwhile.end();
    }
  }

  #tell(page: Replayed, meanwhile: Meanwhile): void {
    if (page.isGap) this.#tellGap(page.position);
    if (!this.#sendAll(page.events)) return;
    this.#cursor = page.cursor;
    if (page.cursor < page.position) return;
    const missed = meanwhile.above(page.position);
    if (missed === undefined) return;
    this.#isOver = true;
    this.#on.hub.goLive(this.#connection, page, missed);
  }

  /** Sends as many as there is room for; what is left is read again when there is. */
  #sendAll(events: readonly EventFrame[]): boolean {
    const { hub } = this.#on;
    let sent = 0;
    for (const event of events) {
      if (!hub.hasRoom(this.#connection)) break;
      hub.send(this.#connection, event);
      this.#cursor = event.stream_position ?? this.#cursor;
      sent += 1;
    }
    this.#on.metrics.replayed("stream", sent);
    const isAll = sent === events.length;
    this.#limit = isAll ? Math.min(PAGE, 2 * this.#limit) : Math.max(1, sent);
    return isAll;
  }

  async #room(): Promise<void> {
    if (this.#on.hub.hasRoom(this.#connection)) return;
    await new Promise<void>((resolve) => {
      this.#goOn = resolve;
    });
  }
}
