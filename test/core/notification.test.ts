import { describe, expect, test } from "bun:test";
import {
  DEFAULT_PREFERENCES,
  decideNotification,
  type NotificationFacts,
  type Preferences,
} from "@porchlight/core";

const NOW = Date.parse("2026-03-02T12:00:00Z");

interface Given {
  readonly event?: Partial<NotificationFacts["event"]>;
  readonly room?: Partial<NotificationFacts["room"]>;
  readonly preferences?: Partial<Preferences>;
  readonly snoozed?: readonly string[];
}

/** A message of Bob's to Ann's open group room, which says nothing of note, but for what is given. */
function facts({ event, room, preferences, snoozed = [] }: Given = {}): NotificationFacts {
  return {
    participant_id: "ann",
    event: { event_id: "evt-1", sender_id: "bob", body: "good morning", mentions: [], ...event },
    room: {
      room_type: "group",
      membership: "join",
      notification_mode: "inherit",
      muted_until: null,
      ...room,
    },
    snoozed_event_ids: snoozed,
    preferences: { ...DEFAULT_PREFERENCES, ...preferences },
  };
}

/** What is decided, in one word. */
function reasonFor(given: Given): string {
  const { notify, reason } = decideNotification(facts(given), NOW);
  return `${notify ? "yes" : "no"}: ${reason}`;
}

/** Whether a phrase is found in a text. */
function finds(phrase: string, body: string): boolean {
  const preferences = { keyword_alerts: [phrase], default_mode: "none" } as const;
  return decideNotification(facts({ event: { body }, preferences }), NOW).notify;
}

const QUIET = { ...DEFAULT_PREFERENCES.quiet_hours, enabled: true, start: "11:00", end: "13:00" };

describe("decideNotification", () => {
  test("of the rules that apply, the first decides", () => {
    const event = { mentions: ["ann"], body: "lunch, Ann?" };
    const preferences = {
      quiet_hours: QUIET,
      keyword_alerts: ["lunch"],
      default_mode: "all",
    } as const;
    const room = { membership: "leave", muted_until: NOW + 1 } as const;
    expect(
      reasonFor({ event: { ...event, sender_id: "ann" }, room, preferences, snoozed: ["evt-1"] }),
    ).toBe("no: own_event");
    expect(reasonFor({ event, room, preferences, snoozed: ["evt-1"] })).toBe("no: not_joined");
    expect(
      reasonFor({ event, room: { muted_until: NOW + 1 }, preferences, snoozed: ["evt-1"] }),
    ).toBe("no: muted");
    expect(reasonFor({ event, preferences, snoozed: ["evt-1"] })).toBe("no: snoozed");
    expect(reasonFor({ event, preferences })).toBe("no: quiet_hours");
    expect(
      reasonFor({
        event,
        preferences: { ...preferences, quiet_hours: DEFAULT_PREFERENCES.quiet_hours },
      }),
    ).toBe("yes: mode_all");
    expect(
      reasonFor({ event, preferences: { keyword_alerts: ["lunch"], default_mode: "mentions" } }),
    ).toBe("yes: keyword");
    expect(reasonFor({ event, preferences: { default_mode: "mentions" } })).toBe("yes: mentioned");
    expect(reasonFor({ preferences: { default_mode: "mentions" } })).toBe("no: mode_mentions");
    expect(reasonFor({ event, preferences: { default_mode: "none" } })).toBe("no: mode_none");
  });

  test("a room's own mode is asked before the person's, unless it is inherited", () => {
    expect(
      reasonFor({ room: { notification_mode: "none" }, preferences: { default_mode: "all" } }),
    ).toBe("no: mode_none");
    expect(
      reasonFor({ room: { notification_mode: "all" }, preferences: { default_mode: "none" } }),
    ).toBe("yes: mode_all");
    expect(
      reasonFor({ room: { notification_mode: "inherit" }, preferences: { default_mode: "none" } }),
    ).toBe("no: mode_none");
  });

  test("a keyword alerts in every mode", () => {
    for (const notification_mode of ["mentions", "none"] as const) {
      const given = {
        room: { notification_mode },
        event: { body: "LUNCH!" },
        preferences: { keyword_alerts: ["lunch"] },
      };
      expect(reasonFor(given)).toBe("yes: keyword");
    }
  });

  test("only those who have joined are notified", () => {
    for (const membership of ["invite", "knock", "leave", "ban", undefined] as const) {
      expect(reasonFor({ room: { membership } })).toBe("no: not_joined");
    }
  });

  test("a mute ends at its instant", () => {
    expect(reasonFor({ room: { muted_until: NOW + 1 } })).toBe("no: muted");
    expect(reasonFor({ room: { muted_until: NOW } })).toBe("yes: mode_all");
  });
});

describe("keyword alerts", () => {
  test("are whole words, whatever stands beside them", () => {
    for (const body of ["lunch", "Lunch?", "(lunch)", "no-lunch day", "after\nlunch"])
      expect([body, finds("lunch", body)]).toEqual([body, true]);
    for (const body of ["lunchbox", "brunch lunchtime", "lunch2", "lunch_room", "prelunch"])
      expect([body, finds("lunch", body)]).toEqual([body, false]);
  });

  test("are found behind a place where they are only a part of a word", () => {
    expect(finds("lunch", "lunchbox with lunch")).toBe(true);
  });

  test("can be several words, and begin or end with a sign", () => {
    expect(finds("stand up", "Stand UP now")).toBe(true);
    expect(finds("stand up", "stand upright")).toBe(false);
    expect(finds("c++", "we write C++.")).toBe(true);
    expect(finds("#help", "need #help")).toBe(true);
    expect(finds("🔥", "it is 🔥🔥")).toBe(true);
  });

  test("are compared without regard to case and to how characters are composed, in any script", () => {
    expect(finds("straße", "Die STRASSE heißt Straße")).toBe(true);
    expect(finds("café", "a cafe\u0301 here")).toBe(true);
    expect(finds("cafe", "a café here")).toBe(false);
    expect(finds("обед", "Где ОБЕД?")).toBe(true);
    expect(finds("обед", "победа")).toBe(false);
    expect(finds("γεύμα", "το ΓΕΎΜΑ")).toBe(true);
  });

  test("in scripts without spaces are found anywhere", () => {
    expect(finds("会议", "今天会议取消")).toBe(true);
    expect(finds("ミーティング", "明日のミーティングは")).toBe(true);
    expect(finds("ประชุม", "วันนี้มีประชุมไหม")).toBe(true);
    expect(finds("AI", "用AI写")).toBe(true);
  });
});
