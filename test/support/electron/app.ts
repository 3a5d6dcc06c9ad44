import { EventEmitter } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { PreventableEvent } from "./event.ts";

/** What an app needs of its windows to quit. */
export interface Quitting {
  /** Asks every window to close. Answers whether all did. */
  closeAll(): boolean;
}

/** `app`: the life of a process that this process only plays. */
export class App extends EventEmitter {
  isPackaged = false;
  isQuitting = false;
  /** Whether every renderer was asked to be in a sandbox. */
  isSandboxed = false;
  badge = 0;
  loginItem = { openAtLogin: false, args: [] as readonly string[] };
  /** Resolves when the app has quit. */
  readonly ended: Promise<void>;
  readonly #folder: string;
  readonly #isFirst: boolean;
  readonly #windows: Quitting;
  readonly #end: () => void;
  readonly #ready = Promise.withResolvers<void>();
  #isReady = false;
  #hasEnded = false;

  constructor(options: { folder: string; isFirst: boolean; windows: Quitting }) {
    super();
    this.#folder = options.folder;
    this.#isFirst = options.isFirst;
    this.#windows = options.windows;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
  }

  /** Begins the part of a life in which there are windows; one that has ended already has none. */
  begin(): void {
    if (this.#hasEnded) return;
    this.#isReady = true;
    this.#ready.resolve();
    this.emit("ready");
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  isReady(): boolean {
    return this.#isReady;
  }

  whenReady(): Promise<void> {
    return this.#ready.promise;
  }

  requestSingleInstanceLock(): boolean {
    return this.#isFirst;
  }

  getPath(name: string): string {
    const path = join(this.#folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  enableSandbox(): void {
    if (this.#isReady)
      throw new Error("app.enableSandbox() can only be called before app is ready");
    this.isSandboxed = true;
  }

  setBadgeCount(count: number): void {
    this.badge = count;
  }

  getLoginItemSettings(): { openAtLogin: boolean } {
    return this.loginItem;
  }

  setLoginItemSettings(settings: { openAtLogin: boolean; args: readonly string[] }): void {
    this.loginItem = settings;
  }

  setAsDefaultProtocolClient(): boolean {
    return true;
  }

  setAppUserModelId(): void {}

  quit(): void {
    if (this.#hasEnded || !this.#passes("before-quit")) return;
    this.isQuitting = true;
    if (!this.#windows.closeAll() || !this.#passes("will-quit")) {
      this.isQuitting = false;
      return;
    }
    this.#hasEnded = true;
    this.emit("quit", {}, 0);
    this.#end();
  }

  #passes(name: string): boolean {
    const event = new PreventableEvent();
    this.emit(name, event);
    return !event.defaultPrevented;
  }
}
