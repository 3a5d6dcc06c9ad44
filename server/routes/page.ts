import { type AnyElysia, Elysia } from "elysia";
import type { Deps } from "../deps.ts";
import { forAnyone, urlOf } from "../endpoint.ts";
import { PAGE, pageFile } from "../page/files.ts";
import { noSuch, noSuchEndpoint } from "../refusals.ts";

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
      forAnyone(shell, ({ request }) => {
        // Elysia takes any path that it cannot cut out of an address for this one, as where the host is none.
        if (urlOf(request).pathname !== "/") throw noSuchEndpoint();
        return answer(PAGE);
      }),
    )
    .get(
      "/app/:asset",
      forAnyone(shell, ({ params }) => answer(params.asset ?? "")),
    );
}
