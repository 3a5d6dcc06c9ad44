import { describe, expect, test } from "bun:test";
import { CodedError, type ErrorCode, type ServerFrame } from "@porchlight/core";
import { Connection, type ConnectionState, webRuntime } from "@porchlight/core/client";
import { Arrivals } from "../../support/arrivals.ts";
import { hello, TestRuntime } from "../../support/client-runtime.ts";
import { TestClock, turn } from "../../support/clock.ts";
import { Line, told } from "../../support/line.ts";
import { TestServer } from "../../support/server.ts";

describe("Connection open()", () => {
  test("connects, and is open once the server has said hello", async () => {
    const line = new Line();
    expect(line.connection.state).toEqual({ status: "suspended" });
    line.connection.open();
    await turn();
    expect(line.connection.state).toEqual({ status: "connecting" });
    line.runtime.socket.hello();
    expect(line.connection.state).toEqual({ status: "open", hello: hello() });
    expect(line.states.map(({ status }) => status)).toEqual(["connecting", "open"]);
  });

  test("passes every frame on, the hello first, when the state already says so", async () => {
    const seen: string[] = [];
    const line = new Line({
      onState: ({ status }) => void seen.push(status),
      onFrame: ({ type }) => void seen.push(type),
    });
    line.connection.open();
    await turn();
    line.runtime.socket.hello();
    line.runtime.socket.say(told());
    expect(seen).toEqual(["connecting", "open", "hello", "presence"]);
  });

  test("passes nothing on once its owner has closed it, not even the hello that it just told of", async () => {
    const line: Line = await Line.connecting({
      onState: ({ status }) => void (status === "open" && line.connection.close()),
    });
    line.runtime.socket.hello();
    expect(line.status).toBe("closed");
    expect(line.frames).toEqual([]);
  });

  test("says in the URL who connects, from which position, and how long the user has been idle", async () => {
    const line = await Line.connecting({
      activity: () => ({ state: "idle", idle_for_ms: 301_000 }),
      since: () => 12_345,
    });
    const { url, query } = line.runtime.socket;
    expect(`${url.origin}${url.pathname}`).toBe("wss://chat.example/v1/stream");
    expect(query).toEqual({
      device_id: "laptop",
      instance: "tab-1",
      state: "idle",
      idle_for_ms: "301000",
      since: "12345",
    });
  });

  test("leaves out of the URL what is not known", async () => {
    const line = await Line.connecting({ activity: () => ({}) });
    expect(line.runtime.socket.query).toEqual({ device_id: "laptop", instance: "tab-1" });
  });

  test("finds the stream below any address of a server", async () => {
    const addresses: [url: string, stream: string][] = [
      ["http://127.0.0.1:8787", "ws://127.0.0.1:8787/v1/stream"],
      ["https://chat.example/", "wss://chat.example/v1/stream"],
      ["https://example.org/chat//", "wss://example.org/chat/v1/stream"],
    ];
    for (const [url, stream] of addresses) {
      const { runtime } = await Line.connecting({ url });
      expect(runtime.socket.url.href).toStartWith(`${stream}?device_id=`);
    }
  });

  test("says at once what has changed while it was being opened", async () => {
    let state: "idle" | "online" = "idle";
    const line = await Line.connecting({ activity: () => ({ state, idle_for_ms: 0 }) });
    state = "online";
    line.runtime.socket.hello();
    expect(line.runtime.socket.sent).toMatchObject([{ type: "heartbeat", state: "online" }]);
    expect((await Line.open()).runtime.socket.sent).toEqual([]);
  });

  test("knows an address by whatever case it is written in", async () => {
    const line = await Line.connecting({ url: "HTTPS://porch.example/chat/" });
    expect(line.runtime.socket.url.href).toStartWith("wss://porch.example/chat/v1/stream?");
  });

  test("shows the token as a subprotocol and nowhere else", async () => {
    const { runtime } = await Line.connecting();
    expect(runtime.socket.protocols).toEqual(["porchlight.v1", "bearer.secret"]);
    expect(runtime.socket.url.href).not.toContain("secret");
  });

  test("asks for the present token and the present age at every connection", async () => {
    const said = [
      { token: "first", idle_for_ms: 5_000 },
      { token: "second", idle_for_ms: 65_000 },
    ];
    let now = said[0];
    const line = await Line.connecting({
      token: async () => now?.token ?? "",
      activity: () => ({ state: "online", idle_for_ms: now?.idle_for_ms }),
    });
    now = said[1];
    line.runtime.socket.end();
    await line.runtime.clock.advance(0);
    const opened = line.runtime.sockets.map(({ protocols, query }) => ({
      token: protocols[1]?.replace("bearer.", ""),
      idle_for_ms: Number(query.idle_for_ms),
    }));
    expect(opened).toEqual(said);
  });

  test("does not connect with what cannot be a token", async () => {
    for (const token of ["", "two words", "comma,", "straße", "line\nbreak"]) {
      const line = await Line.connecting({ token });
      expect(line.runtime.sockets).toEqual([]);
      expect(line.connection.state).toEqual({
        status: "closed",
        why: { code: 4001, reason: "token_invalid" },
      });
    }
  });

  test("starts anew after it was closed for good", async () => {
    const line = await Line.open();
    line.runtime.socket.end(4001, "token_expired");
    expect(line.status).toBe("closed");
    line.connection.open();
    await turn();
    line.runtime.socket.hello();
    expect(line.status).toBe("open");
    expect(line.runtime.sockets).toHaveLength(2);
  });

  test("gives up a connection on which no hello comes, after 15 s", async () => {
    const line = await Line.connecting();
    await line.runtime.clock.advance(14_999);
    expect(line.status).toBe("connecting");
    await line.runtime.clock.advance(1);
    expect(line.states.at(1)).toMatchObject({
      status: "waiting",
      why: { code: 1006, reason: "timeout" },
    });
    expect(line.runtime.sockets[0]?.closedWith).toBe(4000);
  });

  test("tries again where the runtime opens no socket", async () => {
    class Refusing {
      constructor() {
        throw new SyntaxError("Cannot open this");
      }
    }
    const runtime = Object.assign(new TestRuntime(), { WebSocket: Refusing });
    const line = await Line.connecting({ runtime: runtime as never });
    expect(line.connection.state).toMatchObject({
      status: "waiting",
      why: { code: 1006, reason: "SyntaxError: Cannot open this" },
    });
  });

  test("speaks to a real server through the runtime's own WebSocket", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const states = new Arrivals<ConnectionState>();
    const frames = new Arrivals<ServerFrame>();
    const connection = new Connection({
      url: server.url,
      token: ann.token,
      device_id: "laptop",
      instance: "tab-1",
      runtime: webRuntime({ clock: new TestClock() }),
      activity: () => ({ state: "online", idle_for_ms: 0 }),
      since: () => undefined,
      prepare: async () => undefined,
      onState: (state) => states.add(state),
      onFrame: (frame) => frames.add(frame),
    });
    connection.open();
    await states.until((all) => all.find(({ status }) => status === "open"));
    connection.report();
    await frames.until((all) => all.find(({ type }) => type === "heartbeat"));
    expect(frames.items[0]).toMatchObject({ type: "hello", participant_id: "ann" });
    expect((await ann.get("/v1/me/presence")).body.data).toMatchObject({
      state: "online",
      devices: [{ device_id: "laptop", transports: ["stream"] }],
    });
    await server.admin("DELETE", `/tokens/${ann.tokenId}`);
    await states.until((all) => all.find(({ status }) => status === "closed"));
    expect(connection.state).toEqual({
      status: "closed",
      why: { code: 4001, reason: "token_revoked" },
    });
  });
});

describe("Connection prepare()", () => {
  test("is over before any socket is constructed, and comes before each", async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let prepared = 0;
    const line = await Line.connecting({ prepare: async () => gates[prepared++]?.promise });
    expect([prepared, line.runtime.sockets.length]).toEqual([1, 0]);
    gates[0]?.resolve();
    await turn();
    expect(line.runtime.sockets).toHaveLength(1);
    line.runtime.socket.end();
    await line.runtime.clock.advance(0);
    expect([prepared, line.runtime.sockets.length]).toEqual([2, 1]);
    gates[1]?.resolve();
    await turn();
    expect(line.runtime.sockets).toHaveLength(2);
  });

  test("that rejects opens no socket, and is tried again later", async () => {
    const answers: Promise<void>[] = [Promise.reject(new Error("Cannot send")), Promise.resolve()];
    const line = await Line.connecting({ prepare: async () => answers.shift() });
    expect(line.runtime.sockets).toEqual([]);
    expect(line.connection.state).toMatchObject({
      status: "waiting",
      why: { code: 1006, reason: "Error: Cannot send" },
    });
    await line.runtime.clock.advance(0);
    expect(line.runtime.sockets).toHaveLength(1);
  });

  test("that is told when to come back tries again then", async () => {
    const refusal = new CodedError("SW_RATE_LIMIT_EXCEEDED", "Slow down", {
      retryAfterSeconds: 60,
    });
    const line = await Line.connecting({ prepare: () => Promise.reject(refusal) });
    expect([line.status, line.delayMs]).toEqual(["waiting", 60_000]);
  });

  test("that is refused the token closes for good, as the stream would", async () => {
    const refusals: [code: ErrorCode, reason: string][] = [
      ["SW_AUTH_INVALID_TOKEN", "token_invalid"],
      ["SW_AUTH_EXPIRED_TOKEN", "token_expired"],
    ];
    for (const [code, reason] of refusals) {
      const line = await Line.connecting({
        prepare: () => Promise.reject(new CodedError(code, "No")),
      });
      expect(line.connection.state).toEqual({ status: "closed", why: { code: 4001, reason } });
      expect([line.runtime.sockets.length, line.runtime.clock.timers]).toEqual([0, 0]);
    }
  });

  test("that meets any other refusal is tried again", async () => {
    for (const code of ["SW_UNAVAILABLE", "SW_RATE_LIMIT_EXCEEDED", "SW_NOT_FOUND"] as const) {
      const line = await Line.connecting({
        prepare: () => Promise.reject(new CodedError(code, "No")),
      });
      expect(line.status).toBe("waiting");
    }
  });

  test("that is over too late opens nothing and closes nothing", async () => {
    const late = Promise.withResolvers<void>();
    const later = Promise.withResolvers<void>();
    const gates = [late, later];
    const line = await Line.connecting({ prepare: async () => gates.shift()?.promise });
    line.connection.resume();
    line.connection.suspend();
    late.resolve();
    later.reject(new CodedError("SW_AUTH_INVALID_TOKEN", "No"));
    await turn();
    expect(line.runtime.sockets).toEqual([]);
    expect(line.status).toBe("suspended");
  });
});

describe("Connection resume()", () => {
  test("replaces a socket that seems to be open, which to the server is a loss and no sign-off", async () => {
    const line = await Line.open();
    line.connection.resume();
    await turn();
    const [first, second] = line.runtime.sockets;
    expect(first?.closedWith).toBe(4000);
    expect(first?.sent).toEqual([]);
    expect(second?.closedWith).toBeUndefined();
    expect(line.states.map(({ status }) => status)).toEqual(["connecting", "open", "connecting"]);
  });

  test("replaces a socket that is being opened", async () => {
    const line = await Line.connecting();
    line.connection.resume();
    await turn();
    expect(line.runtime.sockets.map(({ closedWith }) => closedWith)).toEqual([4000, undefined]);
  });

  test("does not wait any longer, and begins the delays anew", async () => {
    const line = await Line.connecting();
    await line.fail(7);
    line.connection.resume();
    await turn();
    expect(line.runtime.sockets).toHaveLength(8);
    line.runtime.socket.end();
    expect(line.delayMs).toBe(0);
  });

  test("listens no more to the socket that was replaced", async () => {
    const line = await Line.open();
    line.connection.resume();
    await turn();
    const [first] = line.runtime.sockets;
    first?.say(told());
    first?.hello();
    first?.end(4001, "token_expired");
    expect(line.frames).toEqual([hello()]);
    expect(line.status).toBe("connecting");
    line.runtime.socket.hello();
    expect(line.status).toBe("open");
  });

  test("does nothing once closed for good, and neither does suspend()", async () => {
    const line = await Line.open();
    line.runtime.socket.end(4003, "duplicate_connection");
    const count = line.states.length;
    line.connection.resume();
    line.connection.suspend();
    line.connection.close();
    await turn();
    expect(line.connection.state).toEqual({
      status: "closed",
      why: { code: 4003, reason: "duplicate_connection" },
    });
    expect(line.states).toHaveLength(count);
    expect(line.runtime.sockets).toHaveLength(1);
  });
});

describe("Connection suspend()", () => {
  test("says bye, closes in order, and stays away until resume()", async () => {
    const line = await Line.open();
    line.connection.suspend();
    expect(line.runtime.socket.sent).toEqual([{ type: "bye" }]);
    expect(line.runtime.socket.closedWith).toBe(1000);
    expect(line.connection.state).toEqual({ status: "suspended" });
    expect(line.runtime.clock.timers).toBe(0);
    line.runtime.socket.end(1000, "bye");
    await line.runtime.clock.advance(600_000);
    expect(line.runtime.sockets).toHaveLength(1);
    line.connection.resume();
    await turn();
    expect(line.runtime.sockets).toHaveLength(2);
  });

  test("calls off a connection that is being opened, and one that is waited for", async () => {
    const connecting = await Line.connecting();
    connecting.connection.suspend();
    expect(connecting.runtime.socket.closedWith).toBe(1000);
    const waiting = await Line.connecting();
    await waiting.fail(3);
    waiting.connection.suspend();
    for (const line of [connecting, waiting]) {
      const opened = line.runtime.sockets.length;
      await line.runtime.clock.advance(600_000);
      expect(line.runtime.sockets).toHaveLength(opened);
      expect(line.status).toBe("suspended");
    }
  });
});

describe("Connection close()", () => {
  test("signs off for good, twice without harm, and leaves no timer", async () => {
    const line = await Line.open();
    line.connection.close();
    line.connection.close();
    expect(line.runtime.socket.sent).toEqual([{ type: "bye" }]);
    expect(line.runtime.socket.closedWith).toBe(1000);
    expect(line.states.slice(2)).toEqual([
      { status: "closed", why: { code: 1000, reason: "bye" } },
    ]);
    expect(line.runtime.clock.timers).toBe(0);
  });
});

describe("Connection send()", () => {
  test("sends while the stream is open, and answers false while it is not", async () => {
    const frame = { type: "typing", room_id: "lobby", typing: true } as const;
    const line = new Line();
    expect(line.connection.send(frame)).toBe(false);
    line.connection.open();
    await turn();
    expect(line.connection.send(frame)).toBe(false);
    line.runtime.socket.hello();
    expect(line.connection.send(frame)).toBe(true);
    expect(line.runtime.socket.sent).toEqual([frame]);
    line.connection.close();
    expect(line.connection.send(frame)).toBe(false);
  });

  test("is not disturbed by messages that are no frames", async () => {
    const line = await Line.open();
    for (const junk of ["", "{", "null", "5", '"hello"', "[]", "{}", undefined, new ArrayBuffer(3)])
      line.runtime.socket.deliver(junk);
    expect(line.frames).toEqual([hello()]);
    expect(line.connection.send({ type: "bye" })).toBe(true);
  });
});

test("webRuntime() has chances of at least 0 and less than 1", () => {
  const { random } = webRuntime();
  const drawn = Array.from({ length: 100 }, random);
  expect(drawn.every((chance) => chance >= 0 && chance < 1)).toBe(true);
  expect(new Set(drawn).size).toBeGreaterThan(1);
});
