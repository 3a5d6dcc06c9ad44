import { mock } from "bun:test";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { CHROMIUM_FLAGS } from "../runtimes/chromium.ts";
import { App } from "./electron/app.ts";
import { BrowserWindow, type WindowOptions } from "./electron/browser-window.ts";
import { IpcMain, type Sender } from "./electron/ipc.ts";
import { Outside } from "./electron/outside.ts";
import { Protocol } from "./electron/protocol.ts";
import { Keyring, PowerMonitor, SafeStorage, Session } from "./electron/system.ts";

/** What an app finds on the machine that it is started on. */
export interface Machine {
  /** Where everything is that it keeps. */
  readonly folder: string;
  readonly keyring?: Keyring;
  /** What the idle time says from the start, in seconds. */
  readonly idleTime?: number;
  /** Whether the app runs already. */
  readonly isTaken?: boolean;
}

/** Chromium asks its user before a page from elsewhere reaches this machine; of an app of Electron it knows better. */
const FLAGS = [...CHROMIUM_FLAGS, "--disable-features=LocalNetworkAccessChecks"];

let runs = 0;

/** A browser for pages of {@link StandIn}. Whoever opens it closes it. */
export function openBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: FLAGS });
}

/**
 * Stands in for Electron, over a real Chromium: main runs unchanged in this
 * process, the preload and the view in pages. It imitates what the app uses of
 * `app`, `BrowserWindow`, `webContents`, `ipcMain`, `ipcRenderer`,
 * `contextBridge`, `protocol`, `session`, `Menu`, `Tray`, `Notification`,
 * `powerMonitor`, `safeStorage`, `screen`, `shell` and `net`; whatever else is
 * asked for is not there, and fails.
 *
 * It does not imitate:
 *
 * - the sandbox, and the two worlds of a page: the preload runs in the view's
 *   own world, so that a view could reach what the preload holds. What crosses
 *   the bridge is copied as it is in Electron, and what cannot be copied fails
 *   as it does there; between processes it is JSON.
 * - a scheme of the app's own: Chromium has the view from an `https:` address,
 *   which is translated wherever main sees it. Servers see that address as the
 *   origin of the view, and so does the view itself.
 * - a process for each: main shares one with the test, where it cannot be
 *   killed, and has the APIs of Bun in the place of those of Node.js.
 * - windows: that one is hidden, behind another or has lost the focus makes no
 *   difference to its page, and menus, notifications and the tray are not drawn.
 *   A page that opens another has it for a moment, although it is denied.
 * - what Chromium asks Electron itself, such as permissions, downloads and
 *   webviews: of those a test asks the handlers that the app has set.
 * - fuses, the asar archive, code signing and updates.
 *
 * One app runs at a time in a process.
 */
export class StandIn {
  readonly app: App;
  readonly power = new PowerMonitor();
  readonly session = new Session();
  readonly outside = new Outside();
  readonly ipcMain = new IpcMain();
  readonly protocol: Protocol;
  /** In the order in which they were opened. */
  readonly windows: BrowserWindow[] = [];
  /** What was handed to the system's browser. */
  readonly opened: string[] = [];
  /** The area of each display that windows can be in. */
  readonly displays = [{ x: 0, y: 0, width: 1_920, height: 1_080 }];
  readonly #context: BrowserContext | undefined;
  readonly #machine: Machine;
  readonly #argv = process.argv;
  readonly #module: Record<string, unknown>;
  #onWindow: () => void = () => {};

  private constructor(machine: Machine, context: BrowserContext | undefined) {
    this.#machine = machine;
    this.#context = context;
    this.power.idleTime = machine.idleTime ?? 0;
    this.app = new App({
      folder: machine.folder,
      isFirst: machine.isTaken !== true,
      windows: { closeAll: () => this.#closeAll() },
    });
    this.protocol = new Protocol(() => this.app.isReady());
    this.#module = this.#exports();
  }

  /**
   * Starts an app, and returns once its first window is open, or it has ended.
   * @param browser where its pages are opened; without one its windows are empty.
   * @param options.out the folder of the built app.
   * @param options.words what it is started with, such as a link.
   * @param options.isPackaged as it is for its users.
   */
  static async start(
    browser: Browser | undefined,
    options: {
      readonly out: string;
      readonly machine: Machine;
      readonly words?: readonly string[];
      readonly isPackaged?: boolean;
    },
  ): Promise<StandIn> {
    const { out, machine, words = [], isPackaged = false } = options;
    const standIn = new StandIn(machine, await browser?.newContext());
    standIn.app.isPackaged = isPackaged;
    await standIn.#run(out, words);
    return standIn;
  }

  /** Starts the app once more while this one runs. Answers what became of the second. */
  async startAgain(out: string, words: readonly string[] = []): Promise<StandIn> {
    const second = new StandIn({ ...this.#machine, isTaken: true }, this.#context);
    await second.#run(out, words);
    mock.module("electron", () => this.#module);
    process.argv = this.#argv;
    this.app.emit("second-instance", {}, ["electron", ...words], this.#machine.folder);
    return second;
  }

  /** The page of a window, once the view is loaded in it. @param at which window, in the order of opening. */
  async page(at = 0): Promise<Page> {
    const window = await this.window(at);
    const page = await window.webContents.page;
    await page.waitForURL(/^https:/);
    return page;
  }

  /** What the view in the first window is answered when it asks main, without a page. Rejects with what it is refused with. */
  async ask(channel: string, ...said: readonly unknown[]): Promise<unknown> {
    const { error, value } = await this.ipcMain.invoked(await this.#view(), channel, said);
    if (error !== undefined) throw new Error(error);
    return value;
  }

  /** The view in the first window says something, without a page. */
  async say(channel: string, ...said: readonly unknown[]): Promise<void> {
    this.ipcMain.said(await this.#view(), channel, said);
  }

  /** A window, as soon as it is opened. */
  async window(at = 0): Promise<BrowserWindow> {
    while (this.windows.length <= at)
      await new Promise<void>((resolve) => {
        this.#onWindow = resolve;
      });
    const window = this.windows[at];
    if (window === undefined) throw new RangeError(`There is no window ${at}`);
    return window;
  }

  /** Quits the app, as its user does. */
  async quit(): Promise<void> {
    this.app.quit();
    await this.app.ended;
  }

  /** Quits the app, and ends its pages. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.quit();
    process.argv = this.#argv;
    await this.#context?.close();
  }

  async #run(out: string, words: readonly string[]): Promise<void> {
    mock.module("electron", () => this.#module);
    process.argv = ["electron", ...words];
    runs += 1;
    await import(`${join(out, "main/index.js")}?run=${runs}`);
    this.app.begin();
    if (!this.app.hasEnded) await this.window();
  }

  async #view(): Promise<Sender> {
    const { webContents } = await this.window();
    const origin = "porchlight-app://bundle";
    return { sender: webContents, senderFrame: { url: `${origin}/`, origin, parent: null } };
  }

  /** What `import "electron"` gives. */
  #exports(): Record<string, unknown> {
    const around = { context: this.#context, ipcMain: this.ipcMain, protocol: this.protocol };
    const opens = (window: BrowserWindow): void => this.#opens(window);
    return {
      app: this.app,
      ipcMain: this.ipcMain,
      net: { fetch: (url: string) => fetch(url) },
      powerMonitor: this.power,
      protocol: this.protocol,
      safeStorage: new SafeStorage(this.#machine.keyring ?? new Keyring()),
      screen: { getAllDisplays: () => this.displays.map((workArea) => ({ workArea })) },
      session: { defaultSession: this.session },
      shell: { openExternal: async (url: string) => void this.opened.push(url) },
      ...this.outside.classes,
      BrowserWindow: class extends BrowserWindow {
        constructor(options: WindowOptions) {
          super(options, around);
          opens(this);
        }
      },
    };
  }

  #opens(window: BrowserWindow): void {
    this.windows.push(window);
    this.app.emit("web-contents-created", {}, window.webContents);
    window.on("closed", () => {
      this.windows.splice(this.windows.indexOf(window), 1);
      if (this.windows.length > 0 || this.app.isQuitting) return;
      if (!this.app.emit("window-all-closed")) this.app.quit();
    });
    this.#onWindow();
  }

  #closeAll(): boolean {
    for (const window of [...this.windows]) window.close();
    return this.windows.length === 0;
  }
}
