import { invalid, isoOf } from "@porchlight/core";
import { noSuch, roomError } from "../refusals.ts";
import { MESSAGE, type Told } from "./events.ts";
import { findMember, membershipOf } from "./members.ts";
import { personOf } from "./people.ts";
import { all, one, type Program, statement } from "./query.ts";
import type { Making } from "./rooms.ts";
import type { Tables } from "./schema.ts";
import type { Announcement, PersonKey, Snooze } from "./store.ts";

/** Snoozes that one person may have, fired ones among them. */
const SNOOZES_MAX = 1_000;
/** What falls due at once beyond this many is fired by the next call, so that no write takes long. */
const FIRED_AT_ONCE = 500;

const COLUMNS = ["event_id", "room_id", "until", "fired_at"] as const;

type EventKey = PersonKey & { event_id: string };
type DueRow = Omit<Tables["snoozes"], "fired_at"> & { membership: string | null };

const selectMessage = statement<{ tenant_id: string; event_id: string; type: string }>()((db, p) =>
  db
    .selectFrom("events")
    .select("room_id")
    .where("tenant_id", "=", p.tenant_id)
    .where("event_id", "=", p.event_id)
    .where("type", "=", p.type),
);

const selectSnooze = statement<EventKey>()((db, p) =>
  db
    .selectFrom("snoozes")
    .select("event_id")
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", "=", p.participant_id)
    .where("event_id", "=", p.event_id),
);

const countSnoozes = statement<PersonKey>()((db, p) =>
  db
    .selectFrom("snoozes")
    .select(({ fn }) => fn.countAll<number>().as("snoozes"))
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", "=", p.participant_id),
);

const upsertSnooze = statement<Tables["snoozes"]>()((db, p) =>
  db
    .insertInto("snoozes")
    .values({
      tenant_id: p.tenant_id,
      participant_id: p.participant_id,
      event_id: p.event_id,
      room_id: p.room_id,
      until: p.until,
      fired_at: p.fired_at,
    })
    .onConflict((conflict) =>
      conflict
        .columns(["tenant_id", "participant_id", "event_id"])
        .doUpdateSet({ until: p.until, fired_at: p.fired_at }),
    ),
);

const selectSnoozes = statement<PersonKey>()((db, p) =>
  db
    .selectFrom("snoozes")
    .select(COLUMNS)
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", "=", p.participant_id)
    .orderBy("until")
    .orderBy("event_id"),
);

const deleteRow = statement<EventKey>()((db, p) =>
  db
    .deleteFrom("snoozes")
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", "=", p.participant_id)
    .where("event_id", "=", p.event_id)
    .returning("event_id"),
);

const selectDue = statement<{ now: number; limit: number }>()((db, p) =>
  db
    .selectFrom("snoozes")
    .leftJoin("members", (join) =>
      join
        .onRef("members.tenant_id", "=", "snoozes.tenant_id")
        .onRef("members.room_id", "=", "snoozes.room_id")
        .onRef("members.participant_id", "=", "snoozes.participant_id"),
    )
    .select([
      "snoozes.tenant_id",
      "snoozes.participant_id",
      "snoozes.event_id",
      "snoozes.room_id",
      "snoozes.until",
      "members.membership",
    ])
    .where("snoozes.fired_at", "is", null)
    .where("snoozes.until", "<=", p.now)
    .orderBy("snoozes.until")
    .limit(p.limit),
);

const markFired = statement<EventKey & { fired_at: number }>()((db, p) =>
  db
    .updateTable("snoozes")
    .set({ fired_at: p.fired_at })
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", "=", p.participant_id)
    .where("event_id", "=", p.event_id)
    .where("fired_at", "is", null)
    .returning("event_id"),
);

const selectEarliest = statement<Record<never, never>>()((db) =>
  db
    .selectFrom("snoozes")
    .select(({ fn }) => fn.min<number | null>("until").as("until"))
    .where("fired_at", "is", null),
);

/** Puts a message off, or anew; what had fired then has not. */
export function* snooze(key: PersonKey, event_id: string, until: number): Program<Snooze> {
  const person = personOf(key);
  const { tenant_id } = person;
  const room_id = (yield* one(selectMessage, { tenant_id, event_id, type: MESSAGE }))?.room_id;
  if (room_id === undefined || room_id === null) throw noSuch("event");
  if (membershipOf(yield* findMember({ ...person, room_id })) !== "join")
    throw roomError("SW_NOT_MEMBER");
  const known = yield* one(selectSnooze, { ...person, event_id });
  if (known === undefined) yield* refuseOneTooMany(person);
  const row = { event_id, room_id, until, fired_at: null };
  yield* one(upsertSnooze, { ...person, ...row });
  return row;
}

/** A person's snoozes, those that fired among them: by time, then event. */
export function* snoozesOf(key: PersonKey): Program<readonly Snooze[]> {
  return yield* all(selectSnoozes, personOf(key));
}

/** Forgets a snooze, fired or not. */
export function* deleteSnooze(key: PersonKey, event_id: string): Program<void> {
  const deleted = yield* one(deleteRow, { ...personOf(key), event_id });
  if (deleted === undefined) throw noSuch("event");
}

/** Fires what is due and has not fired, the earliest first; answers when the next is due, which may have been already. */
export function* fireSnoozes({ now, newId }: Making): Program<Told<number | undefined>> {
  const announcements: Announcement[] = [];
  for (const row of yield* all(selectDue, { now, limit: FIRED_AT_ONCE })) {
    const { event_id, membership } = row;
    const fired = yield* one(markFired, { ...personOf(row), event_id, fired_at: now });
    const told = fired !== undefined && membership === "join";
    if (told) announcements.push(firedOf(row, now, `evt-${newId()}`));
  }
  const earliest = yield* one(selectEarliest, {});
  return { value: earliest?.until ?? undefined, announcements };
}

function firedOf(row: DueRow, now: number, id: string): Announcement {
  const { tenant_id, participant_id, event_id, room_id, until } = row;
  const said = { event_id, room_id, until: isoOf(until) };
  return {
    frame: { type: "swp.snooze.fired", id, tenant_id, ts: isoOf(now), ...said },
    to: { participant_id },
  };
}

function* refuseOneTooMany(person: PersonKey): Program<void> {
  const count = (yield* one(countSnoozes, person))?.snoozes ?? 0;
  if (count < SNOOZES_MAX) return;
  const message = `must not be one more: you have ${SNOOZES_MAX} snoozes, delete one of them first`;
  throw invalid([{ path: "event_id", message }]);
}
