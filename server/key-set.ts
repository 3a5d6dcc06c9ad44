import { CodedError } from "@porchlight/core";
import { Alarm, type Clock } from "@porchlight/core/clock";
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from "jose";
import { errorFields, type Log } from "./log.ts";

/** How often the keys are fetched again, so that one that was withdrawn is not taken for longer. */
const FRESH_MS = 600_000;
/** How soon after a fetch an unknown key, or a failure, may cause the next one. */
const COOLDOWN_MS = 10_000;
/** How long the key server may take to answer, body and all. */
const FETCH_WITHIN_MS = 5_000;

type Header = Parameters<JWTVerifyGetKey>[0];
type Token = Parameters<JWTVerifyGetKey>[1];
type Key = Awaited<ReturnType<JWTVerifyGetKey>>;

/**
 * The public keys of an issuer, fetched from its key server ahead of need.
 *
 * A known key is found without waiting, also while the key server is slow or
 * out of reach: the keys that were last heard of hold until it says otherwise.
 * An unknown one has the keys fetched again, for all who ask meanwhile at once,
 * and at most every ten seconds however many ask.
 */
export class KeySet {
  readonly #url: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #alarm: Alarm;
  #find: JWTVerifyGetKey | undefined;
  #text = "";
  #generation = 0;
  #failure: unknown = new Error("The keys were never fetched");
  #fetchedAt = Number.NEGATIVE_INFINITY;
  /** When the fetch began that answered last: every key that was published before is known. */
  #knownAsOf = Number.NEGATIVE_INFINITY;
  #fetching: { readonly done: Promise<void>; readonly abort: () => void } | undefined;
  #stopped = false;

  constructor({ url, clock, log }: { url: string; clock: Clock; log: Log }) {
    this.#url = url;
    this.#clock = clock;
    this.#log = log;
    this.#alarm = new Alarm(
      clock,
      () => clock.elapsed(),
      () => this.#renew(),
    );
  }

  /** Another number whenever the keys are others. */
  get generation(): number {
    return this.#generation;
  }

  /** Begins to fetch, now and from now on. Waits for nothing. */
  start(): void {
    this.#renew();
  }

  /** Fetches no more; resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#alarm.stop();
    this.#fetching?.abort();
    await this.#fetching?.done;
  }

  /**
   * The key that a token names.
   * @throws {CodedError} `SW_UNAVAILABLE` when the key is unknown, and the key server out of reach or not asked since.
   * @throws {errors.JOSEError} when the issuer has no such key, or one that is not fit for the token.
   */
  async find(header: Header, token: Token): Promise<Key> {
    const known = await this.#known(header, token);
    if (known !== undefined) return known;
    const askedAt = this.#clock.elapsed();
    if (this.#nextAt(COOLDOWN_MS) <= askedAt) await this.#fetch();
    const found = await this.#known(header, token);
    if (found !== undefined) return found;
    // The key may be newer than what was last heard: whoever is told that it is none does not come back.
    if (this.#knownAsOf >= askedAt) throw new errors.JWKSNoMatchingKey();
    const waitMs = Math.max(0, this.#nextAt(COOLDOWN_MS) - this.#clock.elapsed());
    const why = this.#failure === undefined ? "was not asked again yet" : "is out of reach";
    throw new CodedError("SW_UNAVAILABLE", `The key is unknown, and the key server ${why}`, {
      cause: this.#failure,
      retryAfterSeconds: Math.ceil(waitMs / 1_000) || 1,
    });
  }

  async #known(header: Header, token: Token): Promise<Key | undefined> {
    try {
      return await this.#find?.(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return undefined;
      throw error;
    }
  }

  #nextAt(afterMs: number): number {
    return this.#fetchedAt + afterMs;
  }

  #renew(): void {
    const dueAt = this.#nextAt(this.#failure === undefined ? FRESH_MS : COOLDOWN_MS);
    if (dueAt <= this.#clock.elapsed()) void this.#fetch();
    else this.#alarm.by(dueAt);
  }

  /** Fetches the keys, or waits for whoever does. Never throws: what went wrong is kept. */
  #fetch(): Promise<void> {
    if (this.#fetching === undefined) {
      const aborter = new AbortController();
      const done = this.#load(aborter).finally(() => {
        this.#fetching = undefined;
        this.#fetchedAt = this.#clock.elapsed();
        if (!this.#stopped) this.#renew();
      });
      this.#fetching = { done, abort: () => aborter.abort() };
    }
    return this.#fetching.done;
  }

  async #load(aborter: AbortController): Promise<void> {
    const tooLate = new Error("The key server did not answer in time");
    const askedAt = this.#clock.elapsed();
    const callOff = this.#clock.timer(FETCH_WITHIN_MS, () => aborter.abort(tooLate));
    try {
      this.#take(await textOf(this.#url, aborter.signal));
      this.#failure = undefined;
      this.#knownAsOf = askedAt;
    } catch (error) {
      this.#failure = error;
      if (!this.#stopped) this.#log("warn", "keys.unreachable", errorFields(error));
    } finally {
      callOff();
    }
  }

  #take(text: string): void {
    if (text === this.#text) return;
    this.#find = createLocalJWKSet(JSON.parse(text));
    this.#text = text;
    this.#generation += 1;
    this.#log("info", "keys.changed", { generation: this.#generation });
  }
}

async function textOf(url: string, signal: AbortSignal): Promise<string> {
  const headers = { accept: "application/jwk-set+json, application/json" };
  const response = await fetch(url, { signal, headers, redirect: "error" });
  if (response.status !== 200) throw new Error(`The key server answered ${response.status}`);
  return response.text();
}
