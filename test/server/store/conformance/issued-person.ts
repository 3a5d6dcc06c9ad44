import { describe, expect, test } from "bun:test";
import type { IssuedPerson } from "@porchlight/server/store";
import { type MakeDatabase, NOW, refusalOf, TestStore } from "../../../support/store.ts";

const ANN: IssuedPerson = {
  tenant_id: "acme",
  participant_id: "ann",
  roles: ["reader", "writer"],
  groups: ["staff"],
  display_name: "Ann Archer",
  email: "ann@acme.example",
};

/** What an issuer says of people, and what becomes of it. */
export function issuedConformance(makeDatabase: MakeDatabase): void {
  describe("Store.admit()", () => {
    test("adds someone new once, however often they come at once, and tells the tenant once", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.store.putTenant("acme", {});
      await Promise.all([1, 2, 3].map(() => t.store.admit(ANN, NOW)));
      const { roles, groups, display_name, email } = ANN;
      const stored = { display_name, email, roles, groups };
      expect(await t.store.me(ANN)).toMatchObject(stored);
      expect(t.announced).toMatchObject([
        { to: "tenant", frame: { type: "swp.participant.profile", participant_id: "ann" } },
      ]);
    });

    test("calls someone new whom nobody named by their id", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.store.putTenant("acme", {});
      await t.store.admit({ ...ANN, display_name: undefined, email: undefined }, NOW);
      expect(await t.store.me(ANN)).toMatchObject({ display_name: "ann", email: null });
    });

    test("changes nothing but roles and groups of who is there, and tells nobody", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"], { display_name: "Mine", email: "my@x.example", presence: "busy" });
      const before = await t.store.me(ANN);
      expect(await t.heard(() => t.store.admit(ANN, NOW))).toEqual([]);
      const { roles, groups } = ANN;
      expect<unknown>(await t.store.me(ANN)).toEqual({ ...before, roles, groups });
      expect(await t.store.presenceFacts()).toMatchObject([{ manual: "busy" }]);
    });

    test("refuses somebody of a tenant that does not exist with SW_TENANT_NOT_FOUND", async () => {
      await using t = await TestStore.on(makeDatabase);
      expect((await refusalOf(t.store.admit(ANN, NOW))).code).toBe("SW_TENANT_NOT_FOUND");
      expect(await t.store.hasTenant("acme")).toBe(false);
    });
  });

  describe("Store.recognise()", () => {
    test("knows a participant with the same roles and groups, in any order", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"], {}, "globex");
      expect(await t.store.recognise(ANN)).toBe("unknown");
      await t.people(["ann"], { roles: ["writer", "reader"], groups: ["staff"] });
      expect(await t.store.recognise(ANN)).toBe("known");
      expect(await t.store.recognise({ ...ANN, display_name: "Another" })).toBe("known");
      for (const other of [{ roles: ["reader"] }, { roles: [] }, { groups: ["staff", "guests"] }])
        expect(await t.store.recognise({ ...ANN, ...other })).toBe("changed");
      await t.store.admit({ ...ANN, roles: [] }, NOW);
      expect(await t.store.recognise({ ...ANN, roles: [] })).toBe("known");
    });
  });
}
