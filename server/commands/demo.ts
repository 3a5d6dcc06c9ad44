import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { curlLines, type DemoToken, fillDemo, isFilled } from "../demo.ts";
import type { Config } from "../main.ts";
import { type Command, configOf, textOf, UsageError, withStore } from "./command.ts";
import { serve } from "./serve.ts";

/** `porchlight demo` */
export const DEMO: Command = {
  help: `Usage: porchlight demo [--serve] [--file FILE] [--port PORT]

Fills a small company into an empty database, the first time only, and prints
tokens and curl lines to paste. Tokens are stored as hashes: they are printed
once, and kept beside the database in FILE.tokens.json, readable by you alone.

  --serve      and serve it
  --file FILE  the database (default: .demo/porchlight.db)
  --port PORT  the port (default: the configured one)`,
  options: { serve: { type: "boolean" }, file: { type: "string" }, port: { type: "string" } },
  operands: [],
  async run(given) {
    const file = textOf(given, "file") ?? ".demo/porchlight.db";
    mkdirSync(dirname(file), { recursive: true });
    const port = textOf(given, "port");
    const named = { ...given, values: { ...given.values, file } };
    const config = configOf(named, port === undefined ? {} : { PORCHLIGHT_PORT: port });
    const tokens = await demoTokens(config, `${file}.tokens.json`);
    const isServed = given.values.serve === true;
    const url = isServed ? (await serve(config)).url : `http://${config.host}:${config.port}`;
    console.log(`Porchlight demo at ${url}\n`);
    for (const { tenant_id, participant_id, display_name, token } of tokens) {
      console.log(`  ${tenant_id}/${participant_id.padEnd(6)} ${display_name.padEnd(14)} ${token}`);
    }
    console.log(`\n${curlLines(url, tokens)}\n`);
    return isServed ? undefined : 0;
  },
};

function demoTokens(config: Config, file: string): Promise<readonly DemoToken[]> {
  return withStore(config, async (store, now) => {
    if (await isFilled(store)) return readTokens(file);
    const tokens = await fillDemo(store, now());
    writeFileSync(file, JSON.stringify(tokens, undefined, 2), { mode: 0o600 });
    return tokens;
  });
}

function readTokens(file: string): readonly DemoToken[] {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw new UsageError(
      `Cannot show the demo as its tokens are not in "${file}" any more: delete the database beside it, and start again`,
    );
  }
}
