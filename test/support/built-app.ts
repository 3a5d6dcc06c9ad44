import { join, resolve } from "node:path";
import { outputOf } from "./process.ts";

/** The folder of the app for Electron, with its manifest; what is built is in `out`. */
export const DESKTOP = resolve(import.meta.dir, "../../desktop");
const CLI = join(DESKTOP, "node_modules/electron-vite/bin/electron-vite.js");

let built: Promise<string> | undefined;

/** Builds the app for Electron, once for all tests of a process. Answers where: a folder with `main`, `preload` and `renderer`. */
export function builtApp(): Promise<string> {
  // As it is packed, though tests have it built.
  const env = { NODE_ENV: "production" };
  built ??= outputOf([process.execPath, CLI, "build"], { cwd: DESKTOP, env }).then(() =>
    join(DESKTOP, "out"),
  );
  return built;
}
