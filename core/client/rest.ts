import { CodedError, ERROR_STATUS, type ErrorCode, type Fault } from "../errors.ts";
import type { Preferences, PreferencesPatch } from "../preferences.ts";
import type { Door, ManualState, PresenceState, Statement } from "../presence.ts";
import type { Me, Profile, ProfilePatch } from "../profile.ts";
import type { Room, RoomState } from "../room-state.ts";
import type { Runtime } from "./runtime.ts";

/** How long an answer may take, in milliseconds. */
const TIMEOUT_MS = 30_000;

/** A token, or where to get the present one: asked anew for every request and every connection. */
export type TokenSource = string | (() => string | Promise<string>);

/** A state by hand, or back to automatic. */
export type Choice = { readonly state: ManualState } | { readonly auto: true };

/** What a choice came to. */
export interface ChoiceAnswer {
  readonly state: PresenceState;
  readonly source: "manual" | "participant_type" | "device" | "none";
  /** True when a later choice stands. */
  readonly superseded?: true;
}

/** One's own state, and why. Instants in ISO 8601. */
export interface MyPresence extends Omit<ChoiceAnswer, "superseded"> {
  readonly manual: ManualState | null;
  readonly devices: readonly {
    readonly device_id: string;
    readonly state: Statement;
    readonly transports: readonly Door[];
    readonly last_active_at: string;
    readonly expires_at: string;
  }[];
  readonly next_change_at: string | null;
}

/** What became of a typing signal. */
export interface TypingAnswer {
  readonly room_id: string;
  readonly typing: boolean;
  readonly expires_in_ms: number;
  /** When to publish again. */
  readonly refresh_after_ms: number;
  /** False in rooms so large that nobody is told. */
  readonly fanout: boolean;
}

/** What came of edits that were made offline. */
export interface EditsAnswer {
  readonly preferences: Preferences;
  readonly applied_seq: number;
  /** Leaves that a later write had already overtaken. */
  readonly superseded: readonly { readonly seq: number; readonly path: string }[];
  /** Leaves that are not valid. They blocked nothing. */
  readonly rejected: readonly (Fault & { readonly seq: number })[];
}

/**
 * The requests of the API, with typed results.
 *
 * Whatever does not succeed rejects with a {@link CodedError}. A server that
 * cannot be reached, does not answer within 30 s, or answers in words that are
 * not Porchlight's (a proxy's, a captive portal's) is `SW_UNAVAILABLE`.
 */
export class Rest {
  readonly #url: string;
  readonly #token: TokenSource;
  readonly #runtime: Pick<Runtime, "fetch" | "clock">;

  constructor(options: {
    /** Where the server is, such as `https://chat.example`: without `/v1`. */
    readonly url: string;
    readonly token: TokenSource;
    readonly runtime: Pick<Runtime, "fetch" | "clock">;
  }) {
    this.#url = options.url.replace(/\/+$/, "");
    this.#token = options.token;
    this.#runtime = options.runtime;
  }

  /** States of people as the caller sees them; whoever is unknown is `offline`. At most 5,000 ids. */
  presence(ids: readonly string[]): Promise<Record<string, PresenceState>> {
    return this.call("POST", "/v1/presence/query", { ids });
  }

  myPresence(): Promise<MyPresence> {
    return this.call("GET", "/v1/me/presence");
  }

  /** @param made for a choice made offline: when it was made and sent, by the device's clock, in ISO 8601. */
  choosePresence(
    choice: Choice & { readonly device_id?: string },
    made?: { readonly edited_at: string; readonly sent_at: string },
  ): Promise<ChoiceAnswer> {
    return this.call("PUT", "/v1/me/presence", { ...choice, ...made });
  }

  /** Signs a device off and closes its sockets. */
  signOff(deviceId: string): Promise<{ device_id: string; state: PresenceState }> {
    return this.call("DELETE", `/v1/me/devices/${encodeURIComponent(deviceId)}`);
  }

  type(signal: {
    readonly room_id: string;
    readonly typing: boolean;
    readonly device_id?: string;
  }): Promise<TypingAnswer> {
    return this.call("PUT", "/v1/typing", signal);
  }

  /** The rooms the caller has joined. */
  rooms(): Promise<(Room & { readonly unread_count: number })[]> {
    return this.call("GET", "/v1/rooms");
  }

  roomState(roomId: string): Promise<RoomState> {
    return this.call("GET", `/v1/rooms/${encodeURIComponent(roomId)}/state`);
  }

  /** The direct room with somebody, opened if there is none. */
  openDirectRoom(participantId: string): Promise<Room> {
    return this.call("POST", "/v1/rooms/dm", { participant_id: participantId });
  }

  profile(participantId: string): Promise<Profile> {
    return this.call("GET", `/v1/profiles/${encodeURIComponent(participantId)}`);
  }

  /** People of the caller's tenant whose name has `q` in it: `limit` of them (50, at most 200) from `offset` (0). */
  profiles(
    query: { readonly q?: string; readonly limit?: number; readonly offset?: number } = {},
  ): Promise<Profile[]> {
    return this.call("GET", `/v1/profiles?${queryOf(query)}`);
  }

  me(): Promise<Me> {
    return this.call("GET", "/v1/me");
  }

  updateMe(patch: ProfilePatch): Promise<Me> {
    return this.call("PUT", "/v1/me", patch);
  }

  preferences(): Promise<Preferences> {
    return this.call("GET", "/v1/me/preferences");
  }

  updatePreferences(patch: PreferencesPatch): Promise<Preferences> {
    return this.call("PUT", "/v1/me/preferences", patch);
  }

  editPreferences(request: {
    readonly device_id: string;
    readonly sent_at: string;
    readonly edits: readonly {
      readonly seq: number;
      readonly edited_at: string;
      readonly patch: PreferencesPatch;
    }[];
  }): Promise<EditsAnswer> {
    return this.call("POST", "/v1/me/preferences/edits", request);
  }

  /** Any other request: the `data` of its answer, which is believed to be a `T`. */
  async call<T>(method: string, path: string, body?: object): Promise<T> {
    const aborted = new AbortController();
    let cancel = (): void => {};
    const timeout = new Promise<never>((_, reject) => {
      cancel = this.#runtime.clock.timer(TIMEOUT_MS, () => {
        aborted.abort();
        reject(new Error("timeout"));
      });
    });
    try {
      // Neither a token that does not come nor a `fetch` that does not heed the signal may hold up what follows.
      return await Promise.race([this.#ask<T>(method, path, body, aborted.signal), timeout]);
    } catch (cause) {
      if (cause instanceof CodedError) throw cause;
      throw new CodedError("SW_UNAVAILABLE", `Cannot reach ${this.#url}`, { cause });
    } finally {
      cancel();
    }
  }

  async #ask<T>(
    method: string,
    path: string,
    body: object | undefined,
    signal: AbortSignal,
  ): Promise<T> {
    const token = await tokenFrom(this.#token);
    const answer = await this.#runtime.fetch(this.#url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return read<T>(await answer.text(), answer.headers.get("retry-after"));
  }
}

/** The present token. */
export async function tokenFrom(source: TokenSource): Promise<string> {
  return typeof source === "string" ? source : source();
}

function read<T>(text: string, retryAfter: string | null): T {
  // What is neither an answer nor a refusal of the API throws, and is taken for a server that cannot be reached.
  const { data, error } = JSON.parse(text) as {
    data?: T;
    error?: { code: ErrorCode; message: string; details?: Fault[] };
  };
  if (error !== undefined && Object.hasOwn(ERROR_STATUS, error.code)) {
    const { code, message, details } = error;
    const retryAfterSeconds = /^\d+$/.test(retryAfter ?? "") ? Number(retryAfter) : undefined;
    throw new CodedError(code, message, { details, retryAfterSeconds });
  }
  if (data === undefined) throw new TypeError("Not an answer of Porchlight");
  return data;
}

/** The part of a URL after the question mark; what is absent is left out. */
export function queryOf(said: Readonly<Record<string, unknown>>): URLSearchParams {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(said))
    if (value !== undefined) query.set(key, String(value));
  return query;
}
