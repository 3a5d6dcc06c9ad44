import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { app } from "electron";

/** Started so, the app waits in the tray. */
export const HIDDEN = "--hidden";

/** Whether the app starts when its user logs in. */
export function startsAtLogin(): boolean {
  if (process.platform === "linux") return hasFile(autostartFile());
  return app.getLoginItemSettings({ args: [HIDDEN] }).openAtLogin;
}

/** Sees to it that the app starts, in the tray, when its user logs in, or no longer does. */
export function startAtLogin(starts: boolean): void {
  if (process.platform !== "linux")
    app.setLoginItemSettings({ openAtLogin: starts, args: [HIDDEN] });
  else if (starts) writeAutostart();
  else rmSync(autostartFile(), { force: true });
}

/** Electron knows of no login items on Linux, where desktops start what has a file in this place. */
function autostartFile(): string {
  return join(app.getPath("appData"), "autostart", "porchlight.desktop");
}

function writeAutostart(): void {
  // An AppImage runs from a place that is another each time.
  const program = process.env.APPIMAGE ?? app.getPath("exe");
  const lines = [
    "[Desktop Entry]",
    "Type=Application",
    "Name=Porchlight",
    `Exec="${program.replaceAll(/["`$\\]/g, "\\$&")}" ${HIDDEN}`,
    "Icon=porchlight",
    "",
  ];
  mkdirSync(dirname(autostartFile()), { recursive: true });
  writeFileSync(autostartFile(), lines.join("\n"));
}

function hasFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
