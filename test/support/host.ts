import { type Porchlight, porchlight, type startServer } from "@porchlight/server";
import type { AnyElysia } from "elysia";

/**
 * Starts Porchlight within an app of somebody else.
 * @param build makes the app, which is then made to listen.
 * @param prefix stands before every path of Porchlight in that app.
 */
export function startIn(build: (plugin: Porchlight) => AnyElysia, prefix = ""): typeof startServer {
  return async ({ host: hostname, port, ...settings }, options) => {
    const plugin = await porchlight({ ...settings, ...options, env: {} });
    const app = build(plugin).listen({ hostname, port });
    return {
      url: `http://${hostname}:${app.server?.port}${prefix}`,
      store: plugin.store,
      routes: app.routes,
      stop: async () => {
        await plugin.stop();
        await app.server?.stop(true);
      },
    };
  };
}
