import { describe, expect, test } from "bun:test";
import { Delays, hesitantly } from "../support/hesitant.ts";
import { type Person, TestServer } from "../support/server.ts";
import { YjsClient } from "../support/yjs.ts";
import { yjsLevels } from "../support/yjs-levels.ts";

/** A server with a far store, and a lounge that nobody has entered. */
async function lounge(): Promise<{ server: TestServer; ann: Person; cy: Person; delays: Delays }> {
  const delays = new Delays();
  const server = await TestServer.start({ open: hesitantly(delays.of) });
  const [ann, cy] = [await server.person("ann"), await server.person("cy")];
  await server.room("lounge", [ann, cy]);
  return { server, ann, cy, delays };
}

async function rename(server: TestServer, id: string, display_name: string): Promise<void> {
  await server.admin("PUT", `/participants/${id}`, { tenant_id: "acme", display_name });
}

describe("a room that is read for its first client of y-websocket", () => {
  test("has who joins and who leaves while it is read", async () => {
    const { server: started, ann, cy, delays } = await lounge();
    await using server = started;
    const eve = await server.person("eve");
    for (const each of [cy, eve]) await each.stream();
    const reading = delays.hold("read room");
    using client = new YjsClient(server, ann, "lounge");
    await reading.reached;
    await server.room("lounge", [eve]);
    await server.admin("PUT", "/rooms/lounge/members/cy", { membership: "leave" });
    reading.release();
    await client.sees("eve");
    expect(client.of("cy")).toEqual([]);
  });

  test("is read anew where more happens meanwhile than is kept", async () => {
    const { server: started, ann, cy, delays } = await lounge();
    await using server = started;
    await cy.stream();
    const reading = delays.hold("read room");
    using client = new YjsClient(server, ann, "lounge");
    await reading.reached;
    const message = { sender_id: "cy", content: { body: "more than 1,000 of these" } };
    for (let sent = 0; sent <= 1_000; sent += 1)
      await server.admin("POST", "/rooms/lounge/events", message);
    await rename(server, "cy", "Cyrus");
    reading.release();
    await client.sees("Cyrus");
    expect(client.of("cy")).toEqual([]);
  });

  test("is not set back by what was before it was read and is announced later", async () => {
    const { server: started, ann, cy, delays } = await lounge();
    await using server = started;
    await cy.stream();
    const announcing = [delays.hold("announce")];
    const key = { tenant_id: "acme", participant_id: "cy" };
    const writes = [
      ...(["leave", "join"] as const).map((membership) =>
        server.store.putMember({ ...key, room_id: "lounge" }, { membership }, 0),
      ),
      ...["Cyrano", "Cyrus"].map((display_name) =>
        server.store.putParticipant(key, { display_name }, 0),
      ),
    ];
    await announcing[0]?.reached;
    using client = new YjsClient(server, ann, "lounge");
    await client.sees("Cyrus");
    const shown = new Set<string>();
    client.awareness.on("change", () => shown.add(client.seen.map(({ name }) => name).join()));
    // Each is announced alone, and what the room says then has been told before the next.
    for (const held of announcing) {
      const next = delays.hold("announce");
      if (announcing.length < writes.length) announcing.push(next);
      held.release();
      if (announcing.at(-1) === next) await next.reached;
      await client.settled();
    }
    await Promise.all(writes);
    expect([...shown]).toEqual([]);
  });

  test("is not entered by who ceases to be a member, or whose token is revoked, while it is read", async () => {
    const { server: started, ann, cy, delays } = await lounge();
    await using server = started;
    const reading = delays.hold("read room");
    using a = new YjsClient(server, ann, "lounge");
    using c = new YjsClient(server, cy, "lounge");
    await reading.reached;
    await server.admin("DELETE", `/tokens/${ann.tokenId}`);
    await server.admin("DELETE", "/rooms/lounge/members/cy?tenant_id=acme");
    reading.release();
    expect(await a.closed()).toEqual({ code: 4401, reason: "token_revoked" });
    expect(await c.closed()).toEqual({ code: 4403, reason: "not_member" });
  });

  test("is forgotten when it is deleted while it is read, and with its tenant", async () => {
    const { server: started, ann, cy, delays } = await lounge();
    await using server = started;
    await server.room("attic", [cy]);
    const rooms = async (): Promise<number> =>
      yjsLevels((await server.request("GET", "/metrics", { token: server.adminToken })).body).rooms;
    const reading = delays.hold("read room");
    using a = new YjsClient(server, ann, "lounge");
    await reading.reached;
    await server.admin("DELETE", "/rooms/lounge?tenant_id=acme");
    reading.release();
    // There is no room any more when its socket opens.
    expect((await a.closed()).code).toBeGreaterThan(4_000);
    expect(await rooms()).toBe(0);
    using c = await YjsClient.open(server, cy, "attic");
    expect(await rooms()).toBe(1);
    await server.admin("DELETE", "/tenants/acme");
    expect(await c.closed()).toEqual({ code: 4401, reason: "token_revoked" });
    expect(await rooms()).toBe(0);
  });
});
