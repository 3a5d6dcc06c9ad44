import { describe, expect, test } from "bun:test";
import type { RoomPart } from "@porchlight/server/store";
import fc from "fast-check";
import { TRIALS_TIMEOUT_MS, trials } from "../../../support/runs.ts";
import { EVERYTHING, type MakeDatabase, NOW, TestStore } from "../../../support/store.ts";

const LOBBY = { tenant_id: "acme", room_id: "lobby" } as const;
const ANN = { tenant_id: "acme", participant_id: "ann" } as const;

/** A room for a viewer, and the rooms a viewer has. */
export function readingConformance(makeDatabase: MakeDatabase): void {
  describe("Store.room()", () => {
    test("is undefined where the tenant has no such room", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      await t.room("lobby", ["ann"], {}, "globex");
      expect(await t.store.room(LOBBY, "ann", EVERYTHING)).toBeUndefined();
    });

    test("shows a room at the position of the tenant's last event", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      await t.room("attic", ["ann"]);
      await t.say({ ...LOBBY, room_id: "attic" }, "ann");
      expect((await t.look(LOBBY, "ann")).stream_position).toBe(await t.store.position("acme"));
    });

    test("leaves empty the parts that were not asked for, and every part is the same asked for alone or with others", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann", "bob"]);
      await t.say(LOBBY, "bob");
      await t.store.putPlan(LOBBY, { id: "plan", state: "running" }, NOW);
      await t.store.putCall(LOBBY, { call_id: "call", ended_at: null }, NOW);
      await t.store.putSidekick(LOBBY, { task_id: "task", status: "running" }, NOW);
      const whole = await t.look(LOBBY, "ann");
      expect(whole).toMatchObject({
        members: [{}, {}],
        read: { unread_count: 1 },
        plan: { id: "plan" },
        call: { call_id: "call" },
        sidekicks: [{ task_id: "task" }],
      });
      const empty = {
        ...whole,
        members: [],
        read: { unread_count: 0, last_read_event_id: null, snoozed_event_ids: [] },
        plan: undefined,
        call: undefined,
        sidekicks: [],
      };
      const only = (part: RoomPart): Promise<unknown> => t.store.room(LOBBY, "ann", [part]);
      expect<unknown>(await t.store.room(LOBBY, "ann", [])).toEqual(empty);
      expect(await only("members")).toEqual({ ...empty, members: whole.members });
      expect(await only("read")).toEqual({ ...empty, read: whole.read });
      expect(await only("plan")).toEqual({ ...empty, plan: whole.plan });
      expect(await only("call")).toEqual({ ...empty, call: whole.call });
      expect(await only("sidekicks")).toEqual({ ...empty, sidekicks: whole.sidekicks });
    });

    test("lists those who have joined or are invited, with their own settings, and nobody else", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      await t.people(["in", "out", "off", "knocks"], { display_name: "Guest" });
      await t.member(LOBBY, "in", { membership: "invite", notification_mode: "none" });
      await t.member(LOBBY, "out", { membership: "leave" });
      await t.member(LOBBY, "off", { membership: "ban" });
      await t.member(LOBBY, "knocks", { membership: "knock" });
      const { members, room } = await t.look(LOBBY, "ann");
      expect(members.map(({ participant }) => participant.id).toSorted()).toEqual(["ann", "in"]);
      expect(members.find(({ participant }) => participant.id === "in")).toMatchObject({
        membership: "invite",
        joined_at: null,
        notification_mode: "none",
        participant: { display_name: "Guest" },
      });
      expect(room.member_count).toBe(1);
    });

    test("says who the viewer is to the room, as a member, an invitee or a stranger", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      await t.people(["bob"], { participant_type: "helper" });
      await t.member(LOBBY, "ann", { notification_mode: "mentions", muted_until: NOW + 1 });
      await t.store.updatePreferences(ANN, { ai_response_mode: "streaming" }, NOW);
      expect((await t.look(LOBBY, "ann")).viewer).toEqual({
        participant_id: "ann",
        participant_type: "human",
        membership: "join",
        notification_mode: "mentions",
        muted_until: NOW + 1,
        ai_response_mode: "streaming",
      });
      const stranger = {
        participant_id: "bob",
        participant_type: "helper",
        notification_mode: "inherit",
        muted_until: null,
        ai_response_mode: "conversational",
      } as const;
      expect<unknown>((await t.look(LOBBY, "bob")).viewer).toEqual({
        ...stranger,
        membership: undefined,
      });
      await t.member(LOBBY, "bob", { membership: "invite" });
      expect((await t.look(LOBBY, "bob")).viewer).toEqual({ ...stranger, membership: "invite" });
    });

    test("reads nothing of what is in a room for who has not joined it", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann", "bob"], { room_type: "dm" });
      await t.people(["cy"]);
      await t.say(LOBBY, "ann");
      await t.store.putPlan(LOBBY, { id: "plan", state: "running" }, NOW);
      await t.store.putCall(LOBBY, { call_id: "call", ended_at: null }, NOW);
      await t.store.putSidekick(LOBBY, { task_id: "task", status: "running" }, NOW);
      const unjoined = ["invite", "leave", "ban", "knock"] as const;
      for (const membership of [undefined, ...unjoined]) {
        if (membership !== undefined) await t.member(LOBBY, "bob", { membership });
        const viewer = membership === undefined ? "cy" : "bob";
        expect(await t.look(LOBBY, viewer)).toMatchObject({
          counterpart: undefined,
          members: [],
          read: { unread_count: 0, last_read_event_id: null, snoozed_event_ids: [] },
          plan: undefined,
          call: undefined,
          sidekicks: [],
        });
      }
    });

    test("names the other of a direct room, by the name they have now, and nobody in other rooms", async () => {
      await using t = await TestStore.on(makeDatabase);
      const dm = await t.room("dm", ["ann", "bob"], { room_type: "dm" });
      await t.room("lobby", ["ann", "bob"]);
      await t.people(["bob"], { display_name: "Bob Baker" });
      expect((await t.look(dm, "ann")).counterpart).toBe("Bob Baker");
      expect((await t.look(dm, "bob")).counterpart).toBe("ann");
      expect((await t.look(LOBBY, "ann")).counterpart).toBeUndefined();
      await t.member(dm, "bob", { membership: "leave" });
      expect((await t.look(dm, "ann")).counterpart).toBe("Bob Baker");
    });
  });

  describe("Store.room(), counting what is unread", () => {
    const unread = async (t: TestStore, viewer = "ann"): Promise<number> =>
      (await t.look(LOBBY, viewer)).read.unread_count;

    test("counts the messages of others in this room since the viewer joined", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["bob"]);
      await t.room("attic", ["ann", "bob"]);
      await t.say(LOBBY, "bob", "before");
      await t.people(["ann"]);
      await t.member(LOBBY, "ann");
      expect(await unread(t)).toBe(0);
      await t.say(LOBBY, "bob");
      await t.say(LOBBY, "bob");
      await t.say({ ...LOBBY, room_id: "attic" }, "bob");
      expect(await unread(t)).toBe(2);
      expect(await unread(t, "bob")).toBe(0);
    });

    test("does not count the viewer's own messages, nor what is no message", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann", "bob"]);
      await t.say(LOBBY, "ann");
      await t.store.putRoom(LOBBY, { name: "Hall" }, NOW);
      await t.store.putPlan(LOBBY, { id: "plan", state: "running" }, NOW);
      await t.store.updateProfile({ ...ANN, participant_id: "bob" }, { bio: "new" }, NOW);
      expect(await unread(t)).toBe(0);
    });

    test("begins again with a new join, not with another power level", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann", "bob"]);
      await t.say(LOBBY, "bob");
      await t.member(LOBBY, "ann", { power_level: 50 });
      await t.member(LOBBY, "ann", { membership: "join" });
      expect(await unread(t)).toBe(1);
      await t.member(LOBBY, "ann", { membership: "leave" });
      await t.say(LOBBY, "bob");
      await t.member(LOBBY, "ann", { membership: "join" });
      expect((await t.look(LOBBY, "ann")).read).toEqual({
        unread_count: 0,
        last_read_event_id: null,
        snoozed_event_ids: [],
      });
    });

    test(
      "is the number of others' messages after the last join, whatever happens in between",
      async () => {
        const anyStep = fc.constantFrom("ann says", "bob says", "ann leaves", "ann joins");
        await fc.assert(
          fc.asyncProperty(fc.array(anyStep, { maxLength: 20 }), async (steps) => {
            await using t = await TestStore.on(makeDatabase);
            await t.room("lobby", ["ann", "bob"]);
            let [expected, joined] = [0, true];
            const take = {
              "bob says": () => {
                expected += 1;
                return t.say(LOBBY, "bob");
              },
              "ann says": () => (joined ? t.say(LOBBY, "ann") : undefined),
              "ann leaves": () => {
                joined = false;
                return t.member(LOBBY, "ann", { membership: "leave" });
              },
              "ann joins": () => {
                expected = joined ? expected : 0;
                joined = true;
                return t.member(LOBBY, "ann", { membership: "join" });
              },
            };
            await Promise.all(steps.map((step) => take[step]()));
            expect(await unread(t)).toBe(joined ? expected : 0);
          }),
          trials(25),
        );
      },
      TRIALS_TIMEOUT_MS,
    );
  });

  describe("Store.roomsOf()", () => {
    test("lists the rooms somebody has joined by id, each as Store.room() shows it", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["bob", "ann"], { name: "Lobby" });
      await t.room("attic", ["bob", "ann"], { state: "archived" });
      await t.room("Zoo", ["ann"]);
      await t.room("dm", ["bob", "ann"], { room_type: "dm" });
      await t.room("elsewhere", ["bob"]);
      await t.room("invited", ["bob"]);
      await t.member({ ...LOBBY, room_id: "invited" }, "ann", { membership: "invite" });
      await t.room("left", ["ann"]);
      await t.member({ ...LOBBY, room_id: "left" }, "ann", { membership: "leave" });
      await t.room("lobby-2", ["ann"], {}, "globex");
      await t.say(LOBBY, "bob");
      const rooms = await t.store.roomsOf(ANN);
      expect(rooms.map(({ room }) => room.id)).toEqual(["Zoo", "attic", "dm", "lobby"]);
      for (const listing of rooms) {
        const { room, counterpart, read } = await t.look(
          { tenant_id: "acme", room_id: listing.room.id },
          "ann",
        );
        expect(listing).toEqual({ room, counterpart, unread_count: read.unread_count });
      }
    });

    test("is empty for somebody who has joined nothing, and for nobody", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      expect(await t.store.roomsOf(ANN)).toEqual([]);
      expect(await t.store.roomsOf({ ...ANN, participant_id: "nobody" })).toEqual([]);
    });
  });

  describe("Store.standing()", () => {
    test("names the rooms of roomsOf(), and the position of that moment", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      await t.room("attic", ["ann"]);
      await t.room("invited", ["bob"]);
      await t.member({ ...LOBBY, room_id: "invited" }, "ann", { membership: "invite" });
      const { rooms, position } = await t.store.standing(ANN);
      expect(rooms.toSorted()).toEqual(["attic", "lobby"]);
      expect(position).toBe(await t.store.position("acme"));
    });
  });
}
