import { describe, expect, test } from "bun:test";
import type { EventFrame } from "@porchlight/core";
import fc from "fast-check";
import { TRIALS_TIMEOUT_MS, trials } from "../../../support/runs.ts";
import { type MakeDatabase, NOW, refusalOf, TestStore } from "../../../support/store.ts";

const LOBBY = { tenant_id: "acme", room_id: "lobby" } as const;
const ANN = { ...LOBBY, participant_id: "ann" } as const;
const BOB = { ...LOBBY, participant_id: "bob" } as const;
const CONTENT = { msgtype: "m.text", body: "the secret" };
const NEWEST = { limit: 50, direction: "backward" } as const;

/** What is said in a room, read again, and taken back. */
export function messagesConformance(makeDatabase: MakeDatabase): void {
  const redact = (t: TestStore, redacts: string, sender_id = "ann"): Promise<EventFrame> => {
    const content = { redacts, reason: "a slip" };
    const body = { sender_id, type: "swp.room.redaction", content } as const;
    return t.store.appendEvent(LOBBY, body, NOW + 1_000);
  };

  describe("Store.send()", () => {
    test("sends what its person says, and tells the room", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      const heard = await t.heard(async () => {
        expect(await t.store.send(ANN, { content: CONTENT }, NOW)).toMatchObject({
          type: "swp.room.message",
          sender_id: "ann",
          content: CONTENT,
          stream_position: 3,
        });
      });
      expect(heard).toMatchObject([
        { to: { room_id: "lobby", also: [] }, frame: { content: CONTENT } },
      ]);
    });

    test("answers what was sent under the same uuid, also once the room is closed, and not to others", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann", "bob"]);
      const first = await t.store.send(ANN, { content: CONTENT, event_uuid: "u" }, NOW);
      await t.store.putRoom(LOBBY, { state: "closed" }, NOW);
      const again = { content: { ...CONTENT, body: "other" }, event_uuid: "u" };
      expect(await t.store.send(ANN, again, NOW + 5)).toEqual(first);
      for (const refused of [
        t.store.send(BOB, again, NOW),
        t.store.send(ANN, { ...again, event_uuid: "v" }, NOW),
        t.store.send(ANN, { content: CONTENT }, NOW),
      ])
        expect((await refusalOf(refused)).code).toBe("SW_ROOM_FROZEN");
    });
  });

  describe("Store.messages()", () => {
    test(
      "pages through every message of the room once, either way, whatever the size of a page",
      async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.constantFrom("here", "elsewhere", "rename"), { maxLength: 12 }),
            fc.integer({ min: 1, max: 5 }),
            async (acts, limit) => {
              await using t = await TestStore.on(makeDatabase);
              await t.room("lobby", ["ann"]);
              const attic = await t.room("attic", ["ann"]);
              const said: EventFrame[] = [];
              for (const [index, act] of acts.entries()) {
                if (act === "here") said.push(await t.say(LOBBY, "ann", String(index)));
                else if (act === "elsewhere") await t.say(attic, "ann");
                else await t.store.putRoom(LOBBY, { name: String(index) }, NOW);
              }
              expect(await paged(t, { limit, direction: "forward" })).toEqual(said);
              expect(await paged(t, { limit, direction: "backward" })).toEqual(said.toReversed());
            },
          ),
          trials(15),
        );
      },
      TRIALS_TIMEOUT_MS,
    );

    test("shows also what was said before its reader joined", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["bob"]);
      const said = await t.say(LOBBY, "bob");
      await t.people(["ann"]);
      await t.member(LOBBY, "ann");
      expect(await t.store.messages(ANN, NEWEST)).toEqual({ events: [said], next_from: null });
    });

    test("refuses whoever has not joined with SW_NOT_MEMBER, and a room that is not there", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["bob"]);
      await t.people(["ann"]);
      expect((await refusalOf(t.store.messages(ANN, NEWEST))).code).toBe("SW_NOT_MEMBER");
      const nowhere = { ...ANN, room_id: "nowhere" };
      expect((await refusalOf(t.store.messages(nowhere, NEWEST))).code).toBe("SW_ROOM_NOT_FOUND");
    });
  });

  describe("Store.appendEvent(), of a redaction", () => {
    test("empties the message wherever it can be read, and says who took it back, when and why", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann", "bob"]);
      const { id, ts, stream_position } = await t.store.send(
        BOB,
        { content: CONTENT, event_uuid: "u" },
        NOW,
      );
      const told = await redact(t, id);
      const empty = {
        type: "swp.room.message",
        id,
        tenant_id: "acme",
        room_id: "lobby",
        sender_id: "bob",
        content: {},
        redacted_at: "2026-03-02T09:00:01.000Z",
        redacted_by: "ann",
        redaction_id: told.id,
        reason: "a slip",
        ts,
        stream_position,
      };
      expect((await t.store.messages(ANN, NEWEST)).events).toEqual([empty as EventFrame]);
      const again = await t.store.send(BOB, { content: CONTENT, event_uuid: "u" }, NOW);
      expect(again).toEqual(empty as EventFrame);
    });

    test("tells the room what was taken back, at a position of its own", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann", "bob"]);
      const { id } = await t.say(LOBBY, "bob");
      const heard = await t.heard(() => redact(t, id));
      expect(heard).toEqual([
        {
          to: { room_id: "lobby", also: [] },
          frame: {
            type: "swp.room.redaction",
            id: expect.stringMatching(/^evt-/),
            tenant_id: "acme",
            room_id: "lobby",
            sender_id: "ann",
            redacts: id,
            reason: "a slip",
            ts: "2026-03-02T09:00:01.000Z",
            stream_position: 6,
          },
        },
      ]);
    });

    test("again changes nothing, tells nobody and answers the first one", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann", "bob"]);
      const { id } = await t.say(LOBBY, "bob");
      const first = await redact(t, id);
      const before = await t.store.messages(ANN, NEWEST);
      const heard = await t.heard(async () => {
        expect(await redact(t, id)).toEqual(first);
        expect(await redact(t, id, "bob")).toEqual(first);
      });
      expect(heard).toEqual([]);
      expect(await t.store.messages(ANN, NEWEST)).toEqual(before);
    });

    test("leaves the message out of what is unread, whichever side of the marker it is on", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann", "bob"]);
      const [first, second] = [await t.say(LOBBY, "bob"), await t.say(LOBBY, "bob")];
      await t.store.markRead(ANN, { event_id: first.id }, NOW);
      await redact(t, first.id);
      expect((await t.look(LOBBY, "ann")).read.unread_count).toBe(1);
      await redact(t, second.id);
      expect((await t.look(LOBBY, "ann")).read).toMatchObject({
        unread_count: 0,
        last_read_event_id: first.id,
      });
    });

    test("refuses whatever is no message of the room, alike whether it is unknown or elsewhere", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      const attic = await t.room("attic", ["ann"]);
      const far = await t.room("lobby", ["ann"], {}, "globex");
      const elsewhere = [await t.say(attic, "ann"), await t.say(far, "ann")];
      const refusals = [await refusalOf(redact(t, "evt-unknown"))];
      for (const { id } of elsewhere) refusals.push(await refusalOf(redact(t, id)));
      for (const { code, message } of refusals)
        expect([code, message]).toEqual(["SW_EVENT_NOT_FOUND", "There is no such event"]);
      const joined = t.announced.find(({ frame }) => frame.type === "swp.room.member")?.frame.id;
      expect((await refusalOf(redact(t, joined ?? ""))).details).toMatchObject([
        { path: "content.redacts" },
      ]);
      expect((await refusalOf(redact(t, "evt-unknown", "stranger"))).code).toBe("SW_NOT_MEMBER");
    });
  });
}

/** Every page after another, by `next_from`. */
async function paged(
  t: TestStore,
  query: { limit: number; direction: "forward" | "backward" },
): Promise<EventFrame[]> {
  const events: EventFrame[] = [];
  for (let from: number | null | undefined; from !== null; ) {
    const page = await t.store.messages(ANN, { ...query, from });
    expect(page.events.length).toBeLessThanOrEqual(query.limit);
    events.push(...page.events);
    from = page.next_from;
  }
  return events;
}
