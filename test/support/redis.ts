import { findRedis } from "../runtimes/databases.ts";
import { Child } from "./child.ts";
import { freePort } from "./port.ts";
import { outputOf } from "./process.ts";

/** The password of every test server. */
const PASSWORD = "candle-wax";

/**
 * Runs a server in memory and does what it is told to, a line each. It ends
 * with whoever holds the other end of its standard input, however that ends.
 */
const HOST = `
set -eu
redis=$1 port=$2
shift 2
pid=
begin() {
  "$redis" "$@" --port "$port" --bind 127.0.0.1 --save '' --appendonly no --requirepass '${PASSWORD}' \\
    --loglevel warning > /dev/null < /dev/null &
  pid=$!
  until "\${redis%server}cli" -p "$port" -a '${PASSWORD}' --no-auth-warning ping 2> /dev/null | grep -q PONG; do kill -0 "$pid" && sleep 0.02; done
}
end() { kill -CONT "$pid" 2> /dev/null || true; kill -9 "$pid" 2> /dev/null || true; wait "$pid" 2> /dev/null || true; }
trap end EXIT
begin "$@"
echo ready
while read -r action ms; do
  case $action in
    pass) "\${redis%server}cli" -p "$port" -a '${PASSWORD}' --no-auth-warning blpop nothing "$(awk "BEGIN { print $ms / 1000 }")" > /dev/null ;;
    stop) end ;;
    freeze) kill -STOP "$pid" ;;
    thaw) kill -CONT "$pid" ;;
    start) begin "$@" ;;
  esac
  echo "$action"
done
`;

/** A Redis server of this process's own, on 127.0.0.1, which keeps nothing and is gone when the process is. */
export class RedisServer implements AsyncDisposable {
  static #shared: Promise<RedisServer> | undefined;
  static #prefixes = 0;

  readonly port: number;
  readonly #tlsPort: number | undefined;
  readonly #host: Child;

  private constructor(host: Child, port: number, tlsPort?: number) {
    this.#host = host;
    this.port = port;
    this.#tlsPort = tlsPort;
  }

  /** The one that the tests of this process share: see {@link prefix}. */
  static shared(): Promise<RedisServer> {
    RedisServer.#shared ??= RedisServer.start();
    return RedisServer.#shared;
  }

  /** One of a test's own, that can be stopped. @param pair paths of a key and its certificate, to listen with TLS as well. */
  static async start(pair?: { key: string; certificate: string }): Promise<RedisServer> {
    const found = findRedis();
    if ("missing" in found) throw new Error(`Cannot start Redis: ${found.missing}`);
    const port = await freePort();
    const tls = pair && { ...pair, port: await freePort() };
    const more = tls === undefined ? [] : tlsOptions(tls);
    const command = ["/bin/sh", "-c", HOST, "sh", found.path, String(port), ...more];
    const host = new Child(command, { cwd: "/" });
    await host.line();
    return new RedisServer(host, port, tls?.port);
  }

  /** Where it is. */
  get url(): string {
    return `redis://:${PASSWORD}@127.0.0.1:${this.port}`;
  }

  /** Where it is with TLS, if it was started with a certificate. */
  get tlsUrl(): string {
    return `rediss://:${PASSWORD}@localhost:${this.#tlsPort}`;
  }

  /** What the keys of one test begin with. */
  prefix(): string {
    RedisServer.#prefixes += 1;
    return `test-${RedisServer.#prefixes}:`;
  }

  /** What a command answers, past the server under test. */
  command(...words: readonly string[]): Promise<string> {
    const cli = ["redis-cli", "-p", String(this.port), "-a", PASSWORD, "--no-auth-warning"];
    return outputOf([...cli, ...words]);
  }

  /** Resolves when so much time has passed on its clock, which nobody can move. */
  async pass(ms: number): Promise<void> {
    await this.#host.asked(`pass ${ms}`);
  }

  /** Kills it: what it held is lost. */
  async stop(): Promise<void> {
    await this.#host.asked("stop");
  }

  /** Lets it answer nothing, as a network that swallows everything. */
  async freeze(): Promise<void> {
    await this.#host.asked("freeze");
  }

  async thaw(): Promise<void> {
    await this.#host.asked("thaw");
  }

  /** Starts it empty. */
  async start(): Promise<void> {
    await this.#host.asked("start");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host[Symbol.asyncDispose]();
  }
}

function tlsOptions(tls: { key: string; certificate: string; port: number }): string[] {
  const files = { key: tls.key, cert: tls.certificate, "ca-cert": tls.certificate };
  const named = Object.entries(files).flatMap(([what, path]) => [`--tls-${what}-file`, path]);
  return ["--tls-port", String(tls.port), "--tls-auth-clients", "no", ...named];
}
