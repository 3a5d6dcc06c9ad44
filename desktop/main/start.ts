import { join } from "node:path";
import { systemClock } from "@porchlight/core/clock";
import { app, powerMonitor, safeStorage } from "electron";
import { AccountKeeper } from "./account.ts";
import { Activity } from "./activity.ts";
import { boundsFrom } from "./bounds.ts";
import { serveBundle } from "./bundle.ts";
import { deviceId } from "./device.ts";
import { denyPermissions } from "./hardening.ts";
import { answerViews } from "./ipc.ts";
import { KeptFile } from "./kept-file.ts";
import { LINK_SCHEME } from "./links.ts";
import { setMenu } from "./menu.ts";
import { Notifications } from "./notifications.ts";
import { quitInOrder } from "./quit.ts";
import { openSqliteCache } from "./sqlite-cache.ts";
import { TrayMenu } from "./tray.ts";
import { View } from "./view.ts";
import { Views } from "./views.ts";

/** What the build has put beside this file. */
const RENDERER = join(import.meta.dirname, "../renderer");
const NATIVE = join(import.meta.dirname, "native", `${process.platform}-${process.arch}.node`);

/** Builds the app from its parts, without a window yet. What it opens is closed when it quits. */
export async function start(): Promise<Views> {
  const clock = systemClock();
  const inUserData = (name: string): string => join(app.getPath("userData"), name);
  const boundsFile = new KeptFile(inUserData("window.json"));
  const device_id = deviceId(new KeptFile(inUserData("device.json")));
  const accounts = await AccountKeeper.open(new KeptFile(inUserData("account.json")), safeStorage);
  const cache = openSqliteCache(inUserData("cache.db"), { native: NATIVE });
  const views = new Views({
    make: (isHidden) => new View({ device_id, bounds: boundsFrom(boundsFile), isHidden }),
    onClose: ({ bounds }) => boundsFile.write(bounds),
  });
  const activity = new Activity({
    power: powerMonitor,
    clock,
    tell: (event) => views.tellAll(event),
  });
  const tray = new TrayMenu({
    choose: (choice) => views.last?.tell({ type: "choose", choice }),
    open: () => void views.show(),
    quit: () => app.quit(),
  });
  const notifications = new Notifications((room_id) =>
    views.show().tell({ type: "open", room_id }),
  );

  denyPermissions();
  serveBundle({
    folder: RENDERER,
    development: app.isPackaged ? undefined : process.env.ELECTRON_RENDERER_URL,
    server: () => accounts.account?.url,
  });
  answerViews(views, {
    cache,
    account: () => accounts.account,
    signIn: async (account, remember) => {
      await accounts.keep(account, remember);
      views.reloadAll();
    },
    signOut: async () => {
      accounts.forget();
      await cache.clear();
      views.reloadAll();
    },
    input: () => activity.input(),
    notify: (notice) => notifications.show(notice),
    summarize: (summary) => tray.show(summary),
  });
  setMenu({ openWindow: () => void views.open() });
  if (app.isPackaged) app.setAsDefaultProtocolClient(LINK_SCHEME);
  quitInOrder(app, {
    views,
    clock,
    close: () => {
      activity.close();
      tray.close();
      cache.close();
    },
  });
  return views;
}
