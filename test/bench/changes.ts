import { systemClock } from "@porchlight/core/clock";
import { headersOf } from "./people.ts";
import type { Subject } from "./subject.ts";

/** Devices of people that wake and doze off in turn, so often, until it is disposed of. */
export class Changes implements AsyncDisposable {
  readonly #subject: Subject;
  readonly #people: readonly string[];
  readonly #everyMs: number;
  readonly #clock = systemClock();
  #count = 0;
  #last: Promise<unknown> = Promise.resolve();
  #cancel: () => void = () => undefined;

  constructor(subject: Subject, people: readonly string[], everyMs: number) {
    this.#subject = subject;
    this.#people = people;
    this.#everyMs = everyMs;
    this.#next();
  }

  #next(): void {
    this.#cancel = this.#clock.timer(this.#everyMs, () => {
      this.#last = this.#change().then(() => this.#next());
    });
  }

  async #change(): Promise<void> {
    const round = Math.floor(this.#count / this.#people.length);
    const person = this.#people[this.#count % this.#people.length] ?? "";
    this.#count += 1;
    const response = await fetch(`${this.#subject.url}/v1/me/heartbeat`, {
      method: "POST",
      headers: headersOf(person),
      body: JSON.stringify({ device_id: "laptop", state: round % 2 === 0 ? "online" : "idle" }),
    });
    if (!response.ok) throw new Error(`Cannot change presence: ${await response.text()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel();
    await this.#last;
    this.#cancel();
  }
}
