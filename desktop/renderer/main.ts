import type { Shell } from "../bridge.ts";
import { browserShell } from "./browser/shell.ts";

declare global {
  interface Window {
    /** Given by the preload of Electron; absent on a page. */
    readonly porchlight?: Shell;
  }
}

// What is kept is opened while the rest is still being read.
const shell = window.porchlight ?? browserShell();
const { draw } = await import("./view.ts");
await draw(shell);
// Browsers have it only where nobody can listen to the connection: by https, or on this computer.
if (shell.kind === "browser")
  void navigator.serviceWorker?.register("./app/worker.js", { scope: "./" });
