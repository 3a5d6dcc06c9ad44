import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openSqliteCache } from "../../desktop/main/sqlite-cache.ts";
import { appSuite } from "../conformance/app.ts";
import {
  ACCOUNT,
  AppBench,
  listeningView,
  newMachine,
  SUMMARY,
  signIn,
} from "../support/app-bench.ts";
import { PreventableEvent } from "../support/electron/event.ts";
import { Keyring } from "../support/electron/system.ts";
import type { Machine, StandIn } from "../support/electron.ts";
import { ShellView } from "../support/shell-view.ts";

setDefaultTimeout(30_000);
let bench: AppBench;
beforeAll(async () => {
  bench = await AppBench.open();
});
afterAll(() => bench[Symbol.asyncDispose]());

describe("the cache of a window", () => {
  test("does what a cache promises", async () => {
    using machine = newMachine();
    await using app = await bench.start(machine);
    const page = await app.page();
    expect(await page.evaluate("checkCache()")).toEqual([]);
  });

  test("is the same for every window and after a restart, and refuses what cannot be copied", async () => {
    using machine = newMachine();
    {
      await using app = await bench.start(machine);
      app.outside.menu?.at("New Window").click();
      const [first, second] = [await app.page(0), await app.page(1)].map(ShellView.of);
      await (await first)?.shell.evaluate((each) => each.cache.put("key", { at: 1 }));
      expect(await (await second)?.shell.evaluate((each) => each.cache.get("key"))).toEqual({
        at: 1,
      });
      await expect(
        (await second)?.shell.evaluate((each) => each.cache.put("key", new Proxy({}, {}))),
      ).rejects.toThrow("could not be cloned");
    }
    await using app = await bench.startUnseen(machine);
    expect(await app.ask("porchlight:cache-get", "key")).toEqual({ at: 1 });
  });
});

describe("an account", () => {
  test("that is to be remembered is sealed by the system, and there after a restart", async () => {
    using machine = newMachine({ keyring: new Keyring() });
    {
      await using app = await bench.start(machine);
      await signIn(app, ACCOUNT);
      const { shell } = await ShellView.of(await app.page());
      expect(await shell.evaluate((each) => each.account())).toEqual(ACCOUNT);
    }
    expect(keptOn(machine)).toContain(ACCOUNT.url);
    expect(keptOn(machine)).not.toContain(ACCOUNT.token);
    await using app = await bench.startUnseen(machine);
    expect(await app.ask("porchlight:account")).toEqual(ACCOUNT);
  });

  test("is sealed anew when the key of the system has changed", async () => {
    const keyring = new Keyring();
    using machine = newMachine({ keyring });
    const sealed = (): string =>
      readFileSync(join(machine.folder, "userData/account.json"), "utf8");
    {
      await using app = await bench.startUnseen(machine);
      await app.ask("porchlight:sign-in", ACCOUNT, true);
    }
    const before = sealed();
    keyring.isRotated = true;
    {
      await using _app = await bench.startUnseen(machine);
    }
    expect(sealed()).not.toBe(before);
  });

  test.each([
    ["is not to be remembered", new Keyring(), false],
    ["nothing on the machine can seal", new Keyring("basic_text"), true],
  ])("that %s is gone after a restart", async (_why, keyring, remember) => {
    using machine = newMachine({ keyring });
    {
      await using app = await bench.startUnseen(machine);
      await app.ask("porchlight:sign-in", ACCOUNT, remember);
      expect(await app.ask("porchlight:account")).toEqual(ACCOUNT);
    }
    expect(readdirSync(join(machine.folder, "userData"))).not.toContain("account.json");
    await using app = await bench.startUnseen(machine);
    expect(await app.ask("porchlight:account")).toBeUndefined();
  });

  test("that was sealed with a key that is gone is as good as none", async () => {
    using machine = newMachine({ keyring: new Keyring() });
    {
      await using app = await bench.startUnseen(machine);
      await app.ask("porchlight:sign-in", ACCOUNT, true);
    }
    await using app = await bench.startUnseen({ ...machine, keyring: new Keyring() });
    expect(await app.ask("porchlight:account")).toBeUndefined();
  });

  test("is forgotten with everything in the cache when its user signs out", async () => {
    using machine = newMachine();
    await using app = await bench.start(machine);
    await signIn(app, ACCOUNT);
    const page = await app.page();
    const view = await ShellView.of(page);
    await view.shell.evaluate((each) => each.cache.put("key", 1));
    const reloaded = page.waitForEvent("load");
    await view.shell.evaluate((each) => each.signOut()).catch(() => {});
    await reloaded;
    const { shell } = await ShellView.of(page);
    expect(
      await shell.evaluate(async (each) => [await each.account(), await each.cache.keys("")]),
    ).toEqual([undefined, []]);
    expect(readdirSync(join(machine.folder, "userData"))).not.toContain("account.json");
  });
});

describe("an installation", () => {
  test("has one name, and each window one of its own that it keeps when it is loaded anew", async () => {
    using machine = newMachine();
    const namesIn = async (app: StandIn, at = 0): Promise<[string, string]> => {
      const { shell } = await ShellView.of(await app.page(at));
      return shell.evaluate(({ device_id, instance }) => [device_id, instance] as [string, string]);
    };
    let before: [string, string];
    {
      await using app = await bench.start(machine);
      before = await namesIn(app);
      expect(before[0]).toMatch(/^desktop-[0-9a-f-]{36}$/);
      await (await app.page()).reload();
      expect(await namesIn(app)).toEqual(before);
      app.outside.menu?.at("New Window").click();
      const [device, instance] = await namesIn(app, 1);
      expect([device === before[0], instance === before[1]]).toEqual([true, false]);
    }
    await using app = await bench.startUnseen(machine);
    const { webPreferences } = (await app.window()).options;
    const [device, instance] = webPreferences?.additionalArguments ?? [];
    expect(device).toEndWith(before[0]);
    expect(instance).not.toEndWith(before[1]);
  });

  test("runs once: whoever comes second opens nothing, and the first shows itself", async () => {
    using taken = newMachine({ isTaken: true });
    {
      await using second = await bench.startUnseen(taken);
      expect(second.windows).toEqual([]);
      expect(readdirSync(taken.folder)).toEqual([]);
    }
    using machine = newMachine();
    await using app = await bench.startUnseen(machine);
    const window = await app.window();
    window.close();
    expect(window.isVisible()).toBe(false);
    const second = await app.startAgain(bench.out);
    expect([second.app.hasEnded, second.windows]).toEqual([true, []]);
    expect(window.isVisible()).toBe(true);
  });

  test("opens the room of a link it is started with, as soon as the view listens", async () => {
    using machine = newMachine();
    await using app = await bench.start(machine, ["porchlight://room/lounge"]);
    const view = await listeningView(app);
    expect(await view.next()).toEqual({ type: "open", room_id: "lounge" });
  });

  test("opens the room of a link that comes while it runs, however the system hands it over", async () => {
    using machine = newMachine();
    await using app = await bench.start(machine);
    const view = await listeningView(app);
    (await app.window()).close();
    await app.startAgain(bench.out, ["--some-switch", "porchlight://room/lounge"]);
    expect(await view.next()).toEqual({ type: "open", room_id: "lounge" });
    expect((await app.window()).isVisible()).toBe(true);
    app.app.emit("open-url", new PreventableEvent(), "porchlight://room/%2e%2e%2fetc");
    app.app.emit("open-url", new PreventableEvent(), "porchlight://room/attic");
    expect(await view.next()).toEqual({ type: "open", room_id: "attic" });
  });
});

describe("the tray", () => {
  test("has the choices in the user's words, and hands one to the view that was used last", async () => {
    using machine = newMachine();
    await using app = await bench.start(machine);
    const view = await listeningView(app);
    const { tray } = app.outside;
    expect(tray?.menu.items.map(({ label }) => label).filter(Boolean)).toEqual([
      ...["Open Porchlight", "Start at login", "Quit"],
    ]);
    await view.shell.evaluate((each, summary) => each.summarize(summary), SUMMARY);
    expect(tray?.menu.items.slice(0, 2)).toMatchObject([
      { label: "Automatic", type: "radio", checked: true },
      { label: "Busy", type: "radio", checked: false },
    ]);
    expect([tray?.toolTip, app.app.badge]).toEqual(["Porchlight: Online", 3]);
    tray?.menu.at("Busy").click();
    expect(await view.next()).toEqual({ type: "choose", choice: { state: "busy" } });
    tray?.menu.at("Automatic").click();
    expect(await view.next()).toEqual({ type: "choose", choice: { auto: true } });
  });

  test("is where the app lives on when its last window is closed", async () => {
    using machine = newMachine();
    await using app = await bench.startUnseen(machine);
    await app.window();
    app.outside.menu?.at("New Window").click();
    await app.window(1);
    const [first, second] = app.windows;
    first?.close();
    expect(app.windows).toEqual(second === undefined ? [] : [second]);
    second?.close();
    expect([second?.isVisible(), app.app.hasEnded]).toEqual([false, false]);
    app.outside.tray?.menu.at("Open Porchlight").click();
    expect(second?.isVisible()).toBe(true);
    app.outside.tray?.menu.at("Quit").click();
    await app.app.ended;
    expect(app.outside.tray?.isDestroyed).toBe(true);
  });

  test("can have the app start when its user logs in, in the tray", async () => {
    using machine = newMachine();
    {
      await using app = await bench.startUnseen(machine);
      app.outside.tray?.menu.at("Start at login").click();
      expect(startsWith(app, machine)).toContain("--hidden");
    }
    await using app = await bench.startUnseen(machine, { words: ["--hidden"] });
    expect((await app.window()).isVisible()).toBe(false);
    const item = app.outside.tray?.menu.at("Start at login");
    expect(item?.checked).toBe(true);
    item?.click();
    expect(startsWith(app, machine)).toBe("");
  });
});

describe("what the user does", () => {
  test("is told as the system tells it", async () => {
    using machine = newMachine({ idleTime: 7 });
    await using app = await bench.start(machine);
    const view = await listeningView(app);
    app.power.emit("lock-screen");
    app.power.emit("unlock-screen");
    expect([await view.next(), await view.next()]).toEqual([
      { type: "away" },
      { type: "active", idle_for_ms: 0 },
    ]);
    app.power.emit("suspend");
    expect(await view.next()).toEqual({ type: "suspend" });
    app.power.idleTime = 0;
    app.power.emit("resume");
    expect(await view.next()).toEqual({ type: "resume" });
  });

  test("is told by input in the window where the system knows nothing", async () => {
    using machine = newMachine({ idleTime: 0 });
    await using app = await bench.start(machine);
    const view = await listeningView(app);
    app.power.emit("resume");
    expect(await view.next()).toEqual({ type: "resume" });
    await view.page.keyboard.press("a");
    expect(await view.next()).toEqual({ type: "active", idle_for_ms: 0 });
    expect(view.heard).toEqual([]);
  });

  test("is followed by what happens to the network", async () => {
    using machine = newMachine();
    await using app = await bench.start(machine);
    const view = await listeningView(app);
    await view.page.context().setOffline(true);
    await view.page.context().setOffline(false);
    expect(await view.next()).toEqual({ type: "resume" });
  });
});

describe("a notification", () => {
  test("is shown once for each event, and opens its room when it is clicked", async () => {
    using machine = newMachine();
    await using app = await bench.start(machine);
    const first = await listeningView(app);
    app.outside.menu?.at("New Window").click();
    const second = await ShellView.of(await app.page(1));
    const notice = { event_id: "e1", room_id: "lounge", title: "Ann", body: "Hello" };
    for (const { shell } of [first, second, first])
      await shell.evaluate((each, given) => each.notify(given), notice);
    await first.shell.evaluate((each, given) => each.notify(given), { ...notice, event_id: "e2" });
    const { notifications } = app.outside;
    expect(notifications.map(({ title, body }) => [title, body])).toEqual([
      ["Ann", "Hello"],
      ["Ann", "Hello"],
    ]);
    const [window] = app.windows;
    window?.hide();
    window?.focus();
    notifications[0]?.emit("click");
    expect(await first.next()).toEqual({ type: "open", room_id: "lounge" });
    expect(window?.isVisible()).toBe(true);
  });
});

describe("a window", () => {
  test("comes back where it was, unless nobody could see it there", async () => {
    using machine = newMachine();
    const bounds = { x: 100, y: 200, width: 700, height: 500 };
    {
      await using app = await bench.startUnseen(machine);
      const window = await app.window();
      window.setBounds(bounds);
      window.maximize();
    }
    {
      await using app = await bench.startUnseen(machine);
      const window = await app.window();
      app.outside.tray?.menu.at("Open Porchlight").click();
      expect([window.getNormalBounds(), window.isMaximized()]).toEqual([bounds, true]);
      window.setBounds({ x: 5_000, y: 200 });
    }
    await using app = await bench.startUnseen(machine);
    expect((await app.window()).options).not.toHaveProperty("x");
  });
});

describe("quitting", () => {
  test("lets the view keep what it has not kept yet, however many steps that takes", async () => {
    using machine = newMachine();
    {
      await using app = await bench.start(machine);
      const { shell } = await listeningView(app);
      await shell.evaluate((each) => {
        each.listen(async ({ type }) => {
          if (type !== "suspend") return;
          await each.cache.put("first", 1);
          await each.cache.put("second", await each.cache.get("first"));
        });
      });
    }
    const cache = openSqliteCache(join(machine.folder, "userData/cache.db"));
    expect([await cache.get("first"), await cache.get("second")]).toEqual([1, 1]);
    cache.close();
  });

  test("waits for no view that never says it is done", async () => {
    using machine = newMachine();
    await using app = await bench.startUnseen(machine);
    await app.say("porchlight:listening");
    await app.quit();
    expect(app.windows).toEqual([]);
  });
});

appSuite("the app on the stand-in for Electron", (machine) => bench.startWhole(machine));

/** Everything that is kept on a machine, as one text. */
function keptOn({ folder }: Machine): string {
  const names = readdirSync(join(folder, "userData"));
  return names.map((name) => readFileSync(join(folder, "userData", name), "latin1")).join("\n");
}

/** What starts the app when its user logs in; empty where nothing does. */
function startsWith({ app }: StandIn, { folder }: Machine): string {
  const file = join(folder, "appData/autostart/porchlight.desktop");
  if (process.platform === "linux") return existsSync(file) ? readFileSync(file, "utf8") : "";
  return app.loginItem.openAtLogin ? app.loginItem.args.join(" ") : "";
}
