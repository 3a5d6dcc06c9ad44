/** One thing that a vector expects: what it is, what the rules say, and what they should. */
export type Check = readonly [what: string, actual: unknown, expected: unknown];

/** Refuses keys that a format does not have, so that one that is misspelt is not passed over. */
export function onlyKeys(value: object, ...known: readonly string[]): void {
  const stranger = Object.keys(value).find((key) => !known.includes(key));
  if (stranger !== undefined) throw new TypeError(`"${stranger}" is not a key of the format`);
}

/** A value as text that is the same for equal JSON, whatever the order of its keys. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "nothing";
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  const said = entries.map(([key, each]) => `${JSON.stringify(key)}: ${canonical(each)}`);
  return `{${said.sort().join(", ")}}`;
}
