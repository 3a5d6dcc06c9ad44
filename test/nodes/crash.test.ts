import { describe, expect, test } from "bun:test";
import { NodeFleet, Watcher } from "../support/fleet.ts";
import { isLong } from "../support/runs.ts";

const ROUNDS = isLong ? 20 : 2;
const AT_ONCE = 2;
const CLIENTS = 300;
const NODES = 3;
/** What the contract promises: from the crash until everyone hears that somebody is gone. */
const GONE_WITHIN_MS = 15_000;
const TIMEOUT_MS = (ROUNDS / AT_ONCE) * 60_000;

describe("kill -9 of one of three nodes with 300 clients", () => {
  test(
    `nobody hears of those who come back elsewhere, and the others are offline within ${GONE_WITHIN_MS / 1_000} s, ${ROUNDS} times`,
    async () => {
      const delays: number[] = [];
      for (let round = 0; round < ROUNDS; round += AT_ONCE)
        delays.push(...(await Promise.all(Array.from({ length: AT_ONCE }, crash))).flat());
      delays.sort((a, b) => a - b);
      const [least, middle, most] = [0, 0.5, 1].map(
        (share) => delays[Math.round(share * (delays.length - 1))] ?? Number.NaN,
      );
      console.log(
        `  from kill -9 to offline elsewhere, ${delays.length} times in ${ROUNDS} rounds: ${[least, middle, most].map((ms) => `${((ms ?? 0) / 1_000).toFixed(1)} s`).join(", ")} (least, median, most)`,
      );
      expect(most).toBeLessThan(GONE_WITHIN_MS);
    },
    TIMEOUT_MS,
  );
});

/** Kills a node, and answers for each who stays away how long it took until both other nodes had told so. */
async function crash(): Promise<number[]> {
  const people = Array.from({ length: CLIENTS }, (_, index) => `p${index}`);
  const watchers = ["watcher-1", "watcher-2"];
  await using fleet = await NodeFleet.start({ nodes: NODES, people: [...people, ...watchers] });
  const views = await Promise.all(
    watchers.map(async (id, index) => new Watcher(await fleet.stream(index + 1, id))),
  );
  // Whoever is at node 0 is to lose it.
  await Promise.all(
    people.map((id, index) => fleet.stream(index % NODES, id, { presence: "none" })),
  );
  for (const view of views) {
    await view.until(() => people.every((id) => view.at(id, "online") !== undefined));
    view.forget();
  }
  const lost = people.filter((_, index) => index % NODES === 0);
  const [back, away] = [lost.slice(0, lost.length / 2), lost.slice(lost.length / 2)];

  await fleet.nodes[0]?.end("SIGKILL");
  const killedAt = performance.now();
  await Promise.all(
    back.map((id, index) => fleet.stream(1 + (index % 2), id, { presence: "none" })),
  );
  await Promise.all(
    views.map((view) => view.until(() => away.every((id) => view.at(id, "offline") !== undefined))),
  );
  for (const view of views) {
    expect(view.toldOf(...people).sort()).toEqual(away.map((id) => `${id} offline`).sort());
  }
  return away.map(
    (id) => Math.max(...views.map((view) => view.at(id, "offline") ?? Number.NaN)) - killedAt,
  );
}
