import { describe, expect, test } from "bun:test";
// @ts-expect-error it has no types
import parsePrometheus from "parse-prometheus-text-format";
import { refusedWith, TestServer } from "../support/server.ts";

/** What a parser of the format makes of a metric. */
interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly metrics: readonly object[];
}

async function scrape(server: TestServer): Promise<string> {
  const { status, body } = await server.request("GET", "/metrics", { token: server.adminToken });
  expect(status).toBe(200);
  return body;
}

/** The number of one sample with these labels among others; 0 when there is none. */
function numberOf(
  text: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  const line = text.split("\n").find((each) => {
    const [, named, labelled = ""] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(each) ?? [];
    return named === name && wanted.every((label) => labelled.split(",").includes(label));
  });
  return Number(line?.split(" ").at(-1) ?? 0);
}

describe("GET /metrics", () => {
  test("takes the admin token, and is for anyone once it is public", async () => {
    await using server = await TestServer.start();
    const boss = await server.person("boss", { roles: ["porchlight_admin"] });
    expect(refusedWith(await server.request("GET", "/metrics"))).toBe("401 SW_AUTH_INVALID_TOKEN");
    expect(refusedWith(await boss.get("/metrics"))).toBe("403 SW_AUTH_INSUFFICIENT_PERMISSION");
    await using open = await TestServer.start({ env: { PORCHLIGHT_METRICS_PUBLIC: "true" } });
    const { status, headers } = await open.request("GET", "/metrics");
    expect([status, headers.get("content-type")]).toEqual([
      200,
      "text/plain; version=0.0.4; charset=utf-8",
    ]);
  });

  test("explains each metric, and gives it a number", async () => {
    await using server = await TestServer.start();
    const text = await scrape(server);
    const families: Family[] = parsePrometheus(text);
    expect(families.map(({ name }) => name).sort()).toEqual([
      "porchlight_awareness_entries",
      "porchlight_awareness_rooms",
      "porchlight_devices",
      "porchlight_dropped_total",
      "porchlight_event_loop_lag_seconds",
      "porchlight_frames_total",
      "porchlight_http_request_duration_seconds",
      "porchlight_http_requests_total",
      "porchlight_nodes",
      "porchlight_notifications_total",
      "porchlight_presence_transitions_total",
      "porchlight_refusals_total",
      "porchlight_replayed_events_total",
      "porchlight_socket_closings_total",
      "porchlight_sockets",
      "porchlight_store_duration_seconds",
      "porchlight_sync_waiting",
      "porchlight_typing_signals_total",
      "process_cpu_seconds_total",
      "process_heap_used_bytes",
      "process_resident_memory_bytes",
    ]);
    for (const { help } of families) expect(help).toEndWith(".");
    expect(text).not.toMatch(/ nan$/im);
    const rss = numberOf(text, "process_resident_memory_bytes");
    expect(rss).toBeGreaterThan(1_000_000);
  });

  test("counts sockets, devices, states and what made them known, frames, and typing", async () => {
    await using server = await TestServer.start({ alone: true });
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lounge", [ann, bob]);
    const hears = await bob.stream();
    await ann.stream({ device_id: "laptop" });
    await ann.post("/v1/me/heartbeat", { device_id: "phone" });
    await ann.put("/v1/typing", { room_id: "lounge", typing: true });
    await ann.put("/v1/typing", { room_id: "lounge", typing: false });
    await server.clock.advance(1_000);
    await ann.put("/v1/me/presence", { state: "busy" });
    const text = await scrape(server);
    expect(numberOf(text, "porchlight_sockets", { door: "stream" })).toBe(2);
    expect(numberOf(text, "porchlight_sockets", { door: "yjs" })).toBe(0);
    expect(numberOf(text, "porchlight_devices")).toBe(3);
    expect(numberOf(text, "porchlight_presence_transitions_total", { cause: "opened" })).toBe(2);
    expect(numberOf(text, "porchlight_presence_transitions_total", { cause: "choice" })).toBe(1);
    expect(numberOf(text, "porchlight_frames_total", { type: "hello" })).toBe(2);
    expect(numberOf(text, "porchlight_frames_total", { type: "presence" })).toBeGreaterThanOrEqual(
      3,
    );
    expect(numberOf(text, "porchlight_frames_total", { type: "typing" })).toBe(2);
    expect(numberOf(text, "porchlight_frames_total", { type: "swp.room.member" })).toBe(2);
    expect(numberOf(text, "porchlight_typing_signals_total", { typing: "true" })).toBe(1);
    expect(numberOf(text, "porchlight_typing_signals_total", { typing: "false" })).toBe(1);

    hears.send({ type: "bye" });
    await hears.closed;
    await server.clock.advance(1_000);
    const later = await scrape(server);
    expect(numberOf(later, "porchlight_sockets", { door: "stream" })).toBe(1);
    expect(numberOf(later, "porchlight_presence_transitions_total", { cause: "closed" })).toBe(1);
    expect(numberOf(later, "porchlight_socket_closings_total", { reason: "bye" })).toBe(1);
  });

  test("counts what was missed and told, long polls that wait, and what became of notifications", async () => {
    await using server = await TestServer.start({ alone: true });
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lounge", [ann, bob]);
    const since = (await ann.get("/v1/sync")).body.data.next_cursor;
    const hears = await ann.stream();
    for (const body of ["one", "two"])
      await bob.post("/v1/rooms/lounge/send", { content: { msgtype: "m.text", body } });
    await hears.type("swp.notification");
    await hears.type("swp.notification");
    await ann.get(`/v1/sync?since=${since}`);
    const replayed = await bob.stream({ since: String(since + 1) });
    await replayed.type("swp.room.message");
    const waiting = ann.get(`/v1/sync?since=${since + 2}&timeout=20000`);
    while (numberOf(await scrape(server), "porchlight_sync_waiting") === 0);
    const text = await scrape(server);
    expect(numberOf(text, "porchlight_sync_waiting")).toBe(1);
    expect(numberOf(text, "porchlight_replayed_events_total", { by: "sync" })).toBe(2);
    expect(numberOf(text, "porchlight_replayed_events_total", { by: "stream" })).toBe(1);
    expect(numberOf(text, "porchlight_notifications_total", { reason: "mode_all" })).toBe(2);
    await server.clock.advance(20_000);
    await waiting;
    expect(numberOf(await scrape(server), "porchlight_sync_waiting")).toBe(0);
  });

  test("counts what is refused and dropped, by reason", async () => {
    await using server = await TestServer.start({
      alone: true,
      env: { PORCHLIGHT_TYPING_MAX_MEMBERS: "1" },
    });
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lounge", [ann, bob]);
    await ann.put("/v1/typing", { room_id: "lounge", typing: true });
    await ann.get("/v1/rooms/nowhere");
    await server.request("GET", "/v1/me");
    const stream = await ann.stream();
    stream.send({ type: "typing", room_id: "nowhere", typing: true });
    await stream.type("error");
    const refused = await server.stream({ token: "plt_nobody" });
    await refused.closed;
    const text = await scrape(server);
    expect(numberOf(text, "porchlight_dropped_total", { reason: "typing_max_members" })).toBe(1);
    expect(numberOf(text, "porchlight_dropped_total", { reason: "SW_ROOM_NOT_FOUND" })).toBe(1);
    expect(numberOf(text, "porchlight_refusals_total", { code: "SW_ROOM_NOT_FOUND" })).toBe(1);
    expect(numberOf(text, "porchlight_refusals_total", { code: "SW_AUTH_INVALID_TOKEN" })).toBe(1);
    expect(numberOf(text, "porchlight_socket_closings_total", { reason: "token_invalid" })).toBe(1);
  });

  test("counts and times requests by the pattern of their path, never by the path", async () => {
    await using server = await TestServer.start({ alone: true });
    const ann = await server.person("ann");
    await server.room("lounge", [ann]);
    for (const id of ["lounge", "nowhere", "elsewhere"]) await ann.get(`/v1/rooms/${id}/state`);
    for (const path of ["/marked-1", "/v1/marked-2"]) await ann.get(path);
    await server.request("DELETE", "/v1/me", ann);
    await (await ann.stream()).type("presence");
    const text = await scrape(server);
    const route = "/v1/rooms/:room_id/state";
    const requests = (labels: Record<string, string>): number =>
      numberOf(text, "porchlight_http_requests_total", labels);
    expect(requests({ route, method: "GET", status: "200" })).toBe(1);
    expect(requests({ route, method: "GET", status: "404" })).toBe(2);
    expect(requests({ route: "none", method: "GET", status: "404" })).toBe(2);
    expect(requests({ route: "none", method: "DELETE", status: "405" })).toBe(1);
    expect(requests({ route: "/v1/stream", method: "GET", status: "101" })).toBe(1);
    expect(numberOf(text, "porchlight_http_request_duration_seconds_count", { route })).toBe(3);
    expect(text).not.toMatch(/nowhere|elsewhere|marked|lounge/);
  });

  test("times what the store reads and writes", async () => {
    await using server = await TestServer.start({ alone: true });
    const ann = await server.person("ann");
    const before = await scrape(server);
    await ann.put("/v1/me", { bio: "b" });
    const after = await scrape(server);
    const gained = (operation: string): number =>
      numberOf(after, "porchlight_store_duration_seconds_count", { operation }) -
      numberOf(before, "porchlight_store_duration_seconds_count", { operation });
    expect(gained("write")).toBe(1);
    expect(gained("read")).toBeGreaterThanOrEqual(2);
  });

  test("keeps the numbers of two servers in one process apart", async () => {
    await using one = await TestServer.start({ alone: true });
    await using two = await TestServer.start({ alone: true });
    await one.person("ann");
    const route = "/v1/admin/tokens";
    expect(numberOf(await scrape(one), "porchlight_http_requests_total", { route })).toBe(1);
    expect(numberOf(await scrape(two), "porchlight_http_requests_total", { route })).toBe(0);
  });
});
