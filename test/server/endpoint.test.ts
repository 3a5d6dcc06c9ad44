import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../support/process.ts";
import { type Person, type Reply, refusedWith, TestServer } from "../support/server.ts";
import { Wire, type WireRequest } from "../support/wire.ts";

const JSON_TYPE = ["content-type", "application/json"] as const;

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Sends one request as it stands, with the token of `by`. */
async function ask(
  server: TestServer,
  by: Person,
  { headers = [], ...request }: WireRequest,
): Promise<Reply> {
  using wire = Wire.to(server.url);
  return await wire.ask({
    ...request,
    headers: [["authorization", `Bearer ${by.token}`], ...headers],
  });
}

/** Puts a profile as it stands. */
function putMe(
  server: TestServer,
  by: Person,
  body: string | Uint8Array,
  ...headers: (readonly [string, string])[]
): Promise<Reply> {
  const sent = typeof body === "string" ? bytes(body) : body;
  return ask(server, by, { method: "PUT", target: "/v1/me", headers, body: sent });
}

/** A profile body of exactly so many bytes. */
function bodyOf(size: number): Uint8Array {
  return bytes('{"bio":"b"}'.padEnd(size));
}

describe("every response", () => {
  test("wraps its data, its meta and its refusal in the same envelope", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    expect((await ann.get("/v1/rooms")).body).toEqual({ data: [] });
    expect((await ann.get("/v1/profiles?q=nobody&limit=5")).body).toEqual({
      data: [],
      meta: { limit: 5, offset: 0 },
    });
    expect((await ann.get("/v1/rooms/nowhere")).body).toEqual({
      error: { code: "SW_ROOM_NOT_FOUND", message: "There is no such room" },
    });
  });

  test("carries a request id of its own, JSON or not, success or not", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const tag = (await ann.get("/v1/me")).headers.get("etag") ?? "";
    const replies = [
      await ann.get("/v1/me"),
      await ann.get("/v1/me", { "if-none-match": tag }),
      await ann.put("/v1/me", { bio: 1 }),
      await server.request("GET", "/v1/me"),
      await server.request("GET", "/v1/nowhere"),
      await server.request("PATCH", "/v1/me"),
      await server.request("OPTIONS", "/v1/me"),
      await server.request("GET", "/healthz"),
      await server.request("GET", "/v1/stream"),
    ];
    expect(replies.map(({ status }) => status)).toEqual([
      200, 304, 400, 401, 404, 405, 204, 200, 400,
    ]);
    const ids = replies.map(({ headers }) => headers.get("x-request-id") ?? "");
    expect(ids).not.toContain("");
    expect(new Set(ids).size).toBe(replies.length);
  });

  test("is the same whatever the client calls the server in Host", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    for (const host of ["a b", "[::", "a:99999", "", "pi"]) {
      const headers = [["host", host]] as const;
      const [known, slash, unknown] = [
        await ask(server, ann, { method: "GET", target: "/v1/me", headers }),
        await ask(server, ann, { method: "GET", target: "/v1/me/", headers }),
        await ask(server, ann, { method: "GET", target: "/v1/nowhere", headers }),
      ];
      expect([known.status, slash.status, unknown.status]).toEqual([200, 200, 404]);
    }
  });

  test("says nothing of what went wrong inside, which is logged whole", async () => {
    using folder = temporaryFolder();
    const server = await TestServer.start({ file: join(folder.path, "test.db") });
    const ann = await server.person("ann");
    await server.store.close();

    const reply = await ann.put("/v1/me?private=yes", { bio: "my diary" });
    expect(reply.status).toBe(503);
    expect(reply.body.error).toEqual({
      code: "SW_UNAVAILABLE",
      message: "The store is out of reach",
    });
    expect(reply.headers.get("retry-after")).toBe("1");
    const logged = server.lines.filter(({ event }) => event === "request.failed");
    expect(logged).toEqual([
      expect.objectContaining({
        level: "error",
        request_id: reply.headers.get("x-request-id"),
        method: "PUT",
        path: "/v1/me",
        cause: expect.objectContaining({ error: expect.stringContaining("not open") }),
      }),
    ]);
    expect(JSON.stringify(logged)).not.toMatch(/my diary|private/);
    expect(JSON.stringify(logged)).not.toContain(ann.token);
    await expect(server.stop()).rejects.toThrow();
  });
});

describe("ETag", () => {
  test("stands for the answered body, and If-None-Match answers 304 without one", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const first = await ann.get("/v1/me");
    const tag = first.headers.get("etag") ?? "";
    expect(tag).toMatch(/^"[^"]+"$/);
    expect((await ann.get("/v1/me")).headers.get("etag")).toBe(tag);

    for (const known of [tag, `W/${tag}`, `"other", ${tag}`, "*"]) {
      const reply = await ann.get("/v1/me", { "if-none-match": known });
      expect([reply.status, reply.body, reply.headers.get("etag")]).toEqual([304, undefined, tag]);
    }
    for (const stale of ['"other"', tag.slice(1, -1), ""])
      expect(await ann.get("/v1/me", { "if-none-match": stale })).toMatchObject({ status: 200 });
  });

  test("changes with whatever the body says, stored or live, and changes back with it", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const tag = async (): Promise<string | null> => (await ann.get("/v1/me")).headers.get("etag");
    const before = await tag();
    await ann.put("/v1/me", { bio: "new here" });
    const changed = await tag();
    await ann.put("/v1/me", { bio: null });
    expect(changed).not.toBe(before);
    expect(await tag()).toBe(before);

    await ann.post("/v1/me/heartbeat", { device_id: "laptop" });
    expect(await tag()).not.toBe(before);
  });

  test("two people with the same answer have the same tag", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const tags = [await ann.get("/v1/rooms"), await bob.get("/v1/rooms")].map(({ headers }) =>
      headers.get("etag"),
    );
    expect(tags[0]).toBe(tags[1] ?? "");
  });

  test("HEAD answers as GET does, without the body", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const get = await ann.get("/v1/me");
    const tag = get.headers.get("etag") ?? "";
    const head = await ask(server, ann, { method: "HEAD", target: "/v1/me" });
    expect([head.status, head.headers.get("etag"), head.body]).toEqual([200, tag, undefined]);
    expect(head.headers.get("content-length")).toBe(get.headers.get("content-length"));
    const known = await ask(server, ann, {
      method: "HEAD",
      target: "/v1/me",
      headers: [["if-none-match", tag]],
    });
    expect(known.status).toBe(304);
  });

  test("a write and a refusal have none", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    for (const reply of [await ann.put("/v1/me", {}), await ann.get("/v1/rooms/nowhere")])
      expect(reply.headers.get("etag")).toBeNull();
  });
});

describe("the content type of a body", () => {
  test.each([
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON;charset=UTF-8",
    "application/merge-patch+json",
  ])("%s is JSON", async (type) => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    expect((await putMe(server, ann, '{"bio":"b"}', ["content-type", type])).status).toBe(200);
    expect(refusedWith(await putMe(server, ann, "{", ["content-type", type]))).toBe(
      "400 SW_VALIDATION",
    );
  });

  test("a body without one is JSON, or SW_VALIDATION", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    expect((await putMe(server, ann, '{"bio":"b"}')).body.data.bio).toBe("b");
    expect(refusedWith(await putMe(server, ann, "bio=b"))).toBe("400 SW_VALIDATION");
  });

  test("the form type that curl sends by itself is taken for JSON where the body is JSON", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const form = ["content-type", "application/x-www-form-urlencoded"] as const;
    expect((await putMe(server, ann, '{"bio":"b"}', form)).body.data.bio).toBe("b");
    expect(refusedWith(await putMe(server, ann, "bio=b", form))).toBe(
      "415 SW_UNSUPPORTED_MEDIA_TYPE",
    );
    expect(refusedWith(await putMe(server, ann, '{"bio":1}', form))).toBe("400 SW_VALIDATION");
  });

  test.each(["text/plain", "application/jsonp", "application/xml", "multipart/form-data", "json"])(
    "%s is SW_UNSUPPORTED_MEDIA_TYPE, even around JSON",
    async (type) => {
      await using server = await TestServer.start();
      const ann = await server.person("ann");
      expect(refusedWith(await putMe(server, ann, "{}", ["content-type", type]))).toBe(
        "415 SW_UNSUPPORTED_MEDIA_TYPE",
      );
    },
  );
});

describe("body_max_bytes", () => {
  test.each([false, true])(
    "a body may be as large, and a larger one is refused (chunked: %p)",
    async (chunked) => {
      await using server = await TestServer.start();
      const ann = await server.person("ann");
      const put = (size: number): Promise<Reply> =>
        ask(server, ann, { method: "PUT", target: "/v1/me", body: bodyOf(size), chunked });
      expect([(await put(65_535)).status, (await put(65_536)).status]).toEqual([200, 200]);
      expect(refusedWith(await put(65_537))).toBe("413 SW_CONTENT_TOO_LARGE");
      expect(refusedWith(await put(5_000_000))).toBe("413 SW_CONTENT_TOO_LARGE");
    },
  );

  test.each([false, true])("is looked at before the body (chunked: %p)", async (chunked) => {
    await using server = await TestServer.start({ env: { PORCHLIGHT_BODY_MAX_BYTES: "100" } });
    const ann = await server.person("ann");
    for (const body of ["[".repeat(101), "\0".repeat(101)]) {
      const request = { method: "PUT", target: "/v1/me", body: bytes(body), chunked };
      expect(refusedWith(await ask(server, ann, request))).toBe("413 SW_CONTENT_TOO_LARGE");
    }
    expect((await ann.get("/v1/me")).body.data.bio).toBeNull();
  });

  test("does not hold for POST /v1/presence/query, which takes 1 MiB", async () => {
    await using server = await TestServer.start({ env: { PORCHLIGHT_BODY_MAX_BYTES: "100" } });
    const ann = await server.person("ann");
    const query = (size: number): Promise<Reply> =>
      ask(server, ann, {
        method: "POST",
        target: "/v1/presence/query",
        body: bytes('{"ids":["ann"]}'.padEnd(size)),
      });
    expect((await query(1_048_575)).status).toBe(200);
    expect((await query(1_048_576)).body.data).toEqual({ ann: "offline" });
    expect(refusedWith(await query(1_048_577))).toBe("413 SW_CONTENT_TOO_LARGE");
  });

  test("is no concern of whoever has no valid token", async () => {
    await using server = await TestServer.start();
    using wire = Wire.to(server.url);
    const body = bodyOf(70_000);
    expect(refusedWith(await wire.ask({ method: "PUT", target: "/v1/me", body }))).toBe(
      "401 SW_AUTH_INVALID_TOKEN",
    );
    expect((await wire.ask({ method: "GET", target: "/healthz" })).status).toBe(200);
  });
});

describe("a body", () => {
  test.each<[string, string | Uint8Array, { path: string; message: string }]>([
    ["that is missing", "", { path: "", message: "must be JSON" }],
    ["cut short", '{"bio":', { path: "", message: "must be JSON" }],
    ["that is not UTF-8", Uint8Array.of(0x22, 0xff, 0x22), { path: "", message: "must be UTF-8" }],
    [
      "with a lone surrogate",
      '{"bio":"\\ud83d"}',
      { path: "bio", message: "must not contain a lone surrogate" },
    ],
    [
      "with a NUL",
      '{"bio":"a\\u0000b"}',
      { path: "bio", message: "must not contain a NUL character" },
    ],
    ["that is a list", "[]", { path: "", message: "must be an object" }],
    ["that is null", "null", { path: "", message: "must be an object" }],
    [
      "with a key __proto__",
      '{"__proto__":{"bio":"b"}}',
      { path: "__proto__", message: "is not a known key" },
    ],
    [
      "nested too deep",
      `{"bio":${"[".repeat(65)}${"]".repeat(65)}}`,
      { path: "", message: "must not be nested deeper than 64 levels" },
    ],
  ])("%s is SW_VALIDATION, and changes nothing", async (_, body, fault) => {
    await using server = await TestServer.start();
    const ann = await server.person("ann", { bio: "as before" });
    const reply = await putMe(server, ann, body, JSON_TYPE);
    expect(refusedWith(reply)).toBe("400 SW_VALIDATION");
    expect(reply.body.error.details).toEqual([fault]);
    expect((await ann.get("/v1/me")).body.data.bio).toBe("as before");
  });

  test("with several faults is refused for all of them at once", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const { body } = await ann.put("/v1/me", { bio: 1, display_name: "", roles: ["x"], zip: 1 });
    const paths = body.error.details.map(({ path }: { path: string }) => path);
    expect(paths.toSorted()).toEqual(["bio", "display_name", "roles", "zip"]);
  });

  test("may hold any text that is whole", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const bio = "naïve 👩‍👩‍👧 \u200f\u202e é\u0301 \u0001";
    expect((await ann.put("/v1/me", { bio })).body.data.bio).toBe(bio);
  });

  test("that repeats a key means the last one", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const text = '{"bio":1,"bio":"first","bio":"last"}';
    expect((await putMe(server, ann, text)).body.data.bio).toBe("last");
  });

  test("on a GET is ignored, whatever it is", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const plain = await ann.get("/v1/me");
    for (const chunked of [false, true]) {
      const reply = await ask(server, ann, {
        method: "GET",
        target: "/v1/me",
        headers: [["content-type", "text/plain"]],
        body: bytes("x".repeat(100_000)),
        chunked,
      });
      expect([reply.status, reply.body]).toEqual([200, plain.body]);
    }
  });
});

describe("a path", () => {
  test("that is no endpoint is SW_NOT_FOUND", async () => {
    await using server = await TestServer.start();
    for (const path of ["/v1", "/v1/nowhere", "/app", "/V1/me", "/v1/me/nothing/here"])
      expect(refusedWith(await server.request("GET", path))).toBe("404 SW_NOT_FOUND");
  });

  test.each([
    ["DELETE", "/v1/me", "GET, HEAD, PUT"],
    ["POST", "/v1/presence", "GET, HEAD"],
    ["GET", "/v1/presence/query", "POST"],
    ["PUT", "/v1/rooms/dm", "GET, HEAD, POST"],
    ["PATCH", "/v1/rooms/lounge/state", "GET, HEAD"],
    ["POST", "/healthz", "GET, HEAD"],
    ["TRACE", "/v1/typing", "PUT"],
    ["PROPFIND", "/v1/stream", "GET, HEAD"],
  ])("does not take %s %s, and says in Allow what it takes", async (method, target, allow) => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const reply = await ask(server, ann, { method, target });
    expect(refusedWith(reply)).toBe("405 SW_METHOD_NOT_ALLOWED");
    expect(reply.headers.get("allow")).toBe(allow);
  });

  test.each([
    ["/v1/rooms/%zz", "404 SW_ROOM_NOT_FOUND"],
    ["/v1/rooms/%ff", "404 SW_ROOM_NOT_FOUND"],
    ["/v1/rooms/%ff/", "404 SW_ROOM_NOT_FOUND"],
    ["/v1/rooms/a%2Fb", "404 SW_ROOM_NOT_FOUND"],
    ["/v1/rooms/%00", "404 SW_ROOM_NOT_FOUND"],
    [`/v1/rooms/${"x".repeat(129)}/state`, "404 SW_ROOM_NOT_FOUND"],
    ["/v1/profiles/%20", "404 SW_NOT_FOUND"],
    ["/v1/profiles/..", "404 SW_NOT_FOUND"],
    ["/v1/nowhere/%zz", "404 SW_NOT_FOUND"],
  ])("%s names nothing", async (target, refused) => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    expect(refusedWith(await ask(server, ann, { method: "GET", target }))).toBe(refused);
  });

  test("that cannot be decoded adds nothing either", async () => {
    await using server = await TestServer.start();
    const boss = await server.person("boss", { roles: ["porchlight_admin"] });
    for (const target of ["/v1/admin/rooms/%ff", "/v1/admin/rooms/%ff/", "/v1/admin/rooms/%/"]) {
      const reply = await ask(server, boss, { method: "PUT", target, body: bytes("{}") });
      expect(refusedWith(reply)).toBe("404 SW_ROOM_NOT_FOUND");
    }
  });

  test("may be written with percent signs", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann@home");
    expect((await ann.get("/v1/profiles/ann%40home")).body.data.participant.id).toBe("ann@home");
  });
});
