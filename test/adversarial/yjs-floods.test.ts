import { describe, expect, test } from "bun:test";
import { STAND_IN_IDS_FROM } from "@porchlight/core/awareness";
import { systemClock } from "@porchlight/core/clock";
import { Doc } from "yjs";
import { Chance, seedOf } from "../support/chance.ts";
import { Lounge, type Outcome } from "../support/lounge.ts";
import type { Neighbours } from "../support/neighbours.ts";
import type { Raw } from "../support/raw.ts";
import { isLong, runs } from "../support/runs.ts";
import { left, Siege } from "../support/siege.ts";
import { closeIn, closing, frameBytes, OPCODE } from "../support/websocket.ts";
import { yjsLevels } from "../support/yjs-levels.ts";
import {
  awareness,
  EMPTY_DOCUMENT,
  framed,
  STEP_1,
  SYNC,
  says,
  sync,
  type WireEntry,
} from "../support/yjs-wire.ts";

const LARGEST = Number.MAX_SAFE_INTEGER;
/** Fewer than one person may have. */
const SOCKETS = 30;
/** More than the frames of five seconds. */
const FLOOD = 300;
/** Each opens a socket, speaks on it and goes. */
const CYCLES = runs(500);
const TIMEOUT_MS = isLong ? 300_000 : 60_000;

const GOOD_BYE = frameBytes({ opcode: OPCODE.close, payload: closing(1000) });

function many<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function times(count: number, bytes: Buffer): Buffer {
  return Buffer.concat(many(count, () => bytes));
}

/** So many ids, each with a state. */
function ids(count: number, from: number): WireEntry[] {
  return many(count, (index) => ({ id: from + index, clock: 1, text: "{}" }));
}

function inOneFrame(entries: readonly WireEntry[]): Buffer {
  return framed(awareness(entries));
}

function inAsMany(entries: readonly WireEntry[]): Buffer {
  return Buffer.concat(entries.map((entry) => inOneFrame([entry])));
}

/** What there is to say of whom an intruder is not: the neighbours, and those whom the room stands in for. */
function slanders({ speakerId, listenerId }: Neighbours): Omit<WireEntry, "clock">[] {
  return [speakerId, listenerId, STAND_IN_IDS_FROM, LARGEST].flatMap((id) => [
    { id, text: '{"word":0}' },
    { id, text: "null" },
  ]);
}

/** Each of these says 20 large states, and the first hears all that others say. */
async function converse(raws: readonly Raw[]): Promise<void> {
  const filler = "x".repeat(4_000);
  for (let clock = 1; clock <= 20; clock += 1) {
    for (const [index, raw] of raws.entries())
      raw.send(says(`{"${index} in ${clock}":"${filler}"}`, { id: 500 + index, clock }));
    for (const index of raws.keys()) if (index > 0) await raws[0]?.hears(`${index} in ${clock}"`);
  }
}

/** Updates each of which builds on one that never comes. */
function orphans(count: number): Uint8Array[] {
  const doc = new Doc();
  const updates: Uint8Array[] = [];
  doc.on("update", (update) => void updates.push(update));
  for (let index = 0; index <= count; index += 1) doc.getText("t").insert(0, `${index}`);
  return updates.slice(1);
}

describe("an id of one's own", () => {
  test(
    "is one of sixteen: what is said of more is dropped, and the 21st time closes the socket",
    async () => {
      await using siege = await Siege.start();
      const lounge = await Lounge.open(siege);
      let used = 100_000;
      const fresh = (count: number): WireEntry[] => {
        used += count;
        return ids(count, used);
      };
      const outcomes = async (count: number): Promise<Outcome[]> => [
        await lounge.outcomeOf(inOneFrame(fresh(count))),
        await lounge.outcomeOf(inAsMany(fresh(count))),
      ];
      const attack = async (neighbours: Neighbours): Promise<void> => {
        expect(await outcomes(16)).toEqual(["goes on", "goes on"]);
        await neighbours.settled();
        // Each of the second sixteen has taken the place of one of the first, which lingered.
        expect(neighbours.strangers).toBe(16);
        expect(await outcomes(36)).toEqual(["goes on", "goes on"]);
        expect(await outcomes(37)).toEqual([4403, 4403]);
        await neighbours.settled();
        expect(neighbours.strangers).toBe(0);
      };
      expect(await lounge.faultsUnder("ids", attack, { times: 5 })).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "is not one of ten thousand, in one frame or in as many: that closes the socket",
    async () => {
      await using siege = await Siege.start();
      const lounge = await Lounge.open(siege);
      const attack = async (neighbours: Neighbours): Promise<void> => {
        expect(await lounge.outcomeOf(inOneFrame(ids(10_000, 128)))).toBe(4403);
        expect(await lounge.outcomeOf(inAsMany(ids(10_000, 128)))).toBe(4403);
        await neighbours.settled();
        expect(neighbours.strangers).toBe(0);
      };
      expect(await lounge.faultsUnder("10,000 ids", attack, { times: 5 })).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "is one of sixteen also among those that wait until their socket may say more",
    async () => {
      await using siege = await Siege.start();
      const lounge = await Lounge.open(siege);
      await using neighbours = await lounge.meet();
      // The first time, to warm up.
      for (let time = 0; time < 2; time += 1) {
        const before = await siege.holdings();
        using raw = await lounge.intrude();
        raw.send(Buffer.concat(many(21, (index) => says("{}", { clock: index + 1 }))));
        for (let frame = 0; frame < 40; frame += 1)
          raw.send(inOneFrame(ids(8_000, 100_000 + frame * 8_000)));
        raw.send(STEP_1);
        await Promise.race([raw.hears(EMPTY_DOCUMENT), raw.ended]);
        const held = await siege.holdings();
        await raw.ended;
        const faults = time === 0 ? [] : left(before, held);
        expect([closeIn(raw.received)?.code, faults]).toEqual([4403, []]);
      }
      expect(neighbours.faults).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describe("an id of somebody else", () => {
  test(
    "is not spoken for: 20 forgeries are dropped, and the 21st closes the socket",
    async () => {
      await using siege = await Siege.start();
      const lounge = await Lounge.open(siege);
      const attack = async (neighbours: Neighbours): Promise<void> => {
        for (const slander of slanders(neighbours)) {
          const forged = (count: number): WireEntry[] =>
            many(count, () => ({ ...slander, clock: LARGEST }));
          const outcomes = [
            await lounge.outcomeOf(inOneFrame(forged(20))),
            await lounge.outcomeOf(inAsMany(forged(20))),
            await lounge.outcomeOf(inOneFrame(forged(21))),
            await lounge.outcomeOf(inAsMany(forged(21))),
          ];
          expect([slander, outcomes]).toEqual([slander, ["goes on", "goes on", 4403, 4403]]);
        }
      };
      expect(await lounge.faultsUnder("forgeries", attack, { times: 3 })).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "may be repeated, and taken for gone, without end: nobody is told",
    async () => {
      await using siege = await Siege.start();
      const lounge = await Lounge.open(siege);
      const attack = async (neighbours: Neighbours): Promise<void> => {
        for (const slander of slanders(neighbours)) {
          const repeated = inOneFrame(many(500, () => ({ ...slander, clock: 1 })));
          expect(await lounge.outcomeOf(times(10, repeated))).toBe("goes on");
        }
      };
      expect(await lounge.faultsUnder("echoes", attack, { times: 3 })).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "may be taken for gone as often as frames can hold it, on all sockets of a person: nobody notices",
    async () => {
      await using siege = await Siege.start();
      const lounge = await Lounge.open(siege);
      const gone = many(8_000, (index) => ({ id: 128 + index, clock: 1, text: "null" }));
      // Fewer than are too many in five seconds, a large one counted as five.
      const flood = Buffer.concat([times(45, inOneFrame(gone)), STEP_1]);
      const attack = async (): Promise<void> => {
        const raws = await Promise.all(many(SOCKETS, () => lounge.intrude()));
        for (const raw of raws) raw.send(flood);
        await Promise.all(raws.map((raw) => Promise.race([raw.hears(EMPTY_DOCUMENT), raw.ended])));
        for (const raw of raws) raw.cut();
      };
      expect(await lounge.faultsUnder("full frames", attack)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describe("a Yjs socket", () => {
  test(
    "that sends too much is told when to come back, and one that forges why it is out",
    async () => {
      await using siege = await Siege.start();
      const lounge = await Lounge.open(siege);
      using flooding = await lounge.intrude();
      flooding.send(times(FLOOD, STEP_1));
      await flooding.ended;
      expect(closeIn(flooding.received)).toEqual({ code: 4503, reason: "5000" });
      using forging = await lounge.intrude();
      forging.send(inOneFrame(ids(37, 1_000)));
      await forging.ended;
      expect(forging.received.includes("\x02\0\x06forged")).toBe(true);
      expect(closeIn(forging.received)).toEqual({ code: 4403, reason: "forged" });
    },
    TIMEOUT_MS,
  );

  test(
    "may repeat what it was told of late, but is closed for a flood however much that was",
    async () => {
      await using siege = await Siege.start();
      const lounge = await Lounge.open(siege);
      const refused = inOneFrame(
        many(10_000, (index) => ({ id: 128 + index, clock: 1, text: "[]" })),
      );
      const nothing = inOneFrame([]);
      const attack = async (): Promise<void> => {
        const raws = await Promise.all(many(8, () => lounge.intrude()));
        await converse(raws);
        for (const [index, raw] of raws.entries())
          raw.send(index % 2 === 0 ? times(60, refused) : times(20_000, nothing));
        await Promise.all(raws.map((raw) => raw.ended));
        const codes = raws.map((raw) => closeIn(raw.received)?.code);
        expect(codes).toEqual(many(8, (index) => (index % 2 === 0 ? 4403 : 4503)));
      };
      expect(await lounge.faultsUnder("flood", attack, { times: 2 })).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "has, with all others of its person, as much to say as one: many with much to say are nobody's trouble",
    async () => {
      await using siege = await Siege.start();
      const lounge = await Lounge.open(siege);
      let clock = 0;
      const attack = async (): Promise<void> => {
        const raws = await Promise.all(many(SOCKETS, () => lounge.intrude()));
        for (let round = 0; round < 10; round += 1) {
          clock += 1;
          const text = `{"${clock}":"${"x".repeat(4_000)}"}`;
          for (const [index, raw] of raws.entries())
            raw.send(inOneFrame(many(16, (id) => ({ id: 1_000 + 16 * index + id, clock, text }))));
          raws[0]?.send(STEP_1);
          await raws[0]?.hears(EMPTY_DOCUMENT);
        }
        const heard = raws.reduce((bytes, raw) => bytes + raw.received.length, 0);
        // To each of the sockets, and after the first round only what has changed.
        expect(heard).toBeLessThan(SOCKETS * 11 * 70_000);
        for (const raw of raws) raw.cut();
      };
      expect(await lounge.faultsUnder("many large entries", attack, { times: 2 })).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "that says 100 states in a row is heard with 20 of them a second, and with the last when the second is over",
    async () => {
      await using siege = await Siege.start();
      const lounge = await Lounge.open(siege);
      const { monotonic } = systemClock();
      let said = 0;
      const attack = async (neighbours: Neighbours): Promise<void> => {
        const from = said;
        using raw = await lounge.intrude();
        const startedAt = monotonic();
        for (; said < from + 100; said += 1) {
          const text = `{"case":${said}}`;
          // What others hear is told at the end of a turn: the answer comes in another.
          const ping = frameBytes({ opcode: OPCODE.ping, payload: text });
          raw.send(Buffer.concat([says(text, { clock: said }), ping]));
          await raw.hears(text);
        }
        await neighbours.hears(said - 1);
        const heard = neighbours.cases.filter((each) => Number(each) >= from);
        const seconds = Math.ceil((monotonic() - startedAt) / 1_000);
        expect(heard.length).toBeGreaterThan(20);
        expect(heard.length).toBeLessThanOrEqual(20 * seconds);
      };
      expect(await lounge.faultsUnder("states", attack, { times: 2 })).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "that sends 2,000 updates which wait for one that never comes is told of an empty document",
    async () => {
      await using siege = await Siege.start({ PORCHLIGHT_FRAME_RATE: "1000000" });
      const lounge = await Lounge.open(siege);
      const pending = orphans(2_000).map((update) => framed(sync(SYNC.update, update)));
      const attack = async (): Promise<void> => {
        expect(await lounge.outcomeOf(Buffer.concat(pending))).toBe("goes on");
      };
      expect(await lounge.faultsUnder("pending updates", attack, { times: 5 })).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    `that is one of ${CYCLES} which open, speak and go, every other without a word, leaves nothing`,
    async () => {
      await using siege = await Siege.start();
      const lounge = await Lounge.open(siege);
      const seed = seedOf();
      const chance = new Chance(seed);
      const cycle = async (isOrderly: boolean): Promise<void> => {
        using raw = await lounge.intrude();
        raw.send(Buffer.concat([says("{}", { id: chance.below(2 ** 32) }), STEP_1]));
        await raw.hears(EMPTY_DOCUMENT);
        if (!isOrderly) raw.cut();
        else raw.send(GOOD_BYE);
        await raw.ended;
      };
      const attack = async (): Promise<void> => {
        for (let index = 0; index < CYCLES; index += 1) await cycle(index % 2 === 1);
      };
      const faults = await lounge.faultsUnder("connections", attack);
      const { sockets } = yjsLevels(await lounge.metrics());
      expect({ seed, sockets, faults }).toEqual({ seed, sockets: 0, faults: [] });
    },
    TIMEOUT_MS,
  );
});
