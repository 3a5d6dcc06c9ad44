import { isoOf, type StreamClose } from "@porchlight/core";
import type { Clock } from "@porchlight/core/clock";
import type { EndReason } from "@porchlight/core/sharing";
import type { Cluster, Delivery as ClusterDelivery } from "./cluster/cluster.ts";
import type { ClusterMessage } from "./cluster/message.ts";
import { ClusterNode, type NodeRules } from "./cluster/node.ts";
import { Delivery } from "./delivery.ts";
import type { Together } from "./endpoint.ts";
import type { Connection, Hub } from "./hub.ts";
import type { Liveness } from "./liveness.ts";
import { errorFields, type Log } from "./log.ts";
import type { Snoozes } from "./snoozes.ts";
import { type Announcement, nameOfPerson, type PresenceFacts, type Store } from "./store/store.ts";
import type { YjsRooms } from "./yjs/rooms.ts";

/** What several nodes stand on. */
export interface NodesDeps {
  readonly clock: Clock;
  readonly hub: Pick<Hub, "of" | "all" | "close" | "hasStream" | "toPerson">;
  readonly liveness: Liveness;
  readonly log: Log;
  readonly rules: NodeRules;
  readonly snoozes: Pick<Snoozes, "expect" | "start">;
  readonly store: Pick<Store, "presenceFacts" | "presenceFactsOf" | "positions" | "eventsAfter">;
  readonly yjs: Pick<
    YjsRooms,
    "signOff" | "forgetTenant" | "shareWith" | "joined" | "gone" | "hear" | "missed"
  >;
  /** Looks whether those who are connected may be, as something may have been said of it that was not heard. */
  readonly recheck: () => Promise<void>;
  /** Tells something on this node. */
  readonly tell: (announcement: Announcement) => void;
  readonly open: (deliver: (delivery: ClusterDelivery) => void) => Cluster;
}

/** This node among several: what happens here is told on all of them, and what happens on others here. */
export class Nodes implements Together {
  readonly #deps: NodesDeps;
  readonly #node: ClusterNode;
  readonly #delivery: Delivery;

  constructor(deps: NodesDeps) {
    const { clock, liveness, log, rules, store, tell, open } = deps;
    this.#deps = deps;
    this.#delivery = new Delivery({ clock, store, log, tell });
    this.#node = new ClusterNode({
      clock,
      liveness,
      log,
      rules,
      facts: () => factsOf(store, liveness),
      factsOf: (key) => store.presenceFactsOf(key),
      hear: (message, from) => this.#hear(message, from),
      ended: (key, source, why) => {
        const connection = deps.hub.of(key).find((each) => each.source === source);
        if (connection !== undefined) end(deps.hub, connection, why);
      },
      missed: () => this.#missed(),
      joined: (node) => deps.yjs.joined(node),
      gone: (node, lingersMs) => deps.yjs.gone(node, lingersMs),
      open,
    });
    liveness.shareWith(this.#node);
    deps.yjs.shareWith(this.#node);
  }

  /** Whether this node takes part, or why not. */
  get isJoined(): boolean {
    return this.#node.isJoined;
  }

  get asOf(): number | undefined {
    return this.#node.asOf;
  }

  /** How many nodes are known to take part, this one among them; 0 while it does not. */
  get size(): number {
    return this.#node.isJoined ? 1 + this.#node.others.length : 0;
  }

  async start(): Promise<void> {
    await this.#delivery.start();
    await this.#node.start();
  }

  /** Leaves in order. Safe to call twice. */
  async stop(): Promise<void> {
    this.#delivery.stop();
    await this.#node.stop();
  }

  /** Tells of something on every node: of what is durable each will have told in the end, of the rest as many as hear of it. */
  announce(announcement: Announcement): void {
    if (announcement.frame.stream_position === undefined) {
      this.#deps.tell(announcement);
      this.#node.say({ kind: "private", announcement });
    } else {
      this.#delivery.announced(announcement);
      this.#node.say({ kind: "announced", announcement });
    }
  }

  /** Tells the other nodes what is to be done there too. */
  say(message: ClusterMessage): void {
    this.#node.say(message);
  }

  async caughtUp(): Promise<void> {
    await this.#node.caughtUp();
    await this.#delivery.settled();
  }

  async settled(): Promise<void> {
    await this.#node.settled();
    await this.#delivery.settled();
  }

  #hear(message: ClusterMessage, from: string): void {
    const { hub, liveness, snoozes, tell, yjs } = this.#deps;
    switch (message.kind) {
      case "typing": {
        const { kind: _, how, ...signal } = message;
        liveness.heardType(signal, how);
        return;
      }
      case "typing_over":
        liveness.heardTypingOver(message, message.room_id);
        return;
      case "announced":
        this.#delivery.announced(message.announcement);
        return;
      case "private":
        tell(message.announcement);
        return;
      case "awareness":
      case "awareness_asked":
      case "awareness_told":
        yjs.hear(message, from);
        return;
      case "signed_off":
        yjs.signOff(message, message.device_id);
        this.#close(
          hub.of(message),
          "signed_off",
          ({ device_id }) => device_id === message.device_id,
        );
        return;
      case "snoozed":
        snoozes.expect(message.until);
        return;
      case "revoked":
        this.#revoke(message);
        return;
      default:
        message satisfies never;
    }
  }

  #revoke({
    tenant_id,
    participant_id,
    token_id,
  }: Extract<ClusterMessage, { kind: "revoked" }>): void {
    const { hub, liveness, yjs } = this.#deps;
    if (participant_id === undefined) {
      this.#close(hub.all(), "token_revoked", (each) => each.tenant_id === tenant_id);
      yjs.forgetTenant(tenant_id);
      liveness.forgetTenant(tenant_id);
      return;
    }
    const key = { tenant_id, participant_id };
    this.#close(
      hub.of(key),
      "token_revoked",
      (each) => each.token_id === (token_id ?? each.token_id),
    );
    if (token_id === undefined) liveness.forget(key);
  }

  #close(
    connections: readonly Connection[],
    why: "signed_off" | "token_revoked",
    isMeant: (connection: Connection) => boolean,
  ): void {
    for (const each of connections) if (isMeant(each)) this.#deps.hub.close(each, why);
  }

  /**
   * Events are read from the store. What was for the devices of one person alone nobody has kept: whoever has devices
   * on other nodes too is to take a new snapshot.
   */
  async #resync(): Promise<void> {
    await this.#delivery.ask();
    await this.#delivery.settled();
    const { clock, hub, liveness } = this.#deps;
    const ts = isoOf(clock.wall());
    for (const key of liveness.shared()) {
      if (!hub.hasStream(key)) continue;
      const stream_position = this.#delivery.position(key.tenant_id);
      hub.toPerson(key, { type: "resync", tenant_id: key.tenant_id, stream_position, ts });
    }
  }

  /** What was not heard is asked for. */
  #missed(): void {
    void this.#resync();
    this.#deps.recheck().catch((error: unknown) => {
      this.#deps.log("error", "recheck.failed", errorFields(error));
    });
    void this.#deps.snoozes.start();
    this.#deps.yjs.missed();
  }
}

/** What another node has ended. Only of streams there is one of a name. */
function end(hub: NodesDeps["hub"], connection: Connection, why: EndReason): void {
  if (why === "signed_off") hub.close(connection, why);
  else if (why === "duplicate_connection" && isStream(connection)) hub.close(connection, why);
}

function isStream(connection: Connection): connection is Connection & Connection<StreamClose> {
  return connection.door === "stream";
}

/** What the store says of everyone's presence, also of those of whom it says no longer what is known here. */
async function factsOf(
  store: NodesDeps["store"],
  liveness: Liveness,
): Promise<readonly PresenceFacts[]> {
  const all = await store.presenceFacts();
  const names = new Set(all.map(nameOfPerson));
  const others = [...liveness.chosen()].filter((key) => !names.has(nameOfPerson(key)));
  const found = await Promise.all(others.map((key) => store.presenceFactsOf(key)));
  return [...all, ...found.filter((each) => each !== undefined)];
}
