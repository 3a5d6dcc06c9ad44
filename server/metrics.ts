import type { Door, StreamClose } from "@porchlight/core";
import type { YjsClose } from "@porchlight/core/awareness";
import type { Registry } from "prom-client";
import { Durations, exposeDurations } from "./durations.ts";
import { Tally } from "./tally.ts";
import { Vitals } from "./vitals.ts";

/** What a scrape asks for there and then. */
export interface Levels {
  /** The doors of the open sockets. */
  readonly doors: () => Iterable<Door>;
  /** How many devices are there, lingering ones among them. */
  readonly devices: () => number;
  /** How many long polls wait. */
  readonly polls: () => number;
  /** How many rooms' awareness is kept. */
  readonly rooms: () => number;
  /** How many entries others can see there. */
  readonly entries: () => number;
  /** How many nodes are known to take part, this one among them; 0 while it does not. */
  readonly nodes: () => number;
}

/** What made a person's state known to others. */
export type TransitionCause =
  | "opened"
  | "heartbeat"
  | "returned"
  | "lost"
  | "closed"
  | "signed_off"
  | "request"
  | "choice"
  | "typing"
  | "event"
  | "administration"
  | "elsewhere"
  | "time";

/** Methods that have a name of their own in the metrics. */
const METHODS: readonly string[] = "GET HEAD POST PUT PATCH DELETE OPTIONS".split(" ");
const MS_PER_S = 1_000;
const DOORS = ["stream", "yjs"] as const satisfies readonly Door[];

/**
 * What this server did, for operators. No label ever carries an id, a path or
 * anything else that a caller chose. What is counted on hot paths is a plain
 * number until somebody asks.
 */
export class Metrics {
  /** What makes each of the metrics, once somebody asks. */
  readonly #exposed: Expose[] = [];
  #registry: Promise<Registry> | undefined;
  readonly #monotonic: () => number;
  readonly #frames = new Tally();
  readonly #transitions = new Tally();
  readonly #typing = new Tally();
  readonly #refusals = new Tally();
  readonly #closings = new Tally();
  readonly #dropped = new Tally();
  readonly #replayed = new Tally();
  readonly #notifications = new Tally();
  readonly #requests = new Map<string, Asked>();
  readonly #store = {
    read: new Durations({ operation: "read" }),
    write: new Durations({ operation: "write" }),
  };
  readonly #vitals = new Vitals();

  /** @param monotonic milliseconds on a clock that nobody sets. */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
    const requests = this.#requests;
    this.#exposed.push(({ Counter }, registry) => {
      new Counter({
        name: "porchlight_http_requests_total",
        help: "Requests answered, by pattern of the path; `none` is no endpoint.",
        labelNames: ["method", "route", "status"],
        registers: [registry],
        collect() {
          this.reset();
          for (const { took, statuses } of requests.values())
            for (const [status, count] of statuses) this.inc({ ...took.labels, status }, count);
        },
      });
      exposeDurations(registry, {
        name: "porchlight_http_request_duration_seconds",
        help: "From the arrival of a request to its answer.",
        all: () => [...requests.values()].map(({ took }) => took),
      });
      exposeDurations(registry, {
        name: "porchlight_store_duration_seconds",
        help: "How long the store took; of a write, until it was durable.",
        all: () => Object.values(this.#store),
      });
    });
    for (const counted of this.#counted()) this.#exposed.push(exposing(counted));
    this.#exposed.push((prom, registry) => this.#vitals.expose(prom, registry));
  }

  /** A frame is told, to one or to many. */
  frame(type: string): void {
    this.#frames.add(type);
  }

  /** Others are told a person's new state. */
  transition(cause: TransitionCause): void {
    this.#transitions.add(cause);
  }

  /** Others are told that somebody types, or ceased to. */
  typing(typing: boolean): void {
    this.#typing.add(typing ? "true" : "false");
  }

  /** A request is refused. */
  refused(code: string): void {
    this.#refusals.add(code);
  }

  /** The server closes a socket. */
  closed(why: StreamClose | YjsClose): void {
    this.#closings.add(why);
  }

  /** Frames are refused, or signals told to nobody. */
  dropped(reason: string, count = 1): void {
    if (count > 0) this.#dropped.add(reason, count);
  }

  /** Events that somebody had missed are told, on a stream or by long poll. */
  replayed(by: "stream" | "sync", events: number): void {
    if (events > 0) this.#replayed.add(by, events);
  }

  /** It is decided whether a message is worth interrupting somebody. */
  notification(reason: string): void {
    this.#notifications.add(reason);
  }

  /** A request begins. Answers what to call with its status. @param route the pattern of its path, if it has one. */
  request(route: string | undefined, requested: string): (status: number) => void {
    const startedAt = this.#monotonic();
    const { took, statuses } = this.#asked(route ?? "none", requested);
    return (status) => {
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      took.add((this.#monotonic() - startedAt) / MS_PER_S);
    };
  }

  /** Does something with the store and notes how long it took, also when it fails. */
  async store<T>(operation: "read" | "write", work: () => Promise<T>): Promise<T> {
    const startedAt = this.#monotonic();
    try {
      return await work();
    } finally {
      this.#store[operation].add((this.#monotonic() - startedAt) / MS_PER_S);
    }
  }

  /** Says where to look for what is not counted but there: to be called before anybody asks. */
  watch({ doors, devices, polls, rooms, entries, nodes }: Levels): void {
    const level = (name: string, help: string, ask: () => number): void => {
      this.#exposed.push(({ Gauge }, registry) => {
        new Gauge({
          name,
          help,
          registers: [registry],
          collect() {
            this.set(ask());
          },
        });
      });
    };
    this.#exposed.push(({ Gauge }, registry) => {
      new Gauge({
        name: "porchlight_sockets",
        help: "Open sockets, by door.",
        labelNames: ["door"],
        registers: [registry],
        collect() {
          for (const door of DOORS) this.set({ door }, 0);
          for (const door of doors()) this.inc({ door });
        },
      });
    });
    level("porchlight_sync_waiting", "Long polls that wait for something to happen.", polls);
    level("porchlight_devices", "Devices that are there, or linger.", devices);
    level("porchlight_awareness_rooms", "Rooms whose awareness is kept.", rooms);
    level("porchlight_awareness_entries", "Entries of awareness that others can see.", entries);
    level("porchlight_nodes", "Nodes that take part; 0 while this one is cut off.", nodes);
  }

  /** Everything, in the text format of Prometheus 0.0.4. */
  async text(): Promise<string> {
    this.#registry ??= this.#expose();
    return (await this.#registry).metrics();
  }

  /** The content type of {@link text}. */
  readonly contentType = "text/plain; version=0.0.4; charset=utf-8";

  /** Begins to look at the event loop. */
  start(): void {
    this.#vitals.start();
  }

  /** Stops looking at the event loop. */
  stop(): void {
    this.#vitals.stop();
  }

  /** The library is loaded by whoever asks first: it would take a start a tenth longer. */
  async #expose(): Promise<Registry> {
    const prom = await import("prom-client");
    const registry = new prom.Registry();
    for (const expose of this.#exposed) expose(prom, registry);
    return registry;
  }

  #asked(route: string, requested: string): Asked {
    const method = METHODS.includes(requested) ? requested : "other";
    const name = `${method} ${route}`;
    const known = this.#requests.get(name);
    if (known !== undefined) return known;
    const asked = { took: new Durations({ method, route }), statuses: new Map<number, number>() };
    this.#requests.set(name, asked);
    return asked;
  }

  #counted(): Counted[] {
    return [
      {
        name: "porchlight_frames_total",
        help: "Frames told on sockets, by type; one that is told to many counts once.",
        label: "type",
        tally: this.#frames,
      },
      {
        name: "porchlight_presence_transitions_total",
        help: "New states of people told to others, by what made them known.",
        label: "cause",
        tally: this.#transitions,
      },
      {
        name: "porchlight_typing_signals_total",
        help: "Typing told to others, and its end.",
        label: "typing",
        tally: this.#typing,
      },
      {
        name: "porchlight_refusals_total",
        help: "Requests refused, by code.",
        label: "code",
        tally: this.#refusals,
      },
      {
        name: "porchlight_socket_closings_total",
        help: "Sockets that the server closed, by reason.",
        label: "reason",
        tally: this.#closings,
      },
      {
        name: "porchlight_dropped_total",
        help: "Frames refused, by code; what Yjs clients may not say; typing in rooms that are too large; notifications that were too many.",
        label: "reason",
        tally: this.#dropped,
      },
      {
        name: "porchlight_replayed_events_total",
        help: "Events told to those who had missed them, by how they asked.",
        label: "by",
        tally: this.#replayed,
      },
      {
        name: "porchlight_notifications_total",
        help: "Whether a message was worth interrupting somebody who is connected, by why or why not.",
        label: "reason",
        tally: this.#notifications,
      },
    ];
  }
}

/** Requests of one method to one route: how long they took, and how often each status was answered. */
interface Asked {
  readonly took: Durations;
  readonly statuses: Map<number, number>;
}

interface Counted {
  readonly name: string;
  readonly help: string;
  readonly label: string;
  readonly tally: Tally;
}

/** Makes a tally a counter, filled when somebody asks. */
function exposing({ name, help, label, tally }: Counted): Expose {
  return ({ Counter }, registry) => {
    new Counter({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [named, count] of tally) this.inc({ [label]: named }, count);
      },
    });
  };
}

type Expose = (prom: typeof import("prom-client"), registry: Registry) => void;
