import fc from "fast-check";
import { Doc, encodeStateAsUpdate, encodeStateAsUpdateV2 } from "yjs";
import { anyJson, anyText, nearly, nested } from "./junk.ts";
import { oddFrames } from "./odd-frames.ts";
import { awareness, framed, MESSAGE, SYNC, sync, varUint, type WireEntry } from "./yjs-wire.ts";

const SAMPLES: readonly object[] = [
  { typing: true },
  { user: { name: "Eve", color: "#123456" }, typing: false, cursor: null },
  { user: { participant_id: "bob", name: "Bob" }, presence: "busy", typing: true, device_id: "x" },
  {
    cursor: {
      anchor: { type: null, tname: "t", assoc: 0 },
      head: { type: { client: 1, clock: 2 } },
    },
  },
];

const ODD_TEXTS: readonly string[] = [
  "",
  "null",
  "null ",
  "[]",
  '"typing"',
  "{",
  '{"__proto__":{"typing":true}}',
  '{"user":{"__proto__":null}}',
  '{"user":{"name":"\\ud800"}}',
  '{"typing":1e999}',
  '{"typing":true}{"typing":false}',
  JSON.stringify({ deep: nested(7) }),
  JSON.stringify({ deep: nested(60) }),
  JSON.stringify({ long: "x".repeat(4_096) }),
  "[".repeat(4_000),
];

const NUMBERS: readonly number[] = [0, 1, 127, 128, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1];
const LARGE: readonly bigint[] = [2n ** 53n, 2n ** 56n, 2n ** 64n, 2n ** 200n];

const anyState: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .constantFrom(...SAMPLES)
      .chain(nearly)
      .map((value) => JSON.stringify(value)),
  },
  { weight: 2, arbitrary: fc.constantFrom("null", "{}", '{"typing":true}', '{"typing":false}') },
  { weight: 2, arbitrary: anyJson.map((value) => JSON.stringify(value) ?? "") },
  { weight: 1, arbitrary: anyText },
  { weight: 1, arbitrary: fc.constantFrom(...ODD_TEXTS) },
);

const anyClock: fc.Arbitrary<number> = fc.oneof(
  { weight: 4, arbitrary: fc.nat(1_000) },
  { weight: 1, arbitrary: fc.constantFrom(...NUMBERS) },
  { weight: 1, arbitrary: fc.maxSafeNat() },
);

/** A number as it is written, or written too long, or of more than can be counted. */
const anyVarUint: fc.Arbitrary<Buffer> = fc.oneof(
  fc
    .tuple(fc.constantFrom(...NUMBERS), fc.integer({ min: 1, max: 12 }))
    .map(([n, bytes]) => varUint(n, bytes)),
  fc.constantFrom(...LARGE).map((n) => varUint(n)),
  fc.nat(400).map((bytes) => Buffer.alloc(bytes, 0x80)),
);

/** Something done to bytes at a place. */
type Change = (bytes: Buffer) => Buffer;

function splice(bytes: Buffer, at: number, length: number, inserted: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + length)]);
}

const anyBytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });

const anyChange: fc.Arbitrary<Change> = fc
  .record({
    place: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.nat(40),
    times: fc.nat(30),
    inserted: fc.oneof(anyVarUint, anyBytes(20)),
    flipped: fc.integer({ min: 1, max: 255 }),
    how: fc.constantFrom("flip", "cut", "insert", "replace", "repeat", "drop"),
  })
  .map(
    ({ place, length, times, inserted, flipped, how }): Change =>
      (bytes) => {
        // Most of what decides is in front.
        const at = Math.floor(place ** 2 * bytes.byteLength);
        switch (how) {
          case "flip":
            return splice(bytes, at, 1, Buffer.of((bytes[at] ?? 0) ^ flipped));
          case "cut":
            return bytes.subarray(0, at);
          case "insert":
            return splice(bytes, at, 0, inserted);
          case "replace":
            return splice(bytes, at, 1, inserted);
          case "repeat": {
            const piece = bytes.subarray(at, at + length);
            return splice(bytes, at, 0, Buffer.concat(Array.from({ length: times }, () => piece)));
          }
          case "drop":
            return splice(bytes, at, length, Buffer.of());
        }
      },
  );

/** Messages that are right as far as their form goes. @param ids those of others. */
function anyMessage(ids: readonly number[]): fc.Arbitrary<Uint8Array> {
  const anyId = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1_000, max: 1_020 }) },
    { weight: 2, arbitrary: fc.constantFrom(...ids) },
    { weight: 1, arbitrary: fc.nat(2 ** 32 - 1) },
    { weight: 1, arbitrary: fc.constantFrom(...NUMBERS) },
    { weight: 1, arbitrary: fc.maxSafeNat() },
  );
  const anyEntry: fc.Arbitrary<WireEntry> = fc.record({
    id: anyId,
    clock: anyClock,
    text: anyState,
  });
  return fc.oneof(
    { weight: 8, arbitrary: fc.array(anyEntry, { maxLength: 5 }).map(awareness) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(
          fc.constantFrom(...Object.values(SYNC)),
          fc.oneof(fc.constantFrom(...updates()), anyBytes(60)),
        )
        .map(([step, body]) => sync(step, body)),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom(MESSAGE.auth, MESSAGE.query, 4, 127), anyBytes(20))
        .map(([kind, body]) => Buffer.concat([varUint(kind), body])),
    },
  );
}

function updates(): Uint8Array[] {
  const doc = new Doc();
  // Its own is random, and what a seed makes is to be the same each time.
  doc.clientID = 1;
  doc.getText("t").insert(0, "a word");
  doc.getMap("m").set("key", { value: 1 });
  return [
    encodeStateAsUpdate(doc),
    encodeStateAsUpdateV2(doc),
    Uint8Array.of(0),
    Uint8Array.of(0, 0),
  ];
}

/**
 * WebSocket frames with what comes close to a message of y-websocket, and some that are none at all.
 * @param ids those of others in the room, for whom some of them speak.
 */
export function oddMessages(ids: readonly number[]): fc.Arbitrary<Buffer> {
  const message = anyMessage(ids);
  const mutated = fc
    .tuple(message, fc.array(anyChange, { minLength: 1, maxLength: 3 }))
    .map(([bytes, changes]) =>
      changes.reduce<Buffer>((changed, change) => change(changed), Buffer.from(bytes)),
    );
  return fc.oneof(
    { weight: 12, arbitrary: mutated.map((bytes) => framed(bytes)) },
    { weight: 5, arbitrary: message.map((bytes) => framed(bytes)) },
    { weight: 1, arbitrary: anyBytes(60).map((bytes) => framed(bytes)) },
    { weight: 2, arbitrary: oddFrames },
  );
}
