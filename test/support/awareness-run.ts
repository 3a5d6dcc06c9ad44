import { expect } from "bun:test";
import type { VisibleState } from "@porchlight/core";
import {
  type AwarenessClient,
  AwarenessRoom,
  type AwarenessTelling,
  STAND_IN_IDS_FROM,
} from "@porchlight/core/awareness";
import fc from "fast-check";
import * as encoding from "lib0/encoding";
import { Awareness, applyAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness";
import { Doc } from "yjs";

const PEOPLE = ["ann", "bob", "cy"] as const;
type Name = (typeof PEOPLE)[number];
/** Each has two apps, of which each keeps its client id. */
const APPS = [0, 1] as const;
const GRACE_MS = 10_000;
const COALESCE_MS = 100;
const EPOCH = 1_700_000_000_000;

/** What somebody does with one of their apps, or what becomes of them, `afterMs` after the step before. */
export interface Step {
  readonly afterMs: number;
  readonly person: Name;
  readonly app: 0 | 1;
  readonly act:
    | { readonly kind: "open" | "lose" | "leave" | "sayNothing" | "repeat" | "declareDead" }
    | { readonly kind: "say"; readonly x: number; readonly typing: boolean }
    | { readonly kind: "presence"; readonly state: VisibleState }
    | { readonly kind: "typing" | "member"; readonly is: boolean };
}

const kind = <K extends string>(...kinds: K[]): fc.Arbitrary<K> => fc.constantFrom(...kinds);
const anyAct: fc.Arbitrary<Step["act"]> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: kind("open", "open", "lose", "leave") }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: kind("say"), x: fc.nat(2), typing: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ kind: kind("sayNothing", "repeat", "declareDead") }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind("presence"),
      state: kind<VisibleState>("online", "idle", "busy", "offline"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: kind("typing", "member"), is: fc.boolean() }),
  },
);

/** Histories of three people with two apps each, in one room. */
export const anyHistory: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    afterMs: fc.constantFrom(0, 0, 0, 1, 50, 100, 5_000, 9_999, 10_000, 15_000),
    person: fc.constantFrom(...PEOPLE),
    app: fc.constantFrom(...APPS),
    act: anyAct,
  }),
  { maxLength: 40, size: "max" },
);

/** An app with the awareness of y-protocols: the published receiver, clocks and all. */
class App {
  readonly person: Name;
  readonly device: string;
  readonly awareness: Awareness;
  client: AwarenessClient | undefined;
  /** Until when its entry lingers, while it is gone. */
  lingersUntil: number | undefined;
  /** What the room has heard of it last. */
  heard: { readonly x?: number; readonly typing?: boolean } | null = null;

  constructor(person: Name, index: number) {
    this.person = person;
    this.device = `${person}-${index}`;
    const doc = new Doc();
    doc.clientID = 10 * (PEOPLE.indexOf(person) + 1) + index;
    this.awareness = new Awareness(doc);
  }

  get id(): number {
    return this.awareness.clientID;
  }

  get clock(): number {
    return this.awareness.meta.get(this.id)?.clock ?? 0;
  }

  get text(): string {
    return JSON.stringify(this.awareness.getLocalState());
  }

  /** Whether it has an entry. */
  get isThere(): boolean {
    return this.heard !== null;
  }

  hear(tellings: readonly AwarenessTelling[]): void {
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
}

/**
 * A room and the apps of those in it. After each step everybody must see what
 * follows from all that happened, by their own published awareness.
 */
export class AwarenessRun implements Disposable {
  readonly #room = new AwarenessRoom("lobby", {
    coalesce_ms: COALESCE_MS,
    awareness_max_members: 500,
  });
  readonly #apps = PEOPLE.flatMap((person) => APPS.map((index) => new App(person, index)));
  readonly #members = new Set<Name>();
  readonly #told = new Map<string, VisibleState>();
  readonly #typing = new Set<string>();
  /** Apps that are connected and speak for their ids. */
  readonly #bound = new Set<App>();
  #now = EPOCH;
  #refreshAt = EPOCH + 15_000;

  constructor() {
    for (const person of PEOPLE) this.#setMember(person, true);
  }

  step({ afterMs, person, app: index, act }: Step): void {
    this.#pass(afterMs);
    const app = this.#apps.find((each) => each.device === `${person}-${index}`);
    if (app === undefined) return;
    this.#do(person, app, act);
    this.#flush(act.kind === "open" || act.kind === "declareDead" ? app : undefined);
    this.#compare();
  }

  [Symbol.dispose](): void {
    for (const { awareness } of this.#apps) awareness.destroy();
  }

  #do(person: Name, app: App, act: Step["act"]): void {
    switch (act.kind) {
      case "open":
        this.#open(app);
        return;
      case "lose":
      case "leave":
        this.#part(app, act.kind === "lose");
        return;
      case "say":
        app.awareness.setLocalState({ x: act.x, typing: act.typing });
        this.#say(app);
        return;
      case "sayNothing":
        app.awareness.setLocalState(null);
        this.#say(app);
        return;
      case "repeat":
        this.#repeat(app);
        return;
      case "declareDead":
        removeAwarenessStates(app.awareness, this.#othersOf(app), "timeout");
        this.#repeat(app);
        return;
      case "presence":
        this.#told.set(person, act.state);
        this.#room.touch(person);
        return;
      case "typing":
        if (act.is) this.#typing.add(person);
        else this.#typing.delete(person);
        this.#room.touch(person);
        return;
      default:
        this.#setMember(person, act.is);
    }
  }

  /** An app connects, as y-websocket does: it forgets others, and says what it is. */
  #open(app: App): void {
    if (!this.#members.has(app.person) || app.client !== undefined) return;
    removeAwarenessStates(app.awareness, this.#othersOf(app), "connection");
    app.client = this.#room.join(app.person, app.device, this.#now);
    this.#say(app);
  }

  #part(app: App, isLost: boolean): void {
    if (app.client === undefined) return;
    if (isLost) this.#room.lose(app.client, this.#now + GRACE_MS);
    else this.#room.leave(app.client);
    app.client = undefined;
    // What lingers of it since it was last connected goes on doing so.
    if (!this.#bound.delete(app)) return;
    if (isLost && app.heard !== null) app.lingersUntil = this.#now + GRACE_MS;
    else app.heard = null;
  }

  #say(app: App): void {
    const { client, id, clock, text } = app;
    if (client === undefined) return;
    const isNull = text === "null";
    if (this.#room.claim(client, { id, clock, isNull }, this.#now) !== "own") return;
    const { replaced } = this.#room.say(client, { id, clock, text: isNull ? null : text });
    expect(replaced).toBeUndefined();
    if (!this.#bound.has(app)) this.#bind(app);
    app.heard = JSON.parse(text);
  }

  /** An app speaks for its id: if that is new, it takes the place of one that lingers. */
  #bind(app: App): void {
    this.#bound.add(app);
    const isNew = app.lingersUntil === undefined;
    app.lingersUntil = undefined;
    const other = this.#apps.find(
      ({ person, lingersUntil }) => person === app.person && lingersUntil !== undefined,
    );
    if (isNew && other !== undefined) this.#end(other);
  }

  #end(app: App): void {
    app.lingersUntil = undefined;
    app.heard = null;
  }

  /** An app sends back everything that it knows, or has just given up. None of it is its own. */
  #repeat(app: App): void {
    const { client } = app;
    if (client === undefined) return;
    for (const [id, { clock }] of app.awareness.meta) {
      if (id === app.id) continue;
      const isNull = !app.awareness.states.has(id);
      expect(this.#room.claim(client, { id, clock, isNull }, this.#now)).toBeOneOf([
        "foreign",
        "mistaken",
      ]);
    }
  }

  #setMember(person: Name, is: boolean): void {
    if (is) this.#members.add(person);
    else this.#members.delete(person);
    this.#room.setMember(person, is ? { display_name: person, avatar_url: null } : undefined);
    if (!is) for (const app of this.#apps) if (app.person === person) this.#part(app, false);
  }

  /** Tells what there is to tell; an app that opened, or took everybody for gone, is told everything. */
  #flush(behind?: App): void {
    const { tellings } = this.#room.tell(
      {
        told: (id) => this.#told.get(id) ?? "offline",
        visible: (id) => this.#told.get(id) ?? "offline",
        effective: (id) => this.#told.get(id) ?? "offline",
        isTyping: (id) => this.#typing.has(id),
      },
      this.#now,
    );
    this.#deliver(tellings);
    for (const app of this.#apps)
      if (app === behind && app.client !== undefined)
        app.hear([
          ...this.#room
            .snapshot(this.#now)
            .filter(({ participant_id }) => participant_id !== app.person),
          ...this.#room.siblings(app.client, this.#now),
        ]);
  }

  #deliver(tellings: readonly AwarenessTelling[]): void {
    for (const app of this.#apps) {
      const { client, person } = app;
      if (client === undefined) continue;
      app.hear(
        tellings.filter(({ to, participant_id, client: whose }) =>
          to === "others"
            ? participant_id !== person
            : participant_id === person && whose !== client && this.#bound.has(app),
        ),
      );
    }
  }

  #pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const next = Math.min(this.#room.nextAt() ?? Number.POSITIVE_INFINITY, this.#refreshAt);
      if (next > until) break;
      this.#now = Math.max(this.#now, next);
      for (const app of this.#apps)
        if ((app.lingersUntil ?? Number.POSITIVE_INFINITY) <= this.#now) this.#end(app);
      this.#flush();
      if (this.#now < this.#refreshAt) continue;
      this.#deliver(this.#room.refresh(this.#now));
      this.#refreshAt += 15_000;
    }
    this.#now = until;
  }

  #othersOf({ awareness, id }: App): number[] {
    return [...awareness.getStates().keys()].filter((each) => each !== id);
  }

  #compare(): void {
    for (const app of this.#apps) {
      if (app.client === undefined) continue;
      const seen = this.#othersOf(app).map((id) => [id, app.awareness.getStates().get(id)]);
      expect({ [app.device]: this.#shown(seen) }).toEqual({ [app.device]: this.#expected(app) });
    }
  }

  #shown(seen: unknown[][]): string[] {
    return seen
      .map(([id, state]) => {
        const { x, user, presence, typing } = state as Record<string, unknown>;
        const name = (user as { name: string }).name;
        return Number(id) >= STAND_IN_IDS_FROM
          ? `${name} stands in ${presence} ${typing}`
          : `${name} ${id} ${x} ${presence} ${typing}`;
      })
      .sort();
  }

  #expected(viewer: App): string[] {
    return PEOPLE.flatMap((person) => {
      const presence = this.#told.get(person) ?? "offline";
      const apps = this.#apps.filter((app) => app.person === person && app.isThere);
      if (person === viewer.person)
        return this.#bound.has(viewer)
          ? apps.filter((app) => app !== viewer).map((app) => lineOf(app, presence))
          : [];
      if (presence === "offline" || !this.#members.has(person)) return [];
      const typing = this.#typing.has(person);
      if (apps.length > 0) return apps.map((app) => lineOf(app, presence, typing));
      const comes = this.#apps.some(
        (app) => app.person === person && app.client !== undefined && this.#isComing(app),
      );
      return comes && !this.#stands(person, viewer)
        ? []
        : [`${person} stands in ${presence} ${typing}`];
    }).sort();
  }

  /** Whether a socket has just opened and not said anything. */
  #isComing(app: App): boolean {
    const { openedAt } = app.client as AwarenessClient & { openedAt: number };
    return !this.#bound.has(app) && this.#now < openedAt + COALESCE_MS;
  }

  /** Whether somebody is already shown by an entry that stands in. */
  #stands(person: string, viewer: App): boolean {
    return [...viewer.awareness.getStates()].some(
      ([id, state]) => id >= STAND_IN_IDS_FROM && state.user.name === person,
    );
  }
}

function lineOf({ person, id, heard }: App, presence: string, typing?: boolean): string {
  return `${person} ${id} ${heard?.x} ${presence} ${typing ?? heard?.typing === true}`;
}
