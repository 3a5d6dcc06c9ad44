/**
 * When and by whom a value was written. Of two writes the one with the later
 * `at` stands, then the one of the greater device name, then of the greater
 * `seq`: an order in which every replica agrees, whichever write arrives first.
 */
export interface Stamp {
  /** Unix milliseconds. */
  readonly at: number;
  /** The device; empty for a write by a plain request. */
  readonly device_id: string;
  readonly seq: number;
}

/** Whether a write stands against another that is already there. The same write does not stand against itself. */
export function isLater(a: Stamp, b: Stamp): boolean {
  if (a.at !== b.at) return a.at > b.at;
  if (a.device_id !== b.device_id) return a.device_id > b.device_id;
  return a.seq > b.seq;
}

/** The stamp of a plain request: it always takes effect, at `now` or right after what is there. @param now Unix milliseconds. */
export function stampAfter(last: Stamp | undefined, now: number): Stamp {
  return { at: Math.max(now, (last?.at ?? Number.NEGATIVE_INFINITY) + 1), device_id: "", seq: 0 };
}

/**
 * When an edit that was made offline took effect. Its age counts, by the clock
 * of the device that made and sent it; a wrong clock does not. All in Unix
 * milliseconds.
 */
export function editedAt(
  edit: { readonly edited_at: number; readonly sent_at: number },
  now: number,
): number {
  return now - Math.max(0, edit.sent_at - edit.edited_at);
}
