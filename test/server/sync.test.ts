import { describe, expect, test } from "bun:test";
import { Delays, hesitantly } from "../support/hesitant.ts";
import { type Person, type Reply, refusedWith, TestServer } from "../support/server.ts";

/** Ann and Bob in the lounge, and the position after that. */
async function meet(server: TestServer): Promise<{ ann: Person; bob: Person; since: number }> {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  await server.room("lounge", [ann, bob]);
  return { ann, bob, since: (await sync(ann, "")).next_cursor };
}

// What a server answers is looked at by the test, not trusted by it.
// biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
async function sync(person: Person, query: string): Promise<any> {
  return (await person.get(`/v1/sync?${query}`)).body.data;
}

async function say(server: TestServer, sender: string): Promise<Reply> {
  return server.admin("POST", "/rooms/lounge/events", { sender_id: sender, content: {} });
}

/** A server whose store says when it is read. */
async function start(
  env: Record<string, string> = {},
): Promise<{ server: TestServer; delays: Delays }> {
  const delays = new Delays();
  return { server: await TestServer.start({ env, open: hesitantly(delays.of) }), delays };
}

/** A poll that has found nothing and waits. */
async function waiting(
  delays: Delays,
  person: Person,
  query: string,
): Promise<{ readonly answer: Promise<Reply>; readonly isAnswered: () => boolean }> {
  let isAnswered = false;
  const read = delays.next("read replay");
  const answer = person.get(`/v1/sync?${query}`).finally(() => {
    isAnswered = true;
  });
  await read;
  return { answer, isAnswered: () => isAnswered };
}

/** What a poll was answered with. */
// biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
async function dataOf(poll: { readonly answer: Promise<Reply> }): Promise<any> {
  return (await poll.answer).body.data;
}

describe("GET /v1/sync", () => {
  test("without since answers at once where the tenant stands, and no events", async () => {
    await using server = await TestServer.start();
    const { ann, since } = await meet(server);
    expect(since).toBeGreaterThan(0);
    expect(await sync(ann, "")).toEqual({ events: [], next_cursor: since, has_more: false });
  });

  test("answers what was missed in pages, each going on where the one before ended", async () => {
    await using server = await TestServer.start();
    const { ann, since } = await meet(server);
    const said: unknown[] = [];
    for (let count = 0; count < 5; count += 1) said.push((await say(server, "bob")).body.data);
    const first = await sync(ann, `since=${since}&limit=2`);
    expect(first).toEqual({ events: said.slice(0, 2), next_cursor: since + 2, has_more: true });
    const rest = await sync(ann, `since=${first.next_cursor}`);
    expect(rest).toEqual({ events: said.slice(2), next_cursor: since + 5, has_more: false });
  });

  test("goes on past what is not for the caller, and shows nothing of it", async () => {
    await using server = await TestServer.start();
    const { since } = await meet(server);
    const eve = await server.person("eve");
    const { next_cursor } = await sync(eve, "");
    await say(server, "bob");
    expect(next_cursor).toBeGreaterThan(since);
    expect(await sync(eve, `since=${next_cursor}&timeout=0`)).toEqual({
      events: [],
      next_cursor: next_cursor + 1,
      has_more: false,
    });
  });

  test("answers at most half of backlog_max_bytes at once, and one event always", async () => {
    await using server = await TestServer.start({
      env: { PORCHLIGHT_BACKLOG_MAX_BYTES: "100000" },
    });
    const { ann, since } = await meet(server);
    for (const size of [20_000, 20_000, 20_000, 60_000, 60_000]) {
      const content = { body: "x".repeat(size) };
      await server.admin("POST", "/rooms/lounge/events", { sender_id: "bob", content });
    }
    const pages: [number, boolean][] = [];
    for (let cursor = since; cursor < since + 5; ) {
      const { events, next_cursor, has_more } = await sync(ann, `since=${cursor}&limit=500`);
      pages.push([events.length, has_more]);
      cursor = next_cursor;
    }
    expect(pages).toEqual([
      [2, true],
      [1, true],
      [1, true],
      [1, false],
    ]);
  });

  test("looks through more positions than it reads at once", async () => {
    await using server = await TestServer.start();
    const { bob } = await meet(server);
    const eve = await server.person("eve");
    const { next_cursor } = await sync(eve, "");
    const lounge = { tenant_id: "acme", room_id: "lounge" };
    const event = { sender_id: "bob", content: {} };
    await Promise.all(
      Array.from({ length: 2_500 }, () => server.store.appendEvent(lounge, event, 0)),
    );
    await bob.put("/v1/me", { bio: "At last." });
    const { events, ...rest } = await sync(eve, `since=${next_cursor}`);
    expect(events).toMatchObject([{ type: "swp.participant.profile" }]);
    expect(rest).toEqual({ next_cursor: next_cursor + 2_501, has_more: false });
  });

  test("answers resync for what is older than events_retained, or has not happened", async () => {
    await using server = await TestServer.start({ env: { PORCHLIGHT_EVENTS_RETAINED: "3" } });
    const { ann, since } = await meet(server);
    for (let count = 0; count < 4; count += 1) await say(server, "bob");
    const gap = { events: [], next_cursor: since + 4, has_more: false, resync: true };
    expect(await sync(ann, `since=${since}`)).toEqual(gap);
    expect(await sync(ann, `since=${since + 5}`)).toEqual(gap);
    expect((await sync(ann, `since=${since + 1}`)).events).toHaveLength(3);
  });

  test("takes a limit of 1 to 500 and a timeout of 0 to 60000", async () => {
    await using server = await TestServer.start();
    const { ann } = await meet(server);
    for (const query of ["limit=1", "limit=500", "timeout=0", "timeout=60000"])
      expect((await ann.get(`/v1/sync?${query}`)).status).toBe(200);
    for (const query of ["limit=0", "limit=501", "timeout=60001", "timeout=-1", "since=x"]) {
      const { status, body } = await ann.get(`/v1/sync?${query}`);
      expect([status, body.error.details[0].path]).toEqual([400, query.split("=")[0]]);
    }
  });
});

describe("GET /v1/sync, with nothing to answer", () => {
  test("waits for what its caller may see, and for nothing else", async () => {
    const { server: started, delays } = await start();
    await using server = started;
    const { ann, bob, since } = await meet(server);
    await server.room("attic", [bob]);
    const { next_cursor } = await sync(ann, "");
    const poll = await waiting(delays, ann, `since=${next_cursor}`);
    const attic = { sender_id: "bob", content: {} };
    await server.admin("POST", "/rooms/attic/events", attic);
    await bob.put("/v1/me/preferences", { locale: "nl" });
    expect(poll.isAnswered()).toBe(false);
    const { body } = await say(server, "bob");
    expect(await dataOf(poll)).toEqual({
      events: [body.data],
      next_cursor: next_cursor + 2,
      has_more: false,
    });
    expect(since).toBeLessThan(next_cursor);
  });

  test("hears of an invitation, of a join of its own, and then of the room", async () => {
    const { server: started, delays } = await start();
    await using server = started;
    await meet(server);
    const eve = await server.person("eve");
    let { next_cursor } = await sync(eve, "");
    for (const act of ["invite", "join", "say", "leave"]) {
      const poll = await waiting(delays, eve, `since=${next_cursor}`);
      if (act === "say") await say(server, "bob");
      else await server.admin("PUT", "/rooms/lounge/members/eve", { membership: act });
      next_cursor += 1;
      expect(await dataOf(poll)).toMatchObject({ events: [{}], next_cursor });
    }
    const poll = await waiting(delays, eve, `since=${next_cursor}`);
    await say(server, "bob");
    expect(poll.isAnswered()).toBe(false);
    await server.clock.advance(30_000);
    expect(await dataOf(poll)).toMatchObject({ events: [], next_cursor: next_cursor + 1 });
  });

  test("answers empty exactly when its time is over, by one timer for all", async () => {
    const { server: started, delays } = await start();
    await using server = started;
    const { ann, bob, since } = await meet(server);
    const timers = server.clock.timers;
    const short = await waiting(delays, ann, `since=${since}&timeout=1000`);
    const long = await waiting(delays, bob, `since=${since}`);
    expect(server.clock.timers - timers).toBe(1);
    await server.clock.advance(999);
    expect(short.isAnswered()).toBe(false);
    await server.clock.advance(1);
    expect(await dataOf(short)).toEqual({ events: [], next_cursor: since, has_more: false });
    expect(long.isAnswered()).toBe(false);
    await server.clock.advance(29_000);
    expect(await dataOf(long)).toEqual({ events: [], next_cursor: since, has_more: false });
  });

  test("is no sign of life", async () => {
    const { server: started, delays } = await start();
    await using server = started;
    const { ann, bob, since } = await meet(server);
    const poll = await waiting(delays, ann, `since=${since}`);
    expect((await bob.get("/v1/presence?ids=ann")).body.data.ann).toBe("offline");
    await say(server, "bob");
    await poll.answer;
    expect((await ann.get("/v1/me/presence")).body.data.devices).toEqual([]);
  });

  test("is asked at most sockets_per_participant times at once: one more answers the oldest", async () => {
    const { server: started, delays } = await start({ PORCHLIGHT_SOCKETS_PER_PARTICIPANT: "2" });
    await using server = started;
    const { ann, since } = await meet(server);
    const first = await waiting(delays, ann, `since=${since}`);
    const second = await waiting(delays, ann, `since=${since}`);
    const third = await waiting(delays, ann, `since=${since}`);
    expect(await dataOf(first)).toEqual({ events: [], next_cursor: since, has_more: false });
    expect([second.isAnswered(), third.isAnswered()]).toEqual([false, false]);
    await say(server, "bob");
    expect(await Promise.all([dataOf(second), dataOf(third)])).toMatchObject([
      { events: [{}] },
      { events: [{}] },
    ]);
  });

  test("looks for what woke many in a turn for each, not in one for all", async () => {
    const delays = new Delays();
    let [isCounted, inTurn, most] = [false, 0, 0];
    const open = hesitantly(async (what) => {
      if (isCounted && what === "ask replay") {
        if (inTurn === 0) setImmediate(() => (inTurn = 0));
        inTurn += 1;
        most = Math.max(most, inTurn);
      }
      await delays.of(what);
    });
    await using server = await TestServer.start({ alone: true, open });
    const { ann, bob, since } = await meet(server);
    const polls = [];
    for (let count = 0; count < 20; count += 1)
      polls.push(await waiting(delays, ann, `since=${since}`));
    isCounted = true;
    await bob.put("/v1/me", { bio: "Everyone is told." });
    for (const poll of polls) expect(await dataOf(poll)).toMatchObject({ events: [{}] });
    // One more may begin before the turn of the test ends.
    expect(most).toBeLessThanOrEqual(2);
  });

  test("answers at once when the server stops", async () => {
    const { server, delays } = await start();
    const { ann, since } = await meet(server);
    const poll = await waiting(delays, ann, `since=${since}`);
    const stopped = server.stop();
    expect(await dataOf(poll)).toEqual({ events: [], next_cursor: since, has_more: false });
    await stopped;
    expect(server.clock.timers).toBe(0);
  });

  test("forgets whoever hangs up", async () => {
    const { server: started, delays } = await start();
    await using server = started;
    const { ann, since } = await meet(server);
    const timers = server.clock.timers;
    const hangUp = new AbortController();
    const read = delays.next("read replay");
    const poll = fetch(`${server.url}/v1/sync?since=${since}`, {
      headers: { authorization: `Bearer ${ann.token}` },
      signal: hangUp.signal,
    }).catch(() => "hung up");
    await read;
    const again = delays.next("read replay");
    hangUp.abort();
    expect(await poll).toBe("hung up");
    // What would be told at the end is looked for now, and told to nobody.
    await again;
    expect(server.clock.timers - timers).toBeLessThanOrEqual(1);
  });

  test("refuses what it has found to a token that was revoked meanwhile", async () => {
    const { server: started, delays } = await start();
    await using server = started;
    const { ann, since } = await meet(server);
    const poll = await waiting(delays, ann, `since=${since}`);
    await server.admin("DELETE", `/tokens/${ann.tokenId}`);
    await say(server, "bob");
    expect(refusedWith(await poll.answer)).toBe("401 SW_AUTH_INVALID_TOKEN");
  });

  test("misses nothing that is announced while a store that answers late is read", async () => {
    const { server: started, delays } = await start();
    await using server = started;
    const { ann, since } = await meet(server);
    const reading = delays.hold("read replay");
    const answer = sync(ann, `since=${since}`);
    await reading.reached;
    await say(server, "bob");
    reading.release();
    expect(await answer).toMatchObject({ events: [{}], next_cursor: since + 1 });
  });
});
