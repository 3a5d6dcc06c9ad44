import * as encoding from "lib0/encoding";
import { Doc, encodeStateAsUpdate, encodeStateAsUpdateV2 } from "yjs";
import { Chance } from "../support/chance.ts";
import { frameBytes, OPCODE } from "../support/websocket.ts";
import { awareness, MESSAGE, SYNC, sync } from "../support/yjs-wire.ts";
import type { Intruder } from "./intruder.ts";

const HUGE = Number.MAX_SAFE_INTEGER;
const ID = 4_000_000_000;
const SEED = 1;
const RANDOM = 20;

/** What no client sends. */
export interface Attack {
  readonly name: string;
  readonly send: (intruder: Intruder) => void;
}

/** What is wrong for any WebSocket. */
const FRAMES: readonly (readonly [name: string, bytes: Buffer])[] = [
  ["6 bytes: first reserved bit", frameBytes({ opcode: OPCODE.binary, reserved: 4 })],
  ["6 bytes: second reserved bit", frameBytes({ opcode: OPCODE.binary, reserved: 2 })],
  ["6 bytes: third reserved bit", frameBytes({ opcode: OPCODE.binary, reserved: 1 })],
  ["6 bytes: unknown opcode 3", frameBytes({ opcode: 3 })],
  ["6 bytes: unknown opcode 11", frameBytes({ opcode: 11 })],
  ["no mask", frameBytes({ opcode: OPCODE.binary, masked: false, payload: "x" })],
  ["a frame that says it has 2^63 - 1 bytes", declared(2n ** 63n - 1n)],
  ["a frame that says it has 2^64 - 1 bytes", declared(2n ** 64n - 1n)],
  ["a ping of 126 bytes", frameBytes({ opcode: OPCODE.ping, payload: "x".repeat(126) })],
  ["a close of 1 byte", frameBytes({ opcode: OPCODE.close, payload: "x" })],
  ["the rest of nothing", frameBytes({ opcode: OPCODE.continuation, payload: "x" })],
  ["text that is no UTF-8", frameBytes({ payload: Buffer.of(0xff, 0xfe) })],
  ["text", frameBytes({ payload: "hello" })],
  ["an empty message", frameBytes({ opcode: OPCODE.binary })],
];

/** What is wrong for the protocol of y-websocket. */
const MESSAGES: readonly (readonly [name: string, message: Uint8Array])[] = [
  ["message type 99", Uint8Array.of(99)],
  ["sync message 9", Uint8Array.of(MESSAGE.sync, 9, 0)],
  ["a varint cut off", Uint8Array.of(MESSAGE.awareness, 0x80)],
  ["a varint of 12 bytes", Uint8Array.of(MESSAGE.awareness, ...Array(11).fill(0xff), 1)],
  ["an overlong varint", Uint8Array.of(MESSAGE.awareness, 0x81, 0x80, 0x80, 0x80, 0x80, 0x00, 0)],
  ["a length of 2^53 - 1", varints(MESSAGE.awareness, HUGE)],
  ["2^53 - 1 entries", inAwareness(HUGE)],
  ["an entry cut off", inAwareness(1, ID)],
  [
    "a clock above 2^53",
    Uint8Array.of(MESSAGE.awareness, 14, 1, 1, ...Array(8).fill(0xff), 0x7f, 2, 0x7b, 0x7d),
  ],
  ["a state that is no JSON", state("{")],
  ["a state that is no UTF-8", state(Uint8Array.of(0x22, 0xff, 0xfe, 0x22))],
  ["a state that is empty", state("")],
  ["a state that is a number", state("5")],
  ["a state that is a list", state("[1]")],
  ["a state whose user is null", state('{"user":null,"typing":"yes"}')],
  ["keys like __proto__", state('{"__proto__":{"a":1},"constructor":{"prototype":{"a":1}}}')],
  ["JSON 1,000 levels deep", state(deep(1_000))],
  ["JSON 30,000 levels deep", state(deep(30_000))],
  ["64 KiB and 1 byte", sized(65_537)],
  ["10,000 client ids in a message", manyIds(10_000)],
  ["a state vector of nonsense", sync(SYNC.step1, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f))],
  ["an update cut off", sync(SYNC.update, sample().v1.subarray(0, 9))],
  ["an update in V2", sync(SYNC.update, sample().v2)],
  ["an update that says it has 2^53 - 1 structs", sync(SYNC.update, varints(1, HUGE, ID, 0))],
];

/** Everything that is tried, each on a socket of its own. */
export const ATTACKS: readonly Attack[] = [
  ...FRAMES.map(([name, bytes]): Attack => ({ name, send: (intruder) => intruder.send(bytes) })),
  ...MESSAGES.map(([name, each]) => saying(name, each)),
  ...randomMessages(RANDOM).map((each) => saying("a random message", each)),
  ...randomUpdates(RANDOM).map((each) => saying("a random update", each)),
];

function saying(name: string, message: Uint8Array): Attack {
  return { name, send: (intruder) => intruder.message(message) };
}

function declared(length: bigint): Buffer {
  return frameBytes({ opcode: OPCODE.binary, declared: length });
}

function varints(...numbers: readonly number[]): Uint8Array {
  return encoding.encode((encoder) => {
    for (const each of numbers) encoding.writeVarUint(encoder, each);
  });
}

/** A message about awareness with these numbers in it, and nothing after them. */
function inAwareness(...numbers: readonly number[]): Uint8Array {
  const body = varints(...numbers);
  return Buffer.concat([varints(MESSAGE.awareness, body.length), body]);
}

function state(text: string | Uint8Array): Uint8Array {
  return awareness([{ id: ID, clock: 1, text }]);
}

function deep(levels: number): string {
  return `{"a":${"[".repeat(levels)}${"]".repeat(levels)}}`;
}

/** A message about awareness of exactly so many bytes. */
function sized(bytes: number): Uint8Array {
  const around = state(JSON.stringify({ a: "x".repeat(bytes) })).length - bytes;
  return state(JSON.stringify({ a: "x".repeat(bytes - around) }));
}

function manyIds(count: number): Uint8Array {
  const ids = Array.from({ length: count }, (_, index) => ID + index);
  return awareness(ids.map((id) => ({ id, clock: 1, text: "{}" })));
}

/** A small document, in both encodings. */
function sample(): { v1: Uint8Array; v2: Uint8Array } {
  const doc = new Doc();
  doc.getMap("map").set("key", "value");
  doc.getText("text").insert(0, "some text");
  return { v1: encodeStateAsUpdate(doc), v2: encodeStateAsUpdateV2(doc) };
}

function randomMessages(count: number): Uint8Array[] {
  const chance = new Chance(SEED);
  return Array.from({ length: count }, () =>
    Uint8Array.of(chance.below(4), ...randomBytes(chance)),
  );
}

/** Half of them nothing but chance, half a good one with a few bytes changed. */
function randomUpdates(count: number): Uint8Array[] {
  const chance = new Chance(SEED);
  const { v1 } = sample();
  return Array.from({ length: count }, (_, index) => {
    const update = index % 2 === 0 ? randomBytes(chance) : v1.slice();
    for (let change = 0; change < 3; change += 1)
      update[chance.below(update.length)] = chance.below(256);
    return sync(SYNC.update, update);
  });
}

function randomBytes(chance: Chance): Uint8Array {
  return Uint8Array.from({ length: 1 + chance.below(60) }, () => chance.below(256));
}
