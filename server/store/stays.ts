import { position } from "./events.ts";
import { one, type Program, statement } from "./query.ts";
import type { PersonKey, RoomKey } from "./store.ts";

const beginStay = statement<RoomKey & PersonKey & { position: number }>()((db, p) =>
  db.insertInto("stays").values({
    tenant_id: p.tenant_id,
    participant_id: p.participant_id,
    room_id: p.room_id,
    from_position: p.position,
  }),
);

const endStay = statement<RoomKey & PersonKey & { position: number }>()((db, p) =>
  db
    .updateTable("stays")
    .set({ to_position: p.position })
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", "=", p.participant_id)
    .where("room_id", "=", p.room_id)
    .where("to_position", "is", null),
);

/** Notes that somebody came or went: to be called once the event that says so has its position, before any other has one. */
export function* noteStay(
  { tenant_id, room_id, participant_id }: RoomKey & PersonKey,
  wasThere: boolean,
  isThere: boolean,
): Program<void> {
  if (wasThere === isThere) return;
  const at = yield* position(tenant_id);
  yield* one(isThere ? beginStay : endStay, { tenant_id, room_id, participant_id, position: at });
}
