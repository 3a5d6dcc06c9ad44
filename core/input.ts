import type * as z from "zod/mini";
import { CodedError, type Fault, invalid } from "./errors.ts";

/** Levels of lists and objects within an input. */
export const MAX_DEPTH = 64;

/** A schema of {@link parseInput} for values of type `T`. */
export type Schema<T> = z.ZodMiniType<T>;

/** Faults that one refusal names; the last one says how many more there are. */
const MAX_FAULTS = 100;

const WHAT: Readonly<Record<string, string>> = {
  string: "must be a string",
  number: "must be a number",
  int: "must be a whole number",
  boolean: "must be true or false",
  array: "must be a list",
  object: "must be an object",
  record: "must be an object",
  null: "must be null",
};

/** What a schema says that was not told what to say. */
const UNSAID = "Invalid input";

/**
 * The one way in for input: a value of the schema's type, or a refusal that
 * names every fault at once. Never throws anything else.
 * @param apart a key whose values are parsed on their own, so that a fault in
 * one of them does not refuse the others.
 * @throws {CodedError} `SW_VALIDATION`
 */
export function parseInput<T>(schema: Schema<T>, input: unknown, apart?: string): T {
  const faults = textFaults(input, apart);
  if (faults.length > 0) throw invalid(capped(faults));
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw invalid(capped(parsed.error.issues.flatMap((issue) => faultsOf(issue, input))));
}

/**
 * JSON as the runtime parses it: of a repeated key the last wins.
 * @throws {CodedError} `SW_VALIDATION`
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CodedError("SW_VALIDATION", "This is not JSON", {
      cause,
      details: [{ path: "", message: "must be JSON" }],
    });
  }
}

function capped(faults: readonly Fault[]): readonly Fault[] {
  if (faults.length <= MAX_FAULTS) return faults;
  const more = { path: "", message: `has ${faults.length - MAX_FAULTS + 1} more faults` };
  return [...faults.slice(0, MAX_FAULTS - 1), more];
}

function faultsOf(issue: z.core.$ZodIssue, input: unknown): Fault[] {
  const path = pathOf(issue.path);
  const inner = (key: string): string => (path === "" ? key : `${path}.${key}`);
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({ path: inner(key), message: "is not a known key" }));
  const missing = valueAt(input, issue.path) === undefined;
  return [{ path, message: missing && issue.code !== "custom" ? "is required" : messageOf(issue) }];
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type") return WHAT[issue.expected] ?? `must be ${issue.expected}`;
  if (issue.code === "invalid_union" && issue.message === UNSAID) return unionMessage(issue);
  if (issue.code === "invalid_value") return `must be ${oneOf(issue.values)}`;
  if (issue.code === "too_big") return `must ${extent(issue.origin, "at most", issue.maximum)}`;
  if (issue.code === "too_small") return `must ${extent(issue.origin, "at least", issue.minimum)}`;
  return issue.message;
}

function extent(origin: string, limit: string, size: number | bigint): string {
  return origin === "array" ? `have ${limit} ${size} entries` : `be ${limit} ${size}`;
}

function oneOf(values: readonly unknown[]): string {
  const said = values.map((value) => JSON.stringify(value)).join(", ");
  return values.length > 1 ? `one of ${said}` : said;
}

/** A value that may be several things is told what each of them must be. */
function unionMessage(issue: z.core.$ZodIssueInvalidUnion): string {
  const messages = issue.errors.flatMap((issues) => issues.map(messageOf));
  return [...new Set(messages)].join(" or ");
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((joined, key) => {
    if (typeof key === "number") return `${joined}[${key}]`;
    return joined === "" ? String(key) : `${joined}.${String(key)}`;
  }, "");
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (isObject(value) ? Reflect.get(value, key) : undefined),
    input,
  );
}

/** What no text or nesting may have, wherever it stands in an input: lone surrogates, NUL, and too many levels. */
function textFaults(input: unknown, apart: string | undefined): Fault[] {
  const faults: Fault[] = [];
  const open: [value: unknown, path: readonly PropertyKey[]][] = [[input, []]];
  for (
    let next = open.pop();
    next !== undefined && faults.length <= MAX_FAULTS;
    next = open.pop()
  ) {
    const [value, path] = next;
    if (typeof value === "string") faults.push(...wrongText(value, path));
    if (!isObject(value)) continue;
    if (path.length >= MAX_DEPTH)
      return [{ path: "", message: `must not be nested deeper than ${MAX_DEPTH} levels` }];
    const named = Object.keys(value).flatMap((key) => wrongText(key, path));
    const inner = Object.entries(value).filter(([key]) => key !== apart);
    const keyOf = (key: string): PropertyKey => (Array.isArray(value) ? Number(key) : key);
    faults.push(...named);
    for (const [key, each] of inner) open.push([each, [...path, keyOf(key)]]);
  }
  return faults;
}

function wrongText(value: string, path: readonly PropertyKey[]): Fault[] {
  if (/[\ud800-\udfff]/u.test(value))
    return [{ path: pathOf(path), message: "must not contain a lone surrogate" }];
  if (value.includes("\0"))
    return [{ path: pathOf(path), message: "must not contain a NUL character" }];
  return [];
}

/** Whether a value is an object or a list. */
export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
