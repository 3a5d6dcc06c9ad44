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

/** All that matters of what one person ever did in one room. */
export interface TypingStory {
  /** By source, when its last publish that counts runs out. */
  readonly ends: ReadonlyMap<string, number>;
  readonly second: { readonly from: number; readonly publishes: number };
}

/** Nothing was ever typed. */
export const NO_TYPING: TypingStory = {
  ends: new Map(),
  second: { from: Number.NEGATIVE_INFINITY, publishes: 0 },
};

/** Whether the person types. */
export function isTyping({ ends }: TypingStory, now: number): boolean {
  return [...ends.values()].some((end) => end > now);
}

/** The story of `who` goes on with an act, whoever's it is. */
export function typed(
  story: TypingStory,
  act: TypingAct,
  who: { room: string; person: string },
  rules: TypingRules,
): TypingStory {
  const { ends, second } = story;
  if (isPublishOf(act, who)) {
    const isNew = act.at - second.from >= SECOND_MS;
    const counted = isNew
      ? { from: act.at, publishes: 1 }
      : { ...second, publishes: second.publishes + 1 };
    const allowed = rules.typing_rate === 0 || counted.publishes <= rules.typing_rate;
    // Beyond the rate a publish only renews: it begins nothing.
    const counts = allowed || isTyping(story, act.at);
    const endsAt = act.at + rules.typing_ttl_ms;
    return { second: counted, ends: counts ? new Map([...ends, [act.source, endsAt]]) : ends };
  }
  if (endsAll(act, who)) return { second, ends: new Map() };
  if (!endsSource(act, who)) return story;
  return { second, ends: new Map([...ends].filter(([source]) => source !== act.source)) };
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
