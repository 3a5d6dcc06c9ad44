import { frameOf, position } from "./events.ts";
import { all, one, type Program, statement } from "./query.ts";
import { standing } from "./reading.ts";
import type { PersonKey, Replayed } from "./store.ts";

/** How many positions are looked at in one go, whoever may see what is there. */
const LOOKED_AT = 1_000;

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
  { limit, retained }: { limit: number; retained: number },
): Program<Replayed> {
  const { tenant_id, participant_id } = key;
  const head = yield* position(tenant_id);
  const unreplayable = (yield* one(selectReplayable, { tenant_id }))?.unreplayable ?? 0;
  if (since > head || since < Math.max(unreplayable, head - retained))
    return { isGap: true, events: [], cursor: head, ...(yield* standing(key)) };
  const until = Math.min(head, since + LOOKED_AT);
  const looked = { tenant_id, participant_id, after: since, until, limit };
  const events = (yield* all(selectVisible, looked)).map(frameOf);
  const last = events.length < limit ? undefined : events.at(-1)?.stream_position;
  const cursor = last ?? until;
  const rooms = cursor === head ? (yield* standing(key)).rooms : [];
  return { isGap: false, events, cursor, rooms, position: head };
}
