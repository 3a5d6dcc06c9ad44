import { DeadlineQueue, type Due } from "@porchlight/core";
import { Alarm, type Clock } from "@porchlight/core/clock";
import type { Connection } from "./hub.ts";

/** Sockets are asked together that are to be asked within so long, each this much later at most. */
const TOGETHER_MS = 250;

interface Pinged extends Due {
  readonly connection: Connection;
  /** Pings since the last sign of life. */
  unanswered: number;
}

/** Asks every socket now and then whether it is there, by one timer. */
export class Pings {
  readonly #pinged = new Map<Connection, Pinged>();
  readonly #deadlines = new DeadlineQueue<Pinged>();
  readonly #alarm: Alarm;
  readonly #clock: Clock;
  readonly #pingMs: number;
  readonly #close: (connection: Connection, why: "token_expired" | "ping_timeout") => void;

  /** @param close is told of sockets that answer no more, and of those whose token has run out. */
  constructor(options: {
    clock: Clock;
    pingMs: number;
    close: (connection: Connection, why: "token_expired" | "ping_timeout") => void;
  }) {
    const { clock } = options;
    this.#clock = clock;
    this.#pingMs = options.pingMs;
    this.#close = options.close;
    this.#alarm = new Alarm(
      clock,
      () => clock.elapsed(),
      () => this.#ring(),
    );
  }

  add(connection: Connection): void {
    const pinged: Pinged = { connection, unanswered: 0, dueAt: 0, queuedAt: -1 };
    this.#pinged.set(connection, pinged);
    this.#schedule(pinged);
  }

  remove(connection: Connection): void {
    const pinged = this.#pinged.get(connection);
    if (pinged === undefined) return;
    this.#deadlines.delete(pinged);
    this.#pinged.delete(connection);
  }

  /** Something came from a socket: no ping is missing any more. */
  heard(connection: Connection): void {
    const pinged = this.#pinged.get(connection);
    if (pinged !== undefined) pinged.unanswered = 0;
  }

  /** Stops pinging. */
  stop(): void {
    this.#alarm.stop();
  }

  #ring(): void {
    const now = this.#clock.elapsed();
    for (let due = this.#deadlines.take(now); due !== undefined; due = this.#deadlines.take(now)) {
      const { expires_at = Number.POSITIVE_INFINITY, socket } = due.connection;
      if (expires_at <= now) this.#close(due.connection, "token_expired");
      else if (due.unanswered >= 2) this.#close(due.connection, "ping_timeout");
      else {
        due.unanswered += 1;
        socket.ping();
        this.#schedule(due);
      }
    }
    this.#alarm.by(this.#deadlines.nextAt());
  }

  #schedule(pinged: Pinged): void {
    const dueAt = this.#clock.elapsed() + this.#pingMs;
    const pingAt = Math.ceil(dueAt / TOGETHER_MS) * TOGETHER_MS;
    this.#deadlines.set(pinged, Math.min(pingAt, pinged.connection.expires_at ?? pingAt));
    this.#alarm.by(this.#deadlines.nextAt());
  }
}
