import { describe, expect, test } from "bun:test";
import { DEFAULT_TIMINGS } from "@porchlight/core";
import { DEFAULT_LIMITS, openConfigured } from "@porchlight/server";
import { RawStream } from "../support/raw-stream.ts";
import { TestServer } from "../support/server.ts";

describe("GET /v1/stream", () => {
  test("greets with the session, the position and every timing and limit a client obeys", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const stream = await server.stream({ token: ann.token });
    const { rate_limit: _rate, rate_burst: _burst, ...limits } = DEFAULT_LIMITS;
    expect(await stream.next()).toEqual({
      type: "hello",
      session_id: expect.any(String),
      server_name: "localhost",
      tenant_id: "acme",
      participant_id: "ann",
      ts: new Date(server.clock.wall()).toISOString(),
      stream_position: 1,
      timings: DEFAULT_TIMINGS,
      limits,
    });
  });

  test("is told an event also where something else that follows events fails at it", async () => {
    let isOdd = true;
    const open: typeof openConfigured = (config, announce) =>
      openConfigured(config, (announcement) => {
        const { sender_id, ...rest } = announcement.frame;
        // Typing is the first to ask who has sent something, and so to stop.
        const read = (): unknown => {
          if (!isOdd) return sender_id;
          isOdd = false;
          throw new Error("Odd");
        };
        const frame = Object.defineProperty(rest, "sender_id", { get: read, enumerable: true });
        announce(sender_id === undefined ? announcement : { ...announcement, frame });
      });
    await using server = await TestServer.start({ open });
    const ann = await server.person("ann");
    await server.room("lounge", [ann]);
    const stream = await ann.stream();
    const event = { sender_id: "ann", content: {} };
    await server.admin("POST", "/rooms/lounge/events", event);
    expect(await stream.type("swp.room.message")).toMatchObject({ sender_id: "ann" });
    expect(server.lines.filter(({ level }) => level === "error")).toMatchObject([
      { event: "announce.failed", type: "swp.room.message", error: "Odd" },
    ]);
  });

  test("takes its token from the query, the header or the subprotocol, and never answers with it", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const url = `${server.url.replace("http", "ws")}/v1/stream`;
    const byProtocol = await server.stream({}, [`bearer.${ann.token}`, "porchlight.v1"]);
    expect(await byProtocol.next()).toMatchObject({ type: "hello", participant_id: "ann" });
    expect(byProtocol.protocol).toBe("porchlight.v1");
    const tokenLast = await server.stream({}, ["porchlight.v1", `bearer.${ann.token}`]);
    expect(await tokenLast.next()).toMatchObject({ type: "hello", participant_id: "ann" });
    expect(tokenLast.protocol).toBe("porchlight.v1");
    const byHeader = new WebSocket(url, {
      headers: { authorization: `Bearer ${ann.token}` },
    } as never);
    expect(
      await new Promise((resolve) =>
        byHeader.addEventListener("message", ({ data }) => resolve(JSON.parse(data).type)),
      ),
    ).toBe("hello");
    byHeader.close();
  });

  test("accepts a refused token and closes with 4001 and why", async () => {
    await using server = await TestServer.start();
    const old = await server.person("old", {
      expires_at: new Date(server.clock.wall() + 1_000).toISOString(),
    });
    await server.clock.advance(1_000);
    expect(await (await server.stream({ token: "nonsense" })).closed).toEqual({
      code: 4001,
      reason: "token_invalid",
    });
    expect(await (await server.stream({})).closed).toEqual({ code: 4001, reason: "token_invalid" });
    expect(await (await server.stream({ token: old.token })).closed).toEqual({
      code: 4001,
      reason: "token_expired",
    });
  });

  test("closes with 4001 when the token expires or is revoked while connected", async () => {
    await using server = await TestServer.start();
    const old = await server.person("old", {
      expires_at: new Date(server.clock.wall() + 45_000).toISOString(),
    });
    const ann = await server.person("ann");
    const [oldStream, annStream] = [await old.stream(), await ann.stream()];
    await server.clock.advance(44_999);
    expect(await oldStream.heard()).not.toBeEmpty();
    await server.clock.advance(1);
    expect(await oldStream.closed).toEqual({ code: 4001, reason: "token_expired" });
    await server.admin("DELETE", `/tokens/${ann.tokenId}`);
    expect(await annStream.closed).toEqual({ code: 4001, reason: "token_revoked" });
    expect((await ann.get("/v1/me")).body.error.code).toBe("SW_AUTH_INVALID_TOKEN");
  });

  test("answers a heartbeat that asks for it, and no other", async () => {
    await using server = await TestServer.start();
    const stream = await (await server.person("ann")).stream();
    await stream.heard();
    stream.send({ type: "heartbeat", state: "online" });
    expect(await stream.heard()).toEqual([]);
    stream.send({ type: "heartbeat", state: "online", ack: true });
    expect(await stream.heard()).toEqual([
      { type: "heartbeat", ts: new Date(server.clock.wall()).toISOString() },
    ]);
  });

  test("answers a plain request and a faulty query with every fault", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const plain = await ann.get("/v1/stream");
    expect([plain.status, plain.body.error.code]).toEqual([400, "SW_VALIDATION"]);
    const faulty = await ann.get(
      "/v1/stream?device_id=socket:x&instance=%20&state=busy&idle_for_ms=-1&presence=some&since=x",
    );
    const paths = faulty.body.error.details.map(({ path }: { path: string }) => path);
    expect(paths.sort()).toEqual([
      "device_id",
      "idle_for_ms",
      "instance",
      "presence",
      "since",
      "state",
    ]);
  });

  test("a second connection of the same device and instance closes the first, another instance does not", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const bobHears = await bob.stream();
    const first = await ann.stream({ device_id: "laptop" });
    const other = await ann.stream({ device_id: "laptop", instance: "tab" });
    const second = await ann.stream({ device_id: "laptop" });
    expect(await first.closed).toEqual({ code: 4003, reason: "duplicate_connection" });
    expect(await other.heard()).not.toContainEqual(expect.objectContaining({ type: "error" }));
    await server.clock.advance(60_000);
    expect(
      (await bobHears.heard()).filter(({ participant_id }) => participant_id === "ann"),
    ).toMatchObject([{ state: "online" }]);
    expect(await second.heard()).toBeArray();
  });

  test("closes a frame above frame_max_bytes with 1009, and lets a subscription be larger", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const frameOf = (bytes: number): string =>
      `{"type":"heartbeat","state":"online","x":"${"x".repeat(bytes - 44)}"}`;
    expect(frameOf(65_536).length).toBe(65_536);
    const stream = await ann.stream();
    stream.sendText(frameOf(65_536));
    stream.send({
      type: "subscribe",
      presence: Array.from({ length: 5_000 }, (_, index) => `participant-${index}-with-a-name`),
    });
    expect((await stream.heard()).map(({ type }) => type)).not.toContain("error");
    stream.sendText(frameOf(65_537));
    expect((await stream.closed).code).toBe(1009);
    const larger = await ann.stream();
    larger.sendText("x".repeat(1_048_577));
    expect((await larger.closed).code).toBe(1009);
  });

  test("closes a large frame with 1009 that only has a subscription in it", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const stream = await ann.stream();
    const large = { x: { type: "subscribe" }, y: "x".repeat(100_000) };
    const frame = { ...large, type: "heartbeat", state: "online", ack: true };
    stream.sendText(JSON.stringify(frame));
    expect((await stream.closed).code).toBe(1009);
    expect(stream.taken().map(({ type }) => type)).not.toContain("heartbeat");
  });

  test("names the fault of a frame and goes on", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const stream = await ann.stream();
    await stream.heard();
    for (const text of [
      "nonsense",
      "[]",
      '{"type":"typing","room_id":"nowhere","typing":true}',
      '{"type":"heartbeat","state":"busy"}',
    ]) {
      stream.sendText(text);
    }
    const errors = [
      await stream.type("error"),
      await stream.type("error"),
      await stream.type("error"),
      await stream.type("error"),
    ];
    expect(errors.map(({ code }) => code).sort()).toEqual([
      "SW_ROOM_NOT_FOUND",
      "SW_VALIDATION",
      "SW_VALIDATION",
      "SW_VALIDATION",
    ]);
    expect(errors.find(({ code }) => code === "SW_ROOM_NOT_FOUND")).toMatchObject({
      ref: "typing",
    });
    expect(errors.find(({ ref }) => ref === "heartbeat")?.message).toContain("state: must be");
  });
});

describe("a client that does too much, or too little", () => {
  test("is closed with 4029 above frame_rate frames a second for 5 s, and not at it", async () => {
    await using server = await TestServer.start({ env: { PORCHLIGHT_FRAME_RATE: "2" } });
    const ann = await server.person("ann");
    const stream = await ann.stream();
    const beat = { type: "heartbeat", state: "online", ack: true } as const;
    for (let window = 0; window < 3; window += 1) {
      for (let frame = 0; frame < 10; frame += 1) stream.send(beat);
      for (let frame = 0; frame < 10; frame += 1) await stream.type("heartbeat");
      if (window < 2) await server.clock.advance(5_000);
    }
    stream.send(beat);
    const { code, reason } = await stream.closed;
    expect([code, Number(reason) > 0]).toEqual([4029, true]);
  });

  test("is closed with 4029 at the 20th malformed frame", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const stream = await ann.stream();
    for (let frame = 0; frame < 19; frame += 1) stream.sendText("nonsense");
    expect((await stream.heard()).filter(({ type }) => type === "error")).toHaveLength(19);
    stream.sendText("nonsense");
    expect((await stream.closed).code).toBe(4029);
  });

  test("is closed with 4003 when one socket more than sockets_per_participant opens: the oldest goes", async () => {
    await using server = await TestServer.start({
      alone: true,
      env: { PORCHLIGHT_SOCKETS_PER_PARTICIPANT: "2" },
    });
    const ann = await server.person("ann");
    const [first, second] = [await ann.stream(), await ann.stream()];
    const third = await ann.stream();
    expect(await first.closed).toEqual({ code: 4003, reason: "too_many_devices" });
    expect(await second.heard()).toBeArray();
    expect(await third.heard()).toBeArray();
  });

  test("that does not read is closed with 4008 before anything is dropped, and others hear everything", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lounge", [ann, bob]);
    const bobHears = await bob.stream();
    using deaf = await RawStream.open(server, ann.token);
    deaf.pause();
    const body = "x".repeat(30_000);
    for (let sent = 0; sent < 300; sent += 1) {
      await server.admin("POST", "/rooms/lounge/events", { sender_id: "bob", content: { body } });
      await server.clock.advance(50);
      if (server.lines.some(({ event }) => event === "stream.closed")) break;
    }
    expect(server.lines.filter(({ event }) => event === "stream.closed")).toMatchObject([
      { participant_id: "ann", code: 4008 },
    ]);
    const positions = (await bobHears.heard()).flatMap(({ type, stream_position }) =>
      type === "swp.room.message" ? [Number(stream_position)] : [],
    );
    expect(positions).toEqual(positions.map((_, index) => (positions[0] ?? 0) + index));
    // It will be back: until then it lingers.
    expect((await bob.get("/v1/presence?ids=ann")).body.data.ann).toBe("online");
  });

  test("that reads late, but before backlog_max_bytes wait for it, is not closed", async () => {
    await using server = await TestServer.start({
      env: { PORCHLIGHT_BACKLOG_MAX_BYTES: "50000000" },
    });
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lounge", [ann, bob]);
    using late = await RawStream.open(server, ann.token);
    late.pause();
    const body = "x".repeat(60_000);
    // More than the machine takes off the server's hands.
    for (let sent = 0; sent < 200; sent += 1) {
      await server.admin("POST", "/rooms/lounge/events", { sender_id: "bob", content: { body } });
      await server.clock.advance(50);
    }
    expect(server.lines.filter(({ event }) => event === "stream.closed")).toEqual([]);
  });
});

describe("pings", () => {
  test("close a socket that leaves two unanswered with 4003, and its device lingers", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    using deaf = await RawStream.open(server, ann.token);
    await server.clock.advance(89_999);
    expect((await bob.get("/v1/presence?ids=ann")).body.data.ann).toBe("online");
    await server.clock.advance(1);
    expect(await deaf.closed()).toEqual({ code: 4003, reason: "ping_timeout" });
    expect((await bob.get("/v1/presence?ids=ann")).body.data.ann).toBe("online");
    await server.clock.advance(10_000);
    expect((await bob.get("/v1/presence?ids=ann")).body.data.ann).toBe("offline");
  });

  test("leave a socket open that answers them, and keep its device", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const stream = await ann.stream({ device_id: "laptop" });
    for (let ping = 0; ping < 8; ping += 1) {
      await server.clock.advance(30_000);
      // A pong travels in order: once the server has answered what was sent after it, it has arrived.
      await stream.heard();
    }
    expect((await bob.get("/v1/presence?ids=ann")).body.data.ann).toBe("online");
  });
});

describe("subscribe", () => {
  test("decides whose presence is told: everybody's, nobody's, or that of those named", async () => {
    await using server = await TestServer.start();
    const [ann, bob, eve] = [
      await server.person("ann"),
      await server.person("bob"),
      await server.person("eve"),
    ];
    const hears = await ann.stream({ presence: "none" });
    await hears.heard();
    const toldOf = async (): Promise<unknown[]> => {
      for (const who of [bob, eve]) await who.put("/v1/me/presence", { state: "busy" });
      for (const who of [bob, eve]) await who.put("/v1/me/presence", { state: "idle" });
      await server.clock.advance(2_000);
      return [...new Set((await hears.heard()).map(({ participant_id }) => participant_id))];
    };
    expect(await toldOf()).toEqual([]);
    hears.send({ type: "subscribe", presence: ["eve", "nobody"] });
    expect(await toldOf()).toEqual(["eve"]);
    hears.send({ type: "subscribe", presence: "all" });
    await hears.heard();
    expect(await toldOf()).toEqual(["bob", "eve"]);
  });

  test("with snapshot answers everyone who is not offline, as far as subscribed", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await server.person("bob", { presence: "busy" });
    await server.person("eve", { presence: "idle" });
    await server.person("off");
    await server.person("gwen", { tenant_id: "globex", presence: "busy" });
    const stream = await ann.stream();
    const snapshotOf = async (presence: "all" | "none" | string[]): Promise<unknown> => {
      stream.send({ type: "subscribe", presence, snapshot: true });
      return (await stream.type("presence.snapshot")).states;
    };
    expect(await snapshotOf("all")).toEqual({ ann: "online", bob: "busy", eve: "idle" });
    expect(await snapshotOf(["bob", "off"])).toEqual({ ann: "online", bob: "busy" });
    expect(await snapshotOf("none")).toEqual({ ann: "online" });
  });
});

describe("tenants", () => {
  test("hear nothing of each other", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const gwen = await server.person("gwen", { tenant_id: "globex" });
    const room_id = await server.room("lounge", [ann, bob]);
    const gwenHears = await gwen.stream();
    await gwenHears.heard();
    await ann.put("/v1/me/presence", { state: "busy" });
    await ann.put("/v1/typing", { room_id, typing: true });
    await ann.put("/v1/me", { display_name: "Ann" });
    await server.clock.advance(10_000);
    expect(await gwenHears.heard()).toEqual([]);
  });
});
