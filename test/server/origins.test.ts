import { describe, expect, test } from "bun:test";
import { refusedWith, TestServer } from "../support/server.ts";

describe("PORCHLIGHT_ALLOWED_ORIGINS", () => {
  const HOME = "https://home.example";
  const FOREIGN = "https://elsewhere.example";

  function listed(): Promise<TestServer> {
    return TestServer.start({
      alone: true,
      env: { PORCHLIGHT_ALLOWED_ORIGINS: `${HOME}, https://app.example` },
    });
  }

  test("lets listed origins read answers, refusals and their headers", async () => {
    await using server = await listed();
    const ann = await server.person("ann");
    for (const path of ["/v1/me", "/v1/rooms/nowhere", "/v1/nowhere"]) {
      const { headers } = await ann.get(path, { origin: HOME });
      expect(headers.get("access-control-allow-origin")).toBe(HOME);
      expect(headers.get("access-control-expose-headers")).toBe(
        "allow, etag, retry-after, x-request-id",
      );
      expect(headers.get("vary")).toBe("origin");
    }
  });

  test.each([FOREIGN, "null", `${HOME}:8443`, "http://home.example", `${HOME}.elsewhere.example`])(
    "refuses the origin %s everywhere",
    async (origin) => {
      await using server = await listed();
      const ann = await server.person("ann", { bio: "as before" });
      const replies = [
        await ann.get("/v1/me", { origin }),
        await server.request("GET", "/v1/me", { headers: { origin } }),
        await server.request("PUT", "/v1/me", {
          token: ann.token,
          body: { bio: "changed" },
          headers: { origin },
        }),
        await server.request("OPTIONS", "/v1/me", { headers: { origin } }),
        await server.request("GET", "/healthz", { headers: { origin } }),
        await server.request("GET", "/v1/stream", { headers: { origin } }),
        await server.request("GET", "/v1/nowhere", { headers: { origin } }),
      ];
      for (const reply of replies) {
        expect(refusedWith(reply)).toBe("403 SW_ORIGIN_FORBIDDEN");
        expect(reply.headers.get("access-control-allow-origin")).toBeNull();
        expect(reply.headers.get("x-request-id")).not.toBeNull();
      }
      expect((await ann.get("/v1/me")).body.data.bio).toBe("as before");
    },
  );

  test("lets the pages of the server itself call it, such as the reference", async () => {
    await using server = await listed();
    const ann = await server.person("ann");
    const put = { token: ann.token, body: { bio: "b" }, headers: { origin: server.url } };
    expect((await server.request("PUT", "/v1/me", put)).status).toBe(200);
    const { port } = new URL(server.url);
    for (const origin of [
      `http://localhost:${port}`,
      "http://127.0.0.1",
      `ftp://127.0.0.1:${port}`,
    ])
      expect(refusedWith(await ann.get("/v1/me", { origin }))).toBe("403 SW_ORIGIN_FORBIDDEN");
  });

  test("says that answers differ by origin, also to whoever names none", async () => {
    await using server = await listed();
    expect((await server.request("GET", "/healthz")).headers.get("vary")).toBe("origin");
  });

  test("is looked at before a stream is opened", async () => {
    await using server = await listed();
    const ann = await server.person("ann");
    const upgrade = { connection: "upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
    const open = (origin: string): Promise<number> =>
      ann
        .get("/v1/stream", { ...upgrade, "sec-websocket-key": btoa("x".repeat(16)), origin })
        .then(({ status }) => status);
    expect(await open(FOREIGN)).toBe(403);
    const [home, foreign] = [HOME, FOREIGN].map((origin) => {
      const url = `${server.url.replace("http", "ws")}/v1/stream?token=${ann.token}`;
      return new WebSocket(url, { headers: { origin } } as unknown as string[]);
    });
    const opened = (socket: WebSocket | undefined): Promise<string> =>
      new Promise((resolve) => {
        socket?.addEventListener("open", () => resolve("open"));
        socket?.addEventListener("close", () => resolve("closed"));
      });
    expect(await Promise.all([home, foreign].map(opened))).toEqual(["open", "closed"]);
    home?.close();
  });

  test("a preflight request is answered for every endpoint with what it takes", async () => {
    await using server = await listed();
    for (const { method, path } of server.routes) {
      const { status, headers } = await server.request("OPTIONS", path.replaceAll(":", ""), {
        headers: { origin: HOME, "access-control-request-method": method },
      });
      expect([path, status]).toEqual([path, 204]);
      expect(headers.get("access-control-allow-methods")?.split(", ")).toContain(method);
      expect(headers.get("access-control-allow-origin")).toBe(HOME);
    }
  });

  test("does not concern whoever names no origin", async () => {
    await using server = await listed();
    const ann = await server.person("ann");
    const { status, headers } = await ann.get("/v1/me");
    expect([status, headers.get("access-control-allow-origin")]).toEqual([200, null]);
  });

  test("is by default any origin", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const { status, headers } = await ann.get("/v1/me", { origin: FOREIGN });
    expect([status, headers.get("access-control-allow-origin")]).toEqual([200, "*"]);
  });

  test("a preflight request needs no token, and says what may be sent", async () => {
    await using server = await listed();
    const { status, headers, body } = await server.request("OPTIONS", "/v1/me", {
      headers: { origin: HOME, "access-control-request-method": "PUT" },
    });
    expect([status, body]).toEqual([204, undefined]);
    expect(Object.fromEntries(headers)).toMatchObject({
      allow: "GET, HEAD, PUT",
      "access-control-allow-origin": HOME,
      "access-control-allow-methods": "GET, HEAD, PUT",
      "access-control-allow-headers": "authorization, content-type, if-none-match",
    });
    expect(refusedWith(await server.request("OPTIONS", "/v1/nowhere"))).toBe("404 SW_NOT_FOUND");
  });
});
