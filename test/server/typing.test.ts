import { describe, expect, test } from "bun:test";
import { TestServer } from "../support/server.ts";

describe("PUT /v1/typing", () => {
  test("tells the other members a start and, 4 s after the last publish, the end", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const room_id = await server.room("lounge", [ann, bob]);
    const [annHears, bobHears] = [await ann.stream(), await bob.stream()];

    const { body } = await ann.put("/v1/typing", { room_id, typing: true });
    expect(body.data).toEqual({
      room_id,
      typing: true,
      expires_in_ms: 4_000,
      refresh_after_ms: 2_500,
      fanout: true,
    });
    expect(await bobHears.type("typing")).toMatchObject({
      room_id,
      participant_id: "ann",
      typing: true,
    });
    await server.clock.advance(3_999);
    expect((await bobHears.heard()).map(({ typing }) => typing)).not.toContain(false);
    await server.clock.advance(1);
    expect(await bobHears.type("typing")).toMatchObject({ participant_id: "ann", typing: false });
    expect((await annHears.heard()).filter(({ type }) => type === "typing")).toEqual([]);
  });
});
