import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { findChromium } from "../runtimes/chromium.ts";
import { builtApp } from "./built-app.ts";
import { type Machine, openBrowser, StandIn } from "./electron.ts";
import { temporaryFolder } from "./process.ts";
import { ShellView } from "./shell-view.ts";
import { makeTinyApp } from "./tiny-app.ts";

/** Somebody who may sign in. */
export const ACCOUNT = { url: "https://chat.example", token: "plt_secret" };
/** What a view shows outside of it. */
export const SUMMARY = {
  state: "Online",
  chosen: "auto",
  unread: 3,
  choices: [
    { chosen: "auto", words: "Automatic" },
    { chosen: "busy", words: "Busy" },
  ],
  words: { open: "Open Porchlight", start_at_login: "Start at login", quit: "Quit" },
} as const;

/** Where main and the preload are tried: with a browser, and a view that does nothing by itself. */
export class AppBench implements AsyncDisposable {
  /** The folder of the app. What is beside its view is none of the view's business, as `secret.txt`. */
  readonly out: string;
  readonly #browser: Browser;
  readonly #folder: Disposable;

  private constructor(out: string, browser: Browser, folder: Disposable) {
    this.out = out;
    this.#browser = browser;
    this.#folder = folder;
  }

  static async open(): Promise<AppBench> {
    const found = findChromium();
    if ("missing" in found) throw new Error(`Cannot open a browser: ${found.missing}`);
    const folder = temporaryFolder();
    const out = join(folder.path, "out");
    const [browser, built] = await Promise.all([openBrowser(found.path), builtApp()]);
    await makeTinyApp(built, out);
    writeFileSync(join(out, "secret.txt"), "secret");
    return new AppBench(out, browser, folder);
  }

  /** Starts the app. @param words what it is started with. */
  start(machine: Machine, words: readonly string[] = []): Promise<StandIn> {
    return StandIn.start(this.#browser, { out: this.out, machine, words });
  }

  /** Starts the app where nobody looks at its windows, which takes no time. */
  startUnseen(
    machine: Machine,
    options: { words?: readonly string[]; isPackaged?: boolean } = {},
  ): Promise<StandIn> {
    return StandIn.start(undefined, { out: this.out, machine, ...options });
  }

  /** Starts the app with its own view. */
  async startWhole(machine: Machine): Promise<StandIn> {
    return StandIn.start(this.#browser, { out: await builtApp(), machine });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    this.#folder[Symbol.dispose]();
  }
}

/** A machine on which nothing was kept yet, gone afterwards. */
export function newMachine(options: Partial<Machine> = {}): Machine & Disposable {
  const folder = temporaryFolder();
  return { ...options, folder: folder.path, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

/** The view of a window, which listens. */
export async function listeningView(app: StandIn, at = 0): Promise<ShellView> {
  return (await ShellView.of(await app.page(at))).listen();
}

/** Signs in as a view does, which is loaded anew for it. */
export async function signIn(
  app: StandIn,
  account: { readonly url: string; readonly token: string },
): Promise<void> {
  const { page, shell } = await ShellView.of(await app.page());
  const reloaded = page.waitForEvent("load");
  await shell.evaluate((each, given) => each.signIn(given, true), account).catch(() => {});
  await reloaded;
}
