import { closeSync, fsyncSync, rmSync, writeSync } from "node:fs";
import { encodeLines } from "../ndjson.ts";
import { noSuch } from "../refusals.ts";
import {
  type Command,
  configOf,
  existing,
  FILE_OPTION,
  newFile,
  textOf,
  withStore,
} from "./command.ts";

/** `porchlight export` */
export const EXPORT: Command = {
  help: `Usage: porchlight export [FILE|-] [--tenant ID] [--file FILE]

Writes everything durable as lines of JSON, which import reads: tenants, people,
rooms, messages, preferences, and tokens as hashes. All of it is of one moment,
whatever a server that runs goes on to write.

  FILE|-       a file that must not exist yet, readable by you alone; - is
               standard output (default)
  --tenant ID  one tenant (default: all)
  --file FILE  the database (default: the configured one)`,
  options: { ...FILE_OPTION, tenant: { type: "string" } },
  operands: ["[FILE]"],
  run(given) {
    const [into = "-"] = given.operands;
    const tenant_id = textOf(given, "tenant");
    return withStore(existing(configOf(given)), async (store) => {
      if (tenant_id !== undefined && !(await store.hasTenant(tenant_id))) throw noSuch("tenant");
      await writeAll(into, store.exported(tenant_id));
      return 0;
    });
  },
};

/** Writes pages of lines, to the end or not at all. */
async function writeAll(
  into: string,
  pages: AsyncGenerator<readonly object[], void>,
): Promise<void> {
  if (into === "-") {
    for await (const lines of pages) await Bun.write(Bun.stdout, encodeLines(lines));
    return;
  }
  const file = newFile(into);
  try {
    for await (const lines of pages) writeWhole(file, encodeLines(lines));
    fsyncSync(file);
  } catch (error) {
    rmSync(into, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

function writeWhole(file: number, bytes: Uint8Array): void {
  for (let from = 0; from < bytes.byteLength; ) from += writeSync(file, bytes, from);
}
