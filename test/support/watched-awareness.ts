import type { Participant } from "@porchlight/core";
import {
  type AwarenessClient,
  type AwarenessFacts,
  type AwarenessOutcome,
  AwarenessRoom,
  type AwarenessRules,
  type AwarenessTelling,
} from "@porchlight/core/awareness";

/** What a client says of itself; null when it says that there is nothing any more. */
export type Saying = { readonly x: number; readonly typing: boolean } | null;

interface Seat {
  readonly client: AwarenessClient;
  readonly device: string;
}

/**
 * Awareness of one room: Yjs sockets by name, each with an id of its own that
 * it keeps, and watchers who say nothing and hear everything that is for others.
 */
export class WatchedAwareness {
  readonly #room: AwarenessRoom;
  readonly #seats = new Map<string, Seat>();
  readonly #watchers = new Map<string, AwarenessClient>();
  readonly #said = new Map<string, Saying>();
  #clock = 0;

  constructor(rules: Omit<AwarenessRules, "awareness_max_members">, watchers: readonly string[]) {
    this.#room = new AwarenessRoom("lobby", { ...rules, awareness_max_members: 500 });
    for (const who of watchers) this.#watchers.set(who, this.#room.join(who, "watch", 0));
  }

  has(person: string): boolean {
    return this.#room.has(person);
  }

  setMember(person: string, member: Participant | undefined): void {
    this.#room.setMember(person, member);
  }

  touch(person: string): void {
    this.#room.touch(person);
  }

  /** What a socket has said last; an empty state before it says anything. */
  saidBy(name: string): Saying {
    const said = this.#said.get(name);
    return said === undefined ? { x: 0, typing: false } : said;
  }

  /** A socket opens, and says right away what it is to say. One of the same name gives way to it. */
  enter(name: string, person: string, device: string, saying: Saying, now: number): void {
    const old = this.#seats.get(name);
    this.#seats.set(name, { client: this.#room.join(person, device, now), device });
    this.say(name, saying, now);
    if (old !== undefined) this.#room.leave(old.client);
  }

  /** A socket says something; answers what came of it. */
  say(name: string, saying: Saying, now: number): AwarenessOutcome | undefined {
    const seat = this.#seats.get(name);
    if (seat === undefined) return undefined;
    this.#said.set(name, saying);
    this.#clock += 1;
    const id = idOf(name);
    const isNull = saying === null;
    const claim = this.#room.claim(seat.client, { id, clock: this.#clock, isNull }, now);
    if (claim !== "own") return undefined;
    const text = isNull ? null : JSON.stringify(saying);
    return this.#room.say(seat.client, { id, clock: this.#clock, text });
  }

  /** A socket is gone, and lingers if it was lost; what one that signed off has said is forgotten. */
  part(name: string, lingersUntil: number | undefined): void {
    const seat = this.#seats.get(name);
    this.#seats.delete(name);
    if (lingersUntil === undefined) this.#said.delete(name);
    if (seat === undefined) return;
    if (lingersUntil === undefined) this.#room.leave(seat.client);
    else this.#room.lose(seat.client, lingersUntil);
  }

  signOff(person: string, device: string): void {
    this.#room.signOff(person, device);
  }

  nextAt(): number | undefined {
    return this.#room.nextAt();
  }

  /** Tells what there is to tell. Answers it by watcher, and which sockets turn out to type. */
  tell(
    facts: AwarenessFacts,
    now: number,
  ): { heard: readonly (readonly [watcher: string, lines: string[]])[]; typing: string[] } {
    const { tellings, typing } = this.#room.tell(facts, now);
    const others = tellings.filter(({ to }) => to === "others");
    const heard = [...this.#watchers.keys()].map((who) => {
      const isTold = this.#room.has(who);
      const lines = others.filter(({ participant_id }) => isTold && participant_id !== who);
      return [who, lines.map(lineOf)] as const;
    });
    const names = [...this.#seats].filter(([, { client }]) => typing.includes(client));
    return { heard, typing: names.map(([name]) => name) };
  }

  /** What a watcher is answered who asks for everything. */
  snapshot(watcher: string, now: number): string[] {
    if (!this.#room.has(watcher)) return [];
    const all = this.#room.snapshot(now);
    const others = all.filter(({ participant_id }) => participant_id !== watcher);
    return others.map(lineOf).sort();
  }
}

/** The id of a socket: chance would not be the same in two histories. */
function idOf(name: string): number {
  return [...name].reduce((id, letter) => (id * 31 + letter.charCodeAt(0)) % 2 ** 31, 7);
}

/** A clock is a time of the server's: the same thing can have another where more happened before. */
function lineOf({ id, text, participant_id }: AwarenessTelling): string {
  return JSON.stringify({ type: "awareness", participant_id, id, text });
}
