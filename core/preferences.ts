import type { Fault } from "./errors.ts";
import { isJsonObject } from "./json.ts";
import { isLater, type Stamp, stampAfter } from "./registers.ts";

export const LOCALES = ["en", "nl", "de"] as const;
export const RESPONSE_MODES = ["streaming", "conversational"] as const;
export const ENGAGEMENT_MODES = ["always", "mention", "keyword", "autonomous"] as const;

/** How an AI answers: piece by piece, or in whole messages. */
export type ResponseMode = (typeof RESPONSE_MODES)[number];
/** When an AI takes part in a room. */
export type EngagementMode = (typeof ENGAGEMENT_MODES)[number];

/** When to leave a person in peace, in wall-clock times of their zone. */
export interface QuietHours {
  readonly enabled: boolean;
  /** `HH:MM` or null. */
  readonly start: string | null;
  /** `HH:MM` or null. */
  readonly end: string | null;
  readonly weekdays_only: boolean;
  readonly weekends_only: boolean;
}

/** A person's preferences: the whole document, as it is stored, answered and merged. */
export interface Preferences {
  readonly locale: (typeof LOCALES)[number];
  /** An IANA zone that `Intl.DateTimeFormat` accepts, as it was sent. */
  readonly timezone: string;
  readonly time_format: "12h" | "24h";
  readonly ai_response_mode: ResponseMode;
  /** What an AI that this person invites starts with. */
  readonly ai_engagement_mode: EngagementMode;
  /** What rooms whose notification mode is `inherit` notify about. */
  readonly default_mode: "all" | "mentions" | "none";
  readonly quiet_hours: QuietHours;
  /** At most 50 phrases of 1–100 characters, without case-insensitive duplicates. */
  readonly keyword_alerts: readonly string[];
  readonly read_marker_mode: "leave" | "scroll";
  readonly push: boolean;
  readonly email: boolean;
  /** Null means the profile's. */
  readonly email_address: string | null;
}

/** Any part of the document. An absent key is not touched; null is a value where the document allows it. */
export type PreferencesPatch = {
  readonly [K in keyof Preferences]?:
    | (K extends "quiet_hours"
        ? { readonly [Q in keyof QuietHours]?: QuietHours[Q] | undefined }
        : Preferences[K])
    | undefined;
};

/** The document of someone who has set nothing. */
export const DEFAULT_PREFERENCES: Preferences = {
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
};

/**
 * Merges a patch into a document: objects key by key at every depth, lists and
 * scalars replace. Validity is per leaf, so merging valid with valid is valid.
 * `merge(p, {}) = p`, and merging the same patch twice is merging it once.
 */
export function mergePreferences(preferences: Preferences, patch: PreferencesPatch): Preferences {
  return mergeObjects(preferences, patch);
}

/** The patch that does what `first` and then `second` do: `merge(merge(p, a), b) = merge(p, compose(a, b))`. Associative. */
export function composePreferences(
  first: PreferencesPatch,
  second: PreferencesPatch,
): PreferencesPatch {
  return mergeObjects(first, second);
}

/** The written leaves of a document by path (`quiet_hours.start`), each with its stamp. What is not in here has its default. */
export type PreferenceRegisters = Readonly<Record<string, { readonly value: unknown } & Stamp>>;

/**
 * Writes each leaf of a patch so that it takes effect: at `now`, or one
 * millisecond after the leaf's last write if that lies in the future.
 * @param now Unix milliseconds.
 */
export function writePreferences(
  registers: PreferenceRegisters,
  patch: PreferencesPatch,
  now: number,
): PreferenceRegisters {
  const written = preferenceLeaves(patch).map(
    ([path, value]) => [path, { value, ...stampAfter(registers[path], now) }] as const,
  );
  return { ...registers, ...Object.fromEntries(written) };
}

/** An edit made offline, its leaves valid, at the time at which it took effect. */
export interface PreferenceEdit {
  /** Its place in the device's own order, from 1. */
  readonly seq: number;
  /** Unix milliseconds. */
  readonly at: number;
  readonly leaves: readonly PreferenceLeaf[];
}

/** What came of a device's edits. */
export interface EditedPreferences {
  readonly registers: PreferenceRegisters;
  /** The device's high-water mark: edits up to it are never looked at again. */
  readonly applied_seq: number;
  /** Leaves that a later write had already overtaken. */
  readonly superseded: readonly { readonly seq: number; readonly path: string }[];
}

/**
 * Applies a device's edits in the order of their `seq`, without those at or
 * below its high-water mark, so that sending them again is harmless. Of two
 * writes of one leaf the later stands, whichever arrives first: any
 * interleaving of several devices' edits ends in one document.
 */
export function applyEdits(
  before: { readonly registers: PreferenceRegisters; readonly applied_seq: number },
  device_id: string,
  edits: readonly PreferenceEdit[],
): EditedPreferences {
  const registers: Record<string, PreferenceRegisters[string]> = { ...before.registers };
  const superseded: { seq: number; path: string }[] = [];
  let { applied_seq } = before;
  for (const { seq, at, leaves } of edits.toSorted((a, b) => a.seq - b.seq)) {
    if (seq <= applied_seq) continue;
    applied_seq = seq;
    for (const [path, value] of leaves) {
      const written = { value, at, device_id, seq };
      const there = registers[path];
      if (there === undefined || isLater(written, there)) registers[path] = written;
      else superseded.push({ seq, path });
    }
  }
  return { registers, applied_seq, superseded };
}

/** The document that the registers stand for. */
export function readPreferences(
  registers: PreferenceRegisters,
  defaults: Preferences = DEFAULT_PREFERENCES,
): Preferences {
  const leaves = Object.entries(registers).map(([path, { value }]) => [path, value] as const);
  return mergeObjects(defaults, patchOf(leaves));
}

/** What in a valid document probably does not mean what it says. */
export function preferenceWarnings({ quiet_hours }: Preferences): Fault[] {
  const { enabled, start, end, weekdays_only, weekends_only } = quiet_hours;
  if (!enabled) return [];
  const warnings: Fault[] = [];
  if (start === null || end === null) {
    warnings.push({
      path: "quiet_hours",
      message: "is never quiet: quiet hours are enabled without both a start and an end",
    });
  } else if (start === end) {
    warnings.push({
      path: "quiet_hours",
      message: "is quiet the whole day: start and end are the same",
    });
  }
  if (weekdays_only && weekends_only) {
    warnings.push({
      path: "quiet_hours",
      message: "is never quiet: weekdays_only and weekends_only exclude each other",
    });
  }
  return warnings;
}

/** One leaf of the document: where it stands, and its value. */
export type PreferenceLeaf = readonly [path: string, value: unknown];

/** The leaves of a patch. */
export function preferenceLeaves(patch: object, prefix = ""): PreferenceLeaf[] {
  return Object.entries(patch).flatMap(([key, value]) => {
    if (value === undefined) return [];
    return isJsonObject(value)
      ? preferenceLeaves(value, `${prefix}${key}.`)
      : [[`${prefix}${key}`, value] as const];
  });
}

/** The patch that has these leaves: what {@link preferenceLeaves} has taken apart. */
export function patchOf(leaves: readonly PreferenceLeaf[]): PreferencesPatch {
  return leaves.reduce<PreferencesPatch>((patch, [path, value]) => {
    const [key = path, inner] = path.split(".");
    return mergeObjects(patch, { [key]: inner === undefined ? value : { [inner]: value } });
  }, {});
}

function mergeObjects<T extends object>(base: T, patch: object): T {
  const merged: Record<string, unknown> = Object.fromEntries(Object.entries(base));
  for (const [key, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    const before = merged[key];
    merged[key] = isJsonObject(value)
      ? mergeObjects(isJsonObject(before) ? before : {}, value)
      : value;
  }
  // Same keys, each with a value of the patch's or the base's own type.
  return merged as T;
}
