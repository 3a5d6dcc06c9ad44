import { describe, expect, test } from "bun:test";
import {
  composePreferences,
  DEFAULT_PREFERENCES,
  mergePreferences,
  type PreferenceRegisters,
  type Preferences,
  PreferencesBody,
  type PreferencesPatch,
  parseInput,
  preferenceWarnings,
  type QuietHours,
  readPreferences,
  writePreferences,
} from "@porchlight/core";
import fc from "fast-check";
import { anyPreferencesPatch } from "../support/preferences-values.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../support/runs.ts";

const anyPatch = anyPreferencesPatch.map((patch) => parseInput(PreferencesBody, patch));
const anyDocument = anyPatch.map((patch) => mergePreferences(DEFAULT_PREFERENCES, patch));

/** Everything that `object` holds, frozen: writing to any of it throws. */
function frozen<T>(object: T): T {
  if (typeof object === "object" && object !== null) Object.values(object).forEach(frozen);
  return Object.freeze(object);
}

describe("DEFAULT_PREFERENCES", () => {
  test("is the documented document", () => {
    expect(DEFAULT_PREFERENCES).toEqual({
      locale: "en",
      timezone: "UTC",
      time_format: "24h",
      ai_response_mode: "conversational",
      ai_engagement_mode: "always",
      default_mode: "all",
      quiet_hours: {
        enabled: false,
        start: null,
        end: null,
        weekdays_only: false,
        weekends_only: false,
      },
      keyword_alerts: [],
      read_marker_mode: "leave",
      push: true,
      email: false,
      email_address: null,
    });
  });

  test("is itself a valid body", () => {
    expect(parseInput(PreferencesBody, DEFAULT_PREFERENCES)).toEqual(DEFAULT_PREFERENCES);
  });
});

describe("mergePreferences", () => {
  test("touches only the keys that were sent, at every depth", () => {
    const before = mergePreferences(DEFAULT_PREFERENCES, { quiet_hours: { start: "22:00" } });
    const merged = mergePreferences(before, { locale: "nl", quiet_hours: { end: "07:00" } });
    expect(merged).toEqual({
      ...DEFAULT_PREFERENCES,
      locale: "nl",
      quiet_hours: { ...DEFAULT_PREFERENCES.quiet_hours, start: "22:00", end: "07:00" },
    });
  });

  test("a list replaces the list before it", () => {
    const before = mergePreferences(DEFAULT_PREFERENCES, { keyword_alerts: ["porch", "light"] });
    expect(mergePreferences(before, { keyword_alerts: ["lamp"] }).keyword_alerts).toEqual(["lamp"]);
    expect(mergePreferences(before, { keyword_alerts: [] }).keyword_alerts).toEqual([]);
  });

  test("null is a value, and an undefined key is an absent one", () => {
    const before = mergePreferences(DEFAULT_PREFERENCES, {
      email_address: "ann@example.org",
      quiet_hours: { start: "22:00" },
    });
    const merged = mergePreferences(before, {
      email_address: null,
      quiet_hours: { start: undefined, end: undefined },
      locale: undefined,
    });
    expect(merged).toEqual({ ...before, email_address: null });
  });

  test("leaves what it merges as it was", () => {
    const before = frozen(structuredClone(DEFAULT_PREFERENCES));
    const patch = frozen<PreferencesPatch>({
      quiet_hours: { enabled: true },
      keyword_alerts: ["a"],
    });
    expect(mergePreferences(before, patch).quiet_hours.enabled).toBe(true);
    expect(before).toEqual(DEFAULT_PREFERENCES);
  });

  test(
    "merging nothing changes nothing",
    () => {
      fc.assert(
        fc.property(anyDocument, (document) => {
          expect(mergePreferences(document, {})).toEqual(document);
        }),
        trials(200),
      );
    },
    TRIALS_TIMEOUT_MS,
  );

  test(
    "merging the same patch twice is merging it once",
    () => {
      fc.assert(
        fc.property(anyDocument, anyPatch, (document, patch) => {
          const once = mergePreferences(document, patch);
          expect(mergePreferences(once, patch)).toEqual(once);
        }),
        trials(200),
      );
    },
    TRIALS_TIMEOUT_MS,
  );

  test(
    "whatever is merged of valid parts is a whole and valid document",
    () => {
      fc.assert(
        fc.property(fc.array(anyPatch, { maxLength: 6 }), (patches) => {
          const merged = patches.reduce(mergePreferences, DEFAULT_PREFERENCES);
          expect(parseInput(PreferencesBody, merged)).toEqual(merged);
          expect(Object.keys(merged).toSorted()).toEqual(
            Object.keys(DEFAULT_PREFERENCES).toSorted(),
          );
        }),
        trials(200),
      );
    },
    TRIALS_TIMEOUT_MS,
  );

  test(
    "every leaf that was sent is in the merged document, and every other one is as before",
    () => {
      fc.assert(
        fc.property(anyDocument, anyPatch, (document, patch) => {
          const merged = flat(mergePreferences(document, patch));
          expect(merged).toEqual({ ...flat(document), ...flat(patch) });
        }),
        trials(200),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});

/** The leaves of a document or a patch that have a value, by path. */
function flat({ quiet_hours, ...leaves }: PreferencesPatch): Record<string, unknown> {
  const inner = Object.entries(quiet_hours ?? {}).map(([key, value]) => [
    `quiet_hours.${key}`,
    value,
  ]);
  const all = [...Object.entries(leaves), ...inner];
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

describe("composePreferences", () => {
  test("of two patches of one leaf the second one counts", () => {
    expect(
      composePreferences(
        { locale: "nl", quiet_hours: { start: "22:00", end: null } },
        { locale: "de", quiet_hours: { end: "07:00" } },
      ),
    ).toEqual({ locale: "de", quiet_hours: { start: "22:00", end: "07:00" } });
  });

  test(
    "merging two patches one by one is merging what they compose to",
    () => {
      fc.assert(
        fc.property(anyDocument, anyPatch, anyPatch, (document, a, b) => {
          expect(mergePreferences(document, composePreferences(a, b))).toEqual(
            mergePreferences(mergePreferences(document, a), b),
          );
        }),
        trials(300),
      );
    },
    TRIALS_TIMEOUT_MS,
  );

  test(
    "composing is associative, and the empty patch is neutral",
    () => {
      fc.assert(
        fc.property(anyPatch, anyPatch, anyPatch, (a, b, c) => {
          expect(composePreferences(composePreferences(a, b), c)).toEqual(
            composePreferences(a, composePreferences(b, c)),
          );
          expect(composePreferences(a, {})).toEqual(a);
          expect(composePreferences({}, a)).toEqual(a);
        }),
        trials(300),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});

describe("writePreferences", () => {
  test("stamps each named leaf with the time, and no other", () => {
    const written = writePreferences({}, { push: false, quiet_hours: { start: "22:00" } }, 50);
    expect(written).toEqual({
      push: { value: false, at: 50, device_id: "", seq: 0 },
      "quiet_hours.start": { value: "22:00", at: 50, device_id: "", seq: 0 },
    });
    expect(writePreferences(written, { quiet_hours: {}, locale: undefined }, 60)).toEqual(written);
  });

  test("a null and a list are leaves", () => {
    const written = writePreferences({}, { email_address: null, keyword_alerts: ["porch"] }, 0);
    expect(written.email_address?.value).toBeNull();
    expect(written.keyword_alerts?.value).toEqual(["porch"]);
  });

  test("a write always takes effect: a millisecond after the leaf's last one where the clock is behind it", () => {
    const atOf = (now: number): number | undefined => {
      const registers: PreferenceRegisters = {
        push: { value: true, at: 100, device_id: "laptop", seq: 7 },
      };
      return writePreferences(registers, { push: false }, now).push?.at;
    };
    expect([atOf(5), atOf(100), atOf(101), atOf(102)]).toEqual([101, 101, 101, 102]);
  });

  test("leaves the registers it is given as they were", () => {
    const registers = frozen(writePreferences({}, { push: false }, 0));
    writePreferences(registers, { push: true, locale: "nl" }, 1);
    expect(readPreferences(registers)).toEqual({ ...DEFAULT_PREFERENCES, push: false });
  });
});

describe("readPreferences", () => {
  test("whoever has written nothing has the defaults", () => {
    expect(readPreferences({})).toEqual(DEFAULT_PREFERENCES);
  });

  test("what was not written follows the defaults that are given", () => {
    const defaults: Preferences = { ...DEFAULT_PREFERENCES, timezone: "Asia/Kolkata", push: false };
    const registers = writePreferences({}, { push: true, quiet_hours: { end: "07:00" } }, 0);
    expect(readPreferences(registers, defaults)).toEqual({
      ...defaults,
      push: true,
      quiet_hours: { ...defaults.quiet_hours, end: "07:00" },
    });
  });

  test(
    "writing a patch and reading is merging it into what was read, at any times",
    () => {
      fc.assert(
        fc.property(fc.array(fc.tuple(anyPatch, fc.nat(20)), { maxLength: 6 }), (writes) => {
          let registers: PreferenceRegisters = {};
          for (const [patch, now] of writes) {
            const before = readPreferences(registers);
            registers = writePreferences(registers, patch, now);
            expect(readPreferences(registers)).toEqual(mergePreferences(before, patch));
          }
        }),
        trials(200),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});

describe("preferenceWarnings", () => {
  const whenQuiet = (quiet: Partial<QuietHours>): string[] =>
    preferenceWarnings(mergePreferences(DEFAULT_PREFERENCES, { quiet_hours: quiet })).map(
      ({ path, message }) => `${path} ${message.slice(0, message.indexOf(":"))}`,
    );
  const night = { enabled: true, start: "22:00", end: "07:00" };

  test("an ordinary night has none", () => {
    expect(whenQuiet(night)).toEqual([]);
    expect(whenQuiet({ ...night, weekdays_only: true })).toEqual([]);
    expect(whenQuiet({ ...night, weekends_only: true })).toEqual([]);
  });

  test("quiet hours without both times are never quiet", () => {
    const never = ["quiet_hours is never quiet"];
    expect(whenQuiet({ enabled: true })).toEqual(never);
    expect(whenQuiet({ ...night, start: null })).toEqual(never);
    expect(whenQuiet({ ...night, end: null })).toEqual(never);
  });

  test("quiet hours only on weekdays and only on weekends are never quiet", () => {
    expect(whenQuiet({ ...night, weekdays_only: true, weekends_only: true })).toEqual([
      "quiet_hours is never quiet",
    ]);
  });

  test("quiet hours that end when they start last the whole day", () => {
    expect(whenQuiet({ ...night, end: "22:00" })).toEqual(["quiet_hours is quiet the whole day"]);
  });

  test("several oddities are all named", () => {
    expect(whenQuiet({ enabled: true, weekdays_only: true, weekends_only: true })).toHaveLength(2);
  });

  test("quiet hours that are off mean nothing odd", () => {
    expect(whenQuiet({ weekdays_only: true, weekends_only: true, start: "22:00" })).toEqual([]);
  });
});
