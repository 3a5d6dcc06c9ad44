import type * as z from "zod/mini";
import { CodedError, type Fault, invalid } from "./errors.ts";

/** Levels of lists and objects within an input. */
export const MAX_DEPTH = 64;

/** Values that a JSON text may have, all levels taken together: twice what the largest list of ids has. */
export const MAX_VALUES = 10_000;

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
  const texts = new TextFaults(apart);
  texts.look(input);
  if (texts.found.length > 0) throw invalid(capped(texts.found));
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw invalid(capped(parsed.error.issues.flatMap((issue) => faultsOf(issue, input))));
}

/**
 * JSON as the runtime parses it: of a repeated key the last wins. What has more
 * than {@link MAX_VALUES} values or {@link MAX_DEPTH} levels is not even parsed:
 * a megabyte of brackets would keep a server busy for half a second.
 * @throws {CodedError} `SW_VALIDATION`
 */
export function parseJson(text: string): unknown {
  const fault = sizeFault(text);
  if (fault !== undefined) throw invalid([fault]);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CodedError("SW_VALIDATION", "This is not JSON", {
      cause,
      details: [{ path: "", message: "must be JSON" }],
    });
  }
}

const [QUOTE, COMMA, OPEN_LIST, BACKSLASH, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [
  34, 44, 91, 92, 93, 123, 125,
];

/** Looks at what stands between the texts only: a comma within one is no value. */
function sizeFault(json: string): Fault | undefined {
  let [values, depth] = [0, 0];
  for (let at = 0; at < json.length && values <= MAX_VALUES; at += 1) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) at = endOfText(json, at);
    const opened = levelsOpened(code);
    if (opened > 0 || code === COMMA) values += 1;
    depth += opened;
    if (depth > MAX_DEPTH) return tooDeep();
  }
  const tooMany = { path: "", message: `must not have more than ${MAX_VALUES} values` };
  return values > MAX_VALUES ? tooMany : undefined;
}

function levelsOpened(code: number): number {
  if (code === OPEN_LIST || code === OPEN_OBJECT) return 1;
  return code === CLOSE_LIST || code === CLOSE_OBJECT ? -1 : 0;
}

/** Where the text ends that begins at `start`: at the next quote that is not escaped. */
function endOfText(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end >= 0; end = json.indexOf('"', end + 1)) {
    let before = end;
    while (json.charCodeAt(before - 1) === BACKSLASH) before -= 1;
    if ((end - before) % 2 === 0) return end;
  }
  return json.length;
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
class TextFaults {
  readonly found: Fault[] = [];
  readonly #apart: string | undefined;
  // One path for all, copied for nobody: an input can have thousands of values.
  readonly #path: PropertyKey[] = [];

  constructor(apart: string | undefined) {
    this.#apart = apart;
  }

  look(value: unknown): void {
    if (typeof value === "string") this.#read(value);
    if (!isObject(value)) return;
    if (this.#path.length >= MAX_DEPTH) throw invalid([tooDeep()]);
    for (const key of Object.keys(value)) {
      if (this.found.length > MAX_FAULTS) return;
      if (!Array.isArray(value)) this.#read(key);
      if (key === this.#apart) continue;
      this.#path.push(Array.isArray(value) ? Number(key) : key);
      this.look(Reflect.get(value, key));
      this.#path.pop();
    }
  }

  #read(text: string): void {
    const message = wrongText(text);
    if (message !== undefined) this.found.push({ path: pathOf(this.#path), message });
  }
}

function tooDeep(): Fault {
  return { path: "", message: `must not be nested deeper than ${MAX_DEPTH} levels` };
}

function wrongText(value: string): string | undefined {
  if (/[\ud800-\udfff]/u.test(value)) return "must not contain a lone surrogate";
  return value.includes("\0") ? "must not contain a NUL character" : undefined;
}

/** Whether a value is an object or a list. */
export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
