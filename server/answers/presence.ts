import { MANUAL_STATES } from "@porchlight/core";
import * as z from "zod/mini";
import { described, id, instant, milliseconds, presenceState } from "./words.ts";

const { nullable } = z;

/** Said where this node is cut off from others, whose people are taken to be as they were then. */
export const Age = z.strictObject({ as_of: instant });

/** A state by id: of each that was asked for, once. */
export const PresenceStates = z.record(z.string(), presenceState);

const source = z.enum(["manual", "device", "participant_type", "none"]);

/** What a choice came to. */
export const ChosenPresence = z.strictObject({
  state: presenceState,
  source,
  superseded: described(z.optional(z.literal(true)), "a later choice stands"),
});

/** One's own state, and why. */
export const MyPresence = z.strictObject({
  state: presenceState,
  source,
  manual: nullable(z.enum(MANUAL_STATES)),
  devices: z.array(
    z.strictObject({
      device_id: z.string(),
      state: z.enum(["online", "idle"]),
      transports: z.array(z.enum(["rest", "stream", "yjs"])),
      last_active_at: instant,
      expires_at: instant,
    }),
  ),
  next_change_at: nullable(instant),
});

/** The answer to a heartbeat. */
export const Beat = z.strictObject({
  state: presenceState,
  expires_in_ms: milliseconds,
  refresh_after_ms: milliseconds,
});

/** A device that has been signed off. */
export const SignedOff = z.strictObject({ device_id: id, state: presenceState });

/** What became of a typing signal. */
export const Typed = z.strictObject({
  room_id: id,
  typing: z.boolean(),
  expires_in_ms: milliseconds,
  refresh_after_ms: milliseconds,
  fanout: described(z.boolean(), "false in rooms so large that nobody is told"),
});
