import {
  decideNotification,
  mergePreferences,
  type NotificationFacts,
  type Preferences,
  type PreferencesPatch,
} from "@porchlight/core";
import { type Check, onlyKeys } from "./check.ts";

/** What a vector says of an event, a room and a person; the rest is as in `facts`. */
interface Given {
  readonly event?: Partial<NotificationFacts["event"]>;
  readonly room?: Partial<
    Omit<NotificationFacts["room"], "muted_until"> & { muted_until: string | null }
  >;
  readonly snoozed_event_ids?: readonly string[];
  readonly preferences?: PreferencesPatch;
}

/** What is common to all vectors of the file. */
interface Common {
  readonly now: string;
  readonly facts: Omit<NotificationFacts, "preferences"> & { readonly preferences: Preferences };
}

type Vector =
  | (Given & { readonly now?: string; readonly expect: object })
  | { readonly phrase: string; readonly expect: Readonly<Record<string, boolean>> };

/** Decides on the event of a vector; or, of a phrase, in which texts it is found. */
export function* playNotification(vector: Vector, common: Common): Generator<Check> {
  if ("phrase" in vector) {
    onlyKeys(vector, "phrase", "expect");
    const preferences = { keyword_alerts: [vector.phrase], default_mode: "none" } as const;
    for (const [body, found] of Object.entries(vector.expect)) {
      const { notify } = decide({ event: { body }, preferences }, common, common.now);
      yield [`whether "${vector.phrase}" is in "${body}"`, notify, found];
    }
    return;
  }
  const { now = common.now, expect, ...given } = vector;
  yield ["the decision", decide(given, common, now), expect];
}

function decide(
  given: Given,
  { facts }: Common,
  now: string,
): ReturnType<typeof decideNotification> {
  onlyKeys(given, "event", "room", "snoozed_event_ids", "preferences");
  const room = { ...facts.room, ...given.room };
  const muted = given.room?.muted_until ?? null;
  return decideNotification(
    {
      participant_id: facts.participant_id,
      event: { ...facts.event, ...given.event },
      room: { ...room, muted_until: muted === null ? null : Date.parse(muted) },
      snoozed_event_ids: given.snoozed_event_ids ?? facts.snoozed_event_ids,
      preferences: mergePreferences(facts.preferences, given.preferences ?? {}),
    },
    Date.parse(now),
  );
}
