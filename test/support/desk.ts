import {
  type Browser,
  type BrowserContext,
  chromium,
  type Locator,
  type Page,
} from "playwright-core";
import { CHROMIUM_FLAGS, findChromium } from "../runtimes/chromium.ts";
import { MachineClock } from "./machine-clock.ts";
import { type Person, TestServer } from "./server.ts";

/** How long anything may take that the page does by itself. */
const PATIENCE_MS = 10_000;

/** A server whose time goes by itself, as it is looked at in a browser. */
export function startForPage(
  options: { file?: string; port?: number; env?: Record<string, string> } = {},
): Promise<TestServer> {
  const { file, port = 0, env } = options;
  return TestServer.start({
    clock: new MachineClock(),
    env: { PORCHLIGHT_PORT: `${port}`, ...env },
    ...(file === undefined ? {} : { file }),
  });
}

/** A browser in which people look at the page, each in a profile of their own. */
export class Desk implements AsyncDisposable {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async open(): Promise<Desk> {
    const found = findChromium();
    if ("missing" in found) throw new Error(`Cannot open a browser: ${found.missing}`);
    const browser = await chromium.launch({
      executablePath: found.path,
      args: [...CHROMIUM_FLAGS],
    });
    return new Desk(browser);
  }

  /** Somebody looks at the page, and has signed in. */
  async sit(
    server: Pick<TestServer, "url">,
    person: Person,
    options: Parameters<Browser["newContext"]>[0] = {},
  ): Promise<Screen> {
    const screen = await this.screen(options);
    await screen.page.goto(server.url);
    await screen.signIn(person.token);
    return screen;
  }

  /** An empty page in a new profile. */
  async screen(options: Parameters<Browser["newContext"]>[0] = {}): Promise<Screen> {
    const context = await this.#browser.newContext({
      viewport: { width: 1_100, height: 700 },
      ...options,
    });
    context.setDefaultTimeout(PATIENCE_MS);
    return new Screen(context, await context.newPage());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/** What somebody sees and does. */
export class Screen {
  readonly context: BrowserContext;
  readonly page: Page;
  /** What went wrong on the page, and what it asked of whom. */
  readonly errors: string[] = [];
  readonly asked: string[] = [];

  constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.on("pageerror", (error) => this.errors.push(String(error.stack ?? error)));
    page.on("console", (message) => {
      // Of a network that is off the browser says so by itself.
      if (
        message.type() === "error" &&
        !/Failed to load resource|WebSocket connection/.test(message.text())
      )
        this.errors.push(message.text());
    });
    page.on("request", (request) => this.asked.push(request.url()));
    page.on("websocket", (socket) => this.asked.push(socket.url()));
  }

  async signIn(token: string, { remember = true } = {}): Promise<void> {
    await this.page.getByLabel("Access token").fill(token);
    if (remember) await this.page.getByLabel("Stay signed in").check();
    await this.page.getByRole("button", { name: "Sign in" }).click();
    await this.page.getByRole("navigation").waitFor();
  }

  /** A further tab of the same person. */
  async tab(url: string): Promise<Screen> {
    const tab = new Screen(this.context, await this.context.newPage());
    await tab.page.goto(url);
    await tab.page.getByRole("navigation").waitFor();
    return tab;
  }

  async openRoom(name: string): Promise<void> {
    await this.page.getByRole("link", { name }).click();
    await this.page.getByRole("heading", { name, level: 1 }).waitFor();
  }

  /** Chooses a state, by the words that are shown for it. */
  async choose(words: string): Promise<void> {
    await this.page.locator(".own > button").click();
    await this.page.getByRole("dialog").getByLabel(words, { exact: true }).check();
    await this.page.keyboard.press("Escape");
  }

  get composer(): Locator {
    return this.page.getByRole("textbox", { name: /^Message/ });
  }

  /** Somebody in the list of people, once what stands beside them has these words in it. */
  person(name: string, words: string): Locator {
    return this.page.locator(".person", { hasText: name }).filter({ hasText: words });
  }

  sees(name: string, words: string): Promise<void> {
    return this.person(name, words).first().waitFor();
  }

  text(words: string | RegExp): Locator {
    return this.page.getByText(words).first();
  }
}
