import type { Client } from "./client.ts";
import { duration, type Finding, PROMPT_MS, quantile, type Scenario } from "./scenario.ts";
import type { Room, Server } from "./server.ts";
import { heard, pass } from "./waiting.ts";

const CHANGES = 20;
/** Nobody types faster, and Porchlight tells at most 5 beginnings a second. */
const PACE_MS = 125;
const HEAR_WITHIN_MS = 2_000;

/** Two clients, and what one hears of the other. */
export const HEARING: readonly Scenario[] = [
  {
    name: `\`typing\` of one arrives at the other within ${PROMPT_MS} ms`,
    kind: "quick",
    play: type,
  },
  {
    name: "somebody else's `user.participant_id`, claimed, does not arrive",
    kind: "quick",
    play: claim,
  },
];

/** Two people who see each other. */
export async function pair(room: Room): Promise<{ ann: Client; bob: Client }> {
  const ann = await room.enter("ann");
  const bob = await room.enter("bob");
  await meet(ann, bob);
  return { ann, bob };
}

/** Resolves when all of these see each other. */
export async function meet(...clients: readonly Client[]): Promise<void> {
  const meetings = clients.flatMap((seer) =>
    clients.filter((seen) => seen !== seer).map((seen) => seer.hears(seen, HEAR_WITHIN_MS)),
  );
  for (const ms of await Promise.all(meetings))
    if (ms === undefined) throw new Error("Cannot go on as two do not see each other");
}

async function type(server: Server): Promise<Finding> {
  using room = server.room();
  const { ann, bob } = await pair(room);
  const times: number[] = [];
  for (let change = 0; change < CHANGES; change += 1) {
    const typing = change % 2 === 0;
    ann.awareness.setLocalStateField("typing", typing);
    const hears = (): boolean => bob.sees(ann.id)?.typing === typing;
    times.push((await heard(bob.awareness, hears, HEAR_WITHIN_MS)) ?? HEAR_WITHIN_MS);
    await pass(PACE_MS);
  }
  const [median, slowest] = [quantile(times, 0.5), quantile(times, 1)];
  return {
    holds: slowest <= PROMPT_MS,
    figure: `median ${duration(median)} of ${CHANGES}, slowest ${duration(slowest)}`,
  };
}

async function claim(server: Server): Promise<Finding> {
  using room = server.room();
  const { ann, bob } = await pair(room);
  ann.awareness.setLocalStateField("user", { name: bob.person, participant_id: bob.person });
  ann.draft();
  await bob.hears(ann, HEAR_WITHIN_MS);
  const { participant_id } = bob.sees(ann.id)?.user ?? {};
  if (participant_id === bob.person)
    return { holds: false, figure: "it arrives as it was claimed" };
  if (participant_id === ann.person) return { holds: true, figure: "their own id arrives" };
  return { holds: true, figure: "no id arrives" };
}
