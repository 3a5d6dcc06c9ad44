import { describe, expect, test } from "bun:test";
import {
  DEFAULT_PREFERENCES,
  mergePreferences,
  type ParticipantBody,
  type RememberedPerson,
} from "@porchlight/core";
import type { Store } from "@porchlight/server/store";
import fc from "fast-check";
import { anyPreferencesPatch } from "../../../support/preferences-values.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../../../support/runs.ts";
import { type MakeDatabase, NOW, TestStore } from "../../../support/store.ts";

const ANN = { tenant_id: "acme", participant_id: "ann" } as const;

/** People: who they are, what they show and prefer, and the devices kept over a restart. */
export function peopleConformance(makeDatabase: MakeDatabase): void {
  describe("Store.putParticipant()", () => {
    test("adds a human named after their id, on the configured server", async () => {
      await using t = await TestStore.on(makeDatabase, { server_name: "porch.example" });
      await t.store.putTenant("acme", { name: "Acme" });
      await t.store.putParticipant(ANN, {}, NOW);
      expect(await t.store.me(ANN)).toEqual({
        participant_id: "ann",
        local_id: "ann",
        server_name: "porch.example",
        display_name: "ann",
        email: null,
        avatar_url: null,
        bio: null,
        personal_workspace_id: null,
        roles: [],
        groups: [],
        tenant: { id: "acme", slug: "acme", name: "Acme", features: {} },
      });
    });

    test("cuts a long id to the 80 characters that a display name may have", async () => {
      await using t = await TestStore.on(makeDatabase);
      const participant_id = "a".repeat(128);
      await t.people([participant_id]);
      expect((await t.store.me({ ...ANN, participant_id }))?.display_name).toBe("a".repeat(80));
    });

    test(
      "keeps what a body leaves out: one body after another is both of them in one",
      async () => {
        await fc.assert(
          fc.asyncProperty(anyParticipant, anyParticipant, async (first, second) => {
            await using t = await TestStore.on(makeDatabase);
            await t.people(["ann"], first, "acme");
            await t.people(["ann"], second, "acme");
            await t.people(["ann"], { ...first, ...defined(second) }, "globex");
            const [acme, globex] = await Promise.all(
              ["acme", "globex"].map((tenant_id) => t.store.me({ ...ANN, tenant_id })),
            );
            expect({ ...acme, tenant: undefined }).toEqual({ ...globex, tenant: undefined });
          }),
          trials(25),
        );
      },
      TRIALS_TIMEOUT_MS,
    );

    test("answers what presence has to know: the state set by hand, and whether they are always online", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.store.putTenant("acme", {});
      const put = (body: ParticipantBody): Promise<unknown> =>
        t.store.putParticipant(ANN, body, NOW);
      expect(await put({})).toEqual({
        ...ANN,
        manual: undefined,
        manual_at: 0,
        alwaysOnline: false,
      });
      expect(await put({ presence: "busy" })).toMatchObject({ manual: "busy", manual_at: NOW });
      expect(await put({ bio: "still" })).toMatchObject({ manual: "busy" });
      expect(await put({ presence: null })).toMatchObject({ manual: undefined });
      expect(await put({ participant_type: "model" })).toMatchObject({ alwaysOnline: true });
      expect(await put({ participant_type: "helper" })).toMatchObject({ alwaysOnline: true });
      expect(await put({ participant_type: "human" })).toMatchObject({ alwaysOnline: false });
    });

    test("tells the tenant of a new person, and of what others can see of a known one", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.store.putTenant("acme", {});
      const heard = await t.heard(async () => {
        await t.store.putParticipant(ANN, { bio: "Hi", email: "ann@example.org" }, NOW);
        await t.store.putParticipant(ANN, { email: null, roles: ["x"], presence: "busy" }, NOW);
        await t.store.putParticipant(ANN, { display_name: "Ann" }, NOW);
      });
      expect(heard).toEqual([
        {
          to: "tenant",
          frame: {
            type: "swp.participant.profile",
            id: expect.stringMatching(/^evt-/),
            tenant_id: "acme",
            ts: "2026-03-02T09:00:00.000Z",
            stream_position: 1,
            participant_id: "ann",
            participant: expect.objectContaining({ id: "ann", display_name: "ann" }),
            bio: "Hi",
          },
        },
        {
          to: "tenant",
          frame: expect.objectContaining({
            stream_position: 2,
            participant: expect.objectContaining({ display_name: "Ann" }),
          }),
        },
      ]);
    });
  });

  describe("Store.presenceFacts()", () => {
    test("names everyone with a state by hand and every machine, of every tenant, and nobody else", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["plain"]);
      await t.people(["hidden"], { presence: "appear_offline" });
      await t.people(["model"], { participant_type: "model" });
      await t.people(["helper"], { participant_type: "helper", presence: "idle" }, "globex");
      const facts = (await t.store.presenceFacts()).map(
        ({ tenant_id, participant_id, manual, alwaysOnline }) =>
          `${tenant_id} ${participant_id} ${manual} ${alwaysOnline}`,
      );
      expect(facts.toSorted()).toEqual([
        "acme hidden appear_offline false",
        "acme model undefined true",
        "globex helper idle true",
      ]);
    });
  });

  describe("Store.presenceFactsOf()", () => {
    test("answers for whoever there is, also when they have chosen nothing, and of one tenant", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      await t.people(["ann"], { presence: "busy", participant_type: "helper" }, "globex");
      expect(await t.store.presenceFactsOf(ANN)).toEqual({
        ...ANN,
        manual: undefined,
        manual_at: 0,
        alwaysOnline: false,
      });
      const neighbour = { ...ANN, tenant_id: "globex" };
      expect(await t.store.presenceFactsOf(neighbour)).toEqual({
        ...neighbour,
        manual: "busy",
        manual_at: NOW,
        alwaysOnline: true,
      });
      expect(await t.store.presenceFactsOf({ ...ANN, participant_id: "bob" })).toBeUndefined();
    });

    test("is what adding the person answered, and goes on saying when a choice was taken back", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      const added = await t.store.putParticipant(ANN, { presence: "idle" }, NOW);
      expect(await t.store.presenceFactsOf(ANN)).toEqual(added);
      const { at } = await t.store.setManual(ANN, { manual: undefined }, NOW + 1_000);
      expect(await t.store.presenceFactsOf(ANN)).toEqual({
        ...added,
        manual: undefined,
        manual_at: at,
      });
    });
  });

  describe("Store.setManual()", () => {
    test("sets the state by hand and returns it to automatic, and tells nobody", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann", "bob"]);
      const heard = await t.heard(() => t.store.setManual(ANN, { manual: "appear_offline" }, NOW));
      expect(heard).toEqual([]);
      expect(await t.store.presenceFacts()).toEqual([
        { ...ANN, manual: "appear_offline", manual_at: NOW, alwaysOnline: false },
      ]);
      await t.store.setManual(ANN, { manual: undefined }, NOW);
      expect(await t.store.presenceFacts()).toEqual([]);
    });
  });

  describe("Store.setManual(), for a choice made offline", () => {
    const made = (at: number, device_id = "laptop"): { at: number; device_id: string } => ({
      at,
      device_id,
    });

    test("stands unless a later choice is there, whichever arrives first", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      const choose = (
        manual: "busy" | "idle",
        at: number,
        device_id?: string,
      ): ReturnType<Store["setManual"]> =>
        t.store.setManual(ANN, { manual, made: made(at, device_id) }, NOW);
      const at = NOW - 1_000;
      expect(await choose("busy", at)).toEqual({ stands: true, at });
      expect(await choose("idle", at - 1)).toEqual({ stands: false, at });
      expect(await choose("idle", at, "a-device")).toEqual({ stands: false, at });
      expect(await choose("idle", at, "z-device")).toEqual({ stands: true, at });
      expect(await t.store.presenceFacts()).toMatchObject([{ manual: "idle" }]);
    });

    test("never stands against one that was made since, which stands at once even where its clock is behind", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      const ahead = { manual: "busy", made: made(NOW + 60_000) } as const;
      await t.store.setManual(ANN, ahead, NOW);
      const later = await t.store.setManual(ANN, { manual: "idle" }, NOW);
      expect(later).toEqual({ stands: true, at: expect.any(Number) });
      expect(later.at).toBeGreaterThan(NOW + 60_000);
      expect(await t.store.setManual(ANN, ahead, NOW)).toEqual({ stands: false, at: later.at });
      expect(await t.store.presenceFacts()).toMatchObject([{ manual: "idle" }]);
    });
  });

  describe("Store.editPreferences()", () => {
    const edit = (
      seq: number,
      at: number,
      ...leaves: [string, unknown][]
    ): { seq: number; at: number; leaves: [string, unknown][] } => ({ seq, at, leaves });

    test("applies each edit once, in the order of seq, and answers how far it came", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      const batch = [
        edit(2, NOW - 1, ["locale", "de"]),
        edit(1, NOW - 2, ["locale", "nl"], ["push", false]),
      ];
      const first = await t.store.editPreferences(ANN, "laptop", batch, NOW);
      expect(first).toMatchObject({
        applied_seq: 2,
        superseded: [],
        preferences: { locale: "de", push: false },
      });
      await t.store.updatePreferences(ANN, { locale: "en" }, NOW);
      const again = await t.store.editPreferences(
        ANN,
        "laptop",
        [...batch, edit(3, NOW, ["email", true])],
        NOW,
      );
      expect(again).toMatchObject({
        applied_seq: 3,
        superseded: [],
        preferences: { locale: "en", email: true },
      });
      const other = await t.store.editPreferences(
        ANN,
        "phone",
        [edit(1, NOW - 5, ["locale", "nl"])],
        NOW,
      );
      expect(other).toMatchObject({
        applied_seq: 1,
        superseded: [{ seq: 1, path: "locale" }],
        preferences: { locale: "en" },
      });
    });

    test("tells the person's own devices when the document has changed, and nobody else", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      const send = (seq: number, value: string) => () =>
        t.store.editPreferences(ANN, "laptop", [edit(seq, NOW + seq, ["locale", value])], NOW);
      expect(await t.heard(send(1, "nl"))).toMatchObject([
        { to: { participant_id: "ann" }, frame: { type: "swp.me.preferences" } },
      ]);
      expect(await t.heard(send(2, "nl"))).toEqual([]);
      expect(await t.heard(send(1, "de"))).toEqual([]);
    });
  });

  describe("Store.updateProfile()", () => {
    test("changes what is named and tells the tenant", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"], { bio: "Hi", avatar_url: "https://example.org/a.png" });
      const heard = await t.heard(() =>
        t.store.updateProfile(ANN, { display_name: "Ann", avatar_url: null }, NOW),
      );
      const participant = expect.objectContaining({ display_name: "Ann", avatar_url: null });
      expect(heard).toEqual([
        {
          to: "tenant",
          frame: expect.objectContaining({
            type: "swp.participant.profile",
            participant_id: "ann",
            participant,
            bio: "Hi",
            stream_position: 2,
          }),
        },
      ]);
      expect(await t.store.profile(ANN)).toEqual({ participant, bio: "Hi" });
    });

    test("tells nobody when nothing differs", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"], { bio: "Hi" });
      const patches = [{}, { bio: "Hi" }, { display_name: "ann", avatar_url: null }];
      const heard = await t.heard(async () => {
        for (const patch of patches) await t.store.updateProfile(ANN, patch, NOW);
      });
      expect(heard).toEqual([]);
      expect(await t.store.position("acme")).toBe(1);
    });
  });

  describe("Store.me()", () => {
    test("is undefined for nobody", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"], {}, "globex");
      expect(await t.store.me(ANN)).toBeUndefined();
    });
  });

  describe("Store.profile()", () => {
    test("shows what others may read of a person, and no more", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"], {
        bio: "Hi",
        email: "ann@example.org",
        roles: ["secret"],
        local_id: "a.nn",
        server_name: "porch.example",
        participant_type: "helper",
        avatar_url: "https://example.org/a.png",
        presence: "appear_offline",
      });
      expect(await t.store.profile(ANN)).toEqual({
        participant: {
          id: "ann",
          local_id: "a.nn",
          server_name: "porch.example",
          display_name: "ann",
          participant_type: "helper",
          avatar_url: "https://example.org/a.png",
        },
        bio: "Hi",
      });
      expect(await t.store.profile({ ...ANN, tenant_id: "globex" })).toBeUndefined();
    });
  });

  describe("Store.profiles()", () => {
    const find = async (
      t: TestStore,
      q: string,
      page: { limit?: number; offset?: number } = {},
    ): Promise<string[]> => {
      const found = await t.store.profiles("acme", { q, limit: 50, offset: 0, ...page });
      return found.map(({ participant }) => participant.id);
    };

    test("orders by display name, by code points, then by id", async () => {
      await using t = await TestStore.on(makeDatabase);
      const names = { d: "Zed", a: "ann", c: "Émile", b: "Zed", e: "Zed Two", f: "_", g: "日本" };
      for (const [id, display_name] of Object.entries(names))
        await t.people([id], { display_name });
      expect(await find(t, "")).toEqual(["b", "d", "e", "f", "a", "c", "g"]);
    });

    test("looks for a text anywhere in display names and local ids, without regard to case", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["1"], { display_name: "Ann ÉMILE", local_id: "walrus" });
      await t.people(["2"], { display_name: "Bob", local_id: "Ann.Other" });
      await t.people(["ann"], { display_name: "Nobody", local_id: "nobody", bio: "ann" });
      expect(await find(t, "ANN")).toEqual(["1", "2"]);
      expect(await find(t, "émile")).toEqual(["1"]);
      expect(await find(t, "n É")).toEqual(["1"]);
      expect(await find(t, "WAL")).toEqual(["1"]);
      expect(await find(t, "other")).toEqual(["2"]);
      expect(await find(t, "nobod")).toEqual(["ann"]);
      expect(await find(t, "zzz")).toEqual([]);
    });

    test("follows a changed name", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"], { display_name: "Before" });
      await t.store.updateProfile(ANN, { display_name: "After" }, NOW);
      expect(await find(t, "before")).toEqual([]);
      expect(await find(t, "after")).toEqual(["ann"]);
    });

    test(
      "finds exactly those whose name or local id contains the text: no character of it is special",
      async () => {
        const text = fc.string({
          unit: fc.constantFrom(..."%_\\*?'\"[]a"),
          minLength: 1,
          maxLength: 3,
        });
        await fc.assert(
          fc.asyncProperty(fc.array(text, { maxLength: 8 }), text, async (names, q) => {
            await using t = await TestStore.on(makeDatabase);
            await t.store.putTenant("acme", {});
            for (const [index, display_name] of names.entries())
              await t.people([String(index)], { display_name });
            const wanted = names.flatMap((name, index) => (name.includes(q) ? String(index) : []));
            expect((await find(t, q)).toSorted()).toEqual(wanted.toSorted());
          }),
          trials(25),
        );
      },
      TRIALS_TIMEOUT_MS,
    );

    test("pages by limit and offset, the same order on every page", async () => {
      await using t = await TestStore.on(makeDatabase);
      const ids = Array.from({ length: 7 }, (_, index) => `p${index}`);
      await t.people(ids, { display_name: "Same" });
      expect(await find(t, "same", { limit: 3 })).toEqual(["p0", "p1", "p2"]);
      expect(await find(t, "same", { limit: 3, offset: 3 })).toEqual(["p3", "p4", "p5"]);
      expect(await find(t, "same", { limit: 3, offset: 6 })).toEqual(["p6"]);
      expect(await find(t, "same", { limit: 3, offset: 7 })).toEqual([]);
    });
  });

  describe("Store.preferences()", () => {
    test("are the defaults the store was opened with, until something is set", async () => {
      const preferences = { ...DEFAULT_PREFERENCES, timezone: "Europe/Amsterdam" };
      await using t = await TestStore.on(makeDatabase, { preferences });
      await t.people(["ann"]);
      expect(await t.store.preferences(ANN)).toEqual(preferences);
      await t.store.updatePreferences(ANN, { locale: "nl" }, NOW);
      expect(await t.store.preferences(ANN)).toEqual({ ...preferences, locale: "nl" });
      const elsewhere = await t.beside();
      expect(await elsewhere.preferences(ANN)).toEqual({ ...DEFAULT_PREFERENCES, locale: "nl" });
    });
  });

  describe("Store.updatePreferences()", () => {
    test(
      "merges one patch after another, and answers the whole document",
      async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(anyPreferencesPatch, { maxLength: 6 }), async (patches) => {
            await using t = await TestStore.on(makeDatabase);
            await t.people(["ann"]);
            let merged = DEFAULT_PREFERENCES;
            for (const patch of patches) {
              merged = mergePreferences(merged, patch);
              expect(await t.store.updatePreferences(ANN, patch, NOW)).toEqual(merged);
            }
            expect(await t.store.preferences(ANN)).toEqual(merged);
          }),
          trials(25),
        );
      },
      TRIALS_TIMEOUT_MS,
    );

    test("takes effect leaf by leaf, even where the last write lies in the future", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      const later = NOW + 86_400_000;
      await t.store.updatePreferences(
        ANN,
        { locale: "nl", quiet_hours: { start: "22:00" } },
        later,
      );
      await t.store.updatePreferences(ANN, { locale: "de", quiet_hours: { start: null } }, NOW);
      expect(
        await t.store.updatePreferences(ANN, { locale: "en", quiet_hours: { end: "07:00" } }, NOW),
      ).toMatchObject({ locale: "en", quiet_hours: { start: null, end: "07:00" } });
    });

    test("tells the person's own devices the whole document, without a position, when it differs", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      const before = await t.store.position("acme");
      const heard = await t.heard(async () => {
        await t.store.updatePreferences(ANN, { push: false }, NOW);
        await t.store.updatePreferences(ANN, { push: false }, NOW);
        await t.store.updatePreferences(ANN, {}, NOW);
      });
      expect(heard).toEqual([
        {
          to: { participant_id: "ann" },
          frame: {
            type: "swp.me.preferences",
            id: expect.stringMatching(/^evt-/),
            tenant_id: "acme",
            ts: "2026-03-02T09:00:00.000Z",
            preferences: { ...DEFAULT_PREFERENCES, push: false },
          },
        },
      ]);
      expect(await t.store.position("acme")).toBe(before);
    });
  });

  describe("Store.takeDevices()", () => {
    const ann: RememberedPerson = { participant_id: "ann", told: "online", sources: [] };

    test("finds what keepDevices() wrote down, once", async () => {
      await using t = await TestStore.on(makeDatabase);
      expect(await t.store.takeDevices()).toBeUndefined();
      await t.store.keepDevices({ acme: [ann], globex: [] }, NOW);
      expect(await (await t.beside()).takeDevices()).toEqual({
        keptAt: NOW,
        devices: { acme: [ann], globex: [] },
      });
      expect(await t.store.takeDevices()).toBeUndefined();
    });

    test("finds only what was written down last", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.store.keepDevices({ acme: [ann] }, NOW);
      await t.store.keepDevices({ globex: [ann] }, NOW + 1);
      expect(await t.store.takeDevices()).toEqual({ keptAt: NOW + 1, devices: { globex: [ann] } });
    });

    test("of two that ask at once only one finds it", async () => {
      await using t = await TestStore.on(makeDatabase);
      const other = await t.beside();
      await t.store.keepDevices({ acme: [ann] }, NOW);
      const found = await Promise.all([t.store.takeDevices(), other.takeDevices()]);
      expect(found.filter((each) => each !== undefined)).toHaveLength(1);
    });
  });
}

const anyParticipant: fc.Arbitrary<ParticipantBody> = fc.record(
  {
    display_name: fc.constantFrom("Ann", "Bob", undefined),
    avatar_url: fc.constantFrom(null, "https://example.org/a.png", undefined),
    bio: fc.constantFrom(null, "", "Hi", undefined),
    email: fc.constantFrom(null, "ann@example.org"),
    personal_workspace_id: fc.constantFrom(null, "ws"),
    server_name: fc.constantFrom("a.example", "b.example"),
    roles: fc.subarray(["x", "y"]),
    groups: fc.subarray(["g", "h"]),
  },
  { requiredKeys: [] },
);

/** A body without the keys that are `undefined`: they say nothing. */
function defined(body: ParticipantBody): ParticipantBody {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}
