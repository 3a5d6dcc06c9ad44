import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { _electron, type Page } from "playwright-core";
import type { RunningApp } from "../conformance/app.ts";
import type { Found } from "../runtimes/binaries.ts";
import { builtApp, DESKTOP } from "./built-app.ts";

const LAUNCH_MS = 30_000;

/** Electron as `PORCHLIGHT_TEST_ELECTRON` names it, or where its package puts it when it is first run. */
export function findElectron(): Found {
  const path = process.env.PORCHLIGHT_TEST_ELECTRON ?? inPackage();
  if (path === undefined || !existsSync(path))
    return {
      missing: "there is no program of Electron, which its package downloads from elsewhere",
    };
  const { DISPLAY, WAYLAND_DISPLAY } = process.env;
  if (process.platform === "linux" && DISPLAY === undefined && WAYLAND_DISPLAY === undefined)
    return { missing: "there is no display, nor is one named by DISPLAY" };
  return { path };
}

/** Starts the built app on Electron. @param executablePath the program of Electron. */
export async function startReal(
  executablePath: string,
  machine: { readonly folder: string },
): Promise<RunningApp> {
  await builtApp();
  // The sandbox of Chromium does not start for root.
  const flags = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const app = await _electron.launch({
    executablePath,
    args: [...flags, `--user-data-dir=${machine.folder}`, DESKTOP],
    timeout: LAUNCH_MS,
  });
  let quitting: Promise<void> | undefined;
  const quit = (): Promise<void> => {
    quitting ??= app.close();
    return quitting;
  };
  return {
    page: async (): Promise<Page> => {
      const page = await app.firstWindow();
      await page.waitForLoadState();
      return page;
    },
    quit,
    [Symbol.asyncDispose]: quit,
  };
}

/** What the package of Electron has downloaded, if it has. */
function inPackage(): string | undefined {
  const folder = dirname(
    createRequire(join(DESKTOP, "package.json")).resolve("electron/package.json"),
  );
  const name = join(folder, "path.txt");
  return existsSync(name) ? join(folder, "dist", readFileSync(name, "utf8")) : undefined;
}
