import {
  CodedError,
  DEFAULT_PREFERENCES,
  type Fault,
  type Me,
  mergePreferences,
  type Participant,
  type Preferences,
  type PreferencesPatch,
  type PresenceState,
  type ProfilePatch,
  patchOf,
  preferenceLeaves,
  type Room,
  type ServerFrame,
} from "@porchlight/core";
import {
  Client,
  type ClientEvent,
  type ConnectionState,
  type Delivery,
  type MyPresence,
  type OutboxRecord,
  type Runtime,
  webRuntime,
} from "@porchlight/core/client";
import { createSubscriber } from "svelte/reactivity";
import type { Account, Chosen, Shell, ShellEvent } from "../../bridge.ts";
import { OpenRoom } from "./open-room.svelte.ts";
import { type Channel, Outboxes } from "./outboxes.ts";
import { People } from "./people.ts";
import { soon } from "./soon.ts";
import { type Message, messageOf } from "./timeline.ts";
import { WallClock, type Words, wordsOf } from "./words.ts";

/** A room as it is listed. */
export type ListedRoom = Room & { readonly unread_count: number };

/** Something to be told to the user, with what can be done about it. */
export interface Note {
  readonly id: number;
  readonly text: string;
  /** Sets again what was replaced. */
  readonly undo?: () => void;
}

/** How somebody is seen. */
export interface Sighting {
  readonly state: PresenceState;
  /** When that was true, where it may not be any more. */
  readonly as_of: number | undefined;
}

const AUTO: Chosen = { auto: true };
const KEEP_AFTER_MS = 5_000;
const LIST_AFTER_MS = 250;
/** Messages whose text may be asked for by a notification. */
const RECENT = 50;

/**
 * What the view knows of one account. The rules are core's; here is what was
 * last known drawn first, kept, and joined with what waits in other windows.
 */
export class Session {
  readonly account: Account;
  readonly shell: Shell;
  readonly client: Client;
  readonly people: People;
  readonly #runtime: Runtime;
  readonly #outboxes: Outboxes;
  /** To be called by whatever reads the client: where that is in an effect, it is run anew when something changes. */
  readonly track: () => void;
  readonly #told = new Set<() => void>();
  readonly #recent = new Map<string, Message>();
  readonly #sent = new Map<number, PreferencesPatch>();
  readonly #keepSoon: ReturnType<typeof soon>;
  readonly #listSoon: ReturnType<typeof soon>;
  #me = $state.raw<Me>();
  #rooms = $state.raw<readonly ListedRoom[]>();
  #why = $state.raw<MyPresence>();
  #preferences = $state.raw<Preferences>(DEFAULT_PREFERENCES);
  /** Counts what was heard of the preferences: it beats an answer that was asked for before. */
  #preferencesHeard = 0;
  /** What was chosen in this window, until the server was asked what that came to. */
  #choice = $state.raw<Chosen>();
  #notes = $state.raw<readonly Note[]>([]);
  #faults = $state.raw<ReadonlyMap<string, string>>(new Map());
  #open = $state.raw<OpenRoom>();
  #offlineSince = $state.raw<number>();
  #now = $state(Date.now());
  #wall: { readonly manners: string; readonly clock: WallClock } | undefined;
  #lastNote = 0;
  /** What was chosen last, to be chosen again where something else stands. */
  #chosen: Chosen | undefined;
  #stop: (() => void)[] = [];

  constructor(
    account: Account,
    {
      shell,
      runtime = {},
      channel,
    }: { shell: Shell; runtime?: Partial<Runtime>; channel: Channel },
  ) {
    this.account = account;
    this.shell = shell;
    this.#runtime = webRuntime(runtime);
    this.people = new People(shell.cache);
    this.#outboxes = new Outboxes({
      cache: shell.cache,
      instance: shell.instance,
      channel,
      onChange: () => this.tell(),
    });
    this.client = new Client({
      ...account,
      device_id: shell.device_id,
      instance: shell.instance,
      storage: this.#outboxes.storage,
      runtime,
    });
    this.#keepSoon = soon(KEEP_AFTER_MS, () => void this.#keep());
    this.#listSoon = soon(LIST_AFTER_MS, () => void this.#list());
    this.track = createSubscriber((update) => {
      this.#told.add(update);
      return () => this.#told.delete(update);
    });
  }

  /** Draws what was last known, then connects. Resolves as soon as there is something to draw. */
  async open(): Promise<void> {
    const { cache } = this.shell;
    const [me, rooms, preferences, since] = await Promise.all([
      cache.get("me"),
      cache.get("rooms"),
      cache.get("preferences"),
      cache.get("since"),
      this.people.load(),
      this.#outboxes.load(),
    ]);
    this.#me = me as Me | undefined;
    this.#rooms = rooms as readonly ListedRoom[] | undefined;
    this.#preferences = (preferences as Preferences | undefined) ?? DEFAULT_PREFERENCES;
    this.#offlineSince = since as number | undefined;
    const tick = setInterval(() => {
      this.#now = Date.now();
    }, 30_000);
    this.#stop = [
      () => clearInterval(tick),
      this.client.subscribe((event) => this.#happened(event)),
      this.shell.listen((event) => this.#hear(event)),
    ];
    this.client.open();
  }

  /** Leaves: signs this window off, and keeps what is known. */
  async close(): Promise<void> {
    for (const stop of this.#stop) stop();
    this.#open?.close();
    this.client.close();
    this.#outboxes.close();
    this.#listSoon.cancel();
    await this.#keep();
  }

  /** Something here is otherwise: whoever has read it is told. */
  tell(): void {
    this.#now = Date.now();
    for (const update of this.#told) update();
  }

  /** The present, as exact as it is shown: in minutes. */
  get now(): number {
    return this.#now;
  }

  get connection(): ConnectionState {
    this.track();
    return this.client.connection;
  }

  get isConnected(): boolean {
    return this.connection.status === "open";
  }

  /** Since when there has been no connection, in Unix milliseconds. */
  get offlineSince(): number | undefined {
    return this.isConnected ? undefined : this.#offlineSince;
  }

  get me(): Me | undefined {
    return this.#me;
  }

  get participant_id(): string {
    this.track();
    return this.client.participant_id || (this.#me?.participant_id ?? "");
  }

  /** By what was said in them last, if the server says so. */
  get rooms(): readonly ListedRoom[] | undefined {
    return this.#rooms;
  }

  get unread(): number {
    return (this.#rooms ?? []).reduce((sum, { unread_count }) => sum + unread_count, 0);
  }

  /** The preferences as they are set in any window, sent or not. */
  get preferences(): Preferences {
    this.track();
    return mergePreferences(this.#preferences, this.#outboxes.patch);
  }

  /** The leaves of the preferences that wait to be sent. */
  get pending(): ReadonlySet<string> {
    this.track();
    return new Set(preferenceLeaves(this.#outboxes.patch).map(([path]) => path));
  }

  /** How many changes wait to be sent. */
  get waiting(): number {
    this.track();
    return this.#outboxes.size;
  }

  /** What the server has said against a leaf of the preferences. */
  get faults(): ReadonlyMap<string, string> {
    return this.#faults;
  }

  get notes(): readonly Note[] {
    return this.#notes;
  }

  get words(): Words {
    return wordsOf(this.preferences.locale);
  }

  /** The room that is looked at. */
  get openRoom(): OpenRoom | undefined {
    return this.#open;
  }

  /** The own state, what was chosen, and whether that waits to be told. */
  get own(): { state: PresenceState; chosen: Chosen | undefined; isPending: boolean } {
    this.track();
    const pending = this.#outboxes.choice;
    const isAuto = pending === "auto" || pending === undefined;
    const told = this.#why && (this.#why.manual === null ? AUTO : { state: this.#why.manual });
    return {
      state: isAuto ? this.sighting(this.participant_id).state : pending,
      chosen: pending === undefined ? (this.#choice ?? told) : isAuto ? AUTO : { state: pending },
      isPending: pending !== undefined,
    };
  }

  /** Why the own state is what it is, in words. */
  get why(): string {
    const { words } = this;
    if (!this.isConnected) {
      const since = this.offlineSince;
      return since === undefined
        ? words.connection.offline
        : words.why.unconnected(this.moment(since));
    }
    const why = this.#why;
    if (why === undefined) return "";
    return this.#because(why, words);
  }

  /** How somebody is seen: as the server says now, or as they were last known. */
  sighting(id: string): Sighting {
    this.track();
    const live = this.#open?.live(id);
    return live === undefined ? this.#stateOf(id) : { state: live.presence, as_of: undefined };
  }

  participant(id: string): Participant | undefined {
    this.track();
    return this.people.get(id);
  }

  nameOf(id: string): string {
    return this.participant(id)?.display_name ?? id;
  }

  /** An instant in the user's words. */
  moment(at: number): string {
    const { locale, timezone, time_format } = this.preferences;
    const manners = `${locale} ${timezone} ${time_format}`;
    if (this.#wall?.manners !== manners)
      this.#wall = { manners, clock: new WallClock({ locale, timezone, time_format }) };
    return this.#wall.clock.read(at, this.now);
  }

  choose(choice: Chosen): void {
    this.#choice = choice;
    void this.client.choose(choice);
  }

  edit(patch: PreferencesPatch): void {
    const touched = new Set(preferenceLeaves(patch).map(([path]) => path));
    this.#faults = new Map([...this.#faults].filter(([path]) => !touched.has(path)));
    void this.client.edit(patch);
  }

  /** Changes the profile; answers what is wrong with it. */
  async updateMe(patch: ProfilePatch): Promise<readonly Fault[]> {
    try {
      this.#setMe(await this.client.rest.updateMe(patch));
      return [];
    } catch (error) {
      if (error instanceof CodedError && error.details !== undefined) return error.details;
      return [{ path: "", message: error instanceof CodedError ? error.message : String(error) }];
    }
  }

  /** Looks at a room; at none without one. */
  look(roomId: string | undefined): void {
    if (this.#open?.room_id === roomId) return;
    this.#open?.close();
    this.#open = roomId === undefined ? undefined : new OpenRoom(this, roomId);
    this.tell();
  }

  /** Opens the direct room with somebody. Answers its id; nothing when that failed. */
  async talkWith(id: string): Promise<string | undefined> {
    try {
      const { id: room_id } = await this.client.rest.openDirectRoom(id);
      await this.#list();
      return room_id;
    } catch {
      this.note(this.words.notices.failed);
      return undefined;
    }
  }

  /** Asks the server for everybody, to be found. */
  findEverybody(): void {
    this.people
      .loadAll(this.client.rest, () => this.tell())
      .then(
        () => this.#keepSoon(),
        () => {},
      );
  }

  /** Asks the server for people whose name has this in it. */
  find(q: string): void {
    this.client.rest.profiles({ q }).then(
      (found) => {
        if (this.people.add(found.map(({ participant }) => participant))) this.tell();
      },
      () => {},
    );
  }

  note(text: string, undo?: () => void): void {
    this.#lastNote += 1;
    const note = { id: this.#lastNote, text, ...(undo === undefined ? {} : { undo }) };
    this.#notes = [...this.#notes, note];
  }

  dismiss(id: number): void {
    this.#notes = this.#notes.filter((note) => note.id !== id);
  }

  /** The own state is asked for anew, and why it is that. */
  async askWhy(): Promise<void> {
    if (!this.isConnected) return;
    try {
      const waited = this.#outboxes.choice;
      this.#why = await this.client.rest.myPresence();
      if (waited === undefined && this.#outboxes.choice === undefined) this.#choice = undefined;
    } catch {
      // It is asked again with the next change.
    }
  }

  /** Unread messages and rooms are asked for anew, in a moment. */
  listSoon(): void {
    this.#listSoon();
  }

  #stateOf(id: string): Sighting {
    const known = this.client.presence(id);
    if (known.status === "current") return { state: known.state, as_of: undefined };
    if (known.status === "stale") return { state: known.state, as_of: known.stale_since };
    return this.people.kept(id) ?? { state: "offline", as_of: undefined };
  }

  #because(why: MyPresence, words: Words): string {
    if (why.source === "manual") return words.why.manual;
    if (why.source === "participant_type") return words.why.machine;
    if (why.source === "none") return words.why.none;
    const isHere = ({ device_id }: { device_id: string }): boolean =>
      device_id === this.shell.device_id;
    const awake = why.devices.filter(({ state }) => state === "online");
    if (awake.length > 0) return awake.some(isHere) ? words.why.here : words.why.elsewhere;
    const last = Math.max(...why.devices.map(({ last_active_at }) => Date.parse(last_active_at)));
    const isAlone = why.devices.every(isHere);
    return isAlone ? words.why.quiet(this.moment(last)) : words.why.quietAll(this.moment(last));
  }

  #happened(event: ClientEvent): void {
    if (event.type === "frame") this.#heard(event.frame);
    else if (event.type === "connection") this.#entered(event.state);
    else if (event.type === "delivered") this.#delivered(event.delivery);
    this.#outboxes.own(this.client.outbox);
    const { edits, choice } = this.client.outbox;
    this.#remembered(edits);
    this.#chosen = choice?.choice ?? this.#chosen;
    this.#open?.happened(event);
    this.tell();
  }

  #entered(state: ConnectionState): void {
    if (state.status === "open" || this.#offlineSince !== undefined) return;
    this.#offlineSince = this.#runtime.clock.wall();
    void this.shell.cache.put("since", this.#offlineSince);
    // How everybody was known last is known best now.
    void this.#keep();
  }

  #heard(frame: ServerFrame): void {
    if (frame.type === "hello") void this.#refresh();
    if (this.people.hear(frame)) this.#keepSoon();
    if (frame.type === "presence.snapshot" || frame.type === "presence") this.#keepSoon();
    if (frame.type === "presence" && frame.participant_id === this.client.participant_id)
      void this.askWhy();
    if (frame.type === "swp.me.presence") void this.askWhy();
    if (frame.type === "swp.room.message") this.#remember(messageOf(frame));
    if (frame.type === "swp.notification") this.#notify(frame);
    if (frame.type.startsWith("swp.room.")) this.#listSoon();
    if (frame.type === "swp.me.preferences") this.#setPreferences(frame.preferences as Preferences);
  }

  /** Everything that has no position is asked for anew after a reconnect. */
  async #refresh(): Promise<void> {
    this.#offlineSince = undefined;
    void this.shell.cache.put("since", undefined);
    try {
      await Promise.all([
        this.#list(),
        this.askWhy(),
        this.client.rest.me().then((me) => this.#setMe(me)),
        this.#askPreferences(),
        this.#outboxes.deliverLeft(this.client.rest, {
          device_id: this.shell.device_id,
          clock: this.#runtime.clock,
          onDelivery: (delivery, edits) => {
            this.#remembered(edits);
            this.#delivered(delivery);
          },
        }),
      ]);
      this.#keepSoon();
    } catch {
      // The connection is gone again, and with the next everything is asked for once more.
    }
    this.tell();
  }

  async #askPreferences(): Promise<void> {
    const heard = this.#preferencesHeard;
    const preferences = await this.client.rest.preferences();
    if (heard === this.#preferencesHeard) this.#setPreferences(preferences);
  }

  #setPreferences(preferences: Preferences): void {
    this.#preferences = preferences;
    this.#preferencesHeard += 1;
    void this.shell.cache.put("preferences", preferences);
  }

  #setMe(me: Me): void {
    this.#me = me;
    void this.shell.cache.put("me", me);
  }

  async #list(): Promise<void> {
    try {
      this.#rooms = await this.client.rest.rooms();
      await this.shell.cache.put("rooms", this.#rooms);
    } catch {
      // It is asked again with whatever happens next.
    }
    this.tell();
  }

  /** What was sent, to be set again where it is replaced. */
  #remembered(edits: OutboxRecord["edits"]): void {
    for (const { seq, patch } of edits) this.#sent.set(seq, patch);
  }

  #remember(message: Message): void {
    this.#recent.set(message.event_id, message);
    const [oldest] = this.#recent.keys();
    if (this.#recent.size > RECENT && oldest !== undefined) this.#recent.delete(oldest);
  }

  /** The server has decided that a message is worth interrupting for, by `decideNotification`. */
  #notify(frame: ServerFrame): void {
    const { event_id, room_id } = frame as unknown as { event_id: string; room_id: string };
    if (this.#open?.room_id === room_id && document.hasFocus()) return;
    const message = this.#recent.get(event_id);
    const sender = message === undefined ? "" : this.nameOf(message.sender_id);
    const room = this.#rooms?.find(({ id }) => id === room_id);
    const title =
      room?.room_type === "dm" || room?.name == null ? sender : `${sender}, ${room.name}`;
    this.shell.notify({ event_id, room_id, title, body: message?.body ?? "" });
  }

  #delivered(delivery: Delivery): void {
    const { notices, choose } = this.words;
    if (delivery.kind === "choice") {
      void this.askWhy();
      if (delivery.answer.superseded !== true) return;
      const mine = this.#chosen;
      if (mine !== undefined)
        this.note(notices.supersededChoice(choose["state" in mine ? mine.state : "auto"]), () =>
          this.choose(mine),
        );
      return;
    }
    if (delivery.kind === "refused") {
      this.note(notices.refused(delivery.error.message));
      return;
    }
    const { superseded, rejected, preferences } = delivery.answer;
    this.#setPreferences(preferences);
    if (rejected.length > 0)
      this.#faults = new Map([
        ...this.#faults,
        ...rejected.map(({ path, message }) => [path, message] as const),
      ]);
    for (const { seq, path } of superseded) this.#replaced(seq, path);
  }

  #replaced(seq: number, path: string): void {
    const leaf = preferenceLeaves(this.#sent.get(seq) ?? {}).find(([each]) => each === path);
    const undo = leaf && (() => this.edit(patchOf([leaf])));
    this.note(this.words.notices.superseded(this.#labelOf(path)), undo);
  }

  #labelOf(path: string): string {
    const { preferences } = this.words;
    const [key = ""] = path.split(".");
    const label = (preferences as unknown as Record<string, unknown>)[key];
    return typeof label === "string" ? label : path;
  }

  #hear(event: ShellEvent): void {
    switch (event.type) {
      case "active":
        this.client.active(event.idle_for_ms);
        return;
      case "away":
        this.client.away();
        return;
      case "suspend":
        void this.#keep();
        this.client.suspend();
        return;
      case "resume":
        this.client.resume();
        return;
      case "choose":
        this.choose(event.choice);
        return;
      default:
        this.look(event.room_id);
    }
  }

  /** Keeps what changes too often to be kept each time. */
  async #keep(): Promise<void> {
    this.#keepSoon.cancel();
    const known = this.client.presence("");
    const isKnown = known.status !== "unknown";
    const at = known.status === "stale" ? known.stale_since : this.#runtime.clock.wall();
    await Promise.all([
      this.people.keep(isKnown ? (id) => this.#stateOf(id).state : undefined, at),
      this.#open?.keep(),
    ]);
  }
}
