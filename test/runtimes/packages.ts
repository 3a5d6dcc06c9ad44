const INSTALL_MS = 300_000;

/** Whether packages of Debian can be installed here: as root, where there is `apt-get`. */
export function mayInstallPackages(): boolean {
  return process.getuid?.() === 0 && Bun.which("apt-get") !== null;
}

/** Installs a package of Debian, where that is possible. */
export async function installPackage(name: string): Promise<void> {
  if (!mayInstallPackages()) return;
  await attempt(["apt-get", "update", "-qq"]);
  await attempt(["apt-get", "install", "-qq", "-y", "-o", "DPkg::Lock::Timeout=120", name]);
}

/** Runs one step of an installation. One that fails says so and keeps nobody from trying the next. */
export async function attempt(command: string[]): Promise<void> {
  console.log(`+ ${command.join(" ")}`);
  const child = Bun.spawn(command, {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
    timeout: INSTALL_MS,
  });
  if ((await child.exited) !== 0) console.log(`"${command[0]}" ended with ${child.exitCode}`);
}
