import { now, pass, within } from "../peers/waiting.ts";
import { indexAt } from "./company.ts";
import { TENANT } from "./people.ts";
import { openSockets, RawSocket } from "./raw-sockets.ts";

/** How the client in core comes back: at once, and then after up to 1, 2, 4 … 30 s, each at another moment. */
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
/** Whoever is not back by then will not be. */
const GIVEN_UP_MS = 60_000;
/** Of most frames the type is within the first so many bytes; those of events begin with what happened. */
const HEAD = 40;
/** Where the digits of an id stand in a frame of presence. */
const ID_AT = `{"type":"presence","tenant_id":"${TENANT}","participant_id":"p`.length;

/** How those of a herd come, and when they are back. */
export interface Manner {
  /** Where somebody opens a stream who has heard everything up to `since`, or who comes first. */
  readonly target: (person: number, since: number | undefined) => string;
  /** What they say after the server's `hello`, if anything. */
  readonly asks: string | undefined;
  /** The message after which somebody is back. */
  readonly until: string;
}

/** Of whom a herd is. */
export interface Range {
  readonly first: number;
  readonly people: number;
}

/** How a return went. */
export interface Return {
  /** For each, how long after the first tried, in milliseconds. */
  readonly backMs: Float64Array;
  /** Handshakes that failed, after which somebody waited. */
  readonly failures: number;
}

/** Many people who lose their connections at the same moment, and come back as clients do. */
export class Herd {
  /** Frames that told somebody of another's presence, since they were counted last. */
  presenceFrames = 0;
  /** Messages that were told, since they were counted last. */
  messages = 0;
  /** What the server said first to the first of them. */
  hello = "";
  readonly #url: string;
  readonly #first: number;
  readonly #people: number;
  readonly #sockets: RawSocket[] = [];
  readonly #positions: Float64Array;
  readonly #arrivals: Float64Array;
  #manner: Manner;
  #arrived = 0;
  #failures = 0;
  #all = Promise.withResolvers<void>();

  private constructor(url: string, { first, people }: Range, manner: Manner) {
    this.#url = url;
    this.#first = first;
    this.#people = people;
    this.#manner = manner;
    this.#positions = new Float64Array(people);
    this.#arrivals = new Float64Array(people);
  }

  /** Resolves when all have come, some at a time. */
  static async come(url: string, who: Range, manner: Manner): Promise<Herd> {
    const herd = new Herd(url, who, manner);
    const target = (index: number): string => manner.target(who.first + index, undefined);
    const opening = { url, target, listener: herd.#listener };
    herd.#sockets.push(...(await openSockets(opening, who.people)));
    await herd.#all.promise;
    return herd;
  }

  /** All say something. */
  say(text: string): void {
    for (const socket of this.#sockets) socket.say(text);
  }

  /** Cuts every connection, without a close frame. */
  cut(by: "RST" | "FIN"): void {
    for (const socket of this.#sockets) socket.cut(by);
  }

  /** All come back at once. Resolves when they are. */
  async return(manner: Manner): Promise<Return> {
    this.#manner = manner;
    this.#arrived = this.#failures = 0;
    this.#all = Promise.withResolvers();
    const from = now();
    for (let index = 0; index < this.#people; index += 1) void this.#returnOne(index);
    const all = this.#all.promise.then(() => true);
    if ((await within(GIVEN_UP_MS, all)) === undefined)
      throw new Error(`Only ${this.#arrived} of ${this.#people} came back`);
    return { backMs: this.#arrivals.map((at) => at - from), failures: this.#failures };
  }

  async #returnOne(index: number): Promise<void> {
    const target = (): string => this.#manner.target(this.#first + index, this.#positions[index]);
    const opening = { url: this.#url, target, listener: this.#listener };
    for (let failures = 0; ; failures += 1) {
      try {
        this.#sockets[index] = await RawSocket.open(opening, index);
        return;
      } catch {
        this.#failures += 1;
        const most = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures);
        await pass(Math.random() * most);
      }
    }
  }

  readonly #listener = {
    message: (socket: RawSocket, bytes: Buffer, from: number, to: number): void => {
      const type = typeOf(bytes, from, to);
      if (type === "hello") this.#greeted(socket, bytes.toString("latin1", from, to));
      else if (type === "presence") this.#presence(socket, indexAt(bytes, from + ID_AT));
      else if (type === "swp.room.message") {
        this.messages += 1;
        this.#positions[socket.index] = positionIn(bytes.toString("latin1", from, to));
      }
      if (type === this.#manner.until) this.#isBack(socket);
    },
  };

  #greeted(socket: RawSocket, text: string): void {
    if (socket.index === 0) this.hello = text;
    this.#positions[socket.index] ||= positionIn(text);
    if (this.#manner.asks !== undefined) socket.say(this.#manner.asks);
  }

  #presence({ index }: RawSocket, person: number): void {
    if (person !== this.#first + index) this.presenceFrames += 1;
  }

  #isBack({ index }: RawSocket): void {
    this.#arrivals[index] = now();
    this.#arrived += 1;
    if (this.#arrived === this.#people) this.#all.resolve();
  }
}

function typeOf(bytes: Buffer, from: number, to: number): string {
  const head = bytes.toString("latin1", from, Math.min(to, from + HEAD));
  const first = /^\{"type":"([a-z._]+)"/.exec(head)?.[1];
  if (first !== undefined) return first;
  return /"type":"(swp\.[a-z._]+)"/.exec(bytes.toString("latin1", from, to))?.[1] ?? "";
}

function positionIn(text: string): number {
  return Number(/"stream_position":(\d+)/.exec(text)?.[1] ?? 0);
}
