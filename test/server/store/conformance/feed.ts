import { describe, expect, test } from "bun:test";
import type { Announcement } from "@porchlight/server/store";
import { type MakeDatabase, NOW, TestStore } from "../../../support/store.ts";

const ACME = { tenant_id: "acme" } as const;
const ANN = { ...ACME, participant_id: "ann" } as const;

/** What those hear of a database who share it and did not write it. */
export function feedConformance(makeDatabase: MakeDatabase): void {
  describe("Store.positions()", () => {
    test("has the position of every tenant, 0 of one that nothing has happened in, and none that is no more", async () => {
      await using t = await TestStore.on(makeDatabase);
      expect(await t.store.positions()).toEqual(new Map());
      await t.room("lobby", ["ann", "bob"]);
      await t.people(["ann"], {}, "globex");
      await t.people([], {}, "initech");
      await t.people(["ann"], {}, "umbrella");
      await t.store.deleteTenant("umbrella", NOW);
      expect(await t.store.positions()).toEqual(
        new Map([
          ["acme", await t.store.position("acme")],
          ["globex", 1],
          ["initech", 0],
        ]),
      );
    });

    test("is of one moment", async () => {
      await using t = await TestStore.on(makeDatabase);
      const other = await t.beside();
      for (const tenant of ["acme", "globex"]) await t.people(["ann"], {}, tenant);
      for (let round = 0; round < 20; round += 1) {
        for (const tenant_id of ["acme", "globex"]) {
          const edit = other.updateProfile({ ...ANN, tenant_id }, { bio: `${round}` }, NOW);
          const [positions] = await Promise.all([t.store.positions(), edit]);
          // Whoever reads globex's last position reads acme's, which came before.
          const ahead = (positions.get("acme") ?? 0) - (positions.get("globex") ?? 0);
          expect([0, 1]).toContain(ahead);
        }
      }
    });
  });

  describe("Store.eventsAfter()", () => {
    test("is what was announced with a position, in that order, for whom it was", async () => {
      await using t = await TestStore.on(makeDatabase);
      const other = await t.beside();
      const announced = await everything(t);
      expect(announced.length).toBeGreaterThan(15);
      expect(await other.eventsAfter("acme", 0, 1_000)).toEqual({
        announcements: announced,
        position: await t.store.position("acme"),
      });
    });

    test("begins after any position, and ends at any number", async () => {
      await using t = await TestStore.on(makeDatabase);
      const announced = await everything(t);
      for (const limit of [1, 2, 7]) {
        const read: Announcement[] = [];
        let page = await t.store.eventsAfter("acme", 0, limit);
        while (page.announcements.length > 0) {
          expect(page.announcements.length).toBeLessThanOrEqual(limit);
          read.push(...page.announcements);
          page = await t.store.eventsAfter("acme", page.position, limit);
        }
        expect(read).toEqual(announced);
        expect(page.position).toBe(await t.store.position("acme"));
      }
    });

    test("of a room that is no more has its end alone, for everyone who was in it or invited", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann", "bob"]);
      await t.people(["cy", "dan"]);
      await t.member(lobby, "cy", { membership: "invite" });
      await t.member(lobby, "dan", { membership: "leave" });
      await t.say(lobby, "ann");
      const before = await t.store.position("acme");
      const heard = await t.heard(() => t.store.deleteRoom(lobby, NOW));
      const { announcements, position } = await t.store.eventsAfter("acme", 0, 1_000);
      expect(announcements.filter(({ to }) => to !== "tenant")).toEqual(heard as Announcement[]);
      expect(heard).toMatchObject([{ to: { room_id: "lobby", also: ["ann", "bob", "cy"] } }]);
      expect(position).toBe(before + 1);
    });

    test("of somebody who is no more tells those whom it told, and themselves", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann", "bob"]);
      const before = await t.store.position("acme");
      const heard = await t.heard(() => t.store.deleteParticipant(ANN, NOW));
      const { announcements } = await t.store.eventsAfter("acme", before, 1_000);
      expect(announcements).toEqual(heard as Announcement[]);
      expect(announcements).toMatchObject([
        { frame: { membership: "leave" }, to: { room_id: "lobby", also: ["ann"] } },
        { frame: { deleted: true }, to: "tenant" },
      ]);
    });

    test("says of a message that it was sent elsewhere, and nothing of one that was taken back there", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const before = await t.store.position("acme");
      const sent = { type: "event", ...lobby, sender_id: "ann", sent_at: 1_000 } as const;
      const heard = await t.heard(async () => {
        await t.store.restore({ ...sent, event_id: "e1", content: { body: "hi" } });
        await t.store.restore({ ...sent, event_id: "e2", content: {}, redacted_at: 2_000 });
      });
      expect(heard).toMatchObject([{ frame: { id: "e1" }, restored: true }]);
      expect(await t.store.eventsAfter("acme", before, 1_000)).toEqual({
        announcements: heard as Announcement[],
        position: before + 2,
      });
    });

    test("has nothing of what a message said that was taken back since", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const before = await t.store.position("acme");
      const { id: redacts } = await t.say(lobby, "ann", "a secret");
      const content = { redacts };
      await t.store.appendEvent(
        lobby,
        { sender_id: "ann", type: "swp.room.redaction", content },
        NOW,
      );
      const { announcements } = await t.store.eventsAfter("acme", before, 1_000);
      expect(announcements).toMatchObject([
        { frame: { id: redacts, content: {} } },
        { frame: { type: "swp.room.redaction", redacts } },
      ]);
      expect(JSON.stringify(announcements)).not.toContain("a secret");
    });

    test("is empty at the last position, and of no other tenant", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      await t.room("lobby", ["gwen"], {}, "globex");
      const head = await t.store.position("acme");
      expect(await t.store.eventsAfter("acme", head, 9)).toEqual({
        announcements: [],
        position: head,
      });
      expect(await t.store.eventsAfter("nowhere", 0, 9)).toEqual({
        announcements: [],
        position: 0,
      });
      const { announcements } = await t.store.eventsAfter("acme", 0, 99);
      expect(new Set(announcements.map(({ frame }) => frame.tenant_id))).toEqual(new Set(["acme"]));
    });
  });
}

/** Lets happen what others hear of, and answers what was announced of it that has a position. */
async function everything(t: TestStore): Promise<Announcement[]> {
  const lobby = await t.room("lobby", ["ann", "bob"], { name: "Lobby" });
  await t.people(["cy"]);
  await t.people(["ai"], { participant_type: "model" });
  await t.store.updateProfile(ANN, { bio: "Hello" }, NOW);
  await t.store.putRoom(lobby, { name: "Hall", topic: "Shoes off", state: "closed" }, NOW);
  await t.store.putRoom(lobby, { state: "open", engagement_mode: "mention" }, NOW);
  await t.store.invite({ ...lobby, ...ANN }, "cy", NOW);
  await t.member(lobby, "ai", { engagement_mode: "always" });
  await t.store.leave({ ...lobby, participant_id: "bob" }, NOW);
  await t.store.deleteMember({ ...lobby, participant_id: "ai" }, NOW);
  await t.say(lobby, "ann");
  await t.store.putPlan(lobby, { id: "plan", state: "running" }, NOW);
  await t.store.putCall(lobby, { call_id: "call", ended_at: null }, NOW);
  await t.store.putSidekick(lobby, { task_id: "task", status: "running" }, NOW);
  await t.store.deleteDocument(lobby, { kind: "plan", document_id: "" }, NOW);
  await t.store.openDirectRoom(ANN, "bob", NOW);
  // Which only the person's own devices hear of, and which has no position.
  await t.store.mute({ ...lobby, ...ANN }, NOW + 1_000, NOW);
  return t.announced.filter(({ frame }) => frame.stream_position !== undefined);
}
