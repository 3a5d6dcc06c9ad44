import {
  foldFrame,
  type JsonObject,
  type PresenceState,
  type RoomState,
  type ServerFrame,
} from "@porchlight/core";
import { type Check, onlyKeys } from "./check.ts";

/** What is common to all vectors of the file. */
interface Common {
  readonly viewer: string;
  readonly room_state: JsonObject;
  readonly people: Readonly<Record<string, JsonObject>>;
}

/** The parts of a room's state that differ from `room_state` before the frames, and from that after them. */
interface Vector {
  readonly given?: JsonObject;
  readonly presence?: Readonly<Record<string, PresenceState>>;
  readonly frames: readonly JsonObject[];
  readonly expect: JsonObject;
}

/** Folds the frames of a vector into its room state, and compares every part of it. */
export function* playRoomState(vector: Vector, common: Common): Generator<Check> {
  onlyKeys(vector, "given", "presence", "frames", "expect");
  const written = { ...common.room_state, ...vector.given };
  onlyKeys(written, ...Object.keys(common.room_state));
  onlyKeys(vector.expect, ...Object.keys(common.room_state));
  const before = spelt(written, common.people) as RoomState;
  const presenceOf = (id: string): PresenceState => vector.presence?.[id] ?? "offline";
  const viewer = { participant_id: common.viewer, presenceOf };
  const frames = vector.frames.map((frame) => spelt(frame, common.people) as ServerFrame);
  const after = frames.reduce((state, frame) => foldFrame(state, frame, viewer), before);
  const expected = { ...before, ...(spelt(vector.expect, common.people) as JsonObject) };
  for (const [part, value] of Object.entries(expected))
    yield [`"${part}" of the state`, Reflect.get(after, part), value];
  yield ["what the state has besides", Object.keys(after).sort(), Object.keys(expected).sort()];
}

/** A value in which `{"is": name, …}` is spelt out as that one of the people, with the other keys laid over it. */
function spelt(value: unknown, people: Common["people"]): unknown {
  if (Array.isArray(value)) return value.map((each) => spelt(each, people));
  if (typeof value !== "object" || value === null) return value;
  const { is, ...own } = value as JsonObject;
  const person = people[String(is)];
  if (is !== undefined && person === undefined) throw new TypeError(`There is no "${is}"`);
  const whole = Object.entries({ ...person, ...own });
  return Object.fromEntries(whole.map(([key, each]) => [key, spelt(each, people)]));
}
