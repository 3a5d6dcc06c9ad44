import { frameBytes } from "../support/websocket.ts";
import { indexAt, personOf } from "./company.ts";
import { openSockets, type RawSocket } from "./raw-sockets.ts";

/** How a server is spoken to by those in a room. */
export interface Dialect {
  readonly target: (index: number) => string;
  /** What a client says after the handshake, if it has to. */
  readonly greets?: (index: number) => string;
  /** Whether a message says that its receiver is in the room. */
  readonly isIn: (message: string) => boolean;
  /** What a client says once all are in the room. */
  readonly settles?: string;
  /** What is answered to a message that asks for an answer. */
  readonly answers?: Readonly<Record<string, string>>;
  readonly asks: (typing: boolean) => string;
  /** What others are told, but for the time in it. */
  readonly tells: (participant: string, typing: boolean) => string;
}

const TRUE = "t".charCodeAt(0);
/** Typists have one message under way each. */
const MOST_TYPISTS = 20;

/**
 * Everyone in one room, each on a socket of their own. Some of them type: each
 * begins or ceases as soon as what they did before has arrived at everybody else,
 * so that as many broadcasts are in flight as there are typists.
 */
export class Hall {
  readonly members: number;
  /** Messages of typing that have arrived. */
  delivered = 0;
  readonly #dialect: Dialect;
  readonly #form: Form;
  #sockets: readonly RawSocket[] = [];
  /** By typist: what they said last, how many have not heard it, and how often they said something. */
  readonly #isTyping = new Array<boolean>(MOST_TYPISTS).fill(false);
  readonly #missing = new Int32Array(MOST_TYPISTS);
  readonly #said = new Uint32Array(MOST_TYPISTS);
  /** By member: how much they heard, and, for each typist, what last. */
  readonly #heard: Uint32Array;
  readonly #last: Uint8Array;
  readonly #ask: Readonly<Record<"true" | "false", Buffer>>;
  #isOpen = false;
  #busy = 0;
  #settled = Promise.withResolvers<void>();
  #inside = 0;
  readonly #allInside = Promise.withResolvers<void>();

  private constructor(dialect: Dialect, members: number) {
    this.members = members;
    this.#dialect = dialect;
    this.#form = new Form(dialect);
    this.#heard = new Uint32Array(members);
    this.#last = new Uint8Array(members * MOST_TYPISTS);
    this.#ask = {
      true: frameBytes({ payload: dialect.asks(true) }),
      false: frameBytes({ payload: dialect.asks(false) }),
    };
  }

  /** Resolves once all are in the room. */
  static async open(url: string, dialect: Dialect, members: number): Promise<Hall> {
    const hall = new Hall(dialect, members);
    const listener = {
      message: (socket: RawSocket, bytes: Buffer, from: number, to: number) =>
        hall.#hear(socket, bytes, from, to),
      closed: ({ index }: RawSocket) => {
        if (!hall.#isClosed)
          throw new Error(`Cannot go on as socket ${index} of ${url} was closed`);
      },
    };
    const { target, greets, settles } = dialect;
    hall.#sockets = await openSockets({ url, target, listener, greets }, members);
    await hall.#allInside.promise;
    if (settles !== undefined) for (const socket of hall.#sockets) socket.say(settles);
    return hall;
  }

  #isClosed = false;

  /** So many begin to type. */
  start(typists: number): void {
    this.#isOpen = true;
    this.#busy = typists;
    this.#settled = Promise.withResolvers();
    for (let typist = 0; typist < typists; typist += 1) this.#say(typist);
  }

  /** Nobody types any more. Resolves once everybody has heard so. */
  async settle(): Promise<void> {
    this.#isOpen = false;
    await this.#settled.promise;
  }

  /** Throws unless everybody has heard everything that the others said, each as often as it was said, and what was last of each. */
  check(): void {
    const all = this.#said.reduce((sum, said) => sum + said, 0);
    for (let member = 0; member < this.members; member += 1) {
      const expected = all - (this.#said[member] ?? 0);
      if (this.#heard[member] === expected) continue;
      throw new Error(`${personOf(member)} heard ${this.#heard[member]} of ${expected} messages`);
    }
    if (this.#last.includes(1)) throw new Error("Somebody takes somebody for typing who is not");
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.cut("RST");
  }

  #say(typist: number): void {
    const typing = !this.#isTyping[typist];
    this.#isTyping[typist] = typing;
    this.#missing[typist] = this.members - 1;
    this.#said[typist] = (this.#said[typist] ?? 0) + 1;
    this.#sockets[typist]?.send(this.#ask[`${typing}`]);
  }

  #hear(socket: RawSocket, bytes: Buffer, from: number, to: number): void {
    if (!this.#form.fits(bytes, from, to)) {
      this.#hearOther(socket, bytes.toString("latin1", from, to));
      return;
    }
    const typist = indexAt(bytes, from + this.#form.idAt);
    const typing = bytes[from + this.#form.typingAt] === TRUE;
    if (typing !== this.#isTyping[typist] || typist === socket.index)
      throw new Error(`${personOf(socket.index)} heard what ${personOf(typist)} has not said`);
    this.delivered += 1;
    this.#heard[socket.index] = (this.#heard[socket.index] ?? 0) + 1;
    this.#last[socket.index * MOST_TYPISTS + typist] = typing ? 1 : 0;
    const missing = (this.#missing[typist] ?? 0) - 1;
    this.#missing[typist] = missing;
    if (missing === 0) this.#arrived(typist);
  }

  /** Everybody has heard what somebody said. */
  #arrived(typist: number): void {
    // Whoever types at the end has to cease.
    if (this.#isOpen || this.#isTyping[typist]) this.#say(typist);
    else {
      this.#busy -= 1;
      if (this.#busy === 0) this.#settled.resolve();
    }
  }

  #hearOther(socket: RawSocket, message: string): void {
    const { answers, isIn } = this.#dialect;
    const answer = answers?.[message];
    if (answer !== undefined) socket.say(answer);
    if (!isIn(message)) return;
    this.#inside += 1;
    if (this.#inside === this.members) this.#allInside.resolve();
  }
}

/** Where in a message of typing its parts stand: those of one server differ in digits and the time alone. */
class Form {
  readonly idAt: number;
  readonly typingAt: number;
  readonly #lengths: readonly number[];
  readonly #kindAt: number;

  constructor({ tells }: Dialect) {
    const [begun, ended] = [tells(personOf(0), true), tells(personOf(0), false)];
    this.idAt = begun.indexOf(personOf(0)) + 1;
    this.typingAt = begun.indexOf('"typing":') + '"typing":'.length;
    this.#lengths = [begun.length, ended.length];
    this.#kindAt = begun.indexOf('"type":"') + '"type":"'.length;
  }

  /** Whether a message is one of typing. */
  fits(bytes: Buffer, from: number, to: number): boolean {
    return this.#lengths.includes(to - from) && bytes[from + this.#kindAt] === TRUE;
  }
}
