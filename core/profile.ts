import type { Fault } from "./errors.ts";
import type { JsonObject } from "./json.ts";
import type { PresenceState } from "./presence.ts";
import type { Participant } from "./room-state.ts";

/** A participant in their own eyes. */
export interface Me {
  readonly participant_id: string;
  readonly local_id: string;
  /** `@local_id:server_name`. */
  readonly fqid: string;
  readonly display_name: string;
  readonly email: string | null;
  readonly avatar_url: string | null;
  readonly bio: string | null;
  readonly personal_workspace_id: string | null;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  /** The effective state. */
  readonly presence: PresenceState;
  readonly tenant: {
    readonly id: string;
    readonly slug: string;
    readonly name: string;
    readonly features: JsonObject;
  };
}

/** What others may read of a person. */
export interface Profile {
  readonly participant: Participant;
  readonly bio: string | null;
}

/** What a person may change of their own profile. An absent key is not touched. */
export interface ProfilePatch {
  /** 1–80 characters after trimming. */
  readonly display_name?: string | undefined;
  /** An `http:` or `https:` address. */
  readonly avatar_url?: string | null | undefined;
  /** At most 500 characters. */
  readonly bio?: string | null | undefined;
}

const WRITABLE: readonly string[] = ["display_name", "avatar_url", "bio"];

/**
 * The faults of a body that names more than can be changed: a read-only key is
 * let through when it has its current value, so that an answer can be edited
 * and put back; any other value, and any unknown key, is a fault.
 */
export function readOnlyFaults(me: Me, body: JsonObject): Fault[] {
  const current = new Map<string, unknown>(Object.entries(me));
  return Object.entries(body).flatMap(([path, value]) => {
    if (WRITABLE.includes(path)) return [];
    if (!current.has(path)) return { path, message: "is not a known key" };
    return isSame(current.get(path), value) ? [] : { path, message: "is read-only" };
  });
}

/** The part of a body that {@link ProfilePatch} can hold, unchecked. */
export function writablePart(body: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(body).filter(([key]) => WRITABLE.includes(key)));
}

function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))];
  return (
    Array.isArray(a) === Array.isArray(b) &&
    left.size === right.size &&
    [...left].every(([key, value]) => isSame(value, right.get(key)))
  );
}
