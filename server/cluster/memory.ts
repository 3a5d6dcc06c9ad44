import type { ManualFacts } from "@porchlight/core";
import type { EndReason, Owner, SharedSource } from "@porchlight/core/sharing";
import { nameOfPerson, type PersonKey } from "../store/store.ts";
import type {
  Cluster,
  ClusterView,
  Delivery,
  NodeView,
  PersonWrite,
  StoredPerson,
} from "./cluster.ts";
import type { ClusterMessage } from "./message.ts";

/** What a node was, when it was last heard of, and until when what was connected to it lingers once it is no more. */
interface Member {
  readonly incarnation: number;
  readonly renewedAt: number;
  readonly lingersUntil: number | undefined;
}

interface Share {
  readonly incarnation: number;
  readonly writtenAt: number;
  readonly sources: readonly SharedSource[];
}

interface Stored extends PersonKey {
  version: number;
  readonly lineage: string;
  facts: ManualFacts;
  readonly shares: Map<string, Share>;
  ended: Readonly<Record<string, EndReason>>;
  expiresAt: number;
}

type Undelivered<D = Delivery> = D extends Delivery ? Omit<D, "number"> : never;

/** After this long nobody needs to know any more that a node is no more. */
const FORGOTTEN_MS = 240_000;

/**
 * The facts that the nodes of one process share. Each delivery goes its way by
 * itself: at the end of the turn, unless `carry` says otherwise.
 */
export class MemoryFacts {
  readonly #now: () => number;
  readonly #carry: (to: string, deliver: () => void) => void;
  readonly #members = new Map<string, Member>();
  readonly #people = new Map<string, Stored>();
  readonly #listeners = new Map<string, (delivery: Delivery) => void>();
  #delivered = 0;
  #wall = 0;
  #lineages = 0;

  constructor(options: {
    now: () => number;
    carry?: (to: string, deliver: () => void) => void;
  }) {
    this.#now = options.now;
    this.#carry = options.carry ?? ((_to, deliver) => queueMicrotask(deliver));
  }

  listen(node: string, deliver: (delivery: Delivery) => void): void {
    this.#listeners.set(node, deliver);
  }

  unlisten(node: string): void {
    this.#listeners.delete(node);
  }

  /** Forgets everything, as a server of facts does that starts empty. */
  clear(): void {
    this.#members.clear();
    this.#people.clear();
    this.#delivered += 1;
    this.#wall = 0;
  }

  join(node: string, wall: number, above: number): ClusterView & { readonly incarnation: number } {
    const incarnation = Math.max(this.#members.get(node)?.incarnation ?? 0, above) + 1;
    this.#members.set(node, { incarnation, renewedAt: this.#now(), lingersUntil: undefined });
    this.#wall = Math.max(this.#wall, Math.ceil(wall));
    return { ...this.#view(), incarnation };
  }

  renew(owner: Owner, wall: number, leaseMs: number): ClusterView | undefined {
    const member = this.#members.get(owner.node);
    const isOver = !this.#isIn(owner) || this.#now() - (member?.renewedAt ?? 0) > leaseMs;
    if (isOver) return undefined;
    this.#members.set(owner.node, {
      incarnation: owner.incarnation,
      renewedAt: this.#now(),
      lingersUntil: undefined,
    });
    this.#wall = Math.max(this.#wall, Math.ceil(wall));
    for (const [node, { lingersUntil }] of this.#members)
      if (lingersUntil !== undefined && lingersUntil + FORGOTTEN_MS <= this.#now())
        this.#members.delete(node);
    return this.#view();
  }

  retire(owner: Owner, leaseMs: number | undefined, lingerMs: number): void {
    const member = this.#members.get(owner.node);
    if (member === undefined || !this.#isIn(owner)) return;
    const isLapsed = leaseMs === undefined || this.#now() - member.renewedAt > leaseMs;
    if (!isLapsed) return;
    const since = leaseMs === undefined ? this.#now() : member.renewedAt;
    const lingersUntil = since + lingerMs;
    this.#members.set(owner.node, { ...member, lingersUntil });
    const { node, incarnation } = owner;
    const lingers_ms = Math.max(0, lingersUntil - this.#now());
    this.#deliver({ kind: "gone", owner: { node, incarnation }, lingers_ms });
  }

  write(owner: Owner, people: readonly PersonWrite[], ttlMs: number): boolean {
    if (!this.#isIn(owner)) return false;
    for (const each of people) this.#write(owner, each, ttlMs);
    return true;
  }

  people(): readonly StoredPerson[] {
    return [...this.#people.values()].flatMap((each) => {
      if (each.expiresAt <= this.#now()) return [];
      const person = this.#read(each);
      return person.shares.length === 0 ? [] : person;
    });
  }

  send(from: string, message: ClusterMessage): void {
    this.#deliver({ kind: "message", from, message });
  }

  #isIn({ node, incarnation }: Owner): boolean {
    const member = this.#members.get(node);
    return member?.incarnation === incarnation && member.lingersUntil === undefined;
  }

  /** What a node wrote before it came back stands until it writes it anew. */
  #knows({ node, incarnation }: Owner): boolean {
    return (this.#members.get(node)?.incarnation ?? 0) >= incarnation;
  }

  #view(): ClusterView {
    const now = this.#now();
    const nodes = [...this.#members].map(
      ([node, { incarnation, renewedAt, lingersUntil }]): NodeView => ({
        node,
        incarnation,
        silent_ms: now - renewedAt,
        lingers_ms: lingersUntil === undefined ? null : Math.max(0, lingersUntil - now),
      }),
    );
    return { nodes, delivered: this.#delivered, wall: this.#wall };
  }

  #write(owner: Owner, person: PersonWrite, ttlMs: number) {
    const { tenant_id, participant_id, contribution } = person;
    const name = nameOfPerson(person);
    const now = this.#now();
    const known = this.#people.get(name);
    const stored =
      known !== undefined && known.expiresAt > now
        ? known
        : this.#begin({ tenant_id, participant_id }, contribution.facts);
    this.#people.set(name, stored);
    stored.version = Math.max(stored.version, contribution.version) + 1;
    stored.expiresAt = now + ttlMs;
    if (contribution.facts.manual_at >= stored.facts.manual_at) stored.facts = contribution.facts;
    const { sources } = contribution;
    if (sources.length === 0) stored.shares.delete(owner.node);
    else stored.shares.set(owner.node, { incarnation: owner.incarnation, writtenAt: now, sources });
    for (const [node, { incarnation }] of stored.shares)
      if (!this.#knows({ node, incarnation })) stored.shares.delete(node);
    const listed = [...stored.shares.values()].flatMap((share) =>
      share.sources.map(({ id }) => id),
    );
    const ended = { ...stored.ended, ...contribution.ended };
    stored.ended = Object.fromEntries(Object.entries(ended).filter(([id]) => listed.includes(id)));
    this.#deliver({ kind: "person", person: this.#read(stored) });
  }

  #begin(key: PersonKey, facts: ManualFacts): Stored {
    this.#lineages += 1;
    const lineage = String(this.#lineages);
    return { ...key, version: 0, lineage, facts, shares: new Map(), ended: {}, expiresAt: 0 };
  }

  #read({
    tenant_id,
    participant_id,
    version,
    lineage,
    facts,
    shares,
    ended,
  }: Stored): StoredPerson {
    const now = this.#now();
    const known = [...shares].filter(([node, { incarnation }]) =>
      this.#knows({ node, incarnation }),
    );
    return {
      tenant_id,
      participant_id,
      version,
      lineage,
      facts,
      shares: known.map(([node, { incarnation, writtenAt, sources }]) => ({
        owner: { node, incarnation },
        age_ms: now - writtenAt,
        sources,
      })),
      ended,
    };
  }

  #deliver(undelivered: Undelivered): void {
    this.#delivered += 1;
    const delivery: Delivery = { ...undelivered, number: this.#delivered };
    for (const node of [...this.#listeners.keys()])
      this.#carry(node, () => this.#listeners.get(node)?.(delivery));
  }
}

/** Takes part in the facts of this process. */
export function openMemory(
  facts: MemoryFacts,
  { node, deliver }: { node: string; deliver: (delivery: Delivery) => void },
): Cluster {
  facts.listen(node, deliver);
  return {
    node,
    join: async (wall, above) => facts.join(node, wall, above),
    renew: async (incarnation, wall, leaseMs) => facts.renew({ node, incarnation }, wall, leaseMs),
    retire: async (owner, leaseMs, lingerMs) =>
      facts.retire(owner, owner.node === node ? undefined : leaseMs, lingerMs),
    write: async (incarnation, people, ttlMs) => facts.write({ node, incarnation }, people, ttlMs),
    people: async function* () {
      yield facts.people();
    },
    send: async (message) => facts.send(node, message),
    // What was made before was handed on before this continuation runs.
    caughtUp: () => Promise.resolve(),
    close: async () => facts.unlisten(node),
  };
}
