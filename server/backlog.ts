import { Alarm, type Clock } from "@porchlight/core/clock";
import type { Connection } from "./hub.ts";

/** How long after something was sent it is looked at who does not read. */
const SWEEP_MS = 50;
/** Above this share of what may wait for a socket, presence and typing are kept from it. */
const CONGESTED_SHARE = 1 / 8;
/** Down to this share there is room again. */
const ROOM_SHARE = 1 / 16;

/**
 * What waits for sockets whose peers do not read as fast as they are told.
 *
 * Where much waits, a socket is congested: what is only true for now is kept
 * from it, and what is true is told when there is room again. Where more waits
 * than may, it is closed. What is durable always waits, and is never dropped.
 */
export class Backlog {
  /** By tenant, the congested sockets, and whether presence was kept from them. */
  readonly #congested = new Map<string, Map<Connection, { hasMissed: boolean }>>();
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #sockets: () => Iterable<Connection>;
  readonly #close: (connection: Connection) => void;
  readonly #sweep: Alarm;
  #isStopped = false;

  /** @param close is told of sockets for which more than `maxBytes` wait. */
  constructor(options: {
    clock: Clock;
    maxBytes: number;
    sockets: () => Iterable<Connection>;
    close: (connection: Connection) => void;
  }) {
    const { clock } = options;
    this.#clock = clock;
    this.#maxBytes = options.maxBytes;
    this.#sockets = options.sockets;
    this.#close = options.close;
    this.#sweep = new Alarm(
      clock,
      () => clock.monotonic(),
      () => this.#look(),
    );
  }

  /** Something was sent: before long it is looked at what of it waits. */
  sent(): void {
    if (!this.#isStopped) this.#sweep.by(this.#clock.monotonic() + SWEEP_MS);
  }

  /** Whether so little waits for a socket that more can be sent. */
  hasRoom({ socket }: Connection): boolean {
    return socket.getBufferedAmount() <= this.#maxBytes * ROOM_SHARE;
  }

  /** The congested sockets of a tenant. */
  congested(tenant_id: string): Iterable<Connection> {
    return this.#congested.get(tenant_id)?.keys() ?? [];
  }

  /** Takes note that presence is kept from a socket, if it is congested; says whether it is. */
  misses(connection: Connection): boolean {
    const congestion = this.#congested.get(connection.tenant_id)?.get(connection);
    if (congestion !== undefined) congestion.hasMissed = true;
    return congestion !== undefined;
  }

  /** A peer has read on: says whether there is room again for what was kept from it. */
  drained(connection: Connection): boolean {
    const congestion = this.#congested.get(connection.tenant_id)?.get(connection);
    if (congestion === undefined || !this.hasRoom(connection)) return false;
    this.forget(connection);
    return congestion.hasMissed;
  }

  /** A socket is gone, or congested no more. */
  forget(connection: Connection): void {
    const { tenant_id } = connection;
    const congested = this.#congested.get(tenant_id);
    congested?.delete(connection);
    if (congested?.size === 0) this.#congested.delete(tenant_id);
  }

  /** Nobody is looked at any more, whatever is still sent. */
  stop(): void {
    this.#isStopped = true;
    this.#sweep.stop();
  }

  #look(): void {
    let isWaiting = false;
    for (const connection of this.#sockets()) {
      const bytes = connection.socket.getBufferedAmount();
      isWaiting ||= bytes > 0;
      if (bytes > this.#maxBytes) this.#close(connection);
      else if (bytes > this.#maxBytes * CONGESTED_SHARE) this.#congest(connection);
    }
    if (isWaiting) this.sent();
  }

  #congest(connection: Connection): void {
    const { tenant_id } = connection;
    const congested = this.#congested.get(tenant_id) ?? new Map();
    this.#congested.set(tenant_id, congested);
    if (!congested.has(connection)) congested.set(connection, { hasMissed: false });
  }
}
