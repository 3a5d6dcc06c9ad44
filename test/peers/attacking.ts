import { ATTACKS, type Attack } from "./attacks.ts";
import type { Client } from "./client.ts";
import { pair } from "./hearing.ts";
import { duration, type Finding, quantile, type Scenario } from "./scenario.ts";
import type { Room, Server } from "./server.ts";
import { pass } from "./waiting.ts";

const HEAR_WITHIN_MS = 1_000;
/** Porchlight hears at most 20 changes a second of one socket; of more, it waits with the last. */
const PACE_MS = 60;

/** Odd input on a socket of its own, one after the other. */
export const ATTACKING: readonly Scenario[] = [
  {
    name: `${ATTACKS.length} odd inputs: after each the process runs, and a bystander hears a change within ${duration(HEAR_WITHIN_MS)}`,
    kind: "deadly",
    play: attack,
  },
];

/** Two people who use a room as one should, while somebody else does not. */
interface Bystanders {
  readonly room: Room;
  readonly ann: Client;
  readonly bob: Client;
}

async function attack(server: Server): Promise<Finding> {
  const killed: string[] = [];
  const disturbed: string[] = [];
  const times: number[] = [];
  let bystanders = await gather(server);
  for (const each of ATTACKS) {
    const ms = await under(each, bystanders);
    if (ms !== undefined) times.push(ms);
    const isUp = await server.isUp();
    if (ms !== undefined && isUp) continue;
    (isUp ? disturbed : killed).push(each.name);
    bystanders.room[Symbol.dispose]();
    await server.restart();
    bystanders = await gather(server);
  }
  bystanders.room[Symbol.dispose]();
  return {
    holds: killed.length + disturbed.length === 0,
    figure: [
      ...listed("ended by", killed),
      ...listed("disturbed by", disturbed),
      `slowest change ${duration(quantile(times, 1))}`,
    ].join("; "),
  };
}

async function gather(server: Server): Promise<Bystanders> {
  const room = server.room();
  return { room, ...(await pair(room)) };
}

/** How long a change of a bystander's took after an attack; nothing when it did not arrive, one lost the connection, or nobody else is let in. */
async function under(
  { send }: Attack,
  { room, ann, bob }: Bystanders,
): Promise<number | undefined> {
  using mallory = await room.intrude("mallory");
  send(mallory);
  await mallory.taken();
  const isOpen = await room.intrude("newcomer").then(
    (newcomer) => {
      newcomer[Symbol.dispose]();
      return true;
    },
    () => false,
  );
  await pass(PACE_MS);
  ann.draft();
  const ms = await bob.hears(ann, HEAR_WITHIN_MS);
  const isUndisturbed = [ann, bob].every(({ opened }) => opened.items.length === 1);
  return isOpen && isUndisturbed ? ms : undefined;
}

function listed(what: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  return [`${what} ${names.length}: ${[...new Set(names)].join(", ")}`];
}
