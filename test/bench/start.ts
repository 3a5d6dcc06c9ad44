import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildBundle, buildProgram } from "../../build/server.ts";
import { temporaryFolder } from "../support/process.ts";
import type { Bench, Outcome } from "./bench.ts";
import { Subject } from "./subject.ts";
import { inTurns } from "./windows.ts";

const SERVER = resolve(import.meta.dir, "../../server");
const DIST = join(SERVER, "dist");
const BYTES_PER_MB = 1_000_000;
const KIB_PER_MIB = 1_024;

/** What of a start is promised. */
const FORMS = [
  { form: "from source", command: [process.execPath, join(SERVER, "cli.ts")], mostMs: 300 },
  { form: "bundled", command: [process.execPath, join(DIST, "porchlight.js")], mostMs: 200 },
  { form: "compiled", command: [join(DIST, "porchlight")], mostMs: 200 },
] as const;
const MOST_MIB = 80;

interface Start {
  readonly ms: number;
  readonly residentMib: number;
}

export const START: Bench = {
  name: "start",
  work: "From the start of the process to the first answered request (`GET /healthz`), from source, bundled and compiled, and what is resident then.",
  async run({ isShort }) {
    await buildBundle(DIST);
    await buildProgram(DIST);
    using folder = temporaryFolder();
    const starts = await inTurns(
      Object.fromEntries(
        FORMS.map(({ form, command }) => [
          form,
          () => started(command, join(folder.path, `${form.replace(" ", "-")}.db`)),
        ]),
      ),
      { pairs: isShort ? 1 : 11 },
    );
    const outcomes = FORMS.map((each) => outcomeOf(each, starts[each.form] ?? []));
    return {
      settings: [
        "a file with tables and nobody in it; the program is read from the cache of the system: the first start of each form is dropped",
        `size: ${sizeOf("porchlight.js")} bundled, ${sizeOf("porchlight")} compiled with the runtime`,
      ],
      figures: outcomes.flatMap(({ figures }) => figures),
      ratios: outcomes.flatMap(({ ratios }) => ratios),
    };
  },
};

async function started(command: readonly string[], file: string): Promise<Start> {
  const from = performance.now();
  await using subject = await Subject.porchlight(
    { PORCHLIGHT_DATABASE_URL: `sqlite:${file}` },
    command,
  );
  const response = await fetch(`${subject.url}/healthz`);
  if (!response.ok) throw new Error(`Cannot start: ${response.status} ${await response.text()}`);
  return { ms: performance.now() - from, residentMib: subject.residentKib / KIB_PER_MIB };
}

function outcomeOf({ form, mostMs }: (typeof FORMS)[number], starts: readonly Start[]): Outcome {
  const measured = [
    { what: "to the first answer, ms", windows: starts.map(({ ms }) => ms), most: mostMs },
    { what: "resident, MiB", windows: starts.map((each) => each.residentMib), most: MOST_MIB },
  ];
  return {
    settings: [],
    figures: measured.map(({ what, windows }) => ({ at: form, of: "Porchlight", what, windows })),
    ratios: measured.map(({ what, windows, most }) => ({
      at: form,
      what,
      to: undefined,
      windows,
      target: { is: "at most", value: most },
    })),
  };
}

function sizeOf(file: string): string {
  return `${(statSync(join(DIST, file)).size / BYTES_PER_MB).toFixed(1)} MB`;
}
