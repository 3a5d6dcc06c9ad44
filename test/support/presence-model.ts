import type {
  Activity,
  Door,
  ManualState,
  PresenceRules,
  PresenceState,
  Statement,
  VisibleState,
} from "@porchlight/core";

/** Who asks by a single request. */
export interface By {
  readonly device: string | undefined;
  readonly token: string;
}

/** One thing that happens to one person. `source` names the n-th `open` of the whole history, from 0. */
export type Act =
  | {
      readonly kind: "open";
      readonly device: string;
      readonly instance: string;
      readonly door: Exclude<Door, "rest">;
      readonly activity: Activity;
    }
  | { readonly kind: "beat"; readonly device: string; readonly activity: Activity }
  | { readonly kind: "hear"; readonly source: number; readonly activity: Activity }
  | { readonly kind: "touch" | "lose" | "close"; readonly source: number }
  | { readonly kind: "signOff"; readonly device: string }
  | { readonly kind: "act"; readonly by: By }
  | {
      readonly kind: "choose";
      readonly manual: ManualState | undefined;
      readonly by: By | undefined;
    }
  | {
      readonly kind: "introduce";
      readonly manual: ManualState | undefined;
      readonly alwaysOnline: boolean;
    };

/** An act, with its time; for `open`, its place among the opens. */
export type Happening = Act & { readonly at: number; readonly opened: number };

interface Seat {
  readonly opened: number;
  readonly device: string;
  readonly instance: string;
  readonly door: Door;
  readonly statement: Statement | undefined;
  readonly activeAt: number;
  readonly endsAt: number;
  readonly lost: boolean;
}

/** All that matters of what ever happened to one person. */
export interface Story {
  readonly seats: readonly Seat[];
  readonly manual: ManualState | undefined;
  readonly alwaysOnline: boolean;
}

/** Nothing has happened yet. */
export const NO_STORY: Story = { seats: [], manual: undefined, alwaysOnline: false };

/** What follows for one person from their story. */
export interface Expected {
  readonly own: PresenceState;
  readonly visible: VisibleState;
  readonly devices: number;
}

/** The story goes on. */
export function continued(
  { seats, manual, alwaysOnline }: Story,
  each: Happening,
  rules: PresenceRules,
): Story {
  return {
    seats: story(seats, each, rules),
    manual: each.kind === "choose" || each.kind === "introduce" ? each.manual : manual,
    alwaysOnline: each.kind === "introduce" ? each.alwaysOnline : alwaysOnline,
  };
}

/** The rules of presence as the contract states them, without any bookkeeping. */
export function expectedOf(
  { seats, manual, alwaysOnline }: Story,
  now: number,
  rules: PresenceRules,
): Expected {
  const living = seats.filter(({ endsAt }) => endsAt > now);
  const devices = [...new Set(living.map(({ device }) => device))];
  const states = devices.map((device) =>
    stateOf(
      living.filter((seat) => seat.device === device),
      now,
      rules,
    ),
  );
  const effective = manual ?? (alwaysOnline ? "online" : mostAwake(states));
  const unseen =
    effective === "appear_offline" ||
    (rules.manual_without_device === "offline" &&
      manual !== undefined &&
      !alwaysOnline &&
      living.length === 0);
  return { own: effective, visible: unseen ? "offline" : effective, devices: devices.length };
}

/** What has run out stays in the story: a socket that is heard of after all is back, unless another took its place. */
function story(all: readonly Seat[], each: Happening, rules: PresenceRules): readonly Seat[] {
  const dead = all.filter(({ endsAt }) => endsAt <= each.at);
  const living = all.filter(({ endsAt }) => endsAt > each.at);
  if (each.kind !== "hear" && each.kind !== "touch") {
    const left = dead.filter(({ opened }) => !("source" in each) || opened !== each.source);
    return [...left, ...after(living, each, rules)];
  }
  // A connection that was lost says nothing any more.
  if (living.some(({ opened, lost }) => opened === each.source && lost)) return all;
  const isBack = (seat: Seat): boolean =>
    seat.opened === each.source &&
    !seat.lost &&
    !living.some((other) => seat.door !== "yjs" && isSameSeat(other, seat));
  return [
    ...dead.filter((seat) => !isBack(seat)),
    ...after(
      [...living, ...dead.filter(isBack).map((seat) => caughtUp(seat, living))],
      each,
      rules,
    ),
  ];
}

/** What its tab has said meanwhile through another door holds for who is back. */
function caughtUp(seat: Seat, living: readonly Seat[]): Seat {
  const { device, instance } = seat;
  const other = living.find((each) => each.device === device && each.instance === instance);
  return other === undefined
    ? seat
    : { ...seat, statement: other.statement, activeAt: other.activeAt };
}

function isSameSeat(a: Seat, b: Seat): boolean {
  return a.device === b.device && a.instance === b.instance && a.door === b.door;
}

function after(seats: readonly Seat[], each: Happening, rules: PresenceRules): readonly Seat[] {
  const lifetime = rules.presence_ttl_ms;
  switch (each.kind) {
    case "open":
      return opened(seats, each, rules);
    case "beat":
      return requested(seats, each.device, each.activity, each.at, rules);
    case "hear": {
      const speaker = seats.find(({ opened }) => opened === each.source);
      return speaker === undefined
        ? seats
        : said(renewed(seats, each.source, each.at + lifetime), speaker, each.activity, each.at);
    }
    case "touch":
      return renewed(seats, each.source, each.at + lifetime);
    case "lose":
      return seats.map((seat) =>
        seat.opened !== each.source || seat.lost
          ? seat
          : {
              ...seat,
              lost: true,
              endsAt: Math.min(seat.endsAt, each.at + rules.disconnect_grace_ms),
            },
      );
    case "close":
      return seats.filter(({ opened }) => opened !== each.source);
    case "signOff":
      return seats.filter(({ device }) => device !== each.device);
    case "act":
      return acted(seats, each.by, each.at, rules);
    case "choose":
      return each.by === undefined ? seats : acted(seats, each.by, each.at, rules);
    default:
      return seats;
  }
}

function renewed(seats: readonly Seat[], source: number, endsAt: number): readonly Seat[] {
  return seats.map((seat) => (seat.opened === source && !seat.lost ? { ...seat, endsAt } : seat));
}

/** What one tab says holds for every door through which that tab is seen. */
function said(
  seats: readonly Seat[],
  speaker: Pick<Seat, "device" | "instance">,
  { state, idle_for_ms }: Activity,
  at: number,
): readonly Seat[] {
  const nowActive = state === "online" ? 0 : undefined;
  const idleFor = idle_for_ms ?? nowActive;
  return seats.map((seat) =>
    seat.device === speaker.device && seat.instance === speaker.instance
      ? {
          ...seat,
          statement: state ?? seat.statement,
          activeAt: idleFor === undefined ? seat.activeAt : at - idleFor,
        }
      : seat,
  );
}

function opened(
  before: readonly Seat[],
  each: Omit<Extract<Act, { kind: "open" }>, "kind" | "door"> & {
    door: Door;
    at: number;
    opened: number;
  },
  rules: PresenceRules,
): readonly Seat[] {
  const { device, instance, door, at } = each;
  const isSame = (seat: Seat): boolean => seat.device === device && seat.instance === instance;
  const same = before.filter(isSame);
  const seats = door === "rest" ? before : before.filter((seat) => !endedBySocket(seat, device));
  const seat: Seat = {
    opened: each.opened,
    device,
    instance,
    door,
    statement: same[0]?.statement,
    activeAt: same[0]?.activeAt ?? at,
    endsAt: at + rules.presence_ttl_ms,
    lost: false,
  };
  // A tab has one stream, and a Yjs socket for each room: of these, those that it lost give way.
  const givesWay = (other: Seat): boolean =>
    isSame(other) && other.door === door && (door !== "yjs" || other.lost);
  const others = seats.filter((other) => !givesWay(other));
  return said([...others, seat], seat, each.activity, at);
}

function endedBySocket(seat: Seat, device: string): boolean {
  return seat.door === "rest" && (seat.device === device || seat.device.startsWith("rest:"));
}

function acted(seats: readonly Seat[], by: By, at: number, rules: PresenceRules): readonly Seat[] {
  const sockets = seats.filter(({ door, lost }) => door !== "rest" && !lost);
  const needless =
    by.device === undefined
      ? sockets.length > 0
      : sockets.some(({ device }) => device === by.device);
  if (needless) return seats;
  return requested(seats, by.device ?? `rest:${by.token}`, { idle_for_ms: 0 }, at, rules);
}

/** A device speaks by a request: as if it opened, each time anew, a source that nobody can name. */
function requested(
  seats: readonly Seat[],
  device: string,
  activity: Activity,
  at: number,
  rules: PresenceRules,
): readonly Seat[] {
  const source = { device, instance: device, door: "rest", activity, at, opened: -1 } as const;
  return opened(seats, source, rules);
}

function stateOf(seats: readonly Seat[], now: number, rules: PresenceRules): Statement {
  const isRecent = ({ activeAt }: Seat): boolean => now - activeAt < rules.idle_after_ms;
  const speaking = seats.filter(({ statement }) => statement !== undefined);
  const awake =
    speaking.length > 0
      ? speaking.some((seat) => seat.statement === "online" && isRecent(seat))
      : seats.some(isRecent);
  return awake ? "online" : "idle";
}

function mostAwake(states: readonly Statement[]): Statement | "offline" {
  if (states.includes("online")) return "online";
  return states.length > 0 ? "idle" : "offline";
}
