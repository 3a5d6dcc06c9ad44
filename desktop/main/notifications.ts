import { Notification } from "electron";
import type { Notice } from "../bridge.ts";

/** So many events are remembered: windows ask for the same one within moments. */
const REMEMBERED = 1_000;

/** Shows each event once, however many windows ask for it. */
export class Notifications {
  readonly #open: (room_id: string) => void;
  readonly #seen = new Set<string>();
  /** Held for as long as they can be clicked: what nothing holds is collected, and hears no click. */
  readonly #shown = new Set<Notification>();

  /** @param open a notification of this room was clicked. */
  constructor(open: (room_id: string) => void) {
    this.#open = open;
  }

  show({ event_id, room_id, title, body }: Notice): void {
    if (this.#seen.has(event_id) || !Notification.isSupported()) return;
    this.#remember(event_id);
    const shown = new Notification({ title, body });
    this.#shown.add(shown);
    shown.on("close", () => this.#shown.delete(shown));
    shown.on("click", () => {
      this.#shown.delete(shown);
      this.#open(room_id);
    });
    shown.show();
  }

  #remember(eventId: string): void {
    this.#seen.add(eventId);
    const [oldest] = this.#seen;
    if (this.#seen.size > REMEMBERED && oldest !== undefined) this.#seen.delete(oldest);
  }
}
