import { type CodedError, isId, SocketQuery } from "@porchlight/core";
import type { YjsClose } from "@porchlight/core/awareness";
import { type AnyElysia, Elysia } from "elysia";
import type { Deps } from "../deps.ts";
import { noSuch } from "../refusals.ts";
import { isDenial, socketEndpoint, type Upgrade } from "../upgrade.ts";
import { RefusedYjsSocket, YjsSocket } from "../yjs/socket.ts";

const PATH = "/v1/yjs/:room_id";

/** `GET /v1/yjs/{room_id}`: awareness of a room, for clients of y-websocket. */
export function yjsRoutes(deps: Deps): AnyElysia {
  const endpoint = socketEndpoint(deps, { path: PATH, query: SocketQuery }, (upgrade) =>
    openYjs(deps, upgrade),
  );
  return new Elysia().get(PATH, ({ request, params, server }) =>
    endpoint({ request, params, server }),
  );
}

async function openYjs(
  deps: Deps,
  { query, params, token }: Upgrade<SocketQuery>,
): Promise<YjsSocket | RefusedYjsSocket> {
  try {
    const { auth, rateLimit } = deps.shell;
    const caller = await auth.participant(token);
    rateLimit.admit(caller);
    const { room_id = null } = params;
    if (room_id === null || !isId(room_id)) throw noSuch("room");
    await deps.yjs.load({ tenant_id: caller.tenant_id, room_id }, caller.participant_id);
    const recheck = (): Promise<void> => auth.recheck(token);
    return new YjsSocket(deps, caller, { ...query, room_id, tenant_id: caller.tenant_id, recheck });
  } catch (error) {
    if (!isDenial(error)) throw error;
    const why = denialOf(error);
    deps.shell.metrics.closed(why);
    return new RefusedYjsSocket(why);
  }
}

function denialOf({ code }: CodedError): YjsClose {
  switch (code) {
    case "SW_AUTH_EXPIRED_TOKEN":
      return "token_expired";
    case "SW_NOT_MEMBER":
      return "not_member";
    case "SW_ROOM_NOT_FOUND":
      return "no_such_room";
    default:
      return "token_invalid";
  }
}
