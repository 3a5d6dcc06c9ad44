/**
 * The one contract between the view and what it stands in: a page of a browser,
 * or a window of Electron, whose preload hands the view an object of this shape.
 * What crosses it is plain data.
 */
import type { ManualState } from "@porchlight/core";

/** Whom the view stands for, and at which server. */
export interface Account {
  /** Without `/v1`, such as `https://chat.example`. */
  readonly url: string;
  readonly token: string;
}

/** A state by hand, or back to automatic. */
export type Chosen = { readonly state: ManualState } | { readonly auto: true };

/** What the shell has to say to the view. */
export type ShellEvent =
  /** The user did something, so many milliseconds ago. */
  | { readonly type: "active"; readonly idle_for_ms: number }
  /** The user is known to be away, as when the screen is locked. */
  | { readonly type: "away" }
  /** The machine is about to sleep, or everything is about to end: what is not kept yet has to be. */
  | { readonly type: "suspend" }
  /** The machine is awake again, or there is a network again. */
  | { readonly type: "resume" }
  /** Chosen outside of the view, as in the tray. */
  | { readonly type: "choose"; readonly choice: Chosen }
  /** Asked for outside of the view, as by a link or a notification. */
  | { readonly type: "open"; readonly room_id: string };

/** Something worth interrupting for. */
export interface Notice {
  readonly event_id: string;
  readonly room_id: string;
  readonly title: string;
  readonly body: string;
}

/** What the shell shows of the view outside of it. */
export interface Summary {
  /** The own state in the user's words; empty when nobody is signed in. */
  readonly state: string;
  /** What is chosen by hand, or `auto`. */
  readonly chosen: ManualState | "auto";
  readonly unread: number;
  /** The five choices in the user's words. */
  readonly choices: readonly { readonly chosen: ManualState | "auto"; readonly words: string }[];
  /** What else there is to be done outside of the view, in the user's words. */
  readonly words: { readonly open: string; readonly start_at_login: string; readonly quit: string };
}

/**
 * Where the view keeps what it knew last: plain data by key, of one account.
 * What is put in has to outlive the process once the promise has resolved.
 */
export interface Cache {
  /** Resolves with what was put last; `undefined` where nothing was. */
  get(key: string): Promise<unknown>;
  /** Replaces what was there, whole or not at all. `undefined` takes it away. Later calls win over earlier ones. */
  put(key: string, value: unknown): Promise<void>;
  /** The keys that begin so, in their order. */
  keys(prefix: string): Promise<readonly string[]>;
  /** Forgets everything. */
  clear(): Promise<void>;
}

/** What the view stands in. */
export interface Shell {
  readonly kind: "browser" | "electron";
  /** The installation: the same name each time. */
  readonly device_id: string;
  /** The tab or window: the same name when it is loaded again, another than that of any other. */
  readonly instance: string;
  /** The server that the view came from, which is then the only one; empty where it came from none. */
  readonly server: string;
  readonly cache: Cache;
  /** Who is signed in. */
  account(): Promise<Account | undefined>;
  /**
   * Keeps an account. The view may be loaded anew for it. Rejects where it cannot be one.
   * @param remember whether to keep it beyond this session.
   */
  signIn(account: Account, remember: boolean): Promise<void>;
  /** Forgets the account and everything in the cache. The view may be loaded anew for it. */
  signOut(): Promise<void>;
  /** Hears what the shell says, until the answer is called. */
  listen(hears: (event: ShellEvent) => void): () => void;
  /** Whether the user may be interrupted: `ask` where they have to say so first. @param ask asks them, if it comes to that. */
  mayNotify(ask: boolean): Promise<"yes" | "no" | "ask">;
  /** Interrupts the user, once for each event, however many windows ask for it. */
  notify(notice: Notice): void;
  summarize(summary: Summary): void;
}
