import { describe, expect, test } from "bun:test";
import { type EventFrame, MEMBERSHIPS, type Membership } from "@porchlight/core";
import type { Replayed } from "@porchlight/server/store";
import fc from "fast-check";
import { TRIALS_TIMEOUT_MS, trials } from "../../../support/runs.ts";
import { type MakeDatabase, NOW, TestStore } from "../../../support/store.ts";

const PEOPLE = ["ann", "bob"] as const;
const ROOMS = ["lobby", "attic"] as const;
const ALL = { limit: 1_000, retained: 10_000 } as const;

type Act =
  | { readonly who: string; readonly room: string; readonly membership: Membership }
  | { readonly who: string; readonly room: string }
  | { readonly who: string };

const who = fc.constantFrom(...PEOPLE);
const room = fc.constantFrom(...ROOMS);
const anyAct: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    who,
    room,
    membership: fc.oneof(fc.constant("join" as const), fc.constantFrom(...MEMBERSHIPS)),
  }),
  fc.record({ who, room }),
  fc.record({ who }),
);

/** What a person may read again of what happened. */
export function replayConformance(makeDatabase: MakeDatabase): void {
  describe("Store.replay()", () => {
    test(
      "answers what its viewer could see when it happened, in pages of any size, and where the viewer stands at the end",
      async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.array(anyAct, { maxLength: 40 }),
            fc.integer({ min: 1, max: 7 }),
            async (acts, limit) => {
              await using t = await TestStore.on(makeDatabase);
              const { seen, joined } = await play(t, acts);
              for (const participant_id of PEOPLE) {
                const viewer = { tenant_id: "acme", participant_id };
                const events: EventFrame[] = [];
                let page: Replayed;
                let since = 0;
                do {
                  page = await t.store.replay(viewer, since, { ...ALL, limit });
                  expect(page.events.length).toBeLessThanOrEqual(limit);
                  events.push(...page.events);
                  since = page.cursor;
                } while (page.cursor < page.position);
                expect(events).toEqual(seen.get(participant_id) ?? []);
                expect(page.position).toBe(await t.store.position("acme"));
                expect(page.rooms.toSorted()).toEqual(
                  [...(joined.get(participant_id) ?? [])].sort(),
                );
              }
            },
          ),
          trials(40),
        );
      },
      TRIALS_TIMEOUT_MS,
    );

    test("answers a gap for what is more than `retained` back, or has not happened, and where the viewer stands", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      for (let said = 0; said < 5; said += 1) await t.say(lobby, "ann");
      const ann = { tenant_id: "acme", participant_id: "ann" };
      const position = await t.store.position("acme");
      const replay = (since: number): Promise<Replayed> =>
        t.store.replay(ann, since, { limit: 100, retained: 3 });
      const gap = { isGap: true, events: [], cursor: position, position, rooms: ["lobby"] };
      expect(await replay(position - 4)).toEqual(gap);
      expect(await replay(position + 1)).toEqual(gap);
      expect(await replay(position - 3)).toMatchObject({ isGap: false, events: [{}, {}, {}] });
      expect(await replay(position)).toEqual({ ...gap, isGap: false });
    });

    test("ends a page at maxBytes, of however many events, but not before its first", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const ann = { tenant_id: "acme", participant_id: "ann" };
      let since = await t.store.position("acme");
      const sizes = [...Array.from({ length: 120 }, () => 10), 1_000, 30_000, 1_000, 9_000, 9_000];
      for (const size of sizes) await t.say(lobby, "ann", "x".repeat(size));
      const pages: number[] = [];
      for (let isMore = true; isMore; ) {
        const options = { ...ALL, maxBytes: 25_000 };
        const page = await t.store.replay(ann, since, options);
        pages.push(page.events.length);
        expect(page.events.at(-1)?.stream_position).toBe(page.cursor);
        expect(page.cursor - since).toBe(page.events.length);
        isMore = page.cursor < page.position;
        if (isMore) expect(page.rooms).toEqual([]);
        else expect(page.rooms).toEqual(["lobby"]);
        since = page.cursor;
      }
      expect(pages).toEqual([121, 1, 3]);
    });

    test("shows nothing of another tenant's rooms, also not of those of the same name", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"]);
      await t.say(await t.room("lobby", ["bob"], {}, "globex"), "bob");
      const ann = { tenant_id: "globex", participant_id: "ann" };
      const { events, rooms } = await t.store.replay(ann, 0, ALL);
      expect(events.map(({ type }) => type)).toEqual(["swp.participant.profile"]);
      expect(rooms).toEqual([]);
    });
  });
}

/** Plays acts, and notes who was told of each event: that is who may read it again. */
async function play(
  t: TestStore,
  acts: readonly Act[],
): Promise<{ seen: Map<string, EventFrame[]>; joined: Map<string, Set<string>> }> {
  for (const room_id of ROOMS) await t.room(room_id, []);
  await t.people(PEOPLE);
  const joined = new Map<string, Set<string>>(PEOPLE.map((id) => [id, new Set()]));
  const seen = new Map<string, EventFrame[]>(PEOPLE.map((id) => [id, []]));
  const isIn = (id: string, room_id: string): boolean => joined.get(id)?.has(room_id) === true;
  for (const { frame, to } of t.announced) note(frame, to);
  for (const act of acts)
    for (const { frame, to } of await t.heard(() => run(act))) note(frame, to);
  return { seen, joined };

  function note(frame: EventFrame, to: (typeof t.announced)[number]["to"]): void {
    const isOwn = (id: string): boolean =>
      frame.type === "swp.room.member" && frame.participant_id === id;
    for (const id of PEOPLE) {
      const room_id = String(frame.room_id);
      if (isOwn(id) && frame.membership === "join") joined.get(id)?.add(room_id);
      if (to === "tenant" || isOwn(id) || isIn(id, room_id)) seen.get(id)?.push(frame);
      if (isOwn(id) && frame.membership !== "join") joined.get(id)?.delete(room_id);
    }
  }

  async function run(act: Act): Promise<unknown> {
    const person = { tenant_id: "acme", participant_id: act.who };
    if (!("room" in act)) return t.store.updateProfile(person, { bio: crypto.randomUUID() }, NOW);
    const key = { tenant_id: "acme", room_id: act.room };
    if ("membership" in act) return t.member(key, act.who, { membership: act.membership });
    return isIn(act.who, act.room) ? t.say(key, act.who) : undefined;
  }
}
