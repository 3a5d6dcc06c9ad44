import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { systemClock } from "@porchlight/core/clock";
import { Desk, startForPage } from "../support/desk.ts";
import { untilSeen } from "../support/seen.ts";
import type { Person, TestServer } from "../support/server.ts";

setDefaultTimeout(60_000);
const { monotonic } = systemClock();
/** Within this time everything is to be seen that somebody does: the median of so many acts. */
const SOON_MS = 300;
const ACTS = 20;

let desk: Desk;
beforeAll(async () => {
  desk = await Desk.open();
});
afterAll(() => desk[Symbol.asyncDispose]());

async function lounge(
  names: Record<string, string>,
): Promise<{ server: TestServer; people: Person[] }> {
  const server = await startForPage();
  const people: Person[] = [];
  for (const [id, display_name] of Object.entries(names))
    people.push(await server.person(id, { display_name }));
  await server.room("lounge", people, { name: "Lounge" });
  return { server, people };
}

async function say(server: TestServer, sender_id: string, body: string): Promise<void> {
  const content = { msgtype: "m.text", body };
  await server.admin("POST", "/rooms/lounge/events", { tenant_id: "acme", sender_id, content });
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const from = monotonic();
  await act();
  return monotonic() - from;
}

function medianOf(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}

describe("signing in", () => {
  test("says what is wrong with the token, and stays signed in only where asked", async () => {
    const { server: started, people } = await lounge({ ann: "Ann Archer" });
    await using server = started;
    const [ann] = people as [Person];
    const { page, context } = await desk.screen();
    await page.goto(server.url);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Paste the token here").waitFor();
    await page.getByLabel("Access token").fill("plt_wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("The server does not accept this token").waitFor();
    await page.getByLabel("Access token").fill(ann.token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Ann Archer").first().waitFor();
    await page.reload();
    await page.getByText("Ann Archer").first().waitFor();
    const other = await context.newPage();
    await other.goto(server.url);
    await other.getByLabel("Access token").waitFor();
    await page.getByRole("link", { name: "Preferences" }).click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Access token").waitFor();
    expect(
      await page.evaluate(
        "[localStorage, sessionStorage].some((each) => JSON.stringify(each).includes('plt_'))",
      ),
    ).toBe(false);
    await context.close();
  });
});

describe("two people in a room", () => {
  test(`see each other come, type, go idle, go busy and appear offline within ${SOON_MS} ms`, async () => {
    const { server: started, people } = await lounge({ ann: "Ann Archer", bob: "Bob Baker" });
    await using server = started;
    const [ann, bob] = people as [Person, Person];
    const a = await desk.sit(server, ann);
    await a.openRoom("Lounge");
    await a.sees("Bob Baker", "Offline");
    const b = await desk.sit(server, bob);
    await a.sees("Bob Baker", "Online");
    await b.openRoom("Lounge");
    await b.sees("Ann Archer", "Online");

    const times: number[] = [];
    for (let act = 0; act < ACTS / 4; act += 1) {
      for (const [words, seen] of [
        ["Busy", "Busy"],
        ["Idle", "Idle"],
        ["Appear offline", "Offline"],
        ["Automatic", "Online"],
      ] as const) {
        await b.page.locator(".own > button").click();
        times.push(await untilSeen(b, words, a, `Bob Baker ${seen}`));
        await b.page.keyboard.press("Escape");
      }
    }
    const typing = await timed(() =>
      Promise.all([b.composer.pressSequentially("h"), a.text("Bob Baker is typing").waitFor()]),
    );
    await a.sees("Bob Baker", "typing…");
    await b.composer.fill("hello");
    await b.page.keyboard.press("Enter");
    await a.page.locator(".body", { hasText: "hello" }).waitFor();
    await a.text("Bob Baker is typing").waitFor({ state: "detached" });
    console.log(
      `seen after ${medianOf(times).toFixed(0)} ms, the median of ${times.length}; typing after ${typing.toFixed(0)} ms`,
    );
    expect(medianOf(times)).toBeLessThan(SOON_MS);
    expect(typing).toBeLessThan(2 * SOON_MS);
    await b.context.close();
    await a.sees("Bob Baker", "Offline");
    expect([a.errors, b.errors]).toEqual([[], []]);
    await a.context.close();
  });

  test("are idle when nobody has touched the page for five minutes, and say why", async () => {
    const { server: started, people } = await lounge({ ann: "Ann Archer", bob: "Bob Baker" });
    await using server = started;
    const [ann, bob] = people as [Person, Person];
    const a = await desk.sit(server, ann);
    await a.openRoom("Lounge");
    const b = await desk.screen();
    await b.page.clock.install();
    await b.page.goto(server.url);
    await b.signIn(bob.token);
    await a.sees("Bob Baker", "Online");
    await b.page.clock.fastForward(299_000);
    await a.sees("Bob Baker", "Online");
    await b.page.clock.fastForward(2_000);
    await a.sees("Bob Baker", "Idle");
    await b.page.locator(".own", { hasText: "Idle" }).waitFor();
    await b.page.mouse.move(10, 10);
    await a.sees("Bob Baker", "Online");
    await Promise.all([a.context.close(), b.context.close()]);
  });
});

describe("the page", () => {
  test("shows what was said, counts what is unread, and moves the marker when the room is left", async () => {
    const { server: started, people } = await lounge({ ann: "Ann Archer", bob: "Bob Baker" });
    await using server = started;
    const [ann] = people as [Person];
    await server.room("attic", [ann], { name: "Attic" });
    for (const body of ["one", "two", "three"]) await say(server, "bob", body);
    const a = await desk.sit(server, ann);
    await a.page.getByRole("link", { name: "Lounge 3 unread messages" }).click();
    await a.page.locator(".body", { hasText: "three" }).waitFor();
    expect(await a.page.locator(".body").allTextContents()).toEqual(["one", "two", "three"]);
    await say(server, "bob", "four");
    await a.page.locator(".body", { hasText: "four" }).waitFor();
    await a.page.getByRole("link", { name: "Attic" }).click();
    await a.page.getByRole("link", { name: "Lounge", exact: true }).waitFor();
    expect((await ann.get("/v1/rooms/lounge/state")).body.data.unread_count).toBe(0);
    expect(a.errors).toEqual([]);
    await a.context.close();
  });

  test("moves the marker as messages are seen, where that is preferred", async () => {
    const { server: started, people } = await lounge({ ann: "Ann Archer", bob: "Bob Baker" });
    await using server = started;
    const [ann] = people as [Person];
    await ann.put("/v1/me/preferences", { read_marker_mode: "scroll" });
    await say(server, "bob", "one");
    const a = await desk.sit(server, ann);
    await a.page.getByRole("link", { name: "Lounge 1 unread message" }).click();
    await a.page.getByRole("link", { name: "Lounge", exact: true }).waitFor();
    const marked = a.page.waitForResponse(/read-marker$/);
    await say(server, "bob", "two");
    await a.page.locator(".body", { hasText: "two" }).waitFor();
    await (await marked).finished();
    expect((await ann.get("/v1/rooms/lounge/state")).body.data.unread_count).toBe(0);
    await a.context.close();
  });

  test("finds people, and opens a direct room with one", async () => {
    const { server: started, people } = await lounge({
      ann: "Ann Archer",
      bob: "Bob Baker",
      cy: "Cy Young",
    });
    await using server = started;
    const [ann] = people as [Person];
    const a = await desk.sit(server, ann);
    await a.page.getByRole("link", { name: "People" }).click();
    await a.sees("Bob Baker", "Offline");
    await a.page.getByRole("searchbox").fill("young");
    await a.page.locator(".person", { hasText: "Bob Baker" }).waitFor({ state: "detached" });
    await a.page.getByText("Cy Young").first().click();
    await a.page.getByRole("heading", { name: "Cy Young", level: 1 }).waitFor();
    await a.composer.fill("psst");
    await a.page.keyboard.press("Enter");
    await a.page.locator(".body", { hasText: "psst" }).waitFor();
    expect(a.errors).toEqual([]);
    await a.context.close();
  });

  test("saves every preference as it is changed, and says beside it what is wrong", async () => {
    const { server: started, people } = await lounge({ ann: "Ann Archer" });
    await using server = started;
    const [ann] = people as [Person];
    const a = await desk.sit(server, ann);
    const { page } = a;
    const field = (label: string) => page.getByLabel(label, { exact: true });
    await page.getByRole("link", { name: "Preferences" }).click();
    await field("Time zone").selectOption("Asia/Tokyo");
    await field("Clock").selectOption("12h");
    await field("Notify me about").selectOption("mentions");
    await field("Words that always notify me").fill("kettle");
    await page.keyboard.press("Enter");
    await field("Leave me in peace").check();
    await field("from").fill("22:00");
    await field("until").fill("22:00");
    await field("On").selectOption("weekends");
    await field("On").selectOption("all");
    await field("until").fill("07:00");
    await a.text(/^(Quiet now, until|Not quiet now; quiet from)/).waitFor();
    await field("Push to my telephone").uncheck();
    await field("By e-mail").check();
    await field("E-mail address").fill("nonsense");
    await field("E-mail address").blur();
    await page.locator(".field", { hasText: "E-mail address" }).locator("[role=alert]").waitFor();
    await field("E-mail address").fill("ann@example.org");
    await field("E-mail address").blur();
    await field("Messages count as read").selectOption("scroll");
    await field("AIs answer").selectOption("streaming");
    await field("AIs that I invite take part").selectOption("mention");
    await field("Language").selectOption("nl");
    await page.getByRole("heading", { name: "Voorkeuren", level: 1 }).waitFor();
    await page.locator(".control em").first().waitFor({ state: "detached" });
    expect((await ann.get("/v1/me/preferences")).body.data).toEqual({
      locale: "nl",
      timezone: "Asia/Tokyo",
      time_format: "12h",
      ai_response_mode: "streaming",
      ai_engagement_mode: "mention",
      default_mode: "mentions",
      quiet_hours: {
        enabled: true,
        start: "22:00",
        end: "07:00",
        weekdays_only: false,
        weekends_only: false,
      },
      keyword_alerts: ["kettle"],
      read_marker_mode: "scroll",
      push: false,
      email: true,
      email_address: "ann@example.org",
    });
    await page.getByLabel("Naam", { exact: true }).fill(" ");
    await page.getByRole("button", { name: "Profiel bewaren" }).click();
    await page.locator("#display_name-fault", { hasText: /./ }).waitFor();
    await page.getByLabel("Naam", { exact: true }).fill("Ann A.");
    await page.getByRole("button", { name: "Profiel bewaren" }).click();
    await a.text("Bewaard").waitFor();
    expect((await ann.get("/v1/me")).body.data.display_name).toBe("Ann A.");
    expect(a.errors).toEqual([]);
    await a.context.close();
  });

  test("asks nobody but its server for anything, under a policy without inline code, and is small", async () => {
    const { server: started, people } = await lounge({ ann: "Ann Archer", bob: "Bob Baker" });
    await using server = started;
    const [ann] = people as [Person, Person];
    await server.admin("PUT", "/participants/bob", {
      tenant_id: "acme",
      display_name: "Bob Baker",
      avatar_url: "https://elsewhere.example/bob.png",
    });
    const a = await desk.sit(server, ann);
    await a.openRoom("Lounge");
    await a.sees("Bob Baker", "Offline");
    const own = new URL(server.url).host;
    expect(a.asked.filter((url) => new URL(url).host !== own)).toEqual([]);
    expect(a.errors).toEqual([]);
    const page = await fetch(server.url);
    expect(page.headers.get("content-security-policy")).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    const files = ["main.js", "preload-helper.js", "view.js", "live.js", "view.css"];
    const sizes = files.map(async (file) => {
      const bytes = await (await fetch(`${server.url}/app/${file}`)).arrayBuffer();
      return Bun.gzipSync(new Uint8Array(bytes)).length / 1_024;
    });
    const kib = (await Promise.all(sizes)).reduce((sum, each) => sum + each, 0);
    console.log(`the page is ${kib.toFixed(1)} KiB, gzipped`);
    expect(kib).toBeLessThan(150);
    await a.context.close();
  });
});
