import * as z from "zod/mini";
import { CodedError, type Fault, invalid } from "./errors.ts";
import type { ClientFrame } from "./frames.ts";
import { isObject, parseInput, parseJson, type Schema } from "./input.ts";
import { INDEFINITE_AT } from "./instant.ts";
import { isJsonObject, type JsonObject, utf8Bytes } from "./json.ts";
import {
  ENGAGEMENT_MODES,
  LOCALES,
  type PreferenceLeaf,
  type PreferencesPatch,
  preferenceLeaves,
  RESPONSE_MODES,
} from "./preferences.ts";
import { MANUAL_STATES, type ManualState } from "./presence.ts";
import { type Activity, RESERVED_DEVICE_PREFIXES } from "./presence-register.ts";
import type { ProfilePatch } from "./profile.ts";
import {
  type Call,
  MEMBERSHIPS,
  type MemberFacts,
  NOTIFICATION_MODES,
  PARTICIPANT_TYPES,
  type Participant,
  type Plan,
  ROOM_STATES,
  ROOM_TYPES,
  type RoomFacts,
} from "./room-state.ts";

/**
 * Everything a caller may send, and the one way in for it: {@link parseInput}.
 * Each schema is the single definition of what is valid; its type is that of
 * the concept it belongs to. Where a check is more than JSON Schema can be
 * made of, its metadata say the same, so that what is documented is what is
 * checked.
 */

/** Ids that one query by body, or one subscription, may name. */
export const MAX_IDS = 5_000;
/** A message, a plan, a call or a sidekick task, as JSON in UTF-8. */
const MAX_DOCUMENT_BYTES = 61_440;
/** The longest duration that makes sense: a hundred years, in milliseconds. */
const MAX_DURATION_MS = 3_155_760_000_000;

const ID_MESSAGE = "must be 1 to 128 of A-Z a-z 0-9 . _ : @ -";
const ID_PATTERN = /^[A-Za-z0-9._:@-]{1,128}$/;

/** Whether a text can be an id at all: 1–128 of `A-Z a-z 0-9 . _ : @ -`. */
export function isId(text: string): boolean {
  return ID_PATTERN.test(text);
}

export const id: z.ZodMiniString = z.string().check(z.regex(ID_PATTERN, ID_MESSAGE));
const deviceId = id.check(
  z.refine((text) => !RESERVED_DEVICE_PREFIXES.some((prefix) => text.startsWith(prefix)), {
    error: `must not begin with ${RESERVED_DEVICE_PREFIXES.join(" or ")}, which the server gives itself`,
  }),
  z.meta({ pattern: `^(?!${RESERVED_DEVICE_PREFIXES.join("|")})${ID_PATTERN.source.slice(1)}` }),
);
const length = (most: number, least = 0): z.core.$ZodCheck<string> =>
  z.refine((value) => [...value].length <= most && [...value].length >= least, {
    error:
      least > 0
        ? `must have ${least} to ${most} characters`
        : `must have at most ${most} characters`,
  });
export const text = (most: number, least = 0): z.ZodMiniString =>
  z.string().check(length(most, least), z.meta({ minLength: least, maxLength: most }));
const trimmed = (most: number): z.ZodMiniString =>
  z
    .string()
    .check(
      z.trim(),
      length(most, 1),
      z.meta({ pattern: "\\S", description: `trimmed, 1 to ${most} characters` }),
    );
const webAddress = z.string().check(
  z.refine((value) => value.length <= 2_048 && /^https?:\/\/[^\s/]+\S*$/i.test(value), {
    error: "must be an http or https address of at most 2048 characters",
  }),
  z.meta({ format: "uri", pattern: "^[Hh][Tt][Tt][Pp][Ss]?://", maxLength: 2_048 }),
);
const emailAddress = z.string().check(
  z.refine((value) => value.length <= 254 && /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value), {
    error: "must be an email address",
  }),
  z.meta({ format: "email", maxLength: 254 }),
);
const instant = z.pipe(
  z.string().check(
    z.refine(isInstant, {
      error: "must be an ISO 8601 instant with a zone, such as 2026-01-31T12:00:00.000Z",
    }),
    z.meta({ format: "date-time" }),
  ),
  z.transform((value: string) => Date.parse(value)),
);
const duration = z.int().check(z.minimum(0), z.maximum(MAX_DURATION_MS));
// Not a record of unknown values: that would drop a key "__proto__" without a word.
const object = z
  .custom<JsonObject>(isJsonObject, {
    error: ({ input }) => (input === undefined ? "is required" : "must be an object"),
  })
  .check(z.meta({ type: "object" }));
/** Whether what is kept as it came, such as a message, fits in a line of an import with all that a line adds to it. */
const fits = z.refine(
  (value: unknown) => utf8Bytes(JSON.stringify(value)) <= MAX_DOCUMENT_BYTES,
  `must be at most ${MAX_DOCUMENT_BYTES} bytes of JSON`,
);
/** What a message says. */
export const content: Schema<JsonObject> = object.check(fits);
/** A list of texts, looked into only once it is known to be no longer than it may be. */
const texts = (most: number, least = 0): z.ZodMiniType<string[]> =>
  z
    .pipe(
      z.array(z.unknown()).check(z.minLength(least), z.maxLength(most)),
      z.array(z.string()) as z.ZodMiniType<string[], unknown[]>,
    )
    .check(z.meta({ items: { type: "string" } }));
const optional = z.optional;
const nullable = z.nullable;

/** `PUT /v1/me/presence`: a state by hand, or back to automatic. */
export interface PresenceChoice {
  readonly state?: ManualState | undefined;
  readonly auto?: true | undefined;
  readonly device_id?: string | undefined;
  /** When a choice was made that could not be sent at once, by the clock of the device; with `sent_at`. */
  readonly edited_at?: number | undefined;
  /** When it was sent, by the same clock. */
  readonly sent_at?: number | undefined;
}
export const PresenceChoice: Schema<PresenceChoice> = z
  .strictObject({
    state: optional(z.enum(MANUAL_STATES)),
    auto: optional(z.literal(true)),
    device_id: optional(deviceId),
    edited_at: optional(instant),
    sent_at: optional(instant),
  })
  .check(
    z.refine((choice) => isObject(choice) && "edited_at" in choice === "sent_at" in choice, {
      error: "must have both of edited_at and sent_at, or neither",
      when: ({ value }) => isObject(value),
    }),
    z.refine((choice) => isObject(choice) && "state" in choice !== "auto" in choice, {
      error: "must have exactly one of state and auto",
      when: ({ value }) => isObject(value),
    }),
    z.meta({
      oneOf: [{ required: ["state"] }, { required: ["auto"] }],
      dependentRequired: { edited_at: ["sent_at"], sent_at: ["edited_at"] },
    }),
  );

/** `POST /v1/presence/query`. The ids are texts: whatever is no id reads offline. */
export interface PresenceQuery {
  readonly ids: readonly string[];
}
export const PresenceQuery: Schema<PresenceQuery> = z.strictObject({
  ids: texts(MAX_IDS, 1),
});

/** `POST /v1/me/heartbeat`. */
export interface Heartbeat extends Activity {
  readonly device_id: string;
}
const activity = { state: optional(z.enum(["online", "idle"])), idle_for_ms: optional(duration) };
export const Heartbeat: Schema<Heartbeat> = z.strictObject({ device_id: deviceId, ...activity });

/** `PUT /v1/typing`. */
export interface TypingRequest {
  readonly room_id: string;
  readonly typing: boolean;
  readonly device_id?: string | undefined;
}
export const TypingRequest: Schema<TypingRequest> = z.strictObject({
  room_id: id,
  typing: z.boolean(),
  device_id: optional(deviceId),
});

/** The changeable part of `PUT /v1/me`. */
export const ProfileBody: Schema<ProfilePatch> = z.strictObject({
  display_name: optional(trimmed(80)),
  avatar_url: optional(nullable(webAddress)),
  bio: optional(nullable(text(500))),
});

/** Any JSON object. */
export const AnyObject: Schema<JsonObject> = object;

const timeOfDay = z
  .string()
  .check(z.regex(/^([01]\d|2[0-3]):[0-5]\d$/, "must be HH:MM from 00:00 to 23:59"));
const keywordAlerts = z.pipe(
  z.array(trimmed(100)).check(z.maxLength(50)),
  z.transform((phrases: string[]) => {
    const seen = new Map(phrases.toReversed().map((phrase) => [phrase.toLowerCase(), phrase]));
    return phrases.filter(
      (phrase) => seen.get(phrase.toLowerCase()) === phrase && seen.delete(phrase.toLowerCase()),
    );
  }),
);

/** `PUT /v1/me/preferences`. */
export const PreferencesBody: Schema<PreferencesPatch> = z.strictObject({
  locale: optional(z.enum(LOCALES)),
  timezone: optional(
    z
      .string()
      .check(
        z.refine(isTimeZone, { error: "must be an IANA time zone such as Europe/Amsterdam" }),
        z.meta({ description: "an IANA time zone", examples: ["Europe/Amsterdam"] }),
      ),
  ),
  time_format: optional(z.enum(["12h", "24h"])),
  ai_response_mode: optional(z.enum(RESPONSE_MODES)),
  ai_engagement_mode: optional(z.enum(ENGAGEMENT_MODES)),
  default_mode: optional(z.enum(["all", "mentions", "none"])),
  quiet_hours: optional(
    z.strictObject({
      enabled: optional(z.boolean()),
      start: optional(nullable(timeOfDay)),
      end: optional(nullable(timeOfDay)),
      weekdays_only: optional(z.boolean()),
      weekends_only: optional(z.boolean()),
    }),
  ),
  keyword_alerts: optional(keywordAlerts),
  read_marker_mode: optional(z.enum(["leave", "scroll"])),
  push: optional(z.boolean()),
  email: optional(z.boolean()),
  email_address: optional(nullable(emailAddress)),
});

/** `POST /v1/me/preferences/edits`: what a device changed while it could not send. */
export interface EditsRequest {
  readonly device_id: string;
  /** When it was sent, in Unix milliseconds by the clock of the device. */
  readonly sent_at: number;
  readonly edits: readonly {
    /** Its place in the device's own order, from 1. */
    readonly seq: number;
    /** When it was made, by the same clock. */
    readonly edited_at: number;
    /** Its leaves are looked at one by one, by {@link checkLeaves}. */
    readonly patch: JsonObject;
  }[];
}
/** Edits that one request may carry. */
const MAX_EDITS = 1_000;
export const EditsRequest: Schema<EditsRequest> = z.strictObject({
  device_id: deviceId,
  sent_at: instant,
  edits: z
    .array(z.strictObject({ seq: z.int().check(z.minimum(1)), edited_at: instant, patch: object }))
    .check(z.minLength(1), z.maxLength(MAX_EDITS)),
});

/** The valid leaves of a patch, as they are stored, and the faults of the others. */
export function checkLeaves(patch: JsonObject): { leaves: PreferenceLeaf[]; faults: Fault[] } {
  const leaves: PreferenceLeaf[] = [];
  const faults: Fault[] = [];
  for (const single of singlesOf(patch)) {
    try {
      leaves.push(...preferenceLeaves(parseInput(PreferencesBody, single)));
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      faults.push(...(error.details ?? []));
    }
  }
  return { leaves, faults };
}

/** A patch as patches of one leaf each; what has leaves of its own is taken apart. */
function singlesOf(patch: JsonObject): JsonObject[] {
  return Object.entries(patch).flatMap(([key, value]): JsonObject[] => {
    const isNested = key === "quiet_hours" && isJsonObject(value);
    if (!isNested) return [ownEntry(key, value)];
    return Object.entries(value).map(([inner, leaf]) => ({ [key]: ownEntry(inner, leaf) }));
  });
}

/** `{[key]: value}` also where the key is `__proto__`. */
function ownEntry(key: string, value: unknown): JsonObject {
  return Object.fromEntries([[key, value]]);
}

/** `POST /v1/rooms/dm`. */
export interface DirectRoomRequest {
  readonly participant_id: string;
}
export const DirectRoomRequest: Schema<DirectRoomRequest> = z.strictObject({ participant_id: id });

/** `POST /v1/messages/{event_id}/snooze`. */
export interface SnoozeRequest {
  /** Unix milliseconds. */
  readonly until: number;
}
export const SnoozeRequest: Schema<SnoozeRequest> = z.strictObject({ until: instant });

/** How far ahead a message can be put off: ten years, in milliseconds. */
const SNOOZE_MAX_MS = 315_576_000_000;

/**
 * Refuses to put a message off until now or earlier, or for more than ten years.
 * @param now Unix milliseconds.
 * @throws {CodedError} `SW_VALIDATION`
 */
export function checkSnooze({ until }: SnoozeRequest, now: number): void {
  const message =
    until <= now
      ? "must be in the future"
      : until > now + SNOOZE_MAX_MS
        ? "must be within ten years"
        : undefined;
  if (message !== undefined) throw invalid([{ path: "until", message }]);
}

/** What a socket may say in its URL of the device it is of; values arrive as texts. */
export interface SocketQuery extends Activity {
  readonly device_id?: string | undefined;
  readonly instance?: string | undefined;
}

/** What a stream may say in its URL besides. */
export interface StreamQuery extends SocketQuery {
  readonly since?: number | undefined;
  readonly presence?: "all" | "none" | undefined;
}
export const numeral: z.ZodMiniType<number, string> = z.pipe(
  z.string().check(z.regex(/^\d{1,13}$/, "must be a whole number of at most 13 digits")),
  z.transform((digits: string) => Number(digits)),
);
/** What documents a number that arrives as a text. */
export const wholeNumber = { type: "integer", pattern: undefined, minimum: 0 };
const device = {
  device_id: optional(deviceId),
  instance: optional(id),
  state: optional(z.enum(["online", "idle"])),
  idle_for_ms: optional(
    z.pipe(numeral, duration).check(z.meta({ ...wholeNumber, maximum: MAX_DURATION_MS })),
  ),
};
export const SocketQuery: Schema<SocketQuery> = z.object(device);
export const StreamQuery: Schema<StreamQuery> = z.object({
  ...device,
  since: optional(numeral.check(z.meta(wholeNumber))),
  presence: optional(z.enum(["all", "none"])),
});

/** `GET /v1/profiles`; values arrive as texts. */
export interface ProfilesQuery {
  readonly q: string;
  readonly limit: number;
  readonly offset: number;
}
const counted = (fallback: string): z.ZodMiniType<number> =>
  z.pipe(z._default(z.string(), fallback), numeral);
/** How many of a list are asked for. */
export const pageSize: z.ZodMiniType<number> = counted("50").check(
  z.refine((limit) => limit >= 1 && limit <= 200, { error: "must be 1 to 200" }),
  z.meta({ ...wholeNumber, default: 50, minimum: 1, maximum: 200 }),
);
export const ProfilesQuery: Schema<ProfilesQuery> = z.object({
  q: z._default(text(100), ""),
  limit: pageSize,
  offset: counted("0").check(z.meta({ ...wholeNumber, default: 0 })),
});

/** `GET /v1/sync`; values arrive as texts. */
export interface SyncQuery {
  /** The position up to which everything is known. */
  readonly since?: number | undefined;
  readonly limit: number;
  /** How long to wait for something to happen, in milliseconds. */
  readonly timeout: number;
}
export const SyncQuery: Schema<SyncQuery> = z.object({
  since: optional(numeral.check(z.meta(wholeNumber))),
  limit: counted("100").check(
    z.refine((limit) => limit >= 1 && limit <= 500, { error: "must be 1 to 500" }),
    z.meta({ ...wholeNumber, default: 100, minimum: 1, maximum: 500 }),
  ),
  timeout: counted("30000").check(
    z.refine((timeout) => timeout <= 60_000, { error: "must be 0 to 60000" }),
    z.meta({ ...wholeNumber, default: 30_000, maximum: 60_000 }),
  ),
});

/** A frame from the client. Keys that are not known are ignored, so that newer clients can talk to older servers. */
export const ClientFrameSchema: Schema<ClientFrame> = z.discriminatedUnion(
  "type",
  [
    z.object({
      type: z.literal("heartbeat"),
      state: z.enum(["online", "idle"]),
      idle_for_ms: optional(duration),
      ack: optional(z.boolean()),
    }),
    z.object({ type: z.literal("typing"), room_id: id, typing: z.boolean() }),
    z.object({
      type: z.literal("subscribe"),
      presence: z.union([z.enum(["all", "none"]), texts(MAX_IDS)], {
        error: `must be "all", "none" or a list of at most ${MAX_IDS} ids`,
      }),
      snapshot: optional(z.boolean()),
    }),
    z.object({ type: z.literal("bye") }),
  ],
  {
    error: 'must be one of "heartbeat", "typing", "subscribe", "bye"',
  },
);

/** `PUT /v1/admin/tenants/{id}`. An absent key keeps what is stored. */
export interface TenantBody {
  readonly slug?: string | undefined;
  readonly name?: string | undefined;
  readonly features?: JsonObject | undefined;
}
export const TenantBody: Schema<TenantBody> = z.strictObject({
  slug: optional(id),
  name: optional(trimmed(200)),
  features: optional(object),
});

/** Which tenant an administrator means, where more than one could be meant. */
interface InTenant {
  readonly tenant_id?: string | undefined;
}
const inTenant = { tenant_id: optional(id) };

/** `PUT /v1/admin/participants/{id}`. An absent key keeps what is stored, or its default. */
export interface ParticipantBody extends InTenant, Partial<ProfilePatch> {
  readonly local_id?: string | undefined;
  readonly server_name?: string | undefined;
  readonly participant_type?: Participant["participant_type"] | undefined;
  readonly email?: string | null | undefined;
  readonly personal_workspace_id?: string | null | undefined;
  readonly roles?: readonly string[] | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly presence?: ManualState | null | undefined;
}
const labels = z.array(trimmed(128)).check(z.maxLength(100));
export const ParticipantBody: Schema<ParticipantBody> = z.strictObject({
  ...inTenant,
  local_id: optional(id),
  server_name: optional(trimmed(255)),
  display_name: optional(trimmed(80)),
  avatar_url: optional(nullable(webAddress)),
  bio: optional(nullable(text(500))),
  participant_type: optional(z.enum(PARTICIPANT_TYPES)),
  email: optional(nullable(emailAddress)),
  personal_workspace_id: optional(nullable(id)),
  roles: optional(labels),
  groups: optional(labels),
  presence: optional(nullable(z.enum(MANUAL_STATES))),
});

/** `PUT /v1/admin/rooms/{id}`. An absent key keeps what is stored, or its default. */
export interface RoomBody
  extends InTenant,
    Partial<
      Omit<{ -readonly [K in keyof RoomFacts]: RoomFacts[K] | undefined }, "id" | "member_count">
    > {}
export const RoomBody: Schema<RoomBody> = z.strictObject({
  ...inTenant,
  name: optional(nullable(trimmed(200))),
  topic: optional(nullable(text(1_000))),
  room_type: optional(z.enum(ROOM_TYPES)),
  state: optional(z.enum(ROOM_STATES)),
  workspace_id: optional(nullable(id)),
  creator_id: optional(nullable(id)),
  created_at: optional(instant),
  is_public: optional(z.boolean()),
  engagement_mode: optional(z.enum(ENGAGEMENT_MODES)),
  response_mode: optional(nullable(z.enum(RESPONSE_MODES))),
});

/** When a mute ends: at an instant, never of itself, or now. */
export const muteEnd: z.ZodMiniType<number | null> = nullable(
  z.union([
    z.pipe(
      z.literal("indefinite"),
      z.transform(() => INDEFINITE_AT),
    ),
    instant,
  ]),
);

/** `PUT /v1/admin/rooms/{id}/members/{participant_id}`. An absent key keeps what is stored, or its default. */
export interface MemberBody
  extends InTenant,
    Partial<
      Omit<{ -readonly [K in keyof MemberFacts]: MemberFacts[K] | undefined }, "participant">
    > {}
export const MemberBody: Schema<MemberBody> = z.strictObject({
  ...inTenant,
  membership: optional(z.enum(MEMBERSHIPS)),
  power_level: optional(
    z.int().check(
      z.refine((level) => Math.abs(level) <= 1_000, { error: "must be -1000 to 1000" }),
      z.meta({ minimum: -1_000, maximum: 1_000 }),
    ),
  ),
  joined_at: optional(nullable(instant)),
  notification_mode: optional(z.enum(NOTIFICATION_MODES)),
  muted_until: optional(muteEnd),
  response_mode: optional(nullable(z.enum(RESPONSE_MODES))),
  engagement_mode: optional(nullable(z.enum(ENGAGEMENT_MODES))),
});

/** `PUT /v1/admin/rooms/{id}/plan`. Further keys are kept. */
export const PlanBody: Schema<Plan> = z
  .looseObject({
    id,
    state: z.enum(["draft", "running", "paused", "done", "failed", "cancelled"]),
    goal: optional(nullable(z.string())),
    mode: optional(z.enum(["sequential", "parallel"])),
    advance: optional(z.enum(["auto", "manual"])),
    venue: optional(z.enum(["main", "sidekick"])),
    current_step_id: optional(nullable(z.string())),
    consecutive_auto_steps: optional(duration),
    steps: optional(
      z.array(
        z.looseObject({
          id: z.string(),
          text: optional(z.string()),
          status: optional(z.enum(["pending", "in_progress", "done", "failed", "skipped"])),
          result: optional(z.unknown()),
          attempts: optional(duration),
        }),
      ),
    ),
  })
  .check(fits);

const instantText = z
  .string()
  .check(
    z.refine(isInstant, { error: "must be an ISO 8601 instant with a zone" }),
    z.meta({ format: "date-time" }),
  );

/** `PUT /v1/admin/rooms/{id}/sidekicks/{task_id}`. Further keys are kept. */
export interface SidekickBody extends JsonObject {
  readonly status: string;
}
export const SidekickBody: Schema<SidekickBody> = z
  .looseObject({
    status: text(64, 1),
    codename: optional(nullable(z.string())),
    task: optional(nullable(z.string())),
    sidekick_room_id: optional(nullable(id)),
    agent_participant_id: optional(nullable(id)),
    started_at: optional(nullable(instantText)),
    result_summary: optional(nullable(z.string())),
  })
  .check(fits);

/** `PUT /v1/admin/rooms/{id}/call`. Further keys are kept. */
export const CallBody: Schema<Call> = z
  .looseObject({
    call_id: id,
    type: optional(z.enum(["audio", "video"])),
    started_at: optional(instantText),
    started_by: optional(nullable(id)),
    participants: optional(
      z.array(z.looseObject({ participant_id: id, joined_at: optional(instantText) })),
    ),
    ended_at: z._default(nullable(instantText), null),
  })
  .check(fits);

/** What is taken back, and why. */
export interface Redaction {
  readonly redacts: string;
  readonly reason?: string | undefined;
}

/** `POST /v1/admin/rooms/{id}/events`: a message unless `type` says otherwise. */
export type EventBody = InTenant & {
  readonly sender_id: string;
  readonly event_uuid?: string | undefined;
} & (
    | { readonly type?: "swp.room.message" | undefined; readonly content: JsonObject }
    | { readonly type: "swp.room.redaction"; readonly content: Redaction }
  );
const redaction = z.strictObject({ redacts: id, reason: optional(text(500)) });
export const EventBody: Schema<EventBody> = z
  .strictObject({
    ...inTenant,
    sender_id: id,
    type: optional(z.enum(["swp.room.message", "swp.room.redaction"])),
    content,
    event_uuid: optional(id),
  })
  .check(
    z.check(
      ({ value: { type, content }, issues }) => {
        if (type === "swp.room.redaction") issues.push(...issuesOf(redaction, content, "content"));
      },
      { when: ({ value }) => isObject(value) && "content" in value && isObject(value.content) },
    ),
  ) as Schema<EventBody>;

/** What a schema finds wrong in a part of an input that stays as it came, also with a key `__proto__`. */
export function issuesOf(
  schema: Schema<unknown>,
  part: unknown,
  ...path: string[]
): z.core.$ZodRawIssue[] {
  const { issues = [] } = schema.safeParse(part).error ?? {};
  // An issue that was found is one that can be reported: it only lacks its place in the whole.
  return issues.map((issue) => ({
    ...issue,
    path: [...path, ...issue.path],
  })) as z.core.$ZodRawIssue[];
}

/** `POST /v1/admin/tokens`. */
export interface TokenBody extends InTenant {
  readonly participant_id: string;
  readonly label?: string | null | undefined;
  readonly expires_at?: number | null | undefined;
}
export const TokenBody: Schema<TokenBody> = z.strictObject({
  ...inTenant,
  participant_id: id,
  label: optional(nullable(trimmed(100))),
  expires_at: optional(nullable(instant)),
});

/** An id, for schemas elsewhere that are made of the same things. */
export const Id: Schema<string> = id;
/** An instant in ISO 8601, read as Unix milliseconds. */
export const Instant: Schema<number> = instant;

/** The query of an administrator's request. */
export const TenantQuery: Schema<InTenant> = z.object(inTenant);

/**
 * A frame from a client, or a refusal that names every fault.
 * @throws {CodedError} `SW_VALIDATION`
 */
export function parseFrame(text: string): ClientFrame {
  return parseInput(ClientFrameSchema, parseJson(text));
}

function isInstant(value: string): boolean {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/.test(value)) return false;
  const at = Date.parse(value);
  // A day that its month does not have is read as one of the next month, or not at all.
  const day = Date.parse(`${value.slice(0, 10)}T00:00:00.000Z`);
  const isDay = day >= 0 && new Date(day).toISOString().startsWith(value.slice(0, 10));
  return isDay && at >= 0 && at <= INDEFINITE_AT;
}

function isTimeZone(zone: string): boolean {
  if (/^[+-]|^[A-Z]+[+-]\d/i.test(zone)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
