#!/usr/bin/env bun
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { curlLines, type DemoToken, fillDemo, isFilled } from "./demo.ts";
import {
  type Config,
  ConfigError,
  openConfigured,
  type RunningServer,
  readConfig,
  startServer,
} from "./main.ts";

const HELP = `Porchlight: who is around, who is typing, and what state a room is in.

Usage: porchlight <command> [options]

  serve           serve, configured by environment variables
  demo            fill a small company into an empty database and print its tokens
    --serve       and serve it
    --file FILE   the database (default: .demo/porchlight.db)
    --port PORT   the port (default: the configured one)

Each command has --help. Settings are environment variables; see the README.`;

const HELP_OF: Readonly<Record<string, string>> = {
  serve: `Usage: porchlight serve

Serves until it is told to stop (SIGTERM, SIGINT). All settings are environment
variables, among them PORCHLIGHT_HOST (127.0.0.1), PORCHLIGHT_PORT (8787),
PORCHLIGHT_DATABASE_URL (sqlite:./porchlight.db) and PORCHLIGHT_ADMIN_TOKEN.`,
  demo: `Usage: porchlight demo [--serve] [--file FILE] [--port PORT]

Fills a small company into an empty database, the first time only, and prints
tokens and curl lines to paste. Tokens are stored as hashes: they are printed
once, and kept beside the database in FILE.tokens.json, readable by you alone.`,
};

/** How long a server that was told to stop refuses before it hangs up: clients and proxies that keep connections hear of it. */
const REFUSE_FOR_MS = 500;

const { values, positionals } = parse(process.argv.slice(2));
const [command, ...rest] = positionals;

if (values.help === true || command === undefined) {
  console.log(HELP_OF[command ?? ""] ?? HELP);
} else if (rest.length > 0) {
  fail(`Cannot run "${command}" with "${rest.join(" ")}": it takes options only`);
} else if (command === "serve") {
  const given = Object.keys(values);
  if (given.length > 0)
    fail(`Cannot serve with --${given.join(" --")}: its settings are environment variables`);
  await serve(configOf(process.env));
} else if (command === "demo") {
  await demo();
} else {
  fail(`Cannot run "${command}" as there is no such command\n\n${HELP}`);
}

async function serve(config: Config): Promise<RunningServer> {
  const server = await startServer(config).catch((error: unknown) =>
    fail(error instanceof Error ? error.message : String(error)),
  );
  const stop = (): void => {
    server.stop({ refuseForMs: REFUSE_FOR_MS }).then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  return server;
}

async function demo(): Promise<void> {
  const { file = ".demo/porchlight.db" } = values;
  mkdirSync(dirname(file), { recursive: true });
  const config = configOf({
    ...process.env,
    PORCHLIGHT_DATABASE_URL: `sqlite:${file}`,
    ...(values.port === undefined ? {} : { PORCHLIGHT_PORT: values.port }),
  });
  const tokens = await demoTokens(config, `${file}.tokens.json`);
  const url =
    values.serve === true ? (await serve(config)).url : `http://${config.host}:${config.port}`;
  console.log(`Porchlight demo at ${url}\n`);
  for (const { tenant_id, participant_id, display_name, token } of tokens) {
    console.log(`  ${tenant_id}/${participant_id.padEnd(6)} ${display_name.padEnd(14)} ${token}`);
  }
  console.log(`\n${curlLines(url, tokens)}\n`);
}

async function demoTokens(config: Config, file: string): Promise<readonly DemoToken[]> {
  const store = openConfigured(config, () => undefined);
  try {
    if (await isFilled(store)) return readTokens(file);
    const tokens = await fillDemo(store, Date.now());
    writeFileSync(file, JSON.stringify(tokens, undefined, 2), { mode: 0o600 });
    return tokens;
  } finally {
    await store.close();
  }
}

function readTokens(file: string): readonly DemoToken[] {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return fail(
      `Cannot show the demo as its tokens are not in "${file}" any more: delete the database beside it, and start again`,
    );
  }
}

function configOf(env: Readonly<Record<string, string | undefined>>): Config {
  try {
    return readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError)
      return fail(`Cannot start with this configuration:\n${error.message}`);
    throw error;
  }
}

function parse(args: readonly string[]): {
  values: { help?: boolean; serve?: boolean; file?: string; port?: string };
  positionals: string[];
} {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h" },
        serve: { type: "boolean" },
        file: { type: "string" },
        port: { type: "string" },
      },
    });
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
