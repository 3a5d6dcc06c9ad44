import { closeSync } from "node:fs";
import { withoutPassword } from "../database-url.ts";
import { backupStore } from "../main.ts";
import { type Command, configOf, existing, FILE_OPTION, newFile, UsageError } from "./command.ts";

/** `porchlight backup` */
export const BACKUP: Command = {
  help: `Usage: porchlight backup FILE [--file DATABASE]

Copies the database into FILE, while a server may go on writing to it: the copy
is of one moment, is checked, and is a database that can be served as it is.
PostgreSQL is backed up with pg_dump.

  FILE             the copy, which must not exist yet, readable by you alone
  --file DATABASE  the database (default: the configured one)`,
  options: FILE_OPTION,
  operands: ["FILE"],
  async run(given) {
    const config = existing(configOf(given));
    if (!config.databaseUrl.startsWith("sqlite:"))
      throw new UsageError(
        `Cannot back up "${withoutPassword(config.databaseUrl)}": PostgreSQL is backed up with pg_dump, while it is in use`,
      );
    const [into = ""] = given.operands;
    // Whoever else makes a file of this name from here on fails, not we.
    closeSync(newFile(into));
    const bytes = backupStore(config.databaseUrl, into);
    console.log(`Copied ${bytes} bytes into "${into}"`);
    return 0;
  },
};
