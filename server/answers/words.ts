import { ENGAGEMENT_MODES, RESPONSE_MODES } from "@porchlight/core";
import * as z from "zod/mini";

/** What the schemas of answers are made of. Objects are closed: a key that is not in them is not answered. */

/** Gives a schema the name under which the reference has it. */
export const named = <T extends z.ZodMiniType>(id: string, schema: T): T =>
  schema.check(z.meta({ id })) as T;

/** Says what a value means where its name does not. */
export const described = <T extends z.ZodMiniType>(schema: T, description: string): T =>
  schema.check(z.meta({ description })) as T;

export const id = named("Id", z.string().check(z.minLength(1), z.maxLength(128)));

export const instant = named(
  "Instant",
  z
    .string()
    .check(
      z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      z.meta({ format: "date-time", examples: ["2026-01-31T12:00:00.000Z"] }),
    ),
);

export const milliseconds = z.int().check(z.minimum(0));

export const count = z.int().check(z.minimum(0));

export const anyObject = z.looseObject({});

export const presenceState = named(
  "PresenceState",
  z.enum(["online", "idle", "busy", "offline", "appear_offline"]),
);

export const responseMode = z.enum(RESPONSE_MODES);

export const engagementMode = z.enum(ENGAGEMENT_MODES);
