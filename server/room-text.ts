import {
  engagementOf,
  type MemberFacts,
  memberOf,
  membersOf,
  type RoomLife,
  roomState,
} from "@porchlight/core";
import type { RoomReading } from "./store/store.ts";

/** What stands for a presence in the text of a member, until there is one. */
const PRESENCE = '"presence":"offline"';
const PRESENCE_BEFORE = '"presence":"'.length;

/** What is live about a room, and what tells whether that has changed. */
export interface LifeNow extends RoomLife {
  /** See `LivenessRegister.tellings`. */
  readonly tellings: number;
}

/** JSON that is ready, and what tells it from any other of the same request. */
export interface ReadyText {
  readonly json: string;
  readonly tag: string;
}

/** The text of a snapshot around its members. */
interface Frame {
  readonly head: string;
  readonly tail: string;
  readonly tag: string;
  readonly typists: string;
  /** When a mute of the viewer's runs out, in Unix milliseconds. */
  readonly until: number;
}

/**
 * Rooms as JSON: what core's `roomState` and `membersOf` make of a reading, put
 * together from texts that are made once. They are kept with the objects of
 * the store that they were made of: a store that answers others has changed,
 * or keeps nothing.
 */
export class RoomTexts {
  readonly #frames = new WeakMap<RoomReading, Frame>();
  readonly #members = new WeakMap<readonly MemberFacts[], MemberTexts>();

  /** The snapshot of a room. @param now Unix milliseconds. */
  state(reading: RoomReading, life: LifeNow, now: number): ReadyText {
    const { head, tail, tag } = this.#frame(reading, life, now);
    const members = this.members(reading, life, now);
    return { json: head + members.json + tail, tag: members.tag + tag };
  }

  /** The members of a room. @param now Unix milliseconds. */
  members({ members, viewer }: RoomReading, life: LifeNow, now: number): ReadyText {
    const texts = this.#members.get(members) ?? new MemberTexts(members);
    this.#members.set(members, texts);
    return texts.of(viewer.participant_id, life, now);
  }

  #frame(reading: RoomReading, life: LifeNow, now: number): Frame {
    const known = this.#frames.get(reading);
    const typists = life.typists.join(" ");
    if (known !== undefined && known.typists === typists && now < known.until) return known;
    const engagement = engagementOf(reading.room, reading.members);
    const {
      room,
      members: _,
      ...rest
    } = {
      ...roomState({ ...reading, members: [] }, life, now),
      engagement,
    };
    const head = `{"room":${JSON.stringify(room)},"members":`;
    const tail = `,${JSON.stringify(rest).slice(1)}`;
    const { muted_until } = reading.viewer;
    const until = muted_until !== null && muted_until > now ? muted_until : Infinity;
    const frame = { head, tail, tag: hashOf(head + tail), typists, until };
    this.#frames.set(reading, frame);
    return frame;
  }
}

/** The members of a room as others see them, and in the eyes of each the one that they are. */
class MemberTexts {
  /** In the order in which the room lists them. */
  readonly #ids: readonly string[];
  readonly #facts: ReadonlyMap<string, { readonly place: number; readonly facts: MemberFacts }>;
  /** Of each the text before its presence, and after. */
  readonly #heads: readonly string[];
  readonly #tails: readonly string[];
  #others = "";
  #tag = "";
  /** Where the text of each begins in that of all. */
  #starts: number[] = [];
  #tellings = -1;

  constructor(members: readonly MemberFacts[]) {
    const shown = membersOf(members, "", () => "offline", 0);
    const texts = shown.map((each) => JSON.stringify(each));
    const cuts = texts.map((text) => text.indexOf(PRESENCE) + PRESENCE_BEFORE);
    this.#ids = shown.map(({ participant_id }) => participant_id);
    this.#heads = texts.map((text, place) => text.slice(0, cuts[place]));
    this.#tails = texts.map((text, place) => text.slice((cuts[place] ?? 0) + "offline".length));
    const facts = new Map(members.map((each) => [each.participant.id, each]));
    this.#facts = new Map(
      this.#ids.flatMap((id, place) => {
        const own = facts.get(id);
        return own === undefined ? [] : [[id, { place, facts: own }] as const];
      }),
    );
  }

  of(self: string, life: LifeNow, now: number): ReadyText {
    if (life.tellings !== this.#tellings) this.#join(life);
    const own = this.#facts.get(self);
    if (own === undefined) return { json: `[${this.#others}]`, tag: this.#tag };
    const text = JSON.stringify(memberOf(own.facts, self, life.own, now));
    const start = this.#starts[own.place] ?? 0;
    const end = (this.#starts[own.place + 1] ?? this.#others.length + 1) - 1;
    const json = `[${this.#others.slice(0, start)}${text}${this.#others.slice(end)}]`;
    return { json, tag: this.#tag + hashOf(text) };
  }

  #join({ presenceOf, tellings }: LifeNow): void {
    this.#starts = [];
    let length = 0;
    const texts = this.#ids.map((id, place) => {
      const text = `${this.#heads[place]}${presenceOf(id)}${this.#tails[place]}`;
      this.#starts.push(length);
      length += text.length + 1;
      return text;
    });
    this.#others = texts.join(",");
    this.#tag = hashOf(this.#others);
    this.#tellings = tellings;
  }
}

function hashOf(text: string): string {
  return Bun.hash(text).toString(36);
}
