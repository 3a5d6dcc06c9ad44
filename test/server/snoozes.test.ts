import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import Database from "better-sqlite3";
import { TestClock } from "../support/clock.ts";
import { TestClient } from "../support/network.ts";
import { temporaryFolder } from "../support/process.ts";
import { type Person, type Reply, refusedWith, TestServer } from "../support/server.ts";
import type { Frame, StreamClient } from "../support/stream.ts";

const HOUR_MS = 3_600_000;
const TEN_YEARS_MS = 315_576_000_000;

/** A server with Ann and Bob in the lounge, in which Bob has said something. */
async function lounge(options: Parameters<typeof TestServer.start>[0] = {}): Promise<{
  server: TestServer;
  ann: Person;
  bob: Person;
  message: string;
}> {
  const server = await TestServer.start(options);
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  await server.room("lounge", [ann, bob]);
  return { server, ann, bob, message: await say(server, "lounge", "bob") };
}

/** Sends a message on somebody's behalf; answers its id. */
async function say(server: TestServer, room_id: string, sender_id: string): Promise<string> {
  const body = { sender_id, content: { body: "hello" } };
  return (await server.admin("POST", `/rooms/${room_id}/events`, body)).body.data.id;
}

/** Puts a message off for so long, by the clock of the server. */
async function snooze(
  person: Person,
  server: TestServer,
  event_id: string,
  ms: number,
): Promise<Reply> {
  return person.post(`/v1/messages/${event_id}/snooze`, { until: at(server, ms) });
}

/** The instant so long from now. */
function at({ clock }: TestServer, ms: number): string {
  return new Date(clock.wall() + ms).toISOString();
}

/** What a stream has heard of snoozes. */
async function firedIn(stream: StreamClient): Promise<Frame[]> {
  return (await stream.heard()).filter(({ type }) => type === "swp.snooze.fired");
}

async function snoozes(person: Person): Promise<Reply["body"]> {
  return (await person.get("/v1/me/snoozes")).body.data;
}

describe("POST /v1/messages/{event_id}/snooze", () => {
  test("puts a message off, which shows in the room and among one's snoozes", async () => {
    const { server, ann, bob, message } = await lounge();
    await using _server = server;
    const until = at(server, HOUR_MS);
    const snoozed = { event_id: message, room_id: "lounge", until, fired_at: null };
    const { status, body } = await snooze(ann, server, message, HOUR_MS);
    expect([status, body]).toEqual([200, { data: snoozed }]);
    expect(await snoozes(ann)).toEqual([snoozed]);
    expect(await snoozes(bob)).toEqual([]);
    for (const part of ["state", "read-state"]) {
      const shown = await ann.get(`/v1/rooms/lounge/${part}`);
      expect(shown.body.data.snoozed_event_ids).toEqual([message]);
    }
  });

  test("takes a time from the next millisecond on, for at most ten years", async () => {
    const { server, ann, message } = await lounge();
    await using _server = server;
    for (const ms of [-1, 0, TEN_YEARS_MS + 1]) {
      const refused = await snooze(ann, server, message, ms);
      expect(refusedWith(refused)).toBe("400 SW_VALIDATION");
      expect(refused.body.error.details).toMatchObject([{ path: "until" }]);
    }
    expect(await snoozes(ann)).toEqual([]);
    for (const ms of [1, TEN_YEARS_MS])
      expect((await snooze(ann, server, message, ms)).status).toBe(200);
  });

  test("answers a message of another tenant as one that does not exist", async () => {
    const { server, ann } = await lounge();
    await using _server = server;
    const fay = await server.person("fay", { tenant_id: "umbrella" });
    await server.room("there", [fay]);
    const theirs = await say(server, "there", "fay");
    const replies = [theirs, "evt-nothing", "no id at all"].map((id) =>
      ann.post(`/v1/messages/${encodeURIComponent(id)}/snooze`, { until: at(server, HOUR_MS) }),
    );
    for (const { status, body } of await Promise.all(replies))
      expect([status, body]).toEqual([
        404,
        { error: { code: "SW_EVENT_NOT_FOUND", message: "There is no such event" } },
      ]);
  });

  test("refuses a message in a room that one has left, and not in one that is archived", async () => {
    const { server, ann, message } = await lounge();
    await using _server = server;
    await server.admin("PUT", "/rooms/lounge", { state: "archived" });
    expect((await snooze(ann, server, message, HOUR_MS)).status).toBe(200);
    await server.admin("PUT", "/rooms/lounge/members/ann", { membership: "leave" });
    expect(refusedWith(await snooze(ann, server, message, HOUR_MS))).toBe("403 SW_NOT_MEMBER");
  });
});

describe("DELETE /v1/me/snoozes/{event_id}", () => {
  test("forgets a snooze, which then does not fire", async () => {
    const { server, ann, message } = await lounge();
    await using _server = server;
    const stream = await ann.stream();
    await snooze(ann, server, message, HOUR_MS);
    const { status, body } = await ann.delete(`/v1/me/snoozes/${message}`);
    expect([status, body]).toEqual([200, { data: { event_id: message } }]);
    expect(refusedWith(await ann.delete(`/v1/me/snoozes/${message}`))).toBe(
      "404 SW_EVENT_NOT_FOUND",
    );
    await server.clock.advance(2 * HOUR_MS);
    expect(await firedIn(stream)).toEqual([]);
    expect(await snoozes(ann)).toEqual([]);
  });
});

describe("a snooze", () => {
  test("fires at its time, once, on all of the person's devices and on nobody else's", async () => {
    const { server, ann, bob, message } = await lounge();
    await using _server = server;
    const own = [await ann.stream({ device_id: "a" }), await ann.stream({ device_id: "b" })];
    const others = await bob.stream();
    const until = at(server, HOUR_MS);
    const position = (await ann.get("/v1/rooms/lounge/state")).body.data.stream_position;
    await snooze(ann, server, message, HOUR_MS);
    await server.clock.advance(HOUR_MS - 1);
    for (const stream of own) expect(await firedIn(stream)).toEqual([]);
    await server.clock.advance(1);
    const fired = { event_id: message, room_id: "lounge", until };
    const frame = { type: "swp.snooze.fired", tenant_id: "acme", ts: until, ...fired };
    for (const stream of own)
      expect<unknown>(await firedIn(stream)).toEqual([{ ...frame, id: expect.any(String) }]);
    expect(await firedIn(others)).toEqual([]);
    expect(await snoozes(ann)).toEqual([{ ...fired, fired_at: until }]);
    for (const part of ["state", "read-state"]) {
      const shown = await ann.get(`/v1/rooms/lounge/${part}`);
      expect(shown.body.data.snoozed_event_ids).toEqual([]);
    }
    const after = await bob.get("/v1/rooms/lounge/state");
    expect(after.body.data.stream_position).toBe(position);
    await server.clock.advance(HOUR_MS);
    for (const stream of own) expect(await firedIn(stream)).toEqual([]);
  });

  test("fires in its turn among others, whichever was set first, and on one timer", async () => {
    const { server, ann, bob, message } = await lounge({ alone: true });
    await using _server = server;
    const other = await say(server, "lounge", "bob");
    const [annHears, bobHears] = [await ann.stream(), await bob.stream()];
    await snooze(ann, server, message, 3_000);
    const { timers } = server.clock;
    await snooze(bob, server, message, 1_000);
    await snooze(ann, server, other, 2_000);
    expect(server.clock.timers).toBe(timers);
    await server.clock.advance(1_000);
    expect(await firedIn(bobHears)).toMatchObject([{ event_id: message }]);
    expect(await firedIn(annHears)).toEqual([]);
    await server.clock.advance(1_000);
    expect(await firedIn(annHears)).toMatchObject([{ event_id: other }]);
    await server.clock.advance(1_000);
    expect(await firedIn(annHears)).toMatchObject([{ event_id: message }]);
  });

  test("that has fired can be set anew, and fires again", async () => {
    const { server, ann, message } = await lounge({ alone: true });
    await using _server = server;
    const stream = await ann.stream();
    await snooze(ann, server, message, 1_000);
    await server.clock.advance(1_000);
    expect(await firedIn(stream)).toHaveLength(1);
    await snooze(ann, server, message, 1_000);
    expect(await snoozes(ann)).toMatchObject([{ fired_at: null }]);
    await server.clock.advance(1_000);
    expect(await firedIn(stream)).toHaveLength(1);
  });

  test("of a room that one has left by then is marked as fired and not told", async () => {
    const { server, ann, message } = await lounge({ alone: true });
    await using _server = server;
    const stream = await ann.stream();
    await snooze(ann, server, message, 1_000);
    await server.admin("PUT", "/rooms/lounge/members/ann", { membership: "leave" });
    await server.clock.advance(1_000);
    expect(await firedIn(stream)).toEqual([]);
    expect(await snoozes(ann)).toMatchObject([{ event_id: message, fired_at: at(server, 0) }]);
  });

  test("reaches a client that follows the room", async () => {
    const { server, ann, message } = await lounge();
    await using _server = server;
    await snooze(ann, server, message, 1_000);
    using client = await new TestClient(server, ann).ready("lounge");
    const snoozed = (): readonly string[] | undefined => {
      const known = client.room("lounge");
      return "state" in known ? known.state.snoozed_event_ids : undefined;
    };
    expect(snoozed()).toEqual([message]);
    await server.clock.advance(1_000);
    await client.until(() => snoozed()?.length === 0);
  });
});

describe("a snooze, when the clock on the wall is set", () => {
  test("ahead of it, fires within 10 s, once", async () => {
    const { server, ann, message } = await lounge({ alone: true });
    await using _server = server;
    const stream = await ann.stream();
    await snooze(ann, server, message, HOUR_MS);
    server.clock.step(HOUR_MS);
    await server.clock.advance(10_000);
    expect(await firedIn(stream)).toHaveLength(1);
    server.clock.step(-HOUR_MS);
    await server.clock.advance(2 * HOUR_MS);
    expect(await firedIn(stream)).toEqual([]);
  });

  test("back, fires when the clock on the wall says so", async () => {
    const { server, ann, message } = await lounge({ alone: true });
    await using _server = server;
    const stream = await ann.stream();
    await snooze(ann, server, message, 5_000);
    server.clock.step(-HOUR_MS);
    await server.clock.advance(HOUR_MS);
    expect(await firedIn(stream)).toEqual([]);
    await server.clock.advance(5_000);
    expect(await firedIn(stream)).toHaveLength(1);
  });

  test("and while the machine sleeps, fires within 10 s of waking", async () => {
    const { server, ann, message } = await lounge();
    await using _server = server;
    const stream = await ann.stream();
    await snooze(ann, server, message, HOUR_MS);
    server.clock.sleep(HOUR_MS);
    await server.clock.advance(10_000);
    expect(await firedIn(stream)).toHaveLength(1);
  });
});

describe("a snooze, after a restart", () => {
  test("fires at its time", async () => {
    using folder = temporaryFolder();
    const [clock, file] = [new TestClock(), join(folder.path, "porchlight.db")];
    const { server: before, ann, message } = await lounge({ clock, file });
    await snooze(ann, before, message, HOUR_MS);
    await before.stop();
    await using after = await TestServer.start({ alone: true, clock, file });
    const stream = await after.stream({ token: ann.token });
    await clock.advance(HOUR_MS - 1);
    expect(await firedIn(stream)).toEqual([]);
    await clock.advance(1);
    expect(await firedIn(stream)).toMatchObject([{ event_id: message }]);
  });

  test("has fired if its time came meanwhile, and does not again", async () => {
    using folder = temporaryFolder();
    const [clock, file] = [new TestClock(), join(folder.path, "porchlight.db")];
    const { server: before, ann, message } = await lounge({ clock, file });
    await snooze(ann, before, message, HOUR_MS);
    await before.stop();
    await clock.advance(2 * HOUR_MS);
    const fired_at = new Date(clock.wall()).toISOString();
    const listed = (server: TestServer): Promise<Reply> =>
      server.request("GET", "/v1/me/snoozes", { token: ann.token });
    for (const _start of ["first", "second"]) {
      await using after = await TestServer.start({ clock, file });
      expect((await listed(after)).body.data).toMatchObject([{ event_id: message, fired_at }]);
      const stream = await after.stream({ token: ann.token });
      await clock.advance(HOUR_MS);
      expect(await firedIn(stream)).toEqual([]);
    }
  });
});

describe("a store that fails when a snooze is due", () => {
  test("is asked again until it does not, and the snooze fires once", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "porchlight.db");
    const { server, ann, message } = await lounge({ file });
    await using _server = server;
    const stream = await ann.stream();
    await snooze(ann, server, message, HOUR_MS);
    const db = new Database(file);
    db.exec("alter table snoozes rename to elsewhere");
    await server.clock.advance(HOUR_MS + 2_000);
    const failures = server.lines.filter(({ event }) => event === "snoozes.failed");
    expect(failures.map(({ level }) => level)).toEqual(["error", "error", "error"]);
    expect(await firedIn(stream)).toEqual([]);
    db.exec("alter table elsewhere rename to snoozes");
    db.close();
    await server.clock.advance(1_000);
    expect(await firedIn(stream)).toHaveLength(1);
    await server.clock.advance(HOUR_MS);
    expect(await firedIn(stream)).toEqual([]);
  });
});
