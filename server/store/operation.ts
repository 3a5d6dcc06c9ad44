import type { JsonObject } from "@porchlight/core";
import { all, one, type Program, statement } from "./query.ts";

const tenantsByParticipant = statement<{ id: string; limit: number }>()((db, p) =>
  db
    .selectFrom("participants")
    .select("tenant_id")
    .where("participant_id", "=", p.id)
    .limit(p.limit),
);

const tenantsByRoom = statement<{ id: string; limit: number }>()((db, p) =>
  db.selectFrom("rooms").select("tenant_id").where("room_id", "=", p.id).limit(p.limit),
);

const selectKept = statement<{ name: string }>()((db, p) =>
  db.selectFrom("kept").select(["kept_at", "body_json"]).where("name", "=", p.name),
);

const upsertKept = statement<{ name: string; kept_at: number; body_json: string }>()((db, p) =>
  db
    .insertInto("kept")
    .values({ name: p.name, kept_at: p.kept_at, body_json: p.body_json })
    .onConflict((conflict) =>
      conflict.column("name").doUpdateSet({ kept_at: p.kept_at, body_json: p.body_json }),
    ),
);

const removeKept = statement<{ name: string }>()((db, p) =>
  db.deleteFrom("kept").where("name", "=", p.name),
);

export function* tenantsOfParticipant(id: string): Program<readonly string[]> {
  return (yield* all(tenantsByParticipant, { id, limit: 2 })).map(({ tenant_id }) => tenant_id);
}

export function* tenantsOfRoom(id: string): Program<readonly string[]> {
  return (yield* all(tenantsByRoom, { id, limit: 2 })).map(({ tenant_id }) => tenant_id);
}

/** Writes something down for the next start, in place of what was there. */
export function* keep(name: string, body: JsonObject, now: number): Program<void> {
  yield* one(upsertKept, { name, kept_at: now, body_json: JSON.stringify(body) });
}

/** Takes what was written down, so that it is found once. */
export function* kept(name: string): Program<{ kept_at: number; body_json: string } | undefined> {
  const found = yield* one(selectKept, { name });
  yield* one(removeKept, { name });
  return found;
}
