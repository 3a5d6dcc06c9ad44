/**
 * What a `Cache` promises, as checks that run wherever a cache does: they need
 * no test runner, and throw where a promise is broken.
 */
import type { Cache } from "../../desktop/bridge.ts";

/** Opens a cache on the same storage each time, as the next process would. It is empty before the check. */
export type OpenCache = () => Promise<Cache>;

/** One promise, as a sentence about the cache. */
export interface CacheCheck {
  readonly behaviour: string;
  run(open: OpenCache): Promise<void>;
}

/** Plain data of every kind. */
const VALUES: readonly unknown[] = [
  null,
  false,
  0,
  -1.5,
  "",
  "Zoë 😀 \u0000 \u2028",
  [],
  {},
  [1, [2, { three: null }]],
  { "": { "a.b": [] }, __key: "%_'\"" },
];
const MANY = 10_000;
const CALLS = 50;

export const CACHE_CHECKS: readonly CacheCheck[] = [
  check("answers nothing for a key under which nothing was put", async (cache) => {
    same(await cache.get("none"), undefined);
    await cache.put("some", 1);
    same(await cache.get("none"), undefined);
  }),
  check("answers what was put, whatever plain data that is", async (cache) => {
    for (const [at, value] of VALUES.entries()) await cache.put(`value:${at}`, value);
    for (const [at, value] of VALUES.entries()) same(await cache.get(`value:${at}`), value);
  }),
  check("keeps a list of ten thousand", async (cache) => {
    const people = Array.from({ length: MANY }, (_, at) => ({
      id: `p${at}`,
      name: `Person ${at}`,
    }));
    await cache.put("people", people);
    same(await cache.get("people"), people);
  }),
  check("replaces what was there as a whole", async (cache) => {
    await cache.put("key", { kept: 1, list: [1, 2, 3] });
    await cache.put("key", { list: [4] });
    same(await cache.get("key"), { list: [4] });
  }),
  check("keeps one key apart from another", async (cache) => {
    await cache.put("key", 1);
    await cache.put("Key", 2);
    await cache.put("key ", 3);
    same([await cache.get("key"), await cache.get("Key"), await cache.get("key ")], [1, 2, 3]);
  }),
  check("takes away what is replaced by nothing", async (cache) => {
    await cache.put("key", 1);
    await cache.put("key", undefined);
    await cache.put("none", undefined);
    same(await cache.get("key"), undefined);
    same(await cache.keys(""), []);
  }),
  check("lets later calls win over earlier ones, awaited or not", async (cache) => {
    const puts = Array.from({ length: CALLS }, (_, at) => cache.put("key", at));
    const got = cache.get("key");
    await Promise.all([...puts, cache.put("gone", 1), cache.put("gone", undefined)]);
    same(
      [await got, await cache.get("key"), await cache.get("gone")],
      [CALLS - 1, CALLS - 1, undefined],
    );
  }),
  check("lists the keys that begin so, in their order", async (cache) => {
    const keys = ["a", "a:", "a:1", "a:10", "a:2", "a:\u{1F600}", "a:\uff5e", "a;", "A:1", "b"];
    for (const key of keys.toReversed()) await cache.put(key, key);
    same(await cache.keys("a:"), ["a:", "a:1", "a:10", "a:2", "a:\u{1F600}", "a:\uff5e"]);
    same(await cache.keys(""), [
      "A:1",
      "a",
      "a:",
      "a:1",
      "a:10",
      "a:2",
      "a:\u{1F600}",
      "a:\uff5e",
      "a;",
      "b",
    ]);
    same(await cache.keys("c"), []);
  }),
  check("takes the beginning of keys as it is written", async (cache) => {
    for (const key of ["a%", "a%b", "ab", "a_b", "[a]", "a*"]) await cache.put(key, 1);
    same(await cache.keys("a%"), ["a%", "a%b"]);
    same(await cache.keys("a_"), ["a_b"]);
    same(await cache.keys("[a"), ["[a]"]);
  }),
  check("forgets everything, and goes on", async (cache) => {
    await cache.put("one", 1);
    await cache.put("two", 2);
    await cache.clear();
    same([await cache.get("one"), await cache.keys("")], [undefined, []]);
    await cache.put("one", 3);
    same(await cache.get("one"), 3);
  }),
  {
    behaviour: "outlives whoever has put something, as soon as the promise has resolved",
    run: async (open) => {
      const first = await open();
      await first.put("kept", { at: 1 });
      await first.put("taken", 1);
      await first.put("taken", undefined);
      const second = await open();
      same([await second.get("kept"), await second.keys("")], [{ at: 1 }, ["kept"]]);
      await second.clear();
      same(await (await open()).keys(""), []);
    },
  },
];

function check(behaviour: string, run: (cache: Cache) => Promise<void>): CacheCheck {
  return { behaviour, run: async (open) => run(await open()) };
}

function same(received: unknown, expected: unknown): void {
  const [is, ought] = [written(received), written(expected)];
  if (is !== ought)
    throw new Error(`Expected ${ought.slice(0, 200)}, and received ${is.slice(0, 200)}`);
}

/** As JSON, with the keys in one order, and what JSON does not know. */
function written(value: unknown): string {
  return JSON.stringify([value], (_key, each: unknown) => {
    if (each === undefined) return "(nothing)";
    if (typeof each !== "object" || each === null || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
