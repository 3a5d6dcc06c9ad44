import type { TextAnswer } from "../endpoint.ts";
import { HTML, policyOf, protectedText, SCRIPT, STYLE, type TextFile } from "../text-file.ts";
import { pageAt, START } from "./page.ts";

/** What is large is loaded when it is first asked for. */
const FILES: ReadonlyMap<string, TextFile> = new Map<string, TextFile>([
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

/** Its scripts set styles of their own. */
const POLICY = policyOf(" 'unsafe-inline'");

/** The page that shows the reference. @param address where it was asked for. */
export function page({ pathname }: URL): TextAnswer {
  return protectedText(pageAt(pathname.endsWith("/") ? "../" : ""), HTML, POLICY);
}

/** What the page is made of; `undefined` for what is no part of it. */
export async function file(name: string): Promise<TextAnswer | undefined> {
  const found = FILES.get(name);
  return found && protectedText((await found.load()).default, found.type, POLICY);
}
