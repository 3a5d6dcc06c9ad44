import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { app, BrowserWindow } from "electron";
import type { ShellEvent } from "../bridge.ts";
import type { Bounds } from "./bounds.ts";
import { ARGUMENTS, EVENT } from "./channels.ts";
import { PAGE } from "./origin.ts";

const PRELOAD = join(import.meta.dirname, "../preload/index.cjs");
/** As narrow as the view can be drawn. */
const LEAST = { minWidth: 320, minHeight: 400 } as const;

/** A window with the view in it, which may be loaded anew and is the same then. */
export class View {
  readonly window: BrowserWindow;
  #isListening = false;
  /** It was maximized, and is again once it is shown: whatever is maximized is shown. */
  #toMaximize: boolean;
  /** What it was told before it could hear it; only the last is of interest. */
  #toOpen: ShellEvent | undefined;
  #onKept: () => void = () => {};

  /** @param options.isHidden whether the window waits to be asked for. */
  constructor(options: {
    readonly device_id: string;
    readonly bounds: Bounds;
    readonly isHidden: boolean;
  }) {
    const { maximized, ...bounds } = options.bounds;
    this.#toMaximize = maximized;
    this.window = new BrowserWindow({
      ...bounds,
      ...LEAST,
      show: false,
      title: "Porchlight",
      autoHideMenuBar: true,
      webPreferences: {
        preload: PRELOAD,
        sandbox: true,
        contextIsolation: true,
        nodeIntegration: false,
        webSecurity: true,
        webviewTag: false,
        devTools: !app.isPackaged,
        // Dictionaries come from a server that is not the user's; macOS has its own.
        spellcheck: process.platform === "darwin",
        // Whoever is hidden in the tray is still connected, and has to notice when not.
        backgroundThrottling: false,
        additionalArguments: [
          ARGUMENTS.device + options.device_id,
          `${ARGUMENTS.instance}window-${randomUUID()}`,
        ],
      },
    });
    const { webContents } = this.window;
    webContents.on("did-start-navigation", ({ isMainFrame, isSameDocument }) => {
      if (isMainFrame && !isSameDocument) this.#silence();
    });
    webContents.on("render-process-gone", () => this.#silence());
    // A session of Windows that ends waits for nobody.
    this.window.on("query-session-end", () => this.tell({ type: "suspend" }));
    if (!options.isHidden) this.window.once("ready-to-show", () => this.show());
  }

  async load(): Promise<void> {
    await this.window.loadURL(PAGE);
  }

  reload(): void {
    this.window.webContents.reload();
  }

  /** Tells the view something. One that does not listen yet is told only what it is asked to open, as soon as it does. */
  tell(event: ShellEvent): void {
    if (this.#isListening) this.window.webContents.send(EVENT, event);
    else if (event.type === "open") this.#toOpen = event;
  }

  /** The view has said that it listens. */
  listens(): void {
    this.#isListening = true;
    if (this.#toOpen !== undefined) this.tell(this.#toOpen);
    this.#toOpen = undefined;
  }

  /** Tells the view to keep what is not kept yet, and resolves when it is, or when there is nobody to keep it. */
  async keep(): Promise<void> {
    if (!this.#isListening) return;
    await new Promise<void>((resolve) => {
      this.#onKept = resolve;
      this.tell({ type: "suspend" });
    });
  }

  /** The view has said that it has kept everything. */
  kept(): void {
    this.#onKept();
  }

  /** Where the window is, and how large it would be were it not maximized. */
  get bounds(): Bounds {
    const maximized = this.#toMaximize || this.window.isMaximized();
    return { ...this.window.getNormalBounds(), maximized };
  }

  /** Puts the window before the user. */
  show(): void {
    if (this.#toMaximize) this.window.maximize();
    this.#toMaximize = false;
    if (this.window.isMinimized()) this.window.restore();
    this.window.show();
    this.window.focus();
  }

  #silence(): void {
    this.#isListening = false;
    this.#onKept();
  }
}
