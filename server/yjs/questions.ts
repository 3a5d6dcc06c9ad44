import { DeadlineQueue, type Due } from "@porchlight/core";
import { Alarm, type Clock } from "@porchlight/core/clock";

/** So long the answers of other nodes are waited for. */
const ANSWERED_WITHIN_MS = 250;

interface Question<T> extends Due {
  readonly about: T;
  /** Nodes that have not answered. */
  readonly nodes: Set<string>;
  readonly answered: Promise<void>;
  readonly end: () => void;
}

/** What other nodes were asked about, and which of them have not answered: each is waited for, but not for long. */
export class Questions<T> {
  readonly #open = new Map<T, Question<T>>();
  readonly #queue = new DeadlineQueue<Question<T>>();
  readonly #alarm: Alarm;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#alarm = new Alarm(
      clock,
      () => clock.elapsed(),
      () => this.#ring(),
    );
  }

  /** Resolves when all have answered who were asked about something, or were waited for; nothing when nobody is. */
  about(about: T): Promise<void> | undefined {
    return this.#open.get(about)?.answered;
  }

  /** Whether a node is yet to answer. */
  awaits(about: T, node: string): boolean {
    return this.#open.get(about)?.nodes.has(node) ?? false;
  }

  /** Nodes are asked. Resolves as {@link about} does. */
  ask(about: T, nodes: readonly string[]): Promise<void> {
    if (nodes.length === 0) return this.about(about) ?? Promise.resolve();
    const question = this.#open.get(about) ?? this.#newQuestion(about);
    for (const node of nodes) question.nodes.add(node);
    return question.answered;
  }

  /** A node has answered, or never will. */
  answered(about: T, node: string): void {
    const question = this.#open.get(about);
    if (question?.nodes.delete(node) && question.nodes.size === 0) this.#end(question);
  }

  /** A node is no more. */
  gone(node: string): void {
    for (const about of [...this.#open.keys()]) this.answered(about, node);
  }

  /** Waits for nobody any more. */
  stop(): void {
    this.#alarm.stop();
    for (const question of [...this.#open.values()]) this.#end(question);
  }

  #newQuestion(about: T): Question<T> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const question = { about, nodes: new Set<string>(), answered: promise, end: resolve };
    const due = Object.assign(question, { dueAt: 0, queuedAt: -1 });
    this.#open.set(about, due);
    this.#queue.set(due, this.#clock.elapsed() + ANSWERED_WITHIN_MS);
    this.#alarm.by(this.#queue.nextAt());
    return due;
  }

  #ring(): void {
    const now = this.#clock.elapsed();
    for (let due = this.#queue.take(now); due !== undefined; due = this.#queue.take(now))
      this.#end(due);
    this.#alarm.by(this.#queue.nextAt());
  }

  #end(question: Question<T>): void {
    this.#queue.delete(question);
    this.#open.delete(question.about);
    question.end();
  }
}
