import { pair } from "./hearing.ts";
import { duration, type Finding, isPrompt, PROMPT_MS, type Scenario, when } from "./scenario.ts";
import { guarded, type Server } from "./server.ts";
import { heard, now, pass, Watch, within } from "./waiting.ts";

const HEAR_WITHIN_MS = 2_000;
/** Clients say every 15 s to 18 s that they are there. */
const RENEWAL_MS = 20_000;
/** Others drop who says nothing for 30 s to 33 s: so long before it freezes, a client said something last. */
export const SILENT_BEFORE_MS = 14_000;
const FROZEN_MS = 20_000;
const START_WITHIN_MS = 10_000;
const ALONE_MS = 40_000;
const AFTERMATH_MS = 1_000;

/** A client that was away, or seems to have been. */
export const RETURNING: readonly Scenario[] = [
  {
    name: `cut, and back with the same client id: seen and seeing within ${PROMPT_MS} ms of the open socket, no flash`,
    kind: "quick",
    play: comeBack,
  },
  {
    name: `process frozen for ${duration(FROZEN_MS)}: seen within ${PROMPT_MS} ms of waking, no flash`,
    kind: "long",
    play: freeze,
  },
  {
    name: `alone in a room for ${duration(ALONE_MS)}: stays connected`,
    kind: "long",
    play: stayAlone,
  },
];

async function comeBack(server: Server): Promise<Finding> {
  using room = server.room();
  const { ann, bob } = await pair(room);
  using gone = new Watch(bob.awareness, () => bob.sees(ann.id) === undefined);
  ann.cut({ returns: true });
  await ann.opens(2);
  const [seen, sees] = await Promise.all([
    heard(bob.awareness, () => bob.sees(ann.id) !== undefined, RENEWAL_MS),
    heard(ann.awareness, () => ann.sees(bob.id) !== undefined, RENEWAL_MS),
  ]);
  const { times, ms } = gone;
  // What is seen may be only what was there before: it has to be alive, too.
  ann.draft();
  const isAlive = isPrompt(await bob.hears(ann, HEAR_WITHIN_MS));
  return {
    holds: isPrompt(seen) && isPrompt(sees) && times === 0 && isAlive,
    figure: [
      times === 0 ? "seen all the time" : when("seen", seen, RENEWAL_MS),
      when("seeing", sees, RENEWAL_MS),
      ...(times === 0 ? [] : [`vanished for ${duration(ms)}`]),
      ...(isAlive ? [] : ["not heard then"]),
    ].join(", "),
  };
}

async function freeze(server: Server): Promise<Finding> {
  using room = server.room();
  const bob = await room.enter("bob");
  const door = JSON.stringify(await room.door("ann"));
  await using ann = guarded([process.execPath, `${import.meta.dir}/frozen.ts`, door]);
  const { pid, id } = JSON.parse((await within(START_WITHIN_MS, ann.line())) ?? "{}");
  if ((await heard(bob.awareness, () => bob.sees(id) !== undefined, HEAR_WITHIN_MS)) === undefined)
    throw new Error("Cannot freeze whom nobody sees");
  using gone = new Watch(bob.awareness, () => bob.sees(id) === undefined);
  await pass(SILENT_BEFORE_MS);
  process.kill(pid, "SIGSTOP");
  await pass(FROZEN_MS);
  process.kill(pid, "SIGCONT");
  const seen = await heard(bob.awareness, () => bob.sees(id) !== undefined, RENEWAL_MS);
  // What it makes of the time that it missed, others may hear of, too.
  await pass(AFTERMATH_MS);
  return {
    holds: isPrompt(seen) && gone.times === 0,
    figure:
      gone.times === 0
        ? "seen all the time"
        : `vanished for ${duration(gone.ms)}, ${when("seen", seen, RENEWAL_MS)} of waking`,
  };
}

async function stayAlone(server: Server): Promise<Finding> {
  using room = server.room();
  const ann = await room.enter("ann");
  const from = now();
  await pass(ALONE_MS);
  const again = ann.opened.items.slice(1).map((at) => duration(at - from));
  return {
    holds: again.length === 0,
    figure: again.length === 0 ? "connected once" : `connected again after ${again.join(", ")}`,
  };
}
