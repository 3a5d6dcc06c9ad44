import { describe, expect, test } from "bun:test";
import { ADMIN_TOKEN, type Reply, refusedWith, TestServer } from "../support/server.ts";

describe("the tenant", () => {
  test("comes from the token and from nowhere else", async () => {
    await using server = await TestServer.start();
    const ann = await server.person("ann");
    await server.person("ann", { tenant_id: "umbrella", bio: "the other Ann" });
    const mine = (await ann.get("/v1/me")).body;
    expect(mine.data.tenant.id).toBe("acme");
    expect((await ann.get("/v1/me?tenant_id=umbrella")).body).toEqual(mine);
    expect((await ann.get("/v1/me", { "x-tenant-id": "umbrella" })).body).toEqual(mine);
    expect(refusedWith(await ann.put("/v1/me", { tenant_id: "umbrella" }))).toBe(
      "400 SW_VALIDATION",
    );
    const profile = await ann.get("/v1/profiles/ann?tenant_id=umbrella");
    expect(profile.body.data.bio).toBeNull();
  });

  test("of an administrator by role is their own, whatever they name", async () => {
    await using server = await TestServer.start();
    const boss = await server.person("boss", { roles: ["porchlight_admin"] });
    await server.person("ann", { tenant_id: "umbrella" });
    for (const tenant_id of ["umbrella", "nowhere"]) {
      for (const reply of [
        await boss.put("/v1/admin/participants/ann", { tenant_id }),
        await boss.put(`/v1/admin/participants/ann?tenant_id=${tenant_id}`, {}),
        await boss.put(`/v1/admin/tenants/${tenant_id}`, {}),
        await boss.post("/v1/admin/tokens", { participant_id: "ann", tenant_id }),
      ])
        expect(refusedWith(reply)).toBe("404 SW_TENANT_NOT_FOUND");
    }
    expect((await boss.put("/v1/admin/participants/ann", {})).status).toBe(200);
    expect((await boss.get("/v1/profiles?q=ann")).body.data).toHaveLength(1);
  });

  test("of another is indistinguishable from one that does not exist", async () => {
    await using server = await TestServer.start();
    const boss = await server.person("boss", { roles: ["porchlight_admin"] });
    const fay = await server.person("there", { tenant_id: "umbrella" });
    await server.room("there", [fay]);
    await server.admin("PUT", "/rooms/there/plan", { id: "plan", state: "running" });

    const asked: [string, (id: string) => Promise<Reply>][] = [
      ["404", (id) => boss.get(`/v1/rooms/${id}`)],
      ["404", (id) => boss.get(`/v1/rooms/${id}/state`)],
      ["404", (id) => boss.get(`/v1/rooms/${id}/plan`)],
      ["404", (id) => boss.get(`/v1/profiles/${id}`)],
      ["404", (id) => boss.put("/v1/typing", { room_id: id, typing: true })],
      ["404", (id) => boss.post("/v1/rooms/dm", { participant_id: id })],
      ["404", (id) => boss.put(`/v1/admin/rooms/${id}/plan`, { id: "plan", state: "done" })],
      ["404", (id) => boss.put(`/v1/admin/rooms/${id}/call`, { call_id: "call" })],
      ["404", (id) => boss.put(`/v1/admin/rooms/${id}/members/boss`, {})],
      ["404", (id) => boss.post("/v1/admin/tokens", { participant_id: id })],
      ["404", (id) => boss.delete(`/v1/admin/participants/${id}`)],
      ["404", (id) => boss.delete(`/v1/admin/rooms/${id}`)],
      ["404", (id) => boss.delete(`/v1/admin/rooms/${id}/members/boss`)],
      ["404", (id) => boss.delete(`/v1/admin/rooms/${id}/plan`)],
      ["200", (id) => boss.get(`/v1/presence?ids=${id}`)],
      ["200", (id) => boss.get(`/v1/profiles?q=${id}`)],
    ];
    await fay.post("/v1/me/heartbeat", { device_id: "laptop" });
    for (const [status, ask] of asked) {
      const [theirs, nobodys] = [await ask("there"), await ask("nowhere")];
      const text = JSON.stringify(theirs.body).replaceAll("there", "nowhere");
      expect([`${theirs.status}`, text]).toEqual([status, JSON.stringify(nobodys.body)]);
      expect(headersOf(theirs)).toEqual(headersOf(nobodys));
    }
    const unknown = await boss.delete("/v1/admin/tokens/tok-nothing");
    const theirs = await boss.delete(`/v1/admin/tokens/${fay.tokenId}`);
    expect([theirs.status, theirs.body]).toEqual([404, unknown.body]);
    expect((await fay.get("/v1/me")).status).toBe(200);
  });

  test("the admin token has to name one where several could be meant", async () => {
    await using server = await TestServer.start();
    await server.person("ann");
    await server.person("ann", { tenant_id: "umbrella" });
    const put = (path: string): Promise<Reply> =>
      server.request("PUT", `/v1/admin/participants/${path}`, { token: ADMIN_TOKEN, body: {} });
    for (const path of ["ann", "nobody"]) {
      const reply = await put(path);
      expect(refusedWith(reply)).toBe("400 SW_VALIDATION");
      expect(reply.body.error.details[0].path).toBe("tenant_id");
    }
    expect((await put("ann?tenant_id=umbrella")).status).toBe(200);
    expect(refusedWith(await put("ann?tenant_id=nowhere"))).toBe("404 SW_TENANT_NOT_FOUND");
  });
});

/** Headers without those that name one response or depend on the names in the body. */
function headersOf({ headers }: Reply): [string, string][] {
  const own = ["x-request-id", "date", "etag", "content-length"];
  return [...headers].filter(([name]) => !own.includes(name));
}
