import { type Crossings, commandsOf, cross, Passage } from "../support/crossing.ts";
import { NodeFleet, Watcher } from "../support/fleet.ts";
import type { StreamClient } from "../support/stream.ts";
import { type Bench, type Figure, percentile, type Ratio, ratioOf } from "./bench.ts";
import { names } from "./people.ts";
import { besideServers } from "./subject.ts";

/** So many that nobody changes again while what they said last is still told as one with it. */
const WHOLE = { people: 500, rounds: 6, quietMs: 4_000, toldMs: 2_000 };
const SHORT = { people: 300, rounds: 2, quietMs: 500, toldMs: 1_100 };
const AT = "2 nodes, one change at a time";

export const CLUSTER: Bench = {
  name: "cluster",
  work: "Two nodes with Redis and PostgreSQL. Somebody connected to one node changes state, and somebody connected to the other is told; in between a text of 500 bytes goes through Redis alone, from publisher to subscriber. What Redis and PostgreSQL do for it is counted by themselves.",
  async run({ isShort }) {
    const { people, rounds, quietMs, toldMs } = isShort ? SHORT : WHOLE;
    const ids = names("p", people);
    await using fleet = await besideServers(() =>
      NodeFleet.start({ nodes: 2, people: [...ids, "watcher"] }),
    );
    // What it does by itself is nobody's.
    await fleet.postgres.query("alter system set autovacuum = off");
    await fleet.postgres.query("select pg_reload_conf()");
    const meeting = await gather(fleet, ids);
    await using passage = await Passage.open(fleet.redis);
    const crossed: Crossings[] = [];
    const costs = await count(fleet, meeting, {
      quietMs,
      toldMs,
      changes: (rounds - 1) * people,
      change: async () => {
        for (let round = 1; round < rounds; round += 1)
          crossed.push(await cross(meeting.streams, stateIn(round), { ...meeting, passage }));
      },
      warmUp: () => cross(meeting.streams, stateIn(0), { ...meeting, passage }),
    });
    return {
      settings: [
        `${people} people at one node, a round each of changes and texts ${rounds} times, the first dropped; everybody waits for whoever was before`,
        "both nodes, Redis and PostgreSQL on the processor of servers, as shipped; PostgreSQL without fsync and autovacuum",
        `at rest, with ${people + 1} sockets, Redis runs ${costs.rest.toFixed(1)} scripts a second, with which both nodes renew their leases: these are not counted elsewhere`,
        `within scripts and besides: ${costs.commands}`,
      ],
      ...resultOf(crossed, costs),
    };
  },
};

interface Meeting {
  readonly streams: ReadonlyMap<string, StreamClient>;
  readonly watcher: Watcher;
}

interface Costs {
  /** Scripts a second that run when nothing happens. */
  readonly rest: number;
  readonly heartbeat: number;
  readonly change: number;
  /** Transactions of PostgreSQL that write, a heartbeat. */
  readonly transactions: number;
  readonly commands: string;
}

/** Everybody comes to one node, and is seen at the other. */
async function gather(fleet: NodeFleet, ids: readonly string[]): Promise<Meeting> {
  const watcher = new Watcher(await fleet.stream(1, "watcher"));
  const streams = new Map<string, StreamClient>();
  for (const id of ids)
    streams.set(id, await fleet.stream(0, id, { presence: "none", state: "online" }));
  await watcher.until(() => ids.every((id) => watcher.at(id, "online") !== undefined));
  return { streams, watcher };
}

/** What is done for heartbeats that say nothing new, and for changes. */
async function count(
  fleet: NodeFleet,
  { streams }: Meeting,
  work: {
    readonly quietMs: number;
    /** Within so long a node has told what it tells with the renewal of its lease. */
    readonly toldMs: number;
    readonly changes: number;
    readonly warmUp: () => Promise<unknown>;
    readonly change: () => Promise<void>;
  },
): Promise<Costs> {
  await work.warmUp();
  await fleet.pass(work.toldMs);
  const look = (): Promise<ReadonlyMap<string, number>> => commandsOf(fleet.redis);
  const scripts = (of: ReadonlyMap<string, number>): number => of.get("evalsha") ?? 0;
  const restAt = performance.now();
  const rest = await look();
  await fleet.pass(work.quietMs);
  const [beats, beatsAt] = [await look(), performance.now()];
  const perMs = (scripts(beats) - scripts(rest)) / (beatsAt - restAt);
  const before = await transactions(fleet);
  for (const stream of streams.values())
    stream.send({ type: "heartbeat", state: stateIn(0), ack: true });
  await Promise.all([...streams.values()].map((stream) => stream.type("heartbeat")));
  await fleet.pass(work.toldMs);
  const [beaten, beatenAt] = [await look(), performance.now()];
  const writing = (await transactions(fleet)) - before;
  await work.change();
  const [changed, changedAt] = [await look(), performance.now()];
  const scriptsFor = (from: number, to: number, ms: number, count: number): number =>
    Math.max(0, to - from - perMs * ms) / count;
  const heartbeat = scriptsFor(scripts(beats), scripts(beaten), beatenAt - beatsAt, streams.size);
  const change = scriptsFor(scripts(beaten), scripts(changed), changedAt - beatenAt, work.changes);
  return {
    rest: perMs * 1_000,
    heartbeat,
    change,
    transactions: writing / streams.size,
    commands: `a heartbeat ${listOf(beats, beaten, streams.size)}; a change, and the text beside it, ${listOf(beaten, changed, work.changes)}`,
  };
}

/** How many transactions that wrote anything PostgreSQL has begun: it counts rows for others later than it writes them. */
async function transactions({ postgres }: NodeFleet): Promise<number> {
  const [row] = await postgres.query(
    "select pg_snapshot_xmax(pg_current_snapshot())::text as next",
  );
  return Number(row?.next);
}

/** What was run more often than once for some of them. */
function listOf(
  from: ReadonlyMap<string, number>,
  to: ReadonlyMap<string, number>,
  count: number,
): string {
  const each = [...to].map(
    ([name, calls]) => [name, (calls - (from.get(name) ?? 0)) / count] as const,
  );
  const often = each.filter(([, calls]) => calls >= 0.1).sort(([, a], [, b]) => b - a);
  return often.map(([name, calls]) => `${calls.toFixed(2)} ${name}`).join(", ") || "nothing";
}

function resultOf(
  crossed: readonly Crossings[],
  costs: Costs,
): { figures: Figure[]; ratios: Ratio[] } {
  const figure = (of: string, share: number, key: keyof Crossings): Figure => ({
    at: AT,
    of,
    what: `p${share * 100}, ms`,
    windows: crossed.map((each) => percentile(each[key], share)),
  });
  const stated = (what: string, value: number): Figure => ({
    at: AT,
    of: "Porchlight",
    what,
    windows: [value],
  });
  const [ours, bare] = [figure("Porchlight", 0.99, "ours"), figure("Redis alone", 0.99, "bare")];
  const [middle, bareMiddle] = [
    figure("Porchlight", 0.5, "ours"),
    figure("Redis alone", 0.5, "bare"),
  ];
  return {
    figures: [
      middle,
      ours,
      bareMiddle,
      bare,
      stated("scripts of Redis a heartbeat", costs.heartbeat),
      stated("scripts of Redis a change", costs.change),
    ],
    ratios: [
      ratioOf({ at: AT, what: "p99", target: { is: "at most", value: 3 } }, ours, bare),
      ratioOf({ at: AT, what: "p50", target: undefined }, middle, bareMiddle),
      {
        at: AT,
        what: "transactions of PostgreSQL that write, a heartbeat",
        to: undefined,
        windows: [costs.transactions],
        target: { is: "at most", value: 0 },
      },
    ],
  };
}

function stateIn(round: number): "idle" | "online" {
  return round % 2 === 0 ? "idle" : "online";
}
