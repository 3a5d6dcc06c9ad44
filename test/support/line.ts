import { type PresenceFrame, presenceFrame, type ServerFrame } from "@porchlight/core";
import { Connection, type ConnectionOptions, type ConnectionState } from "@porchlight/core/client";
import { SERVER_URL, TestRuntime } from "./client-runtime.ts";
import { turn } from "./clock.ts";

/** A connection of Ann's laptop, and everything it has told. */
export class Line {
  readonly runtime = new TestRuntime();
  readonly states: ConnectionState[] = [];
  readonly frames: ServerFrame[] = [];
  readonly connection: Connection;

  constructor(given: Partial<ConnectionOptions> = {}) {
    this.connection = new Connection({
      url: SERVER_URL,
      token: "secret",
      device_id: "laptop",
      instance: "tab-1",
      runtime: this.runtime,
      activity: () => ({ state: "online", idle_for_ms: 0 }),
      since: () => undefined,
      prepare: async () => undefined,
      onState: (state) => void this.states.push(state),
      onFrame: (frame) => void this.frames.push(frame),
      ...given,
    });
  }

  /** A line whose socket is being opened. */
  static async connecting(given: Partial<ConnectionOptions> = {}): Promise<Line> {
    const line = new Line(given);
    line.connection.open();
    await turn();
    return line;
  }

  /** A line that the server has greeted. */
  static async open(given: Partial<ConnectionOptions> = {}): Promise<Line> {
    const line = await Line.connecting(given);
    line.runtime.socket.hello();
    return line;
  }

  get status(): ConnectionState["status"] {
    return this.connection.state.status;
  }

  /** How long it waits; a failure when it does not. */
  get delayMs(): number {
    const { state } = this.connection;
    if (state.status !== "waiting") throw new Error(`Cannot read a delay while ${state.status}`);
    return state.retryAt - this.runtime.clock.wall();
  }

  /** Lets time pass, while the server answers every heartbeat. */
  async answered(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1_000) {
      const { socket } = this.runtime;
      const before = socket.sent.length;
      await this.runtime.clock.advance(Math.min(1_000, ms - passed));
      if (socket.sent.length > before) socket.say({ type: "heartbeat", ts: "" });
    }
  }

  /** The connection is lost `times` times, before any hello, and tried again each time but the last. */
  async fail(times: number): Promise<void> {
    this.runtime.socket.end();
    if (times === 1) return;
    await this.runtime.clock.advance(this.delayMs);
    await this.fail(times - 1);
  }
}

/** Somebody's state, told by the server. */
export function told(participantId = "bob"): PresenceFrame {
  return presenceFrame("acme", participantId, "idle", "2026-03-02T09:00:00.000Z");
}
