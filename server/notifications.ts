import { decideNotification, isoOf, type NotificationFacts } from "@porchlight/core";
import type { Clock } from "@porchlight/core/clock";
import type { Hub } from "./hub.ts";
import { errorFields, type Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { Announcement, NotificationRecord, RoomKey, Store } from "./store/store.ts";

/** Messages that may wait; with one more, the oldest is dropped. */
const WAITING_MAX = 1_000;
/** How long is decided in one turn of the event loop. */
const SLICE_MS = 4;
/** How much of a text is looked through for keywords, in UTF-16 code units: time is everybody's. */
const LOOKED_THROUGH_MAX = 4_096;

/** A message that was sent, and when. */
interface Message {
  readonly room: RoomKey;
  readonly event: NotificationFacts["event"];
  readonly sentAt: number;
}

/**
 * Whom a message is worth interrupting: follows what is announced, decides by
 * the rule of core for each member who has a stream open here, and tells their
 * own devices. It does so one message after another, when nothing else is to
 * be done, and leaves the turn to others every few milliseconds. Told at most
 * once: what waits is lost with the process, and dropped beyond
 * {@link WAITING_MAX}.
 */
export class Notifications {
  readonly #clock: Clock;
  readonly #hub: Hub;
  readonly #store: Store;
  readonly #log: Log;
  readonly #metrics: Metrics;
  #waiting: Message[] = [];
  #isDeciding = false;
  #stopped = false;
  #sliceEndsAt = 0;
  /** Messages dropped since the last time nothing waited. */
  #dropped = 0;

  constructor(options: { clock: Clock; hub: Hub; store: Store; log: Log; metrics: Metrics }) {
    this.#clock = options.clock;
    this.#hub = options.hub;
    this.#store = options.store;
    this.#log = options.log;
    this.#metrics = options.metrics;
  }

  /** Takes note of what was announced, and returns at once. To be called after it was told. */
  follow({ frame, to, restored }: Announcement): void {
    if (restored === true) return;
    if (frame.type !== "swp.room.message" || typeof to !== "object" || !("room_id" in to)) return;
    const { tenant_id, id: event_id, sender_id, content } = frame;
    if (this.#stopped || !this.#hub.hasAnyone(tenant_id)) return;
    if (this.#waiting.length >= WAITING_MAX) this.#drop();
    const event = { event_id, sender_id: String(sender_id), ...saidIn(content) };
    const room = { tenant_id, room_id: to.room_id };
    this.#waiting.push({ room, event, sentAt: this.#clock.wall() });
    if (!this.#isDeciding) void this.#decideAll();
  }

  /** Decides nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
  }

  #drop(): void {
    this.#waiting.shift();
    if (this.#dropped === 0) this.#log("warn", "notifications.dropping", { waiting: WAITING_MAX });
    this.#dropped += 1;
    this.#metrics.dropped("notification");
  }

  async #decideAll(): Promise<void> {
    this.#isDeciding = true;
    await turn();
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        await this.#decide(next);
      } catch (error) {
        const { tenant_id, room_id } = next.room;
        this.#log("error", "notifications.failed", { tenant_id, room_id, ...errorFields(error) });
      }
    }
    this.#isDeciding = false;
    if (this.#dropped > 0) this.#log("warn", "notifications.dropped", { messages: this.#dropped });
    this.#dropped = 0;
  }

  async #decide(message: Message): Promise<void> {
    const { room, event } = message;
    for (let after: string | undefined = ""; after !== undefined && !this.#stopped; ) {
      const share = await this.#store.notificationRecords(room, event.event_id, after);
      for (const record of share.records) {
        const key = { tenant_id: room.tenant_id, participant_id: record.participant_id };
        if (!this.#hub.hasStream(key)) continue;
        this.#tell(message, record);
        await this.#yield();
      }
      await this.#yield();
      after = share.next;
    }
  }

  #tell({ room, event, sentAt }: Message, record: NotificationRecord): void {
    const facts = { ...record, event, preferences: record.preferences() };
    const { notify, reason } = decideNotification(facts, sentAt);
    this.#metrics.notification(reason);
    if (!notify) return;
    const { tenant_id, room_id } = room;
    this.#hub.toPerson(
      { tenant_id, participant_id: record.participant_id },
      {
        type: "swp.notification",
        id: `evt-${crypto.randomUUID()}`,
        tenant_id,
        ts: isoOf(this.#clock.wall()),
        event_id: event.event_id,
        room_id,
        reason,
      },
    );
  }

  /** Leaves the turn to others once a slice is used up. */
  async #yield(): Promise<void> {
    if (this.#clock.monotonic() < this.#sliceEndsAt) return;
    await turn();
    this.#sliceEndsAt = this.#clock.monotonic() + SLICE_MS;
  }
}

/** What the content of a message says in words, and whom it names. */
function saidIn(content: unknown): Pick<NotificationFacts["event"], "body" | "mentions"> {
  const { body, mentions } = content as Readonly<Record<string, unknown>>;
  return {
    body: typeof body === "string" ? body.slice(0, LOOKED_THROUGH_MAX) : "",
    mentions: Array.isArray(mentions) ? mentions.filter((id) => typeof id === "string") : [],
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
