import { describe, expect, test } from "bun:test";
import type { Announcement, Store } from "@porchlight/server/store";
import { type MakeDatabase, NOW, refusalOf, TestStore } from "../../../support/store.ts";

const TENANTS = ["acme", "globex", "initech", "umbrella"] as const;
const WRITERS = 200;

/** The promises of the port as a whole. */
export function promisesConformance(makeDatabase: MakeDatabase): void {
  describe("Store, writing", () => {
    test("what a write answered is there at once for a store opened beside it", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann", "bob"]);
      const { stream_position } = await t.say(lobby, "bob");
      const other = await t.beside();
      expect(await t.look(lobby, "ann", other)).toMatchObject({
        stream_position,
        read: { unread_count: 1 },
        room: { member_count: 2 },
      });
    });

    test("what a write answered outlives every store", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann", "bob"], { name: "Lobby" });
      await t.say(lobby, "bob");
      await t.store.putPlan(lobby, { id: "plan", state: "running" }, NOW);
      await t.store.setManual(
        { tenant_id: "acme", participant_id: "ann" },
        { manual: "busy" },
        NOW,
      );
      await t.store.updatePreferences(
        { tenant_id: "acme", participant_id: "ann" },
        { locale: "nl" },
        NOW,
      );
      const before = await everythingAnnSees(t, t.store);
      await t.store.close();
      expect(await everythingAnnSees(t, await t.beside())).toEqual(before);
    });

    test("what was begun before close() is finished, announced and answered", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const told: Announcement[] = [];
      const store = await t.beside({ announce: (announcement) => void told.push(announcement) });
      const begun = [1, 2, 3].map(() =>
        store.appendEvent(lobby, { sender_id: "ann", content: {} }, NOW),
      );
      await store.close();
      expect(told.map(({ frame }) => frame)).toEqual(await Promise.all(begun));
      expect(await t.store.position("acme")).toBe(told.at(-1)?.frame.stream_position ?? 0);
    });

    test("a refused write leaves those beside it alone, and gives its position back", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const before = await t.store.position("acme");
      const send = (sender_id: string): Promise<unknown> =>
        t.store.appendEvent(lobby, { sender_id, content: {} }, NOW);
      const outcomes = await Promise.allSettled(
        ["ann", "stranger", "ann", "stranger", "ann"].map(send),
      );
      expect(outcomes).toMatchObject([
        { status: "fulfilled", value: { stream_position: before + 1 } },
        { status: "rejected", reason: { code: "SW_NOT_MEMBER" } },
        { status: "fulfilled", value: { stream_position: before + 2 } },
        { status: "rejected", reason: { code: "SW_NOT_MEMBER" } },
        { status: "fulfilled", value: { stream_position: before + 3 } },
      ]);
      expect(await t.store.position("acme")).toBe(before + 3);
    });

    test("a write that fails half-way leaves nothing, neither rows nor positions nor announcements", async () => {
      // A direct room takes three names, of itself and of two events: the last is not to be had.
      let names = Number.POSITIVE_INFINITY;
      const newId = (): string => {
        if (names === 0) throw new Error("no more names");
        names -= 1;
        return crypto.randomUUID();
      };
      await using t = await TestStore.on(makeDatabase, { newId });
      const lobby = await t.room("lobby", ["ann", "bob"]);
      const ann = { tenant_id: "acme", participant_id: "ann" };
      const before = await t.store.position("acme");
      names = 2;
      const outcomes = await Promise.allSettled([
        t.store.setManual(ann, { manual: "busy" }, NOW),
        t.store.openDirectRoom(ann, "bob", NOW),
        t.store.addToken({ ...ann, token_id: "token", hash: "hash" }, NOW),
      ]);
      expect(names).toBe(0);
      names = Number.POSITIVE_INFINITY;
      expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
      expect(await t.store.presenceFacts()).toMatchObject([{ manual: "busy" }]);
      expect(await t.store.token("hash")).toMatchObject(ann);
      expect(await t.store.position("acme")).toBe(before);
      expect((await t.store.standing(ann)).rooms).toEqual(["lobby"]);
      expect((await t.say(lobby, "bob")).stream_position).toBe(before + 1);
      expect(positionsOf(t.announced)).toEqual(upTo(before + 1));
    });

    test("writers of different keys of one thing, through different stores, undo nothing of each other", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const ann = { tenant_id: "acme", participant_id: "ann" };
      const other = await t.beside();
      await Promise.all([
        t.store.updateProfile(ann, { display_name: "Ann Other" }, NOW),
        other.updateProfile(ann, { bio: "Hello" }, NOW),
        t.store.putParticipant(ann, { email: "ann@example.org" }, NOW),
        other.setManual(ann, { manual: "busy" }, NOW),
        t.store.putRoom(lobby, { name: "Lobby" }, NOW),
        other.putRoom(lobby, { topic: "Shoes off" }, NOW),
        t.store.updatePreferences(ann, { quiet_hours: { start: "22:00" } }, NOW),
        other.updatePreferences(ann, { quiet_hours: { end: "07:00" } }, NOW),
        t.store.putMember({ ...lobby, ...ann }, { power_level: 50 }, NOW),
        other.putMember({ ...lobby, ...ann }, { notification_mode: "none" }, NOW),
      ]);
      expect(await t.store.me(ann)).toMatchObject({
        display_name: "Ann Other",
        bio: "Hello",
        email: "ann@example.org",
      });
      expect(await t.store.presenceFacts()).toMatchObject([{ manual: "busy" }]);
      expect((await t.store.preferences(ann)).quiet_hours).toMatchObject({
        start: "22:00",
        end: "07:00",
      });
      expect(await t.look(lobby, "ann")).toMatchObject({
        room: { name: "Lobby", topic: "Shoes off", member_count: 1 },
        members: [{ power_level: 50, notification_mode: "none" }],
      });
    });

    test(`positions have no gap and no repeat in any tenant under ${WRITERS} concurrent writers`, async () => {
      await using t = await TestStore.on(makeDatabase);
      for (const tenant of TENANTS) await t.room("lobby", ["ann"], {}, tenant);
      const told: Announcement[] = [];
      const other = await t.beside({ announce: (announcement) => void told.push(announcement) });
      const frames = await Promise.all(
        Array.from({ length: WRITERS }, (_, index) => {
          const tenant_id = TENANTS[index % TENANTS.length] ?? "acme";
          const store = index % 3 === 0 ? other : t.store;
          const body = { sender_id: "ann", content: { index } };
          return store.appendEvent({ tenant_id, room_id: "lobby" }, body, NOW);
        }),
      );
      for (const tenant of TENANTS) {
        const head = await t.store.position(tenant);
        const all = positionsOf([...t.announced, ...told], tenant);
        expect(all.toSorted((a, b) => a - b)).toEqual(upTo(head));
        const answered = frames.filter(({ tenant_id }) => tenant_id === tenant);
        expect(answered).toHaveLength(WRITERS / TENANTS.length);
        for (const { stream_position } of answered) expect(all).toContain(stream_position ?? 0);
      }
    });
  });

  describe("StoreOptions.announce", () => {
    test("is called once for each announcement, in the order of positions, before the write is answered", async () => {
      const log: string[] = [];
      const announce = ({ frame }: Announcement): void => void log.push(`told ${frame.id}`);
      await using t = await TestStore.on(makeDatabase, { announce });
      const lobby = await t.room("lobby", ["ann", "bob"]);
      log.length = 0;
      const answer = async (sender: string): Promise<string> => {
        const { id, stream_position = 0 } = await t.say(lobby, sender);
        log.push(`answered ${id}`);
        return `${String(stream_position).padStart(6, "0")} ${id}`;
      };
      const sent = await Promise.all(
        Array.from({ length: 40 }, (_, index) => answer(index % 2 ? "ann" : "bob")),
      );
      const ids = sent.toSorted().map((each) => each.slice(7));
      expect(log.filter((line) => line.startsWith("told"))).toEqual(ids.map((id) => `told ${id}`));
      for (const id of ids)
        expect(log.indexOf(`told ${id}`)).toBeLessThan(log.indexOf(`answered ${id}`));
      expect(new Set(log).size).toBe(log.length);
    });

    test("is called after what it tells of is durable: another store finds it", async () => {
      let other: Store | undefined;
      const found: Promise<[told: number, stored: number]>[] = [];
      const announce = ({ frame }: Announcement): void => {
        const { tenant_id, stream_position = 0 } = frame;
        if (other !== undefined)
          found.push(other.position(tenant_id).then((stored) => [stream_position, stored]));
      };
      await using t = await TestStore.on(makeDatabase, { announce });
      const lobby = await t.room("lobby", ["ann"]);
      other = await t.beside();
      await Promise.all(Array.from({ length: 20 }, () => t.say(lobby, "ann")));
      expect(found).toHaveLength(20);
      for (const [told, stored] of await Promise.all(found))
        expect(stored).toBeGreaterThanOrEqual(told);
    });

    test("is not called for a write that was refused or changed nothing others could see", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      const ann = { tenant_id: "acme", participant_id: "ann" };
      const heard = await t.heard(() =>
        Promise.allSettled([
          t.store.appendEvent(lobby, { sender_id: "stranger", content: {} }, NOW),
          t.store.putRoom({ tenant_id: "nowhere", room_id: "lobby" }, { name: "No" }, NOW),
          t.store.updateProfile(ann, { display_name: "ann", bio: null }, NOW),
          t.store.putParticipant(ann, { email: "ann@example.org" }, NOW),
          t.store.putMember({ ...lobby, ...ann }, { membership: "join" }, NOW),
          t.store.putRoom(lobby, { name: null }, NOW),
          t.store.updatePreferences(ann, { locale: "en" }, NOW),
        ]),
      );
      expect(heard).toEqual([]);
    });
  });

  describe("Store, reading", () => {
    test("a read sees one moment: everything up to its position and nothing above", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann", "bob"]);
      const crowd = Array.from({ length: 20 }, (_, index) => `guest-${index}`);
      await t.people(crowd);
      const other = await t.beside();
      const writes = crowd.flatMap((guest, index) => [
        t.store.putMember({ ...lobby, participant_id: guest }, {}, NOW),
        t.say(lobby, "bob"),
        t.store.putPlan(lobby, { id: `plan-${index}`, state: "running" }, NOW),
      ]);
      const readings = await Promise.all(
        writes.flatMap((write, index) => [
          t.look(lobby, "ann", index % 2 ? other : t.store),
          write.then(() => t.look(lobby, "ann", other)),
        ]),
      );
      const frames = t.announced.map(({ frame }) => frame);
      for (const { stream_position, members, room, read, plan } of readings) {
        const past = frames.filter((frame) => (frame.stream_position ?? 0) <= stream_position);
        const ofType = (type: string): typeof past => past.filter((each) => each.type === type);
        expect(members).toHaveLength(ofType("swp.room.member").length);
        expect(room.member_count).toBe(members.length);
        expect(read.unread_count).toBe(ofType("swp.room.message").length);
        expect<unknown>(plan).toEqual(ofType("swp.plan.updated").at(-1)?.plan);
      }
    });
  });

  describe("Store, refusing", () => {
    test("a refusal is a CodedError, and nothing is written then", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      const nowhere = { tenant_id: "acme", room_id: "nowhere" };
      const nobody = { tenant_id: "acme", participant_id: "nobody" };
      const before = await t.store.position("acme");
      const refused = [
        [t.store.putParticipant({ ...nobody, tenant_id: "no" }, {}, NOW), "SW_TENANT_NOT_FOUND"],
        [t.store.putRoom({ ...nowhere, tenant_id: "no" }, {}, NOW), "SW_TENANT_NOT_FOUND"],
        [t.store.putMember({ ...nowhere, participant_id: "ann" }, {}, NOW), "SW_ROOM_NOT_FOUND"],
        [t.store.putPlan(nowhere, { id: "p", state: "running" }, NOW), "SW_ROOM_NOT_FOUND"],
        [t.store.putCall(nowhere, { call_id: "c", ended_at: null }, NOW), "SW_ROOM_NOT_FOUND"],
        [t.store.putSidekick(nowhere, { task_id: "t", status: "x" }, NOW), "SW_ROOM_NOT_FOUND"],
        [t.store.appendEvent(nowhere, { sender_id: "ann", content: {} }, NOW), "SW_ROOM_NOT_FOUND"],
        [t.store.updateProfile(nobody, { bio: "x" }, NOW), "SW_NOT_FOUND"],
        [
          t.store.openDirectRoom({ ...nobody, participant_id: "ann" }, "nobody", NOW),
          "SW_NOT_FOUND",
        ],
        [t.store.addToken({ token_id: "t", hash: "h", ...nobody }, NOW), "SW_NOT_FOUND"],
      ] as const;
      for (const [write, code] of refused) expect((await refusalOf(write)).code).toBe(code);
      expect(await t.store.position("acme")).toBe(before);
      expect(await t.store.hasTenant("no")).toBe(false);
      expect(await t.store.tenantsOf("participant", "nobody")).toEqual([]);
      expect(await t.store.tenantsOf("room", "nowhere")).toEqual([]);
      expect(await t.store.token("h")).toBeUndefined();
    });

    test("ping() resolves while the store can be reached", async () => {
      await using t = await TestStore.on(makeDatabase);
      expect(await t.store.ping()).toBeUndefined();
    });

    test("out of reach is SW_UNAVAILABLE, whatever is asked, and says when to try again", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      await t.store.close();
      const asked = [
        t.store.ping(),
        t.store.position("acme"),
        t.store.room(lobby, "ann", []),
        t.say(lobby, "ann"),
        t.store.putTenant("late", {}),
      ];
      for (const each of asked)
        expect(await refusalOf(each)).toMatchObject({
          code: "SW_UNAVAILABLE",
          retryAfterSeconds: expect.any(Number),
        });
      expect(await (await t.beside()).hasTenant("late")).toBe(false);
    });

    test("close() is safe to call twice", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.store.close();
      expect(await t.store.close()).toBeUndefined();
    });
  });
}

async function everythingAnnSees(t: TestStore, store: Store): Promise<unknown> {
  const ann = { tenant_id: "acme", participant_id: "ann" };
  return {
    me: await store.me(ann),
    preferences: await store.preferences(ann),
    rooms: await store.roomsOf(ann),
    lobby: await t.look({ tenant_id: "acme", room_id: "lobby" }, "ann", store),
    people: await store.profiles("acme", { q: "", limit: 50, offset: 0 }),
    presence: await store.presenceFacts(),
    position: await store.position("acme"),
  };
}

/** The positions that were announced, in that order. */
function positionsOf(announced: readonly Announcement[], tenant_id = "acme"): number[] {
  return announced
    .filter(({ frame }) => frame.tenant_id === tenant_id)
    .flatMap(({ frame: { stream_position } }) => stream_position ?? []);
}

function upTo(head: number): number[] {
  return Array.from({ length: head }, (_, index) => index + 1);
}
