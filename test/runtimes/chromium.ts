import { existsSync } from "node:fs";
import { chromium, type Page } from "playwright-core";
import type { Found } from "./binaries.ts";
import { attempt, installPackage, mayInstallPackages } from "./packages.ts";

const COMMANDS = ["chromium", "google-chrome", "google-chrome-stable"] as const;
const MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";
/** Without what a browser does for its user in the background, and as root as well. */
export const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
] as const;
const LAUNCH_MS = 30_000;

/** Chromium as `PORCHLIGHT_TEST_CHROMIUM` names it, from the PATH, or as Playwright installed it. */
export function findChromium(): Found {
  const named = process.env.PORCHLIGHT_TEST_CHROMIUM;
  if (named !== undefined)
    return existsSync(named) ? { path: named } : { missing: `there is no file ${named}` };
  const onPath = COMMANDS.map((command) => Bun.which(command));
  const path = [...onPath, MAC, ...ofPlaywright()].find(
    (each) => each !== null && existsSync(each),
  );
  return typeof path === "string"
    ? { path }
    : { missing: "there is no Chromium on the PATH, and PORCHLIGHT_TEST_CHROMIUM names none" };
}

/** Installs Chromium where there is none: as root from the packages of Debian, else, and failing that, by Playwright. */
export async function installChromium(): Promise<void> {
  if ("path" in findChromium() || process.env.PORCHLIGHT_TEST_CHROMIUM !== undefined) return;
  await installPackage("chromium");
  if ("path" in findChromium()) return;
  const cli = Bun.resolveSync("playwright-core/cli.js", import.meta.dir);
  const libraries = mayInstallPackages() ? ["--with-deps"] : [];
  await attempt([process.execPath, cli, "install", ...libraries, "chromium-headless-shell"]);
}

/** Loads a module, bundled, on a page of a real origin, and answers what its `run` says. */
export async function runInChromium(
  executablePath: string,
  { entry, call, timeoutMs }: { entry: string; call: string; timeoutMs: number },
): Promise<unknown> {
  const built = await Bun.build({ entrypoints: [entry], target: "browser" });
  const [bundle] = built.outputs;
  if (bundle === undefined) throw new Error(`Cannot bundle ${entry}`);
  await using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url }) =>
      url.endsWith("/module.js")
        ? new Response(bundle, { headers: { "content-type": "text/javascript" } })
        : new Response("<!doctype html>", { headers: { "content-type": "text/html" } }),
  });
  return await withPage({ executablePath, timeoutMs }, async (page) => {
    await page.goto(server.url.href);
    return page.evaluate(`import("/module.js").then(async ({ run }) => ${call})`);
  });
}

/** Opens an empty page in a browser that is gone afterwards, and at the latest after `timeoutMs`. */
export async function withPage<T>(
  { executablePath, timeoutMs }: { executablePath: string; timeoutMs: number },
  use: (page: Page) => Promise<T>,
): Promise<T> {
  const browser = await chromium.launch({
    executablePath,
    args: [...CHROMIUM_FLAGS],
    timeout: LAUNCH_MS,
  });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= browser.close();
    return closing;
  };
  try {
    // Playwright does not bear that a browser is closed while it makes a page: time counts from then on.
    const page = await browser.newPage();
    AbortSignal.timeout(timeoutMs).addEventListener("abort", close);
    return await use(page);
  } catch (cause) {
    throw new Error(`Cannot run on Chromium: ${cause}`, { cause });
  } finally {
    await close();
  }
}

/** The places in which Playwright has a Chromium, or would have it. */
function ofPlaywright(): string[] {
  const whole = chromium.executablePath();
  const [cache = ""] = whole.split(/[\\/]chromium-\d/);
  if (!existsSync(cache)) return [whole];
  const shells = new Bun.Glob(
    "chromium_headless_shell-*/*/{chrome-headless-shell,headless_shell}{,.exe}",
  );
  return [whole, ...shells.scanSync({ cwd: cache, absolute: true })];
}
