import type { Client } from "./client.ts";
import { meet, pair } from "./hearing.ts";
import type { Intruder } from "./intruder.ts";
import { duration, type Finding, isPrompt, PROMPT_MS, type Scenario, when } from "./scenario.ts";
import type { Room, Server } from "./server.ts";
import { heard, Watch } from "./waiting.ts";

const FORGED = { user: { name: "forged" }, draft: -1 };
const HIGHER = 1_000;
const HIGHEST_CLOCK = Number.MAX_SAFE_INTEGER;
const HEAR_WITHIN_MS = 5_000;
/** Within this time a client says once more that it is there. */
const RENEWAL_MS = 20_000;

/** Raw frames of somebody who speaks for others. */
export const FORGING: readonly Scenario[] = [
  {
    name: "another's client id, higher clock: no effect on a third, the other, or what they say next",
    kind: "quick",
    play: (server) => forge(server, (clock) => clock + HIGHER),
  },
  {
    name: "another's client id, clock of 2^53 - 1: the same",
    kind: "quick",
    play: (server) => forge(server, () => HIGHEST_CLOCK),
  },
  {
    name: `another's client id while they are away: the same, and back they are heard within ${PROMPT_MS} ms`,
    kind: "quick",
    play: impersonate,
  },
  {
    name: "`null` for another's client id: nobody vanishes for a third",
    kind: "quick",
    play: remove,
  },
  {
    name: "another's old frame again: no effect, and nobody who has gone is back",
    kind: "quick",
    play: replay,
  },
];

/** The victim, a third, and whoever pretends to be the victim, with nothing said yet. */
async function cast(room: Room): Promise<{ ann: Client; bob: Client; mallory: Intruder }> {
  const mallory = await room.intrude("mallory");
  return { ...(await pair(room)), mallory };
}

/** The clock that a client knows of another. */
function clockOf(seer: Client, { id }: Client): number {
  return seer.awareness.meta.get(id)?.clock ?? 0;
}

/** What came of a forgery. */
interface Effects {
  readonly seen: Watch;
  /** Whether the victim still is who it says it is. */
  readonly isItself: boolean;
  /** After how long the third heard each of what the victim said next. */
  readonly next: readonly (number | undefined)[];
}

function judged({ seen, isItself, next }: Effects): Finding {
  const faults = [
    ...(seen.times > 0 ? ["a third sees the forgery"] : []),
    ...(isItself ? [] : ["the victim's own state is overwritten"]),
  ];
  return {
    holds: faults.length === 0 && next.every(isPrompt),
    figure: [...faults, `the victim is ${when("heard", slowest(next), HEAR_WITHIN_MS)}`].join(", "),
  };
}

/** Nothing where there is one that never came. */
function slowest(times: readonly (number | undefined)[]): number | undefined {
  const came = times.filter((ms) => ms !== undefined);
  return came.length < times.length ? undefined : Math.max(...came);
}

/** After how long somebody hears what another says now. */
function says(speaker: Client, listener: Client): Promise<number | undefined> {
  speaker.draft();
  return listener.hears(speaker, HEAR_WITHIN_MS);
}

function isItself({ own, person }: Client): boolean {
  return own?.user?.name === person;
}

async function forge(server: Server, clock: (known: number) => number): Promise<Finding> {
  using room = server.room();
  const { ann, bob, mallory } = await cast(room);
  using seen = new Watch(bob.awareness, () => bob.sees(ann.id)?.draft === FORGED.draft);
  mallory.say({ id: ann.id, clock: clock(clockOf(bob, ann)), text: JSON.stringify(FORGED) });
  await mallory.mark(ann, bob);
  // A clock that high may take one more step before it sticks.
  const next = [await says(ann, bob), await says(ann, bob)];
  return judged({ seen, isItself: isItself(ann), next });
}

async function impersonate(server: Server): Promise<Finding> {
  using room = server.room();
  const { ann, bob, mallory } = await cast(room);
  using seen = new Watch(bob.awareness, () => bob.sees(ann.id)?.draft === FORGED.draft);
  ann.disconnect();
  await heard(bob.awareness, () => bob.sees(ann.id) === undefined, HEAR_WITHIN_MS);
  mallory.say({ id: ann.id, clock: clockOf(bob, ann) + HIGHER, text: JSON.stringify(FORGED) });
  await mallory.mark(bob);
  // What changed meanwhile has a clock of its own.
  ann.draft();
  ann.connect();
  await ann.opens(2);
  const next = [await bob.hears(ann, HEAR_WITHIN_MS)];
  return judged({ seen, isItself: isItself(ann), next });
}

async function remove(server: Server): Promise<Finding> {
  using room = server.room();
  const { ann, bob, mallory } = await cast(room);
  using vanished = new Watch(bob.awareness, () => bob.sees(ann.id) === undefined);
  for (const more of [0, 1, HIGHER]) {
    mallory.say({ id: ann.id, clock: clockOf(bob, ann) + more, text: "null" });
    await mallory.mark(ann, bob);
    await heard(bob.awareness, () => bob.sees(ann.id) !== undefined, RENEWAL_MS);
  }
  const { times, ms } = vanished;
  return {
    holds: times === 0,
    figure: times === 0 ? "nobody vanishes" : `vanishes ${times} times, for ${duration(ms)} in all`,
  };
}

async function replay(server: Server): Promise<Finding> {
  using room = server.room();
  const { ann, bob, mallory } = await cast(room);
  const old = { id: ann.id, clock: clockOf(bob, ann), text: JSON.stringify(bob.sees(ann.id)) };
  const before = bob.sees(ann.id)?.draft;
  ann.draft();
  await meet(ann, bob);
  using seen = new Watch(bob.awareness, () => bob.sees(ann.id)?.draft === before);
  const last = { id: ann.id, clock: clockOf(bob, ann), text: JSON.stringify(bob.sees(ann.id)) };
  mallory.say(old);
  await mallory.mark(ann, bob);
  ann.destroy();
  await heard(bob.awareness, () => bob.sees(ann.id) === undefined, HEAR_WITHIN_MS);
  using back = new Watch(bob.awareness, () => bob.sees(ann.id) !== undefined);
  mallory.say(old, last);
  await mallory.mark(bob);
  const faults = [
    ...(seen.times > 0 ? ["the old state is seen again"] : []),
    ...(back.times > 0 ? ["who has gone is seen again"] : []),
  ];
  return { holds: faults.length === 0, figure: faults.join(", ") || "no effect" };
}
