import { describe, expect, test } from "bun:test";
import { Delays, hesitantly } from "../support/hesitant.ts";
import { RawStream } from "../support/raw-stream.ts";
import { type Person, TestServer } from "../support/server.ts";
import type { Frame } from "../support/stream.ts";

const BODY = "x".repeat(30_000);
/** The system takes so much for a peer that does not read before anything waits in the server. */
const MESSAGES_MAX = 600;

/** Nobody asks for one in these tests. */
const isSnapshot = ({ type }: Frame): boolean => type === "presence.snapshot";

async function say(server: TestServer, room: string, sender_id: string): Promise<void> {
  await server.admin("POST", `/rooms/${room}/events`, { sender_id, content: { body: BODY } });
}

/** Fills the connection of a peer that does not read, message by message, until something happens to it. */
async function fillUntil(server: TestServer, hasHappened: () => Promise<boolean>): Promise<void> {
  for (let sent = 0; sent < MESSAGES_MAX; sent += 1) {
    await say(server, "lounge", "bob");
    await server.clock.advance(50);
    if (await hasHappened()) return;
  }
  throw new Error(`Cannot fill a connection with ${MESSAGES_MAX} messages`);
}

const closings = (server: TestServer): readonly unknown[] =>
  server.lines.filter(({ event }) => event === "stream.closed");

async function start(): Promise<{ server: TestServer; ann: Person; bob: Person }> {
  const server = await TestServer.start();
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  await server.room("lounge", [ann, bob]);
  return { server, ann, bob };
}

describe("a server that stops", () => {
  test("looks no more for who does not read, also when it still tells something", async () => {
    const delays = new Delays();
    const server = await TestServer.start({ open: hesitantly(delays.of) });
    await server.room("lounge", [await server.person("bob")]);
    const sending = delays.hold("ask appendEvent");
    const said = say(server, "lounge", "bob");
    await sending.reached;
    const stopped = server.stop();
    sending.release();
    await Promise.all([said, stopped]);
    expect(server.clock.timers).toBe(0);
  });
});

describe("a peer that ceases to read", () => {
  test("is closed with 4008 once more than backlog_max_bytes wait for it, having lost nothing durable", async () => {
    const { server: started, ann, bob } = await start();
    await using server = started;
    const bobHears = await bob.stream();
    using deaf = await RawStream.open(server, ann.token);
    deaf.pause();
    await fillUntil(server, async () => closings(server).length > 0);
    expect(closings(server)).toMatchObject([{ participant_id: "ann", code: 4008 }]);
    const all = (await bobHears.heard()).filter(({ type }) => type === "swp.room.message");
    deaf.resume();
    expect(await deaf.closed()).toEqual({ code: 4008, reason: "slow_consumer" });
    expect(deaf.seen.filter(({ type }) => type === "swp.room.message")).toEqual(all);
  });

  test("harms nobody: a request beside it is answered as fast as before", async () => {
    const { server: started, ann, bob } = await start();
    await using server = started;
    const bobHears = await bob.stream();
    const before = await medianMs(() => bob.get("/v1/me"));
    using deaf = await RawStream.open(server, ann.token);
    deaf.pause();
    let heard = 0;
    await fillUntil(server, async () => {
      heard += (await bobHears.heard()).filter(({ type }) => type === "swp.room.message").length;
      return closings(server).length > 0;
    });
    expect(heard).toBe((await ann.get("/v1/rooms/lounge/read-state")).body.data.unread_count);
    // Generous: a server that waited for the peer would not answer at all.
    expect(await medianMs(() => bob.get("/v1/me"))).toBeLessThan(10 * before + 20);
  });

  test("is not told meanwhile who comes, goes and types, but who is there when it reads on", async () => {
    const { server: started, ann, bob } = await start();
    await using server = started;
    const [cy, eve] = [await server.person("cy"), await server.person("eve")];
    await server.room("attic", [cy]);
    await server.admin("PUT", "/rooms/lounge/members/cy", {});
    using slow = await RawStream.open(server, ann.token);
    using watcher = await RawStream.open(server, ann.token, { presence: "none" });
    const bobHears = await bob.stream();
    for (const peer of [slow, watcher]) peer.pause();
    using canary = await RawStream.open(server, cy.token);
    canary.pause();
    // Half as much again as may wait is on its way to this one: when it is closed, half as much waits for the others.
    for (let sent = 0; sent < 17; sent += 1) await say(server, "attic", "cy");
    await fillUntil(server, async () => closings(server).length > 0);
    expect(closings(server)).toMatchObject([{ participant_id: "cy", code: 4008 }]);
    for (const state of ["busy", "idle", "busy"]) {
      await eve.put("/v1/me/presence", { state });
      await bob.put("/v1/typing", { room_id: "lounge", typing: state === "idle" });
      await server.clock.advance(1_000);
    }
    expect(closings(server)).toHaveLength(1);
    for (const peer of [slow, watcher]) peer.resume();
    const [snapshot] = await slow.next(1, isSnapshot);
    expect(snapshot).toMatchObject({ states: { ann: "online", bob: "online", eve: "busy" } });
    // What changes from now on is told again, and the one that wanted no presence was told none.
    await eve.put("/v1/me/presence", { state: "online" });
    const isEve = ({ participant_id }: Frame): boolean => participant_id === "eve";
    expect(await slow.next(1, isEve)).toMatchObject([{ type: "presence", state: "online" }]);
    await ann.put("/v1/me/presence", { state: "busy" });
    await watcher.next(1, ({ type, state }) => type === "presence" && state === "busy");
    expect(watcher.seen.filter((frame) => isSnapshot(frame) || isEve(frame))).toEqual([]);
    expect(slow.seen.filter((frame) => isEve(frame)).length).toBe(1);
    expect(slow.seen.filter(({ type }) => type === "typing")).toEqual([]);
    const positions = (frames: readonly Frame[]): unknown[] =>
      frames.flatMap(({ type, stream_position }) =>
        type === "swp.room.message" ? [stream_position] : [],
      );
    expect(positions(slow.seen)).toEqual(positions(await bobHears.heard()));
  });
});

async function medianMs(act: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < 21; count += 1) {
    const begin = performance.now();
    await act();
    times.push(performance.now() - begin);
  }
  return times.sort((a, b) => a - b)[10] ?? 0;
}
