import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dir, "../..");
const CLI = join(ROOT, "server/cli.ts");

/** The server as a process of its own, on the real clock. */
export class ServerProcess {
  readonly url: string;
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;

  private constructor(url: string, child: Bun.Subprocess<"ignore", "pipe", "pipe">) {
    this.url = url;
    this.#child = child;
  }

  /**
   * Starts `porchlight` with these arguments, and returns once it listens.
   * @param options.program a program to run in its place, in a folder and with
   * no environment but what is named.
   */
  static async start(
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    options: { readonly program?: string; readonly cwd?: string } = {},
  ): Promise<ServerProcess> {
    const { program, cwd = process.cwd() } = options;
    const command = program === undefined ? [process.execPath, CLI] : [program];
    const inherited = program === undefined ? process.env : {};
    const child = Bun.spawn([...command, ...args], {
      cwd,
      env: { ...inherited, PORCHLIGHT_PORT: "0", ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    let said = "";
    const decoder = new TextDecoder();
    const reader = child.stderr.getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      said += decoder.decode(chunk.value, { stream: true });
      const url = /"event":"server.listening","url":"([^"]+)"/.exec(said)?.[1];
      if (url === undefined) continue;
      reader.releaseLock();
      return new ServerProcess(url, child);
    }
    throw new Error(`Cannot start the server: ${said}`);
  }

  /** What the process has printed, up to the first place where `end` stands. */
  async printed(end: string): Promise<string> {
    let said = "";
    for await (const chunk of this.#child.stdout) {
      said += new TextDecoder().decode(chunk);
      if (said.includes(end)) break;
    }
    return said;
  }

  /** Ends the process with a signal, and answers its exit code, or undefined when the signal killed it. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number | undefined> {
    this.#child.kill(signal);
    await this.#child.exited;
    return this.#child.exitCode ?? undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) await this.end("SIGKILL");
  }
}

/** A folder that is gone when its user is done. */
export function temporaryFolder(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), "porchlight-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A PATH on which `bun` is the one that runs the tests, whatever its file is called. @param folder where it is linked. */
export function pathWithBun(folder: string): string {
  const bin = join(folder, "bin-of-bun");
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, "bun"));
  return `${bin}:${process.env.PATH}`;
}

/**
 * What a command prints to standard output, and to standard error as well where
 * `stderr` says so. Rejects with the latter when the command fails.
 */
export async function outputOf(
  command: readonly string[],
  options: {
    /** Default: the root of the repository. */
    readonly cwd?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly stderr?: "kept";
  } = {},
): Promise<string> {
  const child = Bun.spawn([...command], {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0)
    throw new Error(`Cannot run "${command.join(" ")}": ${error}${out}`);
  return options.stderr === "kept" ? error + out : out;
}
