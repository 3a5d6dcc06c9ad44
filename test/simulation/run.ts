import type { Activity, SourceName, TypingChange, VisibleState } from "@porchlight/core";
import type { Delivery } from "../../server/cluster/cluster.ts";
import type { Announcement } from "../../server/store/store.ts";
import { rules, typingRules } from "../support/builders.ts";
import { Chance } from "../support/chance.ts";
import { type Act, type History, PEOPLE, SEATS, type Step } from "./history.ts";
import { Knowledge } from "./knowledge.ts";
import { type Rules, ServerProcess, type Socket, type Watcher } from "./server-process.ts";
import { type ClusterFaults, SimulatedCluster } from "./simulated-cluster.ts";
import { type Absence, MACHINE, SimulatedStore } from "./simulated-store.ts";
import { TrueTime } from "./true-time.ts";
import { Truth } from "./truth.ts";
import {
  learnMs,
  returnMs,
  SLACK_MS,
  STORE_GIVEN_UP_MS,
  tellMs,
  WEATHERS,
  type Weather,
} from "./weather.ts";

const HEARTBEAT_MS = 10_000;
const SECOND_MS = 1_000;
/** An orderly stop closes its sockets within this time. */
const CLOSING_MS = 3_000;
/** A crash that waits for its point comes without it after so long. */
const IMPATIENT_MS = 4_000;

/** What is made to go wrong, to see whether it is found. */
export interface Faults extends ClusterFaults {
  readonly announcesEarly?: boolean;
}

interface Seat {
  readonly person: string;
  readonly name: SourceName;
  socket: Socket | undefined;
  state: "online" | "idle";
  activeAt: number;
  isSilent: boolean;
}

/** A history as it unfolds: whatever a process tells its people is held against what is true. */
export class Run implements Watcher {
  readonly #history: History;
  readonly #rules: Rules;
  readonly #weather: Weather;
  readonly #chance: Chance;
  readonly #time: TrueTime;
  readonly #cluster: SimulatedCluster;
  readonly #store: SimulatedStore;
  readonly #knowledge: Knowledge;
  readonly #truth: Truth;
  readonly #faults: Faults;
  readonly #places: (ServerProcess | undefined)[];
  readonly #processes: ServerProcess[] = [];
  readonly #seats: Seat[];
  /** Until when somebody may be shown to type, by process and person. */
  readonly #typing = new Map<string, number>();
  /** What was told just now, to be looked at once it is clear what else happened. */
  readonly #told: (() => void)[] = [];
  readonly #violations: string[] = [];
  readonly trace: string[] | undefined;

  constructor(history: History, faults: Faults = {}, trace?: string[]) {
    this.trace = trace;
    this.#history = history;
    this.#faults = faults;
    this.#rules = {
      ...typingRules(),
      ...rules({
        presence_ttl_ms: 40_000,
        idle_after_ms: 60_000,
        manual_without_device: history.manual_without_device,
      }),
      node_lease_ms: 4_000,
    };
    const weather: Weather = WEATHERS[history.weather];
    this.#weather = weather;
    this.#chance = new Chance(history.chance);
    this.#time = new TrueTime(() => this.#expectNoViolation());
    const on = { time: this.#time, chance: this.#chance, weather };
    this.#cluster = new SimulatedCluster({ ...on, faults });
    this.#store = new SimulatedStore(on);
    const { coalesce_ms } = this.#rules;
    this.#knowledge = new Knowledge({
      time: this.#time,
      clearings: this.#cluster.clearings,
      tellMs: tellMs(weather, coalesce_ms),
      learnMs: learnMs(weather, coalesce_ms),
      returnMs: returnMs(weather, history.nodes),
      ownMs: coalesce_ms + 10,
    });
    this.#truth = new Truth({
      time: this.#time,
      rules: this.#rules,
      knowledge: this.#knowledge,
      cluster: this.#cluster,
      store: this.#store,
      weather,
    });
    this.#places = Array.from({ length: history.nodes }, () => undefined);
    this.#seats = SEATS.map((seat) => ({
      ...seat,
      socket: undefined,
      state: "online",
      activeAt: 0,
      isSilent: false,
    }));
  }

  /** Plays the history to its end, and on until everything must be known everywhere. */
  play(): void {
    for (const place of this.#places.keys()) this.#start(place);
    for (const seat of this.#seats) this.#keepBeating(seat);
    this.#keepLooking();
    this.#time.advance(this.#knowledge.learnMs + SECOND_MS);
    for (const step of this.#history.steps) this.#step(step);
    this.#settle();
  }

  toldPresence(process: ServerProcess, person: string, state: VisibleState): void {
    this.#note(`${process.name} tells ${person} ${state}`);
    if (process.startedAt <= this.#time.now)
      this.#told.push(() => this.#expectShown(process, person, state, "tells"));
  }

  toldTyping(process: ServerProcess, { participant_id, typing }: TypingChange): void {
    this.#note(`${process.name} tells ${participant_id} typing ${typing}`);
    if (typing && process.startedAt <= this.#time.now)
      this.#told.push(() => this.#expectTyping(process, participant_id));
  }

  toldEvent(process: ServerProcess, { frame }: Announcement): void {
    const position = frame.stream_position ?? 0;
    this.#note(`${process.name} tells event ${position}`);
    const last = process.told.at(-1);
    process.told.push(position);
    if (position > this.#store.committed.length)
      this.#violate(`${process.name} told event ${position}, which never happened`);
    if (last === undefined) return;
    for (let each = last + 1; each < position; each += 1)
      if (!this.#store.withdrawn.has(each))
        this.#violate(`${process.name} told event ${position} before ${each}`);
    if (position <= last) this.#violate(`${process.name} told event ${position} after ${last}`);
  }

  delivered(process: ServerProcess, delivery: Delivery): void {
    if (this.trace !== undefined) this.#note(`${process.name} hears ${textOf(delivery)}`);
    if (delivery.kind !== "message" || delivery.message.kind !== "typing") return;
    if (delivery.message.how !== "stop") this.#mayType(process, delivery.message.participant_id);
  }

  closed(socket: Socket, why: string): void {
    this.#note(`${socket.process.name} closes a socket of ${socket.participant_id}: ${why}`);
    this.#truth.closed(socket);
    for (const seat of this.#seats) if (seat.socket === socket) seat.socket = undefined;
  }

  died(process: ServerProcess): void {
    this.#note(`${process.name} is no more`);
    for (const [place, each] of this.#places.entries())
      if (each === process) this.#places[place] = undefined;
    for (const seat of this.#seats)
      if (seat.socket?.process === process) {
        seat.socket = undefined;
        const { returnMs } = process;
        if (returnMs !== undefined) this.#time.in(returnMs, () => this.#comeBack(seat));
      }
    const { replacedMs, place } = process;
    if (replacedMs !== undefined) this.#time.in(replacedMs, () => this.#start(place));
  }

  #step({ afterMs, act }: Step): void {
    this.#time.advance(afterMs);
    this.#note(JSON.stringify(act));
    this.#time.do(() => this.#do(act));
    this.#look();
  }

  #do(act: Act): void {
    switch (act.kind) {
      case "open":
        this.#open(this.#seat(act.seat), this.#at(act.node), act.activity, act.noticedMs);
        return;
      case "hear":
        this.#hear(this.#seat(act.seat), act.activity);
        return;
      case "silence":
        this.#seat(act.seat).isSilent = true;
        return;
      case "speak":
        this.#seat(act.seat).isSilent = false;
        this.#beat(this.#seat(act.seat));
        return;
      case "lose":
      case "close":
        this.#drop(this.#seat(act.seat), act.kind);
        return;
      case "type":
        this.#type(this.#seat(act.seat), act.typing);
        return;
      case "beat": {
        const { person, device, activity } = act;
        const by = this.#at(act.node);
        if (by !== undefined)
          void by.beat(person, device, activity, () =>
            this.#truth.beat(by, person, device, activity),
          );
        return;
      }
      case "act": {
        const { person } = act;
        const by = this.#at(act.node);
        if (by !== undefined)
          void by.act(person, act.device, (device) => {
            if (device !== undefined) this.#truth.beat(by, person, device, { idle_for_ms: 0 });
          });
        return;
      }
      case "signOff": {
        const { person, device } = act;
        const by = this.#at(act.node);
        if (by !== undefined)
          void by.signOff(person, device, () => this.#truth.signedOff(by, person, device));
        return;
      }
      case "choose":
        this.#choose(act.person, act.manual, act.node);
        return;
      case "send":
        void this.#at(act.node)?.send(act.person, this.#store.committed.length + 1);
        return;
      case "withdraw":
        this.#store.withdraw();
        return;
      default:
        this.#disturb(act);
    }
  }

  #disturb(
    act: Extract<Act, { kind: "crash" | "stop" | "cut" | "deafen" | "clear" | "leave" }>,
  ): void {
    const { now } = this.#time;
    switch (act.kind) {
      case "crash": {
        const process = this.#at(act.node);
        if (process === undefined) return;
        process.replacedMs = act.replacedMs;
        process.returnMs = act.returnMs;
        process.stopsNextAt = act.point;
        this.#time.in(act.point === undefined ? 0 : IMPATIENT_MS, () => process.crash());
        return;
      }
      case "stop":
        this.#stop(this.#at(act.node), act);
        return;
      case "cut": {
        const link = this.#at(act.node)?.link;
        link?.cut(now);
        this.#time.in(act.forMs, () => link?.mend(this.#time.now));
        return;
      }
      case "deafen": {
        const link = this.#at(act.node)?.link;
        // Only where deliveries are lost anyway does anybody count on that.
        if (link === undefined || this.#weather.lost === 0) return;
        link.isDeaf = true;
        this.#time.in(act.forMs, () => {
          link.isDeaf = false;
        });
        return;
      }
      case "clear":
        this.#cluster.clear(act.withConnections);
        return;
      case "leave":
        this.#leave(act.node, act.absence, act.forMs);
        return;
      default:
        act satisfies never;
    }
  }

  #leave(node: number | undefined, absence: Absence, forMs: number): void {
    const those = node === undefined ? this.#processes : [this.#at(node)];
    for (const process of those) {
      process?.storeLink.leave(absence, this.#time.now);
      this.#time.in(forMs, () => process?.storeLink.return(this.#time.now));
    }
  }

  /** The process at a place that serves its people, or one at another. */
  #at(node: number): ServerProcess | undefined {
    const up = this.#places.filter((process) => process?.isUp === true);
    const there = this.#places[node % this.#places.length];
    return there?.isUp === true ? there : up[node % Math.max(1, up.length)];
  }

  #seat(seat: number): Seat {
    const found = this.#seats[seat];
    if (found === undefined) throw new RangeError(`Cannot take seat ${seat}`);
    return found;
  }

  #start(place: number): void {
    if (this.#places[place] !== undefined) return;
    const number = this.#processes.length;
    const process = new ServerProcess({
      name: `n${number}`,
      place,
      time: this.#time,
      skew: {
        aheadMs: [0, 0, 3_000, -3_000, 3_600_000, -86_400_000][this.#chance.below(6)] ?? 0,
        rate: 1 + (this.#chance.next() - 0.5) / 500,
      },
      rules: this.#rules,
      cluster: this.#cluster,
      store: this.#store,
      watcher: this,
      announcesEarly: this.#faults.announcesEarly === true,
      log: (event, { stack: _, ...fields } = {}) =>
        this.#note(`n${number} logs ${event} ${JSON.stringify(fields)}`),
    });
    this.#places[place] = process;
    this.#processes.push(process);
    void process.start().then((isStarted) => {
      this.#note(`${process.name} ${isStarted ? "is up" : "cannot start"}`);
      if (!isStarted) this.#time.in(SECOND_MS, () => this.#start(place));
    });
  }

  #stop(
    process: ServerProcess | undefined,
    { replacedMs, returnMs }: Pick<Extract<Act, { kind: "stop" }>, "replacedMs" | "returnMs">,
  ): void {
    if (process === undefined) return;
    process.isStopping = true;
    process.replacedMs = replacedMs;
    for (const seat of this.#seats) {
      if (seat.socket?.process !== process) continue;
      const { socket } = seat;
      this.#time.in(this.#chance.below(CLOSING_MS), () => {
        if (seat.socket !== socket) return;
        seat.socket = undefined;
        if (returnMs !== undefined) this.#time.in(returnMs, () => this.#comeBack(seat));
      });
    }
    this.#time.in(CLOSING_MS, () => void process.stop());
  }

  #comeBack(seat: Seat): void {
    if (seat.socket === undefined) this.#open(seat, this.#at(this.#chance.below(4)), undefined, 0);
  }

  #open(
    seat: Seat,
    process: ServerProcess | undefined,
    activity: Activity | undefined,
    noticedMs: number,
  ): void {
    if (process === undefined) return;
    const before = seat.socket;
    if (before !== undefined) this.#time.in(noticedMs, () => this.#notice(before, "lose"));
    this.#remember(seat, activity);
    const { person, name } = seat;
    const said = name.door === "yjs" ? {} : this.#saying(seat);
    this.#truth.opens(process, person, name);
    seat.socket = process.open(person, name, said);
    this.#truth.opened(seat.socket, said);
  }

  #hear(seat: Seat, activity: Activity): void {
    this.#remember(seat, activity);
    this.#beat(seat);
  }

  #remember(seat: Seat, activity: Activity | undefined): void {
    if (activity === undefined) return;
    seat.isSilent = false;
    seat.state = activity.state ?? seat.state;
    if (activity.state === "online" || activity.idle_for_ms !== undefined)
      seat.activeAt = this.#time.now - (activity.idle_for_ms ?? 0);
  }

  #saying({ state, activeAt }: Seat): Activity {
    return { state, idle_for_ms: this.#time.now - activeAt };
  }

  #keepBeating(seat: Seat): void {
    this.#time.in(HEARTBEAT_MS, () => {
      this.#keepBeating(seat);
      this.#beat(seat);
    });
  }

  #beat(seat: Seat): void {
    const { socket, isSilent, name } = seat;
    if (socket === undefined || isSilent || !socket.process.isAlive) return;
    const said = name.door === "yjs" ? {} : this.#saying(seat);
    this.#truth.heard(socket, said);
    if (name.door === "yjs") socket.process.touch(socket);
    else socket.process.hear(socket, said);
  }

  #drop(seat: Seat, how: "lose" | "close"): void {
    const { socket } = seat;
    if (socket === undefined || !socket.process.isUp) return;
    seat.socket = undefined;
    this.#notice(socket, how);
  }

  #notice(socket: Socket, how: "lose" | "close"): void {
    if (!socket.process.isUp || !socket.process.sockets.has(socket)) return;
    if (how === "lose") this.#truth.lost(socket);
    else this.#truth.closed(socket);
    socket.process.drop(socket, how);
  }

  #type({ socket, person, name }: Seat, typing: boolean): void {
    if (socket === undefined || !socket.process.isUp) return;
    if (typing) this.#mayType(socket.process, person);
    socket.process.type(person, name.device_id, typing);
  }

  #mayType(process: ServerProcess, person: string): void {
    const until = this.#time.now + this.#rules.typing_ttl_ms + SLACK_MS;
    this.#typing.set(`${process.name}/${person}`, until);
  }

  /** Whoever was not answered asks again, there or elsewhere. */
  #choose(person: string, manual: Extract<Act, { kind: "choose" }>["manual"], node: number): void {
    const process = this.#at(node);
    if (process === undefined) return;
    void process
      .choose(person, manual, (manual_at) => this.#truth.chose(person, manual_at))
      .then((isAnswered) => {
        const known = this.#store
          .choicesOf(person)
          .map((each) => `${each.manual} at ${each.manual_at}`);
        this.#note(`${process.name} ${isAnswered ? "answers" : "refuses"} ${person}: ${known}`);
        if (!isAnswered) this.#time.in(SECOND_MS, () => this.#choose(person, manual, node + 1));
      });
  }

  /** The faults end; everything must come right. */
  #settle(): void {
    this.#note("all faults end");
    this.#cluster.isCalm = true;
    for (const process of this.#processes) {
      process.stopsNextAt = undefined;
      process.link.isDeaf = false;
      process.link.mend(this.#time.now);
      process.storeLink.return(this.#time.now);
    }
    this.#time.advance(CLOSING_MS + STORE_GIVEN_UP_MS);
    for (const place of this.#places.keys()) this.#time.do(() => this.#start(place));
    const { presence_ttl_ms } = this.#rules;
    this.#time.advance(presence_ttl_ms + 25_000);
    this.#expectAgreement();
  }

  #keepLooking(): void {
    this.#time.in(SECOND_MS, () => {
      this.#keepLooking();
      this.#look();
    });
  }

  /** Looks at what everybody shows. */
  #look(): void {
    for (const process of this.#processes) {
      if (!process.isUp) continue;
      for (const person of PEOPLE)
        this.#expectShown(process, person, process.shows(person), "shows");
      if (process.shows(MACHINE) !== "online") this.#violate(`${process.name} shows no machine`);
      for (const person of process.typists()) this.#expectTyping(process, person);
      this.#expectTold(process);
    }
    this.#expectNoViolation();
  }

  #expectShown(process: ServerProcess, person: string, state: VisibleState, how: string): void {
    const shown = this.#truth.shown(person, process);
    if (!shown.has(state))
      this.#violate(`${process.name} ${how} ${person} ${state}, not ${[...shown].join(" or ")}`);
  }

  #expectTyping(process: ServerProcess, person: string): void {
    const until = this.#typing.get(`${process.name}/${person}`) ?? 0;
    if (this.#time.now > until)
      this.#violate(`${process.name} shows ${person} typing for too long`);
    if (this.#truth.isHidden(person, process))
      this.#violate(`${process.name} shows ${person} typing, who hides`);
  }

  /** Within two seconds of its commit, and what it takes to ask, an event is told wherever the store can be read. */
  #expectTold(process: ServerProcess): void {
    const dueMs = 2 * SECOND_MS + 6 * this.#weather.storeMs + SLACK_MS;
    const told = process.told.at(-1) ?? 0;
    for (const [index, { at }] of this.#store.committed.entries()) {
      const position = index + 1;
      if (at < process.startedAt || position <= told || this.#store.withdrawn.has(position))
        continue;
      let since = at;
      for (const { from, to } of process.storeLink.disturbances)
        if (from < since + dueMs && to + STORE_GIVEN_UP_MS > since) since = to + STORE_GIVEN_UP_MS;
      if (since + dueMs < this.#time.now)
        this.#violate(`${process.name} has not told event ${position}`);
    }
  }

  /** Everybody shows the same, and holds on to nothing that is over. */
  #expectAgreement(): void {
    for (const process of this.#processes) {
      if (!process.isUp) continue;
      if (!process.isJoined) this.#violate(`${process.name} does not take part`);
      for (const person of PEOPLE) {
        this.#expectShown(process, person, process.shows(person), "shows in the end");
        const { must, may } = this.#truth.devices(person, process);
        const devices = process.devices(person);
        const isRight =
          devices.every((each) => may.has(each)) &&
          [...must].every((each) => devices.includes(each));
        if (!isRight)
          this.#violate(`${process.name} takes ${person} to have ${devices}, not ${[...must]}`);
        if (process.hasEnded(person)) this.#violate(`${process.name} holds on to what it ended`);
      }
    }
    this.#expectAlike();
    this.#expectNoViolation();
  }

  #expectAlike(): void {
    const differing = PEOPLE.filter((each) => this.#shown(each).size > 1);
    // Whoever turned idle just now is shown so everywhere in a moment.
    if (differing.length > 0) this.#time.advance(this.#knowledge.learnMs + SLACK_MS);
    for (const person of differing) {
      const shown = this.#shown(person);
      if (shown.size > 1) this.#violate(`${person} is shown ${[...shown].join(" and ")}`);
    }
  }

  /** What the processes that are there show of a person. */
  #shown(person: string): ReadonlySet<VisibleState> {
    const up = this.#processes.filter(({ isUp }) => isUp);
    return new Set(up.map((process) => process.shows(person)));
  }

  #violate(what: string): void {
    this.#violations.push(`${what}, at ${Math.round(this.#time.now)} ms`);
  }

  #expectNoViolation(): void {
    for (const expect of this.#told.splice(0)) expect();
    const [first] = this.#violations;
    if (first === undefined) return;
    throw new Error(first);
  }

  #note(what: string): void {
    this.trace?.push(`${Math.round(this.#time.now)}: ${what}`);
  }
}

/** What of a delivery helps to understand a failure. */
function textOf(delivery: Delivery): string {
  if (delivery.kind !== "person") return JSON.stringify(delivery);
  const { participant_id, version, lineage, facts, shares, ended } = delivery.person;
  const held = shares.map(({ owner, sources }) => {
    const each = sources.map(
      ({ id, device_id, door, statement, lingers_ms }) =>
        `${id}:${device_id}/${door} ${statement}${lingers_ms === null ? "" : " lingers"}`,
    );
    return `${owner.node}/${owner.incarnation} has ${each.join(", ")}`;
  });
  const end = Object.keys(ended).map((id) => `${id} ended`);
  return [`${participant_id} ${lineage}.${version} ${facts?.manual}`, ...held, ...end].join("; ");
}
