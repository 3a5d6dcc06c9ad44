import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Desk, type Screen, startForPage } from "../support/desk.ts";
import { Gate } from "../support/gate.ts";
import type { Person, TestServer } from "../support/server.ts";

setDefaultTimeout(120_000);
const AXE = readFileSync(Bun.resolveSync("axe-core/axe.min.js", import.meta.dir), "utf8");

let desk: Desk;
beforeAll(async () => {
  desk = await Desk.open();
});
afterAll(() => desk[Symbol.asyncDispose]());

async function scene(): Promise<{ server: TestServer; ann: Person; bob: Person }> {
  const server = await startForPage();
  const ann = await server.person("ann", { display_name: "Ann Archer", email: "ann@example.org" });
  const bob = await server.person("bob", { display_name: "Bob Baker" });
  const helper = await server.person("helper", {
    display_name: "Helper",
    participant_type: "model",
  });
  await server.room("lounge", [ann, bob, helper], { name: "Lounge", topic: "Who is around" });
  for (const body of ["Hello", "The kettle is on"]) {
    const content = { msgtype: "m.text", body };
    await server.admin("POST", "/rooms/lounge/events", {
      tenant_id: "acme",
      sender_id: "bob",
      content,
    });
  }
  return { server, ann, bob };
}

/** What axe finds fault with, as "rule: where". */
async function violations({ page }: Screen): Promise<string[]> {
  await page.evaluate(AXE);
  return (await page.evaluate(
    `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
      .then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => id + ": " + target + " " + failureSummary)))`,
  )) as string[];
}

const WIDE = { width: 1_100, height: 700 };
const NARROW = { width: 360, height: 640 };

describe("the page", () => {
  test.each([
    ["light", WIDE],
    ["dark", WIDE],
    ["light", NARROW],
  ] as const)(
    "has nothing that axe finds fault with, in any state, %s, at %p",
    async (colorScheme, viewport) => {
      const { server: started, ann } = await scene();
      await using server = started;
      await using gate = await Gate.to(server.url);
      const isNarrow = viewport === NARROW;
      const a = await desk.screen({ colorScheme, viewport, reducedMotion: "reduce" });
      const { page } = a;
      const found: Record<string, string[]> = {};
      const look = async (state: string): Promise<void> => {
        found[state] = await violations(a);
      };
      const back = async (): Promise<void> => {
        if (isNarrow) await page.getByRole("button", { name: "Back to the rooms" }).click();
      };
      await page.goto(gate.url);
      await page.getByRole("button", { name: "Sign in" }).click();
      await a.text("Paste the token here").waitFor();
      await look("sign in, refused");
      await a.signIn(ann.token);
      await look("no room");
      await page.locator(".own > button").click();
      await look("choosing a state");
      await page.keyboard.press("Escape");
      await a.openRoom("Lounge");
      await page.locator(".body").first().waitFor();
      await look("a room");
      if (isNarrow) {
        await page.getByRole("button", { name: "3 people" }).click();
        await look("the people of a room");
      }
      await back();
      await page.getByRole("link", { name: "People" }).click();
      await a.sees("Bob Baker", "Offline");
      await look("people");
      await back();
      await page.getByRole("link", { name: "Preferences" }).click();
      await look("preferences");
      gate.shut();
      await a.text(/You are offline/).waitFor();
      await page.getByLabel("Clock", { exact: true }).selectOption("12h");
      await a.text("1 change waits to be sent").waitFor();
      await look("offline, with something that waits");
      await ann.put("/v1/me/preferences", { time_format: "24h" });
      gate.open(server.url);
      await page.getByRole("button", { name: "Set it again" }).waitFor();
      await look("with a note");
      expect(Object.entries(found).filter(([, each]) => each.length > 0)).toEqual([]);
      // Nothing is cut off sideways.
      expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
      await a.context.close();
    },
  );

  test("can be used by keyboard alone", async () => {
    const { server: started, ann } = await scene();
    await using server = started;
    const a = await desk.screen();
    const { page } = a;
    const { keyboard } = page;
    /** Goes on with Tab until something has the focus. */
    const reach = async (what: string): Promise<void> => {
      for (let steps = 0; steps < 60; steps += 1) {
        const label = await page.evaluate(
          `((each) => [each.getAttribute("aria-label"), each.labels?.[0]?.innerText, each.matches("a, button, [role=listbox]") ? each.innerText : ""].join(" "))(document.activeElement)`,
        );
        if (String(label).includes(what)) return;
        await keyboard.press("Tab");
      }
      throw new Error(`Cannot reach ${what} by Tab`);
    };
    await page.goto(server.url);
    await page.getByLabel("Access token").waitFor();
    await reach("Access token");
    await keyboard.insertText(ann.token);
    await keyboard.press("Enter");
    await page.getByRole("navigation").waitFor();
    await reach("Ann Archer");
    await keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    for (let down = 0; down < 3; down += 1) await keyboard.press("ArrowDown");
    await keyboard.press("Escape");
    await page.locator(".own", { hasText: "Busy" }).waitFor();
    await reach("Lounge");
    await keyboard.press("Enter");
    await page.getByRole("heading", { name: "Lounge", level: 1 }).waitFor();
    await reach("Message: Lounge");
    await keyboard.type("by keyboard");
    await keyboard.press("Enter");
    await page.locator(".body", { hasText: "by keyboard" }).waitFor();
    await page.locator("nav a", { hasText: "People" }).focus();
    await keyboard.press("Enter");
    await a.sees("Bob Baker", "Offline");
    await reach("(you)");
    await keyboard.press("ArrowDown");
    await keyboard.press("Enter");
    await page.getByRole("heading", { name: "Bob Baker", level: 1 }).waitFor();
    await page.locator("nav a", { hasText: "Preferences" }).focus();
    await keyboard.press("Enter");
    await reach("Clock");
    await keyboard.press("ArrowUp");
    await page.locator(".control em").waitFor({ state: "detached" });
    expect((await ann.get("/v1/me/preferences")).body.data.time_format).toBe("12h");
    await a.context.close();
  });

  test("tells screen readers who comes and goes, every 5 s at most, and not who types", async () => {
    const { server: started, ann, bob } = await scene();
    await using server = started;
    const a = await desk.screen();
    await a.page.clock.install();
    await a.page.goto(server.url);
    await a.signIn(ann.token);
    await a.openRoom("Lounge");
    await a.sees("Bob Baker", "Offline");
    const b = await desk.sit(server, bob);
    await b.openRoom("Lounge");
    await a.sees("Bob Baker", "Online");
    await b.choose("Busy");
    await a.sees("Bob Baker", "Busy");
    const live = a.page.locator("p[aria-live=polite]");
    expect(await live.textContent()).toBe("");
    await a.page.clock.fastForward(5_000);
    await a.page
      .locator("p[aria-live=polite]", { hasText: "Bob Baker: Busy" })
      .waitFor({ state: "attached" });
    await b.composer.pressSequentially("typing");
    await a.text("Bob Baker is typing").waitFor();
    await a.page.clock.fastForward(5_000);
    expect(await live.textContent()).toBe("Bob Baker: Busy");
    await Promise.all([a.context.close(), b.context.close()]);
  });

  test("speaks Dutch and German, and shows times as they are preferred", async () => {
    const { server: started, ann } = await scene();
    await using server = started;
    await ann.put("/v1/me/preferences", {
      locale: "de",
      timezone: "Pacific/Auckland",
      time_format: "12h",
    });
    const a = await desk.sit(server, ann);
    await a.page.getByRole("link", { name: "Lounge" }).click();
    await a.page.getByRole("textbox", { name: "Nachricht: Lounge" }).waitFor();
    expect(await a.page.evaluate("document.documentElement.lang")).toBe("de");
    const [message] = (await ann.get("/v1/rooms/lounge/messages?limit=1")).body.data;
    const shown = new Intl.DateTimeFormat("de", {
      timeZone: "Pacific/Auckland",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h12",
    }).format(Date.parse(message.ts));
    await a.page.locator("time", { hasText: shown }).first().waitFor();
    await ann.put("/v1/me/preferences", { locale: "nl" });
    await a.page.getByRole("textbox", { name: "Bericht: Lounge" }).waitFor();
    await a.context.close();
  });
});
