import { describe, expect, test } from "bun:test";
import { type MakeDatabase, NOW, refusalOf, TestStore } from "../../../support/store.ts";

const ANN = { tenant_id: "acme", participant_id: "ann" } as const;
const BOB = { tenant_id: "acme", participant_id: "bob" } as const;
const SNOOZES_MAX = 1_000;
/** Snoozes that one call fires. */
const FIRED_AT_ONCE = 500;

/** What is put off, and who is to be notified of what was not. */
export function snoozesConformance(makeDatabase: MakeDatabase): void {
  describe("Store.snooze()", () => {
    test("puts a message off, and anew, for one person, and tells nobody", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann", "bob"]);
      const { id } = await t.say(lobby, "bob");
      const snooze = { event_id: id, room_id: "lobby", fired_at: null };
      const heard = await t.heard(async () => {
        expect(await t.store.snooze(ANN, id, NOW + 1)).toEqual({ ...snooze, until: NOW + 1 });
        expect(await t.store.snooze(ANN, id, NOW + 2)).toEqual({ ...snooze, until: NOW + 2 });
      });
      expect(heard).toEqual([]);
      expect(await t.store.snoozesOf(ANN)).toEqual([{ ...snooze, until: NOW + 2 }]);
      expect(await t.store.snoozesOf(BOB)).toEqual([]);
      expect((await t.look(lobby, "ann")).read.snoozed_event_ids).toEqual([id]);
      expect((await t.look(lobby, "bob")).read.snoozed_event_ids).toEqual([]);
    });

    test("refuses what is no message of the tenant, and one in a room that is not joined", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann", "bob"]);
      const attic = await t.room("attic", ["bob"]);
      const elsewhere = await t.room("lobby", ["ann"], {}, "globex");
      const joined = t.announced.find(({ frame }) => frame.type === "swp.room.member");
      const theirs = await t.say(elsewhere, "ann");
      const apart = await t.say(attic, "bob");
      const { id } = await t.say(lobby, "bob");
      const code = async (event_id: string): Promise<string> =>
        (await refusalOf(t.store.snooze(ANN, event_id, NOW + 1))).code;
      expect(await code("evt-nothing")).toBe("SW_EVENT_NOT_FOUND");
      expect(await code(theirs.id)).toBe("SW_EVENT_NOT_FOUND");
      expect(await code(joined?.frame.id ?? "")).toBe("SW_EVENT_NOT_FOUND");
      expect(await code(apart.id)).toBe("SW_NOT_MEMBER");
      for (const membership of ["invite", "leave", "ban"] as const) {
        await t.member(lobby, "ann", { membership });
        expect(await code(id)).toBe("SW_NOT_MEMBER");
      }
      expect(await t.store.snoozesOf(ANN)).toEqual([]);
    });

    test(`refuses a person's snooze number ${SNOOZES_MAX + 1}, but not to put off anew`, async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann", "bob"]);
      const messages = await Promise.all(
        Array.from({ length: SNOOZES_MAX + 1 }, () => t.say(lobby, "bob")),
      );
      const [first, ...others] = messages.map(({ id }) => id);
      const last = others.pop() ?? "";
      for (const id of [first ?? "", ...others]) await t.store.snooze(ANN, id, NOW + 1);
      expect(await refusalOf(t.store.snooze(ANN, last, NOW + 1))).toMatchObject({
        code: "SW_VALIDATION",
        details: [{ path: "event_id", message: expect.stringContaining("1000 snoozes") }],
      });
      await t.store.snooze(ANN, first ?? "", NOW + 2);
      await t.store.snooze(BOB, last, NOW + 1);
      await t.store.deleteSnooze(ANN, first ?? "");
      await t.store.snooze(ANN, last, NOW + 1);
      expect(await t.store.snoozesOf(ANN)).toHaveLength(SNOOZES_MAX);
    });
  });

  describe("Store.snoozesOf()", () => {
    test("is in the order of their time, then of their event", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const ids: string[] = [];
      for (let message = 0; message < 6; message += 1) ids.push((await t.say(lobby, "ann")).id);
      for (const [index, id] of ids.entries()) await t.store.snooze(ANN, id, NOW + (index % 3) + 1);
      await t.store.fireSnoozes(NOW + 1);
      const listed = await t.store.snoozesOf(ANN);
      const expected = listed.toSorted(
        (a, b) => a.until - b.until || (a.event_id < b.event_id ? -1 : 1),
      );
      expect(listed).toEqual(expected);
      expect(listed.map(({ event_id }) => event_id).toSorted()).toEqual(ids.toSorted());
      const fired = listed.map(({ fired_at }) => fired_at);
      expect(fired).toEqual([NOW + 1, NOW + 1, null, null, null, null]);
    });
  });

  describe("Store.deleteSnooze()", () => {
    test("forgets one person's snooze, fired or not, and refuses what is not there", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann", "bob"]);
      const [{ id: fired }, { id: open }] = [await t.say(lobby, "bob"), await t.say(lobby, "bob")];
      await t.store.snooze(ANN, fired, NOW);
      await t.store.fireSnoozes(NOW);
      for (const key of [ANN, BOB]) await t.store.snooze(key, open, NOW + 1);
      for (const id of [fired, open]) {
        await t.store.deleteSnooze(ANN, id);
        expect((await refusalOf(t.store.deleteSnooze(ANN, id))).code).toBe("SW_EVENT_NOT_FOUND");
      }
      expect(await t.store.snoozesOf(ANN)).toEqual([]);
      expect(await t.store.snoozesOf(BOB)).toHaveLength(1);
      expect(await t.store.fireSnoozes(NOW)).toBe(NOW + 1);
    });
  });

  describe("Store.fireSnoozes()", () => {
    test("fires at the instant and not before, tells the person alone, and answers when the next is due", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann", "bob"]);
      const [{ id }, { id: later }] = [await t.say(lobby, "bob"), await t.say(lobby, "bob")];
      expect(await t.store.fireSnoozes(NOW)).toBeUndefined();
      await t.store.snooze(ANN, id, NOW + 10);
      await t.store.snooze(BOB, later, NOW + 20);
      const position = await t.store.position("acme");
      const heard = await t.heard(async () => {
        expect(await t.store.fireSnoozes(NOW + 9)).toBe(NOW + 10);
        expect(t.announced.at(-1)?.frame.id).toBe(later);
        expect(await t.store.fireSnoozes(NOW + 10)).toBe(NOW + 20);
        expect(await t.store.fireSnoozes(NOW + 11)).toBe(NOW + 20);
      });
      const frame = {
        type: "swp.snooze.fired",
        id: expect.stringMatching(/^evt-/),
        tenant_id: "acme",
        ts: new Date(NOW + 10).toISOString(),
        event_id: id,
        room_id: "lobby",
        until: new Date(NOW + 10).toISOString(),
      };
      expect<unknown>(heard).toEqual([{ frame, to: { participant_id: "ann" } }]);
      expect(await t.store.position("acme")).toBe(position);
      expect(await t.store.snoozesOf(ANN)).toMatchObject([{ event_id: id, fired_at: NOW + 10 }]);
      expect((await t.look(lobby, "ann")).read.snoozed_event_ids).toEqual([]);
      expect(await t.store.fireSnoozes(NOW + 20)).toBeUndefined();
    });

    test("fires once, whichever of several stores are asked, in every tenant", async () => {
      const told: unknown[] = [];
      await using t = await TestStore.on(makeDatabase);
      const other = await t.beside({ announce: ({ to }) => void told.push(to) });
      for (const tenant_id of ["acme", "globex"]) {
        const lobby = await t.room("lobby", ["ann"], {}, tenant_id);
        await t.store.snooze({ ...ANN, tenant_id }, (await t.say(lobby, "ann")).id, NOW);
      }
      const heard = await t.heard(() =>
        Promise.all([t.store, other, t.store, other].map((store) => store.fireSnoozes(NOW))),
      );
      expect([...heard.map(({ to }) => to), ...told]).toEqual([
        { participant_id: "ann" },
        { participant_id: "ann" },
      ]);
    });

    test("fires again what was put off anew", async () => {
      await using t = await TestStore.on(makeDatabase);
      const { id } = await t.say(await t.room("lobby", ["ann"]), "ann");
      await t.store.snooze(ANN, id, NOW);
      expect(await t.heard(() => t.store.fireSnoozes(NOW))).toHaveLength(1);
      await t.store.snooze(ANN, id, NOW + 1);
      expect(await t.store.snoozesOf(ANN)).toMatchObject([{ until: NOW + 1, fired_at: null }]);
      expect(await t.heard(() => t.store.fireSnoozes(NOW))).toHaveLength(0);
      expect(await t.heard(() => t.store.fireSnoozes(NOW + 1))).toHaveLength(1);
    });

    test("marks what is of a room that is no longer joined, and tells nobody of it", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const { id } = await t.say(lobby, "ann");
      await t.store.snooze(ANN, id, NOW);
      await t.member(lobby, "ann", { membership: "leave" });
      expect(await t.heard(() => t.store.fireSnoozes(NOW))).toEqual([]);
      expect(await t.store.snoozesOf(ANN)).toMatchObject([{ fired_at: NOW }]);
    });

    test("fires the earliest first, a share of many at a time", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann", "bob"]);
      const messages = await Promise.all(
        Array.from({ length: FIRED_AT_ONCE / 2 + 1 }, () => t.say(lobby, "bob")),
      );
      await Promise.all(
        messages.flatMap(({ id }, index) =>
          [ANN, BOB].map((key) => t.store.snooze(key, id, NOW - index)),
        ),
      );
      const first = await t.heard(async () => {
        expect(await t.store.fireSnoozes(NOW)).toBe(NOW);
      });
      expect(first).toHaveLength(FIRED_AT_ONCE);
      const times = first.map(({ frame }) => Date.parse(String(frame.until)));
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      const rest = await t.heard(async () => {
        expect(await t.store.fireSnoozes(NOW)).toBeUndefined();
      });
      expect(rest).toHaveLength(2);
    });
  });

  describe("Store.notificationRecords()", () => {
    test("has what decides for everyone who has joined, and for nobody else", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["cy", "ann", "bob"], { room_type: "public" });
      await t.room("attic", ["dee"]);
      await t.room("lobby", ["eve"], {}, "globex");
      await t.people(["ivy", "lee"]);
      await t.member(lobby, "ivy", { membership: "invite" });
      await t.member(lobby, "lee", { membership: "leave" });
      await t.member(lobby, "bob", { notification_mode: "none", muted_until: NOW + 1 });
      const [{ id }, { id: other }] = [await t.say(lobby, "bob"), await t.say(lobby, "bob")];
      await t.store.snooze(ANN, id, NOW + 1);
      await t.store.snooze(BOB, other, NOW + 1);
      await t.store.updatePreferences(ANN, { keyword_alerts: ["lunch"] }, NOW);
      const { records, next } = await t.store.notificationRecords(lobby, id, "");
      const room = {
        room_type: "public",
        membership: "join",
        notification_mode: "inherit",
        muted_until: null,
      };
      const read = records.map(({ preferences, ...facts }) => ({
        ...facts,
        keywords: preferences().keyword_alerts,
      }));
      expect<unknown>(read).toEqual([
        { participant_id: "ann", room, snoozed_event_ids: [id], keywords: ["lunch"] },
        {
          participant_id: "bob",
          room: { ...room, notification_mode: "none", muted_until: NOW + 1 },
          snoozed_event_ids: [],
          keywords: [],
        },
        { participant_id: "cy", room, snoozed_event_ids: [], keywords: [] },
      ]);
      expect(next).toBeUndefined();
    });

    test("passes over a snooze that has fired, and knows nobody in a room that is not there", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const { id } = await t.say(lobby, "ann");
      await t.store.snooze(ANN, id, NOW);
      await t.store.fireSnoozes(NOW);
      const { records } = await t.store.notificationRecords(lobby, id, "");
      expect(records).toMatchObject([{ snoozed_event_ids: [] }]);
      const nowhere = await t.store.notificationRecords({ ...lobby, room_id: "nowhere" }, id, "");
      expect(nowhere).toEqual({ records: [], next: undefined });
    });

    test("reads a large room in shares, everyone once", async () => {
      await using t = await TestStore.on(makeDatabase);
      const crowd = Array.from({ length: 600 }, (_, index) => `p${index}`);
      const lobby = await t.room("lobby", crowd);
      await t.people(["p"]);
      const ids: string[] = [];
      let shares = 0;
      for (let after: string | undefined = ""; after !== undefined; shares += 1) {
        const share = await t.store.notificationRecords(lobby, "evt-1", after);
        ids.push(...share.records.map(({ participant_id }) => participant_id));
        after = share.next;
      }
      expect(ids).toEqual(crowd.toSorted());
      expect(shares).toBeGreaterThan(1);
    }, 30_000);
  });
}
