import manifest from "socket.io/package.json" with { type: "json" };
import { now, pass } from "../peers/waiting.ts";
import { findNode } from "../runtimes/binaries.ts";
import { type Bench, type Figure, type Outcome, type Ratio, ratioOf, type Wish } from "./bench.ts";
import { bareTarget, company, personOf, streamTarget } from "./company.ts";
import { type Dialect, Hall } from "./hall.ts";
import { fill, TENANT } from "./people.ts";
import { number } from "./report.ts";
import { Subject } from "./subject.ts";
import { fineCpuMicrosOf } from "./vital-signs.ts";
import { inTurns, planOf } from "./windows.ts";

const ROOM = "hall";
const SIZES = [100, 1_000, 5_000];
const DEPTHS = [1, 8, 20];
/** At this size and depth 1 two processes wait for each other: their rate says little of either. */
const SMALL = 100;
const IN_TIME = "2026-01-01T00:00:00.000Z";
const SOCKET_IO = `Socket.IO ${manifest.version}`;

/** Who types says so at once and as often as they like: limits that are there for people are out of the way. */
const ENV = { PORCHLIGHT_TYPING_RATE: "0", PORCHLIGHT_FRAME_RATE: "1000000000" };

/** A window of one contender. */
interface Window {
  readonly delivered: number;
  readonly seconds: number;
  readonly serverMicros: number;
  readonly generatorMicros: number;
}

type Name = "porchlight" | "bare" | "socketIo";
const NAMES: Readonly<Record<Name, string>> = {
  porchlight: "Porchlight",
  bare: "bare Bun.serve",
  socketIo: SOCKET_IO,
};

/** How typing is told to many at once. */
export const FAN_OUT: Bench = {
  name: "fan-out",
  work: "People in one room begin and cease to type, each again once everybody else has heard it: so many broadcasts are in flight as people type. Delivered is what has arrived at a socket of somebody else.",
  run: async (wish) => {
    const sizes = wish.isShort ? SIZES.slice(0, 1) : SIZES;
    const parts: Outcome[] = [];
    for (const size of sizes) parts.push(await measure(size, wish));
    return {
      settings: [
        `Porchlight as shipped, but for ${Object.entries(ENV)
          .map(([name, value]) => `${name}=${value}`)
          .join(", ")}; each person on one stream that hears everybody's presence`,
        `bare Bun.serve: parses the message, writes the same bytes, publishes to one of three topics of each socket`,
        `${SOCKET_IO} on Node.js from its package, WebSocket alone, else as it is by default: socket.to(room).emit()`,
        "generator: raw TCP that walks over frame headers and reads who types; every socket's count and last state of everybody is checked at the end",
      ],
      figures: parts.flatMap(({ figures }) => figures),
      ratios: parts.flatMap(({ ratios }) => ratios),
    };
  },
};

async function measure(size: number, wish: Wish): Promise<Outcome> {
  await using porchlight = await Subject.porchlight(ENV);
  await fill(porchlight, company(size, [ROOM]));
  await using bare = await Subject.bare("stream.ts");
  await using socketIo = await startSocketIo();
  using ofPorchlight = await Hall.open(porchlight.url, PORCHLIGHT, size);
  using ofBare = await Hall.open(bare.url, BARE, size);
  using ofSocketIo = await Hall.open(socketIo.url, SPOKEN_BY_SOCKET_IO, size);
  const plan = planOf(wish);
  const { windowMs } = plan;
  const parts: Outcome[] = [];
  for (const depth of DEPTHS) {
    const windows = await inTurns<Name, Window>(
      {
        porchlight: () => windowOf(porchlight, ofPorchlight, depth, windowMs),
        bare: () => windowOf(bare, ofBare, depth, windowMs),
        socketIo: () => windowOf(socketIo, ofSocketIo, depth, windowMs),
      },
      plan,
    );
    parts.push(outcomeOf(size, depth, windows));
  }
  for (const hall of [ofPorchlight, ofBare, ofSocketIo]) hall.check();
  return {
    settings: [],
    figures: parts.flatMap(({ figures }) => figures),
    ratios: parts.flatMap(({ ratios }) => ratios),
  };
}

async function windowOf(
  subject: Subject,
  hall: Hall,
  depth: number,
  windowMs: number,
): Promise<Window> {
  hall.start(depth);
  const [from, delivered] = [now(), hall.delivered];
  const [server, generator] = [fineCpuMicrosOf(subject.pid), fineCpuMicrosOf(process.pid)];
  await pass(windowMs);
  const window = {
    delivered: hall.delivered - delivered,
    seconds: (now() - from) / 1_000,
    serverMicros: fineCpuMicrosOf(subject.pid) - server,
    generatorMicros: fineCpuMicrosOf(process.pid) - generator,
  };
  await hall.settle();
  return window;
}

function outcomeOf(
  size: number,
  depth: number,
  windows: Readonly<Record<Name, readonly Window[]>>,
): Outcome {
  const where = `${number(size)} sockets, ${depth} in flight`;
  const figure = (name: Name, what: string, value: (window: Window) => number): Figure => ({
    at: where,
    of: NAMES[name],
    what,
    windows: windows[name].map(value),
  });
  const names = Object.keys(NAMES) as Name[];
  const rates = names.map((name) =>
    figure(name, "deliveries/s", ({ delivered, seconds }) => delivered / seconds),
  );
  const costs = names.map((name) =>
    figure(name, "server CPU, µs a delivery", (window) => window.serverMicros / window.delivered),
  );
  const loads = names.flatMap((name) => [
    figure(name, "server CPU, %", ({ serverMicros, seconds }) => serverMicros / seconds / 10_000),
    figure(name, "generator CPU, %", (each) => each.generatorMicros / each.seconds / 10_000),
  ]);
  return {
    settings: [],
    figures: [...rates, ...costs, ...loads],
    ratios: ratiosOf(where, { size, depth }, rates, costs),
  };
}

function ratiosOf(
  where: string,
  { size, depth }: { readonly size: number; readonly depth: number },
  [rate, bareRate, socketIoRate]: readonly Figure[],
  [cost, bareCost]: readonly Figure[],
): Ratio[] {
  if (!rate || !bareRate || !socketIoRate || !cost || !bareCost) return [];
  const least = size === SMALL ? 0.8 : 0.85;
  const isPingPong = size === SMALL && depth === 1;
  const ofControl = { is: "at least", value: least } as const;
  const ofPeer = { 1: 1.6, 20: 15 }[depth];
  return [
    ratioOf(
      { at: where, what: "deliveries/s", target: isPingPong ? undefined : ofControl },
      rate,
      bareRate,
    ),
    // The other way round: how many deliveries a second of the processor is good for.
    {
      ...ratioOf(
        {
          at: where,
          what: "deliveries for each second of server CPU",
          target: isPingPong ? ofControl : undefined,
        },
        bareCost,
        cost,
      ),
      to: bareCost.of,
    },
    ratioOf(
      {
        at: where,
        what: "deliveries/s",
        target: ofPeer === undefined ? undefined : { is: "at least", value: ofPeer },
      },
      rate,
      socketIoRate,
    ),
  ];
}

function startSocketIo(): Promise<Subject> {
  const node = findNode();
  if ("missing" in node) throw new Error(`Cannot start ${SOCKET_IO} as ${node.missing}`);
  return Subject.start([node.path, `${import.meta.dir}/servers/socket-io.ts`]);
}

function typingFrame(participant_id: string, typing: boolean): string {
  const tenant_id = TENANT;
  const frame = { type: "typing", tenant_id, room_id: ROOM, participant_id, typing, ts: IN_TIME };
  return JSON.stringify(frame);
}

/** Presence is asked for once everybody is there: nobody has to hear of all others one by one. */
const PORCHLIGHT: Dialect = {
  target: (index) => streamTarget(index, { presence: "none" }),
  isIn: (message) => message.startsWith('{"type":"hello"'),
  settles: JSON.stringify({ type: "subscribe", presence: "all" }),
  asks: (typing) => JSON.stringify({ type: "typing", room_id: ROOM, typing }),
  tells: typingFrame,
};

const BARE: Dialect = {
  ...PORCHLIGHT,
  target: (index) => bareTarget(index, [ROOM]),
};

const SPOKEN_BY_SOCKET_IO: Dialect = {
  target: () => "/socket.io/?EIO=4&transport=websocket",
  greets: (index) =>
    `40${JSON.stringify({ tenant_id: TENANT, room_id: ROOM, participant_id: personOf(index) })}`,
  isIn: (message) => message.startsWith("40"),
  answers: { "2": "3" },
  asks: (typing) => `42${JSON.stringify(["typing", { room_id: ROOM, typing }])}`,
  tells: (participant, typing) => `42["typing",${typingFrame(participant, typing)}]`,
};
