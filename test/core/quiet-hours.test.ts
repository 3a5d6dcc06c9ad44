import { describe, expect, test } from "bun:test";
import { DEFAULT_PREFERENCES, isQuiet, type QuietHours } from "@porchlight/core";
import fc from "fast-check";
import { runs } from "../support/runs.ts";

/** Quiet hours that are on, but for what is given. */
function hours(
  start: string | null,
  end: string | null,
  given: Partial<QuietHours> = {},
): QuietHours {
  return { ...DEFAULT_PREFERENCES.quiet_hours, enabled: true, start, end, ...given };
}

/** At which of these instants it is quiet. */
function quietAt(quiet: QuietHours, timezone: string, instants: readonly string[]): string[] {
  return instants.filter((instant) => isQuiet(quiet, timezone, Date.parse(instant)));
}

describe("isQuiet", () => {
  test("is quiet from the start until just before the end", () => {
    const at = [
      "2026-03-02T12:59:59.999Z",
      "2026-03-02T13:00:00Z",
      "2026-03-02T14:29:59.999Z",
      "2026-03-02T14:30:00Z",
    ];
    expect(quietAt(hours("13:00", "14:30"), "UTC", at)).toEqual(at.slice(1, 3));
  });

  test("wraps past midnight", () => {
    const at = [
      "2026-03-02T21:59:00Z",
      "2026-03-02T22:00:00Z",
      "2026-03-03T00:00:00Z",
      "2026-03-03T06:59:00Z",
      "2026-03-03T07:00:00Z",
    ];
    expect(quietAt(hours("22:00", "07:00"), "UTC", at)).toEqual(at.slice(1, 4));
  });

  test("is the whole day when both times are the same", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4_102_444_800_000 }),
        fc.constantFrom("00:00", "09:30", "23:59"),
        (at, time) => {
          expect(isQuiet(hours(time, time), "Asia/Kolkata", at)).toBe(true);
        },
      ),
      { numRuns: runs(50) },
    );
  });

  test("is never when off, without both times, or on weekdays and weekends only at once", () => {
    const never = [
      hours("00:00", "00:00", { enabled: false }),
      hours(null, "07:00"),
      hours("22:00", null),
      hours("00:00", "00:00", { weekdays_only: true, weekends_only: true }),
    ];
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4_102_444_800_000 }),
        fc.constantFrom(...never),
        (at, quiet) => {
          expect(isQuiet(quiet, "Europe/Amsterdam", at)).toBe(false);
        },
      ),
      { numRuns: runs(50) },
    );
  });

  test("is a time of the clock on the wall in the zone", () => {
    const at = ["2026-01-15T21:30:00Z", "2026-07-15T20:30:00Z"];
    expect(quietAt(hours("22:00", "23:00"), "Europe/Amsterdam", at)).toEqual(at);
    expect(quietAt(hours("22:00", "23:00"), "UTC", at)).toEqual([]);
    expect(
      isQuiet(hours("05:45", "05:46"), "Asia/Kathmandu", Date.parse("2026-01-15T00:00:00Z")),
    ).toBe(true);
  });

  test("belongs to the weekday on which it began: Friday's night is a weekday's, Sunday's a weekend's", () => {
    const nights = {
      friday: ["2026-03-06T23:00:00Z", "2026-03-07T06:00:00Z"],
      saturday: ["2026-03-07T23:00:00Z", "2026-03-08T06:00:00Z"],
      sunday: ["2026-03-08T23:00:00Z", "2026-03-09T06:00:00Z"],
      monday: ["2026-03-09T23:00:00Z", "2026-03-10T06:00:00Z"],
    };
    const all = Object.values(nights).flat();
    expect(quietAt(hours("22:00", "07:00", { weekdays_only: true }), "UTC", all)).toEqual([
      ...nights.friday,
      ...nights.monday,
    ]);
    expect(quietAt(hours("22:00", "07:00", { weekends_only: true }), "UTC", all)).toEqual([
      ...nights.saturday,
      ...nights.sunday,
    ]);
  });

  test("a whole day belongs to the weekday of its start, until the same time of the next", () => {
    const quiet = hours("08:00", "08:00", { weekends_only: true });
    const at = [
      "2026-03-07T07:59:00Z",
      "2026-03-07T08:00:00Z",
      "2026-03-09T07:59:00Z",
      "2026-03-09T08:00:00Z",
    ];
    expect(quietAt(quiet, "UTC", at)).toEqual(at.slice(1, 3));
  });

  test("beginning in the hour that a clock set forward leaves out, begins at its end", () => {
    // Amsterdam, 29 March 2026: 02:00 is 03:00, at 01:00 UTC.
    const at = [
      "2026-03-29T00:59:00Z",
      "2026-03-29T01:00:00Z",
      "2026-03-29T01:59:00Z",
      "2026-03-29T02:00:00Z",
    ];
    expect(quietAt(hours("02:30", "04:00"), "Europe/Amsterdam", at)).toEqual(at.slice(1, 3));
    expect(quietAt(hours("02:10", "02:50"), "Europe/Amsterdam", at)).toEqual([]);
  });

  test("at times that a clock set back shows twice, is quiet twice", () => {
    // Amsterdam, 25 October 2026: 03:00 is 02:00 again, at 01:00 UTC.
    const at = [
      "2026-10-25T00:00:00Z",
      "2026-10-25T00:20:00Z",
      "2026-10-25T00:40:00Z",
      "2026-10-25T01:20:00Z",
      "2026-10-25T01:40:00Z",
    ];
    expect(quietAt(hours("02:10", "02:30"), "Europe/Amsterdam", at)).toEqual([
      "2026-10-25T00:20:00Z",
      "2026-10-25T01:20:00Z",
    ]);
  });

  test("is quiet exactly when its opposite is not", () => {
    const time = fc.integer({ min: 0, max: 1_439 }).map((minute) => {
      const two = (value: number): string => String(value).padStart(2, "0");
      return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
    });
    const zone = fc.constantFrom(
      "UTC",
      "Europe/Amsterdam",
      "America/St_Johns",
      "Pacific/Auckland",
      "Australia/Lord_Howe",
    );
    fc.assert(
      fc.property(
        time,
        time,
        zone,
        fc.integer({ min: 0, max: 4_102_444_800_000 }),
        (start, end, timezone, at) => {
          fc.pre(start !== end);
          expect(isQuiet(hours(start, end), timezone, at)).toBe(
            !isQuiet(hours(end, start), timezone, at),
          );
        },
      ),
      { numRuns: runs(300) },
    );
  });
});
