import {
  isLater,
  type ManualState,
  type Me,
  type Participant,
  type ParticipantBody,
  type Profile,
  type ProfilePatch,
  type ProfilesQuery,
  type Stamp,
  stampAfter,
  type TenantBody,
} from "@porchlight/core";
import { noSuch } from "../refusals.ts";
import { append, type Told } from "./events.ts";
import { kept } from "./operation.ts";
import { all, one, type Program, statement } from "./query.ts";
import type { Tables } from "./schema.ts";
import type { Announcement, PersonKey, PresenceFacts, StoredMe } from "./store.ts";

type TenantRow = Tables["tenants"];
type ParticipantRow = Tables["participants"];

const PARTICIPANT_FIELDS = [
  "local_id",
  "server_name",
  "display_name",
  "participant_type",
  "avatar_url",
  "bio",
  "email",
  "personal_workspace_id",
] as const;
const MACHINES: readonly string[] = ["model", "helper"];

const selectTenant = statement<{ tenant_id: string }>()((db, p) =>
  db.selectFrom("tenants").selectAll().where("tenant_id", "=", p.tenant_id),
);

const upsertTenant = statement<TenantRow>()((db, p) =>
  db
    .insertInto("tenants")
    .values({
      tenant_id: p.tenant_id,
      slug: p.slug,
      name: p.name,
      features_json: p.features_json,
      position: p.position,
      unreplayable: p.unreplayable,
    })
    .onConflict((conflict) =>
      conflict
        .column("tenant_id")
        .doUpdateSet({ slug: p.slug, name: p.name, features_json: p.features_json }),
    ),
);

const selectParticipant = statement<PersonKey>()((db, p) =>
  db
    .selectFrom("participants")
    .selectAll()
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", "=", p.participant_id),
);

const upsertParticipant = statement<ParticipantRow>()((db, p) => {
  const facts = {
    local_id: p.local_id,
    server_name: p.server_name,
    display_name: p.display_name,
    participant_type: p.participant_type,
    avatar_url: p.avatar_url,
    bio: p.bio,
    email: p.email,
    personal_workspace_id: p.personal_workspace_id,
    roles_json: p.roles_json,
    groups_json: p.groups_json,
    manual_state: p.manual_state,
    manual_at: p.manual_at,
    manual_device_id: p.manual_device_id,
    search: p.search,
  };
  return db
    .insertInto("participants")
    .values({ tenant_id: p.tenant_id, participant_id: p.participant_id, ...facts })
    .onConflict((conflict) => conflict.columns(["tenant_id", "participant_id"]).doUpdateSet(facts));
});

const setManualState = statement<
  PersonKey & { manual_state: string | null; manual_at: number; manual_device_id: string }
>()((db, p) =>
  db
    .updateTable("participants")
    .set({
      manual_state: p.manual_state,
      manual_at: p.manual_at,
      manual_device_id: p.manual_device_id,
    })
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", "=", p.participant_id),
);

const selectPresenceFacts = statement<{ model: string; helper: string }>()((db, p) =>
  db
    .selectFrom("participants")
    .select(["tenant_id", "participant_id", "manual_state", "manual_at", "participant_type"])
    .where(({ or, eb }) =>
      or([
        eb("manual_state", "is not", null),
        eb("participant_type", "=", p.model),
        eb("participant_type", "=", p.helper),
      ]),
    ),
);

const selectProfiles = statement<{
  tenant_id: string;
  pattern: string;
  nothing: string;
  limit: number;
  offset: number;
}>()((db, p) =>
  db
    .selectFrom("participants")
    .select([
      "participant_id",
      "local_id",
      "server_name",
      "display_name",
      "participant_type",
      "avatar_url",
      "bio",
    ])
    .where("tenant_id", "=", p.tenant_id)
    // "Contains", said so that every dialect knows it and no character of the pattern is special.
    .where(({ eb, val, fn }) =>
      eb(fn("replace", ["search", val(p.pattern), val(p.nothing)]), "<>", eb.ref("search")),
    )
    .orderBy("display_name")
    .orderBy("participant_id")
    .limit(p.limit)
    .offset(p.offset),
);

/** The tenant's row, or a refusal. */
export function* tenantRow(tenant_id: string): Program<TenantRow> {
  const row = yield* one(selectTenant, { tenant_id });
  if (row === undefined) throw noSuch("tenant");
  return row;
}

export function* hasTenant(tenant_id: string): Program<boolean> {
  return (yield* one(selectTenant, { tenant_id })) !== undefined;
}

/** Under what is kept where the positions of a tenant ended that is no more. */
export function formerTenant(tenant_id: string): string {
  return `tenant/${tenant_id}`;
}

/** Adds or changes a tenant. One that there was before goes on above its old positions, so that they are not taken for new ones. */
export function* putTenant(tenant_id: string, body: TenantBody): Program<Me["tenant"]> {
  const known = yield* one(selectTenant, { tenant_id });
  const former = known === undefined ? yield* kept(formerTenant(tenant_id)) : undefined;
  const start: number = former === undefined ? 0 : JSON.parse(former.body_json).position;
  const row: TenantRow = {
    tenant_id,
    slug: body.slug ?? known?.slug ?? tenant_id,
    name: body.name ?? known?.name ?? tenant_id,
    features_json:
      body.features === undefined ? (known?.features_json ?? "{}") : JSON.stringify(body.features),
    position: known?.position ?? start,
    unreplayable: known?.unreplayable ?? start,
  };
  yield* one(upsertTenant, row);
  return tenantOf(row);
}

/** The participant's row, or a refusal. */
export function* participantRow(key: PersonKey): Program<ParticipantRow> {
  const row = yield* one(selectParticipant, {
    tenant_id: key.tenant_id,
    participant_id: key.participant_id,
  });
  if (row === undefined) throw noSuch("participant");
  return row;
}

export function* putParticipant(
  key: PersonKey,
  body: ParticipantBody,
  options: { server_name: string; now: number; event_id: string },
): Program<Told<PresenceFacts>> {
  yield* tenantRow(key.tenant_id);
  const known = yield* one(selectParticipant, personOf(key));
  const { roles, groups, presence } = body;
  const row = withSearch({
    ...(known ?? newParticipant(key, options.server_name)),
    ...present(body, PARTICIPANT_FIELDS),
    ...(roles === undefined ? {} : { roles_json: JSON.stringify(roles) }),
    ...(groups === undefined ? {} : { groups_json: JSON.stringify(groups) }),
    ...(presence === undefined
      ? {}
      : {
          manual_state: presence,
          manual_at: stampAfter(manualStamp(known), options.now).at,
          manual_device_id: "",
        }),
  });
  yield* one(upsertParticipant, row);
  return {
    value: factsOf(row),
    announcements: yield* announceProfile(known, row, options),
  };
}

export function* presenceFacts(): Program<readonly PresenceFacts[]> {
  const rows = yield* all(selectPresenceFacts, { model: "model", helper: "helper" });
  return rows.map(factsOf);
}

export function* presenceFactsOf(key: PersonKey): Program<PresenceFacts | undefined> {
  const row = yield* one(selectParticipant, personOf(key));
  return row && factsOf(row);
}

export function* setManual(
  key: PersonKey,
  choice: { manual: ManualState | undefined; made?: { at: number; device_id: string } | undefined },
  now: number,
): Program<{ stands: boolean; at: number }> {
  const row = yield* participantRow(key);
  const there = manualStamp(row);
  const stamp = choice.made === undefined ? stampAfter(there, now) : { ...choice.made, seq: 0 };
  if (!isLater(stamp, there)) return { stands: false, at: there.at };
  yield* one(setManualState, {
    ...personOf(key),
    manual_state: choice.manual ?? null,
    manual_at: stamp.at,
    manual_device_id: stamp.device_id,
  });
  return { stands: true, at: stamp.at };
}

export function* me(key: PersonKey): Program<StoredMe | undefined> {
  const row = yield* one(selectParticipant, personOf(key));
  if (row === undefined) return undefined;
  const tenant = yield* tenantRow(key.tenant_id);
  return {
    participant_id: row.participant_id,
    local_id: row.local_id,
    server_name: row.server_name,
    display_name: row.display_name,
    email: row.email,
    avatar_url: row.avatar_url,
    bio: row.bio,
    personal_workspace_id: row.personal_workspace_id,
    roles: JSON.parse(row.roles_json),
    groups: JSON.parse(row.groups_json),
    tenant: tenantOf(tenant),
  };
}

export function* updateProfile(
  key: PersonKey,
  patch: ProfilePatch,
  options: { now: number; event_id: string },
): Program<Told<undefined>> {
  const known = yield* participantRow(key);
  const row = withSearch({ ...known, ...present(patch, ["display_name", "avatar_url", "bio"]) });
  yield* one(upsertParticipant, row);
  return { value: undefined, announcements: yield* announceProfile(known, row, options) };
}

export function* profile(key: PersonKey): Program<Profile | undefined> {
  const row = yield* one(selectParticipant, personOf(key));
  return row && { participant: participantOf(row), bio: row.bio };
}

export function* profiles(
  tenant_id: string,
  { q, limit, offset }: ProfilesQuery,
): Program<readonly Profile[]> {
  // Every search text begins with a line break, so that an empty query finds everyone.
  const pattern = q === "" ? "\n" : q.toLowerCase();
  const rows = yield* all(selectProfiles, { tenant_id, pattern, nothing: "", limit, offset });
  return rows.map((row) => ({ participant: participantOf(row), bio: row.bio }));
}

/** A participant as everyone in the tenant sees them. */
export function participantOf(
  row: Pick<
    ParticipantRow,
    | "participant_id"
    | "local_id"
    | "server_name"
    | "display_name"
    | "participant_type"
    | "avatar_url"
  >,
): Participant {
  return {
    id: row.participant_id,
    local_id: row.local_id,
    server_name: row.server_name,
    display_name: row.display_name,
    // Only what the schema of the body lets through is ever stored.
    participant_type: row.participant_type as Participant["participant_type"],
    avatar_url: row.avatar_url,
  };
}

/** The keys of a body that are there, null included. */
export function present<T extends object, K extends keyof T>(
  body: T,
  keys: readonly K[],
): { [P in K]?: Exclude<T[P], undefined> } {
  const entries = keys.filter((key) => body[key] !== undefined).map((key) => [key, body[key]]);
  return Object.fromEntries(entries);
}

function* announceProfile(
  before: ParticipantRow | undefined,
  after: ParticipantRow,
  { now, event_id }: { now: number; event_id: string },
): Program<readonly Announcement[]> {
  const body = {
    participant_id: after.participant_id,
    participant: participantOf(after),
    bio: after.bio,
  };
  const was = before && {
    participant_id: before.participant_id,
    participant: participantOf(before),
    bio: before.bio,
  };
  if (JSON.stringify(body) === JSON.stringify(was)) return [];
  const frame = yield* append(
    { tenant_id: after.tenant_id, event_id, type: "swp.participant.profile", body },
    now,
  );
  return [{ frame, to: "tenant" }];
}

function factsOf(
  row: Pick<
    ParticipantRow,
    "tenant_id" | "participant_id" | "manual_state" | "manual_at" | "participant_type"
  >,
): PresenceFacts {
  return {
    tenant_id: row.tenant_id,
    participant_id: row.participant_id,
    // Only what the schema of a choice lets through is ever stored.
    manual: (row.manual_state as ManualState | null) ?? undefined,
    manual_at: row.manual_at,
    alwaysOnline: MACHINES.includes(row.participant_type),
  };
}

function tenantOf(row: TenantRow): Me["tenant"] {
  return {
    id: row.tenant_id,
    slug: row.slug,
    name: row.name,
    features: JSON.parse(row.features_json),
  };
}

/** When the state was last set by hand; long ago for someone who never did. */
function manualStamp(row: ParticipantRow | undefined): Stamp {
  return { at: row?.manual_at ?? 0, device_id: row?.manual_device_id ?? "", seq: 0 };
}

function newParticipant(
  { tenant_id, participant_id }: PersonKey,
  server_name: string,
): Omit<ParticipantRow, "search"> {
  return {
    tenant_id,
    participant_id,
    local_id: participant_id,
    server_name,
    // No longer than what its owner may put back.
    display_name: participant_id.slice(0, 80),
    participant_type: "human",
    avatar_url: null,
    bio: null,
    email: null,
    personal_workspace_id: null,
    roles_json: "[]",
    groups_json: "[]",
    manual_state: null,
    manual_at: 0,
    manual_device_id: "",
  };
}

function withSearch(row: Omit<ParticipantRow, "search">): ParticipantRow {
  return { ...row, search: `\n${row.display_name}\n${row.local_id}`.toLowerCase() };
}

/** Only the key's own two fields: callers hand in larger objects. */
export function personOf({ tenant_id, participant_id }: PersonKey): PersonKey {
  return { tenant_id, participant_id };
}
