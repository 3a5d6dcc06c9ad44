import type { EventFrame, SyncQuery } from "@porchlight/core";
import type { Clock } from "@porchlight/core/clock";
import type { Announced, Meanwhile } from "./announced.ts";
import type { Bounds } from "./replay.ts";
import type { PersonKey, Replayed, Store } from "./store/store.ts";
import type { Turns } from "./turns.ts";
import { isSeenBy, type Waiters } from "./waiters.ts";

/** What a long poll needs. */
export interface Polling extends Bounds {
  readonly store: Store;
  readonly announced: Announced;
  readonly waiters: Waiters;
  readonly turns: Turns;
  readonly clock: Clock;
}

/** What a long poll answers. */
export interface Synced {
  readonly events: readonly EventFrame[];
  /** Where to go on: everything up to it was looked at. */
  readonly next_cursor: number;
  readonly has_more: boolean;
  /** There is a gap that cannot be told. */
  readonly resync?: true;
}

/** Answers what a person has missed, as soon as there is something, or empty when the time is over. */
export async function poll(
  on: Polling,
  viewer: PersonKey,
  { since, limit, timeout }: SyncQuery,
  signal: AbortSignal,
): Promise<Synced> {
  if (since === undefined) {
    const next_cursor = await on.store.position(viewer.tenant_id);
    return { events: [], next_cursor, has_more: false };
  }
  const { retained, maxBytes } = on;
  const until = on.clock.monotonic() + timeout;
  let isOver = timeout === 0;
  for (let cursor = since; ; ) {
    const meanwhile = on.announced.meanwhile(viewer.tenant_id);
    let news: Promise<boolean>;
    try {
      const page = await on.store.replay(viewer, cursor, { limit, retained, maxBytes });
      if (page.isGap || page.events.length > 0 || isOver) return syncedOf(page);
      cursor = page.cursor;
      // In the turn in which nothing is found it is waited for: nothing can happen in between.
      news = isLatest(page, meanwhile, viewer)
        ? on.waiters.wait(viewer, page.rooms, { until, signal })
        : Promise.resolve(true);
    } finally {
      meanwhile.end();
    }
    isOver = !(await news);
    // Many are woken at once, and many wait equally long: each looks in a turn of its own.
    await on.turns.next();
  }
}

/** Whether nothing is missing from a page that the viewer may see by now. */
function isLatest(page: Replayed, meanwhile: Meanwhile, viewer: PersonKey): boolean {
  if (page.cursor < page.position) return false;
  const missed = meanwhile.above(page.position);
  return missed !== undefined && !missed.some((each) => isSeenBy(each, viewer, page.rooms));
}

function syncedOf({ isGap, events, cursor, position }: Replayed): Synced {
  const synced = { events, next_cursor: cursor, has_more: cursor < position };
  return isGap ? { ...synced, resync: true } : synced;
}
