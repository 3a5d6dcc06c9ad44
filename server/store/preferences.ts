import {
  applyEdits,
  type EditedPreferences,
  isLater,
  isoOf,
  type PreferenceEdit,
  type PreferenceRegisters,
  type Preferences,
  type PreferencesPatch,
  readPreferences,
  writePreferences,
} from "@porchlight/core";
import type { Told } from "./events.ts";
import { personOf } from "./people.ts";
import { one, type Program, statement } from "./query.ts";
import type { Tables } from "./schema.ts";
import type { PersonKey } from "./store.ts";

const selectRegisters = statement<PersonKey>()((db, p) =>
  db
    .selectFrom("preferences")
    .select("registers_json")
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", "=", p.participant_id),
);

const upsertRegisters = statement<PersonKey & { registers_json: string }>()((db, p) =>
  db
    .insertInto("preferences")
    .values({
      tenant_id: p.tenant_id,
      participant_id: p.participant_id,
      registers_json: p.registers_json,
    })
    .onConflict((conflict) =>
      conflict
        .columns(["tenant_id", "participant_id"])
        .doUpdateSet({ registers_json: p.registers_json }),
    ),
);

const selectOutbox = statement<PersonKey & { device_id: string }>()((db, p) =>
  db
    .selectFrom("outboxes")
    .select("applied_seq")
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", "=", p.participant_id)
    .where("device_id", "=", p.device_id),
);

const upsertOutbox = statement<Tables["outboxes"]>()((db, p) =>
  db
    .insertInto("outboxes")
    .values({
      tenant_id: p.tenant_id,
      participant_id: p.participant_id,
      device_id: p.device_id,
      applied_seq: p.applied_seq,
    })
    .onConflict((conflict) =>
      conflict
        .columns(["tenant_id", "participant_id", "device_id"])
        .doUpdateSet({ applied_seq: p.applied_seq }),
    ),
);

export function* preferences(
  key: PersonKey,
  defaults: Preferences | undefined,
): Program<Preferences> {
  return readPreferences(yield* registers(key), defaults);
}

/** What a program that changes preferences needs besides its arguments. */
interface Changing {
  readonly defaults: Preferences;
  readonly now: number;
  readonly event_id: string;
}

export function* updatePreferences(
  key: PersonKey,
  patch: PreferencesPatch,
  options: Changing,
): Program<Told<Preferences>> {
  const before = yield* registers(key);
  return yield* savePreferences(key, before, writePreferences(before, patch, options.now), options);
}

export function* editPreferences(
  key: PersonKey,
  device_id: string,
  edits: readonly PreferenceEdit[],
  options: Changing,
): Program<Told<{ preferences: Preferences } & Omit<EditedPreferences, "registers">>> {
  const before = yield* registers(key);
  const outbox = { ...personOf(key), device_id };
  const applied = (yield* one(selectOutbox, outbox))?.applied_seq ?? 0;
  const edited = applyEdits({ registers: before, applied_seq: applied }, device_id, edits);
  const { registers: after, applied_seq, superseded } = edited;
  yield* one(upsertOutbox, { ...outbox, applied_seq });
  const { value: preferences, announcements } = yield* savePreferences(key, before, after, options);
  return { value: { preferences, applied_seq, superseded }, announcements };
}

/** Takes up leaves that were written elsewhere: of each the later write stands. Nobody is told. */
export function* restoreRegisters(key: PersonKey, restored: PreferenceRegisters): Program<void> {
  const before = yield* registers(key);
  const later = Object.entries(restored).filter(([path, written]) => {
    const there = before[path];
    return there === undefined || isLater(written, there);
  });
  if (later.length === 0) return;
  const after = { ...before, ...Object.fromEntries(later) };
  yield* one(upsertRegisters, { ...personOf(key), registers_json: JSON.stringify(after) });
}

/** Takes up how far the edits of a device have been looked at elsewhere. */
export function* restoreOutbox(row: Tables["outboxes"]): Program<void> {
  const { device_id } = row;
  const known = yield* one(selectOutbox, { ...personOf(row), device_id });
  if ((known?.applied_seq ?? 0) < row.applied_seq) yield* one(upsertOutbox, row);
}

/** Writes down what the document stands on, and tells the person's own devices if it has changed. */
function* savePreferences(
  key: PersonKey,
  before: PreferenceRegisters,
  after: PreferenceRegisters,
  { defaults, now, event_id }: Changing,
): Program<Told<Preferences>> {
  const preferences = readPreferences(after, defaults);
  yield* one(upsertRegisters, { ...personOf(key), registers_json: JSON.stringify(after) });
  const { tenant_id, participant_id } = key;
  const changed = JSON.stringify(preferences) !== JSON.stringify(readPreferences(before, defaults));
  const ts = isoOf(now);
  const frame = { type: "swp.me.preferences", id: event_id, tenant_id, ts, preferences } as const;
  return { value: preferences, announcements: changed ? [{ frame, to: { participant_id } }] : [] };
}

function* registers(key: PersonKey): Program<PreferenceRegisters> {
  const row = yield* one(selectRegisters, personOf(key));
  return row === undefined ? {} : JSON.parse(row.registers_json);
}
