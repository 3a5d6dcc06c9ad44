import { type Bench, isMet, median, type Outcome, type Ratio } from "./bench.ts";

/** What a bench found, as people read it. */
export function markdownOf({ name, work }: Bench, { settings, figures, ratios }: Outcome): string {
  return [
    `## ${name}\n\n${work}\n`,
    ...settings.map((each) => `- ${each}`),
    "\n| at | of | what | median | from, to |\n|---|---|---|---:|---:|",
    ...figures.map(
      ({ at, of, what, windows }) =>
        `| ${at} | ${of} | ${what} | ${number(median(windows))} | ${spread(windows)} |`,
    ),
    "\n| at | ratio | to | median | from, to | promised | |\n|---|---|---|---:|---:|---:|---|",
    ...ratios.map(
      (ratio) =>
        `| ${ratio.at} | ${ratio.what} | ${ratio.to ?? ""} | ${number(median(ratio.windows))} | ${spread(ratio.windows)} | ${promised(ratio)} | ${verdict(ratio)} |`,
    ),
    "",
  ].join("\n");
}

/** What is promised of a ratio. */
export function promised({ target }: Ratio): string {
  return target === undefined ? "" : `${target.is === "at least" ? "≥" : "≤"} ${target.value}`;
}

/** Three digits that mean something. */
export function number(value: number): string {
  return value >= 1_000
    ? Math.round(value).toLocaleString("en")
    : Number(value.toPrecision(3)).toString();
}

function spread(windows: readonly number[]): string {
  return `${number(Math.min(...windows))} to ${number(Math.max(...windows))}`;
}

function verdict(ratio: Ratio): string {
  const isGood = isMet(ratio);
  return isGood === undefined ? "" : isGood ? "met" : "missed";
}

/** What benches found, by their names, and where. */
export type Results = Readonly<
  Record<string, Pick<Outcome, "settings" | "ratios"> & { readonly machine: string }>
>;

/** The promises of all benches as one table, a line for each ratio, with what came of it at each size. */
export function promisesOf(results: Results): string {
  const lines = Object.entries(results).flatMap(([name, { ratios }]) => {
    // What is held against nothing is stated all the same.
    const stated = ratios.filter(({ target, to }) => target !== undefined || to === undefined);
    const kinds = Map.groupBy(stated, ({ what, to = "" }) => `${what} | ${to}`);
    return [...kinds].map(
      ([kind, of]) => `| \`bun run bench ${name}\` | ${kind} | ${of.map(resultOf).join(" · ")} |`,
    );
  });
  const machines = Map.groupBy(Object.entries(results), ([, { machine }]) => machine);
  const places = [...machines].map(
    ([machine, of]) => `${machine}: ${of.map(([name]) => `\`${name}\``).join(", ")}`,
  );
  return [
    "| Command | Ratio | To | At which size, or of what: the median, and what is promised |",
    "|---|---|---|---|",
    ...lines,
    "",
    `Measured on ${places.join("; on ")}.`,
  ].join("\n");
}

function resultOf(ratio: Ratio): string {
  const value = number(median(ratio.windows));
  if (ratio.target === undefined) return `${ratio.at}: ${value}`;
  return isMet(ratio)
    ? `${ratio.at}: ${value} (${promised(ratio)})`
    : `${ratio.at}: **${value}** (${promised(ratio)}, missed)`;
}
