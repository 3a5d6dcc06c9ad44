import { frameOf, position } from "./events.ts";
import { all, one, type Program, statement } from "./query.ts";
import { standing } from "./reading.ts";
import type { PersonKey, Replayed, Store } from "./store.ts";

type Row = Parameters<typeof frameOf>[0];

/** How many positions are looked at in one go, whoever may see what is there. */
const LOOKED_AT = 1_000;
/** How many events are read at once, of which each may be large. */
const READ_AT_ONCE = 50;

const selectReplayable = statement<{ tenant_id: string }>()((db, p) =>
  db.selectFrom("tenants").select("unreplayable").where("tenant_id", "=", p.tenant_id),
);

const selectVisible = statement<PersonKey & { after: number; until: number; limit: number }>()(
  (db, p) =>
    db
      .selectFrom("events")
      .select(["tenant_id", "position", "event_id", "type", "at", "body_json"])
      .where("tenant_id", "=", p.tenant_id)
      .where("position", ">", p.after)
      .where("position", "<=", p.until)
      .where(({ or, eb, exists, selectFrom }) =>
        or([
          eb("events.room_id", "is", null),
          eb("events.subject_id", "=", p.participant_id),
          exists(
            selectFrom("stays")
              .select("stays.room_id")
              .where("stays.tenant_id", "=", p.tenant_id)
              .where("stays.participant_id", "=", p.participant_id)
              .whereRef("stays.room_id", "=", "events.room_id")
              .whereRef("stays.from_position", "<=", "events.position")
              .where((stay) =>
                stay.or([
                  stay("stays.to_position", "is", null),
                  stay("stays.to_position", ">=", stay.ref("events.position")),
                ]),
              ),
          ),
        ]),
      )
      .orderBy("position")
      .limit(p.limit),
);

/** What a person could see of what happened after a position, as far as one go reaches. */
export function* replay(
  key: PersonKey,
  since: number,
  { limit, retained, maxBytes = Number.POSITIVE_INFINITY }: Parameters<Store["replay"]>[2],
): Program<Replayed> {
  const { tenant_id, participant_id } = key;
  const head = yield* position(tenant_id);
  const unreplayable = (yield* one(selectReplayable, { tenant_id }))?.unreplayable ?? 0;
  if (since > head || since < Math.max(unreplayable, head - retained))
    return { isGap: true, events: [], cursor: head, ...(yield* standing(key)) };
  const until = Math.min(head, since + LOOKED_AT);
  const page = yield* visible({ tenant_id, participant_id, after: since, until, limit }, maxBytes);
  const last = page.isFull ? page.rows.at(-1)?.position : undefined;
  const cursor = last ?? until;
  const rooms = cursor === head ? (yield* standing(key)).rooms : [];
  return { isGap: false, events: page.rows.map(frameOf), cursor, rooms, position: head };
}

/** The first of what can be seen; `isFull` says that there may be more. */
function* visible(
  looked: PersonKey & { after: number; until: number; limit: number },
  maxBytes: number,
): Program<{ readonly rows: readonly Row[]; readonly isFull: boolean }> {
  const rows: Row[] = [];
  let bytes = 0;
  while (rows.length < looked.limit) {
    const limit = Math.min(READ_AT_ONCE, looked.limit - rows.length);
    const after = rows.at(-1)?.position ?? looked.after;
    const read = yield* all(selectVisible, { ...looked, after, limit });
    for (const row of read) {
      bytes += Buffer.byteLength(row.body_json);
      if (bytes > maxBytes && rows.length > 0) return { rows, isFull: true };
      rows.push(row);
    }
    if (read.length < limit) return { rows, isFull: false };
  }
  return { rows, isFull: true };
}
