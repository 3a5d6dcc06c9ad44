import { describe, expect, test } from "bun:test";
import {
  type MemberFacts,
  membersOf,
  type PresenceState,
  type RoomRecord,
  roomState,
  type VisibleState,
} from "@porchlight/core";
import fc from "fast-check";
import { type LifeNow, type ReadyText, RoomTexts } from "../../server/room-text.ts";
import { member, participant, plan, read, room, roomRecord, viewer } from "../support/builders.ts";
import { trials } from "../support/runs.ts";

const IDS = ["ann", "bob", "cy", "7"];
const anyState = fc.constantFrom<VisibleState>("online", "idle", "busy", "offline");
const anyOwn = fc.constantFrom<PresenceState>("online", "online", "appear_offline");
/** Texts that look like what is looked for in texts. */
const anyName = fc.oneof(
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.constantFrom('"presence":"offline"', '\\"presence":"', "],", "Ann"),
);
const anyMember = (id: string): fc.Arbitrary<MemberFacts> =>
  fc
    .record({
      membership: fc.constantFrom("join", "invite", "leave"),
      power_level: fc.constantFrom(0, 50),
      muted_until: fc.constantFrom(null, 1_000, 3_000),
      engagement_mode: fc.constantFrom(null, "mention"),
      name: anyName,
    })
    .map(({ name, ...facts }) =>
      member({ id, ...facts, participant: { ...participant(id), display_name: name } }),
    );
const anyRecord: fc.Arbitrary<RoomRecord> = fc
  .record({
    members: fc.tuple(...IDS.map(anyMember)),
    count: fc.nat(IDS.length),
    muted_until: fc.constantFrom(null, 2_000, 3_000),
    name: anyName,
    hasPlan: fc.boolean(),
    unread_count: fc.nat(2),
  })
  .map(({ members, count, muted_until, name, hasPlan, unread_count }) =>
    roomRecord({
      members: members.slice(0, count),
      room: room({ name }),
      viewer: viewer({ muted_until }),
      read: read({ unread_count }),
      plan: hasPlan ? plan() : undefined,
    }),
  );

/** What happens between two looks at a room, and who looks. */
const anyStep = fc.record({
  who: fc.constantFrom("ann", "ann", ...IDS),
  tells: fc.option(fc.record({ id: fc.constantFrom(...IDS), state: anyState }), {
    freq: 2,
    nil: undefined,
  }),
  own: anyOwn,
  typists: fc.constantFrom([], [], ["bob"]),
  afterMs: fc.constantFrom(0, 0, 500, 1_000),
  record: fc.option(anyRecord, { freq: 4, nil: undefined }),
});

/** Of one room each viewer reads an object of their own, with the same members; their mute is that of their membership. */
function readBy(who: string, record: RoomRecord): RoomRecord {
  const own = record.members.find(({ participant: { id } }) => id === who);
  const { muted_until } = own ?? record.viewer;
  return { ...record, viewer: { ...record.viewer, participant_id: who, muted_until } };
}

/** @param tags what each tag stood for so far. */
function expectText({ json, tag }: ReadyText, value: unknown, tags: Map<string, string>): void {
  expect(json).toBe(JSON.stringify(value));
  expect(tags.get(tag) ?? json).toBe(json);
  tags.set(tag, json);
}

describe("RoomTexts", () => {
  test("say what core says, whatever has changed since they were made, and whoever looks; and a tag is of one text", () => {
    fc.assert(
      fc.property(anyRecord, fc.array(anyStep, { maxLength: 20 }), (first, steps) => {
        const texts = new RoomTexts();
        const told = new Map<string, VisibleState>();
        const tags = new Map<string, string>();
        const seen = new Map<string, RoomRecord>();
        let [record, tellings, now] = [first, 0, 0];
        for (const { who, tells, own, typists, afterMs, record: next } of steps) {
          now += afterMs;
          if (next !== undefined) {
            record = next;
            seen.clear();
          }
          if (tells !== undefined) {
            told.set(tells.id, tells.state);
            tellings += 1;
          }
          const reading = seen.get(who) ?? readBy(who, record);
          seen.set(who, reading);
          const presenceOf = (id: string): VisibleState => told.get(id) ?? "offline";
          const life: LifeNow = { presenceOf, typists, own, tellings };
          const shown = (id: string): PresenceState => (id === who ? own : presenceOf(id));
          expectText(texts.state(reading, life, now), roomState(reading, life, now), tags);
          const members = membersOf(reading.members, who, shown, now);
          expectText(texts.members(reading, life, now), members, tags);
        }
      }),
      trials(500),
    );
  });
});
