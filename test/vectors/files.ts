import notifications from "./notifications.json" with { type: "json" };
import type { Subject } from "./play.ts";
import preferences from "./preferences.json" with { type: "json" };
import presence from "./presence.json" with { type: "json" };
import quietHours from "./quiet-hours.json" with { type: "json" };
import roomState from "./room-state.json" with { type: "json" };
import typing from "./typing.json" with { type: "json" };

/** The vectors, by what they are about. */
export const FILES: Readonly<Record<Subject, unknown>> = {
  presence,
  typing,
  preferences,
  "quiet-hours": quietHours,
  notifications,
  "room-state": roomState,
};
