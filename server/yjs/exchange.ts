import { type AwarenessShare, partsOf, wholeOf } from "@porchlight/core/awareness";
import type { Clock } from "@porchlight/core/clock";
import type { AwarenessMessage, ClusterMessage } from "../cluster/message.ts";
import type { RoomKey } from "../store/store.ts";
import { Questions } from "./questions.ts";
import type { YjsRoom } from "./room.ts";

/** After something may have been missed, so many rooms are asked for at once. */
const ASKED_AT_ONCE = 20;

/** The nodes beside this one. */
export interface OtherNodes {
  /** The name of this one. */
  readonly name: string;
  /** The names of those that are there; none while this one is cut off. */
  readonly others: readonly string[];
  /** By how much, in milliseconds, the clock of one of them is ahead of this one's at least. */
  readonly aheadMs: number;
  /** Tells all of them something. */
  say(message: ClusterMessage): void;
}

/** What the exchange of awareness stands on. */
export interface ExchangeDeps {
  readonly clock: Clock;
  readonly nodes: OtherNodes;
  readonly rooms: () => Iterable<YjsRoom>;
  readonly find: (key: RoomKey) => YjsRoom | undefined;
  /** Something may be otherwise in a room. */
  readonly changed: (room: YjsRoom) => void;
}

type Told = Extract<AwarenessMessage, { kind: "awareness_told" }>;

/**
 * What nodes tell each other of the rooms in which they have sockets. Nothing
 * of it is stored: who holds a socket is who knows of it, and whoever begins to
 * take part in a room asks everybody else.
 */
export class Exchange {
  readonly #deps: ExchangeDeps;
  readonly #questions: Questions<YjsRoom>;
  /** By node and room, what has come of an answer. */
  readonly #parts = new Map<string, AwarenessShare[]>();
  /** Rooms that are to be asked for again, and of which node: of all where there is none. */
  readonly #again = new Map<YjsRoom, string | undefined>();
  #isAsking = false;

  constructor(deps: ExchangeDeps) {
    this.#deps = deps;
    this.#questions = new Questions(deps.clock);
  }

  /** Whether this node listens to what is told of a room, and no answer is waited for. */
  knows(room: YjsRoom): boolean {
    return room.isListening && this.#questions.about(room) === undefined;
  }

  /** Begins to listen. Resolves when this node {@link knows} it as far as others answer in time. */
  learn(room: YjsRoom): Promise<void> {
    return this.#questions.about(room) ?? this.#ask(room);
  }

  /** Another node tells, or asks. */
  hear(message: AwarenessMessage, from: string): void {
    const room = this.#deps.find(message);
    switch (message.kind) {
      case "awareness":
        if (room?.isListening && room.hear(from, message, this.#now()))
          this.#askAfterGap(room, from);
        if (room?.isListening) this.#deps.changed(room);
        return;
      case "awareness_asked":
        if ((message.of ?? this.#deps.nodes.name) === this.#deps.nodes.name)
          this.#answer(message, room, from);
        return;
      case "awareness_told":
        if ((message.to ?? this.#deps.nodes.name) === this.#deps.nodes.name)
          this.#hearPart(message, room, from);
        return;
      default:
        message satisfies never;
    }
  }

  /** A node is there anew: what it did meanwhile was not heard. */
  joined(node: string): void {
    for (const room of this.#deps.rooms()) {
      if (!room.hears(node)) continue;
      const isAskedOfIt = !this.#again.has(room) || this.#again.get(room) === node;
      this.#again.set(room, isAskedOfIt ? node : undefined);
    }
    void this.#askAgain();
  }

  /** A node is no more: what its sockets said lingers for so long. */
  gone(node: string, lingersMs: number): void {
    for (const room of this.#deps.rooms()) {
      if (!room.hears(node)) continue;
      room.lose(node, lingersMs, this.#now());
      this.#deps.changed(room);
    }
    this.#questions.gone(node);
    for (const key of this.#parts.keys()) if (key.startsWith(`${node} `)) this.#parts.delete(key);
  }

  /** What other nodes did may not have been heard here, nor what sockets of this one did elsewhere. */
  missed(): void {
    for (const room of this.#deps.rooms()) if (room.isListening) this.#again.set(room, undefined);
    void this.#askAgain();
  }

  /** Waits for nobody any more. */
  stop(): void {
    this.#again.clear();
    this.#questions.stop();
  }

  #now(): number {
    return this.#deps.clock.elapsed();
  }

  #ask(room: YjsRoom, of?: string): Promise<void> {
    const { nodes } = this.#deps;
    room.listen(this.#now());
    this.#deps.changed(room);
    const asked = of === undefined ? nodes.others : nodes.others.filter((each) => each === of);
    if (asked.length > 0)
      nodes.say({ kind: "awareness_asked", ...room.key, ...(of === undefined ? {} : { of }) });
    return this.#questions.ask(room, asked);
  }

  #askAfterGap(room: YjsRoom, from: string): void {
    if (!this.#questions.awaits(room, from)) void this.#ask(room, from);
  }

  async #askAgain(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#again.size > 0) {
      const some = [...this.#again].slice(0, ASKED_AT_ONCE);
      for (const [room] of some) this.#again.delete(room);
      const loaded = some.filter(([room]) => this.#deps.find(room.key) === room);
      await Promise.all(loaded.map(([room, of]) => this.#askOnceMore(room, of)));
    }
    this.#isAsking = false;
  }

  #askOnceMore(room: YjsRoom, of: string | undefined): Promise<void> {
    if (of === undefined) this.#answer(room.key, room);
    return this.#ask(room, of);
  }

  /** Tells what this node knows of a room: to one that asked, or to all. */
  #answer({ tenant_id, room_id }: RoomKey, room: YjsRoom | undefined, to?: string): void {
    const { nodes } = this.#deps;
    const now = this.#now();
    const parts = partsOf(room?.share(now) ?? shareOfNothing(now + nodes.aheadMs));
    for (const [part, share] of parts.entries())
      nodes.say({
        kind: "awareness_told",
        tenant_id,
        room_id,
        part,
        parts: parts.length,
        ...(to === undefined ? {} : { to }),
        ...share,
      });
  }

  #hearPart(message: Told, room: YjsRoom | undefined, from: string): void {
    const key = `${from} ${message.tenant_id}/${message.room_id}`;
    const before = message.part === 0 ? [] : (this.#parts.get(key) ?? []);
    this.#parts.delete(key);
    // Without those before it, it is of no use.
    if (before.length !== message.part) return;
    const [first = message, ...rest] = [...before, message];
    if (before.length + 1 < message.parts) this.#parts.set(key, [first, ...rest]);
    else this.#hearAll(wholeOf([first, ...rest]), room, from);
  }

  #hearAll(share: AwarenessShare, room: YjsRoom | undefined, from: string): void {
    if (!room?.isListening) return;
    room.adopt(from, share, this.#now());
    this.#deps.changed(room);
    this.#questions.answered(room, from);
  }
}

/** What is known of a room that is not loaded, and may have been. */
function shareOfNothing(time: number): AwarenessShare {
  return { clock: Math.ceil(time), time, after: 0, sockets: [], lingering: [], reserved: [] };
}
