/**
 * Writes what Porchlight writes, to a copy of its file: preferences and
 * messages, one transaction a request, by better-sqlite3 and statements kept
 * prepared. Whose a token is stands in the token, nothing is checked, and
 * nobody is told.
 */
import Database from "better-sqlite3";

const db = new Database(process.env.BENCH_FILE ?? "");
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");

const TENANT = process.env.BENCH_TENANT ?? "";
const headers = { "content-type": "application/json; charset=utf-8" };

const registersOf = db.prepare<[string, string], { registers_json: string }>(
  "select registers_json from preferences where tenant_id = ? and participant_id = ?",
);
const saveRegisters = db.prepare<[string, string, string]>(
  "insert into preferences (tenant_id, participant_id, registers_json) values (?, ?, ?) on conflict (tenant_id, participant_id) do update set registers_json = excluded.registers_json",
);
const roomOf = db.prepare<[string, string]>(
  "select * from rooms where tenant_id = ? and room_id = ?",
);
const participantOf = db.prepare<[string, string]>(
  "select * from participants where tenant_id = ? and participant_id = ?",
);
const memberOf = db.prepare<[string, string, string]>(
  "select * from members where tenant_id = ? and room_id = ? and participant_id = ?",
);
const nextPosition = db.prepare<[string], { position: number }>(
  "update tenants set position = position + 1 where tenant_id = ? returning position",
);
const saveEvent = db.prepare<[string, number, string, string, string, string, number, string]>(
  "insert into events (tenant_id, position, event_id, room_id, sender_id, type, at, body_json) values (?, ?, ?, ?, ?, ?, ?, ?)",
);

const merge = db.transaction((participant_id: string, patch: Record<string, unknown>) => {
  const row = registersOf.get(TENANT, participant_id);
  const before = row === undefined ? {} : JSON.parse(row.registers_json);
  const at = Date.now();
  const written = Object.entries(patch).map(([path, value]) => [
    path,
    { value, at, device_id: "", seq: 0 },
  ]);
  const after = { ...before, ...Object.fromEntries(written) };
  saveRegisters.run(TENANT, participant_id, JSON.stringify(after));
  return after;
}).immediate;

const send = db.transaction((sender_id: string, room_id: string, content: unknown) => {
  roomOf.get(TENANT, room_id);
  participantOf.get(TENANT, sender_id);
  memberOf.get(TENANT, room_id, sender_id);
  const position = nextPosition.get(TENANT)?.position ?? 0;
  const id = `evt-${crypto.randomUUID()}`;
  const body = { room_id, sender_id, content };
  const at = Date.now();
  const type = "swp.room.message";
  saveEvent.run(TENANT, position, id, room_id, sender_id, type, at, JSON.stringify(body));
  return { ...body, type, id, tenant_id: TENANT, ts: new Date(at), stream_position: position };
}).immediate;

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    const person = request.headers.get("authorization")?.split("-of-")[1] ?? "";
    const body = (await request.json()) as Record<string, unknown>;
    const room = request.url.split("/")[5] ?? "";
    const data = request.method === "PUT" ? merge(person, body) : send(person, room, body.content);
    return new Response(JSON.stringify({ data }), { headers });
  },
});
console.log(`listening at ${server.url.origin}`);
