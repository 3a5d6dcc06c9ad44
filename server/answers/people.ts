import {
  DEFAULT_PREFERENCES,
  LOCALES,
  type Me,
  PARTICIPANT_TYPES,
  type Participant,
  type Preferences,
  type Profile,
  ProfileBody,
  type ProfilePatch,
  type Schema,
} from "@porchlight/core";
import * as z from "zod/mini";
import {
  anyObject,
  count,
  described,
  engagementMode,
  id,
  named,
  presenceState,
  responseMode,
} from "./words.ts";

const { nullable } = z;

export const ParticipantAnswer: Schema<Participant> = named(
  "Participant",
  z.strictObject({
    id,
    local_id: z.string(),
    server_name: z.string(),
    display_name: z.string(),
    participant_type: z.enum(PARTICIPANT_TYPES),
    avatar_url: nullable(z.string()),
  }),
);

/** What others may read of a person. */
export const ProfileAnswer: Schema<Profile> = named(
  "Profile",
  z.strictObject({ participant: ParticipantAnswer, bio: nullable(z.string()) }),
);

/** A tenant. */
export const Tenant: Schema<Me["tenant"]> = named(
  "Tenant",
  z.strictObject({ id, slug: z.string(), name: z.string(), features: anyObject }),
);

/** What participants see of themselves and cannot change. */
const readOnly = {
  participant_id: id,
  local_id: z.string(),
  fqid: z.string().check(z.regex(/^@.+:.+$/)),
  email: nullable(z.string()),
  personal_workspace_id: nullable(z.string()),
  roles: z.array(z.string()),
  groups: z.array(z.string()),
  presence: presenceState,
  tenant: Tenant,
};

/** A participant in their own eyes. */
export const MeAnswer: Schema<Me> = named(
  "Me",
  z.strictObject({
    ...readOnly,
    display_name: z.string(),
    avatar_url: nullable(z.string()),
    bio: nullable(z.string()),
  }),
);

const mayBeSent = Object.entries(readOnly).map(([key, schema]) => [
  key,
  z.optional(schema).check(z.meta({ readOnly: true })),
]);

/** What may be put back: what can be changed, and the rest as it is. */
export const MePut: Schema<ProfilePatch> = z.strictObject({
  ...(Object.fromEntries(mayBeSent) as Record<never, never>),
  ...(ProfileBody as unknown as z.ZodMiniObject).shape,
});

/** A whole document of preferences. */
export const PreferencesAnswer: Schema<Preferences> = named(
  "Preferences",
  z
    .strictObject({
      locale: z.enum(LOCALES),
      timezone: z.string(),
      time_format: z.enum(["12h", "24h"]),
      ai_response_mode: responseMode,
      ai_engagement_mode: engagementMode,
      default_mode: z.enum(["all", "mentions", "none"]),
      quiet_hours: z.strictObject({
        enabled: z.boolean(),
        start: nullable(z.string()),
        end: nullable(z.string()),
        weekdays_only: z.boolean(),
        weekends_only: z.boolean(),
      }),
      keyword_alerts: z.array(z.string()).check(z.maxLength(50)),
      read_marker_mode: z.enum(["leave", "scroll"]),
      push: z.boolean(),
      email: z.boolean(),
      email_address: nullable(z.string()),
    })
    .check(z.meta({ examples: [DEFAULT_PREFERENCES] })),
);

/** Something wrong with an input, or odd about it. */
export const FaultAnswer = named(
  "Fault",
  z.strictObject({
    path: described(
      z.string(),
      "keys joined by dots, list positions in brackets; empty for the whole",
    ),
    message: z.string(),
  }),
);

/** What preferences may mean that was hardly meant. */
export const Warnings = z.strictObject({ warnings: z.array(FaultAnswer).check(z.minLength(1)) });

/** What came of edits made offline. */
export const Edited = z.strictObject({
  preferences: PreferencesAnswer,
  applied_seq: count,
  superseded: z.array(z.strictObject({ seq: count, path: z.string() })),
  rejected: z.array(z.strictObject({ seq: count, path: z.string(), message: z.string() })),
});

/** A part of a list. */
export const Page = z.strictObject({ limit: count, offset: count });
