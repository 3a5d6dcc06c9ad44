import { isQuiet, type QuietHours } from "@porchlight/core";

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
/** Every quiet hour comes again within a week; one day more, for those that began the day before. */
const DAYS = 8;
/** By how much clocks are set, where they are. */
const SHIFTS = [-60, -30, 0, 30, 60] as const;

/** Whether it is quiet, and when that changes next, in Unix milliseconds; not at all where there is no such moment. */
export function quietPreview(
  quietHours: QuietHours,
  timezone: string,
  at: number,
): { readonly isQuiet: boolean; readonly changesAt: number | undefined } {
  const is = (moment: number): boolean => isQuiet(quietHours, timezone, moment);
  const now = is(at);
  let before = at;
  for (const moment of turningPoints(quietHours, timezone, at)) {
    if (is(moment) !== now) return { isQuiet: now, changesAt: firstOther(is, before, moment) };
    before = moment;
  }
  return { isQuiet: now, changesAt: undefined };
}

/** The moments at which it may begin or end to be quiet, in order, wherever the clock is set meanwhile. */
function turningPoints({ start, end }: QuietHours, timezone: string, at: number): number[] {
  const minute = Math.floor(at / MINUTE_MS);
  const wall = minuteOf(
    new Intl.DateTimeFormat("en", {
      timeZone: timezone,
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    }).format(at),
  );
  const points = [start ?? "00:00", end ?? "00:00", "00:00"].flatMap((time) =>
    Array.from({ length: DAYS + 1 }, (_, day) => minuteOf(time) - wall + day * DAY_MINUTES),
  );
  return points
    .flatMap((point) => SHIFTS.map((shift) => (minute + point + shift) * MINUTE_MS))
    .filter((moment) => moment > at)
    .sort((a, b) => a - b);
}

/** The first minute after `before` that is as `after` is. */
function firstOther(is: (moment: number) => boolean, before: number, after: number): number {
  const wanted = is(after);
  let [low, high] = [Math.floor(before / MINUTE_MS), after / MINUTE_MS];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (is(middle * MINUTE_MS) === wanted) high = middle;
    else low = middle;
  }
  return high * MINUTE_MS;
}

function minuteOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));
}
