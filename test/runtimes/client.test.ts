import { expect } from "bun:test";
import { join } from "node:path";
import { ServerProcess, temporaryFolder } from "../support/process.ts";
import type { Visit } from "./modules/visit.ts";
import { runOn, testEverywhere } from "./runtimes.ts";

const ADMIN_TOKEN = "admin-token-for-tests";

/** Fills a server with Ann and Bob in one room. */
async function prepare(url: string): Promise<Visit> {
  const admin = async (method: string, path: string, body: object): Promise<string> => {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const init = { method, headers, body: JSON.stringify({ tenant_id: "t", ...body }) };
    const answer = await fetch(`${url}/v1/admin${path}`, init);
    if (!answer.ok) throw new Error(`Cannot ${method} ${path}: ${await answer.text()}`);
    const { data } = (await answer.json()) as { data: { token?: string } };
    return data.token ?? "";
  };
  const person = async (id: string): Promise<string> => {
    await admin("PUT", `/participants/${id}`, {});
    await admin("PUT", `/rooms/lounge/members/${id}`, {});
    return admin("POST", "/tokens", { participant_id: id });
  };
  await admin("PUT", "/tenants/t", { tenant_id: undefined });
  await admin("PUT", "/rooms/lounge", { name: "Lounge" });
  return { url, room: "lounge", ann: await person("ann"), bob: await person("bob") };
}

testEverywhere("a client lives with a started server", async (runtime) => {
  using folder = temporaryFolder();
  await using server = await ServerProcess.start(["serve"], {
    PORCHLIGHT_ADMIN_TOKEN: ADMIN_TOKEN,
    PORCHLIGHT_DATABASE_URL: `sqlite:${join(folder.path, "visit.db")}`,
  });
  const visit = await prepare(server.url);
  expect(await runOn(runtime, new URL("modules/visit.ts", import.meta.url), visit)).toEqual({
    preferences: { locale: "nl", time_format: "12h" },
    deliveries: ["choice", "edit", "choice", "edit"],
    refusal: "SW_ROOM_NOT_FOUND",
    stranger: { status: "closed", why: { code: 4001, reason: "token_invalid" } },
    members: 2,
  });
});
