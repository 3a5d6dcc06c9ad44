import { describe, expect, test } from "bun:test";
import type { Plan, RoomBody, Sidekick } from "@porchlight/core";
import fc from "fast-check";
import { TRIALS_TIMEOUT_MS, trials } from "../../../support/runs.ts";
import { type MakeDatabase, NOW, refusalOf, TestStore } from "../../../support/store.ts";

const LOBBY = { tenant_id: "acme", room_id: "lobby" } as const;

/** Rooms, what happens in them, and what the host platform says of them. */
export function roomsConformance(makeDatabase: MakeDatabase): void {
  describe("Store.putRoom()", () => {
    test("adds an open group room without a name, created now", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.store.putTenant("acme", {});
      expect(await t.store.putRoom(LOBBY, {}, NOW)).toEqual({
        id: "lobby",
        name: null,
        topic: null,
        room_type: "group",
        state: "open",
        workspace_id: null,
        creator_id: null,
        created_at: NOW,
        is_public: false,
        member_count: 0,
        engagement_mode: "always",
        response_mode: null,
      });
    });

    test(
      "keeps what a body leaves out: one body after another is both of them in one",
      async () => {
        await fc.assert(
          fc.asyncProperty(anyRoom, anyRoom, async (first, second) => {
            await using t = await TestStore.on(makeDatabase);
            const split = await t.room("split", ["ann"], first);
            const answered = await t.store.putRoom(split, second, NOW + 1);
            const whole = await t.room("whole", ["ann"], { ...first, ...defined(second) });
            const { room } = await t.look(split, "ann");
            expect(answered).toEqual(room);
            expect({ ...room, id: "" }).toEqual({ ...(await t.look(whole, "ann")).room, id: "" });
          }),
          trials(25),
        );
      },
      TRIALS_TIMEOUT_MS,
    );

    test("tells the room what changed, each by its own event", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"], { name: "Lobby" });
      const heard = await t.heard(() =>
        t.store.putRoom(
          LOBBY,
          { name: "Hall", topic: "Shoes off", state: "archived", engagement_mode: "mention" },
          NOW,
        ),
      );
      const to = { room_id: "lobby", also: [] };
      const frame = { tenant_id: "acme", room_id: "lobby", ts: "2026-03-02T09:00:00.000Z" };
      const id = expect.stringMatching(/^evt-/);
      expect(heard).toEqual([
        { to, frame: { ...frame, id, stream_position: 3, type: "swp.room.name", name: "Hall" } },
        {
          to,
          frame: { ...frame, id, stream_position: 4, type: "swp.room.topic", topic: "Shoes off" },
        },
        {
          to,
          frame: { ...frame, id, stream_position: 5, type: "swp.room.state", state: "archived" },
        },
        {
          to,
          frame: {
            ...frame,
            id,
            stream_position: 6,
            type: "swp.room.ai_engagement",
            mode: "mention",
            participant_id: null,
            response_mode: null,
          },
        },
      ]);
    });

    test("tells the room of a response mode together with the mode of engagement", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      const frames: unknown[] = [];
      for (const response_mode of ["streaming", "streaming", null] as const)
        for (const { frame } of await t.heard(() => t.store.putRoom(LOBBY, { response_mode }, NOW)))
          frames.push([frame.type, frame.mode, frame.participant_id, frame.response_mode]);
      expect(frames).toEqual([
        ["swp.room.ai_engagement", "always", null, "streaming"],
        ["swp.room.ai_engagement", "always", null, null],
      ]);
    });

    test("never makes a direct room of another, nor another of a direct room", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      await t.room("dm", ["ann"], { room_type: "dm" });
      const dm = { ...LOBBY, room_id: "dm" };
      for (const put of [
        t.store.putRoom(LOBBY, { room_type: "dm" }, NOW),
        t.store.putRoom(dm, { room_type: "group" }, NOW),
      ])
        expect(await refusalOf(put)).toMatchObject({
          code: "SW_VALIDATION",
          details: [{ path: "room_type" }],
        });
      expect((await t.store.putRoom(LOBBY, { room_type: "public" }, NOW)).room_type).toBe("public");
      expect((await t.store.putRoom(dm, { room_type: "dm" }, NOW)).room_type).toBe("dm");
    });
  });

  describe("Store.appendEvent()", () => {
    test("answers the frame that the room is told", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      const content = { msgtype: "m.text", body: "hello \u{1f3e0}", nested: { list: [1, null] } };
      const heard = await t.heard(async () => {
        expect(await t.store.appendEvent(LOBBY, { sender_id: "ann", content }, NOW)).toEqual({
          type: "swp.room.message",
          id: expect.stringMatching(/^evt-/),
          tenant_id: "acme",
          room_id: "lobby",
          sender_id: "ann",
          content,
          ts: "2026-03-02T09:00:00.000Z",
          stream_position: 3,
        });
      });
      expect(heard).toEqual([
        {
          to: { room_id: "lobby", also: [] },
          frame: expect.objectContaining({ content, stream_position: 3 }),
        },
      ]);
    });

    test("answers the first event again under the same uuid, and tells nobody twice", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      const send = (body: string): Promise<unknown> =>
        t.store.appendEvent(
          LOBBY,
          { sender_id: "ann", content: { body }, event_uuid: "uuid-1" },
          NOW,
        );
      const heard = await t.heard(async () => {
        const first = await send("one");
        expect(await send("two")).toEqual(first);
        const other = await t.beside();
        const again = { sender_id: "ann", content: {}, event_uuid: "uuid-1" };
        expect(await other.appendEvent(LOBBY, again, NOW + 5)).toMatchObject({
          content: { body: "one" },
        });
      });
      expect(heard).toHaveLength(1);
      expect(await t.store.position("acme")).toBe(3);
    });

    test("sends once what is sent many times at once under one uuid", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      const other = await t.beside();
      const event = { sender_id: "ann", content: {}, event_uuid: "uuid-1" };
      const sent = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 ? other : t.store).appendEvent(LOBBY, event, NOW),
        ),
      );
      expect(new Set(sent.map(({ id }) => id)).size).toBe(1);
      expect(await t.store.position("acme")).toBe(3);
    });

    test("takes another uuid, and one uuid of another sender, room or tenant, for another event", async () => {
      await using t = await TestStore.on(makeDatabase);
      const rooms = [
        await t.room("lobby", ["ann", "bob"]),
        await t.room("attic", ["ann"]),
        await t.room("lobby", ["ann"], {}, "globex"),
      ];
      const event = { sender_id: "ann", content: {}, event_uuid: "uuid-1" };
      const sent = [await t.store.appendEvent(LOBBY, { ...event, sender_id: "bob" }, NOW)];
      for (const room of rooms) sent.push(await t.store.appendEvent(room, event, NOW));
      sent.push(await t.store.appendEvent(LOBBY, { ...event, event_uuid: "uuid-2" }, NOW));
      expect(new Set(sent.map(({ id }) => id)).size).toBe(5);
    });

    test("sends every time without a uuid", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      expect((await t.say(LOBBY, "ann", "same")).id).not.toBe(
        (await t.say(LOBBY, "ann", "same")).id,
      );
    });

    test("refuses whoever has not joined with SW_NOT_MEMBER", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      await t.people(["in", "out", "off", "knocks"]);
      await t.member(LOBBY, "in", { membership: "invite" });
      await t.member(LOBBY, "out", { membership: "leave" });
      await t.member(LOBBY, "off", { membership: "ban" });
      await t.member(LOBBY, "knocks", { membership: "knock" });
      for (const sender of ["in", "out", "off", "knocks", "stranger"])
        expect((await refusalOf(t.say(LOBBY, sender))).code).toBe("SW_NOT_MEMBER");
    });
  });

  describe("Store.putPlan()", () => {
    test("keeps the room's one plan whole, further keys and all, and tells the room", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      const plan: Plan = { id: "p2", state: "draft", steps: [{ id: "s", mine: [1] }], mine: null };
      await t.store.putPlan(LOBBY, { id: "p1", state: "running", goal: "gone" }, NOW);
      const heard = await t.heard(() => t.store.putPlan(LOBBY, plan, NOW));
      expect(heard).toMatchObject([
        { to: { room_id: "lobby" }, frame: { type: "swp.plan.updated", plan } },
      ]);
      expect((await t.look(LOBBY, "ann")).plan).toEqual(plan);
    });
  });

  describe("Store.putCall()", () => {
    test("keeps the room's one call whole, and tells the room", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      const call = { call_id: "c2", ended_at: null, participants: [], mine: { a: 1 } };
      await t.store.putCall(LOBBY, { call_id: "c1", ended_at: null, type: "audio" }, NOW);
      const heard = await t.heard(() => t.store.putCall(LOBBY, call, NOW));
      expect(heard).toMatchObject([
        { to: { room_id: "lobby" }, frame: { type: "swp.call.state", call } },
      ]);
      expect((await t.look(LOBBY, "ann")).call).toEqual(call);
    });
  });

  describe("Store.putSidekick()", () => {
    test("keeps one document for each task, by task id, further keys and all", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      const put = (sidekick: Sidekick): Promise<void> => t.store.putSidekick(LOBBY, sidekick, NOW);
      await put({ task_id: "t2", status: "running", mine: [1] });
      await put({ task_id: "t1", status: "running", gone: true });
      await put({ task_id: "t1", status: "completed" });
      expect((await t.look(LOBBY, "ann")).sidekicks).toEqual([
        { task_id: "t1", status: "completed" },
        { task_id: "t2", status: "running", mine: [1] },
      ]);
    });

    test("tells the room of a start, of what became of it, and of an end before its time", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      const heard = await t.heard(async () => {
        for (const status of ["running", "paused", "completed", "terminated"])
          await t.store.putSidekick(LOBBY, { task_id: "t", status }, NOW);
      });
      expect(heard.map(({ frame: { type, sidekick } }) => [type, sidekick])).toEqual([
        ["swp.sidekick.spawned", { task_id: "t", status: "running" }],
        ["swp.sidekick.result", { task_id: "t", status: "paused" }],
        ["swp.sidekick.result", { task_id: "t", status: "completed" }],
        ["swp.sidekick.cancel", { task_id: "t", status: "terminated" }],
      ]);
    });
  });
}

const anyRoom: fc.Arbitrary<RoomBody> = fc.record(
  {
    name: fc.constantFrom("Lobby", null, undefined),
    topic: fc.constantFrom("Shoes off", null, undefined),
    room_type: fc.constantFrom("group", "public", "incognito", "bridge"),
    state: fc.constantFrom("open", "archived", "closed"),
    workspace_id: fc.constantFrom("ws", null),
    creator_id: fc.constantFrom("ann", null),
    created_at: fc.constantFrom(1, NOW, undefined),
    is_public: fc.constantFrom(true, false, undefined),
    engagement_mode: fc.constantFrom("always", "mention", "keyword", "autonomous"),
    response_mode: fc.constantFrom("streaming", null),
  },
  { requiredKeys: [] },
);

/** A body without the keys that are `undefined`: they say nothing. */
function defined(body: RoomBody): RoomBody {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}
