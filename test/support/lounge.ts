import { Neighbours } from "./neighbours.ts";
import { Raw } from "./raw.ts";
import { ADMIN_TOKEN } from "./server.ts";
import type { Siege } from "./siege.ts";
import { closeIn } from "./websocket.ts";
import { EMPTY_DOCUMENT, STEP_1 } from "./yjs-wire.ts";

/** What comes of something odd on a socket: the code it is closed with, or that it goes on. */
export type Outcome = number | "goes on";

const ROOM = "lounge";
/** Somebody has at most so many devices. */
const DEVICES = 20;

/** A room of a siege in which intruders do on Yjs sockets what one should not, next to two neighbours who talk. */
export class Lounge {
  readonly #siege: Siege;
  readonly #tokens: readonly string[];
  readonly #meet: () => Promise<Neighbours>;
  #intrusions = 0;

  private constructor(siege: Siege, tokens: readonly string[], meet: () => Promise<Neighbours>) {
    this.#siege = siege;
    this.#tokens = tokens;
    this.#meet = meet;
  }

  static async open(siege: Siege, intruders: readonly string[] = ["eve"]): Promise<Lounge> {
    const tokens: string[] = [];
    for (const each of intruders) tokens.push(await siege.person(each));
    const listener = { id: "ann", token: await siege.person("ann") };
    const speaker = { id: "bob", token: await siege.person("bob") };
    await siege.room(ROOM, [...intruders, listener.id, speaker.id]);
    const street = { url: siege.url, room: ROOM, others: intruders, listener, speaker };
    return new Lounge(siege, tokens, () => Neighbours.meet(street));
  }

  /** How many sockets the intruders have opened. */
  get intrusions(): number {
    return this.#intrusions;
  }

  /** Neighbours who talk until they are disposed of. */
  meet(): Promise<Neighbours> {
    return this.#meet();
  }

  /** A Yjs socket of an intruder, of each in turn. */
  intrude(): Promise<Raw> {
    this.#intrusions += 1;
    const token = this.#tokens[this.#intrusions % this.#tokens.length] ?? "";
    const device_id = `d${this.#intrusions % DEVICES}`;
    return Raw.yjs(this.#siege.url, ROOM, { token, device_id });
  }

  /** Sends something odd and then something right: is that answered? */
  async outcomeOf(bytes: Buffer): Promise<Outcome> {
    using raw = await this.intrude();
    raw.send(Buffer.concat([bytes, STEP_1]));
    await Promise.race([raw.hears(EMPTY_DOCUMENT), raw.ended]);
    return closeIn(raw.received)?.code ?? "goes on";
  }

  /** What is wrong with how the server bears an attack, and with what the neighbours hear meanwhile. Made once before that, as in {@link Siege.faultsUnder}. */
  async faultsUnder(
    name: string,
    attack: (neighbours: Neighbours) => Promise<void>,
    options: { readonly times?: number } = {},
  ): Promise<readonly string[]> {
    const heard: string[] = [];
    const beside = async (): Promise<void> => {
      await using neighbours = await this.#meet();
      await attack(neighbours);
      await neighbours.settled();
      heard.push(...neighbours.faults);
    };
    const faults = await this.#siege.faultsUnder(name, beside, options);
    return [...heard, ...faults];
  }

  /** The metrics of the server, as text. */
  async metrics(): Promise<string> {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    return (await fetch(`${this.#siege.url}/metrics`, { headers })).text();
  }
}
