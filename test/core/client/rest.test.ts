import { describe, expect, test } from "bun:test";
import { CodedError, DEFAULT_PREFERENCES, ERROR_STATUS, type ErrorCode } from "@porchlight/core";
import { Rest, type TokenSource, webRuntime } from "@porchlight/core/client";
import { me as sampleMe } from "../../support/builders.ts";
import { SERVER_URL, type TestRequest, TestRuntime } from "../../support/client-runtime.ts";
import { TestServer } from "../../support/server.ts";

function restOf(given: { url?: string; token?: TokenSource } = {}): {
  rest: Rest;
  runtime: TestRuntime;
} {
  const runtime = new TestRuntime();
  return { rest: new Rest({ url: SERVER_URL, token: "secret", runtime, ...given }), runtime };
}

/** What a request for one's own profile rejects with, after `act` has answered it. */
async function failure(
  act: (request: TestRequest, runtime: TestRuntime) => Promise<void>,
): Promise<CodedError> {
  const { rest, runtime } = restOf();
  const failed = rest.me().then(
    () => undefined,
    (error: unknown) => error,
  );
  await act(await runtime.request(), runtime);
  const error = await failed;
  expect(runtime.clock.timers).toBe(0);
  if (!(error instanceof CodedError)) throw new Error(`Cannot judge ${error}`);
  return error;
}

const AT = "2026-03-02T09:00:00.000Z";
const EDITS = {
  device_id: "laptop",
  sent_at: AT,
  edits: [{ seq: 1, edited_at: AT, patch: { push: false } }],
};

describe("Rest where nothing answers", () => {
  test("gives a token up that does not come, and a fetch that does not heed the signal", async () => {
    const never = new Promise<never>(() => {});
    const runtime = new TestRuntime();
    for (const given of [{ token: () => never }, { runtime: { ...runtime, fetch: () => never } }]) {
      const rest = new Rest({ url: "http://porch", token: "t", runtime, ...given });
      const refused = rest.me().catch((error: CodedError) => error.code);
      await runtime.clock.advance(30_000);
      expect(await refused).toBe("SW_UNAVAILABLE");
      expect(runtime.clock.timers).toBe(0);
    }
  });
});

describe("Rest", () => {
  const requests: [line: string, send: (rest: Rest) => Promise<unknown>, body?: unknown][] = [
    ["POST /v1/presence/query", (rest) => rest.presence(["a", "b"]), { ids: ["a", "b"] }],
    ["GET /v1/me/presence", (rest) => rest.myPresence()],
    ["PUT /v1/me/presence", (rest) => rest.choosePresence({ auto: true }), { auto: true }],
    [
      "PUT /v1/me/presence",
      (rest) =>
        rest.choosePresence({ state: "busy", device_id: "laptop" }, { edited_at: AT, sent_at: AT }),
      { state: "busy", device_id: "laptop", edited_at: AT, sent_at: AT },
    ],
    ["DELETE /v1/me/devices/a%2Fb%3Fc", (rest) => rest.signOff("a/b?c")],
    [
      "PUT /v1/typing",
      (rest) => rest.type({ room_id: "lobby", typing: true }),
      { room_id: "lobby", typing: true },
    ],
    ["GET /v1/rooms", (rest) => rest.rooms()],
    ["GET /v1/rooms/a%23b/state", (rest) => rest.roomState("a#b")],
    ["POST /v1/rooms/dm", (rest) => rest.openDirectRoom("bob"), { participant_id: "bob" }],
    ["GET /v1/profiles/..%2Fme", (rest) => rest.profile("../me")],
    ["GET /v1/profiles?", (rest) => rest.profiles()],
    [
      "GET /v1/profiles?q=a+%26+b&limit=5&offset=10",
      (rest) => rest.profiles({ q: "a & b", limit: 5, offset: 10 }),
    ],
    ["GET /v1/me", (rest) => rest.me()],
    ["PUT /v1/me", (rest) => rest.updateMe({ bio: null }), { bio: null }],
    ["GET /v1/me/preferences", (rest) => rest.preferences()],
    ["PUT /v1/me/preferences", (rest) => rest.updatePreferences({ push: false }), { push: false }],
    ["POST /v1/me/preferences/edits", (rest) => rest.editPreferences(EDITS), EDITS],
    ["GET /v1/me/snoozes", (rest) => rest.call("GET", "/v1/me/snoozes")],
  ];
  for (const [line, send, body] of requests) {
    test(`asks ${line}${body === undefined ? "" : ` ${JSON.stringify(body)}`}`, async () => {
      const { rest, runtime } = restOf();
      const answered = send(rest);
      const request = await runtime.request();
      expect(request.line).toBe(line);
      expect(request.body).toEqual(body);
      await request.answer({ any: "data" });
      expect(await answered).toEqual({ any: "data" });
      expect(runtime.clock.timers).toBe(0);
    });
  }

  test("finds the API below any address of a server", async () => {
    const addresses: [url: string, api: string][] = [
      ["http://127.0.0.1:8787", "http://127.0.0.1:8787/v1/me"],
      ["https://example.org/chat//", "https://example.org/chat/v1/me"],
    ];
    for (const [url, api] of addresses) {
      const { rest, runtime } = restOf({ url });
      const answered = rest.me();
      const request = await runtime.request();
      expect(request.url).toBe(api);
      await request.answer({});
      await answered;
    }
  });

  test("asks for the present token for every request, and says that it sends JSON", async () => {
    const tokens = ["first", "second"];
    const { rest, runtime } = restOf({ token: async () => tokens.shift() ?? "none" });
    for (const token of ["first", "second"]) {
      const answered = rest.me();
      const request = await runtime.request();
      expect(request.headers).toEqual({
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
      });
      await request.answer({});
      await answered;
    }
  });
});

describe("Rest rejects", () => {
  test("with the code of every refusal of the API", async () => {
    for (const code of Object.keys(ERROR_STATUS) as ErrorCode[]) {
      const error = await failure((request) => request.refuse(code));
      expect([error.code, error.message]).toEqual([code, `Refused with ${code}`]);
      expect(error.details).toBeUndefined();
      expect(error.retryAfterSeconds).toBeUndefined();
    }
  });

  test("with every fault of what was sent", async () => {
    const details = [{ path: "bio", message: "must be a text" }];
    const error = await failure((request) => request.refuse("SW_VALIDATION", { details }));
    expect(error.details).toEqual(details);
  });

  test("with the seconds after which to try again, where the server says them as a number", async () => {
    const values: [said: string, seconds: number | undefined][] = [
      ["7", 7],
      ["0", 0],
      ["Wed, 21 Oct 2026 07:28:00 GMT", undefined],
      ["-1", undefined],
    ];
    for (const [said, seconds] of values) {
      const error = await failure((request) =>
        request.refuse("SW_RATE_LIMIT_EXCEEDED", {}, { "retry-after": said }),
      );
      expect(error.retryAfterSeconds).toBe(seconds);
    }
  });

  test("as out of reach where the network fails, and keeps the cause", async () => {
    const error = await failure((request) => request.fail());
    expect([error.code, error.message]).toEqual([
      "SW_UNAVAILABLE",
      "Cannot reach https://chat.example",
    ]);
    expect(error.cause).toBeInstanceOf(TypeError);
  });

  test("as out of reach what is not answered within 30 s, and calls it off", async () => {
    const error = await failure(async (request, { clock }) => {
      let answered = false;
      const answering = request.answered.catch(() => {
        answered = true;
      });
      await clock.advance(29_999);
      expect(answered).toBe(false);
      await clock.advance(1);
      await answering;
    });
    expect(error.code).toBe("SW_UNAVAILABLE");
  });

  const strange: [what: string, text: string, status: number][] = [
    ["a page with 200", "<!doctype html><p>Please log in</p>", 200],
    ["a page with 502", "<html>Bad gateway</html>", 502],
    ["nothing", "", 200],
    ["a code that is in no table", '{"error":{"code":"SW_NEW","message":"New"}}', 418],
    ["a code that every object has", '{"error":{"code":"toString","message":"No"}}', 400],
    ["a refusal in other words", '{"error":"not_found"}', 404],
    ["a refusal of nothing", '{"error":null}', 400],
    ["null", "null", 200],
    ["a number", "5", 200],
    ["JSON of something else", '{"status":"ok"}', 200],
  ];
  for (const [what, text, status] of strange) {
    test(`as out of reach what is answered with ${what}`, async () => {
      const error = await failure((request) => request.reply(text, { status }));
      expect(error.code).toBe("SW_UNAVAILABLE");
    });
  }

  test("as out of reach where there is no token to be had, and sends nothing", async () => {
    const { rest, runtime } = restOf({ token: () => Promise.reject(new Error("Locked")) });
    const error: unknown = await rest.me().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "SW_UNAVAILABLE", cause: { message: "Locked" } });
    expect([runtime.requests.items.length, runtime.clock.timers]).toEqual([0, 0]);
  });

  test("with the refusal that the source of the token has met", async () => {
    const { rest } = restOf({
      token: () => Promise.reject(new CodedError("SW_AUTH_EXPIRED_TOKEN", "Over")),
    });
    const error: unknown = await rest.me().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "SW_AUTH_EXPIRED_TOKEN", message: "Over" });
  });
});

/** The keys that a type has, each of which the compiler knows to be one of them, and none to be missing. */
function keysOf<T extends object>(keys: Record<keyof T, true>): string[] {
  return Object.keys(keys).sort();
}

function keysIn(value: object | undefined): string[] {
  return Object.keys(value ?? {}).sort();
}

type Answer<M extends keyof Rest> = Rest[M] extends (...given: never[]) => Promise<infer T>
  ? T
  : never;

describe("Rest with a real server", () => {
  test("answers with the keys that its types promise", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const bob = await server.person("bob");
    await server.room("lobby", [ann, bob]);
    const rest = new Rest({ url: `${server.url}/`, token: ann.token, runtime: webRuntime() });

    const chosen = await rest.choosePresence({ state: "busy", device_id: "laptop" });
    expect(chosen).toEqual({ state: "busy", source: "manual" });
    expect(await rest.presence(["ann", "nobody"])).toEqual({ ann: "busy", nobody: "offline" });
    const why = await rest.myPresence();
    expect(keysIn(why)).toEqual(
      keysOf<Answer<"myPresence">>({
        state: true,
        source: true,
        manual: true,
        devices: true,
        next_change_at: true,
      }),
    );
    expect(keysIn(why.devices[0])).toEqual(
      keysOf<Answer<"myPresence">["devices"][number]>({
        device_id: true,
        state: true,
        transports: true,
        last_active_at: true,
        expires_at: true,
      }),
    );
    const signedOff = await rest.signOff("laptop");
    expect(keysIn(signedOff)).toEqual(keysOf<Answer<"signOff">>({ device_id: true, state: true }));
    expect(await rest.type({ room_id: "lobby", typing: true })).toEqual({
      room_id: "lobby",
      typing: true,
      expires_in_ms: 4_000,
      refresh_after_ms: 2_500,
      fanout: true,
    });

    const rooms = await rest.rooms();
    const roomKeys = {
      id: true,
      name: true,
      topic: true,
      room_type: true,
      state: true,
      workspace_id: true,
      creator_id: true,
      created_at: true,
      is_public: true,
      member_count: true,
    } as const;
    expect(keysIn(rooms[0])).toEqual(
      keysOf<Answer<"rooms">[number]>({ ...roomKeys, unread_count: true }),
    );
    expect(keysIn(await rest.openDirectRoom("bob"))).toEqual(
      keysOf<Answer<"openDirectRoom">>(roomKeys),
    );
    expect(keysIn(await rest.roomState("lobby"))).toEqual(
      keysOf<Answer<"roomState">>({
        room: true,
        members: true,
        engagement: true,
        settings: true,
        plan: true,
        active_sidekicks: true,
        active_call: true,
        unread_count: true,
        last_read_event_id: true,
        muted_until: true,
        snoozed_event_ids: true,
        typing: true,
        stream_position: true,
      }),
    );

    const profile = await rest.profile("bob");
    expect(keysIn(profile)).toEqual(keysOf<Answer<"profile">>({ participant: true, bio: true }));
    expect(await rest.profiles({ q: "bob", limit: 1 })).toEqual([profile]);
    const me = await rest.me();
    expect(keysIn(me)).toEqual(keysIn(sampleMe()));
    expect(await rest.updateMe({ bio: "Here" })).toEqual({ ...me, bio: "Here" });
    const preferences = await rest.preferences();
    expect(keysIn(preferences)).toEqual(keysIn(DEFAULT_PREFERENCES));
    expect(await rest.updatePreferences({ push: false })).toEqual({ ...preferences, push: false });
    const edited = await rest.editPreferences({
      ...EDITS,
      edits: [{ seq: 1, edited_at: AT, patch: { email: true, timezone: "Nowhere" } }],
    });
    expect(edited).toEqual({
      preferences: { ...preferences, push: false, email: true },
      applied_seq: 1,
      superseded: [],
      rejected: [{ seq: 1, path: "timezone", message: expect.any(String) }],
    });
  });

  test("rejects with the refusal of the server", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const rest = new Rest({ url: server.url, token: ann.token, runtime: webRuntime() });
    const error: unknown = await rest.roomState("nowhere").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "SW_ROOM_NOT_FOUND", status: 404 });
  });
});
