import { app, Menu, type MenuItemConstructorOptions } from "electron";

/** The menu of the app: what the keyboard reaches, and nothing for developers in a package. */
export function setMenu({ openWindow }: { openWindow(): void }): void {
  const development: MenuItemConstructorOptions[] = app.isPackaged
    ? []
    : [{ type: "separator" }, { role: "reload" }, { role: "toggleDevTools" }];
  Menu.setApplicationMenu(
    Menu.buildFromTemplate([
      ...(process.platform === "darwin" ? [{ role: "appMenu" } as const] : []),
      {
        role: "fileMenu",
        submenu: [
          { label: "New Window", accelerator: "CmdOrCtrl+Shift+N", click: openWindow },
          { role: "close" },
          ...(process.platform === "darwin" ? [] : [{ role: "quit" } as const]),
        ],
      },
      { role: "editMenu" },
      {
        role: "viewMenu",
        submenu: [
          { role: "resetZoom" },
          { role: "zoomIn" },
          { role: "zoomOut" },
          { role: "togglefullscreen" },
          ...development,
        ],
      },
      { role: "windowMenu" },
    ]),
  );
}
