import { describe, expect, test } from "bun:test";
import {
  type EventFrame,
  isQuiet,
  type Participant,
  type QuietHours,
  type ServerFrame,
} from "@porchlight/core";
import type { OutboxRecord, Rest } from "@porchlight/core/client";
import fc from "fast-check";
import type { Cache } from "../../desktop/bridge.ts";
import { type Channel, Outboxes } from "../../desktop/renderer/state/outboxes.ts";
import { People } from "../../desktop/renderer/state/people.ts";
import { quietPreview } from "../../desktop/renderer/state/quiet.ts";
import { Timeline } from "../../desktop/renderer/state/timeline.ts";
import { initialsOf, listOf, WallClock } from "../../desktop/renderer/state/words.ts";
import { TestClock, turn } from "../support/clock.ts";
import { trials } from "../support/runs.ts";

const MINUTE_MS = 60_000;

/** A cache that several windows share. */
function sharedCache(): Cache & { readonly kept: Map<string, unknown> } {
  const kept = new Map<string, unknown>();
  return {
    kept,
    get: async (key) => kept.get(key),
    put: async (key, value) => {
      if (value === undefined) kept.delete(key);
      else kept.set(key, value);
    },
    keys: async (prefix) => [...kept.keys()].filter((key) => key.startsWith(prefix)).sort(),
    clear: async () => kept.clear(),
  };
}

/** Channels of which each hears all others, as windows of one browser do. */
class Air {
  readonly #channels = new Set<{ hear: (data: unknown) => void }>();

  channel(): Channel {
    const listeners: ((event: { readonly data: unknown }) => void)[] = [];
    const own = { hear: (data: unknown) => listeners.forEach((each) => void each({ data })) };
    this.#channels.add(own);
    return {
      postMessage: (message) => {
        for (const each of this.#channels) if (each !== own) each.hear(structuredClone(message));
      },
      addEventListener: (_type, listener) => void listeners.push(listener),
      close: () => void this.#channels.delete(own),
    };
  }
}

function window(air: Air, cache: Cache, instance: string): Outboxes {
  return new Outboxes({ cache, instance, channel: air.channel(), onChange: () => {} });
}

function waiting(edited_at: number, patch: object, state?: "busy"): OutboxRecord {
  const choice = state === undefined ? null : { choice: { state }, edited_at };
  return { last_seq: edited_at, edits: [{ seq: edited_at, edited_at, patch }], choice };
}

describe("what waits in several windows", () => {
  test("is the same in all of them: the later edit wins, whoever made it", async () => {
    const [air, cache] = [new Air(), sharedCache()];
    const [a, b] = [window(air, cache, "a"), window(air, cache, "b")];
    await Promise.all([a.load(), b.load()]);
    b.own(waiting(2, { time_format: "24h", locale: "nl" }));
    a.own(waiting(1, { time_format: "12h" }, "busy"));
    for (const each of [a, b]) {
      expect(each.patch).toEqual({ time_format: "24h", locale: "nl" });
      expect([each.choice, each.size]).toEqual(["busy", 3]);
    }
    // One that comes later asks those that are there.
    const c = window(air, cache, "c");
    await c.load();
    expect([c.patch, c.size]).toEqual([{ time_format: "24h", locale: "nl" }, 3]);
  });

  test("is delivered by another when its window is no more, and by nobody else while it is there", async () => {
    const [air, cache, clock] = [new Air(), sharedCache(), new TestClock()];
    const [a, gone] = [window(air, cache, "a"), window(air, cache, "gone")];
    await Promise.all([a.load(), gone.load()]);
    const record = waiting(1, { locale: "de" });
    await gone.storage.save(record);
    gone.own(record);
    const sent: unknown[] = [];
    const rest = {
      editPreferences: async (request: unknown) => {
        sent.push(request);
        return { preferences: {}, applied_seq: 1, superseded: [], rejected: [] };
      },
    } as unknown as Rest;
    const told: unknown[] = [];
    const deliver = async (): Promise<void> => {
      const onDelivery = (...each: unknown[]): void => void told.push(each);
      const delivered = a.deliverLeft(rest, { device_id: "laptop", clock, onDelivery });
      await turn();
      await clock.advance(500);
      await delivered;
    };
    await deliver();
    expect([sent, a.size]).toEqual([[], 1]);
    gone.close();
    await deliver();
    expect(sent).toMatchObject([
      { device_id: "laptop.gone", edits: [{ seq: 1, patch: { locale: "de" } }] },
    ]);
    expect([a.size, [...cache.kept]]).toEqual([0, []]);
    expect(told).toMatchObject([[{ kind: "edit" }, record.edits]]);
  });
});

describe("a choice that a window has left", () => {
  test("is the next window's own, which delivers it before it connects", async () => {
    const [air, cache] = [new Air(), sharedCache()];
    const hidden = waiting(5, { locale: "de" }, "busy");
    for (const [instance, record] of Object.entries({
      gone: hidden,
      older: { ...waiting(3, {}, "busy"), edits: [] },
    })) {
      const left = window(air, cache, instance);
      await left.storage.save(record);
      left.close();
    }
    const next = window(air, cache, "next");
    await next.load();
    expect((await next.storage.load())?.choice).toEqual(hidden.choice);
    expect([next.choice, next.size]).toEqual(["busy", 2]);
    expect(cache.kept.get("outbox:gone")).toEqual({ ...hidden, choice: null });
    expect(cache.kept.has("outbox:older")).toBe(false);
  });
});

describe("the preview of quiet hours", () => {
  const anyTime = fc
    .tuple(fc.nat(23), fc.nat(59))
    .map(([hour, minute]) => `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`);
  const anyHours: fc.Arbitrary<QuietHours> = fc.record({
    enabled: fc.boolean(),
    start: fc.option(anyTime),
    end: fc.option(anyTime),
    weekdays_only: fc.boolean(),
    weekends_only: fc.boolean(),
  });

  test("names a minute at which it changes, and none before it at which it has, also when clocks are set", () => {
    // Around the nights in which clocks are set in spring and in autumn, and any other time.
    const anyAt = fc.oneof(
      fc.nat(3 * 24 * 60).map((minute) => Date.UTC(2026, 2, 27) + minute * MINUTE_MS),
      fc.nat(3 * 24 * 60).map((minute) => Date.UTC(2026, 9, 23) + minute * MINUTE_MS),
      fc.nat(365 * 24 * 60).map((minute) => Date.UTC(2026, 0, 1) + minute * MINUTE_MS),
    );
    const anyZone = fc.constantFrom(
      "UTC",
      "Europe/Amsterdam",
      "America/New_York",
      "Australia/Lord_Howe",
    );
    fc.assert(
      fc.property(anyHours, anyZone, anyAt, (hours, zone, at) => {
        const { isQuiet: now, changesAt } = quietPreview(hours, zone, at);
        expect(now).toBe(isQuiet(hours, zone, at));
        const until = changesAt ?? at + 8 * 24 * 60 * MINUTE_MS;
        if (changesAt !== undefined) expect(isQuiet(hours, zone, changesAt)).toBe(!now);
        // Every seventh minute is looked at: windows that are shorter come again.
        for (let minute = at; minute < until - 7 * MINUTE_MS; minute += 61 * MINUTE_MS)
          expect([minute, isQuiet(hours, zone, minute)]).toEqual([minute, now]);
      }),
      trials(60),
    );
  }, 60_000);
});

describe("a timeline", () => {
  const event = (position: number, body = `${position}`): EventFrame => ({
    type: "swp.room.message",
    id: `e${position}`,
    tenant_id: "acme",
    room_id: "lounge",
    sender_id: "ann",
    content: { body },
    ts: "2026-03-02T09:00:00.000Z",
    stream_position: position,
  });
  const message = (position: number) => ({
    event_id: `e${position}`,
    sender_id: "ann",
    at: 0,
    body: `${position}`,
    position,
  });

  test("has each message once and in order, however pages and announcements come", () => {
    const timeline = new Timeline();
    timeline.hear(event(7), "lounge");
    timeline.add([message(3), message(5)]);
    timeline.hear(event(5), "lounge");
    expect(timeline.hear(event(9), "attic")).toBe(false);
    expect(timeline.messages.map(({ position }) => position)).toEqual([3, 5, 7]);
    expect(timeline.from).toBe(3);
  });

  test("forgets what may have a gap behind it, and keeps what has none", () => {
    const timeline = new Timeline();
    timeline.add([message(1), message(2)]);
    timeline.latest([message(2), message(3)]);
    expect(timeline.messages.map(({ position }) => position)).toEqual([1, 2, 3]);
    timeline.latest([message(8), message(9)]);
    expect(timeline.messages.map(({ position }) => position)).toEqual([8, 9]);
  });

  test("keeps nothing of what a message said that was taken back", () => {
    const timeline = new Timeline();
    timeline.add([message(1), message(2)]);
    timeline.hear(
      { ...event(3), type: "swp.room.redaction", content: { redacts: "e1" } },
      "lounge",
    );
    expect(timeline.messages.map(({ body }) => body)).toEqual([undefined, "2"]);
  });
});

describe("the people who are known", () => {
  const person = (id: string, display_name: string): Participant => ({
    id,
    local_id: id,
    server_name: "example",
    display_name,
    participant_type: "human",
    avatar_url: null,
  });

  test("are kept by name, with the states in which they were, and follow their profiles", async () => {
    const cache = sharedCache();
    const people = new People(cache);
    people.add([person("b", "Bob"), person("a", "ann"), person("c", "Cy")]);
    await people.keep((id) => (id === "b" ? "busy" : "offline"), 5);
    const again = new People(cache);
    await again.load();
    expect(again.all.map(({ id }) => id)).toEqual(["a", "b", "c"]);
    expect(["a", "b", "nobody"].map((id) => again.kept(id))).toEqual([
      { state: "offline", as_of: 5 },
      { state: "busy", as_of: 5 },
      { state: "offline", as_of: 5 },
    ]);
    const frame = { type: "swp.participant.profile", participant: person("a", "Zoe") };
    expect(again.hear(frame as unknown as ServerFrame)).toBe(true);
    expect(again.all.map(({ display_name }) => display_name)).toEqual(["Bob", "Cy", "Zoe"]);
    expect(again.add([person("a", "Zoe")])).toBe(false);
  });
});

describe("words", () => {
  test("show an instant as the clock on the user's wall does, with the day where it is another", () => {
    const [now, before] = [Date.UTC(2026, 2, 2, 21, 30), Date.UTC(2026, 2, 1, 8, 5)];
    const clock = new WallClock({ locale: "en", timezone: "Asia/Tokyo", time_format: "24h" });
    expect(clock.read(now, now)).toBe("06:30");
    expect(clock.read(before, now)).toBe("3/1/26 17:05");
    const noon = new WallClock({ locale: "de", timezone: "Nowhere/At_All", time_format: "12h" });
    expect(noon.read(now, now)).toContain("9:30");
  });

  test("make initials of names in any script, and lists in any language", () => {
    expect(
      ["Ann Archer", "Ann van der Archer", "ann", "李 明", "👩‍🚀 Sky", " "].map(initialsOf),
    ).toEqual([...["AA", "AA", "A", "李明", "👩S", "?"]]);
    expect(listOf(["Ann", "Bob", "Cy"], "nl")).toBe("Ann, Bob en Cy");
  });
});
