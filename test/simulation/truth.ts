import type {
  Activity,
  Door,
  ManualState,
  SourceName,
  Statement,
  VisibleState,
} from "@porchlight/core";
import type { Knowledge } from "./knowledge.ts";
import type { Rules, ServerProcess, Socket } from "./server-process.ts";
import type { SimulatedCluster } from "./simulated-cluster.ts";
import type { Choice, SimulatedStore } from "./simulated-store.ts";
import type { TrueTime } from "./true-time.ts";
import { AFTERWARDS_MS, GONE_MS, SLACK_MS, type Weather } from "./weather.ts";

const NEVER = Number.POSITIVE_INFINITY;
const RENEWAL_MS = 1_000;

type Presence = "sure" | "maybe" | "gone";

/** One way in which a device is there, as it is in truth. */
interface TrueSource {
  readonly person: string;
  readonly process: ServerProcess;
  readonly device: string;
  readonly instance: string;
  readonly door: Door;
  readonly openedAt: number;
  /** Since when what the tab says holds for it for certain, and since when it may. */
  readonly saidFrom: number;
  readonly saidMayFrom: number;
  /** When its user was active as far as nobody has said. */
  readonly activeFrom: number;
  readonly activeTo: number;
  /** Until when it may be taken to be as awake as one that it took over from, of which its process heard nothing then. */
  readonly heldTo: number;
  /** When it was heard of, the last at the end. */
  readonly seen: number[];
  lostAt: number;
  closedAt: number;
  readonly ends: { readonly at: number; readonly by: ServerProcess; readonly isSure: boolean }[];
}

/** What a tab said: one of these states, and when its user was active. */
interface Said {
  readonly at: number;
  /** When others are told at the latest: what changes nothing is told with the next renewal. */
  readonly toldAt: number;
  readonly by: ServerProcess;
  readonly source: TrueSource;
  /** What was said before without that the process of the one who says this must have known it: it may be taken for later. */
  readonly rivals: readonly Said[];
  readonly statements: readonly (Statement | undefined)[];
  readonly activeFrom: number;
  readonly activeTo: number;
}

/** What one source may be taken to say. */
interface Saying {
  readonly statement: Statement | undefined;
  readonly isRecent: "yes" | "no" | "maybe";
}

/**
 * What is true of people's devices, and what a process may show of it by now,
 * from what it must know: a direct reading of the contract, without registers,
 * records or versions.
 */
export class Truth {
  readonly #time: TrueTime;
  readonly #rules: Rules;
  readonly #knowledge: Knowledge;
  readonly #cluster: SimulatedCluster;
  readonly #store: SimulatedStore;
  /** By how much later than it happened something may be taken to have happened. */
  readonly #blurMs: number;
  readonly #isLossless: boolean;
  readonly #sources = new Map<string, TrueSource[]>();
  readonly #sockets = new Map<Socket, TrueSource>();
  readonly #said = new Map<string, Said[]>();
  /** When the process that made a choice durable knew that it stands, by person and instant of the choice. */
  readonly #chosen = new Map<string, Map<number, number>>();

  constructor(options: {
    time: TrueTime;
    rules: Rules;
    knowledge: Knowledge;
    cluster: SimulatedCluster;
    store: SimulatedStore;
    weather: Weather;
  }) {
    this.#time = options.time;
    this.#rules = options.rules;
    this.#knowledge = options.knowledge;
    this.#cluster = options.cluster;
    this.#store = options.store;
    this.#blurMs = options.knowledge.learnMs + options.weather.lateMs;
    this.#isLossless = options.weather.lost === 0;
  }

  /** To be called before the process does it. */
  opens(process: ServerProcess, person: string, name: SourceName): void {
    const { device_id, door } = name;
    for (const each of this.#sourcesOf(person)) {
      const isOfRequests =
        each.door === "rest" && (each.device === device_id || each.device.startsWith("rest:"));
      if (isOfRequests) this.#end(each, process);
      else if (isSame(each, name) && door === "stream") this.#end(each, process);
      else if (isSame(each, name)) this.#endLingering(each, process);
    }
  }

  opened(socket: Socket, activity: Activity): void {
    const { process, participant_id: person } = socket;
    const source = this.#add(process, person, socket);
    this.#sockets.set(socket, source);
    this.#say(source, activity);
  }

  heard(socket: Socket, activity: Activity): void {
    const source = this.#sockets.get(socket);
    if (source === undefined) return;
    const now = this.#time.now;
    const hasRunOut = now >= (source.seen.at(-1) ?? 0) + this.#rules.presence_ttl_ms - SLACK_MS;
    if (!hasRunOut) {
      source.seen.push(now);
      this.#say(source, activity, RENEWAL_MS);
      return;
    }
    // It is back: to others it is as if it had been opened.
    const back = this.#add(source.process, source.person, socket, source);
    this.#sockets.set(socket, back);
    this.#say(back, activity);
  }

  lost(socket: Socket): void {
    const source = this.#sockets.get(socket);
    if (source !== undefined) source.lostAt = Math.min(source.lostAt, this.#time.now);
  }

  closed(socket: Socket): void {
    const source = this.#sockets.get(socket);
    if (source !== undefined) source.closedAt = Math.min(source.closedAt, this.#time.now);
  }

  beat(by: ServerProcess, person: string, device_id: string, activity: Activity): void {
    const known = this.#sourcesOf(person).find(
      (each) =>
        each.door === "rest" &&
        each.process === by &&
        each.device === device_id &&
        this.#presence(each, by) === "sure",
    );
    const name = { device_id, instance: device_id, door: "rest" as const };
    const source = known ?? this.#add(by, person, name);
    // What was ended elsewhere is ended also when it is heard of before that is known.
    for (const each of known === undefined ? this.#sourcesOf(person) : [])
      if (each !== source && each.door === "rest" && each.process === by)
        source.ends.push(
          ...each.ends
            .filter((end) => !this.#knowledge.isKnown(end.by, by, end.at))
            .map((end) => ({ ...end, isSure: false })),
        );
    source.seen.push(this.#time.now);
    this.#say(source, activity);
  }

  signedOff(by: ServerProcess, person: string, device: string): void {
    for (const each of this.#sourcesOf(person)) if (each.device === device) this.#end(each, by);
  }

  /** The process that made a choice durable knows that it did. */
  chose(person: string, manual_at: number): void {
    const chosen = this.#chosen.get(person) ?? new Map<number, number>();
    this.#chosen.set(person, chosen.set(manual_at, this.#time.now));
  }

  /** What a process may show of a person now. */
  shown(person: string, to: ServerProcess): ReadonlySet<VisibleState> {
    const automatic = this.#automatic(person, to);
    return new Set(
      [...this.#manuals(person, to)].flatMap((manual) => [...this.#seen(manual, automatic)]),
    );
  }

  /** What a choice by hand, or none, makes of what the devices may show. */
  *#seen(
    manual: ManualState | undefined,
    automatic: ReadonlySet<VisibleState>,
  ): Generator<VisibleState> {
    if (manual === undefined) yield* automatic;
    else if (manual === "appear_offline") yield "offline";
    else if (this.#rules.manual_without_device === "keep") yield manual;
    else {
      if (automatic.has("offline")) yield "offline";
      if (automatic.size > 1 || !automatic.has("offline")) yield manual;
    }
  }

  /** Whether a process must know that a person hides. */
  isHidden(person: string, to: ServerProcess): boolean {
    return [...this.#manuals(person, to)].every((each) => each === "appear_offline");
  }

  /** The devices that a process must take a person to have, and those that it may. */
  devices(
    person: string,
    to: ServerProcess,
  ): { readonly must: Set<string>; readonly may: Set<string> } {
    const must = new Set<string>();
    const may = new Set<string>();
    for (const each of this.#sourcesOf(person)) {
      const presence = this.#presence(each, to);
      if (presence === "sure") must.add(each.device);
      if (presence !== "gone") may.add(each.device);
    }
    return { must, may };
  }

  #sourcesOf(person: string): TrueSource[] {
    const known = this.#sources.get(person) ?? [];
    this.#sources.set(person, known);
    return known;
  }

  #add(
    by: ServerProcess,
    person: string,
    { device_id, instance, door }: { device_id: string; instance: string; door: Door },
    was?: TrueSource,
  ): TrueSource {
    const now = this.#time.now;
    const siblings = this.#sourcesOf(person).filter(
      (each) => each.device === device_id && each.instance === instance,
    );
    const there = siblings.filter((each) => each === was || this.#presence(each, by) !== "gone");
    const sure = there.filter((each) => this.#presence(each, by) === "sure");
    const before = sure.length > 0 ? [] : [now];
    const source: TrueSource = {
      person,
      process: by,
      device: device_id,
      instance,
      door,
      openedAt: now,
      saidFrom: Math.min(now, ...sure.map(({ saidFrom }) => saidFrom)),
      saidMayFrom: Math.min(now, ...there.map(({ saidMayFrom }) => saidMayFrom)),
      activeFrom: Math.min(...before, ...there.map(({ activeFrom }) => activeFrom)),
      activeTo: Math.max(...before, ...there.map(({ activeTo }) => activeTo)),
      heldTo: Math.max(0, ...there.map((each) => this.#heldTo(each, by))),
      seen: [now],
      lostAt: NEVER,
      closedAt: NEVER,
      ends: [],
    };
    this.#sourcesOf(person).push(source);
    return source;
  }

  #end(source: TrueSource, by: ServerProcess): void {
    const presence = this.#presence(source, by);
    if (presence === "gone") return;
    const now = this.#time.now;
    if (source.process === by) source.closedAt = Math.min(source.closedAt, now);
    else
      source.ends.push({ at: now, by, isSure: presence === "sure" && !this.#isStray(source, by) });
  }

  /** Whether the facts were lost in which a process had read of a source: that it has ended it nobody keeps but itself. */
  #isStray({ process, openedAt }: TrueSource, to: ServerProcess): boolean {
    return this.#cluster.clearings.some(
      (each) => each >= openedAt && !this.#knowledge.isKnown(process, to, each),
    );
  }

  /** Of sockets for rooms only what lingers gives way. */
  #endLingering(source: TrueSource, by: ServerProcess): void {
    const { process: at, lostAt } = source;
    if (at === by && lostAt <= this.#time.now) this.#end(source, by);
    // What a node that is taken for gone has open lingers too.
    const mayLinger = lostAt < NEVER || !at.isUp || at.link.disturbances.length > 0;
    if (at !== by && mayLinger) source.ends.push({ at: this.#time.now, by, isSure: false });
  }

  #say(source: TrueSource, { state, idle_for_ms }: Activity, toldMs = 0): void {
    if (state === undefined && idle_for_ms === undefined) return;
    const now = this.#time.now;
    const { process: by } = source;
    const name = instanceOf(source);
    const before = this.#sayings(source, by);
    const activeAt = now - (idle_for_ms ?? 0);
    const isActive = state === "online" || idle_for_ms !== undefined;
    const saids = this.#said.get(name) ?? [];
    const known = this.#possible(source, by);
    saids.push({
      at: now,
      toldAt: now + toldMs,
      by,
      source,
      rivals: saids.filter((each) => !this.#isToldOf(each, by)),
      statements:
        state === undefined ? [...new Set(before.map((each) => each.statement))] : [state],
      activeFrom: isActive
        ? activeAt
        : Math.min(source.activeFrom, ...known.map((each) => each.activeFrom)),
      activeTo: isActive
        ? activeAt
        : Math.max(source.activeTo, ...known.map((each) => each.activeTo)),
    });
    this.#said.set(name, saids);
  }

  /** What a process may take the tab of a source to have said last. */
  #possible(source: TrueSource, to: ServerProcess): readonly Said[] {
    const all = this.#said.get(instanceOf(source)) ?? [];
    const saids = all.filter(({ at }) => at >= source.saidMayFrom);
    const last = saids.findLastIndex((said) => this.#isSaidKnown(said, source, to));
    const known = saids[last];
    return known === undefined ? saids : [...saids.slice(last), ...known.rivals];
  }

  /** What was said by way of one source holds for another for certain once its process has told others so. */
  #isSaidKnown(said: Said, source: TrueSource, to: ServerProcess): boolean {
    const { by, toldAt, source: speaker } = said;
    if (!this.#isToldOf(said, to)) return false;
    const until = Math.min(this.#time.now, this.#speaksUntil(speaker));
    const isHere = by === source.process && said.at >= source.openedAt;
    const isHeard = by === to || this.#knowledge.isKnown(by, to, toldAt, until);
    if ((isHere && isHeard) || this.#presence(speaker, to) === "sure") return true;
    const heardAt = toldAt + this.#knowledge.learnMs;
    const hasUntil = Math.min(this.#time.now, this.#speaksUntil(source));
    // What is said by way of a source that another has replaced is told only until its node hears so.
    const isReplaced = speaker.ends.some((end) => end.at <= said.at);
    return (
      !isReplaced &&
      this.#knowledge.isKnown(by, source.process, toldAt, until) &&
      this.#knowledge.isKnown(source.process, to, heardAt, hasUntil)
    );
  }

  #isToldOf({ by, at, toldAt }: Said, to: ServerProcess): boolean {
    return this.#knowledge.isKnown(by, to, by === to ? at : toldAt);
  }

  /** What a source may be taken to say. */
  #sayings(source: TrueSource, to: ServerProcess): Saying[] {
    const possible = this.#possible(source, to);
    const known = possible[0];
    const sayings = possible.flatMap((said) =>
      said.statements.map((statement) => ({
        statement,
        isRecent: this.#isRecent(source, said, to),
      })),
    );
    const isSaid =
      known !== undefined && this.#isSaidKnown(known, source, to) && known.at >= source.saidFrom;
    if (!isSaid)
      sayings.push({
        statement: undefined,
        isRecent: this.#isRecent(source, { ...source, by: source.process }, to),
      });
    return sayings;
  }

  #isRecent(
    { process, heldTo }: TrueSource,
    { by, activeFrom, activeTo }: Pick<Said, "by" | "activeFrom" | "activeTo">,
    to: ServerProcess,
  ): Saying["isRecent"] {
    const now = this.#time.now;
    const { idle_after_ms } = this.#rules;
    if (now < activeFrom + idle_after_ms - SLACK_MS) return "yes";
    // The age of what a process wrote last, and what took effect late, is that much too low.
    const blurMs = this.#blurMs + (process.isAlive && by.isAlive ? 0 : AFTERWARDS_MS);
    const heldUntil = Math.max(heldTo, this.#heldUntil(process, to, activeTo));
    const idleAt = Math.max(activeTo + idle_after_ms, heldUntil);
    const isPast = now >= idleAt + blurMs + SLACK_MS;
    // Cut off, whoever was awake is taken to be so still.
    return isPast && this.#knowledge.isNoticed(to, activeTo + idle_after_ms) ? "no" : "maybe";
  }

  /** Until when what takes over from a source at a process may be taken to be as awake as that. */
  #heldTo({ process, activeTo, heldTo }: TrueSource, by: ServerProcess): number {
    const untilAtMost = this.#time.now + this.#rules.presence_ttl_ms;
    return Math.max(heldTo, Math.min(untilAtMost, this.#heldUntil(process, by, activeTo)));
  }

  /** Until when a process may take another to be as it was, as it was cut off since `at` and has not heard of it again. */
  #heldUntil(of: ServerProcess, by: ServerProcess, at: number): number {
    const held = by.link.disturbances.findLast(({ to }) => to > at);
    if (held === undefined || of === by) return 0;
    if (!this.#knowledge.isKnown(of, by, held.to)) return held.to + this.#rules.presence_ttl_ms;
    // Of whom the facts were lost nothing is heard any more: that much it keeps of what it held.
    const isLost = this.#cluster.clearings.some((each) => each >= at);
    return isLost ? this.#knowledge.connectedSince(by) + this.#knowledge.returnMs + GONE_MS : 0;
  }

  #manuals(person: string, to: ServerProcess): Set<ManualState | undefined> {
    const choices = this.#store.choicesOf(person);
    const last = choices.findLastIndex(
      (choice, index) =>
        this.#isChoiceKnown(person, choice, to) || isListed(choice, choices[index + 1], to),
    );
    const first = last < 0 || this.#isHearsay(person, choices[last], to) ? 0 : last;
    const possible = choices.slice(first).map(({ manual }) => manual);
    return new Set(last < 0 ? [undefined, ...possible] : possible);
  }

  /**
   * Whether a process may take a choice for the last that was taken back before it began: it reads who has chosen
   * something, and has just found the record of somebody who came, which may be older.
   */
  #isHearsay(person: string, last: Choice | undefined, to: ServerProcess): boolean {
    if (last === undefined || last.manual !== undefined || last.at > to.createdAt) return false;
    const since = this.#time.now - this.#knowledge.learnMs;
    return this.#sourcesOf(person).some(({ openedAt }) => openedAt >= since);
  }

  /** Whether a process was told of a choice, or must have asked for it. */
  #isChoiceKnown(person: string, { at, manual_at, by }: Choice, to: ServerProcess): boolean {
    const chosen = this.#chosen.get(person)?.get(manual_at);
    // Of someone who is not there a choice is in no record that could be read: who did not hear of it asks the store.
    const isTold =
      chosen !== undefined &&
      this.#knowledge.isKnown(by, to, chosen) &&
      ((this.#isLossless && this.#knowledge.isUndisturbed(by, to, chosen)) ||
        this.#knowledge.isRead(to, chosen));
    // Of a node that is no more others ask what was chosen there, when its lease has run out.
    const renewedAt = by.link.renewals.at(-1) ?? 0;
    const isForgotten = this.#cluster.clearings.some((each) => each >= renewedAt);
    const hasLapsedSince = !isForgotten && at <= renewedAt + this.#rules.node_lease_ms;
    const askedAt = hasLapsedSince ? by.diedAt + GONE_MS : NEVER;
    // Of one that was cut off nobody knows what is chosen there until they ask anyhow.
    const askedAnyhowAt = Math.max(at, to.startedAt) + this.#rules.presence_ttl_ms + 2 * RENEWAL_MS;
    return isTold || this.#knowledge.isRead(to, Math.min(askedAt, askedAnyhowAt));
  }

  /** What devices may be taken to say of a person. */
  #automatic(person: string, to: ServerProcess): Set<VisibleState> {
    const there = this.#sourcesOf(person).flatMap((source) => {
      const presence = this.#presence(source, to);
      return presence === "gone" ? [] : { source, presence, sayings: this.#sayings(source, to) };
    });
    const awake = there.map(({ source, presence, sayings }) => {
      const others = there.filter(
        (each) => each.source !== source && each.source.device === source.device,
      );
      const maySay = others.some((each) =>
        each.sayings.some(({ statement }) => statement !== undefined),
      );
      const mustSay = others.some(
        (each) =>
          each.presence === "sure" &&
          each.sayings.every(({ statement }) => statement !== undefined),
      );
      return {
        presence,
        may: sayings.some(
          ({ statement, isRecent }) =>
            isRecent !== "no" && (statement === "online" || (statement === undefined && !mustSay)),
        ),
        must: sayings.every(
          ({ statement, isRecent }) =>
            isRecent === "yes" && (statement === "online" || (statement === undefined && !maySay)),
        ),
      };
    });
    const states = new Set<VisibleState>();
    const mustBeOnline = awake.some(({ presence, must }) => presence === "sure" && must);
    if (awake.some(({ may }) => may)) states.add("online");
    if (!mustBeOnline && awake.some(({ must }) => !must)) states.add("idle");
    if (!awake.some(({ presence }) => presence === "sure")) states.add("offline");
    return states;
  }

  #presence(source: TrueSource, to: ServerProcess): Presence {
    return source.process === to ? this.#presenceHere(source) : this.#presenceThere(source, to);
  }

  #endsAt({ lostAt, seen }: TrueSource): number {
    const { disconnect_grace_ms, presence_ttl_ms } = this.#rules;
    return Math.min(lostAt + disconnect_grace_ms, (seen.at(-1) ?? 0) + presence_ttl_ms);
  }

  /** Until when at least what is said by way of a source is heard. What is over says nothing any more, also where a record has it still. */
  #speaksUntil(source: TrueSource): number {
    const { door, closedAt, process } = source;
    const renewedAt = process.link.renewals.at(-1) ?? 0;
    const isOrphan = door !== "rest" && !process.isAlive;
    const goneAt = isOrphan ? renewedAt + this.#rules.disconnect_grace_ms : NEVER;
    return Math.min(closedAt, goneAt, this.#endsAt(source));
  }

  #presenceHere(source: TrueSource): Presence {
    const now = this.#time.now;
    const { process: here, closedAt, openedAt } = source;
    const endsAt = this.#endsAt(source);
    if (this.#knowledge.isKnown(here, here, closedAt) || now >= endsAt + SLACK_MS) return "gone";
    const end = this.#endOf(source, here);
    if (end === "gone") return "gone";
    const isSure =
      closedAt > now &&
      now < endsAt - SLACK_MS &&
      end === "sure" &&
      this.#knowledge.isKnown(here, here, openedAt);
    return isSure ? "sure" : "maybe";
  }

  #presenceThere(source: TrueSource, to: ServerProcess): Presence {
    if (this.#isSurelyGone(source, to)) return "gone";
    return this.#isSurelyThere(source, to) ? "sure" : "maybe";
  }

  #isSurelyGone(source: TrueSource, to: ServerProcess): boolean {
    const { process: at, closedAt } = source;
    const endsAt = this.#endsAt(source) + this.#blurMs - this.#knowledge.learnMs;
    return (
      this.#isOver(source, { at: closedAt, by: at }, to) ||
      this.#isOver(source, { at: endsAt, by: at }, to) ||
      this.#endOf(source, to) === "gone" ||
      (!at.isAlive && this.#isDeadLong(source, to))
    );
  }

  /** What others have not heard before the facts were lost lingers for them, as it may not have been told again yet. */
  #isOver(
    { openedAt, process, door }: TrueSource,
    { at, by }: { readonly at: number; readonly by: ServerProcess },
    to: ServerProcess,
  ): boolean {
    if (!this.#knowledge.isKnown(by, to, at)) return false;
    const { disconnect_grace_ms } = this.#rules;
    // Of a node that has joined anew nobody knows whether it has told all it has: what it had before lingers.
    const isAnother = door !== "rest" && process.link.joins.some((each) => each > openedAt);
    if (isAnother && !this.#knowledge.isKnown(by, to, at, this.#time.now - disconnect_grace_ms))
      return false;
    const cleared = this.#cluster.clearings.findLast(
      (each) => each >= openedAt && !this.#knowledge.isKnown(by, to, at, each),
    );
    if (cleared === undefined) return true;
    if (door !== "rest") return this.#knowledge.isNoticed(to, cleared, disconnect_grace_ms);
    // What was heard by requests is nobody's until the node that heard it is back.
    const since = this.#time.now - disconnect_grace_ms - RENEWAL_MS;
    return process.isAlive && this.#knowledge.isKnown(process, to, cleared, since);
  }

  /** Whether it must be noticed that the process of a source is no more. */
  #isDeadLong(source: TrueSource, to: ServerProcess): boolean {
    const { process: at, door } = source;
    const now = this.#time.now;
    const retiredAt = this.#cluster.retirements.get(at.name);
    if (door === "rest") {
      const { presence_ttl_ms } = this.#rules;
      const held = to.link.disturbances.at(-1)?.to ?? 0;
      const endsAt = Math.max(
        this.#endsAt(source),
        held > source.openedAt ? held + presence_ttl_ms : 0,
      );
      return this.#knowledge.isNoticed(to, endsAt + this.#blurMs + AFTERWARDS_MS);
    }
    const isGone = now >= Math.max(at.diedAt, this.#knowledge.connectedSince(to)) + GONE_MS;
    if (retiredAt === undefined) return isGone;
    const lingersUntil = retiredAt + this.#rules.restart_grace_ms + SLACK_MS;
    // That it took leave is lost with the facts: whoever has not heard of it finds that it is gone.
    const isForgotten = this.#cluster.clearings.some((each) => each >= retiredAt);
    return this.#knowledge.isNoticed(to, lingersUntil) && (isGone || !isForgotten);
  }

  #isSurelyThere(source: TrueSource, to: ServerProcess): boolean {
    const now = this.#time.now;
    const { process: at, openedAt, closedAt, seen } = source;
    if (closedAt <= now || now >= this.#endsAt(source) - SLACK_MS) return false;
    if (!this.#knowledge.isKnown(at, to, openedAt) || this.#endOf(source, to) !== "sure")
      return false;
    const known =
      seen.findLast((each) => this.#knowledge.isKnown(at, to, each + RENEWAL_MS)) ?? openedAt;
    if (now >= known + this.#rules.presence_ttl_ms - SLACK_MS) return false;
    const isHeldLong = to.link.disturbances.some(
      ({ from }) =>
        now >= from + this.#rules.presence_ttl_ms - SLACK_MS &&
        !this.#knowledge.isNoticed(to, from),
    );
    return !isHeldLong && !this.#isShaky(source, to);
  }

  /** Whether others may take a process for gone, or may have, without having heard of the source since. */
  #isShaky({ process: at, door, openedAt }: TrueSource, to: ServerProcess): boolean {
    const now = this.#time.now;
    const { disconnect_grace_ms, restart_grace_ms } = this.#rules;
    const isOver = (since: number): boolean =>
      now >= since + disconnect_grace_ms - SLACK_MS && !this.#knowledge.isKnown(at, to, since);
    const clearings = this.#cluster.clearings.filter((each) => each >= openedAt);
    if (clearings.some(isOver)) return true;
    // A node that came back may have stopped before it told anew what it had heard by requests.
    if (door === "rest") return !at.isAlive && clearings.length + at.link.disturbances.length > 0;
    const retiredAt = this.#cluster.retirements.get(at.name);
    const leftAt = at.isAlive ? NEVER : (retiredAt ?? NEVER);
    if (now >= leftAt + restart_grace_ms - SLACK_MS) return true;
    const { renewals, joins } = at.link;
    return renewals.some((each, index) => {
      const next = renewals[index + 1] ?? leftAt;
      // One that was silent for long, or came back before it had to, may be taken to be another.
      const isGap = Math.min(next, now) - each > disconnect_grace_ms / 4 || joins.includes(next);
      return (
        isGap &&
        now >= each + disconnect_grace_ms - SLACK_MS &&
        !(next < NEVER && this.#knowledge.isKnown(at, to, next))
      );
    });
  }

  /** Whether other processes have ended a source in the eyes of `to`. */
  #endOf(source: TrueSource, to: ServerProcess): Presence {
    let presence: Presence = "sure";
    for (const end of source.ends) {
      const { at, by } = end;
      const isSure = end.isSure && !this.#isUntold(end, source);
      const isKnownThere =
        !source.process.isAlive || this.#knowledge.isKnown(by, source.process, at);
      const isKnown = isKnownThere && this.#knowledge.isKnown(by, to, at);
      if (isKnown && isSure && (source.process === to || this.#isOver(source, end, to)))
        return "gone";
      if (isKnown && this.#isOpen(source)) continue;
      const isLost = !by.isAlive && this.#knowledge.isNoticed(source.process, by.diedAt + GONE_MS);
      if (isLost && this.#isOpen(source)) continue;
      presence = "maybe";
    }
    return presence;
  }

  /** Whether a process was cut off for so long that it has not told what it ended, or not heard what was ended of it. */
  #isUntold({ at, by }: TrueSource["ends"][number], { process }: TrueSource): boolean {
    const { presence_ttl_ms } = this.#rules;
    return [by, process].some(({ link }) =>
      link.disturbances.some(
        ({ from, to }) =>
          from <= at + this.#knowledge.learnMs && to > at + presence_ttl_ms - 2 * RENEWAL_MS,
      ),
    );
  }

  /** Whether the process has a socket for a source, and has not closed it. */
  #isOpen({ door, process, closedAt, lostAt }: TrueSource): boolean {
    return process.isAlive && door !== "rest" && closedAt === NEVER && lostAt === NEVER;
  }
}

function isSame(source: TrueSource, { device_id, instance, door }: SourceName): boolean {
  return source.device === device_id && source.instance === instance && source.door === door;
}

function instanceOf({ person, device, instance }: TrueSource): string {
  return `${person}/${device}/${instance}`;
}

/** Whoever starts reads what people have chosen then, but of those who have not, or not any more. */
function isListed({ at, manual }: Choice, next: Choice | undefined, by: ServerProcess): boolean {
  return manual !== undefined && at <= by.createdAt && (next?.at ?? NEVER) > by.createdAt;
}
