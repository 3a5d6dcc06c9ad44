import type { Timings } from "./timings.ts";

/** The states a person can set by hand. They stay until the person returns to automatic. */
export const MANUAL_STATES = ["online", "idle", "busy", "appear_offline"] as const;

/** A state set by hand. */
export type ManualState = (typeof MANUAL_STATES)[number];

/** What a person's state can be, in the person's own eyes. `offline` is only ever derived. */
export type PresenceState = ManualState | "offline";

/** What others can be told: `appear_offline` never reaches them. */
export type VisibleState = Exclude<PresenceState, "appear_offline">;

/** What a device can say about its user. */
export type Statement = "online" | "idle";

/** By which way in a device is heard: an event stream, a Yjs socket, or single requests. */
export type Door = "stream" | "yjs" | "rest";

/** The durations that decide presence, and what a manual state means without a device. */
export interface PresenceRules
  extends Pick<
    Timings,
    "presence_ttl_ms" | "idle_after_ms" | "disconnect_grace_ms" | "restart_grace_ms" | "coalesce_ms"
  > {
  /** `keep` (the default): a manual state shows with or without a device. `offline`: only with one. */
  readonly manual_without_device: "keep" | "offline";
}

/** One way in which a device is connected. It lives while it is heard of, and the device while one of its sources does. */
export interface Source {
  /** The installation, under a name of its choosing. */
  readonly device_id: string;
  readonly door: Door;
  /** The tab or window; all sources of one instance share its latest statement and activity. */
  readonly instance: string;
  /** What the instance last said explicitly, if it said anything. */
  readonly statement: Statement | undefined;
  /** When the user was last active there. */
  readonly activeAt: number;
  /** When the source was last heard of. */
  readonly seenAt: number;
  /** Set when the connection was lost: until then it lingers. */
  readonly lingersUntil: number | undefined;
}

/** Everything that decides one person's presence. */
export interface Person {
  readonly participant_id: string;
  readonly manual: ManualState | undefined;
  /** True of participants of type `model` and `helper`. */
  readonly alwaysOnline: boolean;
  /** Those of all devices. */
  readonly sources: readonly Source[];
}

/** What the durable facts say of a person's presence, and when the state was chosen, in Unix milliseconds: the later one stands. */
export interface ManualFacts {
  readonly manual: ManualState | undefined;
  readonly alwaysOnline: boolean;
  readonly manual_at: number;
}

/** When a source ends unless it is heard of again. */
export function endOf(source: Source, rules: PresenceRules): number {
  return source.lingersUntil ?? source.seenAt + rules.presence_ttl_ms;
}

/**
 * The state of the most awake device. A device is as awake as the most awake
 * of the latest explicit statements of its instances; without any, by activity.
 * Activity older than `idle_after_ms` is idle whatever was said. `undefined`
 * when no source lives at `at`.
 */
export function devicesState(
  sources: readonly Source[],
  at: number,
  rules: PresenceRules,
): Statement | undefined {
  let state: Statement | undefined;
  for (const source of sources) {
    if (endOf(source, rules) <= at) continue;
    if (isAwake(source, sources, at, rules)) return "online";
    state = "idle";
  }
  return state;
}

/** A source that says nothing counts only where none of its device says anything. */
function isAwake(
  { device_id, statement, activeAt }: Source,
  sources: readonly Source[],
  at: number,
  rules: PresenceRules,
): boolean {
  if (at >= activeAt + rules.idle_after_ms) return false;
  if (statement !== undefined) return statement === "online";
  return !sources.some(
    (other) =>
      other.device_id === device_id && other.statement !== undefined && endOf(other, rules) > at,
  );
}

/** A person's state in their own eyes: the manual one, else `online` for machines, else that of the devices. */
export function effectiveState(person: Person, at: number, rules: PresenceRules): PresenceState {
  if (person.manual !== undefined) return person.manual;
  return person.alwaysOnline ? "online" : (devicesState(person.sources, at, rules) ?? "offline");
}

/**
 * A person's state in the eyes of others: whoever appears offline is offline.
 * @param state what it is in their own, for whoever has asked already.
 */
export function visibleState(
  person: Person,
  at: number,
  rules: PresenceRules,
  state: PresenceState = effectiveState(person, at, rules),
): VisibleState {
  if (state === "appear_offline") return "offline";
  const hiddenWithoutDevice =
    rules.manual_without_device === "offline" &&
    person.manual !== undefined &&
    !person.alwaysOnline;
  if (hiddenWithoutDevice && devicesState(person.sources, at, rules) === undefined)
    return "offline";
  return state;
}

/** Why a person's state is what it is, for that person alone. Instants are on the clock of `at`. */
export interface PresenceReason {
  readonly state: PresenceState;
  readonly source: "manual" | "participant_type" | "device" | "none";
  readonly manual: ManualState | undefined;
  readonly devices: readonly {
    readonly device_id: string;
    readonly state: Statement;
    /** The doors by which the device is heard, each once, in alphabetical order. */
    readonly transports: readonly Door[];
    readonly lastActiveAt: number;
    /** When the device is gone unless it is heard of again. */
    readonly expiresAt: number;
  }[];
  /** When the state changes if nothing more is heard; `undefined` when time alone changes nothing. */
  readonly nextChangeAt: number | undefined;
}

/** Says why a person's state is what it is at `at`, and when it will next change by itself. */
export function explainPresence(person: Person, at: number, rules: PresenceRules): PresenceReason {
  const state = effectiveState(person, at, rules);
  const devices = [...new Set(person.sources.map(({ device_id }) => device_id))].flatMap((id) => {
    const live = person.sources.filter(
      (source) => source.device_id === id && endOf(source, rules) > at,
    );
    const deviceIs = devicesState(live, at, rules);
    if (deviceIs === undefined) return [];
    return {
      device_id: id,
      state: deviceIs,
      transports: [...new Set(live.map((source) => source.door))].sort(),
      lastActiveAt: Math.max(...live.map((source) => source.activeAt)),
      expiresAt: Math.max(...live.map((source) => endOf(source, rules))),
    };
  });
  return {
    state,
    source: sourceOf(person, state),
    manual: person.manual,
    devices,
    nextChangeAt: nextChangeAt(person, at, rules),
  };
}

function sourceOf(person: Person, state: PresenceState): PresenceReason["source"] {
  if (person.manual !== undefined) return "manual";
  if (person.alwaysOnline) return "participant_type";
  return state === "offline" ? "none" : "device";
}

function nextChangeAt(person: Person, at: number, rules: PresenceRules): number | undefined {
  const state = effectiveState(person, at, rules);
  return person.sources
    .flatMap((source) => [endOf(source, rules), source.activeAt + rules.idle_after_ms])
    .filter((moment) => moment > at)
    .sort((a, b) => a - b)
    .find((moment) => effectiveState(person, moment, rules) !== state);
}
