import { describe, expect, test } from "bun:test";
import { CodedError, ERROR_STATUS, invalid } from "@porchlight/core";

describe("ERROR_STATUS", () => {
  test("is the documented table of codes", () => {
    expect(ERROR_STATUS).toEqual({
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
    });
  });
});

describe("CodedError", () => {
  test("is an error that knows its code, its status and its message", () => {
    const error = new CodedError("SW_ROOM_FROZEN", "The room is archived");
    expect(error).toBeInstanceOf(Error);
    expect({ ...error, message: error.message, status: error.status }).toMatchObject({
      name: "CodedError",
      code: "SW_ROOM_FROZEN",
      status: 409,
      message: "The room is archived",
    });
    expect([error.details, error.retryAfterSeconds, error.cause]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("carries its cause and when to try again", () => {
    const cause = new TypeError("store closed");
    const error = new CodedError("SW_UNAVAILABLE", "Stopping", { cause, retryAfterSeconds: 5 });
    expect(error.cause).toBe(cause);
    expect(error.retryAfterSeconds).toBe(5);
  });
});

describe("invalid", () => {
  const start = { path: "quiet_hours.start", message: "must be HH:MM" };
  const whole = { path: "", message: "must be an object" };

  test("carries every fault and says the first one with its place", () => {
    const error = invalid([start]);
    expect(error.code).toBe("SW_VALIDATION");
    expect(error.details).toEqual([start]);
    expect(error.message).toBe("quiet_hours.start: must be HH:MM");
  });

  test("says how many more faults there are", () => {
    expect(invalid([start, whole, start]).message).toEndWith(" (and 2 more)");
    expect(invalid([start, whole]).message).toEndWith(" (and 1 more)");
  });

  test("names no place for a fault of the whole", () => {
    expect(invalid([whole]).message).toBe("must be an object");
  });
});
