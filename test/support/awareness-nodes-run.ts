import { expect } from "bun:test";
import type { VisibleState } from "@porchlight/core";
import {
  type AwarenessClient,
  type AwarenessTelling,
  STAND_IN_IDS_FROM,
} from "@porchlight/core/awareness";
import fc from "fast-check";
import * as encoding from "lib0/encoding";
import { Awareness, applyAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness";
import { Doc } from "yjs";
import { AwarenessNode, GRACE_MS, type NodeMessage, type Viewer } from "./awareness-nodes.ts";

const NODES = ["a", "b", "c"] as const;
type NodeName = (typeof NODES)[number];
const EPOCH = 1_700_000_000_000;
/** Whoever was there for so long is known to be on all nodes, whatever is on its way. */
const KNOWN_MS = 400;
/** Everything that is on its way has arrived after so long, and nothing lingers any more. */
const CALM_MS = GRACE_MS + 1_000;

/** How many people there are, with how many apps each. */
export interface Crowd {
  readonly people: number;
  readonly apps: number;
}

/** How far the clocks of the nodes are ahead, and for how long each message is on its way, and which are lost. */
export interface Weather {
  readonly skewMs: readonly number[];
  readonly delaysMs: readonly number[];
  readonly lost: readonly boolean[];
}

/** What somebody does with an app, or what becomes of them, `afterMs` after the step before. */
export interface NodesStep {
  readonly afterMs: number;
  readonly app: number;
  readonly node: NodeName;
  readonly act:
    | { readonly kind: "open" | "move" | "lose" | "leave" | "sayNothing" | "crash" }
    | { readonly kind: "say"; readonly x: number }
    | { readonly kind: "presence"; readonly state: VisibleState };
}

const anyAct: fc.Arbitrary<NodesStep["act"]> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constantFrom("open", "open", "move", "move", "lose", "leave", "sayNothing"),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("say"), x: fc.nat(9) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("presence"),
      state: fc.constantFrom<VisibleState>("online", "busy", "offline"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash") }) },
) as fc.Arbitrary<NodesStep["act"]>;

/** Histories of a crowd on three nodes. */
export function anyNodesHistory(
  { people, apps }: Crowd,
  length: number,
): fc.Arbitrary<NodesStep[]> {
  return fc.array(
    fc.record({
      afterMs: fc.constantFrom(0, 0, 1, 3, 20, 100, 1_000, 2_500, 9_999, 15_000),
      app: fc.nat(people * apps - 1),
      node: fc.constantFrom(...NODES),
      act: anyAct,
    }),
    { maxLength: length, size: "max" },
  );
}

/** Clocks that differ by seconds; messages that are late, and, where they may be, lost. */
export function anyWeather({ isLossy }: { isLossy: boolean }): fc.Arbitrary<Weather> {
  return fc.record({
    skewMs: fc.tuple(...NODES.map(() => fc.constantFrom(0, 1, 700, 5_000))),
    delaysMs: fc.array(fc.constantFrom(0, 1, 1, 2, 5, 30), { minLength: 1, maxLength: 20 }),
    lost: fc.array(isLossy ? fc.boolean() : fc.constant(false), { minLength: 1, maxLength: 40 }),
  });
}

/** An app with the awareness of y-protocols: the published receiver, clocks and all. */
class App implements Viewer {
  readonly person: string;
  readonly device: string;
  readonly awareness: Awareness;
  /** Its connection, as it knows it. */
  at: { readonly node: AwarenessNode; readonly client: AwarenessClient } | undefined;
  /** Whether it is connecting anew. */
  isConnecting = false;
  /** Whether its own connection was closed as if a later one had its id. */
  wasReplaced = false;

  /** Since when it has been there, as far as others can tell, without a break. */
  steadySince = Number.POSITIVE_INFINITY;
  /** When it was there last after a break. */
  beganAt = Number.NEGATIVE_INFINITY;
  readonly #watch: (tellings: readonly AwarenessTelling[]) => void;

  constructor(
    who: { person: string; index: number; id: number },
    watch: (app: App, tellings: readonly AwarenessTelling[]) => void,
  ) {
    const { person, index, id } = who;
    this.#watch = (tellings) => watch(this, tellings);
    this.person = person;
    this.device = `${person}-${index}`;
    const doc = new Doc();
    doc.clientID = id;
    this.awareness = new Awareness(doc);
  }

  get id(): number {
    return this.awareness.clientID;
  }

  get said(): Record<string, unknown> | null {
    return this.awareness.getLocalState();
  }

  get others(): number[] {
    return [...this.awareness.getStates().keys()].filter((id) => id !== this.id);
  }

  /** Says once more what it says. */
  renew(): void {
    if (this.said === null) return;
    this.awareness.setLocalState(this.said);
    this.say();
  }

  /** Says what it is. */
  say(): void {
    const { at, id, awareness } = this;
    const clock = awareness.meta.get(id)?.clock ?? 0;
    at?.node.say(at.client, { id, clock, text: JSON.stringify(this.said) });
  }

  hear(tellings: readonly AwarenessTelling[], client: AwarenessClient): void {
    // What is told to a connection that is dead arrives nowhere.
    if (this.at?.client !== client) return;
    this.#watch(tellings);
    const update = encoding.encode((encoder) => {
      encoding.writeVarUint(encoder, tellings.length);
      for (const { id, clock, text } of tellings) {
        encoding.writeVarUint(encoder, id);
        encoding.writeVarUint(encoder, clock);
        encoding.writeVarString(encoder, text ?? "null");
      }
    });
    applyAwarenessUpdate(this.awareness, update, "server");
  }

  /** Its connection is closed for good: to the one before it may happen. */
  replaced(client: AwarenessClient): void {
    if (this.at?.client !== client) return;
    this.at = undefined;
    this.wasReplaced = true;
  }

  /** Whether it hears of its person's other apps. */
  get hasSpoken(): boolean {
    return this.at?.node.room.hasId(this.at.client) === true;
  }
}

interface Event {
  readonly at: number;
  readonly act: () => void;
}

/**
 * A room on three nodes, and apps that move between them while messages are on
 * their way. In the end everybody must see what follows from all that happened.
 */
export class AwarenessNodesRun implements Disposable {
  readonly #weather: Weather;
  readonly #nodes = new Map<NodeName, AwarenessNode>();
  readonly #apps: App[] = [];
  readonly #told = new Map<string, VisibleState>();
  /** Since when people have been told to be there, of those of whom that ever changed. */
  readonly #seenSince = new Map<string, number>();
  #now = EPOCH;
  #isLossy = true;
  #sent = 0;
  #events: Event[] = [];
  /** By receiver, when what was sent last arrives: all hear everything in the same order. */
  readonly #arrivals = new Map<NodeName, number>();
  /** Apps whose app is closed, and whose connection its node has not missed yet. */
  readonly #opensAt = new Map<NodeName, number>();
  readonly #unnoticed = new Set<() => void>();

  constructor({ people, apps }: Crowd, weather: Weather) {
    this.#weather = weather;
    for (let index = 0; index < people * apps; index += 1)
      this.#apps.push(
        new App(
          { person: `p${index % people}`, index: Math.floor(index / people), id: 100 + index },
          (app, tellings) => this.#watch(app, tellings),
        ),
      );
    for (const { person } of this.#apps) this.#told.set(person, "online");
    for (const name of NODES) this.#start(name);
  }

  step({ afterMs, app: index, node, act }: NodesStep): void {
    this.#pass(afterMs);
    const app = this.#apps[index];
    if (app === undefined) return;
    this.#do(app, node, act);
    this.#runAll();
  }

  /** Lets everything arrive and everybody see it, and holds it against what is true. */
  settle(): void {
    // Whoever was cut off finds out, and asks.
    for (const notice of [...this.#unnoticed]) notice();
    this.#pass(CALM_MS);
    this.#isLossy = false;
    for (const name of NODES) this.#askOthers(name);
    this.#pass(CALM_MS);
    // Clients repeat by themselves what they say.
    for (const app of this.#apps) app.renew();
    this.#runAll();
    this.#pass(CALM_MS);
    const seen = Object.fromEntries(
      this.#connected.map((app) => [app.device, this.#shown(app)] as const),
    );
    const expected = Object.fromEntries(
      this.#connected.map((app) => [app.device, this.#expected(app)] as const),
    );
    expect(seen).toEqual(expected);
  }

  /** Whom somebody saw go, or stand in, who was there all along. */
  readonly blinks: string[] = [];

  /** The apps of which a connection was closed as if it were not the last. */
  get replaced(): string[] {
    return this.#apps.filter(({ wasReplaced }) => wasReplaced).map(({ device }) => device);
  }

  [Symbol.dispose](): void {
    for (const { awareness } of this.#apps) awareness.destroy();
  }

  get #connected(): App[] {
    return this.#apps.filter(({ at }) => at !== undefined);
  }

  #watch(viewer: App, tellings: readonly AwarenessTelling[]): void {
    for (const { id, text, participant_id, to } of tellings) {
      const own = this.#apps.filter((app) => app.person === participant_id);
      const steady = own.filter((app) => this.#now > app.steadySince + KNOWN_MS);
      // A new app takes the place of one that is away.
      if (own.some(({ beganAt }) => this.#now <= beganAt + KNOWN_MS)) continue;
      const isGone = text === null && steady.some((app) => app.id === id);
      const standsIn = text !== null && id >= STAND_IN_IDS_FROM && steady.length > 0;
      const isSeen = this.#now > (this.#seenSince.get(participant_id) ?? 0) + KNOWN_MS;
      if (to === "others" && isSeen && (isGone || standsIn))
        this.blinks.push(`${viewer.device}: ${participant_id} ${id} ${text}`);
    }
  }

  #do(app: App, name: NodeName, act: NodesStep["act"]): void {
    this.#act(app, name, act);
    for (const each of this.#apps) {
      const isThere = (each.at !== undefined || each.isConnecting) && each.said !== null;
      if (isThere && each.steadySince > this.#now) each.beganAt = this.#now;
      each.steadySince = isThere ? Math.min(each.steadySince, this.#now) : Number.POSITIVE_INFINITY;
    }
  }

  #act(app: App, name: NodeName, act: NodesStep["act"]): void {
    switch (act.kind) {
      case "open":
        this.#connect(app, name);
        return;
      case "move":
        if (app.at?.node.name !== name) this.#move(app, name);
        return;
      case "lose":
      case "leave":
        this.#part(app, act.kind === "lose" ? "lost" : "left");
        return;
      case "say":
        app.awareness.setLocalState({ x: act.x });
        app.say();
        return;
      case "sayNothing":
        app.awareness.setLocalState(null);
        app.say();
        return;
      case "presence":
        this.#setPresence(app.person, act.state);
        return;
      default:
        this.#crash(name);
    }
  }

  /** An app connects. It is let in once the node has heard what the others had told before. */
  #connect(app: App, name: NodeName): void {
    if (app.at !== undefined || app.isConnecting) return;
    app.isConnecting = true;
    const heardAt = Math.max(this.#now, this.#arrivals.get(name) ?? 0);
    this.#at(heardAt, () => this.#open(app, name));
  }

  /** As y-websocket does: it forgets others, and says what it is. */
  #open(app: App, name: NodeName): void {
    const opensAt = this.#opensAt.get(name) ?? 0;
    if (this.#now < opensAt) {
      this.#at(opensAt, () => this.#open(app, name));
      return;
    }
    app.isConnecting = false;
    removeAwarenessStates(app.awareness, app.others, "connection");
    const node = this.#node(name);
    app.at = { node, client: node.open(app, app.device) };
    app.say();
  }

  /** It comes back on another node. The one before finds out at some time that the connection is dead. */
  #move(app: App, name: NodeName): void {
    const { at } = app;
    if (at === undefined) return;
    app.at = undefined;
    const notice = (): void => {
      this.#unnoticed.delete(notice);
      at.node.part(at.client, "lost");
    };
    this.#unnoticed.add(notice);
    this.#after(this.#next(this.#weather.delaysMs) * 10, notice);
    this.#connect(app, name);
  }

  #part(app: App, how: "lost" | "left"): void {
    const { at } = app;
    app.at = undefined;
    at?.node.part(at.client, how);
  }

  #setPresence(person: string, state: VisibleState): void {
    this.#told.set(person, state);
    this.#seenSince.set(person, state === "offline" ? Number.POSITIVE_INFINITY : this.#now);
    for (const name of NODES) this.#arrive(name, () => this.#tellPresence(name, person, state));
  }

  #tellPresence(name: NodeName, person: string, state: VisibleState): void {
    const node = this.#node(name);
    node.told.set(person, state);
    node.room.touch(person);
  }

  /** A node is gone, with all of its connections, and another is there in its place. */
  #crash(name: NodeName): void {
    const old = this.#node(name);
    for (const app of this.#apps) if (app.at?.node === old) app.at = undefined;
    for (const other of NODES) if (other !== name) this.#node(other).gone(name, GRACE_MS);
    this.#start(name);
    this.#askOthers(name);
    // It lets nobody in before it has been answered.
    this.#opensAt.set(name, this.#now + 2 * Math.max(...this.#weather.delaysMs) + 1);
  }

  #start(name: NodeName): void {
    const node = new AwarenessNode({
      name,
      now: () => this.#now + (this.#weather.skewMs[NODES.indexOf(name)] ?? 0),
      send: (to, message) => {
        for (const other of NODES)
          if (other !== name && other === (to ?? other)) this.#send(node, other, message);
      },
    });
    this.#nodes.set(name, node);
    for (const [person, state] of this.#told) {
      node.room.setMember(person, { display_name: person, avatar_url: null });
      node.told.set(person, state);
    }
  }

  #askOthers(name: NodeName): void {
    for (const other of NODES)
      if (other !== name) this.#send(this.#node(name), other, { kind: "asked" });
  }

  /** What one node tells another. Of batches some are lost; what was asked for never is. */
  #send(from: AwarenessNode, to: NodeName, message: NodeMessage): void {
    const isLost = this.#next(this.#weather.lost);
    if (message.kind === "batch" && isLost && this.#isLossy) return;
    this.#arrive(to, () => {
      if (this.#nodes.get(from.name as NodeName) === from) this.#node(to).hear(from.name, message);
    });
  }

  /** A node hears something in a while, after whatever is on its way to it. */
  #arrive(to: NodeName, act: () => void): void {
    const at = Math.max(
      this.#now + this.#next(this.#weather.delaysMs),
      this.#arrivals.get(to) ?? 0,
    );
    this.#arrivals.set(to, at);
    this.#at(at, act);
  }

  #node(name: NodeName): AwarenessNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new RangeError(`Cannot find node ${name}`);
    return node;
  }

  #next<T>(of: readonly T[]): T {
    this.#sent += 1;
    const value = of[this.#sent % of.length];
    if (value === undefined) throw new RangeError("Cannot choose from nothing");
    return value;
  }

  #after(ms: number, act: () => void): void {
    this.#at(this.#now + ms, act);
  }

  #at(at: number, act: () => void): void {
    const index = this.#events.findIndex((each) => each.at > at);
    this.#events.splice(index < 0 ? this.#events.length : index, 0, { at, act });
  }

  #pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const timers = [...this.#nodes].map(
        ([name, node]) => node.nextAt() - (this.#weather.skewMs[NODES.indexOf(name)] ?? 0),
      );
      const next = Math.min(this.#events[0]?.at ?? Number.POSITIVE_INFINITY, ...timers);
      if (next > until) break;
      this.#now = Math.max(this.#now, next);
      const due = this.#events.filter(({ at }) => at <= this.#now);
      this.#events = this.#events.filter(({ at }) => at > this.#now);
      for (const { act } of due) act();
      this.#runAll();
    }
    this.#now = until;
  }

  #runAll(): void {
    for (const node of this.#nodes.values()) node.run();
  }

  #shown({ others, awareness }: App): string[] {
    return others
      .map((id) => {
        const { x, user, presence } = awareness.getStates().get(id) ?? {};
        return id >= STAND_IN_IDS_FROM
          ? `${user.name} stands in ${presence}`
          : `${user.name} ${id} ${x} ${presence}`;
      })
      .sort();
  }

  #expected(viewer: App): string[] {
    return [...this.#told]
      .flatMap(([person, presence]) => {
        const there = this.#connected.filter((app) => app.person === person && app.said !== null);
        const lines = there
          .filter((app) => app !== viewer)
          .map(({ id, said }) => `${person} ${id} ${said?.x} ${presence}`);
        // Their own see each other whatever others are told, once they say something.
        if (person === viewer.person) return viewer.hasSpoken ? lines : [];
        if (presence === "offline") return [];
        return there.length > 0 ? lines : [`${person} stands in ${presence}`];
      })
      .sort();
  }
}
