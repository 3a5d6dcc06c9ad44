import type { Preferences } from "./preferences.ts";
import { isQuiet } from "./quiet-hours.ts";
import type { Membership, NotificationMode, RoomType } from "./room-state.ts";

/** What is known of a message and of the person it might be worth interrupting. */
export interface NotificationFacts {
  readonly participant_id: string;
  readonly event: {
    readonly event_id: string;
    readonly sender_id: string;
    /** What it says, as far as it says it in words. */
    readonly body: string;
    /** Whom it names. */
    readonly mentions: readonly string[];
  };
  readonly room: {
    readonly room_type: RoomType;
    readonly membership: Membership | undefined;
    readonly notification_mode: NotificationMode;
    /** Until when the room is muted, in Unix milliseconds. */
    readonly muted_until: number | null;
  };
  /** Events that are put off and whose time has not come. */
  readonly snoozed_event_ids: readonly string[];
  readonly preferences: Preferences;
}

/** Whether to notify, and the rule that decided it. */
export type NotificationDecision =
  | { readonly notify: true; readonly reason: "mode_all" | "keyword" | "mentioned" }
  | {
      readonly notify: false;
      readonly reason:
        | "own_event"
        | "not_joined"
        | "muted"
        | "snoozed"
        | "quiet_hours"
        | "mode_mentions"
        | "mode_none";
    };

/**
 * Should this event notify this person, and why? The first rule that applies
 * decides: one's own event, not joined, muted, snoozed, quiet hours: no; mode
 * `all`: yes; a keyword: yes, in every mode; mode `mentions` and mentioned:
 * yes; else no. The person's presence plays no part.
 *
 * @param now Unix milliseconds.
 */
export function decideNotification(facts: NotificationFacts, now: number): NotificationDecision {
  const { participant_id, event, room, snoozed_event_ids, preferences } = facts;
  if (event.sender_id === participant_id) return { notify: false, reason: "own_event" };
  if (room.membership !== "join") return { notify: false, reason: "not_joined" };
  if (room.muted_until !== null && room.muted_until > now)
    return { notify: false, reason: "muted" };
  if (snoozed_event_ids.includes(event.event_id)) return { notify: false, reason: "snoozed" };
  if (isQuiet(preferences.quiet_hours, preferences.timezone, now))
    return { notify: false, reason: "quiet_hours" };
  const mode =
    room.notification_mode === "inherit" ? preferences.default_mode : room.notification_mode;
  if (mode === "all") return { notify: true, reason: "mode_all" };
  if (hasPhrase(event.body, preferences.keyword_alerts)) return { notify: true, reason: "keyword" };
  if (mode === "none") return { notify: false, reason: "mode_none" };
  const mentioned = event.mentions.includes(participant_id);
  return mentioned
    ? { notify: true, reason: "mentioned" }
    : { notify: false, reason: "mode_mentions" };
}

/** A letter, a digit, or a mark that belongs to one. */
const WORD = /[\p{L}\p{N}\p{M}_]/u;
/** Letters of scripts that put no space between words: there, every place is the edge of one. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/**
 * Whether a text has one of the phrases as whole words, without regard to case
 * and to how characters are composed. Looked for only where a word may begin,
 * so that a text made to match nearly everywhere costs no more than another.
 */
function hasPhrase(text: string, phrases: readonly string[]): boolean {
  if (phrases.length === 0) return false;
  const within = fold(text);
  const edges = edgesOf(within);
  const ends = new Set(edges);
  return phrases.map(fold).some((wanted) => {
    const isAt = (at: number): boolean =>
      within.startsWith(wanted, at) && ends.has(at + wanted.length);
    return edges.some(isAt);
  });
}

function fold(text: string): string {
  return text.normalize("NFC").toLowerCase();
}

/** The places of a text where a word may begin or end: all but those between two characters of one word. */
function edgesOf(text: string): number[] {
  const edges: number[] = [];
  let at = 0;
  let isWithin = false;
  for (const character of text) {
    const joins = WORD.test(character) && !UNSPACED.test(character);
    if (!(isWithin && joins)) edges.push(at);
    isWithin = joins;
    at += character.length;
  }
  return [...edges, at];
}
