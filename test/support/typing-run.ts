import { expect } from "bun:test";
import { type TypingChange, TypingRegister, type TypingRules } from "@porchlight/core";
import fc from "fast-check";
import { typingRules } from "./builders.ts";
import { isTyping, NO_TYPING, type TypingAct, typed } from "./typing-model.ts";

const ROOMS = ["lobby", "attic"] as const;
const PEOPLE = ["ann", "bob"] as const;

/** An act, `afterMs` after the one before. */
export type TypingStep = Omit<TypingAct, "at"> & { readonly afterMs: number };

/** Lifetimes around the second over which the rate is counted. */
export const anyTypingRules: fc.Arbitrary<TypingRules> = fc
  .record({
    typing_ttl_ms: fc.integer({ min: 100, max: 1_500 }),
    typing_retell_ms: fc.integer({ min: 50, max: 900 }),
    typing_rate: fc.constantFrom(0, 1, 2, 3),
  })
  .map(typingRules);

/** Histories of two people in two rooms. */
export const anyTypingHistory: fc.Arbitrary<TypingStep[]> = fc.array(
  fc.record({
    afterMs: fc.oneof(fc.nat(60), fc.nat(700), fc.constantFrom(0, 1, 1_000, 3_000)),
    room: fc.constantFrom(...ROOMS),
    person: fc.constantFrom(...PEOPLE),
    kind: fc.constantFrom<TypingAct["kind"][]>(
      "publish",
      "publish",
      "publish",
      "publish",
      "stop",
      "stop",
      "leave",
      "lose",
      "hide",
      "freeze",
    ),
    source: fc.constantFrom("laptop", "phone"),
  }),
  { maxLength: 40, size: "max" },
);

/** What the other members of a room have heard of one person, and what happened in fact. */
class Pair {
  readonly room: string;
  readonly person: string;
  story = NO_TYPING;
  typing = false;
  toldAt = Number.NEGATIVE_INFINITY;

  constructor(room: string, person: string) {
    this.room = room;
    this.person = person;
  }
}

/**
 * A register and everything that ever happened to it. After each act, and
 * whenever time alone has work, what was told is compared with what follows
 * from the rules.
 */
export class TypingRun {
  readonly #rules: TypingRules;
  readonly #register: TypingRegister;
  readonly #pairs = ROOMS.flatMap((room) => PEOPLE.map((person) => new Pair(room, person)));
  #now = 0;

  constructor(rules: TypingRules) {
    this.#rules = rules;
    this.#register = new TypingRegister(rules);
  }

  step({ afterMs, ...act }: TypingStep): void {
    this.#passUntil(this.#now + afterMs);
    const happening: TypingAct = { ...act, at: this.#now };
    for (const pair of this.#pairs) pair.story = typed(pair.story, happening, pair, this.#rules);
    for (const change of this.#do(happening)) this.#tell(change, true);
    this.#compare();
  }

  /** Lets time pass until nothing is due any more, and nobody types. */
  rest(): void {
    for (let next = this.#register.nextAt(); next !== undefined; next = this.#register.nextAt())
      this.#passUntil(next);
    expect(this.#pairs.filter(({ typing }) => typing)).toEqual([]);
  }

  /** Goes from one moment at which something is due to the next, and looks just before each. */
  #passUntil(until: number): void {
    for (let next = this.#nextAt(); next <= until; next = this.#nextAt()) {
      expect(next).toBeGreaterThan(this.#now);
      this.#now = next - 1;
      this.#compare();
      this.#now = next;
      for (const change of this.#register.expire(next)) this.#tell(change, false);
      this.#compare();
    }
    this.#now = until;
    this.#compare();
  }

  #nextAt(): number {
    return this.#register.nextAt() ?? Number.POSITIVE_INFINITY;
  }

  #do({ kind, room: room_id, person: participant_id, source }: TypingAct): TypingChange[] {
    const signal = { room_id, participant_id, source };
    const some = (change: TypingChange | undefined): TypingChange[] =>
      change === undefined ? [] : [change];
    switch (kind) {
      case "publish":
        return some(this.#register.start(signal, this.#now));
      case "stop":
        return some(this.#register.stop(signal, this.#now));
      case "leave":
        return this.#register.stopAll(participant_id, { room_id }, this.#now);
      case "lose":
        return this.#register.stopAll(participant_id, { source }, this.#now);
      case "hide":
        return this.#register.stopAll(participant_id, {}, this.#now);
      case "freeze":
        return this.#register.stopRoom(room_id, this.#now);
    }
  }

  /** A start and an end are told when they are news; a start again only when it is due, by the timer alone. */
  #tell({ room_id, participant_id, typing }: TypingChange, byAct: boolean): void {
    const isOf = ({ room, person }: Pair): boolean => room === room_id && person === participant_id;
    const pair = this.#pairs.find(isOf);
    expect(pair).toBeDefined();
    if (pair === undefined) return;
    const again = typing && pair.typing;
    expect(again && byAct).toBe(false);
    if (again) expect(this.#now - pair.toldAt).toBe(this.#rules.typing_retell_ms);
    else expect(typing).not.toBe(pair.typing);
    // What is told holds at that moment, so that nothing is told and taken back at once.
    expect(typing).toBe(isTyping(pair.story, this.#now));
    pair.typing = typing;
    pair.toldAt = this.#now;
  }

  #compare(): void {
    const typing = new Set<string>();
    for (const pair of this.#pairs) {
      const expected = isTyping(pair.story, this.#now);
      // An expectation that holds is slow to state, a million times over.
      if (pair.typing !== expected) expect(pair.typing).toBe(expected);
      if (!expected) continue;
      typing.add(`${pair.room}/${pair.person}`);
      const silentFor = this.#now - pair.toldAt;
      if (silentFor >= this.#rules.typing_retell_ms)
        expect(silentFor).toBeLessThan(this.#rules.typing_retell_ms);
    }
    const typists = ROOMS.flatMap((room) =>
      this.#register.typists(room).map((person) => `${room}/${person}`),
    );
    const agrees = typists.length === typing.size && typists.every((each) => typing.has(each));
    if (!agrees) expect(typists.toSorted()).toEqual([...typing].toSorted());
  }
}
