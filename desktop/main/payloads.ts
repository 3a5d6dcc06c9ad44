/** What the view may say, read. A renderer that was taken over can say anything. */
import { isId, MANUAL_STATES } from "@porchlight/core";
import type { Account, Notice, Summary } from "../bridge.ts";

const MAX_KEY = 1_024;
const MAX_TOKEN = 16_384;
const MAX_TEXT = 65_536;
const MAX_CHOICES = 16;
const LOCAL: readonly string[] = ["localhost", "127.0.0.1"];

type Fields = Readonly<Record<string, unknown>>;

/**
 * An account at a server that is reached by `https:`, or is on this computer.
 * An address of IPv6 has no place in a Content Security Policy: such a server
 * could not be reached.
 */
export function accountIn(said: unknown): Account | undefined {
  const { url, token } = fieldsOf(said);
  if (!isText(url, MAX_TEXT) || !isText(token, MAX_TOKEN) || token === "") return undefined;
  const parsed = URL.parse(url);
  if (parsed === null || parsed.username + parsed.password + parsed.search + parsed.hash !== "")
    return undefined;
  if (parsed.hostname.startsWith("[")) return undefined;
  const isSafe =
    parsed.protocol === "https:" ||
    (parsed.protocol === "http:" && LOCAL.includes(parsed.hostname));
  return isSafe ? { url, token } : undefined;
}

export function noticeIn(said: unknown): Notice | undefined {
  const { event_id, room_id, title, body } = fieldsOf(said);
  if (!isText(event_id, MAX_KEY) || typeof room_id !== "string" || !isId(room_id)) return undefined;
  if (!isText(title, MAX_TEXT) || !isText(body, MAX_TEXT)) return undefined;
  return { event_id, room_id, title, body };
}

export function summaryIn(said: unknown): Summary | undefined {
  const { state, chosen, unread, choices, words } = fieldsOf(said);
  const { open, start_at_login, quit } = fieldsOf(words);
  if (!isText(state, MAX_TEXT) || !isChosen(chosen) || !isCount(unread)) return undefined;
  if (!Array.isArray(choices) || choices.length > MAX_CHOICES) return undefined;
  if (!isText(open, MAX_KEY) || !isText(start_at_login, MAX_KEY) || !isText(quit, MAX_KEY))
    return undefined;
  const read = choices.map(choiceIn).filter((each) => each !== undefined);
  if (read.length !== choices.length) return undefined;
  return { state, chosen, unread, choices: read, words: { open, start_at_login, quit } };
}

/** A key of the cache, or the beginning of one. */
export function isKey(said: unknown): said is string {
  return isText(said, MAX_KEY);
}

function choiceIn(said: unknown): Summary["choices"][number] | undefined {
  const { chosen, words } = fieldsOf(said);
  return isChosen(chosen) && isText(words, MAX_TEXT) ? { chosen, words } : undefined;
}

function isChosen(said: unknown): said is Summary["chosen"] {
  return said === "auto" || MANUAL_STATES.some((state) => state === said);
}

function isCount(said: unknown): said is number {
  return Number.isSafeInteger(said) && Number(said) >= 0;
}

function isText(said: unknown, length: number): said is string {
  return typeof said === "string" && said.length <= length;
}

function fieldsOf(said: unknown): Fields {
  return typeof said === "object" && said !== null ? (said as Fields) : {};
}
