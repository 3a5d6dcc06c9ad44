import type { WebContents } from "electron";
import type { ShellEvent } from "../bridge.ts";
import type { View } from "./view.ts";

/** All windows with the view. The one that was used last speaks for all. */
export class Views {
  readonly #make: (isHidden: boolean) => View;
  readonly #onClose: (view: View) => void;
  /** The one that was used last is the last. */
  readonly #views = new Set<View>();
  #isEnding = false;

  /**
   * @param options.make a window, not loaded yet.
   * @param options.onClose a window is about to be closed, or hidden.
   */
  constructor(options: { make(isHidden: boolean): View; onClose(view: View): void }) {
    this.#make = options.make;
    this.#onClose = options.onClose;
  }

  /** Opens one more window. */
  open(isHidden = false): View {
    const view = this.#make(isHidden);
    this.#views.add(view);
    view.window.on("focus", () => this.#use(view));
    view.window.on("closed", () => this.#views.delete(view));
    view.window.on("close", (event) => {
      this.#onClose(view);
      if (this.#isEnding || this.#views.size > 1) return;
      // The last window stays in the tray: whoever closes it is still there.
      event.preventDefault();
      view.window.hide();
    });
    view.load().catch((error: unknown) => console.error("Cannot load the view:", error));
    return view;
  }

  /** From now on a window that is closed is gone, be it the last. */
  end(): void {
    this.#isEnding = true;
  }

  /** The view in a page; nothing where the page is none of ours. */
  of(contents: WebContents): View | undefined {
    return [...this.#views].find(({ window }) => window.webContents === contents);
  }

  get all(): readonly View[] {
    return [...this.#views];
  }

  /** The window that was used last. */
  get last(): View | undefined {
    return this.all.at(-1);
  }

  tellAll(event: ShellEvent): void {
    for (const view of this.#views) view.tell(event);
  }

  /** Loads all views anew: each is told whom it may reach when it is loaded. */
  reloadAll(): void {
    for (const view of this.#views) view.reload();
  }

  /** Puts the window that was used last before the user, or a new one. */
  show(): View {
    const { last } = this;
    if (last === undefined) return this.open();
    last.show();
    return last;
  }

  #use(view: View): void {
    this.#views.delete(view);
    this.#views.add(view);
  }
}
