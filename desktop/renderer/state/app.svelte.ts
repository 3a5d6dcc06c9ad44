import { CodedError, type Me } from "@porchlight/core";
import { Rest, type Runtime, webRuntime } from "@porchlight/core/client";
import type { Account, Shell } from "../../bridge.ts";
import { CHOICES } from "./choices.ts";
import type { Channel } from "./outboxes.ts";
import { Session } from "./session.svelte.ts";
import { wordsOf } from "./words.ts";
import type { EN } from "./words-en.ts";

/** What is looked at. */
export type Place =
  | { readonly at: "rooms" }
  | { readonly at: "room"; readonly room_id: string }
  | { readonly at: "people" }
  | { readonly at: "preferences" };

/** What is wrong with what was filled in to sign in. */
export interface SignInFaults {
  readonly url?: string;
  readonly token?: string;
}

/** Whose the cache is. */
const OWNER = "owner";

type SignInWords = typeof EN.signIn;

/** The view as a whole: who is signed in, and what they look at. */
export class App {
  readonly shell: Shell;
  readonly #runtime: Partial<Runtime>;
  readonly #channel: () => Channel;
  #session = $state.raw<Session>();
  #isReady = $state(false);
  #place = $state.raw<Place>({ at: "rooms" });

  /** @param options.channel opens what all windows of the account hear each other by. */
  constructor(options: { shell: Shell; channel: () => Channel; runtime?: Partial<Runtime> }) {
    this.shell = options.shell;
    this.#channel = options.channel;
    this.#runtime = options.runtime ?? {};
  }

  /** Whether it is known who is signed in. */
  get isReady(): boolean {
    return this.#isReady;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  get place(): Place {
    return this.#place;
  }

  /** Begins with whoever is signed in. */
  async start(): Promise<void> {
    this.shell.listen((event) => {
      if (event.type === "open") this.go({ at: "room", room_id: event.room_id });
    });
    this.#place = placeOf(location.hash);
    const account = await this.shell.account();
    if (account !== undefined) await this.#enter(account);
    this.#isReady = true;
  }

  go(place: Place): void {
    this.#place = place;
    this.#session?.look(place.at === "room" ? place.room_id : undefined);
    const hash = hashOf(place);
    if (location.hash !== hash) history.pushState(null, "", hash);
  }

  /** Goes where the part of the address behind the `#` says. */
  follow(hash: string): void {
    this.go(placeOf(hash));
  }

  /** Shows outside of the view what can be seen of it there. */
  summarize(): void {
    const session = this.#session;
    const { own, unread } = session ?? {};
    const words = session?.words ?? wordsOf(browserLocale());
    const chosen = own?.chosen === undefined || "auto" in own.chosen ? "auto" : own.chosen.state;
    this.shell.summarize({
      state: own === undefined ? "" : words.states[own.state],
      chosen,
      unread: unread ?? 0,
      choices:
        own === undefined
          ? []
          : CHOICES.map((each) => ({ chosen: each, words: words.choose[each] })),
      words: { ...words.tray },
    });
  }

  /** Signs in. Answers what is wrong; nothing when that worked. */
  async signIn(
    filled: { url: string; token: string; remember: boolean },
    words: SignInWords,
  ): Promise<SignInFaults | undefined> {
    const read = accountOf(filled, words);
    if ("faults" in read) return read.faults;
    const { account } = read;
    let me: Me;
    try {
      me = await new Rest({ ...account, runtime: webRuntime(this.#runtime) }).me();
    } catch (error) {
      const isReached = error instanceof CodedError && error.code !== "SW_UNAVAILABLE";
      return isReached ? { token: words.refused } : { url: words.unreachable };
    }
    await this.#own(account, me);
    try {
      await this.shell.signIn(account, filled.remember);
    } catch {
      return { url: words.insecure };
    }
    await this.#enter(account);
    return undefined;
  }

  async signOut(): Promise<void> {
    await this.#session?.close();
    await this.shell.signOut();
    this.#session = undefined;
  }

  /** What is kept on this computer of anybody else is forgotten. */
  async #own({ url }: Account, { participant_id, tenant }: Me): Promise<void> {
    const { cache } = this.shell;
    const owner = JSON.stringify([url, tenant.id, participant_id]);
    if ((await cache.get(OWNER)) !== owner) await cache.clear();
    await cache.put(OWNER, owner);
  }

  async #enter(account: Account): Promise<void> {
    const session = new Session(account, {
      shell: this.shell,
      runtime: this.#runtime,
      channel: this.#channel(),
    });
    await session.open();
    this.#session = session;
    this.go(this.#place);
  }
}

function hashOf(place: Place): string {
  if (place.at === "room") return `#/room/${encodeURIComponent(place.room_id)}`;
  return place.at === "rooms" ? "#/" : `#/${place.at}`;
}

function placeOf(hash: string): Place {
  const room = /^#\/room\/([^/]+)$/.exec(hash)?.[1];
  if (room !== undefined) return { at: "room", room_id: decodeURIComponent(room) };
  return hash === "#/people" || hash === "#/preferences"
    ? { at: hash === "#/people" ? "people" : "preferences" }
    : { at: "rooms" };
}

/** What was filled in, read. Addresses are https, or of this computer. */
function accountOf(
  filled: { url: string; token: string },
  words: SignInWords,
): { account: Account } | { faults: SignInFaults } {
  const token = filled.token.trim();
  const url = URL.parse(filled.url.trim());
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(url?.hostname ?? "");
  const isOwn = typeof location === "object" && url?.origin === location.origin;
  const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
  const faults: SignInFaults = {
    ...(url === null || !isWeb
      ? { url: words.invalidUrl }
      : url.protocol === "http:" && !isLocal && !isOwn
        ? { url: words.insecure }
        : {}),
    ...(token === "" ? { token: words.noToken } : {}),
  };
  if (url === null || Object.keys(faults).length > 0) return { faults };
  return { account: { url: url.origin + url.pathname.replace(/\/+$/, ""), token } };
}

/** The language of the browser, for whoever is not signed in. */
export function browserLocale(): "en" | "nl" | "de" {
  const language = navigator.language.slice(0, 2);
  return language === "nl" || language === "de" ? language : "en";
}
