import { type Clock, systemClock } from "./clock.ts";

/** What is used of the answer of a {@link Runtime.fetch}. */
export interface FetchAnswer {
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
}

/** What is used of a WebSocket. */
export interface Socket {
  addEventListener(
    type: "close",
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
  addEventListener(type: "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

/** Everything a client takes from the runtime it is in. Each part can be replaced. */
export interface Runtime {
  readonly fetch: (
    url: string,
    init: {
      readonly method: string;
      readonly headers: Record<string, string>;
      readonly body?: string;
      readonly signal: AbortSignal;
    },
  ) => Promise<FetchAnswer>;
  readonly WebSocket: new (url: string, protocols: string[]) => Socket;
  readonly clock: Clock;
  /** At least 0 and less than 1. */
  readonly random: () => number;
  /** Takes what a listener of the app has thrown. By default it becomes an unhandled rejection. */
  readonly report: (error: unknown) => void;
}

/** The web-standard `fetch`, `WebSocket` and timers of the runtime, as far as `replaced` does not say otherwise. */
export function webRuntime(replaced: Partial<Runtime> = {}): Runtime {
  return {
    fetch: (url, init) => fetch(url, init),
    WebSocket: globalThis.WebSocket,
    clock: systemClock(),
    random: () => Math.random(),
    report: (error) => void Promise.reject(error),
    ...replaced,
  };
}
