import { type AnyElysia, Elysia } from "elysia";
import { createElse, createRoutes, type WebsocketOptions, websocketOptions } from "./app.ts";
import type { Deps } from "./deps.ts";

/** What `use` of an Elysia app takes. */
export type Plugin = (host: AnyElysia) => Elysia;

type Handler = (context: Record<string, unknown>) => unknown;

/** Requests that have come and are not answered yet. */
export class Running {
  #count = 0;
  #finished: () => void = () => undefined;

  /** Counts a request for as long as it takes to answer it. */
  async during<T>(answer: () => T | Promise<T>): Promise<T> {
    this.#count += 1;
    try {
      return await answer();
    } finally {
      this.#count -= 1;
      if (this.#count === 0) this.#finished();
    }
  }

  /** Resolves once there are none. */
  finished(): Promise<void> {
    return new Promise((resolve) => {
      this.#finished = resolve;
      if (this.#count === 0) resolve();
    });
  }
}

/**
 * Every endpoint, for an app of somebody else. Whatever else is asked for
 * below `/v1/` is answered by the plugin, the rest and all errors by the app.
 */
export function createPlugin(
  deps: Deps,
  { running, stop }: { running: Running; stop: () => Promise<void> },
): Plugin {
  const { shell } = deps;
  const routes = createRoutes(deps);
  const answerElse = createElse(shell, routes);
  const wanted = websocketOptions(shell.config);
  return (host) => {
    // What the app has set is left as it is.
    host.config.websocket = { ...wanted, ...host.config.websocket };
    const inspection = new Inspection(deps, wanted);
    const within =
      (route: string, answer: Handler): Handler =>
      // Elysia reads the source to see what a handler needs of the context; the pattern is that without a prefix.
      ({ request, params, server }) => {
        inspection.once();
        return running.during(() => answer({ request, params, server, route }));
      };
    const plugin = new Elysia()
      .onStart((app) => inspection.started(app))
      // Its failure has been logged.
      .onStop(() => void stop().catch(() => undefined));
    for (const { method, path, handler, hooks } of routes.routes)
      plugin.route(method, path, within(path, handler as Handler), { ...hooks, parse: "none" });
    plugin.all("/v1/*", ({ request, params }) => answerElse(request, `/v1/${params["*"]}`), {
      parse: "none",
    });
    return host.use(plugin);
  };
}

/** Whether an app has what the plugin needs: looked at with the first request, when all is set up. */
class Inspection {
  readonly #shell: Deps["shell"];
  readonly #wanted: WebsocketOptions;
  #app: AnyElysia | undefined;
  #done = false;

  constructor({ shell }: Deps, wanted: WebsocketOptions) {
    this.#shell = shell;
    this.#wanted = wanted;
  }

  /** @throws {TypeError} for an app in which the plugin cannot work. */
  started(app: AnyElysia): void {
    if (app.config.aot === false)
      throw new TypeError(
        "Cannot be part of an app with `aot: false` as it reads every body itself",
      );
    this.#app = app;
  }

  once(): void {
    if (this.#done) return;
    this.#done = true;
    const faults = faultsOf(this.#app, this.#wanted);
    if (faults.length > 0) this.#shell.log("warn", "plugin.incomplete", { faults });
  }
}

/** What is wrong with the app that listens, in words for its author. */
function faultsOf(listening: AnyElysia | undefined, wanted: WebsocketOptions): string[] {
  if (listening === undefined)
    return [
      "the app listened before the plugin was there, or uses it in a group: await porchlight() before use, or give the app its `websocket` and await its stop() yourself",
    ];
  const given: object = listening.config.websocket ?? {};
  return Object.entries(wanted)
    .filter(([name, value]) => Reflect.get(given, name) !== value)
    .map(([name, value]) => `websocket.${name} of the app should be ${value}`);
}
