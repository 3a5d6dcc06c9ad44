import { expect } from "bun:test";
import {
  type MemberFacts,
  memberOf,
  type RoomFacts,
  type RoomRecord,
  type RoomState,
  roomState,
  type ServerFrame,
  type VisibleState,
} from "@porchlight/core";
import { type Asked, Replica } from "@porchlight/core/client";
import type { Scheduler } from "fast-check";
import { member, participant, read, room, roomRecord, viewer } from "./builders.ts";
import { hello } from "./client-runtime.ts";

export const ROOMS = ["lobby", "attic"] as const;
export const OTHERS = ["bob", "eve"] as const;
const SELF = "ann";
const TS = "2026-01-01T00:00:00.000Z";

/** Something that happens on the server, or to the connection. */
export type ServerAct =
  | { readonly kind: "message"; readonly room: string; readonly by: string }
  | { readonly kind: "rename"; readonly room: string; readonly name: string }
  | {
      readonly kind: "member";
      readonly room: string;
      readonly who: string;
      readonly membership: "join" | "leave" | "invite";
    }
  | { readonly kind: "profile"; readonly who: string; readonly name: string }
  | { readonly kind: "presence"; readonly who: string; readonly state: VisibleState }
  | {
      readonly kind: "typing";
      readonly room: string;
      readonly who: string;
      readonly typing: boolean;
    }
  /** From now on positioned frames get lost, until the server notices and says so. */
  | { readonly kind: "gap" }
  | { readonly kind: "resync" }
  | { readonly kind: "cut" }
  /** With `replays`, the server fills the gap; without, it says that it cannot. */
  | { readonly kind: "connect"; readonly replays: boolean };

interface Facts {
  room: RoomFacts;
  members: MemberFacts[];
  unread: number;
  readonly typing: Set<string>;
}

/** A stream: what was sent and has not arrived. */
interface Stream {
  readonly underway: ServerFrame[];
  hasGap: boolean;
}

/**
 * A server as simple as can be, a replica, and between them a network in which
 * everything takes as long as the scheduler likes: frames keep their order, and
 * nothing else does.
 */
export class ReplicaRun {
  readonly replica = new Replica();
  readonly #scheduler: Scheduler;
  readonly #rooms = new Map<string, Facts>();
  readonly #presence = new Map<string, VisibleState>();
  /** Every positioned frame, in order: the first has position 1. */
  readonly #log: ServerFrame[] = [];
  /** What each room was at each position, without what has none. */
  readonly #history: Map<string, RoomState>[] = [];
  readonly #names = new Map<string, MemberFacts["participant"]>();
  #stream: Stream | undefined;
  readonly #faults: unknown[] = [];

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
    for (const id of ROOMS) {
      const members = [member({ id: SELF }), member({ id: OTHERS[0] })];
      this.#rooms.set(id, {
        room: room({ id, name: id }),
        members,
        unread: 0,
        typing: new Set(),
      });
      this.replica.follow(id);
    }
    this.#history.push(this.#durable());
  }

  do(act: ServerAct): void {
    switch (act.kind) {
      case "message":
        this.#message(act);
        break;
      case "rename":
        this.#rename(act);
        break;
      case "member":
        this.#member(act);
        break;
      case "profile":
        this.#profile(act);
        break;
      case "presence":
        this.#presenceOf(act);
        break;
      case "typing":
        this.#typing(act);
        break;
      case "gap":
        if (this.#stream !== undefined) this.#stream.hasGap = true;
        break;
      case "resync":
        if (this.#stream !== undefined) this.#stream.hasGap = false;
        this.#send(this.#resync());
        break;
      case "cut":
        this.#cut();
        break;
      case "connect":
        this.#connect(act.replays);
        break;
      default:
        act satisfies never;
    }
    this.check();
  }

  /** What has to hold at any moment: what is called current is what it was at its position, whatever is still underway. */
  check(): void {
    for (const id of ROOMS) {
      const known = this.replica.room(id);
      if (known.status !== "current") continue;
      const was = this.#history[known.state.stream_position]?.get(id);
      const typists = this.replica.typists(id).toSorted();
      const isRight =
        this.#stream !== undefined &&
        Bun.deepEquals(withoutLife(known.state), was) &&
        Bun.deepEquals(known.state.typing.toSorted(), typists);
      if (!isRight) this.#faults.push({ known, was, typists });
    }
  }

  /** What has to hold when all is quiet: the replica is what the server is. */
  checkEnd(): void {
    expect(this.#faults).toEqual([]);
    for (const id of ROOMS) {
      const known = this.replica.room(id);
      expect(known).toMatchObject({ status: "current" });
      if (known.status !== "current") continue;
      const { stream_position: _one, ...held } = sorted(known.state);
      const { stream_position: _other, ...there } = sorted(this.#snapshot(id));
      expect(held).toEqual(there);
      expect(this.replica.typists(id).toSorted()).toEqual(there.typing as string[]);
    }
    for (const id of OTHERS)
      expect(this.replica.presence(id)).toEqual({
        status: "current",
        state: this.#presence.get(id) ?? "offline",
      });
  }

  #message({ room: room_id, by: sender_id }: Extract<ServerAct, { kind: "message" }>): void {
    const facts = this.#facts(room_id);
    if (sender_id !== SELF) facts.unread += 1;
    // Whoever sends has ceased to type.
    if (facts.typing.has(sender_id))
      this.#typing({ kind: "typing", room: room_id, who: sender_id, typing: false });
    this.#append({ type: "swp.room.message", room_id, sender_id });
  }

  #rename({ room: room_id, name }: Extract<ServerAct, { kind: "rename" }>): void {
    const facts = this.#facts(room_id);
    facts.room = { ...facts.room, name };
    this.#append({ type: "swp.room.name", room_id, name });
  }

  #member({ room: room_id, who, membership }: Extract<ServerAct, { kind: "member" }>): void {
    const facts = this.#facts(room_id);
    if (membership !== "join" && facts.typing.has(who))
      this.#typing({ kind: "typing", room: room_id, who, typing: false });
    const known = this.#person(who);
    const joining = member({ id: who, membership, ...(known && { participant: known }) });
    const others = facts.members.filter((each) => each.participant.id !== who);
    facts.members = membership === "leave" ? others : [...others, joining];
    const { presence: _live, ...shown } = memberOf(joining, "", "offline", 0);
    const body = { participant_id: who, membership, member: shown, engagement_mode: null };
    this.#append({ type: "swp.room.member", room_id, ...body });
  }

  #profile({ who, name }: Extract<ServerAct, { kind: "profile" }>): void {
    const changed = participant(who, { display_name: name });
    for (const facts of this.#rooms.values())
      facts.members = facts.members.map((each) =>
        each.participant.id === who ? { ...each, participant: changed } : each,
      );
    this.#names.set(who, changed);
    this.#append({ type: "swp.participant.profile", participant: changed });
  }

  #presenceOf({ who, state }: Extract<ServerAct, { kind: "presence" }>): void {
    this.#presence.set(who, state);
    const told = { participant_id: who, status: state, state };
    this.#send({ type: "presence", tenant_id: "t", ts: TS, ...told });
  }

  #typing({ room: room_id, who, typing }: Extract<ServerAct, { kind: "typing" }>): void {
    const { members, typing: typists } = this.#facts(room_id);
    const isIn = members.some(
      ({ participant: { id }, membership }) => id === who && membership === "join",
    );
    if (!isIn || typing === typists.has(who)) return;
    if (typing) typists.add(who);
    else typists.delete(who);
    this.#send({ type: "typing", tenant_id: "t", room_id, participant_id: who, typing, ts: TS });
  }

  #cut(): void {
    if (this.#stream === undefined) return;
    this.#stream = undefined;
    this.replica.lose(1);
  }

  #connect(replays: boolean): void {
    if (this.#stream !== undefined) return;
    const stream: Stream = { underway: [], hasGap: false };
    this.#stream = stream;
    const since = this.replica.position ?? this.#log.length;
    this.#send(hello({ participant_id: SELF, stream_position: this.#log.length }));
    const missed = this.#log.slice(since);
    if (replays) for (const frame of missed) this.#send(frame);
    else if (missed.length > 0) this.#send(this.#resync());
    // The client subscribes once it has heard the greeting, which takes its time.
    this.#later("subscribe", () => {
      if (this.#stream === stream)
        this.#send({
          type: "presence.snapshot",
          tenant_id: "t",
          ts: TS,
          states: Object.fromEntries(
            [...this.#presence].filter(([, state]) => state !== "offline"),
          ),
        });
    });
  }

  #append(body: Readonly<Record<string, unknown>> & { type: `swp.${string}` }): void {
    const stream_position = this.#log.length + 1;
    const frame = {
      id: `evt-${stream_position}`,
      tenant_id: "t",
      ts: TS,
      stream_position,
      ...body,
    };
    this.#log.push(frame);
    this.#history.push(this.#durable());
    this.#send(frame);
  }

  #send(frame: ServerFrame): void {
    const stream = this.#stream;
    if (stream === undefined || (stream.hasGap && "stream_position" in frame)) return;
    stream.underway.push(frame);
    this.#later("frame", () => {
      // In order: what arrives now is whatever was sent first.
      const first = stream.underway.shift();
      if (this.#stream === stream && first !== undefined) this.replica.hear(first, 0);
      this.#ask();
    });
  }

  #ask(): void {
    for (const asked of this.replica.wanted()) this.#later("request", () => this.#serve(asked));
  }

  #serve(asked: Asked): void {
    const snapshot = this.#snapshot(asked.room_id);
    this.#later("answer", () => {
      this.replica.answer(asked, snapshot, 0);
      this.#ask();
    });
  }

  #later(label: string, arrive: () => void): void {
    void this.#scheduler.schedule(Promise.resolve(), label).then(() => {
      arrive();
      this.check();
    });
  }

  #resync(): ServerFrame {
    return { type: "resync", tenant_id: "t", stream_position: this.#log.length, ts: TS };
  }

  #person(id: string): MemberFacts["participant"] | undefined {
    return this.#names.get(id);
  }

  #facts(room_id: string): Facts {
    const facts = this.#rooms.get(room_id);
    if (facts === undefined) throw new Error(`Cannot find the room "${room_id}"`);
    return facts;
  }

  #record(id: string): RoomRecord {
    const { room: facts, members, unread } = this.#facts(id);
    const joined = members.filter(({ membership }) => membership === "join").length;
    return roomRecord({
      room: { ...facts, member_count: joined },
      members,
      viewer: viewer({ participant_id: SELF }),
      read: read({ unread_count: unread }),
      stream_position: this.#log.length,
    });
  }

  #snapshot(id: string): RoomState {
    const presenceOf = (who: string): VisibleState => this.#presence.get(who) ?? "offline";
    const life = { presenceOf, own: presenceOf(SELF), typists: [...this.#facts(id).typing] };
    return roomState(this.#record(id), life, 0);
  }

  #durable(): Map<string, RoomState> {
    return new Map(ROOMS.map((id) => [id, withoutLife(this.#snapshot(id))]));
  }
}

/** A room without what has no position: presence and typing. */
function withoutLife(state: RoomState): RoomState {
  const members = state.members.map((each) => ({ ...each, presence: "offline" as const }));
  return { ...state, members, typing: [] };
}

function sorted(state: RoomState): RoomState {
  return { ...state, typing: state.typing.toSorted() };
}
