import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { now, pass } from "../peers/waiting.ts";
import { Desk, type Screen } from "../support/desk.ts";
import { outputOf } from "../support/process.ts";
import { untilSeen, untilTyping } from "../support/seen.ts";
import { type Figure, percentile } from "./bench.ts";
import { fill, person, room, tokenOf } from "./people.ts";
import { Subject } from "./subject.ts";

const ROOT = resolve(import.meta.dir, "../..");
/** So far apart that no choice waits for one before it, and no typing. */
const CHOICE_EVERY_MS = 300;
const KEY_EVERY_MS = 600;
const CHOICES = [
  ["Busy", "Busy"],
  ["Idle", "Idle"],
  ["Appear offline", "Offline"],
  ["Automatic", "Online"],
] as const;
const BOB = "Somebody called bob";

/** How long it takes from what one does on the page until another's page shows it. */
export async function pageFigures({
  windows,
  acts,
}: {
  readonly windows: number;
  /** In a window, a multiple of four. */
  readonly acts: number;
}): Promise<Figure[]> {
  // The page is built from its sources, once.
  if (!existsSync(join(ROOT, "server/page/dist/index.html")))
    await outputOf([process.execPath, "desktop/page.ts"]);
  await using server = await Subject.porchlight();
  await fill(server, [...person("ann"), ...person("bob"), ...room("lounge", ["ann", "bob"])]);
  await using desk = await Desk.open();
  const ann = await sit(desk, server, "ann");
  const bob = await sit(desk, server, "bob");
  await ann.sees(BOB, "Online");
  // Whoever comes first pays for what is compiled.
  await choose(bob, ann, CHOICES.length);
  await type(bob, ann, 1);
  const chosen: number[][] = [];
  const typed: number[][] = [];
  for (let window = 0; window < windows; window += 1) {
    chosen.push(await choose(bob, ann, acts));
    typed.push(await type(bob, ann, acts / 2));
  }
  const errors = [...ann.errors, ...bob.errors];
  if (errors.length > 0) throw new Error(`Something went wrong on a page: ${errors.join("; ")}`);
  return [...figuresOf("a state chosen on a page", chosen), ...figuresOf("a key on a page", typed)];
}

async function sit(desk: Desk, { url }: Subject, id: string): Promise<Screen> {
  const screen = await desk.screen();
  await screen.page.goto(url);
  await screen.signIn(tokenOf(id));
  await screen.openRoom("Room lounge");
  return screen;
}

async function choose(chooser: Screen, viewer: Screen, acts: number): Promise<number[]> {
  const times: number[] = [];
  for (let act = 0; act < acts; act += CHOICES.length) {
    for (const [words, seen] of CHOICES) {
      const from = now();
      await chooser.page.locator(".own > button").click();
      times.push(await untilSeen(chooser, words, viewer, `${BOB} ${seen}`));
      await chooser.page.keyboard.press("Escape");
      await pass(Math.max(0, from + CHOICE_EVERY_MS - now()));
    }
  }
  return times;
}

async function type(typist: Screen, viewer: Screen, acts: number): Promise<number[]> {
  const times: number[] = [];
  for (let act = 0; act < acts; act += 1) {
    const from = now();
    times.push(await untilTyping(typist, viewer));
    await typist.composer.fill("");
    await viewer.text("is typing").waitFor({ state: "detached" });
    await pass(Math.max(0, from + KEY_EVERY_MS - now()));
  }
  return times;
}

function figuresOf(at: string, times: readonly (readonly number[])[]): Figure[] {
  const of = "Porchlight, in Chromium";
  return [
    {
      at,
      of,
      what: "until another's page shows it, p50, ms",
      windows: times.map((each) => percentile(each, 0.5)),
    },
    // Of all together: a window has too few for it.
    {
      at,
      of,
      what: "until another's page shows it, p99, ms",
      windows: [percentile(times.flat(), 0.99)],
    },
  ];
}
