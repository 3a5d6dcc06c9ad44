import type { Clock } from "@porchlight/core/clock";
import { errorFields, type Log } from "./log.ts";
import type { Announcement, Feed, Store } from "./store/store.ts";

/** How often the store is asked whether something happened of which nobody told. */
const ASK_MS = 1_000;
/** How many events are read at once. */
const READ_MAX = 200;

/** How far a tenant's events have been told here, and what is ahead of that. */
interface Tenant {
  position: number;
  readonly ahead: Map<number, Announcement>;
  reading: Promise<void> | undefined;
}

/**
 * Durable events of all nodes, told on this one: each once, in the order of
 * positions. Nodes announce theirs to each other; what comes out of order, or
 * not at all, is read from the store, which is asked every second.
 */
export class Delivery {
  readonly #clock: Clock;
  readonly #store: Pick<Store, "positions" | "eventsAfter">;
  readonly #log: Log;
  readonly #tell: (announcement: Announcement) => void;
  readonly #tenants = new Map<string, Tenant>();
  #callOff = (): void => undefined;
  #isStopped = false;
  #isAway = false;

  constructor(options: {
    clock: Clock;
    store: Pick<Store, "positions" | "eventsAfter">;
    log: Log;
    tell: (announcement: Announcement) => void;
  }) {
    this.#clock = options.clock;
    this.#store = options.store;
    this.#log = options.log;
    this.#tell = options.tell;
  }

  /** Takes what has happened so far for told. */
  async start(): Promise<void> {
    for (const [tenant_id, position] of await this.#store.positions())
      this.#tenant(tenant_id).position = position;
    this.#schedule();
  }

  /** Something durable happened, on this node or another. */
  announced(announcement: Announcement): void {
    const { tenant_id, stream_position = 0 } = announcement.frame;
    const tenant = this.#tenant(tenant_id);
    if (stream_position <= tenant.position) return;
    tenant.ahead.set(stream_position, announcement);
    this.#tellAhead(tenant);
    if (tenant.position < stream_position) this.#catchUp(tenant_id, stream_position);
  }

  /** Asks the store now, as after something may have been missed. */
  async ask(): Promise<void> {
    try {
      for (const [tenant_id, position] of await this.#store.positions())
        if (position > this.#tenant(tenant_id).position) this.#catchUp(tenant_id, position);
      this.#isAway = false;
    } catch (error) {
      if (!this.#isAway) this.#log("error", "delivery.failed", errorFields(error));
      this.#isAway = true;
    }
  }

  /** Up to which position a tenant's events have been told here. */
  position(tenant_id: string): number {
    return this.#tenant(tenant_id).position;
  }

  /** Resolves when everything is told that was announced before the call, or cannot be read. */
  async settled(): Promise<void> {
    await Promise.all([...this.#tenants.values()].map(({ reading }) => reading));
  }

  /** Tells nothing more. */
  stop(): void {
    this.#isStopped = true;
    this.#callOff();
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#callOff = this.#clock.timer(ASK_MS, () => {
      this.#schedule();
      void this.ask();
    });
  }

  #tenant(tenant_id: string): Tenant {
    const known = this.#tenants.get(tenant_id);
    if (known !== undefined) return known;
    const tenant: Tenant = { position: 0, ahead: new Map(), reading: undefined };
    this.#tenants.set(tenant_id, tenant);
    return tenant;
  }

  /** Tells what comes next, for as long as it is there. */
  #tellAhead(tenant: Tenant): void {
    for (
      let next = tenant.ahead.get(tenant.position + 1);
      next !== undefined;
      next = tenant.ahead.get(tenant.position + 1)
    ) {
      tenant.position += 1;
      tenant.ahead.delete(tenant.position);
      this.#tell(next);
    }
  }

  #catchUp(tenant_id: string, position: number): void {
    const tenant = this.#tenant(tenant_id);
    tenant.reading ??= this.#read(tenant_id, tenant, position)
      .catch((error: unknown) => this.#log("error", "delivery.failed", errorFields(error)))
      .finally(() => {
        tenant.reading = undefined;
      });
  }

  /** Reads on until a position is told. */
  async #read(tenant_id: string, tenant: Tenant, until: number): Promise<void> {
    for (let read = READ_MAX; read > 0 && tenant.position < until && !this.#isStopped; ) {
      const page = await this.#store.eventsAfter(tenant_id, tenant.position, READ_MAX);
      this.#tellPage(tenant, page);
      // Where nothing comes it is not to be seen yet: the next question finds it.
      read = page.announcements.length;
    }
  }

  /** Some positions have nothing to tell any more. */
  #tellPage(tenant: Tenant, { announcements, position }: Feed): void {
    for (const each of announcements) {
      const at = each.frame.stream_position ?? 0;
      if (at <= tenant.position) continue;
      tenant.position = at;
      this.#tell(tenant.ahead.get(at) ?? each);
    }
    tenant.position = Math.max(tenant.position, position);
    for (const at of tenant.ahead.keys()) if (at <= tenant.position) tenant.ahead.delete(at);
    this.#tellAhead(tenant);
  }
}
