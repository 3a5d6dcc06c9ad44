import { describe, expect, test } from "bun:test";
import type {
  LivenessChange,
  ManualFacts,
  ManualState,
  Moment,
  OpenSource,
  PresenceState,
  SourceName,
} from "@porchlight/core";
import {
  type PersonRecord,
  SharedLiveness,
  SharedPresence,
  type SharedSource,
} from "@porchlight/core/sharing";
import {
  owner,
  personRecord,
  rules,
  share,
  sharedSource,
  signal,
  sourceName,
  typingRules,
} from "../support/builders.ts";

const SECOND_MS = 1_000;
const TTL_MS = 120_000;
const GRACE_MS = 10_000;
const IDLE_MS = 300_000;
const NOTHING_NEW = { change: undefined, ended: [], isOutdated: false, isHearsay: false };

/** What node a knows. */
function nodeA(): SharedPresence {
  return new SharedPresence(rules(), "a");
}

/** Opens a source of Ann's at a node, by default a stream of her laptop at 0. */
function open(node: SharedPresence, now = 0, given: Partial<SourceName> = {}): OpenSource {
  return node.register.open("ann", sourceName(given), {}, now).source;
}

/** A record in which node b has this source alone. */
function withSource(given: Partial<SharedSource>, of: Partial<PersonRecord> = {}): PersonRecord {
  return personRecord({ shares: [share({ sources: [sharedSource(given)] })], ...of });
}

/** Node a, once it has heard at 0 that Ann has an open stream of her phone at node b. */
function withPhone(given: Partial<SharedSource> = {}): SharedPresence {
  const node = nodeA();
  node.adopt(withSource(given), 0);
  return node;
}

/** Ann's state as time alone has made it by `now`. */
function stateAt(node: SharedPresence, now: number): PresenceState {
  return node.register.effective("ann", now);
}

/** Sees that Ann is there for the last time one millisecond before `end`. */
function expectUntil(node: SharedPresence, end: number): void {
  expect(stateAt(node, end - 1)).not.toBe("offline");
  expect(stateAt(node, end)).toBe("offline");
}

/** Ann's devices as node a knows them. */
function devicesAt(node: SharedPresence, now: number): string[] {
  return node.register.explain("ann", now).devices.map(({ device_id }) => device_id);
}

/** The ids of what node a contributes. */
function idsOf(node: SharedPresence, now = 0): string[] {
  return node.contribution("ann", now).sources.map(({ id }) => id);
}

function chosen(manual: ManualState | undefined, manual_at: number): ManualFacts {
  return { manual, alwaysOnline: false, manual_at };
}

describe("SharedPresence contribution()", () => {
  test("of someone unknown has nothing, and does not make them known", () => {
    const node = nodeA();
    expect(node.contribution("ann", 0)).toEqual({
      version: 0,
      facts: chosen(undefined, 0),
      sources: [],
      ended: {},
    });
    expect(node.register.size).toBe(0);
  });

  test("has ages instead of instants, which are the same whatever the clock of the node shows", () => {
    const contributed = (startAt: number): object[] => {
      const node = nodeA();
      const name = sourceName();
      const { source } = node.register.open("ann", name, { idle_for_ms: 5_000 }, startAt);
      const lost = open(node, startAt + 1_000, { door: "yjs" });
      node.register.touch(source, startAt + 2_000);
      node.register.lose(lost, startAt + 3_000);
      const { sources } = node.contribution("ann", startAt + 4_000);
      return sources.map(({ said, ...ages }) => ({ ...ages, said: said - startAt }));
    };
    const laptop = { device_id: "laptop", instance: "tab", statement: null, said: 0 };
    expect(contributed(1_000)).toEqual([
      { ...laptop, id: "a.1", door: "stream", active_ms: 9_000, seen_ms: 2_000, lingers_ms: null },
      { ...laptop, id: "a.2", door: "yjs", active_ms: 9_000, seen_ms: 3_000, lingers_ms: 9_000 },
    ]);
    expect(contributed(1_700_000_000_000)).toEqual(contributed(1_000));
  });

  test("says of an instance when it spoke last, and 0 where it never did", () => {
    const node = nodeA();
    const source = open(node, 1_000);
    expect(node.contribution("ann", 1_000).sources).toMatchObject([{ statement: null, said: 0 }]);
    node.register.hear(source, { state: "idle" }, 2_000);
    expect(node.contribution("ann", 3_000).sources).toMatchObject([
      { statement: "idle", said: 2_000 },
    ]);
  });

  test("has what is connected here and lives, and nothing of other nodes", () => {
    const node = withPhone();
    open(node, 0);
    expect(idsOf(node, TTL_MS - 1)).toEqual(["a.1"]);
    expect(idsOf(node, TTL_MS)).toEqual([]);
  });

  test("names every source by its node, no two alike, also one that takes another's place", () => {
    const node = nodeA();
    open(node);
    open(node, 0, { door: "yjs" });
    expect(idsOf(node)).toEqual(["a.1", "a.2"]);
    open(node);
    expect(idsOf(node)).toEqual(["a.2", "a.3"]);
    const other = new SharedPresence(rules(), "b");
    open(other);
    expect(idsOf(other)).toEqual(["b.1"]);
  });

  test("has the version of the record that is known, and the state that was chosen by hand", () => {
    const node = nodeA();
    node.adopt(personRecord({ version: 7 }), 0);
    node.register.choose("ann", "busy", 0, undefined, 50);
    expect(node.contribution("ann", 0)).toMatchObject({ version: 7, facts: chosen("busy", 50) });
  });
});

describe("SharedPresence own(), chosen() and shared()", () => {
  test("tell who has a source here, who chose a state, and of whom another node has a source", () => {
    const node = withPhone();
    const source = node.register.open("bob", sourceName(), {}, 0).source;
    node.register.choose("eve", "busy", 0);
    expect([...node.own()]).toEqual(["bob"]);
    expect([...node.chosen()]).toEqual(["eve"]);
    expect([...node.shared()]).toEqual(["ann"]);
    node.register.lose(source, SECOND_MS);
    expect([...node.own()]).toEqual(["bob"]);
    node.register.choose("eve", undefined, SECOND_MS);
    expect([...node.chosen()]).toEqual([]);
  });
});

describe("SharedPresence adopt(), of sources of other nodes", () => {
  test("they count as one's own do, are told, and end when a later record does not have them", () => {
    const node = nodeA();
    const online = { participant_id: "ann", own: "online", told: "online" } as const;
    const offline = { participant_id: "ann", own: "offline", told: "offline" } as const;
    expect(node.adopt(withSource({}), 0)).toEqual({ ...NOTHING_NEW, change: online });
    const gone = node.adopt(personRecord({ version: 2 }), SECOND_MS);
    expect(gone).toEqual({ ...NOTHING_NEW, change: offline });
  });

  test("they end when they have not been heard of for presence_ttl_ms, as of when the record was written", () => {
    const node = nodeA();
    const sources = [sharedSource({ seen_ms: 30_000 })];
    node.adopt(personRecord({ shares: [share({ age_ms: 20_000, sources })] }), 0);
    expectUntil(node, TTL_MS - 50_000);
    expect(node.register.nextAt()).toBe(TTL_MS - 50_000);
  });

  test("they turn idle idle_after_ms after the user was last active, as of when the record was written", () => {
    const node = nodeA();
    const sources = [sharedSource({ active_ms: 250_000 })];
    node.adopt(personRecord({ shares: [share({ age_ms: 20_000, sources })] }), 0);
    expect(stateAt(node, IDLE_MS - 270_001)).toBe("online");
    expect(stateAt(node, IDLE_MS - 270_000)).toBe("idle");
  });

  test("one that lingers ends when it does where it was connected", () => {
    const node = nodeA();
    const sources = [sharedSource({ lingers_ms: 8_000 })];
    node.adopt(personRecord({ shares: [share({ age_ms: 3_000, sources })] }), 0);
    expectUntil(node, 5_000);
  });

  test("those of several nodes count beside those of this one", () => {
    const node = nodeA();
    open(node);
    const tablet = sharedSource({ id: "c.1", device_id: "tablet" });
    const shares = [share(), share({ owner: owner({ node: "c" }), sources: [tablet] })];
    node.adopt(personRecord({ shares }), 0);
    expect(devicesAt(node, 0)).toEqual(["laptop", "phone", "tablet"]);
    node.adopt(personRecord({ version: 2, shares: shares.slice(1) }), 0);
    expect(devicesAt(node, 0)).toEqual(["laptop", "tablet"]);
  });

  test("their devices are counted, one that is at several nodes once", () => {
    const node = withPhone();
    open(node);
    open(node, 0, { device_id: "phone", door: "yjs" });
    expect(node.register.devices).toBe(2);
  });

  test("a socket at another node speaks for its person: what they do here by request is no sign of life", () => {
    const node = withPhone();
    const by = { device_id: undefined, token_id: "t" };
    expect(node.register.isConnected("ann", by)).toBe(true);
    node.register.act("ann", by, 0);
    expect(devicesAt(node, 0)).toEqual(["phone"]);
  });

  test("a tab that comes to another node still says what it said last", () => {
    const node = withPhone({ statement: "idle", said: 5, lingers_ms: 1_000 });
    const name = sourceName({ device_id: "phone" });
    expect(node.register.open("ann", name, {}, 0).change).toBeUndefined();
    expect(stateAt(node, 0)).toBe("idle");
  });

  test("requests of one device may reach several nodes: none ends what another heard", () => {
    const requests = { door: "rest", instance: "phone" } as const;
    const node = withPhone({ ...requests, active_ms: IDLE_MS });
    node.register.beat("ann", "phone", { state: "online" }, SECOND_MS);
    expect(idsOf(node, SECOND_MS)).toEqual(["a.1"]);
    expect(node.contribution("ann", SECOND_MS).ended).toEqual({});
    node.adopt(withSource(requests, { version: 2 }), 2_000);
    expect(idsOf(node, 2_000)).toEqual(["a.1"]);
  });
});

describe("SharedPresence adopt(), of versions and lineages", () => {
  test("a record that is not newer than the last one has no effect", () => {
    const node = nodeA();
    node.adopt(withSource({}, { version: 5 }), 0);
    for (const version of [4, 5])
      expect(node.adopt(personRecord({ version }), SECOND_MS)).toEqual(NOTHING_NEW);
    expect(stateAt(node, SECOND_MS)).toBe("online");
    node.adopt(personRecord({ version: 6 }), SECOND_MS);
    expect(stateAt(node, SECOND_MS)).toBe("offline");
  });

  test("that of a person who is gone is known for presence_ttl_ms more", () => {
    const node = nodeA();
    node.adopt(withSource({}, { version: 5 }), 0);
    node.adopt(personRecord({ version: 6 }), SECOND_MS);
    node.register.expire(SECOND_MS + TTL_MS - 1);
    expect(node.adopt(withSource({}, { version: 5 }), SECOND_MS + TTL_MS - 1)).toEqual(NOTHING_NEW);
    node.register.expire(SECOND_MS + TTL_MS);
    expect(node.register.size).toBe(0);
  });

  test("a record that was lost and begun anew has an effect, whatever its version is", () => {
    const node = nodeA();
    node.adopt(personRecord({ version: 5 }), 0);
    node.adopt(withSource({}, { version: 1, lineage: "second" }), 0);
    expect(stateAt(node, 0)).toBe("online");
    expect(node.contribution("ann", 0).version).toBe(1);
  });

  test("what comes late of a record that was lost has no effect", () => {
    const node = nodeA();
    node.adopt(personRecord({ version: 5 }), 0);
    node.adopt(personRecord({ version: 1, lineage: "second" }), 0);
    expect(node.adopt(withSource({}, { version: 6 }), 0)).toEqual(NOTHING_NEW);
    node.adopt(personRecord({ version: 2, lineage: "second" }), 0);
    expect(node.adopt(withSource({}, { version: 7 }), 0)).toEqual(NOTHING_NEW);
    expect(stateAt(node, 0)).toBe("offline");
  });

  test("what a record had that was lost lingers for disconnect_grace_ms at most, counted once", () => {
    const node = withPhone();
    node.adopt(personRecord({ lineage: "second" }), SECOND_MS);
    node.adopt(personRecord({ lineage: "second", version: 2 }), 2_000);
    node.adopt(personRecord({ lineage: "third" }), 3_000);
    expectUntil(node, SECOND_MS + GRACE_MS);
    const short = withPhone({ lingers_ms: 4_000 });
    short.adopt(personRecord({ lineage: "second" }), SECOND_MS);
    expectUntil(short, 4_000);
  });

  test("what was heard by requests and was in a record that was lost lives on", () => {
    const node = withPhone({ door: "rest" });
    node.adopt(personRecord({ lineage: "second" }), SECOND_MS);
    expectUntil(node, TTL_MS);
  });

  test("what a node says again replaces what it had in a record that was lost, also in another incarnation", () => {
    const node = withPhone();
    const shares = [share({ owner: owner({ incarnation: 2 }), sources: [] })];
    node.adopt(personRecord({ lineage: "second", shares }), SECOND_MS);
    expect(stateAt(node, SECOND_MS)).toBe("offline");
  });

  test("what is connected here lasts, whatever becomes of the record", () => {
    const node = nodeA();
    open(node);
    node.adopt(personRecord(), 0);
    node.adopt(personRecord({ lineage: "second" }), 0);
    expectUntil(node, TTL_MS);
  });
});

describe("SharedPresence, of sources that were ended elsewhere than where they are", () => {
  test("one of another node that signed off here is gone at once, and told so for presence_ttl_ms", () => {
    const node = withPhone();
    expect(node.register.signOff("ann", "phone", SECOND_MS)?.told).toBe("offline");
    const endedAt = (now: number): object => node.contribution("ann", now).ended;
    expect(endedAt(SECOND_MS)).toEqual({ "b.1": "signed_off" });
    expect(endedAt(SECOND_MS + TTL_MS - 1)).toEqual({ "b.1": "signed_off" });
    expect(endedAt(SECOND_MS + TTL_MS)).toEqual({});
  });

  test("it is not taken up again, and is to be told until a record says so", () => {
    const node = withPhone();
    node.register.signOff("ann", "phone", SECOND_MS);
    const unheard = node.adopt(withSource({}, { version: 2 }), 2_000);
    expect(unheard).toEqual({ ...NOTHING_NEW, isOutdated: true });
    const ended = { "b.1": "signed_off" } as const;
    const heard = node.adopt(withSource({}, { version: 3, ended }), 3_000);
    expect(heard).toEqual(NOTHING_NEW);
    expect(node.adopt(personRecord({ version: 4 }), 4_000)).toEqual(NOTHING_NEW);
    expect(stateAt(node, 4_000)).toBe("offline");
  });

  test("once it is too old to be brought up it counts again, so that no list grows without end", () => {
    const node = withPhone();
    node.register.signOff("ann", "phone", SECOND_MS);
    node.adopt(withSource({}, { version: 2 }), SECOND_MS + TTL_MS - 1);
    expect(stateAt(node, SECOND_MS + TTL_MS - 1)).toBe("offline");
    node.adopt(withSource({}, { version: 3 }), SECOND_MS + TTL_MS);
    expect(stateAt(node, SECOND_MS + TTL_MS)).toBe("online");
  });

  test("whoever signed off elsewhere is remembered as long as that is to be told", () => {
    const node = withPhone();
    node.register.signOff("ann", "phone", 60_000);
    node.register.expire(60_000 + TTL_MS - 1);
    expect(node.register.size).toBe(1);
    node.register.expire(60_000 + TTL_MS);
    expect(node.register.size).toBe(0);
  });

  test("a stream that opens here ends the one of the same tab at another node", () => {
    const node = withPhone();
    open(node, 0, { device_id: "phone" });
    expect(node.contribution("ann", 0).ended).toEqual({ "b.1": "duplicate_connection" });
    expect(devicesAt(node, 0)).toEqual(["phone"]);
  });

  test("a Yjs socket that opens here is over only for those of its tab that linger elsewhere", () => {
    const endedBy = (lingers_ms: number | null): object => {
      const node = withPhone({ door: "yjs", lingers_ms });
      open(node, 0, { device_id: "phone", door: "yjs" });
      return node.contribution("ann", 0).ended;
    };
    expect(endedBy(5_000)).toEqual({ "b.1": "over" });
    expect(endedBy(null)).toEqual({});
  });

  test("a socket that opens here takes over from what other nodes heard by requests", () => {
    const node = withPhone({ door: "rest", device_id: "rest:t", instance: "rest:t" });
    open(node);
    expect(node.contribution("ann", 0).ended).toEqual({ "b.1": "over" });
  });

  test("a source that a record has among those that were ended is not taken up", () => {
    const node = nodeA();
    expect(node.adopt(withSource({}, { ended: { "b.1": "over" } }), 0)).toEqual(NOTHING_NEW);
    expect(stateAt(node, 0)).toBe("offline");
  });

  test("one of this node is handed out to be closed, with the reason, and its handle is dead", () => {
    for (const why of ["signed_off", "duplicate_connection"] as const) {
      const node = nodeA();
      const source = open(node);
      const outcome = node.adopt(personRecord({ ended: { "a.1": why } }), SECOND_MS);
      expect(outcome.change?.told).toBe("offline");
      expect(outcome.ended).toEqual([{ source, why }]);
      expect(outcome.isOutdated).toBe(true);
      expect(node.register.hear(source, { state: "online" }, 2_000)).toBeUndefined();
      expect(stateAt(node, 2_000)).toBe("offline");
    }
  });

  test("over is a mistake of a socket that is open here: it is told anew under another id", () => {
    const node = nodeA();
    const source = open(node);
    const outcome = node.adopt(personRecord({ ended: { "a.1": "over" } }), SECOND_MS);
    expect(outcome).toEqual({ ...NOTHING_NEW, isOutdated: true });
    expect(idsOf(node, SECOND_MS)).toEqual(["a.2"]);
    open(node, SECOND_MS, { door: "yjs" });
    expect(idsOf(node, SECOND_MS)).toEqual(["a.2", "a.3"]);
    node.register.close(source, 2_000);
    expect(idsOf(node, 2_000)).toEqual(["a.3"]);
  });

  test("over is true of what lingers here, or was heard by requests", () => {
    const ended = { "a.1": "over" } as const;
    const lost = nodeA();
    lost.register.lose(open(lost), SECOND_MS);
    const requested = nodeA();
    requested.register.beat("ann", "phone", {}, SECOND_MS);
    for (const node of [lost, requested]) {
      expect(node.adopt(personRecord({ ended }), 2_000).ended).toMatchObject([{ why: "over" }]);
      expect(stateAt(node, 2_000)).toBe("offline");
    }
  });
});

describe("SharedPresence adopt(), of what an instance said", () => {
  const YJS = { device_id: "laptop", door: "yjs" } as const;

  test("what it said last at another node holds here, and is to be contributed", () => {
    const node = nodeA();
    node.register.hear(open(node), { state: "online" }, SECOND_MS);
    const later = withSource({ ...YJS, statement: "idle", said: 1_001, active_ms: 500 });
    const outcome = node.adopt(later, 2_000);
    expect([outcome.change?.told, outcome.isOutdated]).toEqual(["idle", true]);
    expect(node.contribution("ann", 2_000).sources).toMatchObject([
      { statement: "idle", said: 1_001, active_ms: 500 },
    ]);
  });

  test("what it said last here holds for what another node has of it", () => {
    const node = nodeA();
    const source = open(node);
    node.register.hear(source, { state: "idle" }, SECOND_MS);
    const outcome = node.adopt(withSource({ ...YJS, statement: "online", said: 999 }), 2_000);
    expect([outcome.change, outcome.isOutdated]).toEqual([undefined, false]);
    node.register.close(source, 3_000);
    expect(stateAt(node, 3_000)).toBe("idle");
  });

  test("of two statements of one instant neither is the later one", () => {
    const node = nodeA();
    node.register.hear(open(node), { state: "online" }, SECOND_MS);
    const outcome = node.adopt(withSource({ ...YJS, statement: "idle", said: 1_000 }), 2_000);
    expect([outcome.change, outcome.isOutdated]).toEqual([undefined, false]);
  });

  test("another tab of the device says nothing about it", () => {
    const node = nodeA();
    node.register.hear(open(node), { state: "online" }, SECOND_MS);
    node.adopt(withSource({ ...YJS, instance: "other", statement: "idle", said: 9_999 }), 2_000);
    expect(stateAt(node, 2_000)).toBe("online");
  });

  test("what is said after it is later than it, also where the clock of this node is behind", () => {
    const node = nodeA();
    const source = open(node);
    node.adopt(withSource({ ...YJS, statement: "idle", said: 9_000 }), SECOND_MS);
    node.register.hear(source, { state: "online" }, 2_000);
    expect(node.contribution("ann", 2_000).sources).toMatchObject([{ said: 9_001 }]);
    node.adopt(withSource({ ...YJS, statement: "idle", said: 9_000 }, { version: 2 }), 3_000);
    expect(stateAt(node, 3_000)).toBe("online");
  });

  test("what is said after it is later than it also once that is over, as who has not heard so still holds it against this", () => {
    const node = nodeA();
    node.adopt(withSource({ ...YJS, door: "rest", statement: "idle", said: 9_000 }), 0);
    node.register.close(open(node), SECOND_MS);
    node.register.beat("ann", "laptop", { state: "online" }, 2_000);
    expect(node.contribution("ann", 2_000).sources).toMatchObject([{ said: 9_001 }]);
  });

  test("what it says by requests, while their node has not heard that a socket took over from them, holds for that", () => {
    const after = (given: Partial<SharedSource>, end: (node: SharedPresence) => unknown = open) => {
      const beats = { id: "b.1", device_id: "laptop", instance: "tab", door: "rest" } as const;
      const node = nodeA();
      node.adopt(withSource({ ...beats, statement: "online", said: 1_000 }), 0);
      end(node);
      node.register.open("ann", sourceName({ door: "yjs" }), {}, SECOND_MS);
      const beat = { ...beats, statement: "idle", said: 1_001, ...given } as const;
      const { isOutdated } = node.adopt(withSource(beat, { version: 2 }), 2_000);
      return [stateAt(node, 2_000), isOutdated];
    };
    expect(after({})).toEqual(["idle", true]);
    // It was known when it was ended, or has run out.
    expect(after({ said: 1_000 })[0]).toBe("online");
    expect(after({ seen_ms: TTL_MS })[0]).toBe("online");
    expect(after({}, (node) => node.register.signOff("ann", "laptop", 0))[0]).toBe("online");
  });

  test("what it had said by requests before another tab took over from them is not said by a socket that opens later", () => {
    const beat = { device_id: "laptop", instance: "tab", door: "rest", statement: "idle" } as const;
    const node = nodeA();
    node.adopt(withSource({ ...beat, said: 1_000 }), 0);
    open(node, 0, { instance: "other" });
    open(node, SECOND_MS, { door: "yjs" });
    node.adopt(withSource({ ...beat, said: 1_000 }, { version: 2 }), 2_000);
    const { sources } = node.contribution("ann", 2_000);
    expect(sources.map(({ statement }) => statement)).toEqual([null, null]);
  });

  test("what has run out says nothing any more, also where the record has it still", () => {
    const node = nodeA();
    node.register.hear(open(node), { state: "online" }, SECOND_MS);
    const over = { ...YJS, statement: "idle", said: 9_000, seen_ms: TTL_MS } as const;
    expect(node.adopt(withSource(over), SECOND_MS).isOutdated).toBe(false);
    expect(stateAt(node, SECOND_MS)).toBe("online");
  });
});

describe("SharedPresence, of states chosen by hand", () => {
  test("the later choice stands, whichever is heard of first", () => {
    const node = nodeA();
    expect(node.adopt(personRecord({ facts: chosen("busy", 10) }), 0).change?.told).toBe("busy");
    node.register.choose("ann", "idle", SECOND_MS, undefined, 9);
    expect(stateAt(node, SECOND_MS)).toBe("busy");
    node.register.choose("ann", "idle", SECOND_MS, undefined, 11);
    expect(stateAt(node, SECOND_MS)).toBe("idle");
    const late = node.adopt(personRecord({ version: 2, facts: chosen("busy", 10) }), 2_000);
    expect(late).toEqual({ ...NOTHING_NEW, isOutdated: true });
    const same = node.adopt(personRecord({ version: 3, facts: chosen("idle", 11) }), 3_000);
    expect(same).toEqual(NOTHING_NEW);
  });

  test("a record without facts says nothing of them, and is outdated where something was chosen", () => {
    const node = nodeA();
    node.register.choose("ann", "busy", 0, undefined, 10);
    expect(node.adopt(personRecord(), 0)).toEqual({ ...NOTHING_NEW, isOutdated: true });
    expect(stateAt(node, 0)).toBe("busy");
  });

  test("it is told at once, also where others were told something just before", () => {
    const node = nodeA();
    node.adopt(withSource({}), 0);
    const gone = node.adopt(personRecord({ version: 2 }), 1);
    expect([gone.change?.own, gone.change?.told]).toEqual(["offline", undefined]);
    const facts = chosen("busy", 10);
    expect(node.adopt(personRecord({ version: 3, facts }), 2).change?.told).toBe("busy");
  });

  test("who is always online is so by the facts of the record", () => {
    const node = nodeA();
    const facts = { manual: undefined, alwaysOnline: true, manual_at: 0 };
    expect(node.adopt(personRecord({ facts }), 0).change?.told).toBe("online");
  });

  test("a return to automatic is remembered for presence_ttl_ms, as an older choice may come late", () => {
    const node = nodeA();
    node.register.choose("ann", undefined, 0, undefined, 20);
    node.register.expire(TTL_MS - 1);
    node.register.choose("ann", "busy", TTL_MS - 1, undefined, 19);
    expect(stateAt(node, TTL_MS - 1)).toBe("offline");
    node.register.expire(TTL_MS);
    expect(node.register.size).toBe(0);
  });

  test("is hearsay in a record that began before this node heard of it, unless it is known", () => {
    const found = (version: number, facts = chosen("busy", 10)): boolean =>
      nodeA().adopt(personRecord({ version, facts }), 0).isHearsay;
    expect([found(1), found(2), found(2, chosen(undefined, 0))]).toEqual([false, true, false]);
    const node = nodeA();
    node.register.introduce("ann", chosen("busy", 10), 0);
    const next = (version: number, at: number): boolean =>
      node.adopt(personRecord({ version, facts: chosen("idle", at) }), 0).isHearsay;
    expect([next(2, 10), next(3, 11)]).toEqual([false, false]);
  });

  test("isOutdated() tells whether a later one is known than that in the record", () => {
    const node = nodeA();
    expect(node.isOutdated("ann")).toBe(false);
    node.register.introduce("ann", chosen("busy", 10), 0);
    expect(node.isOutdated("ann")).toBe(false);
    node.adopt(personRecord({ facts: chosen("busy", 10) }), 0);
    expect(node.isOutdated("ann")).toBe(false);
    node.register.introduce("ann", chosen(undefined, 11), 0);
    expect(node.isOutdated("ann")).toBe(true);
    node.adopt(personRecord({ version: 2, facts: chosen(undefined, 11) }), 0);
    expect(node.isOutdated("ann")).toBe(false);
  });
});

describe("SharedPresence disown()", () => {
  test("lets go of what these nodes hold, in these incarnations, and of nothing else", () => {
    const node = nodeA();
    open(node);
    const ids = ["b.1", "c.1", "d.1"];
    const shares = ids.map((id, index) =>
      share({
        owner: owner({ node: id.slice(0, 1), incarnation: index }),
        sources: [sharedSource({ id, device_id: id })],
      }),
    );
    node.adopt(personRecord({ shares }), 0);
    const owners = [owner({ node: "b", incarnation: 0 }), owner({ node: "c", incarnation: 9 })];
    expect(node.disown("ann", owners, SECOND_MS)).toBeUndefined();
    expect(devicesAt(node, SECOND_MS)).toEqual(["laptop", "c.1", "d.1"]);
  });

  test("lets linger for disconnect_grace_ms at most what any other node was known to hold, also by requests", () => {
    for (const door of ["stream", "rest"] as const) {
      const node = withPhone({ door });
      node.disown("ann", [owner({ incarnation: 2 })], SECOND_MS);
      expectUntil(node, SECOND_MS + GRACE_MS);
    }
  });

  test("tells of whoever is gone by it, and knows nothing of whoever is unknown", () => {
    const node = withPhone();
    expect(node.disown("ann", [owner()], SECOND_MS)?.told).toBe("offline");
    expect(node.disown("bob", [owner()], SECOND_MS)).toBeUndefined();
    expect(node.register.size).toBe(1);
  });
});

describe("SharedPresence orphan()", () => {
  test("lets what was connected to a node that is no more linger for so long at most", () => {
    const node = withPhone();
    expect(node.orphan(owner(), 5_000, SECOND_MS)).toEqual([]);
    expectUntil(node, 6_000);
    expect(node.register.expire(6_000)).toMatchObject([{ told: "offline" }]);
    const short = withPhone({ lingers_ms: 2_000 });
    short.orphan(owner(), 5_000, SECOND_MS);
    expectUntil(short, 2_000);
  });

  test("goes for all incarnations of it up to that one", () => {
    const node = withPhone();
    node.orphan(owner({ incarnation: 2 }), 5_000, SECOND_MS);
    expectUntil(node, 6_000);
    const later = nodeA();
    const shares = [share({ owner: owner({ incarnation: 2 }), sources: [sharedSource()] })];
    later.adopt(personRecord({ shares }), 0);
    later.orphan(owner({ incarnation: 1 }), 5_000, SECOND_MS);
    expectUntil(later, TTL_MS);
  });

  test("tells at once where it is not to linger any more", () => {
    const node = withPhone();
    expect(node.orphan(owner(), 0, SECOND_MS)).toMatchObject([{ told: "offline" }]);
  });

  test("lets what was heard by requests live on: it is nobody's", () => {
    const node = withPhone({ door: "rest" });
    node.orphan(owner(), 5_000, SECOND_MS);
    expectUntil(node, TTL_MS);
  });

  test("leaves alone what is connected here, to another node, or to another incarnation of it", () => {
    const node = nodeA();
    open(node);
    node.orphan({ node: "a", incarnation: 1 }, 0, SECOND_MS);
    expectUntil(node, TTL_MS);
    for (const other of [owner({ node: "c" }), owner({ incarnation: 0 })]) {
      const phone = withPhone();
      phone.orphan(other, 0, SECOND_MS);
      expectUntil(phone, TTL_MS);
    }
  });

  test("after noteGone() counts from when that was", () => {
    const node = withPhone();
    node.noteGone(owner(), 5_000, SECOND_MS);
    node.orphan(owner(), 5_000, 3_000);
    expectUntil(node, 6_000);
  });
});

describe("SharedPresence noteGone()", () => {
  test("changes nothing of what is known", () => {
    const node = withPhone();
    node.noteGone(owner(), 5_000, SECOND_MS);
    expectUntil(node, TTL_MS);
  });

  test("lets what records say from then on to be connected to the node linger for so long at most", () => {
    const node = nodeA();
    node.noteGone(owner(), 5_000, SECOND_MS);
    node.adopt(withSource({}), 2_000);
    expectUntil(node, 6_000);
    node.adopt(withSource({ lingers_ms: 1_000 }, { version: 2 }), 2_000);
    expectUntil(node, 3_000);
  });

  test("does not let linger what had run out before", () => {
    const node = nodeA();
    node.noteGone(owner(), 5_000, 0);
    node.adopt(withSource({ seen_ms: TTL_MS - 1_000 }), 0);
    expectUntil(node, 1_000);
  });

  test("says nothing of what was heard by requests, nor of another incarnation", () => {
    const node = nodeA();
    node.noteGone(owner(), 5_000, 0);
    node.adopt(withSource({ door: "rest" }), 0);
    expectUntil(node, TTL_MS);
    const back = [share({ owner: owner({ incarnation: 2 }) })];
    node.adopt(personRecord({ version: 2, shares: back }), 0);
    expectUntil(node, TTL_MS);
  });

  test("holds by whichever of several is the earliest", () => {
    const node = nodeA();
    node.noteGone(owner(), 5_000, 0);
    node.noteGone(owner(), 9_000, 0);
    node.adopt(withSource({}), 0);
    expectUntil(node, 5_000);
  });

  test("is remembered for presence_ttl_ms beyond that, and no longer", () => {
    const knownAfter = (now: number): PresenceState => {
      const node = nodeA();
      node.noteGone(owner(), 5_000, 0);
      node.noteGone(owner({ node: "c" }), 5_000, now);
      node.adopt(withSource({}), now);
      return stateAt(node, now);
    };
    expect(knownAfter(5_000 + TTL_MS - 1)).toBe("offline");
    expect(knownAfter(5_000 + TTL_MS)).toBe("online");
  });
});

describe("SharedPresence supersede()", () => {
  const back = owner({ incarnation: 2 });

  test("lets what a node had heard by requests before it came back linger for disconnect_grace_ms at most", () => {
    const node = withPhone({ door: "rest" });
    expect(node.supersede(back, SECOND_MS)).toEqual([]);
    expectUntil(node, SECOND_MS + GRACE_MS);
    const old = withPhone({ door: "rest", seen_ms: TTL_MS - 4_000 });
    old.supersede(back, SECOND_MS);
    expectUntil(old, 4_000);
  });

  test("says nothing of sockets, of other nodes, of what is here, nor of the same incarnation", () => {
    const left: readonly [SharedPresence, superseding: typeof back][] = [
      [withPhone(), back],
      [withPhone({ door: "rest" }), owner({ node: "c", incarnation: 2 })],
      [withPhone({ door: "rest" }), owner()],
    ];
    for (const [node, superseding] of left) {
      node.supersede(superseding, SECOND_MS);
      expectUntil(node, TTL_MS);
    }
    const here = nodeA();
    here.register.beat("ann", "phone", {}, 0);
    here.adopt(personRecord(), 0);
    here.supersede({ node: "a", incarnation: 2 }, SECOND_MS);
    expectUntil(here, TTL_MS);
  });
});

describe("SharedPresence hold()", () => {
  test("takes what other nodes had to last for presence_ttl_ms, whether open, lingering or by requests", () => {
    for (const given of [{}, { lingers_ms: 5_000 }, { door: "rest" }] as const) {
      const node = withPhone(given);
      expect(node.hold(SECOND_MS)).toEqual([]);
      expectUntil(node, SECOND_MS + TTL_MS);
    }
  });

  test("does not shorten what lasts longer by itself", () => {
    const node = withPhone({ lingers_ms: 2 * TTL_MS });
    node.hold(SECOND_MS);
    expectUntil(node, 2 * TTL_MS);
  });

  test("takes them to be as awake as they are", () => {
    const awake = withPhone({ active_ms: IDLE_MS - 2_000 });
    awake.hold(SECOND_MS);
    expect(stateAt(awake, SECOND_MS + TTL_MS - 1)).toBe("online");
    const idle = withPhone({ active_ms: IDLE_MS });
    idle.hold(SECOND_MS);
    expect(stateAt(idle, SECOND_MS)).toBe("idle");
    const fresh = withPhone({ active_ms: 0 });
    fresh.hold(SECOND_MS);
    expect(fresh.register.explain("ann", SECOND_MS).devices).toMatchObject([{ lastActiveAt: 0 }]);
  });

  test("does nothing for what is connected here", () => {
    const node = nodeA();
    open(node);
    node.adopt(personRecord(), 0);
    node.hold(SECOND_MS);
    expectUntil(node, TTL_MS);
  });

  test("lets what a node that is no more had end in its time", () => {
    const node = withPhone();
    node.orphan(owner(), 5_000, SECOND_MS);
    node.hold(2_000);
    expectUntil(node, 6_000);
  });

  test("holds what a node had that came back in another incarnation, unless that is no more either", () => {
    const node = withPhone();
    node.orphan(owner(), 5_000, SECOND_MS);
    node.supersede(owner({ incarnation: 2 }), SECOND_MS);
    node.hold(2_000);
    expectUntil(node, 2_000 + TTL_MS);
    node.orphan(owner({ incarnation: 2 }), 5_000, 3_000);
    node.hold(4_000);
    expectUntil(node, 8_000);
  });

  test("is cut short by the next record where the node has not said it again since the record was lost", () => {
    const node = withPhone();
    node.adopt(personRecord({ lineage: "anew", version: 1 }), SECOND_MS);
    node.hold(2_000);
    expectUntil(node, 2_000 + TTL_MS);
    node.adopt(personRecord({ lineage: "anew", version: 2 }), 3_000);
    expectUntil(node, 3_000 + GRACE_MS);
  });

  test("lets the record that is known say more, once: what has ended meanwhile", () => {
    const node = nodeA();
    const known = withSource({}, { version: 5 });
    node.adopt(known, 0);
    node.hold(SECOND_MS);
    expect(node.adopt(withSource({}, { version: 4 }), 2_000)).toEqual(NOTHING_NEW);
    expect(node.adopt(personRecord({ version: 5 }), 2_000).change?.told).toBe("offline");
    expect(node.adopt(known, 3_000)).toEqual(NOTHING_NEW);
    expect(stateAt(node, 3_000)).toBe("offline");
  });

  test("ends with the record that follows: what it has lasts as long as it says", () => {
    const node = withPhone();
    node.hold(60_000);
    node.adopt(withSource({ seen_ms: 20_000 }, { version: 2 }), 60_000);
    expectUntil(node, 40_000 + TTL_MS);
  });
});

describe("SharedPresence forget()", () => {
  test("tells that a person who is no more is offline, wherever they were", () => {
    const node = withPhone();
    open(node);
    const change = node.forget("ann", { now: SECOND_MS, at: 100 });
    expect(change).toEqual({ participant_id: "ann", own: "offline", told: "offline" });
    expect(stateAt(node, SECOND_MS)).toBe("offline");
  });

  test("of someone unknown does nothing", () => {
    const node = nodeA();
    expect(node.forget("ann", { now: 0, at: 100 })).toBeUndefined();
    expect(node.register.size).toBe(0);
  });

  test("leaves the handles of their sources dead", () => {
    const node = nodeA();
    const source = open(node);
    node.forget("ann", { now: SECOND_MS, at: 100 });
    expect(node.register.hear(source, { state: "online" }, 2_000)).toBeUndefined();
    expect(stateAt(node, 2_000)).toBe("offline");
  });

  test("keeps out what comes late of their records", () => {
    const node = nodeA();
    node.adopt(personRecord({ version: 5 }), 0);
    node.adopt(withSource({}, { version: 5, lineage: "second" }), 0);
    node.hold(0);
    node.forget("ann", { now: SECOND_MS, at: 100 });
    for (const of of [{ version: 4 }, { version: 5 }])
      expect(node.adopt(withSource({}, { lineage: "second", ...of }), 2_000)).toEqual(NOTHING_NEW);
    expect(node.adopt(withSource({}, { version: 9 }), 2_000)).toEqual(NOTHING_NEW);
  });

  test("keeps out what other nodes hold of them still, and tells these", () => {
    const node = withPhone();
    node.forget("ann", { now: SECOND_MS, at: 100 });
    expect(node.contribution("ann", SECOND_MS)).toEqual({
      version: 1,
      facts: chosen(undefined, 100),
      sources: [],
      ended: { "b.1": "signed_off" },
    });
    const { change, isOutdated } = node.adopt(withSource({}, { version: 2 }), 2_000);
    expect([change, isOutdated]).toEqual([undefined, true]);
  });

  test("still tells what was ended here before", () => {
    const node = withPhone();
    open(node, 0, { device_id: "phone" });
    node.forget("ann", { now: SECOND_MS, at: 100 });
    expect(node.contribution("ann", SECOND_MS).ended).toEqual({ "b.1": "duplicate_connection" });
  });

  test("keeps out what they had chosen before", () => {
    const node = nodeA();
    node.adopt(personRecord({ facts: chosen("busy", 90) }), 0);
    node.forget("ann", { now: SECOND_MS, at: 100 });
    expect(node.isOutdated("ann")).toBe(true);
    const late = node.adopt(personRecord({ version: 2, facts: chosen("busy", 99) }), 2_000);
    expect(late).toEqual({ ...NOTHING_NEW, isOutdated: true });
    expect(stateAt(node, 2_000)).toBe("offline");
  });

  test("is to be told also where the record has a choice of the same instant", () => {
    const node = nodeA();
    node.adopt(personRecord({ facts: chosen("busy", 100) }), 0);
    node.forget("ann", { now: SECOND_MS, at: 100 });
    expect(node.isOutdated("ann")).toBe(true);
  });

  test("lets in who is added again: what is begun and chosen after it counts", () => {
    const node = withPhone();
    node.forget("ann", { now: SECOND_MS, at: 100 });
    node.adopt(withSource({ id: "b.2" }, { version: 2, facts: chosen("idle", 101) }), 2_000);
    expect(stateAt(node, 2_000)).toBe("idle");
    expect(devicesAt(node, 2_000)).toEqual(["phone"]);
  });

  test("is remembered for presence_ttl_ms, and no longer", () => {
    const node = withPhone();
    node.forget("ann", { now: SECOND_MS, at: 100 });
    expect(node.register.nextAt()).toBe(SECOND_MS + TTL_MS);
    expect(node.register.expire(SECOND_MS + TTL_MS - 1)).toEqual([]);
    expect(node.register.size).toBe(1);
    expect(node.register.expire(SECOND_MS + TTL_MS)).toEqual([]);
    expect(node.register.size).toBe(0);
  });
});

/** A moment on both clocks, which need not show the same. */
function at(elapsed: number): Moment {
  return { elapsed, monotonic: elapsed + 7 };
}

/** A node where Ann types in the lobby on her laptop, which is connected to node b. */
function typing(given: Partial<SharedSource> = {}): SharedLiveness {
  const node = new SharedLiveness({ ...typingRules(), ...rules() }, "a");
  node.adopt(withSource({ device_id: "laptop", ...given }), at(0));
  node.register.type(signal(), true, at(0));
  return node;
}

/** Changes in words, in their order. */
function told(changes: readonly LivenessChange[]): string[] {
  return changes.map((change) =>
    "typing" in change ? `typing ${change.typing}` : `${change.told}`,
  );
}

describe("SharedLiveness", () => {
  test("ends what was typed on a device that is gone by a record before it tells that", () => {
    for (const given of [{}, { door: "rest" }, { lingers_ms: 5_000 }] as const) {
      const { changes } = typing(given).adopt(personRecord({ version: 2 }), at(SECOND_MS));
      expect(told(changes)).toEqual(["typing false", "offline"]);
    }
  });

  test("ends what was typed through a socket once it lingers, although its device is there", () => {
    const lost = withSource({ device_id: "laptop", lingers_ms: 5_000 }, { version: 2 });
    expect(told(typing().adopt(lost, at(SECOND_MS)).changes)).toEqual(["typing false"]);
  });

  test("lets what was typed on a device live on while another socket of it is open", () => {
    const node = typing();
    node.register.open("ann", sourceName({ door: "yjs" }), {}, at(0));
    expect(node.adopt(personRecord({ version: 2 }), at(SECOND_MS)).changes).toEqual([]);
  });

  test("lets what is typed on a device of which no node says anything live on", () => {
    const node = typing();
    node.register.type(signal({ room_id: "attic", source: "rest:t" }), true, at(0));
    const { changes } = node.adopt(personRecord({ version: 2 }), at(SECOND_MS));
    expect(changes).toMatchObject([{ room_id: "lobby", typing: false }, { told: "offline" }]);
  });

  test("ends what is typed by whoever hides by a record before it tells that", () => {
    const facts = chosen("appear_offline", 10);
    const hidden = withSource({ device_id: "laptop" }, { version: 2, facts });
    const { changes, isOutdated } = typing().adopt(hidden, at(SECOND_MS));
    expect(told(changes)).toEqual(["typing false", "offline"]);
    expect(isOutdated).toBe(false);
  });

  test("hands out sources of this node that others have ended", () => {
    const node = new SharedLiveness({ ...typingRules(), ...rules() }, "a");
    const { source } = node.register.open("ann", sourceName(), {}, at(0));
    const record = personRecord({ ended: { "a.1": "signed_off" } });
    expect(node.adopt(record, at(SECOND_MS)).ended).toEqual([{ source, why: "signed_off" }]);
  });

  test("ends what was typed on a device of nodes that hold nothing of its person", () => {
    expect(told(typing().disown("ann", [owner()], at(SECOND_MS)))).toEqual([
      "typing false",
      "offline",
    ]);
  });

  test("ends what is typed by someone who is no more, and keeps them out", () => {
    const node = typing();
    expect(told(node.forget("ann", at(SECOND_MS), 100))).toEqual(["typing false", "offline"]);
    const { changes } = node.adopt(withSource({}, { version: 2 }), at(2_000));
    expect(changes).toEqual([]);
  });

  test("lets what was typed through a node that is no more run out by itself", () => {
    const node = typing();
    expect(told(node.orphan(owner(), 0, at(SECOND_MS)))).toEqual(["offline"]);
    expect(node.register.lifeOf("lobby", "bob", at(SECOND_MS)).typists).toEqual(["ann"]);
    const at4s = node.register.expire(at(4_000));
    expect(at4s).toMatchObject([{ typing: false }]);
  });

  test("is told of nodes on the clock of presence", () => {
    const node = typing({ door: "rest" });
    node.register.choose("ann", "busy", at(0), undefined, 10);
    expect(node.contribution("ann", at(0))).toMatchObject({
      version: 1,
      facts: chosen("busy", 10),
    });
    expect([node.isOutdated("ann"), node.isOutdated("bob")]).toEqual([true, false]);
    expect([[...node.own()], [...node.chosen()], [...node.shared()]]).toEqual([
      [],
      ["ann"],
      ["ann"],
    ]);
    node.supersede(owner({ incarnation: 2 }), at(0));
    expect(node.register.nextAt().elapsed).toBe(GRACE_MS);
    node.hold(at(SECOND_MS));
    expect(node.register.explain("ann", at(SECOND_MS)).devices).toMatchObject([
      { expiresAt: SECOND_MS + TTL_MS },
    ]);
    node.noteGone(owner({ node: "c" }), 5_000, at(SECOND_MS));
    const shares = [share({ owner: owner({ node: "c" }) })];
    node.adopt(personRecord({ version: 2, shares }), at(SECOND_MS));
    expect(node.register.explain("ann", at(SECOND_MS)).devices).toMatchObject([
      { expiresAt: SECOND_MS + 5_000 },
    ]);
  });
});
