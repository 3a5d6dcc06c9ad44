import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { systemClock } from "@porchlight/core/clock";
import { ServerProcess, temporaryFolder } from "../support/process.ts";
import { Raw } from "../support/raw.ts";
import { ADMIN_TOKEN, type Reply } from "../support/server.ts";
import { closeIn } from "../support/websocket.ts";
import type { WireRequest } from "../support/wire.ts";

const PEOPLE = 60;
/** Few enough that all are closed at once: whoever writes has no time but that in which the server refuses. */
const STREAMS = 20;
const WRITERS = 30;
const UPLOADS = 5;
/** The server is stopped once each writer has been answered so many times. */
const ANSWERS_BEFORE = 20;
const STOPS_WITHIN_MS = 10_000;

describe("SIGTERM under load", () => {
  test("answers every request, tells every stream when to come back, ends with 0 in under 10 s, and the next start misses nobody", async () => {
    using folder = temporaryFolder();
    const env = {
      PORCHLIGHT_DATABASE_URL: `sqlite:${join(folder.path, "p.db")}`,
      PORCHLIGHT_ADMIN_TOKEN: ADMIN_TOKEN,
      PORCHLIGHT_RATE_LIMIT: "0",
    };
    await using before = await ServerProcess.start(["serve"], env);
    const tokens = await people(before.url);
    const streams = await streamsOf(before.url, tokens.slice(0, STREAMS));
    const busy = Promise.withResolvers<void>();
    let ready = 0;
    const writers = tokens.slice(0, WRITERS).map((token) =>
      writeWhileKept(before.url, token, () => {
        ready += 1;
        if (ready === WRITERS) busy.resolve();
      }),
    );
    const uploads = tokens.slice(-UPLOADS).map((token) => uploadSlowly(before.url, token));
    await busy.promise;

    const from = performance.now();
    expect(await before.end("SIGTERM")).toBe(0);
    expect(performance.now() - from).toBeLessThan(STOPS_WITHIN_MS);
    const last = await Promise.all([...writers, ...uploads]);
    const answers = last.map(
      (reply) =>
        `${reply?.status} ${reply?.headers.get("retry-after")} ${reply?.headers.get("connection")}`,
    );
    const [written, refused] = ["200 null close", "503 5 close"];
    expect(answers.filter((answer) => answer !== written && answer !== refused)).toEqual([]);
    expect(answers.slice(-UPLOADS)).toEqual(Array(UPLOADS).fill(refused));
    const closes = streams.map(({ received }) => closeIn(received));
    expect(new Set(closes.map((close) => close?.code))).toEqual(new Set([1012]));
    const delays = closes.map((close) => Number(close?.reason));
    expect(delays.filter((delay) => !(delay >= 0 && delay < 10_000))).toEqual([]);
    expect(new Set(delays).size).toBeGreaterThan(STREAMS / 2);

    await using after = await ServerProcess.start(["serve"], env);
    expect(await statesIn(after.url, tokens[0] ?? "")).toEqual(
      Object.fromEntries(streams.map((_, index) => [`p${index}`, "online"])),
    );
  }, 30_000);
});

async function people(url: string): Promise<string[]> {
  const admin = async (method: string, path: string, body: object): Promise<Response> => {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    return fetch(`${url}/v1/admin${path}`, { method, headers, body: JSON.stringify(body) });
  };
  await admin("PUT", "/tenants/acme", {});
  const tokens: string[] = [];
  for (let index = 0; index < PEOPLE; index += 1) {
    const participant_id = `p${index}`;
    await admin("PUT", `/participants/${participant_id}`, { tenant_id: "acme" });
    const { data } = (await (await admin("POST", "/tokens", { participant_id })).json()) as {
      data: { token: string };
    };
    tokens.push(data.token);
  }
  return tokens;
}

function streamsOf(url: string, tokens: readonly string[]): Promise<Raw[]> {
  return Promise.all(
    tokens.map((token) => Raw.stream(url, { token, device_id: "laptop", presence: "none" })),
  );
}

/** Writes on one connection for as long as the server keeps it. Answers the last answer, or nothing if one is missing. */
async function writeWhileKept(
  url: string,
  token: string,
  isUnderWay: () => void,
): Promise<Reply | undefined> {
  using line = new Raw(url);
  await line.open;
  for (let written = 1; ; written += 1) {
    const reply = await line.ask(profile(token, `{"bio":"${written}"}`));
    if (reply === undefined || reply.headers.has("connection")) return reply;
    if (written === ANSWERS_BEFORE) isUnderWay();
  }
}

/** A body of which a byte comes every tenth of a second, for a minute. */
async function uploadSlowly(url: string, token: string): Promise<Reply | undefined> {
  using line = new Raw(url);
  const { timer } = systemClock();
  const bio = "x".repeat(600);
  const whole = profile(token, `{"bio":"${bio}"}`);
  const drip = (): void => {
    if (line.isEnded) return;
    line.send("x");
    timer(100, drip);
  };
  line.begin(whole, 8);
  drip();
  return await line.answer("PUT");
}

function profile(token: string, body: string): WireRequest {
  const headers = [["authorization", `Bearer ${token}`]] as const;
  return { method: "PUT", target: "/v1/me", headers, body: new TextEncoder().encode(body) };
}

/** The states of those who had a stream, as one of them sees them. */
async function statesIn(url: string, token: string): Promise<unknown> {
  const ids = Array.from({ length: STREAMS }, (_, index) => `p${index}`).join(",");
  const headers = { authorization: `Bearer ${token}` };
  const { data } = (await (await fetch(`${url}/v1/presence?ids=${ids}`, { headers })).json()) as {
    data: unknown;
  };
  return data;
}
