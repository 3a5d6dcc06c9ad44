import { describe, expect, test } from "bun:test";
import type { PresenceState, VisibleState } from "@porchlight/core";
import {
  type AwarenessClient,
  type AwarenessOutcome,
  AwarenessRoom,
  type AwarenessRules,
  type AwarenessTelling,
  MAX_AWARENESS_BYTES,
  STAND_IN_IDS_FROM,
} from "@porchlight/core/awareness";

const NOW = 1_700_000_000_000;
const RULES: AwarenessRules = {
  coalesce_ms: 100,
  awareness_max_members: 500,
};
const GRACE = 10_000;
const TEN_MINUTES = 600_000;

/** What somebody who watches sees: by id, what the state says. Of a telling that clients would pass over it says so. */
class Screen {
  readonly #clocks = new Map<number, number>();
  readonly states = new Map<number, Record<string, unknown>>();

  /** Applies what is told as clients do. */
  show(tellings: readonly AwarenessTelling[]): void {
    for (const { id, clock, text } of tellings) {
      expect(clock).toBeGreaterThan(this.#clocks.get(id) ?? 0);
      this.#clocks.set(id, clock);
      if (text === null) this.states.delete(id);
      else this.states.set(id, JSON.parse(text));
    }
  }

  get people(): unknown[] {
    return [...this.states.values()].map(({ user }) => (user as { name: string }).name);
  }
}

/** A lobby with Ann, Bob and Cy, of whom Bob's socket watches. */
class Lobby {
  readonly room: AwarenessRoom;
  readonly told = new Map<string, VisibleState>([
    ["ann", "online"],
    ["bob", "online"],
  ]);
  readonly effective = new Map<string, PresenceState>();
  readonly typing = new Set<string>();
  /** Those of whom others will be told that they are offline, and were not yet. */
  readonly leaving = new Set<string>();
  readonly screen = new Screen();
  readonly bob: AwarenessClient;
  now = NOW;
  #clock = 0;

  constructor(rules: Partial<AwarenessRules> = {}) {
    this.room = new AwarenessRoom("lobby", { ...RULES, ...rules });
    for (const id of ["ann", "bob", "cy"])
      this.room.setMember(id, { display_name: id.toUpperCase(), avatar_url: null });
    this.bob = this.join("bob");
    this.say(this.bob, 2, {});
    this.tell();
    this.screen.show(this.snapshot(this.bob));
  }

  join(who: string, device = `${who}-laptop`): AwarenessClient {
    return this.room.join(who, device, this.now);
  }

  /** Says something as a client would, if the id is its own. */
  say(client: AwarenessClient, id: number, state: object | null): AwarenessOutcome | undefined {
    this.#clock += 1;
    return this.sayText(client, { id, clock: this.#clock, text: JSON.stringify(state) });
  }

  sayText(
    client: AwarenessClient,
    said: { id: number; clock: number; text: string },
  ): AwarenessOutcome | undefined {
    const { id, clock, text } = said;
    const isNull = text === "null";
    if (this.room.claim(client, { id, clock, isNull }, this.now) !== "own") return undefined;
    return this.room.say(client, { id, clock, text: isNull ? null : text });
  }

  /** What is told now; Bob's screen shows what is for others than Bob. */
  tell(): { tellings: readonly AwarenessTelling[]; typing: readonly AwarenessClient[] } {
    const news = this.room.tell(
      {
        told: (id) => this.told.get(id) ?? "offline",
        visible: (id) => (this.leaving.has(id) ? "offline" : (this.told.get(id) ?? "offline")),
        effective: (id) => this.effective.get(id) ?? this.told.get(id) ?? "offline",
        isTyping: (id) => this.typing.has(id),
      },
      this.now,
    );
    const mine = news.tellings.filter(
      ({ to, participant_id }) => to === "others" && participant_id !== "bob",
    );
    this.screen.show(mine);
    return news;
  }

  /** Everything that a socket is told that has just come. */
  snapshot(client: AwarenessClient, goneSince?: number): AwarenessTelling[] {
    const all = this.room.snapshot(this.now, goneSince);
    const others = all.filter(({ participant_id }) => participant_id !== client.participant_id);
    return [...others, ...this.room.siblings(client, this.now)];
  }

  /** Others are told something of a person, and what follows for awareness. */
  presence(who: string, state: VisibleState): void {
    this.told.set(who, state);
    this.room.touch(who);
    this.tell();
  }

  wait(ms: number): void {
    this.now += ms;
    this.tell();
  }
}

const ANN = { participant_id: "ann", display_name: "ANN", avatar_url: null, name: "ANN" };

describe("AwarenessRoom, of a socket that says something", () => {
  test("tells it with whose it is, their presence and typing, and the device, whatever it says of these", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    const user = { color: "red", participant_id: "bob", name: "Bob" };
    lobby.say(ann, 1, { cursor: 7, user, presence: "busy", device_id: "bob-laptop", typing: true });
    lobby.tell();
    expect(lobby.screen.states.get(1)).toEqual({
      cursor: 7,
      user: { ...ANN, color: "red" },
      presence: "online",
      typing: false,
      device_id: "ann-laptop",
    });
  });

  test("replaces a `user` that is no object", () => {
    const lobby = new Lobby();
    lobby.say(lobby.join("ann"), 1, { user: ["Bob"] });
    lobby.tell();
    expect(lobby.screen.states.get(1)?.user).toEqual(ANN);
  });

  test("tells nothing of a renewal in which nothing has changed", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    expect(lobby.say(ann, 1, { x: 1 })?.kind).toBe("bound");
    lobby.tell();
    expect(lobby.say(ann, 1, { x: 1 })?.kind).toBe("renewed");
    expect(lobby.tell().tellings).toEqual([]);
    expect(lobby.say(ann, 1, { x: 2 })?.kind).toBe("changed");
    expect(lobby.tell().tellings).toHaveLength(1);
  });

  test("tells what others were told of the person, and what they type, as soon as that changes", () => {
    const lobby = new Lobby();
    lobby.say(lobby.join("ann"), 1, {});
    lobby.presence("ann", "busy");
    lobby.typing.add("ann");
    lobby.room.touch("ann");
    lobby.tell();
    expect(lobby.screen.states.get(1)).toMatchObject({ presence: "busy", typing: true });
  });

  test("refuses what is no object, is too large, has a key too many, nests too deep, or reaches for a prototype", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    lobby.say(ann, 1, { x: 1 });
    const keys = (count: number): object =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]));
    const levels = (count: number): object =>
      Array.from({ length: count - 1 }).reduce((inner: object) => [inner], {}) as object;
    const nested = (count: number): object => ({ x: levels(count - 1) });
    const kindOf = (text: string): string | undefined =>
      lobby.sayText(ann, { id: 1, clock: lobby.now, text })?.kind;
    lobby.now += 1;
    expect(kindOf(JSON.stringify(keys(32)))).toBe("changed");
    // Counted in bytes of UTF-8: with as many characters the second has one byte more.
    const sized = (text: string): string => `{"x":"${text.padEnd(MAX_AWARENESS_BYTES - 8)}"}`;
    lobby.now += 1;
    expect(kindOf(sized("e"))).toBe("changed");
    lobby.now += 1;
    expect(kindOf(JSON.stringify(nested(8)))).toBe("changed");
    for (const text of [
      "",
      "{",
      "1",
      "[]",
      '"x"',
      "true",
      sized("é"),
      JSON.stringify(keys(33)),
      JSON.stringify({ x: [keys(33)] }),
      JSON.stringify(nested(9)),
      '{"__proto__":{"x":1}}',
      '{"x":[{"\\u005f_proto__":1}]}',
    ]) {
      lobby.now += 1;
      expect([text, kindOf(text)]).toEqual([text, "refused"]);
    }
    lobby.tell();
    expect(lobby.screen.states.get(1)?.x).toEqual([[[[[[{}]]]]]]);
    expect(MAX_AWARENESS_BYTES).toBe(4_096);
  });

  test("takes no more from all of a person's sockets together than from one", () => {
    const lobby = new Lobby();
    const large = `{"x":"${"x".repeat(MAX_AWARENESS_BYTES - 8)}"}`;
    const say = (client: AwarenessClient, id: number, text: string): string | undefined => {
      lobby.now += 1;
      return lobby.sayText(client, { id, clock: lobby.now - NOW, text })?.kind;
    };
    const [laptop, phone] = [lobby.join("ann"), lobby.join("ann", "ann-phone")];
    for (let id = 101; id <= 116; id += 1) expect(say(laptop, id, large)).toBe("bound");
    expect(say(phone, 201, "{}")).toBe("refused");
    // As much for as much fits, and others are not concerned.
    expect(say(laptop, 101, large.replace("x", "y"))).toBe("changed");
    expect(say(lobby.join("cy"), 301, large)).toBe("bound");
    expect(say(laptop, 101, "{}")).toBe("changed");
    expect(say(phone, 201, '{"x":1}')).toBe("bound");
    expect(say(laptop, 101, large)).toBe("refused");
    // Of a connection that was lost as much may come back, with other ids.
    lobby.room.lose(laptop, lobby.now + GRACE);
    const again = lobby.join("ann");
    for (let id = 401; id < 416; id += 1) expect(say(again, id, large)).toBe("bound");
  });

  test("passes over what is older than what it said, and its own entry when another tab hands it on", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    lobby.say(lobby.join("ann", "ann-phone"), 11, {});
    lobby.sayText(ann, { id: 1, clock: 5, text: '{"x":1}' });
    const told = lobby.tell().tellings.find(({ id, to }) => id === 1 && to === "own");
    const say = (clock: number, text: string): string | undefined =>
      lobby.sayText(ann, { id: 1, clock, text })?.kind;
    expect(say(4, '{"x":0}')).toBeUndefined();
    expect(say(5, '{"x":0}')).toBeUndefined();
    expect(say(4, "null")).toBeUndefined();
    expect(say(6, '{"x":2}')).toBe("changed");
    const echo = { id: 1, clock: told?.clock ?? 0, text: told?.text ?? "" };
    expect(lobby.room.isEcho(ann, echo)).toBe(true);
    expect(lobby.room.isEcho(ann, { ...echo, text: '{"x":2}' })).toBe(false);
    expect(lobby.room.isEcho(lobby.bob, echo)).toBe(false);
    expect(lobby.room.isEcho(ann, { ...echo, id: 3 })).toBe(false);
    expect(say(echo.clock, echo.text)).toBe("echoed");
    // From there the client counts on, and may by chance say something with a clock that was told.
    expect(say(told?.clock ?? 0, '{"x":2.5}')).toBe("changed");
    expect(say((told?.clock ?? 0) + 1, '{"x":3}')).toBe("changed");
  });
});

describe("AwarenessRoom clocks", () => {
  test("are above any before for that id and as high as the time in ms, whatever a client's are", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    lobby.sayText(ann, { id: 1, clock: Number.MAX_SAFE_INTEGER, text: '{"x":1}' });
    const first = lobby.tell().tellings[0]?.clock ?? 0;
    expect(first).toBeGreaterThanOrEqual(NOW);
    expect(first).toBeLessThan(NOW + 1_000);
    lobby.presence("ann", "busy");
    lobby.presence("ann", "idle");
    lobby.now += 5_000;
    lobby.presence("ann", "busy");
    const last = lobby.snapshot(lobby.bob)[0]?.clock ?? 0;
    expect(last).toBeGreaterThan(NOW + 5_000);
    expect(last).toBeLessThan(NOW + 6_000);
  });

  test("are new to a socket that comes back, with each snapshot", () => {
    const lobby = new Lobby();
    lobby.say(lobby.join("ann"), 1, {});
    lobby.tell();
    const clocks = [1, 2, 3].map(() => lobby.snapshot(lobby.bob)[0]?.clock ?? 0);
    expect(clocks).toEqual([...new Set(clocks)].sort((a, b) => a - b));
    expect(clocks).toHaveLength(3);
  });

  test("of a refresh tell everything again that was not told for 10 s", () => {
    const lobby = new Lobby();
    lobby.say(lobby.join("ann"), 1, {});
    lobby.tell();
    lobby.now += 9_999;
    expect(lobby.room.refresh(lobby.now)).toEqual([]);
    lobby.now += 1;
    const refreshed = lobby.room.refresh(lobby.now);
    expect(refreshed.map(({ id, to }) => [id, to]).sort()).toEqual([
      [1, "others"],
      [2, "others"],
    ]);
    lobby.screen.show(refreshed.filter(({ id }) => id === 1));
    expect(lobby.room.refresh(lobby.now)).toEqual([]);
  });
});

describe("AwarenessRoom, of a member without a socket in the room", () => {
  test("has an entry that stands in, with an id that no client can have, the same after a restart", () => {
    const [lobby, later] = [new Lobby(), new Lobby()];
    const ids = [lobby, later].map(({ screen }) => [...screen.states.keys()]);
    expect(ids[0]).toEqual(ids[1] ?? []);
    expect(ids[0]).toHaveLength(1);
    const [id = 0] = ids[0] ?? [];
    expect(id).toBeGreaterThanOrEqual(STAND_IN_IDS_FROM);
    expect(Number.isSafeInteger(id)).toBe(true);
    expect(lobby.screen.states.get(id)).toEqual({
      user: ANN,
      presence: "online",
      typing: false,
      device_id: null,
    });
  });

  test("shows it as long as others are told of the person", () => {
    const lobby = new Lobby();
    lobby.presence("cy", "idle");
    expect(lobby.screen.people).toEqual(["ANN", "CY"]);
    lobby.presence("ann", "offline");
    expect(lobby.screen.people).toEqual(["CY"]);
    lobby.presence("ann", "online");
    expect(lobby.screen.people).toEqual(["CY", "ANN"]);
  });

  test("puts that of a client in its place in the same telling, and back when the client goes", () => {
    const lobby = new Lobby();
    const [standIn = 0] = lobby.screen.states.keys();
    const ann = lobby.join("ann");
    lobby.say(ann, 1, {});
    const said = lobby.tell().tellings.map(({ id, text }) => [id, text !== null]);
    expect(said.sort()).toEqual([
      [1, true],
      [standIn, false],
    ]);
    lobby.room.leave(ann);
    lobby.tell();
    expect([...lobby.screen.states.keys()]).toEqual([standIn]);
  });

  test("waits for somebody who has just come to say something, but not for long", () => {
    const lobby = new Lobby();
    lobby.presence("ann", "offline");
    const ann = lobby.join("ann");
    lobby.presence("ann", "online");
    expect([lobby.screen.people, lobby.room.nextAt()]).toEqual([[], NOW + 100]);
    lobby.wait(99);
    expect(lobby.screen.people).toEqual([]);
    lobby.wait(1);
    expect(lobby.screen.people).toEqual(["ANN"]);
    lobby.say(ann, 1, {});
    lobby.tell();
    expect([...lobby.screen.states.keys()]).toEqual([1]);
    // Who is shown already stays while another socket opens.
    lobby.room.leave(ann);
    lobby.tell();
    lobby.join("ann");
    lobby.tell();
    expect(lobby.screen.people).toEqual(["ANN"]);
  });

  test("shows nobody for a blink who is about to be told offline, and who stays after all a moment later", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    lobby.say(ann, 1, {});
    lobby.tell();
    lobby.leaving.add("ann");
    lobby.room.leave(ann);
    expect(lobby.tell().tellings.map(({ id, text }) => [id, text])).toEqual([[1, null]]);
    expect(lobby.room.nextAt()).toBe(NOW + 100);
    lobby.leaving.delete("ann");
    lobby.wait(100);
    expect(lobby.screen.people).toEqual(["ANN"]);
  });

  test("has none for their own sockets", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    expect(lobby.snapshot(ann).map(({ participant_id }) => participant_id)).toEqual(["bob"]);
  });

  test("shows it above awareness_max_members only while they type, and again when members leave", () => {
    const lobby = new Lobby({ awareness_max_members: 3 });
    lobby.room.setMember("dee", { display_name: "DEE", avatar_url: null });
    lobby.tell();
    expect(lobby.screen.people).toEqual([]);
    lobby.typing.add("ann");
    lobby.room.touch("ann");
    lobby.tell();
    expect(lobby.screen.people).toEqual(["ANN"]);
    lobby.typing.clear();
    lobby.room.touch("ann");
    lobby.tell();
    expect(lobby.screen.people).toEqual([]);
    lobby.room.setMember("cy", undefined);
    lobby.tell();
    expect(lobby.screen.people).toEqual(["ANN"]);
  });

  test("follows names, and who leaves the room", () => {
    const lobby = new Lobby();
    lobby.room.setMember("ann", { display_name: "Anna", avatar_url: "https://x.example/a.png" });
    lobby.tell();
    expect([...lobby.screen.states.values()]).toMatchObject([
      { user: { name: "Anna", display_name: "Anna", avatar_url: "https://x.example/a.png" } },
    ]);
    lobby.room.setMember("ann", undefined);
    lobby.tell();
    expect(lobby.screen.people).toEqual([]);
    expect([lobby.room.has("ann"), [...lobby.room.members()]]).toEqual([false, ["bob", "cy"]]);
  });
});

describe("AwarenessRoom, of somebody who appears offline", () => {
  test("tells others that they are gone, and goes on telling their own other sockets", () => {
    const lobby = new Lobby();
    const [laptop, phone] = [lobby.join("ann"), lobby.join("ann", "ann-phone")];
    lobby.say(laptop, 1, {});
    lobby.say(phone, 11, {});
    lobby.tell();
    expect(lobby.screen.people).toEqual(["ANN", "ANN"]);
    lobby.effective.set("ann", "appear_offline");
    lobby.presence("ann", "offline");
    expect(lobby.screen.people).toEqual([]);
    lobby.say(laptop, 1, { x: 2 });
    const [told, ...others] = lobby.tell().tellings;
    expect(others).toEqual([]);
    expect(told).toMatchObject({ id: 1, to: "own", client: laptop });
    expect(JSON.parse(told?.text ?? "")).toMatchObject({ x: 2, presence: "appear_offline" });
    lobby.presence("ann", "online");
    expect(lobby.screen.states.get(1)).toMatchObject({ x: 2, presence: "online" });
  });

  test("finds that they type when they are seen again and say so, as when they just came", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    lobby.say(ann, 1, { typing: true });
    expect(lobby.tell().typing).toEqual([ann]);
    expect(lobby.tell().typing).toEqual([]);
    lobby.presence("ann", "offline");
    lobby.told.set("ann", "online");
    lobby.room.touch("ann");
    expect(lobby.tell().typing).toEqual([ann]);
  });

  test("keeps their id from others no longer than that of someone who has gone", () => {
    for (const isThere of [true, false]) {
      const lobby = new Lobby();
      const ann = lobby.join("ann");
      lobby.say(ann, 1, {});
      lobby.tell();
      if (!isThere) lobby.room.leave(ann);
      lobby.presence("ann", "offline");
      lobby.wait(TEN_MINUTES - 1);
      expect(lobby.say(lobby.join("cy"), 1, {})).toBeUndefined();
      lobby.wait(1);
      expect(lobby.say(lobby.join("cy"), 1, {})?.kind).toBe("bound");
      lobby.presence("cy", "online");
      lobby.presence("ann", "online");
      expect(lobby.screen.people.toSorted()).toEqual(["ANN", "CY"]);
      expect(lobby.screen.states.get(1)).toMatchObject({ user: { name: "CY" } });
    }
  });
});

describe("AwarenessRoom typing", () => {
  test("begins, goes on and ends with what an entry says; anew only after it ended", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    const typingOf = (state: object | null): string | undefined => lobby.say(ann, 1, state)?.typing;
    expect(typingOf({})).toBeUndefined();
    expect(typingOf({ typing: true })).toBe("start");
    expect(typingOf({ typing: true })).toBe("renew");
    expect(typingOf({ typing: true, x: 1 })).toBe("renew");
    expect(typingOf({ typing: "yes" })).toBe("stop");
    expect(typingOf({ typing: 1 })).toBeUndefined();
    expect(typingOf({ typing: true })).toBe("start");
    expect(typingOf(null)).toBe("stop");
  });

  test("is not begun by a connection that comes back", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    lobby.say(ann, 1, { typing: true });
    expect(lobby.tell().typing).toEqual([ann]);
    lobby.room.lose(ann, lobby.now + GRACE);
    const back = lobby.join("ann");
    expect(lobby.say(back, 1, { typing: true })?.typing).toBeUndefined();
    expect(lobby.tell().typing).toEqual([]);
  });
});

describe("AwarenessRoom, of a socket that goes", () => {
  test("takes its entries away at once when it signs off, and when it says that there is nothing any more", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    lobby.sayText(ann, { id: 1, clock: 5, text: "{}" });
    lobby.tell();
    expect(lobby.room.isSpeaking(ann)).toBe(true);
    // Clients do not raise their clock for it.
    expect(lobby.sayText(ann, { id: 1, clock: 5, text: "null" })?.kind).toBe("left");
    expect(lobby.room.isSpeaking(ann)).toBe(false);
    lobby.presence("ann", "offline");
    expect(lobby.screen.people).toEqual([]);
    expect(lobby.sayText(ann, { id: 1, clock: 6, text: "null" })).toBeUndefined();
    expect(lobby.sayText(ann, { id: 1, clock: 7, text: "{}" })?.kind).toBe("bound");
    lobby.presence("ann", "online");
    expect([...lobby.screen.states.keys()]).toEqual([1]);
    lobby.room.leave(ann);
    lobby.presence("ann", "offline");
    expect(lobby.screen.people).toEqual([]);
  });

  test("lets them linger when it was lost, and tells nothing when it is back with its id in time", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    lobby.say(ann, 1, { x: 1 });
    lobby.tell();
    lobby.room.lose(ann, lobby.now + GRACE);
    expect(lobby.tell().tellings).toEqual([]);
    lobby.wait(9_999);
    const back = lobby.join("ann");
    lobby.say(back, 1, { x: 1 });
    expect(lobby.tell().tellings).toEqual([]);
    lobby.wait(60_000);
    expect([...lobby.screen.states.keys()]).toEqual([1]);
  });

  test("takes them away when they have lingered", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    lobby.say(ann, 1, {});
    lobby.tell();
    lobby.room.lose(ann, lobby.now + GRACE);
    expect(lobby.room.nextAt()).toBe(NOW + 10_000);
    lobby.wait(9_999);
    expect([...lobby.screen.states.keys()]).toEqual([1]);
    lobby.leaving.add("ann");
    lobby.wait(1);
    expect([...lobby.screen.states.keys()]).toEqual([]);
  });

  test("ends what lingers of a device that signs off, and of no other and nobody else", () => {
    const lobby = new Lobby();
    const gone = [
      [lobby.join("ann"), 1],
      [lobby.join("ann", "ann-phone"), 11],
      [lobby.join("cy", "ann-laptop"), 3],
    ] as const;
    lobby.presence("cy", "online");
    for (const [client, id] of gone) lobby.say(client, id, {});
    lobby.tell();
    for (const [client] of gone) lobby.room.lose(client, lobby.now + GRACE);
    lobby.room.signOff("ann", "ann-laptop");
    lobby.tell();
    expect([...lobby.screen.states.keys()].sort((a, b) => a - b)).toEqual([3, 11]);
  });

  test("replaces one that lingers by a new id of the person in the same telling, first one of the same device", () => {
    const lobby = new Lobby();
    const [phone, laptop] = [lobby.join("ann", "ann-phone"), lobby.join("ann")];
    lobby.say(phone, 11, {});
    lobby.say(laptop, 1, {});
    lobby.tell();
    lobby.room.lose(phone, lobby.now + GRACE);
    lobby.room.lose(laptop, lobby.now + GRACE);
    lobby.tell();
    lobby.say(lobby.join("ann"), 3, {});
    const said = lobby.tell().tellings.filter(({ to }) => to === "others");
    expect(said.map(({ id, text }) => [id, text !== null]).sort()).toEqual([
      [1, false],
      [3, true],
    ]);
    expect([...lobby.screen.states.keys()].sort()).toEqual([11, 3]);
    lobby.say(lobby.join("ann", "ann-tablet"), 4, {});
    lobby.tell();
    expect([...lobby.screen.states.keys()].sort()).toEqual([3, 4]);
  });
});

describe("AwarenessRoom ids", () => {
  const claimOf = (lobby: Lobby, who: AwarenessClient, id: number, clock: number): string =>
    lobby.room.claim(who, { id, clock, isNull: false }, lobby.now);

  test("are somebody's: what another says of them is foreign, and forged if it cannot have been heard", () => {
    const lobby = new Lobby();
    lobby.say(lobby.join("ann"), 1, {});
    const clock = lobby.tell().tellings[0]?.clock ?? 0;
    expect(claimOf(lobby, lobby.bob, 1, clock)).toBe("foreign");
    expect(claimOf(lobby, lobby.bob, 1, 3)).toBe("foreign");
    expect(claimOf(lobby, lobby.bob, 1, clock + 1)).toBe("forged");
    expect(claimOf(lobby, lobby.join("cy"), 1, Number.MAX_SAFE_INTEGER)).toBe("forged");
    // Whoever has it by chance is not forging, also once its client has taken over the clock that it was told.
    const loser = lobby.join("cy");
    expect(claimOf(lobby, loser, 1, 1)).toBe("foreign");
    expect(claimOf(lobby, loser, 1, clock + 1)).toBe("foreign");
    // The loser has no id, and is shown all the same.
    lobby.presence("cy", "online");
    lobby.wait(100);
    expect(lobby.screen.people.toSorted()).toEqual(["ANN", "CY"]);
  });

  test("that are somebody else's by chance are told to their loser under another id, as long as they are", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    lobby.say(ann, 1, { x: 1 });
    const [told] = lobby.tell().tellings;
    const [cy, echoing] = [lobby.join("cy"), lobby.join("cy", "cy-phone")];
    expect([...lobby.room.losers()]).toEqual([]);
    expect(claimOf(lobby, cy, 1, 1)).toBe("foreign");
    // Whoever repeats what they were told has not begun with it.
    expect(claimOf(lobby, echoing, 1, told?.clock ?? 0)).toBe("foreign");
    expect([...lobby.room.losers()]).toEqual([cy]);
    const others = lobby.room.snapshot(lobby.now);
    const heard = lobby.room.asHeardBy(cy, others);
    const alias = heard[0]?.id ?? 0;
    expect(alias).toBeGreaterThanOrEqual(STAND_IN_IDS_FROM);
    expect(heard).toEqual(others.map((each) => ({ ...each, id: each.id === 1 ? alias : each.id })));
    for (const client of [echoing, ann, lobby.bob])
      expect(lobby.room.asHeardBy(client, others)).toBe(others);
    lobby.room.leave(ann);
    lobby.presence("ann", "offline");
    const gone = lobby.room.asHeardBy(cy, lobby.room.snapshot(lobby.now, 0));
    expect(gone.map(({ id, text }) => [id, text])).toContainEqual([alias, null]);
    // What was kept for Ann is Cy's once it is kept no longer.
    lobby.wait(TEN_MINUTES);
    expect(lobby.say(cy, 1, {})?.kind).toBe("bound");
    expect([...lobby.room.losers()]).toEqual([]);
  });

  test("of somebody who has long appeared offline are whoever's comes, and are told to neither as their own", () => {
    const lobby = new Lobby();
    const cy = lobby.join("cy");
    lobby.say(cy, 1, {});
    lobby.tell();
    const ann = lobby.join("ann");
    expect(lobby.say(ann, 1, {})?.kind).toBe("bound");
    lobby.tell();
    expect([...lobby.room.losers()]).toEqual([cy]);
    const told = lobby.room.asHeardBy(cy, lobby.room.snapshot(lobby.now));
    expect(told.map(({ id }) => id)).not.toContain(1);
    lobby.room.leave(cy);
    expect([...lobby.room.losers()]).toEqual([]);
  });

  test("tell by what is forged nothing of whether somebody who hides was told something", () => {
    const kinds = [false, true].map((joins) => {
      const lobby = new Lobby();
      lobby.say(lobby.join("ann"), 1, {});
      const clock = lobby.tell().tellings[0]?.clock ?? 0;
      lobby.wait(5_000);
      if (joins) lobby.snapshot(lobby.join("cy"));
      return claimOf(lobby, lobby.bob, 1, clock + 50);
    });
    expect(kinds).toEqual(["foreign", "foreign"]);
  });

  test("of those who stand in are nobody's to speak for", () => {
    const lobby = new Lobby();
    const [id = 0] = lobby.screen.states.keys();
    expect(claimOf(lobby, lobby.join("ann"), id, 1)).toBe("foreign");
    expect(claimOf(lobby, lobby.join("ann"), STAND_IN_IDS_FROM, 1)).toBe("foreign");
    expect(claimOf(lobby, lobby.join("ann"), id, NOW * 2)).toBe("forged");
  });

  test("stay their person's for 10 minutes after others were last told, and for whoever comes then", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    lobby.say(ann, 1, {});
    lobby.tell();
    lobby.room.leave(ann);
    lobby.presence("ann", "offline");
    lobby.wait(TEN_MINUTES - 1);
    expect(claimOf(lobby, lobby.join("cy"), 1, 1)).toBe("foreign");
    expect(claimOf(lobby, lobby.join("ann"), 1, 1)).toBe("own");
    expect(lobby.room.nextAt()).toBe(NOW + TEN_MINUTES);
    lobby.wait(1);
    expect(claimOf(lobby, lobby.join("cy"), 1, 1)).toBe("own");
  });

  test("that others were never told of are not kept", () => {
    const lobby = new Lobby();
    lobby.told.set("cy", "offline");
    const cy = lobby.join("cy");
    lobby.say(cy, 3, {});
    lobby.tell();
    lobby.room.leave(cy);
    lobby.tell();
    expect(claimOf(lobby, lobby.join("ann"), 3, 1)).toBe("own");
  });

  test("a socket has 16 at most; more are forged", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    for (let id = 101; id <= 116; id += 1) expect(lobby.say(ann, id, {})?.kind).toBe("bound");
    expect(claimOf(lobby, ann, 117, 1)).toBe("forged");
    expect(claimOf(lobby, ann, 116, NOW)).toBe("own");
    lobby.tell();
    expect(lobby.screen.states.size).toBe(16);
  });

  test("further ones bind only if the room does not know them", () => {
    const lobby = new Lobby();
    const [laptop, phone] = [lobby.join("ann"), lobby.join("ann", "ann-phone")];
    lobby.say(laptop, 1, {});
    lobby.say(phone, 11, {});
    lobby.tell();
    lobby.room.lose(phone, lobby.now + GRACE);
    // It repeats what its own person's other socket said.
    expect(claimOf(lobby, laptop, 11, 1)).toBe("foreign");
    expect(claimOf(lobby, laptop, 12, 1)).toBe("own");
  });

  test("are kept for a person up to 64, the latest", () => {
    const lobby = new Lobby();
    for (let id = 101; id <= 165; id += 1) {
      const ann = lobby.join("ann");
      lobby.say(ann, id, {});
      lobby.tell();
      lobby.room.leave(ann);
      lobby.tell();
    }
    expect(claimOf(lobby, lobby.join("cy"), 101, 1)).toBe("own");
    expect(claimOf(lobby, lobby.join("cy"), 102, 1)).toBe("foreign");
  });

  test("that are kept for nobody any more are no one's who was told of them and repeats it", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    lobby.say(ann, 101, { says: "I am Bob" });
    const [told] = lobby.tell().tellings;
    lobby.room.leave(ann);
    lobby.tell();
    lobby.wait(TEN_MINUTES + 1);
    const repeated = told?.clock ?? 0;
    expect(repeated).toBeGreaterThan(NOW - 1);
    expect(claimOf(lobby, lobby.bob, 101, repeated)).toBe("foreign");
    // Clients begin with the lowest clocks, and who is back with whatever theirs has become.
    expect(claimOf(lobby, lobby.bob, 101, 1)).toBe("own");
    expect(claimOf(lobby, lobby.join("bob"), 101, repeated)).toBe("own");
  });

  test("are taken over from the same person's older socket right after opening, and not later", () => {
    const lobby = new Lobby();
    const old = lobby.join("ann");
    lobby.say(old, 1, { x: 1 });
    lobby.tell();
    const late = lobby.join("ann");
    const back = lobby.join("ann");
    expect(lobby.say(back, 1, { x: 1 })).toMatchObject({ kind: "bound", replaced: old });
    lobby.room.leave(old);
    expect(lobby.tell().tellings.filter(({ to }) => to === "others")).toEqual([]);
    lobby.wait(2_001);
    expect(claimOf(lobby, late, 1, 1)).toBe("foreign");
  });

  test("that a socket only heard of from another tab go to that tab, and close nobody", () => {
    const lobby = new Lobby();
    const first = lobby.join("ann");
    lobby.say(first, 1, {});
    // It hears the second tab by a BroadcastChannel before that is connected.
    expect(lobby.say(first, 11, { x: 1 })?.kind).toBe("bound");
    lobby.wait(5_000);
    const second = lobby.join("ann", "ann-phone");
    lobby.wait(5_000);
    expect(lobby.say(second, 11, { x: 2 })).toMatchObject({ kind: "bound", replaced: undefined });
    lobby.tell();
    expect(lobby.screen.states.get(11)).toMatchObject({ x: 2, device_id: "ann-phone" });
    expect(claimOf(lobby, first, 11, NOW)).toBe("foreign");
  });

  test("nobody can end others' entries; whoever takes one for gone that is there is mistaken", () => {
    const lobby = new Lobby();
    const ann = lobby.join("ann");
    lobby.say(ann, 1, {});
    const clock = lobby.tell().tellings.find(({ id }) => id === 1)?.clock ?? 0;
    const claim = (clock: number): string =>
      lobby.room.claim(lobby.bob, { id: 1, clock, isNull: true }, lobby.now);
    expect(claim(clock)).toBe("mistaken");
    expect(claim(clock + 1)).toBe("forged");
    lobby.room.leave(ann);
    lobby.presence("ann", "offline");
    const gone = lobby.snapshot(lobby.bob, NOW).find(({ id }) => id === 1);
    expect(gone?.text).toBeNull();
    // It only repeats what it was told, also where the person has come back since.
    expect(claim(gone?.clock ?? 0)).toBe("foreign");
    lobby.say(lobby.join("ann"), 1, {});
    lobby.presence("ann", "online");
    expect(claim(gone?.clock ?? 0)).toBe("foreign");
    // And an id that nobody has is not bound by saying that it is gone.
    expect(lobby.room.claim(lobby.join("cy"), { id: 9, clock: 1, isNull: true }, NOW)).toBe(
      "foreign",
    );
  });
});

describe("AwarenessRoom snapshot()", () => {
  test("has the entries of others, and those of the person's other sockets once it speaks for an id", () => {
    const lobby = new Lobby();
    const [laptop, phone] = [lobby.join("ann"), lobby.join("ann", "ann-phone")];
    lobby.say(laptop, 1, {});
    lobby.tell();
    const idsOf = (client: AwarenessClient): number[] => lobby.snapshot(client).map(({ id }) => id);
    expect(idsOf(phone)).toEqual([2]);
    lobby.say(phone, 11, {});
    const told = lobby.tell().tellings.filter(({ to }) => to === "own");
    expect(told.map(({ id }) => id)).toEqual([1, 11]);
    expect(idsOf(phone)).toEqual([2, 1]);
    expect(lobby.room.siblings(phone, lobby.now).map(({ id, to }) => [id, to])).toEqual([
      [1, "own"],
    ]);
    expect(idsOf(laptop)).toEqual([2, 11]);
  });

  test("leaves it to a refresh to tell everybody else: to them nothing is newer for it", () => {
    const lobby = new Lobby();
    lobby.say(lobby.join("ann"), 1, {});
    lobby.tell();
    lobby.now += 9_000;
    lobby.room.snapshot(lobby.now);
    lobby.now += 1_000;
    expect(lobby.room.refresh(lobby.now).map(({ id }) => id)).toEqual([1, 2]);
  });

  test("is in the order of ids, which tells nobody who had only hidden", () => {
    const lobby = new Lobby();
    for (const id of [30, 10, 20]) lobby.say(lobby.join("ann", `d${id}`), id, {});
    lobby.tell();
    expect(lobby.room.snapshot(lobby.now).map(({ id }) => id)).toEqual([2, 10, 20, 30]);
  });

  test("has what is gone since a moment, for a socket that missed it", () => {
    const lobby = new Lobby();
    lobby.say(lobby.join("ann"), 1, {});
    lobby.tell();
    lobby.now += 1_000;
    lobby.presence("ann", "offline");
    const goneIds = (since: number): number[] =>
      lobby
        .snapshot(lobby.bob, since)
        .filter(({ text }) => text === null)
        .map(({ id }) => id);
    expect(goneIds(NOW + 1_001)).toEqual([]);
    expect(goneIds(NOW + 1_000)).toContain(1);
  });
});

describe("an AwarenessRoom that nobody is in", () => {
  test("can be forgotten once no id is kept any more", () => {
    const lobby = new Lobby();
    lobby.room.leave(lobby.bob);
    lobby.tell();
    expect(lobby.room.isForgettable).toBe(false);
    lobby.wait(TEN_MINUTES);
    expect([lobby.room.isForgettable, lobby.room.nextAt(), lobby.room.size]).toEqual([
      true,
      undefined,
      2,
    ]);
  });
});
