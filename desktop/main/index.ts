import { app } from "electron";
import { registerScheme } from "./bundle.ts";
import { sandboxAll } from "./hardening.ts";
import { hearLinks } from "./links.ts";
import { HIDDEN } from "./login.ts";
import { start } from "./start.ts";

// Whoever is second hands over what it was started with, and opens nothing: not a file, not a window.
if (app.requestSingleInstanceLock()) run();
else app.quit();

function run(): void {
  sandboxAll();
  registerScheme();
  // The app lives in the tray when its windows are gone.
  app.on("window-all-closed", () => {});
  let first: string | undefined;
  const asked = {
    open: (room_id: string): void => {
      first = room_id;
    },
    wake: (): void => {},
  };
  hearLinks(app, { open: (room_id) => asked.open(room_id), wake: () => asked.wake() });
  void app.whenReady().then(async () => {
    const views = await start();
    asked.open = (room_id) => views.show().tell({ type: "open", room_id });
    asked.wake = () => void views.show();
    app.on("activate", () => asked.wake());
    if (first === undefined) views.open(process.argv.includes(HIDDEN));
    else asked.open(first);
  });
}
