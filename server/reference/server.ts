import { type Schema, SocketQuery, StreamQuery } from "@porchlight/core";
import * as z from "zod/mini";
import * as operation from "../answers/operation.ts";
import * as rooms from "../answers/rooms.ts";
import { data, type Entry } from "./entry.ts";

/** Beside what a socket may say of its device: the token, for clients that cannot send a header. */
const withToken = (query: Schema<unknown>): Schema<unknown> =>
  z.object({
    ...(query as unknown as z.ZodMiniObject).shape,
    token: z.optional(
      z.string().check(z.meta({ description: "or `Authorization`, or a subprotocol" })),
    ),
  });

/** What happens, as it happens or afterwards, and the server itself. */
export const SERVER: Readonly<Record<string, Entry>> = {
  "GET /v1/stream": {
    does: "the event stream (WebSocket)",
    more: "The token goes into `?token=`, into `Authorization`, or into the subprotocols `porchlight.v1, bearer.<token>`. A refused token is let in and closed with 4001, so that browsers can read why. The frames, and the codes with which a socket is closed, are in the chapter *The stream* of the README.",
    query: withToken(StreamQuery),
    answers: "upgrade",
    refuses: ["SW_VALIDATION", "SW_RATE_LIMIT_EXCEEDED"],
  },
  "GET /v1/yjs/:room_id": {
    does: "awareness of a room, for clients of y-websocket (WebSocket)",
    more: "The token goes where that of a stream goes. Whoever is not let in is let in and closed with 4401, 4403 or 4404, which such clients take as final. The entries, and the codes with which a socket is closed, are in the chapter *Yjs* of the README.",
    query: withToken(SocketQuery),
    answers: "upgrade",
    refuses: ["SW_VALIDATION", "SW_RATE_LIMIT_EXCEEDED"],
  },
  "GET /healthz": { does: "whether the process lives", answers: data(operation.Alive) },
  "GET /readyz": { does: "whether it can do its work", answers: data(operation.Ready) },
  "GET /metrics": {
    does: "what the server did, for Prometheus; for the admin token, or for anyone (`PORCHLIGHT_METRICS_PUBLIC`)",
    answers: { types: ["text/plain"] },
  },
  "GET /openapi.json": {
    does: "every request as OpenAPI 3.1",
    answers: { types: ["application/json"], schema: { type: "object", required: ["openapi"] } },
  },
  "GET /v1/sync": {
    does: "what happened after `since`, by long poll, with `limit` and `timeout`",
    more: "Waits up to `timeout` milliseconds for something to happen. Without `since` it answers at once with the position to begin from. `resync` says that what was missed cannot be told.",
    answers: data(rooms.SyncAnswer),
  },
  "GET /": {
    does: "the view, as a page: who is here and who is typing",
    answers: { types: ["text/html"] },
  },
  "GET /app/:asset": {
    does: "what that page is made of",
    answers: { types: ["text/javascript", "text/css", "image/svg+xml"] },
  },
  "GET /docs": {
    does: "every request as a page, to read and to try",
    answers: { types: ["text/html"] },
  },
  "GET /docs/:file": {
    does: "what that page is made of",
    answers: { types: ["text/javascript", "text/css"] },
  },
};
