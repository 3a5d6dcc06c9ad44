import {
  editedAt,
  type Fault,
  Heartbeat,
  invalid,
  isoOf,
  isoOrNull,
  PresenceChoice,
  PresenceQuery,
} from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import { keyOf } from "../auth.ts";
import type { Deps } from "../deps.ts";
import { ageOf, forParticipant, searchOf } from "../endpoint.ts";
import type { PersonKey } from "../store/store.ts";

/** A body that names 5,000 people is larger than others may be. */
const QUERY_MAX_BYTES = 1_048_576;

/** Who is around, what I show, and why. */
export function presenceRoutes({
  shell,
  store,
  hub,
  liveness,
  yjs,
  clock,
  announce,
  elsewhere,
}: Deps): AnyElysia {
  function why(caller: PersonKey): unknown {
    const { state, source, manual, devices, nextChangeAt } = liveness.explain(caller);
    return {
      state,
      source,
      manual: manual ?? null,
      devices: devices.map(({ lastActiveAt, expiresAt, ...device }) => ({
        ...device,
        last_active_at: isoOf(lastActiveAt),
        expires_at: isoOf(expiresAt),
      })),
      next_change_at: isoOrNull(nextChangeAt),
    };
  }

  return new Elysia()
    .get(
      "/v1/presence",
      forParticipant(shell, {}, ({ caller, request }) => {
        const ids = idsOf(searchOf(request));
        const most = shell.config.limits.presence_max_ids;
        if (ids.size === 0)
          throw invalid([{ path: "ids", message: "is required, one id or more" }]);
        if (ids.size > most) throw invalid([tooMany(most)]);
        return { json: liveness.statesFor(caller, ids), meta: ageOf(shell) };
      }),
    )
    .post(
      "/v1/presence/query",
      forParticipant(
        shell,
        { body: PresenceQuery, bodyMaxBytes: QUERY_MAX_BYTES },
        ({ caller, body }) => ({
          json: liveness.statesFor(caller, new Set(body.ids)),
          meta: ageOf(shell),
        }),
      ),
    )
    .get(
      "/v1/me/presence",
      forParticipant(shell, {}, ({ caller }) => ({ data: why(caller) })),
    )
    .put(
      "/v1/me/presence",
      forParticipant(shell, { body: PresenceChoice }, async ({ caller, body }) => {
        const { device_id } = body;
        const now = clock.wall();
        const choice = choiceOf(body, now);
        const idle_for_ms = choice.made === undefined ? 0 : now - choice.made.at;
        const by = liveness.signOf(caller, { device_id, token_id: caller.token_id, idle_for_ms });
        const { stands, at } = await store.setManual(caller, choice, now);
        if (stands) liveness.choose(caller, body.state, by, at);
        else liveness.act(caller, by);
        const { state, source, manual } = liveness.explain(caller);
        const ts = isoOf(clock.wall());
        const told = { tenant_id: caller.tenant_id, ts, manual: manual ?? null, state };
        announce({
          frame: { type: "swp.me.presence", id: `evt-${crypto.randomUUID()}`, ...told },
          to: { participant_id: caller.participant_id },
        });
        return { data: stands ? { state, source } : { state, source, superseded: true } };
      }),
    )
    .post(
      "/v1/me/heartbeat",
      forParticipant(shell, { body: Heartbeat }, ({ caller, body }) => {
        const { device_id, ...activity } = body;
        liveness.beat(caller, device_id, activity);
        const { presence_ttl_ms, heartbeat_ms } = shell.config.timings;
        return {
          data: {
            state: liveness.effective(caller),
            expires_in_ms: presence_ttl_ms,
            refresh_after_ms: heartbeat_ms,
          },
        };
      }),
    )
    .delete(
      "/v1/me/devices/:device_id",
      forParticipant(shell, {}, ({ caller, params }) => {
        const device_id = params.device_id ?? "";
        liveness.signOff(caller, device_id);
        yjs.signOff(caller, device_id);
        for (const connection of hub.of(keyOf(caller))) {
          if (connection.device_id === device_id) hub.close(connection, "signed_off");
        }
        elsewhere({ kind: "signed_off", ...keyOf(caller), device_id });
        return { data: { device_id, state: liveness.effective(caller) } };
      }),
    );
}

/** What a body chooses, and when, if that was not just now. */
function choiceOf(
  { state, device_id = "", edited_at, sent_at }: PresenceChoice,
  now: number,
): Parameters<Deps["store"]["setManual"]>[1] {
  const isOld = edited_at !== undefined && sent_at !== undefined;
  const made = isOld ? { at: editedAt({ edited_at, sent_at }, now), device_id } : undefined;
  return { manual: state, made };
}

/** Every `ids` of the query, split at commas, each once. */
function idsOf(query: string): Set<string> {
  // Nothing in it but one list of ids, and nothing in these that is encoded: as nearly everyone asks.
  const [, plain] = /^ids=([\w.,:@-]+)$/.exec(query) ?? [];
  const ids = new Set(plain?.split(",") ?? listed(query));
  ids.delete("");
  return ids;
}

/** What is listed in a query of any form. */
function listed(query: string): string[] {
  const lists = new URLSearchParams(query).getAll("ids");
  return lists.flatMap((list) => list.split(",")).map((id) => id.trim());
}

function tooMany(most: number): Fault {
  return {
    path: "ids",
    message: `must name at most ${most} people: ask for more with POST /v1/presence/query`,
  };
}
