import {
  CallBody,
  EventBody,
  MemberBody,
  memberOf,
  ParticipantBody,
  PlanBody,
  RoomBody,
  restDevice,
  roomOf,
  SidekickBody,
  TenantBody,
  TenantQuery,
  TokenBody,
} from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import { type Administrator, newToken, tenantMeant } from "../auth.ts";
import type { Deps } from "../deps.ts";
import { type Call, forAdministrator } from "../endpoint.ts";
import { noSuch } from "../refusals.ts";
import type { RoomKey } from "../store/store.ts";

/** What the host platform feeds in: tenants, people, rooms, and what happens in them. */
export function adminRoutes({ shell, store, hub, liveness, clock, elsewhere }: Deps): AnyElysia {
  return new Elysia({ prefix: "/v1/admin" })
    .put(
      "/tenants/:tenant_id",
      forAdministrator(shell, { body: TenantBody }, async ({ caller, body, params }) => {
        const tenant_id = params.tenant_id ?? "";
        if (caller.tenant_id !== undefined && caller.tenant_id !== tenant_id) {
          throw noSuch("tenant");
        }
        return { data: await store.putTenant(tenant_id, body) };
      }),
    )
    .put(
      "/participants/:participant_id",
      forAdministrator(
        shell,
        { body: ParticipantBody, query: TenantQuery },
        async ({ caller, body, query, params }) => {
          const participant_id = params.participant_id ?? "";
          const tenant_id = await tenantMeant(store, caller, body.tenant_id ?? query.tenant_id, {
            kind: "participant",
            id: participant_id,
          });
          liveness.introduce(
            await store.putParticipant({ tenant_id, participant_id }, body, clock.wall()),
          );
          return { data: await store.profile({ tenant_id, participant_id }) };
        },
      ),
    )
    .put(
      "/rooms/:room_id",
      forAdministrator(shell, { body: RoomBody, query: TenantQuery }, async (call) => ({
        data: roomOf(
          await store.putRoom(await roomMeant(call), call.body, clock.wall()),
          undefined,
        ),
      })),
    )
    .put(
      "/rooms/:room_id/members/:participant_id",
      forAdministrator(shell, { body: MemberBody, query: TenantQuery }, async (call) => {
        const key = await roomMeant(call);
        const { participant_id = "" } = call.params;
        const member = await store.putMember({ ...key, participant_id }, call.body, clock.wall());
        return {
          data: memberOf(
            member,
            participant_id,
            liveness.told({ ...key, participant_id }),
            clock.wall(),
          ),
        };
      }),
    )
    .put(
      "/rooms/:room_id/plan",
      forAdministrator(shell, { body: PlanBody, query: TenantQuery }, async (call) => {
        await store.putPlan(await roomMeant(call), call.body, clock.wall());
        return { data: call.body };
      }),
    )
    .put(
      "/rooms/:room_id/call",
      forAdministrator(shell, { body: CallBody, query: TenantQuery }, async (call) => {
        await store.putCall(await roomMeant(call), call.body, clock.wall());
        return { data: call.body };
      }),
    )
    .put(
      "/rooms/:room_id/sidekicks/:task_id",
      forAdministrator(shell, { body: SidekickBody, query: TenantQuery }, async (call) => {
        const sidekick = { ...call.body, task_id: call.params.task_id ?? "" };
        await store.putSidekick(await roomMeant(call), sidekick, clock.wall());
        return { data: sidekick };
      }),
    )
    .post(
      "/rooms/:room_id/events",
      forAdministrator(shell, { body: EventBody, query: TenantQuery }, async (call) => ({
        data: await store.appendEvent(await roomMeant(call), call.body, clock.wall()),
      })),
    )
    .post(
      "/tokens",
      forAdministrator(
        shell,
        { body: TokenBody, query: TenantQuery },
        async ({ caller, body, query }) => {
          const { participant_id, label, expires_at } = body;
          const named = body.tenant_id ?? query.tenant_id;
          const tenant_id = await tenantMeant(store, caller, named, {
            kind: "participant",
            id: participant_id,
          });
          const { token, token_id, hash } = newToken();
          await store.addToken(
            { token_id, hash, tenant_id, participant_id, label, expires_at },
            clock.wall(),
          );
          return { data: { token, token_id } };
        },
      ),
    )
    .delete(
      "/tokens/:token_id",
      forAdministrator(shell, {}, async ({ caller, params }) => {
        const token_id = params.token_id ?? "";
        const owner = await store.deleteToken(token_id, caller.tenant_id);
        if (owner === undefined) throw noSuch("token");
        liveness.signOff(owner, restDevice(token_id));
        for (const connection of hub.of(owner)) {
          if (connection.token_id === token_id) hub.close(connection, "token_revoked");
        }
        const { tenant_id, participant_id } = owner;
        elsewhere({ kind: "revoked", tenant_id, participant_id, token_id });
        return { data: { token_id } };
      }),
    );

  /** The room in the path, in the tenant that the administrator means. */
  async function roomMeant({
    caller,
    body,
    query,
    params,
  }: Call<Administrator, object, { tenant_id?: string | undefined }>): Promise<RoomKey> {
    const { room_id = "" } = params;
    const named =
      "tenant_id" in body && typeof body.tenant_id === "string" ? body.tenant_id : query.tenant_id;
    return {
      tenant_id: await tenantMeant(store, caller, named, { kind: "room", id: room_id }),
      room_id,
    };
  }
}
