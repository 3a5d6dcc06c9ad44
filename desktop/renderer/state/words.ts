import type { Preferences, PresenceState } from "@porchlight/core";
import { DE } from "./words-de.ts";
import { EN } from "./words-en.ts";
import { NL } from "./words-nl.ts";

/** Everything that the view says, in one language. */
export type Words = typeof EN;

const LANGUAGES: Readonly<Record<Preferences["locale"], Words>> = { en: EN, nl: NL, de: DE };

/** How the user wants to be spoken to. */
export type Manners = Pick<Preferences, "locale" | "timezone" | "time_format">;

export function wordsOf(locale: Preferences["locale"]): Words {
  return LANGUAGES[locale];
}

/** The states in the order in which people are grouped. */
export const STATE_ORDER: readonly PresenceState[] = [
  "online",
  "busy",
  "idle",
  "appear_offline",
  "offline",
];

/** The clock on the user's wall. Made once for many instants: to make it costs more than to read it. */
export class WallClock {
  readonly #day: Intl.DateTimeFormat;
  readonly #time: Intl.DateTimeFormat;

  constructor({ locale, timezone, time_format }: Manners) {
    const zoned = { timeZone: zoneOf(timezone) };
    this.#day = new Intl.DateTimeFormat(locale, { ...zoned, dateStyle: "short" });
    this.#time = new Intl.DateTimeFormat(locale, {
      ...zoned,
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: time_format === "12h" ? "h12" : "h23",
    });
  }

  /** An instant: today the time alone, else the day as well. */
  read(at: number, now: number): string {
    const [day, today] = [this.#day.format(at), this.#day.format(now)];
    const time = this.#time.format(at);
    return day === today ? time : `${day} ${time}`;
  }
}

/** `Alice`, `Alice and Bob`, `Alice, Bob and Cy`. */
export function listOf(names: readonly string[], locale: Preferences["locale"]): string {
  return new Intl.ListFormat(locale, { type: "conjunction" }).format(names);
}

/** Up to two letters by which somebody is known who has no picture. */
export function initialsOf(name: string): string {
  const parts = name.trim().split(/\s+/u);
  const ends = parts.length > 1 ? [parts[0], parts.at(-1)] : [parts[0]];
  return ends.map((part) => Array.from(part ?? "")[0]?.toUpperCase() ?? "").join("") || "?";
}

/** A zone that this browser does not know is shown as UTC. */
function zoneOf(timezone: string): string {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: timezone }).resolvedOptions().timeZone;
  } catch {
    return "UTC";
  }
}
