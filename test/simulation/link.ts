/** A time in which something was not as it should be; `to` is infinite while it lasts. */
export interface Disturbance {
  readonly from: number;
  to: number;
}

/** Where a process can stop for good: before or after a write has taken effect, or something was said. */
export type Point = `${"before" | "after"} ${"commit" | "write" | "send"}`;

/** The process at one end of a link. */
export interface End {
  readonly name: string;
  /** Answers whether the process stops here. */
  stopsAt(point: Point): boolean;
}

/** How a process reaches the cluster, and what hindered it. */
export class Link {
  readonly end: End;
  readonly disturbances: Disturbance[] = [];
  /** When it joined or renewed its lease. */
  readonly renewals: number[] = [];
  /** When it joined. */
  readonly joins: number[] = [];
  isUp = true;
  isDead = false;
  /** Whether what others say is lost on the way. */
  isDeaf = false;
  /** How often the connection was made. */
  connections = 0;
  joinedBy = -1;
  /** Deliveries that were on their way when this changed never arrive. */
  deliveries = 0;
  /** When the last of what is on its way arrives. */
  arrivesAt = 0;

  constructor(end: End) {
    this.end = end;
  }

  /** Nothing goes through any more, and what is on its way is lost. */
  cut(now: number): void {
    if (!this.isUp) return;
    this.#reconnect();
    this.isUp = false;
    this.disturbances.push({ from: now, to: Number.POSITIVE_INFINITY });
  }

  mend(now: number): void {
    if (this.isUp) return;
    this.isUp = true;
    const last = this.disturbances.at(-1);
    if (last !== undefined) last.to = now;
  }

  /** Something that was asked at `from` was not answered: the connection is made anew. */
  broke(from: number, now: number): void {
    if (!this.isUp) return;
    this.#reconnect();
    this.disturbances.push({ from, to: now });
  }

  /** The facts were lost; nothing that was delivered before is of use. */
  lostFacts(now: number, withConnection: boolean): void {
    this.deliveries += 1;
    if (withConnection) this.#reconnect();
    if (this.isUp) this.disturbances.push({ from: now, to: now });
  }

  #reconnect(): void {
    this.connections += 1;
    this.deliveries += 1;
  }
}
