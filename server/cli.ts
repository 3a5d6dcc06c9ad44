#!/usr/bin/env bun
import { parseArgs } from "node:util";
import { CodedError } from "@porchlight/core";
import { BACKUP } from "./commands/backup.ts";
import { type Command, type Given, UsageError } from "./commands/command.ts";
import { DEMO } from "./commands/demo.ts";
import { DOCTOR } from "./commands/doctor.ts";
import { EXPORT } from "./commands/export.ts";
import { IMPORT } from "./commands/import.ts";
import { SERVE } from "./commands/serve.ts";
import { TOKEN } from "./commands/token.ts";

const HELP = `Porchlight: who is around, who is typing, and what state a room is in.

Usage: porchlight <command> [options]

  serve   serve, configured by environment variables
  token   make a token for somebody
  import  take up lines of JSON: an export, or what another system has
  export  write everything as lines of JSON
  backup  copy the database, while a server may be writing to it
  demo    fill a small company into an empty database and print its tokens
  doctor  print the settings, and look whether a server could start with them

Each command has --help. Settings are environment variables; see the README.
Ends with 0 if all went well, with 1 if not, and with 2 if it was called wrongly.`;

const COMMANDS: ReadonlyMap<string, Command> = new Map(
  Object.entries({
    serve: SERVE,
    token: TOKEN,
    import: IMPORT,
    export: EXPORT,
    backup: BACKUP,
    demo: DEMO,
    doctor: DOCTOR,
  }),
);

const [name, ...args] = process.argv.slice(2);
try {
  const code = await run(name, args);
  if (code !== undefined) process.exitCode = code;
} catch (error) {
  console.error(told(error));
  process.exit(error instanceof UsageError || isValidation(error) ? 2 : 1);
}

async function run(name: string | undefined, args: readonly string[]): Promise<number | undefined> {
  if (name === undefined || name === "--help" || name === "-h") {
    console.log(HELP);
    return 0;
  }
  const command = COMMANDS.get(name);
  if (command === undefined)
    throw new UsageError(`Cannot run "${name}" as there is no such command\n\n${HELP}`);
  if (args.includes("--help") || args.includes("-h")) {
    console.log(command.help);
    return 0;
  }
  return command.run(given(name, command, args));
}

function given(name: string, { options, operands, help }: Command, args: readonly string[]): Given {
  const usage = help.split("\n", 1)[0];
  const loose = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const unknown = loose.tokens.flatMap((token) =>
    token.kind === "option" && options[token.name] === undefined ? token.rawName : [],
  );
  if (unknown.length > 0)
    throw new UsageError(`Cannot ${name} with ${unknown.join(" ")}: no such option\n\n${usage}`);
  const { values, positionals } = strictly(() =>
    parseArgs({ args: [...args], options, allowPositionals: true }),
  );
  const least = operands.filter((operand) => !operand.startsWith("[")).length;
  if (positionals.length < least || positionals.length > operands.length) {
    const what = operands.length === 0 ? "it takes options only" : `it takes ${operands.join(" ")}`;
    throw new UsageError(
      `Cannot run "${name}" with "${positionals.join(" ")}": ${what}\n\n${usage}`,
    );
  }
  // None of the options may be given several times.
  return { values: values as Given["values"], operands: positionals };
}

function strictly<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** What somebody reads who called it: every fault, no stack. */
function told(error: unknown): string {
  if (!(error instanceof CodedError)) return error instanceof Error ? error.message : String(error);
  const { message, details = [] } = error;
  if (details.length < 2) return message;
  return details.map(({ path, message: fault }) => `${path}: ${fault}`).join("\n");
}

function isValidation(error: unknown): boolean {
  return error instanceof CodedError && error.code === "SW_VALIDATION";
}
