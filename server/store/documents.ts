import type { Call, EventFrame, JsonObject, Plan, Sidekick } from "@porchlight/core";
import { noSuch } from "../refusals.ts";
import type { Told } from "./events.ts";
import { all, one, type Program, statement } from "./query.ts";
import { type Making, roomRow, tell } from "./rooms.ts";
import type { DocumentName, RoomKey } from "./store.ts";

/** What tells that a document is no more. */
const REMOVED = {
  plan: "swp.plan.updated",
  call: "swp.call.state",
  sidekick: "swp.sidekick.cancel",
} as const;

const selectDocuments = statement<RoomKey & { kind: string }>()((db, p) =>
  db
    .selectFrom("documents")
    .select(["document_id", "document_json"])
    .where("tenant_id", "=", p.tenant_id)
    .where("room_id", "=", p.room_id)
    .where("kind", "=", p.kind)
    .orderBy("document_id"),
);

const selectDocument = statement<RoomKey & { kind: string; document_id: string }>()((db, p) =>
  db
    .selectFrom("documents")
    .select("document_json")
    .where("tenant_id", "=", p.tenant_id)
    .where("room_id", "=", p.room_id)
    .where("kind", "=", p.kind)
    .where("document_id", "=", p.document_id),
);

const upsertDocument = statement<
  RoomKey & { kind: string; document_id: string; document_json: string }
>()((db, p) =>
  db
    .insertInto("documents")
    .values({
      tenant_id: p.tenant_id,
      room_id: p.room_id,
      kind: p.kind,
      document_id: p.document_id,
      document_json: p.document_json,
    })
    .onConflict((conflict) =>
      conflict
        .columns(["tenant_id", "room_id", "kind", "document_id"])
        .doUpdateSet({ document_json: p.document_json }),
    ),
);

const removeDocument = statement<RoomKey & { kind: string; document_id: string }>()((db, p) =>
  db
    .deleteFrom("documents")
    .where("tenant_id", "=", p.tenant_id)
    .where("room_id", "=", p.room_id)
    .where("kind", "=", p.kind)
    .where("document_id", "=", p.document_id)
    .returning("document_json"),
);

export function* putPlan(key: RoomKey, plan: Plan, making: Making): Program<Told<undefined>> {
  yield* roomRow(key);
  return yield* putDocument(
    key,
    { kind: "plan", document_id: "", document: plan, type: "swp.plan.updated" },
    making,
  );
}

export function* putCall(key: RoomKey, call: Call, making: Making): Program<Told<undefined>> {
  yield* roomRow(key);
  return yield* putDocument(
    key,
    { kind: "call", document_id: "", document: call, type: "swp.call.state" },
    making,
  );
}

export function* putSidekick(
  key: RoomKey,
  sidekick: Sidekick,
  making: Making,
): Program<Told<undefined>> {
  yield* roomRow(key);
  const known = (yield* documents<Sidekick>(key, "sidekick")).some(
    ({ task_id }) => task_id === sidekick.task_id,
  );
  const cancelled = sidekick.status === "terminated" || sidekick.status === "cancelled";
  const type = cancelled
    ? "swp.sidekick.cancel"
    : known
      ? "swp.sidekick.result"
      : "swp.sidekick.spawned";
  return yield* putDocument(
    key,
    { kind: "sidekick", document_id: sidekick.task_id, document: sidekick, type },
    making,
  );
}

/** Removes a document. Those in the room are told that there is none, and of a sidekick that it was terminated. */
export function* deleteDocument(
  { tenant_id, room_id }: RoomKey,
  { kind, document_id }: DocumentName,
  making: Making,
): Program<Told<undefined>> {
  yield* roomRow({ tenant_id, room_id });
  const removed = yield* one(removeDocument, { tenant_id, room_id, kind, document_id });
  if (removed === undefined) throw noSuch(kind);
  const last = kind === "sidekick" ? ended(removed.document_json) : null;
  const told = yield* tell({ tenant_id, room_id }, REMOVED[kind], { [kind]: last }, making);
  return { value: undefined, announcements: [told] };
}

/** The host platform's documents of one kind in a room. */
export function* documents<T extends JsonObject>(
  { tenant_id, room_id }: RoomKey,
  kind: string,
): Program<readonly T[]> {
  const rows = yield* all(selectDocuments, { tenant_id, room_id, kind });
  return rows.map(({ document_json }) => JSON.parse(document_json));
}

function* putDocument(
  { tenant_id, room_id }: RoomKey,
  {
    kind,
    document_id,
    document,
    type,
  }: { kind: string; document_id: string; document: JsonObject; type: EventFrame["type"] },
  making: Making,
): Program<Told<undefined>> {
  const document_json = JSON.stringify(document);
  const name = { tenant_id, room_id, kind, document_id };
  const known = yield* one(selectDocument, name);
  if (known?.document_json === document_json) return { value: undefined, announcements: [] };
  yield* one(upsertDocument, { ...name, document_json });
  const told = yield* tell({ tenant_id, room_id }, type, { [kind]: document }, making);
  return { value: undefined, announcements: [told] };
}

/** Which task it was still has to be said. */
function ended(document_json: string): Sidekick {
  return { ...JSON.parse(document_json), status: "terminated" };
}
