/**
 * Splits the ids, looks each up and makes JSON of what it found: as little as
 * a program can do that answers who is there, asking nobody who asks, checking
 * nothing. The states are those that were PUT last.
 */
import { HEADERS as headers } from "./headers.ts";

let states: ReadonlyMap<string, string> = new Map();

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    if (request.method === "PUT") return replace(request);
    const { url } = request;
    const data: Record<string, string> = {};
    for (const id of url.slice(url.indexOf("ids=") + 4).split(","))
      data[id] = states.get(id) ?? "offline";
    return new Response(JSON.stringify({ data }), { headers });
  },
});
console.log(`listening at ${server.url.origin}`);

async function replace(request: Request): Promise<Response> {
  const { data } = (await request.json()) as { data: Record<string, string> };
  states = new Map(Object.entries(data));
  return new Response("{}", { headers });
}
