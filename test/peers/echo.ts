import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate } from "y-protocols/awareness";
import { Doc } from "yjs";
import { MESSAGE } from "../support/yjs-wire.ts";
import { socketUrl } from "./client.ts";
import { addressed, tokenMessage } from "./intruder.ts";
import type { Door } from "./server.ts";

/**
 * A client that says again whatever it hears, as y-websocket does, and
 * Hocuspocus's own provider did up to 4.4; the same for every server.
 */
export class Echo implements Disposable {
  readonly awareness = new Awareness(new Doc());
  /** Messages about awareness that it has sent. */
  sent = 0;
  isClosed = false;
  readonly #door: Door;
  readonly #socket: WebSocket;

  constructor(door: Door) {
    this.#door = door;
    this.#socket = new WebSocket(door.speaks === "hocuspocus" ? door.url : socketUrl(door));
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.#begin();
    this.#socket.onmessage = ({ data }) => this.#hear(new Uint8Array(data as ArrayBuffer));
    this.#socket.onclose = () => {
      this.isClosed = true;
    };
    this.awareness.setLocalState({ user: { name: door.person }, draft: 0 });
    this.awareness.on("update", (changes: Record<string, number[]>) =>
      this.#tell(Object.values(changes).flat()),
    );
  }

  [Symbol.dispose](): void {
    this.awareness.destroy();
    this.#socket.close();
  }

  #begin(): void {
    if (this.#door.speaks === "hocuspocus") this.#send(tokenMessage());
    this.#tell([this.awareness.clientID]);
  }

  #hear(message: Uint8Array): void {
    const decoder = decoding.createDecoder(message);
    if (this.#door.speaks === "hocuspocus") decoding.readVarString(decoder);
    if (decoding.readVarUint(decoder) !== MESSAGE.awareness) return;
    applyAwarenessUpdate(this.awareness, decoding.readVarUint8Array(decoder), this);
  }

  #tell(ids: number[]): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.sent += 1;
    this.#send(
      encoding.encode((encoder) => {
        encoding.writeVarUint(encoder, MESSAGE.awareness);
        encoding.writeVarUint8Array(encoder, encodeAwarenessUpdate(this.awareness, ids));
      }),
    );
  }

  #send(message: Uint8Array): void {
    this.#socket.send(addressed(this.#door, message));
  }
}
