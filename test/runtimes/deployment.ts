import type { Found } from "./binaries.ts";
import { installPackage } from "./packages.ts";

/** Where Debian keeps what servers need, which need not be on the PATH of who is not root. */
const PLACES = [process.env.PATH, "/usr/sbin", "/usr/local/sbin"].join(":");

/** The machine's nginx. */
export function findNginx(): Found {
  return find("nginx");
}

/** The program of systemd that looks at units. */
export function findSystemdAnalyze(): Found {
  return find("systemd-analyze");
}

/** Installs what the tests of deployment need and is not there: as root, from the packages of Debian. */
export async function installDeployment(): Promise<void> {
  if ("missing" in findNginx()) await installPackage("nginx-light");
  if ("missing" in findSystemdAnalyze()) await installPackage("systemd");
}

function find(command: string): Found {
  const path = Bun.which(command, { PATH: PLACES });
  return path === null ? { missing: `there is no ${command} on the PATH` } : { path };
}
