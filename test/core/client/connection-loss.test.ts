import { describe, expect, test } from "bun:test";
import { type Activity, type ServerFrame, STREAM_CLOSE } from "@porchlight/core";
import fc from "fast-check";
import { TestRuntime } from "../../support/client-runtime.ts";
import type { TestClock } from "../../support/clock.ts";
import { Line, told } from "../../support/line.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../../support/runs.ts";

/** Closes that name a delay on the wire, in the place of a reason. */
const DELAYED = [1001, STREAM_CLOSE.restart.code, STREAM_CLOSE.too_many_frames.code];

describe("Connection after a loss", () => {
  test("tries again at once, then after at most 1, 2, 4, 8, 16 and 30 s", async () => {
    const line = await Line.connecting();
    line.runtime.chance = 0.5;
    const delays: number[] = [];
    for (let loss = 0; loss < 8; loss += 1) {
      line.runtime.socket.end();
      delays.push(line.delayMs);
      await line.runtime.clock.advance(line.delayMs);
    }
    expect(delays).toEqual([0, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  });

  test(
    "spreads what it waits over the whole of the time",
    async () => {
      const anyChance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
      await fc.assert(
        fc.asyncProperty(
          anyChance,
          fc.integer({ min: 2, max: 9 }),
          async (chance: number, losses: number) => {
            const line = await Line.connecting();
            line.runtime.chance = 0;
            await line.fail(losses - 1);
            await line.runtime.clock.advance(line.delayMs);
            line.runtime.chance = chance;
            line.runtime.socket.end();
            const most = Math.min(30_000, 1_000 * 2 ** (losses - 2));
            expect(line.delayMs).toBeGreaterThanOrEqual(0);
            expect(line.delayMs).toBeLessThanOrEqual(most);
            expect(line.delayMs).toBeCloseTo(chance * most, 2);
          },
        ),
        trials(100),
      );
    },
    TRIALS_TIMEOUT_MS,
  );

  test("says when by the clock on the wall, also when that was set ahead and back", async () => {
    const line = await Line.connecting();
    line.runtime.clock.step(3_600_000);
    line.runtime.clock.step(-3_600_000);
    await line.fail(3);
    expect(line.delayMs).toBe(1_000);
  });

  test("asks a token that is a function once more, and then stays away", async () => {
    const line = await Line.open({ token: () => "old" });
    await line.answered(11_000);
    line.runtime.socket.end(4001, "token_expired");
    expect([line.status, line.delayMs]).toEqual(["waiting", 0]);
    await line.runtime.clock.advance(0);
    line.runtime.socket.end(4001, "token_expired");
    expect(line.connection.state).toEqual({
      status: "closed",
      why: { code: 4001, reason: "token_expired" },
    });
  });

  test("opens the next socket exactly when it said", async () => {
    const line = await Line.connecting();
    await line.fail(7);
    expect(line.delayMs).toBe(15_000);
    await line.runtime.clock.advance(14_999);
    expect(line.runtime.sockets).toHaveLength(7);
    await line.runtime.clock.advance(1);
    expect(line.runtime.sockets).toHaveLength(8);
  });

  test("begins anew after a connection that lasted 10 s, and not after a shorter one", async () => {
    const lasted: [ms: number, delayMs: number][] = [
      [9_999, 1_000],
      [10_000, 0],
    ];
    for (const [ms, delayMs] of lasted) {
      const line = await Line.connecting();
      await line.fail(2);
      await line.runtime.clock.advance(line.delayMs);
      line.runtime.socket.hello();
      await line.runtime.clock.advance(ms);
      line.runtime.socket.end();
      expect(line.delayMs).toBe(delayMs);
    }
  });

  test("says why, and has no connection while it waits", async () => {
    const line = await Line.open();
    line.runtime.socket.end(1006, "");
    expect(line.connection.state).toEqual({
      status: "waiting",
      retryAt: line.runtime.clock.elapsed(),
      why: { code: 1006, reason: "" },
    });
    expect(line.connection.send({ type: "bye" })).toBe(false);
  });

  for (const [name, { code, reason, reconnect }] of Object.entries(STREAM_CLOSE)) {
    test(`${reconnect ? "comes back from" : "stays away after"} ${code} ${name}`, async () => {
      const line = await Line.open();
      line.runtime.socket.end(code, reason);
      const why = { code, reason };
      expect(line.connection.state).toMatchObject({
        status: reconnect ? "waiting" : "closed",
        why,
      });
      await line.runtime.clock.advance(60_000);
      expect(line.runtime.sockets.length > 1).toBe(reconnect);
    });
  }

  const unknown: [code: number, reason: string][] = [
    [1000, ""],
    [1000, "idle timeout"],
    [1001, ""],
    [1005, ""],
    [1006, ""],
    [1011, "unexpected condition"],
    [3008, "proxy"],
    [4003, "a reason of a newer server"],
  ];
  for (const [code, reason] of unknown) {
    test(`comes back from ${code} "${reason}", which is not in the table`, async () => {
      const line = await Line.open();
      line.runtime.socket.end(code, reason);
      expect(line.status).toBe("waiting");
    });
  }

  const final: [code: number, reason: string][] = [
    [4001, ""],
    [4001, "a reason of a newer server"],
    [1009, "Received too big message"],
  ];
  for (const [code, reason] of final) {
    test(`stays away after ${code} "${reason}", a code of no way back`, async () => {
      const line = await Line.open();
      line.runtime.socket.end(code, reason);
      expect(line.connection.state).toEqual({ status: "closed", why: { code, reason } });
      expect(line.runtime.clock.timers).toBe(0);
    });
  }

  test("obeys the delay that the server names, exactly", async () => {
    for (const code of DELAYED) {
      const line = await Line.open();
      line.runtime.socket.end(code, "23500");
      expect(line.delayMs).toBe(23_500);
      await line.runtime.clock.advance(23_499);
      expect(line.runtime.sockets).toHaveLength(1);
      await line.runtime.clock.advance(1);
      expect(line.runtime.sockets).toHaveLength(2);
    }
  });

  test("takes nothing for a delay that is none, and a delay from nobody else", async () => {
    const closes = DELAYED.flatMap((code) =>
      ["-1", "1e3", "5 s", "9999999999", ""].map((reason) => ({ code, reason })),
    );
    for (const { code, reason } of [...closes, { code: 4008, reason: "5000" }]) {
      const line = await Line.open();
      line.runtime.socket.end(code, reason);
      expect(line.delayMs).toBe(0);
    }
  });
});

describe("Connection heartbeats", () => {
  const HEARTBEAT = { type: "heartbeat", state: "online", idle_for_ms: 0, ack: true } as const;

  test("are said every heartbeat_ms of the server's, and ask for an answer", async () => {
    const line = await Line.connecting();
    const { socket, clock } = line.runtime;
    socket.hello({ heartbeat_ms: 7_000 });
    await clock.advance(6_999);
    expect(socket.sent).toEqual([]);
    await clock.advance(1);
    expect(socket.sent).toEqual([HEARTBEAT]);
    socket.say({ type: "heartbeat", ts: "" });
    await clock.advance(6_999);
    expect(socket.sent).toHaveLength(1);
    await clock.advance(1);
    expect(socket.sent).toEqual([HEARTBEAT, HEARTBEAT]);
  });

  test("state what the device says of its user at that moment, and online where it says nothing", async () => {
    const said: Activity[] = [{}, {}, { state: "idle", idle_for_ms: 300_000 }, {}];
    const line = await Line.open({ activity: () => said.shift() ?? {} });
    await line.answered(60_000);
    expect(line.runtime.socket.sent).toEqual([
      { type: "heartbeat", state: "idle", idle_for_ms: 300_000, ack: true },
      { type: "heartbeat", state: "online", ack: true },
    ]);
  });

  test("that go unanswered give the socket up when a third falls due", async () => {
    const line = await Line.open();
    await line.runtime.clock.advance(89_999);
    expect(line.runtime.socket.sent).toEqual([HEARTBEAT, HEARTBEAT]);
    expect(line.status).toBe("open");
    await line.runtime.clock.advance(1);
    expect(line.runtime.sockets[0]?.closedWith).toBe(4000);
    expect(line.states.at(2)).toMatchObject({
      status: "waiting",
      why: { code: 1006, reason: "no answer" },
    });
  });

  test("are answered by any frame", async () => {
    const answers: ServerFrame[] = [{ type: "heartbeat", ts: "" }, told()];
    for (const answer of answers) {
      const line = await Line.open();
      await line.runtime.clock.advance(60_000);
      line.runtime.socket.say(answer);
      await line.runtime.clock.advance(89_999);
      expect(line.runtime.sockets).toHaveLength(1);
      await line.runtime.clock.advance(1);
      expect(line.runtime.sockets).toHaveLength(2);
    }
  });

  test("keep the socket for hours while they are answered", async () => {
    const line = await Line.open();
    await line.answered(3 * 3_600_000);
    expect(line.runtime.sockets).toHaveLength(1);
    expect(line.runtime.socket.sent).toHaveLength(360);
  });

  test("keep the socket also where timers ring a minute late", async () => {
    const runtime = new TestRuntime();
    const { clock } = runtime;
    const throttled = {
      monotonic: () => clock.monotonic(),
      elapsed: () => clock.elapsed(),
      wall: () => clock.wall(),
      timer: (delayMs: number, ring: () => void) => clock.timer(delayMs + 60_000, ring),
    };
    const line = await Line.connecting({ runtime: { ...runtime, clock: throttled } });
    runtime.socket.hello();
    for (let minute = 0; minute < 60; minute += 1) {
      await clock.advance(60_000);
      runtime.socket.say({ type: "heartbeat", ts: "" });
    }
    expect(runtime.sockets).toHaveLength(1);
    expect(runtime.socket.sent.length).toBeGreaterThan(30);
    expect(line.status).toBe("open");
  });

  test("are one timer, however often something is reported", async () => {
    const line = await Line.open();
    for (let times = 0; times < 5; times += 1) line.connection.report();
    expect(line.runtime.clock.timers).toBe(1);
  });

  test("report() says one at once, and the next comes heartbeat_ms after it", async () => {
    const line = await Line.open();
    await line.runtime.clock.advance(20_000);
    line.connection.report();
    expect(line.runtime.socket.sent).toEqual([HEARTBEAT]);
    await line.runtime.clock.advance(29_999);
    expect(line.runtime.socket.sent).toHaveLength(1);
    await line.runtime.clock.advance(1);
    expect(line.runtime.socket.sent).toHaveLength(2);
  });

  test("report() says nothing while the stream is not open", async () => {
    const line = await Line.connecting();
    line.connection.report();
    expect(line.runtime.socket.sent).toEqual([]);
    line.connection.suspend();
    line.connection.report();
    expect(line.runtime.clock.timers).toBe(0);
  });
});

describe("Connection after sleep", () => {
  test("replaces the socket once more than presence_ttl_ms have passed since the last heartbeat", async () => {
    const ways = [
      (clock: TestClock, ms: number) => clock.sleep(ms),
      (clock: TestClock, ms: number) => clock.step(ms),
    ];
    for (const pass of ways) {
      const line = await Line.open();
      // The clock is looked at 10 s later.
      pass(line.runtime.clock, 110_001);
      await line.runtime.clock.advance(10_000);
      expect(line.runtime.sockets.map(({ closedWith }) => closedWith)).toEqual([4000, undefined]);
      expect(line.status).toBe("connecting");
    }
  });

  test("keeps the socket after less, and says a heartbeat that fell due", async () => {
    const line = await Line.open();
    line.runtime.clock.sleep(110_000);
    await line.runtime.clock.advance(10_000);
    expect(line.runtime.sockets).toHaveLength(1);
    expect(line.runtime.socket.sent).toHaveLength(1);
  });

  test("tries at once again when the new connection fails, as the old one had lasted", async () => {
    const line = await Line.connecting();
    await line.fail(7);
    await line.runtime.clock.advance(line.delayMs);
    line.runtime.socket.hello();
    line.runtime.clock.sleep(3_600_000);
    await line.runtime.clock.advance(10_000);
    line.runtime.socket.end();
    expect(line.delayMs).toBe(0);
  });

  test("tries at once what was waited for meanwhile", async () => {
    const line = await Line.connecting();
    line.runtime.socket.end(1012, "60000");
    line.runtime.clock.sleep(60_000);
    await line.runtime.clock.advance(10_000);
    expect(line.runtime.sockets).toHaveLength(2);
  });
});
