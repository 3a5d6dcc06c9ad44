/**
 * Loaded before anything else, lets time run so many times as fast for a whole
 * process: its clocks, and the timers that it sets.
 */
const haste = Number(process.env.PORCHLIGHT_TEST_HASTE ?? 1);
const began = { wall: Date.now(), monotonic: performance.now() };
const { now: wall } = Date;
const monotonic = performance.now.bind(performance);
Date.now = () => began.wall + (wall() - began.wall) * haste;
performance.now = () => began.monotonic + (monotonic() - began.monotonic) * haste;
for (const name of ["setTimeout", "setInterval"] as const) {
  const set = globalThis[name] as (ring: () => void, ms?: number, ...rest: unknown[]) => unknown;
  const hasty = (ring: () => void, ms = 0, ...rest: unknown[]): unknown =>
    set(ring, ms / haste, ...rest);
  Object.assign(globalThis, { [name]: hasty });
}
