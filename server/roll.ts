import type { LivenessRegister, Moment } from "@porchlight/core";

/**
 * Everyone of a tenant whom others see as something else than offline, as JSON
 * in the order of their ids: what core's `snapshot` says to each viewer. The
 * text is made when it is first asked for after somebody was told to be in
 * another state; each viewer's own entry is put into it.
 */
export class Roll {
  readonly #register: LivenessRegister;
  #tellings = -1;
  #text = "";
  #ids: readonly string[] = [];
  /** Where each entry begins; and at the end, where one more would. */
  #starts: number[] = [0];

  constructor(register: LivenessRegister) {
    this.#register = register;
  }

  /** The states that a viewer sees, by id. */
  textFor(viewerId: string, now: Moment): string {
    if (this.#tellings !== this.#register.tellings) this.#make();
    const place = this.#placeOf(viewerId);
    const isIn = this.#ids[place] === viewerId;
    const own = this.#register.stateFor(viewerId, viewerId, now);
    const before = this.#text.slice(0, this.#starts[place]);
    const after = this.#text.slice(this.#starts[isIn ? place + 1 : place]);
    const entry = own === "offline" ? "" : entryOf(viewerId, own);
    return `{${(before + entry + after).slice(0, -1)}}`;
  }

  #make(): void {
    const entries = [...this.#register.toldOnline()].sort(([a], [b]) => (a < b ? -1 : 1));
    this.#ids = entries.map(([id]) => id);
    this.#starts = [0];
    let length = 0;
    const texts = entries.map(([id, state]) => {
      const text = entryOf(id, state);
      length += text.length;
      this.#starts.push(length);
      return text;
    });
    this.#text = texts.join("");
    this.#tellings = this.#register.tellings;
  }

  /** The place at which an id is, or would be. */
  #placeOf(id: string): number {
    let [from, to] = [0, this.#ids.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#ids[middle] ?? "") < id) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

/** Somebody's state by their id, with the comma that sets it apart from the next. */
export function entryOf(id: string, state: string): string {
  // Hardly any id has something in it that is to be written otherwise.
  return `${PLAIN.test(id) ? `"${id}"` : JSON.stringify(id)}:"${state}",`;
}

const PLAIN = /^[\w.,:@-]*$/;
