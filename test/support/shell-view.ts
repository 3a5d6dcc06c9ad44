import type { JSHandle, Page } from "playwright-core";
import type { Shell, ShellEvent } from "../../desktop/bridge.ts";

type Hears = (event: ShellEvent) => void;

/** The part of a view that speaks with its shell, in a real page. One that is loaded anew is another. */
export class ShellView {
  readonly page: Page;
  /** What the view is handed. `evaluate` runs in the page. */
  readonly shell: JSHandle<Shell>;
  /** What was heard and not answered yet. */
  readonly heard: ShellEvent[] = [];
  #onHeard: () => void = () => {};

  private constructor(page: Page, shell: JSHandle<Shell>) {
    this.page = page;
    this.shell = shell;
  }

  static async of(page: Page): Promise<ShellView> {
    const shell = await page.evaluateHandle(
      () => (globalThis as unknown as { readonly porchlight: Shell }).porchlight,
    );
    return new ShellView(page, shell);
  }

  /** Begins to listen. */
  async listen(): Promise<this> {
    const name = `heard_${crypto.randomUUID().replaceAll("-", "")}`;
    await this.page.exposeFunction(name, (event: ShellEvent) => {
      this.heard.push(event);
      this.#onHeard();
    });
    await this.shell.evaluate((shell, name) => {
      const hears = (globalThis as unknown as Record<string, Hears>)[name];
      if (hears !== undefined) shell.listen((event) => hears(event));
    }, name);
    return this;
  }

  /** The next event that was not answered yet. */
  async next(): Promise<ShellEvent> {
    for (;;) {
      const event = this.heard.shift();
      if (event !== undefined) return event;
      await new Promise<void>((resolve) => {
        this.#onHeard = resolve;
      });
    }
  }
}
