import { HocuspocusProvider } from "@hocuspocus/provider";
import type { Awareness } from "y-protocols/awareness";
import { WebsocketProvider } from "y-websocket";
import { Doc } from "yjs";
import { Arrivals } from "../support/arrivals.ts";
import type { Door } from "./server.ts";
import { heard, now, within } from "./waiting.ts";

/** Those who come back wait for a second or two before. */
const OPEN_WITHIN_MS = 10_000;

/** What somebody says of themself. */
// biome-ignore lint/suspicious/noExplicitAny: an app says what it likes
export type State = Record<string, any>;

/** What is different from one published provider to another. */
interface Provider {
  readonly awareness: Awareness;
  /** Ends its connection without a word, as the network does; whether it comes back is up to it. */
  readonly cut: () => void;
  /** Keeps it from coming back. */
  readonly keepAway: () => void;
  readonly disconnect: () => void;
  readonly connect: () => void;
  readonly destroy: () => void;
}

/** Somebody with a published provider, as it comes. What others see of them is told from `draft`, a number. */
export class Client implements Disposable {
  readonly person: string;
  readonly id: number;
  readonly awareness: Awareness;
  /** When its connection has opened, each time. */
  readonly opened = new Arrivals<number>();
  readonly #doc = new Doc();
  readonly #provider: Provider;
  #isGone = false;

  constructor(door: Door) {
    const opened = (): void => this.opened.add(now());
    this.person = door.person;
    this.id = this.#doc.clientID;
    this.#provider =
      door.speaks === "hocuspocus"
        ? hocuspocus(door, this.#doc, opened)
        : yWebsocket(door, this.#doc, opened);
    this.awareness = this.#provider.awareness;
    // Before this there is an empty state with a clock of 0, which nobody takes up.
    this.awareness.setLocalState({ user: { name: door.person }, draft: 0 });
  }

  /** What it says of itself, or what was put in the place of that. */
  get own(): State | null {
    return this.awareness.getLocalState();
  }

  /** What it sees of a client. */
  sees(id: number): State | undefined {
    return this.awareness.getStates().get(id);
  }

  /** Resolves when its connection has opened so many times. */
  async opens(times: number): Promise<void> {
    const opened = this.opened.until((moments) => (moments.length >= times ? true : undefined));
    if (await within(OPEN_WITHIN_MS, opened)) return;
    throw new Error(`Cannot go on as the connection of ${this.person} does not open`);
  }

  /** After how many milliseconds it sees what a client has drafted last; nothing when it does not within `mostMs`. */
  hears({ id, own }: Client, mostMs: number): Promise<number | undefined> {
    const { draft } = own ?? {};
    return heard(this.awareness, () => this.sees(id)?.draft === draft, mostMs);
  }

  /** Says something new, which nobody said before. */
  draft(): void {
    this.awareness.setLocalStateField("draft", now());
  }

  /** Loses its connection without a word, and comes back by itself unless it is not to. */
  cut({ returns }: { returns: boolean }): void {
    if (!returns) this.#provider.keepAway();
    this.#provider.cut();
  }

  disconnect(): void {
    this.#provider.disconnect();
  }

  connect(): void {
    this.#provider.connect();
  }

  /** Leaves for good, as an app does that is closed. */
  destroy(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#provider.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
    this.#doc.destroy();
  }
}

/** The URL of a socket of y-websocket. */
export function socketUrl({ url, room, params }: Door): string {
  const query = new URLSearchParams(params).toString();
  return `${url}/${room}${query === "" ? "" : `?${query}`}`;
}

function yWebsocket({ url, room, params }: Door, doc: Doc, opened: () => void): Provider {
  // Over a BroadcastChannel clients of one process would hear of each other without a server.
  const provider = new WebsocketProvider(url, room, doc, { params, disableBc: true });
  provider.on("status", ({ status }) => {
    if (status === "connected") opened();
  });
  return {
    awareness: provider.awareness,
    cut: () => provider.ws?.terminate(),
    keepAway: () => {
      provider.shouldConnect = false;
    },
    disconnect: () => provider.disconnect(),
    connect: () => provider.connect(),
    destroy: () => provider.destroy(),
  };
}

function hocuspocus({ url, room }: Door, doc: Doc, opened: () => void): Provider {
  const provider = new HocuspocusProvider({ url, name: room, document: doc });
  const { awareness } = provider;
  if (awareness === null) throw new TypeError("Cannot use a provider without awareness");
  const socket = provider.configuration.websocketProvider;
  socket.on("open", opened);
  return {
    awareness,
    cut: () => socket.webSocket?.terminate(),
    keepAway: () => {
      socket.shouldConnect = false;
    },
    disconnect: () => provider.disconnect(),
    connect: () => void provider.connect(),
    destroy: () => provider.destroy(),
  };
}
