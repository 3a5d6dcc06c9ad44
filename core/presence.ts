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

/** One way in which a device is connected. It lives while it is heard of. */
export interface Source {
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

/** An installation, under a name of its choosing. */
export interface Device {
  readonly device_id: string;
  readonly sources: readonly Source[];
}

/** Everything that decides one person's presence. */
export interface Person {
  readonly participant_id: string;
  readonly manual: ManualState | undefined;
  /** True of participants of type `model` and `helper`. */
  readonly alwaysOnline: boolean;
  readonly devices: readonly Device[];
}

/** When a source ends unless it is heard of again. */
export function endOf(source: Source, rules: PresenceRules): number {
  return source.lingersUntil ?? source.seenAt + rules.presence_ttl_ms;
}

/**
 * The most awake of the latest explicit statements of the device's instances;
 * without any, by activity. Activity older than `idle_after_ms` is idle
 * whatever was said. `undefined` when no source lives at `at`.
 */
export function deviceState(
  device: Device,
  at: number,
  rules: PresenceRules,
): Statement | undefined {
  let lives = false;
  let stated: Statement | undefined;
  let byActivity: Statement = "idle";
  for (const source of device.sources) {
    if (endOf(source, rules) <= at) continue;
    lives = true;
    const recent = at < source.activeAt + rules.idle_after_ms;
    if (source.statement === undefined) {
      if (recent) byActivity = "online";
    } else if (source.statement === "online" && recent) stated = "online";
    else stated ??= "idle";
  }
  return lives ? (stated ?? byActivity) : undefined;
}

/** The most awake device of a person; `offline` without one. */
export function devicesState(
  person: Person,
  at: number,
  rules: PresenceRules,
): Statement | "offline" {
  let state: Statement | "offline" = "offline";
  for (const device of person.devices) {
    const each = deviceState(device, at, rules);
    if (each === "online") return each;
    state = each ?? state;
  }
  return state;
}

/** A person's state in their own eyes: the manual one, else `online` for machines, else that of the devices. */
export function effectiveState(person: Person, at: number, rules: PresenceRules): PresenceState {
  return person.manual ?? (person.alwaysOnline ? "online" : devicesState(person, at, rules));
}

/** A person's state in the eyes of others: whoever appears offline is offline. */
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
  if (hiddenWithoutDevice && devicesState(person, at, rules) === "offline") return "offline";
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
  const devices = person.devices.flatMap((device) => {
    const deviceIs = deviceState(device, at, rules);
    if (deviceIs === undefined) return [];
    const live = device.sources.filter((source) => endOf(source, rules) > at);
    return {
      device_id: device.device_id,
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
  return person.devices
    .flatMap((device) => device.sources)
    .flatMap((source) => [endOf(source, rules), source.activeAt + rules.idle_after_ms])
    .filter((moment) => moment > at)
    .sort((a, b) => a - b)
    .find((moment) => effectiveState(person, moment, rules) !== state);
}
