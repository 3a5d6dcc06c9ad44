import {
  type Activity,
  type Actor,
  type ManualState,
  type OpenSource,
  type PresenceChange,
  type PresenceReason,
  PresenceRegister,
  type PresenceRules,
  type SourceName,
} from "@porchlight/core";
import { type Check, onlyKeys } from "./check.ts";
import { type Happening, happeningsUntil } from "./wait.ts";

/** One thing that happens to a register, and what is to be seen right after it. */
interface Step extends Activity {
  readonly at: number;
  readonly do: string;
  readonly person?: string;
  readonly as?: string;
  readonly device_id?: string;
  readonly instance?: string;
  readonly door?: SourceName["door"];
  readonly choice?: ManualState | null;
  readonly always_online?: boolean;
  readonly by?: Actor;
  readonly down_ms?: number;
  readonly expect?: {
    readonly changes?: readonly object[];
    readonly told?: Readonly<Record<string, string>>;
    readonly own?: Readonly<Record<string, string>>;
    readonly online?: Readonly<Record<string, string>>;
    readonly hidden?: Readonly<Record<string, boolean>>;
    readonly why?: Readonly<Record<string, object>>;
    readonly next_at?: number | null;
  };
}

type Changes = readonly (PresenceChange | undefined)[] | readonly Happening<PresenceChange>[];

/** A register and the open sources by the names that the vector gives them. */
interface World {
  register: PresenceRegister;
  readonly rules: PresenceRules;
  readonly sources: Map<string, OpenSource>;
}

type Act = (world: World, step: Step) => Changes;

const ACTS: ReadonlyMap<string, Act> = new Map<string, Act>([
  ["open", open],
  [
    "hear",
    ({ register, sources }, step) => [
      register.hear(sourceOf(sources, step), activityOf(step), step.at),
    ],
  ],
  [
    "beat",
    ({ register }, { person = "", device_id = "", at, ...step }) => [
      register.beat(person, device_id, activityOf({ at, ...step }), at),
    ],
  ],
  ["touch", ({ register, sources }, step) => [register.touch(sourceOf(sources, step), step.at)]],
  ["lose", ({ register, sources }, step) => [register.lose(sourceOf(sources, step), step.at)]],
  ["close", ({ register, sources }, step) => [register.close(sourceOf(sources, step), step.at)]],
  [
    "sign_off",
    ({ register }, { person = "", device_id = "", at }) => [
      register.signOff(person, device_id, at),
    ],
  ],
  ["act", ({ register }, { person = "", by, at }) => [register.act(person, actorOf(by), at)]],
  [
    "choose",
    ({ register }, { person = "", choice, by, at }) => [
      register.choose(person, choice ?? undefined, at, by && actorOf(by)),
    ],
  ],
  ["introduce", introduce],
  ["forget", ({ register }, { person = "" }) => [register.forget(person)]],
  ["expire", ({ register }, { at }) => register.expire(at)],
  ["wait", ({ register }, { at }) => happeningsUntil(register, at)],
  ["restart", restart],
  ["look", () => []],
]);

/** Plays the history of a presence vector, and looks at the register after each of its steps. */
export function* playPresence(
  vector: { rules?: Partial<PresenceRules>; history: readonly Step[] },
  common: { rules: PresenceRules },
): Generator<Check> {
  onlyKeys(vector, "rules", "history");
  const rules = { ...common.rules, ...vector.rules };
  const world = { register: new PresenceRegister(rules), rules, sources: new Map() };
  for (const step of vector.history) {
    onlyKeys(
      step,
      "at",
      "do",
      "person",
      "as",
      "device_id",
      "instance",
      "door",
      "state",
      "idle_for_ms",
      "choice",
      "always_online",
      "by",
      "down_ms",
      "expect",
    );
    const act = ACTS.get(step.do);
    if (act === undefined) throw new TypeError(`"${step.do}" is nothing that happens`);
    const changes = act(world, step).flatMap((change) => change ?? []);
    const { changes: expected = [], ...seen } = step.expect ?? {};
    yield [`after "${step.do}" at ${step.at}, what changed`, inOrder(changes), inOrder(expected)];
    yield* look(world.register, seen, step);
  }
}

function* look(
  register: PresenceRegister,
  seen: Omit<NonNullable<Step["expect"]>, "changes">,
  step: Step,
): Generator<Check> {
  onlyKeys(seen, "told", "own", "online", "hidden", "why", "next_at");
  const when = `after "${step.do}" at ${step.at}`;
  for (const [id, told] of Object.entries(seen.told ?? {}))
    yield [`${when}, what others see of ${id}`, register.told(id), told];
  for (const [id, own] of Object.entries(seen.own ?? {}))
    yield [`${when}, the own state of ${id}`, register.effective(id, step.at), own];
  for (const [id, hidden] of Object.entries(seen.hidden ?? {}))
    yield [`${when}, whether ${id} hides`, register.isHidden(id), hidden];
  for (const [id, why] of Object.entries(seen.why ?? {}))
    yield [`${when}, why ${id}`, whyOf(register.explain(id, step.at)), why];
  if (seen.online !== undefined)
    yield [`${when}, who is there`, Object.fromEntries(register.toldOnline()), seen.online];
  if (seen.next_at !== undefined)
    yield [`${when}, the next deadline`, register.nextAt() ?? null, seen.next_at];
}

function open({ register, sources }: World, step: Step): Changes {
  const { person = "", as = "", device_id = "", instance = device_id, door = "stream" } = step;
  const name = { device_id, instance, door };
  const { source, change } = register.open(person, name, activityOf(step), step.at);
  sources.set(as, source);
  return [change];
}

function introduce({ register }: World, step: Step): Changes {
  const { person = "", choice, always_online: alwaysOnline = false, at } = step;
  return [register.introduce(person, { manual: choice ?? undefined, alwaysOnline }, at)];
}

/** An orderly stop at `at` and a start `down_ms` later, with what was written down between as JSON. */
function restart(world: World, { at, down_ms = 0 }: Step): Changes {
  const remembered = JSON.parse(JSON.stringify(world.register.remember(at)));
  world.register = new PresenceRegister(world.rules);
  world.register.restore(remembered, down_ms, at + down_ms);
  return [];
}

function sourceOf(sources: ReadonlyMap<string, OpenSource>, { as = "" }: Step): OpenSource {
  const source = sources.get(as);
  if (source === undefined) throw new TypeError(`"${as}" was never opened`);
  return source;
}

function activityOf({ state, idle_for_ms }: Step): Activity {
  return { state, idle_for_ms };
}

function actorOf(by: Partial<Actor> = {}): Actor {
  onlyKeys(by, "device_id", "token_id");
  return { device_id: by.device_id, token_id: by.token_id ?? "" };
}

/** In the form in which the wire says it, with instants of the register's clock. */
function whyOf({ state, source, manual, devices, nextChangeAt }: PresenceReason): object {
  return {
    state,
    source,
    manual: manual ?? null,
    devices: devices.map(({ lastActiveAt, expiresAt, ...device }) => ({
      ...device,
      last_active_at: lastActiveAt,
      expires_at: expiresAt,
    })),
    next_change_at: nextChangeAt ?? null,
  };
}

/** What changes at one instant has no order among people. */
function inOrder(changes: readonly object[]): object[] {
  const keyOf = (change: { at?: number; participant_id?: string }): string =>
    `${String(change.at ?? 0).padStart(12, "0")} ${change.participant_id}`;
  return changes.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
