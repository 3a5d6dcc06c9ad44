import { expect, test } from "bun:test";
import { Chance, seedOf } from "../support/chance.ts";
import { isLong, runs } from "../support/runs.ts";
import type { YjsClient } from "../support/yjs.ts";
import { YjsNodes } from "../support/yjs-nodes.ts";

const NODES = 3;
const CLIENTS = 50;
/** Of each person there are so many clients. */
const CLIENTS_EACH = 2;
const ROUNDS = runs(2);
/** In each round, some act at once, so many times. */
const TURNS = 6;
const AT_ONCE = 12;
const TIMEOUT_MS = isLong ? 600_000 : 60_000;
/** Whoever was lost has lingered by then. */
const CALM_MS = 11_000;

const PEOPLE = Array.from({ length: CLIENTS / CLIENTS_EACH }, (_, index) => `p${index}`);
const SEATS = Array.from({ length: CLIENTS }, (_, index) => index);

/** Clients of y-websocket that come, go and move between nodes by chance. */
class Crowd implements Disposable {
  readonly #nodes: YjsNodes;
  readonly #chance: Chance;
  readonly #clients = new Map<number, { readonly client: YjsClient; readonly name: string }>();

  constructor(nodes: YjsNodes, chance: Chance) {
    this.#nodes = nodes;
    this.#chance = chance;
  }

  /** Everybody comes. */
  async fill(): Promise<void> {
    await Promise.all(SEATS.map((seat) => this.#act(seat)));
  }

  /** Some of them come, go, move or say something. */
  async act(): Promise<void> {
    const seats = this.#chance.shuffled(SEATS).slice(0, AT_ONCE);
    await Promise.all(seats.map((seat) => this.#act(seat)));
  }

  /** Everybody says something new. Resolves once everybody has seen it of everybody else. */
  async meet(round: number): Promise<void> {
    const clients = [...this.#clients.values()].map(({ client }) => client);
    for (const client of clients) client.say({ round });
    const met = ({ seen }: YjsClient): number =>
      seen.filter(({ state }) => state.round === round).length;
    for (const client of clients) await client.until(() => met(client) === clients.length - 1);
  }

  /** What each client sees, and itself, of those who have a client. */
  get views(): string[][] {
    const names = new Set([...this.#clients.values()].map(({ name }) => name));
    return [...this.#clients.values()].map(({ client, name }) =>
      [...client.seen, { name, id: client.id }]
        .filter((each) => names.has(each.name))
        .map((each) => `${each.name} ${each.id}`)
        .sort(),
    );
  }

  /** What each is to see. */
  get truth(): string[][] {
    const all = [...this.#clients.values()].map(({ client, name }) => `${name} ${client.id}`);
    return [...this.#clients].map(() => all.toSorted());
  }

  [Symbol.dispose](): void {
    for (const { client } of this.#clients.values()) client.destroy();
  }

  async #act(seat: number): Promise<void> {
    const known = this.#clients.get(seat);
    if (known === undefined) await this.#enter(seat);
    else await this.#do(seat, known.client);
  }

  async #enter(seat: number): Promise<void> {
    const person = `p${seat % (CLIENTS / CLIENTS_EACH)}`;
    const device_id = `device-${seat}`;
    const client = await this.#nodes.enter(person, this.#chance.below(NODES), { device_id });
    this.#clients.set(seat, { client, name: person.toUpperCase() });
  }

  async #do(seat: number, client: YjsClient): Promise<void> {
    const act = this.#chance.below(6);
    if (act < 2) client.say({ x: this.#chance.below(100) });
    else if (act < 5) await this.#nodes.move(client, this.#chance.below(NODES));
    else {
      client.provider.shouldConnect = false;
      if (this.#chance.below(2) === 0) client.cut();
      client.destroy();
      this.#clients.delete(seat);
    }
  }
}

test(
  `${CLIENTS} clients of y-websocket on ${NODES} nodes see each other and nobody else, whoever has come, gone and moved`,
  async () => {
    const seed = seedOf();
    const chance = new Chance(seed);
    await using t = await YjsNodes.start(PEOPLE, { aheadMs: [0, 3_000, 0] });
    using crowd = new Crowd(t, chance);
    await crowd.fill();
    for (let round = 0; round < ROUNDS; round += 1) {
      for (let turn = 0; turn < TURNS; turn += 1) {
        await crowd.act();
        await t.clock.advance(chance.below(5_000));
      }
      await t.clock.advance(CALM_MS);
      await crowd.meet(round);
      expect({ seed, round, seen: crowd.views }).toEqual({ seed, round, seen: crowd.truth });
    }
  },
  TIMEOUT_MS,
);
