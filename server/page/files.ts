import { CodedError } from "@porchlight/core";
import type { TextAnswer } from "../endpoint.ts";
import { HTML, policyOf, protectedText, SCRIPT, STYLE, type TextFile } from "../text-file.ts";

/** Where the page itself stands among its files. */
export const PAGE = "index.html";

/** What keeps the page in the browser: it is below `/app/`, and for all of the page. */
const WORKER = "worker.js";

/** What the page is made of, as `bun run page` has built it. */
const FILES: ReadonlyMap<string, TextFile> = new Map<string, TextFile>([
  [
    PAGE,
    {
      type: HTML,
      load: () => import("./dist/index.html", { with: { type: "text" } }),
    },
  ],
  [
    "main.js",
    {
      type: SCRIPT,
      // @ts-expect-error a text has no types
      load: () => import("./dist/app/main.js", { with: { type: "text" } }),
    },
  ],
  [
    "view.js",
    {
      type: SCRIPT,
      // @ts-expect-error a text has no types
      load: () => import("./dist/app/view.js", { with: { type: "text" } }),
    },
  ],
  [
    "preload-helper.js",
    {
      type: SCRIPT,
      // @ts-expect-error a text has no types
      load: () => import("./dist/app/preload-helper.js", { with: { type: "text" } }),
    },
  ],
  [
    "live.js",
    {
      type: SCRIPT,
      // @ts-expect-error a text has no types
      load: () => import("./dist/app/live.js", { with: { type: "text" } }),
    },
  ],
  [
    WORKER,
    {
      type: SCRIPT,
      // @ts-expect-error a text has no types
      load: () => import("./dist/app/worker.js", { with: { type: "text" } }),
    },
  ],
  [
    "view.css",
    {
      type: STYLE,
      // @ts-expect-error a text has no types
      load: () => import("./dist/app/view.css", { with: { type: "text" } }),
    },
  ],
  [
    "porch.svg",
    {
      type: "image/svg+xml",
      // @ts-expect-error a text has no types
      load: () => import("./dist/app/porch.svg", { with: { type: "text" } }),
    },
  ],
]);

const POLICY = policyOf();

/**
 * A file of the page; `undefined` for what is no part of it.
 * @throws {CodedError} `SW_NOT_FOUND` where the page has not been built.
 */
export async function pageFile(name: string): Promise<TextAnswer | undefined> {
  const found = FILES.get(name);
  if (found === undefined) return undefined;
  const { text, headers } = protectedText(await textOf(found), found.type, POLICY);
  return name === WORKER
    ? { text, headers: { ...headers, "service-worker-allowed": "/" } }
    : { text, headers };
}

async function textOf(file: TextFile): Promise<string> {
  try {
    return (await file.load()).default;
  } catch (cause) {
    const message = "The page has not been built: run `bun run page`";
    throw new CodedError("SW_NOT_FOUND", message, { cause });
  }
}
