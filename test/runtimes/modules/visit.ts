import { Client, type ClientEvent, type OutboxRecord } from "@porchlight/core/client";
import { until } from "../../support/until.ts";

/** Where the visit takes place: Ann and Bob have joined the room. */
export interface Visit {
  readonly url: string;
  readonly room: string;
  readonly ann: string;
  readonly bob: string;
}

/** A client that remembers what it heard, and can be waited for. */
class Visitor extends Client {
  readonly deliveries: string[] = [];
  kept: OutboxRecord | undefined;

  constructor(url: string, token: string, device_id: string) {
    super({
      url,
      token,
      device_id,
      storage: {
        load: async () => this.kept,
        save: async (record) => {
          this.kept = record;
        },
      },
    });
    this.subscribe((event: ClientEvent) => {
      if (event.type === "delivered") this.deliveries.push(event.delivery.kind);
    });
  }

  until(holds: () => boolean): Promise<void> {
    return until(this, holds);
  }

  sees(id: string, state: string): Promise<void> {
    return this.until(() => {
      const known = this.presence(id);
      return known.status === "current" && known.state === state;
    });
  }
}

/** Ann and Bob meet: everything that a client is for, with the runtime's own requests, sockets and timers. */
export async function run({ url, room, ann, bob }: Visit): Promise<unknown> {
  const a = new Visitor(url, ann, "laptop");
  const b = new Visitor(url, bob, "phone");
  const stranger = new Visitor(url, "nonsense", "tablet");
  try {
    a.follow(room);
    a.open();
    await a.until(() => a.room(room).status === "current");
    await a.sees("bob", "offline");
    b.open();
    await Promise.all([a.sees("bob", "online"), b.until(() => b.connection.status === "open")]);
    const field = b.typingField(room);
    field.input();
    await a.until(() => a.typists(room).includes("bob"));
    field.stop();
    await a.until(() => a.typists(room).length === 0);
    await b.choose({ state: "busy" });
    await a.sees("bob", "busy");
    await b.edit({ locale: "nl" });
    await b.until(() => b.outbox.edits.length === 0);
    b.suspend();
    await b.choose({ state: "appear_offline" });
    await b.edit({ time_format: "12h" });
    b.resume();
    await b.sees("bob", "appear_offline");
    await b.until(() => b.outbox.edits.length === 0);
    await a.sees("bob", "offline");
    const { locale, time_format } = await b.rest.preferences();
    const refusal = await b.rest
      .roomState("nowhere")
      .catch((error: { code: string }) => error.code);
    stranger.open();
    await stranger.until(() => stranger.connection.status === "closed");
    return {
      preferences: { locale, time_format },
      deliveries: b.deliveries,
      refusal,
      stranger: stranger.connection,
      members: (await a.rest.roomState(room)).room.member_count,
    };
  } finally {
    for (const client of [a, b, stranger]) client.close();
  }
}
