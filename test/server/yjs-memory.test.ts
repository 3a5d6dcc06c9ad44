import { describe, expect, test } from "bun:test";
import { DEFAULT_TIMINGS } from "@porchlight/core";
import { Chance, seedOf } from "../support/chance.ts";
import { turn } from "../support/clock.ts";
import { Raw } from "../support/raw.ts";
import { isLong, runs } from "../support/runs.ts";
import { type Person, TestServer } from "../support/server.ts";
import { closing, frameBytes, OPCODE } from "../support/websocket.ts";
import { type YjsLevels, yjsLevels } from "../support/yjs-levels.ts";
import { EMPTY_DOCUMENT, STEP_1, says } from "../support/yjs-wire.ts";

/** Each opens a socket, speaks on it and goes. */
const CYCLES = runs(500);
const ROOMS = 3;
/** An id stays its person's for so long after others were last told of it. */
const RESERVED_MS = 600_000;
/** Whoever was lost is told to be gone after so long. */
const UNTOLD_MS = DEFAULT_TIMINGS.disconnect_grace_ms + DEFAULT_TIMINGS.coalesce_ms;
const TIMEOUT_MS = isLong ? 120_000 : 30_000;

const GOOD_BYE = frameBytes({ opcode: OPCODE.close, payload: closing(1000) });
const NOTHING: YjsLevels = { sockets: 0, rooms: 0, entries: 0 };

async function levelsOf(server: TestServer): Promise<YjsLevels> {
  const { body } = await server.request("GET", "/metrics", { token: server.adminToken });
  return yjsLevels(body);
}

/** A socket that speaks for an id. Goes with a word, or without; returns once the server has noticed. */
async function visit(
  server: TestServer,
  { token }: Person,
  visitor: { readonly room: string; readonly id: number; readonly isOrderly: boolean },
): Promise<void> {
  using raw = await Raw.yjs(server.url, visitor.room, { token, device_id: "laptop" });
  raw.send(Buffer.concat([says('{"typing":true}', visitor), STEP_1]));
  await raw.hears(EMPTY_DOCUMENT);
  const before = server.lines.length;
  if (visitor.isOrderly) raw.send(GOOD_BYE);
  else raw.cut();
  await server.logged("yjs.closed", before);
  // What others are told of it is told at the end of the turn.
  await turn();
}

describe("GET /v1/yjs/{room_id}", () => {
  test(
    `keeps nothing of ${CYCLES} sockets that came and went, once their ids are free again`,
    async () => {
      await using server = await TestServer.start();
      const [ann, bob] = [await server.person("ann"), await server.person("bob")];
      for (let room = 0; room < ROOMS; room += 1) await server.room(`r${room}`, [ann, bob]);
      const timers = server.clock.timers;
      const seed = seedOf();
      const chance = new Chance(seed);
      for (let cycle = 0; cycle < CYCLES; cycle += 1) {
        const room = `r${chance.below(ROOMS)}`;
        const id = chance.below(2 ** 32);
        await visit(server, ann, { room, id, isOrderly: cycle % 2 === 0 });
        if (cycle % 10 === 0) await server.clock.advance(chance.below(1_000));
      }
      expect(await levelsOf(server)).toMatchObject({ sockets: 0, rooms: ROOMS });
      await server.clock.advance(UNTOLD_MS + RESERVED_MS);
      expect({ seed, ...(await levelsOf(server)) }).toEqual({ seed, ...NOTHING });
      expect(server.clock.timers).toBeLessThanOrEqual(timers);
    },
    TIMEOUT_MS,
  );

  test("keeps a room for ten minutes after the last id in it was told to be gone, and not longer", async () => {
    await using server = await TestServer.start({ alone: true });
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("r0", [ann, bob]);
    await visit(server, ann, { room: "r0", id: 1_000, isOrderly: true });
    await server.clock.advance(RESERVED_MS - 1);
    expect(await levelsOf(server)).toEqual({ ...NOTHING, rooms: 1 });
    await server.clock.advance(1);
    expect(await levelsOf(server)).toEqual(NOTHING);
  });

  test("counts nobody in rooms that all have left, whoever lingers there", async () => {
    await using server = await TestServer.start({ alone: true });
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    for (const room of ["r0", "r1"]) await server.room(room, [ann, bob]);
    await visit(server, ann, { room: "r0", id: 1_000, isOrderly: false });
    await server.clock.advance(1_000);
    await visit(server, ann, { room: "r1", id: 1_001, isOrderly: false });
    expect(await levelsOf(server)).toEqual({ ...NOTHING, rooms: 2 });
    await server.clock.advance(UNTOLD_MS);
    expect(await levelsOf(server)).toEqual({ ...NOTHING, rooms: 2 });
  });

  test("forgets a room in which nobody said anything within 15 seconds of the last who left it", async () => {
    await using server = await TestServer.start({ alone: true });
    const ann = await server.person("ann");
    await server.room("r0", [ann]);
    using raw = await Raw.yjs(server.url, "r0", { token: ann.token });
    raw.send(STEP_1);
    await raw.hears(EMPTY_DOCUMENT);
    expect(await levelsOf(server)).toMatchObject({ sockets: 1, rooms: 1 });
    const before = server.lines.length;
    raw.send(GOOD_BYE);
    await server.logged("yjs.closed", before);
    await server.clock.advance(15_000);
    expect(await levelsOf(server)).toEqual(NOTHING);
  });
});
