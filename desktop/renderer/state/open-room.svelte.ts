import {
  CodedError,
  DEFAULT_TIMINGS,
  type EventFrame,
  type Member,
  type PresenceState,
  type RoomState,
} from "@porchlight/core";
import { type ClientEvent, TypingField } from "@porchlight/core/client";
import { systemClock } from "@porchlight/core/clock";
import type { Live, LivePerson } from "./live.ts";
import type { Session } from "./session.svelte.ts";
import { soon } from "./soon.ts";
import { type Message, messageOf, Timeline } from "./timeline.ts";
import { STATE_ORDER } from "./words.ts";

const PAGE = 50;
const KEEP_AFTER_MS = 2_000;

/** Somebody in the room, as they are shown. */
export interface Shown {
  readonly id: string;
  readonly name: string;
  readonly avatar_url: string | null;
  readonly isAi: boolean;
  readonly isSelf: boolean;
  readonly state: PresenceState;
  readonly as_of: number | undefined;
  readonly isTyping: boolean;
}

/** What is kept of a room on this computer. */
interface Kept {
  readonly state: RoomState;
  readonly as_of: number;
  readonly messages: readonly Message[];
  readonly draft: string;
}

/** The room that is looked at: who is in it, what was said, and what the user is about to say. */
export class OpenRoom {
  readonly room_id: string;
  readonly #session: Session;
  readonly #timeline = new Timeline();
  readonly #unfollow: () => void;
  readonly #field: TypingField;
  readonly #keepSoon: ReturnType<typeof soon>;
  #kept = $state.raw<Kept>();
  #messages = $state.raw<readonly Message[]>([]);
  #people = $state.raw<ReadonlyMap<string, LivePerson>>();
  #hasOlder = $state(true);
  #unsent = $state("");
  draft = $state("");
  /** Where the marker stood when the room was opened: what is above it is new. */
  readAtOpen = $state.raw<string | null>();
  #live: Live | undefined;
  #isLoaded = false;
  #markedAt = 0;
  /** What may have arrived though no answer came: sent again it keeps its name. */
  #unanswered: { readonly body: string; readonly event_uuid: string } | undefined;
  #isClosed = false;

  constructor(session: Session, room_id: string) {
    this.#session = session;
    this.room_id = room_id;
    this.#keepSoon = soon(KEEP_AFTER_MS, () => void this.keep());
    this.#unfollow = session.client.follow(room_id);
    const refreshAfterMs = (): number => {
      const { connection } = session.client;
      return connection.status === "open"
        ? connection.hello.timings.typing_refresh_ms
        : DEFAULT_TIMINGS.typing_refresh_ms;
    };
    this.#field = new TypingField({
      clock: systemClock(),
      publish: (typing) => this.#type(typing),
      refreshAfterMs,
    });
    void this.#load();
    if (session.client.connection.status === "open") this.#connect();
  }

  /** The room as the server says, or as it was last known; `refused` where the server does not show it. */
  get state(): RoomState | "refused" | undefined {
    this.#session.track();
    const known = this.#session.client.room(this.room_id);
    if (known.status === "refused") return known.status;
    return known.status === "unknown" ? this.#kept?.state : known.state;
  }

  /** When what is shown of the room was true, where it may not be any more. */
  get as_of(): number | undefined {
    this.#session.track();
    const known = this.#session.client.room(this.room_id);
    if (known.status === "stale") return known.stale_since;
    return known.status === "current" ? undefined : this.#kept?.as_of;
  }

  get messages(): readonly Message[] {
    return this.#messages;
  }

  get hasOlder(): boolean {
    return this.#hasOlder;
  }

  /** Why the last message was not sent; empty where it was. */
  get unsent(): string {
    return this.#unsent;
  }

  /** The people of the room, in the order in which they are grouped: by state, then as the room has them. */
  get people(): readonly Shown[] {
    const { state } = this;
    if (state === undefined || state === "refused") return [];
    const shown = state.members.map((member) => this.#shown(member));
    const rank = (each: Shown): number => STATE_ORDER.indexOf(each.state);
    return shown.sort((a, b) => rank(a) - rank(b));
  }

  /** Who types, but for the user. */
  get typists(): readonly string[] {
    return [...(this.#people ?? [])]
      .filter(([id, { typing }]) => typing && id !== this.#session.participant_id)
      .map(([id]) => id);
  }

  get canWrite(): boolean {
    const { state } = this;
    return (
      typeof state === "object" &&
      state.room.state === "open" &&
      state.room.room_type !== "sidekick"
    );
  }

  /** What awareness says of somebody; nothing where it says nothing: they may be there all the same. */
  live(id: string): LivePerson | undefined {
    return id === this.#session.participant_id ? undefined : this.#people?.get(id);
  }

  /** The text has changed by the user's hand. */
  write(text: string): void {
    this.draft = text;
    this.#unsent = "";
    if (text.trim() === "") this.#field.stop();
    else this.#field.input();
    this.#keepSoon();
  }

  /** The field has lost the focus. */
  pause(): void {
    this.#field.stop();
  }

  /** Sends what was written. What could not be sent is kept. */
  async send(): Promise<void> {
    const body = this.draft.trim();
    if (body === "") return;
    const { words, client } = this.#session;
    this.#field.stop();
    this.draft = "";
    this.#unsent = "";
    const again = this.#unanswered?.body === body ? this.#unanswered : undefined;
    const sent = again ?? { body, event_uuid: crypto.randomUUID() };
    this.#unanswered = undefined;
    try {
      const path = `/v1/rooms/${encodeURIComponent(this.room_id)}/send`;
      const event = await client.rest.call<EventFrame>("POST", path, {
        content: { msgtype: "m.text", body },
        event_uuid: sent.event_uuid,
      });
      this.#timeline.add([messageOf(event)]);
      this.#changed();
    } catch (error) {
      this.#unanswered = sent;
      if (this.draft === "") this.draft = body;
      const isGone = !(error instanceof CodedError) || error.code === "SW_UNAVAILABLE";
      this.#unsent = isGone ? words.room.unsent : words.room.refusedSend(error.message);
    }
    this.#keepSoon();
  }

  /** Asks for what was said before. */
  async older(): Promise<void> {
    const { from } = this.#timeline;
    if (from === undefined || !this.#hasOlder) return;
    const page = await this.#page(from);
    if (page === undefined) return;
    this.#hasOlder = page.length >= PAGE;
    this.#timeline.add(page);
    this.#changed();
  }

  /** The user has seen everything: the read marker moves to the last message. */
  markRead(): void {
    const last = this.#messages.at(-1);
    if (last === undefined || last.position <= this.#markedAt || !this.#session.isConnected) return;
    const { state } = this;
    if (typeof state === "object" && state.last_read_event_id === last.event_id) return;
    this.#markedAt = last.position;
    const path = `/v1/rooms/${encodeURIComponent(this.room_id)}/read-marker`;
    this.#session.client.rest.call("PUT", path, { event_id: last.event_id }).then(
      () => this.#session.listSoon(),
      () => {
        this.#markedAt = 0;
      },
    );
  }

  /** Takes up what happened on the stream. */
  happened(event: ClientEvent): void {
    if (event.type === "connection") {
      if (event.state.status === "open") this.#connect();
      else this.#disconnect();
    } else if (event.type === "frame") {
      if (this.#timeline.hear(event.frame, this.room_id)) this.#changed();
      if (event.frame.type === "resync") void this.#latest();
    }
    const { state } = this;
    if (typeof state === "object") {
      if (this.#session.people.add(state.members.map(({ participant }) => participant)))
        this.#session.tell();
      this.readAtOpen ??= state.last_read_event_id;
    }
    this.#keepSoon();
  }

  async keep(): Promise<void> {
    this.#keepSoon.cancel();
    const known = this.#session.client.room(this.room_id);
    if (!this.#isLoaded || (known.status !== "current" && known.status !== "stale")) {
      if (this.#kept !== undefined) await this.#put({ ...this.#kept, draft: this.draft });
      return;
    }
    const as_of = known.status === "stale" ? known.stale_since : Date.now();
    await this.#put({
      state: known.state,
      as_of,
      messages: this.#timeline.kept,
      draft: this.draft,
    });
  }

  close(): void {
    if (this.#session.preferences.read_marker_mode === "leave") this.markRead();
    this.#isClosed = true;
    this.#field.stop();
    void this.keep();
    this.#live?.close();
    this.#live = undefined;
    this.#unfollow();
  }

  async #load(): Promise<void> {
    const kept = (await this.#session.shell.cache.get(`room:${this.room_id}`)) as Kept | undefined;
    this.#kept = kept;
    this.#isLoaded = true;
    this.draft ||= kept?.draft ?? "";
    this.#timeline.add(kept?.messages ?? []);
    this.#session.people.add((kept?.state.members ?? []).map(({ participant }) => participant));
    this.#changed();
    this.#session.tell();
  }

  async #latest(): Promise<void> {
    const page = await this.#page(undefined);
    if (page === undefined) return;
    this.#timeline.latest(page);
    this.#hasOlder = page.length >= PAGE || this.#timeline.messages.length > page.length;
    this.#changed();
    this.#keepSoon();
  }

  /** A page of messages from before a position, the oldest first; nothing when it could not be had. */
  async #page(from: number | undefined): Promise<Message[] | undefined> {
    const before = from === undefined ? "" : `&from=${from}`;
    const path = `/v1/rooms/${encodeURIComponent(this.room_id)}/messages?limit=${PAGE}&direction=backward${before}`;
    try {
      const events = await this.#session.client.rest.call<EventFrame[]>("GET", path);
      return events.map(messageOf).reverse();
    } catch {
      return undefined;
    }
  }

  #connect(): void {
    if (this.#isClosed || this.#live !== undefined) return;
    void this.#latest();
    void this.#listen();
  }

  /** What speaks Yjs is loaded when there is somebody to hear: nothing waits for it before that. */
  async #listen(): Promise<void> {
    const { Live } = await import("./live.ts");
    const { account, shell, client } = this.#session;
    const isWanted = !this.#isClosed && client.connection.status === "open";
    if (!isWanted || this.#live !== undefined) return;
    this.#live = new Live({
      ...account,
      device_id: shell.device_id,
      instance: shell.instance,
      room_id: this.room_id,
      onChange: () => this.#hearLive(),
    });
  }

  #disconnect(): void {
    this.#field.stop();
    this.#live?.close();
    this.#live = undefined;
    this.#people = undefined;
  }

  #hearLive(): void {
    const live = this.#live;
    this.#people = live?.isCurrent === true ? live.people : undefined;
  }

  #type(typing: boolean): boolean {
    return this.#live?.type(typing) ?? false;
  }

  #shown({ participant_id, participant }: Member): Shown {
    const { state, as_of } = this.#session.sighting(participant_id);
    return {
      id: participant_id,
      name: this.#session.people.get(participant_id)?.display_name ?? participant.display_name,
      avatar_url: participant.avatar_url,
      isAi: participant.participant_type !== "human",
      isSelf: participant_id === this.#session.participant_id,
      state,
      as_of,
      isTyping: this.#people?.get(participant_id)?.typing === true,
    };
  }

  #changed(): void {
    this.#messages = this.#timeline.messages;
  }

  #put(kept: Kept): Promise<void> {
    this.#kept = kept;
    return this.#session.shell.cache.put(`room:${this.room_id}`, kept);
  }
}
