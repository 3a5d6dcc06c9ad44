import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { turns } from "../support/clock.ts";
import { Delays, hesitantly } from "../support/hesitant.ts";
import { RawStream } from "../support/raw-stream.ts";
import { anyStory, playStory } from "../support/resuming-run.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../support/runs.ts";
import { type Person, TestServer } from "../support/server.ts";
import { TestDirectory } from "../support/sqlite.ts";
import type { Frame, StreamClient } from "../support/stream.ts";

/** Somebody says something in the lounge; answers the position of it. */
async function say(server: TestServer, sender: Person, text = "hello"): Promise<number> {
  const message = { sender_id: sender.id, content: { body: text } };
  const { body } = await server.admin("POST", "/rooms/lounge/events", message);
  return body.data.stream_position;
}

/** The events that have a position among frames, as type and position. */
function durable(frames: readonly Frame[]): [string, number][] {
  return frames.flatMap(({ type, stream_position }) =>
    stream_position === undefined ? [] : [[type, Number(stream_position)] as [string, number]],
  );
}

/** The next so many of them. */
async function next(stream: StreamClient, count: number): Promise<[string, number][]> {
  const frames: Frame[] = [];
  while (frames.length < count)
    frames.push(await stream.next(({ stream_position }) => stream_position !== undefined));
  return frames.map(({ type, stream_position }) => [type, Number(stream_position)]);
}

describe("GET /v1/stream?since=", () => {
  test("tells what was missed before what is live, in order and once", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lounge", [ann, bob]);
    const since = await say(server, bob);
    for (let missed = 0; missed < 250; missed += 1) await say(server, bob);
    const stream = await ann.stream({ since: String(since) });
    await say(server, bob);
    const expected = Array.from({ length: 251 }, (_, index) => since + 1 + index);
    expect((await next(stream, 251)).map(([, position]) => position)).toEqual(expected);
    expect(durable(await stream.heard())).toEqual([]);
  });

  test("greets with the position at which the stream opened, and repeats an event as it was told", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lounge", [ann, bob]);
    const live = await ann.stream();
    const position = await say(server, bob);
    const told = await live.type("swp.room.message");
    const again = await server.stream({ token: ann.token, since: String(position - 1) });
    expect(await again.type("hello")).toMatchObject({ stream_position: position });
    expect(await again.type("swp.room.message")).toEqual(told);
  });

  test("shows nothing of a room from before one joined or after one left, but both of these", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lounge", [bob]);
    const since = await say(server, bob);
    const put = async (membership: string): Promise<unknown> =>
      server.admin("PUT", "/rooms/lounge/members/ann", { membership });
    for (const membership of ["invite", "join", "leave", "ban"]) {
      await put(membership);
      await say(server, bob);
    }
    await bob.put("/v1/me", { bio: "Everyone is told." });
    const stream = await ann.stream({ since: String(since) });
    expect(await next(stream, 6)).toEqual([
      ["swp.room.member", since + 1],
      ["swp.room.member", since + 3],
      ["swp.room.message", since + 4],
      ["swp.room.member", since + 5],
      ["swp.room.member", since + 7],
      ["swp.participant.profile", since + 9],
    ]);
    expect(durable(await stream.heard())).toEqual([]);
    // What is told later shows that the replay has ended where the memberships stand.
    await say(server, bob);
    await put("join");
    const joined = await say(server, bob);
    expect(await next(stream, 2)).toEqual([
      ["swp.room.member", joined - 1],
      ["swp.room.message", joined],
    ]);
  });

  test("reaches events_retained positions back, and answers with resync what is older or has not happened", async () => {
    await using server = await TestServer.start({ env: { PORCHLIGHT_EVENTS_RETAINED: "5" } });
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lounge", [ann, bob]);
    let head = 0;
    for (let said = 0; said < 10; said += 1) head = await say(server, bob);
    const first = async (since: number): Promise<unknown> =>
      (await next(await ann.stream({ since: String(since) }), 1))[0];
    expect(await first(head - 5)).toEqual(["swp.room.message", head - 4]);
    expect(await first(head - 6)).toEqual(["resync", head]);
    expect(await first(head + 1)).toEqual(["resync", head]);
    const ahead = await ann.stream({ since: String(head + 1) });
    expect(await next(ahead, 1)).toEqual([["resync", head]]);
    await say(server, bob);
    expect(await next(ahead, 1)).toEqual([["swp.room.message", head + 1]]);
  });

  test("keeps what is private to what is live, and moves no position by it", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const { stream_position: since } = await (await server.stream({ token: ann.token })).type(
      "hello",
    );
    await ann.put("/v1/me/preferences", { locale: "nl" });
    await ann.put("/v1/me/presence", { state: "busy" });
    const stream = await server.stream({ token: ann.token, since: String(since) });
    expect(await stream.type("hello")).toMatchObject({ stream_position: since });
    expect(durable(await stream.heard())).toEqual([]);
  });

  test("is told no faster than it is read, and closed only for not answering", async () => {
    await using server = await TestServer.start({
      env: { PORCHLIGHT_BACKLOG_MAX_BYTES: "200000" },
    });
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lounge", [ann, bob]);
    const since = await say(server, bob);
    const text = "x".repeat(50_000);
    await Promise.all(Array.from({ length: 400 }, () => say(server, bob, text)));
    using slow = await RawStream.open(server, ann.token, { since: String(since) });
    slow.pause();
    await server.clock.advance(60_000);
    expect(server.lines.some(({ event }) => event === "stream.closed")).toBe(false);
    slow.resume();
    const told = await slow.next(400, ({ type }) => type === "swp.room.message");
    expect(told.map(({ stream_position }) => stream_position)).toEqual(
      Array.from({ length: 400 }, (_, index) => since + 1 + index),
    );
    slow.pause();
    await server.clock.advance(30_000);
    expect(server.lines.filter(({ event }) => event === "stream.closed")).toMatchObject([
      { code: 4003 },
    ]);
  });
});

describe("a stream on a store that answers late", () => {
  /** Ann and Bob in the lounge, and delays that the test ends. */
  async function start(): Promise<{
    server: TestServer;
    ann: Person;
    bob: Person;
    delays: Delays;
    since: number;
  }> {
    const delays = new Delays();
    const server = await TestServer.start({ open: hesitantly(delays.of) });
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lounge", [ann, bob]);
    return { server, ann, bob, delays, since: await say(server, bob) };
  }

  test("misses nothing that happens while it is opened", async () => {
    const { server: opened, ann, bob, delays, since } = await start();
    await using server = opened;
    const standing = delays.hold("read standing");
    const opening = ann.stream();
    await standing.reached;
    await say(server, bob);
    standing.release();
    const stream = await opening;
    await say(server, bob);
    expect((await next(stream, 2)).map(([, position]) => position)).toEqual([since + 1, since + 2]);
  });

  test("follows who came and went while it was opened", async () => {
    const { server: opened, ann, bob, delays, since } = await start();
    await using server = opened;
    const standing = delays.hold("read standing");
    const opening = ann.stream();
    await standing.reached;
    await server.admin("PUT", "/rooms/lounge/members/ann", { membership: "leave" });
    standing.release();
    const stream = await opening;
    await say(server, bob);
    expect(await next(stream, 1)).toEqual([["swp.room.member", since + 1]]);
    expect(durable(await stream.heard())).toEqual([]);
  });

  test("is told what is announced while its last page is on its way, after it", async () => {
    const { server: opened, ann, bob, delays, since } = await start();
    await using server = opened;
    await say(server, bob);
    const page = delays.hold("read replay");
    const stream = await ann.stream({ since: String(since) });
    await page.reached;
    await say(server, bob);
    await server.admin("PUT", "/rooms/lounge/members/ann", { membership: "leave" });
    await say(server, bob);
    await server.admin("PUT", "/rooms/lounge/members/ann", { membership: "join" });
    await say(server, bob);
    page.release();
    const told = await next(stream, 5);
    expect(told.map(([, position]) => position - since)).toEqual([1, 2, 3, 5, 6]);
    await say(server, bob);
    expect(durable(await stream.heard()).map(([, position]) => position - since)).toEqual([7]);
  });

  test("is told once what is announced before it is read", async () => {
    const { server: opened, ann, bob, delays, since } = await start();
    await using server = opened;
    await say(server, bob);
    const page = delays.hold("ask replay");
    const stream = await ann.stream({ since: String(since) });
    await page.reached;
    await say(server, bob);
    page.release();
    await next(stream, 2);
    await say(server, bob);
    expect(durable(await stream.heard()).map(([, position]) => position - since)).toEqual([3]);
  });

  test("is told once what it has read before it is announced, also of itself", async () => {
    const { server: opened, ann, bob, delays, since } = await start();
    await using server = opened;
    const announcing = delays.hold("announce");
    const key = { tenant_id: "acme", room_id: "lounge", participant_id: "ann" };
    const { store } = server;
    await store.putRoom({ tenant_id: "acme", room_id: "attic" }, {}, 0);
    const writes = [
      store.putMember({ ...key, room_id: "attic" }, { membership: "invite" }, 0),
      store.appendEvent(key, { sender_id: "bob", content: {} }, 0),
      store.putMember(key, { membership: "leave" }, 0),
      store.putMember(key, { membership: "join" }, 0),
    ];
    await announcing.reached;
    const stream = await ann.stream({ since: String(since) });
    expect((await next(stream, 4)).map(([, position]) => position - since)).toEqual([1, 2, 3, 4]);
    await stream.heard();
    announcing.release();
    await Promise.all(writes);
    await say(server, bob);
    expect(durable(await stream.heard()).map(([, position]) => position - since)).toEqual([5]);
  });

  for (const late of ["read token", "read standing"] as const)
    test.each([
      ["token", (ann: Person) => `/tokens/${ann.tokenId}`],
      ["person", () => "/participants/ann"],
      ["tenant", () => "/tenants/acme"],
    ] as const)(
      `is closed when its %s is taken away while it is opened, as far as "${late}"`,
      async (_, path) => {
        const { server: opened, ann, delays } = await start();
        await using server = opened;
        const held = delays.hold(late);
        const opening = server.stream({ token: ann.token });
        await held.reached;
        await server.admin("DELETE", path(ann));
        held.release();
        expect(await (await opening).closed).toEqual({ code: 4001, reason: "token_revoked" });
      },
    );

  test("is closed in the middle of a replay without a trace", async () => {
    const { server: opened, ann, bob, delays, since } = await start();
    await using server = opened;
    await say(server, bob);
    const page = delays.hold("read replay");
    const stream = await ann.stream({ since: String(since), device_id: "laptop" });
    await page.reached;
    const second = await ann.stream({ device_id: "laptop" });
    expect((await stream.closed).reason).toBe("duplicate_connection");
    page.release();
    await turns(5);
    await say(server, bob);
    expect(durable(stream.taken())).toEqual([]);
    expect(durable(await second.heard())).toHaveLength(1);
    expect(server.lines.filter(({ level }) => level === "error")).toEqual([]);
  });
});

describe("whoever is cut off and goes on where they ended", () => {
  for (const [kind, slowness] of [
    ["at hand", undefined],
    ["far away", fc.infiniteStream(fc.integer({ min: 0, max: 3 }))],
  ] as const)
    test(
      `hears each event that is theirs once and in order, with a store that is ${kind}`,
      async () => {
        using directory = new TestDirectory();
        const file = directory.file("test.db");
        let delay = (): number => 0;
        // A read is longer on its way than what is announced, so that each can come first.
        const open = hesitantly((what) => turns(what.startsWith("read") ? 2 * delay() : delay()));
        await using server = await TestServer.start({
          file,
          ...(slowness === undefined ? {} : { open }),
        });
        let run = 0;
        await fc.assert(
          fc.asyncProperty(anyStory, slowness ?? fc.constant(undefined), async (story, delays) => {
            delay = () => delays?.next().value ?? 0;
            run += 1;
            await playStory(server, file, `t${run}`, story);
          }),
          trials(20),
        );
        expect(server.lines.filter(({ level }) => level === "error")).toEqual([]);
      },
      TRIALS_TIMEOUT_MS,
    );
});
