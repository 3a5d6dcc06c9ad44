import { EventEmitter } from "node:events";
import { PreventableEvent } from "./event.ts";
import { type Surroundings, WebContents, type WebPreferences } from "./web-contents.ts";

/** Where a window is. */
interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface WindowOptions extends Partial<Rectangle> {
  readonly show?: boolean;
  readonly webPreferences?: WebPreferences;
}

/** `BrowserWindow`: a page, and where it would stand on a desktop. */
export class BrowserWindow extends EventEmitter {
  readonly options: WindowOptions;
  readonly webContents: WebContents;
  #bounds: Rectangle;
  #isVisible: boolean;
  #isMaximized = false;
  #isMinimized = false;
  #isDestroyed = false;

  constructor(options: WindowOptions, around: Surroundings) {
    super();
    const { webPreferences = {}, x = 0, y = 0, width = 800, height = 600, show = true } = options;
    const { sandbox, contextIsolation, nodeIntegration } = webPreferences;
    if (sandbox !== true || contextIsolation !== true || nodeIntegration !== false)
      throw new Error("The stand-in has only windows in a sandbox, isolated, and without Node.js");
    this.options = options;
    this.#bounds = { x, y, width, height };
    this.#isVisible = show;
    this.webContents = new WebContents(webPreferences, around);
    this.webContents.once("did-finish-load", () => this.emit("ready-to-show"));
  }

  async loadURL(url: string): Promise<void> {
    await this.webContents.loadURL(url);
  }

  show(): void {
    this.#isVisible = true;
    this.emit("show");
  }

  hide(): void {
    this.#isVisible = false;
    this.emit("hide");
  }

  focus(): void {
    this.emit("focus");
  }

  maximize(): void {
    this.#isMaximized = true;
    this.#isVisible = true;
  }

  minimize(): void {
    this.#isMinimized = true;
  }

  restore(): void {
    this.#isMinimized = false;
  }

  isVisible(): boolean {
    return this.#isVisible;
  }

  isMaximized(): boolean {
    return this.#isMaximized;
  }

  isMinimized(): boolean {
    return this.#isMinimized;
  }

  isDestroyed(): boolean {
    return this.#isDestroyed;
  }

  getNormalBounds(): Rectangle {
    return { ...this.#bounds };
  }

  setBounds(bounds: Partial<Rectangle>): void {
    this.#bounds = { ...this.#bounds, ...bounds };
  }

  /** Closes it, as its user does: it may object. */
  close(): void {
    const event = new PreventableEvent();
    this.emit("close", event);
    if (!event.defaultPrevented) this.destroy();
  }

  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    void this.webContents.close();
    this.emit("closed");
  }
}
