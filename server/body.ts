import { CodedError, parseJson } from "@porchlight/core";
import { isStopping } from "./refusals.ts";

const JSON_TYPE = /^application\/([\w.+-]+\+)?json\s*(;|$)/i;
/** Sent by curl with `-d`, and not meant. */
const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(;|$)/i;

/**
 * The JSON of a request's body, as the runtime parses it.
 * @param givenUp aborted when whoever is still sending is waited for no longer.
 * @throws {CodedError} 413 as soon as it is known to be larger than `maxBytes`, 415 for another type, 400 for what is no JSON.
 */
export async function readBody(
  givenUp: AbortSignal,
  request: Request,
  maxBytes: number,
): Promise<unknown> {
  const type = request.headers.get("content-type");
  const text = decode(await readBytes(givenUp, request, maxBytes));
  if (type === null || JSON_TYPE.test(type)) return parseJson(text);
  const refused = new CodedError(
    "SW_UNSUPPORTED_MEDIA_TYPE",
    "The body must be JSON, with the content type application/json",
  );
  if (!FORM_TYPE.test(type)) throw refused;
  try {
    return parseJson(text);
  } catch {
    throw refused;
  }
}

async function readBytes(
  givenUp: AbortSignal,
  request: Request,
  maxBytes: number,
): Promise<Uint8Array> {
  const tooLarge = new CodedError(
    "SW_CONTENT_TOO_LARGE",
    `The body must be at most ${maxBytes} bytes`,
  );
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge;
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = request.body.getReader();
  const giveUp = (): void => void reader.cancel();
  givenUp.addEventListener("abort", giveUp);
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      size += next.value.byteLength;
      if (size > maxBytes) throw tooLarge;
      chunks.push(next.value);
    }
  } catch (cause) {
    // Whoever hangs up in the middle of it will not read the answer either.
    if (cause === tooLarge) throw cause;
    const details = [{ path: "", message: "must arrive whole" }];
    throw new CodedError("SW_VALIDATION", "The body did not arrive whole", { cause, details });
  } finally {
    givenUp.removeEventListener("abort", giveUp);
  }
  if (givenUp.aborted) throw isStopping();
  return Buffer.concat(chunks);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CodedError("SW_VALIDATION", "The body is not UTF-8", {
      cause,
      details: [{ path: "", message: "must be UTF-8" }],
    });
  }
}
