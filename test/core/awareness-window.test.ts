import { describe, expect, test } from "bun:test";
import { AwarenessWindow } from "@porchlight/core/awareness";

const NOW = 1_700_000_000_000;

/** A window of a room in which one entry each was told at these moments. @returns for how long the next thing waits. */
function waitAfter(moments: readonly number[], { sockets = 499 } = {}): number {
  const window = new AwarenessWindow();
  for (const at of moments) window.told(1, NOW + at);
  return window.overAt(sockets) - NOW - (moments.at(-1) ?? 0);
}

/** So many moments, evenly spread from one on. */
function spread(count: number, everyMs: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => from + index * everyMs);
}

describe("AwarenessWindow", () => {
  test("lets be told at once what comes first, and all as long as fewer than 125 entries a second are told", () => {
    expect(new AwarenessWindow().overAt(499)).toBe(Number.NEGATIVE_INFINITY);
    expect(waitAfter([0])).toBe(0);
    expect(waitAfter(spread(124, 8))).toBe(0);
    expect(waitAfter(spread(1_000, 10))).toBe(0);
  });

  test("lasts 8 ms after each telling from 125 entries a second on", () => {
    expect(waitAfter(spread(125, 6))).toBe(8);
    expect(waitAfter(spread(1_000, 8))).toBe(8);
    const window = new AwarenessWindow();
    window.told(125, NOW);
    expect(window.overAt(1)).toBe(NOW + 8);
    window.told(1, NOW + 8);
    expect(window.overAt(1)).toBe(NOW + 16);
  });

  test("goes by this second and the last, and by none before that", () => {
    const second = spread(125, 6);
    expect(waitAfter([...second, 1_000, 1_999])).toBe(8);
    expect(waitAfter([...second, 1_000, 2_000])).toBe(0);
    expect(waitAfter([...second, 1_999])).toBe(8);
    expect(waitAfter([...second, 2_000])).toBe(0);
    expect(waitAfter([...second, 60_000])).toBe(0);
  });

  test("lasts 50 ms where 500 or more listen, however little is told", () => {
    expect(waitAfter([0], { sockets: 500 })).toBe(50);
    expect(waitAfter([0], { sockets: 5_000 })).toBe(50);
    expect(waitAfter(spread(1_000, 1), { sockets: 500 })).toBe(50);
  });

  test("is opened by whatever is told, and goes by what others are told", () => {
    const window = new AwarenessWindow();
    window.told(124, NOW);
    window.told(0, NOW + 5);
    expect(window.overAt(500)).toBe(NOW + 55);
    expect(window.overAt(499)).toBe(NOW + 5);
    window.told(1, NOW + 6);
    window.told(0, NOW + 10);
    expect(window.overAt(499)).toBe(NOW + 18);
  });
});
