import { describe, expect } from "bun:test";
import { join } from "node:path";
import { findNginx } from "../runtimes/deployment.ts";
import { testWith } from "../runtimes/runtimes.ts";
import { ServerProcess, temporaryFolder } from "../support/process.ts";
import { ADMIN_TOKEN } from "../support/server.ts";
import { type Frame, StreamClient } from "../support/stream.ts";
import { Nginx } from "./proxy.ts";

/** A server before which nginx stands, and two people of it. */
async function behind(
  nginx: string,
  env: Readonly<Record<string, string>> = {},
  changed: Readonly<Record<string, string>> = {},
) {
  const folder = temporaryFolder();
  const server = await ServerProcess.start(["serve"], {
    PORCHLIGHT_ADMIN_TOKEN: ADMIN_TOKEN,
    PORCHLIGHT_DATABASE_URL: `sqlite:${join(folder.path, "p.db")}`,
    ...env,
  });
  const proxy = await Nginx.start(nginx, server.url, changed);
  const call = async (token: string, method: string, path: string, body?: object) => {
    const response = await fetch(`${proxy.url}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body && { body: JSON.stringify(body) }),
    });
    const { status, headers } = response;
    // What a proxy answers is looked at by the test, not trusted by it.
    // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
    return { status, headers, body: (await response.json()) as any };
  };
  const person = async (id: string): Promise<string> => {
    await call(ADMIN_TOKEN, "PUT", "/admin/tenants/home", {});
    await call(ADMIN_TOKEN, "PUT", `/admin/participants/${id}`, { tenant_id: "home" });
    const made = await call(ADMIN_TOKEN, "POST", "/admin/tokens", { participant_id: id });
    return made.body.data.token;
  };
  return {
    server,
    proxy,
    call,
    ann: await person("ann"),
    ben: await person("ben"),
    stream: (token: string) =>
      StreamClient.open(`${proxy.url.replace("http", "ws")}/v1/stream?token=${token}`),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

describe("behind nginx", () => {
  testWith(findNginx(), "requests and streams work, and no token is logged", async (nginx) => {
    await using at = await behind(nginx);
    const stream = await at.stream(at.ann);
    await stream.type("hello");
    await at.call(at.ben, "PUT", "/me/presence", { state: "busy" });
    const isBens = ({ participant_id }: Frame): boolean => participant_id === "ben";
    expect(await stream.next(isBens)).toMatchObject({ type: "presence", state: "busy" });
    const states = await at.call(at.ann, "GET", `/presence?ids=ben&token=${at.ann}`);
    expect(states.body).toEqual({ data: { ben: "busy" } });
    expect(states.headers.get("etag")).toBeString();
    await stream.close(1000);
    expect(await at.server.end("SIGTERM")).toBe(0);
    expect((await at.call(at.ann, "GET", `/me?token=${at.ann}`)).status).toBe(503);

    const { requests, errors } = at.proxy.logged();
    expect(requests).toContain("GET /v1/stream 101");
    expect(requests).toContain("GET /v1/presence 200");
    for (const token of [at.ann, at.ben]) expect(requests + errors).not.toContain(token);
  });

  testWith(
    findNginx(),
    "a stream on which nothing is said outlives the proxy's patience",
    async (nginx) => {
      // A second's patience, and a silence of three between Ben's heartbeat and his end.
      const shorter = {
        PORCHLIGHT_HEARTBEAT_MS: "500",
        PORCHLIGHT_PING_MS: "300",
        PORCHLIGHT_DISCONNECT_GRACE_MS: "100",
        PORCHLIGHT_PRESENCE_TTL_MS: "3000",
      };
      await using at = await behind(nginx, shorter, { "timeout 120s": "timeout 1s" });
      const stream = await at.stream(at.ann);
      const isBens = ({ participant_id }: Frame): boolean => participant_id === "ben";
      await at.call(at.ben, "POST", "/me/heartbeat", { device_id: "phone" });
      expect(await stream.next(isBens)).toMatchObject({ state: "online" });
      const saidAt = performance.now();
      expect(await stream.next(isBens)).toMatchObject({ state: "offline" });
      expect(performance.now() - saidAt).toBeGreaterThan(2_500);
    },
  );

  testWith(
    findNginx(),
    "a body is as long as Porchlight lets it be, and refused in its words",
    async (nginx) => {
      await using at = await behind(nginx);
      const ids = Array.from({ length: 5_000 }, (_, index) => `${index}`.padStart(128, "x"));
      const many = await at.call(at.ann, "POST", "/presence/query", { ids });
      expect([many.status, Object.keys(many.body.data).length]).toEqual([200, 5_000]);
      const long = await at.call(at.ann, "PUT", "/me", { bio: "x".repeat(1_500_000) });
      expect([long.status, long.body.error.code]).toEqual([413, "SW_CONTENT_TOO_LARGE"]);
    },
  );

  testWith(
    findNginx(),
    "a stop tells streams when to come back, and requests that there is nobody now",
    async (nginx) => {
      await using at = await behind(nginx);
      const stream = await at.stream(at.ann);
      await stream.type("hello");
      expect(await at.server.end("SIGTERM")).toBe(0);
      const { code, reason } = await stream.closed;
      expect([code, Number(reason) < 10_000]).toEqual([1012, true]);
      const away = await at.call(at.ann, "GET", "/me");
      expect([away.status, away.body.error.code, away.headers.get("retry-after")]).toEqual([
        503,
        "SW_UNAVAILABLE",
        "2",
      ]);
    },
  );
});
