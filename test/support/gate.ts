import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A way to a server that the test can close, and on which connections can break off, or die without a word. */
export class Gate implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: string | undefined;
  #isCut: (said: string) => boolean = () => false;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** A gate to a server. */
  static async to(target: string): Promise<Gate> {
    let gate: Gate | undefined;
    const server = createServer((socket) => gate?.pass(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    gate = new Gate(server);
    gate.#target = target;
    return gate;
  }

  /** Nobody gets through, and whoever was through is cut off. */
  shut(): void {
    this.#target = undefined;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Whoever comes from now on gets through to this server. */
  open(target: string): void {
    this.#target = target;
  }

  /** On the connections that there are nothing arrives any more, and nobody is told. New ones are as good as ever. */
  deaden(): void {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** Breaks off every connection instead of delivering what the server says next that fits, this once. */
  cutOn(fits: (said: string) => boolean): void {
    this.#isCut = fits;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.shut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** Lets a connection through. */
  pass(near: Socket): void {
    if (this.#target === undefined) {
      near.destroy();
      return;
    }
    const { hostname, port } = new URL(this.#target);
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    // Heard before it is passed on.
    far.on("data", (data) => this.#listen(data.toString("latin1")));
    near.pipe(far);
    far.pipe(near);
  }

  #listen(said: string): void {
    if (!this.#isCut(said)) return;
    this.#isCut = () => false;
    for (const socket of this.#sockets) socket.destroy();
  }
}
