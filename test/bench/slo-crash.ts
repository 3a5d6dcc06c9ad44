import { NodeFleet, Watcher } from "../support/fleet.ts";
import { StreamClient } from "../support/stream.ts";
import { type Figure, percentile } from "./bench.ts";
import { fill, names, person, tokenOf } from "./people.ts";
import { besideServers, Subject } from "./subject.ts";

const WATCHER = "watcher";

/** How long it takes until others are told that somebody is offline. @param env durations other than the documented ones. */
export async function crashFigures(
  people: number,
  env: Readonly<Record<string, string>>,
): Promise<Figure[]> {
  const ids = names("p", people);
  return [...(await ofSockets(ids, env)), ...(await ofANode(ids, env))];
}

/** Sockets that sign off, and sockets whose other end is killed: the machine ends their connections without a word. */
async function ofSockets(
  ids: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Figure[]> {
  await using server = await Subject.porchlight(env);
  await fill(server, [WATCHER, ...ids].flatMap(person));
  const open = (id: string, query: Record<string, string> = {}): Promise<StreamClient> =>
    StreamClient.open(
      `${server.url.replace("http", "ws")}/v1/stream?${new URLSearchParams({ token: tokenOf(id), device_id: "laptop", ...query })}`,
    );
  const watcher = new Watcher(await open(WATCHER));
  const said: number[] = [];
  const lost: number[] = [];
  for (const [how, times] of [
    ["bye", said],
    ["cut", lost],
  ] as const) {
    const streams = await Promise.all(ids.map((id) => open(id, { presence: "none" })));
    await watcher.until(() => ids.every((id) => watcher.at(id, "online") !== undefined));
    watcher.forget();
    const from = performance.now();
    for (const stream of streams)
      if (how === "cut") stream.cut();
      else stream.send({ type: "bye" });
    times.push(...(await untilOffline(watcher, ids, from)));
    watcher.forget();
  }
  return [
    ...figuresOf(`${ids.length} people sign off`, said),
    ...figuresOf(`${ids.length} connections end as their clients are killed`, lost),
  ];
}

/** A node that is killed, whose clients do not come back. */
async function ofANode(
  ids: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Figure[]> {
  await using fleet = await besideServers(() =>
    NodeFleet.start({ nodes: 2, people: [WATCHER, ...ids], env }),
  );
  const watcher = new Watcher(await fleet.stream(1, WATCHER));
  await Promise.all(ids.map((id) => fleet.stream(0, id, { presence: "none" })));
  await watcher.until(() => ids.every((id) => watcher.at(id, "online") !== undefined));
  watcher.forget();
  const from = performance.now();
  await fleet.nodes[0]?.end("SIGKILL");
  const times = await untilOffline(watcher, ids, from);
  return figuresOf(`kill -9 of one of two nodes with ${ids.length} people`, times);
}

async function untilOffline(
  watcher: Watcher,
  ids: readonly string[],
  from: number,
): Promise<number[]> {
  await watcher.until(() => ids.every((id) => watcher.at(id, "offline") !== undefined));
  return ids.map((id) => (watcher.at(id, "offline") ?? Number.NaN) - from);
}

function figuresOf(at: string, times: readonly number[]): Figure[] {
  const of = "Porchlight";
  return [0.5, 0.99].map((share) => ({
    at,
    of,
    what: `until others are told offline, p${share * 100}, ms`,
    windows: [percentile(times, share)],
  }));
}
