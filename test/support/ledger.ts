import type { Reply } from "./server.ts";
import { ADMIN_TOKEN } from "./server.ts";
import type { WireRequest } from "./wire.ts";

/** What writes are about. */
export const SUBJECTS = ["message", "preferences", "presence", "profile", "token"] as const;
export type Subject = (typeof SUBJECTS)[number];

/** A write that was sent, and what has become of it as far as the sender knows. */
export interface Entry {
  readonly subject: Subject;
  /** Names the write; whatever it leaves behind can be told from what another does. */
  readonly mark: number;
  readonly person: string;
  readonly round: number;
  /** What it was answered with; absent, where the connection ended first. */
  reply?: Reply;
}

const STATES = ["online", "idle", "busy", "appear_offline"] as const;
const LOCALES = ["en", "nl", "de"] as const;

/** The state that a person chooses in a round: another one than in the round before. */
export function stateIn(round: number): string {
  return STATES[round % STATES.length] ?? "";
}

/** What `PUT /v1/me/preferences` sends for a mark: several leaves, all of which say it. */
export function preferencesOf(mark: number): {
  locale: string;
  email_address: string;
  keyword_alerts: string[];
  quiet_hours: { start: string; end: string };
} {
  const two = (value: number): string => String(value).padStart(2, "0");
  const time = `${two(Math.floor(mark / 60) % 24)}:${two(mark % 60)}`;
  return {
    locale: LOCALES[mark % LOCALES.length] ?? "",
    email_address: `m${mark}@x.example`,
    keyword_alerts: [`m${mark}`],
    quiet_hours: { start: time, end: time },
  };
}

/** What `PUT /v1/me` sends for a mark. */
export function profileOf(mark: number): { display_name: string; bio: string; avatar_url: string } {
  return { display_name: `m${mark}`, bio: `m${mark}`, avatar_url: `https://x.example/m${mark}` };
}

/** The request of an entry. A message has the same uuid whenever it is sent. */
export function requestOf(entry: Entry, tokens: ReadonlyMap<string, string>): WireRequest {
  const { person, mark, round } = entry;
  const own = tokens.get(person) ?? "";
  const put = (target: string, body: object): WireRequest => written("PUT", target, own, body);
  const content = { msgtype: "text", body: `m${mark}` };
  switch (entry.subject) {
    case "message":
      return written("POST", "/v1/admin/rooms/lounge/events", ADMIN_TOKEN, {
        sender_id: person,
        content,
        event_uuid: `m${mark}`,
      });
    case "preferences":
      return put("/v1/me/preferences", preferencesOf(mark));
    case "presence":
      return put("/v1/me/presence", { state: stateIn(round) });
    case "profile":
      return put("/v1/me", profileOf(mark));
    case "token":
      return written("POST", "/v1/admin/tokens", ADMIN_TOKEN, {
        participant_id: person,
        label: `m${mark}`,
      });
    default:
      return entry.subject satisfies never;
  }
}

function written(method: string, target: string, token: string, body: object): WireRequest {
  const headers = [["authorization", `Bearer ${token}`]] as const;
  return { method, target, headers, body: new TextEncoder().encode(JSON.stringify(body)) };
}
