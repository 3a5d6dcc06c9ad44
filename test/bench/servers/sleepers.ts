/**
 * People who are there and do nothing, as a process of its own: one process has
 * not enough descriptors for those of two servers. They come one after the other
 * over the time between two heartbeats, so that pings and heartbeats are spread
 * as they are among people, and say from then on that they are there.
 */
import { now, pass } from "../../peers/waiting.ts";
import { frameBytes } from "../../support/websocket.ts";
import { bareTarget, streamTarget } from "../company.ts";
import { RawSocket } from "../raw-sockets.ts";

/** What the process is asked for. */
export interface Sleep {
  readonly url: string;
  readonly of: "porchlight" | "bare";
  readonly people: number;
  readonly room: string;
  readonly heartbeatMs: number;
}

const STEP_MS = 10;
const { url, of, people, room, heartbeatMs }: Sleep = JSON.parse(process.argv[2] ?? "");
const listener = {
  message: () => undefined,
  closed: ({ index }: RawSocket) => {
    throw new Error(`Cannot go on as socket ${index} was closed`);
  },
};
const opening = {
  url,
  listener,
  target: (index: number) =>
    of === "bare" ? bareTarget(index, [room]) : streamTarget(index, { presence: "none" }),
};
const beatOf = (ack: boolean): Uint8Array =>
  frameBytes({
    payload: JSON.stringify({ type: "heartbeat", state: "online", ...(ack && { ack }) }),
  });
let beat = beatOf(false);
process.on("message", (ack: boolean) => {
  beat = beatOf(ack);
});

/** Does something for each in turn, each once in the time between two heartbeats. */
async function inTurn(act: (index: number) => unknown, isOver: (count: number) => boolean) {
  const from = now();
  let count = 0;
  while (!isOver(count)) {
    const due = Math.floor(((now() - from) / heartbeatMs) * people);
    const doing: unknown[] = [];
    for (; count < due && !isOver(count); count += 1) doing.push(act(count % people));
    await Promise.all(doing);
    await pass(STEP_MS);
  }
}

const sockets: RawSocket[] = [];
await inTurn(
  async (index) => {
    sockets[index] = await RawSocket.open(opening, index);
  },
  (count) => count === people,
);
const asks = JSON.stringify({ type: "subscribe", presence: "all" });
for (const socket of sockets) socket.say(asks);
process.send?.("ready");
await inTurn(
  (index) => sockets[index]?.send(beat),
  () => false,
);
