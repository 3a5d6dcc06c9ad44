import { describe, expect, test } from "bun:test";
import { refusedWith, TestServer } from "../support/server.ts";

describe("PORCHLIGHT_ALLOWED_ORIGINS", () => {
  const HOME = "https://home.example";
  const FOREIGN = "https://elsewhere.example";

  function listed(): Promise<TestServer> {
    return TestServer.start({
      env: { PORCHLIGHT_ALLOWED_ORIGINS: `${HOME}, https://app.example` },
    });
  }

  test("lets listed origins read answers, refusals and their headers", async () => {
    await using server = await listed();
    const ann = await server.person("ann");
    for (const path of ["/v1/me", "/v1/rooms/nowhere", "/v1/nowhere"]) {
      const { headers } = await ann.get(path, { origin: HOME });
      expect(headers.get("access-control-allow-origin")).toBe(HOME);
      expect(headers.get("access-control-expose-headers")).toContain("x-request-id");
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
