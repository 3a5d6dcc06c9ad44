import type { Screen } from "./desk.ts";

/** How long it takes from one's choice until a line about them says so on another's page, by the clock of the machine. */
export async function untilSeen(
  chooser: Screen,
  choice: string,
  viewer: Screen,
  line: string,
): Promise<number> {
  const seen = shownAt(
    viewer,
    `[...document.querySelectorAll(".person")].some((each) => each.innerText.replace(/\\s+/g, " ").endsWith(${JSON.stringify(line)}))`,
  );
  const radio = chooser.page.getByRole("dialog").getByLabel(choice, { exact: true });
  const chosenAt = await radio.evaluate((input: { click(): void }) => {
    input.click();
    return Date.now();
  });
  return (await seen) - chosenAt;
}

/** How long it takes from a key that somebody presses where they write until another's page says that they type. */
export async function untilTyping(typist: Screen, viewer: Screen): Promise<number> {
  const seen = shownAt(viewer, `document.body.innerText.includes("is typing")`);
  const pressed = typist.page.evaluate(
    `new Promise((resolve) => addEventListener("keydown", () => resolve(Date.now()), { once: true, capture: true }))`,
  );
  await typist.composer.focus();
  await typist.page.keyboard.press("h");
  return (await seen) - Number(await pressed);
}

/** When the first frame came in which something holds of a page, as an expression in it. */
async function shownAt({ page }: Screen, holds: string): Promise<number> {
  return Number(
    await page.evaluate(
      `new Promise((resolve) => {
        const look = () => {
          if (${holds}) resolve(Date.now());
          else requestAnimationFrame(look);
        };
        look();
      })`,
    ),
  );
}
