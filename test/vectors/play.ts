import { type Check, canonical } from "./check.ts";
import { playNotification } from "./notifications.ts";
import { playPreferences } from "./preferences.ts";
import { playPresence } from "./presence.ts";
import { playQuietHours } from "./quiet-hours.ts";
import { playRoomState } from "./room-state.ts";
import { playTyping } from "./typing.ts";

/** How the vectors of each file are played. Keys are the names of the files. */
const PLAYERS = {
  presence: playPresence,
  typing: playTyping,
  preferences: playPreferences,
  "quiet-hours": playQuietHours,
  notifications: playNotification,
  "room-state": playRoomState,
} as const;

/** What the vectors are about. */
export type Subject = keyof typeof PLAYERS;
export const SUBJECTS = Object.keys(PLAYERS) as readonly Subject[];

/** What came of it; `faults` is empty when the rules do all that the vectors say. */
export interface Played {
  /** How many vectors there were. */
  readonly played: number;
  /** Each names its subject and vector, what is wrong, and what was expected. */
  readonly faults: readonly string[];
}

/** A file of vectors. Whatever it holds besides is common to them all. */
interface VectorFile {
  readonly vectors: readonly { readonly name: string }[];
}

/**
 * Plays vectors, as parsed from their files, against the rules of core. Only
 * these are needed, and no runtime's own names: what it answers is therefore
 * to be the same everywhere. A vector that makes no sense is a fault.
 */
export function play(files: { readonly [S in Subject]?: unknown }): Played {
  let played = 0;
  const faults: string[] = [];
  for (const subject of SUBJECTS) {
    if (files[subject] === undefined) continue;
    // The players read what they are handed key by key, and throw at what they do not know.
    const { vectors, ...common } = files[subject] as VectorFile;
    for (const vector of vectors) {
      played += 1;
      const player = PLAYERS[subject] as (vector: unknown, common: unknown) => Iterable<Check>;
      faults.push(...faultsOf(player, vector, common).map((what) => `${subject}: ${what}`));
    }
  }
  return { played, faults };
}

function faultsOf(
  player: (vector: unknown, common: unknown) => Iterable<Check>,
  vector: { readonly name: string },
  common: unknown,
): string[] {
  const faults: string[] = [];
  let checked = 0;
  try {
    const { name, ...rest } = vector;
    for (const [what, actual, expected] of player(rest, common)) {
      checked += 1;
      const [is, wanted] = [canonical(actual), canonical(expected)];
      if (is !== wanted) faults.push(`"${name}": ${what} is ${is}, expected ${wanted}`);
    }
  } catch (error) {
    faults.push(`"${vector.name}": ${error}`);
  }
  return checked === 0 ? [...faults, `"${vector.name}": expects nothing`] : faults;
}
