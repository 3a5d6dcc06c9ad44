/**
 * Builds the view as the page that the server serves at `/`, into
 * `server/page/dist`. Run as `bun desktop/page.ts`.
 */
import { resolve } from "node:path";
import { build } from "vite";

const DESKTOP = import.meta.dir;

if (import.meta.main) await buildPage();

export async function buildPage(): Promise<void> {
  // Also where tests run it: as for development it is larger by a fifth.
  process.env.NODE_ENV = "production";
  await build({
    configFile: resolve(DESKTOP, "vite.config.ts"),
    root: resolve(DESKTOP, "renderer"),
    logLevel: "warn",
  });
}
