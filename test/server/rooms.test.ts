import { describe, expect, test } from "bun:test";
import { type Person, type Reply, TestServer } from "../support/server.ts";

const PARTS = {
  room: "",
  members: "/members",
  engagement: "/ai/engagement",
  plan: "/plan",
  active_sidekicks: "/sidekicks",
  active_call: "/call",
} as const;
const READ_STATE = [
  "settings",
  "unread_count",
  "last_read_event_id",
  "muted_until",
  "snoozed_event_ids",
] as const;
const EVERY_PATH = ["/state", "/read-state", ...Object.values(PARTS)];

const PLAN = {
  id: "plan-1",
  room_id: "lobby",
  goal: "New lamps",
  state: "running",
  mode: "sequential",
  advance: "auto",
  venue: "main",
  current_step_id: "s1",
  consecutive_auto_steps: 0,
  steps: [
    { id: "s1", text: "Measure", status: "in_progress", result: null, attempts: 1, mine: [1] },
  ],
  mine: { deep: { key: null } },
};
const SIDEKICK = {
  task_id: "task-1",
  codename: "lantern",
  task: "Compare",
  status: "running",
  sidekick_room_id: null,
  agent_participant_id: "ada",
  started_at: "2026-03-02T08:00:00.000Z",
  result_summary: null,
  mine: "kept",
};
const CALL = {
  call_id: "call-1",
  type: "video",
  started_at: "2026-03-02T08:00:00.000Z",
  started_by: "ann",
  participants: [{ participant_id: "ann", joined_at: "2026-03-02T08:00:00.000Z", mine: true }],
  ended_at: null,
  mine: 0,
};

describe("GET /v1/rooms/{id}/state", () => {
  test("carries every documented key, and none beyond", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [
      await server.person("ann", { display_name: "Ann" }),
      await server.person("bob", { avatar_url: "https://example.org/bob.png", bio: "private" }),
    ];
    const ada = await server.person("ada", { participant_type: "model" });
    await server.room("lobby", [ann, bob, ada], {
      name: "Lobby",
      topic: "Shoes off",
      workspace_id: "ws",
      creator_id: "ann",
      is_public: true,
    });
    await member(server, "lobby", "ann", { power_level: 100, muted_until: "indefinite" });
    await member(server, "lobby", "ada", {
      engagement_mode: "mention",
      response_mode: "streaming",
    });
    await server.admin("PUT", "/rooms/lobby/plan", PLAN);
    await server.admin("PUT", "/rooms/lobby/sidekicks/task-1", SIDEKICK);
    await server.admin("PUT", "/rooms/lobby/call", CALL);
    await say(server, "lobby", "bob");
    await bob.put("/v1/typing", { room_id: "lobby", typing: true });

    const { status, body } = await ann.get("/v1/rooms/lobby/state");
    expect(status).toBe(200);
    const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const participant = (id: string): object => ({
      id,
      local_id: id,
      server_name: "localhost",
      display_name: id,
      participant_type: "human",
      avatar_url: null,
    });
    const other = {
      membership: "join",
      power_level: 0,
      joined_at: instant,
      notification_mode: null,
      muted_until: null,
    };
    expect(body).toEqual({
      data: {
        room: {
          id: "lobby",
          name: "Lobby",
          topic: "Shoes off",
          room_type: "group",
          state: "open",
          workspace_id: "ws",
          creator_id: "ann",
          created_at: instant,
          is_public: true,
          member_count: 3,
        },
        members: [
          {
            ...other,
            participant_id: "ann",
            power_level: 100,
            notification_mode: "inherit",
            muted_until: "9999-12-31T23:59:59.999Z",
            response_mode: null,
            presence: "offline",
            participant: { ...participant("ann"), display_name: "Ann" },
          },
          {
            ...other,
            participant_id: "ada",
            response_mode: "streaming",
            presence: "online",
            participant: { ...participant("ada"), participant_type: "model" },
          },
          {
            ...other,
            participant_id: "bob",
            response_mode: null,
            presence: "online",
            participant: { ...participant("bob"), avatar_url: "https://example.org/bob.png" },
          },
        ],
        engagement: {
          mode: "always",
          overrides: { ada: { mode: "mention", response_mode: "streaming" } },
        },
        settings: { notification_mode: "inherit", response_mode: "conversational" },
        plan: PLAN,
        active_sidekicks: [SIDEKICK],
        active_call: CALL,
        unread_count: 1,
        last_read_event_id: null,
        muted_until: "9999-12-31T23:59:59.999Z",
        snoozed_event_ids: [],
        typing: ["bob"],
        stream_position: await server.store.position("acme"),
      },
    });
  });

  test("orders members by power level, high first, then display name, then id, invited ones among them", async () => {
    await using server = await TestServer.start();
    const people: Record<string, [name: string, power_level: number]> = {
      z: ["Same", 0],
      a: ["Same", 0],
      m: ["ann", 0],
      n: ["Zed", 0],
      o: ["Émile", 0],
      low: ["Aaa", -5],
      mod: ["Mod", 50],
      boss: ["Boss", 100],
    };
    const crowd: Person[] = [];
    for (const [id, [display_name]] of Object.entries(people))
      crowd.push(await server.person(id, { display_name }));
    await server.room("lobby", crowd);
    for (const [id, [, power_level]] of Object.entries(people))
      await member(server, "lobby", id, { power_level });
    await server.person("guest", { display_name: "Sam" });
    await member(server, "lobby", "guest", { membership: "invite", power_level: 0 });
    await server.person("gone");
    await member(server, "lobby", "gone", { membership: "leave", power_level: 100 });
    const { data } = (await crowd[0]?.get("/v1/rooms/lobby/state"))?.body ?? {};
    expect(idsOf(data.members)).toEqual(["boss", "mod", "guest", "a", "z", "n", "m", "o", "low"]);
    expect(data.room.member_count).toBe(8);
  });

  test("shows notification modes and mutes to their owners only", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lobby", [ann, bob]);
    const settings = { notification_mode: "mentions", muted_until: "2030-01-01T00:00:00.000Z" };
    await member(server, "lobby", "ann", settings);
    await member(server, "lobby", "bob", { ...settings, response_mode: "streaming" });
    const hidden = { notification_mode: null, muted_until: null };
    expect((await state(ann, "lobby")).members).toMatchObject([
      { participant_id: "ann", ...settings },
      { participant_id: "bob", ...hidden, response_mode: "streaming" },
    ]);
    expect((await state(bob, "lobby")).members).toMatchObject([
      { participant_id: "ann", ...hidden },
      { participant_id: "bob", ...settings },
    ]);
    expect(await state(ann, "lobby")).toMatchObject({
      settings: { notification_mode: "mentions" },
      muted_until: settings.muted_until,
    });
  });

  test("shows one's own effective presence, and of others what they let be seen", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const cy = await server.person("cy", { presence: "busy" });
    const ada = await server.person("ada", { participant_type: "helper" });
    const dot = await server.person("dot");
    await server.room("lobby", [ann, bob, cy, ada, dot]);
    await Promise.all([ann.stream(), bob.stream()]);
    await bob.put("/v1/me/presence", { state: "appear_offline" });
    const seen = async (viewer: Person): Promise<unknown> =>
      Object.fromEntries(
        (await state(viewer, "lobby")).members.map(
          ({ participant_id, presence }: { participant_id: string; presence: string }) => [
            participant_id,
            presence,
          ],
        ),
      );
    const all = { ada: "online", ann: "online", bob: "offline", cy: "busy", dot: "offline" };
    expect(await seen(ann)).toEqual(all);
    expect(await seen(bob)).toEqual({ ...all, bob: "appear_offline" });
    expect(await seen(dot)).toEqual(all);
  });

  test("names a direct room after the other person, as they are called now", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [
      await server.person("ann", { display_name: "Ann" }),
      await server.person("bob", { display_name: "Bob" }),
    ];
    await server.room("dm", [ann, bob], { room_type: "dm", name: "not this" });
    expect((await state(ann, "dm")).room).toMatchObject({ name: "Bob", member_count: 2 });
    expect((await state(bob, "dm")).room.name).toBe("Ann");
    await bob.put("/v1/me", { display_name: "Bobby" });
    expect((await state(ann, "dm")).room.name).toBe("Bobby");
  });

  test("shows a plan only while it is running or paused", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await server.room("lobby", [ann]);
    const shown: string[] = [];
    for (const planState of ["draft", "running", "paused", "done", "failed", "cancelled"]) {
      const sent = { ...PLAN, state: planState };
      await server.admin("PUT", "/rooms/lobby/plan", sent);
      const { plan } = await state(ann, "lobby");
      if (plan !== null) shown.push(plan.state);
      expect([null, sent]).toContainEqual(plan);
    }
    expect(shown).toEqual(["running", "paused"]);
  });

  test("shows the sidekicks that have not completed, failed or been terminated", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await server.room("lobby", [ann]);
    const statuses = ["running", "waiting for you", "completed", "failed", "terminated"];
    for (const [index, status] of statuses.entries())
      await server.admin("PUT", `/rooms/lobby/sidekicks/task-${index}`, { ...SIDEKICK, status });
    expect((await state(ann, "lobby")).active_sidekicks).toEqual([
      { ...SIDEKICK, task_id: "task-0", status: "running" },
      { ...SIDEKICK, task_id: "task-1", status: "waiting for you" },
    ]);
  });

  test("shows a call until it has ended", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await server.room("lobby", [ann]);
    await server.admin("PUT", "/rooms/lobby/call", CALL);
    expect((await state(ann, "lobby")).active_call).toEqual(CALL);
    const ended = { ...CALL, ended_at: "2026-03-02T09:00:00.000Z" };
    await server.admin("PUT", "/rooms/lobby/call", ended);
    expect((await state(ann, "lobby")).active_call).toBeNull();
    const { ended_at: _ended, ...begun } = CALL;
    await server.admin("PUT", "/rooms/lobby/call", begun);
    expect((await state(ann, "lobby")).active_call).toEqual(CALL);
  });

  test("shows a mute until its instant has come", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await server.room("lobby", [ann]);
    const until = new Date(server.clock.wall() + 1_000).toISOString();
    await member(server, "lobby", "ann", { muted_until: until });
    const muted = async (): Promise<unknown[]> => {
      const { muted_until, members } = await state(ann, "lobby");
      return [muted_until, members[0].muted_until];
    };
    await server.clock.advance(999);
    expect(await muted()).toEqual([until, until]);
    await server.clock.advance(1);
    expect(await muted()).toEqual([null, null]);
    await member(server, "lobby", "ann", { muted_until: "indefinite" });
    expect(await muted()).toEqual(["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"]);
    await member(server, "lobby", "ann", { muted_until: null });
    expect(await muted()).toEqual([null, null]);
  });

  test("answers the room's response mode, or else the viewer's preference", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lobby", [ann, bob]);
    await ann.put("/v1/me/preferences", { ai_response_mode: "streaming" });
    expect((await state(ann, "lobby")).settings.response_mode).toBe("streaming");
    expect((await state(bob, "lobby")).settings.response_mode).toBe("conversational");
    await server.admin("PUT", "/rooms/lobby", { response_mode: "conversational" });
    expect((await state(ann, "lobby")).settings.response_mode).toBe("conversational");
  });

  test("lists who types, but not the viewer and nobody who hides", async () => {
    await using server = await TestServer.start();
    const [ann, bob, cy] = [
      await server.person("ann"),
      await server.person("bob"),
      await server.person("cy", { presence: "appear_offline" }),
    ];
    await server.room("lobby", [ann, bob, cy]);
    await server.room("attic", [ann, bob, cy]);
    for (const each of [ann, bob, cy])
      await each.put("/v1/typing", { room_id: "lobby", typing: true });
    const typing = async (viewer: Person, room: string): Promise<string[]> =>
      (await state(viewer, room)).typing.toSorted();
    expect(await typing(ann, "lobby")).toEqual(["bob"]);
    expect(await typing(bob, "lobby")).toEqual(["ann"]);
    expect(await typing(cy, "lobby")).toEqual(["ann", "bob"]);
    expect(await typing(cy, "attic")).toEqual([]);
    await server.clock.advance(4_000);
    expect(await typing(cy, "lobby")).toEqual([]);
  });

  test("stands at the position that hello tells, which grows with events that several may see and with nothing else", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lobby", [ann, bob]);
    const { stream_position: before } = await state(ann, "lobby");
    const stream = await server.stream({ token: ann.token });
    expect(await stream.type("hello")).toMatchObject({ stream_position: before });
    await ann.put("/v1/me/preferences", { push: false });
    await ann.put("/v1/me/presence", { state: "busy" });
    await ann.put("/v1/typing", { room_id: "lobby", typing: true });
    await ann.post("/v1/me/heartbeat", { device_id: "phone" });
    await member(server, "lobby", "ann", { notification_mode: "none", muted_until: "indefinite" });
    await server.admin("PUT", "/participants/ann", { email: "ann@example.org" });
    expect((await state(ann, "lobby")).stream_position).toBe(before);
    const event = await say(server, "lobby", "bob");
    expect(event.stream_position).toBe(before + 1);
    expect((await state(ann, "lobby")).stream_position).toBe(before + 1);
    expect(await stream.type("swp.room.message")).toMatchObject({ stream_position: before + 1 });
    const again = await server.stream({ token: bob.token });
    expect(await again.type("hello")).toMatchObject({ stream_position: before + 1 });
  });
});

describe("GET /v1/rooms/{id}, part by part", () => {
  test("answers each part as the snapshot has it", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lobby", [ann, bob], { name: "Lobby", response_mode: "streaming" });
    await member(server, "lobby", "ann", { muted_until: "indefinite", engagement_mode: "keyword" });
    await server.admin("PUT", "/rooms/lobby/plan", PLAN);
    await server.admin("PUT", "/rooms/lobby/call", CALL);
    await server.admin("PUT", "/rooms/lobby/sidekicks/task-1", SIDEKICK);
    await say(server, "lobby", "bob");
    await bob.put("/v1/me/presence", { state: "idle" });
    await ann.put("/v1/me/presence", { state: "appear_offline" });
    const whole = await state(ann, "lobby");
    for (const [key, path] of Object.entries(PARTS)) {
      const { status, body } = await ann.get(`/v1/rooms/lobby${path}`);
      expect({ path, status, body }).toEqual({ path, status: 200, body: { data: whole[key] } });
    }
    expect((await ann.get("/v1/rooms/lobby/read-state")).body).toEqual({
      data: Object.fromEntries(READ_STATE.map((key) => [key, whole[key]])),
    });
  });

  test("answers null and nothing where there is no plan, call or sidekick", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await server.room("lobby", [ann]);
    const parts = ["/plan", "/call", "/sidekicks"];
    const answers = parts.map(async (part) => (await ann.get(`/v1/rooms/lobby${part}`)).body);
    expect(await Promise.all(answers)).toEqual([{ data: null }, { data: null }, { data: [] }]);
  });

  test("is for those who have joined: not for invitees, leavers, the banned or strangers", async () => {
    await using server = await TestServer.start();
    await server.room("lobby", [await server.person("ann")], { is_public: true });
    for (const membership of ["invite", "leave", "ban", "knock", undefined] as const) {
      const other = await server.person(`the-${membership}`);
      if (membership !== undefined) await member(server, "lobby", other.id, { membership });
      for (const path of EVERY_PATH)
        expect(refusalIn(await other.get(`/v1/rooms/lobby${path}`))).toEqual([
          403,
          "SW_NOT_MEMBER",
        ]);
    }
  });

  test("stays open to its members when it is archived or closed, and to the human of a sidekick room", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    for (const room of [
      { state: "archived" },
      { state: "closed" },
      { room_type: "sidekick" },
    ] as const) {
      await server.room("lobby", [ann], { state: "open", room_type: "group", ...room });
      for (const path of EVERY_PATH)
        expect((await ann.get(`/v1/rooms/lobby${path}`)).status).toBe(200);
    }
  });

  test("answers a room of another tenant exactly as one that does not exist", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await server.room("theirs", [await server.person("gwen", { tenant_id: "globex" })]);
    for (const path of EVERY_PATH) {
      const unknown = await ann.get(`/v1/rooms/no-such-room${path}`);
      expect(refusalIn(unknown)).toEqual([404, "SW_ROOM_NOT_FOUND"]);
      const theirs = await ann.get(`/v1/rooms/theirs${path}`);
      expect([theirs.status, theirs.body]).toEqual([unknown.status, unknown.body]);
    }
  });
});

describe("GET /v1/rooms", () => {
  test("lists the caller's rooms with what is unread, each as its own endpoint shows it", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lobby", [ann, bob], { name: "Lobby" });
    await server.room("dm", [ann, bob], { room_type: "dm" });
    await server.room("old", [ann], { state: "archived" });
    await server.room("bobs", [bob]);
    await server.room("invited", [bob]);
    await member(server, "invited", "ann", { membership: "invite" });
    await say(server, "lobby", "bob");
    await say(server, "lobby", "bob");
    await say(server, "dm", "ann");
    const { status, body } = await ann.get("/v1/rooms");
    expect(status).toBe(200);
    const unread = { dm: 0, lobby: 2, old: 0 };
    expect(body).toEqual({
      data: await Promise.all(
        Object.entries(unread).map(async ([id, unread_count]) => ({
          ...(await ann.get(`/v1/rooms/${id}`)).body.data,
          unread_count,
        })),
      ),
    });
    expect(body.data[0].name).toBe("bob");
  });

  test("is empty for whoever has joined nothing", async () => {
    await using server = await TestServer.start();
    expect((await (await server.person("ann")).get("/v1/rooms")).body).toEqual({ data: [] });
  });
});

describe("GET /v1/profiles/{id}", () => {
  test("answers participant and bio, and nothing private", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await server.person("bob", { display_name: "Bob", bio: "Hi", email: "bob@example.org" });
    expect((await ann.get("/v1/profiles/bob")).body).toEqual({
      data: {
        participant: {
          id: "bob",
          local_id: "bob",
          server_name: "localhost",
          display_name: "Bob",
          participant_type: "human",
          avatar_url: null,
        },
        bio: "Hi",
      },
    });
  });

  test("answers somebody of another tenant exactly as nobody", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await server.person("gwen", { tenant_id: "globex" });
    const nobody = await ann.get("/v1/profiles/nobody");
    expect(refusalIn(nobody)).toEqual([404, "SW_NOT_FOUND"]);
    const gwen = await ann.get("/v1/profiles/gwen");
    expect([gwen.status, gwen.body]).toEqual([nobody.status, nobody.body]);
  });
});

describe("GET /v1/profiles", () => {
  test("finds people of the own tenant by display name and local id, page by page", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann", { display_name: "Ann Other" });
    await server.person("bob", { display_name: "100% Bob" });
    await server.person("cy", { display_name: "Cy", local_id: "ANNA" });
    await server.person("anne", { display_name: "Anne", tenant_id: "globex" });
    const find = async (query: string): Promise<Reply> => ann.get(`/v1/profiles${query}`);
    const found = async (query: string): Promise<string[]> =>
      (await find(query)).body.data.map(
        (each: { participant: { id: string } }) => each.participant.id,
      );
    expect(await found("")).toEqual(["bob", "ann", "cy"]);
    expect(await found("?q=aNn")).toEqual(["ann", "cy"]);
    expect(await found("?q=%25")).toEqual(["bob"]);
    expect(await found("?q=_")).toEqual([]);
    expect(await found("?limit=2")).toEqual(["bob", "ann"]);
    expect(await found("?limit=2&offset=2")).toEqual(["cy"]);
    expect((await find("?q=cy&limit=1")).body).toEqual({
      data: [(await ann.get("/v1/profiles/cy")).body.data],
      meta: { limit: 1, offset: 0 },
    });
    expect((await find("")).body.meta).toEqual({ limit: 50, offset: 0 });
  });

  test("takes 1 to 200 at a time, and names every fault of the query", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    for (const limit of [1, 200])
      expect((await ann.get(`/v1/profiles?limit=${limit}`)).status).toBe(200);
    for (const limit of ["0", "201", "-1", "x", ""])
      expect(refusalIn(await ann.get(`/v1/profiles?limit=${limit}`))).toEqual([
        400,
        "SW_VALIDATION",
      ]);
    const { body } = await ann.get(`/v1/profiles?limit=0&offset=-1&q=${"x".repeat(101)}`);
    expect(pathsOf(body)).toEqual(["limit", "offset", "q"]);
  });
});

describe("POST /v1/rooms/dm", () => {
  test("opens a direct room, answers it again from both sides, and tells both people live", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [
      await server.person("ann", { display_name: "Ann" }),
      await server.person("bob", { display_name: "Bob" }),
    ];
    const [annHears, bobHears] = [await ann.stream(), await bob.stream()];
    const { status, body } = await ann.post("/v1/rooms/dm", { participant_id: "bob" });
    expect(status).toBe(200);
    const { id } = body.data;
    expect(body).toEqual({ data: (await ann.get(`/v1/rooms/${id}`)).body.data });
    expect(body.data).toMatchObject({ name: "Bob", room_type: "dm", member_count: 2 });
    expect((await bob.post("/v1/rooms/dm", { participant_id: "ann" })).body).toEqual({
      data: { ...body.data, name: "Ann" },
    });
    expect((await ann.post("/v1/rooms/dm", { participant_id: "bob" })).body).toEqual(body);
    for (const stream of [annHears, bobHears])
      expect(await stream.type("swp.room.member")).toMatchObject({ room_id: id });
    await say(server, id, "bob");
    for (const stream of [annHears, bobHears])
      expect(await stream.type("swp.room.message")).toMatchObject({ room_id: id });
  });

  test("refuses nobody, somebody of another tenant, oneself and a body that is wrong", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await server.person("gwen", { tenant_id: "globex" });
    const ask = async (body: unknown): Promise<unknown> =>
      refusalIn(await ann.post("/v1/rooms/dm", body));
    expect(await ask({ participant_id: "nobody" })).toEqual([404, "SW_NOT_FOUND"]);
    expect(await ask({ participant_id: "gwen" })).toEqual([404, "SW_NOT_FOUND"]);
    expect(await ask({ participant_id: "ann" })).toEqual([400, "SW_VALIDATION"]);
    const { body } = await ann.post("/v1/rooms/dm", { participant_id: "no id!", more: 1 });
    expect(pathsOf(body)).toEqual(["more", "participant_id"]);
    expect((await ann.get("/v1/rooms")).body.data).toEqual([]);
  });

  test("gains nobody: a third member is refused", async () => {
    await using server = await TestServer.start();
    const [ann, cy] = [await server.person("ann"), await server.person("cy")];
    await server.person("bob");
    const { data } = (await ann.post("/v1/rooms/dm", { participant_id: "bob" })).body;
    const third = await server.request("PUT", `/v1/admin/rooms/${data.id}/members/cy`, {
      token: (await server.person("root", { roles: ["porchlight_admin"] })).token,
      body: {},
    });
    expect(refusalIn(third)).toEqual([400, "SW_VALIDATION"]);
    expect(refusalIn(await cy.get(`/v1/rooms/${data.id}`))).toEqual([403, "SW_NOT_MEMBER"]);
  });
});

describe("the stream, of what happens in a room", () => {
  test("reaches those who have joined, in the order of positions, and nobody else", async () => {
    await using server = await TestServer.start();
    const [ann, bob, out] = [
      await server.person("ann"),
      await server.person("bob"),
      await server.person("out"),
    ];
    const gwen = await server.person("gwen", { tenant_id: "globex" });
    await server.room("lobby", [ann, bob]);
    await server.room("lobby", [gwen]);
    await server.room("attic", [out]);
    const acme = { tenant_id: "acme" };
    const joined = [await ann.stream(), await bob.stream()];
    const others = [await out.stream(), await gwen.stream()];
    await server.admin("PUT", "/rooms/lobby", { ...acme, name: "Hall", topic: "New" });
    await server.admin("PUT", "/rooms/lobby/plan?tenant_id=acme", PLAN);
    await server.admin("PUT", "/rooms/lobby/sidekicks/task-1?tenant_id=acme", SIDEKICK);
    await server.admin("PUT", "/rooms/lobby/call?tenant_id=acme", CALL);
    await server.admin("POST", "/rooms/lobby/events", {
      ...acme,
      sender_id: "bob",
      content: { body: "hello" },
    });
    await server.admin("PUT", "/rooms/lobby", { ...acme, state: "archived" });
    const expected = [
      { type: "swp.room.name", name: "Hall" },
      { type: "swp.room.topic", topic: "New" },
      { type: "swp.plan.updated", plan: PLAN },
      { type: "swp.sidekick.spawned", sidekick: SIDEKICK },
      { type: "swp.call.state", call: CALL },
      { type: "swp.room.message", sender_id: "bob", content: { body: "hello" } },
      { type: "swp.room.state", state: "archived" },
    ];
    const head = (await state(ann, "lobby")).stream_position;
    for (const stream of joined)
      expect<unknown>(durable(await stream.heard())).toEqual(
        expected.map((frame, index) => ({
          ...frame,
          id: expect.stringMatching(/^evt-/),
          tenant_id: "acme",
          room_id: "lobby",
          ts: expect.any(String),
          stream_position: head - expected.length + 1 + index,
        })),
      );
    for (const stream of others) expect(durable(await stream.heard())).toEqual([]);
  });

  test("tells an invitee of the invite, who hears nothing else of the room until they join", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lobby", [ann]);
    const [annHears, bobHears] = [await ann.stream(), await bob.stream()];
    await member(server, "lobby", "bob", { membership: "invite" });
    await say(server, "lobby", "ann", "not yet");
    await member(server, "lobby", "bob", { membership: "join" });
    await say(server, "lobby", "ann", "now");
    const [invited, joined, message] = [
      {
        type: "swp.room.member",
        participant_id: "bob",
        membership: "invite",
        member: { power_level: 0 },
      },
      { type: "swp.room.member", participant_id: "bob", membership: "join" },
      { type: "swp.room.message", content: { body: "now" } },
    ];
    expect(durable(await bobHears.heard())).toMatchObject([invited, joined, message]);
    expect(durable(await annHears.heard())).toMatchObject([
      invited,
      { content: { body: "not yet" } },
      joined,
      message,
    ]);
  });

  test.each(["leave", "ban"] as const)(
    "tells whoever is out by a %s of that, and of nothing after it",
    async (membership) => {
      await using server = await TestServer.start();
      const [ann, bob] = [await server.person("ann"), await server.person("bob")];
      await server.room("lobby", [ann, bob]);
      const [annHears, bobHears] = [await ann.stream(), await bob.stream()];
      await member(server, "lobby", "bob", { membership });
      await say(server, "lobby", "ann");
      const left = { type: "swp.room.member", participant_id: "bob", membership };
      expect(durable(await bobHears.heard())).toMatchObject([left]);
      expect(durable(await annHears.heard())).toMatchObject([left, { type: "swp.room.message" }]);
    },
  );

  test("tells members of a new power level, and nobody of private settings", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lobby", [ann, bob]);
    const annHears = await ann.stream();
    await member(server, "lobby", "bob", { notification_mode: "none", muted_until: "indefinite" });
    await member(server, "lobby", "bob", { power_level: 50 });
    const [told, ...more] = durable(await annHears.heard());
    expect(told).toMatchObject({
      participant_id: "bob",
      membership: "join",
      member: { power_level: 50, notification_mode: null, muted_until: null },
    });
    expect(more).toEqual([]);
  });
});

/** The snapshot of a room. */
async function state(viewer: Person, room_id: string): Promise<Reply["body"]> {
  const { status, body } = await viewer.get(`/v1/rooms/${room_id}/state`);
  expect(status).toBe(200);
  return body.data;
}

async function member(
  server: TestServer,
  room_id: string,
  participant_id: string,
  body: object,
): Promise<void> {
  await server.admin("PUT", `/rooms/${room_id}/members/${participant_id}`, body);
}

/** Sends a message on somebody's behalf. */
async function say(
  server: TestServer,
  room_id: string,
  sender_id: string,
  body = "hello",
): Promise<Reply["body"]> {
  const event = { sender_id, content: { msgtype: "m.text", body } };
  return (await server.admin("POST", `/rooms/${room_id}/events`, event)).body.data;
}

function refusalIn({ status, body }: Reply): [number, string] {
  return [status, body.error.code];
}

/** The paths of a refusal's faults, in order. */
function pathsOf(body: Reply["body"]): string[] {
  return body.error.details.map(({ path }: { path: string }) => path).toSorted();
}

function idsOf(members: readonly { participant_id: string }[]): string[] {
  return members.map(({ participant_id }) => participant_id);
}

/** Frames of what is durable, which others can replay. */
function durable<T extends { type: string }>(frames: readonly T[]): T[] {
  return frames.filter(
    ({ type }) => type.startsWith("swp.room") || /^swp\.(plan|call|side)/.test(type),
  );
}
