import { describe, expect, test } from "bun:test";
import {
  engagementOf,
  INDEFINITE_AT,
  type MemberFacts,
  membersOf,
  type PresenceState,
  type RoomFacts,
  readStateOf,
  roomOf,
  roomState,
  settingsOf,
  shownCall,
  shownPlan,
  shownSidekicks,
} from "@porchlight/core";
import {
  call,
  member,
  participant,
  plan,
  read,
  room,
  roomLife,
  roomRecord,
  sidekick,
  viewer,
} from "../support/builders.ts";

const nobodyHere = (): PresenceState => "offline";

function idsOf(members: readonly MemberFacts[]): string[] {
  return membersOf(members, "ann", nobodyHere, 0).map(({ participant_id }) => participant_id);
}

describe("roomOf", () => {
  test("says what is documented of a room, with its instant on the wire's form", () => {
    const facts = room({ topic: "Tea", created_at: 1_769_860_800_007, member_count: 3 });
    expect(roomOf(facts, undefined)).toEqual({
      id: "lobby",
      name: "Lobby",
      topic: "Tea",
      room_type: "group",
      state: "open",
      workspace_id: null,
      creator_id: null,
      created_at: "2026-01-31T12:00:00.007Z",
      is_public: false,
      member_count: 3,
    });
  });

  test("a direct room is named after the other person, and keeps its name while there is none", () => {
    const direct = room({ room_type: "dm", name: null });
    expect(roomOf(direct, "Bob").name).toBe("Bob");
    expect(roomOf(direct, undefined).name).toBeNull();
  });

  test("no other room is named after a person", () => {
    expect(roomOf(room(), "Bob").name).toBe("Lobby");
  });
});

describe("membersOf", () => {
  test("lists those who joined or are invited, and nobody else", () => {
    const all = (["join", "leave", "ban", "invite", "knock"] as const).map((membership) =>
      member({ id: membership, membership }),
    );
    expect(idsOf(all)).toEqual(["invite", "join"]);
  });

  test("the higher power level comes first, then the display name, then the id", () => {
    const named = (id: string, display_name: string, power_level: number): MemberFacts =>
      member({ power_level, participant: participant(id, { display_name }) });
    const members = [
      named("p1", "Zoe", 0),
      named("p2", "Bob", -1),
      named("p4", "Bob", 0),
      named("p3", "Bob", 0),
      named("p5", "Zoe", 100),
    ];
    expect(idsOf(members)).toEqual(["p5", "p3", "p4", "p1", "p2"]);
    expect(idsOf(members.toReversed())).toEqual(["p5", "p3", "p4", "p1", "p2"]);
  });

  test("names are compared by code units, alike on every runtime", () => {
    const names = ["é", "a", "Z", "\u{1f600}", "\uffee"];
    const members = names.map((name) => member({ id: name }));
    expect(idsOf(members)).toEqual(["Z", "a", "é", "\u{1f600}", "\uffee"]);
  });

  test("leaves the list it is given in its order", () => {
    const members = [member({ id: "b" }), member({ id: "a" })];
    idsOf(members);
    expect(members.map(({ participant }) => participant.id)).toEqual(["b", "a"]);
  });

  test("notification mode and mute stand in the viewer's own entry only", () => {
    const settings = { notification_mode: "mentions", muted_until: 5_000 } as const;
    const [ann, bob] = membersOf(
      [member({ id: "ann", ...settings }), member({ id: "bob", ...settings })],
      "ann",
      nobodyHere,
      0,
    );
    expect([ann?.notification_mode, ann?.muted_until]).toEqual([
      "mentions",
      "1970-01-01T00:00:05.000Z",
    ]);
    expect([bob?.notification_mode, bob?.muted_until]).toEqual([null, null]);
  });

  test("a mute reads null from the moment at which it has run out", () => {
    const mutedAt = (now: number): string | null | undefined =>
      membersOf([member({ muted_until: 5_000 })], "ann", nobodyHere, now)[0]?.muted_until;
    expect(mutedAt(4_999)).toBe("1970-01-01T00:00:05.000Z");
    expect([mutedAt(5_000), mutedAt(5_001)]).toEqual([null, null]);
  });

  test("says each one's presence, response mode and participant as given", () => {
    const bob = member({ id: "bob", response_mode: "streaming", joined_at: null });
    const [entry] = membersOf([bob], "ann", (id) => (id === "bob" ? "busy" : "offline"), 0);
    expect(entry).toEqual({
      participant_id: "bob",
      membership: "join",
      power_level: 0,
      joined_at: null,
      notification_mode: null,
      muted_until: null,
      response_mode: "streaming",
      presence: "busy",
      participant: bob.participant,
    });
  });

  test("says when a member joined", () => {
    const [entry] = membersOf([member({ joined_at: 0 })], "ann", nobodyHere, 0);
    expect(entry?.joined_at).toBe("1970-01-01T00:00:00.000Z");
  });
});

describe("engagementOf", () => {
  test("overrides are those of joined members who have one of their own", () => {
    const members = [
      member({ id: "ai-1", engagement_mode: "mention" }),
      member({ id: "ai-2", response_mode: "streaming" }),
      member({ id: "ai-3" }),
      member({ id: "ai-4", engagement_mode: "keyword", membership: "invite" }),
      member({ id: "ai-5", engagement_mode: "keyword", membership: "leave" }),
    ];
    expect(engagementOf(room({ engagement_mode: "autonomous" }), members)).toEqual({
      mode: "autonomous",
      overrides: {
        "ai-1": { mode: "mention", response_mode: null },
        "ai-2": { mode: null, response_mode: "streaming" },
      },
    });
  });

  test("an override is told also of someone whose id every object inherits", () => {
    const members = [member({ id: "__proto__", engagement_mode: "mention" })];
    expect(JSON.stringify(engagementOf(room(), members))).toBe(
      '{"mode":"always","overrides":{"__proto__":{"mode":"mention","response_mode":null}}}',
    );
  });
});

describe("settingsOf", () => {
  test("the response mode is the room's, or else the viewer's preference", () => {
    const prefers = viewer({ ai_response_mode: "streaming" });
    expect(settingsOf(room(), prefers).response_mode).toBe("streaming");
    expect(settingsOf(room({ response_mode: "conversational" }), prefers).response_mode).toBe(
      "conversational",
    );
  });

  test("the notification mode is the viewer's", () => {
    const quiet = viewer({ notification_mode: "none" });
    expect(settingsOf(room(), quiet).notification_mode).toBe("none");
  });
});

describe("readStateOf", () => {
  const facts = read({ unread_count: 7, last_read_event_id: "e1", snoozed_event_ids: ["e2"] });

  test("says how far the viewer has read and what they put off", () => {
    expect(readStateOf(facts, viewer(), 0)).toEqual({ ...facts, muted_until: null });
  });

  test("a mute reads null from the moment at which it has run out", () => {
    const muted = viewer({ muted_until: 5_000 });
    expect(readStateOf(facts, muted, 4_999).muted_until).toBe("1970-01-01T00:00:05.000Z");
    expect(readStateOf(facts, muted, 5_000).muted_until).toBeNull();
  });

  test("an indefinite mute reads as the last instant there is", () => {
    const muted = viewer({ muted_until: INDEFINITE_AT });
    expect(readStateOf(facts, muted, Date.UTC(2026)).muted_until).toBe("9999-12-31T23:59:59.999Z");
  });
});

describe("shownPlan", () => {
  test("a plan is shown while it is running or paused", () => {
    const states = ["draft", "running", "paused", "done", "failed", "cancelled"] as const;
    const shown = states.filter((state) => shownPlan(plan({ state })) !== null);
    expect(shown).toEqual(["running", "paused"]);
    expect(shownPlan(undefined)).toBeNull();
  });

  test("further keys of a plan are passed on", () => {
    const given = plan({ goal: "Tea", colour: "blue" });
    expect(shownPlan(given)).toEqual(given);
  });
});

describe("shownSidekicks", () => {
  test("a sidekick is shown unless it is completed, failed or terminated", () => {
    const statuses = ["queued", "completed", "running", "failed", "terminated", "whatever"];
    const shown = shownSidekicks(statuses.map((status) => sidekick({ status })));
    expect(shown.map(({ status }) => status)).toEqual(["queued", "running", "whatever"]);
  });
});

describe("shownCall", () => {
  test("a call is shown until it has ended", () => {
    expect(shownCall(call({ type: "video" }))).toEqual(call({ type: "video" }));
    expect(shownCall(call({ ended_at: "2026-01-31T12:00:00.000Z" }))).toBeNull();
    expect(shownCall(undefined)).toBeNull();
  });
});

describe("roomState", () => {
  test("has the documented keys, and no other", () => {
    const state = roomState(
      roomRecord({ members: [member()], stream_position: 12 }),
      roomLife(),
      0,
    );
    expect(Object.keys(state).toSorted()).toEqual([
      "active_call",
      "active_sidekicks",
      "engagement",
      "last_read_event_id",
      "members",
      "muted_until",
      "plan",
      "room",
      "settings",
      "snoozed_event_ids",
      "stream_position",
      "typing",
      "unread_count",
    ]);
    expect(state.stream_position).toBe(12);
  });

  test("the viewer sees their own effective state, and of others what was told", () => {
    const record = roomRecord({ members: [member({ id: "ann" }), member({ id: "bob" })] });
    const life = roomLife({ own: "appear_offline", presenceOf: () => "idle" });
    expect(roomState(record, life, 0).members.map(({ presence }) => presence)).toEqual([
      "appear_offline",
      "idle",
    ]);
  });

  test("the viewer is not told of their own typing", () => {
    const life = roomLife({ typists: ["bob", "ann", "eve"] });
    expect(roomState(roomRecord(), life, 0).typing).toEqual(["bob", "eve"]);
  });

  test("a direct room is named after the other person, any other after itself", () => {
    const nameOf = (facts: Partial<RoomFacts>): string | null =>
      roomState(roomRecord({ room: room(facts), counterpart: "Bob" }), roomLife(), 0).room.name;
    expect(nameOf({ room_type: "dm" })).toBe("Bob");
    expect(nameOf({ room_type: "group" })).toBe("Lobby");
  });

  test("what has come to an end is not in it", () => {
    const record = roomRecord({
      plan: plan({ state: "done" }),
      sidekicks: [sidekick({ status: "failed" }), sidekick({ task_id: "t2" })],
      call: call({ ended_at: "2026-01-31T12:00:00.000Z" }),
      viewer: viewer({ muted_until: 5_000 }),
    });
    expect(roomState(record, roomLife(), 5_000)).toMatchObject({
      plan: null,
      active_sidekicks: [{ task_id: "t2" }],
      active_call: null,
      muted_until: null,
    });
  });

  test("what goes on is in it", () => {
    const record = roomRecord({
      plan: plan(),
      call: call(),
      read: read({ unread_count: 7 }),
      room: room({ response_mode: "streaming", engagement_mode: "mention" }),
      viewer: viewer({ muted_until: 5_000 }),
    });
    expect(roomState(record, roomLife(), 4_999)).toMatchObject({
      plan: plan(),
      active_call: call(),
      unread_count: 7,
      settings: { response_mode: "streaming" },
      engagement: { mode: "mention" },
      muted_until: "1970-01-01T00:00:05.000Z",
    });
  });
});
