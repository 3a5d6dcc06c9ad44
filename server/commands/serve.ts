import { type Config, type RunningServer, startServer } from "../main.ts";
import { type Command, configOf } from "./command.ts";

/** How long a server that was told to stop refuses before it hangs up: clients and proxies that keep connections hear of it. */
const REFUSE_FOR_MS = 500;

/** `porchlight serve` */
export const SERVE: Command = {
  help: `Usage: porchlight serve

Serves until it is told to stop (SIGTERM, SIGINT). All settings are environment
variables, among them PORCHLIGHT_HOST (127.0.0.1), PORCHLIGHT_PORT (8787),
PORCHLIGHT_DATABASE_URL (sqlite:./porchlight.db) and PORCHLIGHT_ADMIN_TOKEN.`,
  options: {},
  operands: [],
  async run(given) {
    await serve(configOf(given));
    return undefined;
  },
};

/** Starts the server, which stops in order when the process is told to. */
export async function serve(config: Config): Promise<RunningServer> {
  const server = await startServer(config);
  const stop = (): void => {
    server.stop({ refuseForMs: REFUSE_FOR_MS }).then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  return server;
}
