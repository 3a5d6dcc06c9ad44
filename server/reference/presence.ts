import * as z from "zod/mini";
import * as presence from "../answers/presence.ts";
import { ACTORS, data, type Entry } from "./entry.ts";

const Ids = z.object({
  ids: z.array(z.string()).check(
    z.minLength(1),
    z.meta({
      description:
        "ids, separated by commas; may be repeated. At most `presence_max_ids`. Whatever names nobody reads `offline`",
    }),
  ),
});

/** Who is there, and who types. */
export const PRESENCE: Readonly<Record<string, Entry>> = {
  "GET /v1/presence": {
    does: "states of `ids=p1,p2` (up to `presence_max_ids`)",
    query: Ids,
    answers: data(presence.PresenceStates, presence.Age),
  },
  "POST /v1/presence/query": {
    does: "states of up to 5,000 `ids` in the body",
    answers: data(presence.PresenceStates, presence.Age),
  },
  "GET /v1/me/presence": {
    does: "your state, and why: devices, transports, when it changes next",
    answers: data(presence.MyPresence),
  },
  "PUT /v1/me/presence": {
    does: 'shows `{"state"}` by hand, or `{"auto": true}`; with `edited_at` and `sent_at` if chosen offline',
    answers: data(presence.ChosenPresence),
  },
  "POST /v1/me/heartbeat": {
    does: 'says that a device is there: `{"device_id", "state"?, "idle_for_ms"?}`, for clients without a socket',
    answers: data(presence.Beat),
  },
  "DELETE /v1/me/devices/:device_id": {
    does: "signs a device off and closes its sockets",
    answers: data(presence.SignedOff),
  },
  "PUT /v1/typing": {
    does: 'says that you type, or ceased to: `{"room_id", "typing", "device_id"?}`',
    more: "Publish again every `refresh_after_ms` while typing goes on. Above `typing_rate` a publish counts as a renewal and is answered alike.",
    answers: data(presence.Typed),
    refuses: [...ACTORS, "SW_ROOM_NOT_FOUND"],
  },
};
