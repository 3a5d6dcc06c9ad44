import type { Awareness } from "y-protocols/awareness";
import { Echo } from "./echo.ts";
import { duration, type Finding, PROMPT_MS, quantile, type Scenario } from "./scenario.ts";
import type { Door, Room, Server } from "./server.ts";
import { heard, now, pass } from "./waiting.ts";

const CLIENTS = 20;
const CHANGES = 30;
const PACE_MS = 100;
const HEAR_WITHIN_MS = 5_000;

/** Many who say again what they hear, which is no attack. */
export const CROWD: readonly Scenario[] = [
  {
    name: `${CLIENTS} clients that echo, one changes 10 times a second: nobody is closed, p99 within ${PROMPT_MS} ms`,
    kind: "quick",
    play: echo,
  },
];

async function echo(server: Server): Promise<Finding> {
  using room = server.room();
  using stack = new DisposableStack();
  const crowd = (await doors(room)).map((door) => stack.use(new Echo(door)));
  const isMet = await all(crowd, ({ awareness }) => awareness.getStates().size >= CLIENTS);
  const [first, ...others] = crowd;
  if (!isMet || first === undefined) throw new Error("Cannot go on as not all see each other");
  for (const each of crowd) each.sent = 0;
  const times = await talk(first, others);
  const { clientID } = first.awareness;
  const isLast = await all(crowd, ({ awareness }) => draftOf(awareness, clientID) === CHANGES);
  return judged(crowd, times, isLast);
}

/** Answers after how long the changes of one have arrived at the others; those that are under way are yet to be added. */
async function talk(first: Echo, others: readonly Echo[]): Promise<readonly number[]> {
  const times: number[] = [];
  const sentAt = new Map<number, number>();
  for (const { awareness } of others)
    listen(awareness, first.awareness.clientID, (draft) => {
      const at = sentAt.get(draft);
      if (at !== undefined) times.push(now() - at);
    });
  const from = now();
  for (let draft = 1; draft <= CHANGES; draft += 1) {
    await pass(from + draft * PACE_MS - now());
    sentAt.set(draft, now());
    first.awareness.setLocalStateField("draft", draft);
  }
  return times;
}

function judged(crowd: readonly Echo[], times: readonly number[], isLast: boolean): Finding {
  const closed = crowd.filter(({ isClosed }) => isClosed).length;
  const frames = crowd.reduce((sum, { sent }) => sum + sent, 0);
  const [median, p99] = [quantile(times, 0.5), quantile(times, 0.99)];
  return {
    holds: closed === 0 && isLast && p99 <= PROMPT_MS,
    figure: [
      `p50 ${duration(median)}, p99 ${duration(p99)}`,
      `${times.length} of ${CHANGES * (CLIENTS - 1)} arrive`,
      `${frames} frames in`,
      closed === 0 ? "nobody closed" : `${closed} closed`,
    ].join(", "),
  };
}

function doors(room: Room): Promise<Door[]> {
  const people = Array.from({ length: CLIENTS }, (_, index) => `echo-${index}`);
  return Promise.all(people.map((person) => room.door(person)));
}

/** Whether something comes to hold of everybody. */
async function all(crowd: readonly Echo[], holds: (each: Echo) => boolean): Promise<boolean> {
  const times = crowd.map((each) => heard(each.awareness, () => holds(each), HEAR_WITHIN_MS));
  return (await Promise.all(times)).every((ms) => ms !== undefined);
}

/** Calls back with each draft of a client that is not the one before. */
function listen(awareness: Awareness, id: number, hears: (draft: number) => void): void {
  let last: unknown;
  awareness.on("change", () => {
    const draft = draftOf(awareness, id);
    if (draft !== last && typeof draft === "number") hears(draft);
    last = draft;
  });
}

function draftOf(awareness: Awareness, id: number): unknown {
  return awareness.getStates().get(id)?.draft;
}
