import { describe, expect, test } from "bun:test";
import { percentile } from "../bench/bench.ts";
import { type Crossings, commandsOf, cross, Passage } from "../support/crossing.ts";
import { NodeFleet, Watcher } from "../support/fleet.ts";
import type { StreamClient } from "../support/stream.ts";

/** So many that nobody changes twice in `coalesce_ms`, however quick the machine. */
const PEOPLE = 300;
const ROUNDS = 2;
/** Of a change that is told on the other node, against what Redis needs to pass on a text: that of the contract. */
const RATIO_MAX = 3;
const TIMEOUT_MS = 60_000;

describe("two nodes", () => {
  test(
    "cost one script of Redis a heartbeat or change at most, no scan, and no write of PostgreSQL; a change is there as soon as Redis allows",
    async () => {
      const people = Array.from({ length: PEOPLE }, (_, index) => `p${index}`);
      await using fleet = await NodeFleet.start({ nodes: 2, people: [...people, "watcher"] });
      const watcher = new Watcher(await fleet.stream(1, "watcher"));
      const streams = await Promise.all(
        people.map((id) => fleet.stream(0, id, { presence: "none", state: "online" })),
      );
      await watcher.until(() => people.every((id) => watcher.at(id, "online") !== undefined));
      // What is coalesced is told later, and is not what is measured.
      await fleet.pass(500);

      const before = {
        scripts: await scripts(fleet),
        rows: await fleet.rowsWritten(),
        at: performance.now(),
      };
      for (const stream of streams) stream.send({ type: "heartbeat", state: "online", ack: true });
      await Promise.all(streams.map((stream) => stream.type("heartbeat")));
      // They are told with the next renewal of the lease.
      await fleet.pass(2_000);
      const renewals = 2 * Math.ceil((performance.now() - before.at) / 1_000 + 1);
      const heartbeats = (await scripts(fleet)) - before.scripts;
      expect(heartbeats).toBeWithin(PEOPLE, PEOPLE + renewals + 1);

      const { ours, bare } = await change(fleet, streams, watcher);
      const changes = (await scripts(fleet)) - before.scripts - heartbeats;
      const since = 2 * Math.ceil((performance.now() - before.at) / 1_000 + 1);
      expect(changes).toBeWithin(ROUNDS * PEOPLE, ROUNDS * PEOPLE + since + 1);
      expect(await fleet.rowsWritten()).toBe(before.rows);
      expect(await fleet.redis.command("info", "commandstats")).not.toMatch(/cmdstat_(keys|scan):/);
      const [own, least] = [percentile(ours, 0.99), percentile(bare, 0.99)];
      console.log(
        `  a change on A seen on B: p50 ${percentile(ours, 0.5).toFixed(2)} ms, p99 ${own.toFixed(2)} ms; a text through Redis: p50 ${percentile(bare, 0.5).toFixed(2)} ms, p99 ${least.toFixed(2)} ms; ratio at p99 ${(own / least).toFixed(2)} (at most ${RATIO_MAX} on a machine with nothing else to do)`,
      );
    },
    TIMEOUT_MS,
  );
});

/** Changes states one after the other, and passes on a text by Redis alone in between. Answers how long each took. */
async function change(
  fleet: NodeFleet,
  streams: readonly StreamClient[],
  watcher: Watcher,
): Promise<Crossings> {
  await using passage = await Passage.open(fleet.redis);
  const byPerson = new Map(streams.map((stream, index) => [`p${index}`, stream]));
  const crossings: Crossings = { ours: [], bare: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    const state = round % 2 === 0 ? "idle" : "online";
    const { ours, bare } = await cross(byPerson, state, { watcher, passage });
    crossings.ours.push(...ours);
    crossings.bare.push(...bare);
  }
  return crossings;
}

/** How many scripts Redis has run. */
async function scripts(fleet: NodeFleet): Promise<number> {
  return (await commandsOf(fleet.redis)).get("evalsha") ?? 0;
}
