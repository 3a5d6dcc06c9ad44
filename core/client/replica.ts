import type { CodedError } from "../errors.ts";
import { foldFrame } from "../fold.ts";
import type { HelloFrame, ResyncFrame, ServerFrame, TypingFrame } from "../frames.ts";
import type { PresenceState } from "../presence.ts";
import type { RoomState } from "../room-state.ts";

/** What was once true, and whether it still is. */
export type Known<T> =
  /** Nothing was told yet. */
  | { readonly status: "unknown" }
  /** What the server would say now. */
  | { readonly status: "current"; readonly state: T }
  /** What the server would have said at `stale_since`, in Unix milliseconds. */
  | { readonly status: "stale"; readonly state: T; readonly stale_since: number };

/** What is known of a room that is followed; or why the server does not show it. */
export type KnownRoom =
  | Known<RoomState>
  | { readonly status: "refused"; readonly error: CodedError };

/** A snapshot that has been asked for: to be handed back with the answer. */
export interface Asked {
  readonly room_id: string;
  /** What was heard since. */
  readonly frames: ServerFrame[];
}

const UNKNOWN = { status: "unknown" } as const;

/**
 * Frames that change what a room shows in a way that only a new snapshot can
 * say; `re` is read markers and redactions.
 */
const RETAKEN = /^swp\.(me\.preferences|snooze|room\.(ai_engagement|mute|notification_mode|re))/;

interface Followed {
  followers: number;
  known: KnownRoom;
  /** Set while a snapshot is to be taken that has not been asked for. */
  wanted: boolean;
  asked: Asked | undefined;
  /** A snapshot below this position leaves a gap. */
  atLeast: number;
}

/**
 * What the server has told of others: presence of everyone, who types where,
 * and the rooms that are followed, each a snapshot joined with the frames since
 * by `stream_position`. It knows what of it is stale, and since when.
 *
 * It asks for nothing by itself: {@link wanted} says which snapshots to take.
 * It reads no clock: `now` is milliseconds on a monotonic clock, and only what
 * says so is Unix milliseconds.
 */
export class Replica {
  readonly #presence = new Map<string, PresenceState>();
  readonly #rooms = new Map<string, Followed>();
  /** By room and person, when a signal is dropped that is not heard of again. */
  readonly #typists = new Map<string, Map<string, number>>();
  #everyone: Known<undefined> = UNKNOWN;
  #isOpen = false;
  #self = "";
  #typingDropMs = 0;
  #position: number | undefined;

  /** The highest position heard of: where a later stream has to go on. */
  get position(): number | undefined {
    return this.#position;
  }

  /** Whose eyes these are; empty before the first connection. */
  get participant_id(): string {
    return this.#self;
  }

  /** Somebody's state. */
  presence(participantId: string): Known<PresenceState> {
    const everyone = this.#everyone;
    if (everyone.status === "unknown") return everyone;
    return { ...everyone, state: this.#presenceOf(participantId) };
  }

  /** Who types in a room, whether it is followed or not; nobody while there is no connection. */
  typists(roomId: string): string[] {
    return [...(this.#typists.get(roomId)?.keys() ?? [])];
  }

  /** What is known of a room; the same object as before when nothing changed. */
  room(roomId: string): KnownRoom {
    return this.#rooms.get(roomId)?.known ?? UNKNOWN;
  }

  /** Begins to follow a room. */
  follow(roomId: string): void {
    const room = this.#rooms.get(roomId) ?? {
      followers: 0,
      known: UNKNOWN,
      wanted: this.#isOpen,
      asked: undefined,
      atLeast: 0,
    };
    room.followers += 1;
    this.#rooms.set(roomId, room);
  }

  /** Ends what one {@link follow} began; with the last of them the room is forgotten. */
  unfollow(roomId: string): void {
    const room = this.#rooms.get(roomId);
    if (room === undefined) return;
    room.followers -= 1;
    if (room.followers === 0) this.#rooms.delete(roomId);
  }

  /** The rooms of which a snapshot has to be taken now. Those that are asked for are wanted no more. */
  wanted(): Asked[] {
    return [...this.#rooms].flatMap(([room_id, room]) => {
      if (!room.wanted) return [];
      room.wanted = false;
      room.asked = { room_id, frames: [] };
      return room.asked;
    });
  }

  /** Takes up a snapshot. One that was asked for before the connection was lost, or of a room that is no longer followed, is passed over. */
  answer(asked: Asked, snapshot: RoomState, now: number): void {
    const room = this.#rooms.get(asked.room_id);
    if (room?.asked !== asked) return;
    // What was heard since the snapshot was asked for beats it; what it has already, its position tells.
    const state = asked.frames.reduce((folded, frame) => this.#fold(folded, frame), snapshot);
    const { room_id } = asked;
    const typing = snapshot.typing.map((participant_id) => ({
      room_id,
      participant_id,
      typing: true,
    }));
    room.asked = undefined;
    if (snapshot.stream_position < room.atLeast) {
      room.wanted = true;
      return;
    }
    this.#typists.delete(room_id);
    const heard = asked.frames.filter((frame) => frame.type === "typing");
    for (const signal of [...typing, ...heard]) this.#type(signal, now);
    room.known = { status: "current", state };
  }

  /** A snapshot was refused for good, with `error`; without one it stays wanted, as when the server could not be reached. */
  refuse(asked: Asked, error: CodedError | undefined): void {
    const room = this.#rooms.get(asked.room_id);
    if (room?.asked !== asked) return;
    room.asked = undefined;
    if (error === undefined) room.wanted = true;
    else room.known = { status: "refused", error };
  }

  /** The connection is gone: everything is stale, last known at `at` (Unix milliseconds), and nobody types. */
  lose(at: number): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#everyone = aged(this.#everyone, at);
    this.#typists.clear();
    for (const room of this.#rooms.values()) {
      room.asked = undefined;
      room.wanted = false;
      room.known = aged(room.known, at);
      this.#change(room, (state) => (state.typing.length === 0 ? state : { ...state, typing: [] }));
    }
  }

  /** Takes up a frame of the stream. */
  hear(frame: ServerFrame, now: number): void {
    this.#note(frame);
    if (frame.type === "typing") this.#type(frame, now);
    for (const [room_id, room] of this.#rooms) {
      // What happens in other rooms changes nothing here.
      if ("room_id" in frame && frame.room_id !== room_id) continue;
      room.asked?.frames.push(frame);
      this.#change(room, (state) => this.#fold(state, frame));
      // What else changes for whoever comes or goes, only a snapshot can say.
      const isOwn = frame.type === "swp.room.member" && frame.participant_id === this.#self;
      room.wanted ||= isOwn || RETAKEN.test(frame.type);
    }
  }

  /** Drops every signal that has not been heard of for `typing_drop_ms`. Says whether there was any. */
  expire(now: number): boolean {
    const dropped = [...this.#typists].flatMap(([room_id, typists]) =>
      [...typists]
        .filter(([, dropAt]) => dropAt <= now)
        .map(([participant_id]) => ({ room_id, participant_id, typing: false })),
    );
    for (const signal of dropped) {
      this.#type(signal, now);
      const room = this.#rooms.get(signal.room_id);
      const frame: TypingFrame = { type: "typing", tenant_id: "", ts: "", ...signal };
      if (room !== undefined) this.#change(room, (state) => this.#fold(state, frame));
    }
    return dropped.length > 0;
  }

  /** When {@link expire} next has something to drop. */
  nextAt(): number | undefined {
    const all = [...this.#typists.values()].flatMap((typists) => [...typists.values()]);
    return all.length === 0 ? undefined : Math.min(...all);
  }

  /** What a frame says of the whole. */
  #note(frame: ServerFrame): void {
    switch (frame.type) {
      case "hello":
        this.#greet(frame);
        break;
      case "presence":
        this.#presence.set(frame.participant_id, frame.state);
        break;
      case "presence.snapshot":
        this.#presence.clear();
        for (const [id, state] of Object.entries(frame.states)) this.#presence.set(id, state);
        this.#everyone = { status: "current", state: undefined };
        break;
      case "resync":
        this.#miss(frame);
        break;
      default:
        if ("stream_position" in frame && frame.stream_position !== undefined)
          this.#position = Math.max(this.#position ?? 0, frame.stream_position);
    }
  }

  #greet({ participant_id, timings, stream_position }: HelloFrame): void {
    this.#isOpen = true;
    this.#self = participant_id;
    this.#typingDropMs = timings.typing_drop_ms;
    this.#position ??= stream_position;
    for (const room of this.#rooms.values()) room.wanted = true;
  }

  /** There is a gap: a snapshot below its end, also one that was asked for already, does not close it. */
  #miss({ stream_position, ts }: ResyncFrame): void {
    this.#position = stream_position;
    for (const room of this.#rooms.values()) {
      room.atLeast = stream_position;
      room.wanted ||= room.asked === undefined;
      room.known = aged(room.known, Date.parse(ts));
    }
  }

  #presenceOf(participantId: string): PresenceState {
    return this.#presence.get(participantId) ?? "offline";
  }

  #fold(state: RoomState, frame: ServerFrame): RoomState {
    return foldFrame(state, frame, {
      participant_id: this.#self,
      presenceOf: (id) => this.#presenceOf(id),
    });
  }

  #change(room: Followed, change: (state: RoomState) => RoomState): void {
    const { known } = room;
    if (known.status !== "current" && known.status !== "stale") return;
    const state = change(known.state);
    if (state !== known.state) room.known = { ...known, state };
  }

  #type(
    { room_id, participant_id, typing }: Pick<TypingFrame, "room_id" | "participant_id" | "typing">,
    now: number,
  ): void {
    const typists = this.#typists.get(room_id) ?? new Map<string, number>();
    if (typing) typists.set(participant_id, now + this.#typingDropMs);
    else typists.delete(participant_id);
    if (typists.size > 0) this.#typists.set(room_id, typists);
    else this.#typists.delete(room_id);
  }
}

/** The same, true until `at`; what was stale before, or never known, stays so. */
function aged<K extends Known<unknown> | KnownRoom>(known: K, at: number): K {
  return known.status === "current" ? { ...known, status: "stale", stale_since: at } : known;
}
