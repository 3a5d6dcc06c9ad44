import type { Door, ManualFacts, Statement } from "./presence.ts";

/**
 * Why a source of one node was ended by another: its socket is to be closed for
 * that reason. `over`: it was taken not to be connected any more, and counts no
 * more if that is so.
 */
export type EndReason = "duplicate_connection" | "signed_off" | "over";

/**
 * A source of a node, as nodes tell each other of it. Ages are in milliseconds,
 * so that no clock matters but that of whoever reads them.
 */
export interface SharedSource {
  /** Names it among all sources of the person, on all nodes, for good. */
  readonly id: string;
  readonly device_id: string;
  readonly door: Door;
  readonly instance: string;
  readonly statement: Statement | null;
  /**
   * When its instance last said anything, a state or an activity, in Unix milliseconds; 0 where it never did. Above
   * whatever its node knew to be said before, so that of two statements all nodes take the same for the later one.
   */
  readonly said: number;
  readonly active_ms: number;
  readonly seen_ms: number;
  /** For how long it lingers still; null while its connection is open. */
  readonly lingers_ms: number | null;
}

/** Who vouches for sources: a node, in one of its incarnations. One that was given up and came back is another owner. */
export interface Owner {
  readonly node: string;
  readonly incarnation: number;
}

/** What one node knows of a person by itself. */
export interface PersonShare {
  readonly owner: Owner;
  /** How long ago the node wrote it, in milliseconds. */
  readonly age_ms: number;
  readonly sources: readonly SharedSource[];
}

/** What one node contributes to a person's record. */
export interface PersonContribution {
  /** The version of the record that the node knows: the new one is above it, also where the record was lost. */
  readonly version: number;
  readonly facts: ManualFacts;
  readonly sources: readonly SharedSource[];
  /** Sources of other nodes that are over, by their ids. */
  readonly ended: Readonly<Record<string, EndReason>>;
}

/** Everything that nodes know of a person, as of one moment: nobody is told anything of a person from less. */
export interface PersonRecord {
  readonly participant_id: string;
  /** Grows with every change: what is not above the version that is known came late, or again. */
  readonly version: number;
  /**
   * Another one than before means that the record was lost and begun anew, whatever its version is: what is not in it
   * may not be back yet.
   */
  readonly lineage: string;
  readonly facts: ManualFacts | undefined;
  /** Those of other nodes than the reader. */
  readonly shares: readonly PersonShare[];
  readonly ended: Readonly<Record<string, EndReason>>;
}
