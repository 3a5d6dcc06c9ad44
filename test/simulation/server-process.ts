import type {
  Activity,
  ManualState,
  OpenSource,
  PresenceChange,
  PresenceRules,
  SourceName,
  TypingChange,
  TypingRules,
  VisibleState,
} from "@porchlight/core";
import type { Delivery } from "../../server/cluster/cluster.ts";
import type { NodeRules } from "../../server/cluster/node.ts";
import type { Connection } from "../../server/hub.ts";
import { Liveness } from "../../server/liveness.ts";
import { Metrics } from "../../server/metrics.ts";
import { Nodes } from "../../server/nodes.ts";
import type { Announcement, PersonKey } from "../../server/store/store.ts";
import { Link, type Point } from "./link.ts";
import type { SimulatedCluster } from "./simulated-cluster.ts";
import {
  announcementOf,
  MACHINE,
  type ProcessStore,
  ROOM,
  type SimulatedStore,
  StoreLink,
  TENANT,
} from "./simulated-store.ts";
import { type Skew, SkewedClock } from "./skewed-clock.ts";
import type { TrueTime } from "./true-time.ts";

export type Rules = PresenceRules & TypingRules & NodeRules;

/** What the people of a process are told, and what becomes of it. */
export interface Watcher {
  toldPresence(process: ServerProcess, person: string, state: VisibleState): void;
  toldTyping(process: ServerProcess, change: TypingChange): void;
  toldEvent(process: ServerProcess, announcement: Announcement): void;
  /** Another process is heard. */
  delivered(process: ServerProcess, delivery: Delivery): void;
  /** The server closed a socket. */
  closed(socket: Socket, why: string): void;
  /** The process stopped for good, at a point at which it was to. */
  died(process: ServerProcess): void;
}

/** Nobody speaks of awareness here. */
const NO_ROOMS = {
  signOff: () => undefined,
  forgetTenant: () => undefined,
  shareWith: () => undefined,
  joined: () => undefined,
  gone: () => undefined,
  hear: () => undefined,
  missed: () => undefined,
};

const metrics = new Metrics(() => 0);

/** One open socket, as its process knows it. */
export class Socket implements Pick<Connection, "device_id" | "instance" | "door" | "source"> {
  readonly tenant_id = TENANT;
  readonly token_id = "token";
  readonly process: ServerProcess;
  readonly participant_id: string;
  readonly device_id: string;
  readonly instance: string;
  readonly door: "stream" | "yjs";
  source: OpenSource | undefined;

  constructor(process: ServerProcess, participant_id: string, name: SourceName) {
    this.process = process;
    this.participant_id = participant_id;
    this.device_id = name.device_id;
    this.instance = name.instance;
    this.door = name.door;
  }
}

/** One process of the server: its logic as it is, with its doors, its sockets and its network replaced. */
export class ServerProcess {
  readonly name: string;
  readonly place: number;
  readonly clock: SkewedClock;
  readonly link: Link;
  readonly storeLink: StoreLink;
  readonly liveness: Liveness;
  readonly sockets = new Set<Socket>();
  /** What was told of events here, in order. */
  readonly told: number[] = [];
  readonly createdAt: number;
  startedAt = Number.POSITIVE_INFINITY;
  diedAt = Number.POSITIVE_INFINITY;
  isStopping = false;
  /** After how long another takes its place, and its clients come back elsewhere, once it is no more. */
  replacedMs: number | undefined;
  returnMs: number | undefined;
  /** Where it stops for good. */
  stopsNextAt: Point | undefined;
  readonly #time: TrueTime;
  readonly #watcher: Watcher;
  readonly #store: ProcessStore;
  readonly #nodes: Nodes;
  readonly #announcesEarly: boolean;

  constructor(options: {
    name: string;
    place: number;
    time: TrueTime;
    skew: Skew;
    rules: Rules;
    cluster: SimulatedCluster;
    store: SimulatedStore;
    watcher: Watcher;
    announcesEarly: boolean;
    log: (event: string, fields?: Readonly<Record<string, unknown>>) => void;
  }) {
    const { name, time, rules, cluster, store, watcher } = options;
    this.name = name;
    this.place = options.place;
    this.#time = time;
    this.createdAt = time.now;
    this.#watcher = watcher;
    this.#announcesEarly = options.announcesEarly;
    this.clock = new SkewedClock(time, options.skew);
    this.link = new Link(this);
    this.storeLink = new StoreLink(this);
    this.#store = store.open(this.storeLink);
    this.liveness = new Liveness({
      clock: this.clock,
      hub: {
        toldPresence: (_tenant, change) => this.#toldPresence(change),
        toldTyping: (_tenant, change) => watcher.toldTyping(this, change),
      },
      metrics,
      rules,
      node: name,
    });
    this.#nodes = new Nodes({
      clock: this.clock,
      hub: this.#hub(),
      liveness: this.liveness,
      log: (_level, event, fields) => options.log(event, fields),
      rules,
      snoozes: { expect: () => undefined, start: async () => undefined },
      store: this.#store,
      yjs: NO_ROOMS,
      recheck: async () => undefined,
      tell: (announcement) => this.#tell(announcement),
      open: (deliver) =>
        cluster.open(this.link, (delivery) => {
          watcher.delivered(this, delivery);
          deliver(delivery);
        }),
    });
  }

  /** Whether it serves its people. */
  get isUp(): boolean {
    return this.startedAt <= this.#time.now && !this.isStopping && this.isAlive;
  }

  get isAlive(): boolean {
    return this.diedAt === Number.POSITIVE_INFINITY;
  }

  get isJoined(): boolean {
    return this.#nodes.isJoined;
  }

  /** Resolves to whether it could start. */
  async start(): Promise<boolean> {
    try {
      for (const facts of await this.#store.presenceFacts()) this.liveness.recall(facts);
      await this.#nodes.start();
    } catch {
      this.crash();
      return false;
    }
    this.startedAt = this.#time.now;
    return true;
  }

  /** Leaves in order, once its sockets are closed. */
  async stop(): Promise<void> {
    this.liveness.stop();
    await this.#nodes.stop();
    if (this.isAlive) this.crash();
  }

  /** Stops for good, wherever it is. */
  crash(): void {
    if (!this.isAlive) return;
    this.diedAt = this.#time.now;
    this.clock.stop();
    this.link.isDead = true;
    this.storeLink.isDead = true;
    this.#watcher.died(this);
  }

  stopsAt(point: Point): boolean {
    if (!this.isAlive) return false;
    if (this.stopsNextAt !== point) return false;
    this.crash();
    return true;
  }

  open(person: string, name: SourceName, activity: Activity): Socket {
    const socket = new Socket(this, person, name);
    for (const other of [...this.sockets])
      if (name.door === "stream" && isSameStream(other, socket))
        this.#close(other, "duplicate_connection");
    this.sockets.add(socket);
    socket.source = this.liveness.open(keyOf(person), name, activity);
    return socket;
  }

  hear({ participant_id, source }: Socket, activity: Activity): void {
    if (source === undefined) return;
    this.liveness.touch(keyOf(participant_id), source);
    this.liveness.hear(keyOf(participant_id), source, activity);
  }

  touch({ participant_id, source }: Socket): void {
    if (source !== undefined) this.liveness.touch(keyOf(participant_id), source);
  }

  /** The process notices that a socket is no more. */
  drop(socket: Socket, how: "lose" | "close"): void {
    if (!this.sockets.delete(socket) || socket.source === undefined) return;
    this.liveness[how](keyOf(socket.participant_id), socket.source);
    socket.source = undefined;
  }

  async beat(
    person: string,
    device_id: string,
    activity: Activity,
    done: () => void,
  ): Promise<void> {
    await this.#nodes.caughtUp();
    this.liveness.beat(keyOf(person), device_id, activity);
    done();
  }

  async act(
    person: string,
    device_id: string | undefined,
    done: (device: string | undefined) => void,
  ): Promise<void> {
    await this.#nodes.caughtUp();
    const by = this.liveness.signOf(keyOf(person), { device_id, token_id: person });
    this.liveness.act(keyOf(person), by);
    done(by === undefined ? undefined : (device_id ?? `rest:${person}`));
  }

  async signOff(person: string, device_id: string, done: () => void): Promise<void> {
    await this.#nodes.caughtUp();
    const key = keyOf(person);
    this.liveness.signOff(key, device_id);
    done();
    for (const socket of [...this.sockets])
      if (socket.participant_id === person && socket.device_id === device_id)
        this.#close(socket, "signed_off");
    this.#nodes.say({ kind: "signed_off", ...key, device_id });
    await this.#nodes.settled();
  }

  /** Resolves to whether the choice was answered with success. */
  async choose(
    person: string,
    manual: ManualState | undefined,
    chosen: (manual_at: number) => void,
  ): Promise<boolean> {
    await this.#nodes.caughtUp();
    const key = keyOf(person);
    try {
      const at = await this.#store.setManual(key, manual, this.clock.wall());
      this.liveness.choose(key, manual, undefined, at);
      chosen(at);
      await this.#nodes.settled();
      return true;
    } catch {
      return false;
    }
  }

  type(person: string, source: string, typing: boolean): void {
    const signal = { tenant_id: TENANT, participant_id: person, room_id: ROOM, source };
    this.liveness.type(signal, typing);
  }

  async send(person: string, next: number): Promise<void> {
    await this.#nodes.caughtUp();
    try {
      if (this.#announcesEarly) this.#nodes.announce(announcementOf(person, next));
      const announcement = await this.#store.send(keyOf(person));
      if (!this.#announcesEarly) this.#nodes.announce(announcement);
      await this.#nodes.settled();
    } catch {
      // Whoever sent it was told that it may not have gone through.
    }
  }

  typists(): readonly string[] {
    return this.liveness.lifeOf(
      { tenant_id: TENANT, room_id: ROOM },
      { tenant_id: TENANT, participant_id: "nobody" },
    ).typists;
  }

  shows(person: string): VisibleState {
    return this.liveness.told(keyOf(person));
  }

  /** The devices that it takes a person to have. */
  devices(person: string): string[] {
    return this.liveness.explain(keyOf(person)).devices.map(({ device_id }) => device_id);
  }

  /** Whether it holds on to something that it was to tell others of, and was not told that they know. */
  hasEnded(person: string): boolean {
    return Object.keys(this.liveness.contribution(keyOf(person)).ended).length > 0;
  }

  #toldPresence({ participant_id, told }: PresenceChange): void {
    if (told !== undefined && participant_id !== MACHINE)
      this.#watcher.toldPresence(this, participant_id, told);
  }

  #tell(announcement: Announcement): void {
    this.liveness.follow(announcement);
    if (announcement.frame.stream_position !== undefined)
      this.#watcher.toldEvent(this, announcement);
  }

  #close(socket: Socket, why: string): void {
    if (!this.sockets.delete(socket)) return;
    const { source } = socket;
    socket.source = undefined;
    // A duplicate has taken it over.
    if (source !== undefined && why !== "duplicate_connection")
      this.liveness.close(keyOf(socket.participant_id), source);
    this.#watcher.closed(socket, why);
  }

  #hub() {
    const all = (): Connection[] => [...this.sockets] as unknown as Connection[];
    return {
      all,
      of: ({ participant_id }: PersonKey) =>
        all().filter((each) => each.participant_id === participant_id),
      close: (connection: unknown, why: string) => this.#close(connection as Socket, why),
      // What is for a person's own devices is no part of a history.
      hasStream: () => false,
      toPerson: () => undefined,
    };
  }
}

function isSameStream(a: Socket, b: Socket): boolean {
  return (
    a.participant_id === b.participant_id &&
    a.door === "stream" &&
    a.device_id === b.device_id &&
    a.instance === b.instance
  );
}

function keyOf(participant_id: string): PersonKey {
  return { tenant_id: TENANT, participant_id };
}
