import { EventEmitter } from "node:events";

type Answer = (event: unknown, ...said: unknown[]) => unknown;

/** Who has said something: the page, and the frame in it. */
export interface Sender {
  readonly sender: unknown;
  readonly senderFrame: {
    readonly url: string;
    readonly origin: string;
    readonly parent: object | null;
  } | null;
}

/** `ipcMain`, and what pages say to it. */
export class IpcMain extends EventEmitter {
  readonly #answers = new Map<string, Answer>();

  handle(channel: string, answer: Answer): void {
    if (this.#answers.has(channel)) throw new Error(`"${channel}" is answered already`);
    this.#answers.set(channel, answer);
  }

  removeHandler(channel: string): void {
    this.#answers.delete(channel);
  }

  /** What a page is answered; an error as Electron words it. */
  async invoked(
    from: Sender,
    channel: string,
    said: readonly unknown[],
  ): Promise<{ error?: string; value?: unknown }> {
    const answer = this.#answers.get(channel);
    if (answer === undefined) return { error: `Error: No handler registered for '${channel}'` };
    try {
      return { value: structuredClone(await answer(from, ...said)) };
    } catch (error) {
      return { error: String(error) };
    }
  }

  /** A page has said something and awaits no answer. */
  said(from: Sender, channel: string, said: readonly unknown[]): void {
    this.emit(channel, from, ...said);
  }
}
