import { CodedError, type ErrorCode, type Fault } from "@porchlight/core";
import { type Destination, parseLine, type Scope } from "./line.ts";
import { linesOf, type NumberedLine } from "./ndjson.ts";

/** Lines that are written before the next are read: they share a commit. */
const IN_FLIGHT = 100;
const PROGRESS_LINES = 1_000;

/** How many lines there were so far, without blank ones. */
interface Counts {
  readonly lines: number;
  readonly applied: number;
  readonly refused: number;
}

/** A line that was refused, by its number from 1. */
interface RefusedLine {
  readonly line: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: readonly Fault[];
}

/** A line of the report: one that was refused, how far it has come, and at last what it came to. */
export type ReportLine = RefusedLine | { readonly progress: Counts } | { readonly data: Counts };

/**
 * Applies lines in order, each whole or not at all, and reports those that are
 * refused; the others go on. Bytes are read at the pace at which they are
 * applied. Ends early, with the line that says so, once `stopping` says so or
 * the store is out of reach: what comes after it was not applied.
 */
export async function* importLines(
  chunks: AsyncIterable<Uint8Array>,
  to: Destination & { readonly failed: (error: unknown) => void },
  scope: Scope,
  stopping: () => boolean = () => false,
): AsyncGenerator<ReportLine, void> {
  const counts = { lines: 0, applied: 0, refused: 0 };
  const report = (refusals: readonly (RefusedLine | undefined)[]): ReportLine[] => {
    const refused = refusals.filter((each) => each !== undefined);
    const before = counts.lines;
    counts.lines += refusals.length;
    counts.refused += refused.length;
    counts.applied += refusals.length - refused.length;
    const isRound = Math.floor(counts.lines / PROGRESS_LINES) > Math.floor(before / PROGRESS_LINES);
    return isRound ? [...refused, { progress: { ...counts } }] : refused;
  };
  let batch: Promise<RefusedLine | undefined>[] = [];
  for await (const line of linesOf(chunks)) {
    batch.push(stopping() ? Promise.resolve(refusalOf(line, STOPPING)) : attempt(line, to, scope));
    if (batch.length < IN_FLIGHT) continue;
    const refusals = await Promise.all(batch);
    batch = [];
    // Where every line is refused nothing waits for the store: the others must have their turn all the same.
    await new Promise((resolve) => setImmediate(resolve));
    yield* report(refusals);
    if (refusals.some((each) => each?.code === "SW_UNAVAILABLE")) break;
  }
  yield* report(await Promise.all(batch));
  yield { data: counts };
}

const STOPPING = new CodedError("SW_UNAVAILABLE", "The server is stopping");

/** Hands a line to the store before it returns. Answers the refusal, if there was one. */
async function attempt(
  line: NumberedLine,
  to: Destination & { readonly failed: (error: unknown) => void },
  scope: Scope,
): Promise<RefusedLine | undefined> {
  try {
    if ("refused" in line) throw line.refused;
    await parseLine(line.text, scope)(to);
    return undefined;
  } catch (error) {
    if (!(error instanceof CodedError)) to.failed(error);
    return refusalOf(line, error);
  }
}

function refusalOf({ number }: NumberedLine, error: unknown): RefusedLine {
  if (!(error instanceof CodedError))
    return { line: number, code: "SW_INTERNAL", message: "Something went wrong on the server" };
  const { code, message, details } = error;
  return { line: number, code, message, ...(details === undefined ? {} : { details }) };
}
