import { composePreferences, type ManualState, type PreferencesPatch } from "@porchlight/core";
import {
  type Delivery,
  Outbox,
  type OutboxRecord,
  type OutboxStorage,
  type QueuedChoice,
  type Rest,
} from "@porchlight/core/client";
import type { Clock } from "@porchlight/core/clock";
import type { Cache } from "../../bridge.ts";

/** Where all windows of one person hear each other: a `BroadcastChannel`. */
export interface Channel {
  postMessage(message: unknown): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  close(): void;
}

type Message =
  /** What waits in a window; also the answer to `who`. */
  | { readonly type: "waits"; readonly instance: string; readonly record: OutboxRecord }
  | { readonly type: "who" };

/** A window that is there answers within this time. */
const ANSWER_WITHIN_MS = 500;
const PREFIX = "outbox:";
const EMPTY: OutboxRecord = { last_seq: 0, edits: [], choice: null };

/**
 * What the user has set in any window and the server does not know yet. Each
 * window has an outbox of its own, keeps it under its own name, and tells the
 * others; what a window has left behind that is no more, the others deliver.
 * Two that deliver the same do no harm: the server skips what it has.
 */
export class Outboxes {
  readonly #cache: Cache;
  readonly #instance: string;
  readonly #channel: Channel;
  readonly #onChange: () => void;
  readonly #others = new Map<string, OutboxRecord>();
  /** Windows that were heard of: they deliver by themselves. */
  readonly #alive = new Set<string>();
  #own: OutboxRecord = EMPTY;

  constructor(options: {
    readonly cache: Cache;
    readonly instance: string;
    readonly channel: Channel;
    readonly onChange: () => void;
  }) {
    this.#cache = options.cache;
    this.#instance = options.instance;
    this.#channel = options.channel;
    this.#onChange = options.onChange;
    this.#channel.addEventListener("message", ({ data }) => this.#hear(data as Message));
  }

  /** Where this window's own is kept. */
  get storage(): OutboxStorage {
    const key = PREFIX + this.#instance;
    return {
      load: async () => (await this.#cache.get(key)) as OutboxRecord | undefined,
      save: (record) => this.#cache.put(key, isEmpty(record) ? undefined : record),
    };
  }

  /** How many changes wait, in all windows. */
  get size(): number {
    return this.#all().reduce(
      (sum, { edits, choice }) => sum + edits.length + Number(choice !== null),
      0,
    );
  }

  /** What waits for the preferences, in all windows: the later edit wins. */
  get patch(): PreferencesPatch {
    return this.#all()
      .flatMap(({ edits }) => edits)
      .sort((a, b) => a.edited_at - b.edited_at)
      .reduce<PreferencesPatch>((patch, edit) => composePreferences(patch, edit.patch), {});
  }

  /** The latest choice that waits; `auto` for the return to automatic. */
  get choice(): ManualState | "auto" | undefined {
    const latest = latestChoice(this.#all())?.choice;
    if (latest === undefined) return undefined;
    return "state" in latest ? latest.state : "auto";
  }

  /**
   * Takes up what other windows have left, and asks those that are there. The latest choice becomes this window's, which
   * delivers it before it connects: whoever has hidden in a window that is no more is not shown for a blink.
   */
  async load(): Promise<void> {
    for (const key of await this.#cache.keys(PREFIX)) {
      const instance = key.slice(PREFIX.length);
      const record = (await this.#cache.get(key)) as OutboxRecord | undefined;
      if (instance !== this.#instance && record !== undefined && !this.#alive.has(instance))
        this.#others.set(instance, record);
    }
    await this.#takeChoice();
    this.#tell({ type: "who" });
    this.#onChange();
  }

  /** This window's own is another now: the other windows are told. */
  own(record: OutboxRecord): void {
    if (record === this.#own) return;
    this.#own = record;
    this.#tell({ type: "waits", instance: this.#instance, record });
  }

  /** Delivers what windows have left that do not answer any more. Rejects when the server cannot be reached; it still waits then. */
  async deliverLeft(
    rest: Rest,
    {
      onDelivery,
      ...device
    }: {
      readonly device_id: string;
      readonly clock: Clock;
      /** What became of something, and of which edits it was one. */
      readonly onDelivery: (delivery: Delivery, edits: OutboxRecord["edits"]) => void;
    },
  ): Promise<void> {
    this.#alive.clear();
    this.#tell({ type: "who" });
    await new Promise<void>((resolve) => device.clock.timer(ANSWER_WITHIN_MS, resolve));
    for (const [instance, record] of this.#others) {
      if (this.#alive.has(instance) || isEmpty(record)) continue;
      const outbox = new Outbox({
        ...device,
        instance,
        storage: { load: async () => record, save: async () => {} },
        onQueued: () => {},
        onDelivery: (delivery) => onDelivery(delivery, record.edits),
      });
      await outbox.deliver(rest);
      await this.#cache.put(PREFIX + instance, undefined);
      this.#others.delete(instance);
      this.#onChange();
    }
  }

  close(): void {
    this.#channel.close();
  }

  async #takeChoice(): Promise<void> {
    const own = (await this.storage.load()) ?? EMPTY;
    const latest = latestChoice([own, ...this.#others.values()]);
    if (latest === undefined) return;
    await this.storage.save({ ...own, choice: latest });
    for (const [instance, record] of this.#others) {
      const left = { ...record, choice: null };
      this.#others.set(instance, left);
      await this.#cache.put(PREFIX + instance, isEmpty(left) ? undefined : left);
    }
    this.#own = { ...own, choice: latest };
  }

  #all(): OutboxRecord[] {
    return [this.#own, ...this.#others.values()];
  }

  #hear(message: Message): void {
    if (message.type === "who") {
      this.#tell({ type: "waits", instance: this.#instance, record: this.#own });
      return;
    }
    this.#alive.add(message.instance);
    if (isEmpty(message.record)) this.#others.delete(message.instance);
    else this.#others.set(message.instance, message.record);
    this.#onChange();
  }

  #tell(message: Message): void {
    this.#channel.postMessage(message);
  }
}

function latestChoice(records: readonly OutboxRecord[]): QueuedChoice | undefined {
  const choices = records.flatMap(({ choice }) => choice ?? []);
  return choices.sort((a, b) => a.edited_at - b.edited_at).at(-1);
}

function isEmpty({ edits, choice }: OutboxRecord): boolean {
  return edits.length === 0 && choice === null;
}
