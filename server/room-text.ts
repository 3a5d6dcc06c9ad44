import {
  engagementOf,
  type MemberFacts,
  memberOf,
  membersOf,
  type RoomLife,
  roomState,
} from "@porchlight/core";
import type { RoomReading } from "./store/store.ts";

/** A snapshot of so many characters at most is kept whole, for each viewer. */
const WHOLE_MAX = 8_192;
/** What stands for a presence in the text of a member, until there is one. */
const PRESENCE = '"presence":"offline"';
const PRESENCE_BEFORE = '"presence":"'.length;

/** What is live about a room, and what tells whether that has changed. */
export interface LifeNow extends RoomLife {
  /** See `LivenessRegister.tellings`. */
  readonly tellings: number;
}

interface Whole {
  readonly json: string;
  readonly tellings: number;
  readonly own: string;
  readonly typing: string;
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
  readonly #members = new WeakMap<readonly MemberFacts[], MemberTexts>();
  readonly #wholes = new WeakMap<RoomReading, Whole>();
  /** Members of which a text was asked for once: it is kept from the second time on. */
  readonly #seen = new WeakSet<readonly MemberFacts[]>();

  /** The snapshot of a room. @param now Unix milliseconds. */
  state(reading: RoomReading, life: LifeNow, now: number): string {
    const known = this.#wholes.get(reading);
    const { tellings, own } = life;
    const typing = life.typists.join(" ");
    const isCurrent = known?.tellings === tellings && known.own === own && known.typing === typing;
    if (known !== undefined && isCurrent && now < known.until) return known.json;
    const members = this.members(reading, life, now);
    const bare = roomState({ ...reading, members: [] }, life, now);
    const engagement = engagementOf(reading.room, reading.members);
    const { room, members: _, ...rest } = { ...bare, engagement };
    const json = `{"room":${JSON.stringify(room)},"members":${members},${JSON.stringify(rest).slice(1)}`;
    if (json.length <= WHOLE_MAX) {
      const { muted_until } = reading.viewer;
      const until = muted_until !== null && muted_until > now ? muted_until : Infinity;
      this.#wholes.set(reading, { json, tellings, own, typing, until });
    }
    return json;
  }

  /** The members of a room. @param now Unix milliseconds. */
  members({ members, viewer }: RoomReading, life: LifeNow, now: number): string {
    const self = viewer.participant_id;
    if (!this.#seen.has(members)) {
      this.#seen.add(members);
      const presenceOf = (id: string) => (id === self ? life.own : life.presenceOf(id));
      return JSON.stringify(membersOf(members, self, presenceOf, now));
    }
    const texts = this.#members.get(members) ?? new MemberTexts(members);
    this.#members.set(members, texts);
    return texts.of(self, life, now);
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

  of(self: string, life: LifeNow, now: number): string {
    if (life.tellings !== this.#tellings) this.#join(life);
    const own = this.#facts.get(self);
    if (own === undefined) return `[${this.#others}]`;
    const text = JSON.stringify(memberOf(own.facts, self, life.own, now));
    const start = this.#starts[own.place] ?? 0;
    const end = (this.#starts[own.place + 1] ?? this.#others.length + 1) - 1;
    return `[${this.#others.slice(0, start)}${text}${this.#others.slice(end)}]`;
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
    this.#tellings = tellings;
  }
}
