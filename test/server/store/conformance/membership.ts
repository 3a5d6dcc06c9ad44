import { describe, expect, test } from "bun:test";
import { MEMBERSHIPS, type Member, type MemberBody, type Membership } from "@porchlight/core";
import type { RoomKey } from "@porchlight/server/store";
import fc from "fast-check";
import { TRIALS_TIMEOUT_MS, trials } from "../../../support/runs.ts";
import { type MakeDatabase, NOW, refusalOf, TestStore } from "../../../support/store.ts";

const LOBBY = { tenant_id: "acme", room_id: "lobby" } as const;
const ANN = { tenant_id: "acme", participant_id: "ann" } as const;

/** Who is in a room, and who can be in a direct one. */
export function membershipConformance(makeDatabase: MakeDatabase): void {
  describe("Store.putMember()", () => {
    test("adds somebody who joins now, with the defaults of a member", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", []);
      await t.people(["ann"], { display_name: "Ann" });
      expect(await t.store.putMember({ ...LOBBY, ...ANN }, {}, NOW)).toEqual({
        membership: "join",
        power_level: 0,
        joined_at: NOW,
        notification_mode: "inherit",
        muted_until: null,
        response_mode: null,
        engagement_mode: null,
        participant: {
          id: "ann",
          local_id: "ann",
          server_name: "localhost",
          display_name: "Ann",
          participant_type: "human",
          avatar_url: null,
        },
      });
    });

    test("of a direct room notifies about everything by default", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("dm", [], { room_type: "dm" });
      await t.people(["ann"]);
      const key = { ...LOBBY, room_id: "dm", ...ANN };
      expect((await t.store.putMember(key, {}, NOW)).notification_mode).toBe("all");
    });

    test(
      "keeps what a body leaves out: one body after another is both of them in one",
      async () => {
        await fc.assert(
          fc.asyncProperty(anySettings, anySettings, async (first, second) => {
            await using t = await TestStore.on(makeDatabase);
            const split = await t.room("split", ["ann"]);
            const whole = await t.room("whole", ["ann"]);
            await t.member(split, "ann", first);
            await t.member(split, "ann", second);
            await t.member(whole, "ann", { ...first, ...defined(second) });
            expect((await t.look(split, "ann")).members).toEqual(
              (await t.look(whole, "ann")).members,
            );
          }),
          trials(25),
        );
      },
      TRIALS_TIMEOUT_MS,
    );

    test("keeps when somebody joined until they join again, and an instant that is given", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", []);
      await t.people(["ann"]);
      const put = async (body: MemberBody, now: number): Promise<number | null> =>
        (await t.store.putMember({ ...LOBBY, ...ANN }, body, now)).joined_at;
      expect(await put({ membership: "invite" }, NOW)).toBeNull();
      expect(await put({ membership: "join" }, NOW + 1)).toBe(NOW + 1);
      expect(await put({ membership: "join", power_level: 5 }, NOW + 2)).toBe(NOW + 1);
      expect(await put({ membership: "leave" }, NOW + 3)).toBe(NOW + 1);
      expect(await put({ membership: "join" }, NOW + 4)).toBe(NOW + 4);
      expect(await put({ joined_at: 7 }, NOW + 5)).toBe(7);
    });

    test("tells those who have joined and its subject, and only of what changed that others may see", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["bob"]);
      await t.people(["ann"]);
      const all = await t.heard(async () => {
        await t.member(LOBBY, "ann", { membership: "invite" });
        await t.member(LOBBY, "ann", { membership: "join" });
        await t.member(LOBBY, "ann", { notification_mode: "none", muted_until: NOW + 1 });
        await t.member(LOBBY, "ann", { power_level: 0 });
        await t.member(LOBBY, "ann", { power_level: 50 });
        await t.member(LOBBY, "ann", { membership: "leave" });
      });
      const heard = all.filter(({ frame }) => frame.type === "swp.room.member");
      const others = all.filter((each) => !heard.includes(each)).map(({ to }) => to);
      expect(others).toEqual([{ participant_id: "ann" }, { participant_id: "ann" }]);
      expect(
        heard.map(({ to, frame: { membership, member, participant_id, room_id } }) => ({
          to,
          said: [room_id, participant_id, membership, (member as Member).power_level],
        })),
      ).toEqual(
        [
          ["invite", 0],
          ["join", 0],
          ["join", 50],
          ["leave", 50],
        ].map(([membership, power_level]) => ({
          to: { room_id: "lobby", also: ["ann"] },
          said: ["lobby", "ann", membership, power_level],
        })),
      );
    });

    test("refuses somebody who does not exist in that tenant with SW_NOT_FOUND", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", []);
      await t.people(["ann"], {}, "globex");
      expect((await refusalOf(t.member(LOBBY, "ann"))).code).toBe("SW_NOT_FOUND");
    });

    test(
      "keeps member_count at the number of those who have joined, whoever comes and goes",
      async () => {
        const anyChange = fc.tuple(
          fc.constantFrom("ann", "bob", "cy"),
          fc.constantFrom(...MEMBERSHIPS),
        );
        await fc.assert(
          fc.asyncProperty(fc.array(anyChange, { maxLength: 15 }), async (changes) => {
            await using t = await TestStore.on(makeDatabase);
            await t.room("lobby", ["dee"]);
            await t.people(["ann", "bob", "cy"]);
            await Promise.all(
              changes.map(([id, membership]) => t.member(LOBBY, id, { membership })),
            );
            const now = new Map<string, Membership>([["dee", "join"], ...changes]);
            const joined = [...now.values()].filter((membership) => membership === "join").length;
            const { room, members } = await t.look(LOBBY, "dee");
            expect(room.member_count).toBe(joined);
            expect(members.filter(({ membership }) => membership === "join")).toHaveLength(joined);
          }),
          trials(25),
        );
      },
      TRIALS_TIMEOUT_MS,
    );
  });

  describe("Store.putMember(), in a direct room", () => {
    test("refuses a third member, joined or invited, with SW_VALIDATION, and changes nothing", async () => {
      await using t = await TestStore.on(makeDatabase);
      const dm = await t.room("dm", ["ann", "bob"], { room_type: "dm" });
      await t.people(["cy"]);
      for (const membership of ["join", "invite"] as const)
        expect(await refusalOf(t.member(dm, "cy", { membership }))).toMatchObject({
          code: "SW_VALIDATION",
          details: [{ path: "participant_id" }],
        });
      expect(await t.look(dm, "ann")).toMatchObject({ room: { member_count: 2 } });
    });

    test("refuses a third member also after one of the two, or both, have left", async () => {
      await using t = await TestStore.on(makeDatabase);
      const dm = await t.room("dm", ["ann", "bob"], { room_type: "dm" });
      await t.people(["cy"]);
      await t.member(dm, "ann", { membership: "leave" });
      expect((await refusalOf(t.member(dm, "cy"))).code).toBe("SW_VALIDATION");
      await t.member(dm, "bob", { membership: "leave" });
      expect((await refusalOf(t.member(dm, "cy"))).code).toBe("SW_VALIDATION");
      await t.member(dm, "ann", { membership: "join" });
      await t.member(dm, "bob", { membership: "join" });
      expect(await t.look(dm, "ann")).toMatchObject({ room: { member_count: 2 } });
    });

    test("refuses a second direct room of the same two", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("dm", ["ann", "bob"], { room_type: "dm" });
      const second = await t.room("dm-2", ["bob"], { room_type: "dm" });
      expect((await refusalOf(t.member(second, "ann"))).code).toBe("SW_VALIDATION");
    });

    test("changes the settings of the two as in any room", async () => {
      await using t = await TestStore.on(makeDatabase);
      const dm = await t.room("dm", ["ann", "bob"], { room_type: "dm" });
      await t.member(dm, "ann", { notification_mode: "none" });
      expect((await t.look(dm, "ann")).viewer.notification_mode).toBe("none");
    });
  });

  describe("Store.openDirectRoom()", () => {
    const open = (t: TestStore, from: string, to: string): Promise<string> =>
      t.store.openDirectRoom({ ...ANN, participant_id: from }, to, NOW);
    const direct = (room_id: string): RoomKey => ({ tenant_id: "acme", room_id });

    test("opens a room in which exactly the two have joined, and tells both", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann", "bob"]);
      let room_id = "";
      const heard = await t.heard(async () => {
        room_id = await open(t, "ann", "bob");
      });
      expect(await t.look(direct(room_id), "ann")).toMatchObject({
        room: { room_type: "dm", name: null, creator_id: "ann", member_count: 2, state: "open" },
        counterpart: "bob",
      });
      expect(
        heard.map(({ to, frame: { type, participant_id } }) => [to, type, participant_id]),
      ).toEqual([
        [{ room_id, also: ["ann"] }, "swp.room.member", "ann"],
        [{ room_id, also: ["bob"] }, "swp.room.member", "bob"],
      ]);
    });

    test("answers the same room again, from both sides, and tells nobody", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann", "bob"]);
      const room_id = await open(t, "ann", "bob");
      const heard = await t.heard(async () => {
        expect(await open(t, "bob", "ann")).toBe(room_id);
        expect(await open(t, "ann", "bob")).toBe(room_id);
      });
      expect(heard).toEqual([]);
    });

    test("answers the room that was made a direct room of the two by other means", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("dm", ["bob", "ann"], { room_type: "dm" });
      expect(await open(t, "ann", "bob")).toBe("dm");
    });

    test("opens one room for each pair, of people and of tenants", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann", "bob", "cy"]);
      await t.people(["ann", "bob"], {}, "globex");
      const rooms = [
        await open(t, "ann", "bob"),
        await open(t, "bob", "cy"),
        await open(t, "cy", "ann"),
        await t.store.openDirectRoom({ ...ANN, tenant_id: "globex" }, "bob", NOW),
      ];
      expect(new Set(rooms).size).toBe(4);
    });

    test("opens one room for two who open it many times at once", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann", "bob"]);
      const other = await t.beside();
      const rooms = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 ? other : t.store).openDirectRoom(
            { ...ANN, participant_id: index % 3 ? "ann" : "bob" },
            index % 3 ? "bob" : "ann",
            NOW,
          ),
        ),
      );
      expect(new Set(rooms).size).toBe(1);
      expect((await t.store.standing(ANN)).rooms).toHaveLength(1);
    });

    test("has whoever left it back, once", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann", "bob"]);
      const room_id = await open(t, "ann", "bob");
      for (const who of ["ann", "bob"])
        await t.member({ tenant_id: "acme", room_id }, who, { membership: "leave" });
      const before = await t.store.position("acme");
      expect(await open(t, "bob", "ann")).toBe(room_id);
      expect((await t.look({ tenant_id: "acme", room_id }, "ann")).room.member_count).toBe(2);
      expect(await t.store.position("acme")).toBe(before + 2);
      expect(await open(t, "ann", "bob")).toBe(room_id);
      expect(await t.store.position("acme")).toBe(before + 2);
    });

    test("refuses nobody with SW_NOT_FOUND, and oneself with SW_VALIDATION", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      await t.people(["bob"], {}, "globex");
      expect((await refusalOf(open(t, "ann", "bob"))).code).toBe("SW_NOT_FOUND");
      expect((await refusalOf(open(t, "ann", "ann"))).code).toBe("SW_VALIDATION");
      expect((await t.store.standing(ANN)).rooms).toEqual([]);
    });
  });
}

const anySettings: fc.Arbitrary<MemberBody> = fc.record(
  {
    power_level: fc.constantFrom(-1, 0, 50, undefined),
    joined_at: fc.constantFrom(1, 2, undefined),
    notification_mode: fc.constantFrom("all", "mentions", "none", "inherit", undefined),
    muted_until: fc.constantFrom(null, NOW + 1),
    response_mode: fc.constantFrom(null, "streaming"),
    engagement_mode: fc.constantFrom(null, "mention"),
  },
  { requiredKeys: [] },
);

/** A body without the keys that are `undefined`: they say nothing. */
function defined(body: MemberBody): MemberBody {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}
