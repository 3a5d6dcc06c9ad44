import { removeAwarenessStates } from "y-protocols/awareness";
import type { Client } from "./client.ts";
import { meet, pair } from "./hearing.ts";
import { duration, type Finding, isPrompt, PROMPT_MS, type Scenario, when } from "./scenario.ts";
import type { Server } from "./server.ts";
import { heard, Watch } from "./waiting.ts";

/** Clients drop by themselves who was not heard of for 30 s to 33 s. */
const DROPPED_MS = 36_000;
const HEAR_WITHIN_MS = 2_000;

/** Who is gone, and who is only said to be. */
export const LEAVING: readonly Scenario[] = [
  {
    name: "a client wakes and says that all have timed out: nobody vanishes for a third",
    kind: "quick",
    play: wake,
  },
  {
    name: `\`null\` of one's own, still connected: gone within ${PROMPT_MS} ms`,
    kind: "quick",
    play: (server) => leave(server, (ann) => ann.awareness.setLocalState(null)),
  },
  {
    name: `\`provider.destroy()\`: gone within ${PROMPT_MS} ms`,
    kind: "quick",
    play: (server) => leave(server, (ann) => ann.destroy()),
  },
  {
    name: "socket destroyed without a close frame: its entry stays for",
    kind: "long",
    play: linger,
  },
];

async function wake(server: Server): Promise<Finding> {
  using room = server.room();
  const { ann, bob } = await pair(room);
  const waker = await room.enter("carol");
  await meet(ann, bob, waker);
  using vanished = new Watch(bob.awareness, () => bob.sees(ann.id) === undefined);
  // As a client does itself that heard nothing for 30 s.
  removeAwarenessStates(waker.awareness, [ann.id, bob.id], "timeout");
  waker.draft();
  await bob.hears(waker, HEAR_WITHIN_MS);
  const back = await heard(bob.awareness, () => bob.sees(ann.id) !== undefined, DROPPED_MS);
  return {
    holds: vanished.times === 0,
    figure:
      vanished.times === 0 ? "nobody vanishes" : `vanishes, ${when("back", back, DROPPED_MS)}`,
  };
}

async function leave(server: Server, goes: (ann: Client) => void): Promise<Finding> {
  using room = server.room();
  const { ann, bob } = await pair(room);
  goes(ann);
  const gone = await heard(bob.awareness, () => bob.sees(ann.id) === undefined, DROPPED_MS);
  return { holds: isPrompt(gone), figure: when("gone", gone, DROPPED_MS) };
}

async function linger(server: Server): Promise<Finding> {
  using room = server.room();
  const { ann, bob } = await pair(room);
  ann.cut({ returns: false });
  const gone = await heard(bob.awareness, () => bob.sees(ann.id) === undefined, DROPPED_MS);
  return { holds: undefined, figure: gone === undefined ? "stays" : duration(gone) };
}
