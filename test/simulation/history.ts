import { type Activity, MANUAL_STATES, type ManualState, type SourceName } from "@porchlight/core";
import fc from "fast-check";
import type { Point } from "./link.ts";
import type { Absence } from "./simulated-store.ts";
import { WEATHERS } from "./weather.ts";

export const PEOPLE = ["ann", "bob"] as const;

/** The tabs and rooms by which people are connected, one connection each. */
export const SEATS: readonly { readonly person: string; readonly name: SourceName }[] = [
  { person: "ann", name: { device_id: "laptop", instance: "laptop", door: "stream" } },
  { person: "ann", name: { device_id: "phone", instance: "phone", door: "stream" } },
  { person: "ann", name: { device_id: "laptop", instance: "tab", door: "stream" } },
  { person: "ann", name: { device_id: "laptop", instance: "laptop", door: "yjs" } },
  { person: "bob", name: { device_id: "laptop", instance: "laptop", door: "stream" } },
];

/** What happens. `node` and `seat` are places; how many nodes there are is up to the history. */
export type Act =
  | {
      readonly kind: "open";
      readonly seat: number;
      readonly node: number;
      readonly activity: Activity;
      /** After how long the process of the connection before notices that it is no more. */
      readonly noticedMs: number;
    }
  | { readonly kind: "hear"; readonly seat: number; readonly activity: Activity }
  | { readonly kind: "silence" | "speak" | "lose" | "close"; readonly seat: number }
  | { readonly kind: "type"; readonly seat: number; readonly typing: boolean }
  | {
      readonly kind: "beat";
      readonly person: string;
      readonly device: string;
      readonly node: number;
      readonly activity: Activity;
    }
  | {
      readonly kind: "act";
      readonly person: string;
      readonly device: string | undefined;
      readonly node: number;
    }
  | {
      readonly kind: "signOff";
      readonly person: string;
      readonly device: string;
      readonly node: number;
    }
  | {
      readonly kind: "choose";
      readonly person: string;
      readonly manual: ManualState | undefined;
      readonly node: number;
    }
  | { readonly kind: "send"; readonly person: string; readonly node: number }
  | { readonly kind: "withdraw" }
  | {
      readonly kind: "crash";
      readonly node: number;
      readonly point: Point | undefined;
      /** After how long another process takes its place, and its clients come back elsewhere. */
      readonly replacedMs: number | undefined;
      readonly returnMs: number | undefined;
    }
  | {
      readonly kind: "stop";
      readonly node: number;
      readonly replacedMs: number | undefined;
      readonly returnMs: number | undefined;
    }
  | { readonly kind: "cut" | "deafen"; readonly node: number; readonly forMs: number }
  | { readonly kind: "clear"; readonly withConnections: boolean }
  | {
      readonly kind: "leave";
      readonly node: number | undefined;
      readonly absence: Absence;
      readonly forMs: number;
    };

/** An act, and how long after the one before. */
export interface Step {
  readonly afterMs: number;
  readonly act: Act;
}

export interface History {
  readonly nodes: number;
  readonly weather: keyof typeof WEATHERS;
  readonly manual_without_device: "keep" | "offline";
  /** Of everything that is left to chance. */
  readonly chance: number;
  readonly steps: readonly Step[];
}

const anyNode = fc.nat(3);
const anySeat = fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 4);
const anyPerson = fc.constantFrom("ann", "ann", "bob");
const anyDevice = fc.constantFrom("laptop", "phone");
const anyActivity: fc.Arbitrary<Activity> = fc.constantFrom<Activity[]>(
  { state: "online" },
  { state: "online" },
  { state: "idle" },
  { state: "online", idle_for_ms: 20_000 },
  { state: "idle", idle_for_ms: 90_000 },
);
const anyManual = fc.oneof(
  fc.constant("appear_offline" as const),
  fc.constantFrom<(ManualState | undefined)[]>(undefined, undefined, ...MANUAL_STATES),
);
const anyReturn = fc.constantFrom(undefined, 200, 3_000, 6_000, 12_000);
const anyReplacement = fc.constantFrom(undefined, 500, 5_000, 20_000);
const anyFor = fc.constantFrom(300, 2_500, 4_500, 8_000, 14_000, 45_000);

function kinds<K extends Act["kind"]>(...each: K[]): fc.Arbitrary<K> {
  return fc.constantFrom(...each);
}

const anyAct: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      kind: kinds("open"),
      seat: anySeat,
      node: anyNode,
      activity: anyActivity,
      noticedMs: fc.constantFrom(0, 1_500, 15_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: kinds("hear"), seat: anySeat, activity: anyActivity }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: kinds("lose", "lose", "close", "close", "silence", "speak"),
      seat: anySeat,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kinds("type"),
      seat: anySeat,
      typing: fc.constantFrom(true, true, false),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kinds("beat"),
      person: anyPerson,
      device: anyDevice,
      node: anyNode,
      activity: anyActivity,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: kinds("act"),
      person: anyPerson,
      device: fc.option(anyDevice, { nil: undefined }),
      node: anyNode,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: kinds("signOff"),
      person: anyPerson,
      device: anyDevice,
      node: anyNode,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: kinds("choose"),
      person: anyPerson,
      manual: anyManual,
      node: anyNode,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: kinds("send"), person: anyPerson, node: anyNode }) },
  { weight: 1, arbitrary: fc.record({ kind: kinds("withdraw") }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kinds("crash"),
      node: anyNode,
      point: fc.constantFrom<(Point | undefined)[]>(
        undefined,
        "before commit",
        "after commit",
        "before write",
        "after write",
        "before send",
        "after send",
      ),
      replacedMs: anyReplacement,
      returnMs: anyReturn,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: kinds("stop"),
      node: anyNode,
      replacedMs: anyReplacement,
      returnMs: anyReturn,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: kinds("cut", "cut", "deafen"), node: anyNode, forMs: anyFor }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kinds("clear"), withConnections: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: kinds("leave"),
      node: fc.option(anyNode, { nil: undefined }),
      absence: fc.constantFrom<Absence[]>("refuses", "hangs", "lingers"),
      forMs: anyFor,
    }),
  },
);

const anyTime = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0, 1, 20, 50, 100, 250) },
  { weight: 4, arbitrary: fc.constantFrom(500, 1_000, 2_000, 4_000) },
  { weight: 1, arbitrary: fc.constantFrom(5_000, 10_000, 15_000, 30_000) },
);

/** Histories of two people on two to four nodes, in all kinds of weather. */
export const anyHistory: fc.Arbitrary<History> = fc.record({
  nodes: fc.integer({ min: 2, max: 4 }),
  weather: fc.constantFrom(...(Object.keys(WEATHERS) as (keyof typeof WEATHERS)[])),
  manual_without_device: fc.constantFrom("keep" as const, "offline" as const),
  chance: fc.nat(2 ** 31 - 1),
  steps: fc.array(fc.record({ afterMs: anyTime, act: anyAct }), { maxLength: 45, size: "max" }),
});
