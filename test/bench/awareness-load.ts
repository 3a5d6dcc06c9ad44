import type { Socket } from "bun";
import { now, pass, within } from "../peers/waiting.ts";
import { upgradeOf } from "../support/raw.ts";
import { frameBytes, OPCODE } from "../support/websocket.ts";
import { MESSAGE } from "../support/yjs-wire.ts";
import {
  Cursor,
  entryOf,
  FRAME_HEAD_BYTES,
  type Frame,
  frameAt,
  IDS_FROM,
  messageOf,
  momentOf,
  stampOf,
  stateAt,
  writeFrameHead,
} from "./awareness-wire.ts";

const HEAD_END = "\r\n\r\n";
/** So many connections are opened at once. */
const BATCH = 25;
const SETTLES_WITHIN_MS = 60_000;
const SCRATCH_BYTES = 2 ** 22;

/** How a server is entered. */
export interface Door {
  readonly port: number;
  /** What the `index`-th client asks for. */
  readonly target: (index: number) => string;
  /** What stands before every message, either way. */
  readonly prefix: Uint8Array;
  /** Messages with which every connection begins. */
  readonly greeting: readonly Uint8Array[];
}

/** How much a crowd says. */
export interface Load {
  readonly clients: number;
  readonly senders: number;
  readonly hertz: number;
  /** Whether every client sends back each entry it received, as y-websocket does. */
  readonly isEchoing: boolean;
}

/** What arrived while somebody looked. */
export class Samples {
  /** Changes that arrived at somebody else, each for each. */
  entries = 0;
  bytes = 0;
  /** From when each was to be sent until it arrived. */
  readonly delays: number[] = [];
  /** How late each was sent. */
  readonly late: number[] = [];
}

interface Client {
  readonly index: number;
  readonly opened: PromiseWithResolvers<void>;
  socket: Socket<Client> | undefined;
  isOpen: boolean;
  /** What has come of a frame that is not complete. */
  rest: Uint8Array | undefined;
  /** What the kernel has not taken yet. */
  readonly unsent: Uint8Array[];
  clock: number;
}

/**
 * Everybody in one room of one server, on a TCP connection each. Those who say
 * something do so at moments that are fixed beforehand, whatever the server
 * does meanwhile; each state holds the moment at which it was to be sent.
 */
export class Crowd implements Disposable {
  /** What is added to from what arrives. */
  samples: Samples | undefined;
  /** When everybody last said something. */
  renewedAt = 0;
  readonly #door: Door;
  readonly #load: Load;
  readonly #clients: Client[] = [];
  readonly #cursor = new Cursor();
  readonly #scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
  #scratched = 0;
  /** What each said last. */
  readonly #sent: Float64Array;
  /** By receiver and sender, what was heard last, and with which clock. */
  readonly #heard: Float64Array;
  readonly #clocks: Float64Array;
  /** When each sender is next to say something. */
  readonly #phases: readonly number[];
  /** How many have not heard the last of how many. */
  #behind = 0;
  /** How many pings are not answered. */
  #pings = 0;
  #wake = (): void => undefined;
  #lost: string | undefined;

  private constructor(door: Door, load: Load) {
    const { clients, senders, hertz } = load;
    this.#door = door;
    this.#load = load;
    this.#sent = new Float64Array(clients);
    this.#heard = new Float64Array(clients * clients);
    this.#clocks = new Float64Array(clients * clients);
    this.#phases = Array.from({ length: senders }, () => (Math.random() * 1_000) / hertz);
  }

  /** Everybody comes, and says who they are. Resolves when all know of all. */
  static async enter(door: Door, load: Load): Promise<Crowd> {
    const crowd = new Crowd(door, load);
    for (let from = 0; from < load.clients; from += BATCH) {
      const count = Math.min(BATCH, load.clients - from);
      await Promise.all(Array.from({ length: count }, (_, index) => crowd.#open(from + index)));
    }
    await crowd.renew();
    return crowd;
  }

  /** Everybody says something anew, so that nobody takes them for gone. Resolves when all have heard it of all. */
  async renew(): Promise<void> {
    this.renewedAt = now();
    for (const client of this.#clients) this.#say(client, now());
    await this.settled();
  }

  /** Those who say something do so for so long. */
  async talk(ms: number): Promise<void> {
    const period = 1_000 / this.#load.hertz;
    const [from, until] = [now(), now() + ms];
    const due = this.#phases.map((phase) => from + phase);
    for (let at = from; at < until; at = now()) {
      let next = until;
      for (const [index, dueAt] of due.entries()) {
        let moment = dueAt;
        for (; moment <= at; moment += period) this.#change(index, moment, at);
        due[index] = moment;
        next = Math.min(next, moment);
      }
      await pass(Math.max(1, Math.floor(next - at)));
    }
  }

  /**
   * Resolves when everybody has heard the last that everybody said, and the server has read whatever was sent to it: what
   * it had to do for this crowd is done.
   */
  async settled(): Promise<void> {
    const isSettled = await within(
      SETTLES_WITHIN_MS,
      this.#until(() => this.#behind === 0).then(() => this.#answered()),
    );
    if (this.#lost !== undefined) throw new Error(`Cannot go on: ${this.#lost}`);
    if (isSettled !== true)
      throw new Error(
        `Cannot go on as ${this.#behind} of ${this.#load.clients ** 2} last states were not heard within ${SETTLES_WITHIN_MS} ms`,
      );
  }

  [Symbol.dispose](): void {
    this.#lost = "the crowd has gone";
    for (const { socket } of this.#clients) socket?.terminate();
  }

  async #until(holds: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = () => {
        if (holds() || this.#lost !== undefined) resolve();
      };
      this.#wake();
    });
  }

  /** Resolves when a ping of everybody is answered: messages of a connection are read in order. */
  async #answered(): Promise<true> {
    this.#pings = this.#clients.length;
    for (const client of this.#clients)
      this.#write(client, frameBytes({ opcode: OPCODE.ping, payload: "" }));
    await this.#until(() => this.#pings === 0);
    return true;
  }

  async #open(index: number): Promise<void> {
    const { port, target, prefix, greeting } = this.#door;
    const client: Client = {
      index,
      opened: Promise.withResolvers<void>(),
      socket: undefined,
      isOpen: false,
      rest: undefined,
      unsent: [],
      clock: 0,
    };
    this.#clients[index] = client;
    client.socket = await Bun.connect<Client>({
      hostname: "127.0.0.1",
      port,
      data: client,
      socket: {
        data: (_, chunk) => this.#hear(client, chunk),
        drain: () => this.#flush(client),
        close: () => this.#lose(client, "its connection has ended"),
        error: (_, error) => this.#lose(client, String(error)),
      },
    });
    this.#write(client, Buffer.from(upgradeOf(target(index))));
    await client.opened.promise;
    for (const message of greeting)
      this.#write(
        client,
        frameBytes({ opcode: OPCODE.binary, payload: Buffer.concat([prefix, message]) }),
      );
  }

  #lose({ index, opened }: Client, why: string): void {
    this.#lost ??= `client ${index}: ${why}`;
    opened.reject(new Error(this.#lost));
    this.#wake();
  }

  #change(index: number, moment: number, at: number): void {
    const client = this.#clients[index];
    if (client === undefined) return;
    this.samples?.late.push(at - moment);
    this.#say(client, moment);
  }

  /** Says something that was not said before: nobody has heard it. */
  #say(client: Client, moment: number): void {
    const { clients } = this.#load;
    const stamp = stampOf(moment);
    const before = this.#sent[client.index];
    for (let other = 0; other < clients; other += 1)
      if (other !== client.index && this.#heard[other * clients + client.index] === before)
        this.#behind += 1;
    this.#sent[client.index] = stamp;
    client.clock += 1;
    const { index, clock } = client;
    const entry = entryOf(IDS_FROM + index, clock, stateAt(stamp, index));
    const payload = messageOf(this.#door.prefix, 1, [entry]);
    this.#write(client, frameBytes({ opcode: OPCODE.binary, payload }));
  }

  #write(client: Client, bytes: Uint8Array): void {
    const taken = client.unsent.length === 0 ? Math.max(0, client.socket?.write(bytes) ?? 0) : 0;
    // What is written may stand in a place that is used again.
    if (taken < bytes.byteLength) client.unsent.push(bytes.slice(taken));
  }

  #flush({ unsent, socket }: Client): void {
    for (let bytes = unsent[0]; bytes !== undefined; bytes = unsent[0]) {
      const taken = Math.max(0, socket?.write(bytes) ?? 0);
      if (taken < bytes.byteLength) {
        unsent[0] = bytes.subarray(taken);
        return;
      }
      unsent.shift();
    }
  }

  #hear(client: Client, chunk: Uint8Array): void {
    const bytes = client.rest === undefined ? chunk : Buffer.concat([client.rest, chunk]);
    if (this.samples !== undefined) this.samples.bytes += chunk.byteLength;
    let at = client.isOpen ? 0 : this.#begin(client, bytes);
    for (let frame = frameAt(bytes, at); frame !== undefined; frame = frameAt(bytes, at)) {
      this.#take(client, bytes, frame);
      at = frame.to;
    }
    client.rest = at < bytes.byteLength ? bytes.slice(at) : undefined;
    this.#writeEchoes(client);
    if (this.#behind === 0) this.#wake();
  }

  /** Reads the answer to the upgrade. Answers where frames begin. */
  #begin(client: Client, bytes: Uint8Array): number {
    const text = Buffer.from(bytes).toString("latin1");
    const end = text.indexOf(HEAD_END);
    if (end < 0) return 0;
    if (!text.startsWith("HTTP/1.1 101")) {
      this.#lose(client, text.slice(0, text.indexOf("\r\n")));
      return bytes.byteLength;
    }
    client.isOpen = true;
    client.opened.resolve();
    return end + HEAD_END.length;
  }

  #take(client: Client, bytes: Uint8Array, frame: Frame): void {
    const { opcode, from, to } = frame;
    if (opcode === OPCODE.close)
      this.#lose(client, `it was closed by frame ${bytes.slice(from, to)}`);
    if (opcode === OPCODE.ping)
      this.#write(client, frameBytes({ opcode: OPCODE.pong, payload: bytes.slice(from, to) }));
    if (opcode === OPCODE.pong) this.#pings -= 1;
    const start = from + this.#door.prefix.byteLength;
    if (opcode === OPCODE.binary && bytes[start] === MESSAGE.awareness)
      this.#takeEntries(client, bytes, { opcode, from, to }, start);
  }

  #takeEntries(client: Client, bytes: Uint8Array, frame: Frame, start: number): void {
    const cursor = this.#cursor;
    cursor.bytes = bytes;
    cursor.at = start + 1;
    cursor.uint();
    const count = cursor.uint();
    const { isEchoing } = this.#load;
    const echoed: Uint8Array[] = [];
    for (let read = 0; read < count; read += 1) {
      const from = cursor.at;
      const index = cursor.uint() - IDS_FROM;
      const clock = cursor.uint();
      const length = cursor.uint();
      const isNews = this.#takeEntry(client.index, index, clock);
      cursor.at += length;
      if (isEchoing && isNews) echoed.push(bytes.subarray(from, cursor.at));
    }
    if (echoed.length === 0) return;
    const isWhole = echoed.length === count;
    this.#echo(
      client,
      isWhole
        ? bytes.subarray(frame.from, frame.to)
        : messageOf(this.#door.prefix, echoed.length, echoed),
    );
  }

  /** Answers whether a client that holds what it heard would take it in. */
  #takeEntry(receiver: number, sender: number, clock: number): boolean {
    const { clients } = this.#load;
    const isKnown = sender >= 0 && sender < clients && sender !== receiver;
    if (!isKnown) return false;
    const pair = receiver * clients + sender;
    if (clock <= (this.#clocks[pair] ?? 0)) return false;
    this.#clocks[pair] = clock;
    const stamp = this.#cursor.stamp();
    if (stamp <= (this.#heard[pair] ?? 0)) return true;
    this.#heard[pair] = stamp;
    if (stamp === this.#sent[sender]) this.#behind -= 1;
    if (this.samples === undefined) return true;
    this.samples.entries += 1;
    this.samples.delays.push(now() - momentOf(stamp));
    return true;
  }

  #echo(client: Client, payload: Uint8Array): void {
    if (this.#scratched + payload.byteLength + FRAME_HEAD_BYTES > SCRATCH_BYTES)
      this.#writeEchoes(client);
    const at = writeFrameHead(this.#scratch, this.#scratched, payload.byteLength);
    this.#scratch.set(payload, at);
    this.#scratched = at + payload.byteLength;
  }

  /** All that is sent back of what has come in one piece goes in one. */
  #writeEchoes(client: Client): void {
    if (this.#scratched === 0) return;
    this.#write(client, this.#scratch.subarray(0, this.#scratched));
    this.#scratched = 0;
  }
}
