import * as encoding from "lib0/encoding";
import { Raw, upgradeOf } from "../support/raw.ts";
import { frameBytes, OPCODE } from "../support/websocket.ts";
import { awareness, MESSAGE, type WireEntry } from "../support/yjs-wire.ts";
import { type Client, socketUrl } from "./client.ts";
import type { Door } from "./server.ts";
import { heard, within } from "./waiting.ts";

const TOKEN = 0;
const OPEN_WITHIN_MS = 1_000;
const TAKEN_WITHIN_MS = 500;
const MARK_WITHIN_MS = 1_000;

/** A connection that sends any bytes at all, and answers nothing. */
export class Intruder implements Disposable {
  /** A client id of its own. */
  readonly id = Math.floor(Math.random() * 2 ** 32);
  readonly #raw: Raw;
  readonly #door: Door;
  #clock = 0;
  #pings = 0;

  private constructor(door: Door) {
    this.#door = door;
    this.#raw = new Raw(door.url.replace("ws:", "http:"));
  }

  /** Opens a socket, and does what the server asks of everybody before it listens. */
  static async enter(door: Door): Promise<Intruder> {
    const intruder = new Intruder(door);
    const url = new URL(door.speaks === "hocuspocus" ? door.url : socketUrl(door));
    intruder.#raw.send(upgradeOf(`${url.pathname}${url.search}`));
    const head = await within(OPEN_WITHIN_MS, intruder.#raw.head());
    if (head?.includes("101") !== true) throw new Error(`Cannot open a socket: ${head}`);
    if (door.speaks === "hocuspocus") intruder.message(tokenMessage());
    return intruder;
  }

  send(bytes: Uint8Array): void {
    this.#raw.send(bytes);
  }

  /** Sends a message of the y-websocket protocol, as the server wants it. */
  message(message: Uint8Array): void {
    this.send(frameBytes({ opcode: OPCODE.binary, payload: addressed(this.#door, message) }));
  }

  /** Says something of clients, whoever they are. */
  say(...entries: readonly WireEntry[]): void {
    this.message(awareness(entries));
  }

  /** Says something of itself, and waits until all of these have heard it, and so whatever was said before; or until it is shut out. */
  async mark(...clients: readonly Client[]): Promise<void> {
    this.#clock += 1;
    const mark = this.#clock;
    this.say({ id: this.id, clock: mark, text: JSON.stringify({ mark }) });
    const heardBy = (client: Client): Promise<number | undefined> =>
      heard(client.awareness, () => client.sees(this.id)?.mark === mark, MARK_WITHIN_MS);
    const times = await Promise.all(clients.map(heardBy));
    if (!this.#raw.isEnded && times.includes(undefined))
      throw new Error("Cannot tell whether an intruder was heard");
  }

  /** Resolves when what was sent so far was read: when a ping after it is answered, the connection ends, or it took too long. */
  async taken(): Promise<void> {
    this.#pings += 1;
    const payload = `ping-${this.#pings}-of-${this.id}`;
    this.send(frameBytes({ opcode: OPCODE.ping, payload }));
    await within(TAKEN_WITHIN_MS, this.#raw.hears(payload));
  }

  [Symbol.dispose](): void {
    this.#raw[Symbol.dispose]();
  }
}

/** A message of the y-websocket protocol as a server wants it: Hocuspocus has the name of the document before it. */
export function addressed({ speaks, room }: Door, message: Uint8Array): Uint8Array {
  if (speaks === "y-websocket") return message;
  return encoding.encode((encoder) => {
    encoding.writeVarString(encoder, room);
    encoding.writeUint8Array(encoder, message);
  });
}

/** What begins a connection to Hocuspocus: no token is asked for, but it has to be said that there is none. */
export function tokenMessage(): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, MESSAGE.auth);
    encoding.writeVarUint(encoder, TOKEN);
    encoding.writeVarString(encoder, "");
  });
}
