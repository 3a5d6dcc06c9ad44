import { CodedError } from "../errors.ts";
import { isoOf } from "../instant.ts";
import {
  composePreferences,
  type PreferencesPatch,
  patchOf,
  preferenceLeaves,
} from "../preferences.ts";
import type { Clock } from "./clock.ts";
import type { Choice, ChoiceAnswer, EditsAnswer, Rest } from "./rest.ts";

/** What waits to be sent: plain data, as it is kept across restarts. */
export interface OutboxRecord {
  /** The place of the last edit in the device's own order. */
  readonly last_seq: number;
  /** In the order of `seq`; no leaf of the document is in two of them. */
  readonly edits: readonly QueuedEdit[];
  readonly choice: QueuedChoice | null;
}

/** A change of the preferences, and when it was made, in Unix milliseconds by the clock of the device. */
export interface QueuedEdit {
  readonly seq: number;
  readonly edited_at: number;
  readonly patch: PreferencesPatch;
}

/** The latest choice of a presence state, and when it was made. */
export interface QueuedChoice {
  readonly choice: Choice;
  readonly edited_at: number;
}

/**
 * Where an outbox is kept across restarts. It is one person's, and one outbox
 * at a time uses it: two tabs need two, or a lock that lets one of them in.
 */
export interface OutboxStorage {
  /** What was saved last; `undefined` when nothing was. */
  load(): Promise<OutboxRecord | undefined>;
  /** MUST replace what was saved before, whole or not at all. Called one at a time. */
  save(record: OutboxRecord): Promise<void>;
}

/** What became of something that was in the outbox. */
export type Delivery =
  | { readonly kind: "choice"; readonly answer: ChoiceAnswer }
  | { readonly kind: "edit"; readonly answer: EditsAnswer }
  /** Refused in a way that sending it again would not change; it is no longer in the outbox. */
  | { readonly kind: "refused"; readonly what: "choice" | "edit"; readonly error: CodedError };

/** How long a name may be. */
const MAX_ID = 128;
/** Of a refusal of what was sent, which stays the same however often it is sent. */
const FINAL_STATUSES: readonly number[] = [400, 413];

/**
 * What the user has set and the server does not know yet: changes of the
 * preferences, each with its time, and the latest choice of a presence state.
 *
 * What is put in is saved before the promise resolves. Delivery may be tried at
 * any time and repeated: the server skips what it has. Edits of different times
 * are never joined; a leaf that is set again is dropped from the earlier edit.
 */
export class Outbox {
  readonly #deviceId: string;
  readonly #author: string;
  readonly #clock: Clock;
  readonly #storage: OutboxStorage | undefined;
  readonly #onQueued: (what: "choice" | "edit") => void;
  readonly #onDelivery: (delivery: Delivery) => void;
  #record: OutboxRecord = { last_seq: 0, edits: [], choice: null };
  #loaded: Promise<void> | undefined;
  #saved: Promise<void> = Promise.resolve();
  #delivered: Promise<void> = Promise.resolve();

  constructor(options: {
    readonly device_id: string;
    /** The tab or window: the server keeps the edits of each in an order of its own. */
    readonly instance: string;
    readonly clock: Clock;
    /** Without one, what was not delivered is lost with the process. */
    readonly storage: OutboxStorage | undefined;
    /** Called when something has been put in, before it is saved. */
    readonly onQueued: (what: "choice" | "edit") => void;
    readonly onDelivery: (delivery: Delivery) => void;
  }) {
    this.#deviceId = options.device_id;
    this.#author = `${options.device_id}.${options.instance}`.slice(-MAX_ID);
    this.#clock = options.clock;
    this.#storage = options.storage;
    this.#onQueued = options.onQueued;
    this.#onDelivery = options.onDelivery;
  }

  /** What waits. */
  get record(): OutboxRecord {
    return this.#record;
  }

  /** Whether anything waits. */
  get isEmpty(): boolean {
    return this.#record.choice === null && this.#record.edits.length === 0;
  }

  /** Everything that waits for the preferences, as one patch. */
  get patch(): PreferencesPatch {
    return this.#record.edits.reduce<PreferencesPatch>(
      (patch, edit) => composePreferences(patch, edit.patch),
      {},
    );
  }

  /** Takes up what was saved. Called by everything else that needs it. */
  load(): Promise<void> {
    this.#loaded ??= this.#load().catch((error: unknown) => {
      this.#loaded = undefined;
      throw error;
    });
    return this.#loaded;
  }

  /** Puts in a change of the preferences. */
  async edit(patch: PreferencesPatch): Promise<void> {
    const edited_at = this.#clock.elapsed();
    await this.load();
    const paths = new Set(preferenceLeaves(patch).map(([path]) => path));
    if (paths.size === 0) return;
    const { last_seq, edits } = this.#record;
    // Larger than any of this name before, also where nothing was kept of it.
    const seq = Math.max(last_seq + 1, Math.floor(edited_at));
    const earlier = edits.flatMap((edit) => without(edit, paths));
    const saved = this.#keep({ last_seq: seq, edits: [...earlier, { seq, edited_at, patch }] });
    this.#onQueued("edit");
    await saved;
  }

  /** Puts in a choice of a presence state, in the place of an earlier one. */
  async choose(choice: Choice): Promise<void> {
    const edited_at = this.#clock.elapsed();
    await this.load();
    const saved = this.#keep({ choice: { choice, edited_at } });
    this.#onQueued("choice");
    await saved;
  }

  /** Sends the choice, if one waits. Rejects when it could not be delivered, and then still waits. */
  deliverChoice(rest: Rest): Promise<void> {
    return this.#inTurn(() => this.#sendChoice(rest));
  }

  /** Sends everything that waits, the choice first. Rejects when something could not be delivered, and then still waits. */
  deliver(rest: Rest): Promise<void> {
    return this.#inTurn(async () => {
      await this.#sendChoice(rest);
      for (const edit of this.#record.edits) await this.#sendEdit(rest, edit);
    });
  }

  async #sendChoice(rest: Rest): Promise<void> {
    const { choice: queued } = this.#record;
    if (queued === null) return;
    const body = { ...queued.choice, device_id: this.#deviceId };
    const answer = await this.#send("choice", () =>
      rest.choosePresence(body, { edited_at: isoOf(queued.edited_at), sent_at: this.#now() }),
    );
    // Somebody may have chosen again meanwhile.
    const saved = this.#record.choice === queued ? this.#keep({ choice: null }) : undefined;
    if (answer !== undefined) this.#onDelivery({ kind: "choice", answer });
    await saved;
  }

  /** By itself, so that none suffers for another that is refused. */
  async #sendEdit(rest: Rest, edit: QueuedEdit): Promise<void> {
    const answer = await this.#send("edit", () =>
      rest.editPreferences({
        device_id: this.#author,
        sent_at: this.#now(),
        edits: [{ ...edit, edited_at: isoOf(edit.edited_at) }],
      }),
    );
    const saved = this.#keep({ edits: this.#record.edits.filter(({ seq }) => seq > edit.seq) });
    if (answer !== undefined) this.#onDelivery({ kind: "edit", answer });
    await saved;
  }

  /** The answer, or `undefined` after a refusal that will not change. */
  async #send<T>(what: "choice" | "edit", request: () => Promise<T>): Promise<T | undefined> {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof CodedError) || !FINAL_STATUSES.includes(error.status)) throw error;
      this.#onDelivery({ kind: "refused", what, error });
      return undefined;
    }
  }

  /** By a clock that is not set back: what counts is how long ago an edit was made. */
  #now(): string {
    return isoOf(this.#clock.elapsed());
  }

  /** One delivery at a time: of two at once, the second would send what the first has sent. */
  #inTurn(send: () => Promise<void>): Promise<void> {
    const turn = this.#delivered.then(() => this.load()).then(send);
    this.#delivered = turn.catch(() => undefined);
    return turn;
  }

  /** Changes the record at once, and saves it after what is being saved. */
  #keep(change: Partial<OutboxRecord>): Promise<void> {
    const record = { ...this.#record, ...change };
    this.#record = record;
    const saved = this.#saved.then(() => this.#storage?.save(record));
    this.#saved = saved.catch(() => undefined);
    return saved;
  }

  async #load(): Promise<void> {
    this.#record = (await this.#storage?.load()) ?? this.#record;
  }
}

/** An edit without some of its leaves; nothing when none is left. */
function without(edit: QueuedEdit, paths: ReadonlySet<string>): QueuedEdit[] {
  const leaves = preferenceLeaves(edit.patch).filter(([path]) => !paths.has(path));
  return leaves.length === 0 ? [] : [{ ...edit, patch: patchOf(leaves) }];
}
