import { existsSync, statSync } from "node:fs";
import { importLines } from "../import.ts";
import { type Command, configOf, FILE_OPTION, textOf, UsageError, withStore } from "./command.ts";

/** `porchlight import` */
export const IMPORT: Command = {
  help: `Usage: porchlight import FILE|- [--tenant ID] [--file FILE]

Takes up the lines of an export, or lines of your own, in order: a line that is
faulty is reported, and the rest goes on. The report is lines of JSON, the last
of which has the counts. Taking the same lines up again changes nothing.

A server that runs on the same database does not tell its clients what is
imported here: let it do it, with POST /v1/admin/import.

  FILE|-       the lines; - is standard input
  --tenant ID  the tenant of lines that name none
  --file FILE  the database (default: the configured one), made if there is none`,
  options: { ...FILE_OPTION, tenant: { type: "string" } },
  operands: ["FILE"],
  async run(given) {
    const bytes = bytesOf(given.operands[0] ?? "-");
    return withStore(configOf(given), async (store, now) => {
      const to = {
        store,
        now,
        // Nobody is connected here; a server reads at its start what was set by hand, and what is due.
        liveness: { introduce: () => undefined, choose: () => undefined },
        snoozes: { set: () => undefined },
        failed: (error: unknown) => console.error(error),
      };
      const scope = { only: undefined, usual: textOf(given, "tenant") };
      let refused = 0;
      for await (const line of importLines(bytes, to, scope)) {
        console.log(JSON.stringify(line));
        if ("data" in line) refused = line.data.refused;
      }
      return refused === 0 ? 0 : 1;
    });
  },
};

function bytesOf(from: string): AsyncIterable<Uint8Array> {
  if (from === "-") return Bun.stdin.stream();
  if (!existsSync(from)) throw new UsageError(`Cannot import "${from}" as there is no such file`);
  if (statSync(from).isDirectory())
    throw new UsageError(`Cannot import "${from}" as it is a folder`);
  return Bun.file(from).stream();
}
