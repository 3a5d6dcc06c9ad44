import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

/** A small file of JSON that is replaced whole or not at all, and is nobody else's to read. */
export class KeptFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** What was kept last; nothing where nothing was, or where it cannot be read. */
  read(): unknown {
    try {
      return JSON.parse(readFileSync(this.#path, "utf8"));
    } catch {
      // A file that is damaged is worth as much as none.
      return undefined;
    }
  }

  /** Replaces what was kept. */
  write(value: unknown): void {
    const part = `${this.#path}.part`;
    writeFileSync(part, JSON.stringify(value), { mode: 0o600, flush: true });
    renameSync(part, this.#path);
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}
