import { expect } from "bun:test";
import {
  type Actor,
  MANUAL_STATES,
  type OpenSource,
  type PresenceChange,
  PresenceRegister,
  type PresenceRules,
  type PresenceState,
  type VisibleState,
} from "@porchlight/core";
import fc from "fast-check";
import { rules } from "./builders.ts";
import {
  type Act,
  type By,
  continued,
  type Expected,
  expectedOf,
  NO_STORY,
  type Story,
} from "./presence-model.ts";

const PEOPLE = ["ann", "bob"] as const;
const SECOND_MS = 1_000;
const URGENT_PER_SECOND = 5;

/** An act of somebody, `afterMs` after the one before. */
export interface Step {
  readonly afterMs: number;
  readonly person: string;
  readonly act: Act;
}

/** Rules with durations so short that a short history meets all of them. */
export const anyRules: fc.Arbitrary<PresenceRules> = fc
  .record({
    presence_ttl_ms: fc.integer({ min: 10, max: 40 }),
    idle_after_ms: fc.integer({ min: 10, max: 60 }),
    disconnect_grace_ms: fc.integer({ min: 1, max: 12 }),
    coalesce_ms: fc.integer({ min: 1, max: 8 }),
    manual_without_device: fc.constantFrom("keep" as const, "offline" as const),
  })
  .map(rules);

const anyDevice = fc.constantFrom("laptop", "phone");
const anySource = fc.nat(7);
const anyManual = fc.option(fc.constantFrom(...MANUAL_STATES), { nil: undefined, freq: 2 });
const anyAsker = fc.record({
  device: fc.option(anyDevice, { nil: undefined }),
  token: fc.constantFrom("t1", "t2"),
});
const anyActivity = fc.record(
  {
    state: fc.constantFrom("online" as const, "idle" as const),
    idle_for_ms: fc.nat(70),
  },
  { requiredKeys: [] },
);

const anyAct: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("open" as const),
      device: anyDevice,
      instance: fc.constantFrom("laptop", "tab"),
      door: fc.constantFrom("stream" as const, "yjs" as const),
      activity: anyActivity,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("beat" as const),
      device: anyDevice,
      activity: anyActivity,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("hear" as const),
      source: anySource,
      activity: anyActivity,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom("touch" as const, "lose" as const, "close" as const),
      source: anySource,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("signOff" as const), device: anyDevice }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("act" as const), by: anyAsker }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("choose" as const),
      manual: anyManual,
      by: fc.option(anyAsker, { nil: undefined, freq: 2 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("introduce" as const),
      manual: anyManual,
      alwaysOnline: fc.boolean(),
    }),
  },
);

/** Histories of two people, with pauses between nothing and longer than everything lasts. */
export const anyHistory: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    afterMs: fc.oneof({ weight: 4, arbitrary: fc.nat(6) }, { weight: 1, arbitrary: fc.nat(60) }),
    person: fc.constantFrom(...PEOPLE),
    act: anyAct,
  }),
  { maxLength: 40, size: "max" },
);

function actorOf({ device, token }: By): Actor {
  return { device_id: device, token_id: token };
}

/** What one person and everybody else have heard of that person, and what happened in fact. */
class Ears {
  story: Story = NO_STORY;
  own: PresenceState = "offline";
  told: VisibleState = "offline";
  toldAt = Number.NEGATIVE_INFINITY;
  #handAt = Number.NEGATIVE_INFINITY;
  #byHand = 0;

  /** Whether one more choice by hand may be told at once at `now`. */
  mayHurry(now: number): boolean {
    return now >= this.#handAt + SECOND_MS || this.#byHand < URGENT_PER_SECOND;
  }

  hearByHand(now: number): void {
    if (now >= this.#handAt + SECOND_MS) {
      this.#handAt = now;
      this.#byHand = 0;
    }
    this.#byHand += 1;
  }
}

/**
 * A register and everything that ever happened to it. After each act and each
 * millisecond what was announced is compared with what follows from the rules.
 */
export class PresenceRun {
  readonly #rules: PresenceRules;
  readonly #register: PresenceRegister;
  readonly #handles: OpenSource[] = [];
  readonly #ears = new Map<string, Ears>(PEOPLE.map((person) => [person, new Ears()]));
  #now = 0;
  /** Who has chosen a state by hand at this very moment. */
  #chooser: string | undefined;

  constructor(rules: PresenceRules) {
    this.#rules = rules;
    this.#register = new PresenceRegister(rules);
  }

  step({ afterMs, person, act }: Step): void {
    for (let ms = 0; ms < afterMs; ms += 1) this.#tick();
    const opened = this.#handles.length;
    const change = this.#do(person, act);
    for (const each of this.#subjects(person, act)) {
      const ears = this.#earsOf(each);
      ears.story = continued(ears.story, { ...act, at: this.#now, opened }, this.#rules);
    }
    this.#chooser = act.kind === "choose" ? person : undefined;
    if (change !== undefined) this.#announce(change, act.kind === "choose");
    this.#compare();
  }

  /** Lets time pass until nothing is due any more. */
  rest(): void {
    for (let next = this.#register.nextAt(); next !== undefined; next = this.#register.nextAt()) {
      expect(next).toBeGreaterThan(this.#now);
      // Without a device nothing follows from time: only what waits to be told or forgotten is left.
      const idle = [...this.#ears.values()].every((ears) => this.#expectedOf(ears).devices === 0);
      if (idle) this.#now = next - 1;
      while (this.#now < next) this.#tick();
    }
    const expected = [...this.#ears.values()].map((ears) => this.#expectedOf(ears));
    const kept = expected.filter(({ own, devices }) => own !== "offline" || devices > 0);
    expect(this.#register.size).toBe(kept.length);
    expect([...this.#ears.values()].map((ears) => ears.told)).toEqual(
      expected.map(({ visible }) => visible),
    );
  }

  /** One millisecond: time alone may change what the timer, and nothing but the timer, then announces. */
  #tick(): void {
    this.#now += 1;
    this.#chooser = undefined;
    const isDue = (this.#register.nextAt() ?? Number.POSITIVE_INFINITY) <= this.#now;
    if (isDue) {
      for (const change of this.#register.expire(this.#now)) this.#announce(change, false);
    }
    this.#compare();
  }

  #do(person: string, act: Act): PresenceChange | undefined {
    const now = this.#now;
    switch (act.kind) {
      case "open": {
        const { device: device_id, instance, door } = act;
        const name = { device_id, instance, door };
        const { source, change } = this.#register.open(person, name, act.activity, now);
        this.#handles.push(source);
        return change;
      }
      case "beat":
        return this.#register.beat(person, act.device, act.activity, now);
      case "signOff":
        return this.#register.signOff(person, act.device, now);
      case "act":
        return this.#register.act(person, actorOf(act.by), now);
      case "choose":
        return act.by === undefined
          ? this.#register.choose(person, act.manual, now)
          : this.#register.choose(person, act.manual, now, actorOf(act.by));
      case "introduce":
        return this.#register.introduce(person, act, now);
      default:
        return this.#doToSource(act);
    }
  }

  #doToSource(act: Extract<Act, { source: number }>): PresenceChange | undefined {
    const handle = this.#handles[act.source];
    if (handle === undefined) return undefined;
    if (act.kind === "hear") return this.#register.hear(handle, act.activity, this.#now);
    return this.#register[act.kind](handle, this.#now) ?? undefined;
  }

  /** An act on a source concerns whoever has it: everybody's story names it, and one of them knows it. */
  #subjects(person: string, act: Act): readonly string[] {
    return "source" in act ? PEOPLE : [person];
  }

  #announce({ participant_id, own, told }: PresenceChange, byHand: boolean): void {
    const ears = this.#earsOf(participant_id);
    expect(own !== undefined || told !== undefined).toBe(true);
    expect(own).not.toBe(ears.own);
    expect(told).not.toBe(ears.told);
    // What is announced holds at that moment, so that nothing is announced and taken back at once.
    const expected = this.#expectedOf(ears);
    expect(own ?? expected.own).toBe(expected.own);
    expect(told ?? expected.visible).toBe(expected.visible);
    if (own !== undefined) ears.own = own;
    if (told === undefined) return;
    const quiet = this.#now >= ears.toldAt + this.#rules.coalesce_ms;
    expect(quiet || (byHand && ears.mayHurry(this.#now))).toBe(true);
    if (byHand) ears.hearByHand(this.#now);
    ears.told = told;
    ears.toldAt = this.#now;
  }

  #compare(): void {
    for (const [person, ears] of this.#ears) {
      const expected = this.#expectedOf(ears);
      const live = this.#register.effective(person, this.#now);
      const seen = this.#register.told(person);
      const devices = this.#register.explain(person, this.#now).devices.length;
      const agrees =
        ears.own === expected.own &&
        live === expected.own &&
        seen === ears.told &&
        devices === expected.devices;
      // An expectation that holds is slow to state, a million times over.
      if (!agrees) {
        expect({ own: ears.own, live, told: seen, devices }).toEqual({
          own: expected.own,
          live: expected.own,
          told: ears.told,
          devices: expected.devices,
        });
      }
      if (ears.told !== expected.visible) this.#expectToWait(person, ears);
    }
  }

  /** A change is kept back only within `coalesce_ms` of the last telling, and a choice by hand only beyond its limit. */
  #expectToWait(person: string, ears: Ears): void {
    expect(this.#now).toBeLessThan(ears.toldAt + this.#rules.coalesce_ms);
    if (person === this.#chooser) expect(ears.mayHurry(this.#now)).toBe(false);
  }

  #expectedOf({ story }: Ears): Expected {
    return expectedOf(story, this.#now, this.#rules);
  }

  #earsOf(person: string): Ears {
    const ears = this.#ears.get(person);
    if (ears === undefined) throw new Error(`Cannot tell of "${person}", who is nobody`);
    return ears;
  }
}
