import type { TypingRules } from "@porchlight/core";

/** One thing that one person does in one room. */
export interface TypingAct {
  readonly at: number;
  readonly room: string;
  readonly person: string;
  /** `publish` and `stop` by one source; the others end what they name. */
  readonly kind: "publish" | "stop" | "leave" | "lose" | "hide" | "freeze";
  readonly source: string;
}

const SECOND_MS = 1_000;

/** Whether a person types in a room, worked out anew from all that ever happened. */
export function isTyping(
  history: readonly TypingAct[],
  who: { room: string; person: string },
  now: number,
  rules: TypingRules,
): boolean {
  const ends = new Map<string, number>();
  let second = { from: Number.NEGATIVE_INFINITY, publishes: 0 };
  const livesAt = (at: number): boolean => [...ends.values()].some((end) => end > at);
  for (const act of history) {
    if (isPublishOf(act, who)) {
      if (act.at - second.from >= SECOND_MS) second = { from: act.at, publishes: 0 };
      second.publishes += 1;
      const allowed = rules.typing_rate === 0 || second.publishes <= rules.typing_rate;
      // Beyond the rate a publish only renews: it begins nothing.
      if (allowed || livesAt(act.at)) ends.set(act.source, act.at + rules.typing_ttl_ms);
    } else if (endsAll(act, who)) ends.clear();
    else if (endsSource(act, who)) ends.delete(act.source);
  }
  return livesAt(now);
}

function isPublishOf(act: TypingAct, who: { room: string; person: string }): boolean {
  return act.kind === "publish" && act.room === who.room && act.person === who.person;
}

function endsAll(act: TypingAct, who: { room: string; person: string }): boolean {
  if (act.kind === "freeze") return act.room === who.room;
  if (act.person !== who.person) return false;
  return act.kind === "hide" || (act.kind === "leave" && act.room === who.room);
}

function endsSource(act: TypingAct, who: { room: string; person: string }): boolean {
  if (act.person !== who.person) return false;
  return act.kind === "lose" || (act.kind === "stop" && act.room === who.room);
}
