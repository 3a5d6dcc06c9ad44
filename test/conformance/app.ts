import { describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { seenByMain } from "../support/electron/address.ts";
import { temporaryFolder } from "../support/process.ts";
import { ShellView } from "../support/shell-view.ts";

/** The app as it is built, on Electron or what stands in for it. */
export interface RunningApp extends AsyncDisposable {
  /** The page of the first window, once the view is loaded in it. */
  page(): Promise<Page>;
  quit(): Promise<void>;
}

/**
 * Declares what the app does wherever it runs.
 * @param start starts it on a machine that keeps what it keeps in a folder.
 */
export function appSuite(
  name: string,
  start: (machine: { readonly folder: string }) => Promise<RunningApp>,
): void {
  describe(name, () => {
    test("draws the view from its own scheme, and breaks none of its own rules in doing so", async () => {
      using folder = temporaryFolder();
      await using app = await start({ folder: folder.path });
      const errors: string[] = [];
      const page = await app.page();
      page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      page.on("pageerror", (error) => errors.push(String(error)));
      await page.reload();
      await page.getByLabel("Access token").waitFor();
      expect(seenByMain(page.url())).toStartWith("porchlight-app://bundle/");
      expect(errors).toEqual([]);
    });

    test("hands the view a shell, and nothing of Node.js or Electron", async () => {
      using folder = temporaryFolder();
      await using app = await start({ folder: folder.path });
      const { page, shell } = await ShellView.of(await app.page());
      expect(await shell.evaluate(({ kind, server }) => [kind, server])).toEqual(["electron", ""]);
      expect(await shell.evaluate((each) => each.account())).toBeUndefined();
      expect(await page.evaluate("[typeof require, typeof process, typeof ipcRenderer]")).toEqual([
        ...["undefined", "undefined", "undefined"],
      ]);
    });

    test("stays where it is when the page wants to go elsewhere", async () => {
      using folder = temporaryFolder();
      await using app = await start({ folder: folder.path });
      const page = await app.page();
      const before = page.url();
      await page.evaluate('location.href = "http://elsewhere.invalid/"').catch(() => {});
      await page.evaluate('open("http://elsewhere.invalid/")').catch(() => {});
      await page.getByLabel("Access token").waitFor();
      expect(page.url()).toBe(before);
    });

    test("has its name and what the view has put after a restart", async () => {
      using folder = temporaryFolder();
      const run = async (put?: unknown): Promise<unknown> => {
        await using app = await start({ folder: folder.path });
        const { shell } = await ShellView.of(await app.page());
        const known = await shell.evaluate(async (each, value) => {
          if (value !== undefined) await each.cache.put("test", value);
          return [each.device_id, await each.cache.get("test")];
        }, put);
        await app.quit();
        return known;
      };
      const first = await run({ at: 1 });
      expect(first).toEqual([expect.stringMatching(/^desktop-/), { at: 1 }]);
      expect(await run()).toEqual(first);
    });
  });
}
