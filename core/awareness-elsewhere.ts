import type { AwarenessRoom } from "./awareness.ts";
import type { AwarenessClient } from "./awareness-entry.ts";
import type {
  AwarenessBatch,
  AwarenessDeed,
  AwarenessSeat,
  AwarenessShare,
} from "./awareness-share.ts";

/**
 * How far apart what is heard of presence and of awareness on another node may be. Who is gone there is shown for so
 * long, unless it is heard before that they are offline: so nobody is shown otherwise for a blink.
 */
const APART_MS = 100;

/** What came of a batch. */
export interface AwarenessHeard {
  /** Sockets that have lost their id to a later one of the same person: those of this node are to be closed. */
  readonly replaced: readonly AwarenessClient[];
  /** Whether something was missed before: the batch has no effect, and its node is to be asked for its share. */
  readonly isBehind: boolean;
}

/** What is known of another node in the room. */
interface Node {
  /** The last batch that is known. */
  last: number;
  /** By when they opened. */
  readonly clients: Map<number, AwarenessClient>;
}

const UNHEARD: AwarenessHeard = { replaced: [], isBehind: false };

/**
 * The sockets of other nodes in a room, as their nodes tell of them: each node
 * is believed of its own. What comes late, twice or with a gap before it has no
 * effect; after a gap a node is to be asked for its share.
 */
export class AwarenessElsewhere {
  readonly #room: AwarenessRoom;
  readonly #nodes = new Map<string, Node>();

  constructor(room: AwarenessRoom) {
    this.#room = room;
  }

  /** Whether a node is known to have a socket in the room. */
  has(node: string): boolean {
    return (this.#nodes.get(node)?.clients.size ?? 0) > 0;
  }

  /** Another node tells what its sockets did. */
  hear(name: string, batch: AwarenessBatch, now: number): AwarenessHeard {
    const { clock, after } = batch;
    const known = this.#nodes.get(name);
    this.#room.hearTime(batch, now);
    if (clock <= (known?.last ?? 0)) return UNHEARD;
    // Without a batch before it the node has forgotten the room meanwhile, and what its sockets did before is over.
    if (after === 0) this.#loseAll(known, now + APART_MS);
    else if (after !== known?.last) return { replaced: [], isBehind: true };
    const node = this.#node(name);
    node.last = clock;
    return { replaced: this.#doAll(name, node, batch, now), isBehind: false };
  }

  /** Another node tells everything that it knows. Answers as {@link hear} does which sockets have lost their ids. */
  adopt(name: string, share: AwarenessShare, now: number): readonly AwarenessClient[] {
    const { after, sockets, lingering, reserved } = share;
    const node = this.#node(name);
    this.#room.hearTime(share, now);
    if (after !== 0 && after < node.last) return [];
    node.last = after;
    const open = new Set(sockets.map(({ opened }) => opened));
    for (const [opened, client] of node.clients)
      if (!open.has(opened)) this.#lose(node, client, now + APART_MS);
    const replaced = sockets.flatMap(({ entries, ...seat }) => {
      const client = this.#client(name, node, seat, now);
      const said = new Set(entries.map(({ id }) => id));
      for (const id of this.#room.idsOf(client))
        if (!said.has(id)) this.#room.silenceElsewhere(client, id, now + APART_MS);
      return entries.flatMap(({ id, text, kept_ms }) => {
        const before = this.#room.sayElsewhere(client, { id, text, isNews: false }, now);
        this.#room.adoptReserved({ id, participant_id: seat.participant_id, kept_ms }, now);
        return before ?? [];
      });
    });
    const longer = lingering.map((each) => ({ ...each, lingers_ms: each.lingers_ms + APART_MS }));
    this.#room.adoptLingering(name, longer, { now, until: now + APART_MS });
    for (const each of reserved) this.#room.adoptReserved(each, now);
    return replaced;
  }

  /** A node is no more: what its sockets said lingers for so long. */
  lose(name: string, lingersMs: number, now: number): void {
    const node = this.#nodes.get(name);
    this.#nodes.delete(name);
    const until = now + lingersMs + APART_MS;
    this.#loseAll(node, until);
    this.#room.inherit(name, until);
  }

  /** Nothing more is heard of other nodes: nothing is known of their sockets any more. */
  forget(): void {
    for (const { clients } of this.#nodes.values())
      for (const client of clients.values()) this.#room.leave(client);
    this.#nodes.clear();
  }

  #node(name: string): Node {
    const node = this.#nodes.get(name) ?? { last: 0, clients: new Map() };
    this.#nodes.set(name, node);
    return node;
  }

  #client(name: string, node: Node, seat: AwarenessSeat, now: number): AwarenessClient {
    const client = node.clients.get(seat.opened) ?? this.#room.joinElsewhere(name, seat, now);
    node.clients.set(seat.opened, client);
    return client;
  }

  #doAll(name: string, node: Node, batch: AwarenessBatch, now: number): AwarenessClient[] {
    const { deeds, staying } = batch;
    return deeds.flatMap((deed) => {
      const client = this.#client(name, node, deed, now);
      // Of who does not stay it is about to be heard that they are offline: nobody is shown otherwise before that.
      const apartMs = staying.includes(deed.participant_id) ? 0 : APART_MS;
      return this.#do(node, client, deed, { now, apartMs }) ?? [];
    });
  }

  #do(
    node: Node,
    client: AwarenessClient,
    deed: AwarenessDeed,
    { now, apartMs }: { now: number; apartMs: number },
  ): AwarenessClient | undefined {
    switch (deed.did) {
      case "opened":
        return undefined;
      case "said": {
        const { id, text } = deed;
        if (text !== null) return this.#room.sayElsewhere(client, { id, text, isNews: true }, now);
        this.#room.silenceElsewhere(client, id, now + apartMs);
        return undefined;
      }
      case "left":
        this.#lose(node, client, now + apartMs);
        return undefined;
      default:
        deed satisfies { did: "lost" };
        this.#lose(node, client, now + deed.lingers_ms + APART_MS);
        return undefined;
    }
  }

  #lose(node: Node, client: AwarenessClient, until: number): void {
    node.clients.delete(client.opened);
    this.#room.lose(client, until);
  }

  #loseAll(node: Node | undefined, until: number): void {
    for (const client of node?.clients.values() ?? []) if (node) this.#lose(node, client, until);
  }
}
