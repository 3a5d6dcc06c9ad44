/** Answers every GET with what was PUT last, and does nothing else. */
import { HEADERS as headers } from "./headers.ts";

let body = "";

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    if (request.method === "PUT") return replace(request);
    return new Response(body, { headers });
  },
});
console.log(`listening at ${server.url.origin}`);

async function replace(request: Request): Promise<Response> {
  body = await request.text();
  return new Response("{}", { headers });
}
