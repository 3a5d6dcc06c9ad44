import { CodedError, TenantQuery } from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import { type Administrator, tenantMeant } from "../auth.ts";
import type { Deps } from "../deps.ts";
import { type Answer, type Call, forAdministrator } from "../endpoint.ts";
import type { Connection } from "../hub.ts";
import type { DocumentName, PersonKey, RoomKey } from "../store/store.ts";

type Deletion = Call<Administrator, undefined, { tenant_id?: string | undefined }>;

/** What the host platform takes away: tenants, people, rooms, and what is in them. */
export function removalRoutes({
  shell,
  store,
  hub,
  liveness,
  yjs,
  clock,
  elsewhere,
}: Deps): AnyElysia {
  const query = TenantQuery;
  return new Elysia({ prefix: "/v1/admin" })
    .delete(
      "/tenants/:tenant_id",
      forAdministrator(shell, {}, async ({ caller, params }) => {
        if (caller.tenant_id !== undefined) {
          const message = "Only the admin token may delete a tenant";
          throw new CodedError("SW_AUTH_INSUFFICIENT_PERMISSION", message);
        }
        const { tenant_id = "" } = params;
        await store.deleteTenant(tenant_id, clock.wall());
        revoke(hub.all().filter((connection) => connection.tenant_id === tenant_id));
        yjs.forgetTenant(tenant_id);
        liveness.forgetTenant(tenant_id);
        elsewhere({ kind: "revoked", tenant_id });
        return { data: { tenant_id } };
      }),
    )
    .delete(
      "/participants/:participant_id",
      forAdministrator(shell, { query }, async (call) => {
        const key = await personMeant(call);
        await store.deleteParticipant(key, clock.wall());
        revoke(hub.of(key));
        liveness.forget(key);
        elsewhere({ kind: "revoked", ...key });
        return { data: { participant_id: key.participant_id } };
      }),
    )
    .delete(
      "/rooms/:room_id",
      forAdministrator(shell, { query }, async (call) => {
        const key = await roomMeant(call);
        await store.deleteRoom(key, clock.wall());
        return { data: { room_id: key.room_id } };
      }),
    )
    .delete(
      "/rooms/:room_id/members/:participant_id",
      forAdministrator(shell, { query }, async (call) => {
        const key = await roomMeant(call);
        const { participant_id = "" } = call.params;
        await store.deleteMember({ ...key, participant_id }, clock.wall());
        return { data: { room_id: key.room_id, participant_id } };
      }),
    )
    .delete("/rooms/:room_id/plan", document("plan"))
    .delete("/rooms/:room_id/call", document("call"))
    .delete("/rooms/:room_id/sidekicks/:task_id", document("sidekick"));

  function document(kind: DocumentName["kind"]) {
    return forAdministrator(shell, { query }, async (call: Deletion): Promise<Answer> => {
      const key = await roomMeant(call);
      const { task_id } = call.params;
      await store.deleteDocument(key, { kind, document_id: task_id ?? "" }, clock.wall());
      return { data: { room_id: key.room_id, ...(task_id === undefined ? {} : { task_id }) } };
    });
  }

  /** Sockets of those who are no more. */
  function revoke(connections: readonly Connection[]): void {
    for (const connection of connections) hub.close(connection, "token_revoked");
  }

  async function roomMeant({ caller, query, params }: Deletion): Promise<RoomKey> {
    const { room_id = "" } = params;
    const what = { kind: "room", id: room_id, exists: true } as const;
    return { tenant_id: await tenantMeant(store, caller, query.tenant_id, what), room_id };
  }

  async function personMeant({ caller, query, params }: Deletion): Promise<PersonKey> {
    const { participant_id = "" } = params;
    const what = { kind: "participant", id: participant_id, exists: true } as const;
    return { tenant_id: await tenantMeant(store, caller, query.tenant_id, what), participant_id };
  }
}
