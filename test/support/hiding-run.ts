import { expect } from "bun:test";
import {
  type Activity,
  MANUAL_STATES,
  type ManualState,
  type Moment,
  type PresenceRules,
  type Statement,
  type TypingRules,
} from "@porchlight/core";
import fc from "fast-check";
import { rules, typingRules } from "./builders.ts";
import {
  type Act,
  type How,
  type Name,
  nameOf,
  PEOPLE,
  PUBLIC,
  ROOMS,
  type Socket,
  World,
} from "./world.ts";

const SECOND_MS = 1_000;
/** So many choices by hand are told at once within a second. */
const CHOICES_PER_SECOND = 5;

/** What somebody does, `afterMs` after the act before. */
export interface Step {
  readonly afterMs: number;
  /** How the time went by: as usual, while the machine slept, or without an alarm that rang in time. */
  readonly pause: "awake" | "asleep" | "late";
  readonly person: string;
  readonly act: Act;
}

type Rules = PresenceRules & TypingRules;

/** The documented durations, but that some histories meet idleness before a lease runs out. */
export const anyRules: fc.Arbitrary<Rules> = fc
  .record({
    idle_after_ms: fc.constantFrom(60_000, 300_000),
    typing_rate: fc.constantFrom(0, 1, 5),
    manual_without_device: fc.constantFrom("keep" as const, "offline" as const),
  })
  .map((given) => ({ ...typingRules(), ...rules(), ...given }));

const anyDevice = fc.constantFrom("laptop", "phone");
const YJS: Socket = { device: "laptop", instance: "laptop", door: "yjs" };
const anySocket: fc.Arbitrary<Socket> = fc.constantFrom<Socket[]>(
  { device: "laptop", instance: "laptop", door: "stream" },
  YJS,
  { device: "laptop", instance: "tab", door: "stream" },
  { device: "phone", instance: "phone", door: "stream" },
);
const anyActivity: fc.Arbitrary<Activity> = fc.constantFrom<Activity[]>(
  {},
  { state: "online" },
  { state: "idle" },
  { idle_for_ms: 0 },
  { state: "online", idle_for_ms: 59_950 },
  { idle_for_ms: 400_000 },
);
const anyRoom = fc.constantFrom(...ROOMS);
const anyNamed = fc.option(anyDevice, { nil: undefined });
/** Hiding is as likely as everything else that can be chosen. */
const anyManual = fc.oneof(
  fc.constant("appear_offline" as const),
  fc.constantFrom<(ManualState | undefined)[]>(undefined, undefined, ...MANUAL_STATES),
);
const anyHow: fc.Arbitrary<How> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ device: anyNamed }) },
  { weight: 1, arbitrary: fc.constant("facts" as const) },
);

function kinds<K extends Act["kind"]>(...each: K[]): fc.Arbitrary<K> {
  return fc.constantFrom(...each);
}

const anyChoice = fc.record({ kind: kinds("choose"), manual: anyManual, how: anyHow });
const anyOther: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: kinds("open", "open", "hear"),
      socket: anySocket,
      activity: anyActivity,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: kinds("touch", "lose", "lose", "close"), socket: anySocket }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: kinds("heartbeat"), device: anyDevice, activity: anyActivity }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kinds("signOff"), device: anyDevice }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kinds("typeStream"),
      socket: anySocket,
      room: anyRoom,
      typing: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kinds("say"),
      socket: fc.constant(YJS),
      saying: fc.option(fc.record({ x: fc.nat(2), typing: fc.boolean() }), { freq: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kinds("typeRest"),
      device: anyNamed,
      room: anyRoom,
      typing: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: kinds("message", "join", "leave", "aiMode"), room: anyRoom }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: kinds("invite"),
      room: anyRoom,
      invited: fc.constantFrom(...PEOPLE),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: kinds("profile"), name: fc.constantFrom("Ann", "Zoe") }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kinds("readMarker", "mute"), room: anyRoom }) },
  { weight: 1, arbitrary: fc.record({ kind: kinds("preferences") }) },
);

const anyTime = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(0, 0, 1, 50, 99, 100) },
  { weight: 2, arbitrary: fc.constantFrom(101, 999, 1_000, 2_500, 3_999, 4_000) },
  { weight: 1, arbitrary: fc.constantFrom(10_000, 30_000, 60_000, 120_000, 300_000) },
  { weight: 1, arbitrary: fc.nat(250) },
);
const anyPause = fc.constantFrom<Step["pause"][]>(
  "awake",
  "awake",
  "awake",
  "awake",
  "awake",
  "asleep",
  "late",
);

/** Histories of four people, in which Ann does most and hides often. */
export const anyHistory: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        afterMs: anyTime,
        pause: anyPause,
        person: fc.constant("ann"),
        act: anyChoice,
      }),
    },
    {
      weight: 7,
      arbitrary: fc.record({
        afterMs: anyTime,
        pause: anyPause,
        person: fc.constant("ann"),
        act: anyOther,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        afterMs: anyTime,
        pause: anyPause,
        person: fc.constantFrom("bob", "cy", "dee"),
        act: fc.oneof({ weight: 1, arbitrary: anyChoice }, { weight: 7, arbitrary: anyOther }),
      }),
    },
  ),
  { maxLength: 30, size: "max" },
);

/**
 * Two worlds in lockstep. In `hidden` Ann appears offline whenever she chooses
 * to. In `gone` she stops typing, signs off every device and clears her manual
 * state instead, omits what is not public, and connects at the end the devices
 * that she has then, in their states.
 *
 * The contract allows shifts of up to `coalesce_ms` between the two. None is
 * needed here, and none is allowed: before and after every act, and after
 * every alarm that told anything, all that the observers heard and can ask for
 * is compared as text. Two things make it so. What Ann does at t, and at u, is one act to whoever watches: so the acts
 * that it consists of go in an order in which none of them shows half of it.
 * And clearing a state by hand, like setting one, is told at once: it comes
 * last and takes the others along.
 *
 * Where the contract itself would make the worlds differ, the histories keep
 * clear of it. Ann is no machine, which would be online in `gone`. Nobody
 * invites an AI: it takes part as the inviter prefers, so that a preference
 * changed in private would show in a public act. The rest is said below, where
 * it is done.
 */
export class HidingRun {
  readonly #rules: Rules;
  readonly #hidden: World;
  readonly #gone: World;
  readonly #choices: number[] = [];
  #now: Moment = { elapsed: 3_600_000, monotonic: 0 };
  #isHiding = false;
  #hasHidden = false;
  /** An alarm rang that told nobody anything: it is enough to look before the next act. */
  #isUnseen = false;

  constructor(rules: Rules) {
    this.#rules = rules;
    this.#hidden = new World(rules);
    this.#gone = new World(rules);
  }

  step({ afterMs, pause, person, act }: Step): void {
    this.#pass(afterMs, pause);
    if (this.#isUnseen) this.#compare(true);
    if (person !== "ann") this.#both(person, act);
    else if (act.kind === "choose") this.#choose(act);
    else if (!this.#isHiding || PUBLIC.has(act.kind)) this.#both(person, act);
    else this.#hidden.do(person, act, this.#now);
    // What waits is told by an alarm, or by the next act where the alarm is late: that much is left to chance.
    if (pause === "late") this.#expire();
    this.#compare(pause === "late");
  }

  /** Ann returns, and time passes until nothing is due any more. */
  rest(): void {
    this.#pass(SECOND_MS, "awake");
    if (this.#isHiding) this.#return(undefined, { device: undefined });
    this.#compare(false);
    for (let ms = this.#nextIn(); ms < Infinity; ms = this.#nextIn()) this.#pass(ms, "awake");
    this.#compare(true);
  }

  #both(person: string, act: Act): void {
    this.#hidden.do(person, act, this.#now);
    this.#gone.do(person, act, this.#now);
  }

  #choose(act: Extract<Act, { kind: "choose" }>): void {
    if (act.how !== "facts" && !this.#mayChoose()) return;
    const hides = act.manual === "appear_offline";
    // Neither of the two takes along what is overdue.
    if (hides !== this.#isHiding) this.#expire();
    if (!this.#isHiding && hides) this.#hide(act);
    else if (!this.#isHiding) this.#both("ann", act);
    else if (hides) this.#hideAgain(act);
    else this.#return(act.manual, act.how);
  }

  /**
   * Of the five choices that are told at once within a second, hiding takes
   * one, while signing off the last device, which shows the same, takes none.
   * So a sixth choice is not made within a second of these: it would be told
   * at once in one world and kept back in the other. Nothing else may wait.
   */
  #mayChoose(): boolean {
    const { elapsed } = this.#now;
    const recent = this.#choices.filter((at) => at > elapsed - SECOND_MS);
    if (this.#hasHidden && recent.length >= CHOICES_PER_SECOND) return false;
    this.#choices.push(elapsed);
    return true;
  }

  #hide(act: Extract<Act, { kind: "choose" }>): void {
    this.#isHiding = true;
    this.#hasHidden = true;
    this.#hidden.do("ann", act, this.#now);
    this.#gone.stopTyping("ann", this.#now);
    // The most awake goes last, so that the others do not show.
    for (const device_id of this.#awakeFirst(this.#gone).toReversed())
      this.#gone.do("ann", { kind: "signOff", device: device_id }, this.#now);
    this.#gone.closeSockets("ann", () => true, this.#now);
    // Of a request, the sign of life is Ann's own act, which she omits here; clearing the state is not.
    this.#gone.set("ann", undefined, act.how === "facts", this.#now);
  }

  /**
   * Hiding again changes nothing. By hand it tells at once what waits to be
   * told, which is a shift that the contract allows; so that the comparison
   * need allow none, nobody hides again while hiding waits.
   */
  #hideAgain(act: Extract<Act, { kind: "choose" }>): void {
    if (act.how === "facts" || !this.#hidden.isSeen("ann")) this.#hidden.do("ann", act, this.#now);
  }

  /** Ann ceases to hide: in `gone` she connects what she has, then both choose the same. */
  #return(manual: ManualState | undefined, how: How): void {
    const now = this.#now;
    this.#prepare(how);
    const all = this.#hidden.sourcesOf("ann", now);
    const sources = this.#awakeFirst(this.#hidden).flatMap((id) =>
      this.#loudestFirst(all.filter(({ device_id }) => device_id === id)),
    );
    const choice: Act = { kind: "choose", manual, how };
    this.#isHiding = false;
    this.#hidden.do("ann", choice, now);
    // The state holds while the devices connect, and is told by hand once all of them have.
    this.#gone.set("ann", manual, true, now);
    for (const { device_id, door, instance, statement, active_ms } of sources) {
      const name = { device_id, instance, door };
      const activity = { state: statement ?? undefined, idle_for_ms: active_ms };
      const lingers = this.#hidden.isLost("ann", name);
      const saying = this.#hidden.saidBy("ann", name);
      this.#gone.connect("ann", name, { activity, lingers, saying }, now);
    }
    this.#gone.do("ann", choice, now);
  }

  /**
   * Connecting is being heard of. So that devices live on as long where they
   * only go on, each of them is heard of right before Ann returns: sockets
   * connect anew, those that were lost are lost anew, heartbeats beat, and
   * what has run out is closed, and its tab loaded anew. All of it while she hides still.
   */
  #prepare(how: How): void {
    const hidden = this.#hidden;
    const now = this.#now;
    const sources = hidden.sourcesOf("ann", now);
    const isIn = (name: Name): boolean =>
      sources.some(
        ({ device_id, instance, door }) =>
          device_id === name.device_id && instance === name.instance && door === name.door,
      );
    hidden.closeSockets("ann", (name) => !isIn(name), now);
    const tab = nameOf(YJS);
    if (!isIn(tab)) for (const world of [hidden, this.#gone]) world.reload("ann", tab);
    for (const name of sources.filter(({ door }) => door !== "rest"))
      hidden.connect("ann", name, { activity: {}, lingers: hidden.isLost("ann", name) }, now);
    // A socket ends the heartbeats of its device: what is left of them beats again.
    for (const name of hidden.sourcesOf("ann", now).filter(({ door }) => door === "rest"))
      hidden.connect("ann", name, { activity: {} }, now);
    // The request by which she returns may be the sign of life of one more device: she has it by then.
    if (how !== "facts") hidden.act("ann", how.device, now);
  }

  /** Ann's devices, the awake ones first. */
  #awakeFirst(world: World): string[] {
    const rank = (id: string): number => (world.isAwake("ann", id, this.#now) ? 0 : 1);
    const ids = new Set(world.sourcesOf("ann", this.#now).map(({ device_id }) => device_id));
    return [...ids].sort((a, b) => rank(a) - rank(b));
  }

  /** The sources of a device in an order in which the first decides what the device is. */
  #loudestFirst<T extends { statement: Statement | null; active_ms: number }>(
    sources: readonly T[],
  ): T[] {
    const rank = ({ statement, active_ms }: T): number => {
      const isRecent = active_ms < this.#rules.idle_after_ms;
      if (statement === "online" && isRecent) return 0;
      if (statement !== null) return 1;
      return isRecent ? 2 : 3;
    };
    return sources.toSorted((a, b) => rank(a) - rank(b));
  }

  #nextIn(): number {
    return Math.min(this.#hidden.nextIn(this.#now), this.#gone.nextIn(this.#now));
  }

  #pass(ms: number, pause: Step["pause"]): void {
    if (pause === "asleep") {
      this.#advance(ms, 0);
      this.#expire();
      return;
    }
    let left = ms;
    if (pause === "awake") {
      for (let next = this.#nextIn(); next <= left; next = this.#nextIn()) {
        this.#advance(next, next);
        left -= next;
        this.#expire();
      }
    }
    this.#advance(left, left);
  }

  #advance(elapsedMs: number, monotonicMs: number): void {
    const { elapsed, monotonic } = this.#now;
    this.#now = { elapsed: elapsed + elapsedMs, monotonic: monotonic + monotonicMs };
  }

  /** An alarm says of several people in any order what has become of them at that moment. */
  #expire(): void {
    for (const world of [this.#hidden, this.#gone])
      if (world.nextIn(this.#now) === 0) world.expire(this.#now);
    if (this.#hidden.hasNews || this.#gone.hasNews) this.#compare(true);
    else this.#isUnseen = true;
  }

  #compare(apart: boolean): void {
    this.#isUnseen = false;
    const hidden = this.#hidden.observe(this.#now, apart);
    const gone = this.#gone.observe(this.#now, apart);
    if (hidden === gone) return;
    // Text against text is quick; only where it differs is it worth to see in what.
    const read = (lines: string): unknown[] => lines.split("\n").map((line) => JSON.parse(line));
    expect(read(hidden)).toEqual(read(gone));
    expect(hidden).toBe(gone);
  }
}
