import type { Owner, PersonContribution, PersonRecord } from "@porchlight/core/sharing";
import type { PersonKey } from "../store/store.ts";
import type { ClusterMessage } from "./message.ts";

/** One of the nodes, as the others see it. */
export interface NodeView extends Owner {
  /** How long ago it last renewed its lease, in milliseconds. */
  readonly silent_ms: number;
  /** Of a node that is no more, for how long what was connected to it lingers still (0: no longer); null of one that is there. */
  readonly lingers_ms: number | null;
}

/** Who is there, at one moment. */
export interface ClusterView {
  readonly nodes: readonly NodeView[];
  /** The number of the last delivery that was made before that moment. */
  readonly delivered: number;
  /** The highest wall clock that any node has shown, in Unix milliseconds. */
  readonly wall: number;
}

/** A person's record, with the shares of all nodes that are there, that of the reader among them. */
export interface StoredPerson extends PersonRecord {
  readonly tenant_id: string;
}

/**
 * What every node is told. Deliveries are numbered, without gaps, in the order in which they were made. When the facts
 * were lost the numbers begin anew, above all that were given before.
 */
export type Delivery = { readonly number: number } & (
  | { readonly kind: "person"; readonly person: StoredPerson }
  | { readonly kind: "gone"; readonly owner: Owner; readonly lingers_ms: number }
  | { readonly kind: "message"; readonly from: string; readonly message: ClusterMessage }
);

/** What a node knows of a person, to become part of the record. */
export interface PersonWrite extends PersonKey {
  readonly contribution: PersonContribution;
}

/**
 * The short-lived facts that nodes share, and what they say to each other.
 * It keeps and passes on; what anything means is for the rules of core.
 *
 * - A write MUST take effect whole or not at all, and MUST NOT when the incarnation of its node is over.
 * - A write MUST raise the version of the record above the one that is stored and above the one its writer knew, and MUST deliver the whole record to every node, the writer among them.
 * - A share MUST replace that of the same node and no other's. A later `manual_at` MUST NOT give way to an earlier one.
 * - A record MUST NOT show shares of a node that nobody knows. What a node wrote in an incarnation that another has followed MUST stand until it writes it anew.
 * - A node that is told something MUST be told everything, in the order of the numbers, unless it is cut off: then the numbers show it.
 * - Ages MUST be true when they are read, by one clock.
 * - Out of reach, every operation MUST reject within two seconds, and MAY have taken effect. Whoever was cut off MUST find its incarnation to be over.
 */
export interface Cluster {
  /** The name of this node; never that of another, nor of one that was. */
  readonly node: string;
  /**
   * Takes part, in an incarnation above any that this node is known to have had.
   * @param above the last that it may have been given; 0 before the first. @param wall see {@link ClusterView.wall}.
   */
  join(wall: number, above: number): Promise<ClusterView & { readonly incarnation: number }>;
  /**
   * Says that this node is there. Answers nothing when its incarnation is over: then it is to join again.
   * @param leaseMs how long a node may be silent. One that was silent for longer is no more, this one too.
   */
  renew(incarnation: number, wall: number, leaseMs: number): Promise<ClusterView | undefined>;
  /**
   * Takes note that a node is no more, if it has been silent for longer than its lease, or is this one, and tells every
   * node, once. @param lingerMs for how long what was connected to it lingers: since it was last heard of, or, of this one, from now.
   */
  retire(owner: Owner, leaseMs: number, lingerMs: number): Promise<void>;
  /**
   * Makes what this node knows of people part of their records; at most 100 at once. Answers false, and writes nothing,
   * when the incarnation is over. @param ttlMs how long a record is kept that nobody writes.
   */
  write(incarnation: number, people: readonly PersonWrite[], ttlMs: number): Promise<boolean>;
  /** The records of everyone of whom a node holds something, some at a time. What is written meanwhile is delivered. */
  people(): AsyncIterable<readonly StoredPerson[]>;
  /** Tells every node something. */
  send(message: ClusterMessage): Promise<void>;
  /** Resolves when everything has been delivered here that was made before the call. */
  caughtUp(): Promise<void>;
  /** Closes the connections. Safe to call twice. */
  close(): Promise<void>;
}

/** The most people whose records one write changes. */
export const WRITE_MAX = 100;
