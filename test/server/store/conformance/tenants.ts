import { describe, expect, test } from "bun:test";
import type { Store } from "@porchlight/server/store";
import fc from "fast-check";
import { TRIALS_TIMEOUT_MS, trials } from "../../../support/runs.ts";
import {
  EVERYTHING,
  type MakeDatabase,
  NOW,
  refusalOf,
  TestStore,
} from "../../../support/store.ts";

const TENANTS = ["acme", "globex"] as const;
const PEOPLE = ["ann", "bob", "cy"] as const;
const ROOMS = ["lobby", "attic"] as const;
const ANN = { tenant_id: "acme", participant_id: "ann" } as const;

/** Tenants and what keeps them apart, and the tokens that name them. */
export function tenantsConformance(makeDatabase: MakeDatabase): void {
  describe("Store.putTenant()", () => {
    test("answers a new tenant named after its id, and keeps what a later body leaves out", async () => {
      await using t = await TestStore.on(makeDatabase);
      expect(await t.store.putTenant("acme", {})).toEqual({
        id: "acme",
        slug: "acme",
        name: "acme",
        features: {},
      });
      await t.store.putTenant("acme", {
        name: "Acme",
        features: { calls: true, plans: { max: 3 } },
      });
      expect(await t.store.putTenant("acme", { slug: "the-acme" })).toEqual({
        id: "acme",
        slug: "the-acme",
        name: "Acme",
        features: { calls: true, plans: { max: 3 } },
      });
      expect(await t.store.putTenant("acme", { features: {} })).toMatchObject({
        slug: "the-acme",
        features: {},
      });
    });

    test("keeps the tenant's position", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      await t.store.putTenant("acme", { name: "Acme" });
      expect(await t.store.position("acme")).toBe(1);
    });
  });

  describe("Store.hasTenant()", () => {
    test("says whether a tenant exists, by its whole id", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.store.putTenant("acme", {});
      expect(await t.store.hasTenant("acme")).toBe(true);
      for (const other of ["", "acm", "acme-2", "ACME", "%"])
        expect(await t.store.hasTenant(other)).toBe(false);
    });
  });

  describe("Store.tenantsOf()", () => {
    test("names the tenants of an id, at most two of them, people and rooms apart", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.room("lobby", ["ann"], {}, "acme");
      expect(await t.store.tenantsOf("participant", "ann")).toEqual(["acme"]);
      expect(await t.store.tenantsOf("room", "lobby")).toEqual(["acme"]);
      expect(await t.store.tenantsOf("participant", "lobby")).toEqual([]);
      expect(await t.store.tenantsOf("room", "ann")).toEqual([]);
      await t.people(["ann"], {}, "globex");
      expect((await t.store.tenantsOf("participant", "ann")).toSorted()).toEqual([
        "acme",
        "globex",
      ]);
      await t.people(["ann"], {}, "initech");
      expect(await t.store.tenantsOf("participant", "ann")).toHaveLength(2);
    });
  });

  describe("Store.position()", () => {
    test("is 0 before a tenant's first event and for a tenant that does not exist, then that of the last", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.store.putTenant("acme", {});
      expect(await t.store.position("acme")).toBe(0);
      expect(await t.store.position("nowhere")).toBe(0);
      await t.people(["ann", "bob"]);
      await t.people(["ann"], {}, "globex");
      expect(await t.store.position("acme")).toBe(2);
      expect(await t.store.position("globex")).toBe(1);
    });
  });

  describe("Store.token()", () => {
    test("answers whose a hash is, with the roles they have now, expired or not", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"], { roles: ["guest"] });
      await t.store.addToken({ ...ANN, token_id: "t1", hash: "h1", label: "phone" }, NOW);
      await t.store.addToken({ ...ANN, token_id: "t2", hash: "h2", expires_at: NOW - 1 }, NOW);
      await t.people(["ann"], { roles: ["guest", "porchlight_admin"] });
      const roles = ["guest", "porchlight_admin"];
      expect(await t.store.token("h1")).toEqual({
        ...ANN,
        token_id: "t1",
        expires_at: undefined,
        roles,
      });
      expect(await t.store.token("h2")).toEqual({
        ...ANN,
        token_id: "t2",
        expires_at: NOW - 1,
        roles,
      });
    });

    test("answers the roles of its own tenant for an id that two tenants have", async () => {
      await using t = await TestStore.on(makeDatabase);
      for (const tenant_id of ["acme", "globex"] as const) {
        await t.people(["ann"], { roles: [tenant_id] }, tenant_id);
        await t.store.addToken({ ...ANN, tenant_id, token_id: tenant_id, hash: tenant_id }, NOW);
      }
      expect(await t.store.token("acme")).toMatchObject({ tenant_id: "acme", roles: ["acme"] });
      expect(await t.store.token("globex")).toMatchObject({ roles: ["globex"] });
    });

    test("knows nobody by another hash, nor by the name of a token", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      await t.store.addToken({ ...ANN, token_id: "t1", hash: "h1" }, NOW);
      for (const hash of ["", "h", "H1", "t1", "%"])
        expect(await t.store.token(hash)).toBeUndefined();
    });
  });

  describe("Store.addToken()", () => {
    test("refuses a participant that does not exist in that tenant with SW_NOT_FOUND", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      await t.store.putTenant("globex", {});
      const add = t.store.addToken({ ...ANN, tenant_id: "globex", token_id: "t", hash: "h" }, NOW);
      expect((await refusalOf(add)).code).toBe("SW_NOT_FOUND");
      expect(await t.store.token("h")).toBeUndefined();
    });
  });

  describe("Store.deleteToken()", () => {
    test("forgets a token, answers whose it was, and only the first time", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      await t.store.addToken({ ...ANN, token_id: "t1", hash: "h1" }, NOW);
      await t.store.addToken({ ...ANN, token_id: "t2", hash: "h2" }, NOW);
      expect(await t.store.deleteToken("t1", undefined)).toEqual(ANN);
      expect(await t.store.deleteToken("t1", undefined)).toBeUndefined();
      expect(await t.store.token("h1")).toBeUndefined();
      expect(await t.store.token("h2")).toMatchObject({ token_id: "t2" });
    });

    test("of one tenant leaves every other tenant's token", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      await t.store.addToken({ ...ANN, token_id: "t1", hash: "h1" }, NOW);
      expect(await t.store.deleteToken("t1", "globex")).toBeUndefined();
      expect(await t.store.token("h1")).toMatchObject(ANN);
      expect(await t.store.deleteToken("t1", "acme")).toEqual(ANN);
    });
  });

  describe("Store.knownTokens()", () => {
    test("says which of some tokens there are, expired or not", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      for (const token_id of ["t1", "t2", "t3"])
        await t.store.addToken(
          { ...ANN, token_id, hash: `h-${token_id}`, expires_at: NOW - 1 },
          NOW,
        );
      await t.store.deleteToken("t2", undefined);
      const asked = ["t1", "t2", "t3", "never"];
      expect(await t.store.knownTokens(asked)).toEqual(new Set(["t1", "t3"]));
      expect(await t.store.knownTokens([])).toEqual(new Set());
    });
  });

  describe("Store, between tenants", () => {
    test(
      "a tenant is the same with and without a neighbour of the same ids, whatever the neighbour does",
      async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(anyAct, { maxLength: 25 }), async (acts) => {
            const together = await outcomeOf(makeDatabase, acts);
            for (const tenant of TENANTS) {
              const alone = await outcomeOf(
                makeDatabase,
                acts.filter((act) => act.tenant === tenant),
              );
              expect(together[tenant]).toEqual(alone[tenant]);
            }
          }),
          trials(12),
        );
      },
      TRIALS_TIMEOUT_MS,
    );
  });
}

/** Something done in a tenant. */
interface Act {
  readonly tenant: (typeof TENANTS)[number];
  readonly name: (typeof NAMES)[number];
  readonly who: (typeof PEOPLE)[number];
  readonly room_id: (typeof ROOMS)[number];
  readonly text: string;
}

const DO = {
  introduce: (store, { person, text }) =>
    store.putParticipant(person, { display_name: text, presence: "busy" }, NOW),
  rename: (store, { person, text }) => store.updateProfile(person, { display_name: text }, NOW),
  open: (store, { room, text }) => store.putRoom(room, { name: text }, NOW),
  join: (store, { room, person }) =>
    store.putMember({ ...room, ...person }, { membership: "join" }, NOW),
  leave: (store, { room, person }) =>
    store.putMember({ ...room, ...person }, { membership: "leave" }, NOW),
  send: (store, { room, person, text }) =>
    store.appendEvent(
      room,
      { sender_id: person.participant_id, content: { text }, event_uuid: text },
      NOW,
    ),
  say: (store, { room, person, text }) =>
    store.send(
      { ...room, ...person },
      { content: { msgtype: "t", body: text }, event_uuid: text },
      NOW,
    ),
  come: (store, { room, person }) => store.join({ ...room, ...person }, NOW),
  go: (store, { room, person }) => store.leave({ ...room, ...person }, NOW),
  invite: (store, { room, person }) => store.invite({ ...room, ...person }, "cy", NOW),
  read: (store, { room, person, text }) =>
    // By the name that the other tenant's events have: it must not be found.
    store.markRead({ ...room, ...person }, { event_id: `evt-globex-${text === "x" ? 5 : 6}` }, NOW),
  mute: (store, { room, person }) => store.mute({ ...room, ...person }, NOW + 1, NOW),
  notify: (store, { room, person }) =>
    store.setNotificationMode({ ...room, ...person }, "none", NOW),
  flip: (store, { room, person }) =>
    store.setResponseMode({ ...room, ...person }, { mode: "streaming", participant_id: null }, NOW),
  engage: (store, { room, person }) =>
    store.setEngagement({ ...room, ...person }, { mode: "mention" }, NOW),
  redact: (store, { room, person, text }) => {
    const content = { redacts: `evt-globex-${text === "x" ? 5 : 6}` };
    const { participant_id: sender_id } = person;
    return store.appendEvent(room, { sender_id, type: "swp.room.redaction", content }, NOW);
  },
  plan: (store, { room, text }) => store.putPlan(room, { id: text, state: "running" }, NOW),
  sidekick: (store, { room, text }) => store.putSidekick(room, { task_id: text, status: "x" }, NOW),
  call: (store, { room, text }) => store.putCall(room, { call_id: text, ended_at: null }, NOW),
  meet: (store, { person }) => store.openDirectRoom(person, "ann", NOW),
  show: (store, { person }) => store.setManual(person, { manual: "appear_offline" }, NOW),
  prefer: (store, { person, text }) =>
    store.updatePreferences(person, { keyword_alerts: [text] }, NOW),
  token: (store, { person, text }) => {
    const { tenant_id, participant_id } = person;
    const name = `${tenant_id}/${participant_id}/${text}`;
    return store.addToken({ tenant_id, participant_id, token_id: name, hash: name }, NOW);
  },
  revoke: (store, { person, text }) =>
    // By the name of the other tenant's token: it must not go.
    store.deleteToken(`globex/${person.participant_id}/${text}`, person.tenant_id),
} satisfies Record<
  string,
  (
    store: Store,
    on: {
      room: { tenant_id: string; room_id: string };
      person: { tenant_id: string; participant_id: string };
      text: string;
    },
  ) => Promise<unknown>
>;

const NAMES = Object.keys(DO) as (keyof typeof DO)[];

const anyAct: fc.Arbitrary<Act> = fc.record({
  tenant: fc.constantFrom(...TENANTS),
  name: fc.constantFrom(...NAMES),
  who: fc.constantFrom(...PEOPLE),
  room_id: fc.constantFrom(...ROOMS),
  text: fc.constantFrom("x", "y"),
});

/** What there is to be read of each tenant after some acts, and what each act came to. */
async function outcomeOf(
  makeDatabase: MakeDatabase,
  acts: readonly Act[],
): Promise<Record<Act["tenant"], unknown>> {
  let acting = "";
  const made = new Map<string, number>();
  const newId = (): string => {
    const count = (made.get(acting) ?? 0) + 1;
    made.set(acting, count);
    return `${acting}-${count}`;
  };
  await using t = await TestStore.on(makeDatabase, { newId });
  const answers: Record<Act["tenant"], unknown[]> = { acme: [], globex: [] };
  for (const tenant of TENANTS) {
    acting = tenant;
    await t.room("lobby", ["ann", "bob"], {}, tenant);
  }
  for (const { tenant, name, who, room_id, text } of acts) {
    acting = tenant;
    const on = {
      room: { tenant_id: tenant, room_id },
      person: { tenant_id: tenant, participant_id: who },
      text,
    };
    answers[tenant].push(await Promise.allSettled([DO[name](t.store, on)]));
  }
  return {
    acme: [answers.acme, await allOf(t, "acme")],
    globex: [answers.globex, await allOf(t, "globex")],
  };
}

async function allOf({ store, announced }: TestStore, tenant_id: string): Promise<unknown> {
  const facts = await store.presenceFacts();
  const people = PEOPLE.map(async (participant_id) => {
    const key = { tenant_id, participant_id };
    return {
      me: await store.me(key),
      profile: await store.profile(key),
      preferences: await store.preferences(key),
      rooms: await store.roomsOf(key),
      joined: (await store.standing(key)).rooms.toSorted(),
      tokens: await Promise.all(
        ["x", "y"].map((text) => store.token(`${tenant_id}/${participant_id}/${text}`)),
      ),
    };
  });
  const rooms = ROOMS.map((room_id) => store.room({ tenant_id, room_id }, "ann", EVERYTHING));
  const said = Promise.allSettled(
    ROOMS.map((room_id) =>
      store.messages(
        { tenant_id, room_id, participant_id: "ann" },
        { limit: 200, direction: "forward" },
      ),
    ),
  );
  return {
    position: await store.position(tenant_id),
    profiles: await store.profiles(tenant_id, { q: "", limit: 200, offset: 0 }),
    facts: facts.filter((each) => each.tenant_id === tenant_id),
    people: await Promise.all(people),
    rooms: await Promise.all(rooms),
    said: await said,
    announced: announced.filter(({ frame }) => frame.tenant_id === tenant_id),
  };
}
