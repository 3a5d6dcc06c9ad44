import { describe, expect, test } from "bun:test";
import { INDEFINITE_AT, isoOf, isoOrNull } from "@porchlight/core";

describe("isoOf", () => {
  test("writes an instant in ISO 8601, in UTC, with milliseconds", () => {
    expect(isoOf(0)).toBe("1970-01-01T00:00:00.000Z");
    expect(isoOf(1_769_860_800_007)).toBe("2026-01-31T12:00:00.007Z");
  });
});

describe("isoOrNull", () => {
  test("writes null where there is no instant, and the epoch where there is", () => {
    expect([undefined, null, 0].map(isoOrNull)).toEqual([null, null, "1970-01-01T00:00:00.000Z"]);
  });
});

describe("INDEFINITE_AT", () => {
  test("is the last instant with four digits of year", () => {
    expect(isoOf(INDEFINITE_AT)).toBe("9999-12-31T23:59:59.999Z");
    expect(isoOf(INDEFINITE_AT + 1)).toStartWith("+010000");
  });
});
