import type { Endpoint } from "./odd-requests.ts";
import { QUERIES, SAMPLES } from "./odd-requests.ts";

/** What an id can name. */
export type Kind = "tenant" | "participant" | "room" | "event" | "task" | "token" | "device";

/** What the parameters of paths, and the keys of bodies and queries, name. */
const KINDS: Readonly<Record<string, Kind>> = {
  tenant_id: "tenant",
  participant_id: "participant",
  sender_id: "participant",
  creator_id: "participant",
  ids: "participant",
  q: "participant",
  room_id: "room",
  event_id: "event",
  task_id: "task",
  token_id: "token",
  device_id: "device",
};

/** A place in a request where something is named. */
export interface Place {
  readonly where: "path" | "query" | "body";
  readonly key: string;
  readonly kind: Kind;
}

/** A request, ready to be sent. */
export interface NamingRequest {
  readonly path: string;
  readonly body: unknown;
}

/** Every place in requests to an endpoint where something is named, as far as its sample shows. */
export function placesOf(endpoint: Endpoint): Place[] {
  const { path, sample, query } = shapeOf(endpoint);
  const named = [...path.matchAll(/:(\w+)/g)].map(([, key = ""]) => key);
  // Files of pages are everybody's.
  const parameters = named.filter((key) => key !== "file" && key !== "asset");
  const asked = [...new URLSearchParams(query).keys()];
  const said = sample === undefined ? [] : keysOf(sample);
  // Administrators can name a tenant in every request.
  const tenant = path.startsWith("/v1/admin/") ? ["tenant_id"] : [];
  return [
    ...placesIn("path", parameters),
    ...placesIn("query", [...asked, ...tenant]),
    ...placesIn("body", sample === undefined ? [] : [...said, ...tenant]),
  ];
}

/** A request to an endpoint that names `id` in one place, and in every other what there is. */
export function requestNaming(
  endpoint: Endpoint,
  place: Place,
  id: string,
  own: Readonly<Record<Kind, string>>,
): NamingRequest {
  const { path, sample, query } = shapeOf(endpoint);
  const named = (where: Place["where"], key: string): string =>
    place.where === where && place.key === key ? id : own[kindOf(key)];
  const search = new URLSearchParams(query);
  for (const key of new Set(search.keys())) if (key in KINDS) search.set(key, named("query", key));
  if (place.where === "query") search.set(place.key, id);
  const addition = place.where === "body" ? { [place.key]: id } : {};
  return {
    path: `${path.replaceAll(/:(\w+)/g, (_, key) => named("path", key))}?${search}`,
    body: sample && { ...addition, ...renamed(sample, (key) => named("body", key)) },
  };
}

function shapeOf({ method, path }: Endpoint): {
  path: string;
  sample: object | undefined;
  query: string | undefined;
} {
  const name = `${method} ${path}`;
  return { path, sample: SAMPLES[name], query: QUERIES[name] };
}

function placesIn(where: Place["where"], keys: readonly string[]): Place[] {
  const known = [...new Set(keys)].filter((key) => where === "path" || key in KINDS);
  return known.map((key) => ({ where, key, kind: kindOf(key) }));
}

function kindOf(key: string): Kind {
  const kind = KINDS[key];
  if (kind === undefined) throw new TypeError(`Cannot tell what "${key}" names: say it in KINDS`);
  return kind;
}

/** Every key in a value, however deep. */
function keysOf(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  const inner = Object.values(value).flatMap(keysOf);
  return Array.isArray(value) ? inner : [...Object.keys(value), ...inner];
}

/** A body in which the keys that name something, however deep, have other names. */
function renamed(body: object, nameOf: (key: string) => string): object {
  const renew = (value: unknown, key: string): unknown => {
    if (key in KINDS) return Array.isArray(value) ? [nameOf(key)] : nameOf(key);
    if (Array.isArray(value)) return value.map((each) => renew(each, ""));
    return typeof value === "object" && value !== null ? renamed(value, nameOf) : value;
  };
  return Object.fromEntries(Object.entries(body).map(([key, value]) => [key, renew(value, key)]));
}
