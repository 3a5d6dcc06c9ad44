import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { temporaryFolder } from "../support/process.ts";
import { type Bench, median, type Outcome, ratioOf } from "./bench.ts";
import { requestOf } from "./http-connection.ts";
import { figuresOf, HttpLoad, type Round } from "./http-load.ts";
import { fill, headersOf, names, person, room, TENANT } from "./people.ts";
import { Subject } from "./subject.ts";
import { inTurns, type Plan, planOf } from "./windows.ts";

const ROOM = "room";
const RAW = "raw better-sqlite3";
const FORMATS = ["12h", "24h"] as const;
const SAID = { content: { msgtype: "text", body: "Hello" } };

/** One kind of write, by so many at once. */
interface Kind {
  readonly clients: number;
  readonly what: "preferences" | "messages";
  readonly least: number;
}

const KINDS: readonly Kind[] = [
  { clients: 1, what: "preferences", least: 0.5 },
  { clients: 1, what: "messages", least: 0.5 },
  { clients: 32, what: "preferences", least: 3 },
  { clients: 32, what: "messages", least: 3 },
];

/** How often each person had a write of a kind answered. */
interface Written {
  readonly kind: Kind;
  readonly rounds: Readonly<Record<"ours" | "theirs", readonly number[]>>;
}

export const WRITES: Bench = {
  name: "writes",
  work: "`PUT /v1/me/preferences` and `POST /v1/rooms/{id}/send`, durable when they are answered, by 1 and by 32 clients, against raw better-sqlite3 behind bare Bun.serve, which does the same to a copy of the file, one transaction a request. Both are killed at the end, and what they answered is looked for in their files.",
  async run(wish) {
    using folder = temporaryFolder();
    const files = { ours: join(folder.path, "ours.db"), theirs: join(folder.path, "theirs.db") };
    const { outcomes, written } = await measureAll(files, planOf(wish));
    for (const whose of ["ours", "theirs"] as const) checkFile(files[whose], written, whose);
    return {
      settings: [
        "SQLite by better-sqlite3 in both: WAL, synchronous = FULL, the same tables and indexes",
        `an fsync of 4 KiB in that folder takes ${fsyncMicros(folder.path)} µs (median of 100)`,
        "what is compared with runs the same statements, but asks for no token, checks nothing, makes no savepoint and tells nobody",
        "each client is a person of their own, over a connection that stays open, with one request under way; all are in one room",
        "a change of preferences sets another `time_format` each time; a message has no `event_uuid`",
      ],
      figures: outcomes.flatMap(({ figures }) => figures),
      ratios: outcomes.flatMap(({ ratios }) => ratios),
    };
  },
};

async function measureAll(
  files: Readonly<Record<"ours" | "theirs", string>>,
  plan: Plan,
): Promise<{ outcomes: Outcome[]; written: Written[] }> {
  await using ours = await Subject.porchlight({
    PORCHLIGHT_DATABASE_URL: `sqlite:${files.ours}`,
  });
  const people = KINDS.flatMap(peopleOf);
  await fill(ours, [...people.flatMap(person), ...room(ROOM, people)]);
  copy(files.ours, files.theirs);
  await using theirs = await Subject.bare("writes.ts", {
    BENCH_FILE: files.theirs,
    BENCH_TENANT: TENANT,
  });
  const outcomes: Outcome[] = [];
  const written: Written[] = [];
  for (const kind of KINDS) {
    using ownLoad = await HttpLoad.open(ours, roundsOf(kind));
    using theirLoad = await HttpLoad.open(theirs, roundsOf(kind));
    const windows = await inTurns(
      {
        ours: () => ownLoad.window(plan.windowMs),
        theirs: () => theirLoad.window(plan.windowMs),
      },
      plan,
    );
    written.push({ kind, rounds: { ours: ownLoad.rounds, theirs: theirLoad.rounds } });
    const at = `${kind.what}, ${kind.clients} client${kind.clients === 1 ? "" : "s"}`;
    const figures = {
      ours: figuresOf({ at, of: "Porchlight" }, windows.ours),
      theirs: figuresOf({ at, of: RAW }, windows.theirs),
    };
    const target = { is: "at least", value: kind.least } as const;
    outcomes.push({
      settings: [],
      figures: Object.values(figures).flatMap((each) => Object.values(each)),
      ratios: [ratioOf({ at, what: "writes/s", target }, figures.ours.rate, figures.theirs.rate)],
    });
  }
  return { outcomes, written };
}

/** Everyone who writes something of a kind; nobody does two kinds. */
function peopleOf({ clients, what }: Kind): string[] {
  return names(`${what}-${clients}-`, clients);
}

/** What each client asks, one after the other. */
function roundsOf(kind: Kind): Round[][] {
  return peopleOf(kind).map((person) => {
    const headers = headersOf(person);
    if (kind.what === "messages")
      return [[requestOf("POST", `/v1/rooms/${ROOM}/send`, headers, SAID)]];
    return FORMATS.map((time_format) => [
      requestOf("PUT", "/v1/me/preferences", headers, { time_format }),
    ]);
  });
}

/** Copies a file that a server has open, as it is now. */
function copy(file: string, into: string): void {
  const db = new Database(file, { readonly: true });
  db.prepare("vacuum into ?").run(into);
  db.close();
}

/** Throws unless a file has every write that was answered, of each person their last, and no more of them. */
function checkFile(file: string, written: readonly Written[], whose: "ours" | "theirs"): void {
  const db = new Database(file);
  const count = db.prepare<[string], { messages: number }>(
    "select count(*) as messages from events where type = 'swp.room.message' and sender_id = ?",
  );
  const registers = db.prepare<[string], { registers_json: string }>(
    "select registers_json from preferences where participant_id = ?",
  );
  for (const { kind, rounds } of written) {
    for (const [index, person] of peopleOf(kind).entries()) {
      const answered = rounds[whose][index] ?? 0;
      const isThere =
        kind.what === "messages"
          ? count.get(person)?.messages === answered
          : JSON.parse(registers.get(person)?.registers_json ?? "{}").time_format?.value ===
            FORMATS[(answered - 1) % FORMATS.length];
      if (!isThere) throw new Error(`Cannot find all that was answered to ${person} in ${file}`);
    }
  }
  db.close();
}

/** What it costs here to be durable. */
function fsyncMicros(folder: string): number {
  const file = openSync(join(folder, "fsync"), "w");
  const page = Buffer.alloc(4_096);
  const micros = Array.from({ length: 100 }, () => {
    writeSync(file, page, 0, page.length, 0);
    const start = performance.now();
    fsyncSync(file);
    return (performance.now() - start) * 1_000;
  });
  closeSync(file);
  return Math.round(median(micros));
}
