import type { Due } from "./deadlines.ts";
import {
  endOf,
  type Person,
  type PresenceRules,
  type PresenceState,
  type Source,
  type VisibleState,
} from "./presence.ts";
import type { EndReason, Owner } from "./presence-share.ts";

const NEVER = Number.NEGATIVE_INFINITY;

/** What tells the sources of one person apart. */
export type Name = Pick<Source, "device_id" | "instance" | "door">;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

interface KnownSource extends Writable<Source> {
  person: PersonEntry;
  /** When its instance last said anything, as in what nodes tell each other; 0 where it never did. */
  said: number;
  /** Closed or replaced: its handle is dead. */
  ended: boolean;
}

/** A source that began here. */
export interface OwnSource extends KnownSource {
  readonly owner: undefined;
  /** Tells it from all others that began here, once anybody asks. */
  serial: number | undefined;
}

/** A source that another node holds. */
export interface ForeignSource extends KnownSource {
  readonly owner: Owner;
  /** Names it among all sources of the person. */
  readonly id: string;
  /** Whether it is in no record, as the one that it was in was lost. */
  isStray: boolean;
}

/** A source as a register keeps it. */
export type SourceEntry = OwnSource | ForeignSource;

/** Why a source was ended, until when others are told so, and when it had last said anything, as far as was known. */
export interface Ending {
  readonly why: EndReason;
  readonly until: number;
  readonly said: number;
}

/** The last record of a person that was taken up, where several nodes share one. */
export interface KnownRecord {
  readonly version: number;
  readonly lineage: string;
  /** That of the record before this one, which was lost: what comes of it comes late. */
  readonly formerLineage: string | undefined;
  /** When the state in it was chosen, in Unix milliseconds; 0 where it says nothing of that. */
  readonly chosenAt: number;
  /** Whether it was taken to last while nothing was heard of other nodes: the same record then says more. */
  isHeld: boolean;
}

/** A person as a register keeps them. */
export interface PersonEntry extends Writable<Person>, Due {
  readonly sources: SourceEntry[];
  /** When any of their instances last said anything, as far as is known: what is said next is said later, whatever clocks say. */
  said: number;
  effective: PresenceState;
  /** What others were last told, and when. */
  told: VisibleState;
  toldAt: number;
  /** When the second began in which choices by hand are counted, and how many of it were told. */
  urgentSince: number;
  urgentCount: number;
  /** When the state that stands was chosen by hand, in Unix milliseconds; 0 where nobody said. */
  manualAt: number;
  /** Until then it is remembered, so that what comes late is known to be old. */
  keptUntil: number;
  record: KnownRecord | undefined;
  /** Sources of other nodes that were ended here, by their ids, for as long as whoever holds them may not have heard of it. */
  endings: Map<string, Ending> | undefined;
}

/** Somebody of whom nothing is known. */
export function unknownPerson(participant_id: string): PersonEntry {
  return {
    participant_id,
    manual: undefined,
    alwaysOnline: false,
    sources: [],
    said: 0,
    effective: "offline",
    told: "offline",
    toldAt: NEVER,
    urgentSince: NEVER,
    urgentCount: 0,
    manualAt: 0,
    keptUntil: NEVER,
    record: undefined,
    endings: undefined,
    dueAt: 0,
    queuedAt: -1,
  };
}

/** Whether two sources are of one tab or window. */
export function isSameInstance(a: Omit<Name, "door">, b: Omit<Name, "door">): boolean {
  return a.device_id === b.device_id && a.instance === b.instance;
}

/** Whether a socket is connected by this source. */
export function isOpenSocket({ door, lingersUntil }: Source): boolean {
  return door !== "rest" && lingersUntil === undefined;
}

/** Takes sources out. */
export function remove({ sources }: PersonEntry, goes: (source: SourceEntry) => boolean): void {
  let kept = 0;
  for (const source of sources) {
    if (goes(source)) continue;
    sources[kept] = source;
    kept += 1;
  }
  while (sources.length > kept) sources.pop();
}

/** Drops what has ended. Returns when the first of the others changes by itself, or infinity. */
export function dropEnded(person: PersonEntry, now: number, rules: PresenceRules): number {
  let next = Number.POSITIVE_INFINITY;
  let hasEnded = false;
  for (const source of person.sources) {
    if (endOf(source, rules) <= now) hasEnded = true;
    else next = Math.min(next, changesAt(source, now, rules));
  }
  if (hasEnded) remove(person, (source) => endOf(source, rules) <= now);
  return next;
}

/** When a living source changes by itself: it turns idle, or it ends. */
function changesAt(source: Source, now: number, rules: PresenceRules): number {
  const idleAt = source.activeAt + rules.idle_after_ms;
  return Math.min(idleAt > now ? idleAt : Number.POSITIVE_INFINITY, endOf(source, rules));
}
