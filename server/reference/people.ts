import * as z from "zod/mini";
import * as people from "../answers/people.ts";
import { data, type Entry } from "./entry.ts";

/** Profiles and preferences. */
export const PEOPLE: Readonly<Record<string, Entry>> = {
  "GET /v1/profiles": {
    does: "people of your tenant, by `q`, `limit` (50, at most 200), `offset`",
    answers: data(z.array(people.ProfileAnswer), people.Page),
  },
  "GET /v1/profiles/:participant_id": {
    does: "one person of your tenant",
    answers: data(people.ProfileAnswer),
  },
  "GET /v1/me": { does: "your profile", answers: data(people.MeAnswer) },
  "PUT /v1/me": {
    does: "changes your `display_name`, `avatar_url`, `bio`",
    more: "A read-only key that has its current value is ignored, so that an answer can be edited and put back.",
    body: people.MePut,
    answers: data(people.MeAnswer),
  },
  "GET /v1/me/preferences": {
    does: "your preferences",
    answers: data(people.PreferencesAnswer, people.Warnings),
  },
  "PUT /v1/me/preferences": {
    does: "merges into your preferences",
    answers: data(people.PreferencesAnswer, people.Warnings),
  },
  "POST /v1/me/preferences/edits": {
    does: 'what a device changed offline: `{"device_id", "sent_at", "edits": [{"seq", "edited_at", "patch"}]}`',
    answers: data(people.Edited),
  },
};
