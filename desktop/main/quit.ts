import type { Clock } from "@porchlight/core/clock";
import { type App, powerMonitor } from "electron";
import type { Views } from "./views.ts";

/** Views that have not kept everything by then are ended nevertheless. */
const KEEP_MS = 2_000;

/** Quits in order: the views keep what is not kept yet, the windows close, and then whatever they lived of. */
export function quitInOrder(
  app: App,
  { views, clock, close }: { views: Views; clock: Clock; close(): void },
): void {
  let state: "running" | "keeping" | "kept" = "running";
  app.on("before-quit", (event) => {
    if (state !== "kept") event.preventDefault();
    if (state !== "running") return;
    state = "keeping";
    void allKept(views, clock).then(() => {
      state = "kept";
      views.end();
      app.quit();
    });
  });
  app.on("will-quit", close);
  // Where the system asks before it shuts down, it waits for whoever asks it to.
  powerMonitor.on("shutdown", (event?: { preventDefault(): void }) => {
    event?.preventDefault();
    app.quit();
  });
}

async function allKept(views: Views, clock: Clock): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = clock.timer(KEEP_MS, resolve);
    void Promise.all(views.all.map((view) => view.keep())).then(() => {
      cancel();
      resolve();
    });
  });
}
