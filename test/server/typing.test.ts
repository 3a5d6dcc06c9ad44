import { describe, expect, test } from "bun:test";
import { Delays, hesitantly } from "../support/hesitant.ts";
import { TestServer } from "../support/server.ts";
import type { Frame } from "../support/stream.ts";
import { YjsClient } from "../support/yjs.ts";

/** What a list of frames says of typing. */
function typingIn(frames: readonly Frame[]): unknown[] {
  return frames.filter(({ type }) => type === "typing").map(({ typing }) => typing);
}

describe("PUT /v1/typing", () => {
  test("tells the other members a start and, 4 s after the last publish, the end", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const room_id = await server.room("lounge", [ann, bob]);
    const annHears = [
      await ann.stream({ device_id: "laptop" }),
      await ann.stream({ device_id: "phone" }),
    ];
    const bobHears = await bob.stream();

    const { body } = await ann.put("/v1/typing", { room_id, typing: true });
    expect(body).toEqual({
      data: { room_id, typing: true, expires_in_ms: 4_000, refresh_after_ms: 2_500, fanout: true },
    });
    expect(await bobHears.type("typing")).toMatchObject({
      room_id,
      participant_id: "ann",
      typing: true,
    });
    await server.clock.advance(3_999);
    expect(typingIn(await bobHears.heard())).not.toContain(false);
    await server.clock.advance(1);
    expect(await bobHears.type("typing")).toMatchObject({ participant_id: "ann", typing: false });
    for (const device of annHears) expect(typingIn(await device.heard())).toEqual([]);
  });

  test("published every 2.5 s for a minute never lets a receiver go 3 s without a true, and shows no false", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const room_id = await server.room("lounge", [ann, bob]);
    const bobHears = await bob.stream();
    const heardAt: number[] = [];
    for (let tick = 0; tick < 240; tick += 1) {
      if (tick % 10 === 0) await ann.put("/v1/typing", { room_id, typing: true });
      const typing = typingIn(await bobHears.heard());
      expect(typing).not.toContain(false);
      if (typing.length > 0) heardAt.push(tick * 250);
      await server.clock.advance(250);
    }
    const gaps = heardAt.map((at, index) => at - (heardAt[index - 1] ?? 0));
    expect(heardAt.length).toBeGreaterThanOrEqual(20);
    expect(Math.max(...gaps)).toBeLessThan(3_000);
  });

  test("ends early when the typist says so, and only the last of two devices ends it", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const room_id = await server.room("lounge", [ann, bob]);
    const [laptop, bobHears] = [await ann.stream({ device_id: "laptop" }), await bob.stream()];
    laptop.send({ type: "typing", room_id, typing: true });
    await bobHears.type("typing");
    await ann.put("/v1/typing", { room_id, typing: true, device_id: "phone" });
    laptop.send({ type: "typing", room_id, typing: false });
    await laptop.heard();
    expect(typingIn(await bobHears.heard())).toEqual([]);
    await ann.put("/v1/typing", { room_id, typing: false, device_id: "phone" });
    expect(typingIn(await bobHears.heard())).toEqual([false]);
  });

  test("ends when the typist sends, leaves, loses the device, or the room is frozen", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const bobHears = await bob.stream();
    const endings: Record<string, (room_id: string) => Promise<unknown>> = {
      sends: (room_id) =>
        server.admin("POST", `/rooms/${room_id}/events`, {
          sender_id: "ann",
          content: { body: "hi" },
        }),
      leaves: (room_id) =>
        server.admin("PUT", `/rooms/${room_id}/members/ann`, { membership: "leave" }),
      frozen: (room_id) => server.admin("PUT", `/rooms/${room_id}`, { state: "archived" }),
      loses: () => server.cut(laptop),
    };
    const laptop = await ann.stream({ device_id: "laptop" });
    for (const [how, end] of Object.entries(endings)) {
      const room_id = await server.room(`room-${how}`, [ann, bob]);
      laptop.send({ type: "typing", room_id, typing: true });
      await bobHears.next(({ typing }) => typing === true);
      await end(room_id);
      const told = (await bobHears.heard()).filter(
        ({ type }) => type === "typing" || type.startsWith("swp."),
      );
      expect([how, told[0]?.type, told[0]?.typing]).toEqual([how, "typing", false]);
    }
  });

  test("ends when the administrator hides the typist", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const room_id = await server.room("lounge", [ann, bob]);
    const bobHears = await bob.stream();
    await ann.put("/v1/typing", { room_id, typing: true });
    await bobHears.type("typing");
    await server.admin("PUT", "/participants/ann", { presence: "appear_offline" });
    expect(typingIn(await bobHears.heard())).toEqual([false]);
  });

  test("does not end with one of two tabs of the device, but with the last", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const room_id = await server.room("lounge", [ann, bob]);
    const [first, second] = [
      await ann.stream({ device_id: "laptop", instance: "1" }),
      await ann.stream({ device_id: "laptop", instance: "2" }),
    ];
    const bobHears = await bob.stream();
    second.send({ type: "typing", room_id, typing: true });
    await bobHears.type("typing");
    await first.close();
    expect(typingIn(await bobHears.heard())).toEqual([]);
    await second.close();
    expect(typingIn(await bobHears.heard())).toEqual([false]);
  });

  test("ends when the room has grown above typing_max_members", async () => {
    await using server = await TestServer.start({ env: { PORCHLIGHT_TYPING_MAX_MEMBERS: "2" } });
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const room_id = await server.room("lounge", [ann, bob]);
    const bobHears = await bob.stream();
    await ann.put("/v1/typing", { room_id, typing: true });
    await bobHears.type("typing");
    await server.person("eve");
    await server.admin("PUT", `/rooms/${room_id}/members/eve`, {});
    await ann.put("/v1/typing", { room_id, typing: true });
    expect(typingIn(await bobHears.heard())).toEqual([false]);
  });

  test("is answered for strangers, unknown, frozen and sidekick rooms with their codes, and tells nobody", async () => {
    await using server = await TestServer.start();
    const [ann, bob, eve] = [
      await server.person("ann"),
      await server.person("bob"),
      await server.person("eve"),
    ];
    const gwen = await server.person("gwen", { tenant_id: "globex" });
    const ada = await server.person("ada", { participant_type: "model" });
    const lounge = await server.room("lounge", [ann, bob]);
    const invited = await server.room("invited", [ann], { membership: "invite" });
    const archived = await server.room("archived", [ann, bob], { state: "archived" });
    const sidekick = await server.room("sidekick", [ann, ada], { room_type: "sidekick" });
    const answerTo = async (who: typeof ann, room_id: string): Promise<unknown> => {
      const { status, body } = await who.put("/v1/typing", { room_id, typing: true });
      return [status, body.error?.code];
    };
    expect(await answerTo(eve, lounge)).toEqual([403, "SW_NOT_MEMBER"]);
    expect(await answerTo(ann, invited)).toEqual([403, "SW_NOT_MEMBER"]);
    expect(await answerTo(ann, "nowhere")).toEqual([404, "SW_ROOM_NOT_FOUND"]);
    expect(await answerTo(gwen, lounge)).toEqual([404, "SW_ROOM_NOT_FOUND"]);
    expect(await answerTo(ann, archived)).toEqual([409, "SW_ROOM_FROZEN"]);
    expect(await answerTo(ann, sidekick)).toEqual([403, "SW_ROOM_FORBIDDEN"]);
    expect(await answerTo(ada, sidekick)).toEqual([200, undefined]);
  });

  test("says so where nothing is told: above typing_max_members", async () => {
    await using server = await TestServer.start({ env: { PORCHLIGHT_TYPING_MAX_MEMBERS: "2" } });
    const [ann, bob, eve] = [
      await server.person("ann"),
      await server.person("bob"),
      await server.person("eve"),
    ];
    const two = await server.room("two", [ann, bob]);
    const three = await server.room("three", [ann, bob, eve]);
    const bobHears = await bob.stream();
    expect((await ann.put("/v1/typing", { room_id: two, typing: true })).body.data.fanout).toBe(
      true,
    );
    expect((await ann.put("/v1/typing", { room_id: three, typing: true })).body.data.fanout).toBe(
      false,
    );
    const rooms = (await bobHears.heard())
      .filter(({ type }) => type === "typing")
      .map((frame) => frame.room_id);
    expect(rooms).toEqual([two]);
  });

  test("above typing_rate only renews, and a stop is never limited", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const room_id = await server.room("lounge", [ann, bob]);
    const bobHears = await bob.stream();
    for (let time = 0; time < 8; time += 1) {
      expect((await ann.put("/v1/typing", { room_id, typing: true })).status).toBe(200);
      expect((await ann.put("/v1/typing", { room_id, typing: false })).status).toBe(200);
    }
    expect(typingIn(await bobHears.heard())).toEqual(
      Array.from({ length: 5 }, () => [true, false]).flat(),
    );
    await server.clock.advance(1_000);
    await ann.put("/v1/typing", { room_id, typing: true });
    expect(typingIn(await bobHears.heard())).toEqual([true]);
  });

  test("reaches members who joined after they had connected, and not those who left", async () => {
    await using server = await TestServer.start();
    const [ann, bob, eve] = [
      await server.person("ann"),
      await server.person("bob"),
      await server.person("eve"),
    ];
    const [bobHears, eveHears] = [await bob.stream(), await eve.stream()];
    const room_id = await server.room("lounge", [ann, bob]);
    await server.admin("PUT", `/rooms/${room_id}/members/eve`, {});
    await ann.put("/v1/typing", { room_id, typing: true });
    expect(typingIn(await bobHears.heard())).toEqual([true]);
    expect(typingIn(await eveHears.heard())).toEqual([true]);
    await server.admin("PUT", `/rooms/${room_id}/members/eve`, { membership: "leave" });
    await ann.put("/v1/typing", { room_id, typing: false });
    expect(typingIn(await bobHears.heard())).toEqual([false]);
    expect(typingIn(await eveHears.heard())).toEqual([]);
  });
});

describe("a wall clock that is set", () => {
  test("neither ends a typing signal nor makes it stick", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const room_id = await server.room("lounge", [ann, bob]);
    const bobHears = await bob.stream();
    for (const step of [60_000, -3_600_000]) {
      await ann.put("/v1/typing", { room_id, typing: true });
      server.clock.step(step);
      await server.clock.advance(3_999);
      expect(typingIn(await bobHears.heard())).not.toContain(false);
      await server.clock.advance(1);
      expect(typingIn(await bobHears.heard())).toEqual([false]);
    }
  });
});

describe("typing that is heard while the store is far away", () => {
  test("ends with the connection through which it was said", async () => {
    const delays = new Delays();
    await using server = await TestServer.start({ open: hesitantly(delays.of) });
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const room_id = await server.room("lounge", [ann, bob]);
    const bobHears = await bob.stream();
    for (const door of ["stream", "Yjs"]) {
      const client = await YjsClient.open(server, ann, room_id);
      const stream = await ann.stream();
      const asked = delays.hold("read room");
      if (door === "Yjs") client.say({ typing: true });
      else stream.send({ type: "typing", room_id, typing: true });
      await asked.reached;
      client.destroy();
      await stream.close();
      asked.release();
      expect([door, typingIn(await bobHears.heard())]).toEqual([door, []]);
      await server.clock.advance(5_000);
      expect([door, typingIn(await bobHears.heard())]).toEqual([door, []]);
    }
  });
});

describe("typing in GET /v1/rooms/{id}/state", () => {
  test("lists who types, without the viewer", async () => {
    await using server = await TestServer.start();
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    const room_id = await server.room("lounge", [ann, bob]);
    await ann.put("/v1/typing", { room_id, typing: true });
    const typingFor = async (viewer: typeof ann): Promise<unknown> =>
      (await viewer.get(`/v1/rooms/${room_id}/state`)).body.data.typing;
    expect(await typingFor(ann)).toEqual([]);
    expect(await typingFor(bob)).toEqual(["ann"]);
    await server.clock.advance(4_000);
    expect(await typingFor(bob)).toEqual([]);
  });
});
