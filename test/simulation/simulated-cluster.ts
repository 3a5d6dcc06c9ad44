import type { Cluster, Delivery, StoredPerson } from "../../server/cluster/cluster.ts";
import { MemoryFacts } from "../../server/cluster/memory.ts";
import type { Chance } from "../support/chance.ts";
import type { Link, Point } from "./link.ts";
import type { TrueTime } from "./true-time.ts";
import { AFTERWARDS_MS, GIVEN_UP_MS, type Weather } from "./weather.ts";

/** What a cluster can be made to do wrong, to see whether that is found. */
export interface ClusterFaults {
  readonly facts?: (options: ConstructorParameters<typeof MemoryFacts>[0]) => MemoryFacts;
  /** What a node is told of a person instead. */
  readonly person?: (person: StoredPerson) => StoredPerson;
}

/** What an operation does, and where in it the process may stop. */
interface Operation<T> {
  readonly points?: readonly [before: Point, after: Point];
  /** Without an answer the operation is lost in the process. */
  readonly run: () => T;
}

/** The facts that nodes share, and all that can happen on the way to them. */
export class SimulatedCluster {
  readonly #time: TrueTime;
  readonly #chance: Chance;
  readonly #weather: Weather;
  readonly #faults: ClusterFaults;
  readonly #facts: MemoryFacts;
  readonly #links = new Map<string, Link>();
  /** When the facts were lost. */
  readonly clearings: number[] = [];
  /** When a node was noted to have left in order, by name. */
  readonly retirements = new Map<string, number>();
  isCalm = false;

  constructor(options: {
    time: TrueTime;
    chance: Chance;
    weather: Weather;
    faults: ClusterFaults;
  }) {
    this.#time = options.time;
    this.#chance = options.chance;
    this.#weather = options.weather;
    this.#faults = options.faults;
    const { facts = (given) => new MemoryFacts(given) } = options.faults;
    this.#facts = facts({
      now: () => this.#time.now,
      carry: (to, deliver) => this.#carry(to, deliver),
    });
  }

  /** What is kept of people, to be looked at. */
  people(): readonly StoredPerson[] {
    return this.#facts.people();
  }

  /** All facts are lost; `withConnections`, as when the server starts anew. */
  clear(withConnections: boolean): void {
    this.#facts.clear();
    this.clearings.push(this.#time.now);
    for (const link of this.#links.values()) link.lostFacts(this.#time.now, withConnections);
  }

  /** A process takes part by way of a link. */
  open(link: Link, deliver: (delivery: Delivery) => void): Cluster {
    const facts = this.#facts;
    const { name: node } = link.end;
    this.#links.set(node, link);
    const listen = (): void => facts.listen(node, (delivery) => deliver(this.#told(delivery)));
    const renewed = <T>(answer: T): T => {
      if (answer !== undefined) link.renewals.push(this.#time.now);
      return answer;
    };
    return {
      node,
      join: async (wall, above) => {
        const by = link.connections;
        const view = await this.#ask(link, {
          run: () => {
            listen();
            link.joins.push(this.#time.now);
            return renewed(facts.join(node, wall, above));
          },
        });
        link.joinedBy = by;
        return view;
      },
      renew: async (incarnation, wall, leaseMs) =>
        link.joinedBy !== link.connections
          ? undefined
          : this.#ask(link, {
              run: () => renewed(facts.renew({ node, incarnation }, wall, leaseMs)),
            }),
      retire: (owner, leaseMs, lingerMs) =>
        this.#ask(link, {
          run: () => {
            const isOwn = owner.node === node;
            if (isOwn) this.retirements.set(node, this.#time.now);
            facts.retire(owner, isOwn ? undefined : leaseMs, lingerMs);
          },
        }),
      write: async (incarnation, people, ttlMs) =>
        link.joinedBy !== link.connections
          ? false
          : this.#ask(link, {
              points: ["before write", "after write"],
              run: () => facts.write({ node, incarnation }, people, ttlMs),
            }),
      people: () => this.#pages(link),
      send: (message) =>
        this.#ask(link, {
          points: ["before send", "after send"],
          run: () => facts.send(node, message),
        }),
      caughtUp: () => this.#caughtUp(link),
      close: async () => facts.unlisten(node),
    };
  }

  async *#pages(link: Link): AsyncIterable<readonly StoredPerson[]> {
    const all = await this.#ask(link, { run: () => this.#facts.people() });
    const { person = (each) => each } = this.#faults;
    for (const each of all) yield [person(each)];
  }

  #told(delivery: Delivery): Delivery {
    const { person } = this.#faults;
    return delivery.kind !== "person" || person === undefined
      ? delivery
      : { ...delivery, person: person(delivery.person) };
  }

  #carry(to: string, deliver: () => void): void {
    const link = this.#links.get(to);
    if (link === undefined || !link.isUp || link.isDead || link.isDeaf) return;
    const { late, lateMs, lost, twice } = this.#weather;
    if (this.#happens(lost)) return;
    this.#deliver(link, this.#happens(late) ? this.#chance.below(lateMs) : 0, deliver);
    if (this.#happens(twice)) this.#deliver(link, this.#chance.below(3_000), deliver);
  }

  #deliver(link: Link, lateMs: number, deliver: () => void): void {
    const { deliveries } = link;
    const inMs = this.#tripMs() + lateMs;
    link.arrivesAt = Math.max(link.arrivesAt, this.#time.now + inMs);
    this.#time.in(inMs, () => {
      if (link.deliveries === deliveries && !link.isDead) deliver();
    });
  }

  async #caughtUp(link: Link): Promise<void> {
    const waitMs = link.arrivesAt - this.#time.now;
    await this.#ask(link, { run: () => undefined });
    if (waitMs > 0) await new Promise<void>((resolve) => this.#time.in(waitMs, resolve));
  }

  #ask<T>(link: Link, { points, run }: Operation<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (link.isDead) return;
      const askedAt = this.#time.now;
      const { connections } = link;
      const giveUp = (): void => {
        if (link.isDead) return;
        if (link.connections === connections) link.broke(askedAt, this.#time.now);
        reject(new Error("The cluster is out of reach"));
      };
      if (!link.isUp) {
        this.#time.in(this.#chance.below(GIVEN_UP_MS), giveUp);
        return;
      }
      const callOff = this.#time.in(GIVEN_UP_MS, giveUp);
      const isAnswered = !this.#happens(this.#weather.failing);
      // A process that is no more when it would be given up was hindered for all that.
      if (!isAnswered) link.disturbances.push({ from: askedAt, to: askedAt + GIVEN_UP_MS });
      if (!isAnswered && this.#happens(0.3)) return;
      const perform = (): T | undefined => {
        if (points !== undefined && link.end.stopsAt(points[0])) return undefined;
        const answer = run();
        if (points !== undefined) link.end.stopsAt(points[1]);
        return answer;
      };
      this.#time.in(this.#tripMs(), () => {
        // What was on its way when the link was cut, or its process stopped, may take effect for all that, and late.
        if (
          link.connections !== connections ||
          link.isDead ||
          (!isAnswered && this.#happens(0.5))
        ) {
          if (this.#happens(0.6))
            this.#time.in(this.#chance.below(AFTERWARDS_MS), () => void run());
          return;
        }
        const answer = perform();
        if (!isAnswered) return;
        this.#time.in(this.#tripMs(), () => {
          if (link.isDead || link.connections !== connections) return;
          callOff();
          resolve(answer as T);
        });
      });
    });
  }

  #tripMs(): number {
    return 1 + this.#chance.below(this.#weather.operationMs);
  }

  #happens(chance: number): boolean {
    return !this.isCalm && chance > 0 && this.#chance.next() < chance;
  }
}
