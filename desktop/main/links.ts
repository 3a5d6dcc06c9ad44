import { isId } from "@porchlight/core";
import type { App } from "electron";

/** The scheme of links into the app, which anybody may write. */
export const LINK_SCHEME = "porchlight";

/** The room that a link names: `porchlight://room/<id>`, and nothing else. */
export function roomOf(link: string): string | undefined {
  const [, written] = /^porchlight:\/\/room\/([^/?#]+)\/?$/.exec(link) ?? [];
  if (written === undefined) return undefined;
  try {
    const id = decodeURIComponent(written);
    // In the path of an address these two would not be names.
    return isId(id) && id !== "." && id !== ".." ? id : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Hears links that the system hands to the app: those it is started with, and
 * those that come while it runs. Has to be called before the app is ready.
 * @param wake somebody has tried to start the app once more.
 */
export function hearLinks(
  app: App,
  { open, wake }: { open(room_id: string): void; wake(): void },
): void {
  const openIn = (words: readonly string[]): boolean => {
    const room_id = words.map(roomOf).find((each) => each !== undefined);
    if (room_id !== undefined) open(room_id);
    return room_id !== undefined;
  };
  app.on("open-url", (event, url) => {
    event.preventDefault();
    openIn([url]);
  });
  app.on("second-instance", (_event, words) => {
    if (!openIn(words)) wake();
  });
  openIn(process.argv);
}
