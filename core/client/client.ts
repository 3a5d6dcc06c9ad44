import { CodedError } from "../errors.ts";
import type { ServerFrame } from "../frames.ts";
import {
  DEFAULT_PREFERENCES,
  mergePreferences,
  type Preferences,
  type PreferencesPatch,
} from "../preferences.ts";
import type { PresenceState } from "../presence.ts";
import { DEFAULT_TIMINGS, type Timings } from "../timings.ts";
import { ActivityTracker } from "./activity.ts";
import { Alarm } from "./clock.ts";
import { Connection, type ConnectionState } from "./connection.ts";
import { type Delivery, Outbox, type OutboxRecord, type OutboxStorage } from "./outbox.ts";
import { type Asked, type Known, type KnownRoom, Replica } from "./replica.ts";
import { type Choice, Rest, type TokenSource } from "./rest.ts";
import { type Runtime, webRuntime } from "./runtime.ts";
import { TypingField } from "./typing-field.ts";

/** After a request that failed in passing, it is tried again in this time, in milliseconds, unless the server names another. */
const RETRY_AFTER_MS = 5_000;
/** Of refusals that the same request meets again. */
const FINAL_STATUSES: readonly number[] = [400, 403, 404];

/** Who is to be a {@link Client}, and of which server. */
export interface ClientOptions {
  /** Where the server is, such as `https://chat.example`: without `/v1`. */
  readonly url: string;
  readonly token: TokenSource;
  /** The installation: the same name each time it starts. */
  readonly device_id: string;
  /** The tab or window. Default: a new random name. */
  readonly instance?: string;
  /**
   * Where edits wait while they cannot be sent. Without it they are lost with
   * the process. One person's, and used by one client at a time.
   */
  readonly storage?: OutboxStorage;
  /** Parts of the runtime to be replaced. */
  readonly runtime?: Partial<Runtime>;
}

/** Something to look at. */
export type ClientEvent =
  | { readonly type: "connection"; readonly state: ConnectionState }
  /** The server said something, and everything here has taken it up. */
  | { readonly type: "frame"; readonly frame: ServerFrame }
  /** Something here is not what it was, though the stream said nothing: an answer came, a signal ran out, the user has set something. */
  | { readonly type: "changed" }
  /** What became of an edit or choice. */
  | { readonly type: "delivered"; readonly delivery: Delivery };

/**
 * What an app needs to live with the server: the stream kept open, others'
 * presence and typing and the rooms it follows kept up to date and marked stale
 * while they are not, and the user's own edits kept until they are delivered.
 *
 * Every read is synchronous, and answers also while there is no connection.
 */
export class Client {
  /** Single requests. */
  readonly rest: Rest;
  readonly #runtime: Runtime;
  readonly #connection: Connection;
  readonly #replica = new Replica();
  readonly #outbox: Outbox;
  readonly #activity: ActivityTracker;
  readonly #listeners = new Set<(event: ClientEvent) => void>();
  readonly #typingDrop: Alarm;
  readonly #retry: Alarm;
  #timings: Timings = DEFAULT_TIMINGS;
  #preferences: Preferences | undefined;
  #wantsPreferences = false;
  /** Counts what was heard of the preferences: it beats an answer that was asked for before. */
  #preferencesHeard = 0;
  #isDelivering = false;
  /** After a failure nothing is asked for before this, by `elapsed`. */
  #quietUntil = 0;
  /** When the server was last heard, in Unix milliseconds. */
  #heardAt = 0;

  constructor(options: ClientOptions) {
    const { url, token, device_id, storage } = options;
    const runtime = webRuntime(options.runtime);
    const { clock, random } = runtime;
    const { instance = `tab-${random().toString(36).slice(2)}` } = options;
    this.#runtime = runtime;
    this.rest = new Rest({ url, token, runtime });
    this.#outbox = new Outbox({
      device_id,
      instance,
      clock,
      storage,
      onQueued: (what) => this.#queued(what),
      onDelivery: (delivery) => this.#delivered(delivery),
    });
    this.#activity = new ActivityTracker({ clock, onChange: () => this.#connection.report() });
    this.#connection = new Connection({
      url,
      token,
      device_id,
      instance,
      runtime,
      activity: () => this.#activity.statement,
      since: () => this.#replica.position,
      prepare: () => this.#outbox.deliverChoice(this.rest),
      onState: (state) => this.#entered(state),
      onFrame: (frame) => this.#heard(frame),
    });
    this.#typingDrop = new Alarm(
      clock,
      () => clock.monotonic(),
      () => this.#dropTyping(),
    );
    this.#retry = new Alarm(
      clock,
      () => clock.elapsed(),
      () => this.#ring(),
    );
  }

  /** Where the stream stands. */
  get connection(): ConnectionState {
    return this.#connection.state;
  }

  /** Whom the token stands for; empty before the first connection. */
  get participant_id(): string {
    return this.#replica.participant_id;
  }

  /** What the user has set and the server does not know yet. */
  get outbox(): OutboxRecord {
    return this.#outbox.record;
  }

  /** Hears of everything that happens, until the answer is called. What a listener throws is reported, and stops nothing. */
  subscribe(listener: (event: ClientEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Connects, whatever was before, also after the server has closed for good. What waits in the storage is taken up first, and shows also where there is no connection to be had. */
  open(): void {
    this.#connection.open();
    // Where that fails, so does the connection, and tries again.
    this.#outbox.load().then(
      () => this.#changed(),
      () => {},
    );
  }

  /** Before the machine sleeps: signs off, and stays away until {@link resume}. */
  suspend(): void {
    this.#connection.suspend();
  }

  /** After sleep, or when the network is back: connects with a new socket at once, unless closed for good. */
  resume(): void {
    this.#connection.resume();
  }

  /** Signs off and stops every timer; {@link active} starts one again. Safe to call twice. */
  close(): void {
    this.#connection.close();
    this.#activity.close();
    this.#typingDrop.stop();
    this.#retry.stop();
  }

  /** The user did something, now or `idleForMs` ago. To be called for every input: it costs nothing. */
  active(idleForMs?: number): void {
    this.#activity.active(idleForMs);
  }

  /** The user is known to be away, as when the screen was locked, until they are {@link active}. */
  away(): void {
    this.#activity.away();
  }

  /** Somebody's state; one's own is the effective one, or what was chosen and waits to be delivered. */
  presence(participantId: string): Known<PresenceState> {
    const known = this.#replica.presence(participantId);
    const chosen = participantId === this.participant_id ? this.#chosen() : undefined;
    return chosen === undefined || known.status === "unknown" ? known : { ...known, state: chosen };
  }

  /** Who types in a room, whether it is followed or not. */
  typists(roomId: string): string[] {
    return this.#replica.typists(roomId);
  }

  /** What is known of a room that is followed; the same object as before when nothing changed. */
  room(roomId: string): KnownRoom {
    return this.#replica.room(roomId);
  }

  /** Keeps a room up to date, until the answer is called; a room is forgotten with its last follower. */
  follow(roomId: string): () => void {
    let isFollowing = true;
    this.#replica.follow(roomId);
    this.#catchUp();
    return () => {
      if (isFollowing) this.#replica.unfollow(roomId);
      isFollowing = false;
    };
  }

  /** The preferences as the user has set them, what waits in the outbox included; the defaults before anything was heard of them. */
  get preferences(): Preferences {
    return mergePreferences(this.#preferences ?? DEFAULT_PREFERENCES, this.#outbox.patch);
  }

  /** Changes the preferences: here at once, at the server as soon as it can be reached. Resolves when it is safely kept. */
  edit(patch: PreferencesPatch): Promise<void> {
    return this.#outbox.edit(patch);
  }

  /** Chooses a presence state. While there is no connection, it is delivered before there is one. Resolves when it is safely kept. */
  choose(choice: Choice): Promise<void> {
    return this.#outbox.choose(choice);
  }

  /** For one text field: tells the others in a room that the user types in it, unless they have chosen to hide. */
  typingField(roomId: string): TypingField {
    return new TypingField({
      clock: this.#runtime.clock,
      publish: (typing) =>
        !(typing && this.#chosen() === "appear_offline") &&
        this.#connection.send({ type: "typing", room_id: roomId, typing }),
      refreshAfterMs: () => this.#timings.typing_refresh_ms,
    });
  }

  #entered(state: ConnectionState): void {
    if (state.status !== "open") this.#replica.lose(this.#heardAt);
    this.#emit({ type: "connection", state });
  }

  #heard(frame: ServerFrame): void {
    const { clock } = this.#runtime;
    this.#heardAt = clock.wall();
    this.#replica.hear(frame, clock.monotonic());
    this.#typingDrop.by(this.#replica.nextAt());
    if (frame.type === "hello") this.#obey(frame.timings);
    if (frame.type === "hello" || frame.type === "resync") {
      this.#wantsPreferences = true;
      this.#connection.send({ type: "subscribe", presence: "all", snapshot: true });
    } else if (frame.type === "swp.me.preferences") {
      this.#preferences = frame.preferences as Preferences;
      this.#preferencesHeard += 1;
    }
    this.#catchUp();
    this.#emit({ type: "frame", frame });
  }

  #obey(timings: Timings): void {
    this.#timings = timings;
    this.#activity.idleAfter(timings.idle_after_ms);
    this.#quietUntil = 0;
  }

  /** Asks for what is not known and sends what waits, while there is a connection and nothing has just failed. */
  #catchUp(): void {
    if (this.connection.status !== "open" || this.#now() < this.#quietUntil) return;
    for (const asked of this.#replica.wanted()) this.#askRoom(asked);
    if (!this.#outbox.isEmpty && !this.#isDelivering) this.#deliver();
    else if (this.#wantsPreferences) this.#askPreferences();
  }

  async #askRoom(asked: Asked): Promise<void> {
    try {
      const snapshot = await this.rest.roomState(asked.room_id);
      this.#replica.answer(asked, snapshot, this.#runtime.clock.monotonic());
      this.#typingDrop.by(this.#replica.nextAt());
    } catch (error) {
      const isFinal = error instanceof CodedError && FINAL_STATUSES.includes(error.status);
      this.#replica.refuse(asked, isFinal ? error : undefined);
      if (!isFinal) this.#wait(error);
    }
    this.#changed();
  }

  async #askPreferences(): Promise<void> {
    this.#wantsPreferences = false;
    const heard = this.#preferencesHeard;
    try {
      const preferences = await this.rest.preferences();
      if (heard === this.#preferencesHeard) this.#preferences = preferences;
    } catch (error) {
      this.#wantsPreferences = true;
      this.#wait(error);
    }
    this.#changed();
  }

  async #deliver(): Promise<void> {
    this.#isDelivering = true;
    const heard = this.#preferencesHeard;
    try {
      await this.#outbox.deliver(this.rest);
      // Which of the two is newer, only a third can say.
      if (heard !== this.#preferencesHeard) this.#wantsPreferences = true;
    } catch (error) {
      this.#wait(error);
    }
    this.#isDelivering = false;
    this.#changed();
  }

  /** Something waits in the outbox. A choice waits for nobody. */
  #queued(what: "choice" | "edit"): void {
    if (what === "choice") {
      this.#quietUntil = 0;
      // A socket that is being opened must not be there before the choice is.
      if (this.connection.status === "connecting") this.#connection.resume();
    }
    this.#changed();
  }

  /** The state that was chosen and waits to be delivered. */
  #chosen(): PresenceState | undefined {
    const choice = this.#outbox.record.choice?.choice;
    return choice !== undefined && "state" in choice ? choice.state : undefined;
  }

  #delivered(delivery: Delivery): void {
    if (delivery.kind === "edit") this.#preferences = delivery.answer.preferences;
    this.#emit({ type: "delivered", delivery });
  }

  /** Lets some time pass after a failure, or as much as the server asks for. */
  #wait(error: unknown): void {
    const retryAfterSeconds = error instanceof CodedError ? error.retryAfterSeconds : undefined;
    const jittered = RETRY_AFTER_MS * (0.5 + this.#runtime.random());
    const delayMs = retryAfterSeconds === undefined ? jittered : retryAfterSeconds * 1_000;
    if (this.connection.status === "closed") return;
    this.#quietUntil = Math.max(this.#quietUntil, this.#now() + delayMs);
    this.#retry.by(this.#quietUntil);
  }

  #ring(): void {
    if (this.#now() < this.#quietUntil) this.#retry.by(this.#quietUntil);
    else this.#catchUp();
  }

  #dropTyping(): void {
    const hasDropped = this.#replica.expire(this.#runtime.clock.monotonic());
    this.#typingDrop.by(this.#replica.nextAt());
    if (hasDropped) this.#changed();
  }

  #changed(): void {
    this.#emit({ type: "changed" });
    this.#catchUp();
  }

  #emit(event: ClientEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        // It is the app's: nothing here is to stop for it.
        this.#runtime.report(error);
      }
    }
  }

  #now(): number {
    return this.#runtime.clock.elapsed();
  }
}
