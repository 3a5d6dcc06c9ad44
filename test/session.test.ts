import { describe, expect, test } from "bun:test";
import { cpSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { Child } from "./support/child.ts";
import { freePort } from "./support/port.ts";
import { pathWithBun, temporaryFolder } from "./support/process.ts";

const ROOT = resolve(import.meta.dir, "..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");
/** What is not in a download. */
const LEFT_OUT = ["node_modules", "dist", "coverage", ".git", ".demo"];

/** What the README has somebody type who starts a server of their own, a block each. */
function session(): string[] {
  const section = README.split("## A server of your own\n")[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block]) => block ?? "");
}

/** A shell into which lines are typed, and which shows what they print. */
class Terminal implements AsyncDisposable {
  readonly #shell: Child;

  constructor(options: { cwd: string; env: Readonly<Record<string, string>> }) {
    this.#shell = new Child(["sh"], options);
    // As at a terminal, where what is printed to either is seen, and an answer is on a line of its own.
    this.#shell.tell(`exec 2>&1; curl() { command curl -sS -w '\\n' "$@"; }`);
  }

  /** Types a line, and returns once it has printed what the comment behind it says. */
  async type(line: string): Promise<void> {
    const [, said] = / {2}# (.+)$/.exec(line) ?? [];
    this.#shell.tell(line);
    if (said !== undefined) await this.shows(said);
  }

  /** Returns once a line shows this. */
  shows(text: string): Promise<void> {
    return this.#shell.printed((line) => line.includes(text));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#shell.kill();
  }
}

describe("a server of one's own, as the README has it,", () => {
  test("is started from a download, and shows a second person what the first one does", async () => {
    using folder = temporaryFolder();
    const cwd = join(folder.path, "porchlight");
    cpSync(ROOT, cwd, { recursive: true, filter: (path) => !LEFT_OUT.includes(basename(path)) });
    const port = await freePort();
    const env = { PATH: pathWithBun(folder.path), PORCHLIGHT_PORT: String(port) };
    const [start = "", ...blocks] = session().map((block) =>
      block.replaceAll("8787", String(port)),
    );
    expect(blocks).toHaveLength(3);

    await using first = new Terminal({ cwd, env });
    await first.type(start.trimEnd());
    await first.shows("server.listening");
    await using second = new Terminal({ cwd, env });
    for (const line of blocks.join("").trimEnd().split("\n")) {
      await second.type(line);
      // Whoever types is slower than a stream that opens.
      if (line.endsWith("&")) await second.shows('"type":"hello"');
    }
  }, 60_000);
});
