import { join } from "node:path";
import type { Probe } from "./servers/prober.ts";

/** Somebody who asks by requests, from a process of its own: see `servers/prober.ts`. */
export class Probing implements AsyncDisposable {
  readonly #child: Bun.Subprocess;
  #said = Promise.withResolvers<unknown>();

  private constructor(probe: Probe) {
    const program = join(import.meta.dir, "servers/prober.ts");
    this.#child = Bun.spawn(
      ["setpriv", "--pdeathsig", "KILL", process.execPath, program, JSON.stringify(probe)],
      { stdout: "inherit", stderr: "inherit", ipc: (said) => this.#said.resolve(said) },
    );
    void this.#child.exited.then(() =>
      this.#said.reject(new Error("Cannot go on as whoever asks is gone")),
    );
  }

  /** Resolves when its connections are open. */
  static async start(probe: Probe): Promise<Probing> {
    const probing = new Probing(probe);
    await probing.#said.promise;
    return probing;
  }

  /** Asks from now on. */
  begin(): void {
    this.#said = Promise.withResolvers();
    this.#child.send(true);
  }

  /** How long each request took, in milliseconds, once all of them are answered. */
  async end(): Promise<readonly number[]> {
    this.#child.send(false);
    return (await this.#said.promise) as readonly number[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Whether it says anything more does not matter any more.
    this.#said.promise.catch(() => undefined);
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}
