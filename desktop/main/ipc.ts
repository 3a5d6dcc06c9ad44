import { type IpcMainEvent, type IpcMainInvokeEvent, ipcMain } from "electron";
import type { Account, Cache, Notice, Summary } from "../bridge.ts";
import { ASKED, SAID } from "./channels.ts";
import { ORIGIN } from "./origin.ts";
import { accountIn, isKey, noticeIn, summaryIn } from "./payloads.ts";
import type { View } from "./view.ts";
import type { Views } from "./views.ts";

/** What the views ask for and say, read and from a view. */
export interface Answers {
  readonly cache: Cache;
  account(): Account | undefined;
  signIn(account: Account, remember: boolean): Promise<void>;
  signOut(): Promise<void>;
  input(): void;
  notify(notice: Notice): void;
  summarize(summary: Summary): void;
}

/** Answers the views. What anybody else says, and what cannot be read, is dropped. */
export function answerViews(views: Views, answers: Answers): void {
  answerAsked(views, answers);
  hearSaid(views, answers);
}

function answerAsked(views: Views, { cache, account, signIn, signOut }: Answers): void {
  const answer = (channel: string, give: (...said: unknown[]) => unknown): void =>
    ipcMain.handle(channel, (event, ...said) => {
      if (senderOf(views, event) === undefined)
        throw new Error(`Cannot answer "${channel}" to whoever is not the view`);
      return give(...said);
    });
  answer(ASKED.account, account);
  answer(ASKED.signIn, (said, remember) => signIn(read(accountIn(said)), remember === true));
  answer(ASKED.signOut, signOut);
  answer(ASKED.get, (key) => cache.get(keyIn(key)));
  answer(ASKED.put, (key, value) => cache.put(keyIn(key), value));
  answer(ASKED.keys, (prefix) => cache.keys(keyIn(prefix)));
  answer(ASKED.clear, () => cache.clear());
}

function hearSaid(views: Views, { input, notify, summarize }: Answers): void {
  const hear = (channel: string, heed: (view: View, said: unknown) => void): void => {
    ipcMain.on(channel, (event, said) => {
      const view = senderOf(views, event);
      if (view !== undefined) heed(view, said);
    });
  };
  hear(SAID.listening, (view) => view.listens());
  hear(SAID.kept, (view) => view.kept());
  hear(SAID.input, input);
  hear(SAID.notify, (_view, said) => ifRead(noticeIn(said), notify));
  hear(SAID.summarize, (_view, said) => ifRead(summaryIn(said), summarize));
}

/** The view that has said something: the page of one of our windows, itself and not a frame in it. */
function senderOf(views: Views, event: IpcMainEvent | IpcMainInvokeEvent): View | undefined {
  const frame = event.senderFrame;
  if (frame === null || frame.parent !== null || frame.origin !== ORIGIN) return undefined;
  return views.of(event.sender);
}

function keyIn(said: unknown): string {
  return read(isKey(said) ? said : undefined);
}

function read<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError("Cannot read what the view has said");
  return value;
}

function ifRead<T>(value: T | undefined, heed: (value: T) => void): void {
  if (value !== undefined) heed(value);
}
