import type { OpenSource, TypingSignal } from "@porchlight/core";
import type { Clock } from "@porchlight/core/clock";
import type { EndReason, Owner } from "@porchlight/core/sharing";
import type { Liveness, Sharing } from "../liveness.ts";
import { errorFields, type Log } from "../log.ts";
import { nameOfPerson, type PersonKey, type PresenceFacts } from "../store/store.ts";
import { type Cluster, type ClusterView, type Delivery, WRITE_MAX } from "./cluster.ts";
import type { ClusterMessage } from "./message.ts";

/** A lease is renewed so many times before it would run out. */
const RENEWALS_PER_LEASE = 4;
/** A record that nobody writes is kept for so many times the lifetime of a source: then nothing in it is alive. */
const KEPT_LIFETIMES = 2;
/** Whoever comes back waits so long at most for what the store says: then what is known of people's choices stands. */
const FACTS_WITHIN_MS = 1_000;

/** The durations that decide when a node is no more, and what becomes of those who were connected to it. */
export interface NodeRules {
  readonly node_lease_ms: number;
  readonly disconnect_grace_ms: number;
  readonly restart_grace_ms: number;
  readonly presence_ttl_ms: number;
}

/** Who was there, and when that was asked. */
interface Look {
  readonly view: ClusterView;
  readonly askedAt: number;
}

/** What a node stands on. */
export interface NodeDeps {
  readonly clock: Clock;
  readonly liveness: Liveness;
  readonly log: Log;
  readonly rules: NodeRules;
  /** What the store says of people's presence. */
  readonly facts: () => Promise<readonly PresenceFacts[]>;
  readonly factsOf: (key: PersonKey) => Promise<PresenceFacts | undefined>;
  /** Another node said something. */
  readonly hear: (message: ClusterMessage, from: string) => void;
  /** Another node ended a source of this one. */
  readonly ended: (key: PersonKey, source: OpenSource, why: EndReason) => void;
  /** Something may have been said that was not heard here. */
  readonly missed: () => void;
  /** Some node is there anew, and knows nothing. */
  readonly joined: (node: string) => void;
  /** Another node is no more, in any incarnation: what was connected to it lingers for so long, in milliseconds. */
  readonly gone: (node: string, lingersMs: number) => void;
  readonly open: (deliver: (delivery: Delivery) => void) => Cluster;
}

/**
 * This node among the others: it tells them of its people, hears of theirs,
 * and finds out who is no more. One timer, whatever there is to share.
 *
 * Cut off, it serves its own people and takes the others to be as they were
 * for `presence_ttl_ms`. Back, it tells everything anew before it believes
 * that anything is over: nobody sees a change but one that there was.
 */
export class ClusterNode implements Sharing {
  readonly #deps: NodeDeps;
  readonly #cluster: Cluster;
  /** Nothing while this node does not take part. */
  #incarnation: number | undefined;
  /** The last that it may have been given. */
  #last = 0;
  /** When the last answer was asked for that came. */
  #heardAt = Number.NEGATIVE_INFINITY;
  #asOf: number | undefined;
  #beating: Promise<void> | undefined;
  #isStopped = false;
  #callOff = (): void => undefined;
  /** People to tell of at the end of the turn, by name. */
  readonly #changed = new Map<string, PersonKey>();
  /** Of these nothing changed but when they were heard of: the next renewal is soon enough. */
  readonly #touched = new Map<string, PersonKey>();
  #flushing: { readonly incarnation: number; readonly done: Promise<void> } | undefined;
  readonly #sending = new Set<Promise<void>>();
  /** Everything up to this number has been delivered, and what is above it with a gap below. */
  #contiguous = 0;
  readonly #above = new Set<number>();
  /** What had been delivered by the time of the last view. */
  #expected = 0;
  /** While records are read, who was heard of meanwhile. */
  #heardOf: Set<string> | undefined;
  /** Whether everything is to be read, as something may have been missed. */
  #hasMissed = false;
  #catchingUp: Promise<void> | undefined;
  /** Whether somebody may have chosen something of which nobody told, and when that was last asked. */
  #areFactsDue = false;
  #areFactsAway = false;
  #factsAt = Number.NEGATIVE_INFINITY;
  #askingFacts: Promise<void> | undefined;
  /** Other nodes of which something is known here, since when, and those that are known to be no more. */
  readonly #owners = new Map<string, { readonly owner: Owner; readonly at: number }>();
  readonly #gone = new Set<string>();
  /** Other nodes that are there, in which incarnation at least, and when they were last known to be. */
  readonly #others = new Map<string, { readonly incarnation: number; readonly at: number }>();
  #aheadMs = 0;

  constructor(deps: NodeDeps) {
    this.#deps = deps;
    this.#cluster = deps.open((delivery) => this.#deliver(delivery));
  }

  /** Its name among the nodes. */
  get name(): string {
    return this.#cluster.node;
  }

  /** Whether it takes part. */
  get isJoined(): boolean {
    return this.#incarnation !== undefined;
  }

  /** Since when nothing is known of other nodes, in Unix milliseconds; nothing while it takes part. */
  get asOf(): number | undefined {
    return this.#asOf;
  }

  /**
   * By how much the clock of the node that is furthest ahead was ahead of this one's when it showed it, in
   * milliseconds. Nodes show theirs with each renewal, so it is that much more at most. It never shrinks: what a
   * clock that is wrong has stamped stays.
   */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  /** The other nodes that are there, by name, as far as this one knows; none while it does not take part. */
  get others(): readonly string[] {
    return this.#incarnation === undefined ? [] : [...this.#others.keys()];
  }

  /** Takes part, or goes on trying to; resolves when it does, or could not at once. */
  async start(): Promise<void> {
    await this.#beat();
    this.#schedule();
    await this.#catchingUp;
    // Records may tell of choices that are no more.
    await this.#factsInTime();
  }

  /** Leaves in order: whoever was connected lingers for `restart_grace_ms`. Safe to call twice. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#callOff();
    try {
      await this.#beating;
      await this.settled();
      const { node_lease_ms, restart_grace_ms } = this.#deps.rules;
      if (this.#incarnation !== undefined)
        await this.#cluster.retire(this.#owner(this.#incarnation), node_lease_ms, restart_grace_ms);
    } catch (error) {
      this.#deps.log("warn", "cluster.stop_failed", errorFields(error));
    } finally {
      await this.#cluster.close();
    }
  }

  changed(key: PersonKey): void {
    this.#mark(this.#changed, key);
    this.#startFlush();
  }

  touched(key: PersonKey): void {
    this.#mark(this.#touched, key);
  }

  /** Tells every other node something; at most once, and not at all while this one does not take part. */
  say(message: ClusterMessage): void {
    const incarnation = this.#incarnation;
    if (incarnation === undefined) return;
    const sending = this.#cluster
      .send(message)
      .catch((error: unknown) => this.#fail(error, incarnation))
      .finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
  }

  /** Resolves when the others have been told what there is to tell, or cannot be. */
  async settled(): Promise<void> {
    await this.#flushing?.done;
    await Promise.all(this.#sending);
  }

  /** Resolves when this node has heard what the others had been told before the call, or cannot. */
  async caughtUp(): Promise<void> {
    const incarnation = this.#incarnation;
    if (incarnation === undefined) return;
    await this.#cluster.caughtUp().catch((error: unknown) => this.#fail(error, incarnation));
  }

  typed(signal: TypingSignal & { tenant_id: string }, how: "start" | "renew" | "stop"): void {
    this.say({ kind: "typing", how, ...signal });
  }

  typingOver({ tenant_id, participant_id }: PersonKey, room_id: string): void {
    this.say({ kind: "typing_over", tenant_id, participant_id, room_id });
  }

  /** What was asked for in an incarnation that is over need not be waited for. */
  #startFlush(): void {
    const incarnation = this.#incarnation;
    if (incarnation === undefined || incarnation === this.#flushing?.incarnation) return;
    if (this.#changed.size > 0) this.#flushing = { incarnation, done: this.#flush(incarnation) };
  }

  #mark(marked: Map<string, PersonKey>, { tenant_id, participant_id }: PersonKey): void {
    const key = { tenant_id, participant_id };
    marked.set(nameOfPerson(key), key);
  }

  #owner(incarnation: number): Owner {
    return { node: this.#cluster.node, incarnation };
  }

  #schedule(): void {
    if (this.#isStopped) return;
    const { clock, rules } = this.#deps;
    this.#callOff = clock.timer(rules.node_lease_ms / RENEWALS_PER_LEASE, () => {
      this.#schedule();
      this.#doubt();
      void this.#beat();
    });
  }

  /** Nothing has been heard for so long that others may take this node for gone. */
  #doubt(): void {
    const { clock, rules, liveness, log } = this.#deps;
    if (this.#asOf !== undefined || clock.elapsed() <= this.#heardAt + rules.node_lease_ms) return;
    this.#asOf = Math.max(0, clock.wall() - (clock.elapsed() - this.#heardAt));
    log("warn", "cluster.cut_off", {});
    liveness.hold();
  }

  /** Takes part, or says that this node still does, unless that is being done. */
  #beat(): Promise<void> {
    this.#beating ??= this.#beatOnce().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  async #beatOnce(): Promise<void> {
    if (this.#isStopped) return;
    const incarnation = this.#incarnation;
    try {
      if (incarnation === undefined) await this.#join();
      else await this.#renew();
    } catch (error) {
      this.#fail(error, incarnation);
    }
    const { clock, rules } = this.#deps;
    // A node that is cut off and does not come back cannot tell what was chosen there.
    const areOld = clock.elapsed() >= this.#factsAt + rules.presence_ttl_ms;
    if (this.#areFactsDue || areOld) void this.#askFacts();
  }

  async #join(): Promise<void> {
    const { clock, liveness, log } = this.#deps;
    // Nobody is announced before it is known what they have chosen meanwhile.
    await this.#factsInTime();
    if (this.#isStopped) return;
    const askedAt = clock.elapsed();
    // One that is not answered may have been given all the same, and others may take it for gone by now.
    const above = this.#last;
    this.#last += 1;
    const { incarnation, ...view } = await this.#cluster.join(askedAt, above);
    this.#incarnation = incarnation;
    this.#last = incarnation;
    this.#above.clear();
    this.#expected = view.delivered;
    this.#hearOf({ view, askedAt });
    log("info", "cluster.joined", { node: this.#cluster.node, incarnation });
    for (const key of liveness.own()) this.#mark(this.#changed, key);
    this.#startFlush();
    this.#catchUp(view);
  }

  async #renew(): Promise<void> {
    for (const key of this.#touched.values()) this.changed(key);
    this.#touched.clear();
    const look = await this.#ask();
    if (look === undefined) {
      if (this.#incarnation === undefined) await this.#join();
      return;
    }
    const isIncomplete = this.#contiguous < this.#expected;
    this.#expected = look.view.delivered;
    if (isIncomplete) this.#catchUp(look.view);
    else if (this.#catchingUp === undefined) await this.#look(look);
  }

  /** Renews the lease. Answers who is there, or nothing when this incarnation is over. */
  async #ask(): Promise<Look | undefined> {
    const { clock, rules } = this.#deps;
    const incarnation = this.#incarnation;
    if (incarnation === undefined) return undefined;
    const askedAt = clock.elapsed();
    const view = await this.#cluster.renew(incarnation, askedAt, rules.node_lease_ms);
    if (this.#incarnation !== incarnation) return undefined;
    if (view === undefined) this.#incarnation = undefined;
    else this.#hearOf({ view, askedAt });
    return view && { view, askedAt };
  }

  #hearOf({ view, askedAt }: Look): void {
    this.#heardAt = askedAt;
    this.#aheadMs = Math.max(this.#aheadMs, view.wall - askedAt);
  }

  /** Reads what may have been missed, while the lease goes on being renewed. */
  #catchUp({ delivered, nodes }: ClusterView): void {
    for (const each of nodes)
      if (each.lingers_ms !== null) this.#deps.liveness.noteGone(each, each.lingers_ms);
    this.#contiguous = delivered;
    this.#hasMissed = true;
    this.#startReading();
  }

  #startReading(): void {
    const incarnation = this.#incarnation;
    if (!this.#hasMissed || incarnation === undefined) return;
    this.#catchingUp ??= this.#readMissed()
      .catch((error: unknown) => this.#fail(error, incarnation))
      .finally(() => {
        this.#catchingUp = undefined;
        this.#startReading();
      });
  }

  async #readMissed(): Promise<void> {
    while (this.#hasMissed) {
      this.#hasMissed = false;
      await this.#readAll();
    }
    if (this.#incarnation === undefined) return;
    this.#asOf = undefined;
    this.#deps.missed();
    // Records may tell of choices that are no more.
    void this.#askFacts();
  }

  /** Takes up every record, as if nothing had been heard before, and then who is no more. */
  async #readAll(): Promise<void> {
    const { liveness } = this.#deps;
    const heardOf = new Set<string>();
    this.#heardOf = heardOf;
    try {
      for await (const people of this.#cluster.people())
        for (const person of people) this.#adopt(person);
      const look = await this.#ask();
      // What was read may be of facts that have been lost meanwhile.
      if (look === undefined) return;
      for (const key of liveness.shared())
        if (!heardOf.has(nameOfPerson(key))) liveness.disown(key, look.view.nodes);
      // Whoever has moved is known where they are by now, and does not seem to leave.
      await this.#look(look);
    } finally {
      this.#heardOf = undefined;
    }
  }

  /** Finds out who is no more. */
  async #look({ view: { nodes }, askedAt }: Look): Promise<void> {
    const { rules } = this.#deps;
    for (const each of nodes) {
      if (each.lingers_ms !== null) this.#lose(each, each.lingers_ms);
      else if (each.silent_ms <= rules.node_lease_ms) this.#find(each, askedAt);
      else await this.#cluster.retire(each, rules.node_lease_ms, rules.disconnect_grace_ms);
    }
    for (const [node, { at }] of this.#others) if (at < askedAt) this.#others.delete(node);
    // Of those whose facts were lost with the cluster nobody says that they are no more.
    const known = new Set(nodes.map(nameOf));
    for (const [name, { owner, at }] of this.#owners)
      if (at < askedAt && !known.has(name)) this.#lose(owner, rules.disconnect_grace_ms);
  }

  /** Another node is there. */
  #find({ node, incarnation }: Owner, at: number): void {
    if (node === this.#cluster.node) return;
    const known = this.#others.get(node) ?? { incarnation: 0, at: 0 };
    this.#others.set(node, {
      incarnation: Math.max(incarnation, known.incarnation),
      at: Math.max(at, known.at),
    });
    if (incarnation > Math.max(1, known.incarnation))
      this.#deps.liveness.supersede({ node, incarnation });
  }

  /** A node is no more. */
  #lose(owner: Owner, lingerMs: number): void {
    const name = nameOf(owner);
    this.#owners.delete(name);
    if (owner.node === this.#cluster.node || this.#gone.has(name)) return;
    this.#gone.add(name);
    this.#deps.log("info", "cluster.gone", { node: owner.node, incarnation: owner.incarnation });
    this.#deps.liveness.orphan(owner, lingerMs);
    // What was chosen there last it may not have told anybody.
    this.#areFactsDue = true;
    if ((this.#others.get(owner.node)?.incarnation ?? 0) > owner.incarnation) return;
    this.#others.delete(owner.node);
    this.#deps.gone(owner.node, lingerMs);
  }

  /** Takes up what the store says of people's choices; where it does not answer, it is asked again with the next renewal. */
  #askFacts(): Promise<void> {
    this.#areFactsDue = true;
    this.#askingFacts ??= this.#takeFacts().finally(() => {
      this.#askingFacts = undefined;
    });
    return this.#askingFacts;
  }

  async #takeFacts(): Promise<void> {
    const { clock, facts, liveness, log } = this.#deps;
    while (this.#areFactsDue && !this.#isStopped) {
      this.#areFactsDue = false;
      this.#factsAt = clock.elapsed();
      try {
        for (const each of await facts()) liveness.recall(each);
        this.#areFactsAway = false;
      } catch (error) {
        if (!this.#areFactsAway) log("warn", "cluster.facts_failed", errorFields(error));
        this.#areFactsAway = true;
        this.#areFactsDue = true;
        return;
      }
    }
  }

  async #askFactsOf(key: PersonKey): Promise<void> {
    try {
      const facts = await this.#deps.factsOf(key);
      if (facts !== undefined) this.#deps.liveness.recall(facts);
    } catch {
      this.#areFactsDue = true;
    }
  }

  async #factsInTime(): Promise<void> {
    let callOff = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      callOff = this.#deps.clock.timer(FACTS_WITHIN_MS, resolve);
    });
    await Promise.race([this.#askFacts(), late]);
    callOff();
  }

  #deliver(delivery: Delivery): void {
    if (this.#isStopped) return;
    const isNews = this.#count(delivery.number);
    if (delivery.kind === "gone") this.#hearGone(delivery);
    else if (delivery.kind === "message" && delivery.from !== this.#cluster.node)
      this.#hear(delivery);
    // A record that comes late, when all have been read since, tells of someone who may be gone from them.
    else if (delivery.kind === "person" && isNews) this.#adopt(delivery.person);
  }

  #hear({ from, message }: Extract<Delivery, { kind: "message" }>): void {
    this.#find({ node: from, incarnation: 0 }, this.#deps.clock.elapsed());
    this.#deps.hear(message, from);
  }

  /** Takes note of a delivery. Answers whether it was not made before, and nothing that was read since has it. */
  #count(number: number): boolean {
    if (number <= this.#contiguous || this.#above.has(number)) return false;
    this.#above.add(number);
    while (this.#above.delete(this.#contiguous + 1)) this.#contiguous += 1;
    return true;
  }

  #adopt({ tenant_id, ...record }: Extract<Delivery, { kind: "person" }>["person"]): void {
    const key = { tenant_id, participant_id: record.participant_id };
    this.#heardOf?.add(nameOfPerson(key));
    const shares = record.shares.filter(({ owner }) => owner.node !== this.#cluster.node);
    for (const { owner } of shares) this.#meet(owner);
    const outcome = this.#deps.liveness.adopt(tenant_id, { ...record, shares });
    for (const { source, why } of outcome.ended) this.#deps.ended(key, source, why);
    if (outcome.isOutdated) this.changed(key);
    if (outcome.isHearsay) void this.#askFactsOf(key);
  }

  #meet(owner: Owner): void {
    const name = nameOf(owner);
    if (this.#gone.has(name) || this.#owners.has(name)) return;
    const at = this.#deps.clock.elapsed();
    this.#owners.set(name, { owner, at });
    this.#find(owner, at);
    this.#deps.joined(owner.node);
  }

  #hearGone({ owner, lingers_ms }: Extract<Delivery, { kind: "gone" }>): void {
    if (owner.node !== this.#cluster.node) this.#lose(owner, lingers_ms);
    else if (owner.incarnation === this.#incarnation) {
      this.#incarnation = undefined;
      void this.#beat();
    }
  }

  /** Tells of everyone who changed, some at a time, and of those who change meanwhile. */
  async #flush(incarnation: number): Promise<void> {
    // What happens at once is told at once.
    await Promise.resolve();
    while (this.#changed.size > 0 && this.#incarnation === incarnation)
      await this.#writeSome(incarnation);
    if (this.#flushing?.incarnation === incarnation) this.#flushing = undefined;
  }

  async #writeSome(incarnation: number): Promise<void> {
    const keys = [...this.#changed].slice(0, WRITE_MAX);
    for (const [name] of keys) {
      this.#changed.delete(name);
      // What is written has when they were heard of, too.
      this.#touched.delete(name);
    }
    const { liveness, rules } = this.#deps;
    const people = keys.map(([, key]) => ({ ...key, contribution: liveness.contribution(key) }));
    const ttlMs = KEPT_LIFETIMES * rules.presence_ttl_ms;
    const isWritten = await this.#cluster
      .write(incarnation, people, ttlMs)
      .catch((error: unknown) => this.#fail(error, incarnation));
    if (isWritten === true) return;
    // Nobody knows whether the others heard of it: they are told again.
    for (const [, key] of keys) this.#mark(this.#changed, key);
    this.#startFlush();
    if (this.#incarnation !== incarnation) return;
    this.#incarnation = undefined;
    void this.#beat();
  }

  /** Something did not go through, and nobody knows how much of it: everything is told anew when this node is back. */
  #fail(error: unknown, incarnation: number | undefined): void {
    if (this.#isStopped || incarnation === undefined || incarnation !== this.#incarnation) return;
    this.#deps.log("warn", "cluster.failed", errorFields(error));
    this.#incarnation = undefined;
  }
}

function nameOf({ node, incarnation }: Owner): string {
  return `${node}/${incarnation}`;
}
