import {
  AnyObject,
  CodedError,
  checkLeaves,
  EditsRequest,
  editedAt,
  invalid,
  type JsonObject,
  type Me,
  PreferencesBody,
  ProfileBody,
  type ProfilePatch,
  parseInput,
  preferenceWarnings,
  readOnlyFaults,
  writablePart,
} from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import type { Caller } from "../auth.ts";
import type { Deps } from "../deps.ts";
import { type Answer, forParticipant } from "../endpoint.ts";

/** My profile and my preferences. */
export function meRoutes({ shell, store, liveness, clock }: Deps): AnyElysia {
  async function me(caller: Caller): Promise<Me> {
    const stored = await store.me(caller);
    if (stored === undefined)
      throw new CodedError("SW_AUTH_INVALID_TOKEN", "The token's participant is no more");
    const { participant_id, local_id, server_name, ...rest } = stored;
    const { tenant, ...facts } = rest;
    const fqid = `@${local_id}:${server_name}`;
    return {
      participant_id,
      local_id,
      fqid,
      ...facts,
      presence: liveness.effective(caller),
      tenant,
    };
  }

  return new Elysia()
    .get(
      "/v1/me",
      forParticipant(shell, {}, async ({ caller }) => ({ data: await me(caller) })),
    )
    .put(
      "/v1/me",
      forParticipant(shell, { body: AnyObject }, async ({ caller, body }) => {
        const patch = profilePatch(await me(caller), body);
        await store.updateProfile(caller, patch, clock.wall());
        return { data: await me(caller) };
      }),
    )
    .get(
      "/v1/me/preferences",
      forParticipant(shell, {}, async ({ caller }) =>
        withWarnings(await store.preferences(caller)),
      ),
    )
    .put(
      "/v1/me/preferences",
      forParticipant(shell, { body: PreferencesBody }, async ({ caller, body }) =>
        withWarnings(await store.updatePreferences(caller, body, clock.wall())),
      ),
    )
    .post(
      "/v1/me/preferences/edits",
      forParticipant(shell, { body: EditsRequest, apart: "patch" }, async ({ caller, body }) => {
        const { device_id, sent_at } = body;
        const now = clock.wall();
        const checked = body.edits.map(({ seq, edited_at, patch }) => ({
          seq,
          at: editedAt({ edited_at, sent_at }, now),
          ...checkLeaves(patch),
        }));
        const edited = await store.editPreferences(caller, device_id, checked, now);
        const { preferences, applied_seq, superseded } = edited;
        const rejected = checked.flatMap(({ seq, faults }) =>
          faults.map((fault) => ({ seq, ...fault })),
        );
        return { data: { preferences, applied_seq, superseded, rejected } };
      }),
    );
}

/** The changeable part of a body, or a refusal with the faults of both its parts. */
function profilePatch(current: Me, body: JsonObject): ProfilePatch {
  const faults = [...readOnlyFaults(current, body)];
  try {
    const patch = parseInput(ProfileBody, writablePart(body));
    if (faults.length === 0) return patch;
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    faults.push(...(error.details ?? []));
  }
  throw invalid(faults);
}

function withWarnings(document: Parameters<typeof preferenceWarnings>[0]): Answer {
  const warnings = preferenceWarnings(document);
  return { data: document, meta: warnings.length === 0 ? undefined : { warnings } };
}
