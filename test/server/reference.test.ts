import { describe, expect, test } from "bun:test";
import { ERROR_STATUS } from "@porchlight/core";
import { Validator } from "@seriousme/openapi-schema-validator";
import type { Page } from "playwright-core";
import { findChromium, withPage } from "../runtimes/chromium.ts";
import { testWith } from "../runtimes/runtimes.ts";
import { TestServer } from "../support/server.ts";

const PAGE_MS = 60_000;

describe("GET /openapi.json", () => {
  test("is a valid document of OpenAPI 3.1", async () => {
    await using server = await TestServer.start();
    const { body } = await server.request("GET", "/openapi.json");
    const validator = new Validator();
    expect(await validator.validate(body)).toEqual({ valid: true });
    expect(validator.version).toBe("3.1");
  });

  test("describes every endpoint, and no other", async () => {
    await using server = await TestServer.start();
    const { paths } = server.reference.document;
    const described = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const answered = server.routes.map(
      ({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`,
    );
    expect(described.sort()).toEqual(answered.sort());
  });

  test("names each operation by itself, and refers to nothing that it does not have", async () => {
    await using server = await TestServer.start();
    const { body } = await server.request("GET", "/openapi.json");
    const text = JSON.stringify(body);
    const names = [...text.matchAll(/"operationId":"([^"]+)"/g)].map(([, name]) => name);
    expect(new Set(names).size).toBe(server.routes.length);
    const references = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = ""]) => path);
    expect(references.length).toBeGreaterThan(100);
    const found = (path: string): unknown =>
      path.split("/").reduce<unknown>((at, key) => Object(at)[key], body);
    expect([...new Set(references)].filter((path) => found(path) === undefined)).toEqual([]);
  });

  test("knows every code of a refusal that an endpoint can give by itself", async () => {
    await using server = await TestServer.start();
    const { body } = await server.request("GET", "/openapi.json");
    const codes = new Set<string>(
      [...JSON.stringify(body.paths).matchAll(/SW_[A-Z_]+/g)].map(([code]) => code),
    );
    // Another method is answered where there is no endpoint for it.
    const elsewhere = ["SW_METHOD_NOT_ALLOWED"];
    expect(Object.keys(ERROR_STATUS).filter((code) => !codes.has(code))).toEqual(elsewhere);
  });

  test("says of input what is checked, also where a check is more than a type", async () => {
    await using server = await TestServer.start();
    const { paths } = (await server.request("GET", "/openapi.json")).body;
    const bodyOf = (method: string, path: string): Record<string, Record<string, unknown>> =>
      paths[path][method].requestBody.content["application/json"].schema.properties;
    expect(bodyOf("put", "/v1/typing").device_id).toEqual({
      type: "string",
      pattern: "^(?!rest:|socket:)[A-Za-z0-9._:@-]{1,128}$",
    });
    expect(bodyOf("put", "/v1/me").bio).toEqual({
      anyOf: [{ type: "string", minLength: 0, maxLength: 500 }, { type: "null" }],
    });
    expect(bodyOf("put", "/v1/me/presence").edited_at).toEqual({
      type: "string",
      format: "date-time",
    });
    expect(bodyOf("post", "/v1/presence/query").ids).toEqual({
      type: "array",
      items: { type: "string" },
      minItems: 1,
      maxItems: 5_000,
    });
    expect(paths["/v1/presence/query"].post.requestBody.description).toBe("at most 1048576 bytes");
    expect(paths["/v1/profiles"].get.parameters).toEqual([
      {
        name: "q",
        in: "query",
        required: false,
        schema: { type: "string", minLength: 0, maxLength: 100, default: "" },
      },
      {
        name: "limit",
        in: "query",
        required: false,
        schema: { type: "integer", minimum: 1, maximum: 200, default: 50 },
      },
      {
        name: "offset",
        in: "query",
        required: false,
        schema: { type: "integer", minimum: 0, default: 0 },
      },
    ]);
  });

  test("asks for a token where one is asked for", async () => {
    await using server = await TestServer.start();
    const { paths } = (await server.request("GET", "/openapi.json")).body;
    expect(paths["/v1/me"].get.security).toEqual([{ bearer: [] }]);
    expect(paths["/v1/stream"].get.security).toEqual([{ bearer: [] }]);
    expect(paths["/metrics"].get.security).toEqual([{ bearer: [] }]);
    expect(paths["/healthz"].get.security).toEqual([]);
  });
});

describe("an answer that is not as documented", () => {
  const REFUSAL = { error: { code: "SW_NOT_FOUND", message: "There is no such thing" } };

  /** What the reference says of an answer to `GET /v1/me`. */
  async function held(
    change: (right: { status: number; headers: Headers; body: unknown }) => object,
  ): Promise<unknown> {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const right = await ann.get("/v1/me");
    const wrong = { ...right, ...change(right) };
    try {
      server.reference.check("GET", "/v1/me", wrong);
    } catch (error) {
      return String(error);
    }
    return undefined;
  }

  test("fails the test that got it", async () => {
    expect(await held(() => ({}))).toBeUndefined();
    expect(
      await held(({ body }) => ({ body: { data: { ...Object(body).data, more: 1 } } })),
    ).toContain('/data must NOT have additional properties {"additionalProperty":"more"}');
    expect(await held(({ body }) => ({ body: { ...Object(body), meta: {} } }))).toContain("meta");
    expect(await held(() => ({ status: 201 }))).toContain("the status 201 is not documented");
    expect(await held(() => ({ status: 404, body: REFUSAL }))).toContain("404 is not documented");
    expect(await held(() => ({ status: 401, body: REFUSAL }))).toContain("/error/code");
    expect(await held(() => ({ headers: new Headers() }))).toContain("x-request-id is missing");
    expect(
      await held(({ headers }) => {
        headers.delete("etag");
        return { headers };
      }),
    ).toContain("the header etag is missing");
    expect(
      await held(({ headers }) => {
        headers.set("content-type", "text/html");
        return { headers };
      }),
    ).toContain("the content type text/html is not documented");
  });

  test("is one to HEAD or If-None-Match with a body, or a refusal with details it must not have", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const { headers, body } = await ann.get("/v1/me");
    const { reference } = server;
    expect(() => reference.check("HEAD", "/v1/me", { status: 200, headers, body })).toThrow("body");
    expect(() => reference.check("GET", "/v1/me", { status: 304, headers, body })).toThrow("body");
    const refused = { error: { ...REFUSAL.error, details: [{ path: "", message: "odd" }] } };
    expect(() =>
      reference.check("GET", "/v1/profiles/x", { status: 404, headers, body: refused }),
    ).toThrow("details");
  });
});

describe("HEAD and OPTIONS", () => {
  test("HEAD answers wherever GET does, with the same headers and no body", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    for (const path of ["/v1/me", "/v1/rooms", "/v1/presence?ids=ann", "/docs", "/openapi.json"]) {
      const [get, head] = [await ann.get(path), await server.request("HEAD", path, ann)];
      expect([head.status, head.body]).toEqual([200, undefined]);
      for (const name of ["etag", "content-type", "content-length", "cache-control"])
        expect(head.headers.get(name)).toBe(get.headers.get(name));
    }
  });

  test("OPTIONS answers for every endpoint with the methods that it takes", async () => {
    await using server = await TestServer.start();
    for (const [path, operations] of Object.entries(server.reference.document.paths)) {
      const { status, headers } = await server.request("OPTIONS", path.replaceAll(/[{}]/g, ""));
      const methods = Object.keys(operations).map((method) => method.toUpperCase());
      const expected = methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : method));
      expect([path, status]).toEqual([path, 204]);
      expect(headers.get("allow")?.split(", ")).toEqual(expect.arrayContaining(expected));
    }
  });
});

describe("GET /docs", () => {
  test("lets the page load nothing but what is ours", async () => {
    await using server = await TestServer.start();
    const { status, headers, body } = await server.request("GET", "/docs");
    expect([status, headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(headers.get("content-security-policy")).toContain(
      "default-src 'none'; script-src 'self';",
    );
    expect(body).not.toMatch(/https?:\/\/|<script>|<style|\son\w+=/);
    expect((await server.request("GET", "/docs/index.js")).status).toBe(404);
    expect((await server.request("GET", "/docs/constructor")).status).toBe(404);
  });

  for (const address of ["/docs", "/docs/"])
    testWith(
      findChromium(),
      `${address} shows every request in a browser without internet, and tries one`,
      async (executablePath) => {
        await using server = await TestServer.start({ alone: true });
        const ann = await server.person("ann");
        await withPage({ executablePath, timeoutMs: PAGE_MS }, async (page) => {
          const { asked, complaints } = watch(page);
          await page.route(
            (url) => url.origin !== server.url,
            (route) => route.abort(),
          );
          await page.goto(`${server.url}${address}`);
          await page.waitForSelector(".opblock");
          expect(await page.locator(".opblock").count()).toBe(server.routes.length);

          await page.locator(".btn.authorize").first().click();
          await page.locator(".auth-container input").fill(ann.token);
          await page.locator(".auth-btn-wrapper .authorize").click();
          await page.locator(".btn-done").click();
          const mine = page.locator("#operations-me-get_me");
          await mine.locator(".opblock-summary").first().click();
          await mine.locator(".try-out__btn").click();
          await mine.locator(".execute").click();
          const answer = mine.locator(".live-responses-table .response");
          expect(await answer.textContent()).toContain('"participant_id": "ann"');

          expect(asked.filter((url) => new URL(url).origin !== server.url)).toEqual([]);
          expect(asked).toContain(`${server.url}/v1/me`);
          expect(complaints).toEqual([]);
        });
      },
    );
});

/** Every address that a page asks for, and every complaint of the browser, such as of the policy. */
function watch(page: Page): { asked: string[]; complaints: string[] } {
  const [asked, complaints]: [string[], string[]] = [[], []];
  page.on("request", (request) => {
    if (!request.url().startsWith("data:")) asked.push(request.url());
  });
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  return { asked, complaints };
}
