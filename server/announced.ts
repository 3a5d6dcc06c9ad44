import type { Announcement } from "./store/store.ts";

/** More than this is not kept of what is announced during one read. */
const KEPT_MAX = 1_000;

/** What is announced of a tenant while something is read from the store: the two together have no gap between them. */
export interface Meanwhile {
  /** What was announced since the read began, of what has a position above this one; `undefined` where it was too much to keep. */
  above(position: number): readonly Announcement[] | undefined;
  /** To be called when the read has been answered. */
  end(): void;
}

/**
 * How far each tenant's events have been announced here.
 *
 * An answer of the store is as old as the moment at which it was read: by the
 * time it arrives more may have been announced than it contains, and what it
 * contains may not have been announced yet.
 */
export class Announced {
  readonly #positions = new Map<string, number>();
  readonly #readings = new Map<string, Set<Announcement[]>>();

  /** The position of the last event of a tenant that was announced; 0 before the first. */
  position(tenant_id: string): number {
    return this.#positions.get(tenant_id) ?? 0;
  }

  /** Takes note of an announcement that is about to be told. */
  add(announcement: Announcement): void {
    const { tenant_id, stream_position } = announcement.frame;
    // What is for one person's devices alone has no position, and reaches them whatever they have read.
    if (stream_position === undefined) return;
    this.#positions.set(tenant_id, stream_position);
    for (const kept of this.#readings.get(tenant_id) ?? [])
      if (kept.length <= KEPT_MAX) kept.push(announcement);
  }

  /** To be called before a read begins. */
  meanwhile(tenant_id: string): Meanwhile {
    const kept: Announcement[] = [];
    const readings = this.#readings.get(tenant_id) ?? new Set();
    this.#readings.set(tenant_id, readings.add(kept));
    return {
      above: (position) =>
        kept.length > KEPT_MAX
          ? undefined
          : kept.filter(({ frame }) => (frame.stream_position ?? 0) > position),
      end: () => {
        readings.delete(kept);
        if (readings.size === 0 && this.#readings.get(tenant_id) === readings)
          this.#readings.delete(tenant_id);
      },
    };
  }
}
