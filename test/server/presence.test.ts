import { describe, expect, test } from "bun:test";
import { TestServer } from "../support/server.ts";
import type { Frame } from "../support/stream.ts";

/** What a list of frames says of a person's presence. */
function statesOf(frames: readonly Frame[], id: string): unknown[] {
  return frames
    .filter(({ type, participant_id }) => type === "presence" && participant_id === id)
    .map(({ state }) => state);
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

describe("GET /v1/presence", () => {
  test("answers each id once, by comma or by repetition, and offline for whatever is unknown", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await server.person("bob", { presence: "busy" });
    await server.person("gwen", { tenant_id: "globex", presence: "busy" });
    const { body } = await ann.get(
      "/v1/presence?ids=bob,gwen&ids=nobody,bob&ids=not%20an%20id,__proto__",
    );
    expect(body).toEqual({
      data: {
        bob: "busy",
        gwen: "offline",
        nobody: "offline",
        "not an id": "offline",
        ["__proto__"]: "offline",
      },
    });
  });

  test("takes 1 to presence_max_ids different ids", async () => {
    await using server = await TestServer.start({ env: { PORCHLIGHT_PRESENCE_MAX_IDS: "3" } });
    const ann = await server.person("ann");
    const statusOf = async (query: string): Promise<number> =>
      (await ann.get(`/v1/presence${query}`)).status;
    expect(await statusOf("")).toBe(400);
    expect(await statusOf("?ids=,")).toBe(400);
    expect(await statusOf("?ids=a")).toBe(200);
    expect(await statusOf("?ids=a,b,c,a,b,c")).toBe(200);
    const { status, body } = await ann.get("/v1/presence?ids=a,b,c,d");
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ code: "SW_VALIDATION", details: [{ path: "ids" }] });
  });

  test("answers the effective state for oneself, and what was told for others", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await ann.put("/v1/me/presence", { state: "appear_offline" });
    expect((await ann.get("/v1/presence?ids=ann")).body.data).toEqual({ ann: "appear_offline" });
    expect((await bob.get("/v1/presence?ids=ann")).body.data).toEqual({ ann: "offline" });
  });
});

describe("POST /v1/presence/query", () => {
  test("takes 1 to 5,000 ids in the body", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann", { presence: "idle" });
    const ids = (count: number): string[] =>
      Array.from({ length: count }, (_, index) => `p${index}`);
    expect((await ann.post("/v1/presence/query", { ids: [] })).status).toBe(400);
    expect((await ann.post("/v1/presence/query", { ids: ["ann"] })).body.data).toEqual({
      ann: "idle",
    });
    expect((await ann.post("/v1/presence/query", { ids: ids(5_000) })).status).toBe(200);
    expect((await ann.post("/v1/presence/query", { ids: ids(5_001) })).status).toBe(400);
  });
});

describe("PUT /v1/me/presence", () => {
  test("sets a state that others are told at once, until automatic", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const [annHears, bobHears] = [await ann.stream(), await bob.stream()];
    expect((await ann.put("/v1/me/presence", { state: "busy" })).body.data).toEqual({
      state: "busy",
      source: "manual",
    });
    expect(statesOf(await bobHears.heard(), "ann")).toEqual(["busy"]);
    const own = await annHears.heard();
    expect(statesOf(own, "ann")).toEqual(["online", "busy"]);
    expect(own.filter(({ type }) => type === "swp.me.presence")).toMatchObject([
      { manual: "busy", state: "busy" },
    ]);
    expect((await ann.put("/v1/me/presence", { auto: true })).body.data).toEqual({
      state: "online",
      source: "device",
    });
    expect(statesOf(await bobHears.heard(), "ann")).toEqual(["online"]);
  });

  test("refuses anything but exactly one of a state and automatic", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    for (const body of [
      {},
      { state: "offline" },
      { auto: false },
      { state: "busy", auto: true },
      { state: null },
      [],
      "busy",
    ]) {
      const reply = await ann.put("/v1/me/presence", body);
      expect([body, reply.status, reply.body.error?.code]).toEqual([body, 400, "SW_VALIDATION"]);
    }
    expect((await ann.get("/v1/me/presence")).body.data.manual).toBeNull();
  });

  test("by curl alone makes a person visible for presence_ttl_ms", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const stateOf = async (): Promise<string> =>
      (await bob.get("/v1/presence?ids=ann")).body.data.ann;
    await ann.put("/v1/me/presence", { auto: true });
    expect(await stateOf()).toBe("online");
    await server.clock.advance(2 * MINUTE - 1);
    expect(await stateOf()).toBe("online");
    await server.clock.advance(1);
    expect(await stateOf()).toBe("offline");
  });

  test("by request, and quitting afterwards, leaves no ghost", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    for (const device_id of [undefined, "laptop"]) {
      await ann.put("/v1/me/presence", { auto: true, device_id });
      const stream = await ann.stream(device_id === undefined ? {} : { device_id });
      await ann.put("/v1/me/presence", { auto: true, device_id });
      stream.send({ type: "bye" });
      expect(await stream.closed).toEqual({ code: 1000, reason: "bye" });
      await server.clock.advance(100);
      expect((await bob.get("/v1/presence?ids=ann")).body.data).toEqual({ ann: "offline" });
    }
  });

  test("hiding by request, from nowhere, shows no blink", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const bobHears = await bob.stream();
    await ann.put("/v1/me/presence", { state: "appear_offline" });
    await ann.stream({ device_id: "laptop" });
    await server.clock.advance(MINUTE);
    expect(statesOf(await bobHears.heard(), "ann")).toEqual([]);
    expect((await ann.get("/v1/me/presence")).body.data).toMatchObject({
      state: "appear_offline",
      source: "manual",
    });
  });

  test("five changes in a second are told at once, a sixth with the next telling", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const bobHears = await bob.stream();
    for (const state of ["busy", "idle", "busy", "idle", "busy", "idle"])
      await ann.put("/v1/me/presence", { state });
    expect(statesOf(await bobHears.heard(), "ann")).toEqual([
      "busy",
      "idle",
      "busy",
      "idle",
      "busy",
    ]);
    await server.clock.advance(100);
    expect(statesOf(await bobHears.heard(), "ann")).toEqual(["idle"]);
  });
});

describe("the devices of a person", () => {
  test("the most awake of three shows, and when it signs off the next shows at once", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const bobHears = await bob.stream();
    await ann.stream({ device_id: "tv", state: "idle" });
    const phone = await ann.stream({ device_id: "phone", state: "idle", idle_for_ms: "5000" });
    const laptop = await ann.stream({ device_id: "laptop", state: "online" });
    await server.clock.advance(SECOND);
    expect(statesOf(await bobHears.heard(), "ann")).toEqual(["idle", "online"]);
    laptop.send({ type: "bye" });
    await laptop.closed;
    expect(statesOf(await bobHears.heard(), "ann")).toEqual(["idle"]);
    phone.send({ type: "heartbeat", state: "online" });
    await phone.heard();
    await server.clock.advance(100);
    expect(statesOf(await bobHears.heard(), "ann")).toEqual(["online"]);
  });

  test("two tabs of one device live side by side, and the device with the last of them", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const bobHears = await bob.stream();
    const first = await ann.stream({ device_id: "laptop", instance: "tab-1" });
    const second = await ann.stream({ device_id: "laptop", instance: "tab-2" });
    await first.close();
    await server.clock.advance(SECOND);
    expect(statesOf(await bobHears.heard(), "ann")).toEqual(["online"]);
    await second.close();
    await server.clock.advance(SECOND);
    expect(statesOf(await bobHears.heard(), "ann")).toEqual(["offline"]);
  });

  test("lost without a word and back within disconnect_grace_ms sends nothing to others", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const bobHears = await bob.stream();
    const before = await ann.stream({ device_id: "laptop", state: "online" });
    await bobHears.heard();
    await server.cut(before);
    await server.clock.advance(9_999);
    await ann.stream({ device_id: "laptop", state: "online" });
    await server.clock.advance(MINUTE);
    expect(statesOf(await bobHears.heard(), "ann")).toEqual([]);
  });

  test("lost without a word is offline after disconnect_grace_ms", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const bobHears = await bob.stream();
    const laptop = await ann.stream({ device_id: "laptop" });
    await server.cut(laptop);
    await server.clock.advance(9_999);
    expect(statesOf(await bobHears.heard(), "ann")).toEqual(["online"]);
    await server.clock.advance(1);
    expect(statesOf(await bobHears.heard(), "ann")).toEqual(["offline"]);
  });

  test("a return that says how long the user was idle wakes nobody", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await ann.stream({ device_id: "laptop", idle_for_ms: "600000" });
    expect((await bob.get("/v1/presence?ids=ann")).body.data).toEqual({ ann: "idle" });
  });

  test("a device without activity for idle_after_ms is idle", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const stream = await ann.stream({ device_id: "laptop" });
    const bobHears = await bob.stream();
    for (let minute = 0; minute < 5; minute += 1) {
      stream.send({ type: "heartbeat", state: "online", idle_for_ms: minute * MINUTE });
      await stream.heard();
      await server.clock.advance(minute < 4 ? MINUTE : MINUTE - 1);
    }
    expect(statesOf(await bobHears.heard(), "ann")).toEqual([]);
    await server.clock.advance(1);
    expect(statesOf(await bobHears.heard(), "ann")).toEqual(["idle"]);
  });
});

describe("a machine that slept", () => {
  test("counts the sleep as silence of those who are heard by requests", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await ann.post("/v1/me/heartbeat", { device_id: "phone" });
    server.clock.sleep(MINUTE);
    await server.clock.advance(MINUTE - 1);
    expect((await bob.get("/v1/presence?ids=ann")).body.data.ann).toBe("online");
    server.clock.sleep(1);
    await server.clock.advance(10 * SECOND);
    expect((await bob.get("/v1/presence?ids=ann")).body.data.ann).toBe("offline");
  });

  test("has everyone who is still connected back with their next sign of life", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const [annHears, bobHears] = [await ann.stream(), await bob.stream()];
    server.clock.sleep(10 * MINUTE);
    await server.clock.advance(30 * SECOND);
    annHears.send({ type: "heartbeat", state: "online" });
    await annHears.heard();
    await server.clock.advance(SECOND);
    expect(statesOf(await bobHears.heard(), "ann").at(-1)).toBe("online");
  });
});

describe("POST /v1/me/heartbeat", () => {
  test("keeps a device for presence_ttl_ms and carries its state", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const stateOf = async (): Promise<string> =>
      (await bob.get("/v1/presence?ids=ann")).body.data.ann;
    const { body } = await ann.post("/v1/me/heartbeat", { device_id: "phone", state: "idle" });
    expect(body.data).toEqual({ state: "idle", expires_in_ms: 120_000, refresh_after_ms: 30_000 });
    await server.clock.advance(119_999);
    expect(await stateOf()).toBe("idle");
    await ann.post("/v1/me/heartbeat", { device_id: "phone", state: "online" });
    await server.clock.advance(119_999);
    expect(await stateOf()).toBe("online");
    await server.clock.advance(1);
    expect(await stateOf()).toBe("offline");
  });

  test("refuses names that the server gives itself, and everything else that is wrong at once", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const { status, body } = await ann.post("/v1/me/heartbeat", {
      device_id: "rest:x",
      state: "busy",
      idle_for_ms: -1,
      z: 1,
    });
    expect(status).toBe(400);
    expect(body.error.details.map(({ path }: { path: string }) => path).sort()).toEqual([
      "device_id",
      "idle_for_ms",
      "state",
      "z",
    ]);
  });
});

describe("DELETE /v1/me/devices/{device_id}", () => {
  test("signs a device off with its sockets, and others see it at once", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const bobHears = await bob.stream();
    const tabs = [
      await ann.stream({ device_id: "laptop", instance: "1" }),
      await ann.stream({ device_id: "laptop", instance: "2" }),
    ];
    await server.clock.advance(SECOND);
    expect((await ann.delete("/v1/me/devices/laptop")).body.data).toEqual({
      device_id: "laptop",
      state: "offline",
    });
    for (const tab of tabs) expect(await tab.closed).toEqual({ code: 4003, reason: "signed_off" });
    expect(statesOf(await bobHears.heard(), "ann")).toEqual(["online", "offline"]);
  });
});

describe("GET /v1/me/presence", () => {
  test("says which device, by which transports, until when, and what changes next", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const start = server.clock.wall();
    const at = (ms: number): string => new Date(start + ms).toISOString();
    await ann.stream({ device_id: "laptop", state: "online", idle_for_ms: "60000" });
    await ann.post("/v1/me/heartbeat", { device_id: "phone", state: "idle" });
    const { body } = await ann.get("/v1/me/presence");
    expect(body.data).toEqual({
      state: "online",
      source: "device",
      manual: null,
      devices: [
        {
          device_id: "laptop",
          state: "online",
          transports: ["stream"],
          last_active_at: at(-MINUTE),
          expires_at: at(2 * MINUTE),
        },
        {
          device_id: "phone",
          state: "idle",
          transports: ["rest"],
          last_active_at: at(0),
          expires_at: at(2 * MINUTE),
        },
      ],
      next_change_at: at(2 * MINUTE),
    });
  });

  test("names the choice by hand, the kind of participant, or nothing as the source", async () => {
    await using server = await TestServer.start();
    const whyOf = async (id: string, body: object): Promise<unknown> => {
      const { data } = (await (await server.person(id, body)).get("/v1/me/presence")).body;
      return [data.state, data.source, data.manual, data.next_change_at];
    };
    expect(await whyOf("ann", { presence: "busy" })).toEqual(["busy", "manual", "busy", null]);
    expect(await whyOf("ada", { participant_type: "model" })).toEqual([
      "online",
      "participant_type",
      null,
      null,
    ]);
    expect(await whyOf("bob", {})).toEqual(["offline", "none", null, null]);
  });
});

describe("appearing offline", () => {
  test("is offline for everyone else by request, stream and snapshot, and itself for oneself", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const room_id = await server.room("lounge", [ann, bob]);
    const [annHears, bobHears] = [await ann.stream({ device_id: "laptop" }), await bob.stream()];
    await ann.put("/v1/me/presence", { state: "appear_offline" });
    expect(statesOf(await bobHears.heard(), "ann")).toEqual(["offline"]);
    bobHears.send({ type: "subscribe", presence: "all", snapshot: true });
    expect((await bobHears.type("presence.snapshot")).states).toEqual({ bob: "online" });
    annHears.send({ type: "subscribe", presence: "all", snapshot: true });
    expect((await annHears.type("presence.snapshot")).states).toEqual({
      ann: "appear_offline",
      bob: "online",
    });
    const presenceIn = async (viewer: typeof ann): Promise<unknown> => {
      const { data } = (await viewer.get(`/v1/rooms/${room_id}/state`)).body;
      return data.members.find(
        ({ participant_id }: { participant_id: string }) => participant_id === "ann",
      ).presence;
    };
    expect(await presenceIn(bob)).toBe("offline");
    expect(await presenceIn(ann)).toBe("appear_offline");
  });

  test("ends live typing first, and what is typed while hidden reaches nobody", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const room_id = await server.room("lounge", [ann, bob]);
    const annStream = await ann.stream();
    const bobHears = await bob.stream({ presence: "none" });
    bobHears.send({ type: "subscribe", presence: ["ann"] });
    await bobHears.heard();
    await ann.put("/v1/typing", { room_id, typing: true });
    await ann.put("/v1/me/presence", { state: "appear_offline" });
    const heard = await bobHears.heard();
    expect(heard.map(({ type, typing, state }) => [type, typing ?? state])).toEqual([
      ["typing", true],
      ["typing", false],
      ["presence", "offline"],
    ]);
    const { status, body } = await ann.put("/v1/typing", { room_id, typing: true });
    expect([status, body.data.fanout]).toEqual([200, true]);
    annStream.send({ type: "typing", room_id, typing: true });
    await annStream.heard();
    expect((await bob.get(`/v1/rooms/${room_id}/state`)).body.data.typing).toEqual([]);
    await server.clock.advance(10 * SECOND);
    expect((await bobHears.heard()).filter(({ type }) => type === "typing")).toEqual([]);
  });
});

describe("a token that is revoked", () => {
  test("takes the device with it that stood for it", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await ann.put("/v1/me/presence", { auto: true });
    expect((await bob.get("/v1/presence?ids=ann")).body.data.ann).toBe("online");
    await server.admin("DELETE", `/tokens/${ann.tokenId}`);
    await server.clock.advance(SECOND);
    expect((await bob.get("/v1/presence?ids=ann")).body.data.ann).toBe("offline");
  });
});

describe("PORCHLIGHT_MANUAL_WITHOUT_DEVICE", () => {
  for (const [policy, seen] of [
    ["keep", "busy"],
    ["offline", "offline"],
  ] as const) {
    test(`"${policy}": a manual state without a device shows as ${seen}`, async () => {
      await using server = await TestServer.start({
        env: { PORCHLIGHT_MANUAL_WITHOUT_DEVICE: policy },
      });
      const [ann, bob] = [await server.person("ann"), await server.person("bob")];
      const stream = await ann.stream({ device_id: "laptop" });
      await ann.put("/v1/me/presence", { state: "busy" });
      expect((await bob.get("/v1/presence?ids=ann")).body.data.ann).toBe("busy");
      await stream.close();
      await server.clock.advance(SECOND);
      expect((await bob.get("/v1/presence?ids=ann")).body.data.ann).toBe(seen);
      expect((await ann.get("/v1/me/presence")).body.data.state).toBe("busy");
    });
  }
});
