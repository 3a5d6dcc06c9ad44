import { describe, expect, test } from "bun:test";
import {
  ENGAGEMENT_MODES,
  invitedEngagement,
  type Membership,
  ROOM_STATES,
  ROOM_TYPES,
  type RoomFacts,
  type RoomUse,
  roomRefusal,
  type ViewerFacts,
} from "@porchlight/core";
import { room, viewer } from "../support/builders.ts";

describe("roomRefusal", () => {
  const refusal = (
    facts: Partial<RoomFacts>,
    who: Partial<ViewerFacts>,
    to: RoomUse = "act",
  ): string | undefined => roomRefusal(room(facts), viewer(who), to);

  test("whoever has joined an open room may look and act", () => {
    expect(refusal({}, {}, "look")).toBeUndefined();
    expect(refusal({}, {}, "act")).toBeUndefined();
  });

  test("a room that is not there is not found, for looking and for acting", () => {
    expect(roomRefusal(undefined, viewer(), "look")).toBe("SW_ROOM_NOT_FOUND");
    expect(roomRefusal(undefined, viewer({ membership: undefined }), "act")).toBe(
      "SW_ROOM_NOT_FOUND",
    );
  });

  test("whoever has not joined is no member: neither invited, nor gone, nor banned, nor knocking", () => {
    for (const membership of ["invite", "leave", "ban", "knock", undefined] as const) {
      expect(refusal({}, { membership }, "look")).toBe("SW_NOT_MEMBER");
      expect(refusal({ state: "archived" }, { membership }, "act")).toBe("SW_NOT_MEMBER");
    }
  });

  test("an archived or closed room can be looked at and not acted in", () => {
    for (const state of ["archived", "closed"] as const) {
      expect(refusal({ state }, {}, "look")).toBeUndefined();
      expect(refusal({ state }, {}, "act")).toBe("SW_ROOM_FROZEN");
    }
  });

  test("a sidekick room is read-only for its human, and open to its machines", () => {
    const room_type = "sidekick";
    expect(refusal({ room_type }, {}, "look")).toBeUndefined();
    expect(refusal({ room_type }, {}, "act")).toBe("SW_ROOM_FORBIDDEN");
    expect(refusal({ room_type }, { participant_type: "model" })).toBeUndefined();
    expect(refusal({ room_type }, { participant_type: "helper" })).toBeUndefined();
  });

  test("members invite who may act, but nobody into a direct room", () => {
    expect(refusal({}, {}, "invite")).toBeUndefined();
    expect(refusal({}, { membership: "invite" }, "invite")).toBe("SW_NOT_MEMBER");
    expect(refusal({ state: "closed" }, {}, "invite")).toBe("SW_ROOM_FROZEN");
    expect(refusal({ room_type: "sidekick" }, {}, "invite")).toBe("SW_ROOM_FORBIDDEN");
    expect(refusal({ room_type: "dm" }, {}, "invite")).toBe("SW_ROOM_FORBIDDEN");
    expect(refusal({ room_type: "dm" }, {}, "act")).toBeUndefined();
  });

  const comes = (facts: Partial<RoomFacts>, membership: Membership | undefined) =>
    refusal(facts, { membership }, "join");

  test("whoever is invited may join any room that is open, also one that is read-only for them", () => {
    for (const room_type of ROOM_TYPES) expect(comes({ room_type }, "invite")).toBeUndefined();
    expect(comes({ state: "archived" }, "invite")).toBe("SW_ROOM_FROZEN");
  });

  test("anyone may join a public room that is open, whether its type or its flag says so", () => {
    for (const membership of ["leave", "knock", undefined] as const) {
      expect(comes({ room_type: "public" }, membership)).toBeUndefined();
      expect(comes({ is_public: true }, membership)).toBeUndefined();
      expect(comes({ is_public: true, state: "closed" }, membership)).toBe("SW_ROOM_FROZEN");
      expect(comes({}, membership)).toBe("SW_NOT_MEMBER");
      expect(comes({ state: "closed" }, membership)).toBe("SW_NOT_MEMBER");
    }
  });

  test("a ban holds also in a public room", () => {
    expect(comes({ is_public: true }, "ban")).toBe("SW_ROOM_FORBIDDEN");
    expect(comes({ room_type: "dm" }, "ban")).toBe("SW_ROOM_FORBIDDEN");
  });

  test("a direct room has back whoever has left it, and gains nobody", () => {
    const room_type = "dm";
    expect(comes({ room_type }, "leave")).toBeUndefined();
    for (const membership of ["knock", undefined] as const)
      expect(comes({ room_type, is_public: true }, membership)).toBe("SW_ROOM_FORBIDDEN");
  });

  test("whoever has joined may join again, in any state of the room", () => {
    for (const state of ROOM_STATES) expect(comes({ state }, "join")).toBeUndefined();
  });

  test("whoever is in a room or was may leave it, in any state of the room, but for a ban", () => {
    for (const state of ROOM_STATES)
      for (const room_type of ROOM_TYPES)
        for (const membership of ["join", "invite", "knock", "leave"] as const)
          expect(refusal({ state, room_type }, { membership }, "leave")).toBeUndefined();
    for (const membership of ["ban", undefined] as const)
      expect(refusal({ is_public: true }, { membership }, "leave")).toBe("SW_NOT_MEMBER");
  });
});

describe("invitedEngagement", () => {
  test("an AI takes part as whoever invites it prefers", () => {
    for (const type of ["model", "helper"] as const)
      for (const mode of ENGAGEMENT_MODES)
        for (const room_type of ["group", "public", "incognito", "bridge"] as const)
          expect(invitedEngagement(room_type, type, mode)).toBe(mode);
  });

  test("an AI takes part always in direct and sidekick rooms", () => {
    expect(invitedEngagement("dm", "model", "mention")).toBe("always");
    expect(invitedEngagement("sidekick", "helper", "keyword")).toBe("always");
  });

  test("a human has no mode", () => {
    for (const room_type of ROOM_TYPES)
      expect(invitedEngagement(room_type, "human", "mention")).toBeNull();
  });
});
