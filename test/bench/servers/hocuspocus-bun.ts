/**
 * Hocuspocus on Bun. Its `Server` does not start there, so this is its class
 * with what little is between a socket of Bun and it: not as it is shipped, but
 * what can be said of the runtime alone.
 */
import { Hocuspocus } from "@hocuspocus/server";

const hocuspocus = new Hocuspocus({ quiet: true });

interface Peer {
  readonly request: Request;
  connection: ReturnType<Hocuspocus["handleConnection"]> | undefined;
}

const server = Bun.serve<Peer>({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, bun) {
    const isUp = bun.upgrade(request, { data: { request, connection: undefined } });
    return isUp ? undefined : new Response("Welcome to Hocuspocus!");
  },
  websocket: {
    open(socket) {
      const peer = {
        get readyState() {
          return socket.readyState;
        },
        send: (bytes: Uint8Array<ArrayBuffer>) => void socket.sendBinary(bytes),
        close: (code?: number, reason?: string) => socket.close(code, reason),
      };
      socket.data.connection = hocuspocus.handleConnection(peer, socket.data.request);
    },
    message({ data }, message) {
      if (typeof message !== "string") data.connection?.handleMessage(new Uint8Array(message));
    },
    close({ data }, code, reason) {
      data.connection?.handleClose({ code, reason });
    },
  },
});
console.log(`listening at ${server.url.href}`);
