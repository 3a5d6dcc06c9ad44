import { isQuiet, type QuietHours } from "@porchlight/core";
import { type Check, onlyKeys } from "./check.ts";

/** Asks at each instant of a vector whether it is quiet. */
export function* playQuietHours(
  vector: {
    timezone: string;
    quiet_hours: Partial<QuietHours>;
    expect: Readonly<Record<string, boolean>>;
  },
  common: { quiet_hours: QuietHours },
): Generator<Check> {
  onlyKeys(vector, "timezone", "quiet_hours", "expect");
  onlyKeys(vector.quiet_hours, ...Object.keys(common.quiet_hours));
  const quietHours = { ...common.quiet_hours, ...vector.quiet_hours };
  for (const [instant, quiet] of Object.entries(vector.expect))
    yield [
      `whether ${instant} is quiet in ${vector.timezone}`,
      isQuiet(quietHours, vector.timezone, Date.parse(instant)),
      quiet,
    ];
}
