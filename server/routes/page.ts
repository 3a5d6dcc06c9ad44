import { type AnyElysia, Elysia } from "elysia";
import type { Deps } from "../deps.ts";
import { forAnyone } from "../endpoint.ts";
import { PAGE, pageFile } from "../page/files.ts";
import { noSuch } from "../refusals.ts";

/** The view, for a server that has an address to itself. */
export function pageRoutes({ shell }: Pick<Deps, "shell">): AnyElysia {
  const answer = async (name: string) => {
    const found = await pageFile(name);
    if (found === undefined) throw noSuch("thing");
    return found;
  };
  return new Elysia()
    .get(
      "/",
      // Elysia takes the path for this one where a request names no host.
      forAnyone(shell, ({ url }) => answer(url.pathname === "/" ? PAGE : "")),
    )
    .get(
      "/app/:asset",
      forAnyone(shell, ({ params }) => answer(params.asset ?? "")),
    );
}
