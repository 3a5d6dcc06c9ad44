/**
 * The least that an awareness server can do: what everybody last said, as it
 * came, goes to everybody in one message, at the end of the turn or, with
 * `WINDOW`, so many milliseconds after the last one. It knows nobody, reads no
 * state, checks nothing, and tells the sender as well.
 */
import { pass } from "../../peers/waiting.ts";

const WINDOW_MS = Number(process.env.WINDOW ?? 0);
const TOPIC = "room";
const AWARENESS = 1;

/** What is to be told, by client id. */
const pending = new Map<number, Uint8Array>();
/** What everybody said last. */
const last = new Map<number, Uint8Array>();
let isDue = false;

const server = Bun.serve<undefined>({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, bun) {
    const isUp = bun.upgrade(request, { data: undefined });
    return isUp ? undefined : new Response(null, { status: 426 });
  },
  websocket: {
    open(socket) {
      socket.subscribe(TOPIC);
      if (last.size > 0) socket.sendBinary(messageOf([...last.values()]));
    },
    message(_, message) {
      if (typeof message !== "string") hear(new Uint8Array(message));
    },
  },
});
console.log(`listening at ${server.url.href}`);

function hear(message: Uint8Array): void {
  // A client of this bench says one entry of itself, and then all that it repeats.
  const reader = { at: 1 };
  uint(message, reader);
  const count = uint(message, reader);
  for (let read = 0; read < count; read += 1) {
    const from = reader.at;
    const id = uint(message, reader);
    const clock = uint(message, reader);
    const length = uint(message, reader);
    reader.at += length;
    const known = last.get(id);
    if (known !== undefined && clock <= clockOf(known)) continue;
    const entry = message.slice(from, reader.at);
    last.set(id, entry);
    pending.set(id, entry);
  }
  if (pending.size === 0 || isDue) return;
  isDue = true;
  if (WINDOW_MS === 0) setImmediate(tell);
  else void pass(WINDOW_MS).then(tell);
}

function tell(): void {
  isDue = false;
  server.publish(TOPIC, messageOf([...pending.values()]));
  pending.clear();
}

function messageOf(entries: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat([written(entries.length), ...entries]);
  return Buffer.concat([Uint8Array.of(AWARENESS), written(body.byteLength), body]);
}

function clockOf(entry: Uint8Array): number {
  const reader = { at: 0 };
  uint(entry, reader);
  return uint(entry, reader);
}

function uint(bytes: Uint8Array, reader: { at: number }): number {
  let value = 0;
  for (let scale = 1; ; scale *= 0x80) {
    const byte = bytes[reader.at] ?? 0;
    reader.at += 1;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
  }
}

function written(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}
