/**
 * Every code a refusal can carry, with its HTTP status. Clients match on the
 * code, never on the message. The table is closed: a code is added here or
 * does not exist.
 */
export const ERROR_STATUS = {
  SW_VALIDATION: 400,
  SW_AUTH_INVALID_TOKEN: 401,
  SW_AUTH_EXPIRED_TOKEN: 401,
  SW_AUTH_INSUFFICIENT_PERMISSION: 403,
  SW_ORIGIN_FORBIDDEN: 403,
  SW_NOT_MEMBER: 403,
  SW_ROOM_FORBIDDEN: 403,
  SW_NOT_FOUND: 404,
  SW_ROOM_NOT_FOUND: 404,
  SW_EVENT_NOT_FOUND: 404,
  SW_TENANT_NOT_FOUND: 404,
  SW_METHOD_NOT_ALLOWED: 405,
  SW_ROOM_FROZEN: 409,
  SW_CONTENT_TOO_LARGE: 413,
  SW_UNSUPPORTED_MEDIA_TYPE: 415,
  SW_RATE_LIMIT_EXCEEDED: 429,
  SW_INTERNAL: 500,
  SW_UNAVAILABLE: 503,
} as const;

/** A code of {@link ERROR_STATUS}. */
export type ErrorCode = keyof typeof ERROR_STATUS;

/** One thing wrong with an input. */
export interface Fault {
  /** Where: keys joined by dots, list positions in brackets (`quiet_hours.start`, `ids[2]`); empty for the whole. */
  readonly path: string;
  /** What to do about it. */
  readonly message: string;
}

/** What a {@link CodedError} may carry besides its code and message. */
export interface CodedErrorOptions {
  /** Every fault of the input at once; only `SW_VALIDATION` has them. */
  readonly details?: readonly Fault[] | undefined;
  /** When trying again makes sense, in whole seconds. */
  readonly retryAfterSeconds?: number | undefined;
  readonly cause?: unknown;
}

/** A refusal the caller is expected to handle. Everything else that is thrown is a defect. */
export class CodedError extends Error {
  readonly code: ErrorCode;
  readonly details: readonly Fault[] | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: CodedErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = "CodedError";
    this.code = code;
    this.details = options.details;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  /** The HTTP status of the code. */
  get status(): number {
    return ERROR_STATUS[this.code];
  }
}

/** The refusal of an input for all of its faults. `faults` must not be empty. */
export function invalid(faults: readonly Fault[]): CodedError {
  const [first] = faults;
  const where = first === undefined || first.path === "" ? "" : `${first.path}: `;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : "";
  return new CodedError("SW_VALIDATION", `${where}${first?.message ?? "invalid"}${more}`, {
    details: faults,
  });
}
