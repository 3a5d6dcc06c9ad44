import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { freePort } from "../support/port.ts";
import { outputOf, temporaryFolder } from "../support/process.ts";

const CONFIGURATION = resolve(import.meta.dir, "../../deploy/nginx.conf");

/** nginx as `deploy/nginx.conf` has it, but for places, certificates and what a test says. */
export class Nginx implements AsyncDisposable {
  /** Where it listens. */
  readonly url: string;
  readonly #folder = temporaryFolder();
  readonly #nginx: readonly string[];

  private constructor(path: string, port: number) {
    this.url = `http://127.0.0.1:${port}`;
    const { path: folder } = this.#folder;
    this.#nginx = [path, "-p", folder, "-c", join(folder, "nginx.conf")];
  }

  /** Starts it before a server. @param changed what else is changed in the configuration. */
  static async start(
    path: string,
    upstream: string,
    changed: Readonly<Record<string, string>> = {},
  ): Promise<Nginx> {
    const proxy = new Nginx(path, await freePort());
    proxy.#write(upstream, changed);
    // It returns once it listens, and goes on by itself.
    await outputOf(proxy.#nginx);
    return proxy;
  }

  /** What it has logged: requests, and errors. */
  logged(): { requests: string; errors: string } {
    const read = (name: string): string => readFileSync(join(this.#folder.path, name), "utf8");
    return { requests: read("porchlight.log"), errors: read("porchlight.error.log") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await outputOf([...this.#nginx, "-s", "stop"]);
    this.#folder[Symbol.dispose]();
  }

  #write(upstream: string, changed: Readonly<Record<string, string>>): void {
    const { path } = this.#folder;
    let site = readFileSync(CONFIGURATION, "utf8");
    const all = {
      "127.0.0.1:8787": new URL(upstream).host,
      "listen 443 ssl": `listen ${new URL(this.url).host}`,
      "/var/log/nginx": path,
      ...changed,
    };
    for (const [from, to] of Object.entries(all)) {
      if (!site.includes(from)) throw new Error(`Cannot find "${from}" in ${CONFIGURATION}`);
      site = site.replaceAll(from, to);
    }
    mkdirSync(join(path, "temporary"));
    const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((each) => `${each}_temp_path ${path}/temporary/${each};`)
      .join("\n");
    const user = process.getuid?.() === 0 ? "user root;\n" : "";
    const main = `${user}pid ${path}/nginx.pid;\nerror_log ${path}/error.log;\nworker_processes 1;\nevents {}\n`;
    const http = `http {\n${places}\n${site.replaceAll(/^ *ssl_.*\n/gm, "")}}\n`;
    writeFileSync(join(path, "nginx.conf"), main + http);
  }
}
