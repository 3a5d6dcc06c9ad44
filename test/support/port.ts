/** A port of 127.0.0.1 on which nothing listened a moment ago, for what cannot pick one itself. */
export async function freePort(): Promise<number> {
  await using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  return server.port ?? 0;
}
