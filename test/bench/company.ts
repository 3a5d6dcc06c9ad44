import { type Line, person, room, TENANT, tokenOf } from "./people.ts";

/** Ids are of one length, so that a frame can be read by where things stand in it. */
const DIGITS = 5;
const ZERO = "0".charCodeAt(0);

/** The id of somebody. */
export function personOf(index: number): string {
  return `p${String(index).padStart(DIGITS, "0")}`;
}

/** The number in an id of which the digits stand at `at`. */
export function indexAt(bytes: Uint8Array, at: number): number {
  let index = 0;
  for (let digit = 0; digit < DIGITS; digit += 1)
    index = index * 10 + (bytes[at + digit] ?? 0) - ZERO;
  return index;
}

/** The path and query by which somebody opens a stream, on a device of theirs. */
export function streamTarget(index: number, query: Readonly<Record<string, string>> = {}): string {
  const id = personOf(index);
  const asked = { token: tokenOf(id), device_id: `device-${id}`, instance: "main", ...query };
  return `/v1/stream?${new URLSearchParams(asked)}`;
}

/** So many people, each with a token, who all have joined all of these rooms. */
export function company(people: number, rooms: readonly string[]): Line[] {
  const ids = Array.from({ length: people }, (_, index) => personOf(index));
  return [...ids.flatMap(person), ...rooms.flatMap((id) => room(id, ids))];
}

/** The same for `servers/stream.ts`, which knows of nobody which rooms they have joined. */
export function bareTarget(index: number, rooms: readonly string[]): string {
  return streamTarget(index, {
    tenant: TENANT,
    participant: personOf(index),
    rooms: rooms.join(","),
  });
}
