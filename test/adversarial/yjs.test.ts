import { describe, expect, test } from "bun:test";
import { Doc, encodeStateAsUpdate, encodeStateAsUpdateV2 } from "yjs";
import { nested } from "../support/junk.ts";
import { Lounge, type Outcome } from "../support/lounge.ts";
import type { Neighbours } from "../support/neighbours.ts";
import { Siege } from "../support/siege.ts";
import { closing, frameBytes, OPCODE } from "../support/websocket.ts";
import {
  awareness,
  framed,
  MESSAGE,
  STEP_1,
  SYNC,
  says,
  sync,
  varUint,
} from "../support/yjs-wire.ts";

/** Frames on an open Yjs socket, and what comes of them: the code it is closed with, or that it goes on. */
type Odd = readonly [name: string, bytes: Buffer, outcome: Outcome];

const LARGEST = Number.MAX_SAFE_INTEGER;
const TIMEOUT_MS = 60_000;
/** A frame may have so many bytes, and a message of one frame or more so many before Bun gives up on it. */
const FRAME_BYTES = 65_536;
const MESSAGE_BYTES = 1_048_576;
/** More than the frames of five seconds. */
const FLOOD = 300;

function times(count: number, bytes: Uint8Array): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => bytes));
}

function many<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** A message of awareness with this as its body. */
function body(...parts: readonly Uint8Array[]): Buffer {
  const whole = Buffer.concat(parts);
  return framed(varUint(MESSAGE.awareness), varUint(whole.byteLength), whole);
}

/** A document of one word, and the same as V2 has it. */
function updates(): { v1: Uint8Array; v2: Uint8Array } {
  const doc = new Doc();
  doc.getText("t").insert(0, "a word");
  return { v1: encodeStateAsUpdate(doc), v2: encodeStateAsUpdateV2(doc) };
}

const RUN = Buffer.alloc(200, 0x80);
const NAN = Buffer.concat([RUN, Buffer.of(0)]);
const STATE = varUint(2);
const NOTHING = Buffer.from("{}");
const ENTRY = Buffer.concat([varUint(1_000), varUint(1), STATE, NOTHING]);
const [ONE, NONE] = [varUint(1), varUint(0)];
const { v1, v2 } = updates();
const filled = (bytes: number): Buffer => Buffer.alloc(bytes, "x");

const NUMBERS: readonly Odd[] = [
  ["nothing", framed(), 4400],
  ["a number without an end", framed(Buffer.of(0x80)), 4400],
  ["a number of 2^53 - 1", framed(varUint(LARGEST)), "goes on"],
  ["a number of 2^53", framed(varUint(2n ** 53n)), 4400],
  ["a number of 2^64", framed(varUint(2n ** 64n)), 4400],
  ["a number of 2^2048", framed(varUint(2n ** 2048n)), 4400],
  ["a 9 in eight bytes", framed(varUint(9, 8)), "goes on"],
  ["a 9 in nine bytes", framed(varUint(9, 9)), 4400],
  ["0x80 to the end", framed(filled(FRAME_BYTES).fill(0x80)), 4400],
  ["a kind that is read as no number", framed(NAN), 4400],
  ["a length that is read as no number", framed(ONE, NAN, ENTRY), 4400],
  ["a count that is read as no number", body(NAN, ENTRY), 4400],
  ["an id that is read as no number", body(ONE, NAN, ONE, STATE, NOTHING), 4400],
  ["a clock that is read as no number", body(ONE, ONE, NAN, STATE, NOTHING), 4400],
  ["a state's length that is read as no number", body(ONE, ONE, ONE, NAN, NOTHING), 4400],
  ["an update's length that is read as no number", framed(NONE, varUint(2), NAN), 4400],
];

const LENGTHS: readonly Odd[] = [
  ["awareness without a length", framed(ONE), 4400],
  ["awareness without a body", framed(ONE, varUint(5)), 4400],
  ["a length of 2^31", framed(ONE, varUint(2 ** 31), NONE), 4400],
  ["a length of 2^32", framed(ONE, varUint(2 ** 32), NONE), 4400],
  ["a length of 2^53 - 1", framed(ONE, varUint(LARGEST), NONE), 4400],
  ["a count of nothing", body(NONE), "goes on"],
  ["a count of nothing, and an entry", body(NONE, ENTRY), "goes on"],
  ["a count of one, and two entries", body(ONE, ENTRY, ENTRY), "goes on"],
  ["a count of one without an entry", body(ONE), 4400],
  ["a count of 2^32", body(varUint(2 ** 32), ENTRY), 4400],
  ["a count of 2^53 - 1", body(varUint(LARGEST), ENTRY), 4400],
  ["an entry that ends in its id", body(ONE, Buffer.of(0x80)), 4400],
  ["an entry that ends in its clock", body(ONE, ONE, Buffer.of(0x80)), 4400],
  ["an entry without a state", body(ONE, ONE, ONE), 4400],
  ["a state that is cut off", body(ONE, ONE, ONE, varUint(3), NOTHING), 4400],
  ["a state of 2^53 - 1 bytes", body(ONE, ONE, ONE, varUint(LARGEST), NOTHING), 4400],
  [
    "a state that ends behind its body",
    framed(ONE, varUint(4), ONE, ONE, ONE, STATE, NOTHING),
    4400,
  ],
];

const KINDS: readonly Odd[] = [
  ["a text frame", frameBytes({ payload: awareness([]) }), 4400],
  ["a kind that there is not", framed(varUint(4), NOTHING), "goes on"],
  ["that access is denied", framed(varUint(MESSAGE.auth), NONE, STATE, NOTHING), "goes on"],
  ["auth that is cut off", framed(varUint(MESSAGE.auth)), "goes on"],
  ["who asks for awareness", framed(varUint(MESSAGE.query)), "goes on"],
  ["sync without a step", framed(NONE), 4400],
  ["a step that there is not", framed(NONE, varUint(3), NONE), 4400],
  ["step 1 without a vector", framed(NONE, varUint(SYNC.step1)), 4400],
  ["step 1 whose vector is cut off", framed(NONE, NONE, varUint(5), NOTHING), 4400],
  ["step 1 whose vector is none", framed(sync(SYNC.step1, filled(100))), "goes on"],
  ["step 1 that says 2^53 - 1 clients", framed(sync(SYNC.step1, varUint(LARGEST))), "goes on"],
  ["step 1, and something behind it", framed(sync(SYNC.step1, NONE), ENTRY), "goes on"],
  ["an update", framed(sync(SYNC.update, v1)), "goes on"],
  ["an update as step 2", framed(sync(SYNC.step2, v1)), "goes on"],
  ["an update of V2", framed(sync(SYNC.update, v2)), "goes on"],
  ["half an update", framed(sync(SYNC.update, v1.subarray(0, v1.byteLength / 2))), "goes on"],
  ["an update that is none", framed(sync(SYNC.update, filled(1_000))), "goes on"],
  ["an update that is cut off", framed(sync(SYNC.update, v1).subarray(0, -1)), 4400],
  ["an update of 2^53 - 1 bytes", framed(NONE, varUint(2), varUint(LARGEST), v1), 4400],
];

const begun = frameBytes({ opcode: OPCODE.binary, fin: false, payload: filled(60_000) });
const more = frameBytes({ opcode: OPCODE.continuation, fin: false, payload: filled(100_000) });
const rest = frameBytes({ opcode: OPCODE.continuation, payload: filled(10_000) });
const padded = (bytes: number): Buffer => framed(varUint(9), filled(bytes - 1));

const SIZES: readonly Odd[] = [
  ["64 KiB", padded(FRAME_BYTES), "goes on"],
  ["64 KiB and a byte", padded(FRAME_BYTES + 1), 4413],
  ["64 KiB and a byte of text", frameBytes({ payload: filled(FRAME_BYTES + 1) }), 4413],
  ["more than 64 KiB in pieces", Buffer.concat([begun, rest]), 4413],
  ["1 MiB", padded(MESSAGE_BYTES), 4413],
  ["1 MiB and a byte", padded(MESSAGE_BYTES + 1), 1009],
  ["more than 1 MiB in pieces", Buffer.concat([begun, times(11, more)]), 1009],
  ["2^63 - 1 bytes", frameBytes({ opcode: OPCODE.binary, declared: 2n ** 63n - 1n }), 1009],
  ["2^64 - 1 bytes", frameBytes({ opcode: OPCODE.binary, declared: 2n ** 64n - 1n }), 1009],
];

const FRAMES: readonly Odd[] = [
  ...[1, 2, 4, 7].map(
    (reserved): Odd => [
      `six bytes with the reserved bits ${reserved}`,
      frameBytes({ opcode: OPCODE.binary, reserved }),
      1002,
    ],
  ),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
    (opcode): Odd => [`six bytes with the opcode ${opcode}`, frameBytes({ opcode }), 1002],
  ),
  ["no mask", frameBytes({ opcode: OPCODE.binary, masked: false, payload: v1 }), 1002],
  ["text that is no UTF-8", frameBytes({ payload: Buffer.of(0xff) }), 1007],
  ["a message within a message", Buffer.concat([begun, STEP_1]), 1002],
  ["the rest of nothing", rest, 1002],
  [
    "a frame after a close",
    Buffer.concat([frameBytes({ opcode: OPCODE.close, payload: closing(1000) }), STEP_1]),
    1000,
  ],
  [
    "a close as the server gives one",
    frameBytes({ opcode: OPCODE.close, payload: closing(4403) }),
    4403,
  ],
];

const ping = frameBytes({ opcode: OPCODE.ping });
const FLOODS: readonly Odd[] = [
  ["249 pings", times(249, ping), "goes on"],
  ["250 pings", times(250, ping), 4503],
  ["300 pongs", times(FLOOD, frameBytes({ opcode: OPCODE.pong })), 4503],
  ["300 updates", times(FLOOD, framed(sync(SYNC.update, v1))), 4503],
  ["300 messages of no kind", times(FLOOD, framed(varUint(9))), 4503],
  ["63 messages of 64 KiB", times(63, padded(FRAME_BYTES)), 4503],
  ["300 states, as much as a client may repeat", times(FLOOD, says("{}")), "goes on"],
  ["30,000 messages that say nothing", times(30_000, body(NONE)), 4503],
];

/** What a socket says of itself, and whether others are told. */
type Saying = readonly [name: string, text: string | Uint8Array, isTold: boolean];

/** JSON of an object with its name in it. */
function named(name: string, more: string): string {
  return `{"case":${JSON.stringify(name)}${more}}`;
}

function saying(name: string, more: string, isTold: boolean): Saying {
  return [name, named(name, more), isTold];
}

/** A state of so many bytes. */
function sized(name: string, bytes: number, isTold: boolean): Saying {
  const empty = named(name, ',"x":""');
  return saying(name, `,"x":"${"x".repeat(bytes - empty.length)}"`, isTold);
}

const keys = (count: number): string => many(count, (index) => `,"k${index}":0`).join("");
const depth = (levels: number): string => `,"a":${JSON.stringify(nested(levels - 1))}`;

const SAYINGS: readonly Saying[] = [
  sized("4,095 bytes", 4_095, true),
  sized("4,096 bytes", 4_096, true),
  sized("4,097 bytes", 4_097, false),
  saying("31 keys", keys(30), true),
  saying("32 keys", keys(31), true),
  saying("33 keys", keys(32), false),
  saying("33 keys further down", `,"a":[{"b":0${keys(32)}}]`, false),
  saying("7 levels", depth(7), true),
  saying("8 levels", depth(8), true),
  saying("9 levels", depth(9), false),
  saying("1,000 levels", `,"a":${"[".repeat(1_000)}${"]".repeat(1_000)}`, false),
  saying("__proto__", ',"__proto__":{"isAdmin":true}', false),
  saying("__proto__ in other letters", ',"\\u005f_proto__":{"isAdmin":true}', false),
  saying("__proto__ further down", ',"user":[{"__proto__":null}]', false),
  saying("constructor", ',"constructor":{"prototype":{"isAdmin":true}}', true),
  saying("a lone surrogate", ',"a":"\\ud800"', true),
  saying("a number without an end", ',"a":1e999', true),
  saying(
    "somebody else",
    ',"user":{"participant_id":"bob","name":"Bob"},"presence":"busy","device_id":"x"',
    true,
  ),
  saying("a person that is none", ',"user":7,"presence":{},"typing":"yes","device_id":[]', true),
  [
    "no UTF-8",
    Buffer.concat([Buffer.from('{"case":"no UTF-8'), Buffer.of(0xff, 0x22, 0x7d)]),
    false,
  ],
  ["half a surrogate", Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x30, 0x7d]), false],
  ["a mark before it", `\ufeff${named("a mark before it", "")}`, false],
  ["no JSON", '{"case":"no JSON"', false],
  ["JSON and more", `${named("JSON and more", "")}x`, false],
  ["no text", "", false],
  ["a list", '[{"case":"a list"}]', false],
  ["a string", '"case"', false],
  ["a number", "5", false],
  ["true", "true", false],
  ["null and a space", "null ", false],
];

describe("a message that is none", () => {
  const corpora = { NUMBERS, LENGTHS, KINDS, SIZES, FRAMES, FLOODS };
  for (const [name, corpus] of Object.entries(corpora))
    test(
      `closes its own socket at most, and nobody else notices: ${name.toLowerCase()}`,
      async () => {
        await using siege = await Siege.start();
        const lounge = await Lounge.open(siege);
        const outcomes = new Map<string, Outcome>();
        const attack = async (): Promise<void> => {
          for (const [odd, bytes] of corpus) outcomes.set(odd, await lounge.outcomeOf(bytes));
        };
        const faults = await lounge.faultsUnder(name, attack, { times: 5 });
        expect(Object.fromEntries(outcomes)).toEqual(
          Object.fromEntries(corpus.map(([odd, , outcome]) => [odd, outcome])),
        );
        expect(faults).toEqual([]);
      },
      TIMEOUT_MS,
    );

  test(
    "takes what comes before it in its frame along: others are told nothing of it",
    async () => {
      await using siege = await Siege.start();
      const lounge = await Lounge.open(siege);
      const half = Buffer.from(named("half", ""));
      const good = Buffer.concat([varUint(1_000), varUint(1), varUint(half.byteLength), half]);
      await using neighbours = await lounge.meet();
      expect(await lounge.outcomeOf(body(varUint(2), good, RUN))).toBe(4400);
      await neighbours.settled();
      expect([neighbours.cases, neighbours.faults]).toEqual([[], []]);
    },
    TIMEOUT_MS,
  );
});

describe("a state", () => {
  test(
    "of one's own is told if it is a small JSON object, and otherwise dropped; its socket goes on",
    async () => {
      await using siege = await Siege.start();
      const lounge = await Lounge.open(siege);
      const told = SAYINGS.filter(([, , isTold]) => isTold).map(([name]) => name);
      const attack = async (neighbours: Neighbours): Promise<void> => {
        for (const [name, text] of SAYINGS)
          expect([name, await lounge.outcomeOf(says(text))]).toEqual([name, "goes on"]);
        await neighbours.settled();
        // The last of an attack lingers, and is the first to be heard of in the next.
        expect(neighbours.cases.toSorted()).toEqual(told.toSorted());
      };
      expect(await lounge.faultsUnder("states", attack, { times: 5 })).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
