import type { Person, Reply, TestServer } from "./server.ts";
import type { Frame, StreamClient } from "./stream.ts";

/** What a follower did not expect to hear. */
const GAPS: readonly string[] = ["resync", "error"];

/** A client that has to miss nothing: cut off again and again, it goes on where it ended, by socket or by long poll. */
export class Follower {
  /** The ids of the durable events it was told, in order. */
  readonly events: string[] = [];
  /** Where it began, and where it goes on; `undefined` before it was ever told. */
  begin: number | undefined;
  cursor: number | undefined;
  readonly #person: Person;
  readonly #server: TestServer;
  #stream: StreamClient | undefined;
  #poll: Promise<void> | undefined;

  constructor(person: Person, server: TestServer) {
    this.#person = person;
    this.#server = server;
  }

  /** Opens a socket in the place of what is open. */
  async connect(): Promise<void> {
    await this.cut();
    const since = this.cursor === undefined ? {} : { since: String(this.cursor) };
    const { token } = this.#person;
    this.#stream = await this.#server.stream({ token, presence: "none", ...since });
    // Else it could be cut before the server knows of it, and never have been there.
    if (this.cursor === undefined) this.#take([await this.#stream.type("hello")]);
  }

  /** Ends what is open without a word. What has arrived by then was heard. */
  async cut(): Promise<void> {
    await this.#endPoll();
    this.#take(this.#stream?.taken() ?? []);
    this.#stream?.cut();
    this.#stream = undefined;
  }

  /** Asks what it has missed, and waits for it, or not. */
  async poll(query: { limit: number; timeout: number }): Promise<void> {
    await this.cut();
    const since = this.cursor === undefined ? "" : `&since=${this.cursor}`;
    const asked = this.#person.get(
      `/v1/sync?limit=${query.limit}&timeout=${query.timeout}${since}`,
    );
    this.#poll = asked.then((reply) => this.#answer(reply));
    if (query.timeout === 0) await this.#endPoll();
  }

  /** Stays connected until it has heard of an event, and of nothing that comes after it. */
  async until(id: string | undefined): Promise<void> {
    await this.#endPoll();
    if (this.#stream === undefined) await this.connect();
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#take(stream.taken());
    while (id !== undefined && !this.events.includes(id)) this.#take([await stream.next()]);
    this.#take(await stream.heard());
  }

  #answer({ status, body }: Reply): void {
    if (status !== 200 || body.data.resync !== undefined) throw new Error(JSON.stringify(body));
    this.#take(body.data.events);
    this.cursor = body.data.next_cursor;
    this.begin ??= this.cursor;
  }

  /** A poll that waits for nothing is over when its time is. */
  async #endPoll(): Promise<void> {
    let isOver = this.#poll === undefined;
    const ended = this.#poll?.finally(() => {
      isOver = true;
    });
    this.#poll = undefined;
    while (!isOver) await this.#server.clock.advance(60_000);
    await ended;
  }

  #take(frames: readonly Frame[]): void {
    for (const frame of frames) {
      if (GAPS.includes(frame.type)) throw new Error(JSON.stringify(frame));
      if (frame.type === "hello") this.cursor ??= this.begin = Number(frame.stream_position);
      else if ("stream_position" in frame) {
        this.events.push(String(frame.id));
        this.cursor = Number(frame.stream_position);
      }
    }
  }
}
