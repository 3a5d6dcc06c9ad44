import { describe, expect, test } from "bun:test";
import { systemClock } from "@porchlight/core/clock";
import fc from "fast-check";
import { seedOf } from "../support/chance.ts";
import { Lounge } from "../support/lounge.ts";
import { oddFrames } from "../support/odd-frames.ts";
import { oddMessages } from "../support/odd-messages.ts";
import { type OddRequest, oddRequests } from "../support/odd-requests.ts";
import { Raw } from "../support/raw.ts";
import { isLong, runs } from "../support/runs.ts";
import { ADMIN_TOKEN } from "../support/server.ts";
import { type Holdings, left, noticed, Siege } from "../support/siege.ts";
import { frameBytes, OPCODE } from "../support/websocket.ts";

const FRAMES = runs(25_000);
const MESSAGES = runs(25_000);
const BODIES = runs(25_000);
const BATCH = 500;
/** What the first batches leave behind is not held against those that follow: the share of all. */
const WARM_UP = 0.5;
/** Memory that is free is given back after less than this. */
const GIVEN_BACK_MS = 2_000;
const CONNECTIONS = 10;
/** Fewer than a stream may get wrong before it is closed. */
const FRAMES_A_STREAM = 15;
const LAST_WORD = frameBytes({
  payload: '{"type":"typing","room_id":"nowhere-at-all","typing":true}',
});
const TIMEOUT_MS = isLong ? 1_800_000 : 120_000;

/** Sends `count` generated things in batches; what is wrong is said with the seed of the batch. */
async function bombard<T>(
  { siege, name, count }: { siege: Siege; name: string; count: number },
  things: fc.Arbitrary<T>,
  send: (batch: readonly T[]) => Promise<readonly string[]>,
): Promise<void> {
  const seed = seedOf();
  const batches = Math.ceil(count / BATCH);
  let before = await siege.holdings();
  for (let batch = 0; batch < batches; batch += 1) {
    if (batch === Math.floor(batches * WARM_UP)) {
      before = await siege.holdings();
      await siege.calm();
    }
    const numRuns = Math.min(BATCH, count - batch * BATCH);
    const faults = await send(fc.sample(things, { numRuns, seed: seed + batch }));
    if (faults.length > 0) expect({ seed, batch, faults }).toEqual({ seed, batch, faults: [] });
  }
  const [calm, after] = [await siege.calm(), await settled(siege)];
  console.log(`${name}: ${JSON.stringify({ seed, count, calm, before, after })}`);
  expect({ seed, faults: [...noticed(calm), ...left(before, after)] }).toEqual({
    seed,
    faults: [],
  });
}

/** What the server holds once it has given back what a collection has freed, which it does a moment later. */
async function settled(siege: Siege): Promise<Holdings> {
  const { failures } = await siege.holdings();
  await new Promise<void>((resolve) => void systemClock().timer(GIVEN_BACK_MS, resolve));
  const holdings = await siege.holdings();
  return { ...holdings, failures: [...failures, ...holdings.failures] };
}

/** Calls `work` for each of the items, so many at a time. */
async function each<T>(
  items: readonly T[],
  at: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await work(next);
  };
  await Promise.all(Array.from({ length: at }, worker));
}

function portionsOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** A ping, whose answer says that everything before it was dealt with. */
function mark(index: number): Buffer {
  return frameBytes({ opcode: OPCODE.ping, payload: markOf(index) });
}

function markOf(index: number): string {
  return `mark ${index};`;
}

describe("generated input", () => {
  test(
    `of ${FRAMES} frames on streams breaks nothing, and nobody else notices`,
    async () => {
      await using siege = await Siege.start({ PORCHLIGHT_FRAME_RATE: "1000000" });
      const [ann, bob] = [await siege.person("ann"), await siege.person("bob")];
      await siege.room("lounge", ["ann", "bob"]);
      let opened = 0;
      const send = async (frames: readonly Buffer[]): Promise<string[]> => {
        await each(portionsOf(frames, FRAMES_A_STREAM), CONNECTIONS, async (portion) => {
          opened += 1;
          const token = opened % 2 === 0 ? ann : bob;
          using raw = await Raw.stream(siege.url, { token, device_id: `d${opened % 20}` });
          raw.send(Buffer.concat([...portion, LAST_WORD]));
          // Bytes that begin a long frame swallow what comes after them: then only the end is heard.
          raw.finish();
          await Promise.race([raw.hears("SW_ROOM_NOT_FOUND"), raw.ended]);
        });
        return [];
      };
      await bombard({ siege, name: "frames", count: FRAMES }, oddFrames, send);
    },
    TIMEOUT_MS,
  );

  test(
    `of ${MESSAGES} messages on Yjs sockets breaks nothing, and nobody else in the room notices`,
    async () => {
      await using siege = await Siege.start({ PORCHLIGHT_FRAME_RATE: "1000000" });
      const lounge = await Lounge.open(siege, ["eve", "mallory"]);
      await using neighbours = await lounge.meet();
      /** Sends frames on a socket of their own; answers those that were left when it was closed. */
      const sendSome = async (frames: readonly Buffer[]): Promise<readonly Buffer[]> => {
        using raw = await lounge.intrude();
        raw.send(Buffer.concat(frames.flatMap((frame, index) => [frame, mark(index)])));
        raw.finish();
        await Promise.race([raw.hears(markOf(frames.length - 1)), raw.ended]);
        const { received } = raw;
        const heard = frames.findLastIndex((_, index) => received.includes(markOf(index)));
        // The next one has closed the socket, or swallowed what came behind it.
        return frames.slice(heard + 2);
      };
      const send = async (frames: readonly Buffer[]): Promise<readonly string[]> => {
        await each(portionsOf(frames, FRAMES_A_STREAM), CONNECTIONS, async (portion) => {
          let rest: readonly Buffer[] = portion;
          while (rest.length > 0) rest = await sendSome(rest);
        });
        await neighbours.settled();
        return neighbours.faults;
      };
      const messages = oddMessages([neighbours.speakerId, neighbours.listenerId]);
      await bombard({ siege, name: "messages", count: MESSAGES }, messages, send);
      console.log(`sockets: ${lounge.intrusions}, talk: ${JSON.stringify(neighbours.talk)}`);
    },
    TIMEOUT_MS,
  );

  test(
    `of ${BODIES} requests is answered, never with 5xx, and nobody else notices`,
    async () => {
      await using siege = await Siege.start();
      const [ann, boss] = [
        await siege.person("ann"),
        await siege.person("boss", { roles: ["porchlight_admin"] }),
      ];
      await siege.person("zoe");
      await siege.room("lounge", ["ann", "zoe"]);
      const params = {
        tenant_id: "acme",
        participant_id: "zoe",
        room_id: "lounge",
        device_id: "laptop",
        task_id: "task",
        token_id: "tok-nobody",
        event_id: "evt-nobody",
      };
      const spareParams = { tenant_id: "annex", participant_id: "zed", room_id: "attic" };
      const known = { params, spareParams, tokens: [ann, ann, boss, ADMIN_TOKEN] };
      const lines = Array.from({ length: CONNECTIONS }, () => new Raw(siege.url));
      const send = async (requests: readonly OddRequest[]): Promise<string[]> => {
        const faults: string[] = [];
        await each(requests, CONNECTIONS, async (request) => {
          const line = lines.pop() ?? new Raw(siege.url);
          const reply = await line.ask(request);
          const status = reply?.status ?? 0;
          if (status < 200 || status >= 500)
            faults.push(
              `${status} to ${request.method} ${request.target}: ${fc.stringify(request)}`,
            );
          if (line.isEnded || reply?.headers.get("connection") === "close") line[Symbol.dispose]();
          else lines.push(line);
        });
        return faults;
      };
      await bombard(
        { siege, name: "requests", count: BODIES },
        oddRequests(siege.routes, known),
        send,
      );
      for (const line of lines) line[Symbol.dispose]();
    },
    TIMEOUT_MS,
  );
});
