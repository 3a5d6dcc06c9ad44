import { describe, expect, test } from "bun:test";
import { readOnlyFaults, writablePart } from "@porchlight/core";
import { me } from "../support/builders.ts";

describe("readOnlyFaults", () => {
  test("an answer can be put back as it is", () => {
    const whole = me({ roles: ["admin"], email: "ann@example.org" });
    expect(readOnlyFaults(whole, JSON.parse(JSON.stringify(whole)))).toEqual([]);
  });

  test("what a person may change is let through with any value", () => {
    const body = { display_name: 1, avatar_url: false, bio: {} };
    expect(readOnlyFaults(me(), body)).toEqual([]);
  });

  test("a read-only key with another value is a fault", () => {
    expect(readOnlyFaults(me(), { email: "eve@example.org", local_id: "eve" })).toEqual([
      { path: "email", message: "is read-only" },
      { path: "local_id", message: "is read-only" },
    ]);
  });

  test("an unknown key is a fault, also one that every object inherits", () => {
    const body: Record<string, unknown> = JSON.parse(
      '{"nickname":"A","__proto__":{},"toString":1}',
    );
    expect(readOnlyFaults(me(), body)).toEqual([
      { path: "nickname", message: "is not a known key" },
      { path: "__proto__", message: "is not a known key" },
      { path: "toString", message: "is not a known key" },
    ]);
  });

  test("objects are compared by what they contain, in any order of their keys", () => {
    const self = me({ tenant: { id: "t", slug: "s", name: "n", features: { calls: { max: 3 } } } });
    const tenant = { features: { calls: { max: 3 } }, name: "n", slug: "s", id: "t" };
    expect(readOnlyFaults(self, { tenant })).toEqual([]);
    const isFault = (changed: unknown): boolean =>
      readOnlyFaults(self, { tenant: changed }).length > 0;
    expect(isFault({ ...tenant, features: { calls: { max: 4 } } })).toBe(true);
    expect(isFault({ ...tenant, features: { calls: {} } })).toBe(true);
    expect(isFault({ ...tenant, features: { calls: { max: 3 }, more: 1 } })).toBe(true);
    expect(isFault({ ...tenant, features: { calls: { most: 3 } } })).toBe(true);
    expect(isFault({ ...tenant, features: null })).toBe(true);
    expect(isFault("t")).toBe(true);
  });

  test("lists are compared in order, and a list is no object", () => {
    const self = me({ roles: ["a", "b"], groups: [] });
    const isFault = (body: Record<string, unknown>): boolean =>
      readOnlyFaults(self, body).length > 0;
    expect(isFault({ roles: ["a", "b"], groups: [] })).toBe(false);
    expect(isFault({ roles: ["b", "a"] })).toBe(true);
    expect(isFault({ roles: ["a"] })).toBe(true);
    expect(isFault({ roles: { 0: "a", 1: "b" } })).toBe(true);
    expect(isFault({ groups: {} })).toBe(true);
  });
});

describe("writablePart", () => {
  test("keeps display name, avatar and bio, and nothing else", () => {
    const body = { ...me({ bio: "Hello" }), nickname: "A" };
    expect(writablePart(body)).toEqual({ display_name: "Ann", avatar_url: null, bio: "Hello" });
  });

  test("leaves a key out that was not sent", () => {
    expect(Object.keys(writablePart({ bio: null }))).toEqual(["bio"]);
  });
});
