import { describe, expect, test } from "bun:test";
import { LivenessRegister, type Moment, type OpenSource } from "@porchlight/core";
import fc from "fast-check";
import { Roll } from "../../server/roll.ts";
import { rules, sourceName, typingRules } from "../support/builders.ts";
import { trials } from "../support/runs.ts";

const IDS = ["ann", "bob", "cy", "7", "Ann"];

/** A tenant's register, and who is connected. */
class Tenant {
  readonly register = new LivenessRegister({ ...typingRules(), ...rules() });
  readonly #open = new Map<string, OpenSource>();

  opens(id: string, now: Moment): void {
    this.#open.set(id, this.register.open(id, sourceName(), {}, now).source);
  }

  closes(id: string, now: Moment): void {
    const source = this.#open.get(id);
    if (source !== undefined) this.register.close(source, now);
  }

  dozes(id: string, now: Moment): void {
    const source = this.#open.get(id);
    if (source !== undefined) this.register.hear(source, { state: "idle" }, now);
  }

  hides(id: string, now: Moment): void {
    this.register.choose(id, "appear_offline", now);
  }

  shows(id: string, now: Moment): void {
    this.register.choose(id, undefined, now);
  }

  goes(id: string, now: Moment): void {
    this.register.forget(id, now);
  }

  waits(): void {}
}

const anyStep = fc.record({
  who: fc.constantFrom(...IDS),
  does: fc.constantFrom("opens", "closes", "dozes", "hides", "shows", "goes", "waits"),
  afterMs: fc.constantFrom(0, 50, 150, 20_000),
});

describe("Roll", () => {
  test("says to each viewer what core says, in the order of ids, whatever has happened since it was made", () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 25 }), (steps) => {
        const tenant = new Tenant();
        const { register } = tenant;
        const roll = new Roll(register);
        let elapsed = 0;
        for (const { who, does, afterMs } of steps) {
          elapsed += afterMs;
          const now = { elapsed, monotonic: elapsed };
          register.expire(now);
          tenant[does](who, now);
          for (const viewer of IDS) {
            const text = roll.textFor(viewer, now);
            const states = register.snapshot(viewer, now);
            expect(JSON.parse(text)).toEqual(states);
            const order = [...text.matchAll(/"(\w+)":/g)].map(([, id]) => id);
            expect(order).toEqual(Object.keys(states).sort());
          }
        }
      }),
      trials(300),
    );
  });
});
