import { describe, expect, test } from "bun:test";
import type { ExportLine } from "@porchlight/server/store";
import { type MakeDatabase, NOW, refusalOf, TestStore } from "../../../support/store.ts";

const ACME = { tenant_id: "acme" } as const;
const ANN = { ...ACME, participant_id: "ann" } as const;
const HASH = "0".repeat(64);

async function linesOf(pages: AsyncGenerator<readonly ExportLine[]>): Promise<ExportLine[]> {
  const lines: ExportLine[] = [];
  for await (const page of pages) lines.push(...page);
  return lines;
}

/** What is taken away, and what is carried out and in. */
export function movingConformance(makeDatabase: MakeDatabase): void {
  describe("Store.exported()", () => {
    test("is of the moment of its first page, while others go on writing", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      await t.say(lobby, "ann", "before");
      const expected = await linesOf(t.store.exported("acme"));
      const pages = t.store.exported("acme");
      const lines = [...((await pages.next()).value ?? [])];
      await t.say(lobby, "ann", "after");
      await t.people(["bob"]);
      await t.store.deleteRoom(lobby, NOW);
      for await (const page of pages) lines.push(...page);
      expect(lines).toEqual(expected);
      expect(await linesOf(t.store.exported("acme"))).not.toEqual(expected);
    });

    test("has every row once, however many pages there are", async () => {
      await using t = await TestStore.on(makeDatabase);
      const people = Array.from({ length: 450 }, (_, index) => `p${index}`);
      const lobby = await t.room("lobby", []);
      // Handed in together they share commits, and are written in order.
      const each = (act: (id: string) => Promise<unknown>): Promise<unknown> =>
        Promise.all(people.map(act));
      await each((participant_id) => t.store.putParticipant({ ...ACME, participant_id }, {}, NOW));
      await each((id) => t.member(lobby, id));
      await each((id) => t.say(lobby, id));
      const lines = await linesOf(t.store.exported(undefined));
      for (const [type, key] of [
        ["participant", "participant_id"],
        ["member", "participant_id"],
        ["event", "sender_id"],
      ] as const) {
        const ids = lines.filter((line) => line.type === type).map((line) => line[key]);
        expect([...ids].toSorted()).toEqual(people.toSorted());
      }
      const sent = lines.filter(({ type }) => type === "event").map(({ sender_id }) => sender_id);
      expect(sent).toEqual(people);
    });

    test("of a tenant that does not exist is empty", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      expect(await linesOf(t.store.exported("nowhere"))).toEqual([]);
    });
  });

  describe("Store.restore()", () => {
    test("takes up a message with its id, sender and time, once, whoever its sender was", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const message = {
        type: "event",
        ...lobby,
        event_id: "e1",
        sender_id: "gone",
        sent_at: 1_000,
        content: { body: "hi" },
      } as const;
      const heard = await t.heard(() => t.store.restore(message));
      expect(heard).toMatchObject([
        { frame: { id: "e1", sender_id: "gone", ts: "1970-01-01T00:00:01.000Z" } },
      ]);
      expect(await t.heard(() => t.store.restore(message))).toEqual([]);
      expect((await t.look(lobby, "ann")).read.unread_count).toBe(1);
    });

    test("counts a redacted message as nobody's unread, and tells nobody of it", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const heard = await t.heard(() =>
        t.store.restore({
          type: "event",
          ...lobby,
          event_id: "e1",
          sender_id: "bob",
          sent_at: 1_000,
          content: {},
          redacted_at: 2_000,
        }),
      );
      expect([heard, (await t.look(lobby, "ann")).read.unread_count]).toEqual([[], 0]);
    });

    test("refuses what stands on something that is not there", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const key = { ...lobby, participant_id: "ann" };
      const refused = async (record: Parameters<typeof t.store.restore>[0]): Promise<string> =>
        (await refusalOf(t.store.restore(record))).code;
      const nobody = { ...ACME, participant_id: "nobody" };
      expect([
        await refused({ type: "preferences", ...nobody, registers: {} }),
        await refused({ type: "outbox", ...nobody, device_id: "d", applied_seq: 1 }),
        await refused({ type: "token", ...nobody, token_id: "t", hash: HASH, created_at: 1 }),
        await refused({ type: "read_marker", ...key, event_id: "e", read_to: "e" }),
        await refused({ type: "read_marker", ...key, ...nobody, event_id: null, read_to: null }),
        await refused({ type: "snooze", ...key, event_id: "e", until: 1, fired_at: null }),
        await refused({ type: "direct", ...lobby, participant_ids: ["ann", "bob"] }),
        await refused({
          type: "event",
          ...ACME,
          room_id: "nowhere",
          event_id: "e",
          sender_id: "ann",
          sent_at: 1,
          content: {},
        }),
      ]).toEqual([
        "SW_NOT_FOUND",
        "SW_NOT_FOUND",
        "SW_NOT_FOUND",
        "SW_EVENT_NOT_FOUND",
        "SW_NOT_FOUND",
        "SW_EVENT_NOT_FOUND",
        "SW_VALIDATION",
        "SW_ROOM_NOT_FOUND",
      ]);
    });

    test("leaves another tenant's token, whose name or hash is the same", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      await t.people(["ann"], {}, "globex");
      const token = { type: "token", ...ANN, token_id: "t", hash: HASH, created_at: 1 } as const;
      await t.store.restore(token);
      await t.store.restore(token);
      const other = { ...token, tenant_id: "globex" };
      for (const taken of [other, { ...other, hash: "1".repeat(64) }, { ...other, token_id: "u" }])
        expect((await refusalOf(t.store.restore(taken))).code).toBe("SW_VALIDATION");
      expect(await t.store.token(HASH)).toMatchObject(ANN);
    });
  });

  describe("Store.deleteRoom()", () => {
    test("gives the event that closes it the next position, and goes on counting from there", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const head = await t.store.position("acme");
      const heard = await t.heard(() => t.store.deleteRoom(lobby, NOW));
      expect(heard).toMatchObject([
        {
          frame: { type: "swp.room.state", deleted: true, stream_position: head + 1 },
          to: { room_id: "lobby", also: ["ann"] },
        },
      ]);
      await t.people(["bob"]);
      expect(await t.store.position("acme")).toBe(head + 2);
    });
  });

  describe("Store, taking away", () => {
    test("leaves a neighbour of the same ids as it was", async () => {
      await using t = await TestStore.on(makeDatabase);
      for (const tenant_id of ["acme", "globex"]) {
        const lobby = await t.room("lobby", ["ann", "bob"], {}, tenant_id);
        await t.say(lobby, "ann");
        await t.store.putPlan(lobby, { id: "p", state: "running" }, NOW);
      }
      const before = await linesOf(t.store.exported("globex"));
      const lobby = { ...ACME, room_id: "lobby" };
      await t.store.deleteDocument(lobby, { kind: "plan", document_id: "" }, NOW);
      await t.store.deleteMember({ ...lobby, participant_id: "bob" }, NOW);
      await t.store.deleteParticipant(ANN, NOW);
      await t.store.deleteRoom(lobby, NOW);
      await t.store.deleteTenant("acme", NOW);
      expect(await linesOf(t.store.exported(undefined))).toEqual(before);
    });

    test("gives no position of a tenant again, and answers those of the former one with a gap", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      await t.say(lobby, "ann");
      const last = await t.store.position("acme");
      await t.store.deleteTenant("acme", NOW);
      await t.room("lobby", ["ann"]);
      const again = { limit: 100, retained: 100 };
      const [old, fresh] = [
        await t.store.replay(ANN, last - 1, again),
        await t.store.replay(ANN, last, again),
      ];
      expect([old.isGap, fresh.isGap]).toEqual([true, false]);
      expect(fresh.events.map(({ stream_position = 0 }) => stream_position > last)).not.toContain(
        false,
      );
      expect(fresh.events.length).toBeGreaterThan(0);
    });
  });
}
