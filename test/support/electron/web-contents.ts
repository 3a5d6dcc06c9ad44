import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import type { BrowserContext, CDPSession, Frame, Page } from "playwright-core";
import { INTERCEPTED, originOf, seenByChromium, seenByMain } from "./address.ts";
import { PreventableEvent } from "./event.ts";
import type { IpcMain, Sender } from "./ipc.ts";
import { FROM_MAIN, preloadScript, read, TO_MAIN, written } from "./preload.ts";
import type { Protocol } from "./protocol.ts";

/** What a window says of its page. */
export interface WebPreferences {
  readonly preload?: string;
  readonly sandbox?: boolean;
  readonly contextIsolation?: boolean;
  readonly nodeIntegration?: boolean;
  readonly webSecurity?: boolean;
  readonly devTools?: boolean;
  readonly additionalArguments?: readonly string[];
}

/** What a page lives of. */
export interface Surroundings {
  /** The profile in which pages are opened; without one they stay empty for ever. */
  readonly context: BrowserContext | undefined;
  readonly ipcMain: IpcMain;
  readonly protocol: Protocol;
}

interface Paused {
  readonly requestId: string;
  readonly request: { readonly url: string; readonly method: string };
  readonly frameId: string;
  readonly resourceType: string;
  readonly redirectedRequestId?: string;
}

type OpenHandler = (details: { readonly url: string }) => { readonly action: string };

/** `webContents`: a page of Chromium, and what main hears of it and says to it. */
export class WebContents extends EventEmitter {
  readonly preferences: WebPreferences;
  /** The page, once it can be told to go somewhere. */
  readonly page: Promise<Page>;
  readonly #around: Surroundings;
  /** Where main has sent it, which is not asked about. */
  #sentTo: string | undefined;
  #mainFrame = "";
  #onOpen: OpenHandler = () => ({ action: "allow" });
  #saying: Promise<unknown> = Promise.resolve();

  constructor(preferences: WebPreferences, around: Surroundings) {
    super();
    this.preferences = preferences;
    this.#around = around;
    const { context } = around;
    this.page = context === undefined ? new Promise(() => {}) : this.#open(context);
    // Whoever loads something hears of it as well.
    this.page.catch(() => {});
  }

  async loadURL(url: string): Promise<void> {
    const page = await this.page;
    this.#sentTo = url;
    await page.goto(seenByChromium(url));
  }

  reload(): void {
    void this.page.then(
      async (page) => {
        this.#sentTo = seenByMain(page.url());
        await page.reload();
      },
      () => {},
    );
  }

  /** Says something to the page, after what was said before. A page that goes meanwhile does not hear it. */
  send(channel: string, ...said: unknown[]): void {
    const text = written(structuredClone(said));
    this.#saying = this.#saying
      .then(async () => {
        const page = await this.page;
        await page.evaluate(
          ({ name, channel, text }) =>
            (globalThis as unknown as Record<string, (channel: string, said: string) => void>)[
              name
            ]?.(channel, text),
          { name: FROM_MAIN, channel, text },
        );
      })
      .catch(() => {});
  }

  setWindowOpenHandler(handler: OpenHandler): void {
    this.#onOpen = handler;
  }

  /** The page asks for another. Answers what main says. */
  asksToOpen(url: string): string {
    return this.#onOpen({ url }).action;
  }

  async close(): Promise<void> {
    const page = await this.page.catch(() => undefined);
    await page?.close();
  }

  async #open(context: BrowserContext): Promise<Page> {
    const page = await context.newPage();
    const cdp = await context.newCDPSession(page);
    await page.exposeBinding(TO_MAIN, (source, kind: string, channel: string, said: string) =>
      this.#hear(source.frame, { kind, channel, said: read(said) }),
    );
    const { preload, additionalArguments = [] } = this.preferences;
    if (preload !== undefined)
      await page.addInitScript({
        content: preloadScript(readFileSync(preload, "utf8"), {
          argv: ["electron", ...additionalArguments],
          platform: process.platform,
        }),
      });
    cdp.on("Fetch.requestPaused", (paused) => void this.#request(cdp, paused).catch(() => {}));
    cdp.on("Page.windowOpen", ({ url }) => this.asksToOpen(seenByMain(url)));
    await cdp.send("Page.enable");
    const { frameTree } = await cdp.send("Page.getFrameTree");
    this.#mainFrame = frameTree.frame.id;
    await cdp.send("Fetch.enable", {
      patterns: [{ urlPattern: INTERCEPTED }, { urlPattern: "*", resourceType: "Document" }],
    });
    page.on("popup", (popup) => void popup.close().catch(() => {}));
    page.on("load", () => this.emit("did-finish-load"));
    page.on("crash", () => this.emit("render-process-gone"));
    return page;
  }

  async #hear(
    frame: Frame,
    { kind, channel, said }: { kind: string; channel: string; said: unknown[] },
  ): Promise<string> {
    const url = seenByMain(frame.url());
    const senderFrame = { url, origin: originOf(url), parent: frame.parentFrame() };
    const from: Sender = { sender: this, senderFrame };
    const { ipcMain } = this.#around;
    if (kind !== "invoke") {
      ipcMain.said(from, channel, said);
      return "";
    }
    const { error, value } = await ipcMain.invoked(from, channel, said);
    return written([error, value]);
  }

  async #request(cdp: CDPSession, paused: Paused): Promise<void> {
    const { requestId, request } = paused;
    const url = seenByMain(request.url);
    if (paused.resourceType === "Document" && !this.#mayGo(paused)) {
      await cdp.send("Fetch.failRequest", { requestId, errorReason: "Aborted" });
    } else if (url === request.url) await cdp.send("Fetch.continueRequest", { requestId });
    else {
      const answer = await this.#around.protocol.answer(url, { method: request.method });
      const body = Buffer.from(await answer.arrayBuffer()).toString("base64");
      await cdp.send("Fetch.fulfillRequest", {
        requestId,
        responseCode: answer.status,
        responseHeaders: [...answer.headers].map(([name, value]) => ({ name, value })),
        body,
      });
    }
  }

  /** Asks main whether a frame may go somewhere, unless main has sent it there. */
  #mayGo(paused: Paused): boolean {
    const url = seenByMain(paused.request.url);
    const isMainFrame = paused.frameId === this.#mainFrame;
    const isSent = isMainFrame && this.#sentTo === url;
    if (isMainFrame) this.#sentTo = undefined;
    if (!isSent) {
      const event = new PreventableEvent({ url, isMainFrame });
      const isRedirect = paused.redirectedRequestId !== undefined;
      if (isRedirect) this.emit("will-redirect", event);
      else {
        this.emit("will-frame-navigate", event);
        if (isMainFrame) this.emit("will-navigate", event);
      }
      if (event.defaultPrevented) return false;
    }
    this.emit("did-start-navigation", { url, isMainFrame, isSameDocument: false });
    return true;
  }
}
