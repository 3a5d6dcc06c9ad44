import { describe, expect, test } from "bun:test";
import type { ManualFacts } from "@porchlight/core";
import type { PersonContribution, SharedSource } from "@porchlight/core/sharing";
import type { Cluster, ClusterView, Delivery, StoredPerson } from "@porchlight/server/cluster";
import { Arrivals } from "../support/arrivals.ts";

/** Facts that nodes share, of one test. */
export interface TestFacts extends AsyncDisposable {
  open(node: string, deliver: (delivery: Delivery) => void): Cluster;
  /** Lets so much time pass on the clock of the facts. */
  pass(ms: number): Promise<void>;
}

const LEASE_MS = 300;
const GRACE_MS = 10_000;
const TTL_MS = 60_000;
const ANN = { tenant_id: "acme", participant_id: "ann" } as const;
const AUTOMATIC: ManualFacts = { manual: undefined, alwaysOnline: false, manual_at: 0 };

/** Declares a test for each promise of `Cluster`. */
export function clusterConformance(name: string, empty: () => Promise<TestFacts>): void {
  describe(`Cluster on ${name}`, () => {
    describe("join()", () => {
      test("gives an incarnation above any that the node had, and shows everyone who is there", async () => {
        await using t = await Meeting.of(empty);
        const a = t.node("a");
        expect((await a.cluster.join(0, 0)).incarnation).toBe(1);
        expect((await a.cluster.join(0, 0)).incarnation).toBe(2);
        expect((await a.cluster.join(0, 7)).incarnation).toBe(8);
        const { nodes } = await t.node("b").cluster.join(0, 0);
        expect(
          nodes.map(({ node, incarnation, lingers_ms }) => [node, incarnation, lingers_ms]).sort(),
        ).toEqual([
          ["a", 8, null],
          ["b", 1, null],
        ]);
      });

      test("shows the highest wall clock of all", async () => {
        await using t = await Meeting.of(empty);
        const a = t.node("a");
        expect((await a.cluster.join(5_000, 0)).wall).toBe(5_000);
        expect((await t.node("b").cluster.join(4_000, 0)).wall).toBe(5_000);
        expect((await a.cluster.renew(1, 6_000.2, LEASE_MS))?.wall).toBe(6_001);
      });
    });

    describe("renew()", () => {
      test("keeps a node there, and shows for how long others were silent", async () => {
        await using t = await Meeting.of(empty);
        const [a, b] = [await t.joined("a"), await t.joined("b")];
        await t.pass(LEASE_MS / 2);
        const view = await a.cluster.renew(1, 0, TTL_MS);
        expect(silence(view, "a")).toBeLessThan(LEASE_MS / 2);
        expect(silence(view, "b")).toBeGreaterThanOrEqual(LEASE_MS / 2);
        expect(await b.cluster.renew(1, 0, TTL_MS)).toBeDefined();
      });

      test("answers nothing when the lease had run out, to another incarnation, and to one that was retired", async () => {
        await using t = await Meeting.of(empty);
        const a = await t.joined("a");
        expect(await a.cluster.renew(2, 0, LEASE_MS)).toBeUndefined();
        await t.pass(LEASE_MS + 1);
        expect(await a.cluster.renew(1, 0, LEASE_MS)).toBeUndefined();
        await a.cluster.join(0, 1);
        await a.cluster.retire({ node: "a", incarnation: 2 }, LEASE_MS, GRACE_MS);
        expect(await a.cluster.renew(2, 0, TTL_MS)).toBeUndefined();
      });
    });

    describe("retire()", () => {
      test("does nothing to a node that is not silent for longer than its lease, nor to another incarnation", async () => {
        await using t = await Meeting.of(empty);
        const [a, b] = [await t.joined("a"), await t.joined("b")];
        await b.cluster.retire({ node: "a", incarnation: 1 }, TTL_MS, GRACE_MS);
        await t.pass(LEASE_MS + 1);
        await b.cluster.retire({ node: "a", incarnation: 2 }, LEASE_MS, GRACE_MS);
        await b.cluster.retire({ node: "unknown", incarnation: 1 }, LEASE_MS, GRACE_MS);
        expect(await a.cluster.renew(1, 0, TTL_MS)).toBeDefined();
        await b.caughtUp();
        expect(b.told).toEqual([]);
      });

      test("tells every node once of one that is no more, which lingers since it was last heard of", async () => {
        await using t = await Meeting.of(empty);
        const [, b, c] = [await t.joined("a"), await t.joined("b"), await t.joined("c")];
        await t.pass(LEASE_MS + 1);
        const owner = { node: "a", incarnation: 1 };
        for (const { cluster } of [b, c, b]) await cluster.retire(owner, LEASE_MS, GRACE_MS);
        for (const each of [b, c]) {
          await each.caughtUp();
          expect(each.told).toMatchObject([{ kind: "gone", owner }]);
          const [gone] = each.told;
          expect(gone?.kind === "gone" && gone.lingers_ms).toBeWithin(
            GRACE_MS - 1_000,
            GRACE_MS - LEASE_MS + 1,
          );
        }
        const view = await b.cluster.join(0, 1);
        expect(view.nodes.find(({ node }) => node === "a")?.lingers_ms).toBeWithin(1, GRACE_MS);
      });

      test("lets a node leave by itself at any time, whose people linger from then on", async () => {
        await using t = await Meeting.of(empty);
        const [a, b] = [await t.joined("a"), await t.joined("b")];
        await t.pass(LEASE_MS / 2);
        await a.cluster.retire({ node: "a", incarnation: 1 }, LEASE_MS, GRACE_MS);
        await b.caughtUp();
        expect(b.told).toMatchObject([{ kind: "gone", lingers_ms: GRACE_MS }]);
      });
    });

    describe("write()", () => {
      test("tells every node the whole record, the writer among them", async () => {
        await using t = await Meeting.of(empty);
        const [a, b] = [await t.joined("a"), await t.joined("b")];
        await a.write(contribution({ sources: [source("a.1")] }));
        await b.write(contribution({ sources: [source("b.1"), source("b.2")] }));
        for (const each of [a, b]) {
          const record = await each.record();
          expect(record).toMatchObject({ ...ANN, facts: AUTOMATIC, ended: {} });
          expect(sharesOf(record)).toEqual({ "a/1": ["a.1"], "b/1": ["b.1", "b.2"] });
        }
      });

      test("raises the version above that which is stored, and above that which the writer knew", async () => {
        await using t = await Meeting.of(empty);
        const a = await t.joined("a");
        const versions: number[] = [];
        for (const version of [0, 0, 40, 3]) {
          await a.write(contribution({ version, sources: [source("a.1")] }));
          versions.push((await a.record()).version);
        }
        expect(versions).toEqual([1, 2, 41, 42]);
      });

      test("replaces what the same node wrote, and takes it away with nothing in its place", async () => {
        await using t = await Meeting.of(empty);
        const [a, b] = [await t.joined("a"), await t.joined("b")];
        await a.write(contribution({ sources: [source("a.1")] }));
        await b.write(contribution({ sources: [source("b.1")] }));
        await a.write(contribution({ sources: [source("a.2")] }));
        expect(sharesOf(await b.record())).toEqual({ "a/1": ["a.2"], "b/1": ["b.1"] });
        await a.write(contribution({}));
        expect(sharesOf(await b.record())).toEqual({ "b/1": ["b.1"] });
      });

      test("keeps the later choice, whoever writes last; of one moment the last that was written", async () => {
        await using t = await Meeting.of(empty);
        const a = await t.joined("a");
        const chosen = (manual: ManualFacts["manual"], manual_at: number): ManualFacts => ({
          manual,
          alwaysOnline: false,
          manual_at,
        });
        for (const [facts, stands] of [
          [chosen("busy", 5), "busy"],
          [chosen("idle", 4), "busy"],
          [chosen("online", 5), "online"],
          [AUTOMATIC, "online"],
          [chosen(undefined, 6), undefined],
        ] as const) {
          await a.write(contribution({ facts }));
          expect((await a.record()).facts?.manual).toBe(stands);
        }
      });

      test("passes on what a source is, and how long ago it was so", async () => {
        await using t = await Meeting.of(empty);
        const [a, b] = [await t.joined("a"), await t.joined("b")];
        const shared = {
          ...source("a.1"),
          statement: "idle",
          said: 7,
          active_ms: 9.5,
          lingers_ms: 100,
        } as const;
        await a.write(contribution({ sources: [shared] }));
        await t.pass(LEASE_MS);
        await b.write(contribution({ sources: [source("b.1")] }));
        const [share] = (await b.record()).shares.filter(({ owner }) => owner.node === "a");
        expect(share?.sources).toEqual([shared]);
        expect(share?.age_ms).toBeWithin(LEASE_MS, 5_000);
      });

      test("keeps what a node ended of another's until that takes it away", async () => {
        await using t = await Meeting.of(empty);
        const [a, b] = [await t.joined("a"), await t.joined("b")];
        await a.write(contribution({ sources: [source("a.1"), source("a.11")] }));
        await b.write(
          contribution({ sources: [source("b.1")], ended: { "a.1": "signed_off", "c.9": "over" } }),
        );
        await b.write(contribution({ sources: [source("b.1")] }));
        expect((await a.record()).ended).toEqual({ "a.1": "signed_off" });
        await a.write(contribution({ sources: [source("a.11")] }));
        expect((await a.record()).ended).toEqual({});
      });

      test("writes nothing and tells nobody when the incarnation is over", async () => {
        await using t = await Meeting.of(empty);
        const [a, b] = [await t.joined("a"), await t.joined("b")];
        expect(await a.cluster.write(2, [{ ...ANN, contribution: contribution({}) }], TTL_MS)).toBe(
          false,
        );
        await a.cluster.retire({ node: "a", incarnation: 1 }, LEASE_MS, GRACE_MS);
        const late = [{ ...ANN, contribution: contribution({ sources: [source("a.1")] }) }];
        expect(await a.cluster.write(1, late, TTL_MS)).toBe(false);
        await b.caughtUp();
        expect(b.told.map(({ kind }) => kind)).toEqual(["gone"]);
        expect(await b.people()).toEqual([]);
      });

      test("shows what a node wrote in an incarnation that another has followed until it writes anew", async () => {
        await using t = await Meeting.of(empty);
        const [a, b] = [await t.joined("a"), await t.joined("b")];
        await a.write(contribution({ sources: [source("a.1")] }));
        await a.cluster.join(0, 1);
        expect(sharesOf((await b.people())[0])).toEqual({ "a/1": ["a.1"] });
        await b.write(contribution({ sources: [source("b.1")] }));
        expect(sharesOf(await b.record())).toEqual({ "a/1": ["a.1"], "b/1": ["b.1"] });
        const anew = [{ ...ANN, contribution: contribution({ sources: [source("a.2")] }) }];
        expect(await a.cluster.write(2, anew, TTL_MS)).toBe(true);
        expect(sharesOf(await b.record())).toEqual({ "a/2": ["a.2"], "b/1": ["b.1"] });
      });

      test("still shows what a node held that is no more", async () => {
        await using t = await Meeting.of(empty);
        const [a, b] = [await t.joined("a"), await t.joined("b")];
        await a.write(contribution({ sources: [source("a.1")] }));
        await a.cluster.retire({ node: "a", incarnation: 1 }, LEASE_MS, GRACE_MS);
        await b.write(contribution({ sources: [source("b.1")] }));
        expect(sharesOf(await b.record())).toEqual({ "a/1": ["a.1"], "b/1": ["b.1"] });
      });

      test("begins a record anew, under another lineage, once it was kept for as long as it was to be", async () => {
        await using t = await Meeting.of(empty);
        const a = await t.joined("a");
        await a.write(contribution({ sources: [source("a.1")] }), LEASE_MS);
        await a.write(contribution({ sources: [source("a.1")] }), LEASE_MS);
        const before = await a.record();
        await t.pass(LEASE_MS + 1);
        expect(await a.people()).toEqual([]);
        await a.write(contribution({ version: before.version, sources: [source("a.1")] }));
        const after = await a.record();
        expect(after.lineage).not.toBe(before.lineage);
        expect(after.version).toBe(before.version + 1);
      });
    });

    describe("people()", () => {
      test("answers everyone of whom a node holds something, each once, of any tenant, however many", async () => {
        await using t = await Meeting.of(empty);
        const [a, b] = [await t.joined("a"), await t.joined("b")];
        const ids = Array.from({ length: 250 }, (_, index) => `p${index}`);
        const of = (tenant_id: string, node: string) =>
          ids.map((participant_id) => ({
            tenant_id,
            participant_id,
            contribution: contribution({ sources: [source(`${node}.1`)] }),
          }));
        for (const [node, tenant] of [
          [a, "acme"],
          [b, "acme"],
          [b, "globex"],
        ] as const)
          for (let from = 0; from < ids.length; from += 100)
            expect(
              await node.cluster.write(
                1,
                of(tenant, node.cluster.node).slice(from, from + 100),
                TTL_MS,
              ),
            ).toBe(true);
        await a.write(contribution({}));
        const people = await a.people();
        const names = people.map(
          ({ tenant_id, participant_id }) => `${tenant_id}/${participant_id}`,
        );
        expect(names.sort()).toEqual(
          ["acme", "globex"].flatMap((tenant) => ids.map((id) => `${tenant}/${id}`)).sort(),
        );
        expect(
          sharesOf(
            people.find((each) => each.tenant_id === "acme" && each.participant_id === "p7"),
          ),
        ).toEqual({ "a/1": ["a.1"], "b/1": ["b.1"] });
      });
    });

    describe("send()", () => {
      test("tells every node, with who said it, in the order in which it was said", async () => {
        await using t = await Meeting.of(empty);
        const [a, b] = [await t.joined("a"), await t.joined("b")];
        const messages = [1, 2, 3].map((until) => ({ kind: "snoozed", until }) as const);
        await Promise.all(messages.map((message) => a.cluster.send(message)));
        for (const each of [a, b]) {
          await each.caughtUp();
          expect(
            each.told.map((told) => told.kind === "message" && [told.from, told.message]),
          ).toEqual(messages.map((message) => ["a", message]));
        }
      });

      test("passes on any text as it is", async () => {
        await using t = await Meeting.of(empty);
        const a = await t.joined("a");
        const message = {
          kind: "revoked",
          tenant_id: 'a "quoted" \\ \u2028 né 🙂',
          token_id: "",
        } as const;
        await a.cluster.send(message);
        await a.caughtUp();
        expect(a.told).toMatchObject([{ message }]);
      });
    });

    describe("deliveries", () => {
      test("are numbered without a gap, alike for everyone, and a view says how far they had come", async () => {
        await using t = await Meeting.of(empty);
        const [a, b] = [await t.joined("a"), await t.joined("b")];
        await a.cluster.send({ kind: "snoozed", until: 1 });
        await b.write(contribution({ sources: [source("b.1")] }));
        await a.cluster.retire({ node: "a", incarnation: 1 }, LEASE_MS, GRACE_MS);
        const { delivered } = await a.cluster.join(0, 1);
        for (const each of [a, b]) {
          await each.caughtUp();
          expect(each.told.map(({ number }) => number)).toEqual([
            delivered - 2,
            delivered - 1,
            delivered,
          ]);
        }
      });

      test("reach nobody who has closed, which may be done twice", async () => {
        await using t = await Meeting.of(empty);
        const [a, b] = [await t.joined("a"), await t.joined("b")];
        await b.cluster.close();
        await b.cluster.close();
        await a.cluster.send({ kind: "snoozed", until: 1 });
        await a.caughtUp();
        expect(b.told).toEqual([]);
      });
    });
  });
}

/** Nodes that share the facts of one test. */
class Meeting implements AsyncDisposable {
  readonly #facts: TestFacts;
  readonly #nodes: Attendee[] = [];

  private constructor(facts: TestFacts) {
    this.#facts = facts;
  }

  static async of(empty: () => Promise<TestFacts>): Promise<Meeting> {
    return new Meeting(await empty());
  }

  node(name: string): Attendee {
    const told = new Arrivals<Delivery>();
    const attendee = new Attendee(
      this.#facts.open(name, (delivery) => told.add(delivery)),
      told,
    );
    this.#nodes.push(attendee);
    return attendee;
  }

  async joined(name: string): Promise<Attendee> {
    const attendee = this.node(name);
    await attendee.cluster.join(0, 0);
    return attendee;
  }

  pass(ms: number): Promise<void> {
    return this.#facts.pass(ms);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { cluster } of this.#nodes) await cluster.close();
    await this.#facts[Symbol.asyncDispose]();
  }
}

/** A node, and what it was told. */
class Attendee {
  readonly cluster: Cluster;
  readonly #told: Arrivals<Delivery>;

  constructor(cluster: Cluster, told: Arrivals<Delivery>) {
    this.cluster = cluster;
    this.#told = told;
  }

  get told(): readonly Delivery[] {
    return this.#told.items;
  }

  caughtUp(): Promise<void> {
    return this.cluster.caughtUp();
  }

  async write(contribution: PersonContribution, ttlMs = TTL_MS): Promise<void> {
    expect(await this.cluster.write(1, [{ ...ANN, contribution }], ttlMs)).toBe(true);
  }

  /** The record that it was told last. */
  async record(): Promise<StoredPerson> {
    await this.caughtUp();
    const last = this.told.findLast((each) => each.kind === "person");
    if (last?.kind !== "person") throw new Error("Cannot find a record as none was told");
    return last.person;
  }

  async people(): Promise<StoredPerson[]> {
    const people: StoredPerson[] = [];
    for await (const some of this.cluster.people()) people.push(...some);
    return people;
  }
}

function contribution(some: Partial<PersonContribution>): PersonContribution {
  return { version: 0, facts: AUTOMATIC, sources: [], ended: {}, ...some };
}

function source(id: string): SharedSource {
  return {
    id,
    device_id: "laptop",
    door: "stream",
    instance: "laptop",
    statement: null,
    said: 0,
    active_ms: 0,
    seen_ms: 0,
    lingers_ms: null,
  };
}

function sharesOf(person: StoredPerson | undefined): Record<string, string[]> {
  return Object.fromEntries(
    (person?.shares ?? []).map(({ owner, sources }) => [
      `${owner.node}/${owner.incarnation}`,
      sources.map(({ id }) => id),
    ]),
  );
}

function silence(view: ClusterView | undefined, node: string): number | undefined {
  return view?.nodes.find((each) => each.node === node)?.silent_ms;
}
