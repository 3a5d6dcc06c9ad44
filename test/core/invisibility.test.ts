import { describe, test } from "bun:test";
import fc from "fast-check";
import { rules, typingRules } from "../support/builders.ts";
import { anyHistory, anyRules, HidingRun, type Step } from "../support/hiding-run.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../support/runs.ts";
import type { Act, How, Socket } from "../support/world.ts";

const LAPTOP: Socket = { device: "laptop", instance: "laptop", door: "stream" };
const BY_HAND: How = { device: undefined };
const HIDE: Act = { kind: "choose", manual: "appear_offline", how: BY_HAND };
const RETURN: Act = { kind: "choose", manual: undefined, how: BY_HAND };

function opened(state: "online" | "idle"): Act {
  return { kind: "open", socket: LAPTOP, activity: { state } };
}

function typing(room: "lobby" | "attic"): Act {
  return { kind: "typeStream", socket: LAPTOP, room, typing: true };
}

function heard(state: "online" | "idle"): Act {
  return { kind: "hear", socket: LAPTOP, activity: { state } };
}

/** Ann's acts, each with the milliseconds after the one before, by what they are an example of. */
const CASES: Readonly<Record<string, readonly (readonly [afterMs: number, act: Act])[]>> = {
  "chosen while disconnected, until the return": [
    [0, HIDE],
    [5_000, opened("online")],
    [60_000, RETURN],
    [10, heard("idle")],
  ],
  "chosen while the connection that was lost lingers": [
    [0, opened("online")],
    [5_000, { kind: "lose", socket: LAPTOP }],
    [9_999, HIDE],
    [1, opened("idle")],
    [50, RETURN],
  ],
  "chosen while typing": [
    [0, opened("online")],
    [1_000, typing("lobby")],
    [10, typing("attic")],
    [500, HIDE],
    [10, typing("lobby")],
    [2_500, typing("lobby")],
    [10, RETURN],
    [10, typing("lobby")],
  ],
  "chosen while a change waits to be told": [
    [0, opened("online")],
    [50, heard("idle")],
    [10, HIDE],
    [40, heard("online")],
    [500, RETURN],
  ],
  "chosen and given up before anything else would have been told": [
    [0, opened("online")],
    [50, HIDE],
    [10, heard("idle")],
    [39, RETURN],
    [1, { kind: "close", socket: LAPTOP }],
  ],
  "with a hidden change right before the return": [
    [0, HIDE],
    [5_000, opened("online")],
    [50, { kind: "close", socket: LAPTOP }],
    [10, { kind: "choose", manual: undefined, how: "facts" }],
    [10, opened("online")],
  ],
  "with private acts": [
    [0, opened("online")],
    [10, { kind: "message", room: "lobby" }],
    [500, HIDE],
    [10, { kind: "readMarker", room: "lobby" }],
    [10, { kind: "mute", room: "attic" }],
    [10, { kind: "preferences" }],
    [10, { kind: "message", room: "attic" }],
    [10, RETURN],
  ],
  "with acts that everyone may see": [
    [0, opened("online")],
    [10, typing("lobby")],
    [500, HIDE],
    [10, { kind: "message", room: "lobby" }],
    [10, { kind: "profile", name: "Anna" }],
    [10, { kind: "invite", room: "lobby", invited: "dee" }],
    [10, { kind: "leave", room: "lobby" }],
    [10, { kind: "join", room: "den" }],
    [10, { kind: "aiMode", room: "den" }],
    [10, RETURN],
  ],
  "by the administrator, within a coalescing window": [
    [0, opened("online")],
    [50, { kind: "choose", manual: "appear_offline", how: "facts" }],
    [10, typing("lobby")],
    [10, { kind: "choose", manual: "busy", how: "facts" }],
  ],
};

describe("LivenessRegister, of someone who appears offline", () => {
  test(
    "everyone else hears and is answered what they would if that person had gone",
    () => {
      fc.assert(
        fc.property(anyRules, anyHistory, (rules, history) => {
          const run = new HidingRun(rules);
          for (const step of history) run.step(step);
          run.rest();
        }),
        trials(5_000),
      );
    },
    TRIALS_TIMEOUT_MS,
  );

  for (const [name, acts] of Object.entries(CASES)) {
    test(`${name}: all the same`, () => {
      for (const manual_without_device of ["keep", "offline"] as const) {
        const run = new HidingRun({ ...typingRules(), ...rules({ manual_without_device }) });
        for (const [afterMs, act] of acts)
          run.step({ afterMs, pause: "awake", person: "ann", act } satisfies Step);
        run.rest();
      }
    });
  }
});
