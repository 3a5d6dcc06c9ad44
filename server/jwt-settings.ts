import type { Fault } from "@porchlight/core";
import type { Setting } from "./config.ts";

/** Whose JWTs are taken as tokens: the keys of an issuer, or a secret shared with it; neither for none. */
export interface JwtSettings {
  /** Where the issuer's public keys are. */
  readonly jwksUrl: string | undefined;
  readonly jwtSecret: string | undefined;
  /** What `iss` must be; anything, where there is none. */
  readonly jwtIssuer: string | undefined;
  /** What `aud` must be or hold; anything, where there is none. */
  readonly jwtAudience: string | undefined;
}

/** A shorter one can be found by trying. */
const LEAST_SECRET_BYTES = 32;
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

export const JWT_SETTINGS = {
  jwksUrl: { variable: "PORCHLIGHT_JWKS_URL", fallback: "", read: readKeysUrl },
  jwtSecret: {
    variable: "PORCHLIGHT_JWT_SECRET",
    fallback: "",
    read: (written) => {
      if (written === "") return { value: undefined };
      return Buffer.byteLength(written) < LEAST_SECRET_BYTES
        ? { fault: `must have at least ${LEAST_SECRET_BYTES} bytes` }
        : { value: written };
    },
  },
  jwtIssuer: {
    variable: "PORCHLIGHT_JWT_ISSUER",
    fallback: "",
    read: (written) => ({ value: written || undefined }),
  },
  jwtAudience: {
    variable: "PORCHLIGHT_JWT_AUDIENCE",
    fallback: "",
    read: (written) => ({ value: written || undefined }),
  },
} satisfies { readonly [K in keyof JwtSettings]: Setting<JwtSettings[K]> };

/** What is wrong with the settings together, each of which may be right. */
export function jwtFaults(settings: JwtSettings): Fault[] {
  const { jwksUrl, jwtSecret } = JWT_SETTINGS;
  if (settings.jwksUrl !== undefined && settings.jwtSecret !== undefined) {
    const message = `must not be set together with ${jwtSecret.variable}`;
    return [{ path: jwksUrl.variable, message }];
  }
  if (takesJwts(settings)) return [];
  const message = `is of no use without ${jwksUrl.variable} or ${jwtSecret.variable}`;
  return unchecked((value) => value !== undefined, settings, message);
}

/** What is allowed, and probably not meant. */
export function jwtWarnings(settings: JwtSettings): Fault[] {
  if (!takesJwts(settings)) return [];
  const message = "is not set: whatever a token says there is taken";
  return unchecked((value) => value === undefined, settings, message);
}

export function takesJwts({ jwksUrl, jwtSecret }: JwtSettings): boolean {
  return jwksUrl !== undefined || jwtSecret !== undefined;
}

function unchecked(
  applies: (value: string | undefined) => boolean,
  settings: JwtSettings,
  message: string,
): Fault[] {
  const names = ["jwtIssuer", "jwtAudience"] as const;
  return names
    .filter((name) => applies(settings[name]))
    .map((name) => ({ path: JWT_SETTINGS[name].variable, message }));
}

/** Keys that came over a wire that anyone can write to would be anyone's keys. */
function readKeysUrl(written: string): ReturnType<Setting<string | undefined>["read"]> {
  if (written === "") return { value: undefined };
  const url = URL.parse(written);
  const isSafe =
    url?.protocol === "https:" || (url?.protocol === "http:" && LOOPBACK.test(url.hostname));
  const hasPassword = url !== null && (url.username !== "" || url.password !== "");
  if (hasPassword) return { fault: "must not have a name or password in it" };
  return isSafe
    ? { value: written }
    : {
        fault: `must be an https address, or an http one of this machine: received "${written}"`,
      };
}
