import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { freePort } from "../support/port.ts";
import { outputOf, temporaryFolder } from "../support/process.ts";

const FOLDER = resolve(import.meta.dir, "../../deploy");

/** nginx as a file in `deploy` has it, but for places, certificates and what a test says. */
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
    return Nginx.#start(path, "nginx.conf", (url) => ({
      "127.0.0.1:8787": new URL(upstream).host,
      "listen 443 ssl": `listen ${new URL(url).host}`,
      ...changed,
    }));
  }

  /** Starts it before three nodes. */
  static async startNodes(path: string, nodes: readonly string[]): Promise<Nginx> {
    const hosts = nodes.map((node, index) => [`node-${index + 1}:8787`, new URL(node).host]);
    return Nginx.#start(path, "nginx-nodes.conf", (url) => ({
      ...Object.fromEntries(hosts),
      "listen 80": `listen ${new URL(url).host}`,
    }));
  }

  static async #start(
    path: string,
    file: string,
    changes: (url: string) => Readonly<Record<string, string>>,
  ): Promise<Nginx> {
    const proxy = new Nginx(path, await freePort());
    proxy.#write(file, changes(proxy.url));
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

  #write(file: string, changed: Readonly<Record<string, string>>): void {
    const { path } = this.#folder;
    let site = readFileSync(join(FOLDER, file), "utf8");
    for (const [from, to] of Object.entries({ "/var/log/nginx": path, ...changed })) {
      if (!site.includes(from)) throw new Error(`Cannot find "${from}" in ${file}`);
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
