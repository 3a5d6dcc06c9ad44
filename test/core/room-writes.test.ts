import { describe, expect, test } from "bun:test";
import {
  CodedError,
  EngagementRequest,
  EventBody,
  type Fault,
  INDEFINITE_AT,
  InviteRequest,
  MessagesQuery,
  MuteRequest,
  NotificationModeRequest,
  parseInput,
  ReadMarkerRequest,
  ResponseModeRequest,
  type Schema,
  SendRequest,
} from "@porchlight/core";

function faults(schema: Schema<unknown>, body: unknown): readonly Fault[] {
  try {
    parseInput(schema, body);
    return [];
  } catch (error) {
    return error instanceof CodedError ? (error.details ?? []) : [];
  }
}

/** Where a body is wrong. */
function wrong(schema: Schema<unknown>, body: unknown): string[] {
  return faults(schema, body).map(({ path }) => path);
}

describe("SendRequest", () => {
  const content = { msgtype: "m.text", body: "hello" };

  test("keeps what a message says besides, whatever its key", () => {
    const text = '{"msgtype":"t","body":"","__proto__":{"a":1},"mentions":["bob"],"deep":[{}]}';
    const parsed = parseInput(SendRequest, { content: JSON.parse(text) });
    expect(JSON.stringify(parsed.content)).toBe(text);
  });

  test("takes a msgtype of 1 to 64 characters, a body, and at most 100 ids of people", () => {
    const say = (more: object): string[] =>
      wrong(SendRequest, { content: { ...content, ...more } });
    expect(say({ msgtype: "x".repeat(64), mentions: Array(100).fill("ann") })).toEqual([]);
    expect(say({ msgtype: "x".repeat(65) })).toEqual(["content.msgtype"]);
    expect(say({ msgtype: "" })).toEqual(["content.msgtype"]);
    expect(say({ body: 5 })).toEqual(["content.body"]);
    expect(say({ mentions: Array(101).fill("ann") })).toEqual(["content.mentions"]);
    expect(say({ mentions: ["ann", "no id"] })).toEqual(["content.mentions[1]"]);
    expect(say({ mentions: "ann" })).toEqual(["content.mentions"]);
  });

  test("names every fault, within the content and beside it", () => {
    expect(wrong(SendRequest, { content: {}, event_uuid: "no id", more: 1 })).toEqual([
      "content.msgtype",
      "content.body",
      "event_uuid",
      "more",
    ]);
    for (const odd of [undefined, null, [], "hello"])
      expect(wrong(SendRequest, { content: odd })).toEqual(["content"]);
  });
});

describe("EventBody, of a redaction", () => {
  const redaction = { sender_id: "ann", type: "swp.room.redaction" };

  test("names what is taken back, and may say why", () => {
    expect(wrong(EventBody, { ...redaction, content: { redacts: "evt-1" } })).toEqual([]);
    const because = { redacts: "evt-1", reason: "x".repeat(500) };
    expect(wrong(EventBody, { ...redaction, content: because })).toEqual([]);
    expect(
      wrong(EventBody, { ...redaction, content: { reason: "x".repeat(501), more: 1 } }),
    ).toEqual(["content.redacts", "content.reason", "content.more"]);
  });

  test("is refused with every fault at once", () => {
    expect(wrong(EventBody, { type: "swp.room.redaction", content: {} })).toEqual([
      "sender_id",
      "content.redacts",
    ]);
    expect(wrong(EventBody, { type: "swp.room.redaction", content: [] })).toEqual([
      "sender_id",
      "content",
    ]);
  });
});

describe("EngagementRequest and ResponseModeRequest", () => {
  test("a mode is the room's, or that of one who is named", () => {
    expect(wrong(EngagementRequest, { mode: "mention" })).toEqual([]);
    expect(wrong(EngagementRequest, { mode: "mention", participant_id: null })).toEqual([]);
    expect(wrong(EngagementRequest, { mode: "keyword", participant_id: "ada" })).toEqual([]);
    expect(wrong(ResponseModeRequest, { mode: "streaming", participant_id: null })).toEqual([]);
    expect(wrong(ResponseModeRequest, { mode: "streaming", participant_id: "ada" })).toEqual([]);
  });

  test("only one who is named can go without a mode", () => {
    for (const schema of [EngagementRequest, ResponseModeRequest]) {
      expect(wrong(schema, { mode: null, participant_id: "ada" })).toEqual([]);
      expect(faults(schema, { mode: null, participant_id: null })).toEqual([
        { path: "mode", message: "must not be null without a participant_id" },
      ]);
    }
  });

  test("who is meant by a response mode has to be said, because the whole room is more", () => {
    expect(wrong(ResponseModeRequest, { mode: "streaming" })).toEqual(["participant_id"]);
  });

  test("a mode is one of those there are", () => {
    expect(wrong(EngagementRequest, { mode: "streaming" })).toEqual(["mode"]);
    expect(wrong(EngagementRequest, { participant_id: "no id" })).toEqual([
      "mode",
      "participant_id",
    ]);
    expect(wrong(ResponseModeRequest, { mode: "always", participant_id: null })).toEqual(["mode"]);
  });
});

describe("MuteRequest", () => {
  test("takes an instant, past ones too, indefinitely, and not at all", () => {
    expect(parseInput(MuteRequest, { until: "1970-01-01T00:00:05Z" })).toEqual({ until: 5_000 });
    expect(parseInput(MuteRequest, { until: "indefinite" })).toEqual({ until: INDEFINITE_AT });
    expect(parseInput(MuteRequest, { until: null })).toEqual({ until: null });
    for (const until of [undefined, "forever", 5_000, true])
      expect(wrong(MuteRequest, { until })).toEqual(["until"]);
  });
});

describe("ReadMarkerRequest, NotificationModeRequest and InviteRequest", () => {
  test("take one thing each, and a marker may be forced back", () => {
    expect(wrong(ReadMarkerRequest, { event_id: "evt-1", force: true })).toEqual([]);
    expect(wrong(ReadMarkerRequest, { force: "yes" })).toEqual(["event_id", "force"]);
    expect(wrong(NotificationModeRequest, { mode: "inherit" })).toEqual([]);
    expect(wrong(NotificationModeRequest, { mode: "loud" })).toEqual(["mode"]);
    expect(wrong(InviteRequest, { participant_id: "bob" })).toEqual([]);
    expect(wrong(InviteRequest, { who: "bob" })).toEqual(["participant_id", "who"]);
  });
});

describe("MessagesQuery", () => {
  test("is the newest 50 unless it says otherwise", () => {
    expect(parseInput(MessagesQuery, {})).toEqual({ limit: 50, direction: "backward" });
    const asked = { limit: "200", from: "7", direction: "forward" };
    expect(parseInput(MessagesQuery, asked)).toEqual({ limit: 200, from: 7, direction: "forward" });
  });

  test("takes 1 to 200 from a whole number", () => {
    for (const limit of ["0", "201", "-1", "many", ""])
      expect(wrong(MessagesQuery, { limit })).toEqual(["limit"]);
    expect(wrong(MessagesQuery, { from: "-1", direction: "up" })).toEqual(["from", "direction"]);
  });
});
