import { CodedError } from "@porchlight/core";
import type { Clock } from "@porchlight/core/clock";

/** The content type of lines of JSON. */
export const NDJSON_TYPE = "application/x-ndjson; charset=utf-8";
/** The longest line that is read, in bytes without its line break. */
export const LINE_MAX_BYTES = 65_536;

/** How long a reader may take nothing. */
const STALLED_MS = 60_000;
const NEW_LINE = 10;

/** A line by its number from 1, blank ones counted: its text, or why it cannot be read. */
export type NumberedLine =
  | { readonly number: number; readonly text: string }
  | { readonly number: number; readonly refused: CodedError };

/**
 * The lines of a stream of bytes, without those that are blank. Of a line that
 * is too long nothing is kept. A stream that breaks off ends with a refusal in
 * the place of the line that did not arrive whole.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<NumberedLine> {
  const splitter = new Splitter();
  try {
    for await (const chunk of chunks) yield* splitter.split(chunk);
  } catch (cause) {
    yield { number: splitter.number, refused: cutOff(cause) };
    return;
  }
  yield* splitter.end();
}

/** Lines as the bytes that go over the wire. */
export function encodeLines(lines: readonly object[]): Uint8Array {
  return new TextEncoder().encode(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

/**
 * What a generator makes, as a stream that asks it for more only when there is
 * room. A reader that takes nothing for {@link STALLED_MS} is given up, so
 * that the generator can let go of what it holds.
 */
export function streamOf(
  parts: AsyncGenerator<Uint8Array, void>,
  { clock, failed }: { clock: Pick<Clock, "timer">; failed: (error: unknown) => void },
): ReadableStream<Uint8Array> {
  let callOff = (): void => undefined;
  const giveUp = (controller: ReadableStreamDefaultController<Uint8Array>, why: unknown): void => {
    failed(why);
    // Cut off in the middle, so that nobody takes it for the whole.
    controller.error(why);
    void parts.return();
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        callOff();
        try {
          const { value, done } = await parts.next();
          if (done) return controller.close();
          controller.enqueue(value);
          callOff = clock.timer(STALLED_MS, () =>
            giveUp(controller, new Error("Cannot go on as nothing is read")),
          );
        } catch (error) {
          giveUp(controller, error);
        }
      },
      cancel: async () => {
        callOff();
        await parts.return();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Cuts bytes into lines, whatever pieces they come in. */
class Splitter {
  /** The number of the line that is being read. */
  number = 1;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  *split(chunk: Uint8Array): Generator<NumberedLine> {
    let from = 0;
    for (let to = chunk.indexOf(NEW_LINE); to >= 0; to = chunk.indexOf(NEW_LINE, from)) {
      this.#add(chunk.subarray(from, to));
      yield* this.end();
      from = to + 1;
    }
    // A copy: what is left of a large chunk must not keep all of it.
    this.#add(chunk.slice(from));
  }

  /** The line as far as it has come. */
  *end(): Generator<NumberedLine> {
    const { number } = this;
    const [bytes, pieces] = [this.#bytes, this.#pieces];
    this.number += 1;
    this.#bytes = 0;
    this.#pieces = [];
    if (bytes > LINE_MAX_BYTES) yield { number, refused: tooLong() };
    else if (bytes > 0) yield* decoded(number, Buffer.concat(pieces));
  }

  #add(piece: Uint8Array): void {
    this.#bytes += piece.byteLength;
    if (this.#bytes > LINE_MAX_BYTES) this.#pieces = [];
    else if (piece.byteLength > 0) this.#pieces.push(piece);
  }
}

function* decoded(number: number, bytes: Uint8Array): Generator<NumberedLine> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes).trim();
    if (text !== "") yield { number, text };
  } catch (cause) {
    const details = [{ path: "", message: "must be UTF-8" }];
    const refused = new CodedError("SW_VALIDATION", "The line is not UTF-8", { cause, details });
    yield { number, refused };
  }
}

function tooLong(): CodedError {
  return new CodedError("SW_CONTENT_TOO_LARGE", `A line must be at most ${LINE_MAX_BYTES} bytes`);
}

function cutOff(cause: unknown): CodedError {
  const details = [{ path: "", message: "must arrive whole" }];
  return new CodedError("SW_VALIDATION", "The rest did not arrive", { cause, details });
}
