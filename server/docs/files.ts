import type { TextAnswer } from "../endpoint.ts";
import { pageAt, START } from "./page.ts";

const SCRIPT = "text/javascript; charset=utf-8";
const STYLE = "text/css; charset=utf-8";

interface File {
  readonly type: string;
  readonly load: () => Promise<{ readonly default: string }>;
}

/** What is large is loaded when it is first asked for. */
const FILES: ReadonlyMap<string, File> = new Map<string, File>([
  [
    "swagger-ui.css",
    {
      type: STYLE,
      // @ts-expect-error a text has no types
      load: () => import("swagger-ui-dist/swagger-ui.css", { with: { type: "text" } }),
    },
  ],
  [
    "swagger-ui-bundle.js",
    {
      type: SCRIPT,
      // @ts-expect-error a text has no types
      load: () => import("swagger-ui-dist/swagger-ui-bundle.js", { with: { type: "text" } }),
    },
  ],
  ["start.js", { type: SCRIPT, load: async () => ({ default: START }) }],
]);

/** The page loads what is ours and asks nobody else. Its scripts set styles of their own. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

function protectedText(text: string, type: string): TextAnswer {
  return {
    text,
    headers: {
      "content-type": type,
      "content-security-policy": POLICY,
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
  };
}

/** The page that shows the reference. @param address where it was asked for. */
export function page({ pathname }: URL): TextAnswer {
  return protectedText(pageAt(pathname.endsWith("/") ? "../" : ""), "text/html; charset=utf-8");
}

/** What the page is made of; `undefined` for what is no part of it. */
export async function file(name: string): Promise<TextAnswer | undefined> {
  const found = FILES.get(name);
  return found && protectedText((await found.load()).default, found.type);
}
