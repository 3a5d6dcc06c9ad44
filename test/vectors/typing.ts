import { type TypingChange, TypingRegister, type TypingRules } from "@porchlight/core";
import { type Check, onlyKeys } from "./check.ts";
import { type Happening, happeningsUntil } from "./wait.ts";

/** One thing that happens to a register, and what is to be seen right after it. */
interface Step {
  readonly at: number;
  readonly do: string;
  readonly room_id?: string;
  readonly participant_id?: string;
  readonly source?: string;
  readonly expect?: {
    readonly changes?: readonly object[];
    readonly typists?: Readonly<Record<string, readonly string[]>>;
    readonly next_at?: number | null;
  };
}

type Changes = readonly (TypingChange | undefined)[] | readonly Happening<TypingChange>[];
type Act = (register: TypingRegister, step: Step) => Changes;

const ACTS: ReadonlyMap<string, Act> = new Map<string, Act>([
  ["start", (register, step) => [register.start(signalOf(step), step.at)]],
  ["stop", (register, step) => [register.stop(signalOf(step), step.at)]],
  ["stop_all", stopAll],
  ["stop_room", (register, { room_id = "", at }) => register.stopRoom(room_id, at)],
  ["expire", (register, { at }) => register.expire(at)],
  ["wait", (register, { at }) => happeningsUntil(register, at)],
  ["look", () => []],
]);

/** Plays the history of a typing vector, and looks at the register after each of its steps. */
export function* playTyping(
  vector: { rules?: Partial<TypingRules>; history: readonly Step[] },
  common: { rules: TypingRules },
): Generator<Check> {
  onlyKeys(vector, "rules", "history");
  const register = new TypingRegister({ ...common.rules, ...vector.rules });
  for (const step of vector.history) {
    onlyKeys(step, "at", "do", "room_id", "participant_id", "source", "expect");
    const act = ACTS.get(step.do);
    if (act === undefined) throw new TypeError(`"${step.do}" is nothing that happens`);
    const changes = act(register, step).flatMap((change) => change ?? []);
    const { changes: expected = [], typists = {}, next_at, ...rest } = step.expect ?? {};
    onlyKeys(rest);
    const when = `after "${step.do}" at ${step.at}`;
    yield [`${when}, what changed`, inOrder(changes), inOrder(expected)];
    for (const [room, ids] of Object.entries(typists))
      yield [`${when}, who types in ${room}`, register.typists(room).sort(), [...ids].sort()];
    if (next_at !== undefined)
      yield [`${when}, the next deadline`, register.nextAt() ?? null, next_at];
  }
}

function stopAll(register: TypingRegister, step: Step): Changes {
  const { participant_id = "", room_id, source, at } = step;
  const only = {
    ...(room_id !== undefined && { room_id }),
    ...(source !== undefined && { source }),
  };
  return register.stopAll(participant_id, only, at);
}

function signalOf({ room_id = "", participant_id = "", source = "" }: Step) {
  return { room_id, participant_id, source };
}

/** What changes at one instant has no order among rooms and people. */
function inOrder(changes: readonly object[]): object[] {
  const keyOf = (change: { at?: number; room_id?: string; participant_id?: string }): string =>
    `${String(change.at ?? 0).padStart(12, "0")} ${change.room_id} ${change.participant_id}`;
  return changes.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
