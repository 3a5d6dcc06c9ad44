import { type Bench, type Outcome, ratioOf } from "./bench.ts";
import { requestOf } from "./http-connection.ts";
import { figuresOf, HttpLoad, type HttpWindow, SHARED_MACHINE } from "./http-load.ts";
import { fill, headersOf, type Line, names, person } from "./people.ts";
import { HEADERS } from "./servers/headers.ts";
import { Subject } from "./subject.ts";
import { inTurns, type Plan, planOf } from "./windows.ts";

const CONNECTIONS = 32;
const STATES = ["online", "busy", "idle", "appear_offline", null] as const;

/** How many are asked about, and what of the control is asked for. */
const SIZES = [
  { ids: 1, control: "same-bytes.ts", of: "bare Bun.serve, same bytes", least: 0.6 },
  { ids: 100, control: "presence.ts", of: "bare Bun.serve, split and look up", least: 0.9 },
  { ids: 200, control: "presence.ts", of: "bare Bun.serve, split and look up", least: 0.9 },
] as const;

export const PRESENCE: Bench = {
  name: "presence",
  work: "`GET /v1/presence` with 1, 100 and 200 ids, each of 32 connections with a token of its own, against what answers without asking who asks and without checking anything: the same bytes, or what it finds for each id, with the same headers.",
  async run(wish) {
    const people = names("participant-", 200);
    await using porchlight = await Subject.porchlight();
    await fill(porchlight, [
      ...names("caller-", CONNECTIONS).flatMap(person),
      ...people.flatMap(stated),
    ]);
    const outcomes: Outcome[] = [];
    for (const size of SIZES) {
      await using control = await Subject.bare(size.control);
      outcomes.push(
        await measure(porchlight, control, people.slice(0, size.ids), size, planOf(wish)),
      );
    }
    return {
      settings: [
        `${CONNECTIONS} connections that stay open, each with one request under way, by raw TCP`,
        SHARED_MACHINE,
        "Porchlight as it is shipped: each request's token is looked up, counted, timed and given an id and a digest; the rate limit is off",
        "presence of the people: a fifth each online, busy, idle, appearing offline, and without a device",
      ],
      figures: outcomes.flatMap(({ figures }) => figures),
      ratios: outcomes.flatMap(({ ratios }) => ratios),
    };
  },
};

/** Somebody who has chosen a state, or none. */
function stated(participant_id: string, index: number): Line[] {
  const state = STATES[index % STATES.length] ?? null;
  return [
    { type: "participant", participant_id },
    { type: "presence", participant_id, state, at: 1, device_id: "laptop" },
  ];
}

async function measure(
  porchlight: Subject,
  control: Subject,
  ids: readonly string[],
  { of, least }: (typeof SIZES)[number],
  plan: Plan,
): Promise<Outcome> {
  const path = `/v1/presence?ids=${ids.join(",")}`;
  const expected = await answerOf(porchlight, path);
  checkStates(expected, ids);
  await fetch(control.url, { method: "PUT", body: expected });
  const rounds = names("caller-", CONNECTIONS).map((caller) => [
    [requestOf("GET", path, headersOf(caller))],
  ]);
  using ours = await HttpLoad.open(porchlight, rounds);
  using theirs = await HttpLoad.open(control, rounds);
  const windows = await inTurns(
    { ours: () => ours.window(plan.windowMs), theirs: () => theirs.window(plan.windowMs) },
    plan,
  );
  for (const subject of [porchlight, control])
    if ((await answerOf(subject, path)) !== expected)
      throw new Error(`Cannot compare as not all answer ${expected}`);
  for (const { rounds, bodyBytes } of [...windows.ours, ...windows.theirs])
    if (bodyBytes !== rounds * Buffer.byteLength(expected))
      throw new Error(`Cannot be right: ${bodyBytes} bytes for ${rounds} answers`);
  const at = `${ids.length} id${ids.length === 1 ? "" : "s"}`;
  return compared(at, of, least, windows);
}

function compared(
  at: string,
  of: string,
  least: number,
  windows: Readonly<Record<"ours" | "theirs", readonly HttpWindow[]>>,
): Outcome {
  const ours = figuresOf({ at, of: "Porchlight" }, windows.ours);
  const theirs = figuresOf({ at, of }, windows.theirs);
  const target = { is: "at least", value: least } as const;
  return {
    settings: [],
    figures: [...Object.values(ours), ...Object.values(theirs)],
    ratios: [
      ratioOf({ at, what: "requests/s", target }, ours.rate, theirs.rate),
      // What it costs says more where whoever asks could not ask for more.
      ratioOf({ at, what: "server CPU a request", target: undefined }, ours.cpu, theirs.cpu),
    ],
  };
}

async function answerOf({ url }: Subject, path: string): Promise<string> {
  const response = await fetch(`${url}${path}`, { headers: headersOf("caller-0") });
  const missing = Object.keys(HEADERS).filter((name) => !response.headers.has(name));
  if (missing.length > 0) throw new Error(`Cannot compare without ${missing.join(", ")}`);
  return response.text();
}

/** What is answered is what was filled in, as others see it. */
function checkStates(answer: string, ids: readonly string[]): void {
  const { data } = JSON.parse(answer) as { data: Record<string, string> };
  const seen: readonly string[] = ["online", "busy", "idle", "offline", "offline"];
  const wrong = ids.filter((id, index) => data[id] !== seen[index % seen.length]);
  if (wrong.length > 0 || Object.keys(data).length !== ids.length)
    throw new Error(`Cannot be right: ${answer.slice(0, 1_000)}`);
}
