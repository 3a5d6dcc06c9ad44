import { ADMINISTRATION } from "./reference/administration.ts";
import type { Entry } from "./reference/entry.ts";
import { PEOPLE } from "./reference/people.ts";
import { PRESENCE } from "./reference/presence.ts";
import { ROOMS } from "./reference/rooms.ts";
import { SERVER } from "./reference/server.ts";

/** Every endpoint, by method and path. */
export const REFERENCE: Readonly<Record<string, Entry>> = {
  ...PRESENCE,
  ...ROOMS,
  ...PEOPLE,
  ...SERVER,
  ...ADMINISTRATION,
};
