import type { PresenceState } from "@porchlight/core";
import type { Words } from "./words.ts";

/** There is not more than one announcement in this time. */
const EVERY_MS = 5_000;
/** More names than these are counted, not named. */
const NAMED = 5;

interface Person {
  readonly id: string;
  readonly name: string;
  readonly state: PresenceState;
}

/** Sentences about who came and went, collected so that they do not chatter. */
export class Announcements {
  readonly #say: (text: string) => void;
  readonly #told = new Map<string, PresenceState>();
  #now: readonly Person[] = [];
  #place: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #words: Words | undefined;

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  /** Takes up who is there now; nothing while that is not known. Whoever is found in a new place is not announced. */
  hear(place: string | undefined, people: readonly Person[] | undefined, words: Words): void {
    this.#words = words;
    if (people === undefined) return;
    this.#now = people;
    if (place !== this.#place) {
      this.#place = place;
      this.#learn();
      return;
    }
    const isNew = people.some(({ id, state }) => this.#told.get(id) !== state);
    if (isNew) this.#timer ??= setTimeout(() => this.#announce(), EVERY_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #announce(): void {
    this.#timer = undefined;
    const changed = this.#now.filter(({ id, state }) => this.#told.get(id) !== state);
    const byState = Map.groupBy(changed, ({ state }) => state);
    const words = this.#words;
    if (words !== undefined && changed.length > 0)
      this.#say(
        [...byState]
          .map(([state, people]) => words.announce.is(namesOf(people, words), words.states[state]))
          .join(". "),
      );
    this.#learn();
  }

  #learn(): void {
    this.close();
    this.#told.clear();
    for (const { id, state } of this.#now) this.#told.set(id, state);
  }
}

function namesOf(people: readonly Person[], words: Words): string {
  if (people.length > NAMED) return words.room.peopleHere(people.length);
  return people.map(({ name }) => name).join(", ");
}
