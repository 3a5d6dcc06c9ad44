import {
  type Bench,
  type Figure,
  type Outcome,
  type Ratio,
  ratioOf,
  type Target,
} from "./bench.ts";
import { Changes } from "./changes.ts";
import { requestOf } from "./http-connection.ts";
import {
  figuresOf,
  type HttpFigures,
  HttpLoad,
  type HttpWindow,
  type Round,
  SHARED_MACHINE,
} from "./http-load.ts";
import { fill, headersOf, names } from "./people.ts";
import { checkSnapshot, crowd, livelyRoom, PARTS, shown } from "./rooms.ts";
import { Subject } from "./subject.ts";
import { inTurns, type Plan, planOf } from "./windows.ts";

const VIEWERS = 8;
const CHANGE_EVERY_MS = 50;
const CHANGING = 100;

interface Size {
  readonly members: number;
  /** What is promised of half of the snapshots, against the seven. */
  readonly ofSeven: number;
  /** What is promised of them against the list of members alone. */
  readonly ofMembers?: number;
}

const SIZES: readonly Size[] = [
  { members: 10, ofSeven: 0.25 },
  { members: 200, ofSeven: 0.45 },
  { members: 2_000, ofSeven: 1, ofMembers: 1.2 },
];

const BARE = "bare Bun.serve, same bytes";
const SEVEN = "the seven requests";
const ALONE = "the seven requests, one viewer";
const COLD = "the seven requests, first answers";
const MEMBERS = "`/members` alone";

export const ROOM_STATE: Bench = {
  name: "room-state",
  work: "`GET /v1/rooms/{id}/state` for 10, 200 and 2,000 members, against the seven requests that it replaces (the room, `/members`, `/ai/engagement`, `/plan`, `/sidekicks`, `/call` and `/read-state`), all at once to the same server, and against what answers the same bytes and does nothing else.",
  async run(wish) {
    const plan = planOf(wish);
    const sizes = wish.isShort ? SIZES.slice(0, 1) : SIZES;
    await using porchlight = await Subject.porchlight();
    await using bare = await Subject.bare("same-bytes.ts");
    const outcomes: Outcome[] = [];
    for (const size of sizes) {
      const people = names("member-", size.members);
      await fill(porchlight, [
        ...crowd(people),
        ...livelyRoom(roomOf(size), people),
        ...coldRooms(size, plan).flatMap((room) => livelyRoom(room, people)),
      ]);
      outcomes.push(await cold(porchlight, size, plan), await warm(porchlight, bare, size, plan));
      outcomes.push(await changing(porchlight, bare, size, plan));
    }
    return {
      settings: [
        `${VIEWERS} viewers, each a member of the room with a token of their own, who ask again as soon as all was answered; where it is said, one`,
        "connections stay open; a viewer has seven of them for the seven requests, and an answer of these is all seven",
        SHARED_MACHINE,
        "a room has 20 messages, which the viewers have not read, a plan, two sidekicks and a call; a third of the people are busy or idle",
        "first answers: of rooms that were never asked for, from a server that has answered for others",
        `while presence changes: a device of one of ${CHANGING} members at most wakes or dozes off every ${CHANGE_EVERY_MS} ms`,
      ],
      figures: outcomes.flatMap(({ figures }) => figures),
      ratios: outcomes.flatMap(({ ratios }) => ratios),
    };
  },
};

/** Everyone over and over again, nobody but for them. */
async function warm(porchlight: Subject, bare: Subject, size: Size, plan: Plan): Promise<Outcome> {
  const bytes = await handOver(porchlight, bare, size);
  using snapshot = await HttpLoad.open(porchlight, asked(VIEWERS, snapshotOf(size)));
  using seven = await HttpLoad.open(porchlight, asked(VIEWERS, sevenOf(size)));
  using members = await HttpLoad.open(porchlight, asked(VIEWERS, membersOf(size)));
  using control = await HttpLoad.open(bare, asked(VIEWERS, snapshotOf(size)));
  using one = await HttpLoad.open(porchlight, asked(1, snapshotOf(size)));
  using sevenOfOne = await HttpLoad.open(porchlight, asked(1, sevenOf(size)));
  const window = (load: HttpLoad) => () => load.window(plan.windowMs);
  const windows = await inTurns(
    {
      snapshot: window(snapshot),
      seven: window(seven),
      members: window(members),
      control: window(control),
      one: window(one),
      sevenOfOne: window(sevenOfOne),
    },
    plan,
  );
  for (const { rounds, bodyBytes } of windows.control)
    if (bodyBytes !== rounds * bytes)
      throw new Error(`Cannot be right: ${bodyBytes} bytes for ${rounds} answers of ${bytes}`);
  await checkSnapshot(porchlight, viewer(0), roomOf(size), size.members);
  const figures = {
    snapshot: figured(size, "Porchlight", windows.snapshot),
    seven: figured(size, SEVEN, windows.seven),
    members: figured(size, MEMBERS, windows.members),
    control: figured(size, BARE, windows.control),
    one: figured(size, "Porchlight, one viewer", windows.one),
    sevenOfOne: figured(size, ALONE, windows.sevenOfOne),
  };
  const { ofSeven, ofMembers } = size;
  return {
    settings: [],
    figures: Object.values(figures).flatMap((each) => Object.values(each)),
    ratios: [
      compared("p50", figures.snapshot.p50, figures.seven.p50, atMost(ofSeven)),
      compared("server CPU", figures.snapshot.cpu, figures.seven.cpu, atMost(1)),
      compared(
        "p50",
        figures.snapshot.p50,
        figures.members.p50,
        ofMembers === undefined ? undefined : atMost(ofMembers),
      ),
      compared("requests/s, warm", figures.snapshot.rate, figures.control.rate, {
        is: "at least",
        value: 0.5,
      }),
      compared("server CPU, warm", figures.snapshot.cpu, figures.control.cpu, undefined),
      compared("p50", figures.one.p50, figures.sevenOfOne.p50, undefined),
      compared("server CPU", figures.one.cpu, figures.sevenOfOne.cpu, undefined),
    ],
  };
}

/** The first answer of each of some rooms, to one viewer. */
async function cold(porchlight: Subject, size: Size, plan: Plan): Promise<Outcome> {
  const rooms = coldRooms(size, plan);
  const half = rooms.length / 2;
  const own = rooms.slice(0, half).map((room) => snapshotOf(size, room)(viewer(0)));
  const others = rooms.slice(half).map((room) => sevenOf(size, room)(viewer(0)));
  using snapshot = await HttpLoad.open(porchlight, [own]);
  using seven = await HttpLoad.open(porchlight, [others]);
  const windows = await inTurns(
    { snapshot: () => snapshot.window(0), seven: () => seven.window(0) },
    { pairs: plan.pairs },
  );
  const [ours, theirs] = (["snapshot", "seven"] as const).map((name) => ({
    at: titleOf(size),
    of: name === "snapshot" ? "Porchlight, first answers" : COLD,
    what: "ms",
    windows: windows[name].map(({ p50Ms }) => p50Ms),
  }));
  if (ours === undefined || theirs === undefined) throw new Error("Cannot compare with nothing");
  return {
    settings: [],
    figures: [ours, theirs],
    ratios: [compared("first answer", ours, theirs, undefined)],
  };
}

/** While members wake and doze off. */
async function changing(
  porchlight: Subject,
  bare: Subject,
  size: Size,
  plan: Plan,
): Promise<Outcome> {
  using snapshot = await HttpLoad.open(porchlight, asked(VIEWERS, snapshotOf(size)));
  using control = await HttpLoad.open(bare, asked(VIEWERS, snapshotOf(size)));
  const people = names("member-", size.members).filter((_, index) => index % 3 > 0);
  const windows = await inTurns(
    {
      snapshot: async () => {
        await using _changes = new Changes(porchlight, people.slice(0, CHANGING), CHANGE_EVERY_MS);
        return await snapshot.window(plan.windowMs);
      },
      control: () => control.window(plan.windowMs),
    },
    plan,
  );
  await checkSnapshot(porchlight, viewer(0), roomOf(size), size.members);
  const ours = figured(size, "Porchlight, while presence changes", windows.snapshot);
  const theirs = figured(size, BARE, windows.control);
  return {
    settings: [],
    figures: Object.values(ours),
    ratios: [compared("requests/s, while presence changes", ours.rate, theirs.rate, undefined)],
  };
}

/** Has the control answer what Porchlight does. Answers how many bytes that are. */
async function handOver(porchlight: Subject, bare: Subject, size: Size): Promise<number> {
  await checkSnapshot(porchlight, viewer(0), roomOf(size), size.members);
  const { text } = await shown(porchlight, viewer(0), `/v1/rooms/${roomOf(size)}/state`);
  await fetch(bare.url, { method: "PUT", body: text });
  return Buffer.byteLength(text);
}

type Asking = (viewer: string) => Round;

/** What so many viewers ask, each the same again. */
function asked(viewers: number, asks: Asking): Round[][] {
  return Array.from({ length: viewers }, (_, index) => [asks(viewer(index))]);
}

function snapshotOf(size: Size, room = roomOf(size)): Asking {
  return (viewer) => [requestOf("GET", `/v1/rooms/${room}/state`, headersOf(viewer))];
}

function sevenOf(size: Size, room = roomOf(size)): Asking {
  return (viewer) =>
    PARTS.map((part) => requestOf("GET", `/v1/rooms/${room}${part}`, headersOf(viewer)));
}

function membersOf(size: Size): Asking {
  return (viewer) => [requestOf("GET", `/v1/rooms/${roomOf(size)}/members`, headersOf(viewer))];
}

function viewer(index: number): string {
  return `member-${index}`;
}

function roomOf({ members }: Size): string {
  return `room-of-${members}`;
}

/** Rooms that nobody asks for but once: for the snapshot the first half, and for the seven the second. */
function coldRooms(size: Size, { pairs }: Plan): string[] {
  return names(`cold-${roomOf(size)}-`, 2 * (pairs + 1));
}

function titleOf({ members }: Size): string {
  return `${members.toLocaleString("en")} members`;
}

function figured(size: Size, of: string, windows: readonly HttpWindow[]): HttpFigures {
  return figuresOf({ at: titleOf(size), of }, windows);
}

function compared(what: string, ours: Figure, theirs: Figure, target: Target | undefined): Ratio {
  return ratioOf({ at: ours.at, what, target }, ours, theirs);
}

function atMost(value: number): Target {
  return { is: "at most", value };
}
