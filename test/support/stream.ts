import type { ClientFrame, ServerFrame } from "@porchlight/core";
import { Arrivals } from "./arrivals.ts";

/** What a stream was closed with. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** A frame as a test looks at it. */
export type Frame = ServerFrame & { readonly [key: string]: unknown };

/** A room that is in no tenant. */
const NOWHERE = "a-room-that-is-nowhere";

/** A client of the event stream, on a real WebSocket. */
export class StreamClient {
  readonly #socket: WebSocket;
  readonly #frames = new Arrivals<Frame>();
  /** Resolves once the stream is closed. */
  readonly closed: Promise<Closed>;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#frames.add(JSON.parse(String(data)));
    this.closed = new Promise((resolve) => {
      socket.onclose = ({ code, reason }) => {
        this.#frames.end();
        resolve({ code, reason });
      };
    });
  }

  /** Opens a stream. Resolves when it is open, or closed again. */
  static async open(url: string, protocols: string[] = []): Promise<StreamClient> {
    const socket = new WebSocket(url, protocols);
    const client = new StreamClient(socket);
    await Promise.race([
      new Promise((resolve) => socket.addEventListener("open", resolve)),
      client.closed,
    ]);
    return client;
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  /** The next frame that was not taken yet and fits; those before it are taken with it. */
  async next(fits: (frame: Frame) => boolean = () => true): Promise<Frame> {
    const frame = await this.#frames.until((frames) => {
      const index = frames.findIndex(fits);
      return index < 0 ? undefined : frames.splice(0, index + 1).at(-1);
    });
    if (frame === undefined) throw new Error("Cannot wait for a frame as the stream is closed");
    return frame;
  }

  /** The next frame of a type. */
  type(type: string): Promise<Frame> {
    return this.next((frame) => frame.type === type);
  }

  /** Everything that the server has said until now and that was not taken yet. */
  async heard(): Promise<Frame[]> {
    // Frames come in order: the answer to a question comes after whatever was said before it.
    this.send({ type: "typing", room_id: NOWHERE, typing: false });
    const heard = await this.#frames.until((frames) => {
      const end = frames.findIndex(
        ({ code, ref }) => code === "SW_ROOM_NOT_FOUND" && ref === "typing",
      );
      return end < 0 ? undefined : frames.splice(0, end + 1).slice(0, -1);
    });
    return heard ?? this.#frames.items.splice(0);
  }

  /** Everything that has arrived until now and was not taken yet. */
  taken(): Frame[] {
    return this.#frames.items.splice(0);
  }

  send(frame: ClientFrame): void {
    this.sendText(JSON.stringify(frame));
  }

  sendText(text: string): void {
    this.#socket.send(text);
  }

  /** Closes in order. */
  async close(code?: number): Promise<Closed> {
    this.#socket.close(code);
    return this.closed;
  }

  /** Cuts the connection without a word. */
  cut(): void {
    (this.#socket as WebSocket & { terminate(): void }).terminate();
  }
}
