import { join } from "node:path";

const PRELOADED = join(import.meta.dir, "servers/collector.ts");

/** A way to ask a server of another process for a collection: see `servers/collector.ts`. */
export class Collection {
  /** What the server is to be started with. */
  readonly env: Readonly<Record<string, string>>;
  readonly #path: string;

  /** @param folder where the two processes meet. */
  constructor(folder: string) {
    this.#path = join(folder, `collector-${crypto.randomUUID()}`);
    this.env = { BUN_OPTIONS: `--preload=${PRELOADED}`, BENCH_COLLECTOR: this.#path };
  }

  /** Resolves when everything that nobody needs any more is gone. */
  async collect(): Promise<void> {
    const response = await fetch("http://collector/", { unix: this.#path });
    if (!response.ok) throw new Error(`Cannot collect: ${await response.text()}`);
  }
}
