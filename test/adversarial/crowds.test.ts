import { describe, expect, test } from "bun:test";
import { systemClock } from "@porchlight/core/clock";
import { Raw, upgradeOf } from "../support/raw.ts";
import { isLong, runs } from "../support/runs.ts";
import { Siege } from "../support/siege.ts";
import { closeIn, frameBytes } from "../support/websocket.ts";

/** Connections that do nothing good, at once. Both ends need a file for each. */
const CROWD = 1_000;
const CONNECTS_A_SECOND = 1_000;
const SLICES_A_SECOND = 20;
const TIMEOUT_MS = isLong ? 300_000 : 60_000;

const HEARTBEAT = frameBytes({ payload: '{"type":"heartbeat","state":"online","ack":true}' });

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void systemClock().timer(ms, resolve));
}

function many<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** Connections that have sent this and wait. */
async function waiting(siege: Siege, text: string): Promise<Raw[]> {
  const raws = many(CROWD, () => new Raw(siege.url));
  await Promise.all(raws.map(({ open }) => open));
  for (const raw of raws) raw.send(text);
  return raws;
}

describe("a thousand connections", () => {
  test("that say nothing, half a request, half a body or what is no token are noticed by nobody", async () => {
    await using siege = await Siege.start();
    const token = await siege.person("eve");
    const put = `PUT /v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n`;
    const texts = [
      "",
      "GET /v1/me HTTP/1.1\r\nHo",
      `${put}Content-Length: 100\r\n\r\n{"bio":`,
      `${put}Transfer-Encoding: chunked\r\n\r\n5\r\n{"bi`,
      upgradeOf("/v1/stream?token=nobody"),
    ];
    for (const text of texts) {
      const faults = await siege.faultsUnder(JSON.stringify(text.slice(0, 40)), async () => {
        for (const raw of await waiting(siege, text)) raw.cut();
      });
      expect(faults).toEqual([]);
    }
  }, 60_000);

  test("that send one byte at a time are noticed by nobody", async () => {
    await using siege = await Siege.start();
    const authorization = `Authorization: Bearer ${await siege.person("eve")}`;
    const starts = [
      "GET /v1/me HTTP/1.1\r\nHost: x\r\nX-Slow: ",
      `PUT /v1/me HTTP/1.1\r\nHost: x\r\n${authorization}\r\nContent-Length: 1000\r\n\r\n{"bio":"`,
    ];
    for (const start of starts) {
      const faults = await siege.faultsUnder(`slowly ${start.slice(0, 10)}`, async () => {
        const raws = await waiting(siege, start);
        for (let round = 0; round < 5; round += 1) {
          for (const raw of raws) raw.send("x");
          await pause(50);
        }
        for (const raw of raws) raw.cut();
      });
      expect(faults).toEqual([]);
    }
  }, 60_000);

  test(
    "a second, each a stream that is cut before long, are noticed by nobody",
    async () => {
      await using siege = await Siege.start();
      const tokens: string[] = [];
      for (let index = 0; index < 50; index += 1) tokens.push(await siege.person(`p${index}`));
      let opened = 0;
      const faults = await siege.faultsUnder("1,000 streams a second", async () => {
        for (let slice = 0; slice < runs(2) * SLICES_A_SECOND; slice += 1) {
          const batch = many(CONNECTS_A_SECOND / SLICES_A_SECOND, () => {
            opened += 1;
            const token = tokens[opened % tokens.length] ?? "";
            const raw = new Raw(siege.url);
            raw.send(upgradeOf(`/v1/stream?token=${token}&device_id=d${opened % 20}`));
            return raw;
          });
          await pause(1_000 / SLICES_A_SECOND);
          for (const raw of batch) raw.cut();
        }
      });
      // Whoever was lost lingers for ten seconds: fifty people with up to 20 devices each.
      expect(faults.filter((fault) => !/objects|heap/.test(fault))).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describe("more connections than the machine has files for", () => {
  test.skipIf(process.platform === "win32")(
    "are noticed by nobody who is connected, and the next can connect once they are gone",
    async () => {
      await using siege = await Siege.start({}, { files: 256 });
      const crowd = await waiting(siege, "");
      await pause(500);
      const calm = await siege.calm();
      expect([calm.faults, calm.answers > 5]).toEqual([[], true]);
      for (const raw of crowd) raw.cut();
      using next = new Raw(siege.url);
      next.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
      expect(await next.head()).toBe("HTTP/1.1 200 OK");
    },
    30_000,
  );
});

describe("somebody with a token", () => {
  /** Streams of one person, from as many devices as they may have. */
  function streams(siege: Siege, token: string, count: number): Promise<Raw[]> {
    return Promise.all(
      many(count, (index) => Raw.stream(siege.url, { token, device_id: `d${index}` })),
    );
  }

  /** The largest subscription there is. */
  const subscription = frameBytes({
    payload: JSON.stringify({
      type: "subscribe",
      presence: many(5_000, (index) => `${index}`.padEnd(128, "x")),
      snapshot: true,
    }),
  });

  test("who subscribes to 5,000 people again and again is closed with 4029, and nobody notices", async () => {
    await using siege = await Siege.start();
    const token = await siege.person("eve");
    const codes = new Set<number | undefined>();
    const faults = await siege.faultsUnder("subscriptions", async () => {
      const raws = await streams(siege, token, 2);
      for (const raw of raws) for (let sent = 0; sent < 20; sent += 1) raw.send(subscription);
      await Promise.all(raws.map(({ ended }) => ended));
      for (const raw of raws) codes.add(closeIn(raw.received)?.code);
    });
    expect([...codes]).toEqual([4029]);
    expect(faults).toEqual([]);
  }, 60_000);

  test("who sends large frames that are made to be slow is answered at once, and nobody notices", async () => {
    await using siege = await Siege.start();
    const token = await siege.person("eve");
    const large = (presence: string): Buffer =>
      frameBytes({ payload: `{"type":"subscribe","presence":${presence}}` });
    const slow = [
      large(`[${"0,".repeat(500_000)}0]`),
      large(`[${"{},".repeat(300_000)}{}]`),
      large("[".repeat(1_000_000)),
      large(`["${"\\u0041".repeat(170_000)}"]`),
      frameBytes({ payload: `{"type":"subscribe"${',"k":0'.repeat(140_000)}}` }),
    ];
    for (const [index, frame] of slow.entries()) {
      const faults = await siege.faultsUnder(`slow frame ${index}`, async () => {
        const raws = await streams(siege, token, 4);
        for (const raw of raws) raw.send(Buffer.concat([frame, frame, HEARTBEAT]));
        await Promise.all(raws.map((raw) => raw.hears('"type":"heartbeat"')));
        for (const raw of raws) raw.cut();
      });
      expect(faults).toEqual([]);
    }
  }, 60_000);

  test("who pings and never reads is closed with 4029, and nobody notices", async () => {
    await using siege = await Siege.start();
    const token = await siege.person("eve");
    const ping = frameBytes({ opcode: 9, payload: "x".repeat(125) });
    const pings = Buffer.concat(many(20_000, () => ping));
    const codes = new Set<number | undefined>();
    const pingUnread = async (raw: Raw): Promise<void> => {
      raw.pause();
      raw.send(pings);
      await pause(100);
      raw.resume();
      await raw.ended;
      codes.add(closeIn(raw.received)?.code);
    };
    const faults = await siege.faultsUnder("pings", async () => {
      await Promise.all((await streams(siege, token, 10)).map(pingUnread));
    });
    expect([...codes]).toEqual([4029]);
    expect(faults).toEqual([]);
  }, 60_000);

  test("who never reads what is told, or never answers a ping, is closed, and nobody notices", async () => {
    await using siege = await Siege.start({
      PORCHLIGHT_PING_MS: "400",
      PORCHLIGHT_BACKLOG_MAX_BYTES: "100000",
      PORCHLIGHT_DISCONNECT_GRACE_MS: "200",
    });
    const token = await siege.person("eve");
    await siege.person("bob");
    await siege.room("lounge", ["eve", "bob"]);
    const codes = new Set<number | undefined>();
    const body = "x".repeat(30_000);
    const faults = await siege.faultsUnder("deafness", async () => {
      const raws = await streams(siege, token, 20);
      // A node:net socket answers no ping by itself.
      for (const raw of raws.slice(0, 10)) raw.pause();
      for (let sent = 0; sent < 200; sent += 1)
        await siege.admin("POST", "/rooms/lounge/events", { sender_id: "bob", content: { body } });
      await pause(1_500);
      for (const raw of raws) raw.resume();
      await Promise.all(raws.map(({ ended }) => ended));
      for (const raw of raws) codes.add(closeIn(raw.received)?.code);
    });
    expect([...codes].toSorted()).toEqual([4003, 4008]);
    expect(faults).toEqual([]);
  }, 60_000);
});
