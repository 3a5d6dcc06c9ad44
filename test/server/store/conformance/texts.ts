import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { TRIALS_TIMEOUT_MS, trials } from "../../../support/runs.ts";
import { type MakeDatabase, NOW, TestStore } from "../../../support/store.ts";

const ANN = { tenant_id: "acme", participant_id: "ann" } as const;

/** Texts that a database could stumble over, or take for each other. */
const AWKWARD = [
  "",
  "\u0001",
  "\r\n\t ",
  "'; drop table tenants; --",
  "$1 ? %_\\",
  "é",
  "e\u0301",
  "E\u0301",
  "ß",
  "İi",
  "\uffff",
  "😀",
  "\u{10ffff}",
];

/** That a text is what it is, whatever a database makes of texts. */
export function textsConformance(makeDatabase: MakeDatabase): void {
  describe("Store, of texts", () => {
    test("keeps every text as it was written, wherever it was", async () => {
      await using t = await TestStore.on(makeDatabase);
      const lobby = await t.room("lobby", ["ann"]);
      for (const text of AWKWARD) {
        await t.store.putParticipant(ANN, { display_name: text, bio: text, roles: [text] }, NOW);
        await t.store.putRoom(lobby, { name: text, topic: text }, NOW);
        await t.store.putPlan(lobby, { id: "plan", state: "running", goal: text }, NOW);
        const message = await t.say(lobby, "ann", text);
        expect(await t.store.me(ANN)).toMatchObject({
          display_name: text,
          bio: text,
          roles: [text],
        });
        expect(await t.look(lobby, "ann")).toMatchObject({
          room: { name: text, topic: text },
          plan: { goal: text },
          members: [{ participant: { display_name: text } }],
        });
        const page = { limit: 1, direction: "backward" } as const;
        const { events } = await t.store.messages({ ...lobby, ...ANN }, page);
        expect(events).toEqual([message]);
        expect(message.content).toEqual({ body: text });
      }
    });

    test("finds what is there under just this text, and nothing under any other", async () => {
      await using t = await TestStore.on(makeDatabase);
      await t.people(["ann"]);
      for (const [index, hash] of AWKWARD.entries())
        await t.store.addToken({ ...ANN, token_id: `t${index}`, hash }, NOW);
      for (const [index, hash] of AWKWARD.entries())
        expect(await t.store.token(hash)).toMatchObject({ token_id: `t${index}` });
      for (const hash of ["e", "É", "ss", "%"]) expect(await t.store.token(hash)).toBeUndefined();
    });

    test(
      "puts texts in the order of their code points, and finds each by any part of it",
      async () => {
        const unit = fc.constantFrom("\u0001", " ", "-", "a", "B", "é", "e\u0301", "日", "😀");
        const name = fc.string({ unit, minLength: 1, maxLength: 4 });
        await fc.assert(
          fc.asyncProperty(fc.array(name, { minLength: 1, maxLength: 8 }), async (names) => {
            await using t = await TestStore.on(makeDatabase);
            for (const [index, display_name] of names.entries())
              await t.people([String(index)], { display_name });
            const find = async (q: string): Promise<string[]> =>
              (await t.store.profiles("acme", { q, limit: 50, offset: 0 })).map(
                ({ participant }) => participant.display_name,
              );
            expect(await find("")).toEqual(names.toSorted(byCodePoints));
            for (const each of names) expect(await find(each)).toContain(each);
          }),
          trials(10),
        );
      },
      TRIALS_TIMEOUT_MS,
    );
  });
}

function byCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
