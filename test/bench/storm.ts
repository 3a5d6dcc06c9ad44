import { now, pass } from "../peers/waiting.ts";
import { ADMIN_TOKEN } from "../support/server.ts";
import { type Bench, type Figure, percentile, type Ratio } from "./bench.ts";
import { bareTarget, company, personOf, streamTarget } from "./company.ts";
import { Herd, type Manner } from "./herd.ts";
import { fill, headersOf } from "./people.ts";
import { Probing } from "./probing.ts";
import { number } from "./report.ts";
import { Subject } from "./subject.ts";
import { fineCpuMicrosOf } from "./vital-signs.ts";

const ROOM = "hall";
const SIZES = [1_000, 10_000];
const SIZES_SHORT = [200];
const IDS_AT_ONCE = 5_000;
const QUIET_MS = 2_000;
/** How long after its loss somebody is told to be gone who is not back, and for how long after that it is listened. */
const GRACE_MS = 10_000;
const AFTER_GRACE_MS = 1_000;

/** What happens to everybody. */
interface Storm {
  readonly name: string;
  readonly by: "RST" | "FIN";
  readonly manner: Manner;
  /** Whether something is said in the room while all are away. */
  readonly misses: boolean;
  /** How many people it is for, at most. */
  readonly most?: number;
}

/** Who is back hears what they have missed, and everybody's presence as it changes. */
const PLAIN: Manner = {
  target: (index, since) =>
    streamTarget(index, since === undefined ? { presence: "none" } : { since: String(since) }),
  asks: undefined,
  until: "hello",
};

const SUBSCRIPTION = { type: "subscribe", presence: "all" };

const STORMS: readonly Storm[] = [
  { name: "reset, nothing missed", by: "RST", manner: PLAIN, misses: false },
  {
    name: "closed by TCP, one message missed",
    by: "FIN",
    manner: { ...PLAIN, until: "swp.room.message" },
    misses: true,
  },
  {
    name: "reset, each asks for everybody's presence",
    by: "RST",
    manner: {
      ...PLAIN,
      asks: JSON.stringify({ ...SUBSCRIPTION, snapshot: true }),
      until: "presence.snapshot",
    },
    misses: false,
    // Everybody's state for everybody: of ten thousand that would be two gigabytes.
    most: 1_000,
  },
];

const BARE_STORM: Storm = {
  name: "reset",
  by: "RST",
  manner: { ...PLAIN, target: (index) => bareTarget(index, [ROOM]) },
  misses: false,
};

/** One storm, and what it did. */
interface Window {
  readonly lastS: number;
  readonly medianS: number;
  readonly failures: number;
  readonly quietP99: number;
  readonly p99: number;
  readonly slowest: number;
  readonly presenceFrames: number;
  readonly serverMicros: number;
  readonly generatorShare: number;
}

interface Extent {
  readonly people: number;
  readonly times: number;
  readonly quietMs: number;
  /** For how long after the cut it is listened who is told to be gone. */
  readonly listenMs: number;
}

/** How it goes when everybody comes back at once. */
export const STORM: Bench = {
  name: "storm",
  work: "Everybody loses the connection at the same moment, without a close frame, and comes back at once, as the client in core does after a connection that has worked. Meanwhile somebody else asks for presence by requests.",
  run: async ({ isShort }) => {
    const figures: Figure[] = [];
    const ratios: Ratio[] = [];
    for (const people of isShort ? SIZES_SHORT : SIZES) {
      const extent: Extent = isShort
        ? { people, times: 1, quietMs: 200, listenMs: 0 }
        : { people, times: 3, quietMs: QUIET_MS, listenMs: GRACE_MS + AFTER_GRACE_MS };
      const storms = await stormsOver(extent);
      figures.push(...storms.figures, ...(await bareStorms(extent, storms.hello)));
      ratios.push(...storms.ratios);
    }
    return {
      settings: [
        "everybody is of one tenant and room, with a stream each; one more, who is not cut, hears everybody's presence",
        "Porchlight as shipped, but for the rate limit of requests, which is off; who comes back names the position up to which they have heard everything; whoever fails tries again after up to 1, 2, 4 … 30 s, at random",
        "back: has had hello, or what is named; failed: handshakes that came to nothing",
        "REST: a process of its own asks 100 times a second for the presence of five people, on eight open connections; each is timed from when it was due",
        "presence frames: those that tell anybody of somebody else, from the cut until a second after the grace of 10 s; after each storm everybody has to be online and have heard each message once",
        "bare Bun.serve: says the same hello and subscribes to three topics, without authentication and replay; its answer to REST is a constant",
      ],
      figures,
      ratios,
    };
  },
};

async function stormsOver(
  extent: Extent,
): Promise<{ figures: Figure[]; ratios: Ratio[]; hello: string }> {
  const { people, times } = extent;
  await using subject = await Subject.porchlight();
  await fill(subject, company(people + 1, [ROOM]));
  const watcher = await Herd.come(subject.url, { first: people, people: 1 }, PLAIN);
  const herd = await Herd.come(subject.url, { first: 0, people }, PLAIN);
  const subscribe = JSON.stringify(SUBSCRIPTION);
  watcher.say(subscribe);
  const ids = Array.from({ length: 5 }, (_, index) => personOf(index)).join(",");
  const headers = headersOf(personOf(people));
  await using probing = await Probing.start({
    url: subject.url,
    path: `/v1/presence?ids=${ids}`,
    headers,
  });
  const figures: Figure[] = [];
  const ratios: Ratio[] = [];
  for (const storm of STORMS) {
    if (people > (storm.most ?? people)) continue;
    const windows: Window[] = [];
    for (let time = 0; time < times; time += 1) {
      herd.presenceFrames = watcher.presenceFrames = herd.messages = 0;
      const window = await blow(storm, { subject, herd, probing, extent });
      await checkAll(subject, people);
      if (herd.messages !== (storm.misses ? people : 0))
        throw new Error(`${people} were told ${herd.messages} messages`);
      windows.push({
        ...window,
        presenceFrames: herd.presenceFrames + watcher.presenceFrames,
      });
    }
    const where = `${number(people)} sockets: ${storm.name}`;
    figures.push(...figuresOf(where, "Porchlight", windows, people));
    ratios.push(...ratiosOf(where, windows));
  }
  return { figures, ratios, hello: herd.hello };
}

/** What the same comes to where nothing is done but the handshake. */
async function bareStorms(extent: Extent, hello: string): Promise<Figure[]> {
  const { people, times } = extent;
  await using subject = await Subject.bare("stream.ts", { BENCH_HELLO: hello });
  const herd = await Herd.come(subject.url, { first: 0, people }, BARE_STORM.manner);
  await using probing = await Probing.start({ url: subject.url, path: "/", headers: {} });
  const windows: Window[] = [];
  const quiet = { ...extent, listenMs: 0 };
  for (let time = 0; time < times; time += 1)
    windows.push(await blow(BARE_STORM, { subject, herd, probing, extent: quiet }));
  const where = `${number(people)} sockets: ${BARE_STORM.name}`;
  return figuresOf(where, "bare Bun.serve", windows, people);
}

async function blow(
  { by, manner, misses }: Storm,
  on: { subject: Subject; herd: Herd; probing: Probing; extent: Extent },
): Promise<Window> {
  const { subject, herd, probing, extent } = on;
  probing.begin();
  await pass(extent.quietMs);
  const quiet = await probing.end();
  probing.begin();
  const from = now();
  const [server, generator] = [fineCpuMicrosOf(subject.pid), fineCpuMicrosOf(process.pid)];
  herd.cut(by);
  if (misses) await sayIn(subject);
  const { backMs, failures } = await herd.return(manner);
  const serverMicros = fineCpuMicrosOf(subject.pid) - server;
  const generatorShare = (fineCpuMicrosOf(process.pid) - generator) / (now() - from) / 10;
  const meanwhile = await probing.end();
  await pass(Math.max(0, from + extent.listenMs - now()));
  return {
    lastS: Math.max(...backMs) / 1_000,
    medianS: percentile(backMs, 0.5) / 1_000,
    failures,
    quietP99: percentile(quiet, 0.99),
    p99: percentile(meanwhile, 0.99),
    slowest: Math.max(...meanwhile),
    presenceFrames: herd.presenceFrames,
    serverMicros,
    generatorShare,
  };
}

/** Somebody says something in the room while all are away. */
async function sayIn({ url }: Subject): Promise<void> {
  const response = await fetch(`${url}/v1/admin/rooms/${ROOM}/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify({
      sender_id: personOf(0),
      content: { msgtype: "m.text", body: "Is anybody here?" },
    }),
  });
  if (!response.ok) throw new Error(`Cannot say something: ${await response.text()}`);
}

/** Throws unless everybody is online in the eyes of the one who stayed. */
async function checkAll({ url }: Subject, people: number): Promise<void> {
  for (let from = 0; from < people; from += IDS_AT_ONCE) {
    const count = Math.min(IDS_AT_ONCE, people - from);
    const ids = Array.from({ length: count }, (_, index) => personOf(from + index));
    const response = await fetch(`${url}/v1/presence/query`, {
      method: "POST",
      headers: { ...headersOf(personOf(people)), "content-type": "application/json" },
      body: JSON.stringify({ ids }),
    });
    const { data } = (await response.json()) as { data: Readonly<Record<string, string>> };
    const missing = ids.filter((id) => data[id] !== "online");
    if (missing.length > 0)
      throw new Error(`${missing.length} are back and not online, such as ${missing[0]}`);
  }
}

const SEEN: readonly (readonly [what: string, of: (window: Window) => number])[] = [
  ["all back, s", ({ lastS }) => lastS],
  ["half of all back, s", ({ medianS }) => medianS],
  ["handshakes failed", ({ failures }) => failures],
  ["REST p99 before, ms", ({ quietP99 }) => quietP99],
  ["REST p99 meanwhile, ms", ({ p99 }) => p99],
  ["REST slowest meanwhile, ms", ({ slowest }) => slowest],
  ["presence frames", ({ presenceFrames }) => presenceFrames],
  ["generator CPU, %", ({ generatorShare }) => generatorShare],
];

function figuresOf(
  where: string,
  of: string,
  windows: readonly Window[],
  people: number,
): Figure[] {
  const cost = ({ serverMicros }: Window): number => serverMicros / people;
  return [...SEEN, ["server CPU, µs a return", cost] as const].map(([what, value]) => ({
    at: where,
    of,
    what,
    windows: windows.map(value),
  }));
}

function ratiosOf(where: string, windows: readonly Window[]): Ratio[] {
  const promised = (what: string, value: number, of: (window: Window) => number): Ratio => ({
    at: where,
    what,
    to: undefined,
    windows: windows.map(of),
    target: { is: "at most", value },
  });
  return [
    promised("all back, s", 10, ({ lastS }) => lastS),
    promised("REST p99 meanwhile, ms", 100, ({ p99 }) => p99),
    promised("presence frames", 0, ({ presenceFrames }) => presenceFrames),
  ];
}
