import { describe, expect, test } from "bun:test";
import {
  type AwarenessClient,
  AwarenessElsewhere,
  AwarenessRoom,
  type AwarenessShare,
  type AwarenessTelling,
  MAX_AWARENESS_BYTES,
  partsOf,
  STAND_IN_IDS_FROM,
  wholeOf,
} from "@porchlight/core/awareness";
import {
  AwarenessNode,
  GRACE_MS,
  type NodeMessage,
  type Viewer,
} from "../support/awareness-nodes.ts";

const NOW = 1_700_000_000_000;
const TEN_MINUTES = 600_000;
/** For so long it is waited for what is to be heard of presence. */
const APART_MS = 100;

/** Somebody at a socket: what it shows by id, and what was told of each. */
class Screen implements Viewer {
  readonly person: string;
  readonly states = new Map<number, Record<string, unknown>>();
  readonly told: (readonly [id: number, isThere: boolean])[] = [];
  readonly clocks = new Map<number, number>();
  isReplaced = false;

  constructor(person: string) {
    this.person = person;
  }

  hear(tellings: readonly AwarenessTelling[]): void {
    for (const { id, clock, text } of tellings) {
      expect(clock).toBeGreaterThan(this.clocks.get(id) ?? 0);
      this.clocks.set(id, clock);
      this.told.push([id, text !== null]);
      if (text === null) this.states.delete(id);
      else this.states.set(id, JSON.parse(text));
    }
  }

  replaced(): void {
    this.isReplaced = true;
  }

  /** Whose entries there are, those that stand in for somebody in brackets. */
  get people(): string[] {
    const names = [...this.states].map(([id, { user }]) => {
      const { name } = user as { name: string };
      return id >= STAND_IN_IDS_FROM ? `(${name})` : `${name} ${id}`;
    });
    return names.sort();
  }
}

/** A socket of somebody, on one of the nodes. */
class Seat {
  readonly screen: Screen;
  readonly client: AwarenessClient;
  readonly #lobby: Lobby;
  readonly #node: AwarenessNode;

  constructor(lobby: Lobby, node: AwarenessNode, device: string, screen: Screen) {
    this.#lobby = lobby;
    this.#node = node;
    this.screen = screen;
    this.client = node.open(screen, device);
  }

  /** Says something as a client would, if the id is its own. Answers whether it was. */
  say(id: number, state: object | null): boolean {
    this.#lobby.clock += 1;
    const said = { id, clock: this.#lobby.clock, text: JSON.stringify(state) };
    return this.#node.say(this.client, said) !== undefined;
  }

  part(how: "lost" | "left"): void {
    this.#node.part(this.client, how);
  }
}

interface Sent {
  readonly to: AwarenessNode;
  readonly from: string;
  readonly message: NodeMessage;
}

/** Two nodes with a lobby of which Ann, Bob and Cy are members; what is sent waits until it is delivered. */
class Lobby {
  readonly a: AwarenessNode;
  readonly b: AwarenessNode;
  now = NOW;
  clock = 0;
  #sent: Sent[] = [];

  /** @param aheadMs by how much the clock of the first is ahead. */
  constructor(aheadMs = 0) {
    const node = (name: string, ahead: number): AwarenessNode => {
      const made: AwarenessNode = new AwarenessNode({
        name,
        now: () => this.now + ahead,
        send: (_to, message) =>
          void this.#sent.push({ to: made === this.a ? this.b : this.a, from: name, message }),
      });
      for (const id of ["ann", "bob", "cy"]) {
        made.room.setMember(id, { display_name: id, avatar_url: null });
        made.told.set(id, id === "cy" ? "offline" : "online");
      }
      return made;
    };
    this.a = node("a", aheadMs);
    this.b = node("b", 0);
  }

  open(node: AwarenessNode, person: string, device = `${person}-laptop`): Seat {
    return new Seat(this, node, device, new Screen(person));
  }

  /** What has been sent and not delivered. */
  get sent(): readonly NodeMessage[] {
    return this.#sent.map(({ message }) => message);
  }

  /** Takes what has been sent out of what is delivered. */
  take(): readonly Sent[] {
    const taken = this.#sent;
    this.#sent = [];
    return taken;
  }

  /** Ends the turn: both tell what there is, and hear what was sent. */
  turn(): void {
    this.tell();
    while (this.#sent.length > 0) this.deliver(this.take());
    this.tell();
  }

  tell(): void {
    this.a.run();
    this.b.run();
  }

  deliver(sent: readonly Sent[]): void {
    for (const { to, from, message } of sent) to.hear(from, message);
    this.tell();
  }

  presence(person: string, state: "online" | "offline"): void {
    for (const node of [this.a, this.b]) {
      node.told.set(person, state);
      node.room.touch(person);
    }
    this.turn();
  }

  wait(ms: number): void {
    this.now += ms;
    this.turn();
  }
}

describe("AwarenessRooms of two nodes", () => {
  test("show the entries of each other's sockets, with what each of them says last", () => {
    const lobby = new Lobby();
    const [ann, bob] = [lobby.open(lobby.a, "ann"), lobby.open(lobby.b, "bob")];
    ann.say(1, { x: 1, user: { color: "red", name: "Bob" }, device_id: "bob-laptop" });
    bob.say(2, {});
    lobby.turn();
    expect(ann.screen.people).toEqual(["bob 2"]);
    expect(bob.screen.states.get(1)).toEqual({
      x: 1,
      user: {
        color: "red",
        participant_id: "ann",
        display_name: "ann",
        avatar_url: null,
        name: "ann",
      },
      presence: "online",
      typing: false,
      device_id: "ann-laptop",
    });
    ann.say(1, { x: 2 });
    lobby.turn();
    expect(bob.screen.states.get(1)).toMatchObject({ x: 2 });
  });

  test("show nobody otherwise between their presence and what they say", () => {
    const lobby = new Lobby();
    const bob = lobby.open(lobby.b, "bob");
    bob.say(2, {});
    lobby.turn();
    const cy = lobby.open(lobby.a, "cy");
    lobby.tell();
    lobby.deliver(lobby.take());
    lobby.b.told.set("cy", "online");
    lobby.b.room.touch("cy");
    lobby.tell();
    cy.say(3, {});
    lobby.turn();
    expect(bob.screen.told.filter(([id]) => id !== 1 && id !== 2).map(([id]) => id)).toContain(3);
    expect(bob.screen.people).toEqual(["(ann)", "cy 3"]);
    expect(bob.screen.told).not.toContainEqual([expect.any(Number), false]);
  });

  test("tell each other of one turn in one batch, and of each id only what was said last", () => {
    const lobby = new Lobby();
    const [ann, cy] = [lobby.open(lobby.a, "ann"), lobby.open(lobby.a, "cy")];
    for (const x of [1, 2, 3]) ann.say(1, { x });
    cy.part("left");
    lobby.tell();
    const [message, ...others] = lobby.sent;
    expect(others).toEqual([]);
    const { deeds } = message?.kind === "batch" ? message.batch : { deeds: [] };
    expect(deeds.map(({ did }) => did)).toEqual(["opened", "opened", "said", "left"]);
    expect(deeds[2]).toMatchObject({ id: 1, text: '{"x":3}', participant_id: "ann" });
  });

  test("tell each other nothing of what changes nothing: renewals, echoes, what is refused or somebody else's", () => {
    const lobby = new Lobby();
    const [ann, bob] = [lobby.open(lobby.a, "ann"), lobby.open(lobby.b, "bob")];
    ann.say(1, { x: 1 });
    bob.say(2, {});
    lobby.turn();
    expect(ann.say(1, { x: 1 })).toBe(true);
    ann.say(1, { x: "x".repeat(MAX_AWARENESS_BYTES) });
    ann.say(2, { x: 3 });
    bob.say(1, null);
    lobby.tell();
    expect(lobby.sent).toEqual([]);
  });

  test("tell each other much in several batches, none of them large", () => {
    const lobby = new Lobby();
    const bob = lobby.open(lobby.b, "bob");
    for (let device = 0; device < 60; device += 1) {
      const state = { x: "x".repeat(MAX_AWARENESS_BYTES - 10) };
      lobby
        .open(lobby.a, device < 16 ? "ann" : `p${device}`, `d${device}`)
        .say(100 + device, state);
    }
    lobby.tell();
    const sizes = lobby.sent.map((message) => JSON.stringify(message).length);
    expect(sizes.length).toBeGreaterThan(1);
    expect(Math.max(...sizes)).toBeLessThan(200_000);
    lobby.turn();
    expect(bob.screen.people.filter((name) => name.startsWith("ann"))).toHaveLength(16);
  });

  test("tell of a socket that goes once, and for how long it lingers from then on", () => {
    const room = new AwarenessRoom("lobby", { coalesce_ms: 100, awareness_max_members: 500 }, "a");
    const [lost, left] = [room.join("ann", "phone", NOW), room.join("ann", "laptop", NOW)];
    const nobody = { visible: () => "offline" as const };
    room.batch(nobody, NOW);
    room.lose(lost, NOW + GRACE_MS);
    room.leave(left);
    expect(room.batch(nobody, NOW + 1_000)?.deeds).toMatchObject([
      { did: "lost", device_id: "phone", lingers_ms: GRACE_MS - 1_000 },
      { did: "left", device_id: "laptop" },
    ]);
    for (const each of [lost, left]) {
      room.leave(each);
      room.lose(each, NOW);
    }
    expect([room.hasBatch, room.batch(nobody, NOW)]).toEqual([false, undefined]);
  });

  test("end what a device left lingering that signs off, on both", () => {
    const lobby = new Lobby();
    const [ann, bob] = [lobby.open(lobby.a, "ann"), lobby.open(lobby.b, "bob")];
    ann.say(1, {});
    lobby.turn();
    ann.part("lost");
    lobby.turn();
    for (const { room } of [lobby.a, lobby.b]) room.signOff("ann", "ann-laptop");
    lobby.turn();
    expect(bob.screen.people).toEqual(["(ann)"]);
  });

  test("show each other nothing of somebody who hides, but their own sockets", () => {
    const lobby = new Lobby();
    const [ann, bob] = [lobby.open(lobby.a, "ann"), lobby.open(lobby.b, "bob")];
    const phone = lobby.open(lobby.b, "ann", "ann-phone");
    ann.say(1, {});
    phone.say(11, {});
    bob.say(2, {});
    lobby.presence("ann", "offline");
    bob.screen.told.length = 0;
    ann.say(1, { x: 1 });
    lobby.turn();
    expect([bob.screen.people, bob.screen.told]).toEqual([[], []]);
    expect(phone.screen.states.get(1)).toMatchObject({ x: 1 });
    lobby.presence("ann", "online");
    expect(bob.screen.people).toEqual(["ann 1", "ann 11"]);
  });
});

describe("an AwarenessRoom, of a client that moves from one node to another", () => {
  test("tells nothing to anybody while it lingers, and takes it over with what it says next", () => {
    const lobby = new Lobby();
    const watching = [lobby.open(lobby.a, "bob"), lobby.open(lobby.b, "cy")];
    const ann = lobby.open(lobby.a, "ann");
    ann.say(1, { x: 1 });
    lobby.turn();
    for (const { screen } of watching) screen.told.length = 0;
    ann.part("lost");
    lobby.turn();
    lobby.wait(GRACE_MS - 1);
    const back = lobby.open(lobby.b, "ann");
    expect(back.say(1, { x: 1 })).toBe(true);
    lobby.turn();
    lobby.wait(GRACE_MS);
    const heard = watching.map(({ screen }) => screen.told.filter(([id]) => id === 1));
    // Only what is refreshed every now and then.
    expect(heard.flat().filter(([, isThere]) => !isThere)).toEqual([]);
    back.say(1, { x: 2 });
    lobby.turn();
    for (const { screen } of watching) expect(screen.states.get(1)).toMatchObject({ x: 2 });
  });

  test("closes its connection to the node before, which has not missed it yet, and tells nobody", () => {
    const lobby = new Lobby();
    const [bob, ann] = [lobby.open(lobby.a, "bob"), lobby.open(lobby.a, "ann")];
    ann.say(1, { x: 1 });
    lobby.turn();
    bob.screen.told.length = 0;
    const back = lobby.open(lobby.b, "ann");
    expect(back.say(1, { x: 1 })).toBe(true);
    lobby.turn();
    expect([ann.screen.isReplaced, back.screen.isReplaced]).toEqual([true, false]);
    expect([bob.screen.people, bob.screen.told]).toEqual([["ann 1"], []]);
  });

  test("closes one of two connections with the same id, whichever is heard of first", () => {
    for (const isReversed of [false, true]) {
      const lobby = new Lobby();
      const [here, there] = [lobby.open(lobby.a, "ann"), lobby.open(lobby.b, "ann")];
      for (const each of [here, there]) expect(each.say(1, { x: 1 })).toBe(true);
      lobby.tell();
      const sent = lobby.take();
      lobby.deliver(isReversed ? sent.toReversed() : sent);
      lobby.turn();
      expect([here.screen.isReplaced, there.screen.isReplaced]).toEqual([true, false]);
      const cy = lobby.open(lobby.a, "cy");
      cy.say(3, {});
      there.say(1, { x: 2 });
      lobby.turn();
      expect(cy.screen.states.get(1)).toMatchObject({ x: 2 });
    }
  });

  test("lets an older connection have no id of a later one elsewhere, and one that opened long ago none at all", () => {
    const lobby = new Lobby();
    const old = lobby.open(lobby.a, "ann");
    lobby.turn();
    const later = lobby.open(lobby.b, "ann");
    later.say(1, {});
    lobby.turn();
    expect(old.say(1, {})).toBe(false);
    lobby.now += 1;
    const latest = lobby.open(lobby.a, "ann");
    lobby.now += 2_001;
    expect(latest.say(1, {})).toBe(false);
    lobby.turn();
    expect(later.screen.isReplaced).toBe(false);
  });

  test("lets a tab have its id that another one only handed on elsewhere, though it came later", () => {
    const lobby = new Lobby();
    const second = lobby.open(lobby.b, "ann", "ann-phone");
    lobby.now += 10;
    const first = lobby.open(lobby.a, "ann");
    for (const id of [1, 11]) expect(first.say(id, {})).toBe(true);
    expect(second.say(11, { x: 1 })).toBe(true);
    lobby.turn();
    expect([first.screen.isReplaced, second.screen.isReplaced]).toEqual([false, false]);
    const watching = [lobby.a, lobby.b].map((node) => lobby.open(node, "bob"));
    lobby.turn();
    for (const { screen } of watching)
      expect(screen.states.get(11)).toMatchObject({ x: 1, device_id: "ann-phone" });
  });

  test("closes the connection that opened first, also where neither node had heard of the other", () => {
    const lobby = new Lobby();
    for (let socket = 0; socket < 5; socket += 1) lobby.open(lobby.a, "cy", `d${socket}`);
    const here = lobby.open(lobby.a, "ann");
    here.say(1, {});
    lobby.tell();
    const unheard = lobby.take();
    lobby.now += 100;
    const there = lobby.open(lobby.b, "ann");
    there.say(1, {});
    lobby.tell();
    lobby.deliver([...unheard, ...lobby.take()]);
    expect([here.screen.isReplaced, there.screen.isReplaced]).toEqual([true, false]);
  });

  test("puts a new id of the person in the place of one that lingers of another node, in one telling", () => {
    const lobby = new Lobby();
    const [bob, ann] = [lobby.open(lobby.b, "bob"), lobby.open(lobby.a, "ann")];
    ann.say(1, {});
    lobby.turn();
    ann.part("lost");
    lobby.turn();
    bob.screen.told.length = 0;
    lobby.open(lobby.b, "ann").say(4, {});
    lobby.turn();
    expect(bob.screen.told.toSorted()).toEqual([
      [1, false],
      [4, true],
    ]);
    expect(lobby.a.room.isLingering).toBe(false);
  });

  test("lets two tabs of a browser on two nodes live that hand each other's entries on", () => {
    const lobby = new Lobby();
    const [first, second] = [lobby.open(lobby.a, "ann"), lobby.open(lobby.b, "ann", "ann-phone")];
    first.say(1, { x: 1 });
    second.say(11, {});
    lobby.turn();
    lobby.now += 5_000;
    // The second hands on what it was told there, with a clock that nobody knows here.
    const text = JSON.stringify(second.screen.states.get(1));
    const said = { id: 1, clock: lobby.now, text };
    expect(lobby.a.say(first.client, said)?.kind).toBe("echoed");
    expect(lobby.a.room.isEcho(first.client, said)).toBe(true);
    first.say(1, { x: 2 });
    expect(lobby.a.say(first.client, { ...said, clock: said.clock + 1 })?.kind).not.toBe("echoed");
  });
});

describe("an AwarenessRoom, of a client that leaves another node", () => {
  test("shows it for a moment, unless it is heard before that its person is offline", () => {
    for (const isHeard of [true, false]) {
      const lobby = new Lobby();
      const [bob, ann] = [lobby.open(lobby.b, "bob"), lobby.open(lobby.a, "ann")];
      ann.say(1, {});
      lobby.turn();
      bob.screen.told.length = 0;
      // That node knows that they are offline.
      lobby.a.told.set("ann", "offline");
      ann.part("left");
      lobby.turn();
      expect(bob.screen.people).toEqual(["ann 1"]);
      if (isHeard) lobby.presence("ann", "offline");
      else lobby.wait(APART_MS);
      expect(bob.screen.told).toEqual(
        isHeard ? [[1, false]] : expect.arrayContaining([[1, false]]),
      );
      expect(bob.screen.people).toEqual(isHeard ? [] : ["(ann)"]);
    }
  });

  test("shows at once who stays otherwise, by one that stands in", () => {
    for (const leave of [(seat: Seat) => seat.part("left"), (seat: Seat) => seat.say(1, null)]) {
      const lobby = new Lobby();
      const [bob, ann] = [lobby.open(lobby.b, "bob"), lobby.open(lobby.a, "ann")];
      ann.say(1, {});
      lobby.turn();
      bob.screen.told.length = 0;
      leave(ann);
      lobby.turn();
      expect(bob.screen.people).toEqual(["(ann)"]);
      expect(bob.screen.told).toHaveLength(2);
    }
  });

  test("shows it again as soon as it says something again, and not for long what it says no more", () => {
    const lobby = new Lobby();
    const [bob, ann] = [lobby.open(lobby.b, "bob"), lobby.open(lobby.a, "ann")];
    ann.say(1, {});
    lobby.turn();
    bob.screen.told.length = 0;
    lobby.a.told.set("ann", "offline");
    ann.say(1, null);
    lobby.turn();
    ann.say(1, { x: 2 });
    lobby.turn();
    lobby.wait(1_000);
    expect(bob.screen.states.get(1)).toMatchObject({ x: 2 });
    expect(bob.screen.told).not.toContainEqual([1, false]);
    // Lost after that, it does not linger as what was said would.
    ann.say(1, null);
    lobby.turn();
    ann.part("lost");
    lobby.turn();
    lobby.wait(APART_MS);
    expect(bob.screen.people).toEqual(["(ann)"]);
  });

  test("lets it linger as long as there, when it was lost", () => {
    const lobby = new Lobby();
    const [bob, ann] = [lobby.open(lobby.b, "bob"), lobby.open(lobby.a, "ann")];
    ann.say(1, {});
    lobby.turn();
    ann.part("lost");
    lobby.turn();
    lobby.wait(GRACE_MS);
    expect(bob.screen.people).toEqual(["ann 1"]);
    lobby.wait(APART_MS);
    expect(bob.screen.people).toEqual(["(ann)"]);
  });

  test("lets those of a node that is no more linger for as long as is said, and tells whoever asks of them", () => {
    const lobby = new Lobby();
    const [bob, ann] = [lobby.open(lobby.b, "bob"), lobby.open(lobby.a, "ann")];
    ann.say(1, {});
    lobby.open(lobby.a, "ann", "ann-phone").say(11, {});
    lobby.turn();
    ann.part("lost");
    lobby.turn();
    // As long as there is who knows better, only that one tells of it.
    expect(lobby.b.room.share(NOW).lingering).toEqual([]);
    expect(lobby.a.room.share(NOW).lingering).toMatchObject([{ id: 1, lingers_ms: GRACE_MS }]);
    lobby.b.gone("a", 5_000);
    lobby.b.run();
    expect(bob.screen.people).toEqual(["ann 1", "ann 11"]);
    const lingering = { participant_id: "ann", text: "{}", lingers_ms: 5_000 + APART_MS };
    expect(lobby.b.room.share(NOW).lingering).toEqual([
      { ...lingering, id: 1, device_id: "ann-laptop" },
      { ...lingering, id: 11, device_id: "ann-phone" },
    ]);
    lobby.now += 5_000 + APART_MS;
    lobby.b.run();
    expect(bob.screen.people).toEqual(["(ann)"]);
  });
});

describe("an id in AwarenessRooms of two nodes", () => {
  test("is kept for its person on both, and for whoever comes after ten minutes", () => {
    const lobby = new Lobby();
    const [ann, bob] = [lobby.open(lobby.a, "ann"), lobby.open(lobby.b, "bob")];
    ann.say(1, {});
    lobby.turn();
    ann.part("left");
    lobby.presence("ann", "offline");
    lobby.wait(TEN_MINUTES - 1);
    expect(bob.say(1, {})).toBe(false);
    const again = lobby.open(lobby.b, "ann");
    expect(again.say(1, {})).toBe(true);
    again.part("left");
    lobby.wait(2);
    expect(lobby.open(lobby.b, "bob").say(1, {})).toBe(true);
  });

  test("that two people begin with at once is that of each on the own node, and the other is shown by one that stands in", () => {
    const lobby = new Lobby();
    const [ann, bob] = [lobby.open(lobby.a, "ann"), lobby.open(lobby.b, "bob")];
    for (const each of [ann, bob]) expect(each.say(1, {})).toBe(true);
    lobby.turn();
    lobby.wait(APART_MS);
    const watching = [lobby.a, lobby.b].map((node) => lobby.open(node, "cy"));
    for (const [index, each] of watching.entries()) each.say(3 + index, {});
    lobby.turn();
    const others = ({ screen }: Seat): string[] =>
      screen.people.filter((name) => !name.startsWith("cy"));
    expect(watching.map(others)).toEqual([
      ["(bob)", "ann 1"],
      ["(ann)", "bob 1"],
    ]);
    // It is the other's there too once it is nobody's.
    ann.part("left");
    lobby.turn();
    expect(watching.map(others)[0]).toEqual(["(ann)", "(bob)"]);
    lobby.wait(TEN_MINUTES);
    expect(watching.map(others)[0]).toEqual(["(ann)", "bob 1"]);
  });

  test("that is refused to a socket elsewhere is not its when it is free, once it says nothing of it any more", () => {
    for (const end of ["null", "left", "unsaid"] as const) {
      const lobby = new Lobby();
      const [ann, bob] = [lobby.open(lobby.a, "ann"), lobby.open(lobby.b, "bob")];
      for (const each of [ann, bob]) each.say(1, {});
      lobby.turn();
      if (end === "null") bob.say(1, null);
      else if (end === "left") bob.part("left");
      lobby.turn();
      if (end === "unsaid") {
        const { sockets, ...share } = lobby.b.room.share(lobby.now);
        const silent = sockets.map((socket) => ({ ...socket, entries: [] }));
        lobby.a.hear("b", { kind: "told", share: { ...share, sockets: silent } });
      }
      ann.part("left");
      lobby.turn();
      lobby.now += TEN_MINUTES;
      const cy = lobby.open(lobby.a, "cy");
      cy.say(3, {});
      lobby.tell();
      expect([end, cy.screen.people]).toEqual([end, ["(ann)", "(bob)"]]);
    }
  });

  test("that its node let somebody have is theirs, also where the one before has not been gone for long here", () => {
    const lobby = new Lobby();
    const [ann, cy] = [lobby.open(lobby.a, "ann"), lobby.open(lobby.a, "cy")];
    const bob = lobby.open(lobby.b, "bob");
    ann.say(1, {});
    lobby.turn();
    lobby.presence("ann", "offline");
    lobby.now += TEN_MINUTES;
    lobby.a.run();
    // It was told here a moment later than there.
    lobby.b.room.adoptReserved({ id: 1, participant_id: "ann", kept_ms: 1_000 }, lobby.now);
    expect(cy.say(1, {})).toBe(true);
    lobby.presence("cy", "online");
    expect(bob.screen.people).toEqual(["cy 1"]);
  });

  test("of those who stand in is nobody's to have elsewhere either", () => {
    const lobby = new Lobby();
    const bob = lobby.open(lobby.b, "bob");
    bob.say(2, {});
    lobby.turn();
    const [standIn = 0] = bob.screen.states.keys();
    const seat = { participant_id: "cy", device_id: "x", opened: NOW };
    const cy = lobby.b.room.joinElsewhere("a", seat, NOW);
    for (const id of [standIn, STAND_IN_IDS_FROM])
      lobby.b.room.sayElsewhere(cy, { id, text: '{"x":1}', isNews: true }, NOW);
    lobby.presence("cy", "online");
    lobby.wait(100);
    expect(bob.screen.people).toEqual(["(ann)", "(cy)"]);
    expect(bob.screen.states.has(STAND_IN_IDS_FROM)).toBe(false);
  });

  test("may be repeated with the clocks of another node, which are a little ahead of what is known here", () => {
    const claim = (node: string | undefined, aheadMs: number): string => {
      const room = new AwarenessRoom(
        "lobby",
        { coalesce_ms: 100, awareness_max_members: 500 },
        node,
      );
      const [ann, bob] = [room.join("ann", "laptop", NOW), room.join("bob", "laptop", NOW)];
      for (const id of ["ann", "bob"]) room.setMember(id, { display_name: id, avatar_url: null });
      room.say(ann, { id: 1, clock: 1, text: "{}" });
      const online = (): "online" => "online";
      room.tell({ told: online, visible: online, effective: online, isTyping: () => false }, NOW);
      return room.claim(bob, { id: 1, clock: NOW + aheadMs, isNull: false }, NOW);
    };
    expect(claim(undefined, 100)).toBe("forged");
    expect([claim("a", 2_000), claim("a", 3_000)]).toEqual(["foreign", "forged"]);
  });
});

describe("clocks of AwarenessRooms of two nodes", () => {
  for (const aheadMs of [5_000, -5_000])
    test(`are above those of the other whose time is ${aheadMs} ms ahead`, () => {
      const lobby = new Lobby(aheadMs);
      lobby.open(lobby.a, "ann").say(1, { x: 0 });
      lobby.open(lobby.b, "ann", "ann-phone").say(11, {});
      const [others, own] = [new Screen("bob"), new Screen("ann")];
      for (const node of [lobby.a, lobby.b, lobby.a, lobby.b]) {
        // The screens see to it that each clock is above the one before.
        const moved = [others, own].map((screen) => new Seat(lobby, node, "moving", screen));
        for (const [index, each] of moved.entries()) each.say(2 + index, {});
        lobby.turn();
        expect([others.states.has(1), own.states.has(11)]).toEqual([true, true]);
        // What is told now, the other node does not hear of.
        lobby.now += 1_000;
        lobby.presence("ann", "offline");
        lobby.presence("ann", "online");
        lobby.now += 5;
      }
    });

  test("are above those of the other that told faster than time went by, and do not drive each other on", () => {
    const lobby = new Lobby();
    const [ann, cy] = [lobby.open(lobby.a, "ann"), lobby.open(lobby.b, "cy")];
    const [others, own] = [new Screen("bob"), new Screen("ann")];
    const move = (node: AwarenessNode): Seat[] => {
      const moved = [others, own].map((screen) => new Seat(lobby, node, "moving", screen));
      for (const [index, each] of moved.entries()) each.say(2 + index, {});
      lobby.turn();
      return moved;
    };
    const before = move(lobby.a);
    for (let x = 0; x < 500; x += 1) {
      ann.say(1, { x });
      cy.say(5, { x });
      for (const { client } of before) lobby.a.catchUp(client);
      lobby.turn();
    }
    for (const each of before) each.part("lost");
    lobby.turn();
    move(lobby.b);
    for (const screen of [others, own]) expect(screen.states.get(1)).toMatchObject({ x: 499 });
    lobby.wait(60_000);
    ann.say(1, {});
    lobby.turn();
    expect(others.clocks.get(1)).toBeLessThan(lobby.now + 10);
  });

  test("go on from where they were before a restart, also where the time is less", () => {
    const room = new AwarenessRoom("lobby", { coalesce_ms: 100, awareness_max_members: 500 });
    room.hearTime({ clock: NOW + 60_000, time: NOW }, NOW);
    room.setMember("ann", { display_name: "ann", avatar_url: null });
    room.say(room.join("ann", "laptop", NOW), { id: 1, clock: 1, text: "{}" });
    const online = (): "online" => "online";
    const facts = { told: online, visible: online, effective: online, isTyping: () => false };
    const clocks = room.tell(facts, NOW).tellings.map(({ clock }) => clock);
    expect(clocks).toEqual([NOW + 60_001]);
  });
});

describe("AwarenessElsewhere", () => {
  const seat = { participant_id: "ann", device_id: "laptop", opened: NOW } as const;
  const nothing = { clock: NOW, time: NOW, after: 0, sockets: [], lingering: [], reserved: [] };

  /** What a room knows, with sockets of the node "b" alone. */
  class Known {
    readonly room = new AwarenessRoom(
      "lobby",
      { coalesce_ms: 100, awareness_max_members: 500 },
      "a",
    );
    readonly elsewhere = new AwarenessElsewhere(this.room);
    now = NOW;

    constructor() {
      this.room.setMember("ann", { display_name: "ann", avatar_url: null });
    }

    says(text: string, batch: { clock: number; after: number }): boolean {
      const deeds = [{ ...seat, did: "said", id: 1, text } as const];
      return this.elsewhere.hear("b", { time: NOW, staying: [], deeds, ...batch }, this.now)
        .isBehind;
    }

    adopt(share: Partial<AwarenessShare>): void {
      this.elsewhere.adopt("b", { ...nothing, ...share }, this.now);
    }

    /** What there is of Ann's entries, by id, after `ms`. */
    shown(ms = 0): Record<number, unknown> {
      this.now += ms;
      const online = (): "online" => "online";
      const facts = { told: online, visible: online, effective: online, isTyping: () => false };
      this.room.tell(facts, this.now);
      const all = this.room.snapshot(this.now).filter(({ id }) => id < STAND_IN_IDS_FROM);
      return Object.fromEntries(all.map(({ id, text }) => [id, JSON.parse(text ?? "null").x]));
    }
  }

  test("takes no notice of a batch that comes late or twice", () => {
    const known = new Known();
    expect(known.says('{"x":1}', { clock: 10, after: 0 })).toBe(false);
    expect(known.says('{"x":2}', { clock: 20, after: 10 })).toBe(false);
    expect(known.says('{"x":1}', { clock: 10, after: 0 })).toBe(false);
    expect(known.says('{"x":3}', { clock: 20, after: 10 })).toBe(false);
    expect(known.shown()).toEqual({ 1: 2 });
  });

  test("finds that something is missing, and takes no notice before it is told everything", () => {
    const known = new Known();
    expect(known.says('{"x":1}', { clock: 20, after: 10 })).toBe(true);
    expect(known.shown()).toEqual({});
    known.adopt({
      after: 20,
      sockets: [{ ...seat, entries: [{ id: 1, text: '{"x":1}', kept_ms: 0 }] }],
    });
    expect(known.says('{"x":2}', { clock: 30, after: 20 })).toBe(false);
    expect(known.shown()).toEqual({ 1: 2 });
  });

  test("takes a node at its word that begins anew: what its sockets did before is over", () => {
    const known = new Known();
    known.says('{"x":1}', { clock: 10, after: 0 });
    const deeds = [{ ...seat, opened: NOW + 1, did: "said", id: 9, text: '{"x":9}' } as const];
    known.elsewhere.hear("b", { clock: 20, time: NOW, after: 0, staying: [], deeds }, NOW);
    expect(known.shown(APART_MS)).toEqual({ 9: 9 });
  });

  test("takes what a node tells of itself for all there is", () => {
    const known = new Known();
    known.says('{"x":1}', { clock: 10, after: 0 });
    const later = { ...seat, opened: NOW + 1 };
    const entries = [
      { id: 2, text: '{"x":2}', kept_ms: 0 },
      { id: 3, text: '{"x":3}', kept_ms: 0 },
    ];
    known.adopt({ after: 10, sockets: [{ ...later, entries }] });
    expect(known.shown()).toEqual({ 1: 1, 2: 2, 3: 3 });
    expect(known.shown(APART_MS)).toEqual({ 2: 2, 3: 3 });
    known.adopt({ after: 10, sockets: [{ ...later, entries: entries.slice(0, 1) }] });
    expect(known.shown(APART_MS)).toEqual({ 2: 2 });
    const lingering = [{ ...seat, id: 4, text: '{"x":4}', lingers_ms: 1_000 }];
    known.adopt({ after: 10, lingering });
    expect(known.shown(APART_MS)).toEqual({ 4: 4 });
    known.adopt({ after: 10 });
    expect(known.shown(APART_MS)).toEqual({});
  });

  test("is not set back by what a node told before it said more", () => {
    const known = new Known();
    known.says('{"x":1}', { clock: 10, after: 0 });
    known.says('{"x":2}', { clock: 20, after: 10 });
    known.adopt({ after: 10 });
    expect(known.shown(APART_MS)).toEqual({ 1: 2 });
  });

  test("puts no new id in the place of one that lingers which it only learns of", () => {
    const known = new Known();
    known.adopt({ lingering: [{ ...seat, id: 4, text: '{"x":4}', lingers_ms: 1_000 }] });
    const sockets = [{ ...seat, entries: [{ id: 2, text: '{"x":2}', kept_ms: 0 }] }];
    known.elsewhere.adopt("c", { ...nothing, sockets }, NOW);
    expect(known.shown()).toEqual({ 2: 2, 4: 4 });
  });

  test("keeps the ids that another node keeps, for as long, and those of whoever hides", () => {
    const known = new Known();
    known.room.setMember("bob", { display_name: "bob", avatar_url: null });
    known.adopt({
      sockets: [{ ...seat, entries: [{ id: 2, text: "{}", kept_ms: 3_000 }] }],
      reserved: [
        { id: 1, participant_id: "ann", kept_ms: 5_000 },
        { id: 3, participant_id: "ann", kept_ms: 0 },
      ],
    });
    const claim = (id: number, at: number): string => {
      const bob = known.room.join("bob", "laptop", at);
      return known.room.claim(bob, { id, clock: 1, isNull: false }, at);
    };
    expect([claim(1, NOW + 4_999), claim(1, NOW + 5_000)]).toEqual(["foreign", "own"]);
    expect([claim(2, NOW + 2_999), claim(2, NOW + 3_000)]).toEqual(["foreign", "own"]);
    expect(claim(3, NOW)).toBe("own");
    // What it keeps for somebody it does not keep for another.
    const other = { id: 1, participant_id: "bob", kept_ms: TEN_MINUTES };
    known.room.adoptReserved(other, NOW);
    expect(claim(1, NOW)).toBe("foreign");
    known.room.adoptReserved(other, NOW + 5_000);
    expect(claim(1, NOW + TEN_MINUTES)).toBe("own");
    const ann = known.room.join("ann", "phone", NOW);
    expect(known.room.claim(ann, { id: 1, clock: 1, isNull: false }, NOW + 5_000)).toBe("foreign");
  });

  test("believes a node of what lingers of its own sockets, and nobody of what is there, or lingers of another's", () => {
    const known = new Known();
    const lingering = [{ ...seat, id: 1, text: '{"x":"lost"}', lingers_ms: 1_000 }];
    const here = known.room.join("ann", "phone", NOW);
    known.room.say(here, { id: 1, clock: 1, text: '{"x":"here"}' });
    known.adopt({ lingering });
    expect(known.shown()).toEqual({ 1: "here" });
    known.room.lose(here, NOW + 100);
    known.adopt({ lingering });
    expect([known.shown(), known.shown(100)]).toEqual([{ 1: "here" }, {}]);
    known.adopt({ lingering });
    expect([known.shown(1_000), known.shown(APART_MS)]).toEqual([{ 1: "lost" }, {}]);
    const again = known.room.join("ann", "phone", known.now);
    for (const text of ["{}", null]) known.room.say(again, { id: 1, clock: 1, text });
    known.adopt({ lingering });
    expect(known.shown()).toEqual({});
  });

  test("forgets everything of other nodes at once", () => {
    const known = new Known();
    known.says('{"x":1}', { clock: 10, after: 0 });
    expect([known.elsewhere.has("b"), known.elsewhere.has("c")]).toEqual([true, false]);
    known.elsewhere.forget();
    expect([known.elsewhere.has("b"), known.shown()]).toEqual([false, {}]);
  });
});

describe("partsOf()", () => {
  test("makes pieces that are not large, and wholeOf() a share of them again", () => {
    const seat = (opened: number) => ({ participant_id: "ann", device_id: "laptop", opened });
    const share: AwarenessShare = {
      clock: 3,
      time: 2,
      after: 1,
      sockets: Array.from({ length: 300 }, (_, index) => ({
        ...seat(index),
        entries: [{ id: index, text: "x".repeat(4_000), kept_ms: 1 }],
      })),
      lingering: [{ ...seat(0), id: 7, text: "{}", lingers_ms: 5 }],
      reserved: [{ id: 8, participant_id: "ann", kept_ms: 9 }],
    };
    const [first, ...others] = partsOf(share);
    expect(others.length).toBeGreaterThan(5);
    for (const part of [first, ...others])
      expect(JSON.stringify(part).length).toBeLessThan(140_000);
    if (first === undefined) throw new Error("There are no pieces");
    expect(wholeOf([first, ...others])).toEqual({ ...share, lingering: share.lingering });
    expect(partsOf({ ...share, sockets: [], lingering: [], reserved: [] })).toHaveLength(1);
  });
});
