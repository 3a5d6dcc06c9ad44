import { createHash } from "node:crypto";
import type { Scope } from "./database.ts";

/** Held by whoever writes to one tenant together with the others who do, and alone by whoever writes to all. */
const EVERYTHING = keyOf("everything");

/** Waits until nobody else writes to a scope, until the transaction ends. */
export function lockOf(scope: Scope): string {
  if (scope === "everything") return `select pg_advisory_xact_lock(${EVERYTHING})`;
  const tenant = keyOf(`tenant/${scope.tenant_id}`);
  return `select pg_advisory_xact_lock_shared(${EVERYTHING}); select pg_advisory_xact_lock(${tenant})`;
}

/** Waits until nobody else brings the tables up to date. */
export const MIGRATION_LOCK: string = `select pg_advisory_xact_lock(${keyOf("migration")})`;

/** The number of a lock, the same on every node. Two names that share one by chance only wait for each other. */
function keyOf(name: string): bigint {
  return createHash("sha256").update(`porchlight/${name}`).digest().readBigInt64BE();
}
