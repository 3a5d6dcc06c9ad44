import {
  Client,
  type ClientEvent,
  type ClientOptions,
  type FetchAnswer,
  type Runtime,
  type Socket,
} from "@porchlight/core/client";
import { turn } from "./clock.ts";
import type { Person, TestServer } from "./server.ts";
import { until } from "./until.ts";

/** The real `fetch` and `WebSocket`, by way of a network that the test can take down. */
export class Network {
  #isDown = false;
  #isMute = false;
  #held: { path: string; reached: () => void; released: Promise<void> } | undefined;
  /** What was asked for, and what was opened, in order. */
  readonly log: string[] = [];
  /** Every request breaks on its way back. */
  failing = false;
  /** Every request is refused for so many seconds. */
  busyFor: number | undefined;
  /** Requests that have not been answered. */
  underway = 0;
  readonly #sockets = new Set<WebSocket>();

  /** No request and no socket gets through, and every open one breaks. */
  down(): void {
    this.#isDown = true;
    for (const socket of this.#sockets) (socket as WebSocket & { terminate(): void }).terminate();
  }

  up(): void {
    this.#isDown = false;
  }

  /** Nothing that the server says on a socket arrives any more, and nobody is told. */
  mute(): void {
    this.#isMute = true;
  }

  /** Keeps the next answer from a path back: `reached` says when it is there, `release` lets it go. */
  hold(path: string): { reached: Promise<void>; release: () => void } {
    const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    this.#held = { path, reached: reached.resolve, released: released.promise };
    return { reached: reached.promise, release: released.resolve };
  }

  readonly fetch: Runtime["fetch"] = async (url, init): Promise<FetchAnswer> => {
    this.underway += 1;
    try {
      return await this.#fetch(url, init);
    } finally {
      this.underway -= 1;
    }
  };

  readonly #fetch: Runtime["fetch"] = async (url, init): Promise<FetchAnswer> => {
    this.log.push(`${init.method} ${new URL(url).pathname}`);
    if (this.#isDown) throw new TypeError("The network is down");
    if (this.busyFor !== undefined) return busy(this.busyFor);
    const answer = await fetch(url, init);
    const held = this.#held;
    if (held?.path === new URL(url).pathname) {
      this.#held = undefined;
      held.reached();
      await held.released;
    }
    if (this.failing) throw new TypeError("The network is down");
    return answer;
  };

  get WebSocket(): Runtime["WebSocket"] {
    const open = (url: string, protocols: string[]): Socket => {
      this.log.push(`open ${new URL(url).pathname}`);
      // Nobody listens on port 9.
      const socket = new WebSocket(this.#isDown ? "ws://127.0.0.1:9" : url, protocols);
      this.#sockets.add(socket);
      socket.addEventListener("close", () => this.#sockets.delete(socket));
      socket.addEventListener("message", (event) => {
        if (this.#isMute) event.stopImmediatePropagation();
      });
      return socket;
    };
    // A constructor that answers an object has made that object.
    return class {
      constructor(url: string, protocols: string[]) {
        // biome-ignore lint/correctness/noConstructorReturn: it stands in for a class of the runtime
        return open(url, protocols);
      }
    } as unknown as Runtime["WebSocket"];
  }
}

/** What a server answers that has no time. */
function busy(seconds: number): FetchAnswer {
  const body = { error: { code: "SW_UNAVAILABLE", message: "Come back later" } };
  return Response.json(body, { status: 503, headers: { "retry-after": String(seconds) } });
}

/** A client of a person, on the clock of their server. */
export class TestClient extends Client {
  readonly network: Network;
  readonly events: ClientEvent[] = [];

  constructor(server: TestServer, person: Person, options: Partial<ClientOptions> = {}) {
    const network = new Network();
    super({
      url: server.url,
      token: person.token,
      device_id: "laptop",
      ...options,
      runtime: {
        fetch: network.fetch,
        WebSocket: network.WebSocket,
        clock: server.clock,
        ...options.runtime,
      },
    });
    this.network = network;
    this.subscribe((event) => this.events.push(event));
  }

  /** Resolves when something holds, now or after something has happened. */
  until(holds: () => boolean): Promise<void> {
    return until(this, holds);
  }

  /** Resolves once everything that was to be asked for has been answered. */
  async idle(): Promise<void> {
    await turn();
    await this.until(() => this.network.underway === 0);
  }

  /** Opens, and resolves once presence and the rooms that are followed are current. */
  async ready(...rooms: string[]): Promise<this> {
    for (const room of rooms) this.follow(room);
    this.open();
    await this.current(...rooms);
    return this;
  }

  /** Resolves once presence and these rooms are current, and nothing is asked for any more. */
  current(...rooms: string[]): Promise<void> {
    return this.until(
      () =>
        this.presence("").status === "current" &&
        this.outbox.edits.length === 0 &&
        this.network.underway === 0 &&
        rooms.every((room) => this.room(room).status === "current"),
    );
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
