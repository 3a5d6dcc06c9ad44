/** What the page and the stand-in hear each other by. Both take what is said as JSON: see {@link written}. */
export const TO_MAIN = "__electron_to_main";
export const FROM_MAIN = "__electron_from_main";

/** A list of values as one text. Playwright copies values one by one, which takes long for many. */
export function written(values: readonly unknown[]): string {
  return JSON.stringify(values.map((value) => (value === undefined ? {} : { value })));
}

/** The list that was written. */
export function read(text: string): unknown[] {
  return (JSON.parse(text) as { value?: unknown }[]).map(({ value }) => value);
}

/** What a preload is told of its window. */
interface PreloadOptions {
  readonly argv: readonly string[];
  readonly platform: string;
}

/**
 * The script that runs a preload in the main frame of a page before anything
 * else does. The preload has to be one file of CommonJS, as in the sandbox.
 */
export function preloadScript(code: string, options: PreloadOptions): string {
  const names = JSON.stringify({ ...options, toMain: TO_MAIN, fromMain: FROM_MAIN });
  return `if (window === window.top) (${runPreload})(${names}, ${written}, ${read}, (require, process, module, exports) => {${code}\n});`;
}

/** Runs in the page: it can refer to nothing outside of itself. */
function runPreload(
  options: { argv: readonly string[]; platform: string; toMain: string; fromMain: string },
  write: typeof written,
  parse: typeof read,
  preload: (require: unknown, process: unknown, module: unknown, exports: unknown) => void,
): void {
  type Listener = (event: unknown, ...said: unknown[]) => void;
  type ToMain = (kind: string, channel: string, said: string) => Promise<string>;
  const page = globalThis as unknown as Record<string, unknown>;
  const toMain = page[options.toMain] as ToMain;
  const listeners = new Map<string, Listener[]>();

  const copies = (value: unknown): unknown => {
    if (typeof value === "function")
      return (...given: unknown[]) => copies(value(...given.map(copies)));
    if (value instanceof Promise) return value.then(copies);
    if (typeof value !== "object" || value === null || !hasFunctions(value))
      return structuredClone(value);
    const entries = Object.entries(value).map(([key, each]) => [key, copies(each)] as const);
    return Object.freeze(
      Array.isArray(value) ? entries.map(([, each]) => each) : Object.fromEntries(entries),
    );
  };
  const hasFunctions = (value: unknown): boolean =>
    typeof value === "function" ||
    value instanceof Promise ||
    (typeof value === "object" && value !== null && Object.values(value).some(hasFunctions));

  const remove = (channel: string, listener: Listener): void => {
    const left = (listeners.get(channel) ?? []).filter((each) => each !== listener);
    listeners.set(channel, left);
  };
  const ipcRenderer = {
    invoke: async (channel: string, ...said: unknown[]): Promise<unknown> => {
      const answer = await toMain("invoke", channel, write(structuredClone(said)));
      const [error, value] = parse(answer);
      if (error === undefined) return value;
      throw new Error(`Error invoking remote method '${channel}': ${error}`);
    },
    send: (channel: string, ...said: unknown[]): void =>
      void toMain("send", channel, write(structuredClone(said))),
    on: (channel: string, listener: Listener): void =>
      void listeners.set(channel, [...(listeners.get(channel) ?? []), listener]),
    off: remove,
    removeListener: remove,
  };
  const contextBridge = {
    exposeInMainWorld: (key: string, api: unknown): void => {
      Object.defineProperty(globalThis, key, { value: copies(api), enumerable: true });
    },
  };
  Object.defineProperty(globalThis, options.fromMain, {
    value: (channel: string, said: string) => {
      for (const listener of listeners.get(channel) ?? []) listener({}, ...parse(said));
    },
  });
  const required = (name: string): unknown => {
    if (name !== "electron") throw new Error(`module not found: ${name}`);
    return { contextBridge, ipcRenderer };
  };
  const { argv, platform } = options;
  const process = {
    argv,
    platform,
    env: {},
    type: "renderer",
    sandboxed: true,
    contextIsolated: true,
  };
  const module = { exports: {} };
  preload(required, process, module, module.exports);
}
