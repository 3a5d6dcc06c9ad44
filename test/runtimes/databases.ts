import { dirname } from "node:path";
import { Glob } from "bun";
import type { Found } from "./binaries.ts";
import { installPackage } from "./packages.ts";

/** The folder of the programs of PostgreSQL: Debian keeps those of each version in one that is not on the PATH. */
export function findPostgres(): Found {
  const [newest] = [...new Glob("/usr/lib/postgresql/*/bin/initdb").scanSync("/")].sort((a, b) =>
    b.localeCompare(a, "en", { numeric: true }),
  );
  const initdb = newest ?? Bun.which("initdb");
  return initdb === null
    ? { missing: "there is no initdb of PostgreSQL on the PATH" }
    : { path: dirname(initdb) };
}

/** The machine's Redis, or what takes its place. */
export function findRedis(): Found {
  const path = Bun.which("redis-server") ?? Bun.which("valkey-server");
  return path === null ? { missing: "there is no redis-server on the PATH" } : { path };
}

/** Installs what the tests of several nodes need and is not there: as root, from the packages of Debian. */
export async function installDatabases(): Promise<void> {
  if ("missing" in findPostgres()) await installPackage("postgresql");
  if ("missing" in findRedis()) await installPackage("redis-server");
}
