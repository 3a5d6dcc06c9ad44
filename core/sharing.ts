/**
 * What several nodes share of who is around.
 *
 * Each node is the authority for what is connected to it, and contributes that
 * to a record of each person, which all of them take up. How contributions get
 * into a record, and records to the nodes, is the caller's; they may be late,
 * doubled and out of order. What is told are ages, so that the clocks of nodes
 * may differ.
 *
 * - {@link SharedLiveness} is a `LivenessRegister` of one node among several.
 * - {@link SharedPresence} is a `PresenceRegister` of one.
 *
 * @module
 */

export type {
  EndReason,
  Owner,
  PersonContribution,
  PersonRecord,
  PersonShare,
  SharedSource,
} from "./presence-share.ts";
export { type LivenessOutcome, SharedLiveness } from "./shared-liveness.ts";
export { type RecordOutcome, SharedPresence } from "./shared-presence.ts";
