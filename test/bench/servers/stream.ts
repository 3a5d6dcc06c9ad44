/**
 * The control of everything that is measured on streams: bare `Bun.serve` that
 * sends the same bytes and keeps the same names, without authentication, store,
 * limits, metrics or log.
 */
import { systemClock } from "@porchlight/core/clock";
import type { ServerWebSocket } from "bun";

/** What a control must know of one on a socket. */
interface Who {
  readonly tenant_id: string;
  readonly participant_id: string;
  readonly device_id: string;
  readonly rooms: readonly string[];
}

const PING_MS = 30_000;
const PING_STEPS = 30;
const HELLO = process.env.BENCH_HELLO ?? '{"type":"hello"}';
const { timer } = systemClock();
const sockets = new Set<ServerWebSocket<Who>>();

const server = Bun.serve<Who>({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, on) {
    const url = new URL(request.url);
    if (url.pathname !== "/v1/stream") return Response.json({ data: { p00000: "online" } });
    const asked = (name: string): string => url.searchParams.get(name) ?? "";
    const data: Who = {
      tenant_id: asked("tenant"),
      participant_id: asked("participant"),
      device_id: asked("device_id"),
      rooms: asked("rooms").split(","),
    };
    return on.upgrade(request, { data }) ? undefined : new Response(null, { status: 426 });
  },
  websocket: {
    idleTimeout: 0,
    sendPings: false,
    open(ws) {
      const { tenant_id, rooms } = ws.data;
      sockets.add(ws);
      ws.send(HELLO);
      ws.subscribe(`p/${tenant_id}`);
      ws.subscribe(`t/${tenant_id}`);
      for (const room_id of rooms) ws.subscribe(`r/${tenant_id}/${room_id}`);
    },
    message(ws, text) {
      const { tenant_id, participant_id } = ws.data;
      const { type, room_id, typing, ack } = JSON.parse(String(text));
      const ts = new Date().toISOString();
      if (type === "typing")
        ws.publish(
          `r/${tenant_id}/${room_id}`,
          JSON.stringify({ type: "typing", tenant_id, room_id, participant_id, typing, ts }),
        );
      else if (ack === true) ws.send(JSON.stringify({ type: "heartbeat", ts }));
    },
    close(ws) {
      sockets.delete(ws);
    },
  },
});

/** Pings a share of the sockets, and the others in the steps that follow. */
function ping(step: number): void {
  let index = 0;
  for (const ws of sockets) if (index++ % PING_STEPS === step) ws.ping();
  timer(PING_MS / PING_STEPS, () => ping((step + 1) % PING_STEPS));
}

ping(0);
console.log(`listening at ${server.url.origin}`);
