import { ENGAGEMENT_MODES, LOCALES, type PreferencesPatch, RESPONSE_MODES } from "@porchlight/core";
import fc from "fast-check";

const timeOfDay = fc
  .tuple(fc.nat(23), fc.nat(59))
  .map((parts) => parts.map((part) => String(part).padStart(2, "0")).join(":"));

/** What somebody may send: every leaf by itself valid, in any combination, with keys absent or undefined. */
export const anyPreferencesPatch: fc.Arbitrary<PreferencesPatch> = fc.record(
  {
    locale: fc.constantFrom(...LOCALES, undefined),
    timezone: fc.constantFrom("UTC", "Europe/Amsterdam", "Asia/Kolkata", undefined),
    time_format: fc.constantFrom("12h" as const, "24h" as const),
    ai_response_mode: fc.constantFrom(...RESPONSE_MODES),
    ai_engagement_mode: fc.constantFrom(...ENGAGEMENT_MODES),
    default_mode: fc.constantFrom("all" as const, "mentions" as const, "none" as const),
    quiet_hours: fc.option(
      fc.record(
        {
          enabled: fc.boolean(),
          start: fc.option(timeOfDay),
          end: fc.option(timeOfDay),
          weekdays_only: fc.constantFrom(true, false, undefined),
          weekends_only: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
      { nil: undefined },
    ),
    keyword_alerts: fc.array(fc.constantFrom("Porch", "porch", " light ", "LIGHT", "née"), {
      maxLength: 5,
    }),
    read_marker_mode: fc.constantFrom("leave" as const, "scroll" as const),
    push: fc.boolean(),
    email: fc.boolean(),
    email_address: fc.option(fc.constantFrom("ann@example.org", "bob@example.net")),
  },
  { requiredKeys: [] },
);
