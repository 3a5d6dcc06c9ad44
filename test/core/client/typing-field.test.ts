import { describe, expect, test } from "bun:test";
import { DEFAULT_TIMINGS } from "@porchlight/core";
import { TypingField } from "@porchlight/core/client";
import fc from "fast-check";
import { TestClock } from "../../support/clock.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../../support/runs.ts";

const PAUSE_MS = 3_000;

/** What was published, and when, in milliseconds from the start. */
interface Told {
  readonly at: number;
  readonly typing: boolean;
}

/** One text field, and what it has published. */
class Field {
  readonly clock: TestClock;
  readonly told: Told[] = [];
  readonly field: TypingField;
  /** Whether what is published can be sent. */
  isConnected = true;
  refreshAfterMs: number = DEFAULT_TIMINGS.typing_refresh_ms;
  readonly #start: number;

  constructor(clock = new TestClock()) {
    this.clock = clock;
    this.#start = clock.monotonic();
    this.field = new TypingField({
      clock,
      publish: (typing) => {
        if (this.isConnected) this.told.push({ at: this.now, typing });
        return this.isConnected;
      },
      refreshAfterMs: () => this.refreshAfterMs,
    });
  }

  get now(): number {
    return this.clock.monotonic() - this.#start;
  }

  /** Input after each of these times. */
  async inputs(...gapsMs: number[]): Promise<void> {
    for (const gapMs of gapsMs) {
      await this.clock.advance(gapMs);
      this.field.input();
    }
  }
}

describe("TypingField input()", () => {
  test("is told at once, and only once for what follows at once", async () => {
    const { field, told } = new Field();
    field.input();
    field.input();
    expect(told).toEqual([{ at: 0, typing: true }]);
  });

  test("is told to be over exactly 3 s after the last of it", async () => {
    const { field, clock, told } = new Field();
    field.input();
    await clock.advance(PAUSE_MS - 1);
    expect(told).toHaveLength(1);
    await clock.advance(1);
    expect(told.slice(1)).toEqual([{ at: PAUSE_MS, typing: false }]);
    await clock.advance(60_000);
    expect(told).toHaveLength(2);
    expect(clock.timers).toBe(0);
  });

  test("is told again every refresh_after_ms in which there was some", async () => {
    const typed = new Field();
    await typed.inputs(...Array.from({ length: 80 }, () => 100));
    expect(typed.told).toEqual(
      [100, 2_600, 5_100, 7_600].map((at): Told => ({ at, typing: true })),
    );
  });

  test("is told again by the server's present time, and not again within the pause that ends it", async () => {
    const typed = new Field();
    typed.refreshAfterMs = 1_000;
    await typed.inputs(0, 500);
    await typed.clock.advance(60_000);
    expect(typed.told).toEqual([
      { at: 0, typing: true },
      { at: 1_000, typing: true },
      { at: 3_500, typing: false },
    ]);
  });

  test("pauses are shorter than a long time to refresh", async () => {
    const typed = new Field();
    typed.refreshAfterMs = 10_000;
    await typed.inputs(0, 2_999, 2_999);
    await typed.clock.advance(60_000);
    expect(typed.told).toEqual([
      { at: 0, typing: true },
      { at: 8_998, typing: false },
    ]);
  });

  test("after a pause is told as at the first time", async () => {
    const typed = new Field();
    await typed.inputs(0, 10_000);
    expect(typed.told.map(({ typing }) => typing)).toEqual([true, false, true]);
  });

  test("is told with the next one where it could not be told", async () => {
    const typed = new Field();
    typed.isConnected = false;
    await typed.inputs(0, 100);
    expect([typed.told.length, typed.clock.timers]).toEqual([0, 0]);
    typed.isConnected = true;
    await typed.inputs(100);
    expect(typed.told).toEqual([{ at: 200, typing: true }]);
  });

  test("is told anew once it could not be renewed", async () => {
    const typed = new Field();
    await typed.inputs(0, 2_000);
    typed.isConnected = false;
    await typed.clock.advance(1_000);
    typed.isConnected = true;
    await typed.inputs(100);
    expect(typed.told).toEqual([
      { at: 0, typing: true },
      { at: 3_100, typing: true },
    ]);
  });

  test("is renewed at once where timers ring so late that the last telling has run out", async () => {
    const clock = new TestClock();
    const neverRings = {
      monotonic: () => clock.monotonic(),
      elapsed: () => clock.elapsed(),
      wall: () => clock.wall(),
      timer: () => () => undefined,
    };
    const told: boolean[] = [];
    const field = new TypingField({
      clock: neverRings,
      publish: (typing) => told.push(typing) > 0,
    });
    field.input();
    await clock.advance(DEFAULT_TIMINGS.typing_refresh_ms - 1);
    field.input();
    expect(told).toEqual([true]);
    await clock.advance(1);
    field.input();
    expect(told).toEqual([true, true]);
  });
});

describe("TypingField stop()", () => {
  test("tells at once that it is over, as on blur or when the text was sent, and once", async () => {
    const { field, clock, told } = new Field();
    field.input();
    await clock.advance(500);
    field.stop();
    field.stop();
    expect(told.slice(1)).toEqual([{ at: 500, typing: false }]);
    expect(clock.timers).toBe(0);
  });

  test("tells nothing when nothing was told", () => {
    const { field, told } = new Field();
    field.stop();
    expect(told).toEqual([]);
  });

  test("lets the next input be told at once", async () => {
    const { field, told } = new Field();
    field.input();
    field.stop();
    field.input();
    expect(told.map(({ typing }) => typing)).toEqual([true, false, true]);
  });
});

type Act = { readonly afterMs: number; readonly does: "input" | "stop" };

const anyAct: fc.Arbitrary<Act> = fc.record({
  afterMs: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 800 }) },
    { weight: 1, arbitrary: fc.constantFrom(0, 1, 2_499, 2_500, 2_501, 2_999, 3_000, 3_001) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 8_000 }) },
  ),
  does: fc.constantFrom("input", "input", "input", "input", "stop"),
});

describe("TypingField over generated histories", () => {
  /** What the field told, and when there was input, of a history that ends with a long rest. */
  async function lived(acts: readonly Act[], refreshAfterMs: number) {
    const typed = new Field();
    typed.refreshAfterMs = refreshAfterMs;
    const done: { at: number; does: Act["does"] }[] = [];
    for (const { afterMs, does } of acts) {
      await typed.clock.advance(afterMs);
      typed.field[does]();
      done.push({ at: typed.now, does });
    }
    await typed.clock.advance(60_000);
    return { told: typed.told, done, timers: typed.clock.timers };
  }

  test(
    "others, who forget a signal after typing_ttl_ms, see typing exactly from an input until a pause or a stop",
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(anyAct, { maxLength: 30, size: "max" }),
          fc.integer({ min: 1, max: 3_999 }),
          async (acts, refreshAfterMs) => {
            const { told, done, timers } = await lived(acts, refreshAfterMs);
            expect(timers).toBe(0);
            expect(spans(shown(told))).toEqual(spans(typed(done)));
          },
        ),
        trials(500),
      );
    },
    TRIALS_TIMEOUT_MS,
  );

  test(
    "no two renewals are closer than the server asks for, and none is without input since the last",
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(anyAct, { maxLength: 30, size: "max" }),
          fc.integer({ min: 1, max: 3_999 }),
          async (acts, refreshAfterMs) => {
            const { told, done } = await lived(acts, refreshAfterMs);
            for (const [index, { at, typing }] of told.entries()) {
              const before = told[index - 1];
              if (!typing || before?.typing !== true) continue;
              expect(at - before.at).toBeGreaterThanOrEqual(refreshAfterMs);
              const since = done.filter(
                (act) => act.does === "input" && act.at > before.at && act.at <= at,
              );
              expect(since).not.toEqual([]);
            }
          },
        ),
        trials(500),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});

/** A time during which somebody is seen to type. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** What others see of what was published. */
function shown(told: readonly Told[]): Span[] {
  return told.flatMap(({ at, typing }, index) => {
    const end = Math.min(at + DEFAULT_TIMINGS.typing_ttl_ms, told[index + 1]?.at ?? Infinity);
    return typing ? [{ from: at, to: end }] : [];
  });
}

/** What they ought to see: from each input for as long as a pause, unless it was stopped before. */
function typed(done: readonly { at: number; does: Act["does"] }[]): Span[] {
  return done.flatMap(({ at, does }, index) => {
    const end = Math.min(at + PAUSE_MS, done[index + 1]?.at ?? Infinity);
    return does === "input" ? [{ from: at, to: end }] : [];
  });
}

/** The same time, in as few spans as it can be said; those of no length left out. */
function spans(all: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const span of all) {
    if (span.from === span.to) continue;
    const last = joined.at(-1);
    if (last?.to === span.from) joined[joined.length - 1] = { from: last.from, to: span.to };
    else joined.push(span);
  }
  return joined;
}
