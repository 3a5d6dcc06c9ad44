import { describe, expect, test } from "bun:test";
import {
  AnyObject,
  CallBody,
  ClientFrameSchema,
  CodedError,
  checkSnooze,
  DirectRoomRequest,
  EventBody,
  type Fault,
  Heartbeat,
  INDEFINITE_AT,
  isId,
  MAX_DEPTH,
  MAX_IDS,
  MAX_VALUES,
  MemberBody,
  ParticipantBody,
  PlanBody,
  PreferencesBody,
  PresenceChoice,
  PresenceQuery,
  ProfileBody,
  ProfilesQuery,
  parseFrame,
  parseInput,
  parseJson,
  RoomBody,
  type Schema,
  SidekickBody,
  SnoozeRequest,
  StreamQuery,
  SyncQuery,
  TenantBody,
  TenantQuery,
  TokenBody,
  TypingRequest,
} from "@porchlight/core";
import fc from "fast-check";
import { anyJson, anyText, nearly, nested } from "../support/junk.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../support/runs.ts";

/** What `act` refuses: its faults. Anything else that is thrown is passed on. */
function faultsOf(act: () => unknown): readonly Fault[] {
  try {
    act();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const { code, details = [] } = error;
    expect(code).toBe("SW_VALIDATION");
    expect(details).not.toBeEmpty();
    return details;
  }
  return [];
}

/** The paths at which a body is refused; empty when it is accepted. */
function refused(schema: Schema<unknown>, body: unknown): string[] {
  return faultsOf(() => parseInput(schema, body)).map(({ path }) => path);
}

/** What is said against one leaf of a body. */
function complaint(schema: Schema<unknown>, body: unknown): string | undefined {
  return faultsOf(() => parseInput(schema, body))[0]?.message;
}

const NOON = "2026-01-31T12:00:00Z";
const activity = { device_id: "d", state: "idle" };
const profile = { display_name: "Ann", avatar_url: "https://example.org/a", bio: null };

/** Every schema, with something that it accepts. */
const everySchema: readonly (readonly [Schema<unknown>, object])[] = [
  [AnyObject, { a: { b: [1] } }],
  [CallBody, { call_id: "c", type: "audio", started_at: NOON, participants: [], ended_at: NOON }],
  [ClientFrameSchema, { type: "heartbeat", state: "idle", idle_for_ms: 5 }],
  [ClientFrameSchema, { type: "typing", room_id: "r", typing: true }],
  [ClientFrameSchema, { type: "subscribe", presence: ["p1"], snapshot: true }],
  [DirectRoomRequest, { participant_id: "p" }],
  [EventBody, { sender_id: "p", type: "swp.room.message", content: { body: "x" } }],
  [Heartbeat, { ...activity, idle_for_ms: 5 }],
  [MemberBody, { membership: "join", power_level: 5, muted_until: "indefinite", joined_at: NOON }],
  [ParticipantBody, { ...profile, roles: ["a"], presence: "busy", email: "a@b.c" }],
  [PlanBody, { id: "p", state: "draft", steps: [{ id: "s", status: "done", attempts: 1 }] }],
  [PreferencesBody, { locale: "nl", timezone: "UTC", quiet_hours: { start: "22:00", end: null } }],
  [PreferencesBody, { keyword_alerts: ["a", "A"], push: true, email_address: null }],
  [PresenceChoice, { state: "busy", device_id: "d" }],
  [PresenceQuery, { ids: ["p1"] }],
  [ProfileBody, profile],
  [ProfilesQuery, { q: "ann", limit: "5", offset: "0" }],
  [SyncQuery, { since: "1", limit: "5", timeout: "0" }],
  [RoomBody, { name: "Lobby", room_type: "group", created_at: NOON, is_public: true }],
  [SidekickBody, { status: "running", started_at: NOON, sidekick_room_id: "r" }],
  [SnoozeRequest, { until: NOON }],
  [StreamQuery, { ...activity, instance: "i", idle_for_ms: "5", since: "5", presence: "all" }],
  [TenantBody, { slug: "acme", name: "Acme", features: { calls: true } }],
  [TenantQuery, { tenant_id: "acme" }],
  [TokenBody, { participant_id: "p", label: "laptop", expires_at: NOON }],
  [TypingRequest, { room_id: "r", typing: true, device_id: "d" }],
];

describe("isId", () => {
  test("an id has 1 to 128 characters", () => {
    expect(["", "a", "a".repeat(128), "a".repeat(129)].map(isId)).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  test("an id is made of letters, digits and . _ : @ - alone", () => {
    const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-";
    for (let unit = 0; unit < 0x250; unit += 1) {
      const character = String.fromCharCode(unit);
      expect(isId(`a${character}b`)).toBe(allowed.includes(character));
    }
    expect(isId("a\n")).toBe(false);
  });
});

describe("parseInput", () => {
  test("answers with the value, without what the schema does not know of a loose one", () => {
    expect(parseInput(TenantQuery, { tenant_id: "acme", more: 1 })).toEqual({ tenant_id: "acme" });
  });

  test("names every fault at once, each with its place", () => {
    const body = {
      locale: "fr",
      quiet_hours: { start: "24:00", begin: 1 },
      keyword_alerts: ["a", 2],
    };
    expect(faultsOf(() => parseInput(PreferencesBody, body))).toEqual([
      { path: "locale", message: 'must be one of "en", "nl", "de"' },
      { path: "quiet_hours.start", message: "must be HH:MM from 00:00 to 23:59" },
      { path: "quiet_hours.begin", message: "is not a known key" },
      { path: "keyword_alerts[1]", message: "must be a string" },
    ]);
  });

  test("names every unknown key", () => {
    expect(refused(TenantBody, { a: 1, b: 2 })).toEqual(["a", "b"]);
  });

  test("says of a key that is missing that it is required", () => {
    expect(faultsOf(() => parseInput(TypingRequest, {}))).toEqual([
      { path: "room_id", message: "is required" },
      { path: "typing", message: "is required" },
    ]);
  });

  test("says of a value of the wrong kind what it has to be", () => {
    expect(complaint(TypingRequest, { room_id: 1, typing: true })).toBe("must be a string");
    expect(complaint(TypingRequest, { room_id: "r", typing: 1 })).toBe("must be true or false");
    expect(complaint(Heartbeat, { device_id: "d", idle_for_ms: "1" })).toBe("must be a number");
    expect(complaint(Heartbeat, { device_id: "d", idle_for_ms: 1.5 })).toBe(
      "must be a whole number",
    );
    expect(complaint(PresenceQuery, { ids: {} })).toBe("must be a list");
    expect(complaint(TenantBody, { features: [] })).toBe("must be an object");
    expect(complaint(TenantBody, null)).toBe("must be an object");
    expect(complaint(PresenceChoice, { auto: false })).toBe("must be true");
  });

  test("says of a list that is too short or too long how long it may be", () => {
    expect(complaint(PresenceQuery, { ids: [] })).toBe("must have at least 1 entries");
    expect(complaint(PreferencesBody, { keyword_alerts: Array(51).fill("a") })).toBe(
      "must have at most 50 entries",
    );
  });

  test("says of a number that is too large or too small how far it may go", () => {
    expect(complaint(Heartbeat, { device_id: "d", idle_for_ms: 2 ** 53 })).toBe(
      "must be at most 9007199254740991",
    );
    expect(complaint(MemberBody, { power_level: -(2 ** 53) })).toBe(
      "must be at least -9007199254740991",
    );
  });

  test("says of a value that may be several things each of them", () => {
    expect(complaint(MemberBody, { muted_until: 5 })).toBe(
      'must be "indefinite" or must be a string',
    );
  });

  test("names at most 100 faults, and how many more there are", () => {
    const refusalOf = (input: unknown): readonly { message: string }[] => {
      try {
        parseInput(PresenceQuery, input);
      } catch (error) {
        return error instanceof CodedError ? (error.details ?? []) : [];
      }
      return [];
    };
    expect(refusalOf({ ids: Array(100).fill(1) })).toHaveLength(100);
    const many = refusalOf({ ids: Array(150).fill(1) });
    expect(many).toHaveLength(100);
    expect(many.at(-1)?.message).toBe("has 51 more faults");
    expect(refusalOf({ ids: Array(5_001).fill(1) })).toHaveLength(1);
  });

  test("a lone surrogate is refused wherever it stands, a pair is not", () => {
    expect(refused(AnyObject, { a: ["ok", "\ud83d"] })).toEqual(["a[1]"]);
    expect(refused(AnyObject, { a: { "\ude00": 1 } })).toEqual(["a"]);
    expect(refused(AnyObject, { a: "\ude00\ud83d" })).toEqual(["a"]);
    expect(refused(AnyObject, { a: "\ud83d\ude00" })).toEqual([]);
  });

  test("a NUL character is refused wherever it stands", () => {
    expect(refused(AnyObject, { a: "\0", b: { "c\0": 1 } }).toSorted()).toEqual(["a", "b"]);
    expect(refused(AnyObject, { a: "\u0001" })).toEqual([]);
  });

  test("lists and objects may be nested in MAX_DEPTH levels and no more", () => {
    const depth = (levels: number): string | undefined =>
      complaint(AnyObject, { a: nested(levels - 1) });
    expect(MAX_DEPTH).toBe(64);
    expect(depth(63)).toBeUndefined();
    expect(depth(64)).toBeUndefined();
    expect(depth(65)).toBe("must not be nested deeper than 64 levels");
    expect(depth(100_000)).toBe("must not be nested deeper than 64 levels");
  });

  test("a key that every object inherits is a key like any other", () => {
    const body = parseJson(
      '{"__proto__":{"locale":"nl"},"constructor":1,"quiet_hours":{"__proto__":1}}',
    );
    expect(refused(PreferencesBody, body).toSorted()).toEqual([
      "__proto__",
      "constructor",
      "quiet_hours.__proto__",
    ]);
    expect(parseInput(StreamQuery, parseJson('{"__proto__":{"since":"5"}}')).since).toBeUndefined();
  });
});

describe("AnyObject", () => {
  test("keeps every key, also one that every object inherits", () => {
    const text = '{"__proto__":{"a":1},"constructor":null,"b":[]}';
    expect(JSON.stringify(parseInput(AnyObject, parseJson(text)))).toBe(text);
  });

  test("is an object, and neither a list nor null", () => {
    for (const value of [[], null, "a", 1]) expect(refused(AnyObject, value)).toEqual([""]);
  });
});

describe("PresenceChoice", () => {
  test("is exactly one of a state and the return to automatic", () => {
    expect(refused(PresenceChoice, { state: "busy" })).toEqual([]);
    expect(refused(PresenceChoice, { auto: true })).toEqual([]);
    expect(refused(PresenceChoice, {})).toEqual([""]);
    expect(refused(PresenceChoice, { state: "busy", auto: true })).toEqual([""]);
  });

  test("every state that is set by hand is one, and offline is none", () => {
    for (const state of ["online", "idle", "busy", "appear_offline"])
      expect(refused(PresenceChoice, { state })).toEqual([]);
    expect(refused(PresenceChoice, { state: "offline" })).toEqual(["state"]);
    expect(refused(PresenceChoice, { auto: false })).toEqual(["auto"]);
  });

  test("names a device, but none of those that the server names", () => {
    const withDevice = (device_id: string): string[] =>
      refused(PresenceChoice, { state: "busy", device_id });
    expect(withDevice("laptop")).toEqual([]);
    expect(withDevice("restful")).toEqual([]);
    expect(withDevice("rest:t1")).toEqual(["device_id"]);
    expect(withDevice("socket:1")).toEqual(["device_id"]);
    expect(withDevice("")).toEqual(["device_id"]);
  });
});

describe("PresenceQuery", () => {
  test("names 1 to MAX_IDS people", () => {
    const ids = (count: number): string[] =>
      refused(PresenceQuery, { ids: Array(count).fill("p") });
    expect(MAX_IDS).toBe(5_000);
    expect(ids(0)).toEqual(["ids"]);
    expect(ids(1)).toEqual([]);
    expect(ids(5_000)).toEqual([]);
    expect(ids(5_001)).toEqual(["ids"]);
  });

  test("takes texts that are no ids, for they read offline", () => {
    expect(parseInput(PresenceQuery, { ids: ["no id!", ""] })).toEqual({ ids: ["no id!", ""] });
    expect(refused(PresenceQuery, { ids: ["p1", 2] })).toEqual(["ids[1]"]);
  });
});

describe("Heartbeat and TypingRequest", () => {
  test("a heartbeat names its device, and says a state, an age, both or neither", () => {
    expect(refused(Heartbeat, { device_id: "d" })).toEqual([]);
    expect(refused(Heartbeat, { device_id: "d", state: "idle", idle_for_ms: 1 })).toEqual([]);
    expect(refused(Heartbeat, { device_id: "d", state: "busy" })).toEqual(["state"]);
    expect(refused(Heartbeat, { state: "idle" })).toEqual(["device_id"]);
  });

  test("an age is neither negative nor above a hundred years", () => {
    const age = (idle_for_ms: number): string[] =>
      refused(Heartbeat, { device_id: "d", idle_for_ms });
    expect(age(-1)).toEqual(["idle_for_ms"]);
    expect(age(0)).toEqual([]);
    expect(age(3_155_760_000_000)).toEqual([]);
    expect(age(3_155_760_000_001)).toEqual(["idle_for_ms"]);
  });

  test("typing names a room and says whether, and by which device", () => {
    expect(refused(TypingRequest, { room_id: "r", typing: false, device_id: "d" })).toEqual([]);
    expect(refused(TypingRequest, { room_id: "r/", typing: "no", device_id: "rest:t" })).toEqual([
      "room_id",
      "typing",
      "device_id",
    ]);
  });
});

describe("ProfileBody", () => {
  test("a display name has 1 to 80 characters after trimming", () => {
    const name = (display_name: string): string[] => refused(ProfileBody, { display_name });
    expect(name(" ")).toEqual(["display_name"]);
    expect(name("a")).toEqual([]);
    expect(name(` ${"\u{1f600}".repeat(80)} `)).toEqual([]);
    expect(name("a".repeat(81))).toEqual(["display_name"]);
    expect(parseInput(ProfileBody, { display_name: " Ann " })).toEqual({ display_name: "Ann" });
  });

  test("a display name is not null", () => {
    expect(refused(ProfileBody, { display_name: null })).toEqual(["display_name"]);
  });

  test("a bio has at most 500 characters, or is null", () => {
    for (const bio of ["", "a".repeat(499), "a".repeat(500), null])
      expect(refused(ProfileBody, { bio })).toEqual([]);
    expect(refused(ProfileBody, { bio: "a".repeat(501) })).toEqual(["bio"]);
  });

  test("an avatar is an http or https address of at most 2048 characters, or null", () => {
    const avatar = (avatar_url: unknown): string[] => refused(ProfileBody, { avatar_url });
    const address = "https://example.org/";
    for (const good of [null, "http://a", "HTTPS://A.B/c?d#e", address.padEnd(2_048, "a")])
      expect(avatar(good)).toEqual([]);
    for (const bad of ["", "javascript:alert(1)", "https:///a", "https://a b", " https://a"])
      expect(avatar(bad)).toEqual(["avatar_url"]);
    expect(avatar(address.padEnd(2_049, "a"))).toEqual(["avatar_url"]);
  });
});

describe("PreferencesBody", () => {
  test("any part of the document is valid, the empty one included", () => {
    expect(parseInput(PreferencesBody, {})).toEqual({});
    expect(refused(PreferencesBody, { quiet_hours: {} })).toEqual([]);
  });

  test("null is a value of the times and the address, and of nothing else", () => {
    const nulls = {
      start: null,
      end: null,
      enabled: null,
      weekdays_only: null,
      weekends_only: null,
    };
    expect(refused(PreferencesBody, { quiet_hours: nulls, email_address: null })).toEqual([
      "quiet_hours.enabled",
      "quiet_hours.weekdays_only",
      "quiet_hours.weekends_only",
    ]);
    const rest =
      "locale timezone time_format ai_response_mode ai_engagement_mode default_mode quiet_hours keyword_alerts read_marker_mode push email";
    for (const key of rest.split(" "))
      expect(refused(PreferencesBody, { [key]: null })).toEqual([key]);
  });

  test("a time of day goes from 00:00 to 23:59", () => {
    const start = (time: string): string[] =>
      refused(PreferencesBody, { quiet_hours: { start: time } });
    for (const good of ["00:00", "09:59", "19:00", "23:59"]) expect(start(good)).toEqual([]);
    for (const bad of ["24:00", "23:60", "7:00", "07:00:00", "07:00\n", ""])
      expect(start(bad)).toEqual(["quiet_hours.start"]);
  });

  test("a time zone is one that the runtime knows, stored as it was sent, and no bare offset", () => {
    for (const timezone of ["UTC", "Europe/Amsterdam", "europe/amsterdam", "Etc/GMT+1", "EST5EDT"])
      expect(parseInput(PreferencesBody, { timezone })).toEqual({ timezone });
    for (const timezone of ["+01:00", "-0500", "UTC+1", "GMT-5", "Mars/Olympus", "", " UTC"])
      expect(refused(PreferencesBody, { timezone })).toEqual(["timezone"]);
  });

  test("keyword alerts are trimmed, and lose duplicates that differ only in case, the first one staying", () => {
    const keyword_alerts = [" Porch ", "porch", "LIGHT", "light", "Porch", "née", "NÉE"];
    expect(parseInput(PreferencesBody, { keyword_alerts })).toEqual({
      keyword_alerts: ["Porch", "LIGHT", "née"],
    });
  });

  test("there are at most 50 keyword alerts of 1 to 100 characters", () => {
    const phrases = (count: number): string[] =>
      Array.from({ length: count }, (_, index) => `p${index}`);
    expect(refused(PreferencesBody, { keyword_alerts: phrases(50) })).toEqual([]);
    expect(refused(PreferencesBody, { keyword_alerts: phrases(51) })).toEqual(["keyword_alerts"]);
    const lengths = ["", " ", "a", "a".repeat(100), "a".repeat(101)];
    expect(refused(PreferencesBody, { keyword_alerts: lengths })).toEqual([
      "keyword_alerts[0]",
      "keyword_alerts[1]",
      "keyword_alerts[4]",
    ]);
  });

  test("an email address has an @, a dot behind it, and at most 254 characters", () => {
    const address = (email_address: string): string[] =>
      refused(PreferencesBody, { email_address });
    expect(address("a@b.c")).toEqual([]);
    expect(address(`${"a".repeat(250)}@b.c`)).toEqual([]);
    for (const bad of ["", "a", "a@b", "a b@c.d", "a@b@c.d", `${"a".repeat(251)}@b.c`])
      expect(address(bad)).toEqual(["email_address"]);
  });
});

describe("StreamQuery, SyncQuery and ProfilesQuery", () => {
  test("what a stream says in its URL becomes numbers where it is one", () => {
    const query = { device_id: "d", instance: "i", state: "idle", idle_for_ms: "5", since: "0" };
    expect(parseInput(StreamQuery, { ...query, presence: "none", token: "t" })).toEqual({
      device_id: "d",
      instance: "i",
      state: "idle",
      idle_for_ms: 5,
      since: 0,
      presence: "none",
    });
  });

  test("a numeral has 1 to 13 digits and nothing else", () => {
    const since = (text: string): string[] => refused(StreamQuery, { since: text });
    expect(since("9".repeat(13))).toEqual([]);
    for (const bad of ["", "-1", "1.5", "1e3", " 1", "0x1", "9".repeat(14)])
      expect(since(bad)).toEqual(["since"]);
  });

  test("a poll has a limit of 100, 1 to 500, and waits for 30 s, 0 to 60, unless it says so", () => {
    expect(parseInput(SyncQuery, {})).toEqual({ limit: 100, timeout: 30_000 });
    expect(parseInput(SyncQuery, { since: "0", limit: "500", timeout: "60000" })).toEqual({
      since: 0,
      limit: 500,
      timeout: 60_000,
    });
    for (const odd of [{ limit: "0" }, { limit: "501" }, { timeout: "60001" }, { since: "-1" }])
      expect(refused(SyncQuery, odd)).toEqual(Object.keys(odd));
  });

  test("a search for profiles has a query, a limit of 50 and no offset unless it says so", () => {
    expect(parseInput(ProfilesQuery, {})).toEqual({ q: "", limit: 50, offset: 0 });
    expect(parseInput(ProfilesQuery, { q: "ann", limit: "7", offset: "3" })).toEqual({
      q: "ann",
      limit: 7,
      offset: 3,
    });
  });

  test("a search asks for 1 to 200 profiles by at most 100 characters", () => {
    const limits = ["0", "1", "200", "201"].map(
      (limit) => refused(ProfilesQuery, { limit }).length,
    );
    expect(limits).toEqual([1, 0, 0, 1]);
    expect(refused(ProfilesQuery, { q: "a".repeat(100) })).toEqual([]);
    expect(refused(ProfilesQuery, { q: "a".repeat(101) })).toEqual(["q"]);
  });
});

describe("TenantBody, ParticipantBody, RoomBody and MemberBody", () => {
  test("an empty body changes nothing of a tenant, a participant, a room or a member", () => {
    const schemas: readonly Schema<unknown>[] = [TenantBody, ParticipantBody, RoomBody, MemberBody];
    for (const schema of schemas) expect(parseInput(schema, {})).toEqual({});
  });

  test("an instant is read as Unix milliseconds, in whatever zone and precision it is written", () => {
    const read = (created_at: string): unknown => parseInput(RoomBody, { created_at }).created_at;
    expect(read("1970-01-01T00:00:05.007Z")).toBe(5_007);
    expect(read("1970-01-01T01:00:05+01:00")).toBe(5_000);
    expect(read("1970-01-01T00:01Z")).toBe(60_000);
    expect(read("2024-02-29T12:00:00Z")).toBe(1_709_208_000_000);
    expect(read("9999-12-31T23:59:59.999Z")).toBe(INDEFINITE_AT);
  });

  test("an instant has a zone, and lies between 1970 and 9999", () => {
    const texts = [
      "2026-01-31",
      "2026-01-31T12:00:00",
      "2026-13-01T00:00:00Z",
      "2026-02-29T00:00:00Z",
      "1969-12-31T23:59:59.999Z",
      "9999-12-31T23:59:59.999-00:01",
      "yesterday",
    ];
    for (const created_at of texts)
      expect(refused(RoomBody, { created_at })).toEqual(["created_at"]);
  });

  test("a mute lasts until an instant, indefinitely, or not at all", () => {
    const until = (muted_until: unknown): unknown =>
      parseInput(MemberBody, { muted_until }).muted_until;
    expect(until("indefinite")).toBe(INDEFINITE_AT);
    expect(until("1970-01-01T00:00:05Z")).toBe(5_000);
    expect(until(null)).toBeNull();
    expect(refused(MemberBody, { muted_until: "forever" })).toEqual(["muted_until"]);
  });

  test("a power level is a whole number from -1000 to 1000", () => {
    const faults = (power_level: number): number => refused(MemberBody, { power_level }).length;
    expect([-1_001, -1_000, 1_000, 1_001, 0.5].map(faults)).toEqual([1, 0, 0, 1, 1]);
  });

  test("a participant may have any of the documented types, and a presence set by hand or none", () => {
    for (const participant_type of ["human", "model", "helper"])
      expect(refused(ParticipantBody, { participant_type })).toEqual([]);
    expect(refused(ParticipantBody, { participant_type: "robot" })).toEqual(["participant_type"]);
    expect(refused(ParticipantBody, { presence: null })).toEqual([]);
    expect(refused(ParticipantBody, { presence: "offline" })).toEqual(["presence"]);
  });
});

describe("PlanBody, SidekickBody and CallBody", () => {
  test("plans, sidekicks and calls keep further keys, also in their parts", () => {
    const plan = { id: "p", state: "draft", colour: 1, steps: [{ id: "s", note: "x" }] };
    expect<unknown>(parseInput(PlanBody, plan)).toEqual(plan);
    const task = { status: "running", colour: 1 };
    expect(parseInput(SidekickBody, task)).toEqual(task);
    const call = {
      call_id: "c",
      ended_at: null,
      participants: [{ participant_id: "p", hand: true }],
    };
    expect(parseInput(CallBody, call)).toEqual(call);
  });

  test("a call that names no end has none", () => {
    expect(parseInput(CallBody, { call_id: "c" }).ended_at).toBeNull();
    expect(refused(CallBody, { call_id: "c", ended_at: "soon" })).toEqual(["ended_at"]);
  });

  test("what is known of plans, sidekicks and calls is checked", () => {
    expect(refused(PlanBody, { id: "p", state: "over", steps: [{ status: "done" }] })).toEqual([
      "state",
      "steps[0].id",
    ]);
    expect(refused(SidekickBody, { status: "", started_at: "today" })).toEqual([
      "status",
      "started_at",
    ]);
    expect(refused(CallBody, { type: "smoke" })).toEqual(["call_id", "type"]);
  });
});

describe("a message, a plan, a call and a sidekick task", () => {
  test("take 61,440 bytes of JSON in UTF-8, and none more", () => {
    // 15 bytes of {"body":"…é😀"} besides the letters, and the two characters of six bytes.
    const content = (bytes: number): object => ({ body: `${"x".repeat(bytes - 17)}é😀` });
    expect(Buffer.byteLength(JSON.stringify(content(61_440)))).toBe(61_440);
    const event = (bytes: number): object => ({ sender_id: "p", content: content(bytes) });
    expect(refused(EventBody, event(61_440))).toEqual([]);
    expect(refused(EventBody, event(61_441))).toEqual(["content"]);
    const more = { note: "x".repeat(61_440) };
    expect(refused(PlanBody, { id: "p", state: "running", ...more })).toEqual([""]);
    expect(refused(CallBody, { call_id: "c", ...more })).toEqual([""]);
    expect(refused(SidekickBody, { status: "running", ...more })).toEqual([""]);
  });
});

describe("EventBody, TokenBody and DirectRoomRequest", () => {
  test("an event has a sender and content, and is a message unless it says otherwise", () => {
    expect(refused(EventBody, { sender_id: "p", content: {} })).toEqual([]);
    expect(refused(EventBody, { sender_id: "p", content: {}, type: "swp.room.message" })).toEqual(
      [],
    );
    expect(refused(EventBody, { type: "swp.room.name" })).toEqual(["sender_id", "type", "content"]);
  });

  test("a token is for a participant, and may have a label and an end", () => {
    expect(
      parseInput(TokenBody, { participant_id: "p", expires_at: "1970-01-01T00:00:05Z" }),
    ).toEqual({
      participant_id: "p",
      expires_at: 5_000,
    });
    expect(refused(TokenBody, { label: "", expires_at: 5 })).toEqual([
      "participant_id",
      "label",
      "expires_at",
    ]);
  });

  test("a direct room is opened with one participant", () => {
    expect(refused(DirectRoomRequest, { participant_id: "p" })).toEqual([]);
    expect(refused(DirectRoomRequest, { participant_id: "" })).toEqual(["participant_id"]);
  });
});

describe("SnoozeRequest and checkSnooze", () => {
  test("a message is put off until an instant", () => {
    expect(parseInput(SnoozeRequest, { until: "1970-01-01T00:00:05Z" })).toEqual({ until: 5_000 });
    expect(refused(SnoozeRequest, {})).toEqual(["until"]);
    expect(refused(SnoozeRequest, { until: "indefinite", for_ms: 5 })).toEqual(["until", "for_ms"]);
  });

  test("the instant is after now, and at most ten years", () => {
    const tenYearsMs = 315_576_000_000;
    const against = (until: number): string | undefined =>
      faultsOf(() => checkSnooze({ until }, 5_000))[0]?.message;
    expect(against(4_999)).toBe("must be in the future");
    expect(against(5_000)).toBe("must be in the future");
    expect(against(5_001)).toBeUndefined();
    expect(against(5_000 + tenYearsMs)).toBeUndefined();
    expect(against(5_001 + tenYearsMs)).toBe("must be within ten years");
  });
});

describe("parseFrame", () => {
  test("reads each frame that a client may send, without the keys that it does not know", () => {
    const frames = [
      { type: "heartbeat", state: "idle", idle_for_ms: 0 },
      { type: "heartbeat", state: "online" },
      { type: "typing", room_id: "r", typing: true },
      { type: "subscribe", presence: "all", snapshot: true },
      { type: "subscribe", presence: ["p1", "no id!"] },
      { type: "bye" },
    ];
    for (const frame of frames)
      expect<unknown>(parseFrame(JSON.stringify({ ...frame, newer: 1 }))).toEqual(frame);
  });

  test("says of an unknown type which ones there are", () => {
    for (const frame of ['{"type":"hello"}', '{"type":["bye"]}', '{"type":null}'])
      expect(faultsOf(() => parseFrame(frame))).toEqual([
        { path: "type", message: 'must be one of "heartbeat", "typing", "subscribe", "bye"' },
      ]);
  });

  test("a subscription names everybody, nobody, or at most MAX_IDS people", () => {
    const subscribe = (presence: unknown): readonly Fault[] =>
      faultsOf(() => parseFrame(JSON.stringify({ type: "subscribe", presence })));
    const message = 'must be "all", "none" or a list of at most 5000 ids';
    expect(subscribe("none")).toEqual([]);
    expect(subscribe([])).toEqual([]);
    expect(subscribe(Array(5_000).fill("p"))).toEqual([]);
    expect(subscribe(Array(5_001).fill("p"))).toEqual([{ path: "presence", message }]);
    expect(subscribe("some")).toEqual([{ path: "presence", message }]);
  });

  test("a frame that is no object is refused", () => {
    for (const frame of ["[]", "null", "1", '"bye"'])
      expect(faultsOf(() => parseFrame(frame))).toEqual([
        { path: "", message: "must be an object" },
      ]);
  });

  test("a heartbeat says a state", () => {
    expect(faultsOf(() => parseFrame('{"type":"heartbeat"}'))).toEqual([
      { path: "state", message: "is required" },
    ]);
  });
});

describe("parseJson", () => {
  test("of a repeated key the last one counts", () => {
    expect(parseJson('{"a":1,"a":2}')).toEqual({ a: 2 });
  });

  test("a text that is not JSON is refused, with its cause", () => {
    for (const text of ["", "{", "{'a':1}", "NaN", '"\\"', '["a\\\\", "b]'])
      expect(faultsOf(() => parseJson(text))).toEqual([{ path: "", message: "must be JSON" }]);
    expect(() => parseJson("{")).toThrow(
      expect.objectContaining({ cause: expect.any(SyntaxError) }),
    );
  });

  test("a text may have MAX_VALUES values and no more, wherever they stand", () => {
    const message = "must not have more than 10000 values";
    const zeros = (count: number): string => Array(count).fill("0").join(",");
    expect(MAX_VALUES).toBe(10_000);
    for (const [before, after] of [
      ["[", "]"],
      ['{"presence":[', "]}"],
    ] as const) {
      const most = MAX_VALUES - (before.match(/[[{]/g)?.length ?? 0) + 1;
      expect(faultsOf(() => parseJson(before + zeros(most) + after))).toEqual([]);
      expect(faultsOf(() => parseJson(before + zeros(most + 1) + after))).toEqual([
        { path: "", message },
      ]);
    }
    expect(faultsOf(() => parseJson(`[${"{},".repeat(5_000)}{}]`))).toEqual([
      { path: "", message },
    ]);
  });

  test("what stands within a text is no value and no level", () => {
    for (const text of [",[{".repeat(20_000), '",[{'.repeat(20_000), `${"\\".repeat(20_001)}",[[`])
      expect(parseJson(JSON.stringify({ a: [text] }))).toEqual({ a: [text] });
  });

  test("brackets alone, however many, are refused before they are parsed", () => {
    for (const text of ["[".repeat(1_000_000), '{"a":'.repeat(200_000), "[]".repeat(500_000)])
      expect(faultsOf(() => parseJson(text))).toEqual([
        { path: "", message: expect.stringMatching(/^must not /) },
      ]);
  });
});

describe("parseInput and parseFrame on junk", () => {
  /** A value, or a refusal that names its faults in words: anything else fails. */
  function isAnswered(act: () => unknown): void {
    for (const { path, message } of faultsOf(act)) {
      expect(path).toBeString();
      expect(message).toMatch(/^(must|is) /);
    }
  }

  test(
    "parseInput answers any value for any schema with a value or a refusal",
    () => {
      const anything = fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withNullPrototype: true,
        withObjectString: true,
        withSparseArray: true,
        withTypedArray: true,
        withUnicodeString: true,
      });
      const anyInput = fc
        .constantFrom(...everySchema)
        .chain(([schema, sample]) =>
          fc.tuple(fc.constant(schema), fc.oneof(nearly(sample), anyJson, anything)),
        );
      fc.assert(
        fc.property(anyInput, ([schema, value]) => {
          isAnswered(() => parseInput(schema, value));
        }),
        trials(3_000),
      );
    },
    TRIALS_TIMEOUT_MS,
  );

  test("what each schema accepts is what the junk is made of", () => {
    for (const [schema, sample] of everySchema) expect(refused(schema, sample)).toEqual([]);
  });

  test(
    "parseFrame answers any text with a frame or a refusal",
    () => {
      const frames = everySchema.filter(([schema]) => schema === ClientFrameSchema);
      const anyFrame = fc.constantFrom(...frames).chain(([, sample]) => nearly(sample));
      const frameText = fc.oneof(
        anyText,
        fc.json(),
        fc.oneof(anyJson, anyFrame).map((value) => JSON.stringify(value)),
      );
      fc.assert(
        fc.property(frameText, (text) => {
          isAnswered(() => parseFrame(text));
        }),
        trials(3_000),
      );
    },
    TRIALS_TIMEOUT_MS,
  );

  test("a text of deeply nested JSON is refused, however deep it is", () => {
    for (const levels of [65, 1_000, 100_000]) {
      isAnswered(() => parseFrame("[".repeat(levels) + "]".repeat(levels)));
      const inner = `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
      expect(faultsOf(() => parseFrame(`{"type":"bye","more":${inner}}`))).not.toBeEmpty();
    }
  });

  test(
    "a lone surrogate hidden anywhere in a frame that is otherwise right is refused",
    () => {
      const half = fc
        .integer({ min: 0xd800, max: 0xdfff })
        .map((unit) => String.fromCharCode(unit));
      fc.assert(
        fc.property(half, fc.constantFrom("key", "text", "list"), (surrogate, place) => {
          const hidden = { key: { [surrogate]: 1 }, text: surrogate, list: [{ a: surrogate }] }[
            place
          ];
          const frame = JSON.stringify({ type: "bye", more: hidden });
          expect(faultsOf(() => parseFrame(frame))).toMatchObject([
            { message: "must not contain a lone surrogate" },
          ]);
        }),
        trials(100),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});
