import type { VisibleState } from "@porchlight/core";
import {
  type AwarenessBatch,
  type AwarenessClient,
  AwarenessElsewhere,
  type AwarenessOutcome,
  AwarenessRoom,
  type AwarenessShare,
  type AwarenessTelling,
} from "@porchlight/core/awareness";

export const COALESCE_MS = 100;
export const GRACE_MS = 10_000;
const REFRESH_MS = 15_000;

/** Somebody at a socket who sees what it is told. */
export interface Viewer {
  readonly person: string;
  hear(tellings: readonly AwarenessTelling[], client: AwarenessClient): void;
  /** A socket of its is closed, as a later one has its id. */
  replaced(client: AwarenessClient): void;
}

/** What one node tells another. */
export type NodeMessage =
  | { readonly kind: "batch"; readonly batch: AwarenessBatch }
  | { readonly kind: "asked" }
  | { readonly kind: "told"; readonly share: AwarenessShare };

/** A room on one of several nodes, and its sockets: it tells and asks as a server does. */
export class AwarenessNode {
  readonly name: string;
  readonly room: AwarenessRoom;
  /** What is true of people, as far as this node knows. */
  readonly told = new Map<string, VisibleState>();
  readonly typing = new Set<string>();
  readonly #elsewhere: AwarenessElsewhere;
  readonly #viewers = new Map<AwarenessClient, Viewer>();
  readonly #behind = new Set<AwarenessClient>();
  readonly #now: () => number;
  readonly #send: (to: string | undefined, message: NodeMessage) => void;
  #refreshAt: number;

  /** @param options.send tells one of the other nodes, or all of them. */
  constructor(options: {
    name: string;
    now: () => number;
    send: (to: string | undefined, message: NodeMessage) => void;
  }) {
    this.name = options.name;
    this.#now = options.now;
    this.#send = options.send;
    this.room = new AwarenessRoom(
      "lobby",
      { coalesce_ms: COALESCE_MS, awareness_max_members: 500 },
      options.name,
    );
    this.#elsewhere = new AwarenessElsewhere(this.room);
    this.#refreshAt = options.now() + REFRESH_MS;
  }

  open(viewer: Viewer, device: string): AwarenessClient {
    const client = this.room.join(viewer.person, device, this.#now());
    this.#viewers.set(client, viewer);
    this.#behind.add(client);
    return client;
  }

  /** Says something as a client does, if the id is its own. */
  say(
    client: AwarenessClient,
    said: { id: number; clock: number; text: string },
  ): AwarenessOutcome | undefined {
    const { id, clock, text } = said;
    const isNull = text === "null";
    if (!this.#viewers.has(client)) return undefined;
    if (this.room.claim(client, { id, clock, isNull }, this.#now()) !== "own") return undefined;
    const outcome = this.room.say(client, { id, clock, text: isNull ? null : text });
    if (outcome.replaced !== undefined) this.#close([outcome.replaced]);
    return outcome;
  }

  /** A socket is gone. Does nothing when it already is. */
  part(client: AwarenessClient, how: "lost" | "left"): void {
    if (!this.#viewers.delete(client)) return;
    this.#behind.delete(client);
    if (how === "lost") this.room.lose(client, this.#now() + GRACE_MS);
    else this.room.leave(client);
  }

  /** Somebody missed something, and is told everything. */
  catchUp(client: AwarenessClient): void {
    if (this.#viewers.has(client)) this.#behind.add(client);
  }

  hear(from: string, message: NodeMessage): void {
    const now = this.#now();
    switch (message.kind) {
      case "batch": {
        const { replaced, isBehind } = this.#elsewhere.hear(from, message.batch, now);
        this.#close(replaced);
        if (isBehind) this.#send(from, { kind: "asked" });
        return;
      }
      case "asked":
        this.#send(from, { kind: "told", share: this.room.share(now) });
        return;
      case "told":
        this.#close(this.#elsewhere.adopt(from, message.share, now));
        return;
      default:
        message satisfies never;
    }
  }

  gone(node: string, lingersMs: number): void {
    this.#elsewhere.lose(node, lingersMs, this.#now());
  }

  forget(): void {
    this.#elsewhere.forget();
  }

  /** Tells what there is to tell by now, sockets and other nodes. */
  run(): void {
    const now = this.#now();
    const presence = (id: string): VisibleState => this.told.get(id) ?? "offline";
    const facts = {
      told: presence,
      visible: presence,
      effective: presence,
      isTyping: (id: string): boolean => this.typing.has(id),
    };
    this.#deliver(this.room.tell(facts, now).tellings);
    if (now >= this.#refreshAt) {
      this.#deliver(this.room.refresh(now));
      this.#refreshAt += REFRESH_MS;
    }
    for (const client of this.#behind) this.#tellAll(client, now);
    this.#behind.clear();
    for (let batch = this.room.batch(facts, now); batch; batch = this.room.batch(facts, now))
      this.#send(undefined, { kind: "batch", batch });
  }

  nextAt(): number {
    return Math.min(this.room.nextAt() ?? Number.POSITIVE_INFINITY, this.#refreshAt);
  }

  /** The sockets that gave way are closed, as far as they are open here. */
  #close(clients: readonly AwarenessClient[]): void {
    for (const client of clients) {
      const viewer = this.#viewers.get(client);
      if (viewer === undefined) continue;
      this.part(client, "left");
      viewer.replaced(client);
    }
  }

  #tellAll(client: AwarenessClient, now: number): void {
    const others = this.room
      .snapshot(now)
      .filter(({ participant_id }) => participant_id !== client.participant_id);
    this.#viewers.get(client)?.hear([...others, ...this.room.siblings(client, now)], client);
  }

  #deliver(tellings: readonly AwarenessTelling[]): void {
    for (const [client, viewer] of this.#viewers) {
      if (this.#behind.has(client)) continue;
      const theirs = tellings.filter(({ to, participant_id, client: whose }) =>
        to === "others"
          ? participant_id !== viewer.person
          : participant_id === viewer.person && whose !== client && this.room.hasId(client),
      );
      if (theirs.length > 0) viewer.hear(theirs, client);
    }
  }
}
