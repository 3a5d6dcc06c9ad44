import { join } from "node:path";
import { now, pass } from "../peers/waiting.ts";
import { temporaryFolder } from "../support/process.ts";
import { type Bench, type Figure, type Outcome, type Ratio, ratioOf, type Wish } from "./bench.ts";
import { bareTarget, company, streamTarget } from "./company.ts";
import { fill } from "./people.ts";
import { number } from "./report.ts";
import type { Sleep } from "./servers/sleepers.ts";
import { Subject } from "./subject.ts";
import { fineCpuMicrosOf } from "./vital-signs.ts";
import { type Weighing, type Weight, weigh } from "./weight.ts";

const ROOM = "hall";
const FURTHER = Array.from({ length: 10 }, (_, index) => `room-${index}`);
const NAMES = { porchlight: "Porchlight", bare: "bare Bun.serve" } as const;
type Name = keyof typeof NAMES;

/** How much is weighed and heard. */
interface Extent {
  readonly sizes: readonly number[];
  /** Of how many people each is in further rooms. */
  readonly inRooms: number;
  readonly times: number;
  /** How often 100 sockets come and go before a server counts as empty. */
  readonly warmUps: number;
  readonly asleep: number;
  readonly heartbeatMs: number;
  readonly windowMs: number;
  readonly windows: number;
}

const WHOLE: Extent = {
  sizes: [1_000, 5_000, 10_000],
  inRooms: 5_000,
  times: 3,
  warmUps: 10,
  asleep: 10_000,
  heartbeatMs: 30_000,
  windowMs: 6_000,
  windows: 5,
};
const SHORT: Extent = {
  sizes: [500],
  inRooms: 100,
  times: 1,
  warmUps: 1,
  asleep: 100,
  heartbeatMs: 300,
  windowMs: 300,
  windows: 1,
};

/** What somebody costs who is there and does nothing. */
export const IDLE: Bench = {
  name: "idle",
  work: "People who are there and do nothing: what each costs in memory, in further rooms as well, and what it costs that each says every 30 s that they are there and is pinged as often.",
  run: async ({ isShort }: Wish) => {
    const extent = isShort ? SHORT : WHOLE;
    const memory = await memoryOf(extent);
    const rooms = await furtherRooms(extent);
    const life = await signsOfLife(extent);
    return {
      settings: [
        `resident memory above that of the empty server, which has had and lost ${extent.warmUps} times 100 sockets; both after two collections, for which a module beside the server is asked. Each run is a new process; Porchlight's has its database filled by an earlier one`,
        "each socket: its tenant's events and presence, and one room (three topics); it has said one heartbeat",
        `further rooms: the weight of ${number(extent.inRooms)} sockets in ${1 + FURTHER.length} rooms, less that in one, for each further room`,
        "kernel: growth of Slab for both ends of a connection, which are both on this machine",
        `signs of life: ${number(extent.asleep)} sockets on each server at once, heard in the same windows of ${extent.windowMs / 1_000} s, pings and heartbeats spread over ${extent.heartbeatMs / 1_000} s; processor time of all threads in nanoseconds (schedstat)`,
      ],
      figures: [...memory.figures, ...rooms.figures, ...life.figures],
      ratios: [...memory.ratios, ...rooms.ratios, ...life.ratios],
    };
  },
};

type Part = Omit<Outcome, "settings">;

/** Starts Porchlight on a database that is filled already. */
class Filled {
  readonly #folder = temporaryFolder();
  readonly #url = `sqlite:${join(this.#folder.path, "filled.db")}`;

  static async of(people: number, rooms: readonly string[]): Promise<Filled> {
    const filled = new Filled();
    await using subject = await filled.start();
    await fill(subject, company(people, rooms));
    return filled;
  }

  readonly start = (env: Readonly<Record<string, string>> = {}): Promise<Subject> =>
    Subject.porchlight({ PORCHLIGHT_DATABASE_URL: this.#url, ...env });

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

function weighings(
  filled: Filled,
  people: number,
  rooms: readonly string[],
  warmUps: number,
): Readonly<Record<Name, Weighing>> {
  const target = (index: number): string => streamTarget(index, { presence: "none" });
  return {
    porchlight: { start: filled.start, target, people, warmUps },
    bare: {
      start: (env) => Subject.bare("stream.ts", env),
      target: (index) => bareTarget(index, rooms),
      people,
      warmUps,
    },
  };
}

/** Weighs both, one after the other, so many times. */
async function weighBoth(
  both: Readonly<Record<Name, Weighing>>,
  times: number,
): Promise<Record<Name, Weight[]>> {
  const weights: Record<Name, Weight[]> = { porchlight: [], bare: [] };
  for (let time = 0; time < times; time += 1) {
    weights.porchlight.push(await weigh(both.porchlight));
    weights.bare.push(await weigh(both.bare));
  }
  return weights;
}

async function memoryOf({ sizes, times, warmUps }: Extent): Promise<Part> {
  using filled = await Filled.of(Math.max(...sizes), [ROOM]);
  const figures: Figure[] = [];
  const ratios: Ratio[] = [];
  for (const size of sizes) {
    const where = `${number(size)} sockets`;
    const weights = await weighBoth(weighings(filled, size, [ROOM], warmUps), times);
    const figure = (name: Name, what: string, of: (weight: Weight) => number): Figure => {
      return { at: where, of: NAMES[name], what, windows: weights[name].map(of) };
    };
    const resident = (name: Name): Figure =>
      figure(name, "resident, KiB a socket", ({ residentKib }) => residentKib);
    figures.push(resident("porchlight"), resident("bare"));
    for (const name of ["porchlight", "bare"] as const)
      figures.push(
        figure(name, "resident when empty, MiB", ({ emptyMib }) => emptyMib),
        figure(name, "kernel, KiB a connection, both ends", ({ slabKib }) => slabKib),
        figure(name, "descriptors of the server a socket", ({ descriptors }) => descriptors),
      );
    ratios.push(...residentRatios(where, resident("porchlight"), resident("bare")));
  }
  return { figures, ratios };
}

function residentRatios(where: string, subject: Figure, control: Figure): Ratio[] {
  const { what, windows } = subject;
  return [
    { at: where, what, to: undefined, windows, target: { is: "at most", value: 3 } },
    ratioOf({ at: where, what, target: undefined }, subject, control),
  ];
}

async function furtherRooms({ inRooms, times, warmUps }: Extent): Promise<Part> {
  const rooms = [ROOM, ...FURTHER];
  using few = await Filled.of(inRooms, [ROOM]);
  using many = await Filled.of(inRooms, rooms);
  const withOne = await weighBoth(weighings(few, inRooms, [ROOM], warmUps), times);
  const withAll = await weighBoth(weighings(many, inRooms, rooms, warmUps), times);
  const figure = (name: Name): Figure => ({
    at: `${number(inRooms)} sockets in ${rooms.length} rooms`,
    of: NAMES[name],
    what: "resident, KiB a socket and further room",
    windows: withAll[name].map(
      ({ residentKib }, time) =>
        (residentKib - (withOne[name][time]?.residentKib ?? Number.NaN)) / FURTHER.length,
    ),
  });
  const [subject, control] = [figure("porchlight"), figure("bare")];
  const { at, what, windows } = subject;
  // A ratio of two differences would say nothing: so little is between them.
  return {
    figures: [subject, control],
    ratios: [{ at, what, to: undefined, windows, target: { is: "at most", value: 0.2 } }],
  };
}

/** People of both servers who say that they are there, and what it costs to hear them. */
async function signsOfLife(extent: Extent): Promise<Part> {
  const { asleep: people, heartbeatMs } = extent;
  using filled = await Filled.of(people, [ROOM]);
  await using porchlight = await filled.start();
  await using bare = await Subject.bare("stream.ts");
  const sleep = { people, heartbeatMs, room: ROOM };
  await using ofPorchlight = new Sleepers({ ...sleep, url: porchlight.url, of: "porchlight" });
  await using ofBare = new Sleepers({ ...sleep, url: bare.url, of: "bare" });
  await Promise.all([ofPorchlight.ready, ofBare.ready]);
  const subjects = { porchlight, bare };
  const sleepers = { porchlight: ofPorchlight, bare: ofBare };
  const where = `${number(people)} sockets`;
  const plain = await loadOf(subjects, sleepers, extent);
  for (const each of [ofPorchlight, ofBare]) each.askForAnswers();
  const answered = await loadOf(subjects, sleepers, extent);
  return {
    figures: [
      ...loadFigures(`${where}, a heartbeat and a ping each 30 s`, plain),
      ...loadFigures(`${where}, the same with answered heartbeats`, answered),
    ],
    ratios: [
      ...loadRatios(`${where}, a heartbeat and a ping each 30 s`, plain, true),
      ...loadRatios(`${where}, the same with answered heartbeats`, answered, false),
    ],
  };
}

/** The processor time of a window, in % of one processor. */
interface Load {
  readonly server: number;
  readonly generator: number;
}

async function loadOf(
  subjects: Readonly<Record<Name, Subject>>,
  sleepers: Readonly<Record<Name, Sleepers>>,
  { windowMs, windows }: Extent,
): Promise<Record<Name, Load[]>> {
  const loads: Record<Name, Load[]> = { porchlight: [], bare: [] };
  const pids = (["porchlight", "bare"] as const).map((name) => ({
    name,
    server: subjects[name].pid,
    generator: sleepers[name].pid,
  }));
  for (let window = 0; window < windows; window += 1) {
    const from = now();
    const before = pids.map(({ server, generator }) => [
      fineCpuMicrosOf(server),
      fineCpuMicrosOf(generator),
    ]);
    await pass(windowMs);
    const micros = (now() - from) * 1_000;
    const percentOf = (pid: number, was: number | undefined): number =>
      ((fineCpuMicrosOf(pid) - (was ?? Number.NaN)) / micros) * 100;
    for (const [index, { name, server, generator }] of pids.entries())
      loads[name].push({
        server: percentOf(server, before[index]?.[0]),
        generator: percentOf(generator, before[index]?.[1]),
      });
  }
  return loads;
}

function loadFigures(where: string, loads: Readonly<Record<Name, readonly Load[]>>): Figure[] {
  return (["porchlight", "bare"] as const).flatMap((name) => [
    serverLoad(where, name, loads),
    {
      at: where,
      of: NAMES[name],
      what: "generator CPU, %",
      windows: loads[name].map(({ generator }) => generator),
    },
  ]);
}

function serverLoad(
  where: string,
  name: Name,
  loads: Readonly<Record<Name, readonly Load[]>>,
): Figure {
  const windows = loads[name].map(({ server }) => server);
  return { at: where, of: NAMES[name], what: "server CPU, % of a core", windows };
}

function loadRatios(
  where: string,
  loads: Readonly<Record<Name, readonly Load[]>>,
  isPromised: boolean,
): Ratio[] {
  const subject = serverLoad(where, "porchlight", loads);
  const { what, windows } = subject;
  const atMost = (value: number): Ratio["target"] =>
    isPromised ? { is: "at most", value } : undefined;
  return [
    { at: where, what, to: undefined, windows, target: atMost(2) },
    ratioOf({ at: where, what, target: atMost(3) }, subject, serverLoad(where, "bare", loads)),
  ];
}

/** The people of one server, in a process of their own. */
class Sleepers implements AsyncDisposable {
  /** Resolves when all are there. */
  readonly ready: Promise<void>;
  readonly #child: Bun.Subprocess;

  constructor(sleep: Sleep) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    const program = join(import.meta.dir, "servers/sleepers.ts");
    this.#child = Bun.spawn(
      ["setpriv", "--pdeathsig", "KILL", process.execPath, program, JSON.stringify(sleep)],
      { stdout: "inherit", stderr: "inherit", ipc: () => resolve() },
    );
    void this.#child.exited.then(() => reject(new Error("Cannot go on as the sleepers are gone")));
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** From now on they ask for an answer to each heartbeat, as the client in core does. */
  askForAnswers(): void {
    this.#child.send(true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}
