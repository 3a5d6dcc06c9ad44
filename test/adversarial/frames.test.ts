import { describe, expect, test } from "bun:test";
import { Raw } from "../support/raw.ts";
import { Siege } from "../support/siege.ts";
import { closeIn, closing, frameBytes, OPCODE } from "../support/websocket.ts";

/** Bytes on an open stream, and what comes of them: the code it is closed with, or that it goes on. */
type Odd = readonly [name: string, bytes: Buffer, outcome: number | "goes on"];

const HEARTBEAT = '{"type":"heartbeat","state":"online","ack":true}';
const LAST_WORD = frameBytes({ payload: '{"type":"typing","room_id":"nowhere","typing":true}' });

function times(count: number, bytes: Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => bytes));
}

function close(payload: Uint8Array): Buffer {
  return frameBytes({ opcode: OPCODE.close, payload });
}

/** The rest of a message that was begun, however often. */
const more = (payload: string): Buffer =>
  frameBytes({ opcode: OPCODE.continuation, fin: false, payload });
const begun = frameBytes({ fin: false, payload: "{" });
const long = "x".repeat(125);

const ODD: readonly Odd[] = [
  [
    "the first reserved bit, as of compression",
    frameBytes({ reserved: 4, payload: HEARTBEAT }),
    1002,
  ],
  ["the second reserved bit", frameBytes({ reserved: 2, payload: HEARTBEAT }), 1002],
  ["the third reserved bit", frameBytes({ reserved: 1, payload: HEARTBEAT }), 1002],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
    (opcode): Odd => [`the reserved opcode ${opcode}`, frameBytes({ opcode }), 1002],
  ),
  ["no mask", frameBytes({ masked: false, payload: HEARTBEAT }), 1002],
  ["text that is no UTF-8", frameBytes({ payload: Buffer.of(0xff, 0xfe, 0x80) }), 1007],
  ["text with a surrogate", frameBytes({ payload: Buffer.of(0xed, 0xa0, 0x80) }), 1007],
  ["a binary frame", frameBytes({ opcode: OPCODE.binary, payload: "\0\x01" }), "goes on"],
  ["the rest of nothing", frameBytes({ opcode: OPCODE.continuation, payload: "x" }), 1002],
  ["a message within a message", Buffer.concat([begun, frameBytes({ payload: "x" })]), 1002],
  ["1,048,577 bytes", frameBytes({ payload: "x".repeat(1_048_577) }), 1009],
  ["1,048,577 bytes in pieces", Buffer.concat([begun, times(11, more("x".repeat(100_000)))]), 1009],
  ["65,537 bytes that are no subscription", frameBytes({ payload: "x".repeat(65_537) }), 1009],
  ["a length of 10 MB", frameBytes({ declared: 10_000_000n }), 1009],
  ["a length of 2^63 - 1", frameBytes({ declared: 2n ** 63n - 1n }), 1009],
  ["a length of 2^64 - 1", frameBytes({ declared: 2n ** 64n - 1n }), 1009],
  ["a ping in pieces", frameBytes({ opcode: OPCODE.ping, fin: false }), 1002],
  ["a ping of 126 bytes", frameBytes({ opcode: OPCODE.ping, payload: `${long}x` }), 1002],
  ["a ping of 125 bytes", frameBytes({ opcode: OPCODE.ping, payload: long }), "goes on"],
  ["300 pings", times(300, frameBytes({ opcode: OPCODE.ping, payload: long })), 4029],
  ["300 pongs", times(300, frameBytes({ opcode: OPCODE.pong, payload: long })), 4029],
  ["300 heartbeats", times(300, frameBytes({ payload: HEARTBEAT })), 4029],
  ["20 frames that are no JSON", times(20, frameBytes({ payload: "x" })), 4029],
  ["a close in pieces", frameBytes({ opcode: OPCODE.close, fin: false }), 1002],
  ["a close of one byte", close(Buffer.of(3)), 1002],
  ...[0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535].map(
    (code): Odd => [`a close with ${code}`, close(closing(code)), 1002],
  ),
  ["a close whose reason is no UTF-8", close(closing(1000, Buffer.of(0xff))), 1007],
  ["a close without a code", close(Buffer.of()), 1005],
  ["a close as the server gives one", close(closing(4001, "token_expired")), 4001],
  ["a frame after a close", Buffer.concat([close(closing(1000)), frameBytes({})]), 1000],
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 1002],
];

/** Sends something odd and then something right: which of them is answered? */
async function outcomeOf(siege: Siege, token: string, bytes: Buffer): Promise<number | "goes on"> {
  using raw = await Raw.stream(siege.url, { token, device_id: "odd" });
  raw.send(Buffer.concat([bytes, LAST_WORD]));
  await Promise.race([raw.hears("SW_ROOM_NOT_FOUND"), raw.ended]);
  return closeIn(raw.received)?.code ?? "goes on";
}

describe("a frame that is none", () => {
  test("closes its own stream, and nobody else notices", async () => {
    await using siege = await Siege.start();
    const token = await siege.person("eve");
    const outcomes = new Map<string, number | "goes on">();
    const attack = async (): Promise<void> => {
      for (const [name, bytes] of ODD) outcomes.set(name, await outcomeOf(siege, token, bytes));
    };
    const faults = await siege.faultsUnder("malformed frames", attack, { times: 10 });
    expect(Object.fromEntries(outcomes)).toEqual(
      Object.fromEntries(ODD.map(([name, , outcome]) => [name, outcome])),
    );
    expect(faults).toEqual([]);
  }, 60_000);
});

describe("a message that never ends", () => {
  test("costs what was sent of it, and nothing once its stream is gone", async () => {
    await using siege = await Siege.start();
    const token = await siege.person("eve");
    const faults = await siege.faultsUnder("30 messages in 10,000 pieces", async () => {
      const raws = await Promise.all(
        Array.from({ length: 30 }, (_, index) =>
          Raw.stream(siege.url, { token, device_id: `d${index}` }),
        ),
      );
      for (const raw of raws) await raw.sent(Buffer.concat([begun, times(10_000, more("x"))]));
      for (const raw of raws) raw.cut();
    });
    expect(faults).toEqual([]);
  }, 60_000);
});
