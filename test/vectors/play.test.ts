import { describe, expect, test } from "bun:test";
import { FILES } from "./files.ts";
import { play, SUBJECTS, type Subject } from "./play.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
interface File {
  readonly description: string;
  readonly vectors: { readonly name: string; readonly [key: string]: unknown }[];
}

function fileOf(subject: Subject): File {
  return FILES[subject] as File;
}

/** Whether the players find a fault in a file. */
function isFaulty(subject: Subject, file: unknown): boolean {
  return play({ [subject]: file }).faults.length > 0;
}

/** Another value of the same kind as far as possible. */
function otherThan(value: Json): Json {
  if (typeof value === "boolean") return !value;
  if (typeof value === "number") return value + 1;
  if (typeof value === "string") return `${value}?`;
  if (value === null) return "something";
  return Array.isArray(value) ? [...value, "one more"] : { ...value, one: "more" };
}

/** A vector again and again, each time with one thing that it expects another. */
function* falsified(value: Json, isExpected = false): Generator<Json> {
  if (isExpected && !isStructure(value)) yield otherThan(value);
  if (!isStructure(value)) return;
  const entries = Object.entries(value);
  if (isExpected && entries.length === 0) yield otherThan(value);
  for (const [key, inner] of entries) {
    for (const other of falsified(inner, isExpected || key === "expect"))
      yield Array.isArray(value)
        ? value.with(Number(key), other)
        : Object.fromEntries(entries.map((entry) => (entry[0] === key ? [key, other] : entry)));
  }
}

function isStructure(value: Json): value is Json[] | { [key: string]: Json } {
  return typeof value === "object" && value !== null;
}

describe.each(SUBJECTS.map((subject) => ({ subject })))(
  "the vectors of $subject",
  ({ subject }) => {
    const file = fileOf(subject);

    test("hold", () => {
      expect(play({ [subject]: file })).toEqual({ played: file.vectors.length, faults: [] });
      expect(file.vectors.length).toBeGreaterThanOrEqual(20);
    });

    test("have a description, and names that are sentences of their own", () => {
      expect(file.description).toMatch(/^[A-Z].*\.$/s);
      const names = file.vectors.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      expect(names.filter((name) => !/^\p{Lu}\S* .*[^.]$/u.test(name))).toEqual([]);
    });

    test("are each at fault as soon as any one thing that they expect is another", () => {
      const unnoticed: unknown[] = [];
      let tried = 0;
      for (const vector of file.vectors) {
        for (const other of falsified(vector as Json)) {
          tried += 1;
          if (!isFaulty(subject, { ...file, vectors: [other] })) unnoticed.push(other);
        }
      }
      expect(unnoticed).toEqual([]);
      expect(tried).toBeGreaterThan(file.vectors.length);
    });

    test("are at fault with a key that the format does not have", () => {
      const [first] = file.vectors;
      expect(isFaulty(subject, { ...file, vectors: [{ ...first, expected: 1 }] })).toBe(true);
    });
  },
);

describe("play", () => {
  test("names the vector, what is wrong, and what was expected", () => {
    const history = [{ at: 5, do: "look", expect: { told: { ann: "busy" } } }];
    const vectors = [{ name: "Ann is busy", history }];
    expect(play({ presence: { rules: {}, vectors } })).toEqual({
      played: 1,
      faults: [
        'presence: "Ann is busy": after "look" at 5, what others see of ann is "offline", expected "busy"',
      ],
    });
  });

  test("finds fault with a vector that expects nothing", () => {
    const vectors = [{ name: "Nothing is said", timezone: "UTC", quiet_hours: {}, expect: {} }];
    expect(play({ "quiet-hours": { quiet_hours: {}, vectors } }).faults).toEqual([
      'quiet-hours: "Nothing is said": expects nothing',
    ]);
  });
});
