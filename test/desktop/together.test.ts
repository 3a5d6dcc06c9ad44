import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { AppBench, newMachine } from "../support/app-bench.ts";
import { Desk, Screen, startForPage } from "../support/desk.ts";

setDefaultTimeout(60_000);

let desk: Desk;
let bench: AppBench;
beforeAll(async () => {
  [desk, bench] = await Promise.all([Desk.open(), AppBench.open()]);
});
afterAll(async () => {
  await Promise.all([desk[Symbol.asyncDispose](), bench[Symbol.asyncDispose]()]);
});

describe("two browsers and the app in one room", () => {
  test("see each other come, type, go idle, go busy and appear offline; the tray is one more way to choose", async () => {
    await using server = await startForPage();
    const ann = await server.person("ann", { display_name: "Ann Archer" });
    const bob = await server.person("bob", { display_name: "Bob Baker" });
    const cy = await server.person("cy", { display_name: "Cy Young" });
    await server.room("lounge", [ann, bob, cy], { name: "Lounge" });
    const [a, b] = [await desk.sit(server, ann), await desk.sit(server, bob)];
    for (const each of [a, b]) await each.openRoom("Lounge");
    await a.sees("Cy Young", "Offline");

    using machine = newMachine();
    await using app = await bench.startWhole(machine);
    const page = await app.page();
    const c = new Screen(page.context(), page);
    await page.getByLabel("Server address").fill(server.url);
    await c.signIn(cy.token, { remember: false });
    await c.openRoom("Lounge");
    const both = (words: string): Promise<unknown> =>
      Promise.all([a, b].map((each) => each.sees("Cy Young", words)));
    await both("Online");
    for (const name of ["Ann Archer", "Bob Baker"]) await c.sees(name, "Online");

    await c.composer.pressSequentially("hi");
    await both("typing…");
    await c.page.keyboard.press("Enter");
    for (const each of [a, b]) await each.page.locator(".body", { hasText: "hi" }).waitFor();

    // The machine has been quiet, as its system says; and then its user is back.
    app.power.emit("lock-screen");
    await both("Idle");
    await b.composer.pressSequentially("h");
    await c.text("Bob Baker is typing").waitFor();
    app.outside.tray?.menu.at("Busy").click();
    await both("Busy");
    await c.page.locator(".own", { hasText: "Busy" }).waitFor();
    app.outside.tray?.menu.at("Appear offline").click();
    await both("Offline");
    await c.sees("Ann Archer", "Online");
    await a.choose("Busy");
    await c.sees("Ann Archer", "Busy");
    // Of a room that is not looked at the app says so, once for all of its windows.
    await server.room("attic", [ann, cy], { name: "Attic" });
    await c.page.getByRole("link", { name: "Attic", exact: true }).waitFor();
    const content = { msgtype: "m.text", body: "Up here" };
    await ann.post("/v1/rooms/attic/send", { content });
    await c.page.getByRole("link", { name: "Attic 1 unread message" }).waitFor();
    const shown = app.outside.notifications.map(({ title, body }) => ({ title, body }));
    expect(shown).toEqual([{ title: "Ann Archer, Attic", body: "Up here" }]);
    expect([a.errors, b.errors, c.errors]).toEqual([[], [], []]);
    await Promise.all([a.context.close(), b.context.close()]);
  });
});
