import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { temporaryFolder } from "../support/process.ts";
import { ADMIN_TOKEN } from "../support/server.ts";

const ROOT = resolve(import.meta.dir, "../..");
/** `CLK_TCK` of every Linux that Bun runs on. */
const TICKS_PER_SECOND = 100;
/** Servers have a processor of their own, and whoever asks them has another. */
const CAN_PIN = availableParallelism() > 1 && Bun.which("taskset") !== null;

/** A server that is measured: a process of its own on a processor of its own, gone with whoever started it. */
export class Subject implements AsyncDisposable {
  readonly url: string;
  readonly #child: Bun.Subprocess<"ignore", "pipe", "inherit">;
  readonly #after: () => void;

  private constructor(
    url: string,
    child: Bun.Subprocess<"ignore", "pipe", "inherit">,
    after: () => void,
  ) {
    this.url = url;
    this.#child = child;
    this.#after = after;
  }

  /** Starts a command that prints `listening at <url>`, or what `pattern` captures a URL from, on standard output. */
  static async start(
    command: readonly string[],
    {
      env = {},
      pattern = /^listening at (\S+)/m,
      after = () => undefined,
    }: {
      readonly env?: Readonly<Record<string, string>>;
      readonly pattern?: RegExp;
      readonly after?: () => void;
    } = {},
  ): Promise<Subject> {
    const pinned = CAN_PIN ? ["taskset", "--cpu-list", "0"] : [];
    const child = Bun.spawn([...pinned, "setpriv", "--pdeathsig", "KILL", ...command], {
      cwd: ROOT,
      env: { ...process.env, NODE_ENV: "production", ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    let said = "";
    const reader = child.stdout.getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      said += new TextDecoder().decode(chunk.value);
      const url = pattern.exec(said)?.[1];
      if (url === undefined) continue;
      void drain(reader);
      return new Subject(url, child, after);
    }
    throw new Error(`Cannot start "${command.join(" ")}": ${said}`);
  }

  /** A program of `test/bench/servers`, on Bun. */
  static bare(file: string, env: Readonly<Record<string, string>> = {}): Promise<Subject> {
    return Subject.start([process.execPath, join(import.meta.dir, "servers", file)], { env });
  }

  /**
   * The app as it is shipped, with its database in a file, authentication, limits, logs and metrics.
   * @param command what runs it; from source by default.
   */
  static porchlight(
    env: Readonly<Record<string, string>> = {},
    command: readonly string[] = [process.execPath, join(ROOT, "server/cli.ts")],
  ): Promise<Subject> {
    const folder = temporaryFolder();
    // Lines of log go to standard error, which is read here as whoever runs it would.
    return Subject.start(["/bin/sh", "-c", 'exec "$0" "$@" 2>&1', ...command, "serve"], {
      env: {
        PORCHLIGHT_PORT: "0",
        PORCHLIGHT_DATABASE_URL: `sqlite:${join(folder.path, "bench.db")}`,
        PORCHLIGHT_ADMIN_TOKEN: ADMIN_TOKEN,
        PORCHLIGHT_RATE_LIMIT: "0",
        ...env,
      },
      pattern: /"event":"server.listening","url":"([^"]+)"/,
      after: () => folder[Symbol.dispose](),
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** How much time of a processor the process has taken so far, in microseconds, in steps of 10,000. */
  get cpuMicros(): number {
    return cpuMicrosOf(this.#child.pid);
  }

  /** What of its memory is resident, in KiB. */
  get residentKib(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    this.#after();
  }
}

/** Keeps whoever asks off the processor of the servers. */
export function pinGenerator(): void {
  pinTo(1);
}

/** Starts servers by what does not know of processors: they take over where this process is meanwhile. */
export async function besideServers<T>(start: () => Promise<T>): Promise<T> {
  pinTo(0);
  try {
    return await start();
  } finally {
    pinGenerator();
  }
}

function pinTo(processor: 0 | 1): void {
  if (CAN_PIN)
    Bun.spawnSync([
      "taskset",
      "--all-tasks",
      "--cpu-list",
      "--pid",
      `${processor}`,
      `${process.pid}`,
    ]);
}

/** How much time of a processor a process has taken, with all of its threads; by default this one. */
export function cpuMicrosOf(pid: number | "self" = "self"): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name of the program is in brackets, and may have anything in it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / TICKS_PER_SECOND;
}

/** What the kernel keeps for sockets and all else, in KiB. */
export function slabKib(): number {
  return Number(/^Slab:\s+(\d+) kB/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]);
}

/** What a run took place on. */
export function machine(): string {
  const model = /^model name\s+: (.+)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1];
  const pinned = CAN_PIN ? "server on processor 0, generator on 1" : "nothing pinned";
  return `Bun ${Bun.version}, ${process.platform} ${process.arch}, ${availableParallelism()} × ${model ?? "processor"}, ${pinned}, loopback, no compression`;
}

/** Takes what is printed, so that nobody waits for somebody to read it. */
async function drain(reader: { readonly read: () => Promise<{ readonly done: boolean }> }) {
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read());
}
