import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** What stands between a program and a server on 127.0.0.1, and can break off what they say to each other. */
export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut: (said: string) => boolean = () => false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(port: number): Promise<TcpProxy> {
    const server = createServer((near) => proxy.#join(near, connect(port, "127.0.0.1")));
    const proxy = new TcpProxy(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Breaks off every connection instead of delivering what the server says next that fits, this once. */
  cutOn(fits: (said: string) => boolean): void {
    this.#isCut = fits;
  }

  #join(near: Socket, far: Socket): void {
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on("error", () => undefined);
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.on("data", (data) => {
        if (from === far && this.#isCut(data.toString("latin1"))) this.#cut();
        else to.write(data);
      });
    }
  }

  #cut(): void {
    this.#isCut = () => false;
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
