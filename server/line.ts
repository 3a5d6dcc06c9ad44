import {
  AnyObject,
  CallBody,
  CodedError,
  checkLeaves,
  type Fault,
  Id,
  Instant,
  invalid,
  type JsonObject,
  MANUAL_STATES,
  MemberBody,
  ParticipantBody,
  PlanBody,
  type PreferenceRegisters,
  PreferencesBody,
  parseInput,
  parseJson,
  patchOf,
  RoomBody,
  type Schema,
  SidekickBody,
  TenantBody,
} from "@porchlight/core";
import * as z from "zod/mini";
import type { Liveness } from "./liveness.ts";
import { noSuch } from "./refusals.ts";
import type { Snoozes } from "./snoozes.ts";
import type { Restored, Store } from "./store/store.ts";

/** Where lines go: the store, and who has to know of presence that was set by hand, and of snoozes. */
export interface Destination {
  readonly store: Store;
  readonly liveness: Pick<Liveness, "introduce" | "choose">;
  readonly snoozes: Pick<Snoozes, "set">;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Whose lines they are. */
export interface Scope {
  /** The only tenant that lines may be of; undefined for any. */
  readonly only: string | undefined;
  /** The tenant of lines that name none. */
  readonly usual: string | undefined;
}

/** What a line names besides its tenant. */
type IdName = "participant_id" | "room_id" | "task_id";
type Named<K extends IdName> = { readonly tenant_id: string } & { readonly [id in K]: string };
type Apply = (to: Destination) => Promise<unknown>;

const optional = z.optional;
const nullable = z.nullable;

const MessageFields = z
  .strictObject({
    sender_id: Id,
    content: AnyObject,
    sent_at: optional(Instant),
    event_id: optional(Id),
    event_uuid: optional(Id),
    redacted_at: optional(nullable(Instant)),
    redacted_by: optional(Id),
    redaction_id: optional(Id),
    reason: optional(z.string()),
  })
  .check(
    z.refine((fields) => "event_id" in fields || "event_uuid" in fields, {
      error: "must have an event_id or an event_uuid, so that it is sent once",
    }),
  );
const PreferencesFields = z
  .strictObject({ preferences: optional(PreferencesBody), registers: optional(AnyObject) })
  .check(
    z.refine((fields) => "preferences" in fields !== "registers" in fields, {
      error: "must have exactly one of preferences and registers",
    }),
  );
const Register = z.strictObject({
  value: z.unknown(),
  at: z.int(),
  device_id: z.string().check(z.maxLength(128)),
  seq: z.int(),
});
const TokenFields = z.strictObject({
  token_id: Id,
  hash: z.string().check(z.regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in hexadecimal")),
  label: optional(
    nullable(
      z.string().check(z.refine((text) => [...text].length <= 100, { error: "is too long" })),
    ),
  ),
  created_at: Instant,
  expires_at: optional(nullable(Instant)),
});

/** Every type of line: what it names, what else it says, and what it comes to. */
const KINDS: ReadonlyMap<string, Kind> = new Map([
  [
    "tenant",
    kind([], TenantBody, ({ store }, { tenant_id }, body) => store.putTenant(tenant_id, body)),
  ],
  [
    "participant",
    kind(["participant_id"], ParticipantBody, async ({ store, liveness, now }, key, body) =>
      liveness.introduce(await store.putParticipant(key, body, now())),
    ),
  ],
  [
    "presence",
    kind(
      ["participant_id"],
      z.strictObject({
        state: nullable(z.enum(MANUAL_STATES)),
        at: z.int().check(z.minimum(0)),
        device_id: z.string().check(z.maxLength(128)),
      }),
      async ({ store, liveness, now }, key, { state, ...made }) => {
        const manual = state ?? undefined;
        const { stands, at } = await store.setManual(key, { manual, made }, now());
        if (stands) liveness.choose(key, manual, undefined, at);
      },
    ),
  ],
  ["preferences", kind(["participant_id"], PreferencesFields, putPreferences)],
  [
    "outbox",
    restored(
      ["participant_id"],
      z.strictObject({ device_id: Id, applied_seq: z.int().check(z.minimum(0)) }),
      (key, fields) => ({ type: "outbox", ...key, ...fields }),
    ),
  ],
  [
    "token",
    restored(["participant_id"], TokenFields, (key, fields) => ({
      type: "token",
      ...key,
      ...fields,
    })),
  ],
  [
    "room",
    kind(["room_id"], RoomBody, ({ store, now }, key, body) => store.putRoom(key, body, now())),
  ],
  [
    "direct",
    restored(
      ["room_id"],
      z.strictObject({ participant_ids: z.tuple([Id, Id]) }),
      (key, fields) => ({
        type: "direct",
        ...key,
        ...fields,
      }),
    ),
  ],
  [
    "member",
    kind(["room_id", "participant_id"], MemberBody, ({ store, now }, key, body) =>
      store.putMember(key, body, now()),
    ),
  ],
  [
    "plan",
    kind(["room_id"], z.strictObject({ plan: PlanBody }), ({ store, now }, key, { plan }) =>
      store.putPlan(key, plan, now()),
    ),
  ],
  [
    "call",
    kind(["room_id"], z.strictObject({ call: CallBody }), ({ store, now }, key, { call }) =>
      store.putCall(key, call, now()),
    ),
  ],
  [
    "sidekick",
    kind(
      ["room_id", "task_id"],
      z.strictObject({ sidekick: SidekickBody }),
      ({ store, now }, { task_id, ...key }, { sidekick }) =>
        store.putSidekick(key, { ...sidekick, task_id }, now()),
    ),
  ],
  ["event", kind(["room_id"], MessageFields, putMessage)],
  [
    "read_marker",
    restored(
      ["room_id", "participant_id"],
      z.strictObject({ event_id: nullable(Id), read_to: optional(nullable(Id)) }),
      (key, { event_id, read_to = event_id }) => ({
        type: "read_marker",
        ...key,
        event_id,
        read_to,
      }),
    ),
  ],
  [
    "snooze",
    kind(
      ["room_id", "participant_id"],
      z.strictObject({
        event_id: Id,
        until: Instant,
        fired_at: z._default(nullable(Instant), null),
      }),
      async ({ store, snoozes }, key, fields) => {
        await store.restore({ type: "snooze", ...key, ...fields });
        if (fields.fired_at === null) snoozes.set(fields.until);
      },
    ),
  ],
]);

/**
 * Reads a line of an import. Answers what applies it, which hands it to the
 * store before it returns: lines that are applied in order are written in order.
 * @throws {CodedError} with every fault of the line
 */
export function parseLine(text: string, scope: Scope): Apply {
  const { type, ...fields } = parseInput(AnyObject, parseJson(text));
  const read = KINDS.get(String(type));
  if (read !== undefined) return read(fields, scope);
  const message = `must be one of ${[...KINDS.keys()].join(", ")}`;
  throw invalid([{ path: "type", message }]);
}

type Kind = (fields: JsonObject, scope: Scope) => Apply;

function kind<const K extends IdName, B>(
  ids: readonly K[],
  body: Schema<B>,
  apply: (to: Destination, key: Named<K>, body: B) => Promise<unknown>,
): Kind {
  const names = ["tenant_id", ...ids];
  const Ids = z.object({
    tenant_id: optional(Id),
    ...Object.fromEntries(ids.map((name) => [name, Id])),
  });
  return (fields, scope) => {
    const own = Object.entries(fields).filter(([name]) => !names.includes(name));
    const [key, rest] = both(
      () => parseInput(Ids, fields),
      () => parseInput(body, Object.fromEntries(own)),
    );
    const named = { ...key, tenant_id: tenantOf(key.tenant_id, scope) };
    // Each of the names has been read as an id.
    return (to) => apply(to, named as unknown as Named<K>, rest);
  };
}

/** A type of line that only the store's `restore` writes. */
function restored<const K extends IdName, B>(
  ids: readonly K[],
  body: Schema<B>,
  record: (key: Named<K>, body: B) => Restored,
): Kind {
  return kind(ids, body, ({ store }, key, fields) => store.restore(record(key, fields)));
}

/** What two readings come to, or a refusal with the faults of both. */
function both<A, B>(first: () => A, second: () => B): [A, B] {
  const faults: Fault[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      faults.push(...(error.details ?? []));
      return undefined;
    }
  };
  const read = [attempt(first), attempt(second)];
  if (faults.length > 0) throw invalid(faults);
  // Without a fault, both have been read.
  return read as [A, B];
}

function tenantOf(named: string | undefined, { only, usual }: Scope): string {
  if (only !== undefined && named !== undefined && named !== only) throw noSuch("tenant");
  const tenant_id = named ?? only ?? usual;
  if (tenant_id === undefined) throw invalid([{ path: "tenant_id", message: "is required" }]);
  return tenant_id;
}

/** A message with an id is one that was sent elsewhere; without one it is sent here, by a member. */
function putMessage(
  { store, now }: Destination,
  key: Named<"room_id">,
  { event_id, sent_at = now(), ...fields }: z.output<typeof MessageFields>,
): Promise<unknown> {
  if (event_id === undefined) return store.appendEvent(key, fields, sent_at);
  return store.restore({ type: "event", ...key, event_id, sent_at, ...fields });
}

function putPreferences(
  { store, now }: Destination,
  key: Named<"participant_id">,
  { preferences, registers }: z.output<typeof PreferencesFields>,
): Promise<unknown> {
  if (preferences !== undefined) return store.updatePreferences(key, preferences, now());
  return store.restore({ type: "preferences", ...key, registers: registersOf(registers ?? {}) });
}

/** Leaves with their stamps, each of them valid, or a refusal with every fault. */
function registersOf(given: JsonObject): PreferenceRegisters {
  const read = Object.entries(given).map(
    ([path, each]) => [path, parseInput(Register, each)] as const,
  );
  const { leaves, faults } = checkLeaves(patchOf(read.map(([path, { value }]) => [path, value])));
  const values = new Map(leaves);
  const unknown = read.filter(([path]) => !values.has(path)).map(([path]) => path);
  const strangers = unknown.map((path) => ({ path, message: "is not a leaf of the preferences" }));
  if (unknown.length > 0) throw invalid(faults.length > 0 ? faults : strangers);
  return Object.fromEntries(
    read.map(([path, each]) => [path, { ...each, value: values.get(path) }]),
  );
}
