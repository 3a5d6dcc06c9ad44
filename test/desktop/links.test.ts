import { describe, expect, test } from "bun:test";
import { roomOf } from "../../desktop/main/links.ts";

describe("a link", () => {
  test("names a room", () => {
    expect(roomOf("porchlight://room/lounge")).toBe("lounge");
    expect(roomOf("porchlight://room/lounge/")).toBe("lounge");
    expect(roomOf("porchlight://room/%40ann%3Aexample")).toBe("@ann:example");
    expect(roomOf("porchlight://room/A.b_c:d@e-f")).toBe("A.b_c:d@e-f");
    expect(roomOf(`porchlight://room/${"r".repeat(128)}`)).toHaveLength(128);
  });

  test.each([
    "",
    "lounge",
    "porchlight:room/lounge",
    "porchlight://room",
    "porchlight://room/",
    "porchlight://people/ann",
    "porchlight://room/lounge/members",
    "porchlight://room/lounge?token=t",
    "porchlight://room/lounge#part",
    "porchlight://ann@room/lounge",
    "porchlight://room:80/lounge",
    "porchlight://room/..",
    "porchlight://room/%2e%2e%2fetc",
    "porchlight://room/%",
    "porchlight://room/a b",
    "porchlight://room/<b>",
    `porchlight://room/${"r".repeat(129)}`,
    " porchlight://room/lounge",
    "porchlight://room/lounge\nporchlight://room/attic",
    "https://porchlight/room/lounge",
    "porchlight-app://room/lounge",
    "javascript:porchlight://room/lounge",
  ])("that is not exactly of that form names nothing: %j", (link) => {
    expect(roomOf(link)).toBeUndefined();
  });
});
