import { existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DEFAULT_TIMINGS } from "@porchlight/core";
import { systemClock } from "@porchlight/core/clock";
import { withoutPassword } from "../database-url.ts";
import { jwtWarnings } from "../jwt-settings.ts";
import {
  type Config,
  ConfigError,
  DEFAULT_LIMITS,
  inspectRedis,
  inspectStore,
  NEWEST_VERSION,
  readConfig,
  SETTINGS,
  variableOf,
} from "../main.ts";
import { type Command, FILE_OPTION, fileOf, textOf } from "./command.ts";

const LEAST_FREE_BYTES = 104_857_600;
const DAY_MS = 86_400_000;
/** No clock that is right shows an earlier time. */
const BUILT_AT = Date.parse("2026-01-01T00:00:00.000Z");
const ANSWER_WITHIN_MS = 2_000;

/** What a check found: nothing wrong, and then what it saw; what may not be meant; or what is wrong. */
type Finding =
  | { readonly fine: string }
  | { readonly doubtful: string }
  | { readonly wrong: string };

/** `porchlight doctor` */
export const DOCTOR: Command = {
  help: `Usage: porchlight doctor [--file FILE]

Prints every setting and where it comes from, and looks whether a server could
start with them: the database, its disk, Redis, the clock and the port. Changes
nothing. Ends with 1 if anything is wrong, and says what; what is only doubtful,
such as JWTs whose issuer is not checked, is said too.

  --file FILE  the database (default: the configured one)`,
  options: FILE_OPTION,
  operands: [],
  async run(given) {
    const file = textOf(given, "file");
    const env = { ...process.env, ...(file && { PORCHLIGHT_DATABASE_URL: `sqlite:${file}` }) };
    for (const line of settings(env)) console.log(line);
    console.log("");
    const findings = await findingsOf(env);
    for (const [what, finding] of findings) console.log(lineOf(what, finding));
    const wrong = findings.filter(([, finding]) => "wrong" in finding).length;
    console.log(wrong === 0 ? "\nNothing is wrong." : `\n${wrong} wrong.`);
    return wrong === 0 ? 0 : 1;
  },
};

function lineOf(what: string, finding: Finding): string {
  if ("fine" in finding) return `ok     ${what}: ${finding.fine}`;
  if ("doubtful" in finding) return `DOUBT  ${what}: ${finding.doubtful}`;
  return `WRONG  ${what}: ${finding.wrong}`;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Every setting with its value and where that comes from. Of a secret only that it is set. */
function settings(env: Environment): string[] {
  const numbers = { ...DEFAULT_TIMINGS, ...DEFAULT_LIMITS };
  const rows = [
    ...Object.values(SETTINGS).map(({ variable, fallback }) => [variable, fallback] as const),
    ...Object.entries(numbers).map(([name, value]) => [variableOf(name), String(value)] as const),
  ];
  const width = Math.max(...rows.map(([variable]) => variable.length));
  return rows.map(([variable, fallback]) => {
    const written = env[variable];
    const isSet = written !== undefined && written !== "";
    const value = shown(variable, isSet ? written : fallback);
    return `${variable.padEnd(width)}  ${value}  (${isSet ? "environment" : "default"})`;
  });
}

function shown(variable: string, value: string): string {
  if (value === "") return "not set";
  if (/TOKEN|SECRET|PASSWORD|_KEY$/.test(variable)) return "set";
  const isServer = /^(postgres(ql)?|rediss?):\/\//.test(value);
  return isServer ? withoutPassword(value) : value.replace(/\/\/[^/@]*@/, "//***@");
}

async function findingsOf(env: Environment): Promise<[what: string, Finding][]> {
  let config: Config;
  try {
    config = readConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map(({ path, message }) => [
      "configuration",
      { wrong: `${path} ${message}` },
    ]);
  }
  return [
    ["configuration", { fine: "makes sense" }],
    ...jwtWarnings(config).map(({ path, message }): [string, Finding] => [
      "configuration",
      { doubtful: `${path} ${message}` },
    ]),
    ...(await database(config)),
    ...(await redis(config)),
    ["port", await port(config)],
  ];
}

async function database(config: Config): Promise<[what: string, Finding][]> {
  const { databaseUrl } = config;
  const file = fileOf(config);
  const now = systemClock().wall();
  if (databaseUrl === "sqlite::memory:") return [["clock", clock(now, undefined)]];
  if (file === undefined) return databaseServer(databaseUrl, now);
  const disk: [string, Finding] = ["disk", attempt(() => freeSpace(dirname(file)))];
  if (!existsSync(file))
    return [
      ["database", { fine: `"${file}" will be made` }],
      disk,
      ["clock", clock(now, undefined)],
    ];
  try {
    const { version, faults, lastEventAt } = await inspectStore(databaseUrl);
    return [
      ["database", whole(file, faults)],
      ["schema", schema(version)],
      disk,
      ["clock", clock(now, lastEventAt)],
    ];
  } catch (error) {
    const wrong = `"${file}" cannot be opened: ${messageOf(error)}`;
    return [["database", { wrong }], disk, ["clock", clock(now, undefined)]];
  }
}

/** A database that is no file of this machine. */
async function databaseServer(
  databaseUrl: string,
  now: number,
): Promise<[what: string, Finding][]> {
  try {
    const { version, server, faults, lastEventAt } = await inspectStore(databaseUrl);
    const reached = `"${withoutPassword(databaseUrl)}" can be reached, ${server}`;
    const wrong = faults.join("; ");
    return [
      ["database", wrong === "" ? { fine: reached } : { wrong: `${reached}, but ${wrong}` }],
      ["schema", schema(version)],
      ["clock", clock(now, lastEventAt)],
    ];
  } catch (error) {
    return [
      ["database", { wrong: messageOf(error) }],
      ["clock", clock(now, undefined)],
    ];
  }
}

/** Where several nodes meet, if there are to be several. */
async function redis({ redisUrl }: Config): Promise<[what: string, Finding][]> {
  if (redisUrl === undefined) return [];
  const where = `"${withoutPassword(redisUrl)}"`;
  try {
    return [["redis", { fine: `${where} can be reached, ${await inspectRedis(redisUrl)}` }]];
  } catch (error) {
    return [["redis", { wrong: `${where} cannot be used: ${messageOf(error)}` }]];
  }
}

function whole(file: string, faults: readonly string[]): Finding {
  return faults.length === 0
    ? { fine: `"${file}" opens and is whole` }
    : { wrong: `"${file}" is damaged: ${faults.join("; ")}` };
}

function schema(version: number): Finding {
  if (version > NEWEST_VERSION)
    return {
      wrong: `version ${version} was written by a newer Porchlight, which knows more than ${NEWEST_VERSION}`,
    };
  if (version < NEWEST_VERSION)
    return { fine: `version ${version}, brought to ${NEWEST_VERSION} at the next start` };
  return { fine: `version ${version}` };
}

/** Writing is tried beside the database, where its log is written too. */
function freeSpace(folder: string): Finding {
  const probe = mkdtempSync(join(folder, ".porchlight-doctor-"));
  try {
    writeFileSync(join(probe, "probe"), "x");
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
  const { bavail, bsize } = statfsSync(folder);
  const mebibytes = Math.floor((bavail * bsize) / 1_048_576);
  return bavail * bsize < LEAST_FREE_BYTES
    ? { wrong: `only ${mebibytes} MiB are free in "${folder}"` }
    : { fine: `"${folder}" can be written to, ${mebibytes} MiB are free` };
}

function clock(now: number, lastEventAt: number | undefined): Finding {
  const at = new Date(now).toISOString();
  if (now < BUILT_AT) return { wrong: `it is set to ${at}, which is long ago` };
  if (lastEventAt !== undefined && lastEventAt > now + DAY_MS)
    return {
      wrong: `it is set to ${at}, before the last event of ${new Date(lastEventAt).toISOString()}`,
    };
  return { fine: at };
}

/** A port that is taken by a server that answers is no fault: it is probably the one that is looked at. */
async function port({ host, port }: Config): Promise<Finding> {
  if (port === 0) return { fine: "a free one is picked" };
  try {
    const listener = Bun.listen({ hostname: host, port, socket: { data: () => undefined } });
    listener.stop(true);
    return { fine: `${host}:${port} is free` };
  } catch (error) {
    const isOurs = await answersAsPorchlight(`http://${host}:${port}/healthz`);
    return isOurs
      ? { fine: `${host}:${port} is taken by a Porchlight that answers` }
      : { wrong: `${host}:${port} cannot be listened on: ${messageOf(error)}` };
  }
}

async function answersAsPorchlight(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    return (await response.text()) === '{"data":{"status":"ok"}}';
  } catch {
    // Whatever is there, it is none of ours.
    return false;
  }
}

function attempt(look: () => Finding): Finding {
  try {
    return look();
  } catch (error) {
    return { wrong: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
