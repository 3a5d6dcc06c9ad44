import { createHash } from "node:crypto";
import { ADMIN_TOKEN } from "../support/server.ts";
import type { Subject } from "./subject.ts";

/** The tenant of everyone. */
export const TENANT = "acme";

const CREATED_AT = "2026-01-01T00:00:00.000Z";

/** A line of an import: what is filled in of a server before it is measured. */
export type Line = { readonly type: string } & Readonly<Record<string, unknown>>;

/** The token of somebody whom {@link person} has filled in. */
export function tokenOf(id: string): string {
  return `plt_token-of-${id}`;
}

/** What a request says of who asks. */
export function headersOf(id: string): { readonly authorization: string } {
  return { authorization: `Bearer ${tokenOf(id)}` };
}

/** Somebody with a token. */
export function person(participant_id: string): Line[] {
  const hash = createHash("sha256").update(tokenOf(participant_id)).digest("hex");
  return [
    { type: "participant", participant_id, display_name: `Somebody called ${participant_id}` },
    {
      type: "token",
      participant_id,
      token_id: `tok-${participant_id}`,
      hash,
      created_at: CREATED_AT,
    },
  ];
}

/** A room that these people have joined. */
export function room(room_id: string, people: readonly string[]): Line[] {
  return [
    { type: "room", room_id, name: `Room ${room_id}`, topic: "What is measured" },
    ...people.map((participant_id) => ({ type: "member", room_id, participant_id })),
  ];
}

/** Fills a server by an import; every line has to be taken. */
export async function fill({ url }: Subject, lines: readonly Line[]): Promise<void> {
  const all: readonly object[] = [{ type: "tenant" }, ...lines];
  const response = await fetch(`${url}/v1/admin/import`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/x-ndjson" },
    body: all.map((line) => JSON.stringify({ ...line, tenant_id: TENANT })).join("\n"),
  });
  const report = await response.text();
  if (!response.ok || !report.includes('"refused":0}}'))
    throw new Error(`Cannot fill a server: ${report.slice(0, 1_000)}`);
}

/** Names, such as `p0`, `p1` and so on. */
export function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}
