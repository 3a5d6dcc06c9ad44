import { type AnyElysia, Elysia } from "elysia";
import type { Deps } from "../deps.ts";
import { file, page } from "../docs/files.ts";
import { forAnyone, urlOf } from "../endpoint.ts";
import { openApi, type Route } from "../openapi.ts";
import { noSuch } from "../refusals.ts";

/** The reference: as OpenAPI for programs, and as a page. @param routes every endpoint, once all are there. */
export function referenceRoutes({ shell }: Deps, routes: () => readonly Route[]): AnyElysia {
  let written: string | undefined;
  return new Elysia()
    .get(
      "/openapi.json",
      forAnyone(shell, () => {
        written ??= JSON.stringify(openApi(routes(), shell.config));
        return { text: written, headers: {} };
      }),
    )
    .get(
      "/docs",
      forAnyone(shell, ({ request }) => page(urlOf(request))),
    )
    .get(
      "/docs/:file",
      forAnyone(shell, async ({ params }) => {
        const found = await file(params.file ?? "");
        if (found === undefined) throw noSuch("thing");
        return found;
      }),
    );
}
