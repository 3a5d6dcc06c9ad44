import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Route } from "playwright-core";
import { Desk, type Screen, startForPage } from "../support/desk.ts";
import { Gate } from "../support/gate.ts";
import { temporaryFolder } from "../support/process.ts";
import type { Person, TestServer } from "../support/server.ts";

setDefaultTimeout(60_000);

let desk: Desk;
beforeAll(async () => {
  desk = await Desk.open();
});
afterAll(() => desk[Symbol.asyncDispose]());

/** Ann, who looks at the page through a gate, and Bob, who hears everything. */
async function scene(
  file?: string,
): Promise<{ server: TestServer; gate: Gate; ann: Person; bob: Person }> {
  const server = await startForPage(file === undefined ? {} : { file });
  const ann = await server.person("ann", { display_name: "Ann Archer" });
  const bob = await server.person("bob", { display_name: "Bob Baker" });
  await server.room("lounge", [ann, bob], { name: "Lounge" });
  return { server, gate: await Gate.to(server.url), ann, bob };
}

async function preference(screen: Screen, label: string, value: string): Promise<void> {
  await screen.page.getByLabel(label, { exact: true }).selectOption(value);
}

async function offline(screen: Screen): Promise<void> {
  await screen.text(/You are offline. Everything here is as of/).waitFor();
}

async function online(screen: Screen): Promise<void> {
  await screen.text(/You are offline/).waitFor({ state: "detached" });
}

describe("without a network", () => {
  test("the page stays and says how old it is; what is set survives a reload and is sent on return, without a flash", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "test.db");
    const { server: first, gate: opened, ann, bob } = await scene(file);
    await using gate = opened;
    const stream = await bob.stream();
    const a = await desk.sit(gate, ann);
    await a.openRoom("Lounge");
    await a.sees("Bob Baker", "Online");
    await a.page.evaluate("navigator.serviceWorker.ready.then(() => true)");

    gate.shut();
    await offline(a);
    await a.sees("Bob Baker", "Online, as of");
    await a.choose("Busy");
    await a.page.getByRole("link", { name: "Preferences" }).click();
    await preference(a, "Clock", "12h");
    await a.text("2 changes wait to be sent").waitFor();
    await a.text("Waits to be sent").waitFor();
    expect((await ann.get("/v1/me/preferences")).body.data.time_format).toBe("24h");

    await a.page.reload();
    await offline(a);
    await a.text("2 changes wait to be sent").waitFor();
    expect(await a.page.getByLabel("Clock", { exact: true }).inputValue()).toBe("12h");
    await a.page.locator(".own", { hasText: "Busy" }).waitFor();
    await a.openRoom("Lounge");
    await a.sees("Bob Baker", "Online, as of");

    await a.page.evaluate(`
      window.shown = new Set();
      const look = () => {
        for (const each of document.querySelectorAll(".person")) window.shown.add(each.innerText.replace(/\\s+/g, " "));
        requestAnimationFrame(look);
      };
      look();
    `);
    gate.open(first.url);
    await online(a);
    await a.text(/wait(s)? to be sent/).waitFor({ state: "detached" });
    await a.page.locator(".person", { hasText: /^BB\s*Bob Baker\s*Online$/ }).waitFor();
    expect((await ann.get("/v1/me/preferences")).body.data.time_format).toBe("12h");
    expect((await ann.get("/v1/me/presence")).body.data).toMatchObject({
      state: "busy",
      source: "manual",
    });
    const shown = (await a.page.evaluate("[...window.shown]")) as string[];
    expect(shown.filter((line) => line.includes("Offline"))).toEqual([]);
    expect(
      stream.taken().filter(({ type, status }) => type === "presence" && status === "offline"),
    ).toEqual([]);
    expect(a.errors).toEqual([]);
    await a.context.close();
    await first[Symbol.asyncDispose]();
  });

  test("hiding never shows a blink: it is delivered before anything opens", async () => {
    const { server: started, gate: opened, ann, bob } = await scene();
    await using server = started;
    await using gate = opened;
    const a = await desk.sit(gate, ann);
    await a.page.evaluate("navigator.serviceWorker.ready.then(() => true)");
    gate.shut();
    await offline(a);
    await a.choose("Appear offline");
    await a.text("1 change waits to be sent").waitFor();
    await server.admin("PUT", "/rooms/lounge", { tenant_id: "acme" });
    await ann.delete(
      `/v1/me/devices/${await a.page.evaluate("localStorage.getItem('porchlight.device')")}`,
    );
    const stream = await bob.stream();
    gate.open(server.url);
    await online(a);
    await a.openRoom("Lounge");
    await a.sees("Bob Baker", "Online");
    const heard = await stream.heard();
    expect(
      heard.filter(({ type, participant_id }) => type === "presence" && participant_id === "ann"),
    ).toEqual([]);
    await a.context.close();
  });

  test("an edit that lost says that it was replaced, and is set again by one click", async () => {
    const { server: started, gate: opened, ann } = await scene();
    await using server = started;
    await using gate = opened;
    const a = await desk.sit(gate, ann);
    await a.page.getByRole("link", { name: "Preferences" }).click();
    await a.page.getByLabel("Clock", { exact: true }).waitFor();
    gate.shut();
    await offline(a);
    await preference(a, "Clock", "12h");
    await a.text("1 change waits to be sent").waitFor();
    await ann.put("/v1/me/preferences", { time_format: "24h" });
    gate.open(server.url);
    await a.text("Your change of “Clock” was replaced by a later one.").waitFor();
    expect(await a.page.getByLabel("Clock", { exact: true }).inputValue()).toBe("24h");
    await a.page.getByRole("button", { name: "Set it again" }).click();
    await a.text(/wait(s)? to be sent/).waitFor({ state: "detached" });
    await expect(a.page.getByLabel("Clock", { exact: true }).inputValue()).resolves.toBe("12h");
    await a.context.close();
  });

  test("a message whose answer is lost is kept, and sent again it is there once", async () => {
    const { server: started, gate: opened, ann } = await scene();
    await using _server = started;
    await using gate = opened;
    const a = await desk.sit(gate, ann, { serviceWorkers: "block" });
    await a.openRoom("Lounge");
    const lose = async (route: Route): Promise<void> => {
      await route.fetch();
      await route.abort();
    };
    await a.page.route(/\/send$/, lose, { times: 1 });
    await a.composer.fill("once");
    await a.page.keyboard.press("Enter");
    await a.text("Not sent: there is no connection. Your text is kept.").waitFor();
    expect(await a.composer.inputValue()).toBe("once");
    await a.composer.press("Enter");
    await a.text(/^Not sent/).waitFor({ state: "detached" });
    const { data } = (await ann.get("/v1/rooms/lounge/messages")).body;
    expect(data).toHaveLength(1);
    await a.context.close();
  });

  test("two tabs of one person agree with each other", async () => {
    const { server: started, gate: opened, ann } = await scene();
    await using server = started;
    await using gate = opened;
    const a = await desk.sit(gate, ann);
    const other = await a.tab(gate.url);
    for (const tab of [a, other]) {
      await tab.page.getByRole("link", { name: "Preferences" }).click();
      await tab.page.getByLabel("Clock", { exact: true }).waitFor();
    }
    gate.shut();
    for (const tab of [a, other]) await offline(tab);
    await preference(a, "Clock", "12h");
    await other.page
      .locator("select", { hasText: "12 hours" })
      .and(other.page.locator("[aria-invalid=false]"))
      .first()
      .waitFor();
    await other.text("1 change waits to be sent").waitFor();
    expect(await other.page.getByLabel("Clock", { exact: true }).inputValue()).toBe("12h");
    await other.choose("Busy");
    await a.page.locator(".own", { hasText: "Busy" }).waitFor();
    await preference(other, "Clock", "24h");
    await a.text("3 changes wait to be sent").waitFor();
    expect(await a.page.getByLabel("Clock", { exact: true }).inputValue()).toBe("24h");
    // What a tab leaves behind that is closed, the other delivers.
    await other.page.close();
    gate.open(server.url);
    await online(a);
    await a.text(/wait(s)? to be sent/).waitFor({ state: "detached" });
    expect((await ann.get("/v1/me/preferences")).body.data.time_format).toBe("24h");
    expect((await ann.get("/v1/me/presence")).body.data.state).toBe("busy");
    await a.context.close();
  });
});

describe("a machine that slept for an hour", () => {
  test("shows what is true within 2 s of waking, and its user is not active for the hour", async () => {
    const { server: started, gate: opened, ann, bob } = await scene();
    await using server = started;
    await using gate = opened;
    const a = await desk.screen();
    await a.page.clock.install();
    await a.page.goto(gate.url);
    await a.signIn(ann.token);
    await a.openRoom("Lounge");
    const b = await desk.sit(server, bob);
    await a.sees("Bob Baker", "Online");
    await b.openRoom("Lounge");
    await b.sees("Ann Archer", "Online");
    gate.deaden();
    await b.choose("Busy");
    await a.page.clock.fastForward(3_600_000);
    const wokeAt = Date.now();
    await a.sees("Bob Baker", "Busy");
    await b.sees("Ann Archer", "Idle");
    const tookMs = Date.now() - wokeAt;
    console.log(`everything is current ${tookMs} ms after waking`);
    expect(tookMs).toBeLessThan(2_000);
    await Promise.all([a.context.close(), b.context.close()]);
  });
});
