import { headersOf, type Line, names, person, room } from "./people.ts";
import type { Subject } from "./subject.ts";

/** What a snapshot has, one by one: these are asked for at once by whoever does without it. */
export const PARTS = [
  "",
  "/members",
  "/ai/engagement",
  "/plan",
  "/sidekicks",
  "/call",
  "/read-state",
] as const;

const MESSAGES = 20;

/** A room with all that a snapshot shows of one: what was said and is unread, a plan, sidekicks and a call. */
export function livelyRoom(room_id: string, people: readonly string[]): Line[] {
  const sender_id = people.at(-1);
  const plan = { id: "plan", state: "running", goal: "To be shown", steps: [{ id: "step" }] };
  return [
    ...room(room_id, people),
    ...names(`${room_id}-message-`, MESSAGES).map((event_id) => ({
      type: "event",
      room_id,
      event_id,
      sender_id,
      content: { body: "Something that was said" },
    })),
    { type: "plan", room_id, plan },
    ...names("task-", 2).map((task_id) => ({
      type: "sidekick",
      room_id,
      task_id,
      sidekick: { status: "running", codename: task_id },
    })),
    { type: "call", room_id, call: { call_id: "call", type: "video" } },
  ];
}

/** People with tokens, every third of whom is busy or idle, so that not all members look alike. */
export function crowd(people: readonly string[]): Line[] {
  return people.flatMap((participant_id, index) => [
    ...person(participant_id),
    ...(index % 3 === 0
      ? [
          {
            type: "presence",
            participant_id,
            state: index % 2 === 0 ? "busy" : "idle",
            at: 1,
            device_id: "laptop",
          },
        ]
      : []),
  ]);
}

/** What a member is answered at a path of a room. */
export async function shown(
  { url }: Subject,
  viewer: string,
  path: string,
): Promise<{ readonly text: string; readonly data: unknown }> {
  const response = await fetch(`${url}${path}`, { headers: headersOf(viewer) });
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot look at ${path}: ${text}`);
  return { text, data: JSON.parse(text).data };
}

/** Throws unless the snapshot of a room is what its parts are one by one, for so many members. */
export async function checkSnapshot(
  subject: Subject,
  viewer: string,
  room_id: string,
  size: number,
): Promise<void> {
  const path = `/v1/rooms/${room_id}`;
  const { data } = await shown(subject, viewer, `${path}/state`);
  const { stream_position, typing, settings, ...snapshot } = data as Record<string, unknown>;
  const [own, members, engagement, plan, active_sidekicks, active_call, readState] =
    await Promise.all(PARTS.map(async (part) => (await shown(subject, viewer, path + part)).data));
  const { settings: ownSettings, ...read } = readState as Record<string, unknown>;
  const parts = {
    room: own,
    members,
    engagement,
    plan,
    active_sidekicks,
    active_call,
    ...read,
  };
  const isRight =
    Bun.deepEquals(snapshot, parts) &&
    Bun.deepEquals(settings, ownSettings) &&
    Number(stream_position) > size &&
    Bun.deepEquals(typing, []) &&
    (members as unknown[]).length === size &&
    read.unread_count === MESSAGES;
  if (!isRight)
    throw new Error(
      `Cannot be right: ${JSON.stringify(snapshot).slice(0, 2_000)} is not ${JSON.stringify(parts).slice(0, 2_000)}`,
    );
}
