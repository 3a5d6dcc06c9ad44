import { now, pass } from "../peers/waiting.ts";
import { Crowd, type Load, Samples } from "./awareness-load.ts";
import {
  bare,
  type Contender,
  hocuspocus,
  hocuspocusOnBun,
  porchlight,
  versions,
  yWebsocketServer,
} from "./awareness-servers.ts";
import {
  type Bench,
  type Figure,
  median,
  type Outcome,
  percentile,
  type Ratio,
  ratioOf,
  type Target,
} from "./bench.ts";
import { cpuMicrosOf, type Subject } from "./subject.ts";
import { inTurns } from "./windows.ts";

/** From so many senders on, several changes share each window. */
const MANY_SENDERS = 100;
/** A server that takes so much of its processor can take no more. */
const SATURATED_PERCENT = 98;

/** Of what took less than a step of processor time it is only known that. */
const CPU_STEP_MICROS = 10_000;
/** For how long nobody may be silent where they would be forgotten after 30 s. */
const SILENT_MS = 20_000;

const PER_TURN = porchlight(0);
const SHIPPED = porchlight();
const OURS = [SHIPPED, PER_TURN];
const HOCUSPOCUS = hocuspocus();
const Y_WEBSOCKET = yWebsocketServer();
const CONTROLS = [bare(0), bare(8)];
const OTHERS = [HOCUSPOCUS, hocuspocus({ flushDelay: false }), Y_WEBSOCKET];
const ON_BUN = hocuspocusOnBun();

const LOADS: readonly Load[] = [
  { clients: 200, senders: 20, hertz: 10, isEchoing: false },
  { clients: 300, senders: 100, hertz: 5, isEchoing: false },
  { clients: 300, senders: 300, hertz: 2, isEchoing: false },
  { clients: 200, senders: 20, hertz: 10, isEchoing: true },
  { clients: 300, senders: 100, hertz: 5, isEchoing: true },
];
const SHORT_LOADS: readonly Load[] = [{ clients: 20, senders: 5, hertz: 10, isEchoing: true }];

interface Plan {
  readonly loads: readonly Load[];
  readonly warmUpMs: number;
  readonly windowMs: number;
  readonly pairs: number;
}

const WHOLE: Plan = { loads: LOADS, warmUpMs: 200, windowMs: 1_500, pairs: 5 };
const SHORT: Plan = { loads: SHORT_LOADS, warmUpMs: 50, windowMs: 200, pairs: 1 };

/** Everything that is measured of one server in one window. */
interface Window {
  readonly entries: number;
  readonly micros: number;
  readonly serverPercent: number;
  readonly generatorPercent: number;
  readonly bytes: number;
  readonly p50: number;
  readonly p99: number;
  readonly late: number;
}

const WHATS: readonly (readonly [what: string, of: keyof Window])[] = [
  ["server CPU, µs an entry", "micros"],
  ["p50, ms", "p50"],
  ["p99, ms", "p99"],
  ["entries/s", "entries"],
  ["bytes an entry", "bytes"],
  ["server CPU, %", "serverPercent"],
  ["generator CPU, %", "generatorPercent"],
  ["sent late by the generator, p99, ms", "late"],
];

export const AWARENESS: Bench = {
  name: "awareness",
  work: "Everybody in one room by a raw TCP WebSocket; some change their state of about 110 bytes at moments fixed beforehand, and everybody else is told: clients × senders × changes a second of each. Delays count from the moment fixed beforehand. With echo, every client sends back each entry that it is told, as y-websocket does.",
  async run({ isShort }) {
    const plan = isShort ? SHORT : WHOLE;
    const outcomes: Outcome[] = [];
    for (const load of plan.loads) outcomes.push(await measure(load, plan));
    return {
      settings: [
        versions(),
        `${plan.pairs} windows of ${plan.windowMs} ms of each server in turns, after a whole round that is dropped and ${plan.warmUpMs} ms before each; when a window is over, everybody has to have heard the last state of everybody`,
        "an entry is one state at one client that is not its own, counted where it arrives, once; entries and not frames, as some collect several in one",
        "Porchlight: everybody is another person with a token; no limit is off but that of requests. It collects changes by its own rule: for 8 ms where it tells 125 a second, as under each of these loads in a whole run, else to the end of the turn. The rows per turn are the same server with that rule replaced before it starts",
        "the others as they come: no authentication, everybody may say anything; bare Bun.serve hands on entries as they came, to the sender too",
        "with the others, everybody says something between windows every 20 s, as they forget who is silent for 30 s; Porchlight tells what is older than 10 s anew every 15 s, also within windows",
      ],
      figures: outcomes.flatMap(({ figures }) => figures),
      ratios: outcomes.flatMap(({ ratios }) => ratios),
    };
  },
};

async function measure(load: Load, plan: Plan): Promise<Outcome> {
  const contenders = [...OURS, ...CONTROLS, ...othersOf(load)];
  await using stack = new AsyncDisposableStack();
  const windows: Record<string, () => Promise<Window>> = {};
  const crowds: Crowd[] = [];
  for (const { of, forgets, start } of contenders) {
    const { subject, door } = await start(load.clients);
    stack.use(subject);
    const crowd = stack.use(await Crowd.enter(door, load));
    if (forgets) crowds.push(crowd);
    windows[of] = async () => {
      await keep(crowds);
      return windowOf(subject, crowd, plan);
    };
  }
  const measured = await inTurns(windows, { pairs: plan.pairs });
  const at = labelOf(load);
  const figureOf = ({ of }: Contender, what: string, key: keyof Window): Figure => ({
    at,
    of,
    what,
    windows: (measured[of] ?? []).map((each) => each[key]),
  });
  return {
    settings: [],
    figures: contenders.flatMap((each) => WHATS.map(([what, key]) => figureOf(each, what, key))),
    ratios: ratiosOf(load, (of, key) => figureOf(of, key, key)),
  };
}

function isMany({ senders }: Load): boolean {
  return senders >= MANY_SENDERS;
}

/** What the runtime alone does is seen where nobody repeats anything, and one that is far beyond what it can take is enough. */
function othersOf(load: Load): readonly Contender[] {
  if (!load.isEchoing) return [...OTHERS, ON_BUN];
  return isMany(load) ? [HOCUSPOCUS, Y_WEBSOCKET] : OTHERS;
}

/** Sees to it that no server takes anybody for gone while others have their turn. */
async function keep(crowds: readonly Crowd[]): Promise<void> {
  for (const crowd of crowds) if (now() > crowd.renewedAt + SILENT_MS) await crowd.renew();
}

async function windowOf(subject: Subject, crowd: Crowd, plan: Plan): Promise<Window> {
  const talking = crowd.talk(plan.warmUpMs + plan.windowMs);
  await pass(plan.warmUpMs);
  const samples = new Samples();
  crowd.samples = samples;
  const [server, generator, from] = [subject.cpuMicros, cpuMicrosOf(), performance.now()];
  await pass(plan.windowMs);
  const [serverEnd, generatorEnd, to] = [subject.cpuMicros, cpuMicrosOf(), performance.now()];
  crowd.samples = undefined;
  await talking;
  await crowd.settled();
  const { entries, bytes, delays, late } = samples;
  const ms = to - from;
  const micros = Math.max(CPU_STEP_MICROS / 2, serverEnd - server);
  return {
    entries: (entries * 1_000) / ms,
    micros: micros / entries,
    serverPercent: micros / ms / 10,
    generatorPercent: (generatorEnd - generator) / ms / 10,
    bytes: bytes / entries,
    p50: percentile(delays, 0.5),
    p99: percentile(delays, 0.99),
    late: percentile(late, 0.99),
  };
}

function ratiosOf(load: Load, figure: (of: Contender, key: keyof Window) => Figure): Ratio[] {
  const at = labelOf(load);
  const ratio = (ours: Contender, theirs: Contender, key: "micros" | "p99", most?: number): Ratio =>
    ratioOf(
      {
        at,
        what: `${key === "p99" ? "p99" : "server CPU an entry"}, ${ours.of}`,
        target: targetOf(most),
      },
      figure(ours, key),
      figure(theirs, key),
    );
  const delay = (ours: Contender, most?: number): Ratio => ({
    at,
    what: `p99 in ms, ${ours.of}`,
    to: undefined,
    windows: figure(ours, "p99").windows,
    target: targetOf(most),
  });
  const isSaturated =
    load.isEchoing && median(figure(HOCUSPOCUS, "serverPercent").windows) >= SATURATED_PERCENT;
  // By its own rule it has a window under each of these loads.
  const judged = load.isEchoing
    ? (isMany(load) ? [SHIPPED] : OURS).flatMap((ours) => [
        ratio(ours, HOCUSPOCUS, "micros", 0.25),
        ratio(ours, HOCUSPOCUS, "p99", isSaturated ? 0.1 : undefined),
      ])
    : [
        ratio(PER_TURN, HOCUSPOCUS, "micros", 0.65),
        ratio(PER_TURN, HOCUSPOCUS, "p99", 0.75),
        ratio(SHIPPED, HOCUSPOCUS, "micros", isMany(load) ? 0.27 : 0.65),
        delay(SHIPPED, 12),
      ];
  const stated = OURS.flatMap((ours) => [
    ...othersOf(load)
      .filter((each) => each !== HOCUSPOCUS)
      .map((each) => ratio(ours, each, "micros")),
    ratio(ours, Y_WEBSOCKET, "p99"),
    ...CONTROLS.map((each) => ratio(ours, each, "micros")),
  ]);
  return [...judged, ...stated];
}

function targetOf(most: number | undefined): Target | undefined {
  return most === undefined ? undefined : { is: "at most", value: most };
}

function labelOf({ clients, senders, hertz, isEchoing }: Load): string {
  return `${clients} × ${senders} × ${hertz}, echo ${isEchoing ? "on" : "off"}`;
}
