/**
 * Plays the same scenarios with Porchlight and with the servers that people use
 * otherwise, and prints who holds, with a figure, as a table in Markdown. Each
 * server is a process of its own on 127.0.0.1, as it is published, with its
 * defaults; each scenario has a room of its own, and clients are published
 * providers but where somebody is to do what no provider does. Takes some minutes.
 *
 *     bun run compare            prints the table
 *     bun run compare --write    puts it into the README as well
 */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { resolve } from "node:path";
import { SILENT_BEFORE_MS } from "./returning.ts";
import { duration, type Finding, type Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";
import { type Contender, labelOf, Server } from "./server.ts";
import { contenders } from "./servers.ts";

const README = resolve(import.meta.dir, "../../README.md");
const [BEGIN, END] = ["<!-- compare -->", "<!-- /compare -->"];
/** What is fair to know beside the figures. */
const NOTES: readonly string[] = [
  "Settings not named are the defaults. One run; what is waited for in vain is waited for as long as the figure says. A figure is a time of this machine and moment.",
  "`@y/websocket-server` is 0.1.1: 0.1.5 asks for a version of `@y/y` that is not published, and does not start without it.",
  "Hocuspocus's messages begin with the name of the document, so it is used with its own provider. That one echoes no longer since 4.5; the 20 clients that echo are the same for all three, as y-websocket is.",
  "That people are who they say is left to the app by design: `@y/websocket-server` passes on what clients say, and Hocuspocus has hooks for it (`onAuthenticate`, `beforeHandleAwareness`), which are not set.",
  "A socket that is destroyed may come back: Porchlight keeps its entry for `PORCHLIGHT_DISCONNECT_GRACE_MS`, the others remove it at once. Neither is a failure.",
  `The process is frozen at the worst moment, ${duration(SILENT_BEFORE_MS)} after it said something last: clients drop whom they do not hear of for 30 s.`,
];

/** What came of the scenarios with one server. */
interface Results {
  readonly contender: Contender;
  readonly findings: ReadonlyMap<Scenario, Finding>;
}

const results: Results[] = [];
for (const contender of contenders()) results.push(await compare(contender));
const section = told(results);
console.log(section);
if (process.argv.includes("--write")) write(section);

async function compare(contender: Contender): Promise<Results> {
  await using server = await Server.start(contender);
  const findings = new Map<Scenario, Finding>();
  const play = async (scenario: Scenario): Promise<void> => {
    const finding = await scenario.play(server);
    findings.set(scenario, finding);
    console.error(`${contender.name}: ${scenario.name}: ${cell(finding)}`);
  };
  // Those only wait, and meanwhile others are played.
  const long = Promise.all(of("long").map(play));
  for (const scenario of of("quick")) await play(scenario);
  await long;
  for (const scenario of of("deadly")) await play(scenario);
  return { contender, findings };
}

function of(kind: Scenario["kind"]): Scenario[] {
  return SCENARIOS.filter((scenario) => scenario.kind === kind);
}

function told(results: readonly Results[]): string {
  const played = results.map(({ contender }) => contender);
  const [cpu] = cpus();
  return [
    `By \`bun run compare\`, on ${cpus().length} × ${cpu?.model}, ${process.platform} ${process.arch}:`,
    table([
      ["Server", "Runtime", "Client", "Settings"],
      ...played.map((each) => [labelOf(each), each.runtime, each.client, each.settings]),
    ]),
    table([
      ["Scenario", ...played.map(labelOf)],
      ...SCENARIOS.map((scenario) => [
        scenario.name,
        ...results.map(({ findings }) => cell(findings.get(scenario))),
      ]),
    ]),
    NOTES.map((note) => `- ${note}`).join("\n"),
  ].join("\n\n");
}

function table([heading = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(heading), line(heading.map(() => "---")), ...rows.map(line)].join("\n");
}

function cell(finding: Finding | undefined): string {
  const { holds, figure } = finding ?? { holds: undefined, figure: "not played" };
  return holds === undefined ? figure : `**${holds ? "holds" : "fails"}**: ${figure}`;
}

function write(text: string): void {
  const readme = readFileSync(README, "utf8");
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`Cannot write as "${BEGIN}" is not in the README`);
  writeFileSync(README, `${readme.slice(0, from)}${BEGIN}\n\n${text}\n\n${readme.slice(to)}`);
}
