import { describe, expect, test } from "bun:test";
import { type EventFrame, INDEFINITE_AT, type Membership } from "@porchlight/core";
import type { Store } from "@porchlight/server/store";
import fc from "fast-check";
import { TRIALS_TIMEOUT_MS, trials } from "../../../support/runs.ts";
import { type MakeDatabase, NOW, refusalOf, TestStore } from "../../../support/store.ts";

const LOBBY = { tenant_id: "acme", room_id: "lobby" } as const;
const ANN = { ...LOBBY, participant_id: "ann" } as const;
const BOB = { ...LOBBY, participant_id: "bob" } as const;
/** Who says what there is to be read. */
const SENDERS = ["ann", "bob", "bob", "ann", "bob", "ann", "bob"] as const;

/** What members do in their rooms. */
export function roomWritesConformance(makeDatabase: MakeDatabase): void {
  describe("Store, of what a member does in a room", () => {
    const uses: Readonly<Record<string, (store: Store, room_id: string) => Promise<unknown>>> = {
      send: (store, room_id) =>
        store.send({ ...ANN, room_id }, { content: { msgtype: "t", body: "" } }, NOW),
      messages: (store, room_id) =>
        store.messages({ ...ANN, room_id }, { limit: 1, direction: "backward" }),
      invite: (store, room_id) => store.invite({ ...ANN, room_id }, "bob", NOW),
      markRead: (store, room_id) => store.markRead({ ...ANN, room_id }, { event_id: "e" }, NOW),
      setNotificationMode: (store, room_id) =>
        store.setNotificationMode({ ...ANN, room_id }, "none", NOW),
      mute: (store, room_id) => store.mute({ ...ANN, room_id }, INDEFINITE_AT, NOW),
      setEngagement: (store, room_id) =>
        store.setEngagement({ ...ANN, room_id }, { mode: "mention" }, NOW),
      setResponseMode: (store, room_id) =>
        store.setResponseMode(
          { ...ANN, room_id },
          { mode: "streaming", participant_id: null },
          NOW,
        ),
    };
    for (const [name, use] of Object.entries(uses)) {
      test(`${name}() refuses whoever has not joined, and writes nothing then`, async () => {
        await using t = await TestStore.on(makeDatabase);
        await t.room("lobby", ["bob"]);
        await t.people(["ann"]);
        await t.member(LOBBY, "ann", { membership: "invite" });
        const ann = { tenant_id: "acme", participant_id: "ann" };
        const before = [await t.look(LOBBY, "ann"), await t.store.preferences(ann)];
        const heard = await t.heard(async () => {
          expect((await refusalOf(use(t.store, "lobby"))).code).toBe("SW_NOT_MEMBER");
          expect((await refusalOf(use(t.store, "nowhere"))).code).toBe("SW_ROOM_NOT_FOUND");
        });
        expect(heard).toEqual([]);
        expect([await t.look(LOBBY, "ann"), await t.store.preferences(ann)]).toEqual(before);
      });
    }
  });

  describe("Store.join(), Store.leave() and Store.invite()", () => {
    test("tell the room and their subject, once, however often they are done", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      await t.people(["bob"]);
      const acts: [Membership, () => Promise<unknown>][] = [
        ["invite", () => t.store.invite(ANN, "bob", NOW)],
        ["join", () => t.store.join(BOB, NOW)],
        ["leave", () => t.store.leave(BOB, NOW)],
      ];
      for (const [membership, act] of acts) {
        const heard = await t.heard(async () => {
          expect(await act()).toMatchObject({ membership, participant: { id: "bob" } });
          expect(await act()).toMatchObject({ membership });
        });
        expect(heard).toMatchObject([
          {
            to: { room_id: "lobby", also: ["bob"] },
            frame: { type: "swp.room.member", participant_id: "bob", membership },
          },
        ]);
      }
      expect((await t.look(LOBBY, "ann")).room.member_count).toBe(1);
    });

    test("an invitation of whoever has joined changes nothing, one of the banned is refused", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann", "bob"]);
      await t.people(["cy"]);
      await t.member(LOBBY, "cy", { membership: "ban" });
      const heard = await t.heard(async () => {
        for (const id of ["ann", "bob"])
          expect(await t.store.invite(ANN, id, NOW)).toMatchObject({ membership: "join" });
        expect((await refusalOf(t.store.invite(ANN, "cy", NOW))).code).toBe("SW_ROOM_FORBIDDEN");
        expect((await refusalOf(t.store.invite(ANN, "nobody", NOW))).code).toBe("SW_NOT_FOUND");
      });
      expect(heard).toEqual([]);
    });

    test("an AI that is new takes part as its inviter prefers, and keeps what it has when it is invited again", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      await t.people(["ada"], { participant_type: "model" });
      const ann = { tenant_id: "acme", participant_id: "ann" };
      await t.store.updatePreferences(ann, { ai_engagement_mode: "mention" }, NOW);
      expect(await t.store.invite(ANN, "ada", NOW)).toMatchObject({
        membership: "invite",
        engagement_mode: "mention",
      });
      await t.store.leave({ ...ANN, participant_id: "ada" }, NOW);
      await t.store.updatePreferences(ann, { ai_engagement_mode: "keyword" }, NOW);
      expect(await t.store.invite(ANN, "ada", NOW)).toMatchObject({ engagement_mode: "mention" });
      await t.people(["bob"]);
      expect(await t.store.invite(ANN, "bob", NOW)).toMatchObject({ engagement_mode: null });
    });

    test("an AI in a direct room takes part always", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      await t.people(["ada"], { participant_type: "model" });
      const ann = { tenant_id: "acme", participant_id: "ann" };
      await t.store.updatePreferences(ann, { ai_engagement_mode: "mention" }, NOW);
      const room_id = await t.store.openDirectRoom(ann, "ada", NOW);
      const { members } = await t.look({ tenant_id: "acme", room_id }, "ann");
      expect(
        members.map(({ participant, engagement_mode }) => [participant.id, engagement_mode]),
      ).toContainEqual(["ada", "always"]);
    });

    test("a direct room has its two back and nobody else, whatever was said of them", async () => {
      await using t = await TestStore.on(makeDatabase);
      const ann = { tenant_id: "acme", participant_id: "ann" };
      await t.people(["ann", "bob", "cy"]);
      const room_id = await t.store.openDirectRoom(ann, "bob", NOW);
      const dm = { tenant_id: "acme", room_id };
      await t.member(dm, "cy", { membership: "leave" });
      await t.store.leave({ ...dm, participant_id: "bob" }, NOW);
      expect((await refusalOf(t.store.join({ ...dm, participant_id: "cy" }, NOW))).code).toBe(
        "SW_ROOM_FORBIDDEN",
      );
      expect(await t.store.join({ ...dm, participant_id: "bob" }, NOW)).toMatchObject({
        membership: "join",
      });
    });
  });

  describe("Store.openDirectRoom()", () => {
    test("has nobody back who is banned, nor anybody into a room that is frozen", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann", "bob"]);
      const ann = { tenant_id: "acme", participant_id: "ann" };
      const bob = { tenant_id: "acme", participant_id: "bob" };
      const dm = { tenant_id: "acme", room_id: await t.store.openDirectRoom(ann, "bob", NOW) };
      const refusals = async (): Promise<string[]> => [
        (await refusalOf(t.store.openDirectRoom(bob, "ann", NOW))).code,
        (await refusalOf(t.store.openDirectRoom(ann, "bob", NOW))).code,
      ];
      await t.store.putRoom(dm, { state: "archived" }, NOW);
      expect(await t.store.openDirectRoom(ann, "bob", NOW)).toBe(dm.room_id);
      await t.member(dm, "bob", { membership: "leave" });
      expect(await refusals()).toEqual(["SW_ROOM_FROZEN", "SW_ROOM_FROZEN"]);
      await t.store.putRoom(dm, { state: "open" }, NOW);
      await t.member(dm, "bob", { membership: "ban" });
      expect(await refusals()).toEqual(["SW_ROOM_FORBIDDEN", "SW_ROOM_FORBIDDEN"]);
    });
  });

  describe("Store.putMember(), of what is private", () => {
    test("tells the person's own devices what the administrator has changed, and nobody else", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann", "bob"]);
      const muting = { muted_until: NOW + 60_000, notification_mode: "none" } as const;
      const change = (): Promise<unknown> => t.member(lobby, "ann", muting);
      expect(await t.heard(change)).toMatchObject([
        {
          to: { participant_id: "ann" },
          frame: { type: "swp.room.notification_mode", notification_mode: "none" },
        },
        { to: { participant_id: "ann" }, frame: { type: "swp.room.mute" } },
      ]);
      expect(await t.heard(change)).toEqual([]);
    });
  });

  describe("Store.markRead()", () => {
    test(
      "reads forward only, but for force, and counts what others said after the marker",
      async () => {
        const anyMark = fc.record({ to: fc.nat(SENDERS.length - 1), force: fc.boolean() });
        await fc.assert(
          fc.asyncProperty(fc.array(anyMark, { maxLength: 8 }), async (marks) => {
            await using t = await TestStore.on(makeDatabase);
            await t.room("lobby", ["ann", "bob"]);
            const said: EventFrame[] = [];
            for (const sender of SENDERS) said.push(await t.say(LOBBY, sender));
            const position = await t.store.position("acme");
            for (const { to, force, at, moves } of followed(marks)) {
              const marker = {
                last_read_event_id: said[at]?.id ?? null,
                unread_count: SENDERS.slice(at + 1).filter((sender) => sender === "bob").length,
              };
              const event_id = said[to]?.id ?? "";
              const heard = await t.heard(async () =>
                expect(await t.store.markRead(ANN, { event_id, force }, NOW)).toEqual(marker),
              );
              const frame = { type: "swp.room.read_marker", room_id: "lobby", ...marker };
              expect(heard).toMatchObject(moves ? [{ to: { participant_id: "ann" }, frame }] : []);
              expect((await t.look(LOBBY, "ann")).read).toMatchObject(marker);
              expect(await t.store.position("acme")).toBe(position);
            }
          }),
          trials(15),
        );
      },
      TRIALS_TIMEOUT_MS,
    );

    test("takes any event of the room, and no other's, alike whether it is unknown or elsewhere", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      const attic = await t.room("attic", ["ann"]);
      const far = await t.room("lobby", ["ann"], {}, "globex");
      await t.store.putRoom(LOBBY, { name: "Hall" }, NOW);
      const renamed = t.announced.at(-1)?.frame.id ?? "";
      expect(await t.store.markRead(ANN, { event_id: renamed }, NOW)).toEqual({
        last_read_event_id: renamed,
        unread_count: 0,
      });
      const foreign = [(await t.say(attic, "ann")).id, (await t.say(far, "ann")).id, "evt-unknown"];
      for (const event_id of foreign) {
        const { code, message } = await refusalOf(t.store.markRead(ANN, { event_id }, NOW));
        expect([code, message]).toEqual(["SW_EVENT_NOT_FOUND", "There is no such event"]);
      }
    });
  });

  describe("Store.setNotificationMode() and Store.mute()", () => {
    test("tell their person alone, without a position, and only of what changed", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann", "bob"]);
      const before = await t.store.position("acme");
      const heard = await t.heard(async () => {
        for (const mode of ["inherit", "none", "none"] as const)
          await t.store.setNotificationMode(ANN, mode, NOW);
        // What is past before it began is no mute, and says so.
        for (const until of [NOW, NOW - 1, INDEFINITE_AT, INDEFINITE_AT, null])
          await t.store.mute(ANN, until, NOW);
      });
      const to = { participant_id: "ann" };
      const own = { tenant_id: "acme", room_id: "lobby" };
      expect(heard).toMatchObject([
        { to, frame: { ...own, type: "swp.room.notification_mode", notification_mode: "none" } },
        { to, frame: { ...own, type: "swp.room.mute", muted_until: "9999-12-31T23:59:59.999Z" } },
        { to, frame: { ...own, type: "swp.room.mute", muted_until: null } },
      ]);
      for (const { frame } of heard) expect(frame).not.toHaveProperty("stream_position");
      expect(await t.store.position("acme")).toBe(before);
    });

    test("show in their person's own view of the room, also in one that is closed", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"], { state: "closed" });
      await t.store.setNotificationMode(ANN, "mentions", NOW);
      expect(await t.store.mute(ANN, NOW + 1, NOW)).toEqual({
        muted_until: "2026-03-02T09:00:00.001Z",
      });
      expect((await t.look(LOBBY, "ann")).viewer).toMatchObject({
        notification_mode: "mentions",
        muted_until: NOW + 1,
      });
    });
  });

  describe("Store.setEngagement() and Store.setResponseMode()", () => {
    test("set the room's mode as its administrator would, and tell the room", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      const heard = await t.heard(async () => {
        await t.store.setEngagement(ANN, { mode: "mention" }, NOW);
        await t.store.setEngagement(ANN, { mode: "mention", participant_id: null }, NOW);
      });
      const frame = { type: "swp.room.ai_engagement", mode: "mention", participant_id: null };
      expect(heard).toMatchObject([{ to: { room_id: "lobby" }, frame }]);
      expect((await t.look(LOBBY, "ann")).room.engagement_mode).toBe("mention");
    });

    test("flip the response mode of a room and of its person in one", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann", "bob"]);
      const flip = { mode: "streaming", participant_id: null } as const;
      const heard = await t.heard(async () => {
        await t.store.setResponseMode(ANN, flip, NOW);
        await t.store.setResponseMode(ANN, flip, NOW);
      });
      expect(heard).toMatchObject([
        {
          to: { room_id: "lobby" },
          frame: { type: "swp.room.ai_engagement", response_mode: "streaming" },
        },
        {
          to: { participant_id: "ann" },
          frame: { type: "swp.me.preferences", preferences: { ai_response_mode: "streaming" } },
        },
      ]);
      const modeOf = async (participant_id: string): Promise<string> =>
        (await t.store.preferences({ tenant_id: "acme", participant_id })).ai_response_mode;
      expect([await modeOf("ann"), await modeOf("bob")]).toEqual(["streaming", "conversational"]);
    });

    test("of one AI set and clear what is its own, and nothing else", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      await t.people(["ada"], { participant_type: "helper" });
      await t.member(LOBBY, "ada");
      const participant_id = "ada";
      const ada = async (): Promise<unknown> => {
        const { members, room } = await t.look(LOBBY, "ann");
        const found = members.find(({ participant }) => participant.id === "ada");
        const own = [found?.engagement_mode, found?.response_mode];
        return [...own, room.engagement_mode, room.response_mode];
      };
      await t.store.setEngagement(ANN, { mode: "keyword", participant_id }, NOW);
      await t.store.setResponseMode(ANN, { mode: "streaming", participant_id }, NOW);
      expect(await ada()).toEqual(["keyword", "streaming", "always", null]);
      await t.store.setEngagement(ANN, { mode: null, participant_id }, NOW);
      await t.store.setResponseMode(ANN, { mode: null, participant_id }, NOW);
      expect(await ada()).toEqual([null, null, "always", null]);
      const ann = { tenant_id: "acme", participant_id: "ann" };
      expect((await t.store.preferences(ann)).ai_response_mode).toBe("conversational");
    });

    test("refuse whoever is no AI of the room", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann", "bob"]);
      await t.people(["ada", "gone"], { participant_type: "model" });
      await t.member(LOBBY, "gone", { membership: "leave" });
      for (const participant_id of ["ann", "bob", "ada", "gone"]) {
        for (const refused of [
          t.store.setEngagement(ANN, { mode: "mention", participant_id }, NOW),
          t.store.setResponseMode(ANN, { mode: "streaming", participant_id }, NOW),
        ])
          expect((await refusalOf(refused)).details).toMatchObject([{ path: "participant_id" }]);
      }
      const unknown = { mode: "mention", participant_id: "nobody" } as const;
      expect((await refusalOf(t.store.setEngagement(ANN, unknown, NOW))).code).toBe("SW_NOT_FOUND");
    });
  });
}

interface Mark {
  readonly to: number;
  readonly force: boolean;
}

/** Where the marker is after each mark, and whether that moved it: forward, or by force. */
function followed(marks: readonly Mark[]): (Mark & { at: number; moves: boolean })[] {
  let at = -1;
  return marks.map(({ to, force }) => {
    const moves = force ? to !== at : to > at;
    if (moves) at = to;
    return { to, force, at, moves };
  });
}
