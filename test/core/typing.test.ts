import { describe, expect, test } from "bun:test";
import { type TypingChange, TypingRegister, type TypingRules } from "@porchlight/core";
import fc from "fast-check";
import { signal, typingRules } from "../support/builders.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../support/runs.ts";
import { anyTypingHistory, anyTypingRules, TypingRun } from "../support/typing-run.ts";

/** Others hear of Ann, in the lobby unless said otherwise. */
function heard(typing: boolean, given: Partial<TypingChange> = {}): TypingChange {
  return { room_id: "lobby", participant_id: "ann", typing, ...given };
}

/** A register in which others were told, at 0, that Ann types in the lobby on her laptop. */
function withAnn(given: Partial<TypingRules> = {}): TypingRegister {
  const register = new TypingRegister(typingRules(given));
  register.start(signal(), 0);
  return register;
}

describe("TypingRegister start()", () => {
  test("announces the first signal and is silent on a renewal", () => {
    const register = new TypingRegister(typingRules());
    expect(register.start(signal(), 0)).toEqual(heard(true));
    expect(register.start(signal(), 1_000)).toBeUndefined();
  });

  test("is silent on the signal of a second device: others are told of the person", () => {
    const register = withAnn();
    expect(register.start(signal({ source: "phone" }), 1_000)).toBeUndefined();
    expect(register.typists("lobby")).toEqual(["ann"]);
  });

  test("announces each room and each person by itself", () => {
    const register = withAnn();
    expect(register.start(signal({ room_id: "attic" }), 0)).toEqual(
      heard(true, { room_id: "attic" }),
    );
    expect(register.start(signal({ participant_id: "bob" }), 0)).toEqual(
      heard(true, { participant_id: "bob" }),
    );
    expect(register.typists("lobby").toSorted()).toEqual(["ann", "bob"]);
    expect(register.typists("attic")).toEqual(["ann"]);
  });

  test("announces again whoever had stopped", () => {
    const register = withAnn();
    register.stop(signal(), 1_000);
    expect(register.start(signal(), 1_000)).toEqual(heard(true));
  });
});

describe("TypingRegister expire()", () => {
  test("ends a signal exactly when its lifetime is over", () => {
    const register = withAnn({ typing_retell_ms: 10_000 });
    expect(register.expire(3_999)).toEqual([]);
    expect(register.typists("lobby")).toEqual(["ann"]);
    expect(register.expire(4_000)).toEqual([heard(false)]);
    expect(register.typists("lobby")).toEqual([]);
    expect(register.expire(4_001)).toEqual([]);
  });

  test("counts the lifetime from the last publish", () => {
    const register = withAnn({ typing_retell_ms: 10_000 });
    register.start(signal(), 3_000);
    expect(register.expire(6_999)).toEqual([]);
    expect(register.expire(7_000)).toEqual([heard(false)]);
  });

  test("keeps a person typing until the last of their devices has run out", () => {
    const register = withAnn({ typing_retell_ms: 10_000 });
    register.start(signal({ source: "phone" }), 1_000);
    expect(register.expire(4_000)).toEqual([]);
    expect(register.expire(4_999)).toEqual([]);
    expect(register.expire(5_000)).toEqual([heard(false)]);
  });

  test("tells a living signal again exactly when typing_retell_ms have passed since it last did", () => {
    const register = withAnn();
    register.start(signal(), 2_400);
    expect(register.expire(2_499)).toEqual([]);
    expect(register.expire(2_500)).toEqual([heard(true)]);
    expect(register.expire(2_501)).toEqual([]);
    expect(register.expire(4_999)).toEqual([]);
    expect(register.expire(5_000)).toEqual([heard(true)]);
    expect(register.expire(6_400)).toEqual([heard(false)]);
  });

  test("does not tell a signal again that ends at that moment", () => {
    const register = withAnn({ typing_ttl_ms: 2_500 });
    expect(register.expire(2_500)).toEqual([heard(false)]);
  });

  test("ends several signals in one call", () => {
    const register = withAnn();
    register.start(signal({ participant_id: "bob" }), 10);
    expect(register.expire(5_000)).toEqual([heard(false), heard(false, { participant_id: "bob" })]);
  });
});

describe("TypingRegister nextAt()", () => {
  test("is the next telling or the end of the signal, whichever comes first", () => {
    const register = withAnn();
    expect(register.nextAt()).toBe(2_500);
    register.expire(2_500);
    expect(register.nextAt()).toBe(4_000);
  });

  test("comes forward when the device that lasts longest stops", () => {
    const register = withAnn({ typing_retell_ms: 10_000 });
    register.start(signal({ source: "phone" }), 2_000);
    register.start(signal(), 3_000);
    register.expire(4_000);
    expect(register.nextAt()).toBe(7_000);
    register.stop(signal(), 4_500);
    expect(register.nextAt()).toBe(6_000);
  });

  test("is undefined when nobody types and the last second of publishing is over", () => {
    const register = withAnn();
    expect(new TypingRegister(typingRules()).nextAt()).toBeUndefined();
    register.stop(signal(), 500);
    expect(register.nextAt()).toBe(1_000);
    expect(register.expire(1_000)).toEqual([]);
    expect(register.nextAt()).toBeUndefined();
  });
});

describe("TypingRegister stop()", () => {
  test("ends a signal early, and tells it once", () => {
    const register = withAnn();
    expect(register.stop(signal(), 1_000)).toEqual(heard(false));
    expect(register.stop(signal(), 1_000)).toBeUndefined();
    expect(register.expire(10_000)).toEqual([]);
  });

  test("tells nobody when there was no signal", () => {
    const register = withAnn();
    expect(register.stop(signal({ room_id: "attic" }), 0)).toBeUndefined();
    expect(register.stop(signal({ participant_id: "bob" }), 0)).toBeUndefined();
    expect(register.stop(signal({ source: "phone" }), 0)).toBeUndefined();
    expect(register.typists("lobby")).toEqual(["ann"]);
  });

  test("tells nobody while another device of the person types on", () => {
    const register = withAnn();
    register.start(signal({ source: "phone" }), 1_000);
    expect(register.stop(signal(), 2_000)).toBeUndefined();
    expect(register.stop(signal({ source: "phone" }), 2_000)).toEqual(heard(false));
  });
});

describe("TypingRegister stopAll()", () => {
  /** Ann types in the lobby on both devices, and in the attic on her laptop; Bob types in the lobby. */
  function busy(): TypingRegister {
    const register = withAnn();
    register.start(signal({ source: "phone" }), 0);
    register.start(signal({ room_id: "attic" }), 0);
    register.start(signal({ participant_id: "bob" }), 0);
    return register;
  }

  test("ends also what was begun before and after something that has ended already", () => {
    const register = new TypingRegister(typingRules());
    for (const room_id of ["one", "two", "three"]) register.start(signal({ room_id }), 0);
    register.stop(signal({ room_id: "two" }), 2_000);
    const ended = register.stopAll("ann", {}, 2_000);
    expect(ended.map(({ room_id, typing }) => [room_id, typing])).toEqual([
      ["one", false],
      ["three", false],
    ]);
  });

  test("ends everything that a person types, and nothing of others", () => {
    const register = busy();
    expect(register.stopAll("ann", {}, 1_000)).toEqual([
      heard(false),
      heard(false, { room_id: "attic" }),
    ]);
    expect(register.typists("lobby")).toEqual(["bob"]);
  });

  test("ends what a person types in one room only", () => {
    const register = busy();
    expect(register.stopAll("ann", { room_id: "lobby" }, 1_000)).toEqual([heard(false)]);
    expect(register.typists("attic")).toEqual(["ann"]);
  });

  test("ends what came from one source only, in every room", () => {
    const register = busy();
    expect(register.stopAll("ann", { source: "laptop" }, 1_000)).toEqual([
      heard(false, { room_id: "attic" }),
    ]);
    expect(register.typists("lobby").toSorted()).toEqual(["ann", "bob"]);
    expect(register.stopAll("ann", { source: "phone" }, 1_000)).toEqual([heard(false)]);
  });

  test("ends nothing of someone who does not type", () => {
    expect(busy().stopAll("eve", {}, 1_000)).toEqual([]);
  });
});

describe("TypingRegister stopRoom()", () => {
  test("ends all typing in a room, and none in another", () => {
    const register = withAnn();
    register.start(signal({ room_id: "attic" }), 0);
    register.start(signal({ participant_id: "bob" }), 0);
    expect(register.stopRoom("lobby", 1_000)).toEqual([
      heard(false),
      heard(false, { participant_id: "bob" }),
    ]);
    expect(register.typists("attic")).toEqual(["ann"]);
    expect(register.stopRoom("cellar", 1_000)).toEqual([]);
  });
});

describe("TypingRegister typing_rate", () => {
  /** Publishes and stops `times` times at each of `moments`, and counts the starts that were told. */
  function startsTold(register: TypingRegister, ...moments: number[]): number {
    return moments.filter((now) => {
      const told = register.start(signal(), now) !== undefined;
      register.stop(signal(), now);
      return told;
    }).length;
  }

  test("publishes of one second above the rate begin nothing, until the second is over", () => {
    const register = new TypingRegister(typingRules({ typing_rate: 2 }));
    expect(startsTold(register, 0, 1, 2, 999)).toBe(2);
    expect(startsTold(register, 1_000, 1_001, 1_002)).toBe(2);
  });

  test("a second is over exactly after 1,000 ms, also while the signal lives", () => {
    const register = withAnn({ typing_rate: 1 });
    register.start(signal(), 1_000);
    register.stop(signal(), 1_000);
    expect(startsTold(register, 1_001, 1_999)).toBe(0);
    expect(startsTold(register, 2_000)).toBe(1);
  });

  test("stopping does not refill the second", () => {
    const register = new TypingRegister(typingRules({ typing_rate: 1 }));
    expect(startsTold(register, 0)).toBe(1);
    register.expire(999);
    expect(startsTold(register, 999)).toBe(0);
  });

  test("a publish above the rate renews a signal that lives", () => {
    const register = withAnn({ typing_rate: 1, typing_retell_ms: 10_000 });
    register.start(signal(), 900);
    expect(register.expire(4_899)).toEqual([]);
    expect(register.expire(4_900)).toEqual([heard(false)]);
  });

  test("a stop is never limited", () => {
    const register = withAnn({ typing_rate: 1 });
    register.start(signal(), 1);
    expect(register.stop(signal(), 2)).toEqual(heard(false));
  });

  test("each room has a rate of its own", () => {
    const register = withAnn({ typing_rate: 1 });
    expect(register.start(signal({ room_id: "attic" }), 0)).toBeDefined();
  });

  test("a rate of 0 is no limit", () => {
    const register = new TypingRegister(typingRules({ typing_rate: 0 }));
    const moments = Array.from({ length: 50 }, (_, index) => index);
    expect(startsTold(register, ...moments)).toBe(50);
  });
});

describe("TypingRegister over generated histories", () => {
  test(
    "it agrees at every moment with what the rules say of all that ever happened",
    () => {
      fc.assert(
        fc.property(anyTypingRules, anyTypingHistory, (rules, history) => {
          const run = new TypingRun(rules);
          for (const step of history) run.step(step);
          run.rest();
        }),
        trials(5_000),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});
