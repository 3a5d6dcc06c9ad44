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
import { type Act, type By, expectedOf, type Happening } from "./presence-model.ts";

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

/** What one person and everybody else have heard of that person. */
class Ears {
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
  readonly #history: Happening[] = [];
  readonly #handles: OpenSource[] = [];
  readonly #ears = new Map<string, Ears>(PEOPLE.map((person) => [person, new Ears()]));
  #now = 0;

  constructor(rules: PresenceRules) {
    this.#rules = rules;
    this.#register = new PresenceRegister(rules);
  }

  step({ afterMs, person, act }: Step): void {
    for (let ms = 0; ms < afterMs; ms += 1) this.#tick();
    const opened = this.#handles.length;
    const change = this.#do(person, act);
    for (const each of this.#subjects(person, act))
      this.#history.push({ ...act, at: this.#now, person: each, opened });
    if (change !== undefined) this.#announce(change, act.kind === "choose");
    this.#compare();
  }

  /** Lets time pass until nothing is due any more. */
  rest(): void {
    for (let next = this.#register.nextAt(); next !== undefined; next = this.#register.nextAt()) {
      expect(next).toBeGreaterThan(this.#now);
      while (this.#now < next) this.#tick();
    }
    const kept = [...this.#ears.keys()].filter((person) => this.#isKept(person));
    expect(this.#register.size).toBe(kept.length);
    for (const [person, { told }] of this.#ears)
      expect(told).toBe(expectedOf(this.#history, person, this.#now, this.#rules).visible);
  }

  /** One millisecond: time alone may change what the timer, and nothing but the timer, then announces. */
  #tick(): void {
    this.#now += 1;
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
    const ears = this.#ears.get(participant_id) ?? new Ears();
    expect(own !== undefined || told !== undefined).toBe(true);
    expect(own).not.toBe(ears.own);
    expect(told).not.toBe(ears.told);
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
      const expected = expectedOf(this.#history, person, this.#now, this.#rules);
      const seen = {
        own: ears.own,
        live: this.#register.effective(person, this.#now),
        told: this.#register.told(person),
        devices: this.#register.explain(person, this.#now).devices.length,
      };
      expect(seen).toEqual({
        own: expected.own,
        live: expected.own,
        told: ears.told,
        devices: expected.devices,
      });
      if (ears.told !== expected.visible) this.#expectToWait(person, ears);
    }
  }

  /** A change is kept back only within `coalesce_ms` of the last telling, and a choice by hand only beyond its limit. */
  #expectToWait(person: string, ears: Ears): void {
    expect(this.#now).toBeLessThan(ears.toldAt + this.#rules.coalesce_ms);
    const last = this.#history.at(-1);
    if (last?.kind === "choose" && last.person === person && last.at === this.#now)
      expect(ears.mayHurry(this.#now)).toBe(false);
  }

  #isKept(person: string): boolean {
    const { own, devices } = expectedOf(this.#history, person, this.#now, this.#rules);
    return own !== "offline" || devices > 0;
  }
}
