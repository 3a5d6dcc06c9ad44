import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { JsonObject } from "@porchlight/core";
import Database from "better-sqlite3";
import { TestClock } from "../support/clock.ts";
import { temporaryFolder } from "../support/process.ts";
import { type Person, TestServer } from "../support/server.ts";
import type { Frame, StreamClient } from "../support/stream.ts";

/** Messages that wait to be decided. */
const WAITING_MAX = 1_000;
const TENANT = { tenant_id: "acme" };

/** A server with Ann and Bob in the lounge. */
async function lounge(
  // Of several nodes each decides when its store has answered, which no clock of the test tells.
  options: Parameters<typeof TestServer.start>[0] = { alone: true },
): Promise<{ server: TestServer; ann: Person; bob: Person }> {
  const server = await TestServer.start(options);
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  await server.room("lounge", [ann, bob]);
  return { server, ann, bob };
}

/** Sends a message on somebody's behalf; answers its id. */
async function say(
  server: TestServer,
  sender_id: string,
  content: JsonObject = { body: "hello" },
  more: object = {},
): Promise<string> {
  const body = { ...TENANT, sender_id, content, ...more };
  return (await server.admin("POST", "/rooms/lounge/events", body)).body.data.id;
}

async function settings(server: TestServer, id: string, body: object): Promise<void> {
  await server.admin("PUT", `/rooms/lounge/members/${id}`, { ...TENANT, ...body });
}

/** What a stream has heard of notifications: the reasons, and of what. */
async function notified(stream: StreamClient): Promise<[reason: unknown, event: unknown][]> {
  const frames = (await stream.heard()).filter(({ type }) => type === "swp.notification");
  return frames.map(({ reason, event_id }) => [reason, event_id]);
}

describe("swp.notification", () => {
  test("is told to every device of whoever is to be interrupted, after the message, without a position", async () => {
    const { server, ann, bob } = await lounge();
    await using _server = server;
    const own = [await ann.stream({ device_id: "a" }), await ann.stream({ presence: "none" })];
    const sender = await bob.stream();
    const event_id = await say(server, "bob");
    const notification = {
      type: "swp.notification",
      id: expect.stringMatching(/^evt-/),
      tenant_id: "acme",
      ts: new Date(server.clock.wall()).toISOString(),
      event_id,
      room_id: "lounge",
      reason: "mode_all",
    };
    for (const stream of own) {
      const heard = (await stream.heard()).filter(({ type }) => type.startsWith("swp."));
      expect(heard.map(({ type }) => type)).toEqual(["swp.room.message", "swp.notification"]);
      expect<unknown>(heard[1]).toEqual(notification);
    }
    expect(await notified(sender)).toEqual([]);
  });

  test("is told for a keyword, in every mode", async () => {
    const { server, ann } = await lounge();
    await using _server = server;
    const stream = await ann.stream();
    await settings(server, "ann", { notification_mode: "none" });
    await ann.put("/v1/me/preferences", { keyword_alerts: ["lunch"] });
    await say(server, "bob", { body: "launch" });
    const event_id = await say(server, "bob", { body: "Lunch, anyone?" });
    expect(await notified(stream)).toEqual([["keyword", event_id]]);
  });

  test("is told to whoever is mentioned, in the mode that says so", async () => {
    const { server, ann } = await lounge();
    await using _server = server;
    const stream = await ann.stream();
    await ann.put("/v1/me/preferences", { default_mode: "mentions" });
    await say(server, "bob", { body: "ann", mentions: ["bob", "anna"] });
    const event_id = await say(server, "bob", { body: "hi", mentions: ["bob", "ann"] });
    expect(await notified(stream)).toEqual([["mentioned", event_id]]);
  });

  test.each([
    ["is not told in a muted room", { muted_until: "indefinite" }, {}],
    ["is not told in the mode none", { notification_mode: "none" }, {}],
    ["is not told where the default is none", {}, { default_mode: "none" }],
    [
      "is not told in quiet hours",
      {},
      { quiet_hours: { enabled: true, start: "00:00", end: "00:00" } },
    ],
    ["is not told to whoever was not mentioned", { notification_mode: "mentions" }, {}],
  ])("%s", async (_name, member, preferences) => {
    const { server, ann } = await lounge();
    await using _server = server;
    const stream = await ann.stream();
    await settings(server, "ann", member);
    await ann.put("/v1/me/preferences", preferences);
    await say(server, "bob");
    await settings(server, "ann", { notification_mode: "all", muted_until: null });
    await ann.put("/v1/me/preferences", { default_mode: "all", quiet_hours: { enabled: false } });
    const event_id = await say(server, "bob");
    expect(await notified(stream)).toEqual([["mode_all", event_id]]);
  });

  test("is told from the moment on at which a mute has run out", async () => {
    const { server, ann } = await lounge();
    await using _server = server;
    const stream = await ann.stream();
    await settings(server, "ann", {
      muted_until: new Date(server.clock.wall() + 1_000).toISOString(),
    });
    await server.clock.advance(999);
    await say(server, "bob");
    await server.clock.advance(1);
    const event_id = await say(server, "bob");
    expect(await notified(stream)).toEqual([["mode_all", event_id]]);
  });

  test("takes what is no text for nothing said, and what is no list for nobody mentioned", async () => {
    const { server, ann } = await lounge();
    await using _server = server;
    const stream = await ann.stream();
    await settings(server, "ann", { notification_mode: "mentions" });
    await ann.put("/v1/me/preferences", { keyword_alerts: ["lunch"] });
    for (const content of [
      {},
      { body: null, mentions: null },
      { body: ["lunch"], mentions: "ann" },
      { body: { lunch: "lunch" }, mentions: { ann: true } },
      { body: 7, mentions: [["ann"], { id: "ann" }, null, 7] },
    ])
      await say(server, "bob", content);
    const event_id = await say(server, "bob", { mentions: [null, "ann"] });
    expect(await notified(stream)).toEqual([["mentioned", event_id]]);
    expect(server.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("is told to nobody outside the room, whatever they are to it", async () => {
    const { server, ann } = await lounge();
    await using _server = server;
    const [ivy, lee, ned] = [
      await server.person("ivy"),
      await server.person("lee"),
      await server.person("ned"),
    ];
    const twin = await server.person("ann", { tenant_id: "umbrella" });
    await server.room("lounge", [twin]);
    await settings(server, "ivy", { membership: "invite" });
    await settings(server, "lee", { membership: "join" });
    await settings(server, "lee", { membership: "leave" });
    const hears = await ann.stream();
    const others = await Promise.all([ivy, lee, ned, twin].map((person) => person.stream()));
    const event_id = await say(server, "bob");
    expect(await hears.type("swp.notification")).toMatchObject({ event_id });
    for (const stream of others) expect(await notified(stream)).toEqual([]);
  });

  test("is told once of a message that is sent again", async () => {
    const { server, ann } = await lounge();
    await using _server = server;
    const stream = await ann.stream();
    const sent = [
      await say(server, "bob", { body: "hi" }, { event_uuid: "once" }),
      await say(server, "bob", { body: "hi" }, { event_uuid: "once" }),
    ];
    const next = await say(server, "bob");
    expect(new Set(sent).size).toBe(1);
    expect((await notified(stream)).map(([, event]) => event)).toEqual([sent[0], next]);
  });

  test("is told to whoever appears offline, on their own devices", async () => {
    const { server, ann } = await lounge();
    await using _server = server;
    const stream = await ann.stream();
    await ann.put("/v1/me/presence", { state: "appear_offline" });
    const event_id = await say(server, "bob");
    expect(await notified(stream)).toEqual([["mode_all", event_id]]);
  });

  test("reaches everyone in a large room", async () => {
    const { server, ann } = await lounge();
    await using _server = server;
    const crowd = Array.from({ length: 1_200 }, (_, index) => `p${index}`);
    const { store } = server;
    await Promise.all(crowd.map((id) => store.putParticipant(person(id), {}, 0)));
    const room_id = "lounge";
    await Promise.all(crowd.map((id) => store.putMember({ ...person(id), room_id }, {}, 0)));
    const zoe = await server.person("zoe");
    await settings(server, "zoe", {});
    const streams = [await ann.stream(), await zoe.stream()];
    const event_id = await say(server, "bob");
    for (const stream of streams)
      expect(await stream.type("swp.notification")).toMatchObject({ event_id });
  });
});

describe("deciding for many people", () => {
  test("leaves the turn to others once the time of its slice is used up", async () => {
    const server = await TestServer.start({ clock: new StridingClock() });
    await using _server = server;
    const crowd: Person[] = [];
    for (let index = 0; index < 30; index += 1) crowd.push(await server.person(`p${index}`));
    await server.room("lounge", crowd);
    const streams = await Promise.all(crowd.map((each) => each.stream({ presence: "none" })));
    let turns = 0;
    let next = setImmediate(function count() {
      turns += 1;
      next = setImmediate(count);
    });
    await server.store.appendEvent(
      { ...TENANT, room_id: "lounge" },
      { sender_id: "p0", content: {} },
      0,
    );
    await Promise.all(streams.slice(1).map((stream) => stream.type("swp.notification")));
    clearImmediate(next);
    expect(turns).toBeGreaterThanOrEqual(crowd.length - 1);
  });
});

describe("messages that come faster than they are decided", () => {
  test(`wait in order, at most ${WAITING_MAX}: the oldest are passed over, and the log says how many`, async () => {
    const { server, ann } = await lounge();
    await using _server = server;
    const stream = await ann.stream();
    const key = { ...TENANT, room_id: "lounge" };
    const sent = await Promise.all(
      Array.from({ length: WAITING_MAX + 7 }, () =>
        server.store.appendEvent(key, { sender_id: "bob", content: {} }, server.clock.wall()),
      ),
    );
    const last = sent.at(-1)?.id;
    const told: Frame[] = [];
    for (let frame = await stream.type("swp.notification"); ; ) {
      told.push(frame);
      if (frame.event_id === last) break;
      frame = await stream.type("swp.notification");
    }
    expect(told.map(({ event_id }) => event_id)).toEqual(sent.slice(7).map(({ id }) => id));
    const event_id = await say(server, "bob");
    expect(await notified(stream)).toEqual([["mode_all", event_id]]);
    const lines = server.lines.filter(({ event }) => event.startsWith("notifications."));
    expect(lines).toEqual([
      { level: "warn", event: "notifications.dropping", waiting: WAITING_MAX },
      { level: "warn", event: "notifications.dropped", messages: 7 },
    ]);
  });
});

describe("a store that fails while a message is decided", () => {
  test("costs the notifications of that message, and no other", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "porchlight.db");
    const { server, ann } = await lounge({ file });
    await using _server = server;
    const stream = await ann.stream();
    const db = new Database(file);
    db.exec("alter table preferences rename to elsewhere");
    await say(server, "bob");
    await stream.heard();
    db.exec("alter table elsewhere rename to preferences");
    db.close();
    expect(server.lines.filter(({ level }) => level === "error")).toMatchObject([
      { event: "notifications.failed", tenant_id: "acme", room_id: "lounge" },
    ]);
    const event_id = await say(server, "bob");
    expect(await notified(stream)).toEqual([["mode_all", event_id]]);
  });
});

function person(participant_id: string): { tenant_id: string; participant_id: string } {
  return { ...TENANT, participant_id };
}

/** A clock by which whatever looks at it takes its time. */
class StridingClock extends TestClock {
  #looks = 0;

  override monotonic(): number {
    this.#looks += 1;
    return super.monotonic() + this.#looks * 5;
  }
}
