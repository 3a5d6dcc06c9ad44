import type { QuietHours } from "./preferences.ts";

const WEEKDAYS: readonly string[] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const WEEKEND: readonly number[] = [0, 6];

/**
 * Whether a person wants to be left in peace at an instant.
 *
 * The times are those of the clock on the wall in the person's zone, whatever
 * that clock does: in the night in which it is set forward, quiet hours that
 * begin within the hour that is left out begin at its end; in the night in
 * which it is set back, times that come twice are quiet twice. Quiet hours
 * that wrap past midnight belong to the weekday on which they began.
 *
 * Never quiet when not enabled, without both times, or on weekdays and on
 * weekends only at once; the whole day when both times are the same.
 *
 * @param timezone a zone that `Intl.DateTimeFormat` accepts.
 * @param at Unix milliseconds.
 */
export function isQuiet(quietHours: QuietHours, timezone: string, at: number): boolean {
  const { enabled, start, end, weekdays_only, weekends_only } = quietHours;
  if (!enabled || start === null || end === null) return false;
  const { weekday, minute } = wallClock(timezone, at);
  const [from, until] = [minuteOf(start), minuteOf(end)];
  const wraps = until <= from;
  const beganToday = minute >= from && (wraps || minute < until);
  const beganYesterday = wraps && minute < until && !beganToday;
  if (!beganToday && !beganYesterday) return false;
  const isWeekend = WEEKEND.includes(beganToday ? weekday : (weekday + 6) % 7);
  return !(weekdays_only && isWeekend) && !(weekends_only && !isWeekend);
}

/** What calendar and clock on the wall of a zone show: the weekday from Sunday (0), and the minute of the day. */
function wallClock(timezone: string, at: number): { weekday: number; minute: number } {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
  return {
    weekday: WEEKDAYS.indexOf(parts.get("weekday") ?? ""),
    minute: Number(parts.get("hour")) * 60 + Number(parts.get("minute")),
  };
}

function minuteOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
}
