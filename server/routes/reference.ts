import { type AnyElysia, Elysia } from "elysia";
import type { Deps } from "../deps.ts";
import { forAnyone } from "../endpoint.ts";
import { openApi, type Route } from "../openapi.ts";

/** The reference: as OpenAPI. @param routes every endpoint, once all are there. */
export function referenceRoutes({ shell }: Deps, routes: () => readonly Route[]): AnyElysia {
  let written: string | undefined;
  return new Elysia().get(
    "/openapi.json",
    forAnyone(shell, () => {
      written ??= JSON.stringify(openApi(routes(), shell.config));
      return { text: written, headers: {} };
    }),
  );
}
