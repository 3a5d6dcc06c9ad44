import { CodedError } from "@porchlight/core";

/** Whoever may be limited: by the token that speaks for them. Without one, they are not. */
export interface Limited {
  readonly token_id?: string | undefined;
}

const SECOND_MS = 1_000;

/**
 * A bucket for each token: `burst` requests at once, refilled with `rate` a
 * second. A bucket is one number, the moment at which it is full again, and is
 * forgotten from then on: memory holds as many as there were tokens in the
 * last `burst / rate` seconds, and at most {@link MAX_BUCKETS}.
 */
export class TokenBuckets {
  /** When each bucket is full again, the one that was used longest ago first. */
  readonly #fullAt = new Map<string, number>();
  readonly #intervalMs: number;
  readonly #depthMs: number;

  /** @param options.rate requests a second; @param options.burst requests at once, at least 1. */
  constructor({ rate, burst }: { rate: number; burst: number }) {
    this.#intervalMs = SECOND_MS / rate;
    this.#depthMs = this.#intervalMs * burst;
  }

  /** How many buckets are not full. */
  get size(): number {
    return this.#fullAt.size;
  }

  /**
   * Takes one request out of a bucket. Answers 0, or in how many milliseconds
   * there is one to take; then nothing was taken.
   * @param now milliseconds on a monotonic clock.
   */
  take(key: string, now: number): number {
    this.#forgetFull(now);
    const fullAt = Math.max(now, this.#fullAt.get(key) ?? now) + this.#intervalMs;
    const waitMs = fullAt - this.#depthMs - now;
    // What is left of a sum of fractions is no reason to refuse.
    if (waitMs > ROUNDING_MS) return waitMs;
    this.#fullAt.delete(key);
    this.#fullAt.set(key, fullAt);
    return 0;
  }

  /** Forgets what says nothing; of too many, those that were used longest ago. Each call adds one and forgets up to two. */
  #forgetFull(now: number): void {
    let left = 2;
    for (const [key, fullAt] of this.#fullAt) {
      if (left === 0 || (fullAt > now && this.#fullAt.size < MAX_BUCKETS)) return;
      this.#fullAt.delete(key);
      left -= 1;
    }
  }
}

/** Buckets that are kept at once. */
export const MAX_BUCKETS = 100_000;
const ROUNDING_MS = 1e-6;

/** Refuses whoever asks for too much. */
export interface RateLimit {
  /** @throws {CodedError} 429 with the whole seconds after which there is room again. */
  admit(caller: Limited): void;
}

/** The limit of so many requests a second for each token, and so many at once; 0 a second is no limit. */
export function rateLimit(
  { rate_limit, rate_burst }: { rate_limit: number; rate_burst: number },
  monotonic: () => number,
): RateLimit {
  if (rate_limit === 0) return { admit: () => undefined };
  const buckets = new TokenBuckets({ rate: rate_limit, burst: rate_burst });
  return {
    admit({ token_id }) {
      const waitMs = token_id === undefined ? 0 : buckets.take(token_id, monotonic());
      if (waitMs === 0) return;
      throw new CodedError(
        "SW_RATE_LIMIT_EXCEEDED",
        `At most ${rate_limit} requests a second, and ${rate_burst} at once`,
        { retryAfterSeconds: Math.ceil(waitMs / SECOND_MS) },
      );
    },
  };
}
