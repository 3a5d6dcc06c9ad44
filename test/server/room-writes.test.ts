import { describe, expect, test } from "bun:test";
import { type Person, type Reply, refusedWith, TestServer } from "../support/server.ts";
import type { Frame, StreamClient } from "../support/stream.ts";

const LOBBY = "/v1/rooms/lobby";
const CONTENT = { msgtype: "m.text", body: "hello" };

/** A room with Ann, Bob and the AI Ada in it, Ivy invited, Ned around, and Gwen in a room of the same name elsewhere. */
class Lobby implements AsyncDisposable {
  readonly server: TestServer;
  readonly people: Readonly<Record<string, Person>>;
  /** Who listens: Ann on two devices. */
  readonly #streams: ReadonlyMap<string, StreamClient>;

  private constructor(
    server: TestServer,
    people: Readonly<Record<string, Person>>,
    streams: ReadonlyMap<string, StreamClient>,
  ) {
    this.server = server;
    this.people = people;
    this.#streams = streams;
  }

  static async open(
    room: { room_type?: "group" | "dm"; is_public?: boolean } = {},
  ): Promise<Lobby> {
    const server = await TestServer.start();
    const [ann, bob, ivy, ned] = [
      await server.person("ann"),
      await server.person("bob"),
      await server.person("ivy"),
      await server.person("ned"),
    ];
    const ada = await server.person("ada", { participant_type: "model" });
    const gwen = await server.person("gwen", { tenant_id: "globex" });
    await server.room("lobby", [ann, bob, ada], room);
    await server.admin("PUT", "/rooms/lobby/members/ivy", { membership: "invite" });
    await server.room("lobby", [gwen]);
    const streams = new Map([["ann's phone", await ann.stream({ device_id: "phone" })]]);
    for (const person of [ann, bob, ivy, ned, gwen]) streams.set(person.id, await person.stream());
    const lobby = new Lobby(server, { ann, bob, ivy, ned, gwen, ada }, streams);
    await lobby.heard();
    return lobby;
  }

  get ann(): Person {
    return this.as("ann");
  }

  as(id: string): Person {
    const person = this.people[id];
    if (person === undefined)
      throw new Error(`Cannot act as "${id}" as there is nobody of that name`);
    return person;
  }

  /** What everyone who heard anything durable, notifications apart, since the last time heard of it. */
  async heard(): Promise<Record<string, readonly Frame[]>> {
    const all: Record<string, readonly Frame[]> = {};
    for (const [name, stream] of this.#streams) {
      const frames = (await stream.heard()).filter(
        ({ type }) => type.startsWith("swp.") && type !== "swp.notification",
      );
      if (frames.length > 0) all[name] = frames;
    }
    return all;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

const ANN = ["ann", "ann's phone"];
const MEMBERS = [...ANN, "bob"];

/** What a write is, and who hears what of it: all that changes is told, and nobody else hears anything. */
interface Told {
  readonly by?: string;
  readonly write: (person: Person) => Promise<Reply>;
  readonly hears: Readonly<Record<string, readonly string[]>>;
}

const WRITES: Readonly<Record<string, Told>> = {
  "a message": {
    write: (ann) => ann.post(`${LOBBY}/send`, { content: CONTENT }),
    hears: { "swp.room.message": MEMBERS },
  },
  "a read marker": {
    write: async (ann) => {
      const { data } = (await ann.get(`${LOBBY}/messages`)).body;
      return ann.put(`${LOBBY}/read-marker`, { event_id: data[0].id });
    },
    hears: { "swp.room.read_marker": ANN },
  },
  "a notification mode": {
    write: (ann) => ann.put(`${LOBBY}/notification-mode`, { mode: "mentions" }),
    hears: { "swp.room.notification_mode": ANN },
  },
  "a mute": {
    write: (ann) => ann.put(`${LOBBY}/mute`, { until: "indefinite" }),
    hears: { "swp.room.mute": ANN },
  },
  "the room's engagement": {
    write: (ann) => ann.put(`${LOBBY}/ai/engagement`, { mode: "mention" }),
    hears: { "swp.room.ai_engagement": MEMBERS },
  },
  "one AI's engagement": {
    write: (ann) => ann.put(`${LOBBY}/ai/engagement`, { mode: "mention", participant_id: "ada" }),
    hears: { "swp.room.member": MEMBERS, "swp.room.ai_engagement": MEMBERS },
  },
  "the room's response mode": {
    write: (ann) =>
      ann.put(`${LOBBY}/ai/response-mode`, { mode: "streaming", participant_id: null }),
    hears: { "swp.room.ai_engagement": MEMBERS, "swp.me.preferences": ANN },
  },
  "one AI's response mode": {
    write: (ann) =>
      ann.put(`${LOBBY}/ai/response-mode`, { mode: "streaming", participant_id: "ada" }),
    hears: { "swp.room.member": MEMBERS },
  },
  "an invitation": {
    write: (ann) => ann.post(`${LOBBY}/invite`, { participant_id: "ned" }),
    hears: { "swp.room.member": [...MEMBERS, "ned"] },
  },
  "an invitation that is accepted": {
    by: "ivy",
    write: (ivy) => ivy.post(`${LOBBY}/join`, {}),
    hears: { "swp.room.member": [...MEMBERS, "ivy"] },
  },
  "an invitation that is declined": {
    by: "ivy",
    write: (ivy) => ivy.post(`${LOBBY}/leave`, {}),
    hears: { "swp.room.member": [...MEMBERS, "ivy"] },
  },
  "a leave": {
    write: (ann) => ann.post(`${LOBBY}/leave`, {}),
    hears: { "swp.room.member": MEMBERS },
  },
};

describe("a write in a room", () => {
  for (const [name, { by = "ann", write, hears }] of Object.entries(WRITES)) {
    test(`tells those concerned of ${name}, once, and nobody else`, async () => {
      await using lobby = await Lobby.open();
      await lobby.as("bob").post(`${LOBBY}/send`, { content: CONTENT });
      await lobby.heard();
      const before = (await lobby.ann.get(`${LOBBY}/state`)).body.data.stream_position;
      expect((await write(lobby.as(by))).status).toBe(200);
      const heard = await lobby.heard();
      const names = [...new Set(Object.values(hears).flat())].toSorted();
      expect(Object.keys(heard).toSorted()).toEqual(names);
      for (const each of names) {
        const types = Object.keys(hears).filter((type) => hears[type]?.includes(each));
        expect(heard[each]?.map(({ type }) => String(type))).toEqual(types);
      }
      const isShared = Object.values(heard)
        .flat()
        .some((frame) => "stream_position" in frame);
      const after = (await lobby.as("bob").get(`${LOBBY}/state`)).body.data.stream_position;
      expect(after > before).toBe(isShared);
      await write(lobby.as(by));
      // Only messages are another one every time.
      if (name !== "a message") expect(await lobby.heard()).toEqual({});
    });
  }

  test("is refused in a room that is frozen, but for what is private, and for leaving", async () => {
    await using lobby = await Lobby.open();
    const { id } = (await lobby.ann.post(`${LOBBY}/send`, { content: CONTENT })).body.data;
    await lobby.server.admin("PUT", "/rooms/lobby", { tenant_id: "acme", state: "archived" });
    const { ann } = lobby;
    for (const refused of [
      await ann.post(`${LOBBY}/send`, { content: CONTENT }),
      await ann.post(`${LOBBY}/invite`, { participant_id: "ned" }),
      await ann.put(`${LOBBY}/ai/engagement`, { mode: "mention" }),
      await ann.put(`${LOBBY}/ai/response-mode`, { mode: "streaming", participant_id: null }),
      await lobby.as("ivy").post(`${LOBBY}/join`, {}),
    ])
      expect(refusedWith(refused)).toBe("409 SW_ROOM_FROZEN");
    expect((await ann.get("/v1/me/preferences")).body.data.ai_response_mode).toBe("conversational");
    for (const { status } of [
      await ann.put(`${LOBBY}/read-marker`, { event_id: id }),
      await ann.put(`${LOBBY}/mute`, { until: null }),
      await ann.put(`${LOBBY}/notification-mode`, { mode: "none" }),
      await ann.get(`${LOBBY}/messages`),
      await ann.post(`${LOBBY}/join`, {}),
      await ann.post(`${LOBBY}/leave`, {}),
      await lobby.as("ivy").post(`${LOBBY}/leave`, {}),
    ])
      expect(status).toBe(200);
  });

  test("is refused to the human of a sidekick room, but for what is private, and for leaving", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    const ada = await server.person("ada", { participant_type: "model" });
    await server.room("lobby", [ann, ada], { room_type: "sidekick" });
    const said = await ada.post(`${LOBBY}/send`, { content: CONTENT });
    expect(said.status).toBe(200);
    const refused = await ann.post(`${LOBBY}/send`, { content: CONTENT });
    expect(refusedWith(refused)).toBe("403 SW_ROOM_FORBIDDEN");
    const event_id = said.body.data.id;
    expect((await ann.put(`${LOBBY}/read-marker`, { event_id })).body.data.unread_count).toBe(0);
    expect((await ann.post(`${LOBBY}/leave`, {})).status).toBe(200);
  });

  test("names every fault of its body", async () => {
    await using lobby = await Lobby.open();
    const faults = async (path: string, body: object): Promise<string[]> =>
      (await lobby.ann.put(`${LOBBY}${path}`, body)).body.error.details.map(
        ({ path: where }: { path: string }) => where,
      );
    expect(await faults("/read-marker", { force: 1, more: 2 })).toEqual([
      "event_id",
      "force",
      "more",
    ]);
    expect(await faults("/mute", {})).toEqual(["until"]);
    expect(await faults("/ai/engagement", { mode: null })).toEqual(["mode"]);
    expect(await faults("/ai/engagement", { mode: "mention", participant_id: "bob" })).toEqual([
      "participant_id",
    ]);
  });
});

describe("PUT /v1/rooms/{id}/read-marker", () => {
  test("answers how far is read, which the snapshot then says", async () => {
    await using lobby = await Lobby.open();
    const say = async (): Promise<string> =>
      (await lobby.as("bob").post(`${LOBBY}/send`, { content: CONTENT })).body.data.id;
    const [first, second] = [await say(), await say()];
    const read = async (body: object): Promise<unknown> =>
      (await lobby.ann.put(`${LOBBY}/read-marker`, body)).body;
    const marker = { last_read_event_id: second, unread_count: 0 };
    expect(await read({ event_id: second })).toEqual({ data: marker });
    expect(await read({ event_id: first })).toEqual({ data: marker });
    const back = { last_read_event_id: first, unread_count: 1 };
    expect(await read({ event_id: first, force: true })).toEqual({ data: back });
    expect((await lobby.ann.get(`${LOBBY}/state`)).body.data).toMatchObject(back);
  });

  test("answers an event that is unknown, of another room and of another tenant alike", async () => {
    await using lobby = await Lobby.open();
    await lobby.server.room("attic", [lobby.ann]);
    const content = { content: CONTENT };
    const ids = [
      "evt-unknown",
      (await lobby.ann.post("/v1/rooms/attic/send", content)).body.data.id,
      (await lobby.as("gwen").post(`${LOBBY}/send`, content)).body.data.id,
    ];
    for (const event_id of ids) {
      const { status, body } = await lobby.ann.put(`${LOBBY}/read-marker`, { event_id });
      expect([status, body.error]).toEqual([
        404,
        { code: "SW_EVENT_NOT_FOUND", message: "There is no such event" },
      ]);
    }
  });
});

describe("PUT /v1/rooms/{id}/mute", () => {
  test("holds until its instant, and answers what it reads now", async () => {
    await using lobby = await Lobby.open();
    const { clock } = lobby.server;
    const mute = async (until: unknown): Promise<unknown> =>
      (await lobby.ann.put(`${LOBBY}/mute`, { until })).body.data;
    const shown = async (): Promise<unknown> =>
      (await lobby.ann.get(`${LOBBY}/read-state`)).body.data.muted_until;
    expect(await mute("indefinite")).toEqual({ muted_until: "9999-12-31T23:59:59.999Z" });
    const soon = new Date(clock.wall() + 1_000).toISOString();
    expect(await mute(soon)).toEqual({ muted_until: soon });
    await clock.advance(999);
    expect(await shown()).toBe(soon);
    await clock.advance(1);
    expect(await shown()).toBeNull();
    expect(await mute(soon)).toEqual({ muted_until: null });
    expect(await mute(null)).toEqual({ muted_until: null });
  });
});

describe("PUT /v1/rooms/{id}/ai/engagement and /ai/response-mode", () => {
  test("answer how the AIs then take part, as the snapshot says it", async () => {
    await using lobby = await Lobby.open();
    const { ann } = lobby;
    await ann.put(`${LOBBY}/ai/engagement`, { mode: "keyword" });
    const one = { mode: "mention", participant_id: "ada" };
    const engagement = {
      mode: "keyword",
      overrides: { ada: { mode: "mention", response_mode: null } },
    };
    expect((await ann.put(`${LOBBY}/ai/engagement`, one)).body).toEqual({ data: engagement });
    const flip = { mode: "streaming", participant_id: null };
    const settings = { notification_mode: "inherit", response_mode: "streaming" };
    const answer = { engagement, settings };
    expect((await ann.put(`${LOBBY}/ai/response-mode`, flip)).body).toEqual({ data: answer });
    expect((await ann.get(`${LOBBY}/state`)).body.data).toMatchObject(answer);
    expect((await ann.get("/v1/me/preferences")).body.data.ai_response_mode).toBe("streaming");
    const { data } = (await lobby.as("bob").get(`${LOBBY}/state`)).body;
    expect(data.settings.response_mode).toBe("streaming");
  });

  test("of somebody unknown, or of another tenant, answer alike", async () => {
    await using lobby = await Lobby.open();
    for (const participant_id of ["nobody", "gwen"])
      expect(
        refusedWith(
          await lobby.ann.put(`${LOBBY}/ai/engagement`, { mode: "mention", participant_id }),
        ),
      ).toBe("404 SW_NOT_FOUND");
  });
});

describe("POST /v1/rooms/{id}/invite, /join and /leave", () => {
  test("answer the membership as it then is, seen by who did it", async () => {
    await using lobby = await Lobby.open();
    const [ann, ned] = [lobby.ann, lobby.as("ned")];
    await ned.put("/v1/me/presence", { state: "busy" });
    const invited = (await ann.post(`${LOBBY}/invite`, { participant_id: "ned" })).body.data;
    expect(invited).toMatchObject({
      participant_id: "ned",
      membership: "invite",
      joined_at: null,
      notification_mode: null,
      presence: "busy",
    });
    const joined = (await ned.post(`${LOBBY}/join`, {})).body.data;
    expect(joined).toMatchObject({ membership: "join", notification_mode: "inherit" });
    const { data } = (await ned.get(`${LOBBY}/members`)).body;
    expect(data).toContainEqual(joined);
    expect((await ned.post(`${LOBBY}/leave`, {})).body.data.membership).toBe("leave");
    expect(refusedWith(await ned.get(LOBBY))).toBe("403 SW_NOT_MEMBER");
    expect(refusedWith(await ned.post(`${LOBBY}/join`, {}))).toBe("403 SW_NOT_MEMBER");
  });

  test("let whoever joins hear what comes, and whoever leaves nothing more", async () => {
    await using lobby = await Lobby.open({ is_public: true });
    const [ann, ned] = [lobby.ann, lobby.as("ned")];
    const say = (): Promise<Reply> => ann.post(`${LOBBY}/send`, { content: CONTENT });
    await say();
    await ned.post(`${LOBBY}/join`, {});
    await say();
    await ned.post(`${LOBBY}/leave`, {});
    await say();
    const { ned: frames = [] } = await lobby.heard();
    expect(frames.map(({ type, membership }) => [type, membership])).toEqual([
      ["swp.room.member", "join"],
      ["swp.room.message", undefined],
      ["swp.room.member", "leave"],
    ]);
  });

  test("end what whoever leaves was typing", async () => {
    await using lobby = await Lobby.open();
    const bobHears = await lobby.as("bob").stream({ device_id: "phone" });
    await lobby.ann.put("/v1/typing", { room_id: "lobby", typing: true });
    expect(await bobHears.type("typing")).toMatchObject({ typing: true });
    await lobby.ann.post(`${LOBBY}/leave`, {});
    expect(await bobHears.type("typing")).toMatchObject({ typing: false });
  });

  test("keep who is banned out of a public room", async () => {
    await using lobby = await Lobby.open({ is_public: true });
    const ban = { tenant_id: "acme", membership: "ban" };
    await lobby.server.admin("PUT", "/rooms/lobby/members/ned", ban);
    const ned = lobby.as("ned");
    expect(refusedWith(await ned.post(`${LOBBY}/join`, {}))).toBe("403 SW_ROOM_FORBIDDEN");
    expect(refusedWith(await ned.post(`${LOBBY}/leave`, {}))).toBe("403 SW_NOT_MEMBER");
    const invite = { participant_id: "ned" };
    expect(refusedWith(await lobby.ann.post(`${LOBBY}/invite`, invite))).toBe(
      "403 SW_ROOM_FORBIDDEN",
    );
  });

  test("leave a direct room to its two", async () => {
    await using server = await TestServer.start();
    const [ann, bob, cy] = [
      await server.person("ann"),
      await server.person("bob"),
      await server.person("cy"),
    ];
    const { id } = (await ann.post("/v1/rooms/dm", { participant_id: "bob" })).body.data;
    const dm = `/v1/rooms/${id}`;
    await bob.post(`${dm}/leave`, {});
    expect(refusedWith(await ann.post(`${dm}/invite`, { participant_id: "cy" }))).toBe(
      "403 SW_ROOM_FORBIDDEN",
    );
    expect(refusedWith(await cy.post(`${dm}/join`, {}))).toBe("403 SW_ROOM_FORBIDDEN");
    expect((await bob.post(`${dm}/join`, {})).body.data.membership).toBe("join");
  });
});
