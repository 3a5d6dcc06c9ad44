import { CodedError } from "@porchlight/core";
import type { Clock } from "@porchlight/core/clock";
import type { Config } from "./config.ts";
import type { Identity, Issuer } from "./issuer.ts";
import type { Log } from "./log.ts";
import { expiredToken, invalidToken, noSuch } from "./refusals.ts";
import type { PersonKey, Store, TokenOwner } from "./store/store.ts";

/** A participant who calls, by way of a token. */
export type Caller = TokenOwner;

/** An administrator who calls: of one tenant, or of all. */
export interface Administrator {
  readonly tenant_id: string | undefined;
  /** Absent for the admin token. */
  readonly token_id?: string;
}

/** Who stands behind tokens. */
export interface Auth {
  /** @throws {CodedError} 401 for a token that is not one, 403 for the admin token. */
  participant(token: string | undefined): Promise<Caller>;
  /**
   * Asks again after something was awaited. Adds nobody: whom an issuer speaks of may have been deleted meanwhile.
   * @throws {CodedError} 401 for a token that has ended, or whose person is no more.
   */
  recheck(token: string | undefined): Promise<void>;
  /** @throws {CodedError} 401 for a token that is not one, 403 for a participant without the role. */
  administrator(token: string | undefined): Promise<Administrator>;
}

/** SHA-256 in hexadecimal: all that is ever stored of a token. */
export function hashOf(token: string): string {
  return Bun.SHA256.hash(token, "hex");
}

/** A new token and its public name. */
export function newToken(): { token: string; token_id: string; hash: string } {
  const token = `plt_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")}`;
  return { token, token_id: `tok-${crypto.randomUUID()}`, hash: hashOf(token) };
}

/** The token of an `Authorization: Bearer` header. */
export function bearer(header: string | null): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(header ?? "")?.[1];
}

export function openAuth({
  store,
  config,
  clock,
  issuer,
  log,
}: {
  store: Store;
  config: Config;
  clock: Clock;
  issuer: Issuer | undefined;
  log: Log;
}): Auth {
  const adminHash = config.adminToken === undefined ? undefined : hashOf(config.adminToken);
  const recent = new RecentOwners(clock);
  /** Those whose roles and groups were written down once: two tokens of one person must not take turns. */
  const noted = new WeakSet<Identity>();

  async function owner(
    token: string | undefined,
    takeIn: (identity: Identity) => Promise<void> = admit,
  ): Promise<TokenOwner | "admin"> {
    if (token === undefined)
      throw new CodedError("SW_AUTH_INVALID_TOKEN", "A bearer token is required");
    // Only hashes are compared, so how long it takes says nothing about the token.
    const hash = hashOf(token);
    if (hash === adminHash) return "admin";
    if (issuer !== undefined && isJwt(token)) {
      const identity = await issuer.identify(token, hash);
      refuseExpired(identity, clock);
      await takeIn(identity);
      return ownerOf(identity);
    }
    const known = store.knownToken(hash);
    if (known !== undefined) recent.keep(hash, known);
    const found = known ?? (await recent.of(hash, () => store.token(hash)));
    if (found === undefined) throw invalidToken();
    refuseExpired(found, clock);
    return found;
  }

  /** Sees to it that whoever an issuer speaks of is a participant. Writes when something is new. */
  async function admit(identity: Identity): Promise<void> {
    const found = await store.recognise(identity);
    if (found === "known" || (found === "changed" && noted.has(identity))) return;
    try {
      await store.admit(identity, clock.wall());
    } catch (error) {
      if (!(error instanceof CodedError && error.code === "SW_TENANT_NOT_FOUND")) throw error;
      log("warn", "jwt.refused", { claim: "tenant_id" });
      throw invalidToken();
    }
    noted.add(identity);
  }

  async function refuseUnknown(identity: Identity): Promise<void> {
    if ((await store.recognise(identity)) === "unknown") throw invalidToken();
  }

  return {
    async participant(token) {
      const found = await owner(token);
      if (found === "admin") throw forbidden("The admin token is no participant");
      return found;
    },
    async recheck(token) {
      await owner(token, refuseUnknown);
    },
    async administrator(token) {
      const found = await owner(token);
      if (found === "admin") return { tenant_id: undefined };
      if (!found.roles.includes(config.adminRole))
        throw forbidden(`The role "${config.adminRole}" is required`);
      return { tenant_id: found.tenant_id, token_id: found.token_id };
    },
  };
}

/** For how long it is remembered whose a token was, while nobody can be asked, and of how many. */
const RECENT_MS = 300_000;
const RECENT_MAX = 10_000;

/**
 * Whose tokens were, for as long as the store is out of reach: who was let in
 * a moment ago is then let in to what needs no store. The store is asked every
 * time, and a token that it does not know is nobody's.
 */
class RecentOwners {
  readonly #owners = new Map<string, { readonly owner: TokenOwner; readonly until: number }>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async of(
    hash: string,
    ask: () => Promise<TokenOwner | undefined>,
  ): Promise<TokenOwner | undefined> {
    try {
      const owner = await ask();
      this.keep(hash, owner);
      return owner;
    } catch (error) {
      const known = this.#owners.get(hash);
      if (known === undefined || known.until <= this.#clock.elapsed()) throw error;
      return known.owner;
    }
  }

  /** Takes note of whom a token stands for; those who were let in longest ago come first. */
  keep(hash: string, owner: TokenOwner | undefined): void {
    this.#owners.delete(hash);
    if (owner === undefined) return;
    this.#owners.set(hash, { owner, until: this.#clock.elapsed() + RECENT_MS });
    const [oldest] = this.#owners.size > RECENT_MAX ? this.#owners.keys() : [];
    if (oldest !== undefined) this.#owners.delete(oldest);
  }
}

function ownerOf(identity: Identity): TokenOwner {
  const { tenant_id, participant_id, roles, expires_at } = identity;
  const token_id = tokenIdOf(identity);
  return { tenant_id, participant_id, roles, expires_at, token_id };
}

/**
 * What all tokens of an issuer about one person are called, which have no names
 * of their own: whoever only calls with them is one device, and nobody else's.
 */
function tokenIdOf({ tenant_id, participant_id }: PersonKey): string {
  return `jwt-${hashOf(`${tenant_id} ${participant_id}`).slice(0, 32)}`;
}

/** Whether a token is one of an issuer's: three parts, with dots between, which no token of ours has. */
function isJwt(token: string): boolean {
  return token.split(".", 4).length === 3;
}

function refuseExpired({ expires_at }: Pick<TokenOwner, "expires_at">, clock: Clock): void {
  if (expires_at !== undefined && expires_at <= clock.elapsed()) throw expiredToken();
}

/**
 * The tenant that an administrator means: their own, or of all tenants the one
 * that is named, or else the only one in which the id names something. A
 * tenant that is not theirs answers as one that does not exist.
 * @param what is it that they name; what has to exist already and does not is answered as such.
 */
export async function tenantMeant(
  store: Store,
  { tenant_id: own }: Administrator,
  named: string | undefined,
  what: { kind: "participant" | "room"; id: string; exists?: boolean },
): Promise<string> {
  if (own !== undefined) {
    if (named !== undefined && named !== own) throw noSuch("tenant");
    return own;
  }
  if (named !== undefined) {
    if (await store.hasTenant(named)) return named;
    throw noSuch("tenant");
  }
  const [only, ...others] = await store.tenantsOf(what.kind, what.id);
  if (only !== undefined && others.length === 0) return only;
  if (only === undefined && what.exists === true) throw noSuch(what.kind);
  const message =
    only === undefined
      ? `is required: there is no ${what.kind} "${what.id}" yet`
      : `is required: several tenants have a ${what.kind} "${what.id}"`;
  throw new CodedError("SW_VALIDATION", `tenant_id ${message}`, {
    details: [{ path: "tenant_id", message }],
  });
}

function forbidden(message: string): CodedError {
  return new CodedError("SW_AUTH_INSUFFICIENT_PERMISSION", message);
}

/** The two ids of whoever holds a key, without what else the holder carries. */
export function keyOf({ tenant_id, participant_id }: PersonKey): PersonKey {
  return { tenant_id, participant_id };
}
