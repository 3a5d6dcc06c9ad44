import { CodedError, isId, ParticipantBody, parseInput } from "@porchlight/core";
import type { Clock } from "@porchlight/core/clock";
import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import type { JwtSettings } from "./jwt-settings.ts";
import { KeySet } from "./key-set.ts";
import type { Log } from "./log.ts";
import { expiredToken, invalidToken } from "./refusals.ts";
import type { IssuedPerson } from "./store/store.ts";

/** Of whom a token of the issuer speaks. */
export interface Identity extends IssuedPerson {
  /** When it ends, skew included, in Unix milliseconds. */
  readonly expires_at: number;
}

/** How far the clocks of issuer and server may be apart. */
const SKEW_S = 60;
const TOKEN_MAX_BYTES = 8_192;
/** Tokens whose signatures are remembered. */
const REMEMBERED = 10_000;

/** A secret verifies nothing that a public key could, and the other way round. */
const BY_SECRET = ["HS256", "HS384", "HS512"];
const BY_PUBLIC_KEY = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(
  " ",
);

interface Keys {
  readonly algorithms: string[];
  readonly find: JWTVerifyGetKey;
  /** Another number whenever the keys are others. */
  readonly generation: () => number;
  readonly start: () => void;
  readonly stop: () => Promise<void>;
}

/** What a token said, and by which keys. */
interface Seen {
  readonly identity: Identity;
  readonly generation: number;
}

/**
 * Who an issuer of JWTs says that people are.
 *
 * A signature costs more than the rest of a small request, so it is looked at
 * once for each token: what it said is remembered while the keys stay the same.
 */
export class Issuer {
  readonly #settings: JwtSettings;
  readonly #keys: Keys;
  readonly #clock: Clock;
  readonly #log: Log;
  /** By the hash of the token, oldest first. */
  readonly #remembered = new Map<string, Seen>();

  constructor(options: { settings: JwtSettings; keys: Keys; clock: Clock; log: Log }) {
    this.#settings = options.settings;
    this.#keys = options.keys;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Begins to fetch keys, if they are elsewhere. Waits for nothing. */
  start(): void {
    this.#keys.start();
  }

  /** Fetches no more; resolves when nothing is under way. */
  stop(): Promise<void> {
    return this.#keys.stop();
  }

  /**
   * Whom a token speaks of. It may have expired since it was looked at.
   * @param hash of the token; the token itself is kept nowhere.
   * @throws {CodedError} 401, or 503 when it names a key that is unknown while the key server is out of reach.
   */
  async identify(token: string, hash: string): Promise<Identity> {
    const generation = this.#keys.generation();
    const known = this.#remembered.get(hash);
    if (known?.generation === generation) return known.identity;
    const identity = await this.#verify(token);
    // Remembered under the keys of before: had they changed meanwhile, it would be looked at once more.
    this.#remember(hash, { identity, generation });
    return identity;
  }

  #remember(hash: string, seen: Seen): void {
    this.#remembered.delete(hash);
    const [oldest] = this.#remembered.keys();
    if (oldest !== undefined && this.#remembered.size >= REMEMBERED)
      this.#remembered.delete(oldest);
    this.#remembered.set(hash, seen);
  }

  async #verify(token: string): Promise<Identity> {
    if (token.length > TOKEN_MAX_BYTES) throw invalidToken();
    const now = this.#clock.elapsed();
    const { jwtIssuer, jwtAudience } = this.#settings;
    try {
      const { payload } = await jwtVerify(token, this.#keys.find, {
        algorithms: this.#keys.algorithms,
        ...(jwtIssuer === undefined ? {} : { issuer: jwtIssuer }),
        ...(jwtAudience === undefined ? {} : { audience: jwtAudience }),
        clockTolerance: SKEW_S,
        currentDate: new Date(now),
      });
      return identityOf(payload, now);
    } catch (error) {
      throw this.#refusal(error);
    }
  }

  /** Callers are told nothing of why; an operator is, once the signature was right. */
  #refusal(error: unknown): CodedError {
    if (error instanceof CodedError) return error;
    if (error instanceof errors.JWTExpired) return expiredToken();
    if (error instanceof errors.JWTClaimValidationFailed)
      this.#log("warn", "jwt.refused", { claim: error.claim });
    return invalidToken();
  }
}

/** The issuer that is configured, if one is. */
export function openIssuer(
  settings: JwtSettings,
  { clock, log }: { clock: Clock; log: Log },
): Issuer | undefined {
  const { jwksUrl, jwtSecret } = settings;
  const open = (keys: Keys): Issuer => new Issuer({ settings, keys, clock, log });
  if (jwksUrl !== undefined) return open(publicKeys(new KeySet({ url: jwksUrl, clock, log })));
  return jwtSecret === undefined ? undefined : open(secretKey(jwtSecret));
}

function publicKeys(keys: KeySet): Keys {
  return {
    algorithms: BY_PUBLIC_KEY,
    find: (header, token) => keys.find(header, token),
    generation: () => keys.generation,
    start: () => keys.start(),
    stop: () => keys.stop(),
  };
}

function secretKey(secret: string): Keys {
  const key = new TextEncoder().encode(secret);
  return {
    algorithms: BY_SECRET,
    find: () => key,
    generation: () => 0,
    start: () => undefined,
    stop: () => Promise.resolve(),
  };
}

/** What the claims say. A name or an address that cannot be stored is left out. @param now Unix milliseconds. */
function identityOf(claims: JWTPayload, now: number): Identity {
  const { exp, iat = 0, sub, tenant_id, name, email, roles, groups } = claims;
  const expires_at = (Math.ceil(exp ?? Number.NaN) + SKEW_S) * 1_000;
  if (!Number.isFinite(expires_at)) throw faulty("exp");
  if (iat * 1_000 > now + SKEW_S * 1_000) throw faulty("iat");
  if (typeof tenant_id !== "string" || !isId(tenant_id)) throw faulty("tenant_id");
  if (typeof sub !== "string" || !isId(sub)) throw faulty("sub");
  return {
    tenant_id,
    participant_id: sub,
    display_name: fitting("display_name", shortened(name)),
    email: fitting("email", email),
    roles: labels("roles", roles),
    groups: labels("groups", groups),
    expires_at,
  };
}

/** Roles or groups, each once. Without the claim there are none: many issuers leave out an empty list. */
function labels(claim: "roles" | "groups", value: unknown): readonly string[] {
  const found = fitting(claim, value ?? []);
  if (found === undefined) throw faulty(claim);
  return [...new Set(found)].toSorted();
}

/** A value, if it is one that a participant may have. */
function fitting<K extends keyof ParticipantBody>(key: K, value: unknown): ParticipantBody[K] {
  try {
    return parseInput(ParticipantBody, { [key]: value })[key];
  } catch {
    // Whatever is wrong with it, it is not fit to be stored.
    return undefined;
  }
}

/** No longer than what its owner may put back. */
function shortened(name: unknown): string | undefined {
  return typeof name === "string" ? [...name.trim()].slice(0, 80).join("") : undefined;
}

function faulty(claim: string): errors.JWTClaimValidationFailed {
  return new errors.JWTClaimValidationFailed("This claim cannot be used", {}, claim);
}
