import type { Subprocess } from "bun";
import { Arrivals } from "./arrivals.ts";

/** A process of a test, killed when the test is over. What it prints arrives line by line. */
export class Child implements AsyncDisposable {
  readonly #process: Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines = new Arrivals<string>();
  readonly #read: Promise<void>;

  /** Runs a script of the tests with Bun. */
  static script(name: string, ...args: readonly string[]): Child {
    return new Child([process.execPath, `${import.meta.dir}/${name}`, ...args]);
  }

  /** Everything that it has started itself is killed with it. */
  constructor(
    command: readonly string[],
    options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
  ) {
    this.#process = Bun.spawn([...command], {
      cwd: options.cwd ?? process.cwd(),
      detached: true,
      env: { ...process.env, ...options.env },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#read = this.#follow();
  }

  /** Everything it has printed so far. */
  get lines(): readonly string[] {
    return this.#lines.items;
  }

  /** Writes a line to its standard input. */
  tell(line: string): void {
    this.#process.stdin.write(`${line}\n`);
    this.#process.stdin.flush();
  }

  /** The next line that it prints, taken. */
  async line(): Promise<string> {
    const line = await this.#lines.until((lines) => lines.shift());
    if (line === undefined) throw new Error("Cannot read a line as the process has ended");
    return line;
  }

  /** What it prints next, once it was told something. */
  asked(line: string): Promise<string> {
    this.tell(line);
    return this.line();
  }

  /** Resolves as soon as it has printed a line that fits for the `count`th time. */
  async printed(fits: (line: string) => boolean, count = 1): Promise<void> {
    const found = await this.#lines.until((lines) =>
      lines.filter(fits).length >= count ? true : undefined,
    );
    if (found === undefined) throw new Error("Cannot wait for a line as the process has ended");
  }

  /** Ends it at once, as a power cut would, and reads what it had printed. */
  async kill(): Promise<void> {
    const { exitCode, signalCode, pid } = this.#process;
    if (exitCode === null && signalCode === null) process.kill(-pid, "SIGKILL");
    await this.#process.exited;
    await this.#read;
  }

  /** Asks it to end, and answers its exit code, or null when the signal ended it. */
  async end(signal: "SIGTERM"): Promise<number | null> {
    this.#process.kill(signal);
    await this.#process.exited;
    await this.#read;
    return this.#process.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #follow(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of this.#process.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#lines.add(line);
    }
    this.#lines.end();
  }
}
