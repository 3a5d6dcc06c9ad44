import fc from "fast-check";
import { anyJson, anyText, nearly, nested } from "./junk.ts";
import { frameBytes } from "./websocket.ts";

const SAMPLES: readonly object[] = [
  { type: "heartbeat", state: "online", idle_for_ms: 1_000, ack: true },
  { type: "typing", room_id: "lounge", typing: true },
  { type: "subscribe", presence: ["ann", "bob", "nobody"], snapshot: true },
  { type: "subscribe", presence: "all" },
  { type: "bye" },
];

const ODD_TEXTS: readonly string[] = [
  "",
  "null",
  "[]",
  '"bye"',
  "{",
  '{"type":"heartbeat","state":"online"}{"type":"bye"}',
  '{"type":"__proto__"}',
  '{"__proto__":{"type":"bye"}}',
  '{"type":"heartbeat","state":"\\ud800"}',
  '{"type":"heartbeat","state":"online","idle_for_ms":1e999}',
  '{"type":"typing","room_id":"\\u0000","typing":true}',
  `{"type":"subscribe","presence":[${"0,".repeat(20_000)}0]}`,
  JSON.stringify({ type: "subscribe", presence: nested(60) }),
  "[".repeat(20_000),
];

/** WebSocket frames with what comes close to a frame of the stream, and some that are none at all. */
export const oddFrames: fc.Arbitrary<Buffer> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .constantFrom(...SAMPLES)
      .chain(nearly)
      .map(ofValue),
  },
  { weight: 4, arbitrary: fc.constantFrom(...SAMPLES).map(ofValue) },
  { weight: 2, arbitrary: anyJson.map(ofValue) },
  { weight: 2, arbitrary: anyText.map(ofText) },
  { weight: 2, arbitrary: fc.constantFrom(...ODD_TEXTS).map(ofText) },
  {
    weight: 1,
    arbitrary: fc
      .record({
        opcode: fc.nat(15),
        reserved: fc.nat(7),
        fin: fc.boolean(),
        masked: fc.boolean(),
        payload: fc.uint8Array({ maxLength: 200 }),
      })
      .map(frameBytes),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)) },
);

function ofValue(value: unknown): Buffer {
  return ofText(JSON.stringify(value) ?? "");
}

function ofText(text: string): Buffer {
  return frameBytes({ payload: text });
}
